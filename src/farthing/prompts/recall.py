"""
Request bodies to prefix blocks, for whoever reads the same prompts again and again.

A conversation sends everything it has sent before, and a little more. So what a stretch of the body comes to is
remembered under a digest of its bytes: tools and the system prompt as a whole, messages one by one. A stretch that was
seen is neither decoded nor counted again, and where the same came before it as the last time, nor is it hashed. What is
remembered of a block is its kind, digests and count, never its text. What comes out is what
:func:`~farthing.prompts.blocks.read_prompt` says of the whole body.

Bodies are written by strangers: what is remembered is bounded in blocks and in bytes, and so is what one body may cost.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from farthing.call import PromptBlock
from farthing.errors import BadInput
from farthing.prompts.blocks import Chain, content_digest, known_as
from farthing.prompts.breakpoints import ttls_of
from farthing.prompts.parts import THINKING, Section, only_tool_results, parts_of
from farthing.prompts.shape import dials_of, felt_of, mappings, shape_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    class BlockCounter(Protocol):
        """Tokens for one model. Equal content must always get an equal count."""

        def tool(self, block: Mapping[str, Any]) -> int:
            """Of a tool's definition."""

        def content(self, block: Mapping[str, Any]) -> int:
            """Of a block of the system prompt or of a message."""

        def preamble(self, section: Section, body: Mapping[str, Any]) -> int:
            """See :meth:`farthing.prompts.blocks.Counter.preamble`; of tools, *body* has the number."""


_STRETCHES_MAX = 8_192
_BLOCKS_MAX = 65_536
"""Blocks in all remembered stretches, and counts of blocks."""
_PROMPT_BLOCKS_MAX = 20_000
"""Blocks of one prompt, at ten microseconds each; a context window full of short tool calls has some thousands."""
_NAME_CHARS_MAX = 64
"""Of a word in a ``cache_control``; those of the API have a tenth as many."""


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


class _Block(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a block; :class:`~farthing.prompts.breakpoints.Markable`."""

    digest: bytes
    tokens: int
    cacheable: bool
    thinks: bool
    cache_control: Any

    @property
    def kind(self) -> str:
        """Not remembered."""
        return "such"

    @property
    def path(self) -> str:
        """Not remembered."""
        return "a block"


class _Stretch:
    """
    What is remembered of blocks that follow one another in one section, under one role.

    Attributes:
        section, blocks: Theirs.
        thinks: Whether thinking is among them. is_spoken: whether they are more than tool results.
        cites, shows: Whether there are citations, or images.
        after: What came before them when they were read last, and the hash and blocks that this led to.

    """

    __slots__ = ("after", "blocks", "cites", "is_spoken", "section", "shows", "thinks")

    def __init__(self, section: Section, blocks: tuple[_Block, ...], content: Any) -> None:
        self.section = section
        self.blocks = blocks
        self.thinks = any(block.thinks for block in blocks)
        self.is_spoken = not only_tool_results(content)
        self.cites, self.shows = felt_of([{"content": content}])
        self.after: tuple[tuple[bytes, int, str, int], bytes, list[PromptBlock]] | None = None


class _Known(NamedTuple):
    """
    What a stretch of a body comes to.

    Attributes:
        number: Of its blocks. tokens: of the tools in it.
        stretches: Those of its blocks that are in the prompt; at least one stretch, be it empty.

    """

    number: int
    tokens: int
    stretches: tuple[_Stretch, ...]


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
        number, said = tools.number + system.number, []
        cites = shows = thinks = False
        for message in body.messages:
            known = self._recall(message.content, counter, tag, "messages")
            stretch = known.stretches[0]
            said.append((message.role, stretch))
            cites, shows, thinks = cites or stretch.cites, shows or stretch.shows, thinks or stretch.thinks
            number += known.number
            _check_number(number)
        seen: dict[str, Any] = {"model": body.model, "tools": tools.number}
        for name in _DECODED:
            if (value := getattr(body, name)) is not None:
                seen[name] = value
        canonical, keeps = known_as(body.model)
        chain = Chain(seen, shape_with(seen, cites=cites, shows=shows), dials_of(seen, canonical), counter.preamble)
        strip_before = _last_user_turn(said) if thinks and not keeps else 0
        blocks = _chained(chain, told, said, strip_before, body.cache_control)
        return Recalled(tuple(blocks), tools.number, tools.tokens)

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
            self._held_blocks -= known.number
        self._known[key] = known
        self._held_blocks += known.number
        while len(self._known) > _STRETCHES_MAX or self._held_blocks > _BLOCKS_MAX:
            self._held_blocks -= self._known.pop(next(iter(self._known))).number
        return known

    def _read(self, value: Any, counter: BlockCounter, tag: bytes, section: str) -> _Known:
        is_tools = section == "tools"
        count, tag = (counter.tool, tag + b"/tools") if is_tools else (counter.content, tag)
        tools = [{name: tool[name] for name in tool if name != "cache_control"} for tool in mappings(value) if is_tools]
        number = len(tools) if is_tools else len(value) if isinstance(value, list) else 1
        _check_number(number)
        found: dict[Section, list[_Block]] = {}
        for part in parts_of({section: [{"content": value}] if section == "messages" else value}, keeps_thinking=True):
            digest = content_digest(part)
            tokens, control = self._counted(part.value, digest, count, tag), _control(part.cache_control)
            block = _Block(digest, tokens, part.cacheable, part.kind in THINKING, control)
            found.setdefault(part.section, []).append(block)
        stretches = [_Stretch(one, tuple(blocks), value) for one, blocks in found.items()]
        return _Known(number, sum(map(count, tools)), tuple(stretches) or (_Stretch(Section.MESSAGES, (), value),))

    def _counted(
        self, content: Mapping[str, Any], digest: bytes, count: Callable[[Mapping[str, Any]], int], tag: bytes
    ) -> int:
        """Tokens of a block, remembered or counted."""
        key = tag + digest
        tokens = self._tokens.pop(key, None)
        if tokens is None:
            tokens = count(content)
        self._tokens[key] = tokens
        if len(self._tokens) > _BLOCKS_MAX:
            del self._tokens[next(iter(self._tokens))]
        return tokens


_NOTHING = _Known(0, 0, (_Stretch(Section.MESSAGES, (), None),))
_DECODED = ("tool_choice", "thinking", "output_config", "container", "speed", "inference_geo", "cache_control")


def _chained(
    chain: Chain,
    told: list[tuple[str, _Stretch]],
    said: list[tuple[str, _Stretch]],
    strip_before: int,
    automatic: Any,
) -> list[PromptBlock]:
    """The blocks of tools and system prompt (*told*) and of messages (*said*), read again only where they moved."""
    prompt: list[PromptBlock] = []
    markable: list[_Block] = []
    for number, (role, stretch) in enumerate([*told, *said], -len(told)):
        strips = stretch.thinks and 0 <= number < strip_before
        blocks = tuple([block for block in stretch.blocks if not block.thinks]) if strips else stretch.blocks
        if not blocks:
            continue
        at, preamble = len(prompt), 0 if stretch.section is chain.section else chain.enter(stretch.section)
        prompt += _after(chain, stretch, blocks, role)
        markable += blocks
        if preamble:
            prompt[at] = replace(prompt[at], tokens=prompt[at].tokens + preamble)
    for at, ttl in enumerate(ttls_of(markable, automatic)):
        if ttl is not None:
            prompt[at] = replace(prompt[at], ttl=ttl)
    return prompt


def _after(chain: Chain, stretch: _Stretch, blocks: tuple[_Block, ...], role: str) -> list[PromptBlock]:
    """Those blocks of a stretch that are read, hashed; remembered for when the same comes before them again."""
    before = chain.running, chain.mask, role, len(blocks)
    if stretch.after is not None and stretch.after[0] == before:
        _, chain.running, hashed = stretch.after
        return hashed
    section, spoken = stretch.section.value, role.encode()
    hashed = [
        PromptBlock(chain.mix(spoken, block.digest), block.tokens, section, None, block.cacheable) for block in blocks
    ]
    if role in _ROLES:
        stretch.after = before, chain.running, hashed
    return hashed


_ROLES = frozenset({"", "user", "assistant", "system"})
"""Those of the API; what else somebody writes there is not remembered."""


def _last_user_turn(said: list[tuple[str, _Stretch]]) -> int:
    """Position of the newest user message that is more than tool results; 0 for none."""
    return next((at for at in range(len(said) - 1, -1, -1) if said[at][0] == "user" and said[at][1].is_spoken), 0)


def _control(value: Any) -> dict[str, Any] | bool | None:
    """A ``cache_control`` as far as it is looked at; of what is none, that it is something."""
    if isinstance(value, dict):
        return {name: _name(value.get(name)) for name in ("type", "ttl")}
    return None if value is None else True


def _name(value: Any) -> str | bool | None:
    """A word of the API's as it is; of anything else, that it is something."""
    return value if value is None or (isinstance(value, str) and len(value) <= _NAME_CHARS_MAX) else True


def _check_number(number: int) -> None:
    if number > _PROMPT_BLOCKS_MAX:
        raise BadInput(f"read a prompt of more than {_PROMPT_BLOCKS_MAX:,} blocks", "fewer, or it goes without")
