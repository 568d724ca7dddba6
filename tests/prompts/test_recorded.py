"""What is kept of a request, and that its hashes can be read as those under other dials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.prompts.blocks import read_prompt
from farthing.prompts.dials import masks_of
from farthing.prompts.parts import Section
from farthing.prompts.recorded import recorded_dials, request_of
from farthing.prompts.shape import dials_of
from farthing.tokens.models import traits_of


class ByLength:
    def block(self, part):
        return len(part.encoded)

    def preamble(self, section, body):
        return 7 if section is Section.TOOLS and body.get("tools") else 0


def body(**changes):
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 100,
        "tools": [{"name": "a", "input_schema": {}}],
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [{"role": "user", "content": "hello"}],
        **changes,
    }


TURNED = st.fixed_dictionaries(
    {"model": st.sampled_from(["claude-sonnet-4-6", "claude-opus-4-6", "claude-opus-5", "claude-opus-5-5"])},
    optional={
        "speed": st.sampled_from(["fast", "standard"]),
        "inference_geo": st.sampled_from(["us", "global"]),
        "output_config": st.sampled_from([{"effort": "low"}, {"effort": "medium"}, {"effort": "high"}]),
        "thinking": st.sampled_from([{"type": "adaptive"}, {"type": "enabled", "budget_tokens": 2000}]),
    },
)


@given(TURNED, TURNED)
def test_a_hash_can_be_read_as_that_under_other_dials(one, other):
    recorded, wanted = request_of(body(**one), ByLength()), read_prompt(body(**other), ByLength())
    old, new = masks_of(recorded_dials(recorded)), masks_of(dials_of(body(**other), wanted.model))
    for kept, block in zip(recorded.blocks, wanted.blocks, strict=True):
        section = list(Section).index(Section(kept.section))
        turned = int.from_bytes(kept.prefix_hash) ^ old[section] ^ new[section]
        assert turned.to_bytes(16) == block.prefix_hash


@given(TURNED)
def test_the_dials_of_what_is_kept_are_those_of_the_body(turned):
    request = request_of(body(**turned), ByLength())
    assert recorded_dials(request) == dials_of(body(**turned), traits_of(turned["model"]).model)


def test_what_is_kept():
    request = request_of(body(stream=True, cache_control={"type": "ephemeral"}, service_tier="auto"), ByLength())
    assert (request.model, request.stream, request.max_tokens, request.tools) == ("claude-sonnet-4-6", True, 100, 1)
    assert request.cache_automatic
    assert request.service_tier == "auto"
    assert [(block.section, block.ttl) for block in request.blocks] == [
        ("tools", None),
        ("system", "1h"),
        ("messages", "5m"),
    ]
    assert request.tools_tokens == request.blocks[0].tokens > 7


@pytest.mark.parametrize("odd", [{}, {"model": 3, "messages": "x", "tools": {}, "max_tokens": "9", "thinking": [1]}])
def test_what_is_not_shaped_as_the_api_wants_it_is_left_out(odd):
    request = request_of(odd, ByLength())
    assert (request.model, request.max_tokens, request.tools, request.blocks) == ("", None, 0, ())


def test_a_breakpoint_that_the_api_refuses_leaves_the_blocks():
    request = request_of(body(cache_control={"type": "eternal"}), ByLength())
    assert [block.ttl for block in request.blocks] == [None, None, None]
