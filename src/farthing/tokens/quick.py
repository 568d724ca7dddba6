"""
About how many tokens something is, for whoever counts every prompt that passes and may not take long over it.

The weights of :mod:`farthing.tokens.text` over fewer features: capitals, humps, gaps and languages are left out, which
shifts a count by a few per cent in prose, code and JSON (one of capitals alone by a quarter). It takes a fifth of the
time. Text with many characters beyond ASCII is counted in full, and so is what is no text.
"""

from __future__ import annotations

from collections import Counter
from string import ascii_letters, digits, punctuation
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.tokens.blocks import TOOL_RESULT_FRAME, TOOL_USE_FRAME, pieces
from farthing.tokens.generation import factor_between
from farthing.tokens.text import estimate_text
from farthing.tokens.tools import definitions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.tokens.models import Tokenizer, Traits

_NON_ASCII_SHARE_MAX = 0.02
_PER_WORD = 1.07
_PER_LETTER_PAST_5 = 0.09
_PER_DIGIT = 0.84
_PER_MARK_RUN = 1.1
_PER_MARK = 0.15
_PER_LINE = 0.9


def quick_tokens(text: str, tokenizer: Tokenizer) -> int:
    """Tokens of *text* alone: 0 for none, at least 1 for any. The same text always has the same count."""
    if not text:
        return 0
    plain = text.encode("ascii", "ignore")
    if len(text) - len(plain) > _NON_ASCII_SHARE_MAX * len(text):
        return estimate_text(text, tokenizer).tokens
    lengths = Counter(map(len, plain.translate(_LETTERS_ONLY).split()))
    words = sum(lengths.values())
    past_5 = sum((length - 5) * count for length, count in lengths.items() if length > 5)
    older = words * _PER_WORD + past_5 * _PER_LETTER_PAST_5
    older += (len(plain) - len(plain.translate(None, _DIGITS))) * _PER_DIGIT
    marks = plain.translate(_MARKS_ONLY).split()
    older += len(marks) * _PER_MARK_RUN + sum(map(len, marks)) * _PER_MARK
    older += plain.count(b"\n") * _PER_LINE + (len(text) - len(plain)) * 2
    return max(1, round(older * factor_between("pre-4.7", tokenizer).typical))


def _only(members: str) -> bytes:
    """A translation of all other bytes to a blank."""
    return bytes(byte if byte in members.encode() else 32 for byte in range(256))


_DIGITS = digits.encode()
_LETTERS_ONLY, _MARKS_ONLY = _only(ascii_letters), _only(punctuation)


def quick_block(block: Mapping[str, Any], traits: Traits, depth: int = 0) -> int:
    """Tokens of a content block, or of one of the system prompt; anything in it may be of the wrong type."""
    match block.get("type"):
        case "text":
            text = block.get("text")
            return quick_tokens(text, traits.tokenizer) if isinstance(text, str) else 0
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            said = msgspec.json.encode([block.get("name"), block.get("input")]).decode()
            return TOOL_USE_FRAME.tokens + quick_tokens(said, traits.tokenizer)
        case "tool_result" if depth < _DEPTH_MAX:
            content = block.get("content")
            if isinstance(content, str):
                return TOOL_RESULT_FRAME.tokens + quick_tokens(content, traits.tokenizer)
            inner = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
            return TOOL_RESULT_FRAME.tokens + sum(quick_block(one, traits, depth + 1) for one in inner)
    return sum(piece.estimate.tokens for piece in pieces([block], traits))


def quick_tool(tool: Mapping[str, Any], traits: Traits) -> int:
    """Tokens of a tool's definition: the caller's own by its text, Anthropic's by the table."""
    if tool.get("type", "custom") != "custom":
        return definitions([tool], traits).tokens
    shown = {name: tool[name] for name in _SHOWN if name in tool}
    return quick_tokens(msgspec.json.encode(shown).decode(), traits.tokenizer)


_SHOWN = ("name", "description", "input_schema", "input_examples")
_DEPTH_MAX = 8
