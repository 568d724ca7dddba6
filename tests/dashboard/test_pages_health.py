"""What the health page says of journals: bytes that wait, lines that nobody can read."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient
from tests.dashboard.made import NOW

from farthing.dashboard.access import Access
from farthing.dashboard.books import books_of
from farthing.dashboard.web import Site, create_app
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.journal import JournalWriter, new_path

AT = datetime(2026, 11, 19, 9, tzinfo=UTC)


@pytest.fixture
def kept(desk, tmp_path):
    """A desk with a folder of journals and a ledger beside it."""
    folder = tmp_path / "journals"
    folder.mkdir()
    return desk._replace(ledger=tmp_path / "ledger.duckdb", journals=folder)


def health(desk):
    site = Site(books_of(desk.ledger), desk, Access(is_open=True), lambda: NOW)
    page = TestClient(create_app(site), base_url="http://127.0.0.1").get("/health?format=json").json()
    return page["figures"], next(table["rows"] for table in page["tables"] if table["name"] == "journals")


def written(folder):
    path = new_path(folder, AT)
    JournalWriter(path, AT).close()
    return path


def test_what_the_ledger_has_read_is_told_from_what_it_has_not(kept):
    path = written(kept.journals)
    with DuckDBLedger(kept.ledger) as ledger:
        ledger.ingest([path])
    size = path.stat().st_size
    figures, (row,) = health(kept)
    assert (row["bytes"], row["behind_bytes"], row["damaged"]) == (size, 0, 0)
    assert (figures["behind"]["value"], figures["dropped"]["value"]) == (0, 0)
    later = written(kept.journals)
    figures, rows = health(kept)
    assert {one["journal"]: one["behind_bytes"] for one in rows} == {path.name: 0, later.name: later.stat().st_size}
    assert figures["behind"]["value"] == later.stat().st_size


def test_damaged_lines_are_counted_and_no_other(kept):
    path = written(kept.journals)
    with path.open("ab") as file:
        file.write(b"this is no record\n")
    with DuckDBLedger(kept.ledger) as ledger:
        ledger.ingest([path])
    figures, (row,) = health(kept)
    assert (row["damaged"], figures["dropped"]["value"]) == (1, 1)
    assert row["behind_bytes"] == 0


def test_without_journals_it_says_who_writes_them(kept):
    with DuckDBLedger(kept.ledger):
        pass
    figures, rows = health(kept)
    assert rows == []
    assert figures["behind"]["value"] == 0
