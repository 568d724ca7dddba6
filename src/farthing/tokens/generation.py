"""The same text under the other tokenizer: a factor with a range, for what-if only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.tokens.figure import Estimate, within

if TYPE_CHECKING:
    from farthing.tokens.models import Tokenizer


class Factor(NamedTuple):
    """A multiplier that is only believed: typical value and range."""

    low: float
    typical: float
    high: float


NEW_PER_OLD = Factor(1.0, 1.30, 1.47)
"""
Tokens under the 4.7 tokenizer per token under the older one, for the same text.

About 1.30 and the documented range 1.0 to 1.35: vendor, pricing and models pages of 2026-09 and 2026-10 (facts: prices
4.11; the words per million tokens printed there, 750 k and 555 k, make 1.35). Up to 1.47 is third-party (facts: recent
changes, 2026) and sets the upper end, for an interval must hold what people have seen.
"""

SAME = Factor(1.0, 1.0, 1.0)


def factor_between(old: Tokenizer, new: Tokenizer) -> Factor:
    """What to multiply a text's count under *old* by to get its count under *new*."""
    if old == new:
        return SAME
    if new == "4.7":
        return NEW_PER_OLD
    return Factor(1 / NEW_PER_OLD.high, 1 / NEW_PER_OLD.typical, 1 / NEW_PER_OLD.low)


def convert_text_tokens(tokens: int | Estimate, old: Tokenizer, new: Tokenizer) -> Estimate:
    """
    What *tokens* of text, counted or estimated under *old*, would be under *new*.

    For text alone: images and hidden prompts have rules of their own (:mod:`~farthing.tokens.images`,
    :mod:`~farthing.tokens.tools`). Always ``assumed`` unless the tokenizers are the same and the count was better.
    """
    given = tokens if isinstance(tokens, Estimate) else within(tokens, tokens, tokens, "counted")
    if old == new:
        return given
    low, typical, high = factor_between(old, new)
    basis = f"x {typical:.2f} ({low:.2f} to {high:.2f}) from the {old} to the {new} tokenizer"
    return within(given.low * low, given.tokens * typical, given.high * high, basis)
