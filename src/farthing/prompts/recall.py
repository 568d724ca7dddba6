"""
Request bodies to prefix blocks, for whoever reads the same prompts again and again.

A conversation sends everything it has sent before, and a little more. So what a stretch of the body comes to is
remembered under a digest of its bytes: tools and the system prompt as a whole, messages one by one. A stretch that was
seen is neither decoded nor counted again. What is remembered of a block is its kind, digest and count, never its text,
and the hashes are those of :func:`~farthing.prompts.blocks.read_prompt`, which this hands its findings to.

Bodies are written by strangers: what is remembered is bounded in blocks and in bytes, and so is what one body may cost.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.errors import BadInput
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
"""Blocks in all remembered stretches, and counts of blocks."""
_PROMPT_BLOCKS_MAX = 20_000
"""Blocks of one prompt, at ten microseconds each; a context window full of short tool calls has some thousands."""
_NAME_CHARS_MAX = 64
"""Of a block's type; those of the API have half as many."""
_FOUND = "\0"
"""Where a remembered block keeps its digest and count; no block that came has it, for what it keeps is chosen here."""


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
        self._held_blocks = 0
        self._tokens: dict[bytes, int] = {}

    def read(self, body: Body, counter: BlockCounter, tag: bytes) -> Recalled:
        """
        Read one body.

        Args:
            body: The request.
            counter: Counts tokens.
            tag: Names all that *counter*'s counts depend on beside the block, such as the model. It is remembered
                with each block, so it has to be short.

        Raises:
            BadBreakpoint: See :func:`~farthing.prompts.blocks.read_prompt`.
            BadInput: The prompt has too many blocks to be read while others wait.
            msgspec.DecodeError: A stretch cannot be read.

        """
        _check_number(len(body.messages))
        tools = self._blocks(body.tools, counter, tag + _TOOLS)
        system = self._blocks(body.system, counter, tag)
        messages, number = [], len(tools) + len(system)
        for message in body.messages:
            content = self._blocks(message.content, counter, tag)
            messages.append({"role": message.role, "content": content})
            number += len(content)
            _check_number(number)
        seen: dict[str, Any] = {"model": body.model, "tools": tools, "system": system, "messages": messages}
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
            _check_number(len(blocks))
            known = [self._block(block, counter, tag) for block in blocks]
        else:
            self._held_blocks -= len(known)
        self._stretches[key] = known
        self._held_blocks += len(known)
        while len(self._stretches) > _STRETCHES_MAX or self._held_blocks > _BLOCKS_MAX:
            self._held_blocks -= len(self._stretches.pop(next(iter(self._stretches))))
        return known

    def _block(self, block: Mapping[str, Any], counter: BlockCounter, tag: bytes) -> dict[str, Any]:
        content = {name: value for name, value in block.items() if name != "cache_control"}
        digest = content_digest(Part(Section.MESSAGES, "", "", 0, content, None))
        key = tag + digest
        tokens = self._tokens.pop(key, None)
        if tokens is None:
            tokens = counter.tool(content) if tag.endswith(_TOOLS) else counter.content(content)
        self._tokens[key] = tokens
        if len(self._tokens) > _BLOCKS_MAX:
            del self._tokens[next(iter(self._tokens))]
        return {**_outline(block), _FOUND: _Found(digest, tokens)}


_DECODED = ("tool_choice", "thinking", "output_config", "container", "speed", "inference_geo", "cache_control")


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
    kept: dict[str, Any] = {}
    if "type" in block:
        kept["type"] = _name(block["type"])
    if "cache_control" in block:
        kept["cache_control"] = _control(block["cache_control"])
    if "defer_loading" in block:
        kept["defer_loading"] = bool(block["defer_loading"])
    if "text" in block:
        kept["text"] = _stand_in(block["text"])
    if "citations" in block:
        kept["citations"] = {"enabled": _cites(block)}
    if "content" in block:
        kept["content"] = _felt(mappings(block["content"]))
    if "source" in block:
        kept["source"] = {"content": _felt(mappings(mapping(block["source"]).get("content")))}
    return kept


def _felt(inner: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is felt outside a block of the blocks in it, told by as few: that there are images, and citations."""
    shows = any(block.get("type") == "image" for block in inner)
    cites = any(_cites(block) for block in inner)
    return [{"type": "image"}] * shows + [{"citations": {"enabled": True}}] * cites


def _cites(block: Mapping[str, Any]) -> bool:
    return mapping(block.get("citations")).get("enabled") is True


def _control(value: Any) -> dict[str, Any] | bool | None:
    if isinstance(value, dict):
        return {name: _name(value.get(name)) for name in ("type", "ttl")}
    return None if value is None else True


def _name(value: Any) -> str | bool | None:
    """A word of the API's as it is; of anything else, that it is something."""
    return value if value is None or (isinstance(value, str) and len(value) <= _NAME_CHARS_MAX) else True


def _stand_in(text: Any) -> str:
    """For a text: whether there is any, and whether it is Claude Code's attribution."""
    if isinstance(text, str) and text.startswith(ATTRIBUTION):
        return ATTRIBUTION
    return "x" if text else ""


def _check_number(number: int) -> None:
    if number > _PROMPT_BLOCKS_MAX:
        raise BadInput(f"read a prompt of more than {_PROMPT_BLOCKS_MAX:,} blocks", "fewer, or it goes without")
