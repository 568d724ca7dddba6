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

Source: prompt caching page, table of invalidations (facts: claude-api 5.8), checked 2026-11-20. UNCONFIRMED there, and
taken as shown: that ``inference_geo`` separates caches, and which thinking mode is the default where no fact names one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WEB_TOOL_PREFIXES = ("web_search_", "web_fetch_")
"""Server tools whose presence changes the system prompt and leaves the other tools as they were."""

_MEDIUM_EFFORT = frozenset({"claude-opus-5-5", "claude-haiku-5-5"})
_THINKS_BY_DEFAULT = (
    "claude-opus-5",
    "claude-opus-5-5",
    "claude-fable-5",
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-5",
    "claude-mythos-5-1",
    "claude-mythos-5-2",
)
"""Models that refuse or restrict ``thinking: disabled`` (facts: claude-api 0.3): left out, it is taken as adaptive."""


class Shape(NamedTuple):
    """What is mixed into the hash at the start of each section, as canonical bytes."""

    tools: bytes
    system: bytes
    messages: bytes


def shape_of(body: Mapping[str, Any], model: str, inference_geo: str | None = None) -> Shape:
    """
    The shape of one request.

    Args:
        body: The decoded request; anything in it may be of the wrong type.
        model: Canonical id: an alias shares the cache of what it names.
        inference_geo: The one in force, where the caller knows a default; None: the body's own.

    """
    content = list(_content_blocks(mappings(body.get("messages"))))
    config = mapping(body.get("output_config"))
    system = {
        "speed": body.get("speed") or "standard",
        "citations": any(_cites(block) for block in content),
        "format": config.get("format"),
        "skills": mapping(body.get("container")).get("skills"),
    }
    shown = {
        "tool_choice": _tool_choice(body),
        "images": any(block.get("type") == "image" for block in content),
        "thinking": _thinking(body, model),
        "effort": config.get("effort") or ("medium" if model in _MEDIUM_EFFORT else "high"),
    }
    geo = inference_geo or body.get("inference_geo") or "global"
    return Shape(_encoded([model, geo, bool(body.get("tools"))]), _encoded(system), _encoded(shown))


def is_web_tool(tool: Mapping[str, Any]) -> bool:
    """Whether a tool is Anthropic's web search or web fetch."""
    return str(tool.get("type")).startswith(WEB_TOOL_PREFIXES)


def _tool_choice(body: Mapping[str, Any]) -> Any:
    choice = mapping(body.get("tool_choice"))
    if not body.get("tools"):
        return None
    return [choice.get("type") or "auto", choice.get("name"), bool(choice.get("disable_parallel_tool_use"))]


def _thinking(body: Mapping[str, Any], model: str) -> Any:
    thinking = mapping(body.get("thinking"))
    mode = thinking.get("type") or ("adaptive" if model in _THINKS_BY_DEFAULT else "disabled")
    return [mode, thinking.get("budget_tokens")]


def _cites(block: Mapping[str, Any]) -> bool:
    return mapping(block.get("citations")).get("enabled") is True


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


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)
