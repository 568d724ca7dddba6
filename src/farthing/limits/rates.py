"""
Rate rules, as the limits file states them: who, which models, how much a minute, how long to wait, what weight.

A rule counts as Anthropic does: requests when they are sent; input that was neither read from the cache nor free of the
limit; output as it is made, whatever ``max_tokens`` asked for.

Source: rate limits page (facts: claude-api 8.1), checked 2026-11-20.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from farthing.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_Most = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
_WaitSeconds = Annotated[float, msgspec.Meta(ge=0, le=600)]


class RateRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One ``[[rate]]`` table. Every rule that a call matches applies to it.

    Attributes:
        name: What refusals and headers call it; empty: ``rate 1`` and so on, by its place.
        match: Per dimension or tag a pattern over its value (``*``, ``?``); a call without the value does not match.
        model: Pattern over the model that is asked for; None: any.
        each: A dimension: every value of it has the rule's limits to itself, and calls without a value share one. None:
            all calls that match share.
        requests_per_minute: Requests.
        input_tokens_per_minute: Uncached input and cache writes.
        output_tokens_per_minute: Output.
        concurrent: Calls under way at once.
        queue_seconds: How long a call may wait for its turn; 0: it is refused at once.
        weight: Share of a tenant or key among those that wait; None: 1, or what another matching rule says.

    """

    name: str = ""
    match: dict[str, str] = {}
    model: str | None = None
    each: str | None = None
    requests_per_minute: _Most | None = None
    input_tokens_per_minute: _Most | None = None
    output_tokens_per_minute: _Most | None = None
    concurrent: _Most | None = None
    queue_seconds: _WaitSeconds = 0
    weight: Annotated[float, msgspec.Meta(ge=0.01, le=1000)] | None = None

    def matches(self, dims: Mapping[str, str], model: str) -> bool:
        """Whether the rule applies to a call."""
        if self.model is not None and not fnmatchcase(model, self.model):
            return False
        return all(name in dims and fnmatchcase(dims[name], pattern) for name, pattern in self.match.items())

    @property
    def limits(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Requests, input and output tokens a minute, calls at once; None: no limit."""
        return (
            self.requests_per_minute,
            self.input_tokens_per_minute,
            self.output_tokens_per_minute,
            self.concurrent,
        )


class UpstreamRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The ``[upstream]`` table: what to do as the upstream's own limits come near.

    Attributes:
        slow_down: Whether calls are delayed at all before the wall.
        low_share: Below this share of a limit left, calls are spread so that it lasts.
        queue_seconds: How long a call may be delayed for that.
        when_late: What happens then: ``pass`` sends it and lets the upstream decide, ``refuse`` answers 429. While a
            ``retry-after`` of the upstream runs, a call that cannot wait so long is refused in both cases.

    """

    slow_down: bool = True
    low_share: Annotated[float, msgspec.Meta(ge=0, le=0.9)] = 0.2
    queue_seconds: _WaitSeconds = 10
    when_late: Literal["pass", "refuse"] = "pass"


def named_rules(rules: Sequence[RateRule], where: str) -> tuple[RateRule, ...]:
    """
    The rules, each with a name of its own.

    Args:
        rules: As they were read, in their order.
        where: The file they come from, for the message.

    Raises:
        BadConfig: Two have one name, or one sets neither a limit nor a weight.

    """
    named = tuple(
        rule if rule.name else msgspec.structs.replace(rule, name=f"rate {number}")
        for number, rule in enumerate(rules, 1)
    )
    seen: set[str] = set()
    for rule in named:
        if rule.name in seen:
            raise BadConfig(f"read {where}: two rates are called {rule.name!r}", "one name for each")
        seen.add(rule.name)
        if rule.weight is None and not any(rule.limits):
            raise BadConfig(
                f"read {where}: {rule.name!r} limits nothing",
                "requests_per_minute, input_tokens_per_minute, output_tokens_per_minute, concurrent or weight",
            )
    return named
