"""
A viewer bound to a tenant reaches no other tenant's figure by any address.

Every answer must be the same, byte for byte, whether the others' calls are in the ledger or not: whatever could tell
them apart would tell of them.
"""

from zoneinfo import ZoneInfo

import pytest
from starlette.routing import Route
from tests.dashboard.made import (
    HOSTILE,
    NOW,
    OpenLedger,
    books_over,
    client_of,
    form_token,
    of_tenant,
    posted,
    tell,
    without_token,
)

from farthing.dashboard.access import Access, User, hash_of
from farthing.dashboard.nav import PAGES
from farthing.dashboard.web import Site, create_app
from farthing.limits.protocol import AccountKey
from farthing.limits.refusal_store import REFUSALS_NAME, RefusalStore
from farthing.limits.refusals import HOUR_S, OTHERS, Case, one_call
from farthing.limits.store import STORE_NAME, SqliteBank
from farthing.limits.windows import window_at

MINE, OTHER = "tenant-01", "tenant-02"
TOKEN = "scoped-token-0123456789"
ACCESS = Access((User(name="tina", tenants=(MINE,), token_hash=hash_of(TOKEN)),))
LIMITS = """
[[budget]]
name = "all of us"
limit_usd = 100
window = "month"

[[budget]]
name = "each"
each = "tenant"
limit_usd = 10
window = "month"

[[budget]]
name = "mine"
scope = { tenant = "tenant-01" }
limit_usd = 9
window = "month"

[[budget]]
name = "ours together"
scope = { tenant = "tenant-0*" }
limit_usd = 9
window = "month"

[[budget]]
name = "by model"
each = "model"
limit_usd = 9
window = "month"
"""


def desk_with(desk, folder, calls, tenants):
    """A desk whose budgets' store has what these tenants spent."""
    limits = folder / "limits.toml"
    limits.write_text(LIMITS, encoding="utf-8")
    start_s = window_at("month", NOW, ZoneInfo("UTC")).start_s
    bank = SqliteBank(folder / STORE_NAME)
    spent = {}
    for n, tenant in enumerate(tenants, 1):
        spent[AccountKey("each", f"tenant={tenant}", start_s)] = n * 10**12
        if tenant == MINE:
            spent[AccountKey("mine", "", start_s)] = n * 10**12
        else:
            spent[AccountKey("all of us", "", start_s)] = spent[AccountKey("ours together", "", start_s)] = 7 * 10**12
            spent[AccountKey("by model", "model=claude-opus-5-5", start_s)] = 10**12
    bank.rebuild(spent, keep_presumed=False)
    bank.close()
    refuse(folder / REFUSALS_NAME, tenants)
    return desk._replace(ledger=folder / "ledger.duckdb", limits=limits)


def refuse(path, tenants):
    """A log of refusals of these tenants' calls, by budgets of their own and by those that all share."""
    hour_s, batch = int(NOW.timestamp()) // HOUR_S * HOUR_S, {}
    for n, tenant in enumerate(tenants, 1):
        tally = one_call(n * 10**9, NOW)
        own = (f"tenant={tenant}",) if tenant == MINE else (f"tenant={tenant}", "", f"tenant={OTHERS}")
        batch |= {(hour_s, Case("budget", "each", value, "used up", tenant, f"key-{n}")): tally for value in own}
        batch[hour_s, Case("budget", "all of us", "", "busy", tenant, f"key-{n}")] = tally
        batch[hour_s, Case("rate", "each user", f"user=user-{n}", "2 requests per minute", tenant, "")] = tally
    if len(tenants) > 1:  # of whose calls nobody can tell whether they are mine
        batch[hour_s, Case("budget", "each", OTHERS, "used up", OTHERS, "")] = one_call(10**9, NOW)
        batch[hour_s, Case("store", "", f"tenant={MINE}", "store", "", "")] = one_call(10**9, NOW)
    store = RefusalStore(path)
    store.add(batch, NOW)
    store.close()


@pytest.fixture(scope="module")
def both(calls, ledger, desk, tmp_path_factory):
    """The same viewer over everybody's calls, and over a ledger that never had any but the viewer's own."""
    alone = OpenLedger()
    alone.add(map(posted, of_tenant(calls, MINE)))
    tell(alone, calls, lambda outcome: outcome.tenant == MINE)
    clients = []
    for made, tenants in ((ledger, (MINE, OTHER, "tenant-03", HOSTILE)), (alone, (MINE,))):
        own = desk_with(desk, tmp_path_factory.mktemp("desk"), calls, tenants)
        own = own._replace(plan=desk.plan, decisions=desk.decisions)
        client = client_of(made, own, ACCESS)
        page = client.get("/sign-in")
        client.post("/sign-in", data={"form_token": form_token(page.text), "token": TOKEN, "next": "/"})
        clients.append(client)
    return clients


@pytest.fixture(scope="module")
def questions(calls):
    """Parameters that ask for somebody else's calls in every way there is, and for one's own."""
    theirs, mine = of_tenant(calls, OTHER)[-1], of_tenant(calls, MINE)[-2]
    own = {"/outcomes": [{"outcome": "ticket_solved"}, {"status": "success"}, {"outcome": "none", "by": "feature"}]}
    own["/models"] = [{"from": model} for model in sorted({call.served.model for call in calls})]
    return own, [
        {},
        {"where": f"tenant={OTHER}"},
        {"where": [f"tenant={OTHER}", f"tenant={MINE}"]},
        {"where": "tenant="},
        {"where": f"tag:tenant={OTHER}"},
        {"add": "tenant", "value": OTHER},
        {"by": "tenant"},
        {"by": "tenant,model", "bucket": "hour", "range": "2026-11-18"},
        {"by": "tag:tenant", "range": "2026-10"},
        {"by": "user"},
        {"range": "90d", "tz": "Europe/Berlin"},
        {"range": "2025-01"},
        {"open": theirs.call_id},
        {"open": theirs.served.message_id},
        {"open": theirs.served.request_id},
        {"open": theirs.dims["session"]},
        {"open": mine.call_id},
        {"open": mine.dims["session"]},
        {"open": "2026-11-18"},
        {"where": f"session={theirs.dims['session']}"},
        {"where": f"model={theirs.served.model}"},
        *({"open": name} for name in ("t-1", "t-2", "t-3", "t-4", "nobody-1", "nobody-2", "grab", "r-1", "lost too")),
        {"page": "2"},
        {"sort": "-usd"},
        {"open": mine.call_id, "as_if": "model=claude-haiku-5-5,batch=true"},
        {"open": theirs.call_id, "as_if": "batch=true"},
        {"live": "1"},
        {"live": "1", "seen": "2026-11-18T12:00:00+00:00"},
    ]


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
@pytest.mark.parametrize("form", ["html", "csv", "json"])
def test_no_answer_depends_on_other_tenants_calls(both, questions, route, form):
    everybody, alone = both
    own, general = questions
    asked = general if form == "html" else [*general[:9], *general[12:16], {"open": "t-3"}]
    for question in [*asked, *own.get(route.path, ())]:
        answers = [client.get(route.path, params={"format": form, **question}) for client in (everybody, alone)]
        texts = [without_token(answer.text) for answer in answers]
        assert answers[0].status_code == answers[1].status_code, question
        assert texts[0] == texts[1], question


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_no_name_of_theirs_is_on_a_page_that_was_not_asked_about_them(both, calls, route):
    others = [call.dims for call in calls if call.dims["tenant"] != MINE]
    names = {dims[name] for dims in others for name in ("tenant", "session") if name in dims}
    text = both[0].get(route.path, params={"range": "90d"}).text
    assert [name for name in names if f">{name}<" in text or f'"{name}"' in text] == []


def test_an_outcome_is_there_for_its_own_tenant_alone(both):
    shown = both[0].get("/outcomes?format=json").json()
    told = shown["report"]["totals"]
    assert (told["outcomes"], told["outcomes_without_calls"], told["revenue_usd"]) == (6, 1, "2.989999999999")
    assert shown["report"]["joined_calls"]["request"]["calls"] == 1
    for name in ("t-1", "nobody-1", "nobody-2", "nobody-3", "grab", "r-2", "tag-1", "lost too"):
        assert both[0].get("/outcomes", params={"open": name}).status_code == 404
        assert name not in both[0].get("/outcomes?status=success").text
    corrected = both[0].get("/outcomes?open=t-3&format=json").json()
    assert corrected["figures"]["value"]["value"] == "4"
    assert [table["name"] for table in corrected["tables"]] == ["calls"]  # what it was as another's is not told


def test_ones_own_figures_are_there(both):
    page = both[0].get("/?format=json").json()
    assert page["figures"]["spend"]["value"] != "0"
    budgets = both[0].get("/budgets?format=json").json()["tables"][0]["rows"]
    assert [(row["budget"], row["who"]) for row in budgets] == [("each", f"tenant={MINE}"), ("mine", "all")]
    refused = both[0].get("/budgets?format=json").json()["tables"][1]["rows"]
    assert [(row["limit"], row["who"], row["calls"]) for row in refused] == [
        ("all of us", f"tenant={MINE}, api_key=key-1", 1),
        ("each", f"tenant={MINE}, api_key=key-1", 1),
        ("each user", f"user=user-1, tenant={MINE}", 1),
    ]


def test_the_pages_above_are_all_that_there_are(ledger, desk):
    site = Site(books_over(ledger), desk, ACCESS, lambda: NOW)
    routes = {route.path for route in create_app(site).routes}
    assert routes == {route.path for route in PAGES} | {"/sign-in", "/sign-out", "/theme", "/static"}
    assert all(isinstance(route, Route) or route.path == "/static" for route in create_app(site).routes)


def test_what_everybody_may_not_see_is_refused_to_a_tenant_in_every_form(both):
    for route in PAGES:
        if route.is_whole or route.least != "viewer":
            for form in ("html", "csv", "json"):
                assert both[0].get(route.path, params={"format": form}).status_code == 403
