"""Transcripts in miniature: a line, a file, a tree, and what an index says of it."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from farthing.sources.claude_code import Index, discover, iter_buckets, iter_calls, scan


class Tree:
    """A configuration folder to write transcripts into and scan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.projects = folder / "projects"
        self.projects.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, *lines: dict | bytes | str, end: bytes = b"\n") -> Path:
        path = self.projects / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\n".join(encoded(line) for line in lines) + end)
        return path

    def append(self, name: str, *lines: dict | bytes | str) -> None:
        with (self.projects / name).open("ab") as stream:
            stream.write(b"".join(encoded(line) + b"\n" for line in lines))

    def scan(self, index: Index | None = None, **options):
        index = index or Index(":memory:")
        return index, scan(discover([self.folder]), index, **options)

    def calls(self):
        index, _ = self.scan()
        return list(iter_calls(index))

    def errors(self):
        return list(self.scan()[1].errors)


def encoded(line: dict | bytes | str) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line, separators=(",", ":"))).encode()


def response(
    message_id: str | None = "msg_1",
    request_id: str | None = "req_1",
    *,
    output: int = 100,
    stop: str | None = "end_turn",
    model: str | None = "claude-opus-5-5",
    at: str | None = "2026-11-20T09:00:00.000Z",
    session: str | None = "s-1",
    usage: dict | None = None,
    message: dict | None = None,
    **more,
) -> dict:
    """One assistant line."""
    counts = {"input_tokens": 2, "output_tokens": output, "service_tier": "standard"} | (usage or {})
    body = {"id": message_id, "type": "message", "role": "assistant", "model": model, "content": []}
    body |= {"stop_reason": stop, "usage": counts} | (message or {})
    line = {"type": "assistant", "timestamp": at, "sessionId": session, "uuid": f"u-{message_id}-{output}"}
    line |= {"requestId": request_id, "isSidechain": False, "message": body} | more
    return {name: value for name, value in line.items() if value is not None}


def everything(index: Index):
    """All an index can say, in an order of its own: equal for equal contents."""
    buckets = Counter(msgspec.json.encode(bucket) for bucket in iter_buckets(index))
    return [msgspec.json.encode(call) for call in iter_calls(index)], buckets, index.totals()


def totals(index: Index):
    """Counts by model: what no copying and no order may change. Calls and buckets must agree on them."""
    by_call, by_bucket = Counter(), Counter()
    for call in iter_calls(index):
        _count(by_call, call.served.model, call.served.usage, 1)
    for bucket in iter_buckets(index):
        _count(by_bucket, bucket.model, bucket.usage, bucket.calls)
    assert by_call == by_bucket
    return by_call


def _count(totals, model, usage, calls):
    totals[model, "calls"] += calls
    for name, count in msgspec.structs.asdict(usage).items():
        totals[model, name] += count


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "claude")


@pytest.fixture(scope="session")
def kit():
    """The functions above, for tests that cannot import this file."""
    return SimpleNamespace(Tree=Tree, encoded=encoded, response=response, everything=everything, totals=totals)
