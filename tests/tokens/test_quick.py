"""Quick counts stay near the full estimate, on text of several kinds, and never run wild on odd blocks."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.tokens.models import Traits
from farthing.tokens.quick import quick_block, quick_tokens, quick_tool
from farthing.tokens.text import estimate_text

TRAITS = Traits("claude-sonnet-4-6", "pre-4.7", keeps_thinking=True)
ROOT = Path(__file__).parents[2]
JSON = msgspec.json.encode([{"id": at, "name": "some name", "path": "/usr/lib/x", "on": True} for at in range(99)])


@pytest.mark.parametrize("tokenizer", ["pre-4.7", "4.7"])
@pytest.mark.parametrize(
    "text",
    [
        (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8"),
        (ROOT / "src" / "farthing" / "money.py").read_text(encoding="utf-8"),
        JSON.decode(),
        "\u4f60\u597d\u4e16\u754c" * 50,
    ],
    ids=["prose", "code", "json", "chinese"],
)
def test_it_is_within_a_tenth_of_the_full_estimate(text, tokenizer):
    full = estimate_text(text, tokenizer).tokens
    assert abs(quick_tokens(text, tokenizer) - full) <= 0.1 * full


def test_nothing_is_nothing_and_a_letter_is_something():
    assert (quick_tokens("", "4.7"), quick_tokens("\u200b", "4.7") >= 1, quick_tokens(" ", "4.7")) == (0, True, 1)


nested = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["text", "tool_use", "tool_result", "image", "document", "thinking", "new", None]
                )
            },
            optional=dict.fromkeys(("text", "content", "input", "source", "name"), inner),
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["type", "text", "content", "input", "source"]), nested))
def test_any_block_has_a_count(block):
    assert quick_block(block, TRAITS) >= 0
    assert quick_tool(block, TRAITS) >= 0


def test_a_tool_result_is_what_it_holds_and_a_frame():
    inner = {"type": "text", "text": "twelve words " * 6}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [inner, inner]}
    frame = quick_block({**result, "content": []}, TRAITS)
    assert quick_block(result, TRAITS) == frame + 2 * quick_block(inner, TRAITS)
