"""Outcomes in DuckDB: keeping them, and joining calls to them in one query. The rule is that of ``outcome``."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import DIMENSIONS
from farthing.ledger.outcome import (
    DEAREST,
    JOINED_BY,
    DearCall,
    Outcome,
    OutcomesAdded,
    Replaced,
    Share,
    Tail,
    checked_outcome,
    verdict,
)
from farthing.ledger.staging import naive
from farthing.ledger.store import sql
from farthing.ledger.text import valid_text
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from farthing.ledger.asking import Asked
    from farthing.ledger.outcome import Basis, Tenants

_AT_ONCE = 20_000
_COLUMNS = {
    "outcome_no": "BIGINT",
    "outcome_id": "VARCHAR",
    "happened_at": "TIMESTAMP",
    "at_assumed": "BOOLEAN",
    "name": "VARCHAR",
    "status": "VARCHAR",
    "value_pusd": "HUGEINT",
    "revenue_pusd": "HUGEINT",
    "session": "VARCHAR",
    "request": "VARCHAR",
    "tag_name": "VARCHAR",
    "tag_value": "VARCHAR",
    "tenant": "VARCHAR",
    "dims": "VARCHAR",
}
_REPLACED_COLUMNS = {**_COLUMNS, "replaced_at": "TIMESTAMP", "replacement": "BIGINT"}
_COST = {"list": "list_pusd", "contract": "coalesce(contract_pusd, list_pusd)"}


def add(connection: duckdb.DuckDBPyConnection, outcomes: Iterable[Outcome], received_at: datetime) -> OutcomesAdded:
    """See :meth:`farthing.ledger.outcome.OutcomeStore.add_outcomes`; within the caller's transaction."""
    total = OutcomesAdded(0, 0, 0)
    rest = map(checked_outcome, outcomes)
    while batch := list(islice(rest, _AT_ONCE)):
        done = _add(connection, batch, naive(received_at))
        total = OutcomesAdded(*(one + more for one, more in zip(total, done, strict=True)))
    return total


def read(connection: duckdb.DuckDBPyConnection, tenants: Tenants) -> list[Outcome]:
    """See :meth:`farthing.ledger.outcome.OutcomeStore.outcomes`."""
    relation, parameters = _of(tenants)
    text = f"SELECT {', '.join(_COLUMNS)} FROM {relation} ORDER BY outcome_id"  # noqa: S608 - our own words
    return [_outcome(row) for row in connection.execute(text, parameters).fetchall()]


def count(connection: duckdb.DuckDBPyConnection, tenants: Tenants) -> int:
    """See :meth:`farthing.ledger.outcome.OutcomeStore.outcome_count`."""
    relation, parameters = _of(tenants)
    found = connection.execute(f"SELECT count(*) FROM {relation}", parameters).fetchone()  # noqa: S608 - our own words
    assert found is not None
    return int(found[0])


def get(connection: duckdb.DuckDBPyConnection, outcome_id: str) -> tuple[Outcome, tuple[Replaced, ...]] | None:
    """See :meth:`farthing.ledger.outcome.OutcomeReader.outcome`."""
    wanted = [valid_text(outcome_id)]
    found = _rows(connection, "outcomes", _COLUMNS, wanted)
    if not found:
        return None
    former = _rows(connection, "replaced_outcomes", _REPLACED_COLUMNS, wanted)
    former.sort(key=lambda row: row[-1])
    return _outcome(found[0]), tuple(Replaced(_outcome(row[:-2]), row[-2].replace(tzinfo=UTC)) for row in former)


def shares(connection: duckdb.DuckDBPyConnection, asked: Asked, basis: Basis, tenants: Tenants) -> list[Share]:
    """See :meth:`farthing.ledger.outcome.OutcomeStore.shares`."""
    relation, parameters = _of(tenants)
    keys = [f"{asked.value(name)} AS key_{n}" for n, name in enumerate(asked.query.by)]
    fragments = {
        "conditions": asked.conditions(),
        "cost": _COST[basis],
        "keys": "".join(f"{key},\n    " for key in keys),
        "outcomes": relation,
    }
    fragments["names"] = _names(connection, fragments["conditions"])
    found = connection.execute(_filled("outcome_shares", fragments), asked.parameters | parameters)
    return [
        Share(
            outcome_id, None if rank is None else JOINED_BY[rank], tuple(key), Kind(kind), calls, unpriced_calls, pusd
        )
        for outcome_id, rank, *key, kind, calls, unpriced_calls, pusd in found.fetchall()
    ]


def tail(connection: duckdb.DuckDBPyConnection, asked: Asked, basis: Basis) -> Tail:
    """See :meth:`farthing.ledger.outcome.OutcomeReader.tail`."""
    conditions, cost = asked.conditions(), _COST[basis]
    row = connection.execute(
        _filled("outcome_tail", {"conditions": conditions, "cost": cost}), asked.parameters
    ).fetchone()
    assert row is not None
    # By amounts alone first, so that ids are read of few calls.
    amounts = connection.execute(
        f"SELECT {cost} AS pusd FROM calls WHERE {conditions} AND {cost} IS NOT NULL "  # noqa: S608 - our own words
        f"ORDER BY pusd DESC LIMIT {DEAREST}",
        asked.parameters,
    ).fetchall()
    dearest = connection.execute(
        f"SELECT call_id, sent_at, model, {cost} AS pusd FROM calls WHERE {conditions} AND {cost} >= $least::HUGEINT "  # noqa: S608 - our own words
        f"ORDER BY pusd DESC, call_id LIMIT {DEAREST}",
        asked.parameters | {"least": str(amounts[-1][0]) if amounts else None},
    ).fetchall()
    calls, pusd, top_1_pusd, top_5_pusd = row
    named = tuple(DearCall(name, at.replace(tzinfo=UTC), model, cost) for name, at, model, cost in dearest)
    return Tail(calls, pusd, top_1_pusd, top_5_pusd, named)


def _of(tenants: Tenants) -> tuple[str, dict[str, Any]]:
    """The outcomes of some tenants as a relation, and its parameters."""
    if tenants is None:
        return "outcomes", {}
    return "(SELECT * FROM outcomes WHERE tenant IN (SELECT unnest($tenants::VARCHAR[])))", {"tenants": list(tenants)}


def _add(connection: duckdb.DuckDBPyConnection, batch: Sequence[Outcome], received_at: datetime) -> OutcomesAdded:
    ids = list({outcome.outcome_id for outcome in batch})
    numbers: dict[str, int] = {}
    known: dict[str, Outcome] = {}
    former: dict[str, list[Outcome]] = {}
    for row in _rows(connection, "outcomes", _COLUMNS, ids):
        numbers[row[1]], known[row[1]] = row[0], _outcome(row)
    for row in _rows(connection, "replaced_outcomes", _REPLACED_COLUMNS, ids):
        former.setdefault(row[1], []).append(_outcome(row[:-2]))
    highest = connection.execute("SELECT coalesce(max(outcome_no), 0) FROM outcomes").fetchone()
    assert highest is not None
    next_no = highest[0] + 1
    counts = {"new": 0, "known": 0, "corrected": 0}
    changed: set[str] = set()
    replaced: list[tuple[Any, ...]] = []
    for told in batch:
        name = told.outcome_id
        what = verdict(known.get(name), former.get(name, ()), told)
        counts[what] += 1
        if what == "known":
            continue
        if what == "new":
            numbers[name], next_no = next_no, next_no + 1
        else:
            before = former.setdefault(name, [])
            before.append(known[name])
            replaced.append((*_row(numbers[name], known[name]), received_at, len(before)))
        known[name] = told
        changed.add(name)
    gone = [numbers[name] for name in changed]
    connection.execute("DELETE FROM outcomes WHERE outcome_no IN (SELECT unnest($gone::BIGINT[]))", {"gone": gone})
    _insert(connection, "outcomes", _COLUMNS, [_row(numbers[name], known[name]) for name in sorted(changed)])
    _insert(connection, "replaced_outcomes", _REPLACED_COLUMNS, replaced)
    return OutcomesAdded(**counts)


def _rows(
    connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], ids: list[str]
) -> list[tuple[Any, ...]]:
    text = f"SELECT {', '.join(columns)} FROM {table} WHERE outcome_id IN (SELECT unnest($ids::VARCHAR[]))"  # noqa: S608 - our own words
    return connection.execute(text, {"ids": ids}).fetchall()


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """All rows in one statement, a list for each column; amounts travel as text, for lists hold 64 bits."""
    if not rows:
        return
    values = (
        f"unnest(${name}::{'VARCHAR' if kind == 'HUGEINT' else kind}[])::{kind}" for name, kind in columns.items()
    )
    lists = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
    connection.execute(f"INSERT INTO {table} SELECT {', '.join(values)}", lists)


def _row(number: int, outcome: Outcome) -> tuple[Any, ...]:
    return (
        number,
        outcome.outcome_id,
        naive(outcome.happened_at),
        outcome.at_assumed,
        outcome.name,
        outcome.status,
        None if outcome.value_pusd is None else str(outcome.value_pusd),
        None if outcome.revenue_pusd is None else str(outcome.revenue_pusd),
        outcome.session,
        outcome.request,
        outcome.tag_name,
        outcome.tag_value,
        outcome.tenant,
        msgspec.json.encode(outcome.dims, order="sorted").decode(),
    )


def _outcome(row: tuple[Any, ...]) -> Outcome:
    _, outcome_id, happened_at, at_assumed, name, status, value_pusd, revenue_pusd, *names, _, dims = row
    session, request, tag_name, tag_value = names
    return Outcome(
        outcome_id=outcome_id,
        happened_at=happened_at.replace(tzinfo=UTC),
        name=name,
        status=status,
        value_pusd=value_pusd,
        revenue_pusd=revenue_pusd,
        session=session,
        request=request,
        tag_name=tag_name,
        tag_value=tag_value,
        dims=msgspec.json.decode(dims, type=dict[str, str]),
        at_assumed=at_assumed,
    )


def _names(connection: duckdb.DuckDBPyConnection, conditions: str) -> str:
    """What calls are called, as SQL: only as some outcome calls its calls."""
    used = connection.execute("SELECT DISTINCT tag_name FROM outcomes WHERE tag_name IS NOT NULL").fetchall()
    tags = {name for (name,) in used}
    [(requests, sessions)] = connection.execute("SELECT count(request), count(session) FROM outcomes").fetchall()
    ids = ("call_id", "message_id", "request_id", "tags['gateway_call']") if requests else ("NULL::VARCHAR",)
    ways = [
        *(("0", "''", one) for one in ids),
        *([("1", "''", "session")] if sessions else []),
        *(("2", f"'{name}'", f'"{name}"') for name in DIMENSIONS if name in tags),
    ]
    parts = [
        f"SELECT call_no, sent_at, tenant, {rank} AS rank, {name} AS name, {value} AS value "  # noqa: S608 - our own words
        f"FROM calls WHERE {conditions}"
        for rank, name, value in ways
    ]
    if not tags <= set(DIMENSIONS):
        entries = "unnest(map_entries(tags)) AS entry"
        parts.append(
            "SELECT call_no, sent_at, tenant, 2 AS rank, entry.key AS name, entry.value AS value "  # noqa: S608 - our own words
            f"FROM (SELECT call_no, sent_at, tenant, {entries} FROM calls WHERE {conditions})"
        )
    return "\n    UNION ALL\n    ".join(parts)


def _filled(name: str, fragments: dict[str, str]) -> str:
    text = sql(name)
    for word, fragment in fragments.items():
        text = text.replace(f"{{{word}}}", fragment)
    return text
