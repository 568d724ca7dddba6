"""
What shapes a prompt beside its blocks, by the section from which it is felt.

======================================  =================================
what changes                            what is lost from the cache
======================================  =================================
model, ``inference_geo``, tools at all  everything
web search or fetch, citations, speed,  system and messages
output format, skills
``tool_choice``, images at all,         messages
thinking, effort
======================================  =================================

An explicit value that equals the default equals leaving it out. Not here, for they change nothing: ``max_tokens``,
``stream``, ``stop_sequences``, ``metadata``, ``thinking.display``.

Model, ``inference_geo``, speed, thinking and effort are mixed in apart from the rest (:mod:`farthing.prompts.dials`).

Source: prompt caching page, table of invalidations (facts: claude-api 5.8), checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.prompts.dials import Dials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WEB_TOOL_PREFIXES = ("web_search_", "web_fetch_")
"""Server tools whose presence changes the system prompt and leaves the other tools as they were."""


class Shape(NamedTuple):
    """What is mixed into the hash at the start of each section, as canonical bytes."""

    tools: bytes
    system: bytes
    messages: bytes


def shape_of(body: Mapping[str, Any]) -> Shape:
    """The shape of one request, without its dials; anything in *body* may be of the wrong type."""
    cites, shows = felt_of(mappings(body.get("messages")))
    return shape_with(body, cites=cites, shows=shows)


def felt_of(messages: Sequence[Mapping[str, Any]]) -> tuple[bool, bool]:
    """Whether a block of *messages* has citations, and whether there is an image."""
    cites = shows = False
    for block in _content_blocks(messages):
        cites = cites or ("citations" in block and mapping(block["citations"]).get("enabled") is True)
        shows = shows or block.get("type") == "image"
    return cites, shows


def shape_with(body: Mapping[str, Any], *, cites: bool, shows: bool) -> Shape:
    """
    The same, of a request whose messages the caller has looked at.

    Args:
        body: The decoded request; its messages are not looked at.
        cites: Whether a block of them has citations.
        shows: Whether there is an image among them.

    """
    wanted = mapping(body.get("output_config")).get("format"), mapping(body.get("container")).get("skills")
    system = _PLAIN_SYSTEM[cites] if wanted == (None, None) else _system(cites, *wanted)
    if body.get("tools"):
        return Shape(b"true", system, _messages(shows, _tool_choice(body)))
    return Shape(b"false", system, _PLAIN_MESSAGES[shows])


def _system(cites: bool, wanted_format: Any, skills: Any) -> bytes:  # noqa: FBT001 - called by position
    return msgspec.json.encode({"citations": cites, "format": wanted_format, "skills": skills})


def _messages(shows: bool, tool_choice: Any) -> bytes:  # noqa: FBT001 - called by position
    return msgspec.json.encode({"tool_choice": tool_choice, "images": shows})


_PLAIN_SYSTEM = {cites: _system(cites, None, None) for cites in (False, True)}
_PLAIN_MESSAGES = {shows: _messages(shows, None) for shows in (False, True)}
"""Of nearly all requests."""


def dials_of(body: Mapping[str, Any], model: str, inference_geo: str | None = None) -> Dials:
    """
    The dials of one request.

    Args:
        body: The decoded request; anything in it may be of the wrong type.
        model: Canonical id.
        inference_geo: The one in force, where the caller knows a default; None: the body's own.

    """
    thinking = mapping(body.get("thinking"))
    geo, budget = inference_geo or body.get("inference_geo"), thinking.get("budget_tokens")
    return Dials(
        model,
        text(geo),
        text(body.get("speed")),
        text(thinking.get("type")),
        budget if type(budget) is int else None,
        text(mapping(body.get("output_config")).get("effort")),
    )


def is_web_tool(tool: Mapping[str, Any]) -> bool:
    """Whether a tool is Anthropic's web search or web fetch."""
    return str(tool.get("type")).startswith(WEB_TOOL_PREFIXES)


def _tool_choice(body: Mapping[str, Any]) -> Any:
    choice = mapping(body.get("tool_choice"))
    return [choice.get("type") or "auto", choice.get("name"), bool(choice.get("disable_parallel_tool_use"))]


def _content_blocks(messages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every content block, and those inside tool results and documents."""
    for message in messages:
        for block in mappings(message.get("content")):
            yield block
            if "content" in block:
                yield from mappings(block["content"])
            if "source" in block:
                yield from mappings(mapping(block["source"]).get("content"))


def mapping(value: object) -> Mapping[str, Any]:
    """*value* where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects of *value* where it is a list, else none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object) -> str | None:
    """*value* where it is text that says something, else None."""
    return value if isinstance(value, str) and value else None
