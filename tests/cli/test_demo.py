"""``farthing demo``: the first thing a newcomer sees, on a few days of its season."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from farthing.cli import demo as module
from farthing.cli import demo_pages
from farthing.demo import season as seasons

DAYS = [ask for ask in seasons.season() if ask.at >= datetime(2026, 11, 16, tzinfo=UTC)]


def shorten(monkeypatch):
    for name in ("farthing.demo.season", "farthing.demo.live", "farthing.dashboard.demo"):
        monkeypatch.setattr(f"{name}.season", lambda: DAYS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a first run leaves behind, sent once for all tests here."""
    made = tmp_path_factory.mktemp("season")
    with pytest.MonkeyPatch.context() as monkeypatch:
        shorten(monkeypatch)
        module._filled(made, hidden=True)
    return made


@pytest.fixture(autouse=True)
def short(monkeypatch):
    shorten(monkeypatch)


@pytest.fixture
def sent(folder, tmp_path):
    """That run where ``farthing demo`` looks for it."""
    return Path(shutil.copytree(folder, tmp_path / ".demo"))


def test_the_bill_is_the_same_on_a_second_run(farthing, sent):
    first = farthing.json("demo", "--no-own", "--no-dashboard")
    assert first["totals"]["calls"] == len(DAYS)
    assert first["totals"]["unpriced_calls"] == 0
    assert first["sandbox"]["cost_report_usd"] == first["totals"]["list_usd"]
    assert farthing.json("demo", "--no-own", "--no-dashboard") == first
    assert sum(Decimal(row["list_usd"]) for row in first["rows"]) == Decimal(first["totals"]["list_usd"])


def test_a_run_that_was_broken_off_leaves_no_ledger(farthing, tmp_path, monkeypatch):
    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("farthing.demo.live._send_one", broken)
    farthing("demo", "--no-own", "--no-dashboard", code=130)
    assert list((tmp_path / ".demo").iterdir()) == []


def test_what_it_prints(farthing, sent, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    sent.rename(tmp_path / "first-look")
    text = farthing("demo", "--folder", "first-look", "--no-own", "--no-dashboard").stdout
    for feature in ("contract-questions", "coding-agent", "support-chat"):
        assert feature in text
    assert f"{len(DAYS):,} calls: $" in text
    assert "measured" in text
    assert "Where the money went" in text
    assert "/ MTok = $" in text
    assert "UNPRICED" not in text
    assert "Equal." in text


def test_what_it_tells_to_do_next_works(farthing, sent):
    text = farthing("demo", "--no-own", "--no-dashboard").stdout
    told = [line.split()[1:] for line in text.splitlines() if "--ledger" in line]
    assert [words[0] for words in told] == ["report", "moved", "playbook"]
    report, _, playbook = told  # these days alone have no October to compare with
    assert "tenant-01" in farthing(*report).stdout
    assert "Back-test" in farthing(*playbook).stdout


def test_without_the_sdk_the_same_is_played_without_http(farthing, folder, monkeypatch):
    monkeypatch.setattr("farthing.cli.demo._has_sdk", lambda: False)
    told = farthing.json("demo", "--no-own", "--no-dashboard")
    assert told["sandbox"] is None
    assert told["totals"]["calls"] == len(DAYS)
    assert "without HTTP" in farthing("demo", "--no-own", "--no-dashboard").stdout


def test_the_address_that_it_prints_works_after_it_has_ended(farthing, sent, monkeypatch):
    monkeypatch.setattr(demo_pages, "_is_free", lambda _port: False)  # somebody may be looking at a demo of their own
    for seconds in ("_STARTUP_S", "_ANSWER_S"):
        monkeypatch.setattr(demo_pages, seconds, 120)  # on a busy machine
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: started.append(popen(*args, **options)) or started[0]
    )
    try:
        address = farthing.json("demo", "--no-own")["dashboard"]
        with urllib.request.urlopen(f"{address}/?format=json", timeout=30) as answer:
            page = json.load(answer)
        total = farthing.json("report", "--ledger", ".demo/ledger.duckdb")["totals"]["list_usd"]
        assert page["figures"]["spend"]["value"] == total
        assert address in farthing("demo", "--no-own").stdout  # the same one again
        assert len(started) == 1
    finally:
        for process in started:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(60)
