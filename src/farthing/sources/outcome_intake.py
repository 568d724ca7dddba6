"""
``POST /v1/outcomes`` without HTTP and without a ledger: what a body holds, and what its sender is answered. Pure.

Whoever serves it reads the body's values, then each of them, keeps the outcomes where no power cut can reach them, and
only then answers. How many were new to the ledger nobody knows at that time: it takes them later, each once by its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from farthing.errors import BadInput, LedgerFault
from farthing.ledger.outcome import checked_outcome
from farthing.ledger.text import valid_text
from farthing.sources.outcomes import decode, is_event, read_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from farthing.ledger.outcome import Outcome

BODY_BYTES_MAX = 2**20
"""What can be decoded in one go beside calls that want to go on: the worst of a megabyte takes some 70 ms."""
OUTCOMES_MAX = 10_000
"""At most in one body: a sender with more sends more bodies, and may send any of them again."""

_JSON = "application/json"
_EVENT = "application/cloudevents+json"
_EVENTS = "application/cloudevents-batch+json"


class NotRead(NamedTuple):
    """
    Nothing of a body was read, and why.

    Attributes:
        status: 400, no such JSON; 413, too much of it; 415, another content type.
        why: One sentence without the body's text.

    """

    status: int
    why: str


def values_of(body: bytes, content_type: str) -> list[Any] | NotRead:
    """
    What a body holds, each to be read by :func:`read_value`.

    Args:
        body: One outcome or an array of them, each our own JSON or a CloudEvent 1.0.
        content_type: ``application/json``, ``application/cloudevents+json`` (one, structured mode) or
            ``application/cloudevents-batch+json``; parameters are ignored; empty: JSON.

    """
    media_type = content_type.partition(";")[0].strip().lower() or _JSON
    if media_type not in (_JSON, _EVENT, _EVENTS):
        return NotRead(415, f"read another content type; expected {_JSON}, {_EVENT} or {_EVENTS}")
    if len(body) > BODY_BYTES_MAX:
        return NotRead(413, f"read more than {BODY_BYTES_MAX:,} bytes; send several bodies")
    try:
        values = _values(decode(body), media_type)
    except BadInput as bad:
        return NotRead(400, str(bad))
    if len(values) > OUTCOMES_MAX:
        return NotRead(413, f"read {len(values):,} outcomes; expected at most {OUTCOMES_MAX:,}; send several bodies")
    return values


def read_value(value: Any, *, received_at: datetime, tenant: str | None = None) -> Outcome | BadInput:
    """
    One outcome of a body, such that every ledger keeps it, or what is wrong with it.

    Args:
        value: One of :func:`values_of`.
        received_at: Now; aware. An outcome that does not say when it happened, happened now.
        tenant: Whose outcomes the caller may tell; None: anybody's. One that names no tenant is taken for theirs, and
            its id is theirs alone (kept as ``TENANT/ID``): nobody can correct, or guess at, another tenant's outcomes.

    """
    read = _of_tenant(read_outcome(value, received_at=received_at), tenant)
    if isinstance(read, BadInput):
        return read
    try:
        return checked_outcome(read)
    except LedgerFault:  # no rule of ours lets such a one through; if it did, it must not block those of others
        return BadInput("read an outcome that no ledger keeps", "what docs/outcomes.md lists")


def answer(accepted: int, errors: Sequence[tuple[int, BadInput]]) -> tuple[int, dict[str, Any]]:
    """
    What a sender is told once its outcomes are kept.

    Args:
        accepted: How many are.
        errors: Which others are not, by their place in the body from 0, and why.

    Returns:
        Status and JSON. 202: all are kept, and a ledger will have them soon. 422: those at each ``index`` in ``errors``
        are not, and sending them again as they are would not help.

    """
    listed = [{"index": index, "error": valid_text(str(error))} for index, error in errors]
    return (422 if listed else 202), {"accepted": accepted, "errors": listed}


def _values(value: Any, media_type: str) -> list[Any]:
    if media_type == _EVENTS and not isinstance(value, list):
        raise BadInput("read a batch of CloudEvents that is no array", "an array of events")
    if media_type == _EVENT and isinstance(value, list):
        raise BadInput("read an array as one CloudEvent", f"an object, or the content type {_EVENTS}")
    values = value if isinstance(value, list) else [value]
    if media_type != _JSON and not all(map(is_event, values)):
        raise BadInput("read a CloudEvent without specversion", "1.0")
    return values


def _of_tenant(read: Outcome | BadInput, tenant: str | None) -> Outcome | BadInput:
    if tenant is None or isinstance(read, BadInput):
        return read
    if read.tenant not in (None, tenant):
        return BadInput("read an outcome of another tenant", "one of the tenant whose key this is")
    own_id = f"{quote(tenant, safe='')}/{read.outcome_id}"
    return msgspec.structs.replace(read, outcome_id=own_id, dims={**read.dims, "tenant": tenant})
