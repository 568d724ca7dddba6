"""One response, message by message, without a socket: what is booked by the time each piece goes out."""

import asyncio
import json

import pytest

from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.http.messages import Played
from farthing.sandbox.messages import begin
from farthing.sandbox.world import World
from farthing.testing import START


def play(*, stream, leaves_at=None):
    """Send one response to a client that leaves after so many pieces; how many were booked at each piece."""
    world = World(clock=VirtualClock(START))
    body = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    begun = begin(
        world, world.caller, {"anthropic-version": "2023-06-01"}, json.dumps(body | {"stream": stream}).encode()
    )
    sent = []

    async def run():
        gone = asyncio.Event()

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append((message.get("body", b""), len(world.books)))
            if len(sent) == leaves_at:
                gone.set()
                await asyncio.sleep(0)

        await Played(world, begun)({}, receive, send)

    asyncio.run(run())
    return world, sent


def test_a_stream_is_booked_before_its_last_event_goes_out():
    world, sent = play(stream=True)
    booked = {name.split(b"\n")[0]: count for name, count in sent if name}
    assert booked[b"event: message_delta"] == 0
    assert booked[b"event: message_stop"] == 1
    assert len(world.books) == 1


def test_a_plain_answer_is_booked_before_it_goes_out():
    world, sent = play(stream=False)
    assert [count for _, count in sent] == [1] * len(sent)
    assert len(world.books) == 1


@pytest.mark.parametrize("leaves_at", range(1, 8))
def test_a_client_that_leaves_is_booked_once_wherever_it_leaves(leaves_at):
    world, sent = play(stream=True, leaves_at=leaves_at)
    (entry,) = world.books
    assert entry.aborted
    assert len(sent) == leaves_at
    assert entry.call.served.usage.input_tokens > 0
