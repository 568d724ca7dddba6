"""
The same requests sent to a sandbox, one by one, on a clock that is moved from event to event.

Nothing here knows the replay: bodies are rewritten as a client would rewrite them, and the sandbox's books say what
they cost. Of two events at one instant responses begin first, then batches are worked on, then requests are sent.
"""

import copy
import heapq
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from farthing.prompts.parts import parts_of
from farthing.prompts.recorded import request_of
from farthing.sandbox.batches import Batches, Pace
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Begun, begin
from farthing.sandbox.replies import Refusal, Reply
from farthing.sandbox.tokenizer import SandboxCounter
from farthing.sandbox.world import World
from farthing.tokens.models import traits_of

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": "fast-mode-2026-02-01"}
BEGINS, WORKS, SENDS = 0, 1, 2


class Sent(NamedTuple):
    """One request of a trace."""

    at_ms: int
    body: dict
    workspace: int = 0
    ttft_ms: int = 0
    output_tokens: int = 10
    refused: str = ""
    leaves: bool = False


class Order(NamedTuple):
    """One request to be executed: *number* says what it is in the trace, batches and pings included."""

    at: datetime
    number: int
    sent: Sent
    batch_after_s: int | None = None


class Executed(NamedTuple):
    entries: dict[int, object]
    total_pusd: int


class Answers:
    """Each request's own answer, found by the number in its metadata."""

    def __init__(self):
        self.of = {}

    def reply(self, ask):
        sent = self.of[int(ask.body["metadata"]["user_id"])]
        refusal = Refusal(category=sent.refused) if sent.refused else None
        return Reply(output_tokens=sent.output_tokens, ttft_s=sent.ttft_ms / 1000, refusal=refusal)


class Machine:
    """A sandbox with a few workspaces."""

    def __init__(self, start=START):
        self.world = World(clock=VirtualClock(start), tier=None)
        self.batches = Batches(self.world)
        self.answers = Answers()
        self.world.replies.sources.insert(0, self.answers)
        self.callers = [self.world.caller]
        for number in range(2):
            workspace = self.world.add_workspace(f"w{number}")
            key = self.world.add_key(f"sk-ant-api03-{number}", workspace_id=workspace.id, name=f"k{number}")
            self.callers.append(self.world.accounts.caller(key))

    def run(self, orders):
        """Execute *orders* by time; of one instant in the order given. Entries by number of the order."""
        events, made, seen = [], {}, set()
        for at, order in enumerate(orders):
            heapq.heappush(events, (order.at, SENDS, at, order))
        count = len(events)
        while events:
            now, what, _, order = heapq.heappop(events)
            self.world.clock.set(now)
            if what == BEGINS:
                begun, number = order
                begun.first_byte()
                begun.message()
                made[number] = begun.settle()
                seen.add(made[number].call.call_id)
            elif what == WORKS:
                self.batches.tick()
                for entry in self.world.books:
                    if entry.call.call_id not in seen:
                        seen.add(entry.call.call_id)
                        made[order] = entry
            else:
                count += 1
                event, entry = self.send(order, count)
                if event is not None:
                    heapq.heappush(events, event)
                else:
                    made[order.number] = entry
                    seen.add(entry.call.call_id)
        return Executed(made, self.world.books.total_pusd)

    def send(self, order, count):
        """What is to happen next, or the entry of a client that left."""
        number, sent, now = order.number, order.sent, self.world.clock.now()
        self.answers.of[number] = sent
        body = {**sent.body, "metadata": {"user_id": str(number)}}
        caller = self.callers[sent.workspace]
        if order.batch_after_s is not None:
            self.batches.pace = Pace(processing_s=order.batch_after_s)
            envelope = {"requests": [{"custom_id": "one", "params": body}]}
            self.batches.create(caller, HEADERS, json.dumps(envelope).encode())
            return (now + timedelta(seconds=order.batch_after_s), WORKS, count, number), None
        begun = begin(self.world, caller, HEADERS, json.dumps(body).encode())
        assert isinstance(begun, Begun), begun.body
        if sent.leaves:
            return None, begun.settle(0)
        return (now + timedelta(milliseconds=sent.ttft_ms), BEGINS, count, (begun, number)), None


def at(sent):
    return START + timedelta(milliseconds=sent.at_ms)


def execute(trace):
    """A trace as it is, in a new sandbox."""
    return Machine().run([Order(at(sent), number, sent) for number, sent in enumerate(trace)])


def recorded(trace):
    """The calls that a recorder beside the sandbox would keep, with the prompts in blocks."""
    made = execute(trace).entries
    calls = []
    for number, sent in enumerate(trace):
        counter = SandboxCounter(traits_of(sent.body["model"]), at(sent).date())
        request = request_of(sent.body, counter)
        calls.append(msgspec.structs.replace(made[number].call, call_id=str(number), request=request))
    return calls


def without_breakpoints(body):
    body = copy.deepcopy(body)
    body.pop("cache_control", None)
    for part in parts_of(body, keeps_thinking=True):
        block_at(body, part.path).pop("cache_control", None)
    return body


def with_breakpoints(body, marks):
    """*body* with breakpoints at these positions alone, given as (position, ttl)."""
    body = without_breakpoints(body)
    parts = list(parts_of(body, keeps_thinking=True))
    for position, ttl in marks:
        block_at(body, parts[position].path)["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    return body


def block_at(body, path):
    found = body
    for step in path.split("."):
        found = found[int(step)] if step.isdecimal() else found[step]
    return found
