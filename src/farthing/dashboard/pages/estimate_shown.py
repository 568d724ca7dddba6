"""An estimate as blocks: the month and its range, what moves it, what else it could cost. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing import money
from farthing.dashboard.blocks import Block, Cell, Chart, Column, Note, Table, Tile, Tiles, Tone
from farthing.dashboard.cells import change_of, dollars, share_of, text, usd
from farthing.dashboard.charts import Frame, Swing, both, tornado
from farthing.units import Kind

if TYPE_CHECKING:
    from fractions import Fraction

    from farthing.dashboard.visit import Visit
    from farthing.estimate.compare import Comparison
    from farthing.estimate.compare import Row as Rival
    from farthing.estimate.result import Estimate

_SWINGS, _OURS = 8, "anthropic"
_ASSUMED = str(Kind.ASSUMED)


def shown(visit: Visit, found: Estimate, beside: Comparison, spent_pusd: int | None) -> tuple[Block, ...]:
    """
    Everything about one plan.

    Args:
        visit: For links.
        found: The estimate.
        beside: The same plan on other models.
        spent_pusd: What thirty days of the traffic that it looks like cost; None: it looks like none.

    """
    expected = found.expected
    blocks: list[Block] = [_tiles(found, spent_pusd)]
    if expected.unpriced:
        told = "; ".join(f"{_percent(one.share)} of calls on {one.model}: {one.reason}" for one in expected.unpriced)
        blocks.append(Note(told, "A part has no price", tone="bad"))
    if found.swings and expected.pusd is not None:
        blocks += _tornado(found, money.nearest(expected.pusd))
    blocks += [_goes(found), _levers(found), *_models(visit, beside), _limits(found), _inputs(found)]
    notes = (*expected.notes, *found.needs.notes)
    return (*blocks, *(() if not notes else (Note(f"{'; '.join(notes)}.", "What to know"),)))


def _tiles(found: Estimate, spent_pusd: int | None) -> Tiles:
    expected, spread = found.expected, found.spread
    month = expected.pusd
    calls = expected.point.calls_per_month
    tiles = [
        Tile(
            "month",
            "A month",
            Cell("unpriced", None, tone="bad") if month is None else usd(money.nearest(month)),
            "" if month is None else str(expected.kind),
            f"{round(calls):,} calls, list prices of {expected.on:%-d %b %Y}",
            change_of(money.nearest(month), spent_pusd) if month is not None and spent_pusd else "",
            _tone(month, spent_pusd),
        )
    ]
    if spent_pusd is not None:
        tiles.append(
            Tile(
                "as_it_was",
                "Thirty days as they were",
                usd(spent_pusd),
                str(Kind.DERIVED),
                "the span at list, scaled to 30 days",
            )
        )
    if spread is not None and spread.runs:
        low, middle, high = (money.nearest(one) for one in spread[:3])
        told = f"five in a hundred below {dollars(low)}, five above {dollars(high)}; {spread.runs} draws"
        tiles.append(Tile("middle", "Half of draws below", usd(middle), _ASSUMED, told))
    if len(expected.months) > 1 and expected.total_pusd is not None:
        total = usd(money.nearest(expected.total_pusd))
        tiles.append(Tile("total", f"{len(expected.months)} months", total, str(expected.kind), "with its growth"))
    return Tiles(tuple(tiles), is_lead=True)


def _tone(month: Fraction | None, spent_pusd: int | None) -> Tone:
    if month is None or spent_pusd is None:
        return ""
    return "bad" if month > spent_pusd else "good"


def _tornado(found: Estimate, middle_pusd: int) -> tuple[Chart, Table]:
    swings = found.swings[:_SWINGS]
    bars = [Swing(_plain(one.key), money.nearest(one.low_pusd), money.nearest(one.high_pusd)) for one in swings]
    title = "What moves it most"
    says = f"{title}: from {dollars(middle_pusd)}, each size alone from one end of its range to the other."
    wide, narrow = both(lambda width, key: tornado(Frame(key, title, says, dollars), middle_pusd, bars, width), "swing")
    note = "Each size alone, the others at their averages; where the plan states no range, 20 % either way."
    rows = tuple(
        (
            text(one.key),
            _number(one.low),
            _number(one.high),
            usd(money.nearest(one.low_pusd)),
            usd(money.nearest(one.high_pusd)),
            text("stated" if one.is_stated else "20 % either way"),
        )
        for one in found.swings
    )
    columns = (
        Column("key", "Size"),
        Column("low", "From", is_number=True),
        Column("high", "To", is_number=True),
        Column("low_usd", "Month", is_number=True),
        Column("high_usd", "Month then", is_number=True),
        Column("range", "Range"),
    )
    table = Table("sensitivity", f"{title}, as a table", columns, rows, _ASSUMED, is_folded=True)
    return Chart(title, wide, narrow, kind=_ASSUMED, note=note), table


def _goes(found: Estimate) -> Table:
    expected = found.expected
    whole = money.nearest(expected.priced_pusd)
    rows = []
    for what, sums in (
        ("model", expected.by(lambda line: line.model)),
        ("unit", expected.by(lambda line: str(line.unit))),
    ):
        for name, exact in sums.items():
            pusd = money.nearest(exact)
            rows.append((text(name), text(what, tone="quiet"), usd(pusd, share=share_of(pusd, whole))))
    columns = (Column("name", "Part"), Column("by", "Of each"), Column("usd", "A month", is_number=True))
    return Table("where_it_goes", "Where the month goes", columns, tuple(rows), str(expected.kind))


def _levers(found: Estimate) -> Table:
    rows = tuple(
        (
            text(one.change),
            Cell("unpriced", None, tone="bad") if one.pusd is None else usd(money.nearest(one.pusd)),
            Cell("", None)
            if one.saved_pusd is None
            else usd(money.nearest(one.saved_pusd), tone="good" if one.saved_pusd > 0 else "bad"),
        )
        for one in found.levers
    )
    columns = (
        Column("change", "Instead"),
        Column("usd", "A month", is_number=True),
        Column("saved_usd", "Saves", is_number=True),
    )
    return Table("levers", "The same plan, run otherwise", columns, rows, _ASSUMED)


def _models(visit: Visit, beside: Comparison) -> tuple[Table, Table]:
    """The cheapest place of each model: Claude models, which lead to the same plan on them, then other vendors'."""
    cheapest: dict[str, Rival] = {}
    for row in beside.rows:
        cheapest.setdefault(row.model, row)
    columns = (
        Column("model", "Model"),
        Column("vendor", "Vendor"),
        Column("usd", "A month", is_number=True),
        Column("low_usd", "From", is_number=True),
        Column("high_usd", "To", is_number=True),
        Column("kind", "How sure"),
        Column("places", "Where"),
    )
    note = (
        "The same tokens, counted anew where a tokenizer differs (assumed). Nothing here says that answers are as good."
    )
    tables = []
    for name, title, is_ours in (("models", "On other Claude models", True), ("vendors", "At other vendors", False)):
        rivals = [row for row in cheapest.values() if (row.vendor == _OURS) is is_ours]
        most = max((money.nearest(row.pusd) for row in rivals), default=0)
        rows = tuple(_model(visit, row, most) for row in rivals)
        tables.append(Table(name, title, columns, rows, _ASSUMED, note, is_folded=not is_ours))
    return tables[0], tables[1]


def _model(visit: Visit, row: Rival, most: int) -> tuple[Cell, ...]:
    pusd = money.nearest(row.pusd)
    is_ours = row.vendor == _OURS
    given = (*(pair for pair in visit.asked.given if pair[0] != "model"), ("model", row.model))
    return (
        text(row.model, href=visit.asked.url(given=given) if is_ours else ""),
        text(row.vendor),
        usd(pusd, share=share_of(pusd, most)),
        usd(money.nearest(row.low_pusd)),
        usd(money.nearest(row.high_pusd)),
        text(str(row.kind)),
        text(", ".join(row.places) or "its own API", tone="quiet"),
    )


def _limits(found: Estimate) -> Table:
    rows = tuple(
        (text(one.bucket), text(one.limit), _number(one.mean), _number(one.peak), text(one.tier or "none"))
        for one in found.needs.needs
    )
    columns = (
        Column("bucket", "Bucket"),
        Column("limit", "A minute"),
        Column("mean", "Mean", is_number=True),
        Column("peak", "Peak", is_number=True),
        Column("tier", "Tier that carries it"),
    )
    tier = found.needs.tier or "none that is published"
    return Table("rate_limits", f"Rate limits it needs: tier {tier}", columns, rows, _ASSUMED, is_folded=True)


def _inputs(found: Estimate) -> Table:
    rows = tuple((text(one["key"]), text(one["value"]), text(one["kind"])) for one in found.to_json()["inputs"])
    columns = (Column("key", "Input"), Column("value", "Value"), Column("kind", "How sure"))
    return Table("inputs", "What it rests on", columns, rows, is_folded=True)


def _number(value: Fraction) -> Cell:
    """A size; no money."""
    rounded = round(value * 100)
    whole, rest = divmod(rounded, 100)
    said = f"{whole:,}" if not rest or whole >= 100 else f"{whole:,}.{rest:02}".rstrip("0")
    return Cell(said, f"{whole}.{rest:02}".rstrip("0").rstrip("."))


def _percent(share: Fraction) -> str:
    return f"{round(share * 100)} %"


def _plain(key: str) -> str:
    """A size's name without its table: ``calls per day``."""
    return key.rpartition(".")[2].replace("_", " ")
