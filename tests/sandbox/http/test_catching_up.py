"""A large batch that ends keeps nobody waiting but those who look at it."""

import json
import threading
import urllib.request
from datetime import UTC, datetime

import pytest

from farthing import testing
from farthing.sandbox import batches as batches_module
from farthing.sandbox.http import catching_up

PARAMS = {"model": "claude-sonnet-5", "max_tokens": 20, "messages": [{"role": "user", "content": "<<tokens:100>>"}]}


def envelope(count):
    return [{"custom_id": f"r{at}", "params": PARAMS} for at in range(count)]


@pytest.fixture
def held(monkeypatch):
    """Slices of one request that wait until a test lets them go, so that a backlog lasts as long as it is needed."""
    gate, began = threading.Event(), threading.Event()
    step = batches_module.Batches.step

    def slow(self, now):
        if not gate.is_set() and self.backlog(now):
            began.set()
            return True  # there is more, and nothing was done
        return step(self, now)

    monkeypatch.setattr(batches_module.Batches, "step", slow)
    monkeypatch.setattr(catching_up, "WORTH_WAITING", 10)
    yield gate, began
    gate.set()


@pytest.mark.parametrize("version", ["2026-10-21"], indirect=True)
def test_messages_are_answered_while_a_batch_is_worked_through(box, client, held):
    gate, began = held
    batch = client.messages.batches.create(requests=envelope(30))
    found = []
    poll = threading.Thread(target=lambda: found.append(client.messages.batches.retrieve(batch.id)))
    poll.start()
    assert began.wait(60)
    assert client.messages.create(**PARAMS).usage.input_tokens > 0  # with the whole backlog before it
    assert not found
    gate.set()
    poll.join(60)
    assert found[0].processing_status == "ended"
    assert found[0].request_counts.succeeded == 30
    assert len(box.books) == 31


@pytest.mark.parametrize("version", ["2026-10-21"], indirect=True)
def test_after_a_small_batch_everybody_sees_it_done(box, client):
    box.reply(*(testing.Reply(output_tokens=at) for at in range(1, 61)), testing.Reply(output_tokens=15))
    client.messages.batches.create(requests=envelope(60))
    assert client.messages.create(**PARAMS).usage.output_tokens == 15  # the batch had taken its own replies before
    assert sorted(entry.call.served.usage.output_tokens for entry in box.books)[:15] == list(range(1, 16))


def test_a_clock_that_moves_moves_large_batches_too(box, client, monkeypatch):
    monkeypatch.setattr(catching_up, "WORTH_WAITING", 10)
    box.state.batches.pace = batches_module.Pace(processing_s=60)
    batch = client.messages.batches.create(requests=envelope(200))
    order = urllib.request.Request(f"{box.base_url}/sandbox/clock", json.dumps({"advance_s": 60}).encode())
    with urllib.request.urlopen(order):
        assert len(list(box.world.books)) == 200  # without looking at the books through the state, which ends batches
    assert client.messages.batches.retrieve(batch.id).request_counts.succeeded == 200


def test_on_the_machines_clock_a_batch_is_done_when_it_is_looked_at():
    with testing.sandbox(start=None, tier=None) as real:
        headers = {"x-api-key": real.key, "anthropic-version": "2023-06-01"}

        def call(path, body=None):
            data = None if body is None else json.dumps(body).encode()
            with urllib.request.urlopen(urllib.request.Request(f"{real.base_url}{path}", data, headers)) as answer:
                return json.load(answer)

        before = datetime.now(UTC)
        batch = call("/v1/messages/batches", {"requests": envelope(120)})
        shown = call(f"/v1/messages/batches/{batch['id']}")
        assert (shown["processing_status"], shown["request_counts"]["succeeded"]) == ("ended", 120)
        sent = [entry.call.sent_at for entry in real.books]
        assert len(sent) == 120
        assert before <= min(sent) <= max(sent) <= datetime.now(UTC)
