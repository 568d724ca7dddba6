"""
Keeping hourly and daily sums, and keeping them short.

Rows are only ever added, so groups come to have several. Merging them changes no sum, so it is safe to do stretch by
stretch, each in a transaction of its own: a crash in between leaves a rollup that is longer, not wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from farthing.ledger.relations import TABLES
from farthing.ledger.store import sql, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

LOOSE_MAX = 10_000
"""Rows added to a day before they are merged: few enough to read at once, many enough to merge seldom."""

_ROWS_AT_ONCE = 1_000_000
_LOOSE = "SELECT day, sum(loose_rows)::BIGINT AS loose FROM rollup_loose GROUP BY day ORDER BY day"
_ROWS = "SELECT count(*) FROM rollup WHERE sent_at >= $first AND sent_at < $beyond"
_DAY = timedelta(days=1)


def add(connection: duckdb.DuckDBPyConnection, sign: int) -> None:
    """Add the measures of the calls in ``touched``, or with -1 take them away."""
    connection.execute(sql("rollup_add"), {"sign": sign})
    connection.execute(sql("rollup_spread"))


def add_staged(connection: duckdb.DuckDBPyConnection, *, with_passes: bool) -> None:
    """Add the measures of the calls in ``staged``, none of which was added before."""
    connection.execute(sql("rollup_staged"))
    if with_passes:
        connection.execute(sql("rollup_staged_passes"))
    connection.execute(sql("rollup_spread"))


def repost(connection: duckdb.DuckDBPyConnection) -> None:
    """Add what the postings in ``reposting`` change, before they are written."""
    connection.execute(sql("rollup_repost"))
    connection.execute(sql("rollup_spread"))


def tidy(connection: duckdb.DuckDBPyConnection) -> None:
    """Give every group one row again, on each day that has doubled since that was so."""
    days = []
    for day, loose in connection.execute(_LOOSE).fetchall():
        if loose > LOOSE_MAX and 2 * loose > (rows := _rows(connection, day)):
            days.append((day, rows))
    merge(connection, days)


def merge(connection: duckdb.DuckDBPyConnection, days: list[tuple[datetime, int]]) -> None:
    """Give every group and session of these days one row again; each day comes with its rows, about."""
    for first, beyond in list(_stretches(days)):
        edges = {"first": first, "beyond": beyond}
        with transaction(connection):
            merging = {table: sql("rollup_merge").replace("{rollup}", table) for table in TABLES}
            for table, text in (*merging.items(), ("session_hours", sql("sessions_merge"))):
                connection.execute(text, edges)
                connection.execute(f"DELETE FROM {table} WHERE sent_at >= $first AND sent_at < $beyond", edges)  # noqa: S608 - ours
                connection.execute(f"INSERT INTO {table} SELECT * FROM merged")  # noqa: S608 - ours
            connection.execute("DELETE FROM rollup_loose WHERE day >= $first AND day < $beyond", edges)
            connection.execute("DROP TABLE merged")


def _rows(connection: duckdb.DuckDBPyConnection, day: datetime) -> int:
    row = connection.execute(_ROWS, {"first": day, "beyond": day + _DAY}).fetchone()
    assert row is not None
    return int(row[0])


def _stretches(days: list[tuple[datetime, int]]) -> Iterator[tuple[datetime, datetime]]:
    """Days in a row, each stretch with a bounded number of rows or of one day only."""
    gathered: list[datetime] = []
    total = 0
    for day, rows in days:
        if gathered and (total + rows > _ROWS_AT_ONCE or day != gathered[-1] + _DAY):
            yield gathered[0], gathered[-1] + _DAY
            gathered, total = [], 0
        gathered.append(day)
        total += rows
    if gathered:
        yield gathered[0], gathered[-1] + _DAY
