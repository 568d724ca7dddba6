"""A report that was asked for: the command line, completed by ccusage's settings file and by defaults."""

from __future__ import annotations

from typing import Any, NamedTuple

from farthing.cli.usage_ccusage import flags_of_file
from farthing.cli.usage_flags import OWN, Flags, fields


class Request(NamedTuple):
    """
    A report that was asked for.

    Attributes:
        report: A key of :data:`OWN`.
        flags, own: What was given on the command line, else by ccusage's settings file, else by default.
        notes: What there is to say about that file.

    """

    report: str
    flags: Flags
    own: Any
    notes: tuple[str, ...] = ()


def request_of(report: str, given: dict[str, Any]) -> Request:
    """
    Complete what was *given* on the command line, by field; what is not there was not given.

    Raises:
        BadConfig: The file that ``--config`` names is ccusage's and cannot be read.

    """
    taken, notes = flags_of_file(report, given.get("config"), fields(report))
    chosen = taken | given
    own = OWN[report]
    return Request(
        report,
        Flags(**{name: chosen[name] for name in Flags._fields if name in chosen}),
        own(**{name: chosen[name] for name in own._fields if name in chosen}),
        notes,
    )
