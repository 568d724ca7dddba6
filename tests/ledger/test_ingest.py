"""Journals reach the ledger once, whatever is killed in between."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import duckdb
import msgspec
import pytest

from farthing.call import Usage
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
