"""
Sizes counted with one tokenizer, priced on a model with another: a factor that is only believed.

The factor and its range are :mod:`farthing.tokens.generation`'s. For other vendors nobody publishes one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from farthing.tokens.generation import NEW_PER_OLD, Factor, factor_between
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.estimate.workload import Workload
    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model

FactorAt = Literal["low", "typical", "high"]
"""Which end of a believed factor."""

OTHER_VENDOR = Factor(1 / NEW_PER_OLD.high, 1.0, NEW_PER_OLD.high)
"""
Another vendor's tokens per Claude token of the same text: assumed 1.0, no figure is published.

The range is the widest step seen between Claude's own two tokenizers, taken either way as a yardstick.
"""


def reference_tokenizer(workload: Workload, book: PriceBook) -> Literal["4.7", "pre-4.7"]:
    """The tokenizer that the sizes were counted with: as stated, else that of the known model used most."""
    if workload.tokenizer is not None:
        return workload.tokenizer
    for model_id in sorted(workload.models, key=lambda one: workload.models[one], reverse=True):
        named = book.names.find(model_id, workload.channel)
        if named is not None:
            return named.model.tokenizer
    return "4.7"


def factor_for(
    workload: Workload, model: Model, book: PriceBook, notes: dict[str, Kind], which: FactorAt = "typical"
) -> Fraction:
    """
    What to multiply the workload's sizes by on *model*; ``low``, ``typical`` or ``high`` end of the belief.

    Adds a note wherever the factor is not 1.
    """
    old, new = reference_tokenizer(workload, book), model.tokenizer
    if old == new:
        return Fraction(1)
    factor = factor_between(old, new)
    notes[
        f"{model.id}: sizes were counted with the {old} tokenizer; assumed tokenizer factor {factor.typical:.2f} "
        f"({factor.low:.2f} to {factor.high:.2f})"
    ] = Kind.ASSUMED
    return exact(getattr(factor, which))


def exact(factor: float) -> Fraction:
    """A believed factor as a fraction, to a millionth."""
    return Fraction(round(factor * 10**6), 10**6)
