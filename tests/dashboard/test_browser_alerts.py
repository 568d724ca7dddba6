"""The page Alerts in a real Chromium: press a button and the command line says so; whole at any width."""

import pytest
from tests.alerts.conftest import NOW as QUIET_UNTIL
from tests.dashboard.made import HOSTILE, books_over
from tests.dashboard.test_browser import NOW, PHONE, WIDE, axe, browser, opened
from tests.dashboard.test_pages_alerts import anomaly, budget, judged, listed

from farthing.alerts.store import STORE_NAME, AlertStore
from farthing.dashboard.access import Access, User, hash_of
from farthing.dashboard.server import DashboardServer
from farthing.dashboard.web import Site, create_app

__all__ = ["axe", "browser", "judged", "opened"]  # fixtures
TOKEN = "viewer-token-0123456789"


@pytest.fixture
def serve():
    servers = []

    def served(ledger, desk, now, access=None):
        server = DashboardServer(
            create_app(Site(books_over(ledger), desk, access or Access(is_open=True), lambda: now))
        )
        server.start()
        servers.append(server)
        return server.base_url

    yield served
    for server in servers:
        server.stop()


@pytest.fixture
def kept(desk, tmp_path):
    store = AlertStore(tmp_path / STORE_NAME)
    store.advance([budget(), anomaly(HOSTILE)], NOW, [])
    store.close()
    return desk._replace(ledger=tmp_path / "ledger.duckdb")


def test_acknowledged_in_the_browser_is_acknowledged_for_the_command(serve, opened, ledger, kept, farthing):
    url = serve(ledger, kept, NOW)
    page = opened()
    page.goto(url)
    page.get_by_role("link", name="Alerts").click()
    page.get_by_role("link", name="cost per call").click()
    assert "open=2" in page.url
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("acknowledged by this machine").wait_for()
    assert "open=2" in page.url
    assert page.get_by_role("button", name="Acknowledge").count() == 0
    states = {one["incident"]: one["state"] for one in listed(farthing, kept)["incidents"]}
    assert states == {1: "open", 2: "acknowledged"}
    page.get_by_role("button", name="Snooze a week").click()
    page.get_by_text("snoozed until 26 Nov 15:30").wait_for()
    page.get_by_role("link", name="All alerts").click()
    page.get_by_role("button", name="Close").first.click()
    page.wait_for_load_state("networkidle")
    told = listed(farthing, kept, "--all")["incidents"]
    assert {one["incident"]: one["state"] for one in told} == {1: "resolved", 2: "snoozed"}
    assert page.locator("img[src='x']").count() == 0
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "farthing-alerts.csv"


def test_a_viewer_has_no_button_to_press(serve, opened, ledger, kept):
    url = serve(ledger, kept, NOW, Access((User(name="vera", token_hash=hash_of(TOKEN)),)))
    page = opened()
    page.goto(f"{url}/alerts?open=2")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Incident 2").wait_for()
    assert page.get_by_role("button", name="Acknowledge").count() == 0


def test_an_incident_is_accessible_and_fits_a_phone_in_light_and_dark(serve, opened, axe, judged):
    ledger, own, found = judged
    url = serve(ledger, own, QUIET_UNTIL)
    paths = ["/alerts", "/", *(f"/alerts?open={one.id}" for one in found.incidents)]
    for scheme, size in (("light", WIDE), ("dark", PHONE)):
        for path in paths:
            page = opened(color_scheme=scheme, viewport=size, bypass_csp=True)
            assert page.goto(url + path).status == 200
            assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
            if path != "/":
                assert path == "/alerts" or page.locator("svg.drawn:visible").count() == 1
            page.evaluate(axe)
            wrong = page.evaluate("axe.run().then(done => done.violations)")
            assert [(one["id"], [node["html"] for node in one["nodes"][:3]]) for one in wrong] == []
