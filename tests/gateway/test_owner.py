"""The owner of the journals fills the ledger once, whoever asks for it at the same time."""

import threading
from datetime import UTC, datetime

from farthing.call import Call, Served, Usage
from farthing.gateway.metrics import Metrics
from farthing.gateway.owner import Owner
from farthing.ledger import open_ledger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.journal import Begun, JournalWriter, Settled, new_path
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def stored(number):
    served = Served(model="claude-sonnet-5", usage=Usage(input_tokens=number), message_id=f"msg_{number}")
    call = Call(call_id=served.message_id, sent_at=AT, source="gateway", served=served)
    return Stored(call, Posting.of(price_served(shipped_book(), served, AT), None))


def test_rounds_at_the_same_time_post_each_call_once(tmp_path):
    with JournalWriter(new_path(tmp_path, AT), AT, "never") as journal:
        for number in range(200):
            journal.append(Begun(f"call_{number}", AT, "claude-sonnet-5"))
            journal.append(Settled(f"call_{number}", stored(number)))
    said = []
    owner = Owner(tmp_path / "ledger.duckdb", tmp_path, Metrics(), said.append)
    together = threading.Barrier(4)

    def ingest():
        together.wait()
        owner.ingest()

    threads = [threading.Thread(target=ingest) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_ledger(tmp_path / "ledger.duckdb") as ledger:
        assert len(list(ledger.calls(Query()))) == 200
        assert ledger.unsettled() == []
    assert said == []


def test_a_defect_of_our_own_ends_no_round(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("with a secret in its words")

    (tmp_path / "a.journal").write_bytes(b"")
    monkeypatch.setattr("farthing.ledger.duckdb.DuckDBLedger.ingest", broken)
    log, metrics = [], Metrics()
    owner = Owner(tmp_path / "ledger.duckdb", tmp_path, metrics, log.append)
    owner.ingest()
    assert metrics.value("farthing_ingest_failures_total") == 1
    assert log == ["the ledger did not take the journals, they are kept: ZeroDivisionError, a defect of farthing"]
