"""``farthing demo``: the first thing a newcomer sees."""

import json
from decimal import Decimal


def test_the_bill_is_the_same_on_a_second_run(farthing):
    first = farthing.json("demo", "--no-own")
    assert first["totals"]["calls"] == 4480
    assert first["totals"]["unpriced_calls"] == 0
    assert farthing.json("demo", "--no-own") == first
    assert sum(Decimal(row["list_usd"]) for row in first["rows"]) == Decimal(first["totals"]["list_usd"])


def test_what_it_prints(farthing, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = farthing("demo", "--folder", "first-look", "--no-own").stdout
    for application in ("content-assistant", "code-review-bot", "email-classifier"):
        assert application in text
    assert "4,480 calls: $" in text
    assert "measured" in text
    assert "Where the money went" in text
    assert "/ MTok = $" in text
    assert "UNPRICED" not in text
    written = (tmp_path / "first-look" / "traffic.jsonl").read_text().splitlines()
    assert len(written) == 4480
    assert json.loads(written[0])["usage"]


def test_what_it_tells_to_do_next_works(farthing):
    farthing("demo", "--no-own")
    ledger = ".demo/ledger.duckdb"
    assert "tenant" in farthing("report", "--ledger", ledger, "--by", "tenant").stdout
    assert "call types" in farthing("report", "--ledger", ledger, "--pareto").stdout
    priced = farthing("price", ".demo/traffic.jsonl").stdout.splitlines()
    total = sum(Decimal(json.loads(line)["cost_usd"]) for line in priced)
    assert str(total.normalize()) == farthing.json("report", "--ledger", ledger)["totals"]["list_usd"]
