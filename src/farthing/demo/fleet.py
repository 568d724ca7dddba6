"""
A noisy month of fifty tenants: who sends what when, as requests. Pure, from one seeded generator.

How busy each tenant is comes from a series of rates: one's own (a recorded trace's), or made here with days, weeks,
weekends, drift and bursts. How long prompts are comes from each job, or from recorded pairs of lengths for one of them.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.demo.jobs import JOBS, Job
from farthing.sandbox.replies import Reply, ToolUse
from farthing.sandbox.tokenizer import mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WINDOW_S = 600
_MORE_JOBS = (0, 3)


class Ask(NamedTuple):
    """
    One request of the fleet.

    Attributes:
        at: When it is sent; aware, UTC.
        tags: Whom it belongs to.
        body: The decoded request, its lengths dictated (docs/sandbox.md).
        reply: What is answered.
        batch: Whether it goes through a Message Batch.
        left_after_events: How many events the client waits for before it leaves; None: it stays.

    """

    at: datetime
    tags: dict[str, str]
    body: dict[str, Any]
    reply: Reply
    batch: bool = False
    left_after_events: int | None = None


def fleet(
    start: datetime,
    days: int,
    *,
    tenants: int = 50,
    sessions_per_day: int = 1_200,
    seed: int = 7,
    rates: Sequence[Sequence[float]] = (),
    sizes: Sequence[tuple[int, int]] = (),
) -> list[Ask]:
    """
    Make the requests of a fleet, in the order in which they are sent.

    Args:
        start: When the first day begins; aware, UTC.
        days: How many.
        tenants: How many; the first is the biggest.
        sessions_per_day: Of all tenants together, about; a session is one call or a conversation.
        seed: Another seed gives another month.
        rates: Per tenant, how busy each window of 10 minutes is, in any unit; used round and round where there are too
            few. Empty: made here.
        sizes: Pairs of prompt and answer lengths in tokens, for the coding agents' questions. Empty: made here.

    """
    shares = [1 / (rank + 1) ** 1.1 for rank in range(tenants)]
    asks: list[Ask] = []
    for number, share in enumerate(shares):
        rng = Random(f"fleet {seed} {number}")  # noqa: S311 - traffic, not secrets
        busy = rates[number % len(rates)] if rates else _rates(rng, days)
        wanted = sessions_per_day * days * share / sum(shares)
        program = _Tenant(number, rng, sizes)
        for at in _arrivals(rng, start, days, busy, wanted):
            asks.extend(program.session(at))
    end = start + timedelta(days=days)
    return sorted((ask for ask in asks if ask.at < end), key=lambda ask: (ask.at, ask.tags["session"]))


def _rates(rng: Random, days: int) -> list[float]:
    """Office hours of some time zone, a weekly rhythm, slow drift and a burst now and then."""
    peak, weekend, drift = rng.uniform(9, 20), rng.uniform(0.1, 0.8), rng.uniform(-0.6, 0.9)
    noise, rates = 0.0, []
    for window in range(days * 144):
        day, hour = divmod(window / 144, 1)
        noise = 0.9 * noise + rng.gauss(0, 0.12)
        daily = 0.15 + math.exp(-(((hour * 24 - peak + 12) % 24 - 12) ** 2) / 18)
        burst = rng.uniform(4, 12) if rng.random() < 0.002 else 1.0
        weekly = weekend if day % 7 >= 5 else 1.0
        rates.append(daily * weekly * burst * math.exp(noise + drift * day / max(1, days)))
    return rates


def _arrivals(rng: Random, start: datetime, days: int, rates: Sequence[float], wanted: float) -> Iterator[datetime]:
    used = [rates[window % len(rates)] for window in range(days * 144)]
    scale = wanted / (sum(used) or 1.0)
    owed = 0.0
    for window, rate in enumerate(used):
        owed += rng.expovariate(1.0) * rate * scale if rate else 0.0
        while owed >= 1:
            owed -= 1
            yield start + timedelta(seconds=window * _WINDOW_S + rng.randrange(_WINDOW_S))


class _Tenant:
    """One customer with a few jobs."""

    def __init__(self, number: int, rng: Random, sizes: Sequence[tuple[int, int]]) -> None:
        self._name = f"tenant-{number + 1:02d}"
        self._rng = rng
        self._sizes = sizes
        more = rng.choices(JOBS, [job.weight for job in JOBS], k=rng.randint(*_MORE_JOBS))
        self._jobs = [JOBS[number * 3 % len(JOBS)], *more]  # every job is somebody's
        self._sessions = 0

    def session(self, at: datetime) -> Iterator[Ask]:
        """The calls of one session that begins about then."""
        rng = self._rng
        (job,) = rng.choices(self._jobs, [60 // sum(job.turns) for job in self._jobs])  # as many calls of each
        self._sessions += 1
        if job.at_minute is not None:
            at = at.replace(minute=job.at_minute, second=rng.randrange(20))
        tags = {
            "tenant": self._name,
            "feature": job.feature,
            "prompt": f"{self._name}/{job.feature}",
            "session": f"{self._name}-{self._sessions:05d}",
            "user": f"{self._name}-{rng.randint(1, 12)}",
            "environment": "production",
        }
        talk = _Talk(job, tags, rng)
        for _ in range(rng.randint(*job.turns)):
            question, answer = self._lengths(job)
            ask = talk.turn(at, question, answer)
            if rng.randrange(100) < job.again_percent:
                yield ask._replace(left_after_events=4)
                ask = ask._replace(at=at + timedelta(seconds=21))
            yield ask
            at = ask.at + timedelta(seconds=rng.randint(*job.pause_s))

    def _lengths(self, job: Job) -> tuple[int, int]:
        if self._sizes and job.feature == "coding-agent":
            question, answer = self._rng.choice(self._sizes)
            return max(8, question), max(1, answer)
        return _near(self._rng, job.question_tokens, job.spread), _near(self._rng, job.output_tokens, job.spread)


class _Talk:
    """One conversation: every call sends what was said so far."""

    def __init__(self, job: Job, tags: dict[str, str], rng: Random) -> None:
        self._job = job
        self._tags = tags
        self._rng = rng
        self._said: list[dict[str, Any]] = []

    def turn(self, at: datetime, question: int, answer: int) -> Ask:
        job = self._job
        number = len(self._said)
        self._said.append(_said("user", f"{self._tags['session']} {number} {mark(question)}"))
        body: dict[str, Any] = {"model": job.model, "max_tokens": job.max_tokens}
        if job.tools:
            body["tools"] = [_tool(index, job.tool_tokens) for index in range(job.tools)]
        body["system"] = [self._instructions(at)]
        body["messages"] = list(self._said)
        self._mark(body)
        body |= {name: value for name, value in (("speed", job.speed), ("inference_geo", job.geo)) if value}
        if job.effort is not None:
            body["output_config"] = {"effort": job.effort}
        if job.stream:
            body["stream"] = True
        calls_tool = self._rng.randrange(100) < job.tool_percent
        reply = Reply(output_tokens=answer, tool_uses=(ToolUse("tool_0"),) if calls_tool else (), ttft_s=0.4)
        self._said.append(_said("assistant", f"{number} {mark(min(answer, job.max_tokens))}"))
        return Ask(at, self._tags, body, reply, job.batch)

    def _instructions(self, at: datetime) -> dict[str, Any]:
        job = self._job
        stamp = f"It is {at.isoformat()}. " if job.stamped else ""
        text = f"{stamp}Instructions of {self._tags['prompt']}. {mark(job.system_tokens)}"
        return {"type": "text", "text": text}

    def _mark(self, body: dict[str, Any]) -> None:
        caching = self._job.caching
        if caching == "automatic":
            body["cache_control"] = {"type": "ephemeral"}
        elif caching == "system":
            body["system"][0]["cache_control"] = {"type": "ephemeral"}
        elif caching == "system_1h":
            body["system"][0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
        elif caching in ("history", "wasteful"):
            last = dict(body["messages"][-1]["content"][0], cache_control={"type": "ephemeral"})
            body["messages"][-1] = {"role": "user", "content": [last]}


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _tool(number: int, tokens: int) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}}
    return {"name": f"tool_{number}", "description": mark(tokens), "input_schema": schema}


def _near(rng: Random, median: int, spread: float) -> int:
    return max(1, round(median * rng.lognormvariate(0, spread)))
