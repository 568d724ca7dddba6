"""
A ledger to look at before there is one of one's own: seven weeks of a made-up fleet, its savings plan and its budgets.

Everything is fixed, the clock too, so the pages show the same everywhere.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zlib import crc32
from zoneinfo import ZoneInfo

import msgspec

from farthing.demo.executed import executed
from farthing.demo.fleet import fleet
from farthing.ledger import open_ledger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.whatif.levers.find import find_all
from farthing.whatif.playbook.plan import plan
from farthing.whatif.playbook.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from farthing.call import Call
    from farthing.demo.fleet import Ask

START = datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
"""When the made-up fleet stops, and where the clock of its dashboard stands."""
BUDGET_USD = "110"
_TENANTS, _SESSIONS_PER_DAY = 9, 30
_FIRST_MONTH_PERCENT = 66
_RELEASED = date(2026, 10, 7)
_NEW, _OLD = "claude-haiku-5-5", "claude-haiku-4-5-20251001"
LIMITS = """\
[[budget]]
name = "each tenant"
each = "tenant"
limit_usd = 40
window = "month"
mode = "soft"

[[budget]]
name = "coding agents"
scope = { feature = "coding-agent" }
limit_usd = 20
window = "month"
mode = "soft"
"""


def demo_calls() -> Iterator[Call]:
    """The fleet's calls, in order of time."""
    days = (NOW.date() - START.date()).days + 1
    asks = fleet(START, days, tenants=_TENANTS, sessions_per_day=_SESSIONS_PER_DAY, seed=2)
    return executed(_as_released(ask) for ask in asks if ask.at < NOW and _is_sent(ask))


def _is_sent(ask: Ask) -> bool:
    """In the first month the fleet had fewer sessions: so there is something to explain."""
    return ask.at.month != START.month or crc32(ask.tags["session"].encode()) % 100 < _FIRST_MONTH_PERCENT


def _as_released(ask: Ask) -> Ask:
    """Nobody could ask for a model before there was one."""
    if ask.at.date() <= _RELEASED and ask.body["model"] == _NEW:
        return ask._replace(body=ask.body | {"model": _OLD})
    return ask


def write_demo(folder: Path, advance: Callable[[int], None] = lambda _more: None) -> Path:
    """
    Write the ledger and what lies beside it; what a former run wrote is kept.

    Returns the ledger's path.
    """
    ledger = folder / "dashboard.duckdb"
    plan_file = folder / "playbook.plan.json"
    if ledger.exists() and plan_file.exists():
        return ledger
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / ".dashboard.new.duckdb"
    new.unlink(missing_ok=True)
    book = shipped_book()
    with open_ledger(new) as opened:
        opened.add(_counted(demo_calls(), advance))
        since = NOW.replace(day=1, month=NOW.month - 1)

        def again() -> Iterable[Stored]:
            return opened.calls(Query(since=since))

        made = plan(again, find_all(again(), book), book)
        plan_file.write_bytes(msgspec.json.encode(shown(made, NOW, str(ledger))))
        spent = _spent(list(opened.calls(Query(since=NOW.replace(day=1, hour=0, minute=0)))))
    new.replace(ledger)
    (folder / "limits.toml").write_text(LIMITS, encoding="utf-8")
    _write_limits(folder, spent)
    return ledger


def _counted(calls: Iterable[Call], advance: Callable[[int], None]) -> Iterator[Stored]:
    book = shipped_book()
    for call in calls:
        advance(1)
        yield Stored(call, Posting.of(price_served(book, call.served, call.sent_at)))


def _spent(month: list[Stored]) -> dict[tuple[str, str], int]:
    """Picodollars of the running month by budget and value."""
    sums: dict[tuple[str, str], int] = {}
    for stored in month:
        dims, pusd = stored.call.dims, stored.posting.list_pusd or 0
        keys = [("each tenant", f"tenant={dims['tenant']}")]
        keys += [("coding agents", "")] if dims["feature"] == "coding-agent" else []
        for key in keys:
            sums[key] = sums.get(key, 0) + pusd
    return sums


def _write_limits(folder: Path, spent: dict[tuple[str, str], int]) -> None:
    from farthing.limits.protocol import AccountKey  # noqa: PLC0415
    from farthing.limits.store import STORE_NAME, SqliteBank  # noqa: PLC0415
    from farthing.limits.windows import window_at  # noqa: PLC0415

    (folder / STORE_NAME).unlink(missing_ok=True)
    start_s = window_at("month", NOW, ZoneInfo("UTC")).start_s
    bank = SqliteBank(folder / STORE_NAME)
    try:
        bank.rebuild(
            {AccountKey(budget, value, start_s, "spend"): pusd for (budget, value), pusd in spent.items()},
            keep_presumed=False,
        )
    finally:
        bank.close()
