"""``farthing serve`` as a process: what it prints, what it keeps, how it ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import anthropic
import pytest
from tests.announced import announced

from farthing import testing
from farthing.cli import beside, serve
from farthing.config import load
from farthing.errors import FarthingError
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query

ASK = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Nobody may see this."}]}


@pytest.fixture
def start(tmp_path):
    """Starts the command; it prints a whole JSON object before it serves."""
    running = []

    def started(*arguments, pages=("--no-dashboard",)):
        ledger = str(tmp_path / "ledger.duckdb")
        command = [sys.executable, "-m", "farthing", "serve", "--port", "0", "--json", "--ledger", ledger]
        command += [*pages, *arguments]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={"TZ": "UTC", "HOME": str(tmp_path)},
        )
        running.append(process)
        return process, announced(process)

    yield started
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_forwards_meters_and_ends_cleanly(start, tmp_path, number):
    with testing.sandbox(start=None) as box:
        process, facts = start("--upstream", box.base_url)
        assert facts["upstream"] == box.base_url
        with anthropic.Anthropic(base_url=facts["base_url"], api_key=box.key) as client:
            client.messages.create(**ASK)
        process.send_signal(number)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        (entry,) = box.books
    assert log.startswith("POST /v1/messages 200 ")
    assert len(log.splitlines()) == 1
    assert "Nobody" not in log
    assert box.key not in log
    with open_ledger(tmp_path / "ledger.duckdb") as ledger:
        (stored,) = ledger.calls(Query())
    assert stored.posting.list_pusd == entry.pusd


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--upstream", "api.anthropic.com"], "upstream"), (["--host", "256.0.0.1"], "256.0.0.1")]
)
def test_what_it_cannot_do_is_said_in_one_line(farthing, tmp_path, arguments, said):
    arguments = [*arguments, "--ledger", tmp_path / "ledger.duckdb"]
    assert said in farthing.json("serve", *arguments, code=1)["error"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_dashboard_is_there_and_ends_with_the_gateway_however_that_ends(start, number):
    with testing.sandbox(start=None) as box:
        process, facts = start("--upstream", box.base_url, pages=("--dashboard", "0"))
        with urllib.request.urlopen(facts["dashboard"]) as page:
            assert page.status == 200
            assert b"Overview" in page.read()
        process.send_signal(number)
        process.communicate(timeout=60)
    for _ in range(2_400):
        try:
            urllib.request.urlopen(facts["dashboard"], timeout=5).close()  # a port that is free may even answer itself
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the dashboard went on without its gateway")


def test_without_being_asked_it_serves_the_dashboard_on_the_usual_port(start):
    with socket.socket() as probe:
        is_free = probe.connect_ex(("127.0.0.1", 8790)) != 0
    with testing.sandbox(start=None) as box:
        process, facts = start("--upstream", box.base_url, "--host", "0.0.0.0", pages=())
        if is_free:  # where nobody signs in, this machine alone is served, whatever the gateway listens on
            assert facts["dashboard"] == "http://127.0.0.1:8790"
            with urllib.request.urlopen(facts["dashboard"]) as page:
                assert b"Overview" in page.read()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_where_the_usual_port_is_taken_the_gateway_goes_on_without(start, monkeypatch):
    with contextlib.ExitStack() as stack, testing.sandbox(start=None) as box:
        with contextlib.suppress(OSError):  # somebody else's, then; taken all the same
            stack.enter_context(socket.create_server(("127.0.0.1", 8790)))
        process, facts = start("--upstream", box.base_url, pages=())
        assert facts["dashboard"] is None
        with anthropic.Anthropic(base_url=facts["base_url"], api_key=box.key) as client:
            client.messages.create(**ASK)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    assert "8790" in log.splitlines()[0]
    assert "goes on without" in log


def test_a_dashboard_that_is_asked_for_twice_and_not_at_all_is_an_error(farthing, tmp_path):
    arguments = ["--dashboard", 0, "--no-dashboard", "--ledger", tmp_path / "ledger.duckdb"]
    assert "--no-dashboard" in farthing.json("serve", *arguments, code=1)["error"]


def test_without_the_dashboard_that_was_asked_for_the_gateway_does_not_start(farthing, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments = ["--dashboard", taken.getsockname()[1], "--port", 0, "--ledger", tmp_path / "ledger.duckdb"]
        assert "the dashboard" in farthing.json("serve", *arguments, code=1)["error"]


def test_the_watcher_of_alerts_runs_beside_it_comes_back_and_ends_with_it_even_if_that_is_killed(start, tmp_path):
    config = tmp_path / "farthing.toml"
    config.write_text("[alerts]\nwatch_minutes = 60\n")
    lock = tmp_path / "alerts.sqlite.watcher"

    def watcher(other_than=0):
        for _ in range(2_400):
            if lock.exists() and int(lock.read_text() or 0) not in (0, other_than):
                return int(lock.read_text())
            time.sleep(0.05)
        raise AssertionError("no watcher")

    with testing.sandbox(start=None) as box:
        process, facts = start("--upstream", box.base_url, "--config", str(config))
        assert facts["alerts_every_minutes"] == 60
        first = watcher()
        os.kill(first, signal.SIGKILL)
        second = watcher(first)
        process.send_signal(signal.SIGKILL)
        _, log = process.communicate(timeout=60)
    assert "the watcher of alerts ended with -9; it starts again in 1 s" in log
    for _ in range(2_400):
        try:
            os.kill(second, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the watcher went on without its gateway")


def test_channels_that_nobody_would_tell_are_said(start, tmp_path):
    (tmp_path / "channels.toml").write_text("")
    config = tmp_path / "farthing.toml"
    config.write_text('[alerts]\nchannels = "channels.toml"\n')
    with testing.sandbox(start=None) as box:
        process, facts = start("--upstream", box.base_url, "--config", str(config))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    assert facts["alerts_every_minutes"] == 0
    assert "alerts.watch_minutes = 60" in log


def test_a_dashboard_that_dies_before_it_says_anything_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(beside.sys, "executable", "/bin/false")
    started = serve._dashboard(0, "127.0.0.1", load(environment={}).config.dashboard, ["--ledger", str(tmp_path)])
    with pytest.raises(FarthingError, match="it has said why"), started:
        pass
