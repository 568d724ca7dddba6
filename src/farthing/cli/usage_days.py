"""Which days a usage report is about, and of which zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.errors import BadInput
from farthing.reports.claude_code.periods import Days

if TYPE_CHECKING:
    from datetime import date, tzinfo

    from farthing.cli.usage_flags import Flags
    from farthing.config import Loaded


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
    since, until = _day(flags.since, "--since"), _day(flags.until, "--until")
    if since is not None and until is not None and until < since:
        raise BadInput(f"read --since {since} and --until {until}", "a first day before the last")
    return Days(since, until)


def _day(text: str | None, flag: str) -> date | None:
    if text is None:
        return None
    from farthing.cli.options import day

    return day(text, flag)
