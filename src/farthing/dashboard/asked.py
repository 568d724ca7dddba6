"""
What a page was asked, as its URL says; and URLs that ask something else. Pure.

The URL is the whole state: a link that is sent to somebody shows the same page. Only the theme is a cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args
from urllib.parse import urlencode

from farthing.call import DIMENSIONS
from farthing.errors import BadInput
from farthing.ledger.interface import FACTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.ledger.interface import Bucket

Format = Literal["html", "csv", "json"]
Prices = Literal["list", "contract"]
BUCKETS = ("hour", "day", "week", "month")
VALUE_CHARS_MAX = 2_000
"""Imports take names of any length, and pages link to them: none must lead to a refusal of its own address."""
FILTERS_MAX = 30
PAGES_MAX = 10_000


class Asked(NamedTuple):
    """
    One question.

    Attributes:
        path: The page.
        span: Name of the days, see :mod:`farthing.dashboard.spans`; empty: the page's choice.
        zone: IANA name, or ``local`` for the settings' zone.
        by: Dimensions to group by; empty: the page's choice.
        bucket: Time bucket; None: the page's choice.
        where: (dimension, value) pairs to keep; several of one dimension are alternatives.
        prices: Which prices; None: the page's choice.
        sort: Name of a column, with ``-`` before it for the greatest first; empty: the page's choice.
        page: From 1.
        open: What is opened on the page, if anything.
        given: (name, value) pairs that this page alone understands.
        format: How the answer is to look.

    """

    path: str = "/"
    span: str = ""
    zone: str = "UTC"
    by: tuple[str, ...] = ()
    bucket: Bucket | None = None
    where: tuple[tuple[str, str], ...] = ()
    prices: Prices | None = None
    sort: str = ""
    page: int = 1
    open: str = ""
    given: tuple[tuple[str, str], ...] = ()
    format: Format = "html"

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """As :class:`farthing.ledger.interface.Query` takes them."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self.where:
            found[name] = (*found.get(name, ()), value)
        return found

    def url(self, path: str | None = None, **changes: Any) -> str:
        """The URL of the same question, changed: ``asked.url(by=("model",))``; on another page if *path* is given."""
        other = self._replace(**{"page": 1, "format": "html", **changes})
        pairs: list[tuple[str, str]] = [
            *_pair("range", other.span),
            *_pair("tz", "" if other.zone == "UTC" else other.zone),
            *_pair("by", ",".join(other.by)),
            *_pair("bucket", other.bucket or ""),
            *(("where", f"{name}={value}") for name, value in other.where),
            *_pair("prices", other.prices or ""),
            *_pair("sort", other.sort),
            *_pair("page", "" if other.page == 1 else str(other.page)),
            *_pair("open", other.open),
            *(pair for pair in other.given if pair[1]),
            *_pair("format", "" if other.format == "html" else other.format),
        ]
        where = self.path if path is None else path
        return f"{where}?{urlencode(pairs)}" if pairs else where

    def elsewhere(self, path: str, **changes: Any) -> str:
        """Another page about the same days and calls, without what only this page knows."""
        return self.url(path, **{"by": (), "bucket": None, "sort": "", "open": "", "given": (), **changes})

    def said(self, name: str, default: str = "") -> str:
        """What the page's own *name* is given as; *default* where it is not, or empty."""
        return dict(self.given).get(name, "") or default

    def keeping(self, name: str, value: str) -> tuple[tuple[str, str], ...]:
        """The filters with *name* kept to *value* alone."""
        return (*(pair for pair in self.where if pair[0] != name), (name, value))


def read_asked(path: str, pairs: Sequence[tuple[str, str]], own: Sequence[str] = ()) -> Asked:
    """
    Read a question.

    Args:
        path: The page's path.
        pairs: Names and values of the query string, in order; unknown names are refused, for a misspelt filter that is
            silently left out is a wrong number.
        own: Names that this page alone understands.

    Raises:
        BadInput: A name or a value is none that there is.

    """
    given: dict[str, str] = {}
    where: list[tuple[str, str]] = []
    for name, value in pairs:
        if len(value) > VALUE_CHARS_MAX:
            raise BadInput(f"read a {name} of {len(value)} letters", f"at most {VALUE_CHARS_MAX}")
        if name == "where":
            where.append(_filter(value))
        elif name in _NAMES or name in own:
            given[name] = value
        else:
            raise BadInput(f"read {name!r} in the address", f"one of {', '.join((*_NAMES, *own))}, where")
    if given.get("add", "").strip():
        where.append((_dimension(given["add"].strip()), given.get("value", "")))
    if len(where) > FILTERS_MAX:
        raise BadInput(f"read {len(where)} filters", f"at most {FILTERS_MAX}")
    return Asked(
        path=path,
        span=given.get("range", "").strip(),
        zone=given.get("tz", "") or "UTC",
        by=tuple(dict.fromkeys(_dimension(one.strip()) for one in given.get("by", "").split(",") if one.strip())),
        bucket=cast("Bucket | None", _one_of("bucket", given.get("bucket", ""), BUCKETS) or None),
        where=tuple(dict.fromkeys(where)),
        prices=cast("Prices | None", _one_of("prices", given.get("prices", ""), get_args(Prices)) or None),
        sort=given.get("sort", ""),
        page=_page(given.get("page", "") or "1"),
        open=given.get("open", ""),
        given=tuple((name, given[name]) for name in own if name in given),
        format=cast("Format", _one_of("format", given.get("format", ""), get_args(Format)) or "html"),
    )


_NAMES = ("range", "tz", "by", "bucket", "prices", "sort", "page", "open", "format", "add", "value")


def _pair(name: str, value: str) -> list[tuple[str, str]]:
    return [(name, value)] if value else []


def _filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f"read the filter {text[:80]!r}", "name=value, such as tenant=acme")
    return _dimension(name), value


def _dimension(name: str) -> str:
    is_tag = name.startswith("tag:") and len(name) > len("tag:")
    if name not in DIMENSIONS and name not in FACTS and not is_tag:
        raise BadInput(f"read the dimension {name[:80]!r}", f"one of {', '.join((*DIMENSIONS, *FACTS))} or tag:NAME")
    return name


def _one_of(name: str, text: str, choices: Sequence[str]) -> str:
    if text and text not in choices:
        raise BadInput(f"read {name} {text[:80]!r}", f"one of {', '.join(choices)}")
    return text


def _page(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= PAGES_MAX:
        raise BadInput(f"read page {text[:80]!r}", f"1 to {PAGES_MAX}")
    return int(text[:6])
