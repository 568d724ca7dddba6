"""The price book: what every model costs on a day, what changed or will, and where it was read."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Cell, Column, Note, Page, Table
from farthing.dashboard.cells import source_address, text
from farthing.dashboard.spans import DAYS_FROM, DAYS_TO
from farthing.errors import BadInput
from farthing.money import usd_per_mtok_text
from farthing.prices.card import Card, Facts

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.prices.schema import Model, RateRow

_AROUND = timedelta(days=200)
_RATES = (
    Column("input", "Input", is_number=True),
    Column("cache_write_5m", "Write 5 min", is_number=True),
    Column("cache_write_1h", "Write 1 h", is_number=True),
    Column("cache_read", "Read", is_number=True),
    Column("output", "Output", is_number=True),
)


def page(visit: Visit) -> Page:
    """Rates on a day, ``?open=2026-11-20``; today if none is given."""
    try:
        on = date.fromisoformat(visit.asked.open) if visit.asked.open else visit.now.astimezone(UTC).date()
    except ValueError:
        raise BadInput(f"read the day {visit.asked.open[:40]!r}", "a day such as 2026-11-20") from None
    if not DAYS_FROM <= on < DAYS_TO:
        raise BadInput(f"read the day {on}", f"a day from {DAYS_FROM} on and before {DAYS_TO}")
    days = Note(
        f"US dollars per million tokens on {on:%-d %B %Y}, Claude API. Book {visit.desk.book.version}.",
        links=(
            ("A month earlier", visit.asked.url(open=str(on - timedelta(days=30)))),
            ("Today", visit.asked.url(open="")),
            ("A month later", visit.asked.url(open=str(on + timedelta(days=30)))),
        ),
    )
    return Page("Prices", (days, _rates(visit, on), _changes(visit, on), *_differs(visit), _sources(visit)))


def _rates(visit: Visit, on: date) -> Table:
    rows = []
    for model in visit.desk.book.models:
        for speed in ("standard", "fast"):
            card = visit.desk.book.card(Facts(model.id, "claude_api", None, "standard", speed, None, on))
            if not isinstance(card, Card):
                continue
            for band in card.bands:
                rates = (
                    Cell(
                        "\u2013" if rate is None else f"${usd_per_mtok_text(rate)}",
                        None if rate is None else usd_per_mtok_text(rate),
                    )
                    for rate in band.rates
                )
                name = f"{model.id} (fast)" if speed == "fast" else model.id
                prompt = _prompt(band.row)
                sure = band.row.confidence
                rows.append(
                    (
                        text(name),
                        text(prompt),
                        *rates,
                        text(sure, tone="quiet" if sure == "confirmed" else "warn"),
                        text(str(band.row.checked_on or "\u2013"), tone="quiet"),
                    )
                )
    columns = (
        Column("model", "Model"),
        Column("prompt", "Prompt"),
        *_RATES,
        Column("confidence", "Confidence"),
        Column("checked_on", "Checked"),
    )
    return Table("rates", "Rates", columns, tuple(rows), empty="No model has a rate on that day.")


def _prompt(row: RateRow) -> str:
    if row.prompt_tokens_up_to is not None:
        return f"up to {row.prompt_tokens_up_to:,}"
    return f"over {row.prompt_tokens_over:,}" if row.prompt_tokens_over else "any"


def _changes(visit: Visit, on: date) -> Table:
    """Rows that begin, end or were called off within half a year of the day."""
    found: list[tuple[date, Model, RateRow, str]] = []
    for model in visit.desk.book.models:
        for row in model.rate:
            for day, what in ((row.valid_from, "begins"), (row.valid_to, "ends"), (row.retracted_on, "called off")):
                if day is not None and abs(day - on) <= _AROUND:
                    found.append((day, model, row, what))
    found.sort(key=lambda one: (one[0], one[1].id), reverse=True)
    rows = tuple(
        (
            Cell(f"{day:%-d %b %Y}", day.isoformat(), tone="warn" if day > on else ""),
            text(model.id + (" (fast)" if row.speed == "fast" else "")),
            text(what, tone="quiet"),
            text(_prompt(row)),
            *(Cell(f"${rate}" if rate else "\u2013", rate) for rate in row.rates),
        )
        for day, model, row, what in found[:60]
    )
    columns = (
        Column("day", "Day"),
        Column("model", "Model"),
        Column("what", "What"),
        Column("prompt", "Prompt"),
        *_RATES,
    )
    return Table(
        "changes",
        "What changed, and what will",
        columns,
        rows,
        empty="Nothing within half a year.",
        note="What lies ahead of that day is marked.",
    )


def _differs(visit: Visit) -> tuple[Table, ...]:
    """What the book in force says otherwise than the one that ships: another release, or rates set by hand."""
    from farthing.prices.book import shipped_book  # noqa: PLC0415
    from farthing.prices.diff import diff_books  # noqa: PLC0415

    if visit.desk.book.version == shipped_book().version:
        return ()
    rows = tuple((text(line),) for line in diff_books(shipped_book(), visit.desk.book).text())
    return (Table("diff", "Against the book that ships with farthing", (Column("change", "What differs"),), rows),)


def _sources(visit: Visit) -> Table:
    columns = (
        Column("source", "Source"),
        Column("kind", "What it is"),
        Column("url", "Address"),
        Column("as_of", "As of"),
    )
    rows = tuple(
        (text(key), text(one.kind), source_address(one.url), text(one.as_of))
        for key, one in sorted(visit.desk.book.sources.items())
    )
    return Table("sources", "Where it was read", columns, rows, is_folded=True)
