"""Which shape it is, and what is quarantined instead of guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Served, Usage
from farthing.usage.detect import SHAPES, read_any
from farthing.usage.interface import Quarantined, Unreadable

ANTHROPIC = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 100}

EVENTS = (
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5}}}\n\n'
    'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n'
)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (ANTHROPIC, Usage(5, 0, 0, 100, 7)),
        ({"usage": ANTHROPIC, "model": "x"}, Usage(5, 0, 0, 100, 7)),
        ({"input_tokens": 5, "output_tokens": 7}, Usage(5, output_tokens=7)),
        ({"prompt_tokens": 105, "completion_tokens": 7, "cache_read_input_tokens": 100}, Usage(5, 0, 0, 100, 7)),
        (
            {"input_tokens": 105, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 100}},
            Usage(5, 0, 0, 100, 7),
        ),
        ({"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}, Usage(5, output_tokens=7)),
        ({"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokens": 100}, Usage(5, 0, 0, 100, 7)),
        ({"metadata": {"usage": {"inputTokens": 5, "outputTokens": 7}}}, Usage(5, output_tokens=7)),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 7}, Usage(5, output_tokens=7)),
        (
            {"custom_id": "c", "result": {"type": "succeeded", "message": {"usage": ANTHROPIC}}},
            Usage(5, 0, 0, 100, 7),
        ),
        (b'\xef\xbb\xbf{"input_tokens": 5, "output_tokens": 7}', Usage(5, output_tokens=7)),
        (
            EVENTS,
            Usage(5, output_tokens=7),
        ),
    ],
)
def test_each_shape_is_known_by_its_names(payload, expected):
    assert read_any(payload, model="m").usage == expected


def test_a_batch_result_keeps_its_tier():
    line = {"custom_id": "c", "result": {"type": "succeeded", "message": {"model": "m", "usage": ANTHROPIC}}}
    assert read_any(line).service_tier == "batch"


@pytest.mark.parametrize("channel", ["bedrock", "google_cloud", "foundry", None])
def test_the_channel_reaches_the_reader(channel):
    served = read_any({"usage": ANTHROPIC, "model": "reported"}, model="stated", channel=channel, location="eu")
    assert (served.channel, served.location) == (channel or "claude_api", "eu")
    assert served.model == ("stated" if channel in ("bedrock", "google_cloud") else "reported")


def test_a_total_beside_anthropics_counts_is_a_checksum():
    assert read_any(ANTHROPIC | {"total_tokens": 112}, model="m").prompt_tokens_reported == 105
    for total in (12, 111):  # 12 is what an inclusive count of 5 would give; the names say it is exclusive
        assert f"total_tokens = {total}" in read_any(ANTHROPIC | {"total_tokens": total}, model="m").reason


@pytest.mark.parametrize(
    ("payload", "read", "said"),
    [
        (ANTHROPIC | {"prompt_tokens": 105}, "unknown", "the counts of 2 shapes"),
        (ANTHROPIC | {"input_tokens_details": {"cached_tokens": 100}}, "unknown", "inclusive beside the one"),
        (ANTHROPIC | {"input_token_details": {"cache_read": 100}}, "unknown", "input_token_details"),
        (
            ANTHROPIC | {"cache_creation": {"ephemeral_5m_input_tokens": 3}} | {"cache_creation_input_tokens": 4},
            "messages",
            "sums",
        ),
        ({"inputTokens": -1}, "bedrock converse", "inputTokens = -1"),
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4}, "openai chat", "total_tokens = 4"),
        ({"gen_ai.usage.input_tokens": "many"}, "otel genai", "a string"),
        ({"type": "message_delta", "usage": {"output_tokens": 3}}, "unknown", "one event of a stream"),
        ({"type": "message_start", "message": {"usage": ANTHROPIC}}, "unknown", "one event of a stream"),
        ({"usage": None}, "unknown", "without a usage object"),
        ({"type": "error", "error": {}}, "unknown", "without a usage object"),
        ({}, "unknown", "without token counts"),
        (b"", "unknown", "0 bytes as usage"),
        ("[]", "unknown", "an array as usage"),
        (None, "unknown", "null as usage"),
        ('"secret"', "unknown", "a string as usage"),
        ("secret", "unknown", "6 bytes as usage"),
    ],
)
def test_what_cannot_be_read_without_guessing_is_quarantined(payload, read, said):
    quarantined = read_any(payload, model="m")
    assert isinstance(quarantined, Quarantined)
    assert quarantined.read == read
    assert said in quarantined.reason
    assert "secret" not in quarantined.reason
    assert "\n" not in quarantined.reason


def test_a_batch_result_that_is_not_billed_states_no_usage():
    read = read_any({"custom_id": "c", "result": {"type": "expired"}})
    assert isinstance(read, Unreadable)
    assert "expired" in read.reason


def test_no_model_is_never_a_guess():
    assert "names no model" in read_any(ANTHROPIC).reason


_NAMES = st.sampled_from(
    [
        "usage", "model", "type", "content", "iterations", "input_tokens", "output_tokens", "total_tokens", "result",
        "cache_creation", "cache_creation_input_tokens", "cache_read_input_tokens", "server_tool_use", "custom_id",
        "ephemeral_5m_input_tokens", "output_tokens_details", "input_tokens_details", "prompt_tokens", "metadata",
        "prompt_tokens_details", "cached_tokens", "inputTokens", "cacheDetails", "ttl", "choices", "message",
        "gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.system", "stop_details",
    ]
)  # fmt: skip
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.integers(0, 50) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["message", "compaction", "fallback_message", "succeeded", "5m"])
)  # fmt: skip
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=6), max_leaves=25
)


@given(_JSON)
def test_any_json_is_read_or_quarantined(payload):
    assert isinstance(read_any(payload, model="m"), Served | Quarantined)


@given(st.binary(max_size=80) | st.text(max_size=80))
def test_any_bytes_are_read_or_quarantined(payload):
    assert isinstance(read_any(payload, model="m"), Served | Quarantined)


def test_every_shape_has_its_row_in_the_documentation():
    rows = (Path(__file__).parents[2] / "docs" / "usage-readers.md").read_text(encoding="utf-8").splitlines()
    for shape in SHAPES:
        (row,) = [row for row in rows if row.startswith(f"| `{shape.name}` |")]
        said = [cell.strip() for cell in row.split("|")]
        assert said[3:6] == [shape.input_counts.value, _yes(shape.splits_writes), _yes(shape.prompt_total)]


def _yes(value):
    return "yes" if value else "no"
