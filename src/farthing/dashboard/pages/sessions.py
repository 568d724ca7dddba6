"""Sessions, the dearest first; and one session: its agents, its calls in order, and what each wrote and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Cell, Chart, Column, Note, Page, Table, Tile, Tiles, count, share_of, text, usd
from farthing.dashboard.charts import Frame, Series, both, stacked
from farthing.dashboard.pages.shared import nothing
from farthing.reports.sums import percent
from farthing.units import weakest

if TYPE_CHECKING:
    from farthing.call import Call
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Stored

_SHOWN = 60
_CALLS_SHOWN = 200


def page(visit: Visit) -> Page:
    """The dearest sessions, or the one that was opened."""
    if visit.total() is None:
        return Page("Sessions", (nothing(visit),))
    return _one(visit) if visit.asked.open else _all(visit)


def _all(visit: Visit) -> Page:
    rows = visit.rows("session", "feature", limit=_SHOWN)
    named = [row for row in rows if row.key[0] not in (None, "other")]
    if not named:
        note = "No call of these days names its session: send x-farthing-tag-session, or tag rows on import."
        return Page("Sessions", (Note(note, "No sessions yet"),))
    whole = sum(visit.pusd(row) for row in rows)
    columns = visit.head(
        ("session", "Session", False),
        ("feature", "Feature", False),
        ("usd", "Cost", True),
        ("calls", "Calls", True),
        ("usd_per_call", "Per call", True),
        ("prompt_tokens", "Prompt", True),
        ("cached", "Cached", True),
        ("output_tokens", "Output", True),
    )
    cells = [
        (
            text(row.key[0], href=visit.asked.url(open=row.key[0] or "", sort="")),
            text(row.key[1]),
            usd(visit.pusd(row), share=share_of(visit.pusd(row), visit.pusd(named[0]))),
            count(row.calls),
            usd(visit.pusd(row) // row.calls),
            count(row.usage.prompt_tokens),
            Cell(
                percent(row.usage.cache_read_tokens, row.usage.prompt_tokens),
                share_of(row.usage.cache_read_tokens, row.usage.prompt_tokens),
            ),
            count(row.usage.output_tokens),
        )
        for row in named
    ]
    shown = sum(visit.pusd(row) for row in named)
    note = f"The dearest {len(named)} carry {percent(shown, whole)} of the spend; the rest is left out."
    kind = str(weakest(*(row.kind for row in rows)))
    return Page(
        "Sessions", (Table("sessions", "The dearest sessions", columns, visit.sorted_rows(columns, cells), kind, note),)
    )


def _one(visit: Visit) -> Page:
    session = visit.asked.open
    inside = visit.asked._replace(where=visit.asked.keeping("session", session))
    from farthing.dashboard.visit import Visit as Again  # noqa: PLC0415 - a page is given a visit, and makes one here

    own = Again(inside, visit.reader, visit.desk, visit.user, visit.now)
    total = own.total()
    back = (("All sessions", visit.asked.url(open="")),)
    if total is None:
        return Page(
            "Session", (Note("No call of these days is in that session.", "No such session", "warn", back),), status=404
        )
    calls = [stored for _, stored in zip(range(_CALLS_SHOWN), visit.reader.calls(own.query()), strict=False)]
    tiles = Tiles(
        (
            Tile("usd", "Cost", usd(own.pusd(total)), str(total.kind), f"{total.calls:,} calls"),
            Tile(
                "cached",
                "Read from the cache",
                Cell(percent(total.usage.cache_read_tokens, total.usage.prompt_tokens)),
                "measured",
            ),
            Tile("session", "Session", Cell(session, session)),
        ),
        is_lead=True,
    )
    return Page("Session", (tiles, _picture(own, calls), *_agents(own), _calls(own, calls), Note("", links=back)))


def _picture(visit: Visit, calls: list[Stored]) -> Chart:
    """The prompt of each call, split into read, written and fresh, in order."""
    shown = calls[:80]
    usages = [stored.call.served.usage for stored in shown]
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
    labels = [f"{stored.call.sent_at.astimezone(visit.zone):%H:%M}" for stored in shown]
    from farthing.reports.sums import compact  # noqa: PLC0415

    says = f"Tokens of {len(shown)} calls in order."
    wide, narrow = both(
        lambda width, key: stacked(Frame(key, "Tokens call by call", says, compact), labels, parts, (), width), "talk"
    )
    return Chart(
        "Tokens call by call",
        wide,
        narrow,
        tuple((one.name, one.color) for one in parts),
        "measured",
        "Counts, not dollars: each class has a price of its own.",
    )


def _agents(visit: Visit) -> tuple[Table, ...]:
    rows = visit.rows("agent")
    if len(rows) < 2:
        return ()
    columns = (
        Column("agent", "Agent"),
        Column("usd", "Cost", is_number=True),
        Column("calls", "Calls", is_number=True),
    )
    cells = tuple((text(row.key[0]), usd(visit.pusd(row)), count(row.calls)) for row in rows)
    return (Table("agents", "By agent", columns, cells, str(weakest(*(row.kind for row in rows)))),)


def _calls(visit: Visit, calls: list[Stored]) -> Table:
    writers: dict[bytes, str] = {}
    columns = (
        Column("sent_at", "Sent"),
        Column("call_id", "Call"),
        Column("model", "Model"),
        Column("usd", "Cost", is_number=True),
        Column("fresh", "Fresh", is_number=True),
        Column("written", "Written", is_number=True),
        Column("read", "Read", is_number=True),
        Column("read_of", "Read what"),
        Column("output_tokens", "Output", is_number=True),
    )
    rows = []
    for number, stored in enumerate(calls, 1):
        call, usage, pusd = stored.call, stored.call.served.usage, stored.posting.list_pusd
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        rows.append(
            (
                Cell(f"{call.sent_at.astimezone(visit.zone):%-d\u00a0%b\u00a0%H:%M:%S}", call.sent_at.isoformat()),
                Cell(f"{number}", call.call_id, visit.asked.url("/call", open=call.call_id)),
                text(call.served.model),
                Cell("unpriced", None, tone="bad") if pusd is None else usd(pusd),
                count(usage.input_tokens),
                count(written),
                count(usage.cache_read_tokens),
                Cell(_read_of(call, writers, number) if usage.cache_read_tokens else ""),
                count(usage.output_tokens),
            )
        )
        if written:
            for block in call.request.blocks if call.request else ():
                if block.ttl is not None:
                    writers[block.prefix_hash] = str(number)
    kind = str(weakest(*(stored.posting.kind for stored in calls)))
    return Table(
        "calls", "Its calls, in order", columns, tuple(rows), kind, "List prices." if visit.is_contract else ""
    )


def _read_of(call: Call, writers: dict[bytes, str], number: int) -> str:
    """Which call of the session wrote the longest prefix that this one shares with it."""
    if call.request is None or not call.request.blocks:
        return "not known"
    shared = [writers[block.prefix_hash] for block in call.request.blocks if block.prefix_hash in writers]
    return (
        f"what call {shared[-1]} wrote"
        if shared
        else "from another session"
        if number == 1 or not writers
        else "an earlier prefix"
    )
