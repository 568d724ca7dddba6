"""
Keeping the rollup short.

Its rows are only ever added, so groups come to have several. Merging them changes no sum, so it is safe to do stretch
by stretch, each in a transaction of its own: a crash in between leaves a rollup that is longer, not wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from farthing.ledger.store import sql, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_ROWS_AT_ONCE = 1_000_000
_DAYS = "SELECT date_trunc('day', sent_at) AS day, count(*) FROM rollup GROUP BY day ORDER BY day"
_DAY = timedelta(days=1)


def count(connection: duckdb.DuckDBPyConnection) -> int:
    """How many rows the rollup has."""
    row = connection.execute("SELECT count(*) FROM rollup").fetchone()
    assert row is not None
    return int(row[0])


def merge(connection: duckdb.DuckDBPyConnection) -> None:
    """Give every group one row again."""
    for first, beyond in list(_stretches(connection.execute(_DAYS).fetchall())):
        edges = {"first": first, "beyond": beyond}
        with transaction(connection):
            connection.execute(sql("rollup_merge"), edges)
            connection.execute("DELETE FROM rollup WHERE sent_at >= $first AND sent_at < $beyond", edges)
            connection.execute("INSERT INTO rollup SELECT * FROM merged")
            connection.execute("DROP TABLE merged")


def _stretches(days: list[tuple[datetime, int]]) -> Iterator[tuple[datetime, datetime]]:
    """Whole days in a row, each stretch with a bounded number of rows or of one day only."""
    gathered: list[datetime] = []
    total = 0
    for day, rows in days:
        if gathered and total + rows > _ROWS_AT_ONCE:
            yield gathered[0], gathered[-1] + _DAY
            gathered, total = [], 0
        gathered.append(day)
        total += rows
    if gathered:
        yield gathered[0], gathered[-1] + _DAY
