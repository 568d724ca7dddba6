"""Options that several commands share, and the reading of what they name: days, ranges, filters, settings, input."""

from __future__ import annotations

import re
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from farthing.errors import BadInput

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from farthing.config import Loaded
    from farthing.prices.book import PriceBook

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings file.")]
LedgerPath = Annotated[Path | None, typer.Option("--ledger", metavar="FILE", help="Ledger file.")]
Since = Annotated[str | None, typer.Option("--since", "-s", metavar="DATE", help="From this day or time on.")]
Until = Annotated[str | None, typer.Option("--until", "-u", metavar="DATE", help="To the end of this day, or a time.")]
Last = Annotated[str | None, typer.Option("--last", metavar="SPAN", help="The last 24h, 30d, 8w or 12m.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="NAME=VALUE", help="Keep only these, e.g. tenant=acme; repeat for more."),
]
Timezone = Annotated[
    str | None, typer.Option("--timezone", "-z", metavar="NAME", help="IANA time zone of days; billing truth is UTC.")
]

_SPAN = re.compile(r"(?P<count>[1-9][0-9]{0,4})\s*(?P<unit>[hdwm])")


def settings(config: Path | None) -> Loaded:
    """
    The resolved settings.

    Raises:
        BadConfig: They cannot be read.

    """
    from farthing.config import load

    return load(config)


def opened(file: str) -> AbstractContextManager[BinaryIO]:
    """
    The bytes of *file*, or of standard input where it is ``-``.

    Raises:
        BadInput: Standard input is closed.
        OSError: The file cannot be opened.

    """
    if file != "-":
        return Path(file).open("rb")
    if sys.stdin is None:
        raise BadInput("read standard input, which is closed", "a pipe, or the name of a file")
    return nullcontext(sys.stdin.buffer)


def price_book(config: Path | None) -> PriceBook:
    """
    The price book in force, under the corrections of the settings that ``--config`` names.

    Raises:
        BadPriceBook: It cannot be read.
        BadConfig: The settings or the corrections cannot be read.

    """
    from farthing.prices.installed import book_under

    return book_under(settings(config).config)


def day(text: str | None, flag: str) -> date | None:
    """
    Read ``2026-11-20`` or ``20261120``; None stays None.

    Raises:
        BadInput: Neither.

    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"read {flag} {text!r}", "a day such as 2026-11-20") from None


def time_range(
    since: str | None, until: str | None, last: str | None, zone: ZoneInfo, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """
    First instant in and first instant out, as the flags say; None: no bound.

    Days are days of *zone*. ``--last 30d`` is today and the 29 days before it; hours count back from *now*.

    Raises:
        BadInput: A text is no day or time, or ``--last`` comes with another bound.

    """
    if last is not None:
        if since is not None or until is not None:
            raise BadInput("read --last beside --since or --until", "one of them")
        return _span_start(last, zone, now), None
    return _bound(since, "--since", zone, days=0), _bound(until, "--until", zone, days=1)


def time_of(text: str, flag: str, zone: ZoneInfo, *, days: int = 0) -> datetime:
    """
    A time, or so many days after a day of *zone* begins; aware, UTC.

    Raises:
        BadInput: It is neither.

    """
    expected = "a day such as 2026-11-20 or a time such as 2026-11-20T09:00:00Z"
    try:
        if len(text) <= len("2026-11-20"):
            start = date.fromisoformat(text) + timedelta(days=days)
            return datetime(start.year, start.month, start.day, tzinfo=zone).astimezone(UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadInput(f"read {flag} {text!r}", expected) from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def names(text: str | None) -> tuple[str, ...]:
    """``"model, tenant"`` as a tuple of names, each once."""
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def zone_of(name: str) -> ZoneInfo:
    """
    The time zone of that name.

    Raises:
        BadInput: There is none.

    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"read time zone {name!r}", "an IANA name such as Europe/Berlin") from None


def filters(where: list[str] | None) -> dict[str, tuple[str, ...]]:
    """
    ``["tenant=acme", "tenant=bolt", "user="]`` as values to keep by dimension; an empty value means *not set*.

    Raises:
        BadInput: A text is no such pair.

    """
    found: dict[str, tuple[str, ...]] = {}
    for text in where or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"read --where {text!r}", "name=value, such as tenant=acme")
        found[name] = (*found.get(name, ()), value)
    return found


def _bound(text: str | None, flag: str, zone: ZoneInfo, *, days: int) -> datetime | None:
    return None if text is None else time_of(text, flag, zone, days=days)


def _span_start(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise BadInput(f"read --last {text!r}", "a span such as 24h, 30d, 8w or 12m")
    count, unit = int(found["count"]), found["unit"]
    if unit == "h":
        return now - timedelta(hours=count)
    today = now.astimezone(zone).date()
    if unit == "m":
        months = today.year * 12 + today.month - 1 - (count - 1)
        start = date(months // 12, months % 12 + 1, 1)
    else:
        start = today - timedelta(days=count * (7 if unit == "w" else 1) - 1)
    return datetime(start.year, start.month, start.day, tzinfo=zone).astimezone(UTC)
