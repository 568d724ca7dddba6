"""The status line: what it says, what it leaves to its other half, and what it must not import."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing import money
from farthing.cli import statusline, statusline_refresh, usage_data
from farthing.cli.statusline_line import _exact, dollars
from farthing.cli.statusline_tail import new_lines, responses
from farthing.sources.claude_code.buckets import to_us

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SONNET = "claude-sonnet-4-5-20250929"


def call(number, minutes_ago, *, model=SONNET, session="s-1", cr=0, w5=0, w1=0, stop="end_turn", **more):
    """1,000 in and 1,000 out: $0.018 with Sonnet 4.5."""
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat(timespec="milliseconds")
    split = {"ephemeral_5m_input_tokens": w5, "ephemeral_1h_input_tokens": w1}
    usage = {"input_tokens": 1_000, "output_tokens": 1_000, "cache_creation_input_tokens": w5 + w1}
    usage |= {"cache_read_input_tokens": cr, "cache_creation": split} | more
    message = {"id": f"msg_{number}", "model": model, "stop_reason": stop, "usage": usage}
    row = {
        "type": "assistant",
        "timestamp": at,
        "sessionId": session,
        "uuid": f"u{number}",
        "requestId": f"req_{number}",
    }
    return json.dumps(row | {"message": message}) + "\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """One session's transcript, a clock that stands still, and no process that is really started."""
    folder = tmp_path / "claude" / "projects" / "-home-dev-app"
    folder.mkdir(parents=True)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(usage_data, "now", lambda: NOW)
    monkeypatch.setattr(statusline_refresh, "now", lambda: NOW)
    monkeypatch.setattr(statusline.time, "time_ns", lambda: to_us(NOW) * 1000)
    started = []
    monkeypatch.setattr(statusline, "_spawn", started.append)
    return SimpleNamespace(transcript=folder / "s-1.jsonl", started=started)


def given_json(machine, **changes):
    return {
        "session_id": "s-1",
        "transcript_path": str(machine.transcript),
        "model": {"id": "claude-opus-5-5", "display_name": "Opus"},
        "cost": {"total_cost_usd": 0.23},
        "context_window": {"total_input_tokens": 25_000, "context_window_size": 200_000},
    } | changes


@pytest.fixture
def run(machine, monkeypatch, capsysbinary):
    def run(*arguments, stdin=None, code=0, **changes):
        raw = json.dumps(given_json(machine, **changes)).encode() if stdin is None else stdin
        monkeypatch.setattr(statusline.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
        assert statusline.main(list(arguments)) == code
        out, err = capsysbinary.readouterr()
        return (out or err).decode().rstrip("\n")

    return run


def refresh():
    import os

    return statusline_refresh.main([statusline.digest_path(os.environ)])


def test_the_whole_line(machine, run):
    machine.transcript.write_text(call(1, 60 * 20) + call(2, 90, w5=10) + call(3, 30, w5=10) + call(4, 1, cr=10))
    refresh()
    # Two calls of $0.0180375 and one of $0.018003 in a block from 10:00, over 89 minutes: $0.036473 an hour.
    assert run() == (
        "🤖 Opus | 💰 $0.23 session / $0.05 today / $0.05 block (3h 0m left) | 🔥 $0.04/hr | 🧠 25,000 (13%) | "
        "🧊 cache cold in 04:00"
    )
    exact = json.loads(run("--json"))
    assert exact["today"] == {"costUsdExact": "0.054078", "incomplete": False, "kind": "measured"}
    assert exact["session"]["costUsdExact"] == "0.072078"
    assert exact["block"]["remainingMinutes"] == 180
    assert exact["block"]["burnRate"]["kind"] == "derived"
    assert machine.started == []


@pytest.mark.parametrize(
    ("source", "session"),
    [
        ("auto", "$0.23"),
        ("cc", "$0.23"),
        ("ccusage", "$0.02"),
        ("both", "($0.23 cc / $0.02 farthing)"),
    ],
)
def test_whose_figure_the_session_s_cost_is(machine, run, source, session):
    machine.transcript.write_text(call(1, 10))
    refresh()
    assert f"💰 {session} session / " in run("--cost-source", source)
    assert f"💰 {session} session / " in run(f"--cost-source={source}")


def test_without_claude_code_s_figure_ours_is_shown(machine, run):
    machine.transcript.write_text(call(1, 10))
    refresh()
    assert "💰 $0.02 session" in run(cost=None)
    assert "💰 N/A session" in run("--cost-source", "cc", cost={"total_cost_usd": "much"})


def test_calls_that_the_digest_does_not_know_are_added_at_once(machine, run):
    machine.transcript.write_text(call(1, 10))
    refresh()
    with machine.transcript.open("a") as stream:
        stream.write(call(2, 0, w1=100_000))  # $0.018 + $0.60
    assert "$0.64 session / $0.64 today / $0.64 block" in run("--cost-source", "ccusage")
    assert "cache cold in 60:00" in run()
    refresh()
    assert "$0.64 session / $0.64 today / $0.64 block" in run("--cost-source", "ccusage")


def test_a_call_that_was_known_in_part_counts_once(machine, run):
    early, late = call(1, 5, stop=None, output_tokens=1), call(1, 5)
    machine.transcript.write_text(early)
    refresh()
    with machine.transcript.open("a") as stream:
        stream.write(early + late + late)
    exact = json.loads(run("-j"))
    assert (exact["session"]["costUsdExact"], exact["today"]["costUsdExact"]) == ("0.018", "0.018")


def test_calls_copied_from_another_session_are_left_to_the_digest(machine, run):
    machine.transcript.write_text(call(1, 60) + call(2, 50))
    refresh()
    resumed = machine.transcript.with_name("s-2.jsonl")
    resumed.write_text(call(1, 60, session="s-2") + call(2, 50, session="s-2"))
    exact = json.loads(run("-j", session_id="s-2", transcript_path=str(resumed)))
    assert exact["today"]["costUsdExact"] == "0.036"


@pytest.mark.parametrize(
    "odd",
    [
        {"model": "claude-opus-9"},
        {"stop": "refusal"},
        {"server_tool_use": {"web_search_requests": 1}},
        {"iterations": [{"type": "message"}]},
    ],
)
def test_what_only_the_engine_can_price_is_marked_as_missing(machine, run, odd):
    machine.transcript.write_text(call(1, 10))
    refresh()
    with machine.transcript.open("a") as stream:
        stream.write(call(2, 0, **odd))
    assert "$0.02+ session / $0.02+ today / $0.02+ block" in run("--cost-source", "ccusage")


def test_a_long_prompt_is_priced_in_its_band_before_the_digest_knows_it(machine, run):
    machine.transcript.write_text(call(1, 10, model="claude-haiku-5-5"))
    refresh()
    with machine.transcript.open("a") as stream:
        stream.write(call(2, 0, model="claude-haiku-5-5", input_tokens=100_001))
    # $0.10 and $0.50 per million up to 100,000 prompt tokens, five times that above.
    assert json.loads(run("-j"))["today"]["costUsdExact"] == "0.0531005"


def test_before_the_first_count_it_says_so_and_starts_one(machine, run):
    machine.transcript.write_text(call(1, 2, w5=10))
    said = run()
    assert "💰 $0.23 session / … today / … block" in said
    assert "cache cold in 03:00" in said
    assert said.endswith("counting transcripts for the first time")
    (command,) = machine.started
    assert command[1:3] == ["-m", "farthing.cli.statusline_refresh"]
    assert json.loads(run("-j"))["today"]["costUsdExact"] is None


def test_one_refresh_at_a_time_and_not_too_often(machine, tmp_path):
    digest = tmp_path / "made" / "digest.json"
    assert statusline.start_refresh(str(digest), 1, 0)
    started_us = digest.with_suffix(".lock").stat().st_mtime_ns // 1000
    assert not statusline.start_refresh(str(digest), 1, started_us + 10**6)
    assert statusline.start_refresh(str(digest), 1, started_us + 601 * 10**6)  # whoever held the lock is dead
    digest.with_suffix(".lock").unlink()
    digest.write_text("{}")
    written_us = digest.stat().st_mtime_ns // 1000
    assert not statusline.start_refresh(str(digest), 10, written_us + 9 * 10**6)
    assert statusline.start_refresh(str(digest), 10, written_us + 11 * 10**6)
    assert len(machine.started) == 3


def test_a_home_that_cannot_be_written_changes_nothing_else(machine, tmp_path):
    (tmp_path / "file").write_text("")
    assert not statusline.start_refresh(str(tmp_path / "file" / "digest.json"), 1, 0)


def test_a_digest_that_is_behind_or_old_is_refreshed(machine, run):
    machine.transcript.write_text(call(1, 2))
    refresh()
    digest = {"at_us": to_us(NOW)}
    assert not statusline.needs_refresh(digest, {"behind": False}, to_us(NOW) + 60 * 10**6)
    assert statusline.needs_refresh(digest, {"behind": False}, to_us(NOW) + 61 * 10**6)
    assert statusline.needs_refresh(digest, {"behind": True}, to_us(NOW))
    assert statusline.needs_refresh(None, {"behind": False}, to_us(NOW))


def test_no_cache_counts_first(machine, run):
    machine.transcript.write_text(call(1, 2))
    assert "$0.02 today" in run("--no-cache")
    assert machine.started == []


def test_no_active_block_and_no_cache_ever_used(machine, run):
    machine.transcript.write_text(call(1, 60 * 6))
    refresh()
    said = run()
    assert "/ $0.02 today / No active block |" in said
    assert "🔥" not in said
    assert "🧊" not in said


def test_today_begins_at_midnight_of_the_zone(machine, run):
    machine.transcript.write_text(call(1, 60 * 13) + call(2, 60 * 2))  # 23:00 of the day before, and 10:00
    refresh()
    assert json.loads(run("-j"))["today"]["costUsdExact"] == "0.018"
    assert json.loads(run("-j", "-z", "America/New_York"))["today"]["costUsdExact"] == "0.018"
    assert json.loads(run("-j", "-z", "Europe/Berlin"))["today"]["costUsdExact"] == "0.036"


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ({"w5": 10}, "cold in 02:00"),
        ({"w1": 10}, "cold in 57:00"),
        ({"w5": 10, "w1": 10}, "cold in 57:00"),
        ({"cr": 10}, "cold in 57:00"),  # a read keeps what the last write began
    ],
)
def test_when_the_cache_goes_cold(machine, run, last, told):
    machine.transcript.write_text(call(1, 30, w1=10) + call(2, 3, **last))
    assert f"🧊 cache {told}" in run()  # from the transcript alone
    refresh()
    assert f"🧊 cache {told}" in run()  # and from the digest


def test_a_cache_that_is_cold(machine, run):
    machine.transcript.write_text(call(1, 6, w5=10))
    refresh()
    assert run().endswith("🧊 cache cold")
    assert json.loads(run("-j"))["cache"] == {"coldInSeconds": 0, "kind": "derived"}


@pytest.mark.parametrize(
    ("visual", "told"),
    [("off", "/hr |"), ("emoji", "/hr 🟢 |"), ("text", "/hr (Normal) |"), ("emoji-text", "/hr 🟢 (Normal) |")],
)
def test_how_the_burn_rate_looks(machine, run, visual, told):
    machine.transcript.write_text(call(1, 30) + call(2, 10))
    refresh()
    assert told in run("--visual-burn-rate", visual)
    assert told in run("-B", visual)


@pytest.mark.parametrize(("tokens", "level"), [(1_000, "Normal"), (9_000, "Moderate"), (90_000, "High")])
def test_burn_rate_levels(machine, run, tokens, level):
    machine.transcript.write_text(call(1, 15) + call(2, 10, output_tokens=tokens))
    refresh()
    assert f"({level})" in run("-B", "text")


def test_the_context_from_the_last_call_where_claude_code_does_not_say(machine, run):
    machine.transcript.write_text(call(1, 2, cr=31_000))
    assert "🧠 32,000 (16%)" in run(context_window=None)
    refresh()
    assert "🧠 32,000 (16%)" in run(context_window=None)


def test_no_context_is_said(machine, run):
    machine.transcript.write_text("")
    assert "🧠 N/A" in run(context_window=None)


@pytest.mark.parametrize(("tokens", "color"), [(99_000, "32"), (100_000, "33"), (160_000, "31")])
def test_context_colors(machine, run, monkeypatch, tokens, color):
    window = {"total_input_tokens": tokens, "context_window_size": 200_000}
    assert "\x1b" not in run(context_window=window)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert f"\x1b[{color}m{tokens:,}" in run(context_window=window)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(context_window=window)


@pytest.mark.parametrize(
    ("stdin", "told"),
    [
        (b"", "nothing on standard input"),
        (b"{torn", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "without session_id"),
        (b"{}", "without session_id"),
        (b'{"session_id":"x"}', "without transcript_path"),
        (b'{"session_id":1,"transcript_path":"x"}', "without session_id"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_input_that_cannot_be_used_is_one_short_line(run, stdin, told):
    said = run(stdin=stdin, code=1)
    assert told in said
    assert "\n" not in said
    assert len(said) < 160


@pytest.mark.parametrize(
    "changes",
    [
        {"model": None, "cost": [], "context_window": "x"},
        {"model": "Opus\nof two lines"},
        {"transcript_path": "/nowhere/at/all.jsonl"},
        {"cost": {"total_cost_usd": -1}, "context_window": {"total_input_tokens": 10**30}},
        {"context_window": {"total_input_tokens": 5, "context_window_size": 0}},
    ],
)
def test_odd_input_gives_a_line_all_the_same(run, changes):
    assert run(**changes).count("\n") == 0


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"assistant","message":{"model":"m","usage":{"input_tokens":"many"}},"timestamp":"2026-11-20T12:00:00Z"}',
        b'{"type":"assistant","message":{"model":"m","usage":[]},"timestamp":"2026-11-20T12:00:00Z"}',
        b'{"type":"assistant","message":{"model":"m","usage":{}}}',
        b'{"type":"assistant","message":{"model":"<synthetic>","usage":{}},"timestamp":"2026-11-20T12:00:00Z"}',
        b'{"type":"assistant","message":{"model":"m","usage":{}},"timestamp":"2026-11-20T12:00:00"}',
        b'{"usage":1}',
        b'"usage"',
        b'{"usage"',
    ],
)
def test_lines_that_are_no_responses_are_passed_over(line):
    assert responses([line]) == []


def test_an_unfinished_line_waits(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_bytes(b"one\ntwo\nthr")
    assert new_lines(str(file), 0) == ([b"one", b"two"], False)
    assert new_lines(str(file), 4) == ([b"two"], False)
    assert new_lines(str(file), 99) == ([], False)
    assert new_lines(str(tmp_path / "gone"), 0) == ([], False)


def test_a_huge_tail_is_read_in_part_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr("farthing.cli.statusline_tail.TAIL_BYTES_MAX", 8)
    file = tmp_path / "t.jsonl"
    file.write_bytes(b"0123456789\nabc\ndef\n")
    assert new_lines(str(file), 0) == ([b"def"], True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cost-source", "guess"], "--cost-source 'guess'"),
        (["--cost-source"], "without a value"),
        (["--bogus"], "'--bogus'"),
        (["extra"], "'extra'"),
        (["--context-low-threshold", "x"], "--context-low-threshold 'x'"),
        (["--refresh-interval", "-1"], "--refresh-interval '-1'"),
    ],
)
def test_a_bad_flag_is_one_line(run, arguments, told):
    assert told in run(*arguments, code=1)


def test_what_is_left_of_the_budgets(machine, run, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    month_ago = call(1, 15 * 24 * 60) + call(2, 25 * 24 * 60)  # November 5, and October 26: of no budget
    machine.transcript.write_text(month_ago + call(3, 90))
    refresh()
    assert "💳" not in run()
    monkeypatch.setenv("FARTHING_REPORT_DAILY_BUDGET_USD", "4")
    monkeypatch.setenv("FARTHING_REPORT_MONTHLY_BUDGET_USD", "0.05")
    refresh()
    assert "| 💳 $3.98 left today, $0.01 left this month |" in run()
    with machine.transcript.open("a") as stream:
        stream.write(call(4, 1))
    assert "| 💳 $3.96 left today, $0.00 over budget this month |" in run()  # 0.004
    assert json.loads(run("--json"))["budget"]["month"] == {
        "leftUsdExact": "-0.004",
        "over": True,
        "incomplete": False,
        "kind": "measured",
    }
    with machine.transcript.open("a") as stream:
        stream.write(call(5, 1, model="claude-opus-9"))
    assert "at most $3.96 left today" in run()


def test_flags_and_names_from_ccusage_s_file(machine, run, tmp_path, monkeypatch):
    machine.transcript.write_text(call(1, 90))
    refresh()
    flags = {"costSource": "both", "refreshInterval": 3, "noCache": False, "contextLowThreshold": "x", "jq": "."}
    names = {"modelLabelAliases": {"claude-opus-5-5": "mine"}}
    file = tmp_path / "claude" / "ccusage.json"
    file.write_text(json.dumps({"defaults": flags, "commands": {"statusline": names}}))
    assert "🤖 mine |" in run()
    assert "($0.23 cc / $0.02 farthing) session" in run()
    assert "($" not in run("--cost-source", "cc")
    file.write_text("{torn")
    assert "🤖 Opus" in run()
    assert "no JSON" in run("--config", str(file), code=1)


def test_help_names_every_flag(run):
    told = run("--help")
    flags = (
        "cost-source",
        "visual-burn-rate",
        "context-low-threshold",
        "context-medium-threshold",
        "cache",
        "no-cache",
    )
    for flag in (*flags, "refresh-interval", "timezone", "json", "offline", "no-offline", "debug", "config"):
        assert f"--{flag}" in told


@given(st.integers(-(10**20), 10**20))
def test_amounts_read_as_everywhere_else(pusd):
    shown = money.display(abs(pusd))
    assert dollars(pusd) == (f"-${shown}" if pusd < 0 else f"${shown}")
    assert _exact(pusd) == money.usd_text(pusd)


HEAVY = (
    "typer",
    "rich",
    "duckdb",
    "cryptography",
    "msgspec",
    "sqlite3",
    "pathlib",
    "dataclasses",
    "decimal",
    "subprocess",
)


def test_it_imports_next_to_nothing(machine):
    machine.transcript.write_text(call(1, 2))
    refresh()
    with machine.transcript.open("a") as stream:
        stream.write(call(2, 1))
    program = (
        "import sys, json; from farthing.__main__ import main; code = main(['statusline']);"
        f"print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(given_json(machine)),
        capture_output=True,
        text=True,
        check=True,
    )
    line, told = ended.stdout.splitlines()
    assert "today" in line
    assert json.loads(told) == [0, []]
