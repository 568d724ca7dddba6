"""
The vocabulary of what can be billed.

Token units are disjoint: a token is counted in exactly one of them. ``thinking_tokens`` are part of
``output_tokens`` and so are not a unit of their own.
"""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """One thing that a Claude bill counts. The value is the name used in columns, JSON and price files."""

    INPUT = "input_tokens"
    CACHE_WRITE_5M = "cache_write_5m_tokens"
    CACHE_WRITE_1H = "cache_write_1h_tokens"
    CACHE_READ = "cache_read_tokens"
    OUTPUT = "output_tokens"
    WEB_SEARCH = "web_search_requests"


TOKEN_UNITS = (Unit.INPUT, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.CACHE_READ, Unit.OUTPUT)
"""The five token classes, in the order in which every table, rate row and bill lists them."""

PROMPT_UNITS = TOKEN_UNITS[:4]
"""Their counts add up to the prompt: what decides a price band."""


class Kind(StrEnum):
    """
    How a figure came to be. Every figure shown carries one.

    ``measured``: from the facts of a response. ``derived``: an exact consequence of measured facts.
    ``assumed``: needs a belief, such as an estimate of tokens or an endpoint that nobody stated.
    """

    MEASURED = "measured"
    DERIVED = "derived"
    ASSUMED = "assumed"


_WEIGHT = {Kind.MEASURED: 0, Kind.DERIVED: 1, Kind.ASSUMED: 2}


def weakest(*kinds: Kind) -> Kind:
    """The kind of a figure made from others: as weak as its weakest part. No parts at all is ``measured``."""
    return max(kinds, key=_WEIGHT.__getitem__, default=Kind.MEASURED)
