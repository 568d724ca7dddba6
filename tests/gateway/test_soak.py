"""Memory stays flat over many calls; ``FARTHING_DEEP=1`` makes it 20,000 calls and 50 streams at once."""

import gc
import itertools
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anthropic
import pytest

from farthing.gateway.asking import Asking
from farthing.gateway.exchange import Exchange
from farthing.gateway.holding import Holding
from farthing.gateway.reading import Reading
from farthing.gateway.wire import ResponseReader
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query

DEEP = os.environ.get("FARTHING_DEEP") == "1"
CALLS, STREAMS, STREAM_MB = (20_000, 50, 4) if DEEP else (1_000, 8, 1)
GROWTH_MB_MAX = 24
"""A leak of two kilobytes a call, or of a hundredth of each stream, would be twice that in the long run."""


def memory_mb(pid, until_mb=0.0):
    """
    Resident memory of a process at rest: the ledger's engine takes more for a moment while it reads journals.

    Where it is not down to *until_mb* yet the moment may last, on a busy machine; what leaks never comes back.
    """
    found = []
    while len(found) < 6 or (len(found) < 400 and min(found) > until_mb > 0):
        time.sleep(0.05)
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")]
    return min(found)


def test_nothing_of_a_call_waits_for_the_collector(box, gateway):
    """What a call held, up to 40 MB of request, goes with its last byte, not when rings are looked for."""
    kinds = (Asking, Exchange, Holding, Reading, ResponseReader)

    def left():
        return [type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds)]

    gc.collect()
    gc.disable()
    try:
        with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
            ask = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello."}]}
            for _ in range(5):
                client.messages.create(**ask)
                client.models.list()
                with client.messages.stream(**ask) as stream:
                    stream.get_final_message()
            with pytest.raises(anthropic.NotFoundError):
                client.messages.create(**{**ask, "model": "claude-none"})
        for _ in range(1_000):  # the last one goes a moment after its answer
            if not left():
                break
            time.sleep(0.01)
        assert left() == []
    finally:
        gc.enable()


def test_memory_stays_flat(raw_upstream, nursery, wire, tmp_path):
    pid, base_url = nursery.start(tmp_path, raw_upstream.url, ingest_seconds=0.2)
    numbers = itertools.count()
    message = {"type": "message", "model": "claude-sonnet-5", "content": [], "stop_reason": "end_turn"}
    event = (
        b"event: content_block_delta\ndata: %b\n\n"
        % json.dumps(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "farthing " * 100}}
        ).encode()
    )

    def answer(head, _body):
        raw_upstream.seen.clear()
        usage = {"input_tokens": 10, "output_tokens": 5}
        whole = {**message, "id": f"msg_{next(numbers)}", "usage": usage}
        if b"x-stream" in head:
            start = (
                b"event: message_start\ndata: %b\n\n" % json.dumps({"type": "message_start", "message": whole}).encode()
            )
            data, kind = start + event * (STREAM_MB * 2**20 // len(event)), b"text/event-stream"
        else:
            data, kind = json.dumps(whole).encode(), b"application/json"
        return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(data), data), True

    raw_upstream.answer = answer
    body = json.dumps({"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "x" * 2_000}]}).encode()

    def small(calls):
        with wire.connected(base_url) as connection:
            for _ in range(calls):
                connection.sendall(wire.request(body))
                assert wire.read_answer(connection).status == 200

    def stream(_):
        sent = wire.request(body, headers=(b"x-api-key: sk-ant-api03-test", b"x-stream: 1"))
        got = wire.talk(base_url, sent)
        assert got.whole
        assert len(got.body) > STREAM_MB * 2**20 * 0.9

    def streams():
        with ThreadPoolExecutor(STREAMS) as pool:
            list(pool.map(stream, range(STREAMS)))

    small(500)
    streams()
    while not (tmp_path / "ledger.duckdb").exists():
        time.sleep(0.01)
    small(500)
    grown = [memory_mb(pid)]
    for _ in range(2):
        small(CALLS // 2)
        streams()
        grown.append(memory_mb(pid, grown[0] + GROWTH_MB_MAX))
    assert nursery.end(pid) == 0
    with open_ledger(tmp_path / "ledger.duckdb") as ledger:
        assert sum(row.calls for row in ledger.report(Query())) == next(numbers)
    assert max(grown) - grown[0] < GROWTH_MB_MAX, grown
