"""``farthing sandbox`` as a process: what it prints, what it serves, how it ends."""

import signal
import subprocess
import sys

import anthropic
import pytest
from tests.announced import announced

from farthing.cli.sandbox import sandbox  # noqa: F401 - imported here, so that its time is not the first test's

REPLY = '{"text": "As ordered.", "output_tokens": 50}\n'


@pytest.fixture
def start(tmp_path):
    """Starts the command; it prints a whole JSON object before it serves."""
    running = []

    def started(*arguments):
        command = [sys.executable, "-m", "farthing", "sandbox", "--port", "0", "--json", *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={"TZ": "UTC"}
        )
        running.append(process)
        return process, announced(process)

    yield started
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_as_told_and_ends_cleanly(start, tmp_path, number):
    (tmp_path / "replies.jsonl").write_text(REPLY)
    process, facts = start("--replies", "replies.jsonl", "--virtual-clock", "2026-11-20T09:00:00Z", "--tier", "Start")
    with anthropic.Anthropic(base_url=facts["base_url"], api_key=facts["api_key"]) as client:
        secret = "A prompt that nobody else may see."
        raw = client.messages.with_raw_response.create(
            model="claude-opus-5-5", max_tokens=100, messages=[{"role": "user", "content": secret}]
        )
    message = raw.parse()
    assert (message.content[0].text[:11], message.usage.output_tokens) == ("As ordered.", 50)
    assert raw.headers["anthropic-ratelimit-requests-limit"]
    process.send_signal(number)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0
    assert log.startswith("POST /v1/messages 200 ")
    assert len(log.splitlines()) == 1
    assert secret not in log
    assert facts["api_key"] not in log


def test_a_signal_sent_the_moment_it_is_announced_ends_it(start):
    process, _ = start()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tier", "Gold"], "--tier"),
        (["--virtual-clock", "noon"], "--virtual-clock"),
        (["--host", "256.0.0.1"], "256.0.0.1"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(farthing, arguments, said):
    assert said in farthing.json("sandbox", *arguments, code=1)["error"]


def test_a_bad_reply_is_named_by_its_line(farthing, tmp_path):
    (tmp_path / "replies.jsonl").write_text(REPLY + '{"txt": "typo"}\n')
    error = farthing.json("sandbox", "--replies", "replies.jsonl", code=1)["error"]
    assert "line 2" in error
    assert "'txt'" in error


def test_a_taken_port_is_said(farthing):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "listen on" in farthing.json("sandbox", "--port", taken.getsockname()[1], code=1)["error"]
