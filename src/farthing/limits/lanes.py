"""One rule's buckets for one value of what it counts by: what is left, what is under way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from farthing.limits.budgets import NOBODY
from farthing.limits.sizes import Learned
from farthing.limits.token_bucket import TokenBucket
from farthing.limits.turnstile import Hold, Why

if TYPE_CHECKING:
    from farthing.limits.rates import RateRule
    from farthing.limits.sizes import Size, Used

REQUESTS, INPUT, OUTPUT = "requests", "input tokens", "output tokens"


class Left(NamedTuple):
    """What is left of one limit: in words what it counts, a minute's worth, how much is left, when it is full again."""

    rule: str
    counts: str
    limit: int
    remaining: int
    full_in_s: float


class Lane:
    """
    A turnstile: one rule, for one value of its ``each``.

    A call reserves what it will probably take, at most a whole bucket, so that nothing waits for ever; what it really
    took is settled when it ends, into debt if need be.

    Args:
        rule: The rule. value: of ``each``; empty where the rule has none.
        now: Seconds; the buckets start full.

    """

    __slots__ = ("_buckets", "_learned", "in_flight", "queue_seconds", "rule", "value")

    def __init__(self, rule: RateRule, value: str, now: float) -> None:
        self.rule = rule
        self.value = value
        self.queue_seconds = rule.queue_seconds
        self.in_flight = 0
        self._learned = Learned()
        wanted = zip((REQUESTS, INPUT, OUTPUT), rule.limits[:3], (0, 1, 2), strict=True)
        self._buckets = tuple(
            (counts, place, TokenBucket(most, _us(now))) for counts, most, place in wanted if most is not None
        )

    def wait_s(self, size: Size, now: float) -> float:
        """Seconds until a call of this size fits; infinite while too many are under way."""
        if self._is_full:
            return math.inf
        at_us, takes = _us(now), self._learned.guess(size)
        wait_us = 0
        for _, place, bucket in self._buckets:
            wait_us = max(wait_us, bucket.wait_us(min(takes[place], bucket.per_minute), at_us))
        return (wait_us + 1) / 1e6 if wait_us else 0.0  # a float of seconds may fall short by one

    def why(self, size: Size, now: float) -> Why:
        """The limit that a call would wait for longest."""
        if self._is_full:
            return self._why(f"{self.rule.concurrent:,} calls at once", math.inf)
        at_us, takes = _us(now), self._learned.guess(size)
        waits = [
            (bucket.wait_us(min(takes[place], bucket.per_minute), at_us), counts, bucket)
            for counts, place, bucket in self._buckets
        ]
        wait_us, counts, bucket = max(waits, key=lambda one: one[0])
        return self._why(f"{bucket.per_minute:,} {counts} per minute", wait_us / 1e6)

    def yields(self, now: float) -> bool:  # noqa: ARG002  part of what a turnstile is
        """A rule is a rule."""
        return False

    def share(self, size: Size) -> float:
        """The part of a minute's worth that a call takes, of the limit where that is largest."""
        takes = self._learned.guess(size)
        shares = [min(1.0, takes[place] / bucket.per_minute) for _, place, bucket in self._buckets]
        if self.rule.concurrent is not None:
            shares.append(1 / self.rule.concurrent)
        return max(shares, default=0.0)

    def take(self, size: Size, now: float) -> Hold:
        """Let a call through; the hold is what each bucket gave."""
        at_us, takes = _us(now), self._learned.guess(size)
        self.in_flight += 1
        given = []
        for _, place, bucket in self._buckets:
            given.append(min(takes[place], bucket.per_minute))
            bucket.take(given[-1], at_us)
        return tuple(given)

    def settle(self, hold: Hold, size: Size, used: Used | None, now: float) -> None:
        """Put the truth in the place of the guess; None: the call used nothing but its request."""
        assert hold is not None, "a lane remembers every call"
        self.in_flight -= 1
        at_us = _us(now)
        truth = (1, 0, 0) if used is None else (1, *used)
        for given, (_, place, bucket) in zip(hold, self._buckets, strict=True):
            _correct(bucket, truth[place] - given, at_us)
        if used is not None:
            self._learned.learn(size, used)

    def undo(self, hold: Hold, now: float) -> None:
        """Give everything back: the call was never sent."""
        assert hold is not None, "a lane remembers every call"
        self.in_flight -= 1
        for given, (_, _, bucket) in zip(hold, self._buckets, strict=True):
            bucket.give_back(given, _us(now))

    def left(self, now: float) -> list[Left]:
        """What is left of each limit per minute."""
        at_us = _us(now)
        return [
            Left(self.name, counts, bucket.per_minute, bucket.remaining(at_us), bucket.full_in_us(at_us) / 1e6)
            for counts, _, bucket in self._buckets
        ]

    def is_idle(self, now: float) -> bool:
        """Whether nothing would be forgotten with it."""
        at_us = _us(now)
        return not self.in_flight and not any(bucket.full_in_us(at_us) for _, _, bucket in self._buckets)

    @property
    def name(self) -> str:
        """The rule, and whose lane it is."""
        return f"{self.rule.name} ({self.rule.each}: {self.value or 'none'})" if self.rule.each else self.rule.name

    def _why(self, limit: str, wait_s: float) -> Why:
        value = f"{self.rule.each}={self.value or NOBODY}" if self.rule.each else ""
        return Why(self.name, limit, wait_s, self.rule.name, value)

    @property
    def _is_full(self) -> bool:
        return self.rule.concurrent is not None and self.in_flight >= self.rule.concurrent


def _correct(bucket: TokenBucket, more: int, at_us: int) -> None:
    if more > 0:
        bucket.take(more, at_us)
    elif more < 0:
        bucket.give_back(-more, at_us)


def _us(now: float) -> int:
    return int(now * 1e6)
