"""Batches one by one, by the id that their calls carry."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import Block, Cell, Column, Note, Table
from farthing.dashboard.cells import count, text, usd
from farthing.dashboard.pages.outcome_cells import UNKNOWN, unsure
from farthing.dashboard.row_prices import BATCH, STANDARD
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.prices.engine import price_served
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.call import Served
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Query

_SHOWN = 60
_BATCH_ID = "msgbatch_"


class _Batch(msgspec.Struct):
    """One batch: its calls, what they cost, what they would have cost at standard rates, and whose they are."""

    made_at: datetime
    calls: int = 0
    unpriced: int = 0
    pusd: int = 0
    standard_pusd: int = 0
    kind: Kind = Kind.MEASURED
    models: set[str] = msgspec.field(default_factory=set)
    features: set[str] = msgspec.field(default_factory=set)


def batch_list(visit: Visit) -> tuple[Block, ...]:
    """The batches of the span, the latest first."""
    asked = visit.query()
    query = msgspec.structs.replace(asked, where={**asked.where, "service_tier": (BATCH,)})
    total = visit.reader.total(query)
    if total is None:
        return ()
    if total.calls > CALLS_READ_MAX:
        what = f"Batches are told apart call by call; here are over {CALLS_READ_MAX:,} batched calls. Narrow the days."
        return (Note(what),)
    key = ("batches", repr(query), visit.desk.book.version)
    batches, nameless = visit.reader.kept(key, lambda: _read(visit, query))
    columns = (
        Column("batch_id", "Batch"),
        Column("made_at", "Made"),
        Column("calls", "Calls", is_number=True),
        Column("features", "Features"),
        Column("models", "Models"),
        Column("usd", "Spent", is_number=True),
        Column("saved_usd", "Saved", is_number=True),
    )
    latest = sorted(batches.items(), key=lambda item: (item[1].made_at, item[0]), reverse=True)
    rows = tuple(
        (
            Cell(name if len(name) <= 24 else f"{name[:9]}\u2026{name[-10:]}", name),
            Cell(f"{one.made_at.astimezone(visit.zone):%-d\u00a0%b\u00a0%H:%M}", one.made_at.isoformat()),
            count(one.calls),
            text(", ".join(sorted(one.features))),
            text(", ".join(sorted(one.models))),
            *_amounts(one),
        )
        for name, one in latest[:_SHOWN]
    )
    notes = [
        "At list. Calls are those that succeeded: errored, canceled and expired ones are not billed, and not recorded."
    ]
    if len(latest) > _SHOWN:
        notes.insert(0, f"The latest {_SHOWN} of {len(latest):,}.")
    if any(one.unpriced for one in batches.values()):
        notes.append("Calls without an exact price, here or at standard rates, are in no sum (+?).")
    if nameless:
        notes.append(f"{nameless:,} batched calls do not carry their batch's id: it is not known for every source.")
    kind = str(weakest(Kind.DERIVED, *(one.kind for one in batches.values())))
    empty = "No call of these days carries its batch's id."
    return (Table("batches", "Batch by batch", columns, rows, kind, " ".join(notes), empty),)


def _amounts(one: _Batch) -> tuple[Cell, Cell]:
    """What a batch cost and saved, marked where some of its calls are in no sum."""
    if one.unpriced == one.calls:
        return Cell("unpriced", None, tone="bad"), UNKNOWN
    saved = one.standard_pusd - one.pusd
    more = usd(saved, tone="good" if saved > 0 else "bad" if saved < 0 else "")
    return unsure(usd(one.pusd), one.unpriced), unsure(more, one.unpriced)


def _read(visit: Visit, query: Query) -> tuple[dict[str, _Batch], int]:
    batches: dict[str, _Batch] = {}
    nameless = 0
    for stored in visit.reader.calls(query):
        call, posting = stored.call, stored.posting
        name = call.call_id.partition("/")[0]
        if not name.startswith(_BATCH_ID) or name == call.call_id:
            nameless += 1
            continue
        one = batches.setdefault(name, _Batch(call.sent_at))
        one.made_at = min(one.made_at, call.sent_at)
        one.calls += 1
        one.models.add(call.served.model)
        if feature := call.dims.get("feature"):
            one.features.add(feature)
        standard = price_served(visit.desk.book, _standard(call.served), call.sent_at)
        if posting.list_pusd is None or standard.list_pusd is None:
            one.unpriced += 1
            continue
        one.pusd += posting.list_pusd
        one.standard_pusd += standard.list_pusd
        one.kind = weakest(one.kind, posting.kind, standard.kind)
    return batches, nameless


def _standard(served: Served) -> Served:
    return msgspec.structs.replace(served, service_tier=STANDARD)
