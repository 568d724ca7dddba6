"""Files beside the ledger that are damaged, away or not to be read: no page falls over, and the others stand."""

import pytest
from tests.dashboard.made import NOW, client_of, form_token

from farthing.alerts.store import STORE_NAME as ALERTS_NAME
from farthing.dashboard.nav import PAGES
from farthing.limits.refusal_store import REFUSALS_NAME
from farthing.limits.store import STORE_NAME as LIMITS_NAME

LIMITS = '[[budget]]\nname = "org"\nlimit_usd = "100"\nwindow = "month"\n'
FILES = (
    ALERTS_NAME,
    LIMITS_NAME,
    REFUSALS_NAME,
    "playbook.plan.json",
    "playbook.journal",
    "policy.toml",
    "limits.toml",
    "channels.toml",
)
OF_PAGES = {
    ALERTS_NAME: {"/alerts"},
    LIMITS_NAME: {"/budgets"},
    "limits.toml": {"/budgets"},
    "playbook.journal": {"/playbook"},
}
"""Pages that have nothing to show without a file."""


@pytest.fixture
def own(desk, tmp_path):
    (tmp_path / "limits.toml").write_text(LIMITS, encoding="utf-8")
    return desk._replace(
        ledger=tmp_path / "ledger.duckdb",
        plan=tmp_path / "playbook.plan.json",
        decisions=tmp_path / "playbook.journal",
        policy=tmp_path / "policy.toml",
        limits=tmp_path / "limits.toml",
        channels=tmp_path / "channels.toml",
        monthly_budget_pusd=None,
    )


def answers(ledger, own):
    client = client_of(ledger, own)
    return {route.path: client.get(route.path) for route in PAGES if route.path != "/call"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("spoilt", ["junk", "folder"])
def test_one_bad_file_takes_no_other_page_with_it(ledger, own, tmp_path, name, spoilt):
    path = tmp_path / name
    path.unlink(missing_ok=True)
    if spoilt == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"\x00junk" * 300)
    found = answers(ledger, own)
    failed = {page for page, answer in found.items() if answer.status_code != 200}
    assert failed <= OF_PAGES.get(name, set())
    assert all(found[page].status_code == 503 for page in failed)
    assert "That question cannot be read" not in "".join(answer.text for answer in found.values())


def test_without_its_limits_file_the_first_page_stands_and_three_say_why(ledger, own):
    own.limits.unlink()
    found = answers(ledger, own)
    figures = client_of(ledger, own).get("/?format=json").json()["figures"]
    assert figures["budget_left"]["value"] is None
    assert "cannot be read" in found["/"].text
    for page in ("/alerts", "/budgets"):
        assert "The limits file cannot be read" in found[page].text
        assert "limits.toml" in found[page].text


def test_a_journal_that_cannot_be_read_refuses_to_decide(ledger, own):
    client = client_of(ledger, own)
    token = form_token(client.get("/playbook").text)
    own.decisions.mkdir()
    plan = NOW.isoformat()
    answer = client.post("/playbook", data={"form_token": token, "act": "undo", "step": "x", "plan": plan})
    assert answer.status_code == 503
    assert "playbook.journal" in answer.text
