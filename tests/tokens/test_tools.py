from __future__ import annotations

from datetime import date

import msgspec
import pytest

from farthing.prices.book import shipped_book
from farthing.tokens.figure import NOTHING
from farthing.tokens.models import traits_of
from farthing.tokens.tools import ToolTable, definitions, tool_prompt, tool_table, tools_estimate
from farthing.units import Kind

OWN = {"name": "get_weather", "description": "Weather in a city", "input_schema": {"type": "object", "properties": {}}}

# Pricing page of 2026-09 (facts: prices 4.10): auto or none, any or tool.
PUBLISHED = [
    ("claude-opus-5", 286, 406),
    ("claude-opus-4-8", 290, 410),
    ("claude-opus-4-7", 675, 804),
    ("claude-opus-4-6", 497, 589),
    ("claude-opus-4-5", 496, 588),
    ("claude-opus-4-1", 313, 315),
    ("claude-opus-4-0", 313, 315),
    ("claude-sonnet-5", 354, 474),
    ("claude-sonnet-4-6", 497, 589),
    ("claude-sonnet-4-5", 496, 588),
    ("claude-sonnet-4-0", 313, 315),
    ("claude-haiku-4-5", 496, 588),
    ("claude-3-5-haiku-latest", 264, 355),
    # Copy of 2025, no newer row
    ("claude-3-7-sonnet-latest", 346, 313),
    ("claude-3-5-sonnet-20241022", 346, 313),
    ("claude-3-5-sonnet-20240620", 294, 261),
    ("claude-3-opus-20240229", 530, 281),
    ("claude-3-sonnet-20240229", 159, 235),
    ("claude-3-haiku-20240307", 264, 340),
]
UNPUBLISHED = [
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-fable-5",
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-preview",
    "claude-mythos-5",
    "claude-mythos-5-1",
    "claude-mythos-5-2",
]


@pytest.mark.parametrize(("model", "auto", "forced"), PUBLISHED)
def test_published_hidden_prompts(model, auto, forced):
    for is_forced, tokens in ((False, auto), (True, forced)):
        found = tool_prompt(traits_of(model), forced=is_forced)
        assert (found.low, found.tokens, found.high, found.kind) == (tokens, tokens, tokens, Kind.DERIVED)


@pytest.mark.parametrize("model", UNPUBLISHED)
def test_an_unpublished_model_gets_a_range_and_says_so(model):
    auto, forced = (tool_prompt(traits_of(model), forced=forced) for forced in (False, True))
    assert (auto.low, auto.high, auto.kind) == (286, 675, Kind.ASSUMED)
    assert (forced.low, forced.high, forced.kind) == (406, 804, Kind.ASSUMED)
    assert "not published" in auto.basis


def test_a_single_source_is_not_taken_for_confirmed():
    found = tool_prompt(traits_of("claude-haiku-5-5"), forced=False)
    assert (found.tokens, found.kind) == (286, Kind.ASSUMED)
    assert found.low <= 286 < found.high


def test_the_table_is_dated():
    opus = traits_of("claude-opus-4-1")
    assert tool_prompt(opus, forced=False, on=date(2025, 9, 1)).tokens == 346
    assert tool_prompt(opus, forced=False, on=date(2026, 9, 1)).tokens == 313


def test_no_tools_no_overhead():
    assert tools_estimate([], {"type": "none"}, traits_of("claude-opus-5")) == (NOTHING, NOTHING)


@pytest.mark.parametrize(("choice", "tokens"), [(None, 286), ("auto", 286), ("none", 286), ("any", 406), ("tool", 406)])
def test_the_choice_decides_the_prompt(choice, tokens):
    hidden, _ = tools_estimate([OWN], choice and {"type": choice}, traits_of("claude-opus-5"))
    assert hidden.tokens == tokens


@pytest.mark.parametrize(
    ("model", "tool", "low", "tokens", "high"),
    [
        ("claude-opus-5", {"type": "bash_20250124"}, 325, 325, 325),
        ("claude-haiku-4-5", {"type": "bash_20250124"}, 244, 244, 244),
        ("claude-fable-5-2", {"type": "bash_20250124"}, 244, 284, 325),
        ("claude-opus-5", {"type": "text_editor_20250728"}, 700, 700, 700),
        ("claude-fable-5", {"type": "computer_toolset_20260801"}, 4520, 4520, 4520),
        ("claude-sonnet-5", {"type": "computer_toolset_20260801"}, 4590, 4590, 4590),
        ("claude-sonnet-5", {"type": "computer_toolset_20260801", "zoom": False}, 4180, 4590, 4590),
        ("claude-sonnet-5", {"type": "browser_toolset_20260801"}, 6670, 6670, 6670),
        ("claude-sonnet-5", {"type": "browser_toolset_20260801", "members": []}, 6670, 6670, 7550),
        ("claude-opus-4-6", {"type": "computer_20250124"}, 1201, 1218, 1234),
        ("claude-opus-5", {"type": "web_search_20260209"}, 0, 1000, 3000),
    ],
)
def test_definitions_of_anthropics_own(model, tool, low, tokens, high):
    found = definitions([{"name": "x", **tool}], traits_of(model))
    assert (found.low, found.tokens, found.high) == (low, tokens, high)
    assert (found.kind is Kind.DERIVED) == (low == high)


def test_own_definitions_count_by_their_text():
    opus = traits_of("claude-opus-5")
    one, two = definitions([OWN], opus), definitions([OWN, OWN], opus)
    assert two.tokens == 2 * one.tokens > 0
    assert definitions([{**OWN, "cache_control": {"type": "ephemeral"}}], opus) == one
    assert definitions([{**OWN, "type": "custom", "defer_loading": True}], opus).low == 0


def test_every_row_names_models_and_sources_of_the_book():
    book = shipped_book()
    ids = {model.id for model in book.models}
    for row in (*tool_table().prompt, *tool_table().definition):
        assert set(row.models) <= ids
        assert row.source in book.sources
        assert row.checked_on


def test_no_model_has_two_rows_on_one_day():
    for day in (date(2025, 6, 1), date(2026, 6, 30), date(2026, 7, 1), date(2026, 11, 1), None):
        named = [model for row in tool_table().prompt if row.applies(day) for model in row.models]
        assert len(named) == len(set(named))


def test_an_unknown_key_is_refused():
    row = {"models": ["claude-opus-5"], "auto": 1, "forced": 2, "source": "A", "checked_on": "2026-09", "atuo": 3}
    with pytest.raises(msgspec.ValidationError, match="atuo"):
        msgspec.convert({"prompt": [row], "definition": []}, ToolTable)
