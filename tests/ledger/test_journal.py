"""The journal survives being cut or changed at any byte."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import LedgerFault
from farthing.ledger import journal
from farthing.ledger.journal import Begun, JournalWriter, Opened, Settled, new_path, read

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def records(make):
    return [
        Opened(journal.VERSION, NOON),
        Begun("1", NOON, "claude-sonnet-4-5"),
        Begun("2", NOON, "claude-sonnet-4-5"),
        Settled("1", make("a")),
        Settled("2", None, "refused by the upstream with status 529: nothing was billed"),
    ]


@pytest.fixture
def written(tmp_path, records):
    path = tmp_path / "one.journal"
    with JournalWriter(path, NOON) as writer:
        for record in records[1:]:
            writer.append(record)
    return path


def good(path, offset=0):
    return [one.record for one in read(path, offset) if one.record is not None]


def test_records_come_back_in_order(written, records):
    assert good(written) == records
    assert all(one.error is None for one in read(written))
    assert list(read(written))[-1].end == written.stat().st_size


def test_reading_goes_on_from_any_records_end(written, records):
    ends = [0, *(one.end for one in read(written))]
    for number, end in enumerate(ends):
        assert good(written, end) == records[number:]


def test_a_file_cut_at_any_byte_gives_the_whole_records_before_the_cut(written, records):
    data = written.read_bytes()
    ends = [one.end for one in read(written)]
    for cut in range(len(data) + 1):
        written.write_bytes(data[:cut])
        found = list(read(written))
        assert [one.record for one in found] == records[: sum(end <= cut for end in ends)]
        assert all(one.error is None for one in found)


def test_a_flipped_bit_is_noticed_and_costs_only_the_lines_it_touches(written, records):
    data = written.read_bytes()
    ends = [one.end for one in read(written)]
    for at in range(len(data)):
        bit = 1 << at % 8
        written.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
        found = list(read(written))
        line = sum(end <= at for end in ends)
        touched = {line, line + 1} if data[at : at + 1] == b"\n" else {line}
        kept = [record for number, record in enumerate(records) if number not in touched]
        assert [one.record for one in found if one.record is not None] == kept
        torn = at == len(data) - 1  # the very last newline: the line looks unfinished, which is no damage yet
        assert torn or any(one.error is not None for one in found)


@given(st.binary(max_size=200))
def test_no_garbage_reads_as_a_record(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "x.journal"
    path.write_bytes(noise + b"\n" + journal.line(Begun("1", NOON, "m")))
    assert good(path) == [Begun("1", NOON, "m")]


def test_an_error_says_where_and_never_what(written):
    data = written.read_bytes().replace(b"claude", b"CLAUDE", 1)
    written.write_bytes(data)
    [error] = [one.error for one in read(written) if one.error]
    assert error.source == "one.journal"
    assert "checksum" in error.error
    assert "CLAUDE" not in error.error


def test_a_writer_goes_on_after_the_disk_was_full(tmp_path, monkeypatch, make):
    path = tmp_path / "full.journal"
    real = os.write
    with JournalWriter(path, NOON) as writer:
        for room in (0, 1, 9, 50):
            left = [room]

            def full(file, data, left=left):
                if not left[0]:
                    raise OSError(errno.ENOSPC, "No space left on device")
                some = real(file, data[: left[0]])
                left[0] -= some
                return some

            monkeypatch.setattr(os, "write", full)
            with pytest.raises(LedgerFault, match="No space left"):
                writer.append(Settled("lost", make("a")))
            monkeypatch.setattr(os, "write", real)
            writer.append(Begun(f"after {room}", NOON, "m"))
    assert [r.entry for r in good(path)[1:]] == [f"after {room}" for room in (0, 1, 9, 50)]


def test_half_an_emoji_costs_no_record(tmp_path, make):
    path = tmp_path / "a.journal"
    record = make("a", dims={"tenant": "half \ud83d"})
    with JournalWriter(path, NOON, fsync="never") as writer:
        writer.append(Begun("1", NOON, "m\ude00"))
        writer.append(Settled("1", record))
    _, begun, settled = [line.record for line in read(path)]
    assert begun == Begun("1", NOON, "m\ufffd")
    assert settled.stored == make("a", dims={"tenant": "half \ufffd"})


def test_a_journal_is_never_written_twice(written):
    with pytest.raises(LedgerFault, match="exists"):
        JournalWriter(written, NOON)


def test_a_newer_journal_is_refused(tmp_path):
    path = tmp_path / "new.journal"
    path.write_bytes(journal.line(Opened(journal.VERSION + 1, NOON)))
    with pytest.raises(LedgerFault, match="upgrade"):
        list(read(path))


def test_a_missing_journal_is_named(tmp_path):
    with pytest.raises(LedgerFault, match=r"gone\.journal"):
        list(read(tmp_path / "gone.journal"))


@pytest.mark.parametrize(("policy", "synced"), [("each", 3), ("never", 0)])
def test_fsync_follows_the_policy(tmp_path, monkeypatch, policy, synced):
    calls = []
    monkeypatch.setattr(os, "fsync", calls.append)
    writer = JournalWriter(tmp_path / "x.journal", NOON, policy)
    writer.append(Begun("1", NOON, "m"))
    writer.append(Begun("2", NOON, "m"))
    assert len(calls) == synced
    writer.sync()
    assert len(calls) == synced + 1
    writer.close()
    writer.close()


def test_new_paths_are_unlike_each_other_and_sort_by_time(tmp_path):
    first, second = new_path(tmp_path, NOON), new_path(tmp_path, NOON)
    assert first != second
    assert first.name.startswith("20260310T120000Z-")


def test_batches_are_the_lines_in_order_whatever_their_size(tmp_path):
    path = tmp_path / "one.journal"
    with JournalWriter(path, NOON, "never") as writer:
        for number in range(9):
            writer.append(Begun(str(number), NOON, "m"))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"4"', b'"X"').replace(b"\n", b"\n\n", 1) + b"00000000 torn")
    lines = list(read(path))
    for bytes_max in (1, 100, 10**6):
        batches = list(journal.batches(path, 0, bytes_max))
        records = [record for batch in batches for record in batch.records]
        assert records == [one.record for one in lines if one.record is not None]
        assert [error for batch in batches for error in batch.errors] == [one.error for one in lines if one.error]
        bodies = [body for batch in batches for body in batch.bodies]
        assert bodies == [journal.line(record)[9:-1] for record in records]
        assert batches[-1].end == lines[-1].end
        assert list(journal.batches(path, batches[0].end, bytes_max)) == batches[1:]


def test_the_rest_of_a_torn_line_that_comes_while_it_is_read_is_no_line(tmp_path):
    path = tmp_path / "one.journal"
    with JournalWriter(path, NOON, "never") as writer:
        writer.append(Begun("a", NOON, "m"))
        writer.append(Begun("b", NOON, "m"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    batches = journal.batches(path, 0, 10**6)
    first = next(batches)
    path.write_bytes(whole)
    assert list(batches) == []
    [rest] = journal.batches(path, first.end, 10**6)
    assert [record.entry for record in first.records[1:] + rest.records] == ["a", "b"]
    assert rest.end == len(whole)
