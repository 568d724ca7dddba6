"""
Posting calls in DuckDB: new ones in bulk, the few that meet another record through the merge rule.

A record that is alone, in its chunk and in the ledger, is new whatever the rule says, so SQL may write it. One that
equals what the ledger has in everything the rule looks at is known whatever the rule says. Only what is left goes
through :class:`farthing.ledger.merge.Known`, the same code that the memory engine runs.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from farthing.ledger import rollup, rows
from farthing.ledger.merge import PUSD_MAX, YEAR_MAX, YEAR_MIN, Known, Tally
from farthing.ledger.prompt_tables import Prompts, pack_calls, with_prompt
from farthing.ledger.staging import alike, id_key, message_key, stage
from farthing.ledger.store import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from farthing.ledger.gathering import Told
    from farthing.ledger.interface import Stored


_ONE_BY_ONE_MAX = 1_000
"""More calls than this are not looked at one by one."""
_BY_ONE_KEY = (
    "SELECT staged_no, by_key.call_no, by_call, call_id, message_id FROM by_key "
    "JOIN staged ON staged.call_no = staged_no WHERE by_call <> by_message LIMIT $most"
)
_CALL_ID = "SELECT call_id FROM calls WHERE call_no = $number"
_MESSAGE_ID = "SELECT message_id FROM calls WHERE call_no = $number"


class Unkept(Exception):
    """A call that was not looked at has a number or a time that no engine keeps; nothing was posted."""


def post(connection: duckdb.DuckDBPyConnection, chunk: Sequence[Stored], first_no: int, tally: Tally) -> None:
    """Post one chunk within the caller's transaction; its calls may take the numbers from *first_no* on."""
    packed = pack_calls(connection, chunk)
    stage(connection, enumerate(packed, first_no))
    similar = {first_no + index for index in _alike(chunk)}
    _post_staged(
        connection, _stretch(connection), similar, tally, lambda numbers: {no: packed[no - first_no] for no in numbers}
    )


def post_written(connection: duckdb.DuckDBPyConnection, told: Told, first_no: int, tally: Tally) -> None:
    """
    The same for what was read of a journal; the ledger has its runs of blocks.

    Raises:
        Unkept: Not where *told* was made carefully. The transaction is to be rolled back.

    """
    try:
        told.calls.stage(connection, first_no)
    except duckdb.Error as error:
        if told.is_careful:
            raise
        raise Unkept from error
    stretch = _stretch(connection)
    if stretch.unkept and not told.is_careful:
        raise Unkept
    similar = {first_no + index for index in told.calls.alike()}

    def packed(numbers: Collection[int]) -> dict[int, Stored]:
        found = told.calls.records({number - first_no for number in numbers})
        return {first_no + index: with_prompt(*one) for index, one in found.items()}

    _post_staged(connection, stretch, similar, tally, packed)


class _Stretch(NamedTuple):
    """What queries/stretch.sql says of the table ``staged``."""

    calls: int
    unkept: int
    with_passes: int
    with_request: int


def _stretch(connection: duckdb.DuckDBPyConnection) -> _Stretch:
    limits = {"pusd_max": str(PUSD_MAX), "year_min": YEAR_MIN, "year_max": YEAR_MAX}
    [row] = connection.execute(sql("stretch"), limits).fetchall()
    return _Stretch(*row)


def _post_staged(
    connection: duckdb.DuckDBPyConnection,
    stretch: _Stretch,
    similar: set[int],
    tally: Tally,
    packed: Callable[[Collection[int]], dict[int, Stored]],
) -> None:
    found = _matches(connection)
    known = {staged_no for staged_no, _, equally_known in found if equally_known}
    moved = {call_no for staged_no, call_no, _ in found if staged_no not in known}  # perhaps to another id
    known -= {staged_no for staged_no, call_no, _ in found if call_no in moved}
    contested = (_really_alike(connection, similar) | {staged_no for staged_no, _, _ in found}) - known
    tally.count("known", len(known))
    tally.count("new", stretch.calls - len(known | contested))
    if known or contested:
        _delete(connection, "staged", known | contested)
    _insert(connection, stretch)
    if contested:
        candidates = {call_no for staged_no, call_no, _ in found if staged_no in contested}
        full = Prompts(connection).full
        records = packed(contested)
        _settle(connection, candidates, [(no, full(records[no])) for no in sorted(contested)], tally)


def _matches(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int, bool]]:
    """Of staged records that may be calls the ledger has: both numbers, and whether they are equally known."""
    connection.execute(sql("match_keys"))
    _forget_chances(connection)
    edges = connection.execute("SELECT min(call_no), max(call_no) FROM by_key").fetchone()
    if edges is None or edges[0] is None:
        return []
    return connection.execute(sql("matches"), {"least": edges[0], "most": edges[1]}).fetchall()


def _forget_chances(connection: duckdb.DuckDBPyConnection) -> None:
    """
    Take the pairs that share a narrow key but no id from ``by_key``.

    Those that share one by chance are spread over the whole ledger. Sought all at once, long texts are read of every
    stretch of it; one by one, each is in one place.
    """
    found = connection.execute(_BY_ONE_KEY, {"most": _ONE_BY_ONE_MAX + 1}).fetchall()
    if len(found) > _ONE_BY_ONE_MAX:
        return
    chances = []
    for staged_no, call_no, by_call, call_id, message_id in found:
        # Ids whose keys differ are different, so one column is enough.
        [(known_id,)] = connection.execute(_CALL_ID if by_call else _MESSAGE_ID, {"number": call_no}).fetchall()
        if known_id != (call_id if by_call else message_id):
            chances.append((staged_no, call_no))
    if chances:
        connection.execute(
            "DELETE FROM by_key WHERE (staged_no, call_no) IN "
            "(SELECT (unnest($staged::BIGINT[]), unnest($calls::BIGINT[])))",
            {"staged": [one[0] for one in chances], "calls": [one[1] for one in chances]},
        )


def _really_alike(connection: duckdb.DuckDBPyConnection, similar: set[int]) -> set[int]:
    """Those of *similar* that share an id, not only the narrow key of one."""
    if not similar:
        return similar
    query = "SELECT call_no, call_id, message_id FROM staged WHERE call_no IN (SELECT unnest($numbers::BIGINT[]))"
    found = connection.execute(query, {"numbers": sorted(similar)}).fetchall()
    calls, messages = Counter(row[1] for row in found), Counter(row[2] for row in found if row[2])
    return {row[0] for row in found if calls[row[1]] > 1 or messages[row[2]] > 1}


def _alike(chunk: Sequence[Stored]) -> set[int]:
    """Which of the records may share a call id or a message id with another of the chunk."""
    return alike([id_key(stored.call.call_id) for stored in chunk]) | alike(
        [message_key(stored.call.served.message_id) for stored in chunk]
    )


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
    _insert(connection, _stretch(connection))


def _records(connection: duckdb.DuckDBPyConnection, numbers: set[int]) -> Iterable[tuple[int, Stored]]:
    if not numbers:
        return []
    _touch(connection, numbers)
    # Their least and greatest tell DuckDB which stretches of the tables it need not look into.
    near = "calls.call_no BETWEEN $least AND $most AND calls.call_no IN (SELECT call_no FROM touched)"
    return rows.read_all(connection, near, {"least": min(numbers), "most": max(numbers)})


def _insert(connection: duckdb.DuckDBPyConnection, stretch: _Stretch) -> None:
    """Write what is staged; *stretch* may tell of more than there is by now."""
    connection.execute(sql("insert_calls"))
    connection.execute(sql("insert_findable"))
    rollup.add_staged(connection, with_passes=stretch.with_passes > 0)
    if stretch.with_passes:
        connection.execute(sql("insert_passes"))
    if stretch.with_request:
        connection.execute(sql("insert_requests"))


def _touch(connection: duckdb.DuckDBPyConnection, numbers: set[int]) -> None:
    connection.execute(sql("touch"), {"numbers": sorted(numbers)})


def _delete(connection: duckdb.DuckDBPyConnection, table: str, numbers: set[int]) -> None:
    if numbers:
        _touch(connection, numbers)
        connection.execute(f"DELETE FROM {table} WHERE call_no IN (SELECT call_no FROM touched)")  # noqa: S608 - ours
