"""
How every command prints: one JSON flag, one error line, one style for the kind of a figure, one progress bar.

Results go to standard output; errors, banners and progress to standard error. Color only on a terminal and never where
``NO_COLOR`` is set.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing import money
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", "-j", help="Print JSON.")]
"""The flag that every command has."""

_KIND_STYLE = {Kind.MEASURED: "green", Kind.DERIVED: "cyan", Kind.ASSUMED: "yellow"}


def console(*, stderr: bool = False) -> Console:
    """
    A console on standard output or standard error, as they are now.

    Plain text where that is no terminal or ``NO_COLOR`` is set; ``COLUMNS`` sets its width.
    """
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def print_json(value: Any) -> None:
    """Print *value* as indented JSON with keys in their given order."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def fail(message: str, *, as_json: bool, code: int = 1) -> int:
    """Say what went wrong in one line, as ``{"error": ...}`` on standard output for JSON; returns *code*."""
    one_line = " ".join(message.split())
    if as_json:
        print_json({"error": one_line})
    else:
        print(f"farthing: {one_line}", file=sys.stderr)  # noqa: T201
    return code


def kind_markup(kind: Kind) -> str:
    """The kind of a figure, quiet but visible, as Rich markup."""
    return f"[dim {_KIND_STYLE[kind]}]{kind}[/]"


def usd(pusd: int | None, places: int = 2) -> str:
    """
    An amount for a reader: ``$1,234.50``; ``unpriced`` for None.

    An amount that would read as zero but is not gets as many digits as it needs for two that count.
    """
    if pusd is None:
        return "unpriced"
    while pusd and places < 12 and abs(pusd) < 10 ** (12 - places + 1):
        places += 1
    text = money.display(abs(pusd), places)
    return f"-${text}" if pusd < 0 else f"${text}"


def unpriced_banner(calls: int, of: int) -> str:
    """The loud line about calls that have no price, as Rich markup; empty where there are none."""
    if not calls:
        return ""
    has = "has no exact price and is" if calls == 1 else "have no exact price and are"
    return (
        f"[bold white on red] UNPRICED [/] [bold red]{calls:,} of {of:,} calls {has} left out of the dollars "
        "above,[/] never counted as zero. [bold]farthing explain CALL[/] says why."
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


def note(message: str) -> None:
    """Say something in passing, as one line on standard error."""
    print(f"farthing: {message}", file=sys.stderr)  # noqa: T201
