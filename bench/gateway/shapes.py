"""The three calls that are measured, and how an answer is checked: pinned bytes, the same for every gateway."""

from __future__ import annotations

import json
from typing import NamedTuple

MODEL = "claude-haiku-4-5-20251001"
EVENT_GAP_S = 0.005
PROMPT_BYTES = 190_000

_USAGE = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 57,
    "service_tier": "standard",
}
_ID = "msg_01BenchBenchBenchBench01"
_DELTAS = 55


class Shape(NamedTuple):
    """
    One kind of call.

    Attributes:
        name: In tables. what: one clause for people.
        body: The request's body. answer: the response's body as the upstream sends it.
        connections: How many clients call at once, one call after another each.
        streamed: Whether the answer comes event by event.

    """

    name: str
    what: str
    body: bytes
    answer: bytes
    connections: int
    streamed: bool


def _dense(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _message(**changed: object) -> dict[str, object]:
    text = "The quick brown fox jumps over the lazy dog. " * 4
    message = {"id": _ID, "type": "message", "role": "assistant", "model": MODEL}
    message |= {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None}
    return {**message, "usage": _USAGE, **changed}


def _events() -> list[bytes]:
    start = _message(content=[], stop_reason=None, usage={**_USAGE, "output_tokens": 1})
    found: list[dict[str, object]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    for number in range(_DELTAS):
        delta = {"type": "text_delta", "text": f"word {number} "}
        found.append({"type": "content_block_delta", "index": 0, "delta": delta})
    found += [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 57},
        },
        {"type": "message_stop"},
    ]
    return [b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), _dense(event)) for event in found]


EVENTS = _events()
"""The stream's events, as they are sent one by one."""

MESSAGE = _dense(_message())


def request_body(prompt: str, *, stream: bool = False) -> bytes:
    """A Messages request."""
    asked = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": prompt}]}
    return _dense({**asked, "stream": True} if stream else asked)


_LONG = "All work and no play makes Jack a dull boy. "
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("small", "a small JSON call", request_body("Say hello."), MESSAGE, 8, streamed=False),
        Shape(
            "stream",
            f"{len(EVENTS)} events, {EVENT_GAP_S * 1000:.0f} ms apart",
            request_body("Say hello.", stream=True),
            b"".join(EVENTS),
            32,
            streamed=True,
        ),
        Shape(
            "prompt",
            f"a prompt of {PROMPT_BYTES // 1000} kB",
            request_body(_LONG * (PROMPT_BYTES // len(_LONG))),
            MESSAGE,
            8,
            streamed=False,
        ),
    )
}


def wants_stream(body: bytes) -> bool:
    """Whether a request asks for a stream, whoever wrote its JSON anew on the way."""
    return b'"stream":true' in body or b'"stream": true' in body


def whats_wrong(shape: Shape, status: int, body: bytes, *, exact: bool) -> str:
    """
    What is wrong with an answer; empty for nothing.

    Args:
        shape: What was asked for.
        status: As it came.
        body: As it came, whole.
        exact: Whether every byte must be the upstream's; else the message's id, its end and its counts must be there.

    """
    if status != 200:
        return f"status {status}: {body[:200]!r}"
    if exact:
        return "" if body == shape.answer else f"other bytes than the upstream's: {body[:200]!r}"
    if _ID.encode() not in body or b"end_turn" not in body:
        return f"no such message: {body[:200]!r}"
    if shape.streamed:
        deltas = body.count(b'"text_delta"')
        return "" if deltas == _DELTAS else f"{deltas} deltas"
    try:
        found = json.loads(body)["usage"]["output_tokens"]
    except (ValueError, KeyError, TypeError):
        return f"no usage: {body[:200]!r}"
    return "" if found == 57 else f"{found} output tokens"


def stamped(now_ns: int) -> bytes:
    """A delta that says when it was sent (``time.monotonic_ns``, which processes of one machine share)."""
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"@%d@"}}\n\n' % now_ns
    )


def stamps(data: bytes) -> list[int]:
    """The times that the deltas in *data* state."""
    return [int(part) for part in data.split(b"@")[1::2]]
