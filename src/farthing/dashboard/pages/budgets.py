"""Budgets: what is spent, held and left in each window that is open now, and which calls were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.dashboard.blocks import Cell, Note, Page, Table, Tile, Tone
from farthing.dashboard.cells import dollars, share_of, text, usd
from farthing.dashboard.pages import budget_refusals, budget_trial
from farthing.errors import BadConfig
from farthing.limits.windows import window_at
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.limits.budgets import Budget
    from farthing.limits.protocol import Line
    from farthing.limits.windows import Window

UNREADABLE = "The limits file cannot be read"


class Standing(NamedTuple):
    """One budget's account in its window; amounts in picodollars."""

    budget: Budget
    value: str
    window: Window
    spent_pusd: int
    held_pusd: int
    presumed_pusd: int

    @property
    def left_pusd(self) -> int:
        """What may still be spent or reserved."""
        return max(0, self.budget.limit_pusd - self.spent_pusd - self.held_pusd)


def page(visit: Visit) -> Page:
    """Every account that this user may see."""
    if visit.desk.limits is None:
        note = "Budgets live in a limits file; the gateway holds calls to them, and this page shows what is left."
        return Page(
            "Budgets", (Note(note, "No budgets yet", code='[gateway]\nlimits = "limits.toml"     # farthing.toml'),)
        )
    try:
        budgets = _budgets(visit)
    except BadConfig as fault:
        return Page("Budgets", (Note(str(fault), UNREADABLE, "bad"),), status=503)
    columns = visit.head(
        ("budget", "Budget", False),
        ("who", "Who", False),
        ("used", "Used", True),
        ("left_usd", "Left", True),
        ("spent_usd", "Spent", True),
        ("limit_usd", "Limit", True),
        ("held_usd", "Held", True),
        ("window", "Window", False),
        ("resets_at", "Starts anew", False),
        ("mode", "When it is used up", False),
    )
    rows = [_row(visit, one) for one in standings(visit)]
    note = "Held: worst cases of calls under way, and slices taken for the next ones. Spent is at list price."
    table = Table(
        "budgets",
        "In the windows that are open now",
        columns,
        visit.sorted_rows(columns, rows),
        str(Kind.MEASURED),
        note,
        "No budget counts calls that you may see.",
    )
    refused, tried = budget_refusals.refused(visit), budget_trial.trial(visit, budgets)
    return Page("Budgets", (table, refused) if tried is None else (table, refused, tried))


def _budgets(visit: Visit) -> tuple[Budget, ...]:
    """Those of the limits file."""
    from farthing.limits.file import read_limits  # noqa: PLC0415

    return () if visit.desk.limits is None else read_limits(visit.desk.limits).budgets


def standings(visit: Visit) -> list[Standing]:
    """
    What the gateway's store says, for the windows open now; a budget that nothing was spent of has a line as well.

    A viewer bound to tenants sees the accounts of budgets that count each tenant by itself, and of budgets whose scope
    is such a tenant alone: nothing else is theirs.
    """
    known: dict[str, list[Line]] = {}
    for line in _lines(visit):
        if line.key.meter == "spend":
            known.setdefault(line.key.budget, []).append(line)
    found: list[Standing] = []
    for budget in _budgets(visit):
        if budget.window == "call":
            continue
        window = window_at(budget.window, visit.now, budget.zone)
        here = [line for line in known.get(budget.name, []) if line.key.start_s == window.start_s]
        found += [
            Standing(budget, line.key.value, window, line.spent_pusd, line.held_pusd, line.presumed_pusd)
            for line in here
        ]
        if not here and not budget.each and budget.window not in ("session", "run"):
            found.append(Standing(budget, "", window, 0, 0, 0))
    tenants = visit.reader.scope.tenants
    return found if tenants is None else [one for one in found if _is_of(one, tenants)]


def _is_of(one: Standing, tenants: tuple[str, ...]) -> bool:
    """Whether an account is about these tenants' calls and nobody else's."""
    if one.budget.window in ("session", "run"):
        return False
    if one.budget.each == "tenant":
        return one.value in {f"tenant={tenant}" for tenant in tenants}
    patterns = dict(one.budget.scope).get("tenant", ())
    return one.budget.each is None and bool(patterns) and all(_is_plain(name) and name in tenants for name in patterns)


def _is_plain(pattern: str) -> bool:
    """Whether a pattern matches the one name that it is."""
    return not set(pattern) & set("*?[")


def _lines(visit: Visit) -> list[Line]:
    from farthing.limits.store import STORE_NAME, SqliteBank  # noqa: PLC0415

    path = visit.desk.ledger.with_name(STORE_NAME)
    if not path.exists():
        return []
    bank = SqliteBank(path, busy_s=2)
    try:
        return bank.lines()
    finally:
        bank.close()


_MODES = {"hard": "refuses", "soft": "tells", "degrade": "another model"}


def _row(visit: Visit, one: Standing) -> tuple[Cell, ...]:
    limit = one.budget.limit_pusd
    used = share_of(one.spent_pusd, limit)
    tone: Tone = "bad" if one.spent_pusd + one.presumed_pusd >= limit else "warn" if used >= 800 else ""
    ends = one.window.ends_at
    return (
        text(one.budget.name),
        text(one.value or "all"),
        Cell(f"{100 * one.spent_pusd // limit if limit else 100:,} %", used, tone=tone, share=used),
        usd(one.left_pusd, tone=tone),
        usd(one.spent_pusd),
        usd(limit),
        usd(one.held_pusd),
        text(one.budget.window),
        Cell("never", "") if ends is None else Cell(f"{ends.astimezone(visit.zone):%-d %b %H:%M}", ends.isoformat()),
        text(_MODES[one.budget.mode] + (f": {one.budget.degrade_to}" if one.budget.degrade_to else "")),
    )


def tile(visit: Visit, month_pusd: int, kind: str) -> Tile | None:
    """For the overview: the month's budget of the settings, or else the tightest that the gateway holds."""
    limit = visit.desk.monthly_budget_pusd
    if limit and visit.reader.scope.is_whole and not visit.asked.where:
        left, used = limit - month_pusd, share_of(month_pusd, limit)
        label = (
            f"Left of {visit.now.astimezone(visit.zone):%B}'s budget"
            if left >= 0
            else f"Over {visit.now.astimezone(visit.zone):%B}'s budget"
        )
        tone: Tone = "bad" if left < 0 else "warn" if used >= 800 else "good"
        return Tile(
            "budget_left",
            label,
            usd(abs(left) if left < 0 else left),
            kind,
            f"{dollars(month_pusd)} of {dollars(limit)} spent",
            tone=tone,
            href=visit.asked.elsewhere("/budgets"),
            meter=used,
        )
    found = [one for one in standings(visit) if one.budget.limit_pusd]
    if not found:
        whole = visit.reader.scope.is_whole and not visit.asked.where
        return (
            Tile(
                "budget_left", "Budget", Cell("none set", None, tone="quiet"), "", "report.monthly_budget_usd sets one"
            )
            if whole
            else None
        )
    one = max(found, key=lambda one: share_of(one.spent_pusd, one.budget.limit_pusd))
    used = share_of(one.spent_pusd, one.budget.limit_pusd)
    tone = "bad" if used >= 1000 else "warn" if used >= 800 else "good"
    who = f" of {one.value}" if one.value else ""
    return Tile(
        "budget_left",
        f"Left of {one.budget.name}{who}",
        usd(one.left_pusd),
        str(Kind.MEASURED),
        f"{dollars(one.spent_pusd)} of {dollars(one.budget.limit_pusd)} spent",
        tone=tone,
        href=visit.asked.elsewhere("/budgets"),
        meter=used,
    )
