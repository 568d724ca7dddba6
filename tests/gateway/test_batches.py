"""What a batch came to is told once, by one whole download of its results and never by parts of it."""

from datetime import UTC, datetime

import msgspec
import pytest

from farthing.gateway.batches import Batches
from farthing.gateway.metrics import Metrics
from farthing.gateway.reading import Attempt, Books, Reading
from farthing.gateway.recorder import Recorder
from farthing.gateway.routes import Route
from farthing.prices.book import shipped_book

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
PATH = "/v1/messages/batches/msgbatch_1/results"


class Told:
    """In a limiter's place: remembers what it is told."""

    def __init__(self):
        self.bills = []

    def batch_billed(self, batch_id, pusd):
        self.bills.append((batch_id, pusd))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def books(tmp_path, told):
    metrics = Metrics()
    recorder = Recorder(
        tmp_path,
        book=shipped_book(),
        terms=None,
        metrics=metrics,
        now=lambda: NOW,
        fsync="never",
        log=lambda _line: None,
    )
    yield Books(recorder, Batches(recorder, metrics, lambda: NOW, told), metrics)
    recorder.close()


def line(number, model="claude-haiku-4-5"):
    """A succeeded request of 1,000 input and 100 output tokens: $0.00075 at batch price."""
    usage = {"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"}
    message = {"id": f"msg_{number}", "type": "message", "model": model, "content": [], "usage": usage}
    result = {"type": "succeeded", "message": message}
    return msgspec.json.encode({"custom_id": f"r{number}", "result": result}) + b"\n"


EACH_PUSD = 750_000_000


def download(books, status=200):
    attempt = Attempt(entry="", sent_at=NOW, route=Route.BATCH_RESULTS, model="", path=PATH, dims={})
    return Reading(books, attempt, status, {})


def test_two_downloads_at_once_tell_the_same_bill(books, told):
    one, two = download(books), download(books)
    one.feed(line(1) + line(2))
    two.feed(line(1) + line(2) + line(3))
    one.feed(line(3))
    one.settle(whole=True)
    two.settle(whole=True)
    assert told.bills == [("msgbatch_1", 3 * EACH_PUSD)] * 2


@pytest.mark.parametrize(
    ("status", "whole", "body"),
    [
        (200, False, line(1)),
        (206, True, line(2)),
        (200, True, line(1) + b"no JSON\n"),
        (200, True, line(1) + line(2, "claude-of-tomorrow")),
    ],
    ids=["broken off", "a range", "a line that cannot be read", "a line without a price"],
)
def test_a_download_that_does_not_tell_the_whole_bill_tells_none(books, told, status, whole, body):
    reading = download(books, status)
    reading.feed(body)
    reading.settle(whole=whole)
    assert told.bills == []


def test_a_part_of_the_results_does_not_keep_the_rest_from_being_fetched(books):
    ended = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "ended", "results_url": "https://x/"}
    batch = msgspec.json.encode(ended | {"created_at": "2026-11-20T08:00:00Z"})
    download(books, 206).settle(whole=True)
    assert books.batches.seen(batch) == "msgbatch_1"
    download(books).settle(whole=True)
    assert books.batches.seen(batch) is None
