"""
Claude Code transcripts: ``~/.claude/projects/**/*.jsonl`` into Calls, exactly and fast.

::

    roots = discover()
    with Index(default_index_path(roots)) as index:
        report = scan(roots, index)
        for bucket in iter_buckets(index):          # sums that price exactly: enough for any report by time
            bill = price_bucket(book, bucket)
        for call in iter_calls(index):              # every call, where a report needs them
            ...

A transcript shows one API response as many lines, in several files. What counts as the same response, and which of its
lines is believed, is said in :mod:`.sighting`; what is read of a line in :mod:`.lines`; what the index remembers, and
for how long, in :mod:`.index`.
"""

from __future__ import annotations

from farthing.sources.claude_code.answers import (
    Session,
    default_index_path,
    index_path,
    iter_buckets,
    iter_calls,
    sessions,
)
from farthing.sources.claude_code.buckets import Bucket
from farthing.sources.claude_code.discovery import Root, discover
from farthing.sources.claude_code.index import Index
from farthing.sources.claude_code.pricing import price_bucket
from farthing.sources.claude_code.scanning import Progress, ScanReport, forget_deleted, scan

__all__ = [
    "Bucket",
    "Index",
    "Progress",
    "Root",
    "ScanReport",
    "Session",
    "default_index_path",
    "discover",
    "forget_deleted",
    "index_path",
    "iter_buckets",
    "iter_calls",
    "price_bucket",
    "scan",
    "sessions",
]
