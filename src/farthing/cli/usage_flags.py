"""
The flags of ``daily``, ``weekly``, ``monthly``, ``session`` and ``blocks``: ccusage's, and our own.

Each field is a flag and is said once. :mod:`.usage` makes Typer options of the fields; :mod:`.usage_quick` reads plain
arguments without Typer, which takes longer to load than a report takes to make.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]


class Flag:
    """
    How a flag is spelled and what it does.

    Attributes:
        spellings: ``--name``, ``-n``, or ``--name/--no-name``; none: the arguments that are no flags.
        help: One sentence or a few.
        metavar: What its value is called; None: by its type.
        minimum: Smallest value it takes; None: any.

    """

    def __init__(self, *spellings: str, help: str, metavar: str | None = None, minimum: float | None = None) -> None:  # noqa: A002 - as Typer calls it
        self.spellings = spellings
        self.help = help
        self.metavar = metavar
        self.minimum = minimum


class Flags(NamedTuple):
    """What every usage report accepts."""

    paths: Annotated[
        list[Path] | None,
        Flag(metavar="[PATH]...", help="Transcripts to read; else CLAUDE_CONFIG_DIR or the usual places."),
    ] = None
    json: Annotated[bool, Flag("--json", "-j", help="Print JSON, with ccusage's keys.")] = False
    since: Annotated[str | None, Flag("--since", "-s", metavar="DATE", help="From this day on.")] = None
    until: Annotated[str | None, Flag("--until", "-u", metavar="DATE", help="To this day, inclusive.")] = None
    mode: Annotated[
        Literal["as-billed", "calculate", "auto", "display"],
        Flag(
            "--mode",
            "-m",
            help="as-billed: list prices of the day of each call. calculate: today's. display: the costUSD that Claude "
            "Code wrote. auto: costUSD where there is one, else calculate.",
        ),
    ] = "as-billed"
    order: Annotated[Literal["asc", "desc"] | None, Flag("--order", "-o", help="Oldest or newest first.")] = None
    breakdown: Annotated[bool, Flag("--breakdown", "-b", help="A line for each model.")] = False
    project: Annotated[
        str | None, Flag("--project", "-p", metavar="NAME", help="This project alone: its folder or its end.")
    ] = None
    timezone: Annotated[
        str | None, Flag("--timezone", "-z", metavar="NAME", help="Zone of days, such as Europe/Berlin.")
    ] = None
    compact: Annotated[bool, Flag("--compact", help="The narrow table, on any terminal.")] = False
    no_cost: Annotated[bool, Flag("--no-cost", help="Leave the cost out.")] = False
    color: Annotated[bool | None, Flag("--color/--no-color", help="Color, or none; else as the terminal says.")] = None
    offline: Annotated[
        bool, Flag("--offline/--no-offline", "-O", help="Taken for ccusage's sake: we never go online.")
    ] = True
    gate: Annotated[bool, Flag("--gate", help="Exit with 2 where today or this month is over its budget.")] = False
    debug: Annotated[
        bool, Flag("--debug", "-d", help="Say what was read, what could not be, and where costUSD differs.")
    ] = False
    debug_samples: Annotated[
        int, Flag("--debug-samples", metavar="N", minimum=0, help="How many of each --debug shows.")
    ] = 5
    single_thread: Annotated[bool, Flag("--single-thread", help="Read transcripts in one process.")] = False
    config: Annotated[
        Path | None, Flag("--config", metavar="FILE", help="Settings: farthing.toml, or ccusage's ccusage.json.")
    ] = None


class PeriodFlags(NamedTuple):
    """What days, weeks and months accept besides."""

    instances: Annotated[bool, Flag("--instances", "-i", help="Each project by itself.")] = False
    last: Annotated[int | None, Flag("--last", metavar="N", help="The most recent N; 1 is the current one.")] = None
    start_of_week: Annotated[Weekday, Flag("--start-of-week", "-w", help="First day of a week.")] = "sunday"


class SessionFlags(NamedTuple):
    """What ``session`` accepts besides."""

    id: Annotated[
        str | None, Flag("--id", "-i", metavar="ID", help="The calls of this session; a start is enough.")
    ] = None


class BlockFlags(NamedTuple):
    """What ``blocks`` accepts besides."""

    active: Annotated[bool, Flag("--active", "-a", help="The active block alone.")] = False
    recent: Annotated[bool, Flag("--recent", "-r", help="Blocks of the last three days.")] = False
    token_limit: Annotated[
        str | None, Flag("--token-limit", "-t", metavar="N|max", help="Tokens a block may use; max: most so far.")
    ] = None
    session_length: Annotated[
        str, Flag("--session-length", "-n", metavar="HOURS", help="How long a block lasts, in quarters of an hour.")
    ] = "5"
    live: Annotated[bool, Flag("--live", help="Stay and keep the active block up to date.")] = False
    refresh_interval: Annotated[
        float, Flag("--refresh-interval", metavar="SECONDS", minimum=0.2, help="How often --live looks again.")
    ] = 2.0


OWN: dict[str, type[PeriodFlags | SessionFlags | BlockFlags]] = {
    "daily": PeriodFlags,
    "weekly": PeriodFlags,
    "monthly": PeriodFlags,
    "session": SessionFlags,
    "blocks": BlockFlags,
}
"""Every report, and the flags that are its own."""


class Field(NamedTuple):
    """
    One flag as a parser sees it.

    Attributes:
        name: Of the field.
        flag: Its spellings and its help.
        kind: ``bool``, ``int``, ``float``, ``str`` or ``Path``.
        choices: The only values it takes; empty: any.
        default: Where it is not given.

    """

    name: str
    flag: Flag
    kind: type
    choices: tuple[str, ...]
    default: Any


def fields(report: str) -> list[Field]:
    """Every flag of a report, its own first."""
    return [field for declared in (OWN[report], Flags) for field in _fields(declared)]


def _fields(declared: Any) -> list[Field]:
    found = []
    for name, hint in get_type_hints(declared, include_extras=True).items():
        wanted, flag = get_args(hint)
        inner = next((part for part in get_args(wanted) if part is not type(None)), wanted)
        literal = wanted if get_origin(wanted) is Literal else inner
        choices = get_args(literal) if get_origin(literal) is Literal else ()
        kind = str if choices else Path if name == "paths" else inner
        found.append(Field(name, flag, kind, choices, declared._field_defaults[name]))
    return found
