"""What a page works with: what was asked, the calls its user may see, the prices and settings, and the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from farthing.dashboard.blocks import Column
from farthing.dashboard.spans import Span, span_of
from farthing.errors import BadInput
from farthing.ledger.interface import Query
from farthing.ledger.zones import bucket_start, find_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from farthing.call import Call
    from farthing.dashboard.access import User
    from farthing.dashboard.asked import Asked
    from farthing.dashboard.blocks import Cell
    from farthing.dashboard.scope import Reader
    from farthing.ledger.interface import Bucket, Hour, Row
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.reports.movement import Movement
    from farthing.whatif.playbook.decide import Files

CALLS_READ_MAX = 5_000
"""More calls than this are not gone through one by one while somebody waits: each takes some 0.2 ms."""

_BUCKETS_MAX = 800
_COARSER: dict[Bucket, Bucket] = {"hour": "day", "day": "week", "week": "month"}
_LEAST_DAYS: dict[Bucket, Fraction] = {"hour": Fraction(1, 24), "day": Fraction(1), "week": Fraction(7)}
_LATELY = timedelta(days=2)
_LONGEST = {
    "hour": timedelta(minutes=90),
    "day": timedelta(hours=30),
    "week": timedelta(days=7, hours=6),
    "month": timedelta(days=31, hours=6),
}
"""More than the longest bucket from its start, less than two of the shortest."""


class Desk(NamedTuple):
    """
    What every page shares.

    Attributes:
        book: Prices. terms: the contract in force, or None.
        zone: The settings' time zone, an IANA name.
        ledger: The ledger's file. journals: folder of the gateway's journals.
        limits: The limits file, or None. monthly_budget_pusd: of the settings, or None.
        plan: Where the savings plan shown last is kept. decisions: the journal of decisions. policy: the file that they
            are written into; None: beside the ledger.
        alerts: The store of incidents; None: beside the ledger. channels: the channels file, or None.
        history_days: How far back alerts look.
        note: Said on every page; empty: nothing.

    """

    book: PriceBook
    ledger: Path
    journals: Path
    plan: Path
    decisions: Path
    terms: ContractTerms | None = None
    zone: str = "UTC"
    limits: Path | None = None
    monthly_budget_pusd: int | None = None
    note: str = ""
    alerts: Path | None = None
    channels: Path | None = None
    history_days: int = 35
    policy: Path | None = None

    @property
    def playbook(self) -> Files:
        """What the playbook keeps."""
        from farthing.whatif.playbook.decide import files_of  # noqa: PLC0415 - most pages do without

        return files_of(self.ledger, self.policy, self.decisions, self.plan)


class Visit:
    """One request for one page."""

    def __init__(self, asked: Asked, reader: Reader, desk: Desk, user: User, now: datetime) -> None:
        self.asked = asked
        self.reader = reader
        self.desk = desk
        self.user = user
        self.now = now

    @cached_property
    def zone(self) -> ZoneInfo:
        """Whose days."""
        return find_zone(self.desk.zone if self.asked.zone == "local" else self.asked.zone)

    @cached_property
    def last_call(self) -> datetime | None:
        """Start of the last day with a call that may be seen; None: there is none at all."""
        lately = bucket_start(self.now - _LATELY, "day", find_zone("UTC"))  # where it is on most days, and quickly read
        for since in (lately, None):
            rows = self.reader.report(Query(bucket="day", since=since))
            if rows:
                return max(row.start for row in rows if row.start is not None)
        return None

    @cached_property
    def span(self) -> Span:
        """The days, and the days before them."""
        return span_of(self.asked.span, self.zone, self.now, self.last_call)

    @property
    def is_contract(self) -> bool:
        """Whether amounts are those under the contract."""
        return self.asked.prices == "contract" or (self.asked.prices is None and self.desk.terms is not None)

    def query(self, *by: str, bucket: Bucket | None = None, limit: int | None = None, before: bool = False) -> Query:
        """A question about the span, or about what it is compared with, under the page's filters."""
        span = self.span
        return Query(
            by=by,
            bucket=bucket,
            since=span.before_since if before else span.since,
            until=span.before_until if before else span.until,
            where=self.asked.filters,
            timezone=self.zone.key,
            limit=limit,
        )

    def rows(self, *by: str, bucket: Bucket | None = None, limit: int | None = None, before: bool = False) -> list[Row]:
        """The answer to :meth:`query`; no row of nothing."""
        found = self.reader.report(self.query(*by, bucket=bucket, limit=limit, before=before))
        return [row for row in found if row.calls]

    def total(self, *, before: bool = False) -> Row | None:
        """Sums over the span, or over what it is compared with."""
        return self.reader.total(self.query(before=before))

    def pusd(self, row: Row | Hour | None) -> int:
        """A row's or an hour's amount in the prices that are shown; nothing for no row."""
        return 0 if row is None else row.contract_pusd if self.is_contract else row.list_pusd

    def calls(self, *, before: bool = False) -> Iterator[Call]:
        """The calls of the span, in order of time."""
        return (stored.call for stored in self.reader.calls(self.query(before=before)))

    def can_read_calls(self, *, before: bool = False) -> bool:
        """Whether the calls are few enough to go through them one by one."""
        rows = (self.total(before=True) if before else None, self.total())
        return sum(row.calls for row in rows if row is not None) <= CALLS_READ_MAX

    def movement(self, by: tuple[str, ...]) -> Movement | None:
        """
        Why the bill moved from the days before to the span.

        None where there are no calls in one of them, and by what has no sums (users, sessions, tags) where there are
        many; ``kind`` is of a price and tells no calls apart.
        """
        from farthing.dashboard.moved import is_summed, movement_between  # noqa: PLC0415 - most pages do without

        if "kind" in by or self.total(before=True) is None or self.total() is None:
            return None
        if not is_summed(by) and not self.can_read_calls(before=True):
            return None
        periods = self.query(before=True), self.query()
        return movement_between(self.reader, self.desk.book, by, *periods, under_contract=self.is_contract)

    @property
    def bucket(self) -> Bucket:
        """The time bucket of charts: as asked for, or coarser where so many could neither be drawn nor read."""
        bucket = self.asked.bucket or self.span.bucket
        while (least := _LEAST_DAYS.get(bucket)) is not None and self.span.days / least > _BUCKETS_MAX:
            bucket = _COARSER[bucket]
        return bucket

    def starts(self, bucket: Bucket, *, before: bool = False) -> list[datetime]:
        """The start of every bucket of the span up to now, or of the days before it, those without calls too."""
        span = self.span
        since, until = (span.before_since, span.before_until) if before else (span.since, span.until)
        found: list[datetime] = []
        at, end = bucket_start(since, bucket, self.zone), min(until, self.now + timedelta(hours=1))
        while at < end:
            found.append(at)
            at = bucket_start(at + _LONGEST[bucket], bucket, self.zone)
        return found

    def head(self, *columns: tuple[str, str, bool]) -> tuple[Column, ...]:
        """Columns that lead to the page sorted by them: (name, label, is a number)."""
        sort = self.asked.sort
        made = []
        for name, label, is_number in columns:
            first, then = (f"-{name}", name) if is_number else (name, f"-{name}")
            href = self.asked.url(sort=then if sort == first else first)
            at = "descending" if sort == f"-{name}" else "ascending" if sort == name else ""
            made.append(Column(name, label, is_number, href, at))
        return tuple(made)

    def sorted_rows(
        self, columns: tuple[Column, ...], rows: Sequence[tuple[Cell, ...]]
    ) -> tuple[tuple[Cell, ...], ...]:
        """Rows of cells in the order that was asked for; as they are where none was."""
        name = self.asked.sort.removeprefix("-")
        if not name:
            return tuple(rows)
        names = [column.name for column in columns]
        if name not in names:
            raise BadInput(
                f"read sort {self.asked.sort[:80]!r}", f"one of {', '.join(names)}, with - for the other way"
            )
        at = names.index(name)
        reverse = self.asked.sort.startswith("-")
        if columns[at].is_number:
            return tuple(sorted(rows, key=lambda row: Fraction(row[at].value or 0), reverse=reverse))
        return tuple(sorted(rows, key=lambda row: str(row[at].value or ""), reverse=reverse))
