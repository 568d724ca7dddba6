"""Messages JSON: the table of facts 3.2, T rows of the regression table, and what must be refused."""

from __future__ import annotations

import json
import math
from types import MappingProxyType

import pytest

from farthing.call import Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.interface import Known
from farthing.usage.messages import read_message, read_usage

FULL = {
    "id": "msg_01AbC",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "Done."}],
    "stop_reason": "end_turn",
    "stop_details": None,
    "usage": {
        "input_tokens": 50,
        "cache_creation_input_tokens": 2500,
        "cache_read_input_tokens": 100_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 500},
        "output_tokens": 800,
        "output_tokens_details": {"thinking_tokens": 310},
        "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 2, "code_execution_requests": 1},
        "service_tier": "standard",
        "inference_geo": "us",
        "speed": "fast",
    },
}


@pytest.mark.parametrize("encode", [json.dumps, lambda body: json.dumps(body).encode(), dict, MappingProxyType])
def test_a_whole_response_is_read_from_text_bytes_or_any_mapping(encode):
    served = read_message(encode(FULL), Known(request_id="req_1"))

    assert served.usage == Usage(50, 2000, 500, 100_000, 800, 310, 3, 2, 1)
    assert served.usage.prompt_tokens == 102_550
    assert (served.model, served.message_id, served.request_id) == ("claude-opus-5-5", "msg_01AbC", "req_1")
    assert (served.service_tier, served.speed, served.inference_geo) == ("standard", "fast", "us")
    assert (served.stop_reason, served.refusal_category, served.output_started) == ("end_turn", None, True)
    assert (served.kind, served.notes, served.extra_passes) == (Kind.MEASURED, (), ())


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(
            {"input_tokens": 3, "cache_creation_input_tokens": 12_304, "output_tokens": 550},
            Usage(3, 12_304, 0, 0, 550),
            id="T1",
        ),
        pytest.param(
            {"input_tokens": 6, "cache_creation_input_tokens": 159_217, "output_tokens": 2_745},
            Usage(6, 159_217, 0, 0, 2_745),
            id="T3",
        ),
        pytest.param(
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 25,
                "cache_read_input_tokens": 13_216,
                "output_tokens": 12,
            },
            Usage(3, 25, 0, 13_216, 12),
            id="T5",
        ),
        pytest.param(
            {
                "input_tokens": 0,
                "output_tokens": 0,
                "cache_creation_input_tokens": 344_139,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 344_139},
            },
            Usage(cache_write_1h_tokens=344_139),
            id="T8",
        ),
    ],
)
def test_regressions_of_other_meters(usage, expected):
    assert read_usage(usage, model="m").usage == expected


@pytest.mark.parametrize(
    ("ttls", "write_5m", "write_1h"),
    [(None, 900, 0), (frozenset(), 900, 0), (frozenset({"5m"}), 900, 0), (frozenset({"1h"}), 0, 900)],
)
@pytest.mark.parametrize(
    "split",
    [
        {},
        {"cache_creation": None},
        {"cache_creation": {}},
        {"cache_creation": {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": None}},
    ],
)
def test_a_total_without_a_split_is_derived_from_what_the_request_asked_for(split, ttls, write_5m, write_1h):
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 900} | split

    served = read_usage(usage, model="m", known=Known(write_ttls=ttls))

    assert (served.usage.cache_write_5m_tokens, served.usage.cache_write_1h_tokens) == (write_5m, write_1h)
    assert served.kind is Kind.DERIVED
    assert "900 cache-write tokens came without a split" in served.notes[0]


@pytest.mark.parametrize("ttls", [{"5m", "1h"}, {"2h"}])
def test_a_split_that_cannot_be_told_is_refused(ttls):
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 900}
    with pytest.raises(BadInput, match="900 cache-write tokens without a split"):
        read_usage(usage, model="m", known=Known(write_ttls=frozenset(ttls)))


@pytest.mark.parametrize("total", [0, 999, 1001])
def test_a_split_must_sum_to_its_total(total):
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": total,
        "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
    }
    with pytest.raises(BadInput, match=rf"400 \(5m\) \+ 600 \(1h\), cache_creation_input_tokens = {total}"):
        read_usage(usage, model="m")


def test_a_split_stands_for_a_total_that_is_absent():
    usage = {"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 600}}
    assert read_usage(usage, model="m").usage == Usage(1, 0, 600)


def test_nulls_and_absences_are_zero():
    usage = dict.fromkeys(FULL["usage"]) | {"input_tokens": 7}
    served = read_usage(usage, model="m")
    assert served.usage == Usage(7)
    assert (served.service_tier, served.speed, served.inference_geo) == ("standard", "standard", None)


@pytest.mark.parametrize(("reported", "tier"), [("default", "standard"), ("priority", "priority"), ("new", "new")])
def test_service_tier_is_as_reported(reported, tier):
    assert read_usage({"input_tokens": 1, "service_tier": reported}, model="m").service_tier == tier


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-1, "-1"),
        (True, "a boolean"),
        (2.5, "2.5"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (2**53 + 1, "9007199254740993"),
        pytest.param(10**5000, "an integer of 16610 bits", id="huge"),
        ("12", "a string"),
        ([1], "an array"),
    ],
)
@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda value: {"input_tokens": value}, "input_tokens"),
        (lambda value: {"input_tokens": 1, "cache_read_input_tokens": value}, "cache_read_input_tokens"),
        (
            lambda value: {"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": value}},
            "cache_creation.ephemeral_1h_input_tokens",
        ),
        (
            lambda value: {"input_tokens": 1, "server_tool_use": {"web_search_requests": value}},
            "server_tool_use.web_search_requests",
        ),
        (
            lambda value: {"input_tokens": 1, "iterations": [{"type": "message", "output_tokens": value}]},
            "iterations[0].output_tokens",
        ),
    ],
)
def test_what_is_no_count_is_named_in_one_line(build, field, value, shown):
    with pytest.raises(BadInput) as caught:
        read_usage(build(value), model="m")
    assert str(caught.value) == f"read {field} = {shown}; expected a whole number from 0 to 2**53"


def test_a_whole_float_is_a_count():
    assert read_usage({"input_tokens": 3.0, "output_tokens": 2**53}, model="m").usage == Usage(3, output_tokens=2**53)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "as messages"),
        (b"\xff\xfe{}", "as messages"),
        (b'{"usage": {"input_tokens": 1}, "x": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "read an array as messages"),
        (b'{"model": "m", "usage": {"input_tokens": NaN}}', "as messages"),
        ({"model": "m", "usage": None}, "usage = null"),
        ({"model": "m", "usage": "secret"}, "read a string as usage"),
        ({"model": "m", "usage": {}}, "without token counts"),
        ({"model": "", "usage": {"input_tokens": 1}}, "names no model"),
        ({"model": 5, "usage": {"input_tokens": 1}}, "names no model"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}, "error body"),
        ({"model": "m", "usage": {"input_tokens": 1, "speed": 5}}, r"\$\.speed"),
        ({"model": "m", "usage": {"input_tokens": 1, "iterations": [5]}}, "iterations"),
    ],
)
def test_what_is_no_response_is_refused_without_its_content(payload, said):
    with pytest.raises(BadInput, match=said) as caught:
        read_message(payload)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_payload_names_the_model_on_claude_channels_and_the_url_on_partner_clouds():
    def model(channel):
        return read_message(FULL, Known(model="stated", channel=channel)).model

    assert [model(channel) for channel in (None, "claude_api", "foundry")] == ["claude-opus-5-5"] * 3
    assert [model(channel) for channel in ("bedrock", "google_cloud")] == ["stated"] * 2
    assert read_message(FULL, Known(channel="bedrock")).model == "claude-opus-5-5"


@pytest.mark.parametrize(
    ("content", "started"),
    [
        ([], False),
        ([{"type": "text", "text": ""}], False),
        ([{"type": "fallback", "to": {"model": "x"}}], False),
        ([{"type": "thinking", "thinking": "", "signature": "s"}], True),
        ([{"type": "tool_use", "name": "f", "input": {}}], True),
        (None, None),
    ],
)
def test_a_refusal_tells_whether_output_had_started(content, started):
    refusal = FULL | {
        "content": content,
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "bio", "explanation": "secret"},
    }
    served = read_message(refusal)
    assert (served.stop_reason, served.refusal_category, served.output_started) == ("refusal", "bio", started)


def test_thinking_is_inside_output_and_never_beyond_it():
    usage = {"input_tokens": 29, "output_tokens": 391, "output_tokens_details": {"thinking_tokens": 180}}
    assert read_usage(usage, model="m").usage == Usage(29, output_tokens=391, thinking_tokens=180)
    usage["output_tokens_details"] = {"thinking_tokens": 393}
    assert read_usage(usage, model="m").usage.thinking_tokens == 391
