"""
What changed between two price books, row by row, and which changes look wrong.

Rows are never overwritten: a price changes by closing one row and adding the next. So a row that says something else
than it did is itself a finding, and so is one that is gone.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from farthing.prices.book import in_force
from farthing.prices.card import bands_overlap
from farthing.prices.sanity import Finding, findings, row_name
from farthing.units import TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model, RateRow

MOVE_MAX = 10
"""A rate that moves by this factor or more, up or down, needs somebody's word."""

Kind = Literal["added", "closed", "called off", "rewritten", "removed"]


class Move(NamedTuple):
    """One rate before and after, in USD per million tokens; None: none was published."""

    unit: str
    before: str | None
    after: str | None

    @property
    def factor(self) -> Fraction | None:
        """After over before, or None where one of them is missing."""
        return Fraction(self.after) / Fraction(self.before) if self.before and self.after else None

    @property
    def text(self) -> str:
        """For a reader: ``output_tokens 10 -> 15 (+50.0 %)``."""
        shift = ""
        if self.factor is not None:
            percent = (self.factor - 1) * 100
            shift = f" ({Decimal(percent.numerator) / Decimal(percent.denominator):+.1f} %)"
        return f"{self.unit} {self.before or '-'} -> {self.after or '-'}{shift}"


class RowChange(NamedTuple):
    """
    One row that differs.

    Attributes:
        kind: ``added``; ``closed``: it has an end now; ``called off``: retracted; ``rewritten``: its rates or its begin
            say something else; ``removed``.
        model: Id.
        name: The row's name.
        before: The row it was, or for an added row the one in force the day before it begins; None: none.
        after: The row it is; None where it is gone.
        moves: Rates that differ between the two.

    """

    kind: Kind
    model: str
    name: str
    before: RateRow | None
    after: RateRow | None
    moves: tuple[Move, ...]

    @property
    def text(self) -> str:
        """One line for a reader."""
        if self.kind == "closed" and self.after is not None:
            return f"closed      {self.name}: ends {self.after.valid_to}"
        if self.kind == "called off" and self.after is not None:
            return f"called off  {self.name}: on {self.after.retracted_on}"
        if self.kind == "removed":
            return f"removed     {self.name}"
        shown = "; ".join(move.text for move in self.moves) or "rates as before"
        return f"{self.kind:<11} {self.name}: {shown}"


class BookDiff(NamedTuple):
    """
    All that differs between two books.

    Attributes:
        before: Version; after: version.
        models_added: Ids; models_removed: ids.
        ids_added: ``model: id`` on any channel; ids_removed: likewise.
        rows: Changed rows, by model.
        beside: Changed multipliers, fees, meters and refusal rules, a sentence each.
        restated: How many rows have new notes, sources or confidence alone.

    """

    before: str
    after: str
    models_added: tuple[str, ...]
    models_removed: tuple[str, ...]
    ids_added: tuple[str, ...]
    ids_removed: tuple[str, ...]
    rows: tuple[RowChange, ...]
    beside: tuple[str, ...]
    restated: int

    def text(self) -> list[str]:
        """Lines for a reader; at least one."""
        lines = [
            *(f"new model   {name}" for name in self.models_added),
            *(f"lost model  {name}" for name in self.models_removed),
            *(change.text for change in self.rows),
            *(f"new id      {name}" for name in self.ids_added),
            *(f"lost id     {name}" for name in self.ids_removed),
            *self.beside,
        ]
        if self.restated:
            lines.append(f"restated    {self.restated} rows have new notes, sources or confidence at the same rates")
        return lines or ["no rate, id or rule differs"]

    def to_json(self) -> dict[str, Any]:
        """The diff as JSON values."""
        return {
            "before": self.before,
            "after": self.after,
            "models_added": list(self.models_added),
            "models_removed": list(self.models_removed),
            "ids_added": list(self.ids_added),
            "ids_removed": list(self.ids_removed),
            "rows": [
                {
                    "kind": change.kind,
                    "model": change.model,
                    "row": change.name,
                    "moves": [{"unit": move.unit, "before": move.before, "after": move.after} for move in change.moves],
                    "text": change.text,
                }
                for change in self.rows
            ],
            "beside": list(self.beside),
            "restated": self.restated,
        }


def diff_books(old: PriceBook, new: PriceBook) -> BookDiff:
    """Compare two books."""
    before = {model.id: model for model in old.models}
    after = {model.id: model for model in new.models}
    rows: list[RowChange] = []
    restated = 0
    for name, model in after.items():
        changes, notes_only = _row_changes(before.get(name), model)
        rows += changes
        restated += notes_only
    old_ids, new_ids = _ids(old, before.keys() & after.keys()), _ids(new, before.keys() & after.keys())
    return BookDiff(
        old.version,
        new.version,
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(sorted(new_ids - old_ids)),
        tuple(sorted(old_ids - new_ids)),
        tuple(rows),
        tuple(_beside(old, new)),
        restated,
    )


def suspicious(old: PriceBook, new: PriceBook) -> tuple[Finding, ...]:
    """
    Every change somebody should give their word for, and every sanity bound the new book breaks.

    An older book, a model or row that is gone, a row that says something else, and a rate that moves tenfold.
    """
    diff = diff_books(old, new)
    found: list[Finding] = []
    if new.modifiers.as_of < old.modifiers.as_of:
        says = f"it is of {new.modifiers.as_of}, older than the book in force ({old.modifiers.as_of})"
        found.append(Finding("older", says))
    found += [Finding(f"lost-model:{name}", f"{name} is gone") for name in diff.models_removed]
    for change in diff.rows:
        if change.kind in ("rewritten", "removed"):
            says = f"{change.text.strip()}: expected a row to be closed or called off, never changed"
            found.append(Finding(f"{change.kind}:{change.name}", says))
        for move in change.moves:
            factor = move.factor
            if factor is not None and (factor >= MOVE_MAX or factor <= Fraction(1, MOVE_MAX)):
                found.append(Finding(f"tenfold:{change.name}:{move.unit}", f"{change.name}: {move.text}"))
    return (*found, *findings(new.models))


def _row_changes(old: Model | None, new: Model) -> tuple[list[RowChange], int]:
    """Changed rows of one model, and how many have new notes alone."""
    before = {row_name(old, row) + _known(row): row for row in old.rate} if old else {}
    changes, restated = [], 0
    for row in new.rate:
        was = before.pop(row_name(new, row) + _known(row), None)
        kind = _kind(was, row)
        if kind is None:
            restated += was != row
            continue
        against = _predecessor(old, row) if was is None else was
        changes.append(RowChange(kind, new.id, row_name(new, row), against, row, _moves(against, row)))
    gone = [RowChange("removed", new.id, row_name(new, row), row, None, ()) for row in before.values()]
    return changes + gone, restated


def _known(row: RateRow) -> str:
    return f"@{row.known_from}" if row.known_from else ""


def _kind(was: RateRow | None, row: RateRow) -> Kind | None:
    if was is None:
        return "added"
    if was.rates != row.rates:
        return "rewritten"
    if was.retracted_on != row.retracted_on:
        return "called off" if was.retracted_on is None else "rewritten"
    if (was.valid_to, was.end_known_from) != (row.valid_to, row.end_known_from):
        return "closed" if was.valid_to is None and row.valid_to else "rewritten"
    return None


def _predecessor(model: Model | None, row: RateRow) -> RateRow | None:
    """The row that priced such requests the day before *row* begins, as known now."""
    if model is None or row.valid_from is None:
        return None
    alike = [other for other in model.rate if (other.speed, other.channel) == (row.speed, row.channel)]
    running = in_force(alike, row.valid_from - timedelta(days=1), date.max)
    return next((other for other in running if bands_overlap(other, row)), None)


def _moves(before: RateRow | None, after: RateRow) -> tuple[Move, ...]:
    old = before.rates if before else (None,) * len(TOKEN_UNITS)
    pairs = zip(TOKEN_UNITS, old, after.rates, strict=True)
    return tuple(Move(str(unit), was, now) for unit, was, now in pairs if was != now)


def _ids(book: PriceBook, models: Iterable[str]) -> set[str]:
    wanted = set(models)
    return {
        f"{model.id}: {name} on {channel}"
        for model in book.models
        if model.id in wanted
        for channel, names in msgspec.structs.asdict(model.ids).items()
        if isinstance(names, tuple) and not channel.endswith("_seen")
        for name in names
    }


def _beside(old: PriceBook, new: PriceBook) -> Iterator[str]:
    for kind in ("multiplier", "fee", "time_meter", "refusal"):
        before, after = getattr(old.modifiers, kind), getattr(new.modifiers, kind)
        for record in after:
            if record not in before:
                yield f"{kind.replace('_', ' '):<11} now {_short(record)}"
        for record in before:
            if record not in after:
                yield f"{kind.replace('_', ' '):<11} was {_short(record)}"


def _short(record: Any) -> str:
    shown = {
        key: value
        for key, value in msgspec.to_builtins(record).items()
        if key not in ("sources", "confidence", "checked_on", "note")
    }
    return ", ".join(f"{key} {value}" for key, value in shown.items())
