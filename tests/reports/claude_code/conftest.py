"""Transcripts written for a test, scanned, and priced."""

import json
from datetime import UTC, datetime

import pytest

from farthing.prices.book import shipped_book
from farthing.reports.claude_code.costing import Mode, costed
from farthing.sources.claude_code import Index, Root, iter_buckets, scan

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SONNET = "claude-sonnet-4-5-20250929"


class Transcripts:
    """A tree of transcripts; each call is one line of its session's file."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def call(self, at, *, model=SONNET, project="-home-dev-app", session="s-1", cost=None, speed=None, **counts):
        """Counts: fresh, write_5m, write_1h, read, output; the final count is there unless ``stop=None``."""
        self.count += 1
        stop = counts.pop("stop", "end_turn")
        split = {
            "ephemeral_5m_input_tokens": counts.get("write_5m", 0),
            "ephemeral_1h_input_tokens": counts.get("write_1h", 0),
        }
        usage = {
            "input_tokens": counts.get("fresh", 0),
            "cache_creation_input_tokens": sum(split.values()),
            "cache_read_input_tokens": counts.get("read", 0),
            "cache_creation": split,
            "output_tokens": counts.get("output", 0),
        } | ({"speed": speed} if speed else {})
        line = {
            "type": "assistant",
            "timestamp": at,
            "sessionId": session,
            "uuid": f"u-{self.count}",
            "requestId": f"req_{self.count}",
            "message": {"id": f"msg_{self.count}", "model": model, "stop_reason": stop, "usage": usage},
        } | ({} if cost is None else {"costUSD": cost})
        path = self.folder / "projects" / project / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, separators=(",", ":")) + "\n")
        return self

    def index(self):
        index = Index(":memory:")
        scan([Root(str(self.folder / "projects"))], index, workers=1)
        return index

    def costed(self, mode=Mode.AS_BILLED, now=NOW):
        with self.index() as index:
            return list(costed(iter_buckets(index), shipped_book(), mode, now))


@pytest.fixture
def transcripts(tmp_path):
    return Transcripts(tmp_path)


@pytest.fixture
def new_transcripts(tmp_path_factory):
    """For properties: a new tree for every example."""
    return lambda: Transcripts(tmp_path_factory.mktemp("tree"))
