"""Prompts in DuckDB: runs of blocks into their table, each once, and back to the blocks of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec

from farthing.call import Call, PromptBlock, Request
from farthing.ledger.interface import Stored
from farthing.ledger.prompt_runs import Link, Packed, PackedRequest, Packer, Run, unpacked
from farthing.ledger.staging import load
from farthing.ledger.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

_CACHED_MAX = 100_000


class _RunLine(msgspec.Struct, frozen=True, gc=False):
    run: str
    parent: str | None
    section: str
    hashes: bytes
    tokens: tuple[int, ...]
    uncacheable: tuple[int, ...]


class Prompt(NamedTuple):
    """What a row of ``requests`` says of a prompt."""

    leaf: UUID | None
    ttl_5m: Sequence[int]
    ttl_1h: Sequence[int]


def pack_calls(connection: duckdb.DuckDBPyConnection, chunk: Sequence[Stored]) -> list[Stored]:
    """The records with their prompts packed and all runs written; one that came packed keeps its package."""
    packer = Packer()
    packed = [_packed(stored, packer) for stored in chunk]
    insert_runs(connection, (run for stored in packed for run in _runs_of(stored)))
    return packed


def insert_runs(connection: duckdb.DuckDBPyConnection, runs: Iterable[Run]) -> None:
    """Write the runs that the ledger does not have."""
    lines = [_line(run) for run in {run.key: run for run in runs}.values()]
    if lines:
        load(connection, sql("insert_runs"), lines)


def request_of(row: tuple[Any, ...]) -> tuple[Request, Prompt]:
    """A request without its blocks, and where they are, from the row that queries/records.sql makes of it."""
    *values, leaf, ttl_5m, ttl_1h = row
    names = Request.__struct_fields__[: len(values)]
    return Request(**dict(zip(names, values, strict=True))), Prompt(leaf, ttl_5m, ttl_1h)


class Prompts:
    """
    The blocks of prompts, read as they are needed.

    Args:
        connection: Nothing else may be under way on it when blocks are asked for.

    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._runs: dict[bytes, Link] = {}

    def blocks(self, prompts: Sequence[Prompt | None]) -> list[tuple[PromptBlock, ...]]:
        """The blocks of each prompt; none where it has none or a run of it is missing."""
        leaves = [prompt.leaf.bytes if prompt is not None and prompt.leaf is not None else b"" for prompt in prompts]
        if not any(leaves):
            return [()] * len(prompts)
        self._fetch(set(leaves))
        return [
            unpacked(leaf, prompt.ttl_5m, prompt.ttl_1h, self._runs) if leaf and prompt is not None else ()
            for leaf, prompt in zip(leaves, prompts, strict=True)
        ]

    def full(self, stored: Stored) -> Stored:
        """A record that came packed, with its blocks."""
        request = stored.call.request
        if not isinstance(request, PackedRequest):
            return stored
        packed = request.packed
        leaf = UUID(bytes=packed.leaf) if packed.leaf else None
        [blocks] = self.blocks([Prompt(leaf, packed.ttl_5m, packed.ttl_1h)])
        return _with_request(stored, plain(request, blocks))

    def _fetch(self, wanted: set[bytes]) -> None:
        if len(self._runs) > _CACHED_MAX:
            self._runs.clear()
        wanted = {key for key in wanted if key}
        while missing := sorted(wanted - self._runs.keys()):
            found = self._connection.execute(
                "SELECT run, parent, section, hashes, tokens, uncacheable FROM prompt_runs "
                "WHERE run IN (SELECT unnest(?::UUID[]))",
                [[str(UUID(bytes=key)) for key in missing]],
            ).fetchall()
            runs = [_run(row) for row in found]
            self._runs |= {run.key: run.link() for run in runs}
            # Every run of the chain above what was cached is in the cache too, so only new ones have parents to fetch.
            wanted = {run.parent for run in runs if run.parent}


def plain(request: Request, blocks: tuple[PromptBlock, ...] = ()) -> Request:
    """*request* as a plain :class:`~farthing.call.Request` with these blocks."""
    fields = {name: getattr(request, name) for name in Request.__struct_fields__}
    return Request(**{**fields, "blocks": blocks})


def _packed(stored: Stored, packer: Packer) -> Stored:
    request = stored.call.request
    if request is None or isinstance(request, PackedRequest):
        return stored
    fields = {name: getattr(request, name) for name in Request.__struct_fields__}
    packed = PackedRequest(**{**fields, "blocks": (), "packed": packer.pack(request.blocks)})
    return _with_request(stored, packed)


def _with_request(stored: Stored, request: Request) -> Stored:
    call: Call = msgspec.structs.replace(stored.call, request=request)
    return Stored(call, stored.posting)


def _runs_of(stored: Stored) -> tuple[Run, ...]:
    request = stored.call.request
    return request.packed.runs if isinstance(request, PackedRequest) else ()


def _line(run: Run) -> _RunLine:
    parent = run.parent.hex() if run.parent else None
    return _RunLine(run.key.hex(), parent, run.section, run.hashes, run.tokens, run.uncacheable)


def _run(row: tuple[Any, ...]) -> Run:
    run, parent, section, hashes, tokens, uncacheable = row
    return Run(run.bytes, parent.bytes if parent else b"", section, hashes, tuple(tokens), tuple(uncacheable))


def with_prompt(stored: Stored, prompt: Packed | None) -> Stored:
    """A record with its prompt packed in its request, where it has both."""
    request = stored.call.request
    if request is None or prompt is None:
        return stored
    fields = {name: getattr(request, name) for name in Request.__struct_fields__}
    return _with_request(stored, PackedRequest(**{**fields, "blocks": (), "packed": prompt}))
