"""In a real Chromium: a step applied and undone, and calls that come while somebody watches."""

from datetime import timedelta

import pytest
from tests.dashboard.made import NOW, OpenLedger, posted
from tests.dashboard.test_browser import PHONE, axe, browser, opened
from tests.dashboard.test_pages_calls import call_of
from tests.dashboard.test_pages_playbook import NIGHTLY, folder, ledger, own_desk

from farthing.dashboard.access import Access
from farthing.dashboard.books import Books, books_of
from farthing.dashboard.pages.calls import LIVE_S
from farthing.dashboard.server import DashboardServer
from farthing.dashboard.web import Site, create_app

__all__ = ["axe", "browser", "folder", "ledger", "opened", "own_desk"]  # fixtures of other modules


def started(site):
    server = DashboardServer(create_app(site))
    server.start()
    return server


@pytest.fixture
def playbook(own_desk):
    server = started(Site(books_of(own_desk.ledger), own_desk, Access(is_open=True), lambda: NOW))
    yield f"{server.base_url}/playbook"
    server.stop()


def test_applying_and_undoing_by_hand_is_what_status_then_says(playbook, own_desk, opened, farthing, axe):
    page = opened(bypass_csp=True)
    page.goto(playbook)
    page.get_by_role("button", name="Apply").click()
    assert page.url == playbook
    told = farthing.json("playbook", "status", "--ledger", own_desk.ledger)
    assert [(one["id"], one["who"]) for one in told["steps"]] == [(NIGHTLY, "this machine")]
    came = page.get_by_role("region", name="Predicted against realised")
    assert told["steps"][0]["says"] in came.inner_text()
    page.evaluate(axe)
    assert page.evaluate("axe.run().then(done => done.violations.map(one => one.id))") == []
    page.get_by_role("region", name="What would save money").get_by_role("link").click()
    page.get_by_text("batch = true").wait_for()
    page.evaluate(axe)
    assert page.evaluate("axe.run().then(done => done.violations.map(one => one.id))") == []
    page.set_viewport_size(PHONE)
    for address in (page.url, playbook):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.go_back()
    page.get_by_role("button", name="Undo").click()
    assert "open=" in page.url
    page.get_by_role("button", name="Apply").wait_for()
    told = farthing.json("playbook", "status", "--ledger", own_desk.ledger)
    assert told["steps"] == []
    assert [one["action"] for one in told["journal"]] == ["applied", "undone"]


def test_a_plan_is_made_while_one_waits(playbook, own_desk, opened):
    own_desk.plan.unlink()
    page = opened()
    page.goto(playbook)
    page.get_by_role("button", name="Make a plan now").click()
    page.get_by_role("button", name="Apply").wait_for()  # the page looks again by itself
    assert own_desk.plan.exists()
    page.wait_for_load_state("networkidle")


def test_a_refusal_is_read_where_it_happens(playbook, own_desk, browser, farthing):
    page = browser.new_page()  # Chromium says in its console that the answer is a refusal
    page.goto(playbook)
    farthing("playbook", "apply", "1", "--ledger", own_desk.ledger)  # somebody else was faster
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        page.get_by_role("button", name="Apply").click()
    assert answered.value.status == 400
    page.get_by_role("heading", name="That cannot be done").first.wait_for()
    assert "which is applied" in page.locator("main").inner_text()
    page.get_by_role("link", name="Back").click()
    page.get_by_role("button", name="Undo").first.wait_for()
    page.close()


class Growing:
    """A ledger that gets calls while it is served."""

    def __init__(self, *calls):
        self.ledger = OpenLedger()
        self.stamp = 0
        self.books = Books(lambda: self.ledger, lambda: self.stamp)
        self.add(*calls)

    def add(self, *calls):
        self.ledger.add(map(posted, calls))
        self.stamp += 1


@pytest.fixture
def growing(desk):
    made = Growing(*(call_of(number) for number in range(40)))
    server = started(Site(made.books, desk, Access(is_open=True), lambda: NOW))
    yield made, f"{server.base_url}/calls"
    server.stop()


def test_a_call_that_comes_while_somebody_watches_is_shown_and_marked(growing, opened):
    made, url = growing
    page = opened(viewport=PHONE)
    page.clock.install()
    page.goto(url)
    with page.expect_navigation():
        page.get_by_role("link", name="Follow live").click()
    rows = page.locator("tbody tr")
    assert rows.count() == 40
    page.get_by_role("link", name="call-20").focus()
    page.get_by_role("link", name="call-20").evaluate("one => one.scrollIntoView({block: 'center'})")
    was = page.get_by_role("link", name="call-20").bounding_box()["y"]
    made.add(call_of(100, at=NOW - timedelta(seconds=5)), call_of(101, feature="else"))
    page.clock.run_for(1000 * LIVE_S)
    page.locator(".said p", has_text="2 new calls").wait_for()
    assert "new" in rows.first.inner_text()
    assert rows.count() == 42
    assert page.locator("td.good", has_text="new").count() == 2
    assert page.evaluate("document.activeElement.textContent") == "call-20"
    assert abs(page.get_by_role("link", name="call-20").bounding_box()["y"] - was) < 3
    assert "2 new calls" in page.locator("[data-renewed]").text_content()
    with page.expect_navigation():
        page.get_by_role("link", name="Stop").click()
    assert page.locator("[data-refresh-s]").count() == 0
    page.wait_for_load_state("networkidle")


def test_what_is_being_marked_or_typed_is_left_alone(growing, opened):
    made, url = growing
    page = opened()
    page.clock.install()
    page.goto(f"{url}?live=1")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/calls" in request.url else None)
    page.get_by_label("Value to keep").fill("half a wo")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('tbody tr'))")
    made.add(call_of(100, at=NOW - timedelta(seconds=5)))
    page.clock.run_for(4000 * LIVE_S)
    assert asked == []
    page.evaluate("getSelection().removeAllRanges()")
    page.clock.run_for(1000 * LIVE_S)
    page.locator(".said p", has_text="1 new call ").wait_for()
    assert page.get_by_label("Value to keep").input_value() == "half a wo"
    assert page.locator("tbody tr").count() == 41


def test_without_scripts_a_link_brings_newer_calls(growing, opened):
    made, url = growing
    page = opened(java_script_enabled=False)
    page.goto(f"{url}?live=1")
    made.add(call_of(100, at=NOW - timedelta(seconds=5)))
    with page.expect_navigation():
        page.get_by_role("link", name="Newer calls").click()
    assert page.locator("td.good", has_text="new").count() == 1
