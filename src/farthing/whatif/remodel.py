"""
A recorded call as another model would have served it: the same text, other counts where tokenizers differ.

What is believed, and said: the answer has the same text; a token count scales by the factor between the tokenizers
(:mod:`farthing.tokens.generation`); a cached prefix below the new model's shortest is plain input.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.call import Usage
from farthing.tokens.generation import factor_between

if TYPE_CHECKING:
    from farthing.call import ExtraPass, Served
    from farthing.prices.names import Named
    from farthing.prices.schema import Model
    from farthing.tokens.models import Tokenizer

Belief = Literal["low", "typical", "high"]
"""Which end of a believed factor."""

_MILLION = 10**6


class Remodelled(NamedTuple):
    """The call as served by another model, and whether its cached prefix is too short to be cached there."""

    served: Served
    below_prefix_min: bool


def factor(old: Model, new: Model, belief: Belief = "typical") -> Fraction:
    """Tokens on *new* per token on *old*, to a millionth; 1 where both have one tokenizer."""
    return Fraction(_millionths(old.tokenizer, new.tokenizer, belief), _MILLION)


@cache
def _millionths(old: Tokenizer, new: Tokenizer, belief: Belief) -> int:
    believed: float = getattr(factor_between(old, new), belief)
    return round(believed * _MILLION)


def _times(tokens: int, millionths: int) -> int:
    """Scaled, to the nearest token, halves up: in integers, for there are many."""
    return (tokens * millionths + _MILLION // 2) // _MILLION


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
    scale = _millionths(named.model.tokenizer, new.tokenizer, belief)
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
        prompt_tokens_max_in_one_pass=None if largest is None else _times(largest, scale),
        prompt_tokens_reported=None,
    )
    return Remodelled(changed, too_short)


def _pass(one: ExtraPass, old_id: str, new_id: str, scale: int) -> ExtraPass:
    """A pass of the same model moves with it; one of another model stays."""
    if one.model not in {None, old_id}:
        return one
    model = None if one.model is None else new_id
    return msgspec.structs.replace(one, model=model, usage=_scaled(one.usage, scale))


def _scaled(usage: Usage, scale: int) -> Usage:
    if scale == _MILLION:
        return usage
    return Usage(
        input_tokens=_times(usage.input_tokens, scale),
        cache_write_5m_tokens=_times(usage.cache_write_5m_tokens, scale),
        cache_write_1h_tokens=_times(usage.cache_write_1h_tokens, scale),
        cache_read_tokens=_times(usage.cache_read_tokens, scale),
        output_tokens=_times(usage.output_tokens, scale),
        thinking_tokens=_times(usage.thinking_tokens, scale),
        web_search_requests=usage.web_search_requests,
        web_fetch_requests=usage.web_fetch_requests,
        code_execution_requests=usage.code_execution_requests,
    )
