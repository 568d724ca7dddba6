"""From rows of the ``calls`` table back to records."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import DIMENSIONS, Call, ExtraPass, PassKind, Request, Served, Usage
from farthing.ledger.interface import Posting, Stored
from farthing.ledger.prompt_tables import Prompt, Prompts, plain, request_of
from farthing.ledger.store import sql
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

_FETCH = 5_000


def read(
    connection: duckdb.DuckDBPyConnection,
    conditions: str,
    parameters: dict[str, Any],
    order: str = "calls.call_no",
    *,
    prompts: duckdb.DuckDBPyConnection | None = None,
) -> Iterator[tuple[int, Stored]]:
    """
    Number and record of every call that meets *conditions*, a few thousand in memory at a time.

    *connection* can answer nothing else until the last row was taken, so give it a cursor of its own. *prompts* is
    another one, through which the blocks of prompts are read; None: requests come without their blocks.
    """
    query = sql("records").replace("{conditions}", conditions).replace("{order}", order)
    found = connection.execute(query, parameters)
    reader = None if prompts is None else Prompts(prompts)
    while rows := found.fetchmany(_FETCH):
        yield from _records(rows, reader)


def read_all(
    connection: duckdb.DuckDBPyConnection, conditions: str, parameters: dict[str, Any]
) -> list[tuple[int, Stored]]:
    """As :func:`read`, with the blocks and all at once: it sees what the connection's open transaction has written."""
    query = sql("records").replace("{conditions}", conditions).replace("{order}", "calls.call_no")
    found = connection.execute(query, parameters).fetchall()
    return list(_records(found, Prompts(connection)))


def numbered(connection: duckdb.DuckDBPyConnection, numbers: Sequence[int], order: str) -> list[Stored]:
    """The records of some numbers, with the blocks, all at once."""
    if not numbers:
        return []
    # Their least and greatest tell DuckDB which stretches of the tables it need not look into.
    conditions = "calls.call_no BETWEEN $least AND $most AND calls.call_no IN (SELECT unnest($numbers::BIGINT[]))"
    query = sql("records").replace("{conditions}", conditions).replace("{order}", order)
    of_these = {"least": min(numbers), "most": max(numbers), "numbers": list(numbers)}
    found = connection.execute(query, of_these).fetchall()
    return [stored for _, stored in _records(found, Prompts(connection))]


def _records(found: list[tuple[Any, ...]], reader: Prompts | None) -> Iterator[tuple[int, Stored]]:
    asked = [None if row[-1] is None else request_of(row[-1]) for row in found]
    places: list[Prompt | None] = [None if one is None else one[1] for one in asked]
    blocks = [()] * len(found) if reader is None else reader.blocks(places)
    for row, one, of_it in zip(found, asked, blocks, strict=True):
        request = None if one is None else one[0]
        yield row[0], _stored(row, plain(request, of_it) if request is not None and of_it else request)


# Where each part of a row of queries/records.sql begins.
_COUNTS = 20
_EXTRA = _COUNTS + len(Usage.__struct_fields__)
_DIMS = _EXTRA + 1
_TAGS = _DIMS + len(DIMENSIONS)


def _stored(row: tuple[Any, ...], request: Request | None) -> Stored:
    tags, duration_ms, ttft_ms, list_pusd, low_pusd, high_pusd, contract_pusd, kind, unpriced, version = row[_TAGS:-1]
    dims = {name: value for name, value in zip(DIMENSIONS, row[_DIMS:_TAGS], strict=True) if value is not None}
    call = Call(
        call_id=row[1],
        sent_at=row[4].replace(tzinfo=UTC),
        source=row[5],
        served=_served(row),
        dims=dims | tags if tags else dims,
        duration_ms=duration_ms,
        ttft_ms=ttft_ms,
        request=request,
    )
    posting = Posting(
        list_pusd=list_pusd,
        low_pusd=low_pusd,
        high_pusd=high_pusd,
        contract_pusd=contract_pusd,
        kind=Kind(kind),
        unpriced=tuple(msgspec.json.decode(unpriced)) if unpriced else (),
        book_version=version,
    )
    return Stored(call, posting)


def _served(row: tuple[Any, ...]) -> Served:
    return Served(
        model=row[6],
        usage=Usage(*row[_COUNTS:_EXTRA]),
        extra_passes=tuple(_extra(*one) for one in row[_EXTRA] or ()),
        channel=row[7],
        location=row[8],
        service_tier=row[9],
        speed=row[10],
        inference_geo=row[11],
        stop_reason=row[12],
        refusal_category=row[13],
        output_started=row[14],
        prompt_tokens_max_in_one_pass=row[15],
        prompt_tokens_reported=row[16],
        calls_in_total=row[17],
        kind=Kind(row[18]),
        message_id=row[2],
        request_id=row[3],
        notes=tuple(row[19]),
    )


def _extra(kind: str, model: str | None, refusal_category: str | None, *counts: int) -> ExtraPass:
    return ExtraPass(PassKind(kind), Usage(*counts), model, refusal_category)
