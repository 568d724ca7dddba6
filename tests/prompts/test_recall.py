"""Reading a body's bytes with a memory gives the same prompt as reading it without one."""

import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import PromptBlock
from farthing.errors import BadInput
from farthing.prompts.blocks import read_prompt
from farthing.prompts.breakpoints import BadBreakpoint
from farthing.prompts.recall import Body, Recall

PX = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
DOCUMENT = {"type": "document", "source": {"type": "content", "content": [PX]}, "citations": {"enabled": True}}
ATTRIBUTION = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.181;"}
CACHED = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}


class ByBytes:
    """A token per byte of canonical JSON, and a preamble for tools and for forced ones."""

    def tool(self, block):
        return len(msgspec.json.encode(block))

    content = tool

    def block(self, part):
        return len(part.encoded)

    def preamble(self, section, body):
        if section == "tools":
            return 100 if body.get("tools") else 0
        return 7 if section == "messages" and (body.get("tool_choice") or {}).get("type") == "any" else 0


texts = st.text(max_size=4)
blocks = st.one_of(
    texts.map(lambda text: {"type": "text", "text": text}),
    st.sampled_from([PX, THOUGHT, DOCUMENT, CACHED, ATTRIBUTION, {"type": "text", "text": 7}, "plain", 3]),
    texts.map(
        lambda text: {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": text}, PX]}
    ),
    texts.map(lambda text: {"type": "tool_use", "id": "t", "name": "n", "input": {"b": text, "a": 1}}),
)
contents = st.one_of(texts, st.lists(blocks, max_size=3))
tools = st.sampled_from(
    [
        {"name": "a", "input_schema": {}},
        {"name": "b", "description": "é", "input_schema": {}},
        {"name": "late", "defer_loading": True},
        {"type": "web_search_20260209", "name": "web_search"},
    ]
)
bodies = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["claude-haiku-4-5", "claude-sonnet-4-6", "claude-nobody-knows"]),
        "messages": st.lists(
            st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": contents}), max_size=4
        ),
    },
    optional={
        "tools": st.lists(tools, max_size=3),
        "system": contents,
        "tool_choice": st.sampled_from([{"type": "any"}, {"type": "auto"}]),
        "thinking": st.sampled_from([{"type": "enabled", "budget_tokens": 1024}, {"type": "disabled"}]),
        "output_config": st.sampled_from([{"effort": "low"}, {"format": {"type": "json_schema", "schema": {}}}]),
        "speed": st.sampled_from(["fast", "standard"]),
        "inference_geo": st.just("us"),
        "cache_control": st.just({"type": "ephemeral", "ttl": "1h"}),
        "max_tokens": st.just(5),
    },
)


def recalled(recall, body, raw=None):
    counter = ByBytes()
    return recall.read(
        msgspec.json.decode(raw or msgspec.json.encode(body), type=Body), counter, body["model"].encode()
    )


def blocks_of(body):
    """What a Call keeps of :func:`read_prompt`'s blocks."""
    return tuple(
        PromptBlock(block.prefix_hash, block.tokens, block.section.value, block.ttl, block.cacheable)
        for block in read_prompt(body, ByBytes()).blocks
    )


def outcome(read, body):
    try:
        return read(body)
    except BadBreakpoint:
        return "refused"


@settings(max_examples=60, deadline=None)
@given(st.lists(bodies, min_size=1, max_size=4))
def test_whatever_was_read_before_a_prompt_is_the_same(asked):
    recall = Recall()
    for body in [*asked, *asked]:
        assert outcome(lambda one: recalled(recall, one).blocks, body) == outcome(blocks_of, body)


def test_a_user_turn_without_blocks_ends_the_turns_before_it_too():
    recall, model = Recall(), "claude-haiku-4-5"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [THOUGHT, CACHED]}]
    for last in ([], "b", [{"type": "tool_result", "tool_use_id": "t"}], []):
        body = {"model": model, "messages": [*turns, {"role": "user", "content": last}]}
        assert recalled(recall, body).blocks == blocks_of(body)
    without = {"model": model, "messages": [*turns, {"role": "user"}]}
    assert recalled(recall, without).blocks == blocks_of(without)


def test_what_was_read_under_other_settings_is_read_again():
    recall = Recall()
    body = {"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": "a"}] * 3}
    for turned in ({}, {"speed": "fast"}, {"thinking": {"type": "disabled"}}, {"tools": [{"name": "a"}]}, {}):
        for role in ("user", "assistant", "narrator"):
            asked = {**body, **turned, "messages": [*body["messages"], {"role": role, "content": "a"}]}
            assert recalled(recall, asked).blocks == blocks_of(asked)


def test_spaces_and_escapes_make_no_difference():
    body = {"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": [{"type": "text", "text": "é/\n"}]}]}
    spaced = b'{ "messages" : [ {"content": [ { "type": "text" , "text" : "\\u00e9\\/\\n"} ], "role":"user"}], '
    spaced += b'"model":"claude-sonnet-4-6"}'
    assert recalled(Recall(), body, spaced) == recalled(Recall(), body)


def test_tools_are_counted_by_their_definitions():
    body = {
        "model": "claude-sonnet-4-6",
        "messages": [],
        "tools": [{"name": "a"}, {"name": "late", "defer_loading": True}],
    }
    found = recalled(Recall(), body)
    assert (found.tools, found.tools_tokens) == (2, len('{"name":"a"}') + len('{"name":"late","defer_loading":true}'))


def test_a_block_is_counted_once_wherever_its_breakpoint_moves():
    counted = []

    class Counting(ByBytes):
        def content(self, block):
            counted.append(block)
            return 1

    recall = Recall()
    turns = [{"role": "user", "content": [{"type": "text", "text": f"turn {at}"}]} for at in range(5)]
    for end in range(1, 6):
        messages = copy.deepcopy(turns[:end])
        messages[-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
        body = msgspec.json.encode({"model": "m", "messages": messages})
        recall.read(msgspec.json.decode(body, type=Body), Counting(), b"m")
    assert len(counted) == 5


def memory(recall):
    """All that is remembered, as text."""
    stretches = [stretch for known in recall._known.values() for stretch in known.stretches]
    inner = [[getattr(stretch, name) for name in stretch.__slots__] for stretch in stretches]
    return repr((vars(recall), inner))


def test_no_text_is_remembered():
    recall = Recall()
    canary = "CANARY-TEXT"
    inner = [{"type": "text", "text": canary, "citations": [{"cited_text": canary}]}]
    content = [
        *inner,
        {"type": "tool_result", "content": inner},
        {"type": "tool_use", "name": canary, "input": {canary: 1}},
        {"type": canary * 10, "defer_loading": canary},
        {"type": [canary], "content": [{"type": canary}], "source": {"content": [{"type": canary}]}},
    ]
    body = {"model": "m", "system": canary, "tools": [{"name": canary, "description": canary}]}
    recalled(recall, {**body, "messages": [{"role": role, "content": content} for role in ("user", canary)]})
    assert canary not in memory(recall)


@pytest.mark.parametrize("control", ["CANARY-TEXT", ["CANARY-TEXT"], {"type": "CANARY-TEXT" * 9}, {"CANARY-TEXT": 1}])
def test_no_text_is_remembered_in_the_place_of_a_breakpoint(control):
    recall = Recall()
    body = {"model": "m", "system": [{"type": "text", "text": "t", "cache_control": control}], "messages": []}
    with pytest.raises(BadBreakpoint):
        recalled(recall, body)
    assert "CANARY" not in memory(recall)


@pytest.mark.parametrize("bound", ["_STRETCHES_MAX", "_BLOCKS_MAX"])
def test_memory_is_bounded(monkeypatch, bound):
    from farthing.prompts import recall as module

    monkeypatch.setattr(module, bound, 3)
    recall = Recall()
    for at in range(10):
        recalled(recall, {"model": "m", "messages": [{"role": "user", "content": f"text {at}"}]})
    kept = {"_STRETCHES_MAX": recall._known, "_BLOCKS_MAX": recall._tokens}[bound]
    assert len(kept) == 3


def test_blocks_are_bounded_however_many_a_message_has(monkeypatch):
    from farthing.prompts import recall as module

    monkeypatch.setattr(module, "_BLOCKS_MAX", 7)
    recall = Recall()
    for at in range(10):
        text = [{"type": "text", "text": f"text {at}"}] * 3
        recalled(recall, {"model": "m", "messages": [{"role": "user", "content": text}] * 2})
        assert sum(known.number for known in recall._known.values()) == recall._held_blocks <= 7
    assert recall._held_blocks == 6


@pytest.mark.parametrize("form", ["one message", "many messages", "empty messages", "system", "tools"])
def test_a_prompt_of_too_many_blocks_is_not_read(monkeypatch, form):
    from farthing.prompts import recall as module

    monkeypatch.setattr(module, "_PROMPT_BLOCKS_MAX", 3)
    text = {"type": "text", "text": "t"}
    body = {
        "one message": {"messages": [{"role": "user", "content": [text] * 4}]},
        "many messages": {"messages": [{"role": "user", "content": [text] * 2}] * 2},
        "empty messages": {"messages": [{"role": "user", "content": []}] * 4},
        "system": {"system": [text] * 4},
        "tools": {"tools": [{"name": "t"}] * 4},
    }[form]
    with pytest.raises(BadInput, match="more than 3 blocks"):
        recalled(Recall(), {"model": "m", "messages": [], **body})
    assert recalled(Recall(), {"model": "m", "messages": [{"role": "user", "content": [text] * 3}]}).blocks
