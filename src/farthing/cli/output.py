"""
How every command prints: one JSON flag, one error line, one style for the kind of a figure, one progress bar.

Results go to standard output; errors, banners and progress to standard error. Color only on a terminal and never where
``NO_COLOR`` is set.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli.plain import fail, kind_markup, note, print_json, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

__all__ = ["Json", "console", "fail", "kind_markup", "note", "print_json", "progress", "unpriced_banner", "usd"]

Json = Annotated[bool, typer.Option("--json", "-j", help="Print JSON.")]
"""The flag that every command has."""


def console(*, stderr: bool = False) -> Console:
    """
    A console on standard output or standard error, as they are now.

    Plain text where that is no terminal or ``NO_COLOR`` is set; ``COLUMNS`` sets its width.
    """
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def unpriced_banner(calls: int, of: int) -> str:
    """The loud line about calls that have no price, as Rich markup; empty where there are none."""
    if not calls:
        return ""
    has = "has no exact price and is" if calls == 1 else "have no exact price and are"
    return (
        f"[bold white on red] UNPRICED [/] [bold red]{calls:,} of {of:,} calls {has} left out of every sum,[/] "
        "never counted as zero. [bold]farthing explain CALL[/] says why."
    )


@contextmanager
def progress(label: str, total: int | None = None, *, hidden: bool = False) -> Iterator[Callable[[int], None]]:
    """
    A progress bar on standard error: the block calls what it gets with how much more is done.

    Nothing is drawn where standard error is no terminal or *hidden* is set (``--json``).
    """
    if hidden or not sys.stderr.isatty():
        yield lambda _more: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda more: bar.advance(task, more)
