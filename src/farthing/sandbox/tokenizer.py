"""
A tokenizer that is not Claude's but always gives the same answer, and that a trace can dictate to.

A block whose JSON holds ``<<tokens:1234>>`` counts 1,234 tokens, whatever else it holds; several marks add up.
``<<tokens:1000/1300>>`` counts 1,000 on models of the older tokenizer and 1,300 on those of the newer. A dictated tool
dictates the hidden tool prompt as well: it is then part of the figure.

Anything else counts by a plain rule: 4 characters a token on the older generation, 1.3 times as many tokens on the
newer (facts: claude-api 7.1); images and Anthropic's own tools by their published numbers. Frames of messages count
nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.prompts.parts import Part, Section
from farthing.prompts.shape import mapping, mappings
from farthing.tokens.documents import estimate_base64_pdf, estimate_pdf
from farthing.tokens.image_size import base64_image_size, image_size
from farthing.tokens.images import estimate_image
from farthing.tokens.models import Tokenizer, image_tier
from farthing.tokens.tools import definitions, tool_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from farthing.tokens.models import Traits

GENERATIONS: tuple[Tokenizer, ...] = ("pre-4.7", "4.7")
_MARK = re.compile(rb"<<tokens:(\d{1,9})(?:/(\d{1,9}))?>>")
_DEPTH_MAX = 8
_WORDS = "pay the farthing and keep the change "


def text_tokens(text: str, tokenizer: Tokenizer) -> int:
    """Tokens of plain text by the rule alone."""
    return _by_length(len(text), tokenizer)


def filler(tokens: int, tokenizer: Tokenizer) -> str:
    """Text of exactly this many tokens on this generation."""
    characters = tokens * 4 if tokenizer == "pre-4.7" else tokens * 40 // 13
    return (_WORDS * (characters // len(_WORDS) + 1))[:characters]


def dictated(encoded: bytes, tokenizer: Tokenizer) -> int | None:
    """What the marks in a block's JSON say; None where there are none."""
    marks = _MARK.findall(encoded) if b"<<tokens:" in encoded else ()
    if not marks:
        return None
    return sum(int(newer if newer and tokenizer == "4.7" else older) for older, newer in marks)


def mark(tokens: int) -> str:
    """The mark that makes a block count this many tokens."""
    return f"<<tokens:{tokens}>>"


def file_tokens(mime_type: str, content: bytes, tokenizer: Tokenizer) -> int:
    """What an uploaded file counts in a prompt: as the same thing would in the request itself."""
    stated, tier = dictated(content, tokenizer), image_tier(tokenizer)
    if stated is not None:
        return stated
    if mime_type.startswith("image/"):
        return estimate_image(image_size(content), tier).tokens
    if mime_type == "application/pdf":
        return estimate_pdf(content, tier).tokens
    return text_tokens(content.decode("utf-8", "replace"), tokenizer)


class SandboxCounter:
    """
    Counts one request's parts, for :func:`farthing.prompts.blocks.read_prompt`.

    Args:
        traits: The model.
        on: The day of the request, for dated numbers.
        file: What the uploaded file of an id counts, by generation; it may raise where there is none. None: files are
            of unknown content.

    """

    def __init__(self, traits: Traits, on: date, file: Callable[[str], Mapping[Tokenizer, int]] | None = None) -> None:
        self._traits = traits
        self._on = on
        self._file = file

    def block(self, part: Part) -> int:
        """Tokens of one part, >= 0."""
        stated = dictated(part.encoded, self._traits.tokenizer)
        if stated is not None:
            return stated
        if part.role == "":
            return self._unspoken(part)
        return self._content(part.value, 0)

    def preamble(self, section: Section, body: Mapping[str, Any]) -> int:
        """The hidden tool prompt, and the schema of a structured output."""
        if section is Section.SYSTEM:
            schema = mapping(mapping(body.get("output_config")).get("format"))
            return self._json(schema) if schema else 0
        tools = body.get("tools")
        if not tools or dictated(msgspec.json.encode(tools), self._traits.tokenizer) is not None:
            return 0
        plain = tool_prompt(self._traits, forced=False, on=self._on).tokens
        if section is Section.TOOLS:
            return plain
        forced = mapping(body.get("tool_choice")).get("type") in {"any", "tool"}
        return max(0, tool_prompt(self._traits, forced=True, on=self._on).tokens - plain) if forced else 0

    def _unspoken(self, part: Part) -> int:
        """A tool, or a block of the system prompt."""
        kind = str(part.value.get("type", "custom"))
        if part.path.startswith("tools.") and kind != "custom":
            return definitions([part.value], self._traits, self._on).tokens
        return self._content(part.value, 0)

    def _content(self, block: Mapping[str, Any], depth: int) -> int:
        source = mapping(block.get("source"))
        is_file = source.get("type") == "file" and block.get("type") in ("image", "document")
        if is_file and self._file is not None:
            return self._file(str(source.get("file_id")))[self._traits.tokenizer]
        match block.get("type") if depth < _DEPTH_MAX else None:
            case "text":
                return text_tokens(str(block.get("text", "")), self._traits.tokenizer)
            case "image":
                size = base64_image_size(str(source.get("data", ""))) if source.get("type") == "base64" else None
                return estimate_image(size, self._traits.image_tier).tokens
            case "document":
                return self._document(source, depth)
            case "tool_result" if isinstance(block.get("content"), list):
                return sum(self._content(inner, depth + 1) for inner in mappings(block.get("content")))
        return self._json(block)

    def _document(self, source: Mapping[str, Any], depth: int) -> int:
        match source.get("type"):
            case "text":
                return text_tokens(str(source.get("data", "")), self._traits.tokenizer)
            case "content":
                return sum(self._content(inner, depth + 1) for inner in mappings(source.get("content")))
            case "base64":
                return estimate_base64_pdf(str(source.get("data", "")), self._traits.image_tier).tokens
        return estimate_pdf(None, self._traits.image_tier).tokens

    def _json(self, value: Mapping[str, Any]) -> int:
        return _by_length(len(msgspec.json.encode(value)), self._traits.tokenizer)


def _by_length(characters: int, tokenizer: Tokenizer) -> int:
    return -(-characters // 4) if tokenizer == "pre-4.7" else -(-characters * 13 // 40)
