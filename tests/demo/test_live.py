"""The month, sent through gateway and sandbox."""

from datetime import date

from farthing.demo import live
from farthing.demo.traffic import traffic
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query


def test_every_call_is_metered_once_at_what_the_cost_report_says(tmp_path, monkeypatch):
    month = traffic(date(2026, 11, 1))
    rows = month[:300] + [row for row in month[300:] if row["usage"]["service_tier"] == "batch"][:40]
    monkeypatch.setattr(live, "traffic", lambda _end: rows)
    done = []
    sent = live.send_month(tmp_path / "ledger.duckdb", date(2026, 11, 1), advance=done.append)
    assert sum(done) == sent.calls == len(rows)
    assert sent.log == ()
    with open_ledger(tmp_path / "ledger.duckdb") as ledger:
        stored = list(ledger.calls(Query()))
    assert len(stored) == len(rows)
    assert sum(one.posting.list_pusd for one in stored) == sent.reported_pusd > 0
    assert sum(one.call.served.service_tier == "batch" for one in stored) >= 40
    outputs = sum(row["usage"]["output_tokens"] for row in rows)
    assert sum(one.call.served.usage.output_tokens for one in stored) == outputs
    assert {one.call.dims["tenant"] for one in stored} == {row["tags"]["tenant"] for row in rows}
