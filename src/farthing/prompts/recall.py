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

from farthing.call import PromptBlock
from farthing.errors import BadInput
from farthing.prompts.blocks import Chain, content_digest, known_as
from farthing.prompts.breakpoints import ttls_of
from farthing.prompts.parts import ATTRIBUTION, THINKING, Part, Section, parts_of
from farthing.prompts.shape import cites_sources, dials_of, mapping, mappings, shape_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Protocol

    class BlockCounter(Protocol):
        """Tokens for one model. Equal content must always get an equal count."""

        def tool(self, block: Mapping[str, Any]) -> int:
            """Of a tool's definition."""

        def content(self, block: Mapping[str, Any]) -> int:
            """Of a block of the system prompt or of a message."""

        def preamble(self, section: Section, body: Mapping[str, Any]) -> int:
            """See :meth:`farthing.prompts.blocks.Counter.preamble`."""


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
    """A prompt's blocks, how many tools it has and the tokens of their definitions."""

    blocks: tuple[PromptBlock, ...] = ()
    tools: int = 0
    tools_tokens: int = 0


class _Found(NamedTuple):
    digest: bytes
    tokens: int


class _Stretch:
    """
    What is remembered of blocks that follow one another in one section, under one role.

    Attributes:
        parts: Their outlines.
        thinks: Whether thinking is among them. is_spoken: whether they are more than tool results.
        cites, shows: Whether there are citations, or images.
        after: What came before them when they were read last, and the hash and blocks that this led to.

    """

    __slots__ = ("after", "cites", "is_spoken", "parts", "shows", "thinks")

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        kinds = {part.value.get("type") for part in parts}
        inner = [*(part.value for part in parts), *(block for part in parts for block in _inside(part.value))]
        self.thinks = not kinds.isdisjoint(THINKING)
        self.is_spoken = kinds != {"tool_result"}
        self.cites = any(cites_sources(block) for block in inner)
        self.shows = any(block.get("type") == "image" for block in inner)
        self.after: tuple[tuple[bytes, int, str, int], bytes, list[PromptBlock]] | None = None


class _Known(NamedTuple):
    """What a stretch of a body comes to: an outline of each of its blocks, and those that are in the prompt."""

    outlines: list[dict[str, Any]]
    stretches: list[_Stretch]


class Recall:
    """Reads bodies and remembers what their stretches came to, up to a bound."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}
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
        tools = self._recall(body.tools, counter, tag, "tools")
        system = self._recall(body.system, counter, tag, "system")
        told = [("", stretch) for stretch in (*tools.stretches, *system.stretches)]
        number, said = len(tools.outlines) + len(system.outlines), []
        for message in body.messages:
            known = self._recall(message.content, counter, tag, "messages")
            said.append((message.role, known.stretches[0]))
            number += len(known.outlines)
            _check_number(number)
        seen: dict[str, Any] = {"model": body.model, "tools": tools.outlines}
        for name in _DECODED:
            if (value := getattr(body, name)) is not None:
                seen[name] = value
        cites, shows = any(one.cites for _, one in said), any(one.shows for _, one in said)
        canonical, keeps = known_as(body.model)
        chain = Chain(seen, shape_with(seen, cites=cites, shows=shows), dials_of(seen, canonical), counter.preamble)
        blocks = _chained(chain, told, said, 0 if keeps else _last_user_turn(said), body.cache_control)
        return Recalled(tuple(blocks), len(tools.outlines), sum([one[_FOUND].tokens for one in tools.outlines]))

    def _recall(self, raw: msgspec.Raw, counter: BlockCounter, tag: bytes, section: str) -> _Known:
        """What a stretch comes to, remembered or read."""
        stretch = memoryview(raw)
        if not stretch:
            return _NOTHING
        hashed = sha256(b"%b/%b" % (tag, section.encode()))
        hashed.update(stretch)
        key = hashed.digest()
        known = self._known.pop(key, None)
        if known is None:
            known = self._read(msgspec.json.decode(raw), counter, tag, section)
        else:
            self._held_blocks -= len(known.outlines)
        self._known[key] = known
        self._held_blocks += len(known.outlines)
        while len(self._known) > _STRETCHES_MAX or self._held_blocks > _BLOCKS_MAX:
            self._held_blocks -= len(self._known.pop(next(iter(self._known))).outlines)
        return known

    def _read(self, value: Any, counter: BlockCounter, tag: bytes, section: str) -> _Known:
        is_tools = section == "tools"
        blocks = mappings(value) if is_tools else _listed(value)
        _check_number(len(blocks))
        tag += b"/tools" if is_tools else b""
        outlines = [self._block(block, counter.tool if is_tools else counter.content, tag) for block in blocks]
        body = {section: [{"content": outlines}] if section == "messages" else outlines}
        parts = parts_of(body, keeps_thinking=True)
        found = [[part for part in parts if part.section is one] for one in Section]
        return _Known(outlines, [_Stretch(one) for one in found if one] or [_Stretch([])])

    def _block(self, block: Mapping[str, Any], count: Callable[[Mapping[str, Any]], int], tag: bytes) -> dict[str, Any]:
        content = {name: value for name, value in block.items() if name != "cache_control"}
        digest = content_digest(Part(Section.MESSAGES, "", "", 0, content, None))
        key = tag + digest
        tokens = self._tokens.pop(key, None)
        if tokens is None:
            tokens = count(content)
        self._tokens[key] = tokens
        if len(self._tokens) > _BLOCKS_MAX:
            del self._tokens[next(iter(self._tokens))]
        return {**_outline(block), _FOUND: _Found(digest, tokens)}


_NOTHING = _Known([], [_Stretch([])])
_DECODED = ("tool_choice", "thinking", "output_config", "container", "speed", "inference_geo", "cache_control")


def _chained(
    chain: Chain,
    told: list[tuple[str, _Stretch]],
    said: list[tuple[str, _Stretch]],
    strip_before: int,
    automatic: Any,
) -> list[PromptBlock]:
    """The blocks of tools and system prompt (*told*) and of messages (*said*), read again only where they moved."""
    blocks: list[PromptBlock] = []
    parts: list[Part] = []
    for number, (role, stretch) in enumerate([*told, *said], -len(told)):
        strips = stretch.thinks and 0 <= number < strip_before
        added = [part for part in stretch.parts if part.value.get("type") not in THINKING] if strips else stretch.parts
        if not added:
            continue
        section, at = added[0].section, len(blocks)
        preamble = chain.enter(section) if section is not chain.section else 0
        blocks += _after(chain, stretch, added, role)
        parts += added
        if preamble:
            blocks[at] = msgspec.structs.replace(blocks[at], tokens=blocks[at].tokens + preamble)
    for at, ttl in enumerate(ttls_of(parts, automatic)):
        if ttl is not None:
            blocks[at] = msgspec.structs.replace(blocks[at], ttl=ttl)
    return blocks


def _after(chain: Chain, stretch: _Stretch, parts: list[Part], role: str) -> list[PromptBlock]:
    """The blocks of *parts*, those of *stretch* that are read; remembered for when the same comes before them again."""
    before = chain.running, chain.mask, role, len(parts)
    if stretch.after is not None and stretch.after[0] == before:
        _, chain.running, blocks = stretch.after
        return blocks
    section, spoken, blocks = parts[0].section.value, role.encode(), []
    for part in parts:
        found = part.value[_FOUND]
        prefix_hash = chain.mix(spoken, found.digest)
        blocks.append(PromptBlock(prefix_hash, found.tokens, section, None, part.cacheable))
    if role in _ROLES:
        stretch.after = before, chain.running, blocks
    return blocks


_ROLES = frozenset({"", "user", "assistant", "system"})
"""Those of the API; what else somebody writes there is not remembered."""


def _last_user_turn(said: list[tuple[str, _Stretch]]) -> int:
    """Position of the newest user message that is more than tool results; 0 for none."""
    return next((at for at in range(len(said) - 1, -1, -1) if said[at][0] == "user" and said[at][1].is_spoken), 0)


def _inside(block: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The blocks inside a tool result or a document."""
    yield from mappings(block.get("content"))
    yield from mappings(mapping(block.get("source")).get("content"))


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
        kept["citations"] = {"enabled": cites_sources(block)}
    if "content" in block:
        kept["content"] = _felt(mappings(block["content"]))
    if "source" in block:
        kept["source"] = {"content": _felt(mappings(mapping(block["source"]).get("content")))}
    return kept


def _felt(inner: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is felt outside a block of the blocks in it, told by as few: that there are images, and citations."""
    shows = any(block.get("type") == "image" for block in inner)
    cites = any(cites_sources(block) for block in inner)
    return [{"type": "image"}] * shows + [{"citations": {"enabled": True}}] * cites


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
