"""The ledger is opened for one answer, waits for whoever writes it, and is not opened where nothing changed."""

import subprocess
import sys

import pytest
from tests.dashboard.made import OpenLedger, posted

from farthing.dashboard.books import Books, books_of
from farthing.errors import LedgerFault
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.ledger.reading import DuckDBReader

WRITER = """
import sys, time
from pathlib import Path
from farthing.ledger.duckdb import DuckDBLedger
with DuckDBLedger(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path, calls):
    file = tmp_path / "ledger.duckdb"
    with open_ledger(file) as made:
        made.add(map(posted, calls[:20]))
    return file


@pytest.fixture
def writer(path):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()


def test_a_reader_answers_as_the_ledger_does_and_changes_nothing(path, calls):
    query = Query(by=("model",), bucket="day")
    with open_ledger(path) as ledger:
        wanted = ledger.report(query), list(ledger.calls(Query()))
    before = path.read_bytes()
    with DuckDBReader(path) as reader:
        assert (reader.report(query), list(reader.calls(Query()))) == wanted
        with pytest.raises(LedgerFault):
            reader.add([posted(calls[30])])
    assert path.read_bytes() == before


def test_readers_do_not_disturb_one_another(path):
    with DuckDBReader(path) as one, DuckDBReader(path) as other:
        assert one.report(Query()) == other.report(Query())


def test_a_reader_says_when_somebody_writes_for_too_long(path, writer):
    with pytest.raises(LedgerFault, match="another process is writing it"):
        DuckDBReader(path, wait_s=0.1)


def test_a_reader_waits_for_a_round_to_end(path, writer):
    writer.stdin.write("\n")
    writer.stdin.flush()
    with DuckDBReader(path, wait_s=30) as reader:
        assert reader.report(Query())[0].calls == 20


def test_a_ledger_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(LedgerFault, match="found no ledger"):
        DuckDBReader(tmp_path / "none.duckdb")
    assert not list(tmp_path.iterdir())


def test_what_is_no_ledger_says_so(tmp_path):
    file = tmp_path / "text.duckdb"
    file.write_text("not a database at all, but some text that goes on for a while")
    with pytest.raises(LedgerFault, match="cannot read the ledger"):
        DuckDBReader(file, wait_s=0)


def test_an_answer_is_made_once_until_the_ledger_changes(path, calls):
    books, made = books_of(path), []

    def answer(ledger):
        made.append(1)
        return ledger.report(Query())[0].calls

    for _ in range(3):
        with books.shelf() as shelf:
            assert shelf.kept("calls", answer) == 20
    assert len(made) == 1
    with open_ledger(path) as ledger:
        ledger.add(map(posted, calls[20:25]))
    with books.shelf() as shelf:
        assert shelf.kept("calls", answer) == 25
    assert len(made) == 2


def test_while_the_ledger_cannot_be_opened_answers_stay_as_they_were_together():
    ledgers, stamps = iter([OpenLedger(), LedgerFault("locked"), OpenLedger()]), iter([1, 2, 3])

    def opened():
        found = next(ledgers)
        if isinstance(found, LedgerFault):
            raise found
        return found

    books = Books(opened, lambda: next(stamps))
    with books.shelf() as shelf:
        assert shelf.kept("first", lambda _: "made at 1") == "made at 1"
    with books.shelf() as shelf:
        assert shelf.is_old
        assert shelf.kept("first", lambda _: "made at 2") == "made at 1"
        with pytest.raises(LedgerFault):
            shelf.kept("second", lambda _: "of another moment")
    with books.shelf() as shelf:
        assert not shelf.is_old
        assert shelf.kept("first", lambda _: "made at 3") == "made at 3"
