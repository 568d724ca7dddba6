"""What several pages show: spend over time, who stands for what color, the words of a movement."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from farthing.alerts.series import hour_number
from farthing.dashboard.blocks import Cell, Chart, Column, Note, Table
from farthing.dashboard.cells import dollars, kinds, share_of, signed, text, usd
from farthing.dashboard.charts import COLORS, Frame, Series, Step, both, stacked, waterfall
from farthing.dashboard.expected import HISTORY_DAYS, day_bands
from farthing.dashboard.pages.outcome_cells import unsure
from farthing.ledger.interface import Query
from farthing.ledger.zones import bucket_start
from farthing.reports.sums import key_cell
from farthing.units import weakest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from farthing.dashboard.expected import Band
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Bucket, Row
    from farthing.reports.movement import Movement

STACKED_MAX = COLORS - 1
UNPRICED = Cell("unpriced", None, tone="bad")
OTHER = "other"
_FORMS = {"hour": "%H:%M", "day": "%-d %b", "week": "%-d %b", "month": "%b %Y"}

FIRST_STEPS = Note(
    "Nothing is in the ledger yet. Send calls through the gateway, or import what you have; this page fills itself.",
    "Connect something",
    links=(),
    code="farthing serve                      # then point ANTHROPIC_BASE_URL at it\n"
    "farthing import jsonl YOUR.jsonl    # calls you logged\n"
    "farthing demo                       # or weeks that are made up",
)
"""What an empty ledger says."""


def nothing(visit: Visit) -> Note:
    """Why there is no call to show, and where there are some."""
    if visit.last_call is None:
        return FIRST_STEPS
    links = [(f"Show {visit.last_call:%B %Y}", visit.asked.url(span=f"{visit.last_call:%Y-%m}"))]
    if visit.asked.where:
        links.append(("Drop the filters", visit.asked.url(where=())))
    return Note(
        f"No call from {visit.span.label}{' passes the filters' if visit.asked.where else ''}. The last was sent on "
        f"{visit.last_call.astimezone(visit.zone):%-d %B %Y}.",
        "No calls here",
        links=tuple(links),
    )


def label_of(at: datetime, bucket: str, visit: Visit) -> str:
    """The start of a bucket, as short as it may be."""
    local = at.astimezone(visit.zone)
    if bucket == "hour" and local.hour == 0 and visit.span.days > 1:
        return local.strftime("%-d %b")
    return local.strftime(_FORMS[bucket])


def zoomed(at: datetime, bucket: str, visit: Visit) -> str:
    """The days of a bucket, as a span's name; empty: nothing is nearer than an hour."""
    day = at.astimezone(visit.zone).date()
    match bucket:
        case "day":
            return day.isoformat()
        case "week":
            return f"{day}..{day + timedelta(days=6)}"
        case "month":
            return f"{day:%Y-%m}"
    return ""


def dearest(rows: Iterable[Row]) -> list[tuple[str | None, ...]]:
    """The groups that have a color of their own, the dearest first, from their rows in whatever buckets."""
    totals: dict[tuple[str | None, ...], int] = {}
    for row in rows:
        if set(row.key) != {OTHER}:
            totals[row.key] = totals.get(row.key, 0) + row.list_pusd
    return sorted(totals, key=lambda key: (-totals[key], tuple(part or "" for part in key)))[:STACKED_MAX]


def name_of(by: tuple[str, ...], key: tuple[str | None, ...]) -> str:
    """A group's name."""
    return " \u00b7 ".join(key_cell(name, value) for name, value in zip(by, key, strict=True)) or "all calls"


def only(visit: Visit, by: tuple[str, ...], key: tuple[str | None, ...]) -> tuple[tuple[str, str], ...]:
    """The filters, kept to one group."""
    where = visit.asked.where
    for name, value in zip(by, key, strict=True):
        where = (*(pair for pair in where if pair[0] != name), (name, value or ""))
    return where


def cost(visit: Visit, row: Row, most_pusd: int | None = None) -> Cell:
    """
    What a row's calls cost, as ``farthing report`` marks it: calls without an exact price are never counted as zero.

    *most_pusd*: what a full bar behind it stands for; None: no bar.
    """
    if row.unpriced_calls == row.calls:
        return UNPRICED
    pusd = visit.pusd(row)
    return unsure(usd(pusd, share=None if most_pusd is None else share_of(pusd, most_pusd)), row.unpriced_calls)


def cost_per_call(visit: Visit, row: Row) -> Cell:
    """The mean of those calls of a row that have an exact price."""
    priced = row.calls - row.unpriced_calls
    return UNPRICED if not priced else unsure(usd(visit.pusd(row) // priced), row.unpriced_calls)


def spend_over_time(
    visit: Visit, by: tuple[str, ...], *, title: str, with_before: bool = True, with_band: bool = False
) -> tuple[Chart, Table]:
    """
    Stacked bars of the span in its buckets, with a line of the days before, and the same as a table.

    *with_band*: behind each day's bar, what was expected of it; only where there are days and enough history.
    """
    bucket = visit.bucket
    starts = visit.starts(bucket)
    rows = visit.rows(*by, bucket=bucket, limit=STACKED_MAX)
    keys = dearest(rows)
    sums: dict[tuple[str | None, ...], dict[datetime, int]] = {}
    for row in rows:
        assert row.start is not None
        sums.setdefault(row.key, {})[row.start] = visit.pusd(row)
    others = [key for key in sums if key not in keys]
    series = [
        Series(name_of(by, key), tuple(sums.get(key, {}).get(at, 0) for at in starts), n) for n, key in enumerate(keys)
    ]
    if others:
        values = tuple(sum(sums[key].get(at, 0) for key in others) for at in starts)
        series.append(Series(OTHER, values, COLORS - 1))
    before = _before(visit, bucket, len(starts)) if with_before else []
    band = _expected(visit, starts) if with_band and bucket == "day" and len(starts) > 1 else []
    labels = [label_of(at, bucket, visit) for at in starts]
    total = sum(sum(one.values) for one in series)
    says = f"{title}: {dollars(total)} in {len(starts)} bars, one for each {bucket}."
    hrefs = [visit.asked.url(span=nearer, bucket=None) for at in starts if (nearer := zoomed(at, bucket, visit))]
    wide, narrow = both(
        lambda width, key: stacked(Frame(key, title, says, dollars), labels, series, before, width, band, hrefs),
        "spend",
    )
    kind = weakest(*kinds(rows))
    compared = f" The dotted line is {visit.span.before_label}." if before else ""
    if any(band):
        compared += " Shaded: where each day was expected the evening before, four times in five (assumed)."
    if visit.asked.bucket not in {None, bucket}:
        compared += f" By {visit.asked.bucket} these days have too many bars to draw."
    zone = visit.zone.key
    legend = tuple((one.name, one.color) for one in series) if by else ()
    chart = Chart(title, wide, narrow, legend, str(kind), f"By {bucket}, {zone}.{compared}")
    columns = (
        Column("start", bucket.capitalize()),
        *(Column(one.name, one.name, is_number=True) for one in series),
        *(_BAND if any(band) else ()),
    )
    table = Table(
        "spend_over_time",
        f"{title}, as a table",
        columns,
        tuple(
            (
                Cell(label_of(at, bucket, visit), at.astimezone(visit.zone).isoformat(), hrefs[n] if hrefs else ""),
                *(usd(one.values[n]) for one in series),
                *(_band_cells(band[n]) if any(band) else ()),
            )
            for n, at in enumerate(starts)
        ),
        str(kind),
        is_folded=True,
    )
    return chart, table


_BAND = (
    Column("expected_low_usd", "Expected from (assumed)", is_number=True),
    Column("expected_high_usd", "to (assumed)", is_number=True),
)


def _band_cells(band: Band | None) -> tuple[Cell, Cell]:
    return (Cell("", None), Cell("", None)) if band is None else (usd(band[0]), usd(band[1]))


def _expected(visit: Visit, starts: list[datetime]) -> list[Band | None]:
    """What was expected of each day of the span, under the page's filters."""
    since = starts[0] - timedelta(days=HISTORY_DAYS)
    query = Query(since=since, until=visit.span.until, where=visit.asked.filters, timezone=visit.zone.key)
    ends = [*starts[1:], bucket_start(starts[-1] + timedelta(hours=30), "day", visit.zone)]

    def made() -> list[Band | None]:
        hours = {hour_number(one.start): visit.pusd(one) for one in visit.reader.hours(query)}
        return day_bands(hours, list(zip(starts, ends, strict=True)))

    return visit.reader.kept(("expected", visit.is_contract, len(starts), visit.zone.key, repr(query)), made)


def _before(visit: Visit, bucket: Bucket, number: int) -> list[int]:
    """What each bucket of the days before came to, from its first one on."""
    rows = visit.rows(bucket=bucket, before=True)
    if not rows:
        return []
    found = {row.start: visit.pusd(row) for row in rows}
    return [found.get(at, 0) for at in visit.starts(bucket, before=True)][:number]


BAR_NAMES = {
    "volume": "more calls",
    "mix": "mix of work",
    "models": "model mix",
    "input": "prompt size",
    "output": "answer size",
    "cache": "caching",
    "batch": "batching",
    "tools": "web search",
    "price": "list prices",
    "band": "long prompts",
    "speed": "fast mode",
    "geo": "region",
    "contract": "contract",
    "other": "the rest",
}


def bar_name(name: str, pusd: int) -> str:
    """What a bar of a movement is called beside its amount."""
    return "fewer calls" if name == "volume" and pusd < 0 else BAR_NAMES[name]


def moved_chart(visit: Visit, found: Movement) -> tuple[Chart, Table]:
    """The waterfall from the days before to the span."""
    bars = sorted((bar for bar in found.bars if bar.pusd), key=lambda bar: -abs(bar.pusd))
    steps = [
        Step(visit.span.before_label, found.before.charged_pusd, is_total=True),
        *(Step(bar_name(bar.name, bar.pusd), bar.pusd) for bar in bars),
        Step(visit.span.label, found.after.charged_pusd, is_total=True),
    ]
    says = f"From {dollars(found.before.charged_pusd)} to {dollars(found.after.charged_pusd)}: {story(found)}"
    title = "Why it moved"
    notes = [f"{note[:1].upper()}{note[1:]}." for note in found.notes]
    wide, narrow = both(lambda width, key: waterfall(Frame(key, title, says, dollars), steps, width), "moved")
    chart = Chart(
        title,
        wide,
        narrow,
        (),
        str(found.kind),
        " ".join(("Each bar is what that alone did; together they are the change, to the picodollar.", *notes)),
    )
    table = Table(
        "movement",
        "Why it moved, as a table",
        (
            Column("cause", "Cause"),
            Column("meaning", "What that is"),
            Column("usd", "Did", is_number=True),
            Column("most", "Most of it"),
        ),
        tuple(
            (
                Cell(bar_name(bar.name, bar.pusd), bar.name),
                text(bar.label),
                Cell(signed(bar.pusd), usd(bar.pusd).value, hint=usd(bar.pusd).hint),
                Cell(name_of((*found.by, "model"), bar.parts[0].key) if bar.parts else ""),
            )
            for bar in bars
        ),
        str(found.kind),
        is_folded=True,
        more=(("Explore it", visit.asked.elsewhere("/explore")),),
    )
    return chart, table


def story(found: Movement, most: int = 3) -> str:
    """The largest causes in one line."""
    bars = sorted((bar for bar in found.bars if bar.pusd), key=lambda bar: -abs(bar.pusd))[:most]
    told = ", ".join(f"{bar_name(bar.name, bar.pusd)} {signed(bar.pusd)}" for bar in bars)
    return f"{told}." if told else "nothing moved."
