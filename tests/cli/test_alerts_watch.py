"""``farthing alerts watch`` as a process: it tells once, whoever is killed, and ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from farthing.cli import beside
from farthing.ledger import open_ledger

HOUR = timedelta(hours=1)


@pytest.fixture
def hook(tmp_path, monkeypatch):
    """A webhook that remembers the ids of what it got, and is the one channel."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append(self.headers["webhook-id"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    (tmp_path / "channels.toml").write_text(
        f'[[channel]]\nname = "ops"\nkind = "webhook"\nurl = "http://127.0.0.1:{server.server_port}/"\n'
        'secret_env = "OPS_SECRET"\n'
    )
    monkeypatch.setenv("OPS_SECRET", "a-secret-of-the-test")
    monkeypatch.setenv("FARTHING_ALERTS_CHANNELS", str(tmp_path / "channels.toml"))
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def spiked(farthing, tmp_path):
    """Two weeks of a call an hour, and forty large ones in the last two hours."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    times = [(now - hours * HOUR, 1000) for hours in range(1, 14 * 24)]
    times += [(now - (1 + n % 2) * HOUR + timedelta(seconds=n), 50_000) for n in range(40)]
    rows = [
        farthing.row(id=f"r{n}", at=at.isoformat(), usage={"input_tokens": size}, tags={"tenant": "a", "feature": "b"})
        for n, (at, size) in enumerate(times)
    ]
    (tmp_path / "calls.jsonl").write_text(farthing.lines(*rows))
    farthing("import", "jsonl", tmp_path / "calls.jsonl")


@pytest.fixture
def start(tmp_path):
    running = []

    def started(*arguments, **more):
        command = [sys.executable, "-m", "farthing", "alerts", "watch", "--json", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, **more)
        running.append(process)
        return process

    yield started
    for process in running:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stdin):
            if stream is not None:
                stream.close()


def line(process):
    return json.loads(process.stdout.readline())


def test_it_tells_once_although_two_watch_and_one_is_killed(start, spiked, hook, farthing):
    first = start()
    said = line(first)
    assert (len(said["judged"]["firing"]), said["delivered"]["sent"]) == (1, 1)
    second = start()
    assert line(second) == {"waiting_for": first.pid}
    first.send_signal(signal.SIGKILL)
    said = line(second)
    assert (said["error"], said["judged"]["firing"]) == (None, [1])
    assert all(one["event"] is None for one in said["judged"]["changed"])  # where an hour just ended it is longer
    assert said["delivered"] == {"sent": 0, "failed": 0, "given_up": 0}
    farthing("alerts", "check", code=2)
    (delivery,) = hook.got
    assert delivery.startswith("incident-1-")
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(start, spiked, number):
    process = start()
    assert line(process)["judged"]["firing"] == [1]
    process.send_signal(number)
    assert process.wait(60) == 0


def test_it_ends_with_its_input_and_while_it_waits_for_another(start, spiked):
    first = start("--end-with-input", stdin=subprocess.PIPE)
    line(first)
    second = start("--end-with-input", stdin=subprocess.PIPE)
    assert line(second)["waiting_for"] == first.pid
    for process in (second, first):
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_one_that_listens_to_its_input(start, spiked, number):
    process = start("--end-with-input", stdin=subprocess.PIPE)
    line(process)
    process.send_signal(number)
    assert process.wait(60) == 0


def test_a_ledger_that_is_locked_or_missing_is_waited_for(start, tmp_path, monkeypatch):
    monkeypatch.setenv("FARTHING_LEDGER_PATH", str(tmp_path / "ledger.duckdb"))
    with open_ledger(tmp_path / "ledger.duckdb"):  # held for writing
        process = start()
        said = line(process)
    assert "another process is writing it" in said["error"]
    at, again = (datetime.fromisoformat(said[name]) for name in ("at", "next_at"))
    assert again - at <= timedelta(seconds=30)
    assert process.poll() is None


def test_people_read_a_sentence(tmp_path, spiked):
    command = [sys.executable, "-m", "farthing", "alerts", "watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        said = process.stdout.readline()
        process.terminate()
    assert "UTC: 1 open, $" in said
    assert "at stake; 1 new; 1 series watched; next round" in said


def test_what_is_wrong_with_the_settings_is_said_at_once(farthing, tmp_path, monkeypatch):
    assert "1m to 1d" in farthing("alerts", "watch", "--every", "2d", code=1).stderr
    (tmp_path / "channels.toml").write_text("[[channel]]\nname = 1\n")
    monkeypatch.setenv("FARTHING_ALERTS_CHANNELS", str(tmp_path / "channels.toml"))
    assert "channels.toml" in farthing("alerts", "watch", code=1).stderr


def test_one_that_keeps_dying_is_started_again_a_few_times_and_then_said_to_be_gone(monkeypatch):
    monkeypatch.setattr(beside, "RESTARTS_MAX", 1)
    told = []
    with beside.kept_beside("the watcher", ["no-such-command"], told.append, pause_s=0.001):
        for _ in range(2_400):
            if told and "not started again" in told[-1]:
                break
            time.sleep(0.05)
    assert told == [
        "the watcher ended with 1; it starts again in 0.001 s",
        "the watcher ended with 1, 2 times in a row, and is not started again",
    ]


def test_one_that_is_killed_is_started_again(spiked, tmp_path):
    told = []
    lock = tmp_path / "alerts.sqlite.watcher"

    def other(than=""):
        for _ in range(2_400):
            if lock.exists() and (found := lock.read_text()) not in ("", than):
                return found
            time.sleep(0.05)
        raise AssertionError(f"no watcher; {told}")

    with beside.kept_beside("the watcher", ["alerts", "watch"], told.append, pause_s=0.01):
        first = other()
        os.kill(int(first), signal.SIGKILL)
        second = other(first)
    assert told == ["the watcher ended with -9; it starts again in 0.01 s"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(second), 0)
