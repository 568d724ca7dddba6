"""
Request bodies to prefix blocks, for whoever reads the same prompts again and again.

A conversation sends everything it has sent before, and a little more. So what a stretch of the body comes to is
remembered under a digest of its bytes: tools and the system prompt as a whole, messages one by one. A stretch that was
seen is neither decoded nor counted again. What is remembered of a block is its kind, digest and count, never its text,
and the hashes are those of :func:`~farthing.prompts.blocks.read_prompt`, which this hands its findings to.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from farthing.prompts.blocks import Prompt, content_digest, read_prompt
from farthing.prompts.parts import ATTRIBUTION, Part, Section
from farthing.prompts.shape import mapping, mappings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class BlockCounter(Protocol):
        """Tokens for one model. Equal content must always get an equal count."""

        def tool(self, block: Mapping[str, Any]) -> int:
            """Of a tool's definition."""

        def content(self, block: Mapping[str, Any]) -> int:
            """Of a block of the system prompt or of a message."""

        def preamble(self, section: Section, body: Mapping[str, Any]) -> int:
            """See :meth:`farthing.prompts.blocks.Counter.preamble`."""


_TOOLS = b"/tools"
_STRETCHES_MAX = 8_192
_BLOCKS_MAX = 65_536
_FOUND = "\0"
"""Where a remembered block keeps its digest and count; no block that came has it, for what it keeps is chosen here."""

_T = TypeVar("_T")


class Message(msgspec.Struct):
    """One message; *content* is read only where it was not seen before."""

    role: str
    content: msgspec.Raw = msgspec.Raw()


class Body(msgspec.Struct):
    """What of a body decides its prompt; :meth:`Recall.read` says what the stretches come to."""

    model: str = ""
    tools: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    messages: list[Message] = []
    tool_choice: Any = None
    thinking: Any = None
    output_config: Any = None
    container: Any = None
    speed: Any = None
    inference_geo: Any = None
    cache_control: Any = None


class Recalled(NamedTuple):
    """A prompt, how many tools it has and the tokens of their definitions."""

    prompt: Prompt
    tools: int
    tools_tokens: int


class _Found(NamedTuple):
    digest: bytes
    tokens: int


class Recall:
    """Reads bodies and remembers what their stretches came to, up to a bound."""

    def __init__(self) -> None:
        self._stretches: dict[bytes, list[dict[str, Any]]] = {}
        self._tokens: dict[bytes, int] = {}

    def read(self, body: Body, counter: BlockCounter, tag: bytes) -> Recalled:
        """
        Read one body.

        Args:
            body: The request.
            counter: Counts tokens.
            tag: Names all that *counter*'s counts depend on beside the block, such as the model.

        Raises:
            BadBreakpoint: See :func:`~farthing.prompts.blocks.read_prompt`.
            msgspec.DecodeError: A stretch cannot be read.

        """
        tools = self._blocks(body.tools, counter, tag + _TOOLS)
        seen: dict[str, Any] = {
            "model": body.model,
            "tools": tools,
            "system": self._blocks(body.system, counter, tag),
            "messages": [
                {"role": message.role, "content": self._blocks(message.content, counter, tag)}
                for message in body.messages
            ],
        }
        for name in _DECODED:
            if (value := getattr(body, name)) is not None:
                seen[name] = value
        prompt = read_prompt(seen, _Counts(counter), digest=_digest)
        return Recalled(prompt, len(tools), sum([tool[_FOUND].tokens for tool in tools]))

    def _blocks(self, raw: msgspec.Raw, counter: BlockCounter, tag: bytes) -> list[dict[str, Any]]:
        """What a stretch comes to: one remembered block for each of its blocks."""
        stretch = memoryview(raw)
        if not stretch:
            return []
        hashed = sha256(tag)
        hashed.update(stretch)
        key = hashed.digest()
        known = self._stretches.pop(key, None)
        if known is None:
            value = msgspec.json.decode(raw)
            blocks = mappings(value) if tag.endswith(_TOOLS) else _listed(value)
            known = [self._block(block, counter, tag) for block in blocks]
        _remember(self._stretches, key, known, _STRETCHES_MAX)
        return known

    def _block(self, block: Mapping[str, Any], counter: BlockCounter, tag: bytes) -> dict[str, Any]:
        content = {name: value for name, value in block.items() if name != "cache_control"}
        digest = content_digest(Part(Section.MESSAGES, "", "", content, None))
        key = tag + digest
        tokens = self._tokens.pop(key, None)
        if tokens is None:
            tokens = counter.tool(content) if tag.endswith(_TOOLS) else counter.content(content)
        _remember(self._tokens, key, tokens, _BLOCKS_MAX)
        return {**_outline(block), _FOUND: _Found(digest, tokens)}


_DECODED = ("tool_choice", "thinking", "output_config", "container", "speed", "inference_geo", "cache_control")
_KEPT = ("type", "cache_control", "defer_loading")


class _Counts:
    """The counter that read_prompt asks: what was found, and the preamble of each section."""

    def __init__(self, counter: BlockCounter) -> None:
        self.preamble = counter.preamble

    def block(self, part: Part) -> int:
        tokens: int = part.value[_FOUND].tokens
        return tokens


def _digest(part: Part) -> bytes:
    digest: bytes = part.value[_FOUND].digest
    return digest


def _listed(value: Any) -> list[dict[str, Any]]:
    """The blocks of a ``content`` or ``system``, as read_prompt takes them."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    items = value if isinstance(value, list) else []
    return [
        {"type": "text", "text": item} if isinstance(item, str) else item
        for item in items
        if isinstance(item, dict | str)
    ]


def _outline(block: Mapping[str, Any]) -> dict[str, Any]:
    """What of a block is looked at beside its content, without its text."""
    kept = {name: block[name] for name in _KEPT if name in block}
    if "text" in block:
        kept["text"] = _stand_in(block["text"])
    if "citations" in block:
        kept["citations"] = {"enabled": mapping(block["citations"]).get("enabled") is True}
    if "content" in block:
        kept["content"] = [_outline(one) for one in mappings(block["content"])]
    if "source" in block:
        kept["source"] = {"content": [_outline(one) for one in mappings(mapping(block["source"]).get("content"))]}
    return kept


def _stand_in(text: Any) -> str:
    """For a text: whether there is any, and whether it is Claude Code's attribution."""
    if isinstance(text, str) and text.startswith(ATTRIBUTION):
        return ATTRIBUTION
    return "x" if text else ""


def _remember(kept: dict[bytes, _T], key: bytes, value: _T, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
