"""What was decided about one call on its way, as far as it was recorded: tries, caching, and how it is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Cell
from farthing.ledger.interface import Query
from farthing.reports.sums import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.call import Call
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Stored

AGAIN = timedelta(minutes=10)
"""As the finder of repeated calls has it."""
_TRIES_MAX = 9
_TRY = timedelta(hours=1)
_LOOKED_AT_MAX = 500
_LEFT = {
    "drained": "its client left; the answer was read to its end all the same, so that its counts are exact",
    "aborted": "its client left; the upstream was told to stop",
}


def decided(visit: Visit, stored: Stored) -> Iterator[tuple[str, Cell]]:
    """Names and values, in the order of its way."""
    call = stored.call
    if call.source == "gateway":
        yield _admitted(visit)
    yield from _tries(visit, call)
    yield from _again(visit, call)
    yield from _otherwise(call)
    yield "cache", Cell(_cache(visit, call))
    yield "how it is known", Cell(_known(stored))


def _admitted(visit: Visit) -> tuple[str, Cell]:
    said = "yes; what is held until a call is settled is kept per budget"
    return "admitted", Cell(said, "yes", visit.asked.elsewhere("/budgets"))


def _tries(visit: Visit, call: Call) -> Iterator[tuple[str, Cell]]:
    """Other tries of the same request: the gateway numbers them behind its own name for it."""
    entry = call.dims.get("gateway_call", "")
    number = call.dims.get("attempt", "1")
    if not entry:
        return
    base = entry.removesuffix(f".{number}") if number != "1" else entry
    names = (base, *(f"{base}.{n}" for n in range(2, _TRIES_MAX + 1)))
    query = Query(since=call.sent_at - _TRY, until=call.sent_at + _TRY, where={"tag:gateway_call": names})
    others = [one.call for one in visit.reader.calls(query) if one.call.call_id != call.call_id]
    if number != "1":
        yield "try", Cell(f"number {number} of one request: the gateway sent it again after a failure", number)
    for other in others:
        said = f"try {other.dims.get('attempt', '1')} of the same request was billed too"
        yield "try beside", Cell(said, other.call_id, visit.asked.url("/call", open=other.call_id))
    if number == "1" and not others:
        yield "try", Cell("the first; no other try of it was billed", number)


def _again(visit: Visit, call: Call) -> Iterator[tuple[str, Cell]]:
    """The very same prompt, sent by the same session within minutes."""
    session, blocks = call.dims.get("session"), call.request.blocks if call.request else ()
    if not session or not blocks:
        return
    near = visit.reader.calls(
        Query(since=call.sent_at - AGAIN, until=call.sent_at + AGAIN, where={"session": (session,)})
    )
    for _, stored in zip(range(_LOOKED_AT_MAX), near, strict=False):
        other = stored.call
        has = other.request.blocks if other.request else ()
        if other.call_id != call.call_id and has and has[-1].prefix_hash == blocks[-1].prefix_hash:
            when = "before" if other.sent_at < call.sent_at else "after"
            minutes = abs(other.sent_at - call.sent_at)
            said = f"the very same prompt was sent {_told(minutes)} {when} by the same session"
            yield "sent again", Cell(said, other.call_id, visit.asked.url("/call", open=other.call_id), "warn")


def _told(time: timedelta) -> str:
    seconds = round(time.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _otherwise(call: Call) -> Iterator[tuple[str, Cell]]:
    """What was served otherwise than it was asked for."""
    request, served = call.request, call.served
    if request is None:
        return
    if request.model and request.model != served.model:
        yield "model", Cell(f"asked for {request.model}, served by {served.model}", tone="warn")
    if request.speed and request.speed != served.speed:
        yield "speed", Cell(f"asked for {request.speed}, served {served.speed}", tone="warn")
    if request.inference_geo and served.inference_geo and request.inference_geo != served.inference_geo:
        yield "region", Cell(f"asked for {request.inference_geo}, served in {served.inference_geo}", tone="warn")


def _cache(visit: Visit, call: Call) -> str:
    """The verdict in one sentence."""
    usage, request = call.served.usage, call.request
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    if usage.cache_read_tokens:
        more = f", and wrote {percent(written, usage.prompt_tokens)} for later calls" if written else ""
        return f"hit: {percent(usage.cache_read_tokens, usage.prompt_tokens)} of the prompt was read{more}"
    if written:
        return f"miss: nothing was read; {percent(written, usage.prompt_tokens)} of the prompt was written"
    if request is None or not request.blocks:
        return "not used; whether a breakpoint was set is not known"
    if not request.cache_automatic and not any(block.ttl for block in request.blocks):
        return "not asked for: no breakpoint was set"
    named = visit.desk.book.names.find(call.served.model, call.served.channel)
    least = None if named is None else named.model.cacheable_prefix.tokens_min
    if least is not None and usage.prompt_tokens < least:
        return f"passed over: {call.served.model} caches no prefix shorter than {least:,} tokens"
    return "a breakpoint was set, but nothing was read or written"


def _known(stored: Stored) -> str:
    call = stored.call
    parts = [f"by {call.source}, {call.served.kind}"]
    if call.dims.get("recovered"):
        parts.append("posted from the start of its answer, for the process that read it was killed")
    if left := call.dims.get("client_left"):
        parts.append(_LEFT.get(left, f"its client left ({left})"))
    return "; ".join((*parts, *call.served.notes))
