"""
A plan is carried out: request bodies are rewritten as each step tells callers, and a sandbox books what the plan says.

Nothing of the replay is used on the executing side: bodies are edited as dictionaries, and sent one by one.
"""

import copy
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import asdict as struct_asdict

from farthing.demo.executed import executed
from farthing.demo.fleet import fleet
from farthing.prices.book import shipped_book
from farthing.sandbox.answering import Replies
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import begin
from farthing.sandbox.world import World
from farthing.units import Kind
from farthing.whatif.levers.find import find_all
from farthing.whatif.playbook.plan import plan
from farthing.whatif.replay.choice import Choice
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
HEADERS = {"anthropic-version": "2026-10-21"}
FAST = {"anthropic-beta": "fast-mode-2026-02-01"}
HOUR = timedelta(hours=1)


class Says:
    """The reply that was set last."""

    now = None

    def reply(self, _):
        return self.now


def blocks_of(body):
    yield from (("tools", tool) for tool in body.get("tools", []))
    yield from (("system", block) for block in body["system"])
    yield from (("messages", block) for message in body["messages"] for block in message["content"])


def marked(body, caching, seen_before):
    """*body* with the breakpoints of a policy alone."""
    body = copy.deepcopy(body)
    body.pop("cache_control", None)
    for _, block in blocks_of(body):
        block.pop("cache_control", None)
    blocks = list(blocks_of(body))
    at = set()
    match caching.policy:
        case "automatic":
            body["cache_control"] = {"type": "ephemeral", "ttl": caching.ttl}
        case "second_sight":
            at = {seen_before(body, blocks)} - {-1}
        case "fixed":
            ends = {section: number for number, (section, _) in enumerate(blocks)}
            wanted = [one for one in caching.places if one in ends or one == -1]
            at = {ends[one] if isinstance(one, str) else len(blocks) + one for one in wanted}
    for number in at:
        section, block = blocks[number]
        mixed = "5m" if section == "messages" else "1h"
        block["cache_control"] = {"type": "ephemeral", "ttl": mixed if caching.ttl == "mixed" else caching.ttl}
    return body


class Callers:
    """All programs of a fleet, once they did what steps of a plan say."""

    def __init__(self, asks, calls, choices):
        self.seen = {}
        self.sends = []
        for number, (ask, call) in enumerate(zip(asks, calls, strict=True)):
            dims = ask.tags | {"model": call.served.model}
            turned = {}
            for rule in (rule for choice in choices for rule in choice.rules):
                if all(dims.get(name, "") in values for name, values in rule.where.items()):
                    turned |= {name: value for name, value in struct_asdict(rule.levers).items() if value is not None}
            joins = bool(turned.get("batch")) and not ask.batch
            at = ask.at + timedelta(seconds=turned.get("turnaround_s", 3600)) if joins else ask.at
            self.sends.append((at, not joins, number, ask, turned))
        self.sends.sort(key=lambda send: send[:3])

    def bill(self):
        says, clock = Says(), VirtualClock(self.sends[0][0])
        world = World(clock=clock, tier=None)
        world.replies = Replies(says)
        total = 0
        for at, _, _, ask, turned in self.sends:
            clock.set(at)
            body, says.now = self.request(at, ask, turned)
            batched = ask.batch or bool(turned.get("batch"))
            headers = HEADERS | (FAST if "speed" in body else {})
            tier = "batch" if batched else "standard"
            begun = begin(world, world.caller, headers, msgspec.json.encode(body), service_tier=tier)
            begun.first_byte()
            total += begun.settle(None if batched else ask.left_after_events).bill.list_pusd
        return total

    def request(self, at, ask, turned):
        body, reply = copy.deepcopy(ask.body), ask.reply
        body |= {name: turned[name] for name in ("model", "inference_geo") if name in turned}
        if turned.get("batch") or turned.get("speed") == "standard":
            body.pop("speed", None)
        if "effort" in turned:
            body["output_config"] = {"effort": turned["effort"].level}
            said = min(reply.output_tokens, ask.body["max_tokens"]) * turned["effort"].output_factor
            reply = msgspec.structs.replace(reply, output_tokens=int(said + 1 / 2))
        if "cache" in turned:
            body = marked(body, turned["cache"], lambda body, blocks: self.longest(at, body, blocks))
        return body, reply

    def longest(self, at, body, blocks):
        found, said = -1, (body["model"],)
        for number, (section, block) in enumerate(blocks):
            said = (said, section, msgspec.json.encode(block))
            if at - self.seen.get(said, at - 2 * HOUR) <= HOUR:
                found = number
            self.seen[said] = at
        return found


@pytest.fixture(scope="module")
def planned():
    asks = fleet(datetime(2026, 10, 20, tzinfo=UTC), 7, tenants=20, sessions_per_day=70, seed=11)
    calls = list(executed(asks))
    made = plan(lambda: iter(calls), find_all(calls, BOOK), BOOK, small=0.0001)
    # The sandbox is told lengths, so a newer tokenizer makes no more of them: only what assumes that differs.
    steps = [one for one in made.steps if "tokenizer" not in one.proposal.assumes]
    return asks, calls, made, steps


def test_the_bill_as_it_was_is_what_the_programs_pay(planned):
    asks, calls, made, _ = planned
    assert Callers(asks, calls, []).bill() == made.before_pusd


def test_every_step_by_itself_saves_what_it_says(planned):
    asks, calls, made, steps = planned
    assert {Kind.DERIVED, Kind.ASSUMED} == {step.kind for step in steps}
    assert {"cache", "batch", "effort"} <= {step.proposal.id.split()[0] for step in steps}
    for step in steps:
        paid = Callers(asks, calls, [step.proposal.choice]).bill()
        assert made.before_pusd - paid == step.alone_pusd, step.proposal.id


def test_the_steps_together_cost_what_the_plan_says(planned):
    asks, calls, _, steps = planned
    choices = [step.proposal.choice for step in steps]
    together = Choice(rules=tuple(rule for choice in choices for rule in choice.rules))
    assert Callers(asks, calls, choices).bill() == replay(calls, [together], BOOK).steps[0].sums.pusd
