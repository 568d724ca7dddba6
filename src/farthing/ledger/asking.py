"""
A query as SQL: which relation answers it, and the fragments of ``queries/report.sql``. Pure.

Time zones reach SQL as plain numbers, the offsets that :mod:`farthing.ledger.zones` found, so both engines go by the
same zone data. Values always travel as parameters; only names of our own vocabulary become SQL text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import DIMENSIONS
from farthing.ledger import relations
from farthing.ledger.interface import FACTS, PARTS_OF_TIME
from farthing.ledger.merge import YEAR_MAX, YEAR_MIN
from farthing.ledger.question import TAG, plain
from farthing.ledger.staging import naive
from farthing.ledger.store import sql
from farthing.ledger.sums import OTHER
from farthing.ledger.zones import Segment, bucket_start, segments, whole_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from zoneinfo import ZoneInfo

    from farthing.ledger.interface import Query

NOT_ROLLED_UP = ("user", "session")
"""Dimensions of too many values for hourly sums; tags are not rolled up either."""
_FIRST, _BEYOND = datetime(YEAR_MIN, 1, 1, tzinfo=UTC), datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)
_DAY, _HOUR, _INSTANT = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)


class Asked:
    """
    One query as SQL.

    Args:
        query: The question, already checked.
        zone: Its time zone.
        span: First and last instant of all calls, aware, UTC; asked only where the zone is ahead of UTC or behind it.

    """

    def __init__(self, query: Query, zone: ZoneInfo, span: Callable[[], tuple[datetime, datetime]]) -> None:
        self.query = within_years(query)
        self.zone = zone
        self.parameters: dict[str, Any] = {}
        self._span = span

    @cached_property
    def _segments(self) -> list[Segment]:
        return [Segment(_FIRST, 0)] if self.zone.key == "UTC" else segments(self.zone, *self._span())

    @property
    def rolled_up(self) -> bool:
        """Whether sums can answer it but for the parts of hours at its ends: they have all its dimensions."""
        query = self.query
        for dimension in (*query.by, *query.where):
            name = plain(dimension)
            if name in NOT_ROLLED_UP or name.startswith(TAG):
                return False
        looks_at_clock = query.bucket is not None or any(n in PARTS_OF_TIME for n in (*query.by, *query.where))
        return not looks_at_clock or whole_hours(self._segments)

    @property
    def by_days(self) -> bool:
        """Whether daily sums can answer it but for the hours at its ends."""
        query = self.query
        names = (*query.by, *query.where)
        if not self.rolled_up or query.bucket == "hour" or "hour_of_day" in names:
            return False
        looks_at_days = query.bucket is not None or "weekday" in names
        return not looks_at_days or all(segment.offset_s == 0 for segment in self._segments)

    def relation(self, names: Collection[str] | None = None) -> str:
        """
        What has fewest rows of all that can answer it.

        Args:
            names: Dimensions to tell apart, of those that it groups by; None: all of them.

        """
        if not self.rolled_up:
            return "measures"
        wanted = self._summed(self.query.by if names is None else names)
        hours = self._whole(_HOUR, relations.hourly(wanted), "measures")
        return self._whole(_DAY, relations.daily(wanted), hours) if self.by_days else hours

    def hours(self) -> str:
        """The same for a question hour by hour."""
        return self._whole(_HOUR, relations.hourly(self._summed(())), "measures") if self.rolled_up else "measures"

    def _summed(self, by: Collection[str]) -> set[str]:
        """The dimensions that these groups and the filters need of the sums."""
        return {plain(name) for name in (*by, *self.query.where)}.difference(PARTS_OF_TIME)

    def _whole(self, unit: timedelta, sums: str, finer: str) -> str:
        """*sums* for the whole days or hours that it is about, and what is *finer* for the time before and after."""
        since, until = self.query.since, self.query.until
        first, beyond = since and _begun(since + unit - _INSTANT, unit), until and _begun(until, unit)
        if first and beyond and first >= beyond:
            return finer
        inside, outside = [], []
        for name, at, edge, is_within, is_beside in (
            (f"from_{unit.days}", first, since, ">=", "<"),
            (f"to_{unit.days}", beyond, until, "<", ">="),
        ):
            if at is not None and at != edge:
                self.parameters[name] = naive(at)
                inside.append(f"sent_at {is_within} ${name}::TIMESTAMP")
                outside.append(f"sent_at {is_beside} ${name}::TIMESTAMP")
        if not outside:
            return sums
        edges = "".join(f" UNION ALL BY NAME SELECT * FROM {finer} WHERE {edge}" for edge in outside)  # noqa: S608 - ours
        return f"(SELECT * FROM {sums} WHERE {' AND '.join(inside)}{edges})"  # noqa: S608 - as above

    def report(self, relation: str) -> str:
        """The text of the query over any relation that can answer it; ``parameters`` has its parameters."""
        limit = self.query.limit
        limited = limit is not None and bool(self.query.by)
        if limited and relation == "measures":
            return self._of_dearest(limit or 0)
        text = self._sums(relation, {name: self.value(dimension) for name, dimension in self._named()})
        return self._limited(text, limit or 0) if limited else text

    def dearest(self, number: int) -> str:
        """The place among the dimensions that it groups by and the value of their dearest, each list in its order."""
        names, conditions, once = self.query.by, self.conditions(), ""
        if self.rolled_up:
            values = [f"{self.value(name)} AS value FROM {self.relation((name,))} WHERE {conditions}" for name in names]
        else:  # calls are gone through only once
            columns = ", ".join(f"{self.value(name)} AS key_{place}" for place, name in enumerate(names))
            once = (
                f"WITH grouped AS MATERIALIZED (SELECT {columns}, sum(calls) AS calls, sum(list_pusd) AS list_pusd "  # noqa: S608 - ours
                f"FROM measures WHERE {conditions} GROUP BY ALL) "
            )
            values = [f"key_{place} AS value FROM grouped" for place in range(len(names))]
        each = (
            f"(SELECT {place} AS place, value, sum(list_pusd) AS pusd FROM (SELECT calls, list_pusd, {of_name}) "  # noqa: S608 - as above
            f"GROUP BY value HAVING sum(calls) <> 0 ORDER BY pusd DESC, coalesce(value, '') LIMIT {int(number)})"
            for place, of_name in enumerate(values)
        )
        every = " UNION ALL ".join(each)
        return f"{once}SELECT place, value FROM ({every}) ORDER BY place, pusd DESC, coalesce(value, '')"  # noqa: S608 - as above

    def _named(self) -> Iterator[tuple[str, str]]:
        return ((f"key_{n}", name) for n, name in enumerate(self.query.by))

    def _of_dearest(self, limit: int) -> str:
        """
        Sums over calls with the keys that are not among the dearest summed as other, or left out.

        There may be millions of keys, so the dearest are found first, by their amounts alone.
        """
        keys = {name: self.value(dimension) for name, dimension in self._named()}
        columns = ", ".join(f"{value} AS {name}" for name, value in keys.items())
        texts = ", ".join(f"coalesce({name}, '')" for name in keys)
        same = " AND ".join(f"{value} IS NOT DISTINCT FROM dearest.{name}" for name, value in keys.items())
        found = (
            f"SELECT * EXCLUDE (key_pusd), TRUE AS is_kept FROM ("  # noqa: S608 - ours
            f"SELECT {columns}, sum(coalesce(list_pusd, 0)) AS key_pusd FROM calls "
            f"WHERE {self.conditions()} GROUP BY ALL) ORDER BY key_pusd DESC, {texts} LIMIT {int(limit)}"
        )
        join = "LEFT JOIN" if self.query.others else "JOIN"
        relation = f"(SELECT measures.*, dearest.* FROM measures {join} dearest ON {same})"  # noqa: S608 - ours
        kept = {name: f"CASE WHEN is_kept THEN {name} ELSE '{OTHER}' END" for name in keys}
        return f"WITH dearest AS MATERIALIZED ({found})\n{self._sums(relation, kept)}"

    def _sums(self, relation: str, keys: dict[str, str]) -> str:
        bucket = self.query.bucket
        fragments = {
            "start": "NULL" if bucket is None else f"date_trunc('{bucket}', {self._local})",
            "offset": self._offset if bucket == "hour" else "0",
            "keys": "".join(f"{value} AS {name},\n    " for name, value in keys.items()),
            "relation": relation,
            "conditions": self.conditions(),
        }
        text = sql("report")
        for word, fragment in fragments.items():
            text = text.replace(f"{{{word}}}", fragment)
        return text

    def _limited(self, report: str, limit: int) -> str:
        """The same sums, with the keys that are not among the dearest summed as :data:`~farthing.ledger.sums.OTHER`."""
        names = [f"key_{n}" for n in range(len(self.query.by))]
        kept = (f"CASE WHEN is_kept THEN grouped.{name} ELSE '{OTHER}' END AS {name},\n    " for name in names)
        fragments = {
            "report": report.removesuffix(";\n"),
            "names": ", ".join(names),
            "texts": ", ".join(f"coalesce({name}, '')" for name in names),
            "limit": str(int(limit)),
            "join": "LEFT JOIN" if self.query.others else "JOIN",
            "keys": "".join(kept),
            "same": " AND ".join(f"grouped.{name} IS NOT DISTINCT FROM dearest.{name}" for name in names),
        }
        text = sql("report_limited")
        for word, fragment in fragments.items():
            text = text.replace(f"{{{word}}}", fragment)
        return text

    def conditions(self) -> str:
        """Range and filters, over any relation that has the call's time and dimensions."""
        wanted = ["TRUE"]
        for name, edge, sign in (("since", self.query.since, ">="), ("until", self.query.until, "<")):
            if edge is not None:
                self.parameters[name] = naive(edge)
                wanted.append(f"sent_at {sign} ${name}::TIMESTAMP")
        for dimension, values in self.query.where.items():
            if not values:
                wanted.append("FALSE")
                continue
            chosen = ", ".join(self._bind(value) for value in values)
            value = self._kept(dimension) if all(values) else f"coalesce({self.value(dimension)}, '')"
            wanted.append(f"{value} IN ({chosen})")
        return " AND ".join(wanted)

    def start(self, first_at: datetime) -> datetime | None:
        """The start, in UTC, of the bucket that the instant *first_at* (naive, UTC) is in."""
        bucket = self.query.bucket
        return None if bucket is None else bucket_start(first_at.replace(tzinfo=UTC), bucket, self.zone)

    @property
    def _offset(self) -> str:
        """Seconds that the zone is ahead of UTC, as SQL."""
        *earlier, last = self._segments
        if not earlier:
            return str(last.offset_s)
        whens = (
            f"WHEN sent_at < TIMESTAMP '{naive(following.starts_at)}' THEN {segment.offset_s}"
            for segment, following in pairwise(self._segments)
        )
        return f"CASE {' '.join(whens)} ELSE {last.offset_s} END"

    @property
    def _local(self) -> str:
        """The zone's wall clock, as SQL."""
        if all(segment.offset_s == 0 for segment in self._segments):
            return "sent_at"
        return f"(sent_at + to_seconds({self._offset}))"

    def value(self, dimension: str) -> str:
        """A dimension's value as SQL: text, NULL where there is none or an empty one."""
        name = plain(dimension)
        return self._kept(name) if name in PARTS_OF_TIME else f"nullif({self._kept(name)}, '')"

    def _kept(self, dimension: str) -> str:
        """The same as it is kept, NULL or empty where there is none: DuckDB can go by what it knows of a column."""
        name = plain(dimension)
        if name == "hour_of_day":
            return f"CAST(extract(hour FROM {self._local}) AS VARCHAR)"
        if name == "weekday":
            return f"CAST(extract(isodow FROM {self._local}) - 1 AS VARCHAR)"
        if name.startswith(TAG):
            return f"tags[{self._bind(name.removeprefix(TAG))}]"
        assert name in DIMENSIONS or name in FACTS
        return f'"{name}"'

    def _bind(self, value: str) -> str:
        name = f"value_{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}::VARCHAR"


def within_years(query: Query) -> Query:
    """*query*, in UTC and without the years that no call is of, so that all its edges can be reckoned with."""
    if query.since is None and query.until is None:
        return query
    since, until = (at and min(max(at, _FIRST), _BEYOND).astimezone(UTC) for at in (query.since, query.until))
    return msgspec.structs.replace(query, since=since, until=until)


def _begun(at: datetime, unit: timedelta) -> datetime:
    """The start of the day or hour of UTC that it is in."""
    return at - (at - _FIRST) % unit
