"""What caching does: how much of each prompt is read, what writes cost, and which of them nobody read."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import Block, Cell, Chart, Column, Note, Page, Table, Tile, Tiles
from farthing.dashboard.caching import saved_by_caching
from farthing.dashboard.cells import count, dollars, share_of, text, usd
from farthing.dashboard.charts import Frame, Series, both, stacked
from farthing.dashboard.pages.shared import label_of, nothing, only
from farthing.dashboard.row_prices import BY
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.reports.sums import compact, percent
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.dashboard.caching import Saved
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row
    from farthing.reports.fair_shares import FairShares

_ROWS_SHOWN = 60


def page(visit: Visit) -> Page:
    """Hit share, savings and wasted writes."""
    total = visit.total()
    if total is None:
        return Page("Cache", (nothing(visit),))
    by = visit.asked.by or ("feature",)
    shared = _shares(visit)
    blocks: list[Block] = [_sums(visit, total, shared), *_over_time(visit), _groups(visit, by)]
    if shared is None:
        what = f"Which writes nobody read is found call by call; here are over {CALLS_READ_MAX:,}."
        told = f"{what} Narrow the days or filter, or ask the command line about all of them."
        blocks.append(Note(told, "What became of the writes", code="farthing moved --fair-cache"))
    else:
        blocks.append(_reasons(shared))
    return Page("Cache", tuple(blocks))


def _shares(visit: Visit) -> FairShares | None:
    if not visit.can_read_calls():
        return None
    from farthing.reports.fair_shares import fair_shares  # noqa: PLC0415 - only here

    key = ("fair", repr(visit.query()), visit.desk.book.version)
    return visit.reader.kept(key, lambda: fair_shares(visit.calls(), visit.desk.book))


def _sums(visit: Visit, total: Row, shared: FairShares | None) -> Tiles:
    usage = total.usage
    days = msgspec.structs.replace(visit.query(*BY, bucket="day"), timezone="UTC")
    saved = saved_by_caching(visit.reader.report(days), visit.desk.book)
    left_out = f"; {saved.calls_left_out:,} calls left out" if saved.calls_left_out else ""
    tiles = [
        Tile(
            "cache_saved",
            "Caching saved",
            usd(saved.pusd),
            str(saved.kind),
            f"against the same prompts without a cache, at list{left_out}",
            tone="good" if saved.pusd > 0 else "bad" if saved.pusd < 0 else "",
        ),
        Tile(
            "read_share",
            "Read from the cache",
            Cell(percent(usage.cache_read_tokens, usage.prompt_tokens) or "0.0 %", usage.cache_read_tokens),
            str(Kind.MEASURED),
            f"{compact(usage.cache_read_tokens)} of {compact(usage.prompt_tokens)} prompt tokens",
            meter=share_of(usage.cache_read_tokens, usage.prompt_tokens),
        ),
    ]
    if shared is not None:
        from farthing.reports.fair_shares import UNREAD  # noqa: PLC0415

        calls, wasted = shared.reasons.get(UNREAD, (0, 0))
        tiles.append(
            Tile(
                "wasted",
                "Paid for writes that nobody read",
                usd(wasted),
                str(shared.kind),
                f"{calls:,} calls; {percent(wasted, shared.premium_pusd) or '0.0 %'} of all write premiums",
                tone="bad" if wasted else "good",
            )
        )
    return Tiles(tuple(tiles), is_lead=True)


def _over_time(visit: Visit) -> tuple[Chart, Table]:
    bucket = visit.bucket
    starts = visit.starts(bucket)
    found = {row.start: row.usage for row in visit.rows(bucket=bucket)}
    usages = [found.get(at) for at in starts]
    every = (
        Series("read", tuple(usage.cache_read_tokens if usage else 0 for usage in usages), 0),
        Series("written, 5 min", tuple(usage.cache_write_5m_tokens if usage else 0 for usage in usages), 1),
        Series("written, 1 h", tuple(usage.cache_write_1h_tokens if usage else 0 for usage in usages), 4),
        Series("fresh", tuple(usage.input_tokens if usage else 0 for usage in usages), 2),
    )
    parts = tuple(one for one in every if any(one.values))
    labels = [label_of(at, bucket, visit) for at in starts]
    title = "Prompt tokens by how they were billed"
    says = f"{title}, {len(starts)} bars."
    wide, narrow = both(
        lambda width, key: stacked(Frame(key, title, says, compact), labels, parts, (), width), "prompts"
    )
    chart = Chart(
        title,
        wide,
        narrow,
        tuple((one.name, one.color) for one in parts),
        "measured",
        f"By {bucket}, {visit.zone.key}. Counts, not dollars.",
    )
    columns = (
        Column("start", bucket.capitalize()),
        *(Column(one.name, one.name.capitalize(), is_number=True) for one in parts),
    )
    rows = tuple(
        (Cell(labels[n], at.astimezone(visit.zone).isoformat()), *(count(one.values[n]) for one in parts))
        for n, at in enumerate(starts)
    )
    return chart, Table("prompt_tokens", f"{title}, as a table", columns, rows, "measured", is_folded=True)


def _groups(visit: Visit, by: tuple[str, ...]) -> Table:
    saved = _saved_by(visit, by)
    columns = visit.head(
        *((name, name.replace("_", " ").capitalize(), False) for name in by),
        ("saved_usd", "Saved", True),
        ("cached", "Read share", True),
        ("cache_read_tokens", "Read", True),
        ("written_5m", "Written 5 min", True),
        ("written_1h", "Written 1 h", True),
        ("fresh", "Fresh", True),
        ("premium_usd", "Write premium", True),
        ("calls", "Calls", True),
    )
    cells = []
    for row in visit.rows(*by):
        usage = row.usage
        where = only(visit, by, row.key)
        names = [text(value, href=visit.asked.url(where=where, by=("prompt",))) for value in row.key]
        found = saved[row.key]
        pusd = found.pusd
        cells.append(
            (
                *names,
                usd(pusd, tone="bad" if pusd < 0 else "good" if pusd else "quiet"),
                Cell(
                    percent(usage.cache_read_tokens, usage.prompt_tokens),
                    share_of(usage.cache_read_tokens, usage.prompt_tokens),
                    share=share_of(usage.cache_read_tokens, usage.prompt_tokens),
                ),
                count(usage.cache_read_tokens),
                count(usage.cache_write_5m_tokens),
                count(usage.cache_write_1h_tokens),
                count(usage.input_tokens),
                usd(found.premium_pusd),
                count(row.calls),
            )
        )
    note = "A write premium is what a write costs above plain input. Follow a name to its prompts."
    return Table(
        "groups",
        f"By {' and '.join(by)}",
        columns,
        visit.sorted_rows(columns, cells)[:_ROWS_SHOWN],
        str(weakest(Kind.DERIVED, *(found.kind for found in saved.values()))),
        note,
    )


def _saved_by(visit: Visit, by: tuple[str, ...]) -> dict[tuple[str | None, ...], Saved]:
    """Per group what caching saved."""
    days = msgspec.structs.replace(
        visit.query(*by, *(name for name in BY if name not in by), bucket="day"), timezone="UTC"
    )
    at = [(*by, *(name for name in BY if name not in by)).index(name) for name in BY]
    groups: defaultdict[tuple[str | None, ...], list[Row]] = defaultdict(list)
    for row in visit.reader.report(days):
        groups[row.key[: len(by)]].append(msgspec.structs.replace(row, key=tuple(row.key[n] for n in at)))
    return {key: saved_by_caching(rows, visit.desk.book) for key, rows in groups.items()}


def _reasons(shared: FairShares) -> Table:
    columns = (
        Column("reason", "What became of it"),
        Column("usd", "Premium", is_number=True),
        Column("calls", "Writing calls", is_number=True),
    )
    rows = tuple(
        (text(reason), usd(pusd), count(calls))
        for reason, (calls, pusd) in sorted(shared.reasons.items(), key=lambda item: -item[1][1])
    )
    return Table(
        "writes",
        "What became of the writes",
        columns,
        rows,
        str(shared.kind),
        f"All write premiums: {dollars(shared.premium_pusd)}.",
        "Nothing was written to the cache.",
    )
