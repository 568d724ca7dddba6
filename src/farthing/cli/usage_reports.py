"""``farthing daily``, ``weekly``, ``monthly``, ``session``, ``blocks``: a request in, a table or JSON out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from farthing.cli import plain
from farthing.cli.usage_budget import exit_code
from farthing.cli.usage_data import WHERE_TO_LOOK, Usage, read_usage
from farthing.cli.usage_days import days_of
from farthing.cli.usage_notes import debug_lines, notes_of
from farthing.errors import BadInput
from farthing.reports.claude_code import rows as row_report
from farthing.reports.claude_code.budget import budget_json
from farthing.reports.claude_code.periods import PERIODS
from farthing.reports.claude_code.sums import Sum, summed
from farthing.sources.claude_code.buckets import to_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from farthing.cli.usage_flags import BlockFlags, Flags, PeriodFlags, SessionFlags
    from farthing.cli.usage_request import Request
    from farthing.cli.usage_tables import Look
    from farthing.reports.claude_code.blocks import Block


def run(request: Request) -> int:
    """
    Make a report and print it.

    Returns:
        The exit code: 0, or 2 where ``--gate`` is asked for and a budget is overspent.

    Raises:
        FarthingError: A flag, the settings, the transcripts or the index cannot be used.

    """
    if request.report == "session":
        return _session(request, request.own)
    if request.report == "blocks":
        return _blocks(request, request.own)
    return _period(request, request.own)


def _period(request: Request, own: PeriodFlags) -> int:
    flags, period = request.flags, request.report
    usage = read_usage(
        flags,
        week_start=own.start_of_week,
        last=own.last,
        period=period,
        apart="projects" if own.instances else "days",
    )
    rows = row_report.by_period(usage.items, usage.calendar, period, by_project=own.instances)
    total = summed(usage.items)
    if flags.order == "desc":
        rows.sort(key=lambda row: row.label, reverse=True)
        rows.sort(key=lambda row: row.project)
    if flags.json:
        value = row_report.period_json(rows, total, period, by_project=own.instances, with_cost=not flags.no_cost)
        return _print_json(value, usage, request)
    from farthing.cli.usage_tables import period_table

    return _print(usage, request, lambda look: period_table(rows, total, PERIODS[period], look), total)


def _session(request: Request, own: SessionFlags) -> int:
    flags = request.flags
    if own.id is not None:
        from farthing.cli.usage_session import show_session

        show_session(flags, own.id)
        return 0
    usage = read_usage(flags, apart="sessions")
    rows, total = row_report.by_session(usage.items), summed(usage.items)
    if flags.order is not None:
        rows.sort(key=lambda row: row.total.last_us, reverse=flags.order == "desc")
    if flags.json:
        return _print_json(row_report.session_json(rows, total, with_cost=not flags.no_cost), usage, request)
    from farthing.cli.usage_tables import session_table

    return _print(usage, request, lambda look: session_table(rows, total, usage.calendar.zone, look), total)


def _blocks(request: Request, own: BlockFlags) -> int:
    from farthing.reports.claude_code import blocks as report

    flags, length = request.flags, report.session_length_us(own.session_length)
    if own.live:
        return _live(request, own)
    usage, found = _read_blocks(flags, length)
    limit = report.token_limit(own.token_limit, found)
    stated = limit if own.token_limit is not None else None
    shown = _chosen_blocks(found, usage, flags, own)
    about = usage._replace(items=report.within(usage.items, shown))
    if flags.json:
        return _print_json(report.blocks_json(shown, stated, with_cost=not flags.no_cost), about, request)
    from farthing.cli.usage_tables import active_panel, blocks_table

    now_us, zone = to_us(usage.now), usage.calendar.zone

    def table(look: Look) -> RenderableType:
        if not shown:
            return _NO_BLOCK if own.active else "No block in these days; farthing blocks shows all there are."
        if own.active:
            return active_panel(shown[0], stated, zone, now_us, look)
        return blocks_table(shown, limit, zone, now_us, look)

    return _print(about, request, table, _total_of(shown), is_empty=not usage.items)


_NO_BLOCK = "No active block: Claude Code made no call in the last five hours."


def _live(request: Request, own: BlockFlags) -> int:
    for name, is_given in (("--json", request.flags.json), ("--gate", request.flags.gate)):
        if is_given:
            raise BadInput(f"read --live beside {name}", "one of them")
    from farthing.cli.usage_tables import console_for

    console = console_for(request.flags)
    watch(console, lambda: live_view(request.flags, own, console), _waiting(own.refresh_interval))
    return 0


def watch(console: Console, view: Callable[[], RenderableType], wait: Callable[[], bool]) -> None:
    """
    Show *view* in place and renew it until *wait* says so.

    Args:
        console: Where to.
        view: Looks again, and returns what to show.
        wait: Lets time pass; False ends the watch. An interrupt ends it as well.

    """
    from rich.live import Live

    with Live(view(), console=console, auto_refresh=False, screen=False) as screen:
        try:
            while wait():
                screen.update(view(), refresh=True)
        except KeyboardInterrupt:
            return


def live_view(flags: Flags, own: BlockFlags, console: Console) -> RenderableType:
    """The active block as it is now, and what is left of the budgets, for :func:`watch`."""
    from rich.console import Group

    from farthing.cli.usage_tables import active_panel, budget_text, look_of
    from farthing.reports.claude_code import blocks as report

    usage, found = _read_blocks(flags, report.session_length_us(own.session_length))
    look = look_of(console, compact=flags.compact, cost=not flags.no_cost)
    active = next((block for block in found if block.is_active), None)
    if active is None:
        return "No active block. Waiting for Claude Code's next call; Ctrl-C ends."
    limit = None if own.token_limit is None else report.token_limit(own.token_limit, found)
    panel = active_panel(active, limit, usage.calendar.zone, to_us(usage.now), look)
    return Group(panel, *(budget_text(one) for one in usage.budgets if look.cost))


def _read_blocks(flags: Flags, length_us: int) -> tuple[Usage, list[Block]]:
    from farthing.reports.claude_code.blocks import blocks_of

    usage = read_usage(flags, all_days=True)
    return usage, blocks_of(usage.items, length_us, to_us(usage.now))


def _chosen_blocks(found: list[Block], usage: Usage, flags: Flags, own: BlockFlags) -> list[Block]:
    from farthing.reports.claude_code.blocks import recent

    days = days_of(flags)
    chosen = [one for one in found if usage.calendar.day_of(one.start_us) in days]
    if own.recent:
        chosen = recent(chosen, to_us(usage.now))
    if own.active:
        chosen = [one for one in chosen if one.is_active]
    return chosen[::-1] if flags.order == "desc" else chosen


def _waiting(seconds: float) -> Callable[[], bool]:
    def wait() -> bool:
        time.sleep(seconds)
        return True

    return wait


def _total_of(blocks_shown: list[Block]) -> Sum:
    total = Sum()
    for block in blocks_shown:
        total.merge(block.total)
    return total


def _print_json(value: dict[str, Any], usage: Usage, request: Request) -> int:
    flags = request.flags
    for line in debug_lines(usage, flags):
        plain.note(line)
    budget = None if flags.no_cost else budget_json(usage.budgets)
    notes = [*notes_of(usage, flags), *request.notes]
    plain.print_json(value | {"mode": flags.mode, "budget": budget, "notes": notes})
    return exit_code(usage.budgets, gate=flags.gate)


def _print(
    usage: Usage, request: Request, table: Callable[[Look], RenderableType], total: Sum, *, is_empty: bool | None = None
) -> int:
    """The table, what there is to say about its calls, and the budgets; *is_empty*: no table; None: without calls."""
    from farthing.cli.usage_tables import budget_text, console_for, look_of, unpriced_lines

    flags = request.flags
    console = console_for(flags)
    for line in debug_lines(usage, flags):
        plain.note(line)
    notes = list(request.notes)
    if not (is_empty if is_empty is not None else not usage.items):
        look = look_of(console, compact=flags.compact, cost=not flags.no_cost, breakdown=flags.breakdown)
        console.print(table(look))
        if total.unpriced_calls and not flags.no_cost:
            console.print(unpriced_lines(total))
        notes = notes_of(usage, flags) + notes
    else:
        console.print(_nothing(usage), style="yellow")
    for line in notes:
        console.print(line, style="dim", markup=False)
    if not flags.no_cost:
        for one in usage.budgets:
            console.print(budget_text(one))
    return exit_code(usage.budgets, gate=flags.gate)


def _nothing(usage: Usage) -> str:
    if not usage.roots:
        return f"No Claude Code transcripts here: {WHERE_TO_LOOK}."
    if usage.scan is not None and usage.scan.calls:
        return f"No calls match: {usage.scan.calls:,} are in the transcripts, outside these days or of other projects."
    where = ", ".join(root.path for root in usage.roots)
    return (
        f"No calls in {where} (transcripts there: {usage.scan.files if usage.scan else 0:,}). "
        "To look elsewhere set CLAUDE_CONFIG_DIR or name a folder: farthing daily PATH."
    )
