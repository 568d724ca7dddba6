"""The file itself: migrations, and every way in which it cannot be opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from farthing.errors import LedgerFault
from farthing.ledger import open_ledger, store
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import JournalOwner, Ledger, Query
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.staging import id_key

COLUMNS = "SELECT table_name, ordinal_position, column_name, data_type, is_nullable FROM information_schema.columns"
VIEWS = "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal"
VERSIONS = "SELECT * FROM schema_version"


def shape(path):
    with duckdb.connect(str(path)) as connection:
        return [connection.execute(f"{query} ORDER BY ALL").fetchall() for query in (COLUMNS, VIEWS, VERSIONS)]


def test_installing_fresh_equals_migrating_step_by_step(tmp_path, monkeypatch):
    fresh, old = tmp_path / "fresh.duckdb", tmp_path / "old.duckdb"
    open_ledger(fresh).close()
    every = store.migrations()
    assert [number for number, _, _ in every] == list(range(1, len(every) + 1))
    for count in range(1, len(every) + 1):
        monkeypatch.setattr(store, "migrations", lambda known=every[:count]: known)
        store.open_file(old, 500).close()
    assert shape(old) == shape(fresh)
    assert [number for number, _ in shape(fresh)[2]] == [number for number, _, _ in every]


def test_a_migration_that_fails_is_taken_back_and_named(path, monkeypatch):
    broken = [*store.migrations(), (99, "0099_broken", "CREATE TABLE half (a INTEGER); SELECT nonsense;")]
    monkeypatch.setattr(store, "migrations", lambda: broken)
    with pytest.raises(LedgerFault, match="could not be used"):
        open_ledger(path)
    monkeypatch.undo()
    with open_ledger(path) as ledger:
        assert ledger.report(Query())[0].calls == 0
    assert "half" not in str(shape(path))


def test_a_newer_ledger_is_refused(path):
    open_ledger(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (77, '0077_future')")
    with pytest.raises(LedgerFault, match=r"newer farthing.*version 77.*upgrade"):
        open_ledger(path)


def test_another_programs_file_is_refused_and_left_alone(path):
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE precious (a INTEGER)")
    with pytest.raises(LedgerFault, match="not a ledger"):
        open_ledger(path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("precious",)]


@pytest.mark.parametrize("content", [b"this is no database", b"\x00" * 20_000, bytes(range(256)) * 64])
def test_a_file_that_is_no_database_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(LedgerFault, match=r"ledger\.duckdb") as caught:
        open_ledger(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_damaged_file_is_one_clear_line(path, make):
    with open_ledger(path) as ledger:
        ledger.add([make(str(n)) for n in range(500)])
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(byte ^ 0xFF for byte in data[4096:])
    path.write_bytes(data)
    with pytest.raises(LedgerFault, match="damaged; restore a copy") as caught:
        open_ledger(path).report(Query())
    assert "\n" not in str(caught.value)


def test_a_file_that_was_cut_is_called_damaged(path, make):
    with open_ledger(path) as ledger:
        ledger.add([make(str(n)) for n in range(500)])
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(LedgerFault, match="damaged; restore a copy"):
        open_ledger(path).report(Query())


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(LedgerFault, match=r"no folder .*nowhere"):
        open_ledger(tmp_path / "nowhere" / "ledger.duckdb")


def test_a_folder_is_no_ledger(tmp_path):
    with pytest.raises(LedgerFault, match="is a folder"):
        open_ledger(tmp_path)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that not even root may write to")
def test_a_folder_that_cannot_be_written_is_one_clear_line():
    with pytest.raises(LedgerFault, match="cannot open the ledger") as caught:
        open_ledger(Path("/proc/self/ledger.duckdb"))
    assert "\n" not in str(caught.value)


def test_a_file_that_another_process_writes_is_refused_with_its_number(path):
    script = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(LedgerFault, match=rf"process {other.pid} is writing it.*ask that process"):
            open_ledger(path)
        other.stdin.close()
    open_ledger(path).close()


@pytest.mark.parametrize("path", [None, Path(":memory:")])
def test_without_a_file_the_ledger_is_in_memory(path):
    with open_ledger(path) as ledger:
        assert isinstance(ledger, MemoryLedger)


def test_what_was_added_is_there_after_reopening(path, make):
    with open_ledger(path) as ledger:
        ledger.add([make("a"), make("b")])
    with open_ledger(path) as ledger:
        assert ledger.add([make("b"), make("c")]).new == 1
        assert [s.call.served.message_id for s in ledger.calls(Query())] == ["msg_a", "msg_b", "msg_c"]


def test_every_query_begins_with_its_intent():
    files = [*(store.HERE / "queries").glob("*.sql"), *(store.HERE / "migrations").glob("*.sql")]
    assert files
    for file in files:
        assert file.read_text().startswith("-- "), file.name


def test_both_engines_have_every_method_of_the_interface():
    methods = {name for name in vars(Ledger) if not name.startswith("_")}
    for engine in (MemoryLedger, DuckDBLedger):
        assert methods <= set(vars(engine))
    assert {name for name in vars(JournalOwner) if not name.startswith("_")} <= set(vars(DuckDBLedger))


def test_contract_prices_of_a_ledger_from_before_are_kept_and_restored(path, monkeypatch):
    """Before migration 5 a correction kept no contract price, because none could change one."""
    every = store.migrations()
    monkeypatch.setattr(store, "migrations", lambda: every[:4])
    with store.open_file(path, 500) as connection:
        head = [
            1,
            "id",
            id_key("id"),
            None,
            None,
            None,
            "2026-03-10",
            "s",
            "m",
            "claude_api",
            None,
            "standard",
            "standard",
        ]
        served = [*[None] * 6, 1, "measured", [], *[0] * 10]
        row = [*head, *served, *[None] * 11, {}, None, None, 5, 5, 5, 4, "measured", "", "b"]
        connection.execute(f"INSERT INTO calls VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("INSERT INTO corrections VALUES (1, '2026-03-11', 'why', 'b', 'standing')")
        connection.execute("INSERT INTO changes VALUES (1, 'm', 1, 1, 9, 5, 0, 0)")
        connection.execute("INSERT INTO former_postings VALUES (1, 1, 9, 9, 9, 'measured', '', 'a')")
    monkeypatch.undo()
    with open_ledger(path) as ledger:
        [change] = ledger.corrections()[0].changes
        assert (change.before_pusd, change.after_pusd, change.before_contract_pusd) == (9, 5, None)
        ledger.revert(1)
        posting = ledger.get("id").posting
        assert (posting.list_pusd, posting.contract_pusd, posting.book_version) == (9, 4, "a")
