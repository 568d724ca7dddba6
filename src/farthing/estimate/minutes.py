"""
Traffic by the minute, counted as the rate limits count it.

A request counts in the minute in which it was sent, and so does its input: uncached input and cache writes, and cache
reads for the classes that count them. Output counts as it is made: evenly over the time the answer took where that is
known, else at once.

Source: rate limits page (facts: claude-api 8.1), checked 2026-11-20.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from farthing.limits.published import published_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from farthing.call import Call, Usage
    from farthing.ledger.interface import Stored
    from farthing.limits.published import Bucket
    from farthing.prices.book import PriceBook

REQUESTS, INPUT, OUTPUT, PROMPT = "requests", "input tokens", "output tokens", "prompt tokens"
COUNTED = (REQUESTS, INPUT, OUTPUT)
"""What has a limit; ``PROMPT`` is what the input would be without a cache."""

OWN_CHANNELS = frozenset({"claude_api"})
_MINUTE_MS = 60_000


class ModelClass(NamedTuple):
    """Models that share limits: a published class, or None and the model's own id where none is published."""

    name: str
    published: Bucket | None


class Traffic(NamedTuple):
    """
    What calls came to.

    Attributes:
        minutes: Per class and counted thing: minute (since 1970) to amount; minutes without any are not there.
        days: Per class and counted thing: day (since 1970) to amount.
        spend_pusd: Day to the list price of its calls, batches included.
        calls: That count here. left_out: calls that do not, by the reason. unpriced: calls without an exact price.
        first, last: When the first and the last call was sent; None without any.

    """

    minutes: dict[tuple[ModelClass, str], dict[int, int]]
    days: dict[tuple[ModelClass, str], dict[int, int]]
    spend_pusd: dict[int, int]
    calls: int
    left_out: dict[str, int]
    unpriced: int
    first: datetime | None
    last: datetime | None


def count_traffic(
    stored: Iterable[Stored], book: PriceBook, advance: Callable[[int], None] = lambda _more: None
) -> Traffic:
    """Count calls by the minute, in one pass; memory grows with minutes, not with calls."""
    minutes: dict[tuple[ModelClass, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    days: dict[tuple[ModelClass, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    spend: dict[int, int] = defaultdict(int)
    left_out: dict[str, int] = defaultdict(int)
    classes = _Classes(book)
    calls = unpriced = 0
    first: datetime | None = None
    last: datetime | None = None
    for one in stored:
        advance(1)
        call, at = one.call, one.call.sent_at
        first = at if first is None or at < first else first
        last = at if last is None or at > last else last
        if call.served.channel in OWN_CHANNELS:
            spend[int(at.timestamp()) // 86_400] += one.posting.list_pusd or 0
            unpriced += one.posting.list_pusd is None
        reason = _reason_to_leave_out(call)
        if reason:
            left_out[reason] += 1
            continue
        calls += 1
        for model_class, counted, minute, amount in _amounts(call, classes):
            if amount:
                minutes[model_class, counted][minute] += amount
                days[model_class, counted][minute // 1440] += amount
    return Traffic(
        {key: dict(amounts) for key, amounts in minutes.items()},
        {key: dict(amounts) for key, amounts in days.items()},
        dict(spend),
        calls,
        dict(left_out),
        unpriced,
        first,
        last,
    )


def minute_of(number: int) -> datetime:
    """The minute with this number, UTC."""
    return datetime.fromtimestamp(number * 60, UTC)


class _Classes:
    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._known: dict[tuple[str, str, str], ModelClass] = {}

    def of(self, model: str, channel: str, speed: str) -> ModelClass:
        """The class of a model; calls in fast mode have limits of their own, which are not published."""
        key = (model, channel, speed)
        if key not in self._known:
            named = self._book.names.find(model, channel)
            model_id = named.model.id if named else model
            published = published_limits().bucket_of(model_id)
            name = published.name if published else model_id
            self._known[key] = ModelClass(f"{name}, fast", None) if speed == "fast" else ModelClass(name, published)
        return self._known[key]


def _reason_to_leave_out(call: Call) -> str:
    served = call.served
    if served.channel not in OWN_CHANNELS:
        return "another cloud's channel, with quotas of its own"
    if served.service_tier == "batch":
        return "batches, with limits of their own"
    if served.service_tier == "priority":
        return "Priority Tier, with capacity of its own"
    if served.calls_in_total != 1:
        return "sums over many calls, which have no minute"
    return ""


def _amounts(call: Call, classes: _Classes) -> Iterator[tuple[ModelClass, str, int, int]]:
    """Class, counted thing, minute, amount."""
    served = call.served
    sent_ms = int(call.sent_at.timestamp() * 1000)
    own = classes.of(served.model, served.channel, served.speed)
    yield own, REQUESTS, sent_ms // _MINUTE_MS, 1
    passes = [(own, served.usage)]
    passes += [
        (classes.of(extra.model or served.model, served.channel, served.speed), extra.usage)
        for extra in served.extra_passes
    ]
    for model_class, usage in passes:
        yield model_class, INPUT, sent_ms // _MINUTE_MS, _counted_input(usage, model_class)
        yield model_class, PROMPT, sent_ms // _MINUTE_MS, usage.prompt_tokens
        for minute, tokens in _spread(usage.output_tokens, sent_ms + (call.ttft_ms or 0), _end_ms(call, sent_ms)):
            yield model_class, OUTPUT, minute, tokens


def _counted_input(usage: Usage, model_class: ModelClass) -> int:
    if model_class.published is not None and model_class.published.cache_reads_count:
        return usage.prompt_tokens
    return usage.prompt_tokens - usage.cache_read_tokens


def _end_ms(call: Call, sent_ms: int) -> int:
    return sent_ms + (call.duration_ms or 0)


def _spread(tokens: int, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Tokens by minute, evenly over a time, to the token."""
    if end_ms <= start_ms or start_ms // _MINUTE_MS == end_ms // _MINUTE_MS:
        yield start_ms // _MINUTE_MS, tokens
        return
    done = 0
    for minute in range(start_ms // _MINUTE_MS, end_ms // _MINUTE_MS + 1):
        until_ms = min(end_ms, (minute + 1) * _MINUTE_MS)
        made = tokens * (until_ms - start_ms) // (end_ms - start_ms)
        yield minute, made - done
        done = made
