"""Calls one by one, the latest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import Cell, Column, Note, Page, Refresh, Table
from farthing.dashboard.cells import count, text, usd
from farthing.dashboard.pages.shared import nothing
from farthing.errors import BadInput
from farthing.ledger.asking import NOT_ROLLED_UP
from farthing.ledger.question import TAG
from farthing.reports.sums import percent
from farthing.units import weakest

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Stored

PER_PAGE = 50
_HOUR = timedelta(hours=1)
OWN = ("live", "seen")
LIVE_S = 5
"""How often a page that is watched asks for newer calls."""


def page(visit: Visit) -> Page:
    """The latest calls that pass the filters; renewed while somebody watches, where the address says so."""
    total, is_live = visit.total(), visit.asked.said("live") == "1" and visit.asked.page == 1
    if total is None:
        blocks = (_watching(visit, []), nothing(visit)) if is_live else (nothing(visit),)
        return Page("Calls", blocks, refresh=_refresh(visit, []) if is_live else None)
    found = latest(visit, (visit.asked.page - 1) * PER_PAGE, PER_PAGE)
    columns = (
        Column("sent_at", "Sent"),
        Column("call_id", "Call"),
        Column("model", "Model"),
        Column("feature", "Feature"),
        Column("tenant", "Tenant"),
        Column("usd", "Cost", is_number=True),
        Column("prompt_tokens", "Prompt", is_number=True),
        Column("cached", "Cached", is_number=True),
        Column("output_tokens", "Output", is_number=True),
        Column("stop_reason", "Ended"),
        Column("duration_ms", "Took", is_number=True),
    )
    seen = _seen(visit)
    rows = tuple(_row(visit, stored, is_new=seen is not None and _ended(stored) > seen) for stored in found)
    more = []
    if visit.asked.page > 1:
        more.append(("Later calls", visit.asked.url(page=visit.asked.page - 1)))
    if visit.asked.page * PER_PAGE < total.calls:
        more.append(("Earlier calls", visit.asked.url(page=visit.asked.page + 1)))
    first = (visit.asked.page - 1) * PER_PAGE + 1
    note = (
        f"{first:,} to {first + len(rows) - 1:,} of {total.calls:,}, the latest first, {visit.zone.key}."
        if rows
        else ""
    )
    kind = str(weakest(*(stored.posting.kind for stored in found)))
    table = Table("calls", visit.span.label, columns, rows, kind, note, "No more calls.", more=tuple(more))
    return Page("Calls", (_watching(visit, found), table), refresh=_refresh(visit, found) if is_live else None)


def _watching(visit: Visit, found: list[Stored]) -> Note:
    """The switch, and what is new."""
    if visit.asked.page > 1 or visit.asked.said("live") != "1":
        span = {"span": "today"} if visit.span.until <= visit.now else {}
        return Note("", links=(("Follow live", visit.asked.url(given=(("live", "1"),), **span)),))
    seen = _seen(visit)
    new = 0 if seen is None else sum(_ended(one) > seen for one in found)
    shown = f"{new}{' or more' if new == PER_PAGE else ''} new call{'' if new == 1 else 's'}"
    since = "" if seen is None else f" since {seen.astimezone(visit.zone):%-d %b %H:%M:%S}"
    newer = visit.asked.url(given=_watched_from(found, seen))
    return Note(
        f"Renewed every {LIVE_S} seconds: {shown if seen is not None else 'the latest calls'}{since}.",
        "Live",
        links=(("Newer calls", newer), ("Stop", visit.asked.url(given=()))),
    )


def _seen(visit: Visit) -> datetime | None:
    """When the last call ended that the reader has seen; None: nothing is marked."""
    said = visit.asked.said("seen")
    if not said:
        return None
    try:
        seen = datetime.fromisoformat(said)
        seen = seen.astimezone(UTC) if seen.tzinfo is not None else seen.replace(tzinfo=UTC)
        seen.astimezone(visit.zone)
    except (ValueError, OverflowError):  # a calendar has a first and a last year
        raise BadInput(f"read seen {said[:80]!r}", "a time") from None
    return seen


def _ended(stored: Stored) -> datetime:
    """When a call's answer was whole: only then it is in the ledger, however early it was sent."""
    return stored.call.sent_at + timedelta(milliseconds=stored.call.duration_ms or 0)


def _watched_from(found: list[Stored], seen: datetime | None) -> tuple[tuple[str, str], ...]:
    """What is in the address of a page on which all that is shown now counts as seen."""
    newest = max(map(_ended, found), default=seen)
    return (("live", "1"), *((("seen", newest.isoformat()),) if newest is not None else ()))


def _refresh(visit: Visit, found: list[Stored]) -> Refresh:
    """What came since the reader began to watch stays marked."""
    seen = _seen(visit)
    given = visit.asked.given if seen is not None else _watched_from(found, visit.now)
    return Refresh(LIVE_S, visit.asked.url(given=given))


def latest(visit: Visit, skip: int, number: int) -> list[Stored]:
    """
    Calls of the span from the latest back.

    The hours' sums tell how many calls each hour has, so only the hours that are shown are read. Where a filter is by
    what hours have no sums of, the ledger looks from the latest back by itself.
    """
    if any(name in NOT_ROLLED_UP or name.startswith(TAG) for name, _ in visit.asked.where):
        return visit.reader.latest(visit.query(), number, skip)
    found: list[Stored] = []
    passed = 0
    for hour in reversed(visit.reader.hours(visit.query())):
        if passed + hour.calls > skip and passed < skip + number:
            since, until = max(hour.start, visit.span.since), min(hour.start + _HOUR, visit.span.until)
            first = max(0, skip - passed)
            here = msgspec.structs.replace(visit.query(), since=since, until=until)
            found += visit.reader.latest(here, skip + number - passed - first, first)
        passed += hour.calls
    return found[:number]


def _row(visit: Visit, stored: Stored, *, is_new: bool) -> tuple[Cell, ...]:
    call, posting = stored.call, stored.posting
    served, usage = call.served, call.served.usage
    pusd = posting.list_pusd if not visit.is_contract or posting.contract_pusd is None else posting.contract_pusd
    return (
        Cell(
            f"{call.sent_at.astimezone(visit.zone):%-d\u00a0%b\u00a0%H:%M:%S}{' new' if is_new else ''}",
            call.sent_at.isoformat(),
            tone="good" if is_new else "",
        ),
        Cell(_short(call.call_id), call.call_id, visit.asked.elsewhere("/call", open=call.call_id)),
        text(served.model),
        text(call.dims.get("feature")),
        text(call.dims.get("tenant")),
        Cell("unpriced", None, tone="bad") if pusd is None else usd(pusd),
        count(usage.prompt_tokens),
        Cell(
            percent(usage.cache_read_tokens, usage.prompt_tokens) if usage.cache_read_tokens else "",
            usage.cache_read_tokens,
        ),
        count(usage.output_tokens),
        text(served.stop_reason or "", tone="quiet"),
        Cell(_took(call.duration_ms), call.duration_ms),
    )


def _took(duration_ms: int | None) -> str:
    if duration_ms is None:
        return ""
    return f"{duration_ms} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"


def _short(call_id: str) -> str:
    name = call_id.partition(":")[0]
    return name if len(name) <= 14 else f"\u2026\u2060{name[-8:]}"
