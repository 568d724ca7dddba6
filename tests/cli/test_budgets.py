"""``farthing budgets``: exit codes, JSON, and what a newcomer reads."""

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from farthing.limits.answers import GateFacts
from farthing.limits.file import read_limits
from farthing.limits.gate import Gate
from farthing.limits.refusal_store import REFUSALS_NAME, RefusalStore
from farthing.limits.refusals import HOUR_S, Case, one_call
from farthing.limits.store import SqliteBank

LIMITS = """
[[budget]]
name = "org"
limit_usd = "0.01"
window = "month"

[[budget]]
name = "tenants [daily]"
limit_usd = 5
window = "day"
each = "tenant"
mode = "soft"
"""


@pytest.fixture
def file(farthing, tmp_path):
    path = tmp_path / "limits.toml"
    path.write_text(LIMITS)
    return path


@pytest.fixture
def spend(file, tmp_path):
    def spend(pusd):
        now = datetime.now(UTC)
        gate = Gate(read_limits(file), lambda: SqliteBank(tmp_path / "limits.sqlite"), now)
        gate.settle(gate.admit(GateFacts({"tenant": "acme"}, "m", pusd), now).ticket, pusd)
        gate.close(now)

    return spend


def test_check_shows_the_budgets(farthing, file):
    shown = farthing("budgets", "check", file).stdout
    assert "tenants [daily]" in shown
    assert "every call" in shown
    found = farthing.json("budgets", "check", file)["budgets"]
    assert [(one["name"], one["limit_usd"], one["mode"]) for one in found] == [
        ("org", "0.01", "hard"),
        ("tenants [daily]", "5", "soft"),
    ]


def test_check_says_what_is_wrong(farthing, file):
    file.write_text(LIMITS.replace("each", "eech"))
    assert "did you mean each?" in farthing("budgets", "check", file, code=1).stderr


def test_check_says_which_words_a_key_takes(farthing, file):
    file.write_text(LIMITS.replace('"month"', '"fortnight"'))
    assert "window is one of call, session, run, hour" in farthing("budgets", "check", file, code=1).stderr


def test_check_names_the_rate_limits_beside_the_budgets(farthing, file):
    file.write_text(LIMITS + '[[rate]]\nname = "each [customer]"\neach = "tenant"\nrequests_per_minute = 3\n')
    assert "and rate limits: each [customer]" in farthing("budgets", "check", file).stdout
    assert farthing.json("budgets", "check", file)["rates"] == ["each [customer]"]


def test_the_settings_name_the_file(farthing, file, monkeypatch):
    assert "no limits file" in farthing("budgets", "list", code=1).stderr
    monkeypatch.setenv("FARTHING_GATEWAY_LIMITS", str(file))
    assert "org" in farthing("budgets", "list").stdout


def test_list_before_anything_was_spent(farthing, file):
    (org,) = farthing.json("budgets", "list", file)["budgets"]
    assert (org["budget"], org["spent_usd"], org["left_usd"], org["used_up"]) == ("org", "0", "0.01", False)


def test_list_exits_with_2_where_a_hard_budget_is_used_up(farthing, file, spend):
    spend(4_000_000_000)
    found = farthing.json("budgets", "list", file)
    assert [(one["value"], one["spent_usd"], one["left_usd"]) for one in found["budgets"]] == [
        ("", "0.004", "0.006"),
        ("tenant=acme", "0.004", "4.996"),
    ]
    spend(6_000_000_000)
    shown = farthing("budgets", "list", file, code=2).stdout
    assert "USED UP" in shown
    assert farthing.json("budgets", "list", file, code=2)["over"]


def test_of_many_accounts_list_shows_those_with_the_least_left(farthing, file, tmp_path):
    now = datetime.now(UTC)
    gate = Gate(read_limits(file), lambda: SqliteBank(tmp_path / "limits.sqlite"), now)
    for number in range(60):
        pusd = 4 * 10**12 if number == 59 else 10**6 * (number + 1)
        soft = GateFacts({"tenant": f"t{number:02}"}, "m", 0)
        gate.settle(gate.admit(soft, now).ticket, pusd)
    gate.close(now)
    shown = farthing("budgets", "list", file, code=2).stdout
    assert "tenant=t59" in shown
    assert "tenant=t01" not in shown
    assert "and 11 more, less used; --json has all" in " ".join(shown.split())
    assert len(farthing.json("budgets", "list", file, code=2)["budgets"]) == 61


def test_a_dry_run_says_which_calls_and_exits_with_2(farthing, file):
    rows = [farthing.row(id=f"c{number}", at=f"2026-10-0{number}T09:00:00Z") for number in range(1, 5)]
    farthing("import", "jsonl", "-", stdin=farthing.lines(*rows))
    found = farthing.json("budgets", "dry-run", file, "--since", "2026-10-01", code=2)
    assert (found["calls"], found["refused_calls"], found["refused_usd"]) == (4, 2, "0.009")  # $0.0045 each, $0.01
    assert found["accounts"][0]["first_refused_at"] == "2026-10-03T09:00:00+00:00"
    shown = farthing("budgets", "dry-run", file, "--since", "2026-10-01", code=2).stdout
    assert "2 of 4 calls would have been refused: $0.0090 of $0.018." in shown
    none = farthing("budgets", "dry-run", file, "--since", "2026-10-01", "--until", "2026-10-02").stdout
    assert "0 of 2 calls would have been refused" in none


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def refuse(tmp_path):
    def refuse(case, pusd, ago):
        at = datetime.now(UTC) - ago
        store = RefusalStore(tmp_path / REFUSALS_NAME)
        store.add({(int(at.timestamp()) // HOUR_S * HOUR_S, case): one_call(pusd, at)}, at)
        store.close()
        return at.isoformat()

    return refuse


def test_refusals_before_there_are_any(farthing, tmp_path):
    assert farthing("budgets", "refusals").stdout == "No call was refused.\n"
    found = farthing.json("budgets", "refusals")
    assert (found["calls"], found["worst_usd"], found["refused"]) == (0, "0", [])
    assert not (tmp_path / REFUSALS_NAME).exists()


def test_refusals_tell_who_why_how_often_and_what_they_would_have_held(farthing, refuse, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    case = Case("budget", "org [all]", "user=ann", "too dear", "acme", "key_1")
    first = refuse(case, 4 * 10**18, timedelta(days=2))
    last = refuse(case, 6 * 10**9, timedelta(minutes=1))
    refuse(Case("rate", "each [user]", "user=bob", "2 requests per minute", "", ""), None, timedelta(hours=1))
    refuse(case, 10**12, timedelta(days=20))
    found = farthing.json("budgets", "refusals")
    assert (found["calls"], found["unknown_calls"], found["worst_usd"], found["kind"]) == (
        3,
        1,
        "4000000.006",
        "derived",
    )
    assert found["refused"][0] == {
        "kind": "budget",
        "limit": "org [all]",
        "value": "user=ann",
        "tenant": "acme",
        "api_key": "key_1",
        "who": "user=ann, tenant=acme, api_key=key_1",
        "why": "too dear",
        "calls": 2,
        "unknown_calls": 0,
        "worst_usd": "4000000.006",
        "last_worst_usd": "0.006",
        "first_at": first,
        "last_at": last,
    }
    shown = " ".join(farthing("budgets", "refusals").stdout.split())
    for part in (
        "org [all]",
        "rate limit each [user]",
        "3 calls were refused; 2 of them would have held $4,000,000.01.",
    ):
        assert part in shown
    assert farthing.json("budgets", "refusals", "--last", "30d")["calls"] == 4
    assert farthing.json("budgets", "refusals", "--last", "3h")["calls"] == 2


def test_refusals_of_a_newer_farthing_are_left_alone(farthing, refuse, tmp_path):
    refuse(Case("queue", "", "", "queue", "", ""), None, timedelta(0))
    with contextlib.closing(sqlite3.connect(tmp_path / REFUSALS_NAME)) as raw:
        raw.execute("PRAGMA user_version = 99")
    assert "version 99 of the log of refusals, expected 1" in farthing("budgets", "refusals", code=1).stderr
