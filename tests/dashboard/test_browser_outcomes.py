"""In a real Chromium: outcomes, batches and models, driven by hand as somebody would who asks what a success takes."""

from urllib.parse import parse_qs, urlsplit

import pytest
from tests.dashboard.made import HOSTILE
from tests.dashboard.test_browser import PHONE, axe, browser, opened, url

__all__ = ["axe", "browser", "opened", "url"]  # fixtures of another module


def checked(page, axe):
    page.evaluate(axe)
    found = page.evaluate("axe.run().then(done => done.violations)")
    assert [(one["id"], [node["html"] for node in one["nodes"][:3]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_one_finds_an_outcome_by_its_kind_opens_it_and_reaches_its_calls(url, opened, axe):
    page = opened(bypass_csp=True)
    page.goto(url)
    page.get_by_role("link", name="Tenants and outcomes").click()
    assert urlsplit(page.url).path == "/outcomes"
    assert page.locator("select[name=by]").input_value() == "tenant"
    page.locator("select[name=outcome]").select_option("ticket_solved")
    page.locator("select[name=status]").select_option("success")
    with page.expect_navigation():
        page.get_by_role("form", name="Find outcomes").get_by_role("button").click()
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["outcome"], asked["status"]) == (["ticket_solved"], ["success"])
    checked(page, axe)
    page.get_by_role("link", name="t-1").click()
    page.get_by_text("failure \u2192 success").wait_for()
    checked(page, axe)
    page.locator("td a[href^='/call?']").first.click()
    page.get_by_role("heading", name="The bill, line by line").wait_for()
    page.go_back()
    page.get_by_role("link", name="All tenants and outcomes").click()
    page.get_by_role("heading", name="By tenant").wait_for()


def test_groups_are_chosen_and_narrowed_by_hand(url, opened):
    page = opened()
    page.goto(f"{url}/outcomes")
    page.get_by_role("link", name="By feature").click()
    page.get_by_role("heading", name="By feature").wait_for()
    assert page.locator("select[name=by]").input_value() == "feature"
    page.get_by_role("region", name="By feature").get_by_role("link", name="support-chat").click()
    assert "where=feature%3Dsupport-chat" in page.url
    page.get_by_role("link", name="feature = support-chat").wait_for()


def test_what_outcomes_are_called_runs_nowhere(url, opened):
    page = opened()
    for query in ("", "?outcome=none", "?status=success", "?by=session"):
        page.goto(f"{url}/outcomes{query}")
        assert page.locator("img[src='x']").count() == 0
    page.goto(f"{url}/outcomes?status=success")
    with page.expect_navigation():
        page.get_by_role("link", name=HOSTILE).first.click()
    assert page.locator("main").get_by_text(HOSTILE).count() >= 2
    assert page.locator("img[src='x']").count() == 0


def test_figures_of_outcomes_leave_as_files(url, opened):
    page = opened()
    page.goto(f"{url}/outcomes")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "farthing-outcomes.csv"


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 900}], ids=["phone", "wide"])
def test_another_model_is_compared_by_hand(url, opened, axe, size):
    page = opened(bypass_csp=True, viewport=size, color_scheme="dark")
    page.goto(f"{url}/models")
    page.get_by_label("The calls of").select_option("claude-opus-5-5")
    with page.expect_navigation():
        page.get_by_role("button", name="Compare").click()
    assert "from=claude-opus-5-5" in page.url
    page.get_by_role("heading", name="calls of claude-opus-5-5, under each other model").wait_for()
    page.locator("svg.drawn circle:visible").nth(1).wait_for()
    checked(page, axe)


def test_from_a_call_that_could_wait_to_the_calls_meant(url, opened, axe):
    page = opened(bypass_csp=True, viewport=PHONE)
    page.goto(f"{url}/batches?range=90d")
    checked(page, axe)
    with page.expect_navigation():
        page.get_by_role("region", name="Which standard calls could wait").get_by_role("link").first.click()
    asked = parse_qs(urlsplit(page.url).query)["where"]
    assert urlsplit(page.url).path == "/calls"
    assert "service_tier=standard" in asked
    assert page.locator("tbody tr").count() >= 1
