"""The store of budgets hears the truth at the start and while the gateway runs, and hears nothing where that fails."""

import contextlib
import os
from datetime import UTC, datetime

import pytest

from farthing.call import Call, Served, Usage
from farthing.gateway.truth import Truth
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Begun, Posting, Reserved, Stored
from farthing.ledger.journal import JournalWriter, Settled
from farthing.limits.file import limits_of
from farthing.limits.protocol import AccountKey, Ask, Share
from farthing.limits.store import STORE_NAME, SqliteBank

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALL = AccountKey("all")
LIMITS = limits_of({"budget": [{"name": "all", "limit_usd": 1, "window": "total"}]}, "limits.toml")


@pytest.fixture
def log():
    return []


@pytest.fixture
def truth(tmp_path, log):
    return Truth(LIMITS, tmp_path / "ledger.duckdb", tmp_path, log.append)


@pytest.fixture
def killed(tmp_path):
    """A process that was killed with one call of 5 behind it, one of at most 20 under way, and more leased."""
    bank, writer = SqliteBank(tmp_path / STORE_NAME), JournalWriter(tmp_path / "dead.journal", NOON, "never")
    bank.join("dead")
    bank.lease("dead", [Ask(ALL, 100, 50, 0)], 0)
    bank.report("dead", [Share(ALL, 0, 50)], 0)
    served = Served(model="m", usage=Usage(input_tokens=1))
    call = Call(call_id="c", sent_at=NOON, source="gateway", served=served)
    for entry in "12":
        writer.append(Begun(entry, NOON, "m", (Reserved(*ALL, "20"),)))
    writer.append(Settled("1", Stored(call, Posting(list_pusd=5, low_pusd=5, high_pusd=5))))
    bank.close()
    os.close(writer._file)
    with DuckDBLedger(tmp_path / "ledger.duckdb") as ledger:
        assert len(ledger.ingest([writer.path], {writer.path}).unsettled) == 1


def counted(folder):
    with contextlib.closing(SqliteBank(folder / STORE_NAME)) as bank:
        return [(one.key, one.spent_pusd, one.held_pusd) for one in bank.lines()]


def test_a_round_lets_go_what_a_killed_process_held(tmp_path, truth, killed, log):
    truth.round()
    truth.round()
    assert counted(tmp_path) == [(ALL, 5, 20)]
    assert len(log) == 1


def test_a_start_after_a_kill_presumes_no_more_than_calls_without_an_outcome_reserved(tmp_path, truth, killed):
    truth.begin(NOON, unsettled=1)
    assert counted(tmp_path) == [(ALL, 5, 20)]
    truth.begin(NOON, unsettled=1)
    assert counted(tmp_path) == [(ALL, 5, 20)]


def test_a_start_without_a_journal_presumes_all_that_was_held(tmp_path, truth, killed):
    (tmp_path / "dead.journal").unlink()
    truth.begin(NOON, unsettled=1)
    assert counted(tmp_path) == [(ALL, 5, 45)]


def test_an_empty_ledger_is_begun_with(tmp_path, truth, log):
    truth.begin(NOON, unsettled=0)
    assert (counted(tmp_path), log) == ([], [])


def test_what_fails_is_said_once_and_stops_nothing(tmp_path, truth, log):
    (tmp_path / STORE_NAME).write_bytes(b"no database at all" * 100)
    truth.round()
    truth.round()
    assert len(log) == 1
    truth.begin(NOON, unsettled=0)
    assert log[-1].startswith("budgets begin with what was known of them last")


def test_without_budgets_nothing_is_touched(tmp_path, log):
    for limits in (None, limits_of({"budget": [{"name": "one", "limit_usd": 1, "window": "call"}]}, "limits.toml")):
        truth = Truth(limits, tmp_path / "ledger.duckdb", tmp_path, log.append)
        truth.begin(NOON, unsettled=0)
        truth.round()
    assert (list(tmp_path.iterdir()), log) == ([], [])
