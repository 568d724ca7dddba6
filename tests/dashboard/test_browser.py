"""
The pages in a real Chromium: nothing in the console, no request to anywhere else, accessible, and driven by keyboard.

Chromium is the system's own (``CHROMIUM`` names another), axe-core comes from npm (``AXE_CORE`` names its file); where
one of them is absent its tests are skipped and say so.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.dashboard.made import HOSTILE, NOW, books_over

from farthing.dashboard.access import Access, User, hash_of
from farthing.dashboard.nav import PAGES
from farthing.dashboard.server import DashboardServer
from farthing.dashboard.web import Site, create_app

PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
TOKEN = "browser-token-0123456789"
AXE_VERSION = "4.14.1"
REFUSED = "status of 401"
"""Chromium says of its own accord that a token was wrong."""


def chromium():
    named = os.environ.get("CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium, or name one in CHROMIUM)")
    return found


@pytest.fixture(scope="session")
def axe(root):
    """The text of axe-core."""
    named = os.environ.get("AXE_CORE")
    path = Path(named) if named else root / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists() and not named and shutil.which("npm"):
        path.parents[2].mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-save", "--prefix", path.parents[2], f"axe-core@{AXE_VERSION}"]
        with contextlib.suppress(subprocess.TimeoutExpired):  # a registry that does not answer
            subprocess.run(command, check=False, capture_output=True, timeout=120)
    if not path.exists():
        pytest.skip("axe-core is not on this machine and npm did not bring it (or name its file in AXE_CORE)")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")  # while it runs, this thread has an event loop: nothing else must meet it
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


def served(ledger, desk, access):
    server = DashboardServer(create_app(Site(books_over(ledger), desk, access, lambda: NOW)))
    server.start()
    return server


@pytest.fixture(scope="module")
def url(ledger, desk):
    server = served(ledger, desk, Access(is_open=True))
    yield server.base_url
    server.stop()


@pytest.fixture
def opened(browser):
    """Opens a page that must say nothing in its console and ask nobody else for anything."""
    contexts, wrong = [], []

    def open_page(**options):
        context = browser.new_context(**{"viewport": WIDE, "timezone_id": "Europe/Berlin"} | options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: None if REFUSED in message.text else wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda request: wrong.append(request.url) if _is_elsewhere(request.url) else None)
        page.on("requestfailed", lambda request: None if _is_left(request) else wrong.append(f"failed: {request.url}"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def _is_left(request):
    """Whether the page went on before the answer was there."""
    return request.failure == "net::ERR_ABORTED"


def _is_elsewhere(address):
    return urlsplit(address).hostname not in ("127.0.0.1", None) and not address.startswith("data:")


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_every_page_is_quiet_accessible_and_fits_a_phone(url, opened, axe, calls, route):
    query = f"?open={calls[-1].call_id}" if route.path == "/call" else ""
    for scheme, size in (("light", WIDE), ("dark", PHONE)):
        page = opened(color_scheme=scheme, viewport=size, bypass_csp=True)  # axe is ours to add, not the page's
        assert page.goto(f"{url}{route.path}{query}").status == 200
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        page.evaluate(axe)
        found = page.evaluate("axe.run().then(done => done.violations)")
        assert [(one["id"], [node["html"] for node in one["nodes"][:3]]) for one in found] == []


def test_markup_in_names_runs_nowhere(url, opened):
    page = opened()
    for path in ("/", "/explore?by=session", "/calls", "/sessions", "/models", "/call?open=odd-0"):
        page.goto(url + path)
        assert page.locator("img[src='x']").count() == 0
    page.goto(url + "/explore?by=feature")
    assert page.get_by_role("link", name=HOSTILE).count() == 1


def test_one_drills_from_the_overview_to_the_lines_of_a_call(url, opened):
    page = opened()
    page.goto(url)
    page.get_by_role("link", name="All of them").click()
    assert urlsplit(page.url).path == "/explore"
    page.locator("td a[href^='/calls']").first.click()
    assert "where=feature" in page.url
    page.locator("td a[href^='/call?']").first.click()
    page.get_by_role("heading", name="The bill, line by line").wait_for()
    page.go_back()
    assert urlsplit(page.url).path == "/calls"


def test_a_choice_is_in_the_address_and_survives_a_reload(url, opened):
    page = opened()
    page.goto(f"{url}/explore")
    with page.expect_navigation():
        page.locator("select[name=by]").select_option("model")
    with page.expect_navigation():
        page.locator("select[name=tz]").select_option("Europe/Berlin")
    page.locator("select[name=add]").select_option("tenant")
    page.get_by_label("Value to keep").fill("tenant-01")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    asked = urlsplit(page.url).query
    assert "by=model" in asked
    assert "tz=Europe%2FBerlin" in asked
    text = page.locator("main").inner_text()
    page.reload()
    assert page.locator("main").inner_text() == text
    with page.expect_navigation():
        page.get_by_role("link", name="tenant = tenant-01").click()
    assert "tenant-01" not in page.url


def test_the_keyboard_alone_is_enough(url, opened):
    page = opened()
    page.goto(f"{url}/calls?range=90d")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the figures"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "add"
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    with page.expect_navigation():
        page.keyboard.press("]")
    assert "page=2" in page.url
    with page.expect_navigation():
        page.keyboard.press("[")
    assert "page=2" not in page.url


def test_it_works_without_any_script(url, opened):
    page = opened(java_script_enabled=False)
    page.goto(f"{url}/explore")
    page.locator("select[name=by]").select_option("model")
    page.get_by_role("button", name="Show").click()
    assert "by=model" in page.url
    page.locator("svg.drawn:visible").first.wait_for()


def test_the_theme_is_chosen_and_kept(url, opened):
    page = opened(color_scheme="light")
    page.goto(f"{url}/prices")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_role("button", name="Dark").click()
    assert urlsplit(page.url).path == "/prices"
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != light
    page.goto(url)
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"


def test_figures_leave_as_files(url, opened):
    page = opened()
    page.goto(f"{url}/explore?by=model")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "farthing-explore.csv"
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("model,calls,")


def test_print_leaves_the_menu_out(url, opened):
    page = opened()
    page.goto(url)
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation", name="Pages").is_visible()
    assert page.locator(".tiles.lead").is_visible()


def test_signing_in_by_hand_and_being_refused(ledger, desk, opened):
    server = served(ledger, desk, Access((User(name="tina", tenants=("tenant-01",), token_hash=hash_of(TOKEN)),)))
    try:
        page = opened()
        page.goto(f"{server.base_url}/cache?range=7d")
        page.get_by_label("Token").fill("not-the-token")
        page.keyboard.press("Enter")
        assert page.get_by_role("alert").inner_text() == "No user has that token."
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        assert page.url == f"{server.base_url}/cache?range=7d"
        page.get_by_text("tina, tenant-01").wait_for()
        assert page.get_by_role("link", name="Health").count() == 0
        page.get_by_role("button", name="Sign out").click()
        assert urlsplit(page.url).path == "/sign-in"
        page.wait_for_load_state("networkidle")  # what is still on its way would fail when the server ends
    finally:
        server.stop()
