"""One number of tokens with its interval, how it came to be and on what it rests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable


class Estimate(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A count of tokens before the call.

    Attributes:
        tokens: The best single figure, >= 0.
        low: The interval's lower end, ``0 <= low <= tokens``.
        high: Its upper end, ``tokens <= high``. Where *basis* names no other level, about nine in ten cases are meant
            to fall inside; ``low == high`` claims exactness.
        kind: ``derived`` where the count follows from a published rule or number, ``assumed`` otherwise.
        basis: How it was obtained, in a phrase. Never holds the text that was counted.

    """

    tokens: int
    low: int
    high: int
    kind: Kind = Kind.ASSUMED
    basis: str = ""

    def __post_init__(self) -> None:
        """Hold the order that every reader relies on."""
        assert 0 <= self.low <= self.tokens <= self.high, "an interval must hold its own figure"

    def times(self, count: int) -> Estimate:
        """*count* things of this size, their errors all going the same way."""
        return msgspec.structs.replace(self, tokens=self.tokens * count, low=self.low * count, high=self.high * count)


NOTHING = Estimate(0, 0, 0, Kind.DERIVED)
"""No tokens, exactly."""


def exactly(tokens: int, basis: str) -> Estimate:
    """A count that follows from a published rule or number."""
    return Estimate(tokens, tokens, tokens, Kind.DERIVED, basis)


def within(low: float, tokens: float, high: float, basis: str) -> Estimate:
    """An assumed count: rounded outwards to whole tokens, clamped to be in order and not negative."""
    middle = max(0, round(tokens))
    return Estimate(middle, max(0, min(middle, int(low))), max(middle, -int(-high // 1)), Kind.ASSUMED, basis)


def total(parts: Iterable[Estimate], basis: str = "") -> Estimate:
    """
    Add up. Ends are added to ends: errors of one tokenizer lean the same way, so they are not taken to cancel.

    *basis* replaces the parts' own; left empty, the distinct ones are joined in order.
    """
    parts = [part for part in parts if part.high or part.basis]
    if not parts:
        return msgspec.structs.replace(NOTHING, basis=basis)
    return Estimate(
        sum(part.tokens for part in parts),
        sum(part.low for part in parts),
        sum(part.high for part in parts),
        weakest(*(part.kind for part in parts)),
        basis or "; ".join(dict.fromkeys(part.basis for part in parts if part.basis)),
    )
