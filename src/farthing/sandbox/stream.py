"""
A finished turn played as server-sent events, with what had been generated when each of them left.

Source: facts: claude-api 4, checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from farthing.sandbox.content import Segment


class Event(NamedTuple):
    """
    One server-sent event.

    Attributes:
        delay_s: How long to wait before sending it (or to move a virtual clock).
        name: For the ``event:`` line.
        payload: For the ``data:`` line, as JSON values; repeats the name in ``type``.

    """

    delay_s: float
    name: str
    payload: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Event {self.name} after {self.delay_s} s>"


class Progress(NamedTuple):
    """
    What had been generated when an event left.

    Attributes:
        pass_index: The pass that was running.
        output_tokens, thinking_tokens: What it had put out.
        has_output: Whether any content had been sent.

    """

    pass_index: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    has_output: bool = False


Step = tuple[Event, Progress]


def play(
    start: dict[str, Any], segments: Sequence[Segment], end: dict[str, Any], *, chunk_chars: int, event_s: float
) -> Iterator[Step]:
    """
    Every event in order.

    Args:
        start: The ``message`` of ``message_start``.
        segments: The content.
        end: The payload of ``message_delta``.
        chunk_chars: Characters per content delta, >= 1.
        event_s: Delay before each content delta.

    """
    done = Progress()
    yield _step("message_start", {"message": start}, done)
    for index, segment in enumerate(segments):
        if segment.pass_index != done.pass_index:
            done = Progress(segment.pass_index, has_output=done.has_output)
        deltas = list(_deltas(segment, max(1, chunk_chars)))
        shell = _shell(segment.block)
        if shell is segment.block:
            done = _after(done, segment, segment.output_tokens)
        yield _step("content_block_start", {"index": index, "content_block": shell}, done)
        if index == 0:
            yield _step("ping", {}, done)
        before = done
        for count, delta in enumerate(deltas, 1):
            done = _after(before, segment, segment.output_tokens * count // len(deltas))
            payload = {"index": index, "delta": delta}
            yield _step("content_block_delta", payload, done, delay_s=event_s)
        yield _step("content_block_stop", {"index": index}, done)
    yield _step("message_delta", end, done)
    yield _step("message_stop", {}, done)


def _step(name: str, payload: dict[str, Any], done: Progress, delay_s: float = 0.0) -> Step:
    return Event(delay_s, name, {"type": name, **payload}), done


def _after(before: Progress, segment: Segment, tokens: int) -> Progress:
    return Progress(
        segment.pass_index,
        before.output_tokens + tokens,
        before.thinking_tokens + (tokens if segment.is_thinking else 0),
        has_output=before.has_output or segment.block["type"] != "fallback",
    )


def _shell(block: dict[str, Any]) -> dict[str, Any]:
    """The block as it starts: empty where deltas fill it, else whole."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}
        case "thinking":
            return {**block, "thinking": "", "signature": ""}
        case "tool_use" | "server_tool_use":
            return {**block, "input": {}}
        case "compaction":
            return {**block, "content": None}
    return block


def _deltas(segment: Segment, chunk_chars: int) -> Iterator[dict[str, Any]]:
    block = segment.block
    match block["type"]:
        case "text":
            yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"], chunk_chars))
        case "thinking":
            for piece in _pieces(block["thinking"], chunk_chars):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use" | "server_tool_use":
            yield {"type": "input_json_delta", "partial_json": ""}
            text = segment.partial_json
            if text is None:
                text = msgspec.json.encode(block["input"]).decode() if block["input"] else ""
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in _pieces(text, chunk_chars))
        case "compaction":
            yield {**block, "type": "compaction_delta"}


def _pieces(text: str, chunk_chars: int) -> Iterator[str]:
    yield from (text[at : at + chunk_chars] for at in range(0, len(text), chunk_chars))
