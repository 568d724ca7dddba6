"""
What reports add up: the passes of each booked request with their tokens, and the lines of its bill with their amounts.

Source: facts: claude-api 11.2, 11.3 and 11.5, checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.call import Usage
from farthing.prices.bill import lines_of
from farthing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.sandbox.books import Entry

DIMENSIONS = (
    "api_key_id",
    "workspace_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
)
LONG_PROMPT_TOKENS = 200_000

_TOKEN_TYPES = {
    Unit.INPUT: ("uncached_input_tokens", "Input Tokens"),
    Unit.CACHE_WRITE_5M: ("cache_creation.ephemeral_5m_input_tokens", "Input Tokens, Cache Write (5m)"),
    Unit.CACHE_WRITE_1H: ("cache_creation.ephemeral_1h_input_tokens", "Input Tokens, Cache Write (1h)"),
    Unit.CACHE_READ: ("cache_read_input_tokens", "Input Tokens, Cache Hit"),
    Unit.OUTPUT: ("output_tokens", "Output Tokens"),
}


class Counts(NamedTuple):
    """
    Tokens of one pass, or of many.

    Attributes:
        facts: Values by dimension, of the first piece where many were added.
        usage: Disjoint counts.
        requests: How many requests these are; 0 for a pass beside the main one.

    """

    facts: dict[str, str | None]
    usage: Usage
    requests: int

    @property
    def total_tokens(self) -> int:
        """Prompt and output."""
        return self.usage.prompt_tokens + self.usage.output_tokens

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        mine, theirs = msgspec.structs.astuple(self.usage), msgspec.structs.astuple(other.usage)
        usage = Usage(*(a + b for a, b in zip(mine, theirs, strict=True)))
        return self._replace(usage=usage, requests=self.requests + other.requests)


class Amount(NamedTuple):
    """
    The amount of one line of a bill, or of many.

    Attributes:
        facts: Values by dimension, ``description``, ``cost_type`` and ``token_type`` among them.
        pusd: Picodollars at list.
        requests: 1 on one line of each request, so that sums count requests.

    """

    facts: dict[str, str | None]
    pusd: int
    requests: int

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return self._replace(pusd=self.pusd + other.pusd, requests=self.requests + other.requests)


def counts(entry: Entry) -> Iterator[Counts]:
    """The passes of one request; each has the model that ran it."""
    served = entry.call.served
    facts = _facts(entry)
    largest = served.prompt_tokens_max_in_one_pass or served.usage.prompt_tokens
    yield Counts({**facts, "model": served.model, "context_window": _window(largest)}, served.usage, 1)
    for extra in served.extra_passes:
        window = _window(extra.usage.prompt_tokens)
        yield Counts({**facts, "model": extra.model, "context_window": window}, extra.usage, 0)


def amounts(entry: Entry) -> Iterator[Amount]:
    """The lines of one bill; a bill without a total has none, as in the books."""
    if entry.bill.list_pusd is None:
        return
    facts, requests = _facts(entry), 1
    for component in entry.bill.components:
        window = _window(component.usage.prompt_tokens)
        for line in lines_of(component):
            named = {**facts, "model": line.model, "context_window": window}
            yield Amount({**named, **_cost(line.unit, component.card.model.name, named)}, line.pusd or 0, requests)
            requests = 0


def _facts(entry: Entry) -> dict[str, str | None]:
    call = entry.call
    return {
        "api_key_id": call.dims["api_key"],
        "workspace_id": call.dims["workspace"],
        "service_tier": call.served.service_tier,
        "inference_geo": call.served.inference_geo or "not_available",
        "speed": call.served.speed,
    }


def _cost(unit: Unit, name: str, facts: dict[str, str | None]) -> dict[str, str | None]:
    if unit is Unit.WEB_SEARCH:
        return {"description": "Web Search Usage", "cost_type": "web_search", "token_type": None, "model": None}
    token_type, words = _TOKEN_TYPES[unit]
    plain = {"service_tier": "standard", "speed": "standard", "context_window": "0-200k"}
    marks = [str(facts[key]) for key, usual in plain.items() if facts[key] != usual]
    marks += ["US"] if facts["inference_geo"] == "us" else []
    suffix = f" ({', '.join(marks)})" if marks else ""
    return {"description": f"{name} Usage - {words}{suffix}", "cost_type": "tokens", "token_type": token_type}


def _window(prompt_tokens: int) -> str:
    return "0-200k" if prompt_tokens <= LONG_PROMPT_TOKENS else "200k-1M"
