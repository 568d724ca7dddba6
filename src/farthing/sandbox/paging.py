"""
The two ways in which the API hands out long lists: by neighbour ids, and by opaque cursors.

Source: facts: claude-api 6, 10.6, 11.6, checked 2026-11-20.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from farthing.sandbox.clock import YEARS
from farthing.sandbox.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

LIST_DEFAULT, LIST_MAX = 20, 1000


class Query:
    """
    The parameters of a URL.

    Args:
        pairs: Name and value in the order they were written; a list comes as ``name[]`` (or ``name``) repeated.

    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def one(self, name: str) -> str | None:
        """The last value of that name; None where there is none."""
        values = [value for key, value in self._pairs if key == name]
        return values[-1] if values else None

    def many(self, name: str) -> list[str]:
        """Every value of a list."""
        return [value for key, value in self._pairs if key in (name, f"{name}[]")]

    def count(self, name: str, default: int, most: int) -> int:
        """
        A whole number from 1 to *most*.

        Raises:
            ApiError: It is something else.

        """
        text = self.one(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= most:
            raise invalid(f"{name}: Input should be a whole number from 1 to {most}")
        return int(text)

    def moment(self, name: str) -> datetime | None:
        """
        A time in UTC; a bare day is its first instant. None where it was not given.

        Raises:
            ApiError: It is no time, or in a year that no sandbox has.

        """
        text = self.one(name)
        if text is None:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise invalid(f"{name}: Input should be a valid RFC 3339 datetime") from None
        if at.year not in YEARS:
            raise invalid(f"{name}: Input should be in a year from {YEARS[0]} to {YEARS[-1]}")
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def neighbours(ids: Sequence[str], query: Query) -> tuple[range, bool]:
    """
    Which positions a list by ids shows, and whether there is more beyond them.

    Raises:
        ApiError: ``limit`` is out of range, both directions are asked for, or the id is none of the list.

    """
    limit = query.count("limit", LIST_DEFAULT, LIST_MAX)
    after, before = query.one("after_id"), query.one("before_id")
    if after is not None and before is not None:
        raise invalid("before_id and after_id may not both be given")
    if before is not None:
        end = _position(ids, before, "before_id")
        return range(max(0, end - limit), end), end > limit
    start = 0 if after is None else _position(ids, after, "after_id") + 1
    return range(start, min(len(ids), start + limit)), start + limit < len(ids)


def list_json(rows: Sequence[dict[str, Any]], query: Query) -> dict[str, Any]:
    """A page of objects that have an ``id``: ``{data, has_more, first_id, last_id}``."""
    shown, has_more = neighbours([row["id"] for row in rows], query)
    data = [rows[at] for at in shown]
    return {
        "data": data,
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def cursor(offset: int) -> str:
    """An opaque ``next_page``."""
    return "page_" + base64.urlsafe_b64encode(str(offset).encode()).decode().rstrip("=")


def offset_of(page: str | None) -> int:
    """
    What :func:`cursor` hid; 0 for None.

    Raises:
        ApiError: It is none of ours.

    """
    if page is None:
        return 0
    hidden = page.removeprefix("page_")
    try:
        text = base64.urlsafe_b64decode(hidden + "=" * (-len(hidden) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise invalid("page: not a cursor of this endpoint")
    return int(text)


def rfc3339(at: datetime) -> str:
    """``2026-11-20T10:00:00Z``, with a fraction only where there is one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _position(ids: Sequence[str], wanted: str, name: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError:
        raise invalid(f"{name}: no such object") from None
