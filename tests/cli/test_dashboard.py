"""``farthing dashboard``: a process of its own, its address, and when it refuses to start."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.announced import announced

COMMAND = [sys.executable, "-m", "farthing", "dashboard"]


@pytest.fixture
def running(tmp_path):
    """Starts the command on a free port and hands back what it announced."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", "--json", *map(str, arguments)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
        )
        started.append(process)
        return process, announced(process)

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def test_the_ledger_is_shown_where_it_says_until_it_is_told_to_end(farthing, running, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(farthing.lines(farthing.row(tags={"feature": "chat"})), encoding="utf-8")
    ledger = tmp_path / "own.duckdb"
    farthing("import", "jsonl", rows, "--ledger", ledger)
    process, told = running("--ledger", ledger)
    assert (told["ledger"], told["sign_in"]) == (str(ledger), False)
    page = json.loads(get(f"{told['url']}/?format=json"))
    assert page["figures"]["spend"]["value"] == "0.0045"  # 1,000 in at $3 and 100 out at $15 a million
    farthing("import", "jsonl", "-", "--ledger", ledger, stdin=farthing.lines(farthing.row(tags={"feature": "mail"})))
    page = json.loads(get(f"{told['url']}/?format=json"))
    assert page["figures"]["spend"]["value"] == "0.009"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, None])
def test_beside_another_it_ends_without_a_word_by_a_signal_or_with_its_input(tmp_path, number):
    command = [*COMMAND, "--port", "0", "--json", "--ledger", str(tmp_path / "none.duckdb"), "--end-with-input"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as process:
        announced(process)
        if number is None:
            process.stdin.close()
        else:
            process.send_signal(number)
        assert (process.wait(60), process.stderr.read()) == (0, "")


def test_a_ledger_that_is_not_there_yet_says_what_to_do_and_is_not_made(running, tmp_path):
    _, told = running("--ledger", tmp_path / "none.duckdb")
    assert "farthing import" in get(told["url"])
    assert not (tmp_path / "none.duckdb").exists()


def test_a_token_of_the_settings_closes_it(running, tmp_path):
    (tmp_path / "token").write_text("a-token-that-is-long-enough\n")
    config = tmp_path / "farthing.toml"
    config.write_text('[dashboard]\ntoken_file = "token"\n')
    _, told = running("--config", config)
    assert told["sign_in"] is True
    assert "Sign in" in get(told["url"])


def test_other_machines_are_not_served_without_a_token(farthing):
    assert "token" in farthing("dashboard", "--host", "0.0.0.0", code=1).stderr


def test_a_port_that_is_taken_is_named(farthing, running):
    _, told = running()
    port = told["url"].rpartition(":")[2]
    assert f"port {port}" in farthing("dashboard", "--port", port, code=1).stderr


def test_the_demo_is_made_once(running, tmp_path):
    process, told = running("--demo")
    page = json.loads(get(f"{told['url']}/?format=json"))
    assert page["asked"]["since"].startswith("2026-11-01")
    assert {"spend", "before", "budget_left", "month_end", "cache_saved", "would_save", "coverage"} <= set(
        page["figures"]
    )
    process.kill()
    written = {path: path.stat().st_mtime_ns for path in Path(tmp_path).rglob("*.duckdb")}
    assert written
    running("--demo")
    assert {path: path.stat().st_mtime_ns for path in written} == written
