"""
What a request asked for, as a Call keeps it: settings, and the prompt as hashes and counts of its blocks. Never text.

It is read after the request was sent, while the upstream works, so it delays nothing; and one reader remembers what it
saw, so a conversation that grows is read once (:mod:`farthing.prompts.recall`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import Request
from farthing.errors import BadInput
from farthing.prompts.parts import Section
from farthing.prompts.recall import Recall, Recalled
from farthing.prompts.shape import mapping
from farthing.tokens.models import Traits, Unknowable, traits_of
from farthing.tokens.quick import quick_block, quick_tokens, quick_tool
from farthing.tokens.tools import tool_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farthing.gateway.asked import Whole

_TOKENS_MAX = 2**31
_NAME_CHARS_MAX = 128
_WORD = re.compile(rf"[\w.:/@-]{{1,{_NAME_CHARS_MAX}}}", re.ASCII)


class _Settings(msgspec.Struct):
    """What of a request is kept that has no prompt: every setting by itself, so that one hides no other."""

    model: Any = None
    stream: Any = None
    max_tokens: Any = None
    output_config: Any = None
    thinking: Any = None
    speed: Any = None
    inference_geo: Any = None
    service_tier: Any = None
    cache_control: Any = None


_settings = msgspec.json.Decoder(_Settings).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Fingerprinter:
    """
    Reads requests, and remembers prompts by digest.

    Args:
        failed: Called with a word where a prompt could not be read; its request then has no blocks.

    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._recall = Recall()

    def request(self, whole: Whole | None, body: bytes) -> Request | None:
        """
        What a request asks for; None where it is no JSON object, which the upstream will refuse.

        Args:
            whole: The request, decoded; None where its prompt has another shape than the API's.
            body: The same, as it came.

        """
        if whole is None:
            return self._without_prompt(body)
        try:
            _check_names(whole)
            return _asked(whole, self._recall.read(whole, _counter(whole.model), b"%b\0" % whole.model.encode()))
        except (BadInput, *_UNREADABLE):
            self._failed("prompt not readable")
        except Exception:  # noqa: BLE001 - metering never breaks the user's call
            self._failed("prompt")
        return _asked(whole)

    def _without_prompt(self, body: bytes) -> Request | None:
        try:
            asked = _asked(_settings(body))
        except _UNREADABLE:
            return None
        self._failed("prompt not readable")
        return asked


class _Counter:
    """Quick counts for one model; one that is in no table counts as the newest generation does."""

    def __init__(self, traits: Traits) -> None:
        self._traits = traits

    def tool(self, block: Mapping[str, Any]) -> int:
        return quick_tool(block, self._traits)

    def content(self, block: Mapping[str, Any]) -> int:
        return quick_block(block, self._traits)

    def preamble(self, section: Section, body: Mapping[str, Any]) -> int:
        """The hidden tool prompt, and the schema of a structured output."""
        if section is Section.SYSTEM:
            if "output_config" not in body:
                return 0
            schema = mapping(mapping(body["output_config"]).get("format"))
            return quick_tokens(msgspec.json.encode(schema).decode(), self._traits.tokenizer) if schema else 0
        if not body.get("tools"):
            return 0
        plain = _hidden(self._traits, forced=False)
        if section is Section.TOOLS:
            return plain
        forced = mapping(body.get("tool_choice")).get("type") in {"any", "tool"}
        return max(0, _hidden(self._traits, forced=True) - plain) if forced else 0


@lru_cache(maxsize=256)
def _counter(model: str) -> _Counter:
    traits = traits_of(model)
    return _Counter(Traits(model, "4.7", keeps_thinking=True) if isinstance(traits, Unknowable) else traits)


@lru_cache(maxsize=512)
def _hidden(traits: Traits, *, forced: bool) -> int:
    return tool_prompt(traits, forced=forced).tokens


_NO_PROMPT = Recalled()


def _asked(found: _Settings | Whole, recalled: Recalled = _NO_PROMPT) -> Request:
    thinking = mapping(found.thinking)
    return Request(
        model=_word(found.model) or "",
        stream=found.stream is True,
        max_tokens=_count(found.max_tokens),
        effort=_word(mapping(found.output_config).get("effort")),
        thinking=_word(thinking.get("type")),
        thinking_budget_tokens=_count(thinking.get("budget_tokens")),
        speed=_word(found.speed),
        inference_geo=_word(found.inference_geo),
        service_tier=_word(found.service_tier),
        tools=recalled.tools,
        tools_tokens=recalled.tools_tokens,
        cache_automatic=found.cache_control is not None,
        blocks=recalled.blocks,
    )


def _check_names(body: Whole) -> None:
    """
    Refuse names that nobody gave: they are remembered with what was read under them, and must not be long.

    Raises:
        BadInput: There is one.

    """
    thinking, effort = mapping(body.thinking).get("type"), mapping(body.output_config).get("effort")
    for name in (body.model, body.speed, body.inference_geo, thinking, effort):
        if isinstance(name, str) and len(name) > _NAME_CHARS_MAX:
            raise BadInput("read a name of a model or setting that has no end", f"{_NAME_CHARS_MAX} characters at most")


def _word(value: Any) -> str | None:
    """A value that can be one of the API's; what else somebody writes there is kept nowhere."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _TOKENS_MAX else None
