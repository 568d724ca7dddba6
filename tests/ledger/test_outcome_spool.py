"""Outcomes on their way into a ledger: files that are whole or not there, in the order in which they were told."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from datetime import UTC, datetime
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput, LedgerFault
from farthing.ledger import outcome_spool
from farthing.ledger.outcome import AMOUNT_PUSD_MAX, Outcome
from farthing.ledger.outcome_spool import Damaged, Spool, count, delete_parts, line, read, set_aside, waiting
from farthing.sources.outcome_intake import NotRead, read_value, values_of
from farthing.sources.outcomes import FIELDS

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LEAST = Outcome(outcome_id="a", happened_at=NOON, session="s")
MOST = Outcome(
    outcome_id="b\n\0é",
    happened_at=NOON.replace(microsecond=1),
    name="solved",
    status="success",
    value_pusd=AMOUNT_PUSD_MAX,
    revenue_pusd=-AMOUNT_PUSD_MAX,
    session="s",
    request="r",
    tag_name="t",
    tag_value="v",
    dims={"tenant": "acme"},
    at_assumed=True,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outcomes"


@pytest.fixture
def put(folder):
    spool = Spool(folder)
    return lambda *outcomes: spool.put([line(one) for one in outcomes])


def test_what_is_put_is_read_in_the_order_in_which_it_was_told(folder, put):
    assert waiting(folder) == []
    put(LEAST)
    put(MOST, LEAST)
    first, second = waiting(folder)
    assert (read(first), read(second)) == ([LEAST], [MOST, LEAST])
    assert (count([first, second]), count([first])) == (3, 1)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert first.stat().st_mode & 0o777 == 0o600


def test_a_file_is_lines_that_another_program_can_read(folder, put):
    put(LEAST, MOST)
    (path,) = waiting(folder)
    head, _, body = path.read_bytes().partition(b"\n")
    assert head == b"farthing outcomes 1 %08x" % crc32(body)
    assert [json.loads(text)["outcome"]["outcome_id"] for text in body.splitlines()] == ["a", "b\n\0é"]


def test_no_byte_that_changed_and_no_cut_goes_unseen(folder, put):
    put(LEAST)
    (path,) = waiting(folder)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(LedgerFault):
                read(path)


def test_a_newer_version_is_not_damage(folder, put):
    put(LEAST)
    (path,) = waiting(folder)
    path.write_bytes(path.read_bytes().replace(b"outcomes 1", b"outcomes 2"))
    with pytest.raises(LedgerFault, match="upgrade farthing") as fault:
        read(path)
    assert not isinstance(fault.value, Damaged)


def test_a_sound_checksum_over_something_else_is_damage(folder, put):
    put(LEAST)
    (path,) = waiting(folder)
    for body in (b"{}\n", b"no json\n", b'{"outcome":{"outcome_id":"a"}}\n'):
        path.write_bytes(b"farthing outcomes 1 %08x\n" % crc32(body) + body)
        with pytest.raises(Damaged):
            read(path)


def test_what_was_set_aside_is_kept_and_waits_no_more(folder, put):
    put(LEAST)
    (path,) = waiting(folder)
    set_aside(path)
    assert waiting(folder) == []
    assert len(list(folder.iterdir())) == 1


def test_a_file_that_another_owner_took_holds_nothing(folder):
    assert read(folder / "gone") == []


def test_a_clock_that_is_set_back_changes_no_order(folder, put, monkeypatch):
    put(LEAST)
    monkeypatch.setattr(outcome_spool.time, "time_ns", lambda: 5)
    put(MOST)
    Spool(folder).put([line(LEAST), line(LEAST)])
    assert [count([path]) for path in waiting(folder)] == [1, 1, 2]


def test_a_listing_that_missed_a_file_is_made_again(folder, put, monkeypatch):
    put(LEAST)
    put(MOST)
    first, second = (path.name for path in waiting(folder))
    later = second.replace("0", "1", 1)
    listings = [[second], [first, second, later], [first, second, later]]
    monkeypatch.setattr(outcome_spool.os, "listdir", lambda _folder: listings.pop(0))
    assert [path.name for path in waiting(folder)] == [first, second]
    assert listings == []


def test_no_listing_has_a_file_without_those_that_came_before_it(folder):
    """Two writers that take turns: each puts only once the other has; a reader looks all the while."""
    turns, numbers, done = [threading.Semaphore(1), threading.Semaphore(0)], iter(range(80)), threading.Event()

    def write(own):
        spool = Spool(folder)
        while not done.is_set():
            turns[own].acquire()
            if (number := next(numbers, None)) is None:
                done.set()
            else:
                spool.put([line(Outcome(outcome_id=str(number), happened_at=NOON, session="s"))])
            turns[1 - own].release()

    writers = [threading.Thread(target=write, args=(own,)) for own in (0, 1)]
    for writer in writers:
        writer.start()
    seen = 0
    while not done.is_set() or seen < 80:
        paths = waiting(folder)
        assert [int(outcome.outcome_id) for path in paths for outcome in read(path)] == list(range(len(paths)))
        seen = len(paths)
    for writer in writers:
        writer.join()


@pytest.mark.parametrize("step", ["open", "write", "fsync"])
def test_a_full_disk_is_said_without_a_path_and_leaves_nothing(folder, put, monkeypatch, step):
    put(LEAST)

    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    with monkeypatch.context() as patched:
        patched.setattr(outcome_spool.os, step, full)
        with pytest.raises(LedgerFault) as fault:
            put(MOST)
    assert str(fault.value) == "the disk does not take outcomes: No space left on device"
    assert len(list(folder.iterdir())) == 1
    put(MOST)
    assert count(waiting(folder)) == 2


def test_a_write_that_is_cut_short_goes_on(folder, put, monkeypatch):
    write = os.write
    monkeypatch.setattr(outcome_spool.os, "write", lambda file, data: write(file, data[:7]))
    put(LEAST, MOST)
    assert [read(path) for path in waiting(folder)] == [[LEAST, MOST]]


def test_so_much_may_wait_and_no_more(folder, monkeypatch):
    spool = Spool(folder, bytes_max=200)
    spool.put([line(LEAST)] * 3)
    with pytest.raises(LedgerFault, match="which does not take them"):
        spool.put([line(LEAST)])
    for path in waiting(folder):
        path.unlink()
    now = time.monotonic()
    monkeypatch.setattr(outcome_spool.time, "monotonic", lambda: now + 10)
    spool.put([line(LEAST)])
    assert count(waiting(folder)) == 1


def test_only_halves_of_the_dead_are_deleted(folder, put):
    put(LEAST)
    for name, age_s in (("old.part", 7_200), ("new.part", 10)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    delete_parts(folder)
    assert {path.suffix for path in folder.iterdir()} == {".outcomes", ".part"}
    assert not (folder / "old.part").exists()


def test_a_folder_that_is_none_is_a_fault(folder, put):
    folder.write_text("a file")
    with pytest.raises(LedgerFault, match="cannot read the folder"):
        waiting(folder)
    with pytest.raises(LedgerFault, match="the disk does not take outcomes"):
        put(LEAST)


texts = st.text(max_size=6) | st.sampled_from(["1.0", "a=b", "/x", "2026-11-20T12:00:00Z", "success", "\ud83d"])
numbers = st.integers(-(10**30), 10**30) | st.floats() | st.decimals().map(str)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(
    st.sampled_from([*FIELDS, "specversion", "source", "type", "time", "data", "data_base64", "datacontenttype"]),
    values,
)
sound = st.fixed_dictionaries({"id": texts.filter(str.strip), "session": texts.filter(str.strip)}).flatmap(
    lambda least: objects.map(lambda more: more | least)
)


@given(st.lists(objects | sound | values, max_size=3), st.sampled_from([None, "acme", "a/b é"]))
def test_whatever_is_accepted_is_kept_and_read_as_it_was(folder, bodies, tenant):
    told = values_of(json.dumps(bodies).encode("utf-8", "surrogatepass"), "")
    if isinstance(told, NotRead):
        return
    outcomes = [read_value(one, received_at=NOON, tenant=tenant) for one in told]
    kept = [one for one in outcomes if not isinstance(one, BadInput)]
    if kept:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(outcome_spool.os, "fsync", lambda _file: None)
            Spool(folder).put([line(one) for one in kept])
        (path,) = waiting(folder)
        assert read(path) == kept
        path.unlink()
