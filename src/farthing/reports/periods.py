"""A period by its name: ``2026-09``, ``2026-09-01..2026-09-14``, ``last-month``. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FORMS = "2026-09, 2026-09-14, 2026-W37, 2026, 2026-09-01..2026-09-14, today, yesterday, this-week, last-month, ..."
_NAMED = re.compile(r"(?P<which>this|last)-(?P<what>week|month|year)")


class Named(NamedTuple):
    """
    A period of whole days.

    Attributes:
        name: As it was asked for.
        first: Its first day; after: the first day no longer in.

    """

    name: str
    first: date
    after: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.after - self.first).days

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """First instant in and first instant out, UTC, of days of *zone*."""
        first, after = (
            datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in (self.first, self.after)
        )
        return first, after


def read_period(text: str, today: date) -> Named:
    """
    Read a period.

    Args:
        text: A year, month, ISO week or day, two of them with ``..`` between (both included), or a name.
        today: What names count from.

    Raises:
        BadInput: It is none of these, or ends before it begins.

    """
    try:
        first_text, dots, last_text = text.strip().partition("..")
        first, after = _one(first_text, today)
        if dots:
            _, after = _one(last_text, today)
    except (ValueError, OverflowError):
        raise BadInput(f"read {text!r} as a period", f"one such as {FORMS}") from None
    if after <= first:
        raise BadInput(f"read {text!r}, which ends before it begins", f"a period such as {FORMS}")
    return Named(text.strip(), first, after)


def _one(text: str, today: date) -> tuple[date, date]:
    """First day and first day no longer in."""
    if text in {"today", "yesterday"}:
        day = today - timedelta(days=text == "yesterday")
        return day, day + timedelta(days=1)
    if found := _NAMED.fullmatch(text):
        return _relative(found["what"], today, 0 if found["which"] == "this" else -1)
    if re.fullmatch(r"\d{4}", text):
        return date(int(text), 1, 1), date(int(text) + 1, 1, 1)
    if re.fullmatch(r"\d{4}-\d\d", text):
        return _month(int(text[:4]) * 12 + int(text[5:]) - 1) if 1 <= int(text[5:]) <= 12 else _one("", today)
    day = date.fromisoformat(text)
    return day, day + timedelta(days=7 if "W" in text and len(text) <= len("2026-W37") else 1)


def _relative(what: str, today: date, step: int) -> tuple[date, date]:
    if what == "week":
        monday = today - timedelta(days=today.weekday()) + timedelta(days=7 * step)
        return monday, monday + timedelta(days=7)
    if what == "year":
        return date(today.year + step, 1, 1), date(today.year + step + 1, 1, 1)
    return _month(today.year * 12 + today.month - 1 + step)


def _month(months: int) -> tuple[date, date]:
    """The month that began *months* months after January of year 0."""
    return date(months // 12, months % 12 + 1, 1), date((months + 1) // 12, (months + 1) % 12 + 1, 1)
