from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput
from farthing.tokens.blocks import MESSAGE_FRAME, REQUEST_FRAME
from farthing.tokens.figure import total
from farthing.tokens.letters import ContentKind
from farthing.tokens.models import Unknowable
from farthing.tokens.request import SECTIONS, estimate_request
from farthing.tokens.text import estimate_text
from farthing.units import Kind

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + (1000).to_bytes(4, "big") * 2
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()},
}
TOOL = {"name": "read", "description": "Read a file", "input_schema": {"type": "object"}}


def body(*content, model="claude-opus-5", **fields):
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": list(content)}], **fields}


def text(words):
    return {"type": "text", "text": words}


def test_one_message_is_its_text_and_two_frames():
    found = estimate_request(body(text("How far is it to the moon?")))
    assert set(found.sections) == {"user", "overhead"}
    assert found.sections["user"] == estimate_text("How far is it to the moon?", "4.7")
    assert found.sections["overhead"].tokens == REQUEST_FRAME.tokens + MESSAGE_FRAME.tokens == 8
    assert (found.content, found.total.kind) == (ContentKind.PROSE, Kind.ASSUMED)


def test_every_part_goes_to_its_section():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a long report"}}
    found = estimate_request(
        {
            **body(text("look"), IMAGE, document, tools=[TOOL], system=[text("be kind")]),
            "messages": [
                {"role": "user", "content": [text("look"), IMAGE, document]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "read", "input": {"a": 1}}]},
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": [text("x"), IMAGE]}],
                },
            ],
        }
    )
    assert tuple(found.sections) == SECTIONS
    assert found.sections["images"].tokens == 2 * 1296
    assert found.sections["images"].kind is Kind.DERIVED
    assert found.sections["overhead"].tokens == 286 + 4 + 3 * 4 + 20 + 15
    assert found.total.tokens == sum(part.tokens for part in found.sections.values())
    assert found.total.low == sum(part.low for part in found.sections.values())


@pytest.mark.parametrize("shape", [str, lambda words: [text(words)]])
def test_a_string_and_a_block_are_the_same(shape):
    found = estimate_request(
        {"model": "claude-opus-5", "messages": [{"role": "user", "content": shape("hello there")}]}
    )
    assert found == estimate_request(body(text("hello there")))


def test_bytes_and_object_are_the_same():
    request = body(text("h\u00e9llo"), IMAGE, tools=[TOOL])
    assert estimate_request(json.dumps(request).encode()) == estimate_request(request)


def test_the_model_of_the_url_wins():
    found = estimate_request(body(text("x" * 400)), model="claude-haiku-4-5")
    assert found.model == "claude-haiku-4-5-20251001"


def test_a_continued_thread_is_refused_with_its_reason():
    found = estimate_request(body(text("and then?"), thread={"type": "continue", "previous_message_id": "msg_1"}))
    assert isinstance(found, Unknowable)
    assert "server holds the conversation" in found.reason
    assert not isinstance(estimate_request(body(text("hi"), thread={"type": "create"})), Unknowable)


@pytest.mark.parametrize("model", ["claude-opus-5-9", "gpt-4o", None, 5])
def test_an_unknown_model_has_no_number(model):
    assert isinstance(estimate_request(body(text("hi"), model=model)), Unknowable)


THINKING = {"type": "thinking", "thinking": "let us see " * 50, "signature": "A" * 400}


@pytest.mark.parametrize(
    ("model", "kept"), [("claude-haiku-4-5", False), ("claude-opus-4-6", True), ("claude-opus-5", True)]
)
def test_thinking_of_earlier_turns_counts_where_the_model_keeps_it(model, kept):
    def request(thinking):
        answer = {"role": "assistant", "content": [*thinking, text("done")]}
        return {"model": model, "messages": [user("a"), answer, user("b")]}

    def user(words):
        return {"role": "user", "content": words}

    more = estimate_request(request([THINKING])).total.tokens - estimate_request(request([])).total.tokens
    assert (more > 100) == kept
    assert more >= 0


def test_thinking_inside_a_tool_loop_always_counts():
    loop = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [THINKING, {"type": "tool_use", "id": "t", "name": "read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
    ]
    found = estimate_request({"model": "claude-haiku-4-5", "messages": loop})
    assert found.sections["assistant"].tokens > 100


def test_sealed_thinking_is_a_range():
    sealed = {"type": "redacted_thinking", "data": "A" * 8000}
    found = estimate_request({"model": "claude-opus-5", "messages": [{"role": "assistant", "content": [sealed]}]})
    assert found.sections["assistant"].low == 0
    assert found.sections["assistant"].high == 1500


def test_a_block_nobody_knows_counts_by_its_json_with_a_wide_margin():
    found = estimate_request(body({"type": "hologram", "payload": "word " * 100})).sections["user"]
    assert "hologram" in found.basis
    assert found.low < found.tokens / 2 < found.tokens < found.high


def test_what_the_body_does_not_show_is_said():
    found = estimate_request(
        body(text("hi"), mcp_servers=[{"url": "x"}], tools=[{"type": "web_search_20260209", "name": "s"}])
    )
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    "bad", [b"", b"[]", b"{", b"\xff", b'{"model":"claude-opus-5","messages":"hi"}', b"[" * 100_000]
)
def test_a_body_that_is_no_request_is_the_callers_fault(bad):
    with pytest.raises(BadInput):
        estimate_request(bad)


def test_nesting_without_end_is_counted_not_followed():
    block = text("deep")
    for _ in range(200):
        block = {"type": "tool_result", "content": [block]}
    assert "nested too deep" in estimate_request(body(block)).sections["user"].basis


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "source", "a"]), inner)
    ),
    max_leaves=8,
)
TYPES = ["text", "image", "document", "tool_use", "tool_result", "thinking", "search_result", "x"]
FIELDS = ["text", "source", "content", "input", "thinking", "data", "citations"]
odd_blocks = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=3),
)


@given(st.lists(odd_blocks, max_size=3), json_values, json_values)
def test_odd_values_never_raise_and_the_interval_holds(blocks, system, tools):
    whole = estimate_request(body(*blocks, system=system, tools=tools)).total
    assert 0 <= whole.low <= whole.tokens <= whole.high


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5))
def test_another_message_never_costs_less(words):
    def tokens(count):
        messages = [{"role": "user", "content": each} for each in words[:count]]
        return estimate_request({"model": "claude-opus-5", "messages": messages}).total.tokens

    counts = [tokens(count) for count in range(len(words) + 1)]
    assert counts == sorted(counts)


def test_real_requests_are_inside_their_interval(shared_data):
    trace = shared_data / "routerarena" / "claude-3-haiku-20240307.jsonl"
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    inside, errors = 0, []
    for row in rows:
        found = estimate_request(body(text(row["question"]), model="claude-3-haiku-20240307")).total
        real = row["token_usage"]["input_tokens"]
        inside += found.low <= real <= found.high
        errors.append(found.tokens / real - 1)
    assert inside / len(rows) > 0.95
    assert abs(sum(errors) / len(errors)) < 0.02
    assert sum(map(abs, errors)) / len(errors) < 0.05


def test_content_of_no_single_kind_is_mixed():
    prose, code = "We walked along the river and talked of the old days. " * 9, "x[i] += f(y)[j] * {1: 2}[k];\n" * 9
    assert estimate_request(body(text(prose))).content is ContentKind.PROSE
    assert estimate_request(body(text(code))).content is ContentKind.CODE
    assert estimate_request(body(text(prose), text(code))).content is ContentKind.MIXED


def test_sections_add_up():
    found = estimate_request(body(text("hello"), IMAGE, tools=[TOOL]))
    assert found.total.tokens == total(found.sections.values()).tokens
    assert found.text.tokens < found.total.tokens
