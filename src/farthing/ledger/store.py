"""
One DuckDB file: opening it, bringing its tables up to date, and the named queries.

Whatever goes wrong with the file becomes one clear :class:`~farthing.errors.LedgerFault`.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from farthing.errors import LedgerFault

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
_DAMAGE = ("not a valid duckdb", "checksum", "corrupt", "could not read enough bytes")
_LOCKED = re.compile(r"\block\b|used by another process")  # a damaged file's message speaks of a *block*
_HOLDER = re.compile(r"PID (\d+)")
_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL, name VARCHAR NOT NULL)"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Rows of a table have no order, so DuckDB may write them as they come: less memory and more speed in bulk.
    "preserve_insertion_order": False,
    # A ledger must not look for or load code from outside.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # A checkpoint for every 16 MB written, as by default, leaves holes in the file: up to half as many bytes again.
    "wal_autocheckpoint": "128MB",
}


@cache
def sql(name: str) -> str:
    """The text of ``queries/NAME.sql``."""
    return (HERE / "queries" / f"{name}.sql").read_text(encoding="utf-8")


QUIETLY = "SET enable_progress_bar = false"
"""DuckDB would draw a bar into the output of whatever command uses the ledger."""

IN_MEMORY = ":memory:"
"""A database of this name is no file and ends with its connection."""


def open_file(path: Path, memory_mb_max: int) -> duckdb.DuckDBPyConnection:
    """
    Open or create a ledger file and bring it up to date.

    Raises:
        LedgerFault: Its folder is missing, another process writes it, it is no ledger, or a newer farthing wrote it.

    """
    if path.is_dir():
        raise LedgerFault(f"cannot open the ledger {path}: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise LedgerFault(f"cannot open the ledger {path}: there is no folder {path.parent}; create it first")
    config = {**_CONFIG, "memory_limit": f"{memory_mb_max}MB"}
    if str(path) != IN_MEMORY and not path.exists():
        _create(path, config)
    return _open(path, config)


def _open(path: Path, config: dict[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(path), config=config)
    except duckdb.Error as error:
        raise LedgerFault(_why_not(path, str(error))) from error
    try:
        with faults(path):
            connection.execute(QUIETLY)
            migrate(connection, path)
    except LedgerFault:
        connection.close()
        raise
    return connection


def _create(path: Path, config: dict[str, str | bool | int | float | list[str]]) -> None:
    """
    Make a new file that has its name only once it is whole.

    A full disk or a kill in the middle would otherwise leave one that nobody can open.
    """
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        _open(fresh, config).close()
        with contextlib.suppress(FileExistsError):  # somebody else was quicker
            os.link(fresh, path)
    except OSError:  # not every file system has links
        if not path.exists():
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
        fresh.with_name(fresh.name + ".wal").unlink(missing_ok=True)


def migrations() -> list[tuple[int, str, str]]:
    """Number, name and text of every migration, ascending."""
    files = sorted((HERE / "migrations").glob("*.sql"))
    return [(int(file.stem[:4]), file.stem, file.read_text(encoding="utf-8")) for file in files]


def migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """
    Apply every migration that the file has not had, each in a transaction of its own.

    Raises:
        LedgerFault: The file is another program's, or a newer farthing wrote it.

    """
    known = migrations()
    version = _version(connection, path)
    newest = known[-1][0]
    if version > newest:
        raise LedgerFault(
            f"cannot open the ledger {path}: a newer farthing wrote it (its tables are version {version}, this one "
            f"knows up to {newest}); upgrade farthing"
        )
    for number, name, text in known:
        if number > version:
            with transaction(connection):
                connection.execute(text)
                connection.execute("INSERT INTO schema_version VALUES (?, ?)", [number, name])


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of it or nothing."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turn what DuckDB raises into a :class:`~farthing.errors.LedgerFault` that names the file."""
    try:
        yield
    except duckdb.Error as error:
        told = _first_line(str(error))
        if any(sign in told.lower() for sign in _DAMAGE):
            told = "it is damaged; restore a copy or import again into another file"
        raise LedgerFault(f"the ledger {path} could not be used: {told}") from error


def _version(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    query = "SELECT coalesce(max(version), 0) FROM schema_version"
    try:
        row = connection.execute(query).fetchone()
    except duckdb.CatalogException:  # asked only now, for a round of the gateway opens the file every few seconds
        if connection.execute("SELECT 1 FROM information_schema.tables").fetchone() is not None:
            what = f"cannot open {path}: it is a DuckDB file but not a ledger of farthing; name another file"
            raise LedgerFault(what) from None
        connection.execute(_VERSIONS)
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _why_not(path: Path, error: str) -> str:
    if _LOCKED.search(error):
        holder = _HOLDER.search(error)
        who = f"process {holder[1]}" if holder else "another process"
        return (
            f"cannot open the ledger {path}: {who} is writing it, and DuckDB allows one at a time; "
            "ask that process for the report, or stop it first"
        )
    if any(sign in error.lower() for sign in _DAMAGE):
        return f"cannot open {path}: it is not a DuckDB file or it is damaged; restore a copy or name another file"
    return f"cannot open the ledger {path}: {_first_line(error)}"


def _first_line(error: str) -> str:
    return error.partition("\n")[0]
