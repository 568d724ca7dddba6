"""
The real Claude Code through the gateway, opt-in.

``FARTHING_CLAUDE_CODE=1`` installs the newest one from npm for the test; a folder's name installs it there once. It
runs with an environment of its own, an empty home, the sandbox's key, and every proxy setting pointing at a trap, so
that whatever it wants from anywhere but this machine fails and is seen.
"""

import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from farthing import testing
from farthing.sandbox.answering import Scripted

WANTED = os.environ.get("FARTHING_CLAUDE_CODE", "")
PATH = os.environ.get("PATH", "/usr/bin:/bin")
FOR_NPM = {name: text for name, text in os.environ.items() if not name.startswith(("ANTHROPIC_", "CLAUDE_"))}
"""npm installs as it always does on this machine: its proxy, its certificates. What it installed sees none of that."""

pytestmark = pytest.mark.skipif(not WANTED, reason="FARTHING_CLAUDE_CODE is not set: it would install Claude Code")

QUIET = (
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_AUTOUPDATER",
    "DISABLE_BUG_COMMAND",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
)
NOTE = "A farthing was a quarter of an old penny.\n"


@pytest.fixture(scope="module")
def claude_code(tmp_path_factory):
    """The program, from npm."""
    prefix = tmp_path_factory.mktemp("npm") if WANTED == "1" else Path(WANTED)
    program = prefix / "node_modules" / ".bin" / "claude"
    if not program.exists():
        if (npm := shutil.which("npm", path=PATH)) is None:
            pytest.skip("there is no npm on this machine")
        command = [npm, "install", "--prefix", prefix, "--no-audit", "--no-fund", "--fetch-retries", "0"]
        command.append("@anthropic-ai/claude-code")
        done = subprocess.run(command, env=FOR_NPM, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install Claude Code: {done.stderr[-300:]}")
    return program


@pytest.fixture
def trap():
    """A proxy that lets nothing through and remembers who wanted to go where."""
    wanted = []

    def listen(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                wanted.append(connection.recv(200).split(b"\r\n")[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", wanted
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def script(note):
    """The main agent reads a file, lets a second one read it, reads again, and answers."""
    reads = {"file_path": str(note)}
    task = {"description": "Read", "prompt": "SECOND: read it.", "subagent_type": "general-purpose"}

    def reply(ask):
        blocks = [block for message in ask.body["messages"] for block in _blocks(message["content"])]
        results = sum(block["type"] == "tool_result" for block in blocks)
        is_second = any("SECOND" in block.get("text", "") for block in _blocks(ask.body["messages"][0]["content"]))
        if not ask.body.get("tools") or (is_second and results):
            return testing.Reply(text="It is about a coin.")
        if is_second or results == 0:
            return testing.Reply(text="I read it.", tool_uses=(testing.ToolUse("Read", reads),))
        if results == 1:
            call = testing.ToolUse("Agent", {**task, "run_in_background": False})
            return testing.Reply(text="I ask a second one.", tool_uses=(call,))
        if results == 2:
            return testing.Reply(text="Once more.", tool_uses=(testing.ToolUse("Read", {**reads, "limit": 1}),))
        return testing.Reply(text="A quarter of an old penny.", thinking_tokens=17, output_tokens=40)

    return Scripted(rules=[(lambda _ask: True, reply)])


def _blocks(content):
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def test_a_scripted_run_is_metered_to_the_picodollar(claude_code, trap, gateway_to, tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (work / "note.txt").write_text(NOTE)
    proxy, wanted = trap
    with testing.sandbox(start=None) as box:
        box.world.replies.sources.insert(0, script(work / "note.txt"))
        gateway = gateway_to(box.base_url)
        environment = {
            "PATH": PATH,
            "HOME": str(home),
            "ANTHROPIC_BASE_URL": gateway.base_url,
            "ANTHROPIC_API_KEY": box.key,
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "127.0.0.1",
            **dict.fromkeys(QUIET, "1"),
        }
        command = [claude_code, "-p", "What was a farthing? Read note.txt.", "--output-format", "json"]
        command += ["--model", "claude-sonnet-5", "--allowedTools", "Read,Agent"]
        done = subprocess.run(
            command,
            env=environment,
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        calls, booked = gateway.calls, list(box.books)
    said = json.loads(done.stdout)
    assert said["result"] == "A quarter of an old penny."
    assert wanted == []

    by_message = {stored.call.served.message_id: stored for stored in calls}
    assert len(by_message) == len(calls) == len(booked) >= 6
    for entry in booked:
        stored = by_message[entry.call.served.message_id]
        assert stored.posting.list_pusd == entry.pusd
        assert stored.call.served.usage == entry.call.served.usage
    assert gateway.unsettled == []
    assert all("/v1/messages 200" in line for line in gateway.log)

    usage = [stored.call.served.usage for stored in calls]
    assert sum(one.cache_read_tokens > 0 for one in usage) >= 3
    told = said["modelUsage"].values()
    for key, name in (
        ("inputTokens", "input_tokens"),
        ("outputTokens", "output_tokens"),
        ("cacheReadInputTokens", "cache_read_tokens"),
    ):
        assert sum(one[key] for one in told) == sum(getattr(one, name) for one in usage)

    dims = [stored.call.dims for stored in calls]
    assert {one["session"] for one in dims} == {said["session_id"]}
    assert len({one["user"] for one in dims}) == len({one["api_key"] for one in dims}) == 1
    assert said["session_id"] not in dims[0]["user"]
    assert [len({one["agent"] for one in dims if "agent" in one}), sum("agent" in one for one in dims)] == [1, 2]

    kept = "\n".join(gateway.log).encode() + gateway.journal + gateway.ledger.read_bytes()
    assert box.key.encode() not in kept
    assert b"quarter of an old penny" not in kept
