"""What prompts cost under a caching policy: counts per billable unit, and rates that make dollars of them."""

from __future__ import annotations

from typing import NamedTuple

from farthing import money
from farthing.errors import BadInput


class Lifetime(NamedTuple):
    """One of the two lifetimes an entry can be written with."""

    name: str
    ms: int


FIVE_MINUTES = Lifetime("5m", 5 * 60_000)
ONE_HOUR = Lifetime("1h", 60 * 60_000)
"""Source: prompt caching page (facts: claude-api 5.4), checked 2026-11-20."""


NEVER_MS = -(2**60)
"""Before every call."""


class Rates(NamedTuple):
    """Picodollars per token of prompt, by what happens to it."""

    input_pusd: int
    write_5m_pusd: int
    write_1h_pusd: int
    read_pusd: int

    def write_pusd(self, lifetime: Lifetime) -> int:
        """What a token written with *lifetime* costs."""
        return self.write_5m_pusd if lifetime == FIVE_MINUTES else self.write_1h_pusd


def list_rates(usd_per_mtok: str) -> Rates:
    """
    The rates of a model whose input costs *usd_per_mtok*: writes 1.25 and 2 times that, reads a tenth.

    These multipliers hold for most models (facts: claude-api 1.1, checked 2026-11-20), not for all: where a model is
    known, take its own rates.

    Raises:
        BadInput: Not an amount, negative, or a product is no whole number of picodollars per token.

    """
    rate = money.parse_usd_per_mtok(usd_per_mtok)
    if rate < 0 or rate % 20:
        raise BadInput(f"read {usd_per_mtok!r} as USD per million tokens", "zero or more, in steps of 0.00002")
    return Rates(rate, rate * 5 // 4, rate * 2, rate // 10)


class Charge(NamedTuple):
    """Prompt tokens by what happened to them. Disjoint; they add up to the prompts."""

    input_tokens: int = 0
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0
    read_tokens: int = 0

    def pusd(self, rates: Rates) -> int:
        """Their exact cost in picodollars."""
        return sum(count * rate for count, rate in zip(self, rates, strict=True))

    @property
    def prompt_tokens(self) -> int:
        """All of them."""
        return sum(self)
