"""
The flags that ``daily``, ``weekly``, ``monthly``, ``session`` and ``blocks`` share: ccusage's, and our own mode.

Each field of :class:`Flags` is a flag. :func:`with_flags` gives a command all of them, so that they are written once.
"""

from __future__ import annotations

import functools
import inspect
from pathlib import Path  # noqa: TC003 - Typer evaluates the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_type_hints

import typer

from farthing.errors import BadInput
from farthing.reports.claude_code.periods import Days

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from rich.console import Console

    from farthing.config import Loaded

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]


class Flags(NamedTuple):
    """What every usage report accepts."""

    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Transcripts to read; else CLAUDE_CONFIG_DIR or the usual places."),
    ] = None
    json: Annotated[bool, typer.Option("--json", "-j", help="Print JSON, with ccusage's keys.")] = False
    since: Annotated[str | None, typer.Option("--since", "-s", metavar="DATE", help="From this day on.")] = None
    until: Annotated[str | None, typer.Option("--until", "-u", metavar="DATE", help="To this day, inclusive.")] = None
    mode: Annotated[
        Literal["as-billed", "calculate", "auto", "display"],
        typer.Option(
            "--mode",
            "-m",
            help="as-billed: list prices of the day of each call. calculate: today's. display: the costUSD that Claude "
            "Code wrote. auto: costUSD where there is one, else calculate.",
        ),
    ] = "as-billed"
    order: Annotated[Literal["asc", "desc"] | None, typer.Option("--order", "-o", help="Oldest or newest first.")] = (
        None
    )
    breakdown: Annotated[bool, typer.Option("--breakdown", "-b", help="A line for each model.")] = False
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="This project alone: its folder or its end.")
    ] = None
    timezone: Annotated[
        str | None, typer.Option("--timezone", "-z", metavar="NAME", help="Zone of days, such as Europe/Berlin.")
    ] = None
    compact: Annotated[bool, typer.Option("--compact", help="The narrow table, on any terminal.")] = False
    no_cost: Annotated[bool, typer.Option("--no-cost", help="Leave the cost out.")] = False
    color: Annotated[
        bool | None, typer.Option("--color/--no-color", help="Color, or none; else as the terminal says.")
    ] = None
    offline: Annotated[
        bool, typer.Option("--offline/--no-offline", "-O", help="Taken for ccusage's sake: we never go online.")
    ] = True
    debug: Annotated[
        bool, typer.Option("--debug", "-d", help="Say what was read, what could not be, and where costUSD differs.")
    ] = False
    debug_samples: Annotated[
        int, typer.Option("--debug-samples", metavar="N", min=0, help="How many of each --debug shows.")
    ] = 5
    single_thread: Annotated[bool, typer.Option("--single-thread", help="Read transcripts in one process.")] = False
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings file.")] = None


def with_flags(run: Callable[..., None]) -> Callable[..., None]:
    """A Typer command from ``run(flags, ...)``: its own parameters, and every field of :class:`Flags`."""
    hints = get_type_hints(Flags, include_extras=True)
    own = list(inspect.signature(run, eval_str=True).parameters.values())[1:]
    fields = {
        name: inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[name], default=Flags._field_defaults[name]
        )
        for name in Flags._fields
    }
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    @functools.wraps(run)
    def command(**given: Any) -> None:
        flags = Flags(**{name: given.pop(name) for name in Flags._fields})
        run(flags, **given)

    parameters = [*own, *fields.values()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def zone_of(flags: Flags, loaded: Loaded) -> tzinfo | None:
    """
    The zone of days: the flag, else the setting where somebody set it, else the machine's (None).

    Raises:
        BadInput: No such zone.

    """
    from zoneinfo import ZoneInfo

    if flags.timezone is None:
        (setting,) = (one for one in loaded.settings if one.key == "report.timezone")
        return None if setting.origin == "default" else ZoneInfo(setting.value)
    try:
        return ZoneInfo(flags.timezone)
    except (KeyError, ValueError, OSError):
        raise BadInput(f"read --timezone {flags.timezone!r}", "an IANA time zone such as Europe/Berlin") from None


def days_of(flags: Flags) -> Days:
    """
    First and last day, as the flags say.

    Raises:
        BadInput: One is no day, or the first comes after the last.

    """
    from farthing.cli.options import day

    since, until = day(flags.since, "--since"), day(flags.until, "--until")
    if since is not None and until is not None and until < since:
        raise BadInput(f"read --since {since} and --until {until}", "a first day before the last")
    return Days(since, until)


def console_for(flags: Flags) -> Console:
    """Standard output: 120 columns where it is no terminal and ``COLUMNS`` does not say, colored as the flag says."""
    import os
    import sys

    from rich.console import Console

    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 120
    return Console(
        highlight=False,
        soft_wrap=False,
        width=wide,
        no_color=None if flags.color is None else not flags.color,
        force_terminal=True if flags.color else None,
    )
