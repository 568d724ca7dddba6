"""One row of a report: calls, tokens and dollars, whole and by model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing import money
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.reports.claude_code.costing import Costed


_COUNTS = (
    "calls",
    "unpriced_calls",
    "unprovable_calls",
    "input_tokens",
    "output_tokens",
    "cache_creation_tokens",
    "cache_read_tokens",
    "priced_pusd",
)


class Sum:
    """
    What several calls come to.

    Attributes:
        calls: How many.
        unpriced_calls: Those among them without an exact price; their tokens count, their dollars do not.
        unprovable_calls: Those whose output nobody counted.
        input_tokens, output_tokens, cache_creation_tokens, cache_read_tokens: Disjoint counts.
        priced_pusd: Exact cost of the calls that have a price, in picodollars.
        kind: How the figures came to be: as weak as the weakest.
        unpriced: Why calls have no price, by model.
        first_us, last_us: Of the calls, microseconds since 1970; 0 where there are none.
        models: The same by model, in order of first use. Empty in the sums of single models.

    """

    __slots__ = (
        "cache_creation_tokens",
        "cache_read_tokens",
        "calls",
        "first_us",
        "input_tokens",
        "kind",
        "last_us",
        "models",
        "output_tokens",
        "priced_pusd",
        "unpriced",
        "unpriced_calls",
        "unprovable_calls",
    )

    def __init__(self) -> None:
        self.calls = self.unpriced_calls = self.unprovable_calls = 0
        self.input_tokens = self.output_tokens = self.cache_creation_tokens = self.cache_read_tokens = 0
        self.priced_pusd = self.first_us = self.last_us = 0
        self.kind = Kind.MEASURED
        self.unpriced: dict[str, str] = {}
        self.models: dict[str, Sum] = {}

    @property
    def total_tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens + self.cache_creation_tokens + self.cache_read_tokens

    @property
    def pusd(self) -> int | None:
        """Cost of what has a price; None where calls were made and none of them has one: unpriced, never zero."""
        return None if self.calls and self.calls == self.unpriced_calls else self.priced_pusd

    def add(self, one: Costed) -> None:
        """Count a bucket, here and under its model."""
        self._count(one)
        of_model = self.models.get(one.model)
        if of_model is None:
            of_model = self.models[one.model] = Sum()
        of_model._count(one)

    def merge(self, other: Sum) -> None:
        """Add another sum, its models left out: for a line under several rows."""
        self.first_us = min(self.first_us, other.first_us) if self.calls else other.first_us
        self.last_us = max(self.last_us, other.last_us)
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.kind = weakest(self.kind, other.kind)
        self.unpriced = other.unpriced | self.unpriced

    def _count(self, one: Costed) -> None:
        bucket = one.bucket
        usage = bucket.usage
        self.first_us = min(self.first_us, bucket.first_us) if self.calls else bucket.first_us
        self.last_us = max(self.last_us, bucket.last_us)
        self.calls += bucket.calls
        self.unprovable_calls += bucket.unprovable_calls
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cache_creation_tokens += usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        self.cache_read_tokens += usage.cache_read_tokens
        if one.kind is not self.kind:
            self.kind = weakest(self.kind, one.kind)
        if one.pusd is None:
            self.unpriced_calls += bucket.calls
            self.unpriced.setdefault(one.model, one.reasons[0] if one.reasons else "no exact price")
        else:
            self.priced_pusd += one.pusd


def summed(items: list[Costed]) -> Sum:
    """All of *items* as one sum. In order of time, so that models stand in order of first use."""
    total = Sum()
    for one in sorted(items, key=_first_use):
        total.add(one)
    return total


def _first_use(one: Costed) -> tuple[int, str]:
    return one.bucket.first_us, one.model


def token_json(total: Sum) -> dict[str, Any]:
    """The five token counts by ccusage's names."""
    return {
        "inputTokens": total.input_tokens,
        "outputTokens": total.output_tokens,
        "cacheCreationTokens": total.cache_creation_tokens,
        "cacheReadTokens": total.cache_read_tokens,
        "totalTokens": total.total_tokens,
    }


def cost_json(pusd: int | None, name: str = "totalCost") -> dict[str, Any]:
    """
    A cost under *name* as the JSON number that ccusage's readers expect, and exactly beside it.

    Both null where nothing has a price. The number is the nearest binary fraction: for display, not for sums.
    """
    text = None if pusd is None else money.usd_text(pusd)
    return {name: None if text is None else float(text), "costUsdExact": text}


def ours_json(total: Sum) -> dict[str, Any]:
    """What ccusage does not say: how sure the figures are, and what is left out of them."""
    return {
        "kind": str(total.kind),
        "calls": total.calls,
        "unpricedCalls": total.unpriced_calls,
        "unpricedModels": sorted(total.unpriced),
        "unprovableCalls": total.unprovable_calls,
    }


def row_json(label: dict[str, str], total: Sum, *, with_cost: bool = True) -> dict[str, Any]:
    """A row: its label, counts, cost and models, dearest model first."""
    return {
        **label,
        **token_json(total),
        **(cost_json(total.pusd) if with_cost else {}),
        "modelsUsed": list(total.models),
        "modelBreakdowns": [
            {
                "modelName": model,
                "inputTokens": part.input_tokens,
                "outputTokens": part.output_tokens,
                "cacheCreationTokens": part.cache_creation_tokens,
                "cacheReadTokens": part.cache_read_tokens,
                **(cost_json(part.pusd, "cost") if with_cost else {}),
                **({"missingPricing": True} if part.unpriced_calls else {}),
                "kind": str(part.kind),
                "calls": part.calls,
            }
            for model, part in dearest_first(total)
        ],
        **ours_json(total),
    }


def totals_json(total: Sum, *, with_cost: bool = True) -> dict[str, Any]:
    """``totals``: as a row, without its models."""
    return {**token_json(total), **(cost_json(total.pusd) if with_cost else {}), **ours_json(total)}


def dearest_first(total: Sum) -> list[tuple[str, Sum]]:
    """Models by cost, the dearest first; equal ones in order of first use."""
    return sorted(total.models.items(), key=lambda item: -item[1].priced_pusd)
