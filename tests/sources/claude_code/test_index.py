"""What the index opens, keeps, forgets and rebuilds."""

import gc
import os
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from farthing.errors import LedgerFault
from farthing.sources.claude_code import (
    Index,
    default_index_path,
    discover,
    forget_deleted,
    index_path,
    iter_buckets,
    iter_calls,
    sessions,
)


@pytest.fixture
def response(kit):
    return kit.response


def test_unchanged_files_are_not_opened(tree, response, monkeypatch):
    tree.write("p/a.jsonl", response("m1", "r1"))
    index, first = tree.scan()

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr("farthing.sources.claude_code.scanning._read", fail)
    _, second = tree.scan(index)
    assert (first.files_read, second.files_read, second.calls, second.bytes_read) == (1, 0, 1, 0)


def test_an_appended_file_is_read_from_where_reading_stopped(tree, response, kit):
    tree.write("p/a.jsonl", response("m1", "r1"))
    index, _ = tree.scan()
    added = response("m2", "r2")
    tree.append("p/a.jsonl", added)
    _, report = tree.scan(index)
    assert (report.calls, report.bytes_read) == (2, len(kit.encoded(added)) + 1)


@pytest.mark.parametrize("new", [["m8"], ["m8", "m9", "m7"]])
def test_a_rewritten_file_is_read_again_and_what_it_showed_stays(tree, response, new):
    path = tree.write("p/a.jsonl", response("m1", "r1"), response("m2", "r2"))
    index, before = tree.scan()
    tree.write("p/a.jsonl", *[response(message_id, "r") for message_id in new])
    _, report = tree.scan(index)
    assert report.bytes_read == path.stat().st_size
    assert report.calls == before.calls + len(new)


def test_a_rewrite_of_the_same_size_is_noticed_by_its_time(tree, response):
    path = tree.write("p/a.jsonl", response("m1", "r1"))
    index, _ = tree.scan()
    tree.write("p/a.jsonl", response("m2", "r1"))
    later = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later, later))
    assert tree.scan(index)[1].calls == 2


def test_deleted_transcripts_stay_counted_until_forgotten(tree, response, kit):
    gone = tree.write("p/gone.jsonl", response("m1", "r1"), response("m2", "r2"))
    tree.write("p/kept.jsonl", response("m2", "r2", at="2026-11-20T11:00:00Z"))
    index, _ = tree.scan()
    gone.unlink()
    _, report = tree.scan(index)
    assert (report.files, report.calls) == (1, 2)
    assert forget_deleted(discover([tree.folder]), index) == 1
    assert kit.everything(index) == kit.everything(tree.scan()[0])
    assert [call.sent_at.hour for call in iter_calls(index)] == [11]


def test_an_index_of_another_version_is_built_anew(tree, response, tmp_path):
    path = tmp_path / "index.sqlite"
    tree.write("p/a.jsonl", response())
    with Index(path) as index:
        tree.scan(index)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with Index(path) as index:
        assert index.totals() == (0, 0)
        assert tree.scan(index)[1].calls == 1


def test_a_file_that_is_no_index_says_what_to_do(tmp_path):
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"not a database, and long enough to be looked at" * 20)
    with pytest.raises(LedgerFault, match="delete it"):
        Index(path)


def test_each_set_of_roots_has_an_index_of_its_own(tmp_path):
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    one, two = (discover([tmp_path / name]) for name in ("one", "two") if (tmp_path / name).mkdir() is None)
    assert default_index_path(one, env).parent == tmp_path / "farthing"
    assert default_index_path(one + two, env) == default_index_path(two + one, env)
    assert default_index_path(one, env) != default_index_path(two, env)
    assert index_path(one, None, env) == default_index_path(one, env)
    set_path = tmp_path / "mine.index"
    assert index_path(one, set_path).parent == tmp_path
    assert (index_path(one, set_path).name[:5], index_path(one, set_path).suffix) == ("mine-", ".index")
    assert index_path(one, set_path) != index_path(two, set_path)


def test_calls_and_buckets_keep_to_their_limits_in_order(tree, response):
    start = datetime(2026, 11, 20, tzinfo=UTC)
    times = [start + timedelta(minutes=7 * step) for step in range(300)]
    lines = [response(f"m{n}", "r", at=at.isoformat(), session=f"s{n % 3}") for n, at in enumerate(times)]
    tree.write("p/a.jsonl", *lines[::-1])
    index, _ = tree.scan()
    since, until = start + timedelta(hours=3), start + timedelta(hours=30)
    within = [at for at in times if since <= at < until]
    assert [call.sent_at for call in iter_calls(index, since, until)] == within
    assert sum(bucket.calls for bucket in iter_buckets(index, since, until)) == len(within)
    assert [call.sent_at for call in iter_calls(index)] == times
    found = sessions(index, since, until)
    assert sum(one.calls for one in found) == len(within)
    assert (min(one.first_at for one in found), found[-1].last_at) == (within[0], within[-1])


def test_an_empty_index_answers_nothing():
    with Index(":memory:") as index:
        assert (list(iter_calls(index)), list(iter_buckets(index)), sessions(index)) == ([], [], [])


@pytest.mark.parametrize("is_on", [True, False])
def test_a_scan_leaves_the_collector_as_it_was(tree, response, is_on):
    def stop(_done, _size):
        raise KeyboardInterrupt

    tree.write("p/s.jsonl", response())
    was_on = gc.isenabled()
    try:
        (gc.enable if is_on else gc.disable)()
        tree.scan()
        with pytest.raises(KeyboardInterrupt):
            tree.scan(progress=stop)
        assert gc.isenabled() is is_on
    finally:
        (gc.enable if was_on else gc.disable)()
