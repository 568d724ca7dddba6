"""``farthing daily``, ``weekly``, ``monthly``, ``session``, ``blocks``: what Claude Code cost, by its transcripts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import output
from farthing.cli.usage_data import WHERE_TO_LOOK, Usage, read_usage
from farthing.cli.usage_flags import Flags, Weekday, console_for, days_of, with_flags
from farthing.cli.usage_notes import debug_lines, notes_of
from farthing.errors import BadInput
from farthing.reports.claude_code import blocks as block_report
from farthing.reports.claude_code import rows as row_report
from farthing.reports.claude_code.periods import PERIODS
from farthing.reports.claude_code.sums import Sum, summed
from farthing.sources.claude_code.buckets import to_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from farthing.cli.usage_tables import Look

Instances = Annotated[bool, typer.Option("--instances", "-i", help="Each project by itself.")]
Last = Annotated[int | None, typer.Option("--last", metavar="N", help="The most recent N; 1 is the current one.")]
WeekStart = Annotated[Weekday, typer.Option("--start-of-week", "-w", help="First day of a week.")]

claude = typer.Typer(help="The same reports under ccusage's name for them.", no_args_is_help=True)


@with_flags
def daily(flags: Flags, instances: Instances = False, last: Last = None, start_of_week: WeekStart = "sunday") -> None:
    """What Claude Code cost by day, from its transcripts: exact, at the prices of the day."""
    _by_period("daily", flags, instances, last, start_of_week)


@with_flags
def weekly(flags: Flags, instances: Instances = False, last: Last = None, start_of_week: WeekStart = "sunday") -> None:
    """What Claude Code cost by week; a week is called by its first day."""
    _by_period("weekly", flags, instances, last, start_of_week)


@with_flags
def monthly(flags: Flags, instances: Instances = False, last: Last = None, start_of_week: WeekStart = "sunday") -> None:
    """What Claude Code cost by month."""
    _by_period("monthly", flags, instances, last, start_of_week)


@with_flags
def session(
    flags: Flags,
    session_id: Annotated[
        str | None, typer.Option("--id", "-i", metavar="ID", help="The calls of this session; a start is enough.")
    ] = None,
) -> None:
    """What each Claude Code session cost, the dearest first; with --id, every call of one."""
    if session_id is not None:
        from farthing.cli.usage_session import show_session

        show_session(flags, session_id)
        return
    usage = read_usage(flags)
    rows, total = row_report.by_session(usage.items), summed(usage.items)
    if flags.order is not None:
        rows.sort(key=lambda row: row.total.last_us, reverse=flags.order == "desc")
    if flags.json:
        _print_json(row_report.session_json(rows, total, with_cost=not flags.no_cost), usage, flags)
        return
    from farthing.cli.usage_tables import session_table

    _print(usage, flags, lambda look: session_table(rows, total, usage.calendar.zone, look), total)


@with_flags
def blocks(
    flags: Flags,
    *,
    active: Annotated[bool, typer.Option("--active", "-a", help="The active block alone.")] = False,
    recent: Annotated[bool, typer.Option("--recent", "-r", help="Blocks of the last three days.")] = False,
    token_limit: Annotated[
        str | None,
        typer.Option("--token-limit", "-t", metavar="N|max", help="Tokens a block may use; max: most so far."),
    ] = None,
    session_length: Annotated[
        str, typer.Option("--session-length", "-n", metavar="HOURS", help="How long a block lasts.")
    ] = "5",
    live: Annotated[bool, typer.Option("--live", help="Stay and keep the active block up to date.")] = False,
    refresh_interval: Annotated[
        float, typer.Option("--refresh-interval", metavar="SECONDS", min=0.2, help="How often --live looks again.")
    ] = 2.0,
) -> None:
    """Claude Code's five-hour blocks: tokens, cost, burn rate, and where the active one is heading."""
    length = block_report.session_length_us(session_length)
    if live and flags.json:
        raise BadInput("read --live beside --json", "one of them")
    if live:
        console = console_for(flags)
        watch(console, lambda: live_view(flags, length, token_limit, console), _waiting(refresh_interval))
        return
    usage, found = _blocks(flags, length)
    limit = block_report.token_limit(token_limit, found)
    stated = limit if token_limit is not None else None
    shown = _chosen_blocks(found, usage, flags, active=active, recent=recent)
    if flags.json:
        _print_json(block_report.blocks_json(shown, stated, with_cost=not flags.no_cost), usage, flags)
        return
    now_us, zone = to_us(usage.now), usage.calendar.zone
    if active and usage.items and not shown:
        console_for(flags).print("No active block: Claude Code made no call in the last five hours.")
        return
    total = _total_of(shown)

    from farthing.cli.usage_tables import active_panel, blocks_table

    def table(look: Look) -> RenderableType:
        if active:
            return active_panel(shown[0], stated, zone, now_us, look)
        return blocks_table(shown, limit, zone, now_us, look)

    _print(usage, flags, table, total)


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


for _command in (daily, weekly, monthly, session, blocks):
    claude.command(_command.__name__)(_command)


@claude.command(
    "statusline",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def _statusline(ctx: typer.Context) -> None:
    """One line for Claude Code's status bar; farthing statusline is the same and starts faster."""
    from farthing.cli.statusline import main

    raise typer.Exit(main(ctx.args))


def _by_period(period: str, flags: Flags, instances: bool, last: int | None, week_start: str) -> None:
    usage = read_usage(flags, week_start=week_start, last=last, period=period)
    rows, total = row_report.by_period(usage.items, usage.calendar, period, by_project=instances), summed(usage.items)
    if flags.order == "desc":
        rows.sort(key=lambda row: row.label, reverse=True)
        rows.sort(key=lambda row: row.project)
    if flags.json:
        value = row_report.period_json(rows, total, period, by_project=instances, with_cost=not flags.no_cost)
        _print_json(value, usage, flags)
        return
    heading = PERIODS[period]
    from farthing.cli.usage_tables import period_table

    _print(usage, flags, lambda look: period_table(rows, total, heading, look), total)


def _blocks(flags: Flags, length_us: int) -> tuple[Usage, list[block_report.Block]]:
    usage = read_usage(flags, all_days=True)
    return usage, block_report.blocks_of(usage.items, length_us, to_us(usage.now))


def _chosen_blocks(
    found: list[block_report.Block], usage: Usage, flags: Flags, *, active: bool, recent: bool
) -> list[block_report.Block]:
    days = days_of(flags)
    chosen = [one for one in found if usage.calendar.day_of(one.start_us) in days]
    if recent:
        chosen = block_report.recent(chosen, to_us(usage.now))
    if active:
        chosen = [one for one in chosen if one.is_active]
    return chosen[::-1] if flags.order == "desc" else chosen


def live_view(flags: Flags, length_us: int, token_limit: str | None, console: Console) -> RenderableType:
    """The active block as it is now, for :func:`watch`."""
    from farthing.cli.usage_tables import active_panel, look_of

    usage, found = _blocks(flags, length_us)
    look = look_of(console, compact=flags.compact, cost=not flags.no_cost)
    for block in found:
        if block.is_active:
            limit = None if token_limit is None else block_report.token_limit(token_limit, found)
            return active_panel(block, limit, usage.calendar.zone, to_us(usage.now), look)
    return "No active block. Waiting for Claude Code's next call; Ctrl-C ends."


def _waiting(seconds: float) -> Callable[[], bool]:
    def wait() -> bool:
        time.sleep(seconds)
        return True

    return wait


def _total_of(blocks_shown: list[block_report.Block]) -> Sum:
    total = Sum()
    for block in blocks_shown:
        total.merge(block.total)
    return total


def _print_json(value: dict[str, Any], usage: Usage, flags: Flags) -> None:
    for line in debug_lines(usage, flags):
        output.note(line)
    output.print_json(value | {"mode": flags.mode, "notes": notes_of(usage, flags)})


def _print(usage: Usage, flags: Flags, table: Callable[[Look], RenderableType], total: Sum) -> None:
    from farthing.cli.usage_tables import look_of, unpriced_lines

    console = console_for(flags)
    for line in debug_lines(usage, flags):
        output.note(line)
    if not usage.items:
        console.print(_nothing(usage), style="yellow")
        return
    look = look_of(console, compact=flags.compact, cost=not flags.no_cost, breakdown=flags.breakdown)
    console.print(table(look))
    if total.unpriced_calls and not flags.no_cost:
        console.print(unpriced_lines(total))
    for line in notes_of(usage, flags):
        console.print(line, style="dim", markup=False)


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
