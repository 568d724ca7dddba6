"""
One line of a Message Batches results file (``.jsonl``).

Only ``succeeded`` results are billed; a refusal is one of them. The results come in any order and may be downloaded
many times, so each carries an identity of its own: batch id and custom id.

Source: facts 6 (batch processing guide and API reference), checked 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from farthing.call import Served
from farthing.errors import BadInput
from farthing.usage.interface import (
    NOTHING_KNOWN,
    InputCounts,
    Known,
    Payload,
    Shape,
    decode_object,
    text_or_none,
)
from farthing.usage.messages import read_message

SHAPE = Shape(name="batch result", input_counts=InputCounts.EXCLUSIVE, splits_writes=True, prompt_total=False)

Outcome = Literal["succeeded", "errored", "canceled", "expired"]
_OUTCOMES = ("succeeded", "errored", "canceled", "expired")


class BatchResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What became of one request of a batch.

    Attributes:
        call_id: ``<batch id>/<custom id>``: the same result downloaded again has the same one.
        outcome: Anything but ``succeeded`` is not billed.
        served: What a succeeded request was served, at ``service_tier`` ``batch``; None for any other outcome.
        error_type: Of an errored request, such as ``invalid_request_error``.

    """

    call_id: str
    custom_id: str
    outcome: Outcome
    served: Served | None = None
    error_type: str | None = None


def read_batch_line(line: Payload, *, batch_id: str, known: Known = NOTHING_KNOWN) -> BatchResult:
    """
    Read one result.

    Args:
        line: One line of the results file.
        batch_id: ``msgbatch_...``: custom ids are unique within one batch only.
        known: What the caller knows beside the file.

    Raises:
        BadInput: Not a result line, or its usage cannot be read.

    """
    entry = decode_object(line, SHAPE.name)
    custom_id, result = text_or_none(entry.get("custom_id")), entry.get("result")
    if custom_id is None or not isinstance(result, Mapping):
        raise BadInput("read a batch result line", "custom_id and result")
    outcome = result.get("type")
    if outcome not in _OUTCOMES:
        raise BadInput("read a batch result of an unknown type", f"one of {', '.join(_OUTCOMES)}")
    return BatchResult(
        call_id=f"{batch_id}/{custom_id}",
        custom_id=custom_id,
        outcome=outcome,
        served=_served(result.get("message"), known) if outcome == "succeeded" else None,
        error_type=_error_type(result.get("error")) if outcome == "errored" else None,
    )


def _served(message: Any, known: Known) -> Served:
    if not isinstance(message, Mapping):
        raise BadInput("read a succeeded batch result without its message", "the message it was served")
    served = read_message(message, known)
    if served.service_tier == "batch":
        return served
    note = f"service_tier {served.service_tier} in a batch results file, where every result is billed as batch"
    stated = isinstance(usage := message.get("usage"), Mapping) and usage.get("service_tier") is not None
    return msgspec.structs.replace(
        served, service_tier="batch", notes=(*served.notes, note) if stated else served.notes
    )


def _error_type(error: Any) -> str | None:
    """The innermost ``type``: the API wraps the error object once."""
    if not isinstance(error, Mapping):
        return None
    inner = error.get("error")
    return text_or_none(inner.get("type") if isinstance(inner, Mapping) else error.get("type"))
