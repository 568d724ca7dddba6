"""``farthing demo``: the first thing a newcomer sees."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from farthing.cli import demo as module


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The ledger of a month that was sent once, for all tests here."""
    folder = tmp_path_factory.mktemp("month")
    module._send(folder / "ledger.duckdb", hidden=True)
    return folder


@pytest.fixture
def sent(month, tmp_path):
    """That month where ``farthing demo`` looks for it."""
    return Path(shutil.copytree(month, tmp_path / ".demo"))


def test_the_bill_is_the_same_on_a_second_run(farthing, sent):
    first = farthing.json("demo", "--no-own")
    assert first["totals"]["calls"] == 4480
    assert first["totals"]["unpriced_calls"] == 0
    assert first["sandbox"]["cost_report_usd"] == first["totals"]["list_usd"]
    assert farthing.json("demo", "--no-own") == first
    assert sum(Decimal(row["list_usd"]) for row in first["rows"]) == Decimal(first["totals"]["list_usd"])


def test_a_run_that_was_broken_off_leaves_no_ledger(farthing, tmp_path, monkeypatch):
    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("farthing.demo.live._send_one", broken)
    farthing("demo", "--no-own", code=130)
    assert [file.name for file in (tmp_path / ".demo").iterdir()] == ["traffic.jsonl"]


def test_what_it_prints(farthing, sent, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    sent.rename(tmp_path / "first-look")
    text = farthing("demo", "--folder", "first-look", "--no-own").stdout
    for application in ("content-assistant", "code-review-bot", "email-classifier"):
        assert application in text
    assert "4,480 calls: $" in text
    assert "measured" in text
    assert "Where the money went" in text
    assert "/ MTok = $" in text
    assert "UNPRICED" not in text
    assert "Equal." in text
    written = (tmp_path / "first-look" / "traffic.jsonl").read_text().splitlines()
    assert len(written) == 4480
    assert json.loads(written[0])["usage"]


def test_what_it_tells_to_do_next_works(farthing, sent):
    farthing("demo", "--no-own")
    ledger = ".demo/ledger.duckdb"
    assert "tenant" in farthing("report", "--ledger", ledger, "--by", "tenant").stdout
    assert "call types" in farthing("report", "--ledger", ledger, "--pareto").stdout
    priced = farthing("price", ".demo/traffic.jsonl").stdout.splitlines()
    assert len(priced) == farthing.json("report", "--ledger", ledger)["totals"]["calls"]


def test_without_the_sdk_the_month_is_imported(farthing, monkeypatch):
    monkeypatch.setattr("farthing.cli.demo._has_sdk", lambda: False)
    told = farthing.json("demo", "--no-own")
    assert told["sandbox"] is None
    assert told["totals"]["calls"] == 4480
    priced = farthing("price", ".demo/traffic.jsonl").stdout.splitlines()
    total = sum(Decimal(json.loads(line)["cost_usd"]) for line in priced)
    assert str(total.normalize()) == told["totals"]["list_usd"]
    assert "Imported." in farthing("demo", "--no-own").stdout
