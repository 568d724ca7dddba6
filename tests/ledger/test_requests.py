"""What a request asked for comes back exactly, from both engines and through a journal, and takes little room."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import PromptBlock, Request, Usage
from farthing.errors import LedgerFault
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Added, Query, Stored
from farthing.ledger.journal import Begun, JournalWriter, Seen, Settled, is_written, read
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.prompt_runs import Packer, unpacked
from farthing.units import Kind

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def hashed(number):
    return number.to_bytes(16, "big")


blocks = st.builds(
    PromptBlock,
    st.integers(0, 3).map(hashed),
    st.integers(0, 2),
    st.sampled_from(("tools", "system", "messages")),
    st.sampled_from((None, None, "5m", "1h")),
    st.booleans(),
)
"""Few values, so that prompts share beginnings and differ in one thing only."""

counts = st.one_of(st.none(), st.integers(0, 2**62))
words = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
requests = st.builds(
    Request,
    model=st.text("ab-", max_size=3),
    stream=st.booleans(),
    max_tokens=counts,
    effort=words,
    thinking=words,
    thinking_budget_tokens=counts,
    speed=words,
    inference_geo=words,
    service_tier=words,
    tools=st.integers(0, 2**62),
    tools_tokens=st.integers(0, 2**62),
    cache_automatic=st.booleans(),
    blocks=st.lists(blocks, max_size=8).map(tuple),
)


def asking(stored, request):
    return Stored(msgspec.structs.replace(stored.call, request=request), stored.posting)


def kept(ledger):
    return [stored.call.request for stored in ledger.calls(Query())]


def conversation(turns, *, system=2, per_turn=2, name=0):
    """The prompts of a conversation that grows by *per_turn* blocks; the system prompt is the same in all."""
    start = [PromptBlock(hashed(10**6 + at), 500, "system") for at in range(system)]
    said = [PromptBlock(hashed(10**9 * (name + 1) + at), 50 + at, "messages") for at in range(turns * per_turn)]
    return [
        Request(
            model="m", blocks=(*start, *said[: (turn + 1) * per_turn - 1], _marked(said[(turn + 1) * per_turn - 1]))
        )
        for turn in range(turns)
    ]


def _marked(block):
    return msgspec.structs.replace(block, ttl="5m")


@settings(max_examples=12, deadline=None)
@given(st.lists(requests, min_size=1, max_size=6))
def test_any_request_comes_back_from_both_engines_and_a_journal(make_stored, tmp_folder, asked):
    records = [asking(make_stored(str(number)), request) for number, request in enumerate(asked)]
    path = tmp_folder()
    with JournalWriter(path, NOON, "never") as writer:
        for number, stored in enumerate(records):
            writer.append(Settled(str(number), stored))
    with MemoryLedger() as plain, DuckDBLedger(Path(":memory:")) as duck, DuckDBLedger(Path(":memory:")) as read_in:
        plain.add(records)
        duck.add(records)
        assert read_in.ingest([path]).added.new == len(records)
        by_id = {stored.call.call_id: stored for stored in records}
        for ledger in (plain, duck, read_in):
            assert {stored.call.call_id: stored for stored in ledger.calls(Query())} == by_id
            assert all(ledger.get(call_id) == stored for call_id, stored in by_id.items())


@pytest.fixture(scope="module")
def tmp_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journals")
    numbers = iter(range(10**6))
    return lambda: folder / f"{next(numbers)}.journal"


@given(st.lists(st.lists(blocks, max_size=60).map(tuple), max_size=8))
def test_packages_hold_every_prompt_and_each_run_once(prompts):
    packer, runs, given_out = Packer(), {}, []
    for prompt in prompts:
        packed = packer.pack(prompt)
        given_out += [run.key for run in packed.runs]
        runs |= {run.key: run.link() for run in packed.runs}
        assert unpacked(packed.leaf, packed.ttl_5m, packed.ttl_1h, runs) == prompt
    assert len(given_out) == len(set(given_out))


def test_a_packer_that_forgets_still_names_runs_alike():
    [*_, last] = conversation(3)
    one, other = Packer(), Packer()
    assert one.pack(last.blocks) == other.pack(last.blocks)
    assert one.pack(last.blocks).runs == ()
    one.forget()
    assert one.pack(last.blocks) == Packer().pack(last.blocks)


def test_a_long_conversation_is_a_short_chain_and_little_text(tmp_path, make):
    asked = conversation(200)
    path = tmp_path / "long.journal"
    with JournalWriter(path, NOON, "never") as writer:
        for number, request in enumerate(asked):
            writer.append(Settled(str(number), asking(make(str(number)), request)))
    packages = [line.record.prompt for line in read(path) if isinstance(line.record, Settled)]
    parents = {run.key: run.parent for packed in packages for run in packed.runs}

    def depth(key):
        return 0 if not key else 1 + depth(parents[key])

    assert max(depth(packed.leaf) for packed in packages) <= 33
    assert sum(len(run.tokens) for packed in packages for run in packed.runs) < 8 * 400  # of 200 * 200 in prompts


def test_two_conversations_share_their_system_prompt(tmp_path, make):
    asked = [*conversation(2, system=50), *conversation(2, system=50, name=1)]
    with DuckDBLedger(tmp_path / "ledger.duckdb") as duck:
        duck.add([asking(make(str(number)), request) for number, request in enumerate(asked)])
        assert sorted(kept(duck), key=repr) == sorted(asked, key=repr)
        assert duck._number("SELECT sum(len(tokens)) FROM prompt_runs") == 50 + 2 * 4


def test_a_damaged_line_costs_the_prompts_that_lean_on_it_and_no_call(tmp_path, make):
    path = tmp_path / "one.journal"
    with JournalWriter(path, NOON, "never") as writer:
        for number, request in enumerate(conversation(3)):
            writer.append(Settled(str(number), asking(make(str(number)), request)))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"output_tokens", b"Output_tokens")
    path.write_bytes(b"".join(lines))
    with DuckDBLedger(tmp_path / "ledger.duckdb") as duck:
        assert len(duck.ingest([path]).errors) == 1
        first, last = kept(duck)
        assert first == conversation(3)[0]
        assert last == msgspec.structs.replace(conversation(3)[2], blocks=())


def test_a_failed_write_packs_again(tmp_path, make, monkeypatch):
    from farthing.ledger import journal

    path = tmp_path / "one.journal"
    first, second = conversation(2)
    with JournalWriter(path, NOON, "never") as writer:
        with monkeypatch.context() as patch:
            patch.setattr(journal.os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
            with pytest.raises(LedgerFault):
                writer.append(Settled("1", asking(make("a"), first)))
        writer.append(Settled("2", asking(make("b"), second)))
    with DuckDBLedger(tmp_path / "ledger.duckdb") as duck:
        duck.ingest([path])
        assert kept(duck) == [second]


@pytest.mark.parametrize(
    "block",
    [
        PromptBlock(b"short", 1, "system"),
        PromptBlock(b"a" * 16, -1, "system"),
        PromptBlock(b"a" * 16, 1, "elsewhere"),
        PromptBlock(b"a" * 16, 1, "system", "2h"),
    ],
)
def test_a_block_no_ledger_can_keep_is_named_and_nothing_is_written(ledger, make, block):
    with pytest.raises(LedgerFault, match="prompt block"):
        ledger.add([make("good"), asking(make("a"), Request(blocks=(block,)))])
    assert list(ledger.calls(Query())) == []


def test_a_request_is_learnt_from_whichever_record_has_it(ledger, make):
    request = conversation(1)[0]
    usage = Usage(input_tokens=1, output_tokens=9)
    ledger.add([asking(make("a", usage=usage), None)])
    assert ledger.add([asking(make("a", usage=usage), request)]) == Added(new=0, known=0, improved=1)
    assert ledger.add([asking(make("a", usage=usage), request)]) == Added(new=0, known=1, improved=0)
    better = make("a", usage=Usage(input_tokens=1, output_tokens=10))
    assert ledger.add([better]).improved == 1
    assert kept(ledger) == [request]
    assert ledger.get("msg_a").call.served.usage.output_tokens == 10


# -- calls whose writer was killed while their answer came ----------------------------------------------------------


def half(make, name, request=None):
    stored = make(name, usage=Usage(input_tokens=100, output_tokens=1), kind=Kind.ASSUMED, dims={"recovered": "start"})
    return asking(stored, request)


@pytest.fixture
def broken_off(tmp_path, make):
    """A journal whose writer saw the start of one answer and the end of another."""
    path = tmp_path / "one.journal"
    with JournalWriter(path, NOON, "never") as writer:
        for name, request in zip("ab", conversation(2), strict=True):
            writer.append(Begun(name, NOON, "m"))
            writer.append(Seen(name, half(make, name, request)))
        writer.append(Settled("b", asking(make("b"), conversation(2)[1])))
    return path


def test_what_was_seen_waits_for_its_outcome_while_the_writer_lives(tmp_path, broken_off):
    with DuckDBLedger(tmp_path / "ledger.duckdb") as duck:
        done = duck.ingest([broken_off])
        assert (done.added.new, done.recovered.new) == (1, 0)
        assert [begun.entry for begun in done.unsettled] == ["a"]


@pytest.mark.parametrize("read_before", [False, True])
def test_what_was_seen_is_posted_once_the_writer_is_gone(tmp_path, broken_off, make, read_before):
    with DuckDBLedger(tmp_path / "ledger.duckdb") as duck:
        if read_before:
            duck.ingest([broken_off])
        done = duck.ingest([broken_off], [broken_off])
        assert (done.recovered.new, done.unsettled) == (1, ())
        assert duck.ingest([broken_off], [broken_off]).recovered.new == 0
        assert [stored.call.dims for stored in duck.calls(Query())] == [{"recovered": "start"}, {}]
        assert kept(duck) == conversation(2)  # the settled one named runs that were written when it was seen
        duck.add([make("a")])
        found = duck.get("msg_a").call
        assert (found.served.kind, found.dims, found.request) == (Kind.MEASURED, {}, conversation(2)[0])


def test_truth_that_came_before_stays(tmp_path, broken_off, make):
    with DuckDBLedger(tmp_path / "ledger.duckdb") as duck:
        duck.add([make("a")])
        assert duck.ingest([broken_off], [broken_off]).recovered == Added(new=0, known=0, improved=1)
        assert duck.get("msg_a").call.dims == {}
        assert duck.get("msg_a").call.served.kind is Kind.MEASURED


def test_a_journal_is_written_while_its_writer_holds_it(tmp_path):
    path = tmp_path / "one.journal"
    with JournalWriter(path, NOON, "never"):
        assert is_written(path)
    assert not is_written(path)
    with pytest.raises(LedgerFault, match="cannot read"):
        is_written(tmp_path / "none.journal")
