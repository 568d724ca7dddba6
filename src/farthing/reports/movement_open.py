"""A bar of a bill's movement, opened: what changed in the segments that moved it most, and calls to look at."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from farthing import money
from farthing.errors import BadInput
from farthing.prices.engine import price_served
from farthing.reports.movement import BARS
from farthing.reports.movement_sums import key_of, model_of
from farthing.reports.sums import compact
from farthing.units import PROMPT_UNITS, TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from farthing.call import Call
    from farthing.prices.book import PriceBook
    from farthing.reports.movement import Movement
    from farthing.reports.movement_sums import Key, Period, Segment

SEGMENTS_SHOWN = 10
EXAMPLES = 3


class Opened(NamedTuple):
    """
    One segment of an opened bar.

    Attributes:
        key: Values of the movement's dimensions, then the model.
        pusd: What it did to the bar.
        before, after: The bar's factor in each period, for a reader; ``-`` where the segment has no calls.
        calls: Ids of calls that show it, the most telling first; of the period in which there is more to see.

    """

    key: Key
    pusd: int
    before: str
    after: str
    calls: tuple[str, ...]


def open_bar(
    found: Movement,
    name: str,
    a_calls: Iterable[Call],
    b_calls: Iterable[Call],
    book: PriceBook,
    *,
    zone: ZoneInfo | None = None,
    segments_max: int = SEGMENTS_SHOWN,
    calls_max: int = EXAMPLES,
) -> tuple[Opened, ...]:
    """
    The segments that moved a bar most, with example calls.

    Args:
        found: The movement of these calls.
        name: A key of :data:`farthing.reports.movement.BARS`.
        a_calls: The calls of the first period once more.
        b_calls: Those of the second.
        book: The book that *found* was priced with.
        zone: As for the movement.
        segments_max: How many segments.
        calls_max: How many calls for each.

    Raises:
        BadInput: There is no such bar.

    """
    if name not in BARS:
        raise BadInput(f"read bar {name!r}", f"one of {', '.join(BARS)}")
    parts = found.bar(name).parts[:segments_max]
    periods = {part.key: _more_to_see(found, name, part.key) for part in parts}
    zone = zone or ZoneInfo("UTC")
    kept: dict[Key, list[tuple[int, str]]] = {part.key: [] for part in parts}
    for period, calls in ((found.before, a_calls), (found.after, b_calls)):
        wanted = {key for key, chosen in periods.items() if chosen is period}
        if wanted:
            keyed = (
                (key_of(call, found.by, model_of(book, call.served.model, call.served.channel), zone), call)
                for call in calls
            )
            sized = ((key, _size(call, name, book), call.call_id) for key, call in keyed if key in wanted)
            _keep_largest(sized, kept, calls_max)
    return tuple(
        Opened(
            part.key,
            part.pusd,
            _told(found.before, part.key, name),
            _told(found.after, part.key, name),
            tuple(call_id for _, call_id in sorted(kept[part.key], reverse=True)),
        )
        for part in parts
    )


def _more_to_see(found: Movement, name: str, key: Key) -> Period:
    """The period whose calls show it: where there is more of it; for caching where less was read."""
    old, new = found.before.segments.get(key), found.after.segments.get(key)
    if new is None:
        return found.before
    if old is not None and name in _SHARES and _shown_share(old, name) > _shown_share(new, name):
        return found.before
    return found.after


_SHARES = ("batch", "speed", "geo", "band")


def _shown_share(segment: Segment, name: str) -> float:
    return segment.step_calls[name] / segment.calls


def _keep_largest(sized: Iterable[tuple[Key, int, str]], kept: dict[Key, list[tuple[int, str]]], count: int) -> None:
    for key, size, call_id in sized:
        if size > 0:
            heapq.heappush(kept[key], (size, call_id))
            if len(kept[key]) > count:
                heapq.heappop(kept[key])


def _size(call: Call, name: str, book: PriceBook) -> int:
    """How much of a bar one call shows; 0 where it shows nothing."""
    usage, served = call.served.usage, call.served
    match name:
        case "input":
            return usage.prompt_tokens
        case "output":
            return usage.output_tokens
        case "cache":
            return usage.prompt_tokens - usage.cache_read_tokens
        case "tools":
            return usage.web_search_requests
    applies = {
        "batch": served.service_tier == "batch",
        "speed": served.speed != "standard",
        "geo": served.inference_geo == "us" or served.location not in {None, "global"},
        "other": bool(served.extra_passes),
    }
    return (price_served(book, served, call.sent_at).list_pusd or 0) if applies.get(name, True) else 0


def _told(period: Period, key: Key, name: str) -> str:
    segment = period.segments.get(key)
    if segment is None:
        return "-"
    if name in _SHARES:
        return f"{_percent(segment.step_calls[name], segment.calls)} of calls"
    if name in {"mix", "models"}:
        return f"{_percent(segment.calls, period.calls)} of calls"
    return _TELLERS[name](segment)


def _cache(segment: Segment) -> str:
    counts = dict(zip(PROMPT_UNITS, segment.counts, strict=False))
    written = counts[PROMPT_UNITS[1]] + counts[PROMPT_UNITS[2]]
    read = counts[PROMPT_UNITS[3]]
    return f"read {_percent(read, segment.prompt_tokens)}, written {_percent(written, segment.prompt_tokens)}"


def _prices(segment: Segment) -> str:
    """Mean standard prices of what was counted, in USD per million tokens."""
    names = ("in", "5m", "1h", "read", "out")
    prices = [
        f"{name} {_short(money.usd_per_mtok_text(base // count))}"
        for name, base, count in zip(names, segment.base, segment.counts, strict=True)
        if count
    ]
    assert len(names) == len(TOKEN_UNITS)
    return ", ".join(prices) or "no tokens"


def _short(text: str) -> str:
    whole, point, fraction = text.partition(".")
    return f"{whole}{point}{fraction[:3]}"


def _percent(part: int, whole: int) -> str:
    if not whole:
        return "0 %"
    tenths = (part * 2000 + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"


_TELLERS: dict[str, Callable[[Segment], str]] = {
    "volume": lambda segment: f"{segment.calls:,} calls",
    "input": lambda segment: f"{compact(segment.prompt_tokens // segment.calls)} tokens a call",
    "output": lambda segment: f"{compact(segment.output_tokens // segment.calls)} tokens a call",
    "cache": _cache,
    "tools": lambda segment: f"{round(1000 * segment.searches / segment.calls):,} in 1,000 calls",
    "price": _prices,
    "contract": lambda segment: f"{_percent(segment.charged_pusd, segment.list_pusd)} of list",
    "other": lambda segment: f"${money.display(segment.extra_pusd // segment.calls, 6)} a call",
}
