"""Alerts: the figures of ``farthing alerts``, the buttons and who may press them, and an incident's picture."""

import json
from datetime import timedelta
from html import escape

import pytest
from tests.alerts.conftest import CENT, Maker
from tests.alerts.conftest import NOW as QUIET_UNTIL
from tests.dashboard.made import HOSTILE, NOW, OpenLedger, client_of, form_token, posted

from farthing.alerts.channels import Channel
from farthing.alerts.coming import coming
from farthing.alerts.evaluate import Settings, evaluate
from farthing.alerts.incidents import Signal
from farthing.alerts.owners import standings
from farthing.alerts.series import hour_number
from farthing.alerts.store import STORE_NAME, AlertStore
from farthing.call import Call, Served, Usage
from farthing.dashboard.access import Access, User, hash_of
from farthing.limits.file import read_limits
from farthing.money import usd_text

HOUR = timedelta(hours=1)
OPS = Channel(name="ops", kind="slack")
VIEWER, OPERATOR = "viewer-token-0123456789", "operator-token-0123456789"
CLOSED = Access(
    (
        User(name="vera", token_hash=hash_of(VIEWER)),
        User(name="otto", role="operator", token_hash=hash_of(OPERATOR)),
    )
)
LIMITS = '[[budget]]\nname = "org"\nlimit_usd = "100"\nwindow = "month"\n'


def anomaly(tenant="acme", stake=5 * 10**12, hours=3, **changes):
    detail = {
        "metric": "unit_cost",
        "scope": {"tenant": tenant, "feature": "chat"},
        "members": [{"tenant": tenant, "feature": "chat"}],
        "usual": "$0.01",
        "seen": "$0.2",
        "also": ["tokens_per_call"],
        "hours": hours,
        "drivers": [
            {"dimension": "unit", "value": "input_tokens", "more_pusd": None, "share_percent": 100},
            {"dimension": "model", "value": f"m-{tenant}", "more_pusd": str(stake), "share_percent": 93},
        ],
    }
    signal = Signal(
        kind="anomaly",
        keys=(json.dumps(["anomaly", tenant, "chat"]),),
        began_at=NOW - hours * HOUR,
        last_at=NOW,
        is_over=False,
        level=0,
        title=f"cost per call, tenant {tenant} feature chat: 20.0 times usual",
        stake_pusd=stake,
        detail=detail,
    )
    return signal._replace(**changes)


def budget(level=80):
    detail = {
        "budget": "org",
        "value": "",
        "window": "month",
        "window_start": "2026-11-01T00:00:00+00:00",
        "window_end": "2026-12-01T00:00:00+00:00",
        "notes": ["spent $80.00 of $100.00; the window ends 2026-12-01"],
    }
    start = NOW.replace(day=1, hour=0, minute=0)
    return Signal("budget", ('["budget","org"]',), start, NOW, False, level, f"budget org: {level}%", 0, detail)  # noqa: FBT003


@pytest.fixture
def kept(desk, tmp_path):
    """Incidents 1 (a budget) and 2 (somebody's hostile name) stand, 3 is over; ops was told of none of them yet."""
    path = tmp_path / STORE_NAME
    store = AlertStore(path)
    gone = anomaly("gone", 10**12)
    store.advance([budget(), anomaly(HOSTILE), gone], NOW - HOUR, [OPS])
    store.advance([budget(), anomaly(HOSTILE)], NOW, [OPS])
    message = store.claim(NOW, NOW)
    store.failed(message, "answered 503", NOW)
    store.close()
    return desk._replace(ledger=tmp_path / "ledger.duckdb")


@pytest.fixture
def shown(ledger, kept):
    return client_of(ledger, kept)


def tables(client, query=""):
    return {one["name"]: one["rows"] for one in client.get(f"/alerts?format=json{query}").json()["tables"]}


def listed(farthing, desk, *flags):
    return farthing.json("alerts", "list", *flags, "--ledger", desk.ledger)


def press(client, act, incident, page="/alerts", **fields):
    token = form_token(client.get(page).text)
    data = {"form_token": token, "act": act, "incident": incident, "next": page, **fields}
    return client.post("/alerts", data=data)


def test_the_page_lists_what_the_command_lists(shown, kept, farthing):
    told = listed(farthing, kept, "--all")["incidents"]
    found = tables(shown)
    standing = [one for one in told if one["state"] != "resolved"]
    assert [row["incident"] for row in found["incidents"]] == [one["incident"] for one in standing] == [2, 1]
    assert [row["stake_usd"] for row in found["incidents"]] == [one["stake_usd"] for one in standing]
    assert [row["since"] for row in found["incidents"]] == [one["began_at"] for one in standing]
    assert [row["incident"] for row in found["resolved"]] == [3]
    assert found["incidents"][1]["level"] == 80
    assert found["incidents"][0]["driver"] == f"model m-{HOSTILE}"


def test_the_tiles_sum_what_is_open(shown):
    figures = shown.get("/alerts?format=json").json()["figures"]
    assert (figures["open"]["value"], figures["at_stake"]["value"]) == (2, "5")
    assert figures["undelivered"]["value"] == 4  # three beginnings and an end
    press(shown, "ack", 2)
    figures = shown.get("/alerts?format=json").json()["figures"]
    assert (figures["open"]["value"], figures["at_stake"]["value"]) == (1, "0")


def test_one_incident_has_its_drivers_its_links_and_who_was_told(shown):
    found = tables(shown, "&open=1")
    (told,) = found["told"]
    assert (told["channel"], told["state"], told["tries"], told["fault"]) == ("ops", "waits", 1, "answered 503")
    assert told["due_at"] == (NOW + timedelta(seconds=30)).isoformat()
    found = tables(shown, "&open=2")
    assert {row["dimension"]: row["more_usd"] for row in found["drivers"]} == {"unit": None, "model": "5"}
    html = shown.get("/alerts?open=2").text
    assert "/calls?range=2026-11-19&amp;where=tenant" in html
    assert shown.get("/alerts?open=2&format=json").json()["incident"]["incident"] == 2


def test_an_incident_there_is_not_is_404_and_a_word_is_400(shown):
    assert shown.get("/alerts?open=99").status_code == 404
    assert shown.get("/alerts?open=me").status_code == 400
    assert shown.get("/alerts?open=" + "9" * 30).status_code == 400


def test_hostile_names_are_text(shown, ledger, kept):
    for path in ("/alerts", "/alerts?open=2", "/"):
        html = shown.get(path).text
        assert "<img src=x" not in html
        assert escape(HOSTILE, quote=False)[:20] in html
    assert "=" not in shown.get("/alerts?format=csv").text[:1]


@pytest.mark.parametrize(
    ("act", "fields", "state"),
    [("ack", {}, "acknowledged"), ("snooze", {"hours": "24"}, "snoozed"), ("resolve", {}, "resolved")],
)
def test_a_button_changes_what_the_command_says(  # noqa: PLR0917 - a table
    shown, kept, farthing, act, fields, state
):
    answer = press(shown, act, 2, "/alerts?open=2", **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts?open=2")
    (one,) = [one for one in listed(farthing, kept, "--all")["incidents"] if one["incident"] == 2]
    assert (one["state"], one["by"]) == (state, "this machine")
    if state == "snoozed":
        assert one["snoozed_until"] == (NOW + timedelta(days=1)).isoformat()
    assert state in shown.get("/alerts?open=2").text


@pytest.mark.parametrize(
    ("act", "incident", "fields"),
    [
        ("ack", "99", {}),
        ("ack", "x", {}),
        ("ack", "", {}),
        ("snooze", "2", {"hours": "9999"}),
        ("snooze", "2", {}),
        ("drop", "2", {}),
        ("ack", "3", {}),
    ],
)
def test_what_no_button_says_is_refused_and_changes_nothing(  # noqa: PLR0917 - a table
    shown, kept, farthing, act, incident, fields
):
    before = listed(farthing, kept, "--all")
    assert press(shown, act, incident, **fields).status_code == 400
    assert listed(farthing, kept, "--all") == before


def sign_in(ledger, desk, token):
    client = client_of(ledger, desk, CLOSED)
    page = client.get("/sign-in")
    client.post("/sign-in", data={"form_token": form_token(page.text), "token": token, "next": "/"})
    return client


def test_a_viewer_sees_no_button_and_may_press_none(ledger, kept, farthing):
    viewer, operator = sign_in(ledger, kept, VIEWER), sign_in(ledger, kept, OPERATOR)
    for path in ("/alerts", "/alerts?open=2"):
        assert 'name="act"' not in viewer.get(path).text
        assert 'name="act"' in operator.get(path).text
    assert press(viewer, "ack", 2).status_code == 403
    assert {one["state"] for one in listed(farthing, kept)["incidents"]} == {"open"}
    assert press(operator, "ack", 2).status_code == 303
    assert {(one["incident"], one["state"], one["by"]) for one in listed(farthing, kept)["incidents"]} == {
        (1, "open", None),
        (2, "acknowledged", "otto"),
    }


def test_without_a_store_it_says_how_to_begin_and_makes_none(client, desk, ledger, tmp_path):
    own = desk._replace(ledger=tmp_path / "ledger.duckdb")
    fresh = client_of(ledger, own)
    assert "farthing alerts watch" in fresh.get("/alerts").text
    assert fresh.get("/alerts?open=1").status_code == 404
    assert press(fresh, "ack", 1).status_code == 400
    assert "not watched" in fresh.get("/").text
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_none_is_said(ledger, desk, tmp_path):
    (tmp_path / "broken").write_text("nothing of the sort " * 100)
    assert client_of(ledger, desk._replace(alerts=tmp_path / "broken")).get("/alerts").status_code == 503


def test_it_is_read_while_somebody_writes(shown, kept):
    store = AlertStore(kept.ledger.with_name(STORE_NAME))

    def change(incident):
        assert shown.get("/alerts").status_code == 200  # in the middle of a transaction
        return incident

    store.change(1, change)
    store.close()


def test_the_overview_has_the_worst_of_it(shown):
    assert shown.get("/?format=json").json()["figures"]["incidents"]["value"] == "5"
    html = shown.get("/").text
    assert "2 incidents open, at stake" in html
    assert "cost per call, tenant" in html
    press(shown, "ack", 1)
    press(shown, "resolve", 2)
    assert shown.get("/?format=json").json()["figures"]["incidents"]["value"] == "0"


def test_channels_are_named_and_their_secrets_are_not(ledger, kept, tmp_path):
    channels = tmp_path / "channels.toml"
    channels.write_text(
        '[[channel]]\nname = "ops"\nkind = "slack"\nurl = "https://hooks.example.com/secret-path"\n'
        '[[channel]]\nname = "mail"\nkind = "email"\nhost = "mail.example.com"\nusername = "robot"\n'
        'password_env = "MAIL_SECRET"\nsender = "a@example.com"\nto = ["b@example.com"]\n'
    )
    client = client_of(ledger, kept._replace(channels=channels))
    rows = tables(client)["channels"]
    assert [(row["channel"], row["kind"], row["arrived"], row["waiting"]) for row in rows] == [
        ("ops", "slack", 0, 4),
        ("mail", "email", 0, 0),
    ]
    for form in ("html", "json", "csv"):
        said = client.get(f"/alerts?format={form}").text
        assert not [word for word in ("secret-path", "hooks.example", "MAIL_SECRET", "robot", "b@ex") if word in said]
    channels.write_text("[[channel]]\nname = 3\n")
    assert "cannot be read" in client.get("/alerts").text


# -- over calls whose measures the engine judges -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(desk, tmp_path_factory):
    """Three quiet weeks, then three hours of a dearer model; as one round of the engine found it."""
    folder = tmp_path_factory.mktemp("judged")
    ledger = OpenLedger()
    maker = Maker(ledger)
    maker.quiet_weeks()
    for hours in (3, 2, 1):
        maker.calls(QUIET_UNTIL - hours * HOUR, 4, pusd=20 * CENT, model="m-large", tenant="acme", feature="chat")
    (folder / "limits.toml").write_text('[[budget]]\nname = "org"\nlimit_usd = "30"\nwindow = "month"\n')
    budgets = read_limits(folder / "limits.toml").budgets
    store = AlertStore(folder / STORE_NAME)
    found = evaluate(ledger, QUIET_UNTIL, store=store, budgets=budgets, settings=Settings(stake_min_pusd=CENT))
    store.close()
    own = desk._replace(ledger=folder / "ledger.duckdb", limits=folder / "limits.toml")
    return ledger, own, found


@pytest.fixture
def judging(judged):
    ledger, own, _ = judged
    return client_of(ledger, own, now=QUIET_UNTIL)


def test_the_picture_marks_the_hours_that_rose_and_they_are_above_the_band(judged, judging):
    (incident,) = [one for one in judged[2].incidents if one.kind == "anomaly"]
    rows = tables(judging, f"&open={incident.id}")["hours"]
    marked = [row for row in rows if row["marked"]]
    assert [row["start"] for row in marked] == [(QUIET_UNTIL - hours * HOUR).isoformat() for hours in (3, 2, 1)]
    # Four calls of a cent and four of twenty make 10.5 cents a call; before that every call was a cent.
    assert {row["usd_per_call"] for row in marked} == {"0.105"}
    assert {row["usd_per_call"] for row in rows if not row["marked"]} == {"0.01"}
    assert all(float(row["expected_high_usd_per_call"]) < 0.105 for row in marked)
    assert {row["expected_low_usd_per_call"] for row in rows if not row["marked"]} == {"0.01"}
    html = judging.get(f"/alerts?open={incident.id}").text
    assert html.count('class="spike"') == 2 * 3
    assert 'class="band"' in html


def test_a_budget_that_will_pass_is_drawn_with_its_limit(judged, judging):
    (incident,) = [one for one in judged[2].incidents if "forecast" in one.told]
    rows = tables(judging, f"&open={incident.id}")["hours"]
    assert len(rows) == 30
    spent = sum(row.list_pusd for row in judged[0].report(_month()) if row.start is not None)
    today = rows[QUIET_UNTIL.day - 1]
    assert today["usd"] == usd_text(spent)
    assert [row["usd"] for row in rows[QUIET_UNTIL.day :]] == [None] * (30 - QUIET_UNTIL.day)
    (standing,) = [one for one in judged[2].standings if not one.value]
    ends = [float(rows[-1][f"expected_{name}_usd"]) for name in ("low", "high")]
    assert ends == pytest.approx([standing.end_pusd.low / 10**12, standing.end_pusd.high / 10**12])
    assert 'class="limit"' in judging.get(f"/alerts?open={incident.id}").text


def _month():
    from farthing.ledger.interface import Query

    return Query(bucket="day", since=QUIET_UNTIL.replace(day=1, hour=0), until=QUIET_UNTIL)


def test_what_is_to_come_is_what_the_command_forecasts(judged, judging):
    ledger, own, _ = judged
    (standing,) = standings(ledger, read_limits(own.limits).budgets, QUIET_UNTIL, 35)
    (row,) = tables(judging)["budgets"]
    assert (row["spent_usd"], row["end_usd"]) == (
        usd_text(standing.spent_pusd),
        usd_text(round(standing.end_pusd.expected)),
    )
    assert row["passes_at"] == standing.over_at[0].isoformat()
    month = coming(ledger, QUIET_UNTIL, {}, 35)
    rows = {row["what"]: row["end_usd"] for row in tables(judging)["coming"]}
    assert rows == {
        "month": usd_text(round(month.month_end_pusd.expected)),
        "day": usd_text(round(month.day_pusd.expected)),
    }


def test_the_overview_draws_what_each_day_was_expected_to_cost(judging):
    tables_there = {one["name"]: one["rows"] for one in judging.get("/?format=json").json()["tables"]}
    rows = tables_there["spend_over_time"]
    known = [row for row in rows if row.get("expected_low_usd") is not None]
    first = QUIET_UNTIL - timedelta(days=21)
    assert len(known) == (QUIET_UNTIL - first).days - 7 + (1 if first.hour == 0 else 0)
    # A day of two tenants: 12 hours of four calls and 12 of one, a cent each.
    assert all(float(row["expected_low_usd"]) <= 1.2 <= float(row["expected_high_usd"]) for row in known)
    assert 'class="band"' in judging.get("/").text
    assert 'class="band"' not in judging.get("/?bucket=hour&range=7d").text


def test_a_filtered_overview_expects_what_the_filter_keeps(judging):
    tables_there = {one["name"]: one["rows"] for one in judging.get("/?format=json&where=tenant=acme").json()["tables"]}
    known = [row for row in tables_there["spend_over_time"] if row.get("expected_low_usd") is not None]
    assert known
    assert all(float(row["expected_high_usd"]) < 1.2 for row in known)


def test_the_hours_of_an_incident_are_those_of_its_members_alone(judged, judging):
    (incident,) = [one for one in judged[2].incidents if one.kind == "anomaly"]
    rows = tables(judging, f"&open={incident.id}")["hours"]
    assert hour_number(incident.began_at) == hour_number(QUIET_UNTIL) - 3
    assert len(rows) <= 10 * 24


def test_no_share_is_expected_above_all_of_it(desk, tmp_path):
    ledger = OpenLedger()
    start = NOW.replace(minute=0) - 14 * 24 * HOUR
    for hour in range(14 * 24):
        fresh = 900 if hour % 4 == 0 or hour > 300 else 300
        usage = Usage(input_tokens=fresh, cache_read_tokens=1000 - fresh, output_tokens=1)
        served = Served(model="claude-sonnet-5-5", usage=usage)
        dims = {"tenant": "acme", "feature": "chat"}
        at = start + hour * HOUR
        made = (Call(call_id=f"{hour}-{n}", sent_at=at, source="jsonl", served=served, dims=dims) for n in range(4))
        ledger.add(map(posted, made))
    signal = anomaly()
    store = AlertStore(tmp_path / STORE_NAME)
    store.advance([signal._replace(detail={**signal.detail, "metric": "uncached_share"})], NOW, [OPS])
    store.close()
    rows = tables(client_of(ledger, desk._replace(ledger=tmp_path / "ledger.duckdb")), "&open=1")["hours"]
    highest = max(float(row["expected_high_share"]) for row in rows if row["expected_high_share"])
    assert highest == 1
