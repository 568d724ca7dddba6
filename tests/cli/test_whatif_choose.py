"""``farthing whatif --choose`` as a person and a script see it, and traces made of recorded calls."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.cli.ledger_file import posted
from farthing.ledger.duckdb import DuckDBLedger
from farthing.prices.book import shipped_book

START = datetime(2026, 11, 20, 9, tzinfo=UTC)


def calls():
    """Three turns on one prefix, a minute apart: 2,048 tokens of system, 1,024 a turn. Nothing was cached."""
    for turn in range(1, 4):
        blocks = [PromptBlock(bytes([1] * 16), 2048, "system")]
        blocks += [PromptBlock(bytes([2 + at] * 16), 1024, "messages") for at in range(turn)]
        usage = Usage(input_tokens=2048 + 1024 * turn, output_tokens=100)
        yield Call(
            call_id=f"c{turn}",
            sent_at=START + timedelta(minutes=turn),
            source="test",
            served=Served(model="claude-sonnet-4-6", usage=usage),
            dims={"feature": "chat" if turn < 3 else "triage"},
            request=Request(model="claude-sonnet-4-6", blocks=tuple(blocks)),
            ttft_ms=500,
        )


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "ledger.duckdb"
    with DuckDBLedger(path) as opened:
        opened.add(posted(shipped_book(), calls()))
    return path


def test_the_back_test_comes_first_and_the_steps_add_up(farthing, ledger):
    found = farthing.json("whatif", "--ledger", ledger, "--choose", "cache=automatic,batch=true")
    # 3,072 + 4,096 + 5,120 tokens at $3, 300 at $15.
    assert found["backtest"]["usd"] == found["before"]["usd"] == "0.041364"
    assert found["backtest"]["posted"] == {"calls": 3, "usd": "0.041364", "error_usd": "0", "calls_off": 0}
    assert found["backtest"]["cache_replayed"]["error_usd"] == "0"
    cached, batched = found["steps"]
    assert (cached["name"], batched["name"]) == ("cache=automatic", "batch=true")
    # 5,120 written at $3.75, 3,072 + 4,096 read at $0.30, output as before.
    assert cached["usd"] == "0.0258504"
    assert cached["kind"] == "derived"
    assert batched["usd"] == "0.0129252"
    assert batched["kind"] == "assumed"
    assert found["saved_usd"] == "0.0284388"


def test_several_choices_are_steps_and_a_choice_may_be_for_some_calls(farthing, ledger):
    choices = ["--choose", "batch=true where feature=triage", "--choose", "geo=us"]
    found = farthing.json("whatif", "--ledger", ledger, *choices)
    assert [step["moved_calls"] for step in found["steps"]] == [1, 3]
    assert found["steps"][0]["saved_usd"] == "0.00843"  # half of 5,120 at $3 and 100 at $15


def test_a_range_without_calls_is_said(farthing, ledger):
    ran = farthing("whatif", "--ledger", ledger, "--from", "2026-11-21", "--choose", "geo=us", code=1)
    assert "found no call in range" in ran.stderr


def test_what_a_person_reads(farthing, ledger):
    told = farthing("whatif", "--ledger", ledger, "--choose", "cache=automatic,pings=1").stdout
    for words in ("Back-test: 3 calls", "the ledger posted the same", "as recorded", "5m writes", "pings keep"):
        assert words in told


def test_without_a_choice_it_says_what_can_be_chosen(farthing):
    assert "--choose" in farthing("whatif").stdout


def test_a_choice_beside_a_command_is_refused(farthing, tmp_path):
    assert "one of them" in farthing("whatif", "--choose", "geo=us", "cache", tmp_path / "x", code=1).stderr


@pytest.mark.parametrize("kind", ["lines", "ledger"])
def test_recorded_calls_as_a_trace(farthing, ledger, tmp_path, kind):
    trace = ledger
    if kind == "lines":
        trace = tmp_path / "calls.jsonl"
        trace.write_bytes(b"".join(msgspec.json.encode(call) + b"\n" for call in calls()))
    policies = farthing.json("whatif", "cache", trace, "--format", "calls")["policies"]
    # 12,288 tokens at $3; 5,120 written at $3.75 and 7,168 read at $0.30.
    assert policies["none"]["usd"] == "0.036864"
    assert policies["always_5m"]["usd"] == "0.0213504"


def test_lines_that_are_no_calls_are_told(farthing, tmp_path):
    trace = tmp_path / "calls.jsonl"
    bare = msgspec.structs.replace(next(calls()), request=None)
    trace.write_bytes(b'{"x": 1}\n' + msgspec.json.encode(bare) + b"\n")
    ran = farthing("whatif", "cache", trace, "--format", "calls", code=1)
    assert "1 calls left out: no blocks" in ran.stderr
    assert "line 1: read a line that is no call" in ran.stderr
