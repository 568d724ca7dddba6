"""One answer read while it passes: the same outcome however it is cut, its start written down at once."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Request
from farthing.gateway.batches import Batches
from farthing.gateway.metrics import Metrics
from farthing.gateway.reading import Attempt, Books, Reading
from farthing.gateway.recorder import Recorder
from farthing.gateway.routes import Route
from farthing.ledger.journal import Begun, Seen, Settled, read
from farthing.prices.book import shipped_book

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MODEL = "claude-haiku-4-5"


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    metrics = Metrics()
    recorder = Recorder(
        tmp_path_factory.mktemp("journals"),
        book=shipped_book(),
        terms=None,
        metrics=metrics,
        now=lambda: NOW,
        fsync="never",
        log=lambda _line: None,
    )
    yield Books(recorder, Batches(recorder, metrics, lambda: NOW, None), metrics)
    recorder.close()


def event(kind, **more):
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **more}).encode())


def stream(deltas, output_tokens=57):
    usage = {"input_tokens": 25, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "model": MODEL, "content": [], "usage": usage}
    yield event("message_start", message=message)
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for number in range(deltas):
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"word {number} "})
    yield event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": output_tokens})
    yield event("message_stop")


def reading(books, entry="call_1", kind=b"text/event-stream"):
    attempt = Attempt(entry, NOW, Route.MESSAGES, MODEL, "/v1/messages", {"tenant": "acme"})
    books.recorder.begin(entry, NOW, MODEL)
    return Reading(books, attempt, 200, {b"content-type": kind}, Request(model=MODEL))


def records(books, entry):
    found = [line.record for line in read(books.recorder.path)]
    return [record for record in found if isinstance(record, Begun | Seen | Settled) and record.entry == entry]


@given(st.data())
def test_a_stream_comes_to_the_same_however_it_is_cut(books, data):
    body = b"".join(stream(data.draw(st.sampled_from([3, 400]))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=40)))
    one = reading(books)
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        one.feed(body[start:end])
    stored = one.settle(whole=True)
    assert (stored.call.served.usage.input_tokens, stored.call.served.usage.output_tokens) == (25, 57)
    assert stored.call.served.kind == "measured"
    assert stored.posting.list_pusd == 25 * 10**6 + 57 * 5 * 10**6  # $1 and $5 per million tokens
    assert one.settle(whole=True) is None


def test_the_start_of_a_stream_is_written_down_before_its_content_comes(books):
    one, events = reading(books, "call_start"), stream(1)
    assert len(records(books, "call_start")) == 1
    one.feed(next(events))
    begun, seen = records(books, "call_start")
    assert isinstance(begun, Begun)
    assert (seen.stored.call.served.usage.input_tokens, seen.stored.call.dims["recovered"]) == (25, "message_start")


def test_a_stream_that_breaks_off_is_metered_as_far_as_it_came(books):
    events = list(stream(30))
    one = reading(books, "call_broken")
    for piece in events[:22]:  # the start, the block and 20 deltas
        one.feed(piece)
    stored = one.settle(whole=False)
    characters = sum(len(f"word {number} ") for number in range(20))
    assert stored.call.served.usage.output_tokens == -(-characters // 4)
    assert stored.call.served.kind == "assumed"


def test_what_is_held_of_a_stream_is_bounded(books):
    one = reading(books)
    for piece in stream(2_000):
        one.feed(piece)
        assert len(one._unread) < 32 * 2**10
    assert one.settle(whole=True).call.served.usage.output_tokens == 57
