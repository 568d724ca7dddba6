"""A request's body to what a :class:`~farthing.call.Call` keeps of it: wishes, and the prompt in hashed blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.call import PromptBlock, Request
from farthing.prompts.blocks import read_prompt
from farthing.prompts.breakpoints import BadBreakpoint
from farthing.prompts.dials import Dials
from farthing.prompts.parts import Section
from farthing.prompts.shape import dials_of, mapping, text
from farthing.tokens.models import Unknowable, traits_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.prompts.blocks import Counter, Prompt


def request_of(body: Mapping[str, Any], counter: Counter) -> Request:
    """
    What *body* asks for. Block hashes are those under the dials that the request itself names.

    Args:
        body: The decoded request; what is not shaped as the API wants it is left out.
        counter: Counts tokens.

    """
    prompt = _prompt(body, counter)
    dials = dials_of(body, prompt.model)
    tools, longest = body.get("tools"), body.get("max_tokens")
    return Request(
        model=text(body.get("model")) or "",
        stream=body.get("stream") is True,
        max_tokens=longest if type(longest) is int else None,
        effort=dials.effort,
        thinking=dials.thinking,
        thinking_budget_tokens=dials.thinking_budget_tokens,
        speed=dials.speed,
        inference_geo=dials.inference_geo,
        service_tier=text(body.get("service_tier")),
        tools=len(tools) if isinstance(tools, list) else 0,
        tools_tokens=sum(block.tokens for block in prompt.blocks if block.section is Section.TOOLS),
        cache_automatic=bool(mapping(body.get("cache_control"))),
        blocks=tuple(
            PromptBlock(block.prefix_hash, block.tokens, str(block.section), block.ttl, block.cacheable)
            for block in prompt.blocks
        ),
    )


def recorded_dials(request: Request) -> Dials:
    """The dials under which the hashes of a recorded request stand."""
    traits = traits_of(request.model)
    return Dials(
        request.model if isinstance(traits, Unknowable) else traits.model,
        request.inference_geo,
        request.speed,
        request.thinking,
        request.thinking_budget_tokens,
        request.effort,
    )


def _prompt(body: Mapping[str, Any], counter: Counter) -> Prompt:
    try:
        return read_prompt(body, counter)
    except BadBreakpoint:  # the API refuses it; what it would have read is there all the same
        return read_prompt(body, counter, breakpoints=False)
