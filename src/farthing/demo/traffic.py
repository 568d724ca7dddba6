"""
Put a month of traffic together: who called when, how long each prompt and answer was, and what the cache did.

Totals first, calls second: each total is split over its calls, so that the sums hold to the token. The cache is that of
the API in small: a prefix is written when it was not used for its lifetime and read otherwise, per model and prompt
version. Everything comes from one seeded generator; the same arguments give the same rows.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.call import Call
from farthing.demo.applications import APPLICATIONS, GENERATIONS, Application, DemoModel
from farthing.demo.shares import apportion
from farthing.usage.messages import read_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from farthing.demo.applications import Role

DAYS = 30
_NEW_PROMPT_ON_DAY = 18
_BATCH_HOUR = 2
_SMALLEST_QUESTION_TOKENS = 40
_UNKNOWN_MODEL = "claude-sonnet-4-6-nightly"


class _Moment(NamedTuple):
    """One call before anybody knows its size. *turn* counts from 0 within the session."""

    at: datetime
    turn: int
    batch: bool
    tags: dict[str, str]


class _Sized(NamedTuple):
    """One call with its model and its sizes. ``input_tokens`` is the whole prompt."""

    moment: _Moment
    model: DemoModel
    input_tokens: int
    output_tokens: int
    searches: int
    refused: bool


def traffic(end: date, *, seed: int = 16, generation: str = "4.6", unknown_model: bool = False) -> list[dict[str, Any]]:
    """
    Make the rows of the 30 days before *end*, in the order in which they were sent.

    Args:
        end: First day without traffic.
        seed: Another seed shapes another month with the same totals.
        generation: A key of :data:`~farthing.demo.GENERATIONS`: which models fill the roles.
        unknown_model: Add one row of a model that no price book knows, outside the totals.

    Returns:
        Rows as ``farthing price`` and ``farthing import jsonl`` take them: ``id``, ``model``, ``at`` (RFC 3339, UTC),
        ``usage`` as the Messages API states it, ``tags``, and ``stop_reason`` with ``stop_details``.

    """
    start = datetime.combine(end - timedelta(days=DAYS), time(), UTC)
    rows = [
        row
        for application in APPLICATIONS
        for row in _rows(application, start, GENERATIONS[generation], Random(f"{application.name} {seed}"))  # noqa: S311
    ]
    if unknown_model:
        rows.append(rows[-1] | {"id": "demo-unknown-model", "model": _UNKNOWN_MODEL})
    return sorted(rows, key=lambda row: (row["at"], row["id"]))


def calls(end: date, *, seed: int = 16, generation: str = "4.6", unknown_model: bool = False) -> Iterator[Call]:
    """Make the same month as :class:`~farthing.call.Call` records, from the source ``demo``."""
    for row in traffic(end, seed=seed, generation=generation, unknown_model=unknown_model):
        yield Call(
            call_id=row["id"],
            sent_at=datetime.fromisoformat(row["at"]),
            source="demo",
            served=read_message(row),
            dims=row["tags"],
        )


def _rows(
    application: Application, start: datetime, models: dict[Role, DemoModel], rng: Random
) -> Iterator[dict[str, Any]]:
    sized = sorted(_sized(application, models, _moments(application, start, rng), rng), key=lambda call: call.moment.at)
    last_used: dict[tuple[str, str], datetime] = {}
    for number, call in enumerate(sized, 1):
        row = {
            "id": f"demo-{application.name}-{number:04d}",
            "model": call.model.id,
            "at": call.moment.at.isoformat().replace("+00:00", "Z"),
            "usage": _usage(application, call, _cache_use(application, call, last_used)),
            "tags": call.moment.tags,
            "stop_reason": "refusal" if call.refused else "end_turn",
        }
        if call.refused:
            row["stop_details"] = {"type": "refusal", "category": "cyber", "explanation": None}
        yield row


def _moments(application: Application, start: datetime, rng: Random) -> list[_Moment]:
    """Every call's time and tags, session by session."""
    moments: list[_Moment] = []
    number = 0
    while left := application.calls - len(moments):
        number += 1
        turns = min(left, rng.randint(*application.turns))
        moments.extend(_session(application, start, number, turns, rng))
    return moments


def _session(application: Application, start: datetime, number: int, turns: int, rng: Random) -> Iterator[_Moment]:
    batch = rng.randrange(100) < application.batch_percent
    at = _session_start(application, start, batch=batch, rng=rng)
    tenant = _skewed(application.tenants, rng)
    feature = _skewed(application.features, rng)
    tags = {
        "project": application.name,
        "environment": "production",
        "tenant": tenant,
        "feature": feature,
        "prompt": f"{application.name}/{feature}",
        "prompt_version": "v2" if at >= start + timedelta(days=_NEW_PROMPT_ON_DAY) else "v1",
        "user": f"{tenant}-{rng.randint(1, 9)}",
        "session": f"{application.name}-{number:04d}",
    }
    for turn in range(turns):
        yield _Moment(at, turn, batch, tags)
        at += timedelta(seconds=rng.randint(*application.pause_s))


def _session_start(application: Application, start: datetime, *, batch: bool, rng: Random) -> datetime:
    days = [start + timedelta(days=day) for day in range(DAYS)]
    (day,) = rng.choices(days, [application.weekend_percent if day.weekday() >= 5 else 100 for day in days])
    first, last = application.busy_hours
    # Nothing starts in the day's last hour, so that no session runs past the month.
    (hour,) = rng.choices(range(23), [10 if first <= hour <= last else 1 for hour in range(23)])
    return day + timedelta(hours=_BATCH_HOUR if batch else hour, seconds=rng.randrange(3600))


def _skewed(names: Sequence[str], rng: Random) -> str:
    """The first name twice as often as the second, three times as often as the third."""
    return rng.choices(names, [60 // rank for rank in range(1, len(names) + 1)])[0]


def _sized(
    application: Application, models: dict[Role, DemoModel], moments: list[_Moment], rng: Random
) -> Iterator[_Sized]:
    """Hand out models and tokens. A session keeps its model, but for the one in which a model's share runs out."""
    shares = list(application.mix.values())
    amounts = zip(
        application.mix,
        apportion(application.calls, shares),
        apportion(application.input_tokens, shares),
        apportion(application.output_tokens, shares),
        strict=True,
    )
    first, refusals_left = 0, application.refused_before_output
    for role, calls_of_role, input_tokens, output_tokens in amounts:
        group = moments[first : first + calls_of_role]
        first += calls_of_role
        refused = set(rng.sample(range(len(group)), refusals_left))
        refusals_left = 0
        inputs = apportion(
            input_tokens,
            [_size(application, rng) * (2 + moment.turn) for moment in group],
            floor=application.prefix_tokens + _SMALLEST_QUESTION_TOKENS,
        )
        outputs = iter(apportion(output_tokens, [_size(application, rng) for _ in group[len(refused) :]], floor=1))
        for index, moment in enumerate(group):
            searches = rng.randint(1, 3) if rng.randrange(100) < application.search_percent else 0
            no = index in refused
            yield _Sized(moment, models[role], inputs[index], 0 if no else next(outputs), 0 if no else searches, no)


def _size(application: Application, rng: Random) -> int:
    """One draw of the log-normal shape, as a whole weight: rounding keeps the last bit of a platform's libm out."""
    return round(rng.lognormvariate(0, application.spread) * 1_000_000)


def _cache_use(application: Application, call: _Sized, last_used: dict[tuple[str, str], datetime]) -> str | None:
    """``write``, ``read``, or None where the prefix is too short for the model or the call went through a batch."""
    if call.moment.batch or application.prefix_tokens < call.model.cacheable_prefix_tokens_min:
        return None
    prefix = (call.model.id, call.moment.tags["prompt_version"])
    before = last_used.get(prefix)
    last_used[prefix] = call.moment.at
    warm = before is not None and call.moment.at - before < timedelta(seconds=application.cache_ttl_s)
    return "read" if warm else "write"


def _usage(application: Application, call: _Sized, cache_use: str | None) -> dict[str, Any]:
    written = application.prefix_tokens if cache_use == "write" else 0
    read = application.prefix_tokens if cache_use == "read" else 0
    for_an_hour = application.cache_ttl_s == 3_600
    usage: dict[str, Any] = {
        "input_tokens": call.input_tokens - written - read,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if for_an_hour else written,
            "ephemeral_1h_input_tokens": written if for_an_hour else 0,
        },
        "output_tokens": call.output_tokens,
        "service_tier": "batch" if call.moment.batch else "standard",
    }
    if call.searches:
        usage["server_tool_use"] = {"web_search_requests": call.searches}
    return usage
