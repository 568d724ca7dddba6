"""
A ledger to look at before there is one of one's own: seven weeks of a made-up fleet, its savings plan and its budgets.

The clock stands still, so the pages show the same everywhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zlib import crc32
from zoneinfo import ZoneInfo

import msgspec

from farthing.dashboard.demo_alerts import write_incidents
from farthing.dashboard.demo_outcomes import demo_outcomes
from farthing.dashboard.demo_refusals import write_refusals
from farthing.demo.executed import executed
from farthing.demo.season import APPLIED, CACHED, NOW, season
from farthing.ledger import open_ledger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.outcome import OutcomeStore
from farthing.ledger.zones import bucket_start
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.whatif.levers.find import find_all
from farthing.whatif.playbook.days import month_to
from farthing.whatif.playbook.decide import apply_steps, files_of, keep_plan
from farthing.whatif.playbook.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from farthing.call import Call
    from farthing.ledger.interface import Ledger
    from farthing.whatif.playbook.decide import Files
    from farthing.whatif.playbook.planned import Plan

LEDGER_NAME, PLAN_NAME = "ledger.duckdb", "playbook.plan.json"
BUDGET_USD = "110"
_WHO = "ops@example.com"
_LATELY = timedelta(days=6)
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

[[budget]]
name = "one call"
limit_usd = 1
window = "call"
"""


def write_demo(folder: Path, advance: Callable[[int], None] = lambda _more: None) -> Path:
    """
    The demo's ledger and what lies beside it; what a former run wrote is kept.

    Where ``farthing demo`` has sent the calls already, its ledger is taken; otherwise they are played through the
    sandbox without HTTP, which gives the same bill.

    Args:
        folder: Where.
        advance: Told how many calls more are done, now and then.

    Returns:
        The ledger's path.

    """
    ledger = folder / LEDGER_NAME
    if not ledger.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".new.{LEDGER_NAME}"
        new.unlink(missing_ok=True)
        with open_ledger(new) as opened:
            opened.add(_counted(executed(season()), advance))
        new.replace(ledger)
    if not (folder / PLAN_NAME).exists():
        furnish(folder, ledger)
    return ledger


def furnish(folder: Path, ledger: Path) -> None:
    """What its users would have told and made by now: outcomes, budgets, incidents, a plan, by the real engines."""
    limits = folder / "limits.toml"
    limits.write_text(LIMITS, encoding="utf-8")
    with open_ledger(ledger) as opened:
        _write_limits(folder, _spent(list(opened.calls(Query(since=NOW.replace(day=1, hour=0, minute=0))))))
        told, corrected = demo_outcomes((stored.call for stored in opened.calls(Query())), NOW)
        assert isinstance(opened, OutcomeStore), "every engine keeps outcomes"
        for words in (told, corrected):
            opened.add_outcomes(words, received_at=NOW)
        write_incidents(folder, opened, limits, NOW)
        lately = Query(since=NOW - _LATELY)
        write_refusals(folder, limits, (stored.call for stored in opened.calls(lately)), NOW)
        _decide(opened, files_of(ledger))  # last: its plan says that all is there


def _decide(ledger: Ledger, files: Files) -> None:
    """A plan, the decision to follow one step of it, and the plan as it is now."""
    now = _plan(ledger, NOW)
    first = keep_plan(files, _plan(ledger, APPLIED), APPLIED)
    steps = [one.id for one in first.steps if CACHED in one.id and not one.cannot]
    apply_steps(files, steps[:1], _WHO, APPLIED)
    keep_plan(files, now, NOW)


def _plan(ledger: Ledger, until: datetime) -> Plan:
    """Of the calls before *until*, as whoever looks then would get it."""
    book = shipped_book()
    since = month_to(bucket_start(until, "day", ZoneInfo("UTC")))

    def again() -> Iterable[Stored]:
        return ledger.calls(Query(since=since, until=until))

    return plan(again, find_all(again(), book), book)


def _counted(calls: Iterable[Call], advance: Callable[[int], None]) -> Iterator[Stored]:
    book = shipped_book()
    for call in map(_named, calls):
        advance(1)
        yield Stored(call, Posting.of(price_served(book, call.served, call.sent_at)))


def _named(call: Call) -> Call:
    """What a batch answered, as the gateway names it: a batch a day for each tenant and feature."""
    if call.served.service_tier != "batch":
        return call
    dims = call.dims
    batch = crc32(f"{call.sent_at.date()} {dims['tenant']} {dims['feature']}".encode())
    return msgspec.structs.replace(call, call_id=f"msgbatch_01{batch:010d}/{dims['session']}")


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
