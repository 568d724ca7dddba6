"""
One content block of a Messages body at a time: what it holds and what that costs.

Blocks come from strangers, so everything is checked before it is read, and a type nobody has told us of is counted by
its text with a wide margin instead of not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.tokens.documents import estimate_base64_pdf, estimate_pdf
from farthing.tokens.figure import Estimate, within
from farthing.tokens.image_size import base64_image_size
from farthing.tokens.images import estimate_image
from farthing.tokens.text import estimate_with_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.tokens.letters import ContentKind
    from farthing.tokens.models import Traits

Block = Mapping[str, Any]


class Piece(NamedTuple):
    """
    A part of a request.

    Attributes:
        section: ``text``, ``image``, ``document`` or ``overhead``: which total it belongs to. Text counts under the
            role it is said in.
        estimate: Its tokens.
        kind: The content kind of text, None for everything else.

    """

    section: str
    estimate: Estimate
    kind: ContentKind | None = None


# The wrapping of each part is not published. One user message costs 7.8 tokens more than its text on Claude 3 Haiku
# (484 requests): four and four below. The rest are our belief.
MESSAGE_FRAME = within(3, 4, 8, "frame of a message")
REQUEST_FRAME = within(0, 4, 8, "frame of the request")
TOOL_USE_FRAME = within(5, 20, 60, "frame of a tool use")
TOOL_RESULT_FRAME = within(5, 15, 40, "frame of a tool result")
_CITATIONS = within(0, 250, 1000, "citation prompt of unpublished size, our belief")

_BYTES_PER_BASE64_CHAR = 0.75
_BYTES_PER_TOKEN = 4.0


_DEPTH_MAX = 8
"""Blocks nest twice at most in a valid request (a document inside a tool result); deeper ones count by their JSON."""


def pieces(content: object, traits: Traits, depth: int = 0) -> Iterator[Piece]:
    """Every piece of a message's ``content``: a string, or a list of blocks. *depth* is how deep it is nested."""
    if isinstance(content, str):
        yield text_piece(content, traits)
    elif isinstance(content, Sequence) and not isinstance(content, bytes):
        for block in content:
            if isinstance(block, str):
                yield text_piece(block, traits)
            elif isinstance(block, Mapping):
                yield from _block(block, traits, depth)


def text_piece(text: str, traits: Traits) -> Piece:
    """A piece of plain text."""
    estimate, kind = estimate_with_kind(text, traits.tokenizer)
    return Piece("text", estimate, kind)


def json_piece(value: object, traits: Traits) -> Piece:
    """A value that the model reads as JSON, such as a tool's input."""
    return text_piece(msgspec.json.encode(value).decode(), traits)


def _block(block: Block, traits: Traits, depth: int) -> Iterator[Piece]:
    match block.get("type") if depth < _DEPTH_MAX else "nested too deep":
        case "text":
            yield text_piece(_str(block.get("text")), traits)
        case "image":
            yield Piece("image", _image(_mapping(block.get("source")), traits))
        case "document":
            yield from _document(block, traits, depth)
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            yield Piece("overhead", TOOL_USE_FRAME)
            yield text_piece(_str(block.get("name")), traits)
            yield json_piece(block.get("input"), traits)
        case "tool_result" | "mcp_tool_result":
            yield Piece("overhead", TOOL_RESULT_FRAME)
            yield from pieces(block.get("content"), traits, depth + 1)
        case "search_result":
            yield text_piece(f"{_str(block.get('title'))}\n{_str(block.get('source'))}", traits)
            yield from pieces(block.get("content"), traits, depth + 1)
        case "thinking" | "redacted_thinking":
            yield Piece("text", thinking(block, traits), None)
        case other:
            yield _unknown(block, str(other), traits)


def thinking(block: Block, traits: Traits) -> Estimate:
    """
    A thinking block sent back: at least what is shown of it, at most what its encrypted part can hold.

    What the model reads is the raw thinking; the text may be a summary of it, or empty (facts: claude-api 2 and 3.8).
    """
    shown = estimate_with_kind(_str(block.get("thinking")), traits.tokenizer)[0]
    sealed = _str(block.get("signature")) + _str(block.get("data"))
    inside = len(sealed) * _BYTES_PER_BASE64_CHAR / _BYTES_PER_TOKEN
    middle = max(shown.tokens, inside / 2)
    return within(shown.low, middle, max(shown.high, inside), "thinking sent back, its raw length is sealed")


def _image(source: Block, traits: Traits) -> Estimate:
    size = base64_image_size(_str(source.get("data"))) if source.get("type") == "base64" else None
    return estimate_image(size, traits.image_tier)


def _document(block: Block, traits: Traits, depth: int) -> Iterator[Piece]:
    source = _mapping(block.get("source"))
    match source.get("type"):
        case "base64":
            yield Piece("document", estimate_base64_pdf(_str(source.get("data")), traits.image_tier))
        case "text":
            yield text_piece(_str(source.get("data")), traits)._replace(section="document")
        case "content":
            for piece in pieces(source.get("content"), traits, depth + 1):
                yield piece._replace(section="document" if piece.section == "text" else piece.section)
        case _:
            yield Piece("document", estimate_pdf(None, traits.image_tier))
    for field in ("title", "context"):
        yield text_piece(_str(block.get(field)), traits)._replace(section="document")
    if _mapping(block.get("citations")).get("enabled"):
        yield Piece("overhead", _CITATIONS)


def _unknown(block: Block, name: str, traits: Traits) -> Piece:
    counted = json_piece(block, traits).estimate
    basis = f"block type {name} is not known, counted by its JSON"
    return Piece("text", within(counted.low * 0.25, counted.tokens, counted.high * 1.5, basis))


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Block:
    return value if isinstance(value, Mapping) else {}
