"""
Storms, against the sandbox's own limiter in virtual time: what clients see with the limits' help and without it.

Clients retry twice as the SDKs do (facts: claude-api 9). The figures of docs/rate-limits.md come from here.
"""

import asyncio
import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from farthing.call import Usage
from farthing.limits.flow import Flow, FlowFacts, Refused
from farthing.limits.rates import UpstreamRule
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.limits import Charge, RateLimiter
from farthing.sandbox.problems import ApiError
from farthing.sandbox.world import World

_SPEC = importlib.util.spec_from_file_location("virtual_time", Path(__file__).with_name("virtual_time.py"))
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
VirtualTime = _MODULE.VirtualTime

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)


class Upstream:
    """1,000 requests, 2 M input and 400 k output tokens a minute; 529 to everybody between two moments."""

    def __init__(self, clock, overloaded=(0.0, 0.0)):
        world = World(clock=VirtualClock(T0), tier="Start")
        self._charge = Charge(world.organization, world.workspace, "claude-sonnet-5")
        self._limiter = RateLimiter()
        self._clock = clock
        self._overloaded = overloaded
        self._rng = Random(7)
        self.statuses = {200: 0, 429: 0, 529: 0}

    @property
    def refused_share(self):
        return (self.statuses[429] + self.statuses[529]) / sum(self.statuses.values())

    async def answer(self, prompt_tokens, output_tokens):
        status, headers = self._admit(prompt_tokens)
        self.statuses[status] += 1
        if status == 200:
            await asyncio.sleep(self._rng.uniform(0.3, 1.5))
            headers = self._limiter.headers(self._charge, self._now())
            self._limiter.produced(self._charge, self._now(), output_tokens)
        return status, [(name.encode(), value.encode()) for name, value in headers]

    def _admit(self, prompt_tokens):
        if self._overloaded[0] <= self._clock() < self._overloaded[1]:
            return 529, []
        try:
            self._limiter.admit(self._charge, self._now(), fresh_tokens=prompt_tokens)
        except ApiError as refusal:
            return 429, [("retry-after", str(refusal.retry_after_s)), *refusal.headers]
        return 200, []

    def _now(self):
        return T0 + timedelta(seconds=self._clock())


class Storm:
    """Calls at given moments, with the flow or without."""

    def __init__(self, time, *, helped, overloaded=(0.0, 0.0), **rule):
        self.time = time
        self.upstream = Upstream(time.clock, overloaded)
        self.failed = self.served = 0
        self.longest_s = 0.0
        self._rng = Random(11)
        rule = UpstreamRule(slow_down=helped, **{"queue_seconds": 60} | rule)
        self._flow = Flow(upstream=rule, clock=time.clock, wall=lambda: T0 + timedelta(seconds=time.clock()))

    def run(self, moments, prompt_tokens=500, output_tokens=100):
        async def main():
            await asyncio.gather(*(self._call(at, prompt_tokens, output_tokens) for at in moments))

        self.time.run(main())
        return self

    async def _call(self, at, prompt_tokens, output_tokens):
        await asyncio.sleep(at)
        for attempt in range(3):
            status, wait_s = await self._attempt(prompt_tokens, output_tokens)
            if status == 200:
                self.served += 1
                self.longest_s = max(self.longest_s, self.time.clock() - at)
                return
            if attempt < 2:
                backoff_s = min(8.0, 0.5 * 2.0**attempt) * self._rng.uniform(0.75, 1)
                await asyncio.sleep(wait_s or backoff_s)
        self.failed += 1

    async def _attempt(self, prompt_tokens, output_tokens):
        entered = await self._flow.enter(FlowFacts({}, "claude-sonnet-5", prompt_tokens, 4096))
        if isinstance(entered, Refused):
            return entered.status, entered.retry_after_s
        status, headers = await self.upstream.answer(prompt_tokens, output_tokens)
        self._flow.observe(entered.ticket, status, headers)
        used = Usage(input_tokens=prompt_tokens, output_tokens=output_tokens) if status == 200 else None
        self._flow.leave(entered.ticket, used)
        return status, float(dict(headers).get(b"retry-after", 0))


def bursts(per_burst, over_s, every_s, count, seed=3):
    rng = Random(seed)
    return sorted(every_s * n + rng.uniform(0, over_s) for n in range(count) for _ in range(per_burst))


@pytest.fixture
def storms():
    def both(moments, sizes=(500, 100), **options):
        return [Storm(VirtualTime(), helped=helped, **options).run(moments, *sizes) for helped in (False, True)]

    return both


def test_bursts_of_requests_above_the_limit_are_waited_out(storms):
    alone, helped = storms(bursts(1900, 20, 120, 2))
    assert alone.upstream.refused_share > 0.15
    assert helped.upstream.refused_share < 0.01
    assert (helped.failed, helped.served) == (0, 3800)
    assert alone.failed > 100


def test_bursts_of_large_prompts_are_waited_out(storms):
    alone, helped = storms(bursts(150, 10, 180, 2), sizes=(30_000, 100))
    assert alone.upstream.refused_share > 0.3
    assert helped.upstream.refused_share < 0.05
    assert helped.failed == 0 < alone.failed


def test_an_overload_of_ten_seconds_is_survived(storms):
    alone, helped = storms([n / 8 for n in range(400)], overloaded=(20.0, 30.0))
    assert alone.failed > 30
    assert helped.failed <= alone.failed / 5
    assert helped.upstream.statuses[529] < alone.upstream.statuses[529] / 4
    assert helped.longest_s < 40


def test_where_nothing_is_scarce_nobody_waits(storms):
    alone, helped = storms([n / 10 for n in range(600)])
    assert (alone.upstream.refused_share, helped.upstream.refused_share) == (0, 0)
    assert helped.longest_s == alone.longest_s <= 1.5


def test_more_than_the_limit_for_ever_is_sent_at_the_limits_pace(storms):
    """2,400 a minute where 1,000 fit: nothing helps, but the wall is not run against."""
    alone, helped = storms([n / 40 for n in range(3000)], queue_seconds=5, when_late="refuse")
    assert helped.upstream.refused_share < 0.01 < alone.upstream.refused_share
    assert helped.served >= 0.95 * alone.served
