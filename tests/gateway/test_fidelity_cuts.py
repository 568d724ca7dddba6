"""
Every kind of answer, cut at every byte of the wire: the client gets just that much and sees that it broke, and the
journal says what reading that much says. In short runs all but one stream are cut at some bytes only.
"""

import gzip
import json
import os
import sys
import threading
import time
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import brotli
import pytest

from farthing import testing
from farthing.call import Served
from farthing.errors import BadInput
from farthing.ledger.journal import Begun, Settled, read
from farthing.sandbox.replies import Advice, Compaction, Refusal, Reply, ServerPass, ToolUse
from farthing.usage.interface import Known
from farthing.usage.messages import read_message
from farthing.usage.sse import SseMeter

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DEEP = os.environ.get("FARTHING_DEEP") == "1"
MODEL = "claude-sonnet-5"

REPLIES = {
    "text": Reply(text="A farthing was a coin.", chunk_chars=8),
    "thinking": Reply(text="Four to a penny.", thinking="How many to a penny?", thinking_tokens=40),
    "tools": Reply(text="Let me see.", tool_uses=(ToolUse("look", {"at": "coins"}),)),
    "search": Reply(text="Found.", loop=(ServerPass(input={"query": "farthing"}, result_tokens=300),)),
    "refusal": Reply(text="I can", refusal=Refusal(category="cyber", after_output=True)),
    "compaction": Reply(text="Done.", compaction=Compaction(output_tokens=30, remaining_tokens=100)),
    "advice": Reply(text="Asked.", advice=(Advice(model="claude-opus-5", input_tokens=50, output_tokens=9),)),
    "two bytes": Reply(text="Žluťoučký kůň 🐎", chunk_chars=3),
}
EXHAUSTIVE = "text"
TOOLS = [
    {"name": "look", "input_schema": {"type": "object"}},
    {"type": "web_search_20250305", "name": "web_search"},
]


def recorded():
    """What the sandbox streams for each reply, in both versions of the API, and one stream that fails halfway."""
    streams = {}
    with testing.sandbox() as box:

        def ask(version):
            body = {"model": MODEL, "max_tokens": 500, "stream": True, "tools": TOOLS}
            body["messages"] = [{"role": "user", "content": "What was it?"}]
            headers = {"x-api-key": box.key, "anthropic-version": version, "content-type": "application/json"}
            request = urllib.request.Request(f"{box.base_url}/v1/messages", json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request) as answer:
                return answer.read()

        for name, reply in REPLIES.items():
            box.reply(reply)
            streams[name] = ask("2023-06-01")
        box.reply(REPLIES["text"])
        streams["newer version"] = ask("2026-10-21")
        box.reply(REPLIES["text"])
        box.fail(testing.Fault(error_after_events=4))
        streams["error"] = ask("2023-06-01")
    return streams


def chunked(body, size):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


STREAM, JSON = b"content-type: text/event-stream; charset=utf-8", b"content-type: application/json"


def framed(kind, body, *fields):
    """One answer on the wire."""
    if kind == "length":
        return b"\r\n".join([b"HTTP/1.1 200 OK", *fields, b"content-length: %d" % len(body), b"", body])
    head = b"\r\n".join([b"HTTP/1.1 200 OK", *fields, b"transfer-encoding: chunked", b"", b""])
    return head + chunked(body, 97)


@pytest.fixture(scope="module")
def answers():
    streams = recorded()
    message = json.dumps(
        {"id": "msg_1", "model": MODEL, "content": [{"type": "text", "text": "A coin."}], "stop_reason": "end_turn"}
        | {"type": "message", "usage": {"input_tokens": 12, "output_tokens": 7}}
    ).encode()
    found = {name: framed("chunked", stream, STREAM, b"request-id: req_1") for name, stream in streams.items()}
    found["text, length"] = framed("length", streams["text"], STREAM)
    found["text, CRLF"] = framed("chunked", streams["text"].replace(b"\n", b"\r\n"), STREAM)
    for coding, (pack, _) in PACKED.items():
        found[f"text, {coding}"] = framed(
            "chunked", pack(streams["text"]), STREAM, b"content-encoding: %b" % coding.encode()
        )
    found["message"] = framed("length", message, JSON)
    found["message, chunked"] = framed("chunked", message, JSON)
    return found


PACKED = {
    "gzip": (partial(gzip.compress, mtime=0), lambda data: zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data)),
    "br": (brotli.compress, lambda data: brotli.Decompressor().process(data)),
    "zstd": (zstd.compress, lambda data: zstd.ZstdDecompressor().decompress(data)),
}
NAMES = [*REPLIES, "newer version", "error", "text, length", "text, CRLF", "message", "message, chunked"]
NAMES += [f"text, {coding}" for coding in PACKED]


@pytest.fixture(scope="module")
def gateway(lasting_upstream, lasting_gateway_to):
    return lasting_gateway_to(lasting_upstream.url)


def cuts(name, data):
    """Where to cut: everywhere, or in short runs at some bytes and at each of the last few."""
    every = range(1, len(data))
    if DEEP or name == EXHAUSTIVE:
        return every
    return sorted({*every[:: max(1, len(data) // 40)], *every[-8:]})


def told(wire, data, name):
    """What of a cut answer is payload, by a reading of our own: status 0 where its head is not whole."""
    head, blank, raw = data.partition(b"\r\n\r\n")
    if not blank:
        return 0, b""
    return 200, wire.unchunked(raw)[0] if b"chunked" in head else raw


def direct(payload, name):
    """What reading a payload says by itself, None where it says nothing."""
    known = Known(requested_model=MODEL, request_id="req_1" if name in {*REPLIES, "newer version", "error"} else None)
    if name.startswith("message"):
        try:
            return read_message(payload, Known(requested_model=MODEL))
        except BadInput:
            return None
    if (coding := name.partition(", ")[2]) in PACKED:
        payload = PACKED[coding][1](payload)
    meter = SseMeter(known)
    meter.feed(payload)
    served = meter.finish()
    return served if isinstance(served, Served) else None


def outcomes(gateway):
    begun, settled = set(), {}
    for path in gateway.server.journals.glob("*.journal"):
        for one in read(path):
            if isinstance(one.record, Begun):
                begun.add(one.record.entry)
            elif isinstance(one.record, Settled):
                assert one.record.entry not in settled, "settled twice"
                settled[one.record.entry] = one.record
    return begun, settled


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def at_rest(gateway, seconds=60):
    """Wait until no request is under way; the journal is then complete."""
    for _ in range(int(seconds / 0.01)):
        text = gateway.metrics.text()
        if "farthing_requests_under_way 0" in text and "farthing_upstream_connections 0" in text:
            return True
        threading.Event().wait(0.01)
    return False


@pytest.mark.parametrize("name", NAMES)
def test_cut_anywhere_it_arrives_so_far_and_is_metered_so_far(raw_upstream, gateway, wire, answers, name):
    data = answers[name]
    body = json.dumps({"model": MODEL, "stream": True}).encode()
    files = open_files()

    def answer(head, _body):
        return data[: int(dict(wire.fields(head))[b"x-cut"])], False

    raw_upstream.answer = answer

    def one(cut):
        request = wire.request(body, headers=(b"x-api-key: sk-ant-api03-test", b"x-cut: %d" % cut))
        return cut, wire.talk(gateway.base_url, request)

    with ThreadPoolExecutor(2) as pool:
        came = list(pool.map(one, cuts(name, data)))
    assert at_rest(gateway)
    begun, settled = outcomes(gateway)
    for cut, got in came:
        status, payload = told(wire, data[:cut], name)
        if not status:
            assert (got.status, got.whole) == (502, True)
            assert got.field(b"x-farthing-call-id").decode() not in settled
            continue
        assert (got.status, got.body, got.whole) == (200, payload, False), f"cut at {cut}"
        entry = got.field(b"x-farthing-call-id").decode()
        assert entry in begun
        expected = direct(payload, name)
        if expected is None:
            assert entry not in settled, f"cut at {cut}"
        else:
            assert settled[entry].stored.call.served == expected, f"cut at {cut}"
            assert settled[entry].stored.posting.list_pusd is not None
    # The client's sockets are closed, and so are those towards the upstream; some may still be on their way out.
    for _ in range(6_000):
        if open_files() <= files + 4:
            break
        time.sleep(0.01)
    assert open_files() <= files + 4


@pytest.mark.parametrize("name", NAMES)
def test_whole_it_is_metered_as_it_reads(raw_upstream, gateway, wire, answers, name):
    data = answers[name]
    raw_upstream.answer = lambda _head, _body: (data, True)
    got = wire.talk(gateway.base_url, wire.request(json.dumps({"model": MODEL, "stream": True}).encode()))
    payload = told(wire, data, name)[1]
    assert (got.body, got.whole) == (payload, True)
    assert at_rest(gateway)
    entry = got.field(b"x-farthing-call-id").decode()
    assert outcomes(gateway)[1][entry].stored.call.served == direct(payload, name) is not None
