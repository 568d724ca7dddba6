"""
Pricing calls again inside DuckDB.

The price engine stays the only source of rates: it composes a card for every distinct set of facts among the calls, the
cards become a small table, and SQL multiplies and adds. Whatever a row of rates cannot say (extra passes, refusals,
totals in an upper price band, timed tools, unpublished rates) goes through the engine itself, page by page.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.ledger import rollup, rows
from farthing.ledger.corrections import change, priced_again
from farthing.ledger.interface import Change, Correction
from farthing.ledger.staging import load, naive, unpriced_text
from farthing.ledger.store import sql, transaction
from farthing.prices.card import Card, Facts
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from farthing.ledger.interface import Contract, Stored
    from farthing.prices.book import PriceBook

_PAGE = 20_000
_SLICE = 1_000_000
"""Calls that are reposted in one transaction: what DuckDB must keep to undo one is what bounds memory."""


class _Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``rates``; names are those of ``queries/rates.sql``."""

    model: str
    channel: str
    location: str | None
    service_tier: str
    speed: str
    inference_geo: str | None
    sent_on: date
    prompt_tokens_over: int = 0
    prompt_tokens_up_to: int | None = None
    alone: bool = False
    input_pusd: int | None = None
    cache_write_5m_pusd: int | None = None
    cache_write_1h_pusd: int | None = None
    cache_read_pusd: int | None = None
    output_pusd: int | None = None
    web_search_pusd: int | None = None
    kind: Kind = Kind.MEASURED
    unpriced: str = ""


class _Reposted(msgspec.Struct, frozen=True, kw_only=True):
    call_no: int
    list_pusd: int | None
    low_pusd: int | None
    high_pusd: int | None
    kind: Kind
    unpriced: str
    book_version: str
    contract_pusd: int | None


def price_again(
    connection: duckdb.DuckDBPyConnection,
    book: PriceBook,
    span: tuple[datetime | None, datetime | None],
    contract: Contract | None,
) -> tuple[Change, ...]:
    """
    Make the table ``repriced`` of every call in *span* whose posting changes, and report per model.

    A contract is a function that SQL cannot see into, so with one there are no rates and every call is special.
    """
    since, until = span
    edges = {"since": since and naive(since), "until": until and naive(until)}
    facts = [] if contract else [Facts(*row) for row in connection.execute(sql("facts"), edges).fetchall()]
    load(connection, sql("rates"), [rate for one in facts for rate in _rates(book, one)])
    connection.execute(sql("reprice"), {**edges, "book_version": book.version})
    for page in _special(connection):
        changed = list(_priced(book, page, contract))
        if changed:
            load(connection, sql("reprice_special"), changed)
    connection.execute("DELETE FROM repriced WHERE is_special")
    return tuple(change(model, counts) for model, *counts in connection.execute(sql("changes"), edges).fetchall())


def write(connection: duckdb.DuckDBPyConnection, made: Correction) -> None:
    """
    Post ``repriced`` as a correction, in slices of bounded size.

    The correction stands when the last slice is in. If the process ends before, :func:`recover` takes it back.
    """
    with transaction(connection):
        connection.execute(
            "INSERT INTO corrections VALUES (?, ?, ?, ?, 'writing')",
            [made.correction_id, naive(made.made_at), made.reason, made.book_version],
        )
        for one in made.changes:
            row = [made.correction_id, *msgspec.structs.astuple(one)]
            connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    for edges in _slices(connection, "SELECT min(call_no), max(call_no) FROM repriced", {}):
        with transaction(connection):
            connection.execute(sql("slice_repriced"), edges)
            connection.execute(sql("keep_former"), {"correction_id": made.correction_id})
            _repost(connection)
    _set_state(connection, made.correction_id, "standing")


def take_back(connection: duckdb.DuckDBPyConnection, correction_id: int) -> None:
    """Give every call that a correction changed its former posting, in slices; :func:`recover` goes on if need be."""
    _set_state(connection, correction_id, "reverting")
    _restore(connection, correction_id)
    _set_state(connection, correction_id, "reverted")


def recover(connection: duckdb.DuckDBPyConnection) -> None:
    """Finish what a process left half done: a correction being written goes, one being taken back is taken back."""
    half_done = "SELECT correction_id, state FROM corrections WHERE state IN ('writing', 'reverting')"
    for correction_id, state in connection.execute(half_done).fetchall():
        _restore(connection, correction_id)
        if state == "reverting":
            _set_state(connection, correction_id, "reverted")
            continue
        with transaction(connection):
            connection.execute("DELETE FROM changes WHERE correction_id = ?", [correction_id])
            connection.execute("DELETE FROM corrections WHERE correction_id = ?", [correction_id])


def all_made(connection: duckdb.DuckDBPyConnection) -> list[Correction]:
    """Every correction, oldest first."""
    found = connection.execute(sql("corrections")).fetchall()
    return [_correction(list(lines)) for _, lines in groupby(found, key=lambda row: row[0])]


def _correction(lines: list[tuple[Any, ...]]) -> Correction:
    number, made_at, reason, book_version, state = lines[0][:5]
    return Correction(
        correction_id=number,
        made_at=made_at.replace(tzinfo=UTC),
        reason=reason,
        book_version=book_version,
        changes=tuple(change(row[5], row[6:]) for row in lines if row[5] is not None),
        reverted=state == "reverted",
    )


def _rates(book: PriceBook, facts: Facts) -> Iterator[_Rate]:
    """The rows of ``rates`` for one set of facts."""
    card = book.card(facts)
    if not isinstance(card, Card):
        yield _rate(facts, unpriced=unpriced_text((card.reason,)))
        return
    for number, band in enumerate(card.bands):
        yield _rate(
            facts,
            prompt_tokens_over=band.over,
            prompt_tokens_up_to=band.up_to,
            alone=number > 0,
            input_pusd=band.rates[0],
            cache_write_5m_pusd=band.rates[1],
            cache_write_1h_pusd=band.rates[2],
            cache_read_pusd=band.rates[3],
            output_pusd=band.rates[4],
            web_search_pusd=card.web_search_pusd if card.web_search else None,
            kind=card.kind,
        )


def _rate(facts: Facts, **values: Any) -> _Rate:
    return _Rate(
        model=facts.model_id,
        channel=facts.channel,
        location=facts.location,
        service_tier=facts.service_tier,
        speed=facts.speed,
        inference_geo=facts.inference_geo,
        sent_on=facts.valid_on,
        **values,
    )


def _special(connection: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[int, Stored]]]:
    """Pages of the calls that have a rule of their own."""
    condition = (
        "calls.call_no >= $first AND calls.call_no <= $last "
        "AND calls.call_no IN (SELECT call_no FROM repriced WHERE is_special)"
    )
    for first, last in connection.execute(sql("special_pages"), {"page": _PAGE}).fetchall():
        yield list(rows.read(connection, condition, {"first": first, "last": last}))


def _priced(book: PriceBook, page: list[tuple[int, Stored]], contract: Contract | None) -> Iterator[_Reposted]:
    """The new postings of those calls of a page whose posting changes."""
    for number, stored in page:
        posting = priced_again(book, stored, contract)
        if posting is not stored.posting:
            yield _Reposted(
                call_no=number,
                list_pusd=posting.list_pusd,
                low_pusd=posting.low_pusd,
                high_pusd=posting.high_pusd,
                kind=posting.kind,
                unpriced=unpriced_text(posting.unpriced),
                book_version=posting.book_version,
                contract_pusd=posting.contract_pusd,
            )


def _restore(connection: duckdb.DuckDBPyConnection, correction_id: int) -> None:
    ours = {"correction_id": correction_id}
    span = "SELECT min(call_no), max(call_no) FROM former_postings WHERE correction_id = $correction_id"
    for edges in _slices(connection, span, ours):
        with transaction(connection):
            connection.execute(sql("slice_former"), ours | edges)
            _repost(connection)
            connection.execute(sql("drop_former"), ours | edges)


def _repost(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the calls in ``reposting`` the postings there, and correct the rollup."""
    connection.execute(sql("touch_other_kind"))
    rollup.add(connection, -1)
    rollup.repost(connection)
    connection.execute(sql("repost"))
    rollup.add(connection, 1)


def _slices(connection: duckdb.DuckDBPyConnection, span: str, parameters: dict[str, int]) -> list[dict[str, int]]:
    """Edges of call numbers that cut the span a query gives into slices."""
    row = connection.execute(span, parameters).fetchone()
    if row is None or row[0] is None:
        return []
    return [{"first": first, "beyond": first + _SLICE} for first in range(row[0], row[1] + 1, _SLICE)]


def _set_state(connection: duckdb.DuckDBPyConnection, correction_id: int | None, state: str) -> None:
    connection.execute("UPDATE corrections SET state = ? WHERE correction_id = ?", [state, correction_id])
