"""
Whatever the order, the copies and the interruptions: the same calls.

Expected totals are computed here from the responses that were made up, by the rule itself (the largest count of each
response, once), and never from what a scan says.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MODELS = ("claude-opus-5-5", "claude-haiku-5-5")
UNITS = ("input_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")
counts = st.tuples(*[st.integers(0, 150_000)] * 3, st.lists(st.integers(0, 500), min_size=1, max_size=3))
conversations = st.lists(counts, min_size=1, max_size=12)
seeds = st.integers(0, 2**32)


def lines_of(kit, conversation):
    """One line per content block, the counts of input repeated."""
    for number, (fresh, written, read, outputs) in enumerate(conversation):
        usage = {"input_tokens": fresh, "cache_creation_input_tokens": written, "cache_read_input_tokens": read}
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": written}
        for block, output in enumerate(outputs):
            yield kit.response(
                f"msg_{number}",
                f"req_{number}",
                model=MODELS[number % 2],
                output=output,
                usage=usage,
                at=f"2026-11-20T{number:02d}:14:59.{block:03d}Z",
            )


def expected(conversation):
    total = Counter()
    for number, (fresh, written, read, outputs) in enumerate(conversation):
        total[MODELS[number % 2], "calls"] += 1
        for unit, count in zip(UNITS, (fresh, written, read, max(outputs)), strict=True):
            total[MODELS[number % 2], unit] += count
    return +total


@given(conversation=conversations, seed=seeds)
def test_order_copies_and_resumed_sessions_change_no_total(kit, conversation, seed):
    rng, lines = random.Random(seed), list(lines_of(kit, conversation))
    with tempfile.TemporaryDirectory() as folder:
        tree = kit.Tree(Path(folder))
        for copy in range(rng.randint(1, 3)):
            shuffled = rng.sample(lines, len(lines))
            cut = rng.randint(0, len(lines))
            tree.write(f"p{copy}/a{copy}.jsonl", *shuffled[:cut])
            tree.write(f"p{copy}/s/subagents/b{copy}.jsonl", *shuffled[cut:])
            tree.write(f"q/resumed{copy}.jsonl", *rng.sample(lines, rng.randint(0, len(lines))))
        index, report = tree.scan()
        assert +kit.totals(index) == expected(conversation)
        assert (report.calls, report.errors) == (len(conversation), ())


@given(conversation=conversations, seed=seeds)
def test_scans_between_appended_chunks_equal_one_scan_at_the_end(kit, conversation, seed):
    rng = random.Random(seed)
    data = b"".join(kit.encoded(line) + b"\n" for line in lines_of(kit, conversation))
    with tempfile.TemporaryDirectory() as folder:
        tree = kit.Tree(Path(folder))
        growing = tree.write("p/s.jsonl", end=b"")
        tree.write("p/copy.jsonl", data, end=b"")
        index, _ = tree.scan()
        cuts = sorted(rng.randint(0, len(data)) for _ in range(4))
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            with growing.open("ab") as stream:
                stream.write(data[start:end])
            index, report = tree.scan(index)
            assert report.errors == ()
        clean, clean_report = tree.scan()
        assert kit.everything(index) == kit.everything(clean)
        assert report.duplicates == clean_report.duplicates


@given(conversation=conversations, seed=seeds)
def test_files_scanned_one_after_another_in_any_order_equal_one_scan(kit, conversation, seed):
    rng, lines = random.Random(seed), list(lines_of(kit, conversation))
    files = {f"p/{n}.jsonl": rng.sample(lines, rng.randint(0, len(lines))) for n in range(4)}
    with tempfile.TemporaryDirectory() as folder:
        tree = kit.Tree(Path(folder))
        index, _ = tree.scan()
        for name in rng.sample(sorted(files), len(files)):
            tree.write(name, *files[name])
            tree.scan(index)
        assert kit.everything(index) == kit.everything(tree.scan()[0])


@settings(max_examples=25)
@given(conversation=conversations, seed=seeds)
def test_small_commits_and_one_large_commit_agree(kit, conversation, seed):
    rng, lines = random.Random(seed), list(lines_of(kit, conversation))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        tree = kit.Tree(Path(folder))
        for number in range(5):
            tree.write(f"p/{number}.jsonl", *rng.sample(lines, rng.randint(0, len(lines))))
        large, _ = tree.scan()
        patch.setattr("farthing.sources.claude_code.scanning.BYTES_PER_COMMIT", 1)
        patch.setattr("farthing.sources.claude_code.scanning._BYTES_PER_TASK", 1)
        small, _ = tree.scan()
        assert kit.everything(small) == kit.everything(large)


def test_workers_find_what_one_process_finds(kit, tree, monkeypatch):
    monkeypatch.setattr("farthing.sources.claude_code.scanning._BYTES_PER_TASK", 1)
    lines = list(lines_of(kit, [(1, 2, 3, [4, 5])] * 9))
    for number in range(6):
        tree.write(f"p/{number}.jsonl", *lines[number:], b"bad")
    alone, one = tree.scan(workers=1)
    together, two = tree.scan(workers=2)
    assert kit.everything(alone) == kit.everything(together)
    assert sorted(one.errors, key=str) == sorted(two.errors, key=str)


def test_a_scan_whose_workers_die_goes_on_alone(kit, tree, monkeypatch):
    from farthing.sources.claude_code import scanning

    monkeypatch.setattr(scanning, "_BYTES_PER_TASK", 1)
    parent, read = os.getpid(), scanning._read
    monkeypatch.setattr(scanning, "_read", lambda files: read(files) if os.getpid() == parent else os._exit(1))
    for number, line in enumerate(lines_of(kit, [(1, 2, 3, [4])] * 6)):
        tree.write(f"p/{number}.jsonl", line)
    _, report = tree.scan(workers=2)
    assert (report.calls, report.errors) == (6, ())


@pytest.mark.parametrize("stop_after", [0.2, 0.5, 1.0])
def test_an_exception_at_any_time_loses_nothing_but_time(kit, tree, tmp_path, monkeypatch, stop_after):
    monkeypatch.setattr("farthing.sources.claude_code.scanning.BYTES_PER_COMMIT", 1)
    monkeypatch.setattr("farthing.sources.claude_code.scanning._BYTES_PER_TASK", 1)
    lines = list(lines_of(kit, [(1, 2, 3, [4, 5])] * 12))
    for number in range(6):
        tree.write(f"p/{number}.jsonl", *lines[number:])
    from farthing.sources.claude_code import Index

    def stop(done, size):
        if done >= size * stop_after:
            raise KeyboardInterrupt

    with Index(tmp_path / "index.sqlite") as index, pytest.raises(KeyboardInterrupt):
        tree.scan(index, progress=stop)
    with Index(tmp_path / "index.sqlite") as index:
        _, report = tree.scan(index)
        assert report.files_read < 6
        assert kit.everything(index) == kit.everything(tree.scan()[0])


KILLED = """
import os, signal, sys
from farthing.sources.claude_code import Index, discover, scan, scanning
scanning.BYTES_PER_COMMIT = scanning._BYTES_PER_TASK = 1
def die(done, size):
    if done > size // 2:
        os.kill(os.getpid(), signal.SIGKILL)
scan(discover([sys.argv[1]]), Index(sys.argv[2]), progress=die)
"""


def test_a_killed_process_loses_nothing_but_time(kit, tree, tmp_path):
    lines = list(lines_of(kit, [(1, 2, 3, [4, 5])] * 12))
    for number in range(6):
        tree.write(f"p/{number}.jsonl", *lines[number:])
    path = tmp_path / "index.sqlite"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tree.folder), str(path)], check=False)
    assert ended.returncode == -9
    from farthing.sources.claude_code import Index

    with Index(path) as index:
        _, report = tree.scan(index)
        assert report.files_read < 6
        assert kit.everything(index) == kit.everything(tree.scan()[0])


def test_two_scans_that_interleave_agree_with_one(kit, tree, tmp_path):
    from farthing.sources.claude_code import Index

    lines = list(lines_of(kit, [(1, 2, 3, [4, 5])] * 8))
    for number in range(4):
        tree.write(f"p/{number}.jsonl", *lines[number:])
    path = tmp_path / "index.sqlite"
    with Index(path) as one, Index(path) as other:
        tree.scan(one, progress=lambda *_: tree.scan(other))
        assert kit.everything(one) == kit.everything(other) == kit.everything(tree.scan()[0])
