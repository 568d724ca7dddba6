"""The same calls under each other model: what switching would cost, call for call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import Block, Cell, Column, Field, Form, Note, Table
from farthing.dashboard.cells import signed, text, usd
from farthing.dashboard.pages.outcome_cells import signed_percent
from farthing.dashboard.row_prices import BY
from farthing.dashboard.switching import Switched, of_rows, of_step
from farthing.units import Kind, weakest
from farthing.whatif.replay.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row
    from farthing.prices.schema import Model

CALLS_REPLAYED_MAX = 2_000
_COMMAND = "farthing whatif --where model=claude-opus-5-5 --choose model=claude-haiku-5-5"
_RESTRICTED = ("verified", "invitation")
"""Words of a model's status that say not everybody may ask for it."""


def switch_cost(visit: Visit, rows: Sequence[Row]) -> tuple[Block, ...]:
    """A choice of the model whose calls are meant, and what they would cost under each other one."""
    sources = [row.key[0] for row in rows if row.key[0] and row.list_pusd > 0]
    if not sources:
        return ()
    source = visit.asked.said("from", sources[0])
    row = next((row for row in rows if row.key[0] == source), None)
    choices = tuple((name, name) for name in dict.fromkeys((*sources, source)))
    form = Form("What another model would cost", (Field("from", "The calls of", source, choices),), "Compare")
    if row is None or not row.list_pusd:
        return form, Note(f"No priced call of these days was served by {source}.", "Nothing to compare", "warn")
    return form, _table(visit, source, row)


def _table(visit: Visit, source: str, row: Row) -> Table:
    book, targets = visit.desk.book, targets_of(visit, source)
    query = visit.query()
    query = msgspec.structs.replace(query, where={**query.where, "model": (source,)}, timezone="UTC")
    total = visit.total()
    is_replayed = total is None or total.calls <= CALLS_REPLAYED_MAX
    if is_replayed:
        choices = tuple(Choice.of(model.id, model=model.id) for model in targets)
        found = [of_step(step) for step in visit.reader.replayed(query, choices, book).steps]
    else:
        days = visit.reader.report(msgspec.structs.replace(query, by=BY, bucket="day"))
        found = [of_rows(days, book, model) for model in targets]
    before, calls = row.list_pusd, row.calls - row.unpriced_calls
    columns = (
        Column("model", "Under"),
        Column("usd", "Would cost", is_number=True),
        Column("moved_usd", "Change", is_number=True),
        Column("moved", "Change %", is_number=True),
        Column("usd_per_call", "Per call", is_number=True),
        Column("kind", "How sure"),
        Column("stays", "Calls that cannot move", is_number=True),
    )
    ordered = sorted(zip(targets, found, strict=True), key=lambda pair: (pair[1].pusd, pair[0].id))
    cells = [
        (
            text(source, tone="quiet"),
            usd(before),
            Cell("as it was", "0", tone="quiet"),
            Cell("", None, tone="quiet"),
            usd(before // calls),
            Cell(str(row.kind)),
            Cell("", 0),
        ),
        *(_row(model, one, before, calls) for model, one in ordered),
    ]
    kind = str(weakest(Kind.DERIVED, *(one.kind for one in found)))
    note = (
        "At list. Same text, same answers, same caching. Derived where only prices differ; assumed where the other "
        "model counts tokens otherwise, or where a cache was read or written, which would be another model's. Whether "
        "its answers are as good, no price tells."
    )
    if not is_replayed:
        note += (
            f" These days have over {CALLS_REPLAYED_MAX:,} calls: sums by day are priced, in the band of their mean "
            f"prompt. {_COMMAND} replays each call."
        )
    if row.unpriced_calls:
        note += f" {row.unpriced_calls:,} calls have no exact price and are left out."
    title = f"{calls:,} calls of {source}, under each other model"
    return Table("switch", title, columns, tuple(cells), kind, note)


def _row(model: Model, one: Switched, before: int, calls: int) -> tuple[Cell, ...]:
    moved = one.pusd - before
    sure = f"{one.kind}, {one.surer} derived" if one.surer else str(one.kind)
    return (
        text(model.id),
        usd(one.pusd),
        Cell(signed(moved), usd(moved).value, tone="good" if moved < 0 else "bad" if moved > 0 else ""),
        Cell(("+" if moved > 0 else "") + signed_percent(moved, before), tone="good" if moved < 0 else "bad"),
        usd(one.pusd // calls),
        Cell(sure, str(one.kind)),
        Cell(f"{one.stays:,}" if one.stays else "", one.stays, hint=one.why),
    )


def targets_of(visit: Visit, source: str) -> list[Model]:
    """The models that one would switch to: the current ones, and those that served in these days."""
    book = visit.desk.book
    named = book.names.find(source)
    served = {row.key[0] for row in visit.rows("model")}
    found = []
    for model in book.models:
        is_open = not any(word in model.status for word in _RESTRICTED)
        is_current = "current" in model.status or not served.isdisjoint(model.ids.claude_api)
        is_there = model.retired is None and (model.released is None or model.released <= visit.now.date())
        if is_open and is_current and is_there and (named is None or model is not named.model):
            found.append(model)
    return found
