"""That a generated ledger is exact: calls against the price engine, keys against their ids, sums against a recount."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from farthing.call import DIMENSIONS
from farthing.ledger import relations, rows
from farthing.ledger.interface import FACTS, Posting, Query
from farthing.ledger.reading import DuckDBReader
from farthing.ledger.staging import id_key
from farthing.ledger.sums import MEASURES
from farthing.prices.engine import price_served

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from farthing.prices.book import PriceBook

SAMPLE = 6_000
_ROLLED_UP = (*(name for name in DIMENSIONS if name not in ("user", "session")), *FACTS)


def prove(path: Path, book: PriceBook) -> str:
    """
    Say how many calls and sums were compared.

    Raises:
        AssertionError: One of them is not as it must be.

    """
    with DuckDBReader(path) as ledger:
        connection = ledger._connection  # noqa: SLF001 - a bench may
        assert connection is not None
        compared = _calls(connection, book)
        _findable(ledger, compared)
        sums = _sums(connection)
    return f"{compared:,} calls cost what the engine says, and {sums:,} sums are those of a recount"


def _calls(connection: duckdb.DuckDBPyConnection, book: PriceBook) -> int:
    """A sample of all calls, the rare kinds among them."""
    number = _one(connection, "SELECT count(*) FROM calls")
    every = f"hash(calls.call_no) % {max(1, number // SAMPLE)} = 0"
    rare = f"hash(calls.call_no) % {max(1, number // SAMPLE // 50)} = 0 AND "
    compared = 0
    for condition in (
        every,
        f"{rare} extra_passes > 0",
        f"{rare} web_search_requests > 0",
        f"{rare} unpriced <> ''",
        f"{rare} stop_reason = 'refusal'",
        f"{rare} model = 'claude-haiku-5-5' AND input_tokens > 100000",
    ):
        found = list(islice(rows.read(connection.cursor(), condition, {}), 2 * SAMPLE))
        assert found or number < SAMPLE, f"no call with {condition}"
        for _, stored in found:
            bill = price_served(book, stored.call.served, stored.call.sent_at)
            assert Posting.of(bill) == stored.posting, f"{stored} is posted at another price than {bill}"
        compared += len(found)
    keys = connection.execute(
        f"SELECT call_id, call_key, message_id, message_key FROM calls WHERE {every} LIMIT {SAMPLE}"
    )
    for call_id, call_key, message_id, message_key in keys.fetchall():
        assert (id_key(call_id), id_key(message_id)) == (call_key, message_key), f"{call_id} has another key"
    return compared


def _findable(ledger: DuckDBReader, number: int) -> None:
    """Calls are found by their request ids, and among those of their sessions."""
    for stored in ledger.latest(Query(), 5, number):
        assert ledger.get(stored.call.served.request_id or "") == stored
        session = stored.call.dims.get("session")
        assert session is None or stored in ledger.calls(Query(where={"session": (session,)}))


def _sums(connection: duckdb.DuckDBPyConnection) -> int:
    """By each rolled-up dimension and month, the sums of every table that has it against those over the calls."""
    compared = 0
    for name in _ROLLED_UP:
        sums = ", ".join(f"sum({measure})" for measure in MEASURES)
        text = f"SELECT date_trunc('month', sent_at), coalesce(\"{name}\", '') AS key, {sums} FROM {{}} GROUP BY ALL"
        wanted = sorted(connection.execute(text.format("measures")).fetchall())
        for relation in ("rollup", "rollup_days", relations.hourly((name,)), relations.daily((name,))):
            found = sorted(connection.execute(text.format(relation)).fetchall())
            assert found == wanted, f"the sums by {name} in {relation} are not those of the calls"
            compared += len(found) * len(MEASURES)
    return compared


def _one(connection: duckdb.DuckDBPyConnection, text: str) -> int:
    row = connection.execute(text).fetchone()
    assert row is not None
    return int(row[0])
