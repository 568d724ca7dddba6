"""
Context editing: what the server drops from a conversation before the model reads it, and bills it.

Dropped content breaks the cached prefix where it stood: the edited conversation is what is cached, counted and limited.

Source: facts: claude-api 2 and 7.1, and the official SDK's descriptions (2.8); checked 2026-11-20. UNCONFIRMED and
chosen here: the text that stands for a cleared result; that ``keep`` counts excluded tools too; that three tool uses
and one turn of thinking are kept unless told otherwise; that an edit begins past its trigger, not at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.prompts.shape import mapping, mappings
from farthing.sandbox.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLEARED = "[Old tool result content cleared]"
_TOOL_USES, _THINKING, _COMPACT = "clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112"
_THOUGHTS = ("thinking", "redacted_thinking")


class Edited(NamedTuple):
    """
    A request after its edits.

    Attributes:
        body: As the model gets it.
        applied: ``applied_edits`` of the response; None where no edits were asked for.

    """

    body: Mapping[str, Any]
    applied: list[dict[str, Any]] | None

    def __repr__(self) -> str:
        return f"<Edited, {len(self.applied or ())} edits applied>"


def edited(body: Mapping[str, Any], count: Callable[[Mapping[str, Any]], int]) -> Edited:
    """
    Apply the edits of ``context_management``, in order.

    Args:
        body: A decoded request; it is not changed.
        count: Tokens of the prompt of a request.

    Raises:
        ApiError: An edit is none.

    """
    config = body.get("context_management")
    if config is None:
        return Edited(body, None)
    applied = []
    for at, edit in enumerate(mappings(mapping(config).get("edits"))):
        path, kind = f"context_management.edits.{at}", edit.get("type")
        if kind == _COMPACT:  # scripted: replies.Compaction
            continue
        if kind not in (_TOOL_USES, _THINKING):
            raise invalid(f"{path}.type: Input should be {_THINKING!r}, {_TOOL_USES!r} or {_COMPACT!r}")
        before = count(body)
        clear = _tool_uses_cleared if kind == _TOOL_USES else _thinking_cleared
        changed, cleared = clear(body, edit, path, before)
        tokens = before - count(changed) if cleared else 0
        at_least = _amount(edit, "clear_at_least", {"input_tokens": 0}, path)[1]
        if cleared and tokens >= at_least:
            what = "cleared_tool_uses" if kind == _TOOL_USES else "cleared_thinking_turns"
            applied.append({"type": kind, "cleared_input_tokens": tokens, what: cleared})
            body = changed
    return Edited(body, applied)


def _tool_uses_cleared(
    body: Mapping[str, Any], edit: Mapping[str, Any], path: str, tokens: int
) -> tuple[Mapping[str, Any], int]:
    """The request without its older results, and how many those are."""
    uses = [
        (str(block.get("id")), str(block.get("name")))
        for message in body["messages"]
        for block in mappings(message["content"])
        if block.get("type") == "tool_use"
    ]
    unit, most = _amount(edit, "trigger", {"input_tokens": 100_000, "tool_uses": 0}, path)
    keep = _amount(edit, "keep", {"tool_uses": 3}, path)[1]
    if (tokens if unit == "input_tokens" else len(uses)) <= most:
        return body, 0
    excluded, inputs = _names(edit, "exclude_tools", path), edit.get("clear_tool_inputs")
    lightened = () if isinstance(inputs, bool) else _names(edit, "clear_tool_inputs", path)
    old = {use_id: name for use_id, name in uses[: max(0, len(uses) - keep)] if name not in excluded}

    def lighter(block: Mapping[str, Any]) -> Mapping[str, Any]:
        if block.get("type") == "tool_result" and str(block.get("tool_use_id")) in old:
            return {**block, "content": CLEARED}
        if block.get("type") == "tool_use" and str(block.get("id")) in old:
            return {**block, "input": {}} if inputs is True or block.get("name") in lightened else block
        return block

    messages = [_with(one, [lighter(block) for block in mappings(one["content"])]) for one in body["messages"]]
    return {**body, "messages": messages}, len(old)


def _thinking_cleared(
    body: Mapping[str, Any], edit: Mapping[str, Any], path: str, tokens: int
) -> tuple[Mapping[str, Any], int]:
    """The request without its older thinking, and how many turns of it those are."""
    del tokens
    if edit.get("keep") == "all" or mapping(edit.get("keep")).get("type") == "all":
        return body, 0
    keep = _amount(edit, "keep", {"thinking_turns": 1}, path)[1]
    turns = [
        at
        for at, message in enumerate(body["messages"])
        if any(block.get("type") in _THOUGHTS for block in mappings(message["content"]))
    ]
    old = turns[: max(0, len(turns) - keep)]
    messages = [
        _with(message, [block for block in mappings(message["content"]) if block.get("type") not in _THOUGHTS])
        if at in old
        else message
        for at, message in enumerate(body["messages"])
    ]
    return {**body, "messages": messages}, len(old)


def _with(message: dict[str, Any], blocks: list[Any]) -> dict[str, Any]:
    """The message with other blocks; one of plain text stays as it is."""
    return {**message, "content": blocks} if isinstance(message["content"], list) else message


def _names(edit: Mapping[str, Any], field: str, path: str) -> list[Any]:
    given = edit.get(field)
    if given is not None and not isinstance(given, list):
        raise invalid(f"{path}.{field}: Input should be a valid list")
    return given or []


def _amount(edit: Mapping[str, Any], field: str, defaults: Mapping[str, int], path: str) -> tuple[str, int]:
    """Unit and value of a threshold; the first unit with its default where there is none."""
    given = edit.get(field)
    if given is None:
        return next(iter(defaults.items()))
    unit, value = mapping(given).get("type"), mapping(given).get("value")
    if unit not in defaults:
        raise invalid(f"{path}.{field}.type: Input should be {' or '.join(map(repr, defaults))}")
    if type(value) is not int or value < 0:
        raise invalid(f"{path}.{field}.value: Input should be a whole number")
    return str(unit), value
