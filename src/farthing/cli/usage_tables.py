"""What the usage reports put on a terminal: a wide table from 100 columns on, a narrow one below."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from farthing.cli import plain
from farthing.cli.usage_budget import budget_line
from farthing.reports.claude_code.blocks import MINUTE_US, Block, limit_status
from farthing.reports.claude_code.sums import Sum, dearest_first
from farthing.sources.claude_code.buckets import from_us
from farthing.units import Kind

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import RenderableType

    from farthing.cli.usage_flags import Flags
    from farthing.reports.claude_code.budget import Budget
    from farthing.reports.claude_code.rows import Row

WIDE_FROM_COLUMNS = 100
_STATUS_STYLE = {"ok": "green", "warning": "yellow", "exceeds": "bold red"}


class Look(NamedTuple):
    """How tables look: *wide* has a column for each token class; *cost* and *breakdown* as the flags say."""

    wide: bool
    cost: bool = True
    breakdown: bool = False


def console_for(flags: Flags) -> Console:
    """Standard output: 120 columns where it is no terminal and ``COLUMNS`` does not say, colored as the flag says."""
    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 120
    return Console(
        highlight=False,
        soft_wrap=False,
        width=wide,
        no_color=None if flags.color is None else not flags.color,
        force_terminal=True if flags.color else None,
    )


def look_of(console: Console, *, compact: bool, cost: bool, breakdown: bool = False) -> Look:
    """The look that this console has room for."""
    return Look(console.width >= WIDE_FROM_COLUMNS and not compact, cost, breakdown)


def short_model(model: str) -> str:
    """
    A model's id without what all of them share.

    >>> short_model("claude-sonnet-4-5-20250929"), short_model("claude-opus-5-fast"), short_model("gpt-x")
    ('sonnet-4-5', 'opus-5-fast', 'gpt-x')
    """
    return re.sub(r"-20\d{6}(?=$|-fast$)", "", model.removeprefix("claude-"))


def period_table(rows: list[Row], total: Sum, heading: str, look: Look) -> Table:
    """Days, weeks or months, under a line for each project where they are told apart."""
    table = _table(heading.title(), look)
    project = ""
    for row in rows:
        if row.project and row.project != project:
            project = row.project
            table.add_section()
            table.add_row(Text(project, style="bold cyan", no_wrap=True, overflow="ellipsis"))
        _add(table, row.label, row.total, look)
    return _closed(table, total, look)


def session_table(rows: list[Row], total: Sum, zone: tzinfo | None, look: Look) -> Table:
    """Sessions: the start of their id, where, and when they were last used."""
    table = _table("Session", look)
    for row in rows:
        at = from_us(row.total.last_us).astimezone(zone)
        name = f"{row.label[:8]}\n[dim]{_tail(row.project, 18)}\n{at:%Y-%m-%d %H:%M}[/]"
        _add(table, name, row.total, look)
    return _closed(table, total, look)


def entries_table(entries: list[tuple[str, Sum]], total: Sum, look: Look) -> Table:
    """The calls of one session: time, model, counts."""
    table = _table("Time", look)
    for at, one in entries:
        _add(table, at, one, look)
    return _closed(table, total, look)


def blocks_table(blocks: list[Block], limit: int | None, zone: tzinfo | None, now_us: int, look: Look) -> Table:
    """Blocks and gaps; the active one with what is left and where it is heading."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Block")
    table.add_column("Models")
    for name in ("Tokens", "of limit", *(["Cost (USD)"] if look.cost else [])):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Kind", no_wrap=True)
    for block in blocks:
        if block.is_gap:
            pause = duration(block.end_us - block.start_us)
            table.add_row(f"[dim]{_clock(block.start_us, zone)}  {pause} pause[/]", style="dim")
            continue
        state = f"[bold green]ACTIVE[/], {_left(block, now_us)}" if block.is_active else _span(block)
        models, tokens = "\n".join(sorted(map(short_model, block.total.models))), block.total.total_tokens
        cells = [models, f"{tokens:,}", _percent(tokens, limit), *([cost_cell(block.total)] if look.cost else [])]
        table.add_row(f"{_clock(block.start_us, zone)}  {state}", *cells, plain.kind_markup(block.total.kind))
        if block.is_active:
            _add_outlook(table, block, limit, look)
    return table


def active_panel(block: Block, limit: int | None, zone: tzinfo | None, now_us: int, look: Look) -> RenderableType:
    """The active block, for a glance or for the live view."""
    total, rows = block.total, Table.grid(padding=(0, 2))
    rows.add_column()
    rows.add_column(justify="right")
    rows.add_column()
    elapsed, left = duration(now_us - block.start_us), duration(block.end_us - now_us)
    rows.add_row("Block", f"{_clock(block.start_us, zone)}", f"[dim]{elapsed} gone, {left} left[/]")
    rows.add_row("Tokens", f"{total.total_tokens:,}", plain.kind_markup(total.kind))
    rows.add_row("  input, output", f"{total.input_tokens:,}, {total.output_tokens:,}", "")
    rows.add_row("  cache write, read", f"{total.cache_creation_tokens:,}, {total.cache_read_tokens:,}", "")
    if look.cost:
        rows.add_row("Cost", cost_cell(total), plain.kind_markup(total.kind))
    if block.burn is not None:
        per_hour = block.burn.pusd_per_hour
        cost = f", {plain.usd(round(per_hour))}/h" if look.cost and per_hour is not None else ""
        rows.add_row(
            "Burn rate", f"{round(block.burn.tokens_per_minute):,} tokens/min{cost}", plain.kind_markup(Kind.DERIVED)
        )
    if block.projection is not None:
        cost = f", {plain.usd(block.projection.pusd)}" if look.cost else ""
        rows.add_row("At its end", f"{block.projection.tokens:,} tokens{cost}", plain.kind_markup(Kind.ASSUMED))
    if limit and block.projection is not None:
        status = limit_status(block.projection.tokens, limit)
        used = f"[{_STATUS_STYLE[status]}]{_percent(total.total_tokens, limit)} used, {status}[/]"
        rows.add_row("Limit", f"{limit:,} tokens", used)
    rows.add_row("Models", ", ".join(sorted(map(short_model, total.models))), "")
    return Panel(rows, title="Active block", title_align="left", expand=False)


def cost_cell(total: Sum) -> str:
    """The cost of a sum as Rich markup: loud where it is missing or only a part."""
    if total.pusd is None:
        return "[bold red]unpriced[/]"
    return f"[red]≥[/]{plain.usd(total.pusd)}" if total.unpriced_calls else plain.usd(total.pusd)


def unpriced_lines(total: Sum) -> Text:
    """The loud lines about calls without a price: how many, and why."""
    noun = "call has" if total.unpriced_calls == 1 else "calls have"
    lines = Text()
    lines.append(" UNPRICED ", style="bold white on red")
    lines.append(f" {total.unpriced_calls:,} of {total.calls:,} {noun} no exact price.", style="bold red")
    lines.append(" The dollars above leave them out: never counted as zero.", style="red")
    for model, reason in total.unpriced.items():
        lines.append(f"\n  {model}: {reason}", style="red")
    return lines


def budget_text(one: Budget) -> Text:
    """What is left of a budget; loud where nothing is."""
    return Text(budget_line(one), style="bold red" if one.is_over else "")


def duration(microseconds: int) -> str:
    """
    A span of time, to the minute.

    >>> duration(83 * 60 * 10**6), duration(49 * 3600 * 10**6)
    ('1h 23m', '49h')
    """
    minutes = max(0, microseconds) // MINUTE_US
    hours, minutes = divmod(minutes, 60)
    if hours and minutes and hours < 24:
        return f"{hours}h {minutes}m"
    return f"{hours}h" if hours else f"{minutes}m"


def _table(first: str, look: Look) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column(first)
    if not look.breakdown:
        table.add_column("Models", no_wrap=True)
    names = ("Input", "Output", "Cache write", "Cache read", "Total") if look.wide else ("Input", "Output", "Total")
    for name in (*names, *(["Cost (USD)" if look.wide else "USD"] if look.cost else [])):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Kind", no_wrap=True)
    return table


def _add(table: Table, label: str, total: Sum, look: Look, style: str | None = None) -> None:
    models = [] if look.breakdown else ["\n".join(sorted(map(short_model, total.models)))]
    table.add_row(label, *models, *_cells(total, look), style="bold" if look.breakdown and style is None else style)
    if look.breakdown:
        for model, part in dearest_first(total):
            table.add_row(f"  {short_model(model)}", *_cells(part, look))


def _closed(table: Table, total: Sum, look: Look) -> Table:
    table.add_section()
    table.add_row("Total", *([] if look.breakdown else [""]), *_cells(total, look), style="bold")
    return table


def _cells(total: Sum, look: Look) -> list[str]:
    counts = [total.input_tokens, total.output_tokens]
    counts += [total.cache_creation_tokens, total.cache_read_tokens] if look.wide else []
    cells = [f"{count:,}" for count in (*counts, total.total_tokens)]
    return [*cells, *([cost_cell(total)] if look.cost else []), plain.kind_markup(total.kind)]


def _add_outlook(table: Table, block: Block, limit: int | None, look: Look) -> None:
    """What is left of the limit, and the projection: both assumed."""
    kind, empty = plain.kind_markup(Kind.ASSUMED), [""] if look.cost else []
    if limit:
        left = max(0, limit - block.total.total_tokens)
        table.add_row(f"  left of {limit:,}", "", f"{left:,}", _percent(left, limit), *empty, kind)
    if block.projection is not None:
        status = limit_status(block.projection.tokens, limit) if limit else "ok"
        cost = [plain.usd(block.projection.pusd)] if look.cost else []
        share = f"[{_STATUS_STYLE[status]}]{_percent(block.projection.tokens, limit)}[/]"
        table.add_row("  at its end, at this rate", "", f"{block.projection.tokens:,}", share, *cost, kind)


def _percent(part: int, whole: int | None) -> str:
    return f"{part * 100 / whole:.1f} %" if whole else ""


def _clock(microseconds: int, zone: tzinfo | None) -> str:
    return f"{from_us(microseconds).astimezone(zone):%Y-%m-%d %H:%M}"


def _left(block: Block, now_us: int) -> str:
    return f"{duration(block.end_us - now_us)} left"


def _span(block: Block) -> str:
    return f"[dim]{duration(block.total.last_us - block.start_us)}[/]"


def _tail(project: str, length: int) -> str:
    return project if len(project) <= length else f"…{project[1 - length :]}"


def instant(microseconds: int, zone: tzinfo | None) -> str:
    """A time of day with its date and seconds, as clocks show it in *zone*."""
    return f"{from_us(microseconds).astimezone(zone):%Y-%m-%d %H:%M:%S}"
