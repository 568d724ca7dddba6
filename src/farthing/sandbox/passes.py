"""
The sampling passes of one response, and what its ``usage`` says of them.

The top level covers the passes of the attempt that served; everything else (compactions, advisors, declined attempts)
is billed beside it and shows only in ``iterations``. There a fallback's last pass is a ``fallback_message``, the passes
of its tool loop before that are ``message`` entries of its model, and so are declined attempts of theirs.

Source: facts: claude-api 3.2 to 3.4, and the official SDK's descriptions (2.8), checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.call import ExtraPass, PassKind, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGE, FALLBACK = "message", "fallback_message"
NOTHING = Usage()
_EXTRA = {
    "compaction": PassKind.COMPACTION,
    "advisor_message": PassKind.ADVISOR,
    MESSAGE: PassKind.DECLINED,  # only of another model than the one that served
}


class Declined(NamedTuple):
    """Why an attempt was declined, which a block of the content says, and the speed it ran at, which nothing does."""

    category: str | None
    speed: str


class Pass(NamedTuple):
    """
    One sampling pass.

    Attributes:
        kind: Its ``type`` in ``iterations``.
        model: Who ran it, canonical id.
        usage: Its own counts, uses of server tools included.
        declined: None where it was not, or no other model was left to go on.

    """

    kind: str
    model: str
    usage: Usage
    declined: Declined | None = None


class ServedAs(NamedTuple):
    """What a response's ``usage`` says beside counts."""

    service_tier: str
    inference_geo: str
    speed: str


def checked(usage: Usage, prompt_tokens: int) -> Usage:
    """*usage*, which must keep what every real response keeps: its parts are the prompt, and thinking is output."""
    assert min(msgspec.structs.astuple(usage)) >= 0, "counts are never negative"
    assert usage.prompt_tokens == prompt_tokens, "fresh input, writes and reads are the prompt"
    assert usage.thinking_tokens <= usage.output_tokens, "thinking is part of the output"
    return usage


def covered(passes: Sequence[Pass]) -> list[Pass]:
    """The passes that the top level sums up."""
    sampled = [one for one in passes if one.kind in (MESSAGE, FALLBACK)]
    return [one for one in sampled if one.model == sampled[-1].model]


def total(passes: Sequence[Pass]) -> Usage:
    """The top level: the sum of what it covers."""
    rows = [msgspec.structs.astuple(one.usage) for one in covered(passes)]
    return Usage(*(sum(column) for column in zip(*rows, strict=True))) if rows else Usage()


def extra_passes(passes: Sequence[Pass]) -> tuple[ExtraPass, ...]:
    """What is billed beside the top level, in order; ``iterations`` do not say how much of it was thinking."""
    serving = covered(passes)
    return tuple(
        ExtraPass(
            _EXTRA[one.kind],
            msgspec.structs.replace(one.usage, thinking_tokens=0),
            one.model,
            None if one.declined is None else one.declined.category or "",
        )
        for one in passes
        if one not in serving
    )


def cut(passes: Sequence[Pass], last: int, output_tokens: int, thinking_tokens: int) -> list[Pass]:
    """What had run when the pass *last* had put out so much: for a client that left."""
    at_cut = passes[last]
    output = min(output_tokens, at_cut.usage.output_tokens)
    thinking = min(thinking_tokens, output)
    tools = _no_tools(at_cut.usage, output)
    usage = msgspec.structs.replace(at_cut.usage, output_tokens=output, thinking_tokens=thinking, **tools)
    return [*passes[:last], at_cut._replace(usage=usage)]


def _no_tools(usage: Usage, output_tokens: int) -> dict[str, int]:
    """A pass that was cut before its end had not used its tool."""
    if output_tokens == usage.output_tokens:
        return {}
    return {"web_search_requests": 0, "web_fetch_requests": 0, "code_execution_requests": 0}


def usage_json(passes: Sequence[Pass], served_as: ServedAs, *, iterations: bool) -> dict[str, Any]:
    """The ``usage`` of a whole response."""
    usage = total(passes)
    return {
        **_counts(usage),
        "output_tokens_details": {"thinking_tokens": usage.thinking_tokens},
        "server_tool_use": _tools(usage),
        **served_as._asdict(),
        **({"iterations": [_entry(one) for one in passes]} if iterations else {}),
    }


def start_json(usage: Usage, served_as: ServedAs) -> dict[str, Any]:
    """The ``usage`` of ``message_start``: the first pass's input, and a placeholder for the output."""
    return {**_counts(usage), "output_tokens": 1, "server_tool_use": None, **served_as._asdict()}


def delta_json(passes: Sequence[Pass], *, iterations: bool) -> dict[str, Any]:
    """The ``usage`` of the final ``message_delta``: running totals, never the split, tier, geo or speed."""
    usage = total(passes)
    counts = _counts(usage)
    del counts["cache_creation"]
    tools = _tools(usage)
    return {
        **counts,
        "output_tokens_details": {"thinking_tokens": usage.thinking_tokens},
        **({"server_tool_use": tools} if any(tools.values()) else {}),
        **({"iterations": [_entry(one) for one in passes]} if iterations else {}),
    }


def _counts(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
    }


def _tools(usage: Usage) -> dict[str, int]:
    tools = {"web_search_requests": usage.web_search_requests, "web_fetch_requests": usage.web_fetch_requests}
    if usage.code_execution_requests:
        tools["code_execution_requests"] = usage.code_execution_requests
    return tools


def _entry(one: Pass) -> dict[str, Any]:
    named = {"model": one.model} if one.kind != "compaction" else {}
    return {"type": one.kind, **named, **_counts(one.usage)}
