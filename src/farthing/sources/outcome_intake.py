"""
``POST /v1/outcomes`` without the HTTP: a body and its type go in, a status and JSON come out.

Whoever serves it routes the request here, and passes the tenant that the caller was signed in for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from farthing.errors import BadInput, LedgerFault
from farthing.sources.outcomes import decode, is_event, read_outcome

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.ledger.outcome import Outcome, OutcomeStore

BODY_BYTES_MAX = 8 * 2**20
OUTCOMES_MAX = 10_000
"""At most in one body: a sender with more sends more bodies, and may send any of them again."""

_JSON = "application/json"
_EVENT = "application/cloudevents+json"
_EVENTS = "application/cloudevents-batch+json"


def accept(
    body: bytes, content_type: str, store: OutcomeStore, *, received_at: datetime, tenant: str | None = None
) -> tuple[int, dict[str, Any]]:
    """
    Keep the outcomes that a request body tells of. Safe to repeat: an outcome told twice counts once.

    Args:
        body: One outcome or an array of them, each our own JSON or a CloudEvent 1.0.
        content_type: ``application/json``, ``application/cloudevents+json`` (one, structured mode) or
            ``application/cloudevents-batch+json``; parameters are ignored; empty: JSON.
        store: Where they are kept.
        received_at: Now; aware. An outcome that does not say when it happened, happened now.
        tenant: Whose outcomes the caller may tell; None: anybody's. One that names no tenant is taken for theirs, and
            its id is theirs alone (kept as ``TENANT/ID``): nobody can correct, or guess at, another tenant's outcomes.

    Returns:
        Status and JSON. 200: all are kept, with counts ``new``, ``known`` and ``corrected``. 422: the same, but of the
        outcomes at each ``index`` in ``errors`` nothing is; the others are kept. With ``error`` alone, nothing is kept:
        400, no such JSON; 413, too much of it; 415, another type; 503, the ledger cannot be written now: send again.

    """
    media_type = content_type.partition(";")[0].strip().lower() or _JSON
    if media_type not in (_JSON, _EVENT, _EVENTS):
        return 415, {"error": f"read another content type; expected {_JSON}, {_EVENT} or {_EVENTS}"}
    if len(body) > BODY_BYTES_MAX:
        return 413, {"error": f"read {len(body):,} bytes; expected at most {BODY_BYTES_MAX:,}; send several bodies"}
    try:
        values = _values(decode(body), media_type)
    except BadInput as bad:
        return 400, {"error": str(bad)}
    if len(values) > OUTCOMES_MAX:
        return 413, {"error": f"read {len(values):,} outcomes; expected at most {OUTCOMES_MAX:,}; send several bodies"}
    good: list[Outcome] = []
    errors: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        read = _of_tenant(read_outcome(value, received_at=received_at), tenant)
        if isinstance(read, BadInput):
            errors.append({"index": index, "error": str(read)})
        else:
            good.append(read)
    try:
        added = store.add_outcomes(good, received_at=received_at)
    except LedgerFault as fault:
        return 503, {"error": str(fault)}
    return (422 if errors else 200), {**added._asdict(), "errors": errors}


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
