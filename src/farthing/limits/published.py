"""
The limits that Anthropic publishes: usage tiers, and per class of models the requests and tokens of a minute.

Data, in ``data/rate_limits.toml``: a new limit is a change of that file.
"""

from __future__ import annotations

import tomllib
from datetime import date
from functools import lru_cache
from pathlib import Path

import msgspec

LIMITS_FILE = Path(__file__).parent / "data" / "rate_limits.toml"


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One usage tier: its monthly spend cap and its limits on Message Batches."""

    name: str
    spend_cap_usd: int
    batch_requests_per_minute: int
    batch_requests_queued: int


class Bucket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Models that share limits: requests, input and output tokens per minute, one number per tier."""

    name: str
    models: tuple[str, ...]
    requests: tuple[int, ...]
    input: tuple[int, ...]
    output: tuple[int, ...]
    cache_reads_count: bool = False
    confidence: str = "confirmed"


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/rate_limits.toml``: what was published, from which day, and when it was checked."""

    valid_from: date
    checked_on: date
    sources: tuple[str, ...]
    tier: tuple[Tier, ...]
    bucket: tuple[Bucket, ...]

    def bucket_of(self, model: str) -> Bucket | None:
        """The class that a canonical id belongs to; None where none is published."""
        return next((one for one in self.bucket if model in one.models), None)


@lru_cache(maxsize=1)
def published_limits() -> Published:
    """The limits that ship with farthing, read once."""
    return msgspec.convert(tomllib.loads(LIMITS_FILE.read_text("utf-8")), Published)
