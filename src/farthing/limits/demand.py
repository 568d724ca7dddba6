"""
What a request can lead to, read from its body before it is sent: the facts a worst case needs. Pure.

How many tokens a prompt can have is proven from its bytes where it can be. A byte-level tokenizer makes at most one
token of each byte of text; JSON escapes only lengthen text, and what the API puts around a message is less than the
27 bytes of JSON around it. On top come the things whose tokens are not in their bytes, each at its published maximum:
images, the hidden tool prompt, Anthropic's own tools. Where neither holds (a PDF, a URL, a file, a server-side thread,
a field or a block that we do not know) nothing is proven, and the model's context window is the bound.

Four assumptions are left. Of two equal names in an object the last one counts, as in most readers of JSON. Sealed
content (signatures, encrypted blocks) may be compressed, so each of its bytes counts twice; citations add unpublished
tokens, so a cited document counts twice as well; and a loop of server tools has a limit of iterations, whose number is
published nowhere that we could check, nor how many searches one may make.

Source: facts: claude-api 2, 3.4, 7.2 to 7.4, checked 2026-11-20.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.prompts.shape import mapping, mappings

if TYPE_CHECKING:
    from collections.abc import Mapping

ITERATIONS_MAX = 10
"""Assumed: how often a loop of server tools uses them before it pauses."""
SEARCHES_PER_ITERATION = 10
"""Assumed where a search tool states no ``max_uses``."""

_FLOAT_CHARS_MAX = 25  # the longest shortest form of a double: what a number may become when it is written anew
_FRAME_TOKENS, _SCHEMA_TOKENS = 64, 2_000
_DEPTH_MAX = 4
_DICTATED = b"<<tokens:"  # how a trace dictates counts to the sandbox (docs/sandbox.md): then bytes prove nothing

_FIELDS = frozenset(
    {
        "cache_control",
        "compaction",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_MESSAGE = frozenset({"role", "content"})
_SEALED = frozenset({"thinking", "redacted_thinking", "compaction"})
_PLAIN = frozenset({"text", "tool_use", "server_tool_use", "fallback", "tool_reference"})
_TOOL = re.compile(r"[a-z_]+_20\d{6}|mcp_toolset")
"""What Anthropic's own tools call their types."""
_CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")


class Body(NamedTuple):
    """A decoded body, and how many bytes of it can be text."""

    tree: Mapping[str, Any]
    text_bytes: int
    dictated: bool

    def __repr__(self) -> str:
        return f"<Body, {self.text_bytes} bytes>"


class Advisor(NamedTuple):
    """A model that may be asked aside, and how often; an empty id where the request does not say which."""

    model: str
    uses: int


class Demand(NamedTuple):
    """
    What a request can lead to.

    Attributes:
        text_bytes: Bytes that can be prompt text; None: the prompt is bounded by nothing but the context window.
        images: Images, each of at most its tier's tokens.
        extra_tokens: Allowance for what the API adds that has no published size.
        tools: The tools that Anthropic wrote; has_tools: whether there are any at all.
        max_tokens: As stated; None: not, or no number.
        iterations: How often the model is sampled at most.
        searches: Web searches at most.
        ttl: Longest lifetime of a cache write: ``1h``, ``5m``, or None where nothing is written.
        compacts: Whether the server may summarise the conversation.
        advisors: Models asked aside.

    """

    text_bytes: int | None
    images: int
    extra_tokens: int
    tools: tuple[Mapping[str, Any], ...]
    has_tools: bool
    max_tokens: int | None
    iterations: int
    searches: int
    ttl: str | None
    compacts: bool
    advisors: tuple[Advisor, ...]

    def __repr__(self) -> str:
        return f"<Demand, {self.text_bytes} bytes, {self.iterations} iterations>"


def read_body(raw: bytes) -> Body | None:
    """Decode a body; None where it is no JSON object (compressed, say)."""
    grown = [0]

    def number(text: str) -> float:
        grown[0] += max(0, _FLOAT_CHARS_MAX - len(text))
        return float(text)

    try:
        tree = msgspec.json.Decoder(float_hook=number).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError):
        return None
    return Body(tree, len(raw) + grown[0], _DICTATED in raw) if isinstance(tree, dict) else None


def demand_of(body: Body) -> Demand:
    """What a request can lead to; anything in it may be of the wrong type."""
    return _Reader(body).demand()


class _Reader:
    def __init__(self, body: Body) -> None:
        self._tree = body.tree
        self._bytes = body.text_bytes
        self._proven = not body.dictated and body.tree.keys() <= _FIELDS
        self._images = 0
        self._extra = _FRAME_TOKENS
        self._ttl: str | None = None
        self._hidden: list[Mapping[str, Any]] = []

    def demand(self) -> Demand:
        tree = self._tree
        self._control(tree)
        self._content(tree.get("system"), 0)
        for message in mappings(tree.get("messages")):
            self._content(message.get("content"), 0)
            self._rest(message, _MESSAGE)
        self._rest(tree, _FIELDS)
        tools = [*mappings(tree.get("tools")), *self._hidden]
        served = [tool for tool in tools if not self._is_clients(tool)]
        advisors = tuple(_advisor(tool) for tool in served if _kind(tool).startswith("advisor_"))
        loops = [tool for tool in served if not _kind(tool).startswith("advisor_")]
        loop = bool(loops) or "mcp_servers" in tree or bool(mapping(tree.get("container")))
        if mapping(mapping(tree.get("output_config")).get("format")):
            self._extra += _SCHEMA_TOKENS
        compacts = tree.get("compaction") is not None or _edits_compact(tree)
        return Demand(
            text_bytes=self._bytes if self._proven and not loop and not compacts else None,
            images=self._images,
            extra_tokens=self._extra,
            tools=tuple(tool for tool in tools if _kind(tool)),
            has_tools=bool(tree.get("tools") or self._hidden),
            max_tokens=_longest(tree),
            iterations=min(_uses(loops), ITERATIONS_MAX) + 1 if loop else 1,
            searches=sum(_searches(tool) for tool in loops),
            ttl=self._ttl,
            compacts=compacts,
            advisors=advisors,
        )

    def _is_clients(self, tool: Mapping[str, Any]) -> bool:
        """Whether the caller runs a tool, so that its use ends the request."""
        self._control(tool)
        kind = _kind(tool)
        return not kind or kind.startswith(_CLIENT_TOOLS)

    def _content(self, content: object, depth: int) -> None:
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict):
                if "cache_control" in block:
                    self._control(block)
                if block.get("type") != "text":  # most are, and they have nothing else to them
                    self._block(block, depth)

    def _block(self, block: Mapping[str, Any], depth: int) -> None:
        kind = block.get("type")
        if depth > _DEPTH_MAX:
            self._unknown(block)
        elif kind == "image":
            self._images += 1
            data = mapping(block.get("source")).get("data")
            self._bytes -= len(data) if isinstance(data, str) and data.isascii() else 0
        elif kind == "document":
            self._document(block, depth)
        elif kind in ("tool_result", "search_result"):
            self._content(block.get("content"), depth + 1)
        elif isinstance(kind, str) and kind in _SEALED:
            self._bytes += sum(len(value) for value in block.values() if isinstance(value, str))
        elif not isinstance(kind, str) or kind not in _PLAIN:
            self._unknown(block)

    def _rest(self, whole: Mapping[str, Any], known: frozenset[str]) -> None:
        """What stands beside the fields that we know; words and numbers are no more than their bytes."""
        for name, value in whole.items():
            if name not in known and isinstance(value, dict | list):
                self._unknown(value)

    def _unknown(self, value: object) -> None:
        """What proves nothing about its tokens may all the same ask for cache writes, or define tools."""
        self._proven = False
        stack = [value]
        while stack:
            one = stack.pop()
            if isinstance(one, dict):
                self._control(one)
                if isinstance(kind := one.get("type"), str) and _TOOL.fullmatch(kind):
                    self._hidden.append(one)
                stack.extend(one.values())
            elif isinstance(one, list):
                stack.extend(one)

    def _document(self, block: Mapping[str, Any], depth: int) -> None:
        source = mapping(block.get("source"))
        if source.get("type") == "content":
            self._content(source.get("content"), depth + 1)
        elif source.get("type") != "text":
            self._proven = False
        if mapping(block.get("citations")).get("enabled"):
            self._bytes += len(msgspec.json.encode(source))

    def _control(self, block: Mapping[str, Any]) -> None:
        control = block.get("cache_control")
        if control is not None:
            longer = self._ttl == "1h" or mapping(control).get("ttl") == "1h"
            self._ttl = "1h" if longer else "5m"


def _kind(tool: Mapping[str, Any]) -> str:
    """A tool's type; empty for the caller's own."""
    kind = tool.get("type")
    return "" if kind in (None, "custom") else str(kind)


def _stated_uses(tool: Mapping[str, Any]) -> int | None:
    uses = tool.get("max_uses")
    return uses if type(uses) is int and uses >= 0 else None


def _uses(loops: list[Mapping[str, Any]]) -> int:
    stated = [_stated_uses(tool) for tool in loops]
    return ITERATIONS_MAX if not stated or None in stated else sum(uses or 0 for uses in stated)


def _searches(tool: Mapping[str, Any]) -> int:
    if not _kind(tool).startswith("web_search"):
        return 0
    uses = _stated_uses(tool)
    return ITERATIONS_MAX * SEARCHES_PER_ITERATION if uses is None else uses


def _advisor(tool: Mapping[str, Any]) -> Advisor:
    model, uses = tool.get("model"), _stated_uses(tool)
    return Advisor(model if isinstance(model, str) else "", ITERATIONS_MAX if uses is None else uses)


def _edits_compact(tree: Mapping[str, Any]) -> bool:
    edits = mappings(mapping(tree.get("context_management")).get("edits"))
    return any(str(edit.get("type")).startswith("compact") for edit in edits)


def _longest(tree: Mapping[str, Any]) -> int | None:
    """``max_tokens``, or a thinking budget above it, which interleaved thinking may have."""
    budget = mapping(tree.get("thinking")).get("budget_tokens")
    stated = tree.get("max_tokens")
    if type(stated) is not int or stated < 0:
        return None
    return max(stated, budget) if type(budget) is int else stated
