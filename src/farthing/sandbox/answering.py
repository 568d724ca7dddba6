"""
Who answers in the sandbox: an echo, a script, or recorded right and wrong answers.

Any source of replies is a function from an Ask to a Reply, or None to leave it to the next source.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from farthing.prompts.shape import mapping, mappings
from farthing.sandbox.instance import plainest
from farthing.sandbox.replies import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from farthing.sandbox.replies import Ask, Case

_ECHO_CHARS_MAX = 4000
_ORDER = re.compile(r"<<(\w+):([^<>]{1,200})>>")


class Source(Protocol):
    """Where replies come from."""

    def reply(self, ask: Ask) -> Reply | None:
        """The reply, or None to leave it to the next source."""


class Echo:
    """
    Says back the last user text (its first 4,000 characters), deterministically.

    A prompt can order more (docs/sandbox.md): ``<<output:200>>`` asks for 200 output tokens in all, ``<<thinking:50>>``
    for 50 of them to be thinking. A forced ``tool_choice`` is answered by a call of that tool, a structured output by
    the plainest value of its schema.
    """

    def reply(self, ask: Ask) -> Reply | None:
        """Never None."""
        text = last_user_text(ask.body)
        orders = dict(_ORDER.findall(text))
        output, thinking = _whole(orders.get("output")), _whole(orders.get("thinking"))
        tool = _forced_tool(ask.body)
        if tool is not None:
            return Reply(tool_uses=(ToolUse(tool),), output_tokens=output, thinking_tokens=thinking or 0)
        schema = mapping(mapping(ask.body.get("output_config")).get("format")).get("schema")
        if schema is not None:
            return Reply(text=msgspec.json.encode(plainest(schema)).decode(), thinking_tokens=thinking or 0)
        said = None if output is not None else " ".join(_ORDER.sub(" ", text[:_ECHO_CHARS_MAX]).split()) or "Hello."
        return Reply(text=said, output_tokens=output, thinking_tokens=thinking or 0)


class Scripted:
    """
    Replies in order, then None; or a reply per predicate.

    Args:
        replies: Each is used once, in order.
        rules: Pairs of a predicate and a reply (or a function from Ask to one), tried in order before the list; used as
            often as they match.

    """

    def __init__(
        self,
        replies: Iterable[Reply] = (),
        rules: Iterable[tuple[Callable[[Ask], bool], Reply | Callable[[Ask], Reply]]] = (),
    ) -> None:
        self._replies = deque(replies)
        self._rules = list(rules)

    def add(self, *replies: Reply) -> None:
        """Append replies, for a control endpoint."""
        self._replies.extend(replies)

    def reply(self, ask: Ask) -> Reply | None:
        """The first rule that matches, else the next of the list."""
        for matches, reply in self._rules:
            if matches(ask):
                return reply if isinstance(reply, Reply) else reply(ask)
        return self._replies.popleft() if self._replies else None


class Recorded:
    """
    Right and wrong answers by case and model, for evaluations.

    Args:
        cases: By key. A request names its case by ``<<case:KEY>>`` anywhere in its last user text.

    """

    def __init__(self, cases: Mapping[str, Case]) -> None:
        self._cases = cases

    def reply(self, ask: Ask) -> Reply | None:
        """None where the request names no case, or one that this model has no record for."""
        case = self._cases.get(dict(_ORDER.findall(last_user_text(ask.body))).get("case", ""))
        if case is None or ask.model not in case.is_correct:
            return None
        text = case.correct if case.is_correct[ask.model] else case.incorrect
        return Reply(text=text, output_tokens=case.output_tokens.get(ask.model))


class Replies:
    """The sources of one world, asked in order; the last one is an echo, so that there is always an answer."""

    def __init__(self, *sources: Source) -> None:
        self.sources: list[Source] = list(sources)

    def reply(self, ask: Ask) -> Reply:
        """The first source's answer that is not None."""
        for source in self.sources:
            reply = source.reply(ask)
            if reply is not None:
                return reply
        return Reply(text="Hello.")


def last_user_text(body: Mapping[str, Any]) -> str:
    """The text of the last user message, its blocks joined by spaces; empty where it has none."""
    for message in reversed(mappings(body.get("messages"))):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            return " ".join(str(block.get("text", "")) for block in mappings(content) if block.get("type") == "text")
    return ""


def _forced_tool(body: Mapping[str, Any]) -> str | None:
    choice, tools = mapping(body.get("tool_choice")), mappings(body.get("tools"))
    if choice.get("type") == "tool":
        return str(choice.get("name"))
    return str(tools[0].get("name")) if choice.get("type") == "any" and tools else None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) <= 9 else None
