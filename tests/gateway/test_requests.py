"""What the gateway keeps of a request: the prompt as the upstream's cache saw it, and not a word of it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import time
import tracemalloc
from datetime import timedelta
from urllib.parse import urlsplit

import anthropic
import msgspec
import pytest

from farthing import testing
from farthing.gateway.asked import read_request
from farthing.gateway.fingerprint import Fingerprinter
from farthing.gateway.owner import Owner
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.ledger.journal import Begun, JournalWriter, Settled, new_path
from farthing.prompts.blocks import read_prompt
from farthing.sandbox.replies import Reply
from farthing.units import Kind

CANARY = "CANARY-7f3a"
MODEL = "claude-sonnet-4-6"
LONG = f"{CANARY} <<tokens:2000>>"


@contextlib.contextmanager
def client_of(gateway):
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=testing.Sandbox.key, max_retries=0) as client:
        yield client


@contextlib.contextmanager
def post(gateway, body):
    """The answer to a raw request, its head read."""
    connection = http.client.HTTPConnection(urlsplit(gateway.base_url).netloc, timeout=30)
    headers = {"x-api-key": testing.Sandbox.key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    connection.request("POST", "/v1/messages", msgspec.json.encode(body), headers)
    with contextlib.closing(connection):
        yield connection.getresponse()


def cached(text, **more):
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", **more}}


def asked_of(gateway):
    return [stored.call.request for stored in gateway.calls]


def test_settings_tools_and_blocks_are_kept(gateway):
    with client_of(gateway) as client:
        client.messages.create(
            model=MODEL,
            max_tokens=2000,
            thinking={"type": "enabled", "budget_tokens": 1024},
            tools=[{"name": "look", "description": CANARY, "input_schema": {"type": "object"}}],
            system=[cached(LONG, ttl="1h")],
            messages=[{"role": "user", "content": f"hello {CANARY}"}],
        )
    [request] = asked_of(gateway)
    assert (request.model, request.stream, request.max_tokens) == (MODEL, False, 2000)
    assert (request.thinking, request.thinking_budget_tokens, request.tools) == ("enabled", 1024, 1)
    assert [(block.section, block.ttl) for block in request.blocks] == [
        ("tools", None),
        ("system", "1h"),
        ("messages", None),
    ]
    assert request.tools_tokens > 0


def test_no_word_of_a_prompt_or_answer_is_in_journal_ledger_or_log(gateway, box):
    box.reply(Reply(text=f"answer {CANARY}"))
    body = {
        "model": MODEL,
        "max_tokens": 10,
        "metadata": {},
        "system": [cached(LONG)],
        "output_config": {"effort": f"{CANARY} high"},
        "messages": [{"role": "user", "content": CANARY}],
    }
    with post(gateway, body) as answer:
        answer.read()
    asked = [{"role": "user", "content": CANARY}]
    with client_of(gateway) as client, client.messages.stream(model=MODEL, max_tokens=10, messages=asked) as stream:
        stream.get_final_message()
    journal = gateway.journal
    assert gateway.calls
    assert CANARY.encode() not in journal + gateway.ledger.read_bytes()
    assert CANARY not in "\n".join(gateway.log)


def test_two_calls_share_hashes_exactly_as_far_as_the_upstreams_cache_said(gateway):
    read = {}
    systems = [[cached(LONG)], [cached(LONG)], [cached(LONG + "!")]]
    questions = ("one <<tokens:1500>>", "one <<tokens:1500>>", "two <<tokens:1500>>")
    with client_of(gateway) as client:
        for system, question in itertools.product(systems, questions):
            message = client.messages.create(
                model=MODEL, max_tokens=5, system=system, messages=[{"role": "user", "content": [cached(question)]}]
            )
            read[message.id] = message.usage.cache_read_input_tokens
    requests = {stored.call.served.message_id: stored.call.request for stored in gateway.calls}
    assert len(requests) == 9
    known: set[bytes] = set()
    for message_id, tokens in read.items():
        system, question = requests[message_id].blocks
        expected = 3500 if question.prefix_hash in known else 2000 if system.prefix_hash in known else 0
        assert tokens == expected
        known |= {system.prefix_hash, question.prefix_hash}


class Counting:
    """Counts nothing: hashes alone are compared."""

    def block(self, _part):
        return 0

    def preamble(self, _section, _body):
        return 0


def read(fingerprinter, body):
    return fingerprinter.request(read_request(body).whole, body)


def test_hashes_are_those_that_read_prompt_gives():
    body = {
        "model": MODEL,
        "tools": [{"name": "a", "input_schema": {}}, {"type": "web_search_20260209", "name": "web_search"}],
        "tool_choice": {"type": "any"},
        "system": "be brief",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "caf\u00e9"}]}],
    }
    found = read(Fingerprinter(pytest.fail), msgspec.json.encode(body))
    expected = read_prompt(body, Counting()).blocks
    assert [block.prefix_hash for block in found.blocks] == [block.prefix_hash for block in expected]


@pytest.mark.parametrize(
    ("body", "failures"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"model": "m", "max_tokens": 1e99, "messages": 3}', ["prompt not readable"]),
        (b'{"model": "m", "messages": [7]}', ["prompt not readable"]),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}', None),
        (b'{"model": "m", "system": [{"type": "text", "text": "", "cache_control": {}}]}', ["prompt not readable"]),
        (b'{"model": "m", "messages": [{"role": "user", "content": ' + b"[" * 5000 + b"]" * 5000 + b"}]}", None),
    ],
)
def test_a_body_that_cannot_be_read_is_what_is_known_of_it(body, failures):
    failed: list[str] = []
    request = read(Fingerprinter(failed.append), body)
    assert request is None or (request.model, request.max_tokens, request.blocks) == ("m", None, ())
    assert failures is None or failed == failures


@pytest.mark.parametrize(
    "named",
    [
        {"model": "m" * 200_000},
        {"speed": "s" * 200_000},
        {"inference_geo": "g" * 200_000},
        {"thinking": {"type": "t" * 200_000}},
        {"output_config": {"effort": "e" * 200_000}},
    ],
)
def test_no_name_without_end_is_remembered(named):
    """Names are kept beside what is remembered under them, once for each block."""
    failed: list[str] = []
    blocks = [{"type": "text", "text": f"text {at}"} for at in range(100)]
    body = {"model": MODEL, "messages": [{"role": "user", "content": blocks}], **named}
    data = msgspec.json.encode(body)
    fingerprinter = Fingerprinter(failed.append)
    tracemalloc.start()
    try:
        request = read(fingerprinter, data)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert (request.blocks, failed) == ((), ["prompt not readable"])
    assert kept < 100_000


def test_times_are_measured_by_a_clock_that_does_not_jump(box, gateway_to):
    at = itertools.count()
    gateway = gateway_to(box.base_url, now=lambda: box.clock.now() - timedelta(days=next(at)))
    asked = [{"role": "user", "content": "hi"}]
    with client_of(gateway) as client:
        with client.messages.stream(model=MODEL, max_tokens=10, messages=asked) as stream:
            stream.get_final_message()
        client.messages.create(model=MODEL, max_tokens=10, messages=asked)
    for stored in gateway.calls:
        assert 0 <= stored.call.ttft_ms <= stored.call.duration_ms < 30_000


@pytest.fixture
def live():
    """A sandbox on the machine's clock: only there a stream takes its time."""
    with testing.sandbox(start=None) as box:
        yield box


def test_a_stream_that_was_read_to_its_start_is_recovered_when_its_process_is_gone(live, gateway_to, tmp_path):
    """What a killed process leaves is its journal: a copy made in the middle of the stream, without its writer."""
    gateway = gateway_to(live.base_url)
    live.reply(Reply(text="word " * 80, chunk_chars=5, event_s=0.02))
    body = {"model": MODEL, "max_tokens": 500, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    left = tmp_path / "left"
    left.mkdir()
    with post(gateway, body) as answer:
        assert answer.status == 200
        assert any(b"content_block_delta" in line for line in iter(answer.readline, b""))
        (left / "1.journal").write_bytes(gateway.journal)
        answer.read()
    ledger = tmp_path / "recovered.duckdb"
    log: list[str] = []
    Owner(ledger, left, gateway.metrics, log.append).ingest()
    with open_ledger(ledger) as opened:
        [stored] = opened.calls(Query())
        assert opened.unsettled() == []
    call = stored.call
    assert (call.dims["recovered"], call.served.kind) == ("message_start", Kind.ASSUMED)
    assert call.served.usage.input_tokens > 0
    assert call.served.notes[0].startswith("recovered")
    assert len(log) == 1
    truth = next(one.call for one in gateway.calls)
    assert (truth.call_id, truth.served.usage.input_tokens) == (call.call_id, call.served.usage.input_tokens)
    assert "recovered" not in truth.dims
    assert truth.request == call.request


# -- journals that are done ---------------------------------------------------------------------------------------


@pytest.fixture
def owner(tmp_path):
    from farthing.gateway.metrics import Metrics

    (tmp_path / "journals").mkdir()
    return Owner(tmp_path / "ledger.duckdb", tmp_path / "journals", Metrics(), lambda _line: None, journal_days=7)


def journal(owner, box, *, days, keep=False):
    """A journal of one free call, last written so many days ago."""
    path = new_path(owner._folder, box.clock.now())
    writer = JournalWriter(path, box.clock.now(), "never")
    writer.append(Begun("1", box.clock.now(), "m"))
    writer.append(Settled("1", None, "free"))
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    if not keep:
        writer.close()
        os.utime(path, (then, then))
    return path, writer


def test_an_old_journal_is_deleted_once_it_is_in_the_ledger_and_its_writer_is_gone(owner, box):
    old, _ = journal(owner, box, days=8)
    young, _ = journal(owner, box, days=6)
    live, writer = journal(owner, box, days=8, keep=True)
    content = old.read_bytes()
    owner.ingest()
    assert (old.exists(), young.exists(), live.exists()) == (False, True, True)
    old.write_bytes(content)  # somebody puts it back
    owner.ingest()
    with open_ledger(owner._ledger) as ledger:
        assert list(ledger.calls(Query())) == []
    writer.close()


def test_a_journal_that_the_ledger_did_not_take_is_kept(owner, box):
    old, _ = journal(owner, box, days=8)
    owner._ledger.write_bytes(b"no ledger at all")
    owner.ingest()
    assert old.exists()
