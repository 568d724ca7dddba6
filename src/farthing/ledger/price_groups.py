"""
Calls summed over whatever decides their rates: what pricing a month under other rates needs of ten million calls.

A price is linear in the counts once the rates are known, so SQL adds the counts up and leaves rates to the engine.
Calls with a rule of their own (refusals, extra passes, totals over several prompts, timed tools) are in no group; they
come one by one.
"""

from __future__ import annotations

from datetime import date
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import msgspec

from farthing.call import DIMENSIONS
from farthing.ledger import rows
from farthing.ledger.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction
    from typing import Any

    import duckdb

    from farthing.ledger.asking import Asked
    from farthing.ledger.interface import Query, Stored

_SPECIAL = """
    extra_passes > 0
    OR code_execution_requests > 0
    OR coalesce(stop_reason, '') = 'refusal'
    OR coalesce(calls_in_total, 0) <> 1
    OR prompt_tokens_max_in_one_pass IS NOT NULL
    OR (
        web_search_requests + web_fetch_requests > 0
        AND input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens > $loops_over
    )
"""
_FACTS = 10
_NARROW = 2**20
"""Twice such a factor and a count of 2**42 tokens fit in 64 bits."""
_COUNTS = 6


class Split(NamedTuple):
    """
    How calls are told apart and counted.

    Attributes:
        keys: Dimensions, tags or ``model``.
        prompt_limits: Prompts are told apart by which of these they exceed.
        scaled_limits: Scaled prompts, likewise.
        output_limits: ``max_tokens`` as asked, likewise; empty: not looked at.
        factor: Prompt tokens for each recorded one. output_factor: output tokens.
        later_s: How much later than it was sent a call is priced.
        loops_over: Calls with server tools and a longer prompt have a rule of their own.

    """

    keys: tuple[str, ...]
    prompt_limits: tuple[int, ...]
    scaled_limits: tuple[int, ...]
    output_limits: tuple[int, ...]
    factor: Fraction
    output_factor: Fraction
    later_s: int
    loops_over: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """
    Calls that one row of rates fits, now and scaled.

    Attributes:
        model, channel, location, service_tier, speed, inference_geo, served_kind: Facts they share.
        sent_on: Their day, UTC. later_on: the day on which they would be priced.
        output_class: How many of the limits their ``max_tokens`` exceeds; None: not known.
        keys: Values of the keys, empty where not set.
        prompt_tokens_min: Their shortest prompt, of the same class as every other. scaled_tokens_min: scaled.
        has: Whether each of the six counts is above 0: in all of the calls or in none.
        calls: How many.
        counts: Input, 5m writes, 1h writes, reads, output, searches. scaled: likewise.
        posted_pusd: What they are posted at, at list; calls without a price are left out.

    """

    model: str
    channel: str
    location: str | None
    service_tier: str
    speed: str
    inference_geo: str | None
    served_kind: str
    sent_on: date
    later_on: date
    output_class: int | None
    keys: tuple[str, ...]
    prompt_tokens_min: int
    scaled_tokens_min: int
    has: tuple[bool, ...]
    calls: int
    counts: tuple[int, ...]
    scaled: tuple[int, ...]
    posted_pusd: int


@runtime_checkable
class Grouping(Protocol):
    """An engine that can sum calls for pricing."""

    def price_groups(self, query: Query, split: Split) -> list[Group]:
        """The calls in a query's range and filters, summed; those with a rule of their own are left out."""
        ...

    def special_calls(self, query: Query, split: Split) -> Iterator[Stored]:
        """The calls that :meth:`price_groups` leaves out, by time then id, without the blocks of their prompts."""
        ...


def groups(connection: duckdb.DuckDBPyConnection, asked: Asked, split: Split) -> list[Group]:
    """See :meth:`Grouping.price_groups`."""
    values, parameters = _values(split)
    names = [f"key_{number}" for number in range(len(split.keys))]
    looks = bool(split.output_limits)
    fragments = {
        "keys": "".join(f"{value} AS {name},\n        " for name, value in zip(names, values, strict=True)),
        "key_names": "".join(f"{name},\n    " for name in names),
        "later": f"sent_at + to_seconds({int(split.later_s)})",
        "longest": _classes("asked_for.max_tokens", split.output_limits) if looks else "NULL::INTEGER",
        "requests": "LEFT JOIN (SELECT call_no, max_tokens FROM requests) AS asked_for USING (call_no)"
        if looks
        else "",
        "conditions": asked.conditions(),
        "special": _SPECIAL,
        "prompt_class": _classes("prompt_tokens", split.prompt_limits),
        "scaled_class": _classes(
            "(input_scaled + write_5m_scaled + write_1h_scaled + read_scaled)", split.scaled_limits
        ),
    }
    for column in ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens"):
        fragments[f"scaled {column}"] = _scaled(column, split.factor)
    fragments["scaled output_tokens"] = _scaled("output_tokens", split.output_factor)
    text = sql("price_groups")
    for word, fragment in fragments.items():
        text = text.replace(f"{{{word}}}", fragment)
    parameters |= asked.parameters | {"loops_over": split.loops_over}
    return [_group(row, len(names)) for row in connection.execute(text, parameters).fetchall()]


def specials(connection: duckdb.DuckDBPyConnection, asked: Asked, split: Split) -> Iterator[Stored]:
    """See :meth:`Grouping.special_calls`; *connection* can answer nothing else meanwhile."""
    conditions = f"{asked.conditions()} AND ({_SPECIAL})"
    parameters = asked.parameters | {"loops_over": split.loops_over}
    found = rows.read(connection, conditions, parameters, "sent_at, call_id")
    first = list(islice(found, 1))
    return (stored for _, stored in chain(first, found))


def _values(split: Split) -> tuple[list[str], dict[str, str]]:
    values, parameters = [], {}
    for number, key in enumerate(split.keys):
        name = key.removeprefix("tag:")
        if name in DIMENSIONS or key == "model":
            values.append(f"coalesce(calls.\"{name}\", '')")
        else:
            parameters[f"tag_{number}"] = name
            values.append(f"coalesce(tags[$tag_{number}::VARCHAR], '')")
    return values, parameters


def _scaled(column: str, factor: Fraction) -> str:
    """A count times *factor*, halves up, as SQL; in 128 bits only where a large count would not fit in 64."""
    n, d = factor.numerator, factor.denominator
    if n == d:
        return column
    wide = "" if n < _NARROW else "::HUGEINT"
    return f"({column}{wide} * {2 * n} + {d}) // {2 * d}"


def _classes(value: str, limits: Sequence[int]) -> str:
    """How many of *limits* a value exceeds, as SQL."""
    return " + ".join(f"CAST({value} > {int(limit)} AS INTEGER)" for limit in limits) or "0"


def _group(row: tuple[Any, ...], keys: int) -> Group:
    facts, rest = row[:_FACTS], row[_FACTS + keys + 2 :]
    prompt_min, scaled_min, *rest_of = rest
    has, calls = tuple(rest_of[:_COUNTS]), rest_of[_COUNTS]
    counts = rest_of[_COUNTS + 1 :]
    plain, scaled = tuple(counts[:_COUNTS]), tuple(counts[_COUNTS : 2 * _COUNTS - 1])
    return Group(
        **dict(zip(Group.__struct_fields__, facts, strict=False)),
        keys=tuple(row[_FACTS : _FACTS + keys]),
        prompt_tokens_min=prompt_min,
        scaled_tokens_min=scaled_min,
        has=has,
        calls=calls,
        counts=plain,
        scaled=(*scaled, plain[-1]),
        posted_pusd=counts[-1],
    )
