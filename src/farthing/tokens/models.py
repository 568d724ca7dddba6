"""What a model's id says about how it counts: its tokenizer, its image tier, what becomes of old thinking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from farthing.prices.book import shipped_book

if TYPE_CHECKING:
    from farthing.prices.book import PriceBook

Tokenizer = Literal["pre-4.7", "4.7"]
"""Two generations are known; the newer one came with Opus 4.7 on 2026-04-16 (facts: prices 4.11)."""

ImageTier = Literal["standard", "high"]

_KEEP_THINKING_BEFORE_4_7 = frozenset({"claude-opus-4-5-20251101", "claude-opus-4-6", "claude-sonnet-4-6"})
"""
Models of the old tokenizer that take the thinking of earlier turns as input, as all models of the new one do.

Source: prompt caching page, snapshot 2026-08-22 (facts: claude-api 0.3).
"""


class Traits(NamedTuple):
    """
    How one model counts.

    Attributes:
        model: Its canonical Claude API id.
        tokenizer: The generation of its tokenizer.
        keeps_thinking: Thinking of earlier turns stays in the prompt; otherwise the API strips it once a new user turn
            that is not a tool result arrives.

    """

    model: str
    tokenizer: Tokenizer
    keeps_thinking: bool

    @property
    def image_tier(self) -> ImageTier:
        """High resolution came with 4.7, as did the tokenizer (facts: claude-api 7.2)."""
        return image_tier(self.tokenizer)


class Unknowable(NamedTuple):
    """Why no number of tokens can be given. Not an error of the caller's, and never a zero."""

    reason: str


def image_tier(tokenizer: Tokenizer) -> ImageTier:
    """The image tier of the models that have this tokenizer."""
    return "high" if tokenizer == "4.7" else "standard"


def traits_of(model_id: str, channel: str = "claude_api", book: PriceBook | None = None) -> Traits | Unknowable:
    """
    Look up by exact id on *channel*; an id that is in no table is unknowable, with the nearest ids in the reason.

    *book* defaults to the one that ships with farthing.
    """
    book = book or shipped_book()
    named = book.names.find(model_id, channel)
    if named is None:
        nearest = ", ".join(book.names.nearest(model_id)) or "none"
        return Unknowable(
            f"model {model_id!r} is not in the price book, so its tokenizer is unknown; nearest: {nearest}"
        )
    model = named.model
    keeps = model.tokenizer == "4.7" or model.id in _KEEP_THINKING_BEFORE_4_7
    return Traits(model.id, model.tokenizer, keeps)
