"""Prefix blocks: which changes lose which section, what may carry a breakpoint, what the API refuses."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.prompts.blocks import read_prompt
from farthing.prompts.breakpoints import BadBreakpoint
from farthing.prompts.parts import Section

PX = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
WEB = {"type": "web_search_20260209", "name": "web_search"}
EPHEMERAL = {"type": "ephemeral"}


class ByLength:
    """One token per character of text, ten for anything else, and a fixed preamble for tools."""

    def block(self, part):
        return len(part.value["text"]) if part.value.get("type") == "text" else 10

    def preamble(self, section, body):
        return 100 if section is Section.TOOLS and body.get("tools") else 0


def body(**changes):
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 100,
        "tools": [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}],
        "system": [{"type": "text", "text": "be brief"}],
        "messages": [{"role": "user", "content": "hello"}],
        **changes,
    }


def read(request):
    return read_prompt(request, ByLength())


def kept(one, other):
    """The sections whose end has the same hash in both."""
    first, second = ({block.section: block.prefix_hash for block in read(request).blocks} for request in (one, other))
    return {str(section) for section in Section if first.get(section) == second.get(section)}


@pytest.mark.parametrize(
    ("change", "still"),
    [
        ({"tools": [{"name": "a", "input_schema": {}}, {"name": "c", "input_schema": {}}]}, set()),
        ({"tools": [{"name": "b", "input_schema": {}}, {"name": "a", "input_schema": {}}]}, set()),
        ({"tools": [{"input_schema": {}, "name": "a"}, {"name": "b", "input_schema": {}}]}, set()),
        ({"model": "claude-sonnet-5"}, set()),
        ({"inference_geo": "us"}, set()),
        ({"tools": [*body()["tools"], WEB]}, {"tools"}),
        ({"tools": [WEB, *body()["tools"]]}, {"tools"}),
        ({"speed": "fast"}, {"tools"}),
        ({"system": "be long"}, {"tools"}),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, {"tools"}),
        ({"tool_choice": {"type": "any"}}, {"tools", "system"}),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, {"tools", "system"}),
        ({"thinking": {"type": "adaptive"}}, {"tools", "system"}),
        ({"output_config": {"effort": "low"}}, {"tools", "system"}),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}, PX]}]}, {"tools", "system"}),
        ({"messages": [{"role": "assistant", "content": "hello"}]}, {"tools", "system"}),
        # What equals its default, or shapes no prompt, changes nothing.
        ({"tool_choice": {"type": "auto"}}, {"tools", "system", "messages"}),
        ({"speed": "standard"}, {"tools", "system", "messages"}),
        ({"output_config": {"effort": "high"}}, {"tools", "system", "messages"}),
        ({"thinking": {"type": "disabled"}}, {"tools", "system", "messages"}),
        ({"inference_geo": "global"}, {"tools", "system", "messages"}),
        ({"max_tokens": 1, "stream": True, "metadata": {"user_id": "u"}}, {"tools", "system", "messages"}),
        ({"system": "be brief"}, {"tools", "system", "messages"}),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]}, {*Section}),
        ({"tools": [*body()["tools"], {"name": "late", "defer_loading": True}]}, {"tools", "system", "messages"}),
        ({"cache_control": EPHEMERAL}, {"tools", "system", "messages"}),
        ({"system": [{"type": "text", "text": "be brief", "cache_control": EPHEMERAL}]}, {*Section}),
    ],
)
def test_a_change_loses_the_sections_of_the_documented_table(change, still):
    assert kept(body(), body(**change)) == still


def test_citations_are_felt_from_the_system_on():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
    without = body(messages=[{"role": "user", "content": [document]}])
    with_them = body(messages=[{"role": "user", "content": [{**document, "citations": {"enabled": True}}]}])
    assert kept(without, with_them) == {"tools"}


def test_an_image_added_later_loses_the_messages_before_it():
    first = read(body())
    second = read(body(messages=[{"role": "user", "content": "hello"}, {"role": "user", "content": [PX]}]))
    assert first.blocks[2].prefix_hash == second.blocks[2].prefix_hash
    assert first.blocks[3].prefix_hash != second.blocks[3].prefix_hash


def test_an_alias_shares_the_prefix_of_the_model_it_names():
    full, alias = body(model="claude-haiku-4-5-20251001"), body(model="claude-haiku-4-5")
    assert kept(full, alias) == {*Section}
    assert read(alias).model == "claude-haiku-4-5-20251001"


def test_older_models_lose_the_messages_from_where_thinking_is_stripped():
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, PX]},
    ]
    answered = [*turns, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}]
    asked = [*turns, {"role": "user", "content": "next"}]
    counts = {
        model: [len(read(body(model=model, messages=messages)).blocks) for messages in (turns, answered, asked)]
        for model in ("claude-haiku-4-5", "claude-sonnet-4-6")
    }
    assert counts == {"claude-haiku-4-5": [6, 7, 6], "claude-sonnet-4-6": [6, 7, 7]}


def test_the_attribution_block_of_claude_code_is_no_part_of_the_prompt():
    block = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.181; cc_entrypoint=cli;"}
    plain = [{"type": "text", "text": "be brief"}]
    assert kept(body(system=plain), body(system=[block, *plain])) == {*Section}
    assert kept(body(system=plain), body(system=[*plain, block])) == {"tools"}


def test_tokens_add_up_with_the_preamble_on_the_first_block():
    prompt = read(body())
    assert [block.tokens for block in prompt.blocks] == [110, 10, 8, 5]
    assert [block.prefix_tokens for block in prompt.blocks] == [110, 120, 128, 133]
    assert prompt.tokens == 133


def marked(*ttls):
    content = [
        {"type": "text", "text": f"t{i}", **({"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {})}
        for i, ttl in enumerate(ttls)
    ]
    return body(tools=[], system=[], messages=[{"role": "user", "content": content}])


def test_breakpoints_are_read_where_they_stand():
    prompt = read(marked("1h", None, "5m"))
    assert [block.ttl for block in prompt.blocks] == ["1h", None, "5m"]
    assert prompt.breakpoints == (0, 2)
    assert read(body(system=[{"type": "text", "text": "s", "cache_control": EPHEMERAL}])).blocks[2].ttl == "5m"


@pytest.mark.parametrize(
    ("request_body", "says"),
    [
        (marked("5m", "5m", "5m", "5m", "5m"), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
        ({**marked("5m", "5m", "5m", "5m", None), "cache_control": EPHEMERAL}, "Found 5"),
        (marked("5m", "1h"), "ttl='1h' cache_control block must not come after a ttl='5m'"),
        ({**marked("5m", None), "cache_control": {"type": "ephemeral", "ttl": "1h"}}, "must not come after"),
        ({**marked(None, "5m"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}, "differs from"),
        (marked("2h"), "ttl: Input should be '5m' or '1h'"),
        ({**marked(None), "cache_control": {"type": "eternal"}}, "type: Input should be 'ephemeral'"),
        ({**marked(None), "cache_control": True}, "valid dictionary"),
        (
            body(messages=[{"role": "user", "content": [{"type": "text", "text": "", "cache_control": EPHEMERAL}]}]),
            "messages.0.content.0: cache_control cannot be set for empty text blocks",
        ),
    ],
)
def test_the_api_refuses_these_breakpoints(request_body, says):
    with pytest.raises(BadBreakpoint) as refused:
        read(request_body)
    assert says in refused.value.read


def test_the_automatic_breakpoint_walks_back_to_a_cacheable_block():
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    request = body(
        messages=[{"role": "user", "content": "q"}, {"role": "assistant", "content": [thinking]}],
        cache_control=EPHEMERAL,
    )
    assert [block.ttl for block in read(request).blocks] == [None, None, None, "5m", None]
    alone = {"model": "claude-opus-5", "messages": [{"role": "assistant", "content": [thinking]}]}
    assert read({**alone, "cache_control": EPHEMERAL}).breakpoints == ()


def test_the_automatic_breakpoint_needs_no_slot_where_an_equal_one_stands():
    request = {**marked("5m", "5m", "5m", "5m"), "cache_control": EPHEMERAL}
    assert read(request).breakpoints == (0, 1, 2, 3)


def test_breakpoints_can_be_left_unread():
    prompt = read_prompt(marked("5m", "1h"), ByLength(), breakpoints=False)
    assert prompt.breakpoints == ()


texts = st.lists(st.text(max_size=5), min_size=1, max_size=6)


def said(parts):
    return {
        "model": "claude-opus-5",
        "messages": [{"role": "user", "content": [{"type": "text", "text": t} for t in parts]}],
    }


@given(texts, texts)
def test_prefixes_share_hashes_exactly_as_far_as_they_are_equal(one, other):
    first, second = read(said(one)).blocks, read(said(other)).blocks
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    assert [a.prefix_hash == b.prefix_hash for a, b in zip(first, second, strict=False)] == [
        i < same for i in range(min(len(one), len(other)))
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "content", "role", "cache_control", "source", "citations", "ttl", "tools"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["model", "system", "tools", "messages", "thinking"]), json_values, max_size=5))
def test_a_body_of_any_shape_is_read_or_refused_and_never_changed(anything):
    class Ones:
        def block(self, _part):
            return 1

        def preamble(self, _section, _body):
            return 0

    before = copy.deepcopy(anything)
    try:
        prompt = read_prompt(anything, Ones())
    except BadBreakpoint:
        prompt = None
    assert anything == before
    assert prompt is None or prompt.tokens == len(prompt.blocks)
