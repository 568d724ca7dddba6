"""Context editing: what is dropped is neither counted nor cached, and the response says how much it was."""

import json
from datetime import UTC, datetime

import pytest

from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Begun, begin, count_tokens
from farthing.sandbox.world import World

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)
HEADERS = {"anthropic-version": "2026-10-21", "anthropic-beta": "context-management-2025-06-27"}


def conversation(uses, *, tokens=1000, names=("get",), thinking=False):
    """A loop of client tools, with a breakpoint at its end."""
    messages = [{"role": "user", "content": "<<tokens:40>>"}]
    for at in range(uses):
        call = {"type": "tool_use", "id": f"toolu_{at}", "name": names[at % len(names)], "input": {"at": at}}
        thought = {"type": "thinking", "thinking": "", "signature": "<<tokens:300>>"}
        messages.append({"role": "assistant", "content": [*([thought] if thinking else []), call]})
        result = {"type": "tool_result", "tool_use_id": f"toolu_{at}", "content": f"<<tokens:{tokens}>> {at}"}
        messages.append({"role": "user", "content": [result]})
    messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return messages


def tool_edit(**more):
    return {"type": "clear_tool_uses_20250919", "trigger": {"type": "tool_uses", "value": 3}, **more}


def send(messages, *edits, world=None, status=200, **fields):
    world = world or World(clock=VirtualClock(T0))
    body = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": messages, **fields}
    body["context_management"] = {"edits": list(edits)}
    raw = json.dumps(body).encode()
    begun = begin(world, world.caller, HEADERS, raw)
    counted = count_tokens(world, world.caller, HEADERS, raw)
    if not isinstance(begun, Begun):
        assert (begun.status, counted[0]) == (status, status)
        return json.loads(begun.body)["error"]["message"]
    begun.first_byte()
    message, usage = begun.message(), begun.message()["usage"]
    begun.settle()
    prompt = sum(usage[f"{name}input_tokens"] for name in ("", "cache_read_", "cache_creation_"))
    told = json.loads(counted[2])
    assert told["input_tokens"] == prompt
    cleared = sum(one["cleared_input_tokens"] for one in message["context_management"]["applied_edits"])
    assert told["context_management"]["original_input_tokens"] == prompt + cleared
    return message


def test_older_results_are_dropped_past_the_trigger():
    whole = send(conversation(5))
    assert whole["context_management"] == {"applied_edits": []}
    message = send(conversation(5), tool_edit())
    (edit,) = message["context_management"]["applied_edits"]
    assert (edit["type"], edit["cleared_tool_uses"]) == ("clear_tool_uses_20250919", 2)
    assert 2 * (1000 - 60) < edit["cleared_input_tokens"] < 2 * 1000
    assert send(conversation(3), tool_edit())["context_management"] == {"applied_edits": []}


@pytest.mark.parametrize(
    ("edit", "uses"),
    [
        (tool_edit(keep={"type": "tool_uses", "value": 1}), 4),
        (tool_edit(keep={"type": "tool_uses", "value": 9}), 0),
        (tool_edit(exclude_tools=["put"]), 1),  # of the two oldest, the second is one
        (tool_edit(clear_at_least={"type": "input_tokens", "value": 1500}), 2),
        (tool_edit(clear_at_least={"type": "input_tokens", "value": 2500}), 0),
        (tool_edit(trigger={"type": "input_tokens", "value": 4000}), 2),
        (tool_edit(trigger={"type": "input_tokens", "value": 9000}), 0),
        (tool_edit(trigger=None), 0),  # 100,000 tokens
        ({"type": "compact_20260112"}, 0),
    ],
)
def test_what_is_dropped_is_as_asked(edit, uses):
    edits = send(conversation(5, names=("get", "put")), edit)["context_management"]["applied_edits"]
    assert sum(one["cleared_tool_uses"] for one in edits) == uses


@pytest.mark.parametrize("inputs", [True, ["get"]])
def test_inputs_may_go_too(inputs):
    kept, gone = (
        send(conversation(5), tool_edit(clear_tool_inputs=one))["context_management"]["applied_edits"][0]
        for one in (False, inputs)
    )
    assert gone["cleared_input_tokens"] > kept["cleared_input_tokens"]


@pytest.mark.parametrize(
    ("keep", "turns"), [(None, 3), ({"type": "thinking_turns", "value": 3}, 1), ("all", 0), ({"type": "all"}, 0)]
)
def test_older_thinking_is_dropped(keep, turns):
    edit = {"type": "clear_thinking_20251015", **({} if keep is None else {"keep": keep})}
    edits = send(conversation(4, thinking=True), edit)["context_management"]["applied_edits"]
    expected = {"type": edit["type"], "cleared_input_tokens": turns * 300, "cleared_thinking_turns": turns}
    assert edits == ([expected] if turns else [])


def test_dropping_breaks_the_cached_prefix_where_it_was():
    world = World(clock=VirtualClock(T0))
    system = [{"type": "text", "text": "<<tokens:5000>>", "cache_control": {"type": "ephemeral"}}]
    first = send(conversation(3), tool_edit(), world=world, system=system)["usage"]
    assert first["cache_creation_input_tokens"] > 8000
    second = send(conversation(4), tool_edit(), world=world, system=system)["usage"]
    assert second["cache_read_input_tokens"] == 5000  # the first result is another now
    third = send(conversation(4), tool_edit(), world=world, system=system)["usage"]
    assert third["cache_creation_input_tokens"] == 0


def test_a_stream_says_what_was_applied_at_its_end():
    world = World(clock=VirtualClock(T0))
    body = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": conversation(5), "stream": True}
    raw = json.dumps(body | {"context_management": {"edits": [tool_edit()]}}).encode()
    events = list(begin(world, world.caller, HEADERS, raw).events())
    (delta,) = [event.payload for event in events if event.name == "message_delta"]
    assert delta["context_management"]["applied_edits"][0]["cleared_tool_uses"] == 2
    assert "context_management" not in events[0].payload["message"]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({"type": "clear_all"}, "context_management.edits.0.type"),
        (tool_edit(trigger={"type": "turns", "value": 3}), "context_management.edits.0.trigger.type"),
        (tool_edit(keep={"type": "tool_uses", "value": -1}), "context_management.edits.0.keep.value"),
        (tool_edit(exclude_tools="get"), "context_management.edits.0.exclude_tools"),
        (tool_edit(clear_tool_inputs=5), "context_management.edits.0.clear_tool_inputs"),
    ],
)
def test_an_edit_that_is_none_is_a_400(edit, says):
    assert send(conversation(5), edit, status=400).startswith(says)
