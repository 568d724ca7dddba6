"""
Rate limits as Anthropic counts them: requests, fresh input and cache writes, output as it is produced.

Buckets are shared by the models of a published class, per organisation; a workspace with limits of its own has buckets
on top. Tiers and classes are data (:func:`farthing.limits.published.published_limits`). A model of no published class
has no limits, nor has an organisation without a tier. The ramp limit is not modelled but can be scripted
(:mod:`farthing.sandbox.faults`). Fast mode has buckets of its own, of the same size (their real size is UNCONFIRMED).

Source: rate limits page (facts: claude-api 8), checked 2026-11-20.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from farthing.limits.published import published_limits
from farthing.sandbox.accounts import RateLimits
from farthing.sandbox.buckets import Bucket
from farthing.sandbox.problems import ApiError

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.sandbox.accounts import Organization, Workspace

COUNT_TOKENS_PER_MINUTE = {"Start": 2000, "Build": 4000, "Scale": 8000}
"""Requests to ``count_tokens`` (facts: claude-api 8.5)."""

_REQUESTS, _INPUT, _OUTPUT = "requests", "input-tokens", "output-tokens"
_WORDS = {
    _REQUESTS: "requests per minute",
    _INPUT: "input tokens per minute",
    _OUTPUT: "output tokens per minute",
}


class Charge(NamedTuple):
    """
    What one request is measured against.

    Attributes:
        organization, workspace: Whose buckets.
        model: Canonical id.
        speed: ``standard`` or ``fast``.

    """

    organization: Organization
    workspace: Workspace
    model: str
    speed: str = "standard"


class ModelClass(NamedTuple):
    """Models that share buckets, with their limits in one tier."""

    name: str
    limits: RateLimits
    cache_reads_count: bool


def model_class(model: str, tier: str | None) -> ModelClass | None:
    """The class of a model and its limits; None where none are published for it or the organisation has no tier."""
    published = published_limits()
    tiers = [one.name for one in published.tier]
    if tier not in tiers:
        return None
    at = tiers.index(tier)
    for bucket in published.bucket:
        if model in bucket.models:
            limits = RateLimits(
                requests=bucket.requests[at], input_tokens=bucket.input[at], output_tokens=bucket.output[at]
            )
            return ModelClass(bucket.name, limits, bucket.cache_reads_count)
    return None


class RateLimiter:
    """Token buckets of every organisation, workspace and model class of one world. Not locked: its world is."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def admit(self, charge: Charge, at: datetime, *, fresh_tokens: int, read_tokens: int = 0) -> None:
        """
        Let a request in and take it from its buckets, or change nothing but raise.

        Args:
            charge: Which buckets.
            at: When the request came.
            fresh_tokens: Uncached input and cache writes.
            read_tokens: Cache reads, which count only for the classes that say so.

        Raises:
            ApiError: The 429, with ``retry-after`` and every limit header.

        """
        held = self._held(charge, at)
        if held is None:
            return
        known, buckets = held
        input_tokens = fresh_tokens + (read_tokens if known.cache_reads_count else 0)
        wanted = {_REQUESTS: 1, _INPUT: input_tokens, _OUTPUT: 1}  # output: anything left lets a request in
        waits = [(bucket.wait_s(wanted[kind], at), owner, kind) for owner, kind, bucket in buckets]
        wait, owner, kind = max(waits)
        if wait:
            raise self._refusal(charge, at, wait, owner, kind)
        for _, kind, bucket in buckets:
            if kind != _OUTPUT:
                bucket.take(wanted[kind], at)

    def produced(self, charge: Charge, at: datetime, output_tokens: int, more_input_tokens: int = 0) -> None:
        """Take what a request turned out to use: its output, and the input of passes after its first."""
        used = {_OUTPUT: output_tokens, _INPUT: more_input_tokens}
        for _, kind, bucket in (self._held(charge, at) or (None, ()))[1]:
            bucket.take(used.get(kind, 0), at)

    def admit_count(self, organization: Organization, at: datetime) -> None:
        """
        Let one ``count_tokens`` request in.

        Raises:
            ApiError: The 429.

        """
        per_minute = COUNT_TOKENS_PER_MINUTE.get(organization.tier or "")
        if per_minute is None:
            return
        bucket = self._bucket((organization.id, "count_tokens"), per_minute, at)
        wait = bucket.wait_s(1, at)
        if wait:
            raise ApiError("rate_limit_error", _message(organization.id, _REQUESTS, per_minute), retry_after_s=wait)
        bucket.take(1, at)

    def headers(self, charge: Charge, at: datetime) -> list[tuple[str, str]]:
        """Every limit header of a response, on success and on 429; empty where there are no limits."""
        held = self._held(charge, at)
        if held is None:
            return []
        fast = charge.speed == "fast"
        lines: list[tuple[str, str]] = []
        for kind in (_REQUESTS, _INPUT, _OUTPUT):
            bucket = _tightest([bucket for _, one, bucket in held[1] if one == kind], at)
            prefix = f"anthropic-fast-{kind}" if fast and kind != _REQUESTS else f"anthropic-ratelimit-{kind}"
            lines += _lines(prefix, bucket, at, exact=kind == _REQUESTS)
        tokens = _tightest([bucket for _, kind, bucket in held[1] if kind != _REQUESTS], at)
        return lines if fast else lines + _lines("anthropic-ratelimit-tokens", tokens, at, exact=False)

    def _held(self, charge: Charge, at: datetime) -> tuple[ModelClass, list[tuple[str, str, Bucket]]] | None:
        """The class and its buckets: owner, kind, bucket."""
        known = model_class(charge.model, charge.organization.tier)
        if known is None:
            return None
        name = f"{known.name} {charge.speed}"
        owners = [("organization", charge.organization.id, known.limits)]
        if not charge.workspace.is_default:
            owners.append(("workspace", charge.workspace.id, charge.workspace.limits_of(known.name)))
        found = []
        for owner, owner_id, limits in owners:
            per_minute = {_REQUESTS: limits.requests, _INPUT: limits.input_tokens, _OUTPUT: limits.output_tokens}
            found += [
                (owner, kind, self._bucket((owner_id, name, kind), most, at))
                for kind, most in per_minute.items()
                if most is not None
            ]
        return known, found

    def _bucket(self, key: tuple[str, ...], per_minute: int, at: datetime) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(per_minute, at)
        bucket.resize(per_minute, at)
        return bucket

    def _refusal(self, charge: Charge, at: datetime, wait_s: int, owner: str, kind: str) -> ApiError:
        held = self._held(charge, at)
        assert held is not None, "a refusal comes from a bucket"
        most = next(bucket.per_minute for who, what, bucket in held[1] if (who, what) == (owner, kind))
        whose = charge.organization.id if owner == "organization" else charge.workspace.id
        message = _message(whose, kind, most, owner)
        return ApiError("rate_limit_error", message, retry_after_s=wait_s, headers=tuple(self.headers(charge, at)))


def _message(whose: str, kind: str, per_minute: int, owner: str = "organization") -> str:
    return f"This request would exceed your {owner}'s rate limit of {per_minute:,} {_WORDS[kind]} ({owner}: {whose})."


def _tightest(buckets: list[Bucket], at: datetime) -> Bucket:
    """The one with the smallest share left."""
    return min(buckets, key=lambda bucket: (bucket.remaining(at) / bucket.per_minute, bucket.per_minute))


def _lines(prefix: str, bucket: Bucket, at: datetime, *, exact: bool) -> list[tuple[str, str]]:
    remaining = bucket.remaining(at)
    shown = remaining if exact else (remaining + 500) // 1000 * 1000
    full_at = bucket.full_at(at)
    reset = full_at if full_at.microsecond == 0 else full_at.replace(microsecond=0) + timedelta(seconds=1)
    values = (str(bucket.per_minute), str(shown), reset.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return [(f"{prefix}-{name}", value) for name, value in zip(("limit", "remaining", "reset"), values, strict=True)]
