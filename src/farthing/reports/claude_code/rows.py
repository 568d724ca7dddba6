"""Reports by period and by session: costed buckets in, rows in order out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.reports.claude_code.periods import PERIODS, Calendar
from farthing.reports.claude_code.sums import Sum, row_json, summed, totals_json
from farthing.sources.claude_code.buckets import from_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.reports.claude_code.costing import Costed


class Row(NamedTuple):
    """A labelled sum; *project* is empty where projects are not told apart."""

    label: str
    total: Sum
    project: str = ""


def by_period(items: Iterable[Costed], calendar: Calendar, period: str, *, by_project: bool = False) -> list[Row]:
    """Rows of days, weeks or months (``daily``, ``weekly``, ``monthly``), the oldest first, within each project."""
    groups: dict[tuple[str, str], list[Costed]] = {}
    for one in items:
        label = calendar.label(calendar.day(one.bucket.quarter), period)
        groups.setdefault((one.bucket.project if by_project else "", label), []).append(one)
    return [Row(label, summed(group), project) for (project, label), group in sorted(groups.items(), key=_first)]


def by_session(items: Iterable[Costed]) -> list[Row]:
    """One row per project and session, the dearest first, then the latest."""
    groups: dict[tuple[str, str], list[Costed]] = {}
    for one in items:
        groups.setdefault((one.bucket.project, one.bucket.session), []).append(one)
    rows = [Row(session, summed(group), project) for (project, session), group in groups.items()]
    return sorted(rows, key=lambda row: (-row.total.priced_pusd, -row.total.last_us, row.label))


def in_project(items: Iterable[Costed], name: str) -> list[Costed]:
    """Those of one project: its folder (``-home-dev-app``), directory (``/home/dev/app``) or how either ends."""
    wanted = _folder(name)
    return [one for one in items if _is_named(one.bucket.project, wanted)]


def period_json(rows: list[Row], total: Sum, period: str, *, by_project: bool, with_cost: bool) -> dict[str, Any]:
    """``{"daily": [...], "totals": {...}}``, or ``{"projects": {name: [...]}, "totals": ...}``."""
    key = PERIODS[period]
    if not by_project:
        found: Any = [row_json({key: row.label}, row.total, with_cost=with_cost) for row in rows]
        return {period: found, "totals": totals_json(total, with_cost=with_cost)}
    projects: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        label = {key: row.label, "project": row.project}
        projects.setdefault(row.project, []).append(row_json(label, row.total, with_cost=with_cost))
    return {"projects": projects, "totals": totals_json(total, with_cost=with_cost)}


def session_json(rows: list[Row], total: Sum, *, with_cost: bool) -> dict[str, Any]:
    """``{"sessions": [...], "totals": {...}}``."""
    found = [
        row_json(
            {
                "sessionId": row.label,
                "projectPath": row.project,
                "firstActivity": instant_json(row.total.first_us),
                "lastActivity": instant_json(row.total.last_us),
            },
            row.total,
            with_cost=with_cost,
        )
        for row in rows
    ]
    return {"sessions": found, "totals": totals_json(total, with_cost=with_cost)}


def instant_json(microseconds: int) -> str:
    """
    A time as ccusage writes it: UTC, to the millisecond.

    >>> instant_json(1_700_000_000_123_999)
    '2023-11-14T22:13:20.123Z'
    """
    return from_us(microseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _first(item: tuple[tuple[str, str], list[Costed]]) -> tuple[str, str]:
    return item[0]


def _folder(name: str) -> str:
    """A directory as Claude Code names its folder: whatever is no letter or digit becomes a hyphen (facts 12.2)."""
    return re.sub(r"[^A-Za-z0-9]", "-", name)


def _is_named(project: str, wanted: str) -> bool:
    folder = _folder(project)
    return folder == wanted or folder.endswith(f"-{wanted.lstrip('-')}")
