"""The reports over transcripts, as somebody at a terminal or a script meets them."""

import json
import os
import time
from datetime import UTC, datetime

import pytest
from rich.console import Console
from typer.testing import CliRunner

from farthing.cli import usage_data, usage_reports
from farthing.cli.app import app
from farthing.cli.usage_flags import BlockFlags, Flags

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SONNET = "claude-sonnet-4-5-20250929"


def line(number, at, model=SONNET, session="s-1", stop="end_turn", **usage_counts):
    counts = {"input_tokens": 1_000, "output_tokens": 100} | usage_counts  # $0.0045 with Sonnet 4.5
    message = {"id": f"msg_{number}", "model": model, "stop_reason": stop, "usage": counts}
    row = {
        "type": "assistant",
        "timestamp": at,
        "sessionId": session,
        "uuid": f"u{number}",
        "requestId": f"req_{number}",
    }
    return json.dumps(row | {"message": message}, separators=(",", ":")) + "\n"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(usage_data, "now", lambda: NOW)
    folder = tmp_path / "claude" / "projects" / "-home-dev-app"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def filled(tree):
    (tree / "s-1.jsonl").write_text(
        line(1, "2026-11-18T23:30:00Z")
        + line(2, "2026-11-19T10:00:00Z")
        + line(3, "2026-11-20T10:00:00Z", model="claude-opus-4-5-20251101")  # $0.0075
        + line(4, "2026-11-20T11:00:00Z")
    )
    other = tree.parent / "-home-dev-other"
    other.mkdir()
    (other / "s-2.jsonl").write_text(line(5, "2026-11-19T11:00:00Z", session="s-2"))
    return tree


def run(*arguments, code=0, **environment):
    result = CliRunner().invoke(app, [str(one) for one in arguments], env=environment)
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


def as_json(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def days(*arguments):
    return {row["date"]: row["costUsdExact"] for row in as_json("daily", "-z", "UTC", *arguments)["daily"]}


def test_days_of_a_zone(filled):
    assert days() == {"2026-11-18": "0.0045", "2026-11-19": "0.009", "2026-11-20": "0.012"}
    assert days("-z", "Europe/Berlin") == {"2026-11-19": "0.0135", "2026-11-20": "0.012"}


def test_the_machine_s_zone_unless_a_setting_says_otherwise(filled, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert [row["date"] for row in as_json("daily")["daily"]] == ["2026-11-19", "2026-11-20"]
        monkeypatch.setenv("FARTHING_REPORT_TIMEZONE", "UTC")
        assert next(row["date"] for row in as_json("daily")["daily"]) == "2026-11-18"
    finally:
        os.environ["TZ"] = "UTC"
        time.tzset()


@pytest.mark.parametrize("since", ["20261119", "2026-11-19"])
@pytest.mark.parametrize("until", ["20261119", "2026-11-19"])
def test_since_and_until_are_inclusive_in_both_spellings(filled, since, until):
    assert days("--since", since, "-u", until) == {"2026-11-19": "0.009"}


def test_last_order_and_project(filled):
    assert list(days("--last", "2")) == ["2026-11-19", "2026-11-20"]
    assert list(days("-o", "desc")) == ["2026-11-20", "2026-11-19", "2026-11-18"]
    assert days("-p", "other") == {"2026-11-19": "0.0045"}
    assert days("--project", "/home/dev/app", "-s", "20261120") == {"2026-11-20": "0.012"}


def test_instances_weeks_and_months(filled):
    projects = as_json("daily", "-i", "-z", "UTC")["projects"]
    assert {name: len(rows) for name, rows in projects.items()} == {"-home-dev-app": 3, "-home-dev-other": 1}
    assert [row["week"] for row in as_json("weekly", "-z", "UTC")["weekly"]] == ["2026-11-15"]
    assert [row["week"] for row in as_json("weekly", "-w", "thursday", "-z", "UTC")["weekly"]] == [
        *("2026-11-12", "2026-11-19")
    ]
    assert [row["month"] for row in as_json("monthly", "-z", "UTC")["monthly"]] == ["2026-11"]
    assert as_json("monthly")["totals"]["costUsdExact"] == "0.0255"


def test_sessions_and_the_calls_of_one(filled):
    assert [row["sessionId"] for row in as_json("session")["sessions"]] == ["s-1", "s-2"]
    assert [row["sessionId"] for row in as_json("session", "-o", "asc")["sessions"]] == ["s-2", "s-1"]
    one = as_json("session", "--id", "s-1")
    assert [entry["costUsdExact"] for entry in one["entries"]] == ["0.0045", "0.0045", "0.0075", "0.0045"]
    assert (one["sessionId"], one["costUsdExact"], one["totalTokens"]) == ("s-1", "0.021", 4_400)
    assert one["entries"][2]["model"] == "claude-opus-4-5-20251101"
    assert as_json("session", "--id", "s-2", "-m", "display")["entries"][0]["costUSD"] is None


def test_a_session_that_is_not_there_or_not_the_only_one(filled):
    assert as_json("session", "-i", "zz") is None
    assert "no session's id is 'zz'" in run("session", "--id", "zz").stderr
    assert "2 sessions begin with" in run("session", "--id", "s-", code=1).stderr


def test_blocks_with_their_gaps_and_the_active_one(filled):
    found = as_json("blocks")["blocks"]
    assert [one["isGap"] for one in found] == [False, True, False, True, False]
    assert [one["id"] for one in as_json("blocks", "-a")["blocks"]] == ["2026-11-20T10:00:00.000Z"]
    assert len(as_json("blocks", "-s", "20261119", "-u", "20261119", "-z", "UTC")["blocks"]) == 3
    assert "tokenLimitStatus" not in found[-1]
    assert as_json("blocks", "-a", "-t", "max")["blocks"][0]["tokenLimitStatus"]["limit"] == 2_200


def test_the_active_block_for_a_glance(filled):
    shown = run("blocks", "--active").stdout
    assert "Burn rate" in shown
    assert "Limit" not in shown
    assert "exceeds" in run("blocks", "--active", "-t", "100").stdout
    assert "No active block" in run("blocks", "-a", "-p", "other").stdout
    assert "--live beside --json" in run("blocks", "--live", "--json", code=1).stdout


def test_the_namespace_says_the_same(filled):
    assert as_json("claude", "daily") == as_json("daily")
    assert as_json("claude", "blocks") == as_json("blocks")


def test_paths_go_before_the_environment(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "gone"))
    file = filled.parent / "-home-dev-other" / "s-2.jsonl"
    assert as_json("daily", file)["totals"]["calls"] == 1
    assert as_json("daily", tmp_path / "claude")["totals"]["calls"] == 5
    assert "gone does not exist" in run("daily", code=1).stderr


@pytest.mark.parametrize("command", ["daily", "weekly", "monthly", "session", "blocks"])
@pytest.mark.parametrize("columns", ["80", "120"])
def test_tables_fit_and_end_with_the_total(filled, command, columns):
    shown = run(command, COLUMNS=columns).stdout
    assert max(map(len, shown.splitlines())) <= int(columns)
    assert "measured" in shown
    assert "…" not in shown
    if command != "blocks":
        assert "$0.026" in shown.splitlines()[-1]  # 0.0255, half to even
    if columns == "120" and command != "blocks":
        assert "Cache read" in shown


def test_compact_breakdown_and_no_cost(filled):
    assert "Cache read" not in run("daily", "--compact", COLUMNS="120").stdout
    assert "  opus-4-5" in run("daily", "-b", COLUMNS="120").stdout
    assert "$" not in run("daily", "--no-cost").stdout


def test_color_only_where_it_is_asked_for(filled):
    assert "\x1b[" not in run("daily").stdout
    assert "\x1b[" in run("daily", "--color").stdout
    assert "\x1b[" not in run("daily", "--no-color").stdout


def test_flags_of_ccusage_that_change_nothing_are_taken(filled):
    plain = run("daily", "--json").stdout
    assert run("daily", "--json", "-O", "--no-offline", "--single-thread", "--debug-samples", "3").stdout == plain


def test_unpriced_is_loud(tree):
    (tree / "s-1.jsonl").write_text(line(1, "2026-11-20T10:00:00Z", model="claude-opus-9"))
    shown = run("daily").stdout
    assert "UNPRICED" in shown
    assert "1 of 1 call has no exact price" in shown
    assert "claude-opus-9" in shown
    assert "$0" not in shown


def test_notes_say_what_is_unsure_and_what_today_would_cost(tree):
    reads = {"cache_read_input_tokens": 100_000}
    (tree / "s-1.jsonl").write_text(
        line(1, "2026-10-06T10:00:00Z", model="claude-sonnet-5-5", **reads)  # $0.023; since 2026-10-07 $0.013
        + line(2, "2026-11-06T10:00:00Z", stop=None, output_tokens=1)
        + "{torn\n"
    )
    today, unprovable, unread = as_json("daily")["notes"]
    assert "As billed: $0.026" in today
    assert "would cost $0.016" in today
    assert "1 of 2 calls" in unprovable
    assert "1 line or file could not be read" in unread
    assert "Unprovable" in run("daily").stdout
    assert as_json("daily", "-m", "calculate")["totals"]["costUsdExact"] == "0.016015"


def test_notes_are_about_the_blocks_that_are_shown(tree):
    (tree / "s-1.jsonl").write_text(
        line(1, "2026-11-06T10:00:00Z", stop=None, output_tokens=1) + line(2, "2026-11-20T11:00:00Z")
    )
    assert "1 of 2 calls" in as_json("blocks")["notes"][0]
    assert as_json("blocks", "--recent")["notes"] == []
    assert "Unprovable" not in run("blocks", "--active").stdout
    assert run("blocks", "-u", "20200101").stdout.startswith("No block in these days")


def test_debug_says_what_was_read_and_what_could_not_be(filled):
    (filled / "bad.jsonl").write_text("{torn\n")
    told = run("daily", "--debug").stderr
    assert "transcripts: 3" in told
    assert "bad.jsonl, line 1" in told


def test_nothing_to_show_says_where_it_looked(tree, monkeypatch):
    assert str(tree.parent) in run("daily").stdout.replace("\n", "")
    assert as_json("daily")["daily"] == []
    assert as_json("blocks")["blocks"] == []
    monkeypatch.delenv("CLAUDE_CONFIG_DIR")
    told = run("daily").stdout
    assert "~/.claude" in told
    assert "CLAUDE_CONFIG_DIR" in told


def test_calls_outside_the_days_are_mentioned(filled):
    assert "No calls match: 5 are in the transcripts" in run("daily", "-s", "20200101", "-u", "20200102").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("daily", "--since", "tomorrow"), "--since 'tomorrow'"),
        (("daily", "-s", "20261120", "-u", "20261119"), "a first day before the last"),
        (("daily", "-z", "Mars/Olympus"), "--timezone 'Mars/Olympus'"),
        (("daily", "-m", "guess"), "--mode"),
        (("daily", "--last", "0"), "--last 0"),
        (("blocks", "-n", "0"), "--session-length '0'"),
        (("blocks", "-t", "lots"), "--token-limit 'lots'"),
        (("session", "--id", "s-"), "2 sessions begin with"),
    ],
)
def test_a_bad_flag_is_one_clear_line(filled, arguments, told):
    error = run(*arguments, code=1).stderr
    assert told in error
    assert error.count("\n") == 1


def test_a_budget_is_shown_in_every_report_and_gates(filled, monkeypatch):
    monkeypatch.setenv("FARTHING_REPORT_DAILY_BUDGET_USD", "0.012")  # all of which is spent
    monkeypatch.setenv("FARTHING_REPORT_MONTHLY_BUDGET_USD", "1")
    for command in ("daily", "weekly", "monthly", "session", "blocks"):
        shown = run(command, "--gate", "-z", "UTC", "-p", "other").stdout
        assert "Budget today: $0.012 of $0.012 spent, $0.00 left." in shown
        assert "Budget this month: $0.026 of $1.00 spent, $0.97 left." in shown
    monkeypatch.setenv("FARTHING_REPORT_DAILY_BUDGET_USD", "0.0119")
    assert "OVER BUDGET today: $0.012 of $0.012 spent, $0.00010 over." in run("daily").stdout
    found = json.loads(run("daily", "--json", "--gate", "-s", "20200101", "-u", "20200102", code=2).stdout)["budget"]
    assert found["day"]["over"]
    assert (found["day"]["leftUsdExact"], found["month"]["leftUsdExact"]) == ("-0.0001", "0.9745")
    assert "Budget" not in run("daily", "--no-cost").stdout


def test_a_gate_needs_a_budget(filled, monkeypatch):
    assert as_json("daily")["budget"] is None
    assert "--gate, and no budget is set" in run("daily", "--gate", code=1).stderr
    monkeypatch.setenv("FARTHING_REPORT_DAILY_BUDGET_USD", "5")
    assert "--gate beside --id" in run("session", "--id", "s-1", "--gate", code=1).stderr
    assert "--live beside --gate" in run("blocks", "--live", "--gate", code=1).stderr


def test_calls_without_a_price_leave_a_budget_open(tree, monkeypatch):
    (tree / "s-1.jsonl").write_text(line(1, "2026-11-20T10:00:00Z", model="claude-opus-9"))
    monkeypatch.setenv("FARTHING_REPORT_DAILY_BUDGET_USD", "5")
    assert "at most $5.00 left. Calls without a price, not in it: 1." in run("daily", COLUMNS="200").stdout


@pytest.mark.parametrize("report", ["daily", "session"])
def test_what_is_told_apart_less_costs_the_same(filled, report):
    for flags in ((), ("-i", "-z", "Asia/Kolkata"), ("-p", "app"), ("-m", "calculate")):
        if report == "daily" or "-i" not in flags:
            assert as_json(report, *flags) == as_json(report, *flags, "--debug")  # which tells every quarter-hour apart


def test_the_live_view_looks_again_until_it_is_told_to_stop(filled):
    console = Console(record=True, width=80, force_terminal=True)
    steps = iter((True, False))

    def wait():
        with (filled / "s-1.jsonl").open("a") as stream:
            stream.write(line(9, "2026-11-20T11:30:00Z"))
        return next(steps)

    views = []

    def view():
        shown = usage_reports.live_view(Flags(), BlockFlags(), console)
        views.append(shown)
        return shown

    usage_reports.watch(console, view, wait)
    assert len(views) == 2
    text = console.export_text()
    assert "2,200" in text  # before: two calls of 1,100 tokens
    assert "3,300" in text  # after one refresh


def test_an_interrupt_ends_the_live_view(filled):
    def wait():
        raise KeyboardInterrupt

    usage_reports.watch(Console(width=80, force_terminal=True, quiet=True), lambda: "shown", wait)
