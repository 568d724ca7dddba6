"""Journals reach the ledger once, whatever is killed in between."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta, timezone

import duckdb
import msgspec
import pytest

from farthing.call import ExtraPass, PassKind, PromptBlock, Request, Usage
from farthing.errors import LedgerFault
from farthing.ledger import ingest, open_ledger
from farthing.ledger.interface import Added, Posting, Query, Stored
from farthing.ledger.journal import Begun, JournalWriter, Settled

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NOTHING = Added(new=0, known=0, improved=0)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "one.journal"


@pytest.fixture
def writer(journal):
    with JournalWriter(journal, NOON, "never") as opened:
        yield opened


@pytest.fixture
def duck(path):
    with open_ledger(path) as opened:
        yield opened


def ids(ledger):
    return [stored.call.served.message_id for stored in ledger.calls(Query())]


def write(writer, make, *names):
    for name in names:
        writer.append(Begun(name, NOON, "m"))
        writer.append(Settled(name, make(name)))


def test_settled_calls_are_posted_and_the_others_reported(duck, writer, journal, make):
    write(writer, make, "a", "b")
    begun = Begun("c", NOON, "claude-sonnet-4-5")
    writer.append(begun)
    done = duck.ingest([journal])
    assert (done.added, done.errors, done.unsettled) == (Added(new=2, known=0, improved=0), (), (begun,))
    assert ids(duck) == ["msg_a", "msg_b"]
    assert duck.unsettled() == [begun]


def test_ingesting_again_is_nothing_and_reading_goes_on(duck, writer, journal, make):
    write(writer, make, "a")
    writer.append(Begun("b", NOON, "m"))
    duck.ingest([journal])
    assert duck.ingest([journal]).added == NOTHING
    writer.append(Settled("b", make("b")))
    writer.append(Begun("c", NOON, "m"))
    writer.append(Settled("c", None, "never sent"))
    done = duck.ingest([journal])
    assert (done.added.new, done.unsettled) == (1, ())
    assert ids(duck) == ["msg_a", "msg_b"]


def test_the_offset_outlives_the_process(path, writer, journal, make):
    write(writer, make, "a")
    with open_ledger(path) as ledger:
        ledger.ingest([journal])
    with open_ledger(path) as ledger:
        assert ledger.ingest([journal]).added == NOTHING


def test_a_crash_between_calls_and_offset_neither_loses_nor_doubles(duck, writer, journal, make, monkeypatch):
    write(writer, make, "a", "b")
    before = duck.report(Query())
    monkeypatch.setattr(ingest._Ingest, "_remember", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        duck.ingest([journal])
    assert duck.report(Query()) == before
    monkeypatch.undo()
    assert duck.ingest([journal]).added.new == 2
    assert duck.report(Query())[0].calls == 2


def test_a_process_killed_before_the_commit_neither_loses_nor_doubles(path, writer, journal, make):
    write(writer, make, "a", "b", "c")
    script = (
        "import os, sys, pathlib\n"
        "from farthing.ledger import ingest, open_ledger\n"
        "ledger = open_ledger(pathlib.Path(sys.argv[1]))\n"
        "ingest._BATCH_BYTES = 1\n"
        "real, done = ingest._Ingest._remember, []\n"
        "def die_in_the_fifth_batch(*args):\n"
        "    real(*args)\n"
        "    done.append(1)\n"
        "    if len(done) == 5: os._exit(9)\n"
        "ingest._Ingest._remember = die_in_the_fifth_batch\n"
        "ledger.ingest([pathlib.Path(sys.argv[2])])\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path), str(journal)], check=False)
    assert killed.returncode == 9
    with open_ledger(path) as ledger:
        assert ids(ledger) == ["msg_a"]
        assert ledger.ingest([journal]).added == Added(new=2, known=0, improved=0)
        assert ids(ledger) == ["msg_a", "msg_b", "msg_c"]


def test_a_torn_tail_waits_for_its_rest(duck, writer, journal, tmp_path, make):
    write(writer, make, "a", "b")
    data = journal.read_bytes()
    part = tmp_path / "part" / journal.name
    part.parent.mkdir()
    new = 0
    for cut in range(0, len(data) + 1, 97):
        part.write_bytes(data[:cut])
        new += duck.ingest([part]).added.new
    part.write_bytes(data)
    new += duck.ingest([part]).added.new
    assert (new, ids(duck)) == (2, ["msg_a", "msg_b"])


def test_a_damaged_line_is_reported_beside_the_good_ones(duck, writer, journal, make):
    write(writer, make, "a", "b", "c")
    journal.write_bytes(journal.read_bytes().replace(b"req_b", b"req_B"))
    done = duck.ingest([journal])
    assert done.added.new == 2
    [error] = done.errors
    assert "checksum" in error.error
    assert [begun.entry for begun in done.unsettled] == ["b"]


def test_a_record_no_ledger_can_keep_is_reported_beside_the_good_ones(duck, writer, journal, make):
    amount = Posting(list_pusd=2**130, low_pusd=0, high_pusd=0)
    writer.append(Settled("x", Stored(make("x").call, amount)))
    write(writer, make, "a")
    done = duck.ingest([journal])
    assert (done.added.new, len(done.errors)) == (1, 1)
    assert "list_pusd" in done.errors[0].error


def test_a_journal_that_shrank_is_reported_and_not_read(duck, writer, journal, make):
    write(writer, make, "a", "b")
    duck.ingest([journal])
    journal.write_bytes(journal.read_bytes()[:100])
    [error] = duck.ingest([journal]).errors
    assert "replaced or cut" in error.error


def test_the_same_call_in_two_journals_counts_once(duck, writer, journal, tmp_path, make):
    write(writer, make, "a")
    other = tmp_path / "two.journal"
    with JournalWriter(other, NOON, "never") as second:
        second.append(Settled("z", make("a", usage=Usage(100, output_tokens=500))))
    assert duck.ingest([journal, other]).added == Added(new=1, known=0, improved=1)
    assert duck.report(Query())[0].usage.output_tokens == 500


def test_two_journals_of_one_name_are_refused(duck, journal, tmp_path):
    with pytest.raises(LedgerFault, match="same name"):
        duck.ingest([journal, tmp_path / "elsewhere" / journal.name])


def test_a_missing_journal_is_named(duck, tmp_path):
    with pytest.raises(LedgerFault, match=r"gone\.journal"):
        duck.ingest([tmp_path / "gone.journal"])


def test_many_batches(duck, writer, journal, make, monkeypatch):
    monkeypatch.setattr(ingest, "_BATCH_BYTES", 900)
    write(writer, make, *"abcdefghij")
    assert duck.ingest([journal]).added.new == 10
    assert duck.unsettled() == []


def test_a_journal_has_one_row_however_often_it_was_read_at_once(path):
    with open_ledger(path) as ledger:
        first, second = (ledger._connection.cursor() for _ in range(2))
        row = "INSERT INTO journals VALUES ('one.journal', 5)"
        for cursor in (first, second):
            cursor.execute("BEGIN TRANSACTION")
        first.execute(row)
        second.execute(row)
        first.execute("COMMIT")
        with pytest.raises(duckdb.Error):
            second.execute("COMMIT")


def test_who_finds_that_another_read_a_journal_posts_nothing(duck, writer, journal, make, monkeypatch):
    write(writer, make, "a", "b")
    duck.ingest([journal])
    real, stale = ingest._Ingest._read_to, iter([0])
    monkeypatch.setattr(ingest._Ingest, "_read_to", lambda *args: 0 if next(stale, None) is not None else real(*args))
    with pytest.raises(LedgerFault, match="somebody else"):
        duck.ingest([journal])
    assert duck.report(Query())[0].calls == 2


def test_lines_of_any_shape_are_posted_as_they_were_written(duck, writer, journal, make):
    """What stands in a journal goes in as it stands, so texts that look like its own keys must not mislead."""
    odd = '","stored":{"call":{"call_id":"x"'
    call = make("a").call
    dims = {"team": odd, "prompt": 'é\\"\n', "stored": "{"}
    call = msgspec.structs.replace(call, dims=dims, sent_at=NOON.astimezone(timezone(timedelta(hours=2))))
    total = msgspec.structs.replace(call.served, calls_in_total=None, message_id=None, request_id=None)
    posting = Posting(list_pusd=None, low_pusd=None, high_pusd=None, unpriced=('no "rate"', "é"), book_version="b")
    written = Stored(call, posting), Stored(msgspec.structs.replace(call, call_id="t", served=total), posting)
    for stored in written:
        writer.append(Settled(odd, stored))
    assert duck.ingest([journal]).added.new == 2
    assert {stored.call.call_id: stored for stored in duck.calls(Query())} == {
        stored.call.call_id: stored for stored in written
    }


def test_batches_that_are_read_ahead_go_in_in_order(duck, writer, journal, make, monkeypatch):
    monkeypatch.setattr(ingest, "_BATCH_BYTES", 300)
    write(writer, make, *"abcdef")
    writer.append(Begun("g", NOON, "m"))
    assert duck.ingest([journal]).added.new == 6
    assert ids(duck) == [f"msg_{name}" for name in "abcdef"]
    assert [begun.entry for begun in duck.unsettled()] == ["g"]


def mixed(make):
    """Records of every shape that takes a path of its own into the ledger."""
    block = PromptBlock(b"\x01" * 16, 7, "system")
    asked = Request(model="m", stream=True, max_tokens=9, tools=2, tools_tokens=30, blocks=(block,))
    extra = ExtraPass(PassKind.COMPACTION, Usage(11, output_tokens=3), "claude-haiku-4-5-20251001")
    plain = make("plain", dims={"tenant": "t", "team": "x"})
    with_request = make("asked")
    yield plain
    yield Stored(msgspec.structs.replace(with_request.call, request=asked), with_request.posting)
    yield make("extra", extra_passes=(extra,))
    yield make("total", calls_in_total=None)
    yield make("unknown", model="nobody-knows-it")
    yield make("alone", request=None, usage=Usage(5, output_tokens=1))
    yield make("alone", usage=Usage(5, output_tokens=9), dims={"user": "u"})  # the same call, better known
    yield plain
    yield make("later", at=NOON + timedelta(days=40), dims={"tenant": "t"})
    elsewhere = make("elsewhere").call
    zone = timezone(timedelta(hours=-7))
    yield Stored(msgspec.structs.replace(elsewhere, sent_at=elsewhere.sent_at.astimezone(zone)), make("x").posting)


def told_by(ledger):
    """Everything that a ledger says, by calls and by sums, the latter from each relation that has them."""
    by = Query(by=("tenant", "model", "kind"), bucket="day")
    return list(ledger.calls(Query())), ledger.report(by), ledger.report(Query(by=("user",), bucket="hour"))


@pytest.mark.parametrize("bytes_max", [1, 700, 2_000, 10**6])
def test_rounds_and_stretches_of_any_size_make_the_ledger_that_adding_makes(
    tmp_path, journal, make, monkeypatch, bytes_max
):
    records = list(mixed(make))
    with open_ledger(tmp_path / "added.duckdb") as other:
        for stored in records:
            other.add([stored])
        added = told_by(other)
    monkeypatch.setattr(ingest, "_BATCH_BYTES", bytes_max)
    with (
        JournalWriter(journal, NOON, "never") as writer,
        open_ledger(tmp_path / "at once.duckdb") as at_once,
        open_ledger(tmp_path / "by rounds.duckdb") as by_rounds,
    ):
        for number, stored in enumerate(records):
            writer.append(Begun(str(number), NOON, "m"))
            writer.append(Settled(str(number), stored))
            by_rounds.ingest([journal])
        at_once.ingest([journal])
        assert told_by(at_once) == told_by(by_rounds) == added
        assert at_once.unsettled() == by_rounds.unsettled() == []


FIELDS_OF_NO_LEDGER = [
    {"usage": Usage(2**63)},
    {"usage": Usage(1, output_tokens=-1)},
    {"prompt_tokens_reported": -1},
    {"prompt_tokens_max_in_one_pass": 2**64},
    {"calls_in_total": -1},
    {"extra_passes": (ExtraPass(PassKind.ADVISOR, Usage(-1), "m"),)},
]
CALLS_OF_NO_LEDGER = [
    *({"served": fields} for fields in FIELDS_OF_NO_LEDGER),
    {"duration_ms": -1},
    {"ttft_ms": 2**63},
    {"sent_at": datetime(1969, 12, 31, 23, 59, tzinfo=UTC)},
    {"sent_at": datetime(2201, 1, 1, tzinfo=UTC)},
    {"sent_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - what is refused
    {"request": Request(max_tokens=-1)},
    {"request": Request(thinking_budget_tokens=2**63)},
    {"request": Request(tools=-1)},
    {"request": Request(tools_tokens=-1)},
    *({"posting": {name: 2**126 + 1}} for name in ("list_pusd", "low_pusd", "high_pusd", "contract_pusd")),
    {"posting": {"low_pusd": -(2**126) - 1}},
]


@pytest.mark.parametrize("fields", CALLS_OF_NO_LEDGER, ids=str)
def test_what_is_out_of_range_is_left_out_alone_and_named_as_adding_names_it(duck, writer, journal, make, fields):
    stored = make("x", **fields.get("served", {}), posting=Posting(list_pusd=1, low_pusd=1, high_pusd=1))
    posting = msgspec.structs.replace(stored.posting, **fields.get("posting", {}))
    of_call = {name: value for name, value in fields.items() if name not in {"served", "posting"}}
    bad = Stored(msgspec.structs.replace(stored.call, **of_call), posting)
    with pytest.raises(LedgerFault) as refused:
        duck.add([bad])
    write(writer, make, "a")
    writer.append(Begun("x", NOON, "m"))
    writer.append(Settled("x", bad))
    write(writer, make, "b")
    writer.append(Begun("c", NOON, "m"))
    done = duck.ingest([journal])
    assert [error.error for error in done.errors] == [str(refused.value)]
    assert (done.added, ids(duck)) == (Added(new=2, known=0, improved=0), ["msg_a", "msg_b"])
    assert [begun.entry for begun in duck.unsettled()] == ["c"]
    assert duck.ingest([journal]).added == NOTHING


def test_the_largest_numbers_are_kept(duck, writer, journal, make):
    usage = Usage(2**63 - 1, output_tokens=2**63 - 1)
    most = Posting(list_pusd=2**126, low_pusd=-(2**126), high_pusd=2**126, contract_pusd=2**126)
    stored = make("x", usage=usage, posting=most, at=datetime(2200, 12, 31, tzinfo=UTC))
    writer.append(Settled("x", stored))
    assert duck.ingest([journal]).added.new == 1
    assert list(duck.calls(Query())) == [stored]


def test_ids_of_one_key_stay_two_calls(duck, writer, journal, make):
    """CRC32 finds calls, and some ids share one: 'plumless' and 'buckeroo' are known for it."""
    assert zlib.crc32(b"plumless") == zlib.crc32(b"buckeroo")
    calls = [
        Stored(msgspec.structs.replace(make(name).call, call_id=name), make(name).posting)
        for name in ("plumless", "buckeroo")
    ]
    for stored in calls:
        writer.append(Settled(stored.call.call_id, stored))
    assert duck.ingest([journal]).added == Added(new=2, known=0, improved=0)
    other = journal.with_name("other.journal")
    with JournalWriter(other, NOON, "never") as second:
        second.append(Settled("a", calls[0]))
    assert duck.ingest([other]).added == Added(new=0, known=1, improved=0)
    assert {stored.call.call_id for stored in duck.calls(Query())} == {"plumless", "buckeroo"}


class Copied:
    """A connection that copies its ledger's files before some of its statements: what a kill there would leave."""

    def __init__(self, real, path, folder):
        self._real, self._path, self._folder = real, path, folder
        self._statements = 0

    def execute(self, *args):
        number = self._statements
        if number < 15 or number % 9 == 0:
            for suffix in ("", ".wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(f"{self._path}{suffix}", self._folder / f"{number}.duckdb{suffix}")
        self._statements += 1
        return self._real.execute(*args)

    def __getattr__(self, name):
        return getattr(self._real, name)


def test_killed_before_any_statement_nothing_is_lost_or_doubled(path, writer, journal, make, monkeypatch):
    for number, stored in enumerate(mixed(make)):
        writer.append(Begun(str(number), NOON, "m"))
        writer.append(Settled(str(number), stored))
    folder = path.parent / "killed"
    folder.mkdir()
    monkeypatch.setattr(ingest, "_BATCH_BYTES", 2_000)
    with open_ledger(path) as ledger:
        ledger._connection = Copied(ledger._connection, path, folder)
        ledger.ingest([journal])
        expected = told_by(ledger)
    copies = sorted(folder.glob("*.duckdb"))
    calls_before = set()
    for copy in copies:
        with open_ledger(copy) as ledger:
            calls_before.add(len(list(ledger.calls(Query()))))
            ledger.ingest([journal])
            assert told_by(ledger) == expected, f"killed before statement {copy.stem}"
    assert len(calls_before) > 2, "some were killed between two transactions"
