"""
A workload: what somebody plans to send, as a small TOML or JSON file.

Every key is optional but the models; ``docs/estimate.md`` lists them. Numbers are read as exact decimals. A key that
does not exist is refused with the nearest one that does.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from farthing.errors import BadConfig
from farthing.estimate.sizes import Range, Size, ends, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

DAYS_PER_MONTH = Decimal(30)
"""A planning month; bills of real months differ by the days they have."""

ZERO, ONE = Decimal(0), Decimal(1)


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every table of a workload file."""


class Volume(_Part, frozen=True, kw_only=True):
    """
    How many API calls, stated in exactly one of three ways, and how they grow.

    Attributes:
        calls_per_day: API calls a day.
        calls_per_month: API calls a month.
        users: With *sessions_per_user_per_day* and *calls_per_session*: their product is the calls a day.
        days_per_month: Days with traffic in a month.
        active_hours_per_day: Hours over which a day's calls are spread; decides gaps and mean rates.
        peak_factor: Calls per minute at the peak over their mean.
        growth_per_month: 0.05 is five per cent more calls each month.
        months: How many months to plan.

    """

    calls_per_day: Size | None = None
    calls_per_month: Size | None = None
    users: Size | None = None
    sessions_per_user_per_day: Size = ONE
    calls_per_session: Size = ONE
    days_per_month: Decimal = DAYS_PER_MONTH
    active_hours_per_day: Decimal = Decimal(24)
    peak_factor: Decimal = Decimal(3)
    growth_per_month: Size = ZERO
    months: int = 1


class Tokens(_Part, frozen=True, kw_only=True):
    """
    Average tokens of one call.

    Attributes:
        system: System prompt, on every call.
        tools: Tool definitions with the hidden tool prompt, on every call.
        documents: Documents, on every call of a conversation.
        user: New input of each turn: the question, or tool results.
        output: Visible output of each turn; replayed in later turns.
        thinking: Thinking of each turn, billed as output; replayed only where ``conversation.replay_thinking``.

    """

    system: Size = ZERO
    tools: Size = ZERO
    documents: Size = ZERO
    user: Size = ZERO
    output: Size = ZERO
    thinking: Size = ZERO


class Conversation(_Part, frozen=True, kw_only=True):
    """
    How history grows.

    Attributes:
        turns: Calls in one conversation; 6.5 means that half have 6 and half have 7.
        history: ``full``: each turn sends everything before it again; ``none``: turns stand alone.
        replay_thinking: Whether earlier thinking is sent again (models that keep all thinking blocks).
        documents_shared: Whether every conversation sends the same documents, before anything of its own.

    """

    turns: Size = ONE
    history: Literal["full", "none"] = "full"
    replay_thinking: bool = False
    documents_shared: bool = False


class CachePlan(_Part, frozen=True, kw_only=True):
    """
    What is cached, and how often it is found.

    Attributes:
        ttl: ``none``, ``5m`` or ``1h``.
        through: The prompt is cached up to and including this part, in the order tools, system, documents, history.
        hit_share: Share of calls that find an entry where an earlier call could have written one; None: derived from
            gaps.
        batch_hit_share: The same in Message Batches, where caching is best effort; None: the middle of what is
            published. Never more than outside them.
        arrival_gap_seconds: Mean gap between calls that share a prefix, for the derivation; None: from the volume.
        turn_gap_seconds: Mean gap between turns of one conversation, for the derivation.

    """

    ttl: Literal["none", "5m", "1h"] = "none"
    through: Literal["tools", "system", "documents", "history"] = "system"
    hit_share: Size | None = None
    batch_hit_share: Size | None = None
    arrival_gap_seconds: Size | None = None
    turn_gap_seconds: Size = Decimal(60)


class SelfHosted(_Part, frozen=True, kw_only=True):
    """
    Rented GPUs to compare with.

    Attributes:
        usd_per_gpu_hour: What one GPU costs an hour.
        gpus: How many are always on.
        tokens_per_gpu_second: Output tokens one busy GPU makes, measured by the caller; None: *gpus* are enough.
        utilisation: Share of paid time in which a GPU does useful work, used with *tokens_per_gpu_second*.
        staff_usd_per_month: People who run it.

    """

    usd_per_gpu_hour: Size = Range(low=Decimal(2), mode=Decimal(3), high=Decimal(4))
    gpus: int = 1
    tokens_per_gpu_second: Decimal | None = None
    utilisation: Decimal = ONE
    staff_usd_per_month: Size = ZERO


class Seats(_Part, frozen=True, kw_only=True):
    """A seat plan to compare with; its price is the caller's, for farthing knows none."""

    usd_per_seat_per_month: Decimal
    seats: Decimal | None = None


class Workload(_Part, frozen=True, kw_only=True):
    """
    One plan.

    Attributes:
        name: What to call it.
        note: Anything a reader should know; shown, never used.
        date: The day whose prices apply; None: the caller chooses.
        models: Model id to its share of calls; shares add up to 1.
        tokenizer: Which tokenizer the sizes were counted with; None: that of the model with the largest share.
        channel: Where it is bought; location: a region or ``global`` on partner channels.
        geo: ``us`` for US-only inference; speed: ``standard`` or ``fast``.
        batch_share: Share of calls sent through Message Batches.
        web_searches_per_call: Server-side searches.
        measured: Keys or tables that were measured rather than believed, such as ``tokens`` or ``volume.users``.

    """

    name: str = "workload"
    note: str = ""
    date: dt.date | None = None
    models: dict[str, Decimal] = {}
    tokenizer: Literal["4.7", "pre-4.7"] | None = None
    channel: str = "claude_api"
    location: str | None = None
    geo: str | None = None
    speed: Literal["standard", "fast"] = "standard"
    volume: Volume = Volume()
    tokens: Tokens = Tokens()
    conversation: Conversation = Conversation()
    cache: CachePlan = CachePlan()
    batch_share: Size = ZERO
    web_searches_per_call: Size = ZERO
    self_hosted: SelfHosted | None = None
    seats: Seats | None = None
    measured: tuple[str, ...] = ()


def sizes_of(workload: Workload) -> dict[str, Size]:
    """Every size that this workload states or takes by default, by its key, in the order of the documentation."""
    found: dict[str, Size] = {}
    for table, part in (
        ("volume", workload.volume),
        ("conversation", workload.conversation),
        ("tokens", workload.tokens),
        ("cache", workload.cache),
    ):
        for name in part.__struct_fields__:
            value = getattr(part, name)
            if isinstance(value, (Range, Decimal)):
                found[f"{table}.{name}"] = value
    found["batch_share"] = workload.batch_share
    found["web_searches_per_call"] = workload.web_searches_per_call
    return found


def is_measured(workload: Workload, key: str) -> bool:
    """Whether the author says that *key* or its table was measured."""
    return key in workload.measured or key.partition(".")[0] in workload.measured


def check(workload: Workload, where: str) -> Workload:
    """
    The workload itself, once its numbers make sense together.

    Raises:
        BadConfig: Shares that do not add up to 1, no or several volumes, a share above 1, a negative number, a turn
            count below 1, or a measured key that does not exist. *where* names the file.

    """
    for key, number in _numbers(workload):
        if not is_plain(number):
            raise BadConfig(f"read {key} = {number} in {where}", "a finite number of ordinary size")
    _check_models(workload, where)
    _check_volume(workload.volume, where)
    for key, size in sizes_of(workload).items():
        _check_size(key, size, where)
    known = {*sizes_of(workload), *(field.name for field in msgspec.structs.fields(workload)), "models"}
    for key in workload.measured:
        if key not in known:
            raise BadConfig(f"read measured key {key!r} in {where}", "a key of this workload such as tokens.output")
    return workload


def _numbers(part: msgspec.Struct, path: str = "") -> Iterator[tuple[str, Decimal]]:
    """Every plain number of a workload by its key; ranges have looked after their own."""
    for field in msgspec.structs.fields(part):
        value, key = getattr(part, field.name), f"{path}{field.name}"
        if isinstance(value, Decimal):
            yield key, value
        elif isinstance(value, dict):
            yield from ((f"{key}.{name}", number) for name, number in value.items())
        elif isinstance(value, _Part):
            yield from _numbers(value, f"{key}.")


def _check_models(workload: Workload, where: str) -> None:
    if not workload.models:
        raise BadConfig(f"read no model in {where}", "model = 'claude-...' or a [models] table of id to share")
    total = sum(workload.models.values())
    if total != 1 or min(workload.models.values()) < 0:
        raise BadConfig(f"read model shares that add up to {total} in {where}", "shares of 0 or more that add up to 1")


def _check_volume(volume: Volume, where: str) -> None:
    stated = [name for name in ("calls_per_day", "calls_per_month", "users") if getattr(volume, name) is not None]
    if len(stated) != 1:
        found = " and ".join(stated) or "none of them"
        raise BadConfig(
            f"read {found} under [volume] in {where}", "exactly one of calls_per_day, calls_per_month or users"
        )
    if not 0 < volume.active_hours_per_day <= 24:
        raise BadConfig(
            f"read volume.active_hours_per_day = {volume.active_hours_per_day} in {where}", "more than 0 and at most 24"
        )
    if not 0 < volume.days_per_month <= 31:
        raise BadConfig(
            f"read volume.days_per_month = {volume.days_per_month} in {where}", "more than 0 and at most 31"
        )
    if volume.peak_factor < 1:
        raise BadConfig(f"read volume.peak_factor = {volume.peak_factor} in {where}", "1 or more")
    if not 1 <= volume.months <= MONTHS_MAX:
        raise BadConfig(f"read volume.months = {volume.months} in {where}", f"1 to {MONTHS_MAX}")


MONTHS_MAX = 120
TURNS_MAX = 1000
NUMBER_MAX = 10**15
"""Bounds on what one plan may ask to be computed."""

SHARES = frozenset({"batch_share", "cache.hit_share", "cache.batch_hit_share"})
"""Sizes that are shares of one."""


def _check_size(key: str, size: Size, where: str) -> None:
    low, high = ends(size)
    lowest, highest = 0, NUMBER_MAX
    if key in SHARES:
        highest = 1
        if isinstance(size, Range) and size.p50 is not None:
            raise BadConfig(f"read p50 and p95 for {key} in {where}", "a number or low, mode and high: it is a share")
    elif key == "conversation.turns":
        lowest, highest = 1, TURNS_MAX
    elif key == "volume.growth_per_month":
        lowest, highest = -1, 10
    if low < lowest or high > highest:
        raise BadConfig(f"read {key} from {_short(low)} to {_short(high)} in {where}", f"{lowest} to {highest:g}")


def _short(number: Fraction) -> str:
    """A number of any size, to a few digits: a float would not hold them all."""
    return f"{(Decimal(number.numerator) / Decimal(number.denominator)).normalize():.6g}"
