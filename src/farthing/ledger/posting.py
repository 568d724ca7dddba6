"""
Posting calls in DuckDB: new ones in bulk, the few that meet another record through the merge rule.

A record that is alone, in its chunk and in the ledger, is new whatever the rule says, so SQL may write it. One that
equals what the ledger has in everything the rule looks at is known whatever the rule says. Only what is left goes
through :class:`farthing.ledger.merge.Known`, the same code that the memory engine runs.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from farthing.ledger import rollup, rows
from farthing.ledger.merge import Known, Tally
from farthing.ledger.prompt_tables import Prompts, pack_calls, with_prompt
from farthing.ledger.staging import stage, stage_written
from farthing.ledger.store import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import duckdb

    from farthing.ledger.interface import Stored
    from farthing.ledger.staging import Written


def post(connection: duckdb.DuckDBPyConnection, chunk: Sequence[Stored], first_no: int, tally: Tally) -> None:
    """Post one chunk within the caller's transaction; its calls may take the numbers from *first_no* on."""
    packed = pack_calls(connection, chunk)
    stage(connection, enumerate(packed, first_no))
    _post_staged(connection, packed, first_no, tally, lambda index: packed[index])


def post_written(connection: duckdb.DuckDBPyConnection, chunk: Sequence[Written], first_no: int, tally: Tally) -> None:
    """The same for records from a journal, whose runs of blocks the ledger has."""
    stage_written(connection, enumerate(chunk, first_no))
    stored = [one.stored for one in chunk]
    _post_staged(connection, stored, first_no, tally, lambda index: with_prompt(stored[index], chunk[index].prompt))


def _post_staged(
    connection: duckdb.DuckDBPyConnection,
    chunk: Sequence[Stored],
    first_no: int,
    tally: Tally,
    packed: Callable[[int], Stored],
) -> None:
    connection.execute(sql("matches"))
    found = connection.execute("SELECT staged_no, call_no, equally_known FROM matches").fetchall()
    known = {staged_no for staged_no, _, equally_known in found if equally_known}
    contested = (_alike(chunk, first_no) | {staged_no for staged_no, _, _ in found}) - known
    tally.count("known", len(known))
    tally.count("new", len(chunk) - len(known | contested))
    if known or contested:
        _delete(connection, "staged", known | contested)
    _insert(connection)
    if contested:
        candidates = {call_no for staged_no, call_no, _ in found if staged_no in contested}
        full = Prompts(connection).full
        _settle(connection, candidates, [(no, full(packed(no - first_no))) for no in sorted(contested)], tally)


def _alike(chunk: Sequence[Stored], first_no: int) -> set[int]:
    """Numbers of the records that share a call id or a message id with another of the chunk."""
    call_ids = [stored.call.call_id for stored in chunk]
    message_ids = [stored.call.served.message_id for stored in chunk]
    if len(set(call_ids)) == len(chunk) == len(set(message_ids)):
        return set()
    calls, messages = Counter(call_ids), Counter(message_ids)
    return {
        number
        for number, stored in enumerate(chunk, first_no)
        if calls[stored.call.call_id] > 1
        or (stored.call.served.message_id and messages[stored.call.served.message_id] > 1)
    }


def _settle(
    connection: duckdb.DuckDBPyConnection, candidates: set[int], contested: list[tuple[int, Stored]], tally: Tally
) -> None:
    known = Known()
    for number, stored in _records(connection, candidates):
        known.put(number, stored)
    written: set[int] = set()
    reposted: set[int] = set()
    for number, stored in contested:
        outcome = known.add(stored, number)
        tally.count(outcome.what)
        if outcome.what != "known":
            written.add(outcome.number)
        if outcome.reposted:
            reposted.add(outcome.number)
    if not written:
        return
    _touch(connection, written & candidates)
    rollup.add(connection, -1)
    connection.execute(sql("delete_touched"))
    _delete(connection, "former_postings", reposted & candidates)
    numbers = sorted(written)
    packed = pack_calls(connection, [known.records[number] for number in numbers])
    stage(connection, zip(numbers, packed, strict=True))
    _insert(connection)


def _records(connection: duckdb.DuckDBPyConnection, numbers: set[int]) -> Iterable[tuple[int, Stored]]:
    if not numbers:
        return []
    _touch(connection, numbers)
    return rows.read_all(connection, "calls.call_no IN (SELECT call_no FROM touched)", {})


def _insert(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(sql("insert_staged"))
    rollup.add(connection, 1)


def _touch(connection: duckdb.DuckDBPyConnection, numbers: set[int]) -> None:
    connection.execute(sql("touch"), {"numbers": sorted(numbers)})


def _delete(connection: duckdb.DuckDBPyConnection, table: str, numbers: set[int]) -> None:
    if numbers:
        _touch(connection, numbers)
        connection.execute(f"DELETE FROM {table} WHERE call_no IN (SELECT call_no FROM touched)")  # noqa: S608 - ours
