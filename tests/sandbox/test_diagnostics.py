"""Where a prompt stopped being the prompt of an earlier message."""

import json
from datetime import UTC, datetime

import pytest

from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import begin
from farthing.sandbox.world import World

TOOL = {"name": "t", "description": "<<tokens:10>>", "input_schema": {}}
BODY = {
    "model": "claude-opus-5-5",
    "max_tokens": 9,
    "tools": [TOOL],
    "system": "<<tokens:200>>",
    "messages": [{"role": "user", "content": "<<tokens:3000>>"}],
}


def ask(world, previous=..., caller=None, **changes):
    body = {**BODY, **changes}
    if previous is not ...:
        body["diagnostics"] = {"previous_message_id": previous}
    raw = json.dumps(body).encode()
    begun = begin(world, caller or world.caller, {"anthropic-version": "2026-10-21"}, raw)
    begun.first_byte()
    return begun.message()


@pytest.fixture
def world():
    return World(clock=VirtualClock(datetime(2026, 11, 20, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("changes", "reason", "tokens"),
    [
        ({"model": "claude-sonnet-5"}, "model_changed", 3210),
        ({"speed": "fast"}, "model_changed", 3210),
        ({"tools": [{**TOOL, "name": "u"}]}, "tools_changed", 3210),
        ({"tools": []}, "tools_changed", 3210),
        ({"system": "<<tokens:200>> else"}, "system_changed", 3200),
        ({"system": []}, "system_changed", 3200),
        ({"messages": [{"role": "user", "content": "<<tokens:3000>> else"}]}, "messages_changed", 3000),
        ({"tool_choice": {"type": "none"}}, "messages_changed", 3000),
    ],
)
def test_the_earliest_divergence_is_named(world, changes, reason, tokens):
    first = ask(world, None)
    assert first["diagnostics"] is None
    missed = ask(world, first["id"], **changes)["diagnostics"]
    assert missed == {"cache_miss_reason": {"type": reason, "cache_missed_input_tokens": tokens}}


def test_a_prompt_that_goes_on_missed_nothing(world):
    first = ask(world, None)
    longer = [*BODY["messages"], {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    assert ask(world, first["id"], messages=longer)["diagnostics"] is None


def test_only_requests_that_asked_are_known_and_only_to_their_workspace(world):
    silent = ask(world)
    assert silent["diagnostics"] is None
    unknown = {"cache_miss_reason": {"type": "previous_message_not_found"}}
    assert ask(world, silent["id"])["diagnostics"] == unknown
    asked = ask(world, None)
    other = world.add_workspace("other")
    stranger = world.accounts.caller(world.add_key("sk-ant-api03-o", workspace_id=other.id, name="o"))
    assert ask(world, asked["id"], caller=stranger)["diagnostics"] == unknown
