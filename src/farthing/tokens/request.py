"""
A whole Messages request: how many input tokens, section by section, before it is sent.

What is counted is the prompt: the sum of fresh input, cache writes and cache reads of the answer. Nothing here looks at
caching, and nothing keeps the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.tokens.blocks import MESSAGE_FRAME, REQUEST_FRAME, Piece, json_piece, pieces
from farthing.tokens.figure import Estimate, total, within
from farthing.tokens.letters import ContentKind
from farthing.tokens.models import Traits, Unknowable, traits_of
from farthing.tokens.tools import tools_estimate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from farthing.prices.book import PriceBook

TEXT_SECTIONS = ("system", "tools", "user", "assistant", "documents")
"""Sections that hold text, whose error a correction can be learned for."""

SECTIONS = ("system", "tools", "user", "assistant", "images", "documents", "overhead")
"""Every section, in the order in which they are listed."""

_FORMAT_PROMPT = within(0, 250, 1000, "structured-output prompt of unpublished size, our belief")
_DOMINANT_SHARE = 0.8


class RequestEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """
    Input tokens of one request.

    Attributes:
        model: Canonical id of the model it was counted for.
        sections: Estimate per section of :data:`SECTIONS`; empty sections are left out.
        content: The content kind that most of the text is of; ``mixed`` where none makes up four fifths.
        calls_learned_from: Metered calls behind the correction; 0: none applied.
        notes: What the body does not show, in sentences.

    """

    model: str
    sections: dict[str, Estimate]
    content: ContentKind
    calls_learned_from: int = 0
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Estimate:
        """The whole prompt: the sections' ends added to ends."""
        return total(self.sections.values(), "sum of sections")

    @property
    def text(self) -> Estimate:
        """The part of the prompt that is text."""
        return total((self.sections[name] for name in TEXT_SECTIONS if name in self.sections), "text sections")


def estimate_request(
    body: Mapping[str, Any] | bytes,
    *,
    model: str | None = None,
    channel: str = "claude_api",
    on: date | None = None,
    book: PriceBook | None = None,
) -> RequestEstimate | Unknowable:
    """
    Estimate the prompt tokens of a Messages request body.

    Args:
        body: The decoded JSON object, or its bytes.
        model: Id to count for in place of the body's own, as on channels that name it in the URL.
        channel: Whose ids *model* is one of.
        on: Day of the request, for the dated numbers; None: as newly as is known.
        book: Where models are looked up; the shipped one by default.

    Returns:
        The estimate, or why there can be none: the model is not known exactly, or the request continues a thread, whose
        conversation is on the server.

    Raises:
        BadInput: The body is not JSON, not an object, or ``messages`` is not a list.

    """
    body = _object(body)
    if _mapping(body.get("thread")).get("type") == "continue":
        return Unknowable("the request continues a thread: the server holds the conversation, the body tells nothing")
    wanted = model if model is not None else body.get("model")
    if not isinstance(wanted, str):
        return Unknowable("no model is named, so the tokenizer is unknown")
    traits = traits_of(wanted, channel, book)
    return traits if isinstance(traits, Unknowable) else _estimate(body, traits, on)


def _estimate(body: Mapping[str, Any], traits: Traits, on: date | None) -> RequestEstimate:
    found: dict[str, list[Estimate]] = {name: [] for name in SECTIONS}
    by_kind: dict[ContentKind | None, int] = {}
    for section, piece in _all_pieces(body, traits):
        found[section].append(piece.estimate)
        if section in TEXT_SECTIONS:
            by_kind[piece.kind] = by_kind.get(piece.kind, 0) + piece.estimate.tokens
    hidden, defined = tools_estimate(_mappings(body.get("tools")), _mapping(body.get("tool_choice")), traits, on)
    found["overhead"].append(hidden)
    found["tools"].append(defined)
    by_kind[ContentKind.JSON] = by_kind.get(ContentKind.JSON, 0) + defined.tokens
    return RequestEstimate(
        model=traits.model,
        sections={name: total(parts) for name, parts in found.items() if any(part.high for part in parts)},
        content=_dominant(by_kind),
        notes=tuple(_unseen(body)),
    )


def _all_pieces(body: Mapping[str, Any], traits: Traits) -> Iterator[tuple[str, Piece]]:
    yield "overhead", Piece("overhead", REQUEST_FRAME)
    for piece in pieces(body.get("system"), traits):
        yield _section("system", piece), piece
    messages = _messages(body)
    stripped_before = 0 if traits.keeps_thinking else _last_user_turn(messages)
    for position, message in enumerate(messages):
        role = {"assistant": "assistant", "system": "system"}.get(str(message.get("role")), "user")
        content = message.get("content")
        if position < stripped_before:
            content = _without_thinking(content)
        yield "overhead", Piece("overhead", MESSAGE_FRAME)
        for piece in pieces(content, traits):
            yield _section(role, piece), piece
    schema = _mapping(_mapping(body.get("output_config")).get("format"))
    if schema:
        yield "overhead", Piece("overhead", _FORMAT_PROMPT)
        yield "system", json_piece(schema.get("schema", schema), traits)


def _section(role: str, piece: Piece) -> str:
    return {"text": role, "image": "images", "document": "documents"}.get(piece.section, "overhead")


def _last_user_turn(messages: Sequence[Mapping[str, Any]]) -> int:
    """Position of the newest user message that is more than tool results; thinking before it is stripped."""
    for position in range(len(messages) - 1, -1, -1):
        content = messages[position].get("content")
        if messages[position].get("role") == "user" and not _only_tool_results(content):
            return position
    return 0


def _only_tool_results(content: object) -> bool:
    return isinstance(content, list) and all(_mapping(block).get("type") == "tool_result" for block in content)


def _without_thinking(content: object) -> object:
    if not isinstance(content, list):
        return content
    return [block for block in content if _mapping(block).get("type") not in {"thinking", "redacted_thinking"}]


def _dominant(by_kind: Mapping[ContentKind | None, int]) -> ContentKind:
    kind, tokens = max(by_kind.items(), key=lambda item: item[1])
    if kind is None or tokens < _DOMINANT_SHARE * sum(by_kind.values()):
        return ContentKind.MIXED
    return kind if tokens else ContentKind.PROSE


_UNSEEN = {
    "mcp_servers": "MCP servers add definitions and results that the body does not show",
    "context_management": "context management may drop old content before the model reads it",
    "fallbacks": "a fallback model counts with its own tokenizer",
}


def _unseen(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (note for field, note in _UNSEEN.items() if body.get(field))
    if _mapping(body.get("container")).get("skills"):
        yield "skills add prompt tokens that the body does not show"
    kinds = {str(tool.get("type", "custom")) for tool in _mappings(body.get("tools"))}
    if any(kind.startswith(("web_", "code_execution", "mcp_toolset")) for kind in kinds):
        yield "a server tool's results are input of further passes; only the first is estimated"


def _object(body: Mapping[str, Any] | bytes) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise BadInput("read a request body that is not a JSON object", "a Messages request", "check what was sent")
    return decoded


def _messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        found = "none" if messages is None else type(messages).__name__
        raise BadInput(f"read a request body whose messages are {found}", "a list", "send a Messages request")
    return _mappings(messages)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
