"""One session: its agents as a tree, its cost call by call, who wrote and who read each cached prefix, its calls."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import Block, Cell, Chart, Column, Note, Page, Table, Tile, Tiles
from farthing.dashboard.cells import count, dollars, text, usd
from farthing.dashboard.charts import Frame, Series, both, stacked
from farthing.dashboard.pages.session_agents import agents
from farthing.dashboard.pages.shared import UNPRICED, cost
from farthing.prices.engine import price_served
from farthing.reports.prefix_use import prefix_uses
from farthing.reports.sums import compact, percent
from farthing.units import Unit, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Query, Row, Stored
    from farthing.reports.prefix_use import PrefixUse, Uses

CALLS_SHOWN = 200
_DRAWN, _OPEN_MAX = 80, 12
_HOUR = timedelta(hours=1)
_CLASSES = (
    ("read from the cache", (Unit.CACHE_READ,)),
    ("written to the cache", (Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H)),
    ("fresh", (Unit.INPUT,)),
    ("output", (Unit.OUTPUT,)),
    ("tools", (Unit.WEB_SEARCH,)),
)


def page(visit: Visit) -> Page:
    """The session named in the address, within the span and the filters."""
    session = visit.asked.open
    inside = visit.asked._replace(where=visit.asked.keeping("session", session))
    from farthing.dashboard.visit import Visit as Again  # noqa: PLC0415 - a page is given a visit, and makes one here

    own = Again(inside, visit.reader, visit.desk, visit.user, visit.now)
    total = own.total()
    back = (("All sessions", visit.asked.url(open="")),)
    if total is None:
        note = Note("No call of these days is in that session.", "No such session", "warn", back)
        return Page("Session", (note,), status=404)
    calls = [stored for _, stored in zip(range(CALLS_SHOWN), visit.reader.calls(_near(own)), strict=False)]
    uses = prefix_uses([stored.call for stored in calls])
    blocks: list[Block] = [
        _sums(own, total, calls),
        _costs(own, calls),
        *agents(own),
        *_split(own, "model", "By model", "Model"),
        *_split(own, "tag:tool", "By tool", "Tool"),
        _calls(own, calls, uses, total.calls),
        *_prefixes(own, calls, uses),
        _tokens(own, calls),
        Note("", links=back),
    ]
    return Page("Session", tuple(blocks))


def _near(visit: Visit) -> Query:
    """The question about its calls, narrowed to the hours that have some: these are kept, and found at once again."""
    query = visit.query()
    hours = [hour.start for hour in visit.reader.hours(query)]
    since, until = visit.span.since, visit.span.until
    return msgspec.structs.replace(query, since=max(since, min(hours)), until=min(until, max(hours) + _HOUR))


def _sums(visit: Visit, total: Row, calls: list[Stored]) -> Tiles:
    first, last = calls[0].call, calls[-1].call
    took_s = round((last.sent_at - first.sent_at).total_seconds())
    begun = f"from {first.sent_at.astimezone(visit.zone):%-d %b %H:%M}"
    whole = total.calls <= len(calls)
    tiles = (
        Tile("usd", "Cost", cost(visit, total), str(total.kind), f"{total.calls:,} calls"),
        Tile(
            "cached",
            "Read from the cache",
            Cell(percent(total.usage.cache_read_tokens, total.usage.prompt_tokens)),
            "measured",
        ),
        Tile("took", "First to last call", _took(took_s, is_whole=whole), "", begun),
        Tile("session", "Session", Cell(visit.asked.open, visit.asked.open)),
    )
    return Tiles(tiles, is_lead=True)


def _took(seconds: int, *, is_whole: bool) -> Cell:
    return Cell(_long(seconds), seconds) if is_whole else Cell("longer than shown", None, tone="quiet")


def _long(seconds: int) -> str:
    """
    A time for a reader.

    >>> _long(40), _long(125), _long(7260)
    ('40 s', '2 min', '2 h 1 min')
    """
    minutes, hours = seconds // 60, seconds // 3600
    return f"{seconds} s" if seconds < 60 else f"{minutes} min" if not hours else f"{hours} h {minutes % 60} min"


def _labels(visit: Visit, calls: list[Stored]) -> list[str]:
    return [f"{stored.call.sent_at.astimezone(visit.zone):%H:%M}" for stored in calls[:_DRAWN]]


def _first(calls: list[Stored]) -> str:
    return f"The first {_DRAWN} calls. " if len(calls) > _DRAWN else ""


def _costs(visit: Visit, calls: list[Stored]) -> Chart:
    """What each call cost, by what it was for, in order of time."""
    bills = [price_served(visit.desk.book, one.call.served, one.call.sent_at) for one in calls[:_DRAWN]]
    sums = [{unit: 0 for units in _CLASSES for unit in units[1]} for _ in bills]
    for bill, each in zip(bills, sums, strict=True):
        for line in bill.lines:
            each[line.unit] = each.get(line.unit, 0) + (line.pusd or 0)
    series = [
        Series(name, tuple(sum(each[unit] for unit in units) for each in sums), n)
        for n, (name, units) in enumerate(_CLASSES)
    ]
    series = [one for one in series if any(one.values)]
    title = "Cost call by call"
    whole = sum(sum(one.values) for one in series)
    says = f"{dollars(whole)} in {len(bills)} calls, in order of time."
    wide, narrow = both(
        lambda width, key: stacked(Frame(key, title, says, dollars), _labels(visit, calls), series, (), width), "cost"
    )
    kind = str(weakest(*(bill.kind for bill in bills)))
    note = f"{_first(calls)}At list, by the book in force; each bar is one call, in order and not to scale of time."
    return Chart(title, wide, narrow, tuple((one.name, one.color) for one in series), kind, note)


def _tokens(visit: Visit, calls: list[Stored]) -> Chart:
    """The prompt of each call, split into read, written and fresh, in order."""
    usages = [stored.call.served.usage for stored in calls[:_DRAWN]]
    parts = (
        Series("read from the cache", tuple(usage.cache_read_tokens for usage in usages), 0),
        Series(
            "written to the cache",
            tuple(usage.cache_write_5m_tokens + usage.cache_write_1h_tokens for usage in usages),
            1,
        ),
        Series("fresh", tuple(usage.input_tokens for usage in usages), 2),
        Series("output", tuple(usage.output_tokens for usage in usages), 3),
    )
    title = "Tokens call by call"
    says = f"Tokens of {len(usages)} calls in order."
    wide, narrow = both(
        lambda width, key: stacked(Frame(key, title, says, compact), _labels(visit, calls), parts, (), width), "talk"
    )
    note = f"{_first(calls)}Counts, not dollars: each class has a price of its own."
    return Chart(title, wide, narrow, tuple((one.name, one.color) for one in parts), "measured", note)


def _split(visit: Visit, by: str, title: str, label: str) -> tuple[Table, ...]:
    """Cost by something that calls of the session differ in."""
    rows = visit.rows(by)
    if len(rows) < 2:
        return ()
    name = by.removeprefix("tag:")
    columns = (
        Column(name, label),
        Column("usd", "Cost", is_number=True),
        Column("calls", "Calls", is_number=True),
        Column("prompt_tokens", "Prompt", is_number=True),
        Column("output_tokens", "Output", is_number=True),
    )
    most = max(visit.pusd(row) for row in rows)
    cells = tuple(
        (
            text(row.key[0]),
            cost(visit, row, most),
            count(row.calls),
            count(row.usage.prompt_tokens),
            count(row.usage.output_tokens),
        )
        for row in rows
    )
    return (Table(f"{name}s", title, columns, cells, str(weakest(*(row.kind for row in rows)))),)


def _prefixes(visit: Visit, calls: list[Stored], uses: Uses) -> tuple[Table, ...]:
    """Each cached prefix: who wrote it, and who read it."""
    if not uses.prefixes:
        return ()
    columns = (
        Column("prefix", "Cached prefix"),
        Column("tokens", "Tokens", is_number=True),
        Column("ttl", "For"),
        Column("written_by", "Written by"),
        Column("read_by", "Read by"),
        Column("reads", "Reads", is_number=True),
        Column("read_tokens", "Tokens read", is_number=True),
    )
    rows = tuple(_prefix(visit, calls, number, use) for number, use in enumerate(uses.prefixes, 1))
    unread = sum(not use.readers for use in uses.prefixes)
    note = f"{unread} of {len(rows)} were read by no later call of this session. " if unread else ""
    note += "Prefixes are told apart by their hashes, and where several match by what was read."
    title = "Who wrote and who read each cached prefix"
    return (Table("prefixes", title, columns, rows, "derived", note, is_folded=len(rows) > _OPEN_MAX),)


def _prefix(visit: Visit, calls: list[Stored], number: int, use: PrefixUse) -> tuple[Cell, ...]:
    writer = calls[use.writers[0] - 1].call
    first = f"call {use.writers[0]}"
    again = f", again by {spans(use.writers[1:])}" if len(use.writers) > 1 else ""
    return (
        Cell(f"{number}: to block {use.block}, in {use.section}", number),
        count(use.tokens),
        text("an hour" if use.ttl == "1h" else "5 minutes"),
        Cell(first + again, spans(use.writers), visit.asked.elsewhere("/call", open=writer.call_id)),
        Cell(f"call {spans(use.readers)}" if use.readers else "nobody here", spans(use.readers) or None)._replace(
            tone="" if use.readers else "warn"
        ),
        count(len(use.readers)),
        count(use.read_tokens),
    )


def spans(numbers: Sequence[int]) -> str:
    """
    Numbers in short.

    >>> spans([2, 3, 4, 7, 9, 10])
    '2\u20134, 7, 9\u201310'
    """
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][1] + 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    return ", ".join(str(first) if first == last else f"{first}\u2013{last}" for first, last in runs)


def _calls(visit: Visit, calls: list[Stored], uses: Uses, of: int) -> Table:
    columns = (
        Column("sent_at", "Sent"),
        Column("call_id", "Call"),
        Column("agent", "Agent"),
        Column("model", "Model"),
        Column("usd", "Cost", is_number=True),
        Column("fresh", "Fresh", is_number=True),
        Column("written", "Written", is_number=True),
        Column("read", "Read", is_number=True),
        Column("read_of", "Read what"),
        Column("output_tokens", "Output", is_number=True),
    )
    numbers = {id(use): number for number, use in enumerate(uses.prefixes, 1)}
    named = {one.call.dims.get("agent") for one in calls} - {None}
    shown = tuple(column for column in columns if column.name != "agent" or named)
    rows = []
    for number, stored in enumerate(calls, 1):
        call, usage, pusd = stored.call, stored.call.served.usage, stored.posting.list_pusd
        row = (
            Cell(f"{call.sent_at.astimezone(visit.zone):%-d\u00a0%b\u00a0%H:%M:%S}", call.sent_at.isoformat()),
            Cell(f"{number}", call.call_id, visit.asked.elsewhere("/call", open=call.call_id)),
            text(call.dims.get("agent")),
            text(call.served.model),
            UNPRICED if pusd is None else usd(pusd),
            count(usage.input_tokens),
            count(usage.cache_write_5m_tokens + usage.cache_write_1h_tokens),
            count(usage.cache_read_tokens),
            _read_of(uses, number, numbers, knows=bool(call.request and call.request.blocks)),
            count(usage.output_tokens),
        )
        rows.append(tuple(cell for cell, column in zip(row, columns, strict=True) if column in shown))
    kind = str(weakest(*(stored.posting.kind for stored in calls)))
    left = f"The first {len(calls):,} of {of:,}. " if of > len(calls) else ""
    note = left + ("List prices." if visit.is_contract else "")
    return Table("calls", "Its calls, in order", shown, tuple(rows), kind, note)


def _read_of(uses: Uses, number: int, numbers: dict[int, int], *, knows: bool) -> Cell:
    if number not in uses.read:
        return Cell("", None)
    use = uses.read[number]
    if use is None:
        told = "from another session, or before" if knows else "not known: its prompt was not recorded"
        return Cell(told, None, tone="quiet")
    writer = max((one for one in use.writers if one < number), default=use.writers[0])
    return Cell(f"prefix {numbers[id(use)]}, of call {writer}", numbers[id(use)])
