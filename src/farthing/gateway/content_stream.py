"""
A stream put together again: the events of a streamed answer as the one message that they make. Pure.

A word that patterns look for may be cut anywhere between two events, so a stream is redacted as a whole message. What
this does not know (a later kind of delta) is kept beside the block that it belongs to.

Source: facts 4 (streaming reference), checked 2026-11-20.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE_END = re.compile(rb"\r\n|\r|\n")
_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
_PARTIAL = "partial_json"
_EMPTY = ("ping", "content_block_stop", "message_stop")


def assembled(stream: bytes) -> dict[str, Any]:
    r"""
    The message that a stream makes, as far as it came; under ``events`` what belongs to no message, as errors do.

    >>> assembled(b'data: {"type":"message_start","message":{"content":[]}}\n\n')
    {'content': []}
    """
    message: dict[str, Any] = {}
    blocks: dict[Any, dict[str, Any]] = {}
    others = []
    for event in _events(stream):
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start" and isinstance(event.get("message"), dict):
            message |= event["message"]
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            blocks[_hashable(index)] = dict(event["content_block"])
        elif kind == "content_block_delta" and isinstance(event.get("delta"), dict):
            _add(blocks.setdefault(_hashable(index), {}), event["delta"])
        elif kind == "message_delta":
            message |= _table(event.get("delta"))
            message["usage"] = _table(message.get("usage")) | _table(event.get("usage"))
        elif kind not in _EMPTY:
            others.append(event)
    if blocks:
        message["content"] = [_ended(block) for block in blocks.values()]
    return message | ({"events": others} if others else {})


def _events(stream: bytes) -> Iterator[dict[str, Any]]:
    """The JSON of each event; what is none is passed over, and so is an event that was cut off."""
    data: list[bytes] = []
    for line in [*_LINE_END.split(stream.removeprefix(b"\xef\xbb\xbf")), b""]:
        if line.startswith(b"data:"):
            data.append(line[5:])
        elif not line and data:
            try:
                event = json.loads(b"\n".join(data))
            except (ValueError, RecursionError):
                event = None
            data.clear()
            if isinstance(event, dict):
                yield event


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    kind = delta.get("type")
    name = _TEXTS.get(kind) if isinstance(kind, str) else None
    if name is not None and isinstance(piece := delta.get(name), str):
        _hold(block, name, piece)
    elif kind == "input_json_delta" and isinstance(piece := delta.get(_PARTIAL), str):
        _hold(block, _PARTIAL, piece)
    elif kind == "citations_delta" and "citation" in delta:
        held = block.get("citations")
        block["citations"] = [*(held if isinstance(held, list) else []), delta["citation"]]
    else:
        block.setdefault("deltas", []).append(delta)


def _hold(block: dict[str, Any], name: str, piece: str) -> None:
    held = block.get(name)
    if isinstance(held, list):
        held.append(piece)
    else:
        block[name] = [held if isinstance(held, str) else "", piece]


def _ended(block: dict[str, Any]) -> dict[str, Any]:
    """A block with its pieces joined, and the input of a tool read where it is whole."""
    for name in (*_TEXTS.values(), _PARTIAL):
        if isinstance(block.get(name), list):
            block[name] = "".join(map(str, block[name]))
    if isinstance(written := block.get(_PARTIAL), str):
        try:
            block["input"] = json.loads(written) if written else block.get("input", {})
        except (ValueError, RecursionError):
            return block
        del block[_PARTIAL]
    return block


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _hashable(index: Any) -> Any:
    return index if isinstance(index, int) else None
