"""
A request as the prompt cache sees it: blocks in order, each with the hash of everything up to it.

Two requests share a cached prefix exactly when their blocks have the same ``prefix_hash``. What else shapes a prompt is
mixed in at the start of the section from which it is felt (:mod:`farthing.prompts.shape`), so a changed ``tool_choice``
leaves the hashes of tools and system as they were. What a request merely turns (model, geo, speed, thinking, effort)
can be taken out of a hash again (:mod:`farthing.prompts.dials`). No text is kept.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from farthing.prompts.breakpoints import Ttl, ttls_of
from farthing.prompts.dials import MASK_BYTES, Dials, masks_of
from farthing.prompts.parts import Part, Section, parts_of
from farthing.prompts.shape import dials_of, shape_of
from farthing.tokens.models import Unknowable, traits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farthing.prompts.shape import Shape

HASH_BYTES = MASK_BYTES


class Counter(Protocol):
    """Tokens of what a prompt is made of. Equal content must always get an equal count."""

    def block(self, part: Part) -> int:
        """Tokens of one part, >= 0."""

    def preamble(self, section: Section, body: Mapping[str, Any]) -> int:
        """
        Tokens that the API itself puts before a section, such as the hidden tool prompt.

        They may depend only on what :func:`farthing.prompts.shape.shape_of` mixes into this section or an earlier one,
        and on tools.
        """


class Block(msgspec.Struct, frozen=True, gc=False):
    """
    One position of a prompt.

    Attributes:
        section: ``tools``, ``system`` or ``messages``.
        prefix_hash: Of everything from the start of the prompt to the end of this block; :data:`HASH_BYTES` long.
        tokens: Of this block, with the preamble of its section on the first one.
        prefix_tokens: From the start of the prompt to the end of this block.
        ttl: Lifetime of the breakpoint on this block, None where there is none.
        cacheable: Whether a breakpoint may stand here.

    """

    section: Section
    prefix_hash: bytes
    tokens: int
    prefix_tokens: int
    ttl: Ttl | None
    cacheable: bool


class Prompt(msgspec.Struct, frozen=True):
    """
    One request's prompt.

    Attributes:
        model: Canonical id, or the id as it came where the book does not know it.
        blocks: In prompt order.

    """

    model: str
    blocks: tuple[Block, ...]

    @property
    def tokens(self) -> int:
        """The whole prompt: what fresh input, cache writes and cache reads add up to."""
        return self.blocks[-1].prefix_tokens if self.blocks else 0

    @property
    def breakpoints(self) -> tuple[int, ...]:
        """Positions of the blocks with a breakpoint, ascending."""
        return tuple(at for at, block in enumerate(self.blocks) if block.ttl is not None)


def content_digest(part: Part) -> bytes:
    """The digest of a part's content, by which it enters the hashes."""
    return hashlib.sha256(part.encoded).digest()


def read_prompt(
    body: Mapping[str, Any],
    counter: Counter,
    *,
    model: str | None = None,
    inference_geo: str | None = None,
    breakpoints: bool = True,
) -> Prompt:
    """
    Read a decoded Messages request.

    Args:
        body: Key order matters, as it does to the API; what is not shaped as the API wants it is skipped.
        counter: Counts tokens.
        model: Id to read it for in place of the body's own, as for a fallback.
        inference_geo: The one in force where the body names none.
        breakpoints: False: read no ``cache_control`` and refuse none.

    Raises:
        BadBreakpoint: ``cache_control`` breaks a rule, see :func:`farthing.prompts.breakpoints.ttls_of`.

    """
    canonical, keeps = known_as(model or str(body.get("model")))
    parts = parts_of(body, keeps_thinking=keeps)
    ttls = ttls_of(parts, body.get("cache_control")) if breakpoints else [None] * len(parts)
    chain = Chain(body, shape_of(body), dials_of(body, canonical, inference_geo), counter.preamble)
    blocks, tokens = [], 0
    for part, ttl in zip(parts, ttls, strict=True):
        before = tokens
        if part.section is not chain.section:
            tokens += chain.enter(part.section)
        prefix_hash = chain.mix(part.role.encode(), content_digest(part))
        tokens += counter.block(part)
        blocks.append(Block(part.section, prefix_hash, tokens - before, tokens, ttl, part.cacheable))
    return Prompt(canonical, tuple(blocks))


@lru_cache(maxsize=256)
def known_as(model: str) -> tuple[str, bool]:
    """A model's canonical id, and whether it reads the thinking of earlier turns; of one that is not known: yes."""
    traits = traits_of(model)
    return (model, True) if isinstance(traits, Unknowable) else (traits.model, traits.keeps_thinking)


_SECTIONS = tuple(Section)
_PLACES = {section: place for place, section in enumerate(_SECTIONS)}
_ENTRIES = tuple(b"/" + section.encode() for section in _SECTIONS)


class Chain:
    """
    The hashes of one prompt, block by block.

    Args:
        body: The request. shape: its shape. dials: its dials.
        preamble: See :meth:`Counter.preamble`.

    Attributes:
        section: The one that was entered last; None before the first.
        running: The hash of everything so far, apart from what *mask* stands for.
        mask: What the hashes of this section are mixed with.

    """

    __slots__ = ("_body", "_entered", "_masks", "_preamble", "_shape", "mask", "running", "section")

    def __init__(
        self, body: Mapping[str, Any], shape: Shape, dials: Dials, preamble: Callable[[Section, Mapping[str, Any]], int]
    ) -> None:
        self.section: Section | None = None
        self.running = bytes(HASH_BYTES)
        self.mask = 0
        self._body = body
        self._shape = shape
        self._masks = masks_of(dials)
        self._preamble = preamble
        self._entered = 0

    def enter(self, section: Section) -> int:
        """Begin a section, and those before it that have no blocks: the tokens that the API puts before them."""
        place, tokens = _PLACES[section], 0
        while self._entered <= place:
            at = self._entered
            mix = _mixed_again if len(self._shape[at]) <= _PLAIN_SHAPE_BYTES else _mixed
            self.running = mix(self.running, _ENTRIES[at], self._shape[at])
            tokens += self._preamble(_SECTIONS[at], self._body)
            self._entered = at + 1
        self.section, self.mask = section, self._masks[place]
        return tokens

    def mix(self, role: bytes, digest: bytes) -> bytes:
        """Add a block: its ``prefix_hash``."""
        self.running = running = _mixed(self.running, role, digest)
        return (int.from_bytes(running) ^ self.mask).to_bytes(HASH_BYTES)


def _mixed(before: bytes, what: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(b"%b%d:%b%b" % (before, len(what), what, content), digest_size=HASH_BYTES).digest()


_mixed_again = lru_cache(maxsize=256)(_mixed)
"""Most requests enter their sections in the same few ways."""
_PLAIN_SHAPE_BYTES = 64
"""A longer shape holds a schema or skills, which nobody is to remember."""
