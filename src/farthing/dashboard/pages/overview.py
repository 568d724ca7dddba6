"""The first page: what was spent, against what, why it moved, what is left of the budget, what would save most."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from farthing.alerts.series import hour_number
from farthing.dashboard.blocks import Block, Cell, Column, Page, Table, Tile, Tiles, Tone
from farthing.dashboard.caching import saved_by_caching
from farthing.dashboard.cells import change_of, count, dollars, share_of, signed, text, usd
from farthing.dashboard.expected import HISTORY_DAYS, window_end
from farthing.dashboard.pages import alerts, budgets, playbook
from farthing.dashboard.pages.shared import bar_name, cost, moved_chart, name_of, nothing, only, spend_over_time
from farthing.dashboard.row_prices import BY
from farthing.errors import BadConfig, LedgerFault
from farthing.ledger.interface import Query
from farthing.limits.windows import window_at
from farthing.reports.sums import percent
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row
    from farthing.reports.movement import Movement

_MOVERS = 6


def page(visit: Visit) -> Page:
    """What was spent, and what to make of it."""
    total = visit.total()
    if total is None:
        return Page("Overview", (nothing(visit),))
    by = visit.asked.by or ("feature",)
    moved = visit.movement(by)
    chart, table = spend_over_time(visit, by, title="Spend over time", with_band=True)
    blocks: list[Block] = [_lead(visit, total, moved), _tiles(visit, total), chart, table]
    if moved is not None:
        blocks += moved_chart(visit, moved)
    blocks.append(_movers(visit, by))
    return Page("Overview", tuple(blocks))


def _lead(visit: Visit, total: Row, moved: Movement | None) -> Tiles:
    now = visit.pusd(total)
    before = visit.total(before=True)
    was = visit.pusd(before)
    change = change_of(now, was)
    tiles = [
        Tile(
            "spend",
            f"Spent {visit.span.label}",
            usd(now),
            str(total.kind),
            f"{total.calls:,} calls, {'under contract' if visit.is_contract else 'at list price'}",
        )
    ]
    tale: tuple[Cell, ...] = ()
    if before is not None:
        tone: Tone = "bad" if now > was else "good"
        tiles.append(
            Tile(
                "before",
                f"{visit.span.before_label}",
                usd(was),
                str(before.kind),
                f"{before.calls:,} calls",
                change,
                tone,
            )
        )
        tale = _tale(visit, now - was, moved)
    return Tiles(tuple(tiles), is_lead=True, story=tale)


def _tale(visit: Visit, moved_pusd: int, moved: Movement | None) -> tuple[Cell, ...]:
    """One sentence: how far it moved, and what did most of it."""
    word = "more" if moved_pusd > 0 else "less"
    size = dollars(abs(moved_pusd))
    if not moved_pusd:
        return (Cell("Exactly as much as before."),)
    head = Cell(f"{size} {word}", tone="bad" if moved_pusd > 0 else "good")
    if moved is None or not any(bar.pusd for bar in moved.bars):
        return (head, Cell(f" than {visit.span.before_label}."))
    top, *others = sorted((bar for bar in moved.bars if bar.pusd), key=lambda bar: -abs(bar.pusd))[:3]
    where = name_of((*moved.by, "model"), top.parts[0].key)
    then = " and ".join(f"{bar_name(bar.name, bar.pusd)} {signed(bar.pusd)}" for bar in others)
    href = visit.asked.elsewhere("/explore", by=moved.by, where=only(visit, moved.by, top.parts[0].key[:-1]))
    return (
        head,
        Cell(f" than {visit.span.before_label}. Mostly {bar_name(top.name, top.pusd)} ({signed(top.pusd)}), most in "),
        Cell(where, href=href),
        Cell(f"; then {then}." if then else "."),
    )


def _tiles(visit: Visit, total: Row) -> Tiles:
    firing = _beside(visit, "incidents", "Incidents", "/alerts", lambda: alerts.tile(visit))
    tiles = [*_month(visit), _cache(visit, total), playbook.tile(visit), firing, _coverage(visit, total)]
    return Tiles(tuple(tile for tile in tiles if tile is not None))


def _beside(visit: Visit, name: str, label: str, path: str, made: Callable[[], Tile | None]) -> Tile | None:
    """A tile about a file beside the ledger: one that cannot be read takes no other figure with it."""
    try:
        return made()
    except (BadConfig, LedgerFault):
        href = visit.asked.elsewhere(path)
        return Tile(name, label, Cell("cannot be read", None, tone="quiet"), "", "its page says why", "", "warn", href)


def _month(visit: Visit) -> list[Tile]:
    """The calendar month that is running: what is left of its budget, and where it ends."""
    window = window_at("month", visit.now, visit.zone)
    assert window.starts_at is not None
    assert window.ends_at is not None
    # On a whole hour, so that hourly sums answer it, and the same question for an hour.
    hour = visit.now.replace(minute=0, second=0, microsecond=0)
    since = min(window.starts_at, hour - timedelta(days=HISTORY_DAYS))
    query = Query(bucket="hour", where=visit.asked.filters, since=since, until=window.ends_at)
    rows = [row for row in visit.reader.report(query) if row.calls and row.start is not None]
    here = [row for row in rows if row.start is not None and row.start >= window.starts_at]
    spent = sum(visit.pusd(row) for row in here)
    kind = str(weakest(*(row.kind for row in here)))
    budget = _beside(visit, "budget_left", "Budget", "/budgets", lambda: budgets.tile(visit, spent, kind))
    tiles = [] if budget is None else [budget]
    hours = {hour_number(row.start): visit.pusd(row) for row in rows if row.start is not None}
    found = window_end(hours, spent, visit.now, window.ends_at) if here else None
    if found is not None:
        low, middle, high = map(round, found)
        tiles.append(
            Tile(
                "month_end",
                f"{visit.now.astimezone(visit.zone):%B} will end near",
                usd(middle),
                str(Kind.ASSUMED),
                f"{dollars(low)} to {dollars(high)}, four in five",
            )
        )
    return tiles


def _cache(visit: Visit, total: Row) -> Tile:
    usage = total.usage
    days = msgspec.structs.replace(visit.query(*BY, bucket="day"), timezone="UTC")
    key = ("saved", repr(days), visit.desk.book.version)
    saved = visit.reader.kept(key, lambda: saved_by_caching(visit.reader.report(days), visit.desk.book))
    share = percent(usage.cache_read_tokens, usage.prompt_tokens) or "0.0 %"
    word = "Caching saved" if saved.pusd >= 0 else "Caching cost"
    left_out = f", {saved.calls_left_out:,} calls left out" if saved.calls_left_out else ""
    return Tile(
        "cache_saved",
        word,
        usd(abs(saved.pusd)) if saved.pusd >= 0 else usd(saved.pusd),
        str(saved.kind),
        f"{share} of prompt tokens were read from the cache{left_out}",
        href=visit.asked.elsewhere("/cache"),
        tone="bad" if saved.pusd < 0 else "",
        meter=share_of(usage.cache_read_tokens, usage.prompt_tokens),
    )


def _coverage(visit: Visit, total: Row) -> Tile:
    """How much of the number is proven: by responses, and by an invoice."""
    priced = total.calls - total.unpriced_calls
    words = [f"{total.unpriced_calls:,} calls unpriced" if total.unpriced_calls else "every call has a price"]
    if visit.reader.scope.is_whole:  # nobody knows whose a call is that was never settled
        unsettled = len(visit.reader.unsettled())
        words.append(f"{unsettled:,} never settled" if unsettled else "none left open")
    measured = sum(visit.pusd(row) for row in visit.rows("kind") if row.key[0] == str(Kind.MEASURED))
    words.append(f"{percent(measured, visit.pusd(total)) or '0.0 %'} of the dollars measured")
    return Tile(
        "coverage",
        "Calls with an exact price",
        Cell(percent(priced, total.calls), f"{priced}/{total.calls}"),
        str(Kind.MEASURED),
        f"{', '.join(words)}; not yet checked against an invoice",
        tone="bad" if total.unpriced_calls else "good",
        href=visit.asked.elsewhere("/models") if total.unpriced_calls else "",
        meter=share_of(priced, total.calls),
    )


def _movers(visit: Visit, by: tuple[str, ...]) -> Table:
    """The groups whose spend changed most."""
    now, before = ({row.key: row for row in visit.rows(*by, before=which)} for which in (False, True))
    pairs = [(key, visit.pusd(now.get(key)), visit.pusd(before.get(key))) for key in {**now, **before}]
    pairs.sort(key=lambda pair: (-abs(pair[1] - pair[2]), str(pair[0])))
    kind = weakest(*(row.kind for row in (*now.values(), *before.values())))
    rows = tuple(
        (
            text(name_of(by, key), href=visit.asked.elsewhere("/explore", where=only(visit, by, key))),
            cost(visit, now[key]) if key in now else usd(0),
            cost(visit, before[key]) if key in before else usd(0),
            Cell(
                signed(is_now - was),
                usd(is_now - was).value,
                tone="bad" if is_now > was else "good",
                hint=usd(is_now - was).hint,
            ),
            Cell(change_of(is_now, was) or ("new" if is_now else "")),
            count(now[key].calls if key in now else 0),
        )
        for key, is_now, was in pairs[:_MOVERS]
    )
    return Table(
        "movers",
        "What moved most",
        (
            Column("group", " and ".join(by)),
            Column("usd", "Now", is_number=True),
            Column("before_usd", "Before", is_number=True),
            Column("moved_usd", "Change", is_number=True),
            Column("change", "", is_number=True),
            Column("calls", "Calls", is_number=True),
        ),
        rows,
        str(kind),
        more=(("All of them", visit.asked.elsewhere("/explore", by=by)),),
    )
