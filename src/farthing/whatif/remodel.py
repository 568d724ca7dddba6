"""
A recorded call as another model would have served it: the same text, other counts where tokenizers differ.

What is believed, and said: the answer has the same text; a token count scales by the factor between the tokenizers
(:mod:`farthing.tokens.generation`); a cached prefix below the new model's shortest is plain input.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.tokens.generation import factor_between

if TYPE_CHECKING:
    from farthing.call import ExtraPass, Served, Usage
    from farthing.prices.names import Named
    from farthing.prices.schema import Model

Belief = Literal["low", "typical", "high"]
"""Which end of a believed factor."""

_TOKENS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "thinking_tokens",
)


class Remodelled(NamedTuple):
    """The call as served by another model, and whether its cached prefix is too short to be cached there."""

    served: Served
    below_prefix_min: bool


def factor(old: Model, new: Model, belief: Belief = "typical") -> Fraction:
    """Tokens on *new* per token on *old*, to a millionth; 1 where both have one tokenizer."""
    return Fraction(round(getattr(factor_between(old.tokenizer, new.tokenizer), belief) * 10**6), 10**6)


def remodel(served: Served, named: Named, new: Model, belief: Belief = "typical") -> Remodelled:
    """
    *served* by *new* instead, on the same channel and endpoint.

    Args:
        served: What was served.
        named: What its id names: the old model.
        new: The other model.
        belief: Which end of the tokenizers' factor to take.

    """
    if new.id == named.model.id:
        return Remodelled(served, below_prefix_min=False)
    scale = factor(named.model, new, belief)
    usage = _scaled(served.usage, scale)
    cached = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    too_short = 0 < cached < (new.cacheable_prefix.tokens_min or 0)
    if too_short:
        usage = msgspec.structs.replace(
            usage,
            input_tokens=usage.input_tokens + cached,
            cache_read_tokens=0,
            cache_write_5m_tokens=0,
            cache_write_1h_tokens=0,
        )
    largest = served.prompt_tokens_max_in_one_pass
    changed = msgspec.structs.replace(
        served,
        model=new.id,
        channel=named.channel,
        location=served.location or named.endpoint,
        usage=usage,
        extra_passes=tuple(_pass(one, served.model, new.id, scale) for one in served.extra_passes),
        prompt_tokens_max_in_one_pass=None if largest is None else round(largest * scale),
        prompt_tokens_reported=None,
    )
    return Remodelled(changed, too_short)


def _pass(one: ExtraPass, old_id: str, new_id: str, scale: Fraction) -> ExtraPass:
    """A pass of the same model moves with it; one of another model stays."""
    if one.model not in {None, old_id}:
        return one
    model = None if one.model is None else new_id
    return msgspec.structs.replace(one, model=model, usage=_scaled(one.usage, scale))


def _scaled(usage: Usage, scale: Fraction) -> Usage:
    if scale == 1:
        return usage
    return msgspec.structs.replace(usage, **{name: round(getattr(usage, name) * scale) for name in _TOKENS})
