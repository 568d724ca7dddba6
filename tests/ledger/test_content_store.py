"""The content store: what is kept, for whom, how long, and what a kill or a broken disk does to it."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from farthing.errors import LedgerFault
from farthing.ledger.content import Content, ContentStore, Part

AT = datetime(2026, 11, 20, 9, 0, 0, 123_000, tzinfo=UTC)


def row(number, *, at=AT, tenant="acme", body=b"{}", mode="full"):
    part = Part("0a" * 16, len(body), "", body)
    return Content(
        f"call_{number}", f"msg_{number}:req_{number}", at, tenant, "m", mode, 200, part, Part(None, 3, "cut", None)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "content.sqlite"


@pytest.fixture
def store(path):
    with ContentStore(path) as store:
        yield store


def test_what_is_kept_comes_back_by_either_name(store):
    rows = [row(1, body=b"\x00\xff" * 1000), row(2), row(12)]
    store.add(rows)
    for name in ("call_1", "msg_1:req_1", "msg_1"):
        assert store.find(name) == rows[0]
    assert store.find("msg_") is None
    assert store.find("req_1") is None
    store.add([rows[1]._replace(status=500)])
    assert store.find("call_2").status == 500


def test_of_two_with_one_name_the_newest_is_shown(store):
    store.add([row(1), row(2, at=AT + timedelta(seconds=1))._replace(call_id="msg_1:req_1")])
    assert store.find("msg_1").gateway_call == "call_2"


def test_nobody_else_may_read_it(path):
    path.touch(0o644)
    with ContentStore(path) as store:
        store.add([row(1)])
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("content.sqlite", "content.sqlite-wal", "content.sqlite-shm"), 0o600)


def test_a_repr_shows_no_content():
    assert "secret" not in repr(row(1, body=b"secret"))


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        ({"tenant": "bolt"}, [1, 3]),
        ({"before": AT + timedelta(days=1)}, [3]),
        ({"before": AT + timedelta(days=1), "tenant": "acme"}, [2, 3]),
        ({}, []),
    ],
)
def test_purge(store, choice, left):
    store.add([row(1), row(2, tenant="bolt"), row(3, at=AT + timedelta(days=1))])
    assert store.purge(**choice) == 3 - len(left)
    assert [number for number in (1, 2, 3) if store.find(f"call_{number}")] == left


def test_what_is_purged_is_gone_from_the_disk(path, store):
    body = os.urandom(30_000)
    packed = zlib.compress(body)
    store.add([row(1, body=body), row(2)])

    def on_disk():
        return b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert packed[100:200] in on_disk()
    store.purge(tenant="acme")
    assert packed[100:200] not in on_disk()
    assert packed[-200:-100] not in on_disk()
    assert path.stat().st_size == store.standing().disk_bytes < len(packed)


def test_old_content_ends(store):
    store.add([row(number, at=AT + timedelta(days=number)) for number in range(40)])
    assert store.tidy(AT + timedelta(days=39), days=30, disk_bytes_max=10**9) == 9
    assert store.standing().calls == {"full": 31}
    assert store.standing().oldest_at == AT + timedelta(days=9)
    assert store.tidy(AT + timedelta(days=39), days=0, disk_bytes_max=10**9) == 0


def test_the_oldest_goes_where_there_is_too_much(store):
    for number in range(600):
        store.add([row(number, at=AT + timedelta(seconds=number), body=os.urandom(2_000))])
    before = store.standing().disk_bytes
    assert before > 1_200_000
    gone = store.tidy(AT, days=30, disk_bytes_max=1_000_000)
    assert 0 < gone < 600
    assert store.standing().disk_bytes <= 1_000_000
    assert store.standing().oldest_at == AT + timedelta(seconds=gone)
    assert store.tidy(AT, days=30, disk_bytes_max=1) == 600 - gone


def test_a_row_counts_for_its_mode(store):
    assert store.standing()[0] == {}
    store.add([row(1), row(2, mode="hash"), row(3, mode="hash")])
    assert store.standing().calls == {"full": 1, "hash": 2}


def test_what_is_no_store_is_left_alone(path):
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerFault, match=r"content\.sqlite cannot be used"):
        ContentStore(path)
    assert path.read_bytes() == b"no database at all" * 100
    with pytest.raises(LedgerFault):
        ContentStore(path.parent)


def test_a_newer_store_is_left_alone(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerFault, match="version 99"):
        ContentStore(path)


def test_a_full_disk_loses_the_batch_and_nothing_else(store):
    store.add([row(1)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(LedgerFault):
            store.add([row(2), row(3, body=os.urandom(2_000_000))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.standing().calls == {"full": 1}
    store.add([row(2)])
    assert store.standing().calls == {"full": 2}


def test_another_process_that_holds_it_is_waited_for_and_then_a_fault(path, store):
    with ContentStore(path, busy_s=0.01) as other:
        store._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerFault, match="locked"):
            other.add([row(1)])
        store._db.execute("ROLLBACK")
        other.add([row(1)])
    assert store.find("call_1")


WRITER = """
import os, sys
from pathlib import Path
from datetime import UTC, datetime
from farthing.ledger.content import Content, ContentStore, Part
store, who, number = ContentStore(Path(sys.argv[1])), sys.argv[2], 0
while True:
    body = os.urandom(3000)
    at = datetime.now(UTC)
    part = Part(None, len(body), "", body)
    store.add([Content(f"{who}_{number}_{half}", "", at, "", "", "full", 200, part, part) for half in (0, 1)])
    print(number, flush=True)
    number += 1
"""


def test_kill_9_of_writers_leaves_whole_calls(path, store):
    for who in "ab":
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), who],
            stdout=subprocess.PIPE,
            text=True,
        )
        told = [process.stdout.readline() for _ in range(30)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().splitlines()
        process.stdout.close()
        process.wait()
        said = len([line for line in told if line.strip()])
        kept = store.standing().calls["full"]
        assert kept % 2 == 0
        assert kept >= 2 * said
        store.purge()
    assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
