"""
A request's parts in the order in which a model reads them: tools, then system, then messages.

A part holds content and lives only as long as its prompt is read. Strings are blocks of text; ``cache_control`` is
taken off, for where a breakpoint stands does not change what the model reads.

Source: prompt caching page (facts: claude-api 5.1, 5.7, 0.3, 12.1), checked 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.prompts.shape import is_web_tool, mapping, mappings

if TYPE_CHECKING:
    from collections.abc import Sequence


class Section(StrEnum):
    """The three sections of a prompt, in order."""

    TOOLS = "tools"
    SYSTEM = "system"
    MESSAGES = "messages"


class Part(msgspec.Struct, frozen=True, gc=False):
    """
    One block of a prompt, with its content.

    Attributes:
        section: Web tools stand in ``system``, where they are felt.
        role: ``user``, ``assistant`` or ``system`` in messages, else empty.
        place: What of the body it stands in: ``messages.0.content``. at: where in there.
        value: The block as an object, without its ``cache_control``.
        cache_control: As it came, or None.

    """

    section: Section
    role: str
    place: str
    at: int
    value: Mapping[str, Any]
    cache_control: Any

    def __repr__(self) -> str:
        return f"<Part {self.path}, {len(self.encoded)} bytes>"

    @property
    def path(self) -> str:
        """Where it stands in the body, for error messages: ``messages.0.content.1``."""
        return f"{self.place}.{self.at}"

    @property
    def encoded(self) -> bytes:
        """The content as canonical JSON: key order kept, spaces and escapes evened out."""
        return msgspec.json.encode(self.value)

    @property
    def kind(self) -> Any:
        """Its type, as it came."""
        return self.value.get("type")

    @property
    def cacheable(self) -> bool:
        """Whether a breakpoint may stand here: not on thinking, nor on empty text."""
        kind = self.kind
        if kind in THINKING:
            return False
        return bool(self.value.get("text")) if kind == "text" else True


THINKING = ("thinking", "redacted_thinking")
ATTRIBUTION = "x-anthropic-billing-header:"


def parts_of(body: Mapping[str, Any], *, keeps_thinking: bool) -> list[Part]:
    """
    Every part in order. What is not shaped as the API wants it is skipped.

    Args:
        body: The decoded request.
        keeps_thinking: Whether the model reads the thinking of earlier turns; else it is left out once a user turn
            follows that is more than tool results.

    """
    parts = _tools(_list(body["tools"])) if body.get("tools") else []
    for at, block in _blocks(body.get("system")):
        if at or not str(block.get("text")).startswith(ATTRIBUTION):
            parts.append(_part(Section.SYSTEM, "", "system", at, block))
    messages = _list(body.get("messages"))
    section, strip_before = Section.MESSAGES, 0 if keeps_thinking else _last_user_turn(messages)
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            continue
        role, place, keeps = str(message.get("role")), f"messages.{number}.content", number >= strip_before
        for at, block in _blocks(message.get("content")):
            if keeps or block.get("type") not in THINKING:
                parts.append(_part(section, role, place, at, block))
    return parts


def _tools(listed: Sequence[Any]) -> list[Part]:
    tools = [(at, tool) for at, tool in enumerate(listed) if isinstance(tool, dict) and not tool.get("defer_loading")]
    own = [_part(Section.TOOLS, "", "tools", at, tool) for at, tool in tools if not is_web_tool(tool)]
    return own + [_part(Section.SYSTEM, "", "tools", at, tool) for at, tool in tools if is_web_tool(tool)]


def _last_user_turn(messages: Sequence[Any]) -> int:
    """Position of the newest user message that is more than tool results; 0 for none."""
    for at in range(len(messages) - 1, -1, -1):
        message = mapping(messages[at])
        content = message.get("content")
        if message.get("role") == "user" and not only_tool_results(content):
            return at
    return 0


def only_tool_results(content: object) -> bool:
    """Whether a message's content is results of tools and nothing else."""
    blocks = mappings(content)
    return bool(blocks) and all(block.get("type") == "tool_result" for block in blocks)


def _blocks(content: object) -> list[tuple[int, Mapping[str, Any]]]:
    """The blocks of a ``content`` or ``system``, each with its place in there."""
    if isinstance(content, str):
        return [(0, {"type": "text", "text": content})]
    return [
        (at, {"type": "text", "text": block} if isinstance(block, str) else block)
        for at, block in enumerate(_list(content))
        if isinstance(block, (dict, str))
    ]


def _part(section: Section, role: str, place: str, at: int, block: Mapping[str, Any]) -> Part:
    if "cache_control" not in block:
        return Part(section, role, place, at, block, None)
    content = {key: value for key, value in block.items() if key != "cache_control"}
    return Part(section, role, place, at, content, block["cache_control"])


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
