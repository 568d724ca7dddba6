"""
What is known of one response from the lines that show it, and how lines become one call.

Claude Code writes one line per content block, copies lines into resumed and forked sessions, and shows side chains
twice, so a response is *sighted* many times. Sightings of one (message id, request id, model) are merged by
:func:`merge`, which is commutative, associative and idempotent: neither the order of files nor reading one twice can
change a result.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from farthing.call import ExtraPass, Served, Usage
from farthing.units import Kind
from farthing.usage.counts import split_writes

PLACEHOLDER_MAX = 8
"""``message_start`` reports 1 to 8 output tokens before any are counted (facts 12.2, checked 2026-11-20)."""

UNPROVABLE_NOTE = "output tokens are the placeholder of message_start: the transcript never got the final count"


Key = tuple[str, str, str]
"""What makes sightings the same: message id, request id (empty where absent), model. Plain, for millions of them."""

Facts = tuple[str, str, str, str, str]
"""Stop reason, service tier, speed, inference geo, refusal category; empty where the response does not say."""


class Passes(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What ``usage.iterations`` add to the top level; see :class:`farthing.call.Served`."""

    extra: tuple[ExtraPass, ...] = ()
    prompt_tokens_max_in_one_pass: int | None = None
    notes: tuple[str, ...] = ()
    derived: bool = False


class Origin(NamedTuple):
    """
    Where a line stands. Ties between equally early sightings go to the smallest.

    Attributes:
        name: File, relative to its root.
        path: File, absolute.
        session: As the line says; else the file's.
        project: Folder of the session.

    """

    name: str
    path: str
    session: str
    project: str


class Sighting(msgspec.Struct, array_like=True, gc=False):
    """
    One line's view of a response, or the merger of several.

    Attributes:
        writes: Cache writes: total, whether the lifetimes were stated, 1-hour part, 5-minute part (all of it where
            nobody stated any: the default lifetime). Together one field, so that the larger total brings its own split.
        counts: Input, cache reads, output, thinking tokens; web searches, web fetches, code executions.
        facts: See :data:`Facts`; of the line that counted most output.
        from_subagent: Whether it was sighted in side chains alone.
        sent_us: Microseconds since 1970, of the earliest line (outside side chains where there is one).
        origin: Number of that line's :class:`Origin` in a list kept beside.
        output_started: 2 where content was seen, 1 where none was, 0 where nobody looked.
        client_pusd: Largest ``costUSD`` that the client wrote, in picodollars; None where it wrote none.
        passes: What iterations add; None where they add nothing.

    """

    writes: tuple[int, bool, int, int]
    counts: tuple[int, int, int, int, int, int, int]
    facts: Facts
    from_subagent: bool
    sent_us: int
    origin: int
    output_started: int = 0
    client_pusd: int | None = None
    passes: Passes | None = None

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, as the top level sums it."""
        return self.counts[0] + self.counts[1] + self.writes[0]

    @property
    def is_unprovable(self) -> bool:
        """Whether the output was never counted: only the placeholder is there."""
        return not self.facts[0] and self.counts[2] <= PLACEHOLDER_MAX

    @property
    def needs_own_price(self) -> bool:
        """Whether a rule beyond counts times rates prices it: refusals, extra passes, server tools."""
        return self.passes is not None or self.facts[0] == "refusal" or any(self.counts[4:])

    @property
    def kind(self) -> Kind:
        """``assumed`` where the output is unprovable, ``derived`` where a split was worked out."""
        if self.is_unprovable:
            return Kind.ASSUMED
        if (self.writes[0] and not self.writes[1]) or (self.passes is not None and self.passes.derived):
            return Kind.DERIVED
        return Kind.MEASURED

    @property
    def usage(self) -> Usage:
        """The counts as the rest of farthing knows them."""
        _, _, write_1h, write_5m = self.writes
        fresh, read, output, thinking, *tools = self.counts
        return Usage(fresh, write_5m, write_1h, read, output, thinking, *tools)


def merge(one: Sighting, other: Sighting, origins: list[Origin]) -> Sighting:
    """
    Two sightings of one key as one.

    It has the larger of each count, the facts of the line that counted most output, and the place and time of the
    earliest line outside side chains. Returns *one* itself where *other* adds nothing to it.
    """
    merged = one
    if other.counts != one.counts or other.facts != one.facts or other.passes != one.passes:
        merged = _with_counts(merged, other)
    if other.writes > one.writes:
        merged = msgspec.structs.replace(merged, writes=other.writes)
    if _is_earlier(other, one, origins):
        merged = msgspec.structs.replace(
            merged, from_subagent=other.from_subagent, sent_us=other.sent_us, origin=other.origin
        )
    if other.output_started > one.output_started:
        merged = msgspec.structs.replace(merged, output_started=other.output_started)
    if other.client_pusd is not None and (one.client_pusd is None or other.client_pusd > one.client_pusd):
        merged = msgspec.structs.replace(merged, client_pusd=other.client_pusd)
    return merged


def _with_counts(one: Sighting, other: Sighting) -> Sighting:
    ours, theirs = one.counts, other.counts
    best = one if ours[2] > theirs[2] else other
    if ours[2] == theirs[2]:
        best = max(one, other, key=_facts_rank)
    counts: tuple[int, int, int, int, int, int, int] = tuple(map(max, ours, theirs))  # type: ignore[assignment]
    if counts == ours and best is one:
        return one
    return msgspec.structs.replace(one, counts=counts, facts=best.facts, passes=best.passes)


def _facts_rank(sighting: Sighting) -> tuple[int, bool, bool, int, tuple[str, ...], str]:
    """A total order, so that which line's facts are kept depends on the lines alone."""
    facts, passes = sighting.facts, sighting.passes
    return sighting.counts[2], bool(facts[0]), passes is not None, 5 - facts.count(""), facts, repr(passes)


def _is_earlier(one: Sighting, other: Sighting, origins: list[Origin]) -> bool:
    if one.from_subagent != other.from_subagent:
        return other.from_subagent
    if one.sent_us != other.sent_us or one.origin == other.origin:
        return one.sent_us < other.sent_us
    return origins[one.origin] < origins[other.origin]


def resolve(sightings: list[tuple[Key, Sighting]], origins: list[Origin]) -> list[tuple[Key, Sighting]]:
    """
    The calls among all sightings of *one* message id.

    Lines without a request id belong to the only request there is; with several requests they are a call of their own.
    Where one request left snapshots of different models (a fallback in mid-stream), the one that counted most output
    is what was served: maxima across models would be a response that nobody got.
    """
    if len(sightings) == 1:
        return sightings
    by_request: dict[str, dict[str, Sighting]] = {}
    for key, sighting in sightings:
        by_request.setdefault(key[1], {})[key[2]] = sighting
    if "" in by_request and len(by_request) == 2:
        nameless = by_request.pop("")
        (named,) = by_request.values()
        for model, sighting in nameless.items():
            named[model] = merge(named[model], sighting, origins) if model in named else sighting
    message_id = sightings[0][0][0]
    return [_served(message_id, request_id, models, origins) for request_id, models in sorted(by_request.items())]


def _served(
    message_id: str, request_id: str, models: dict[str, Sighting], origins: list[Origin]
) -> tuple[Key, Sighting]:
    model = max(models, key=lambda name: (*_facts_rank(models[name])[:2], models[name].prompt_tokens, name))
    best = first = models[model]
    for sighting in models.values():
        if _is_earlier(sighting, first, origins):
            first = sighting
    if first is not best:
        best = msgspec.structs.replace(
            best, from_subagent=first.from_subagent, sent_us=first.sent_us, origin=first.origin
        )
    return (message_id, request_id, model), best


def served_of(key: Key, sighting: Sighting) -> Served:
    """A resolved call as the price engine takes it."""
    message_id, request_id, model = key
    stop_reason, tier, speed, geo, category = sighting.facts
    passes = sighting.passes or Passes()
    notes = list(passes.notes)
    if not sighting.writes[1]:
        notes += [note] if (note := split_writes(sighting.writes[0], None)[2]) else []
    if sighting.is_unprovable:
        notes.append(UNPROVABLE_NOTE)
    return Served(
        model=model,
        usage=sighting.usage,
        extra_passes=passes.extra,
        service_tier=tier or "standard",
        speed=speed or "standard",
        inference_geo=geo or None,
        stop_reason=stop_reason or None,
        refusal_category=category or None,
        output_started=(None, False, True)[sighting.output_started],
        prompt_tokens_max_in_one_pass=passes.prompt_tokens_max_in_one_pass,
        kind=sighting.kind,
        message_id=None if is_made_up(message_id) else message_id,
        request_id=request_id or None,
        notes=tuple(notes),
    )


def is_made_up(message_id: str) -> bool:
    """Whether we made the id up for a line that has none."""
    return message_id.startswith(("uuid:", "line:"))
