"""Which rules and which of the upstream's limits apply to a call: looked up once for calls that are alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from farthing.limits.lanes import Lane
from farthing.limits.published import published_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from farthing.limits.rates import RateRule
    from farthing.prices.names import NameTable

_KEPT_MAX = 10_000
"""Lanes, and routes to them, that are remembered at once; idle lanes go first."""
_FORGETS_EVERY_S = 1.0


class FlowFacts(NamedTuple):
    """
    What the limits need to know of a call.

    Attributes:
        dims: Dimensions and tags.
        model: As asked for.
        prompt_tokens: Of the whole prompt, an estimate. max_tokens: as asked for; None where absent.
        upstream: Whose limits it counts against there: a fingerprint of the credential, never a key.
        speed: As asked for; all but ``fast`` are one.

    """

    dims: Mapping[str, str]
    model: str
    prompt_tokens: int
    max_tokens: int | None = None
    upstream: str = ""
    speed: str = "standard"


class Upstream(NamedTuple):
    """Whose limit, of which class of models, in which family of headers."""

    credential: str
    group: str
    family: str


class Route(NamedTuple):
    """What applies to calls of one kind."""

    lanes: tuple[Lane, ...]
    upstream: Upstream
    weight: float
    reads_count: bool


class Routes:
    """
    Rules to routes.

    Args:
        rules: With a name each.
        names: Finds the class of a model by any of its ids; None: exact ids only, others are a class each.
        clock: Seconds that never go back.

    """

    def __init__(self, rules: Sequence[RateRule], names: NameTable | None, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._names = names
        self._clock = clock
        told_apart_by = {name for rule in rules for name in (*rule.match, rule.each) if name}
        self._told_apart_by = tuple(sorted(told_apart_by))
        self._routes: dict[tuple[object, ...], Route] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._forgot_at = -math.inf

    def of(self, facts: FlowFacts) -> Route:
        """What applies to a call."""
        key = (facts.model, _family(facts), facts.upstream, *map(facts.dims.get, self._told_apart_by))
        route = self._routes.get(key)
        if route is None:
            route = self._new(facts)
            if len(self._routes) >= _KEPT_MAX:
                self._routes.clear()
            self._routes[key] = route
        return route

    def _new(self, facts: FlowFacts) -> Route:
        matching = [rule for rule in self._rules if rule.matches(facts.dims, facts.model)]
        named = self._names.find(facts.model) if self._names is not None else None
        model = named.model.id if named is not None else facts.model
        published = published_limits().bucket_of(model)
        return Route(
            tuple(self._lane(rule, facts.dims.get(rule.each or "", "")) for rule in matching if any(rule.limits)),
            Upstream(facts.upstream, published.name if published else model, _family(facts)),
            next((rule.weight for rule in matching if rule.weight is not None), 1.0),
            reads_count=published is not None and published.cache_reads_count,
        )

    def _lane(self, rule: RateRule, value: str) -> Lane:
        key = (rule.name, value if rule.each else "")
        if key not in self._lanes and len(self._lanes) >= _KEPT_MAX:
            self._forget_idle_lanes()
            if len(self._lanes) >= _KEPT_MAX:
                key = (rule.name, "")  # too many values at once share what calls without a value have
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(rule, key[1], self._clock())
        return lane

    def _forget_idle_lanes(self) -> None:
        now = self._clock()
        if now >= self._forgot_at + _FORGETS_EVERY_S:
            self._forgot_at = now
            self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.is_idle(now)}
            self._routes.clear()


def _family(facts: FlowFacts) -> str:
    """Which headers tell of its limits. What else may stand for a speed, and have no end, is kept nowhere."""
    return "fast" if facts.speed == "fast" else "ratelimit"
