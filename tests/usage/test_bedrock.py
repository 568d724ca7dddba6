"""Bedrock in both dialects; the camelCase payloads have the shape of recorded ones."""

from __future__ import annotations

import json

import pytest

from farthing.call import Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.bedrock import InvokeStreamMeter, read_converse, read_invoke
from farthing.usage.interface import Known, Quarantined, Unreadable

GLOBAL = Known(model="global.anthropic.claude-sonnet-4-5-20250929-v1:0")
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
    "stopReason": "end_turn",
    "usage": {
        "inputTokens": 50,
        "outputTokens": 800,
        "totalTokens": 103_350,
        "cacheReadInputTokens": 100_000,
        "cacheReadInputTokenCount": 100_000,
        "cacheWriteInputTokens": 2_500,
        "cacheWriteInputTokenCount": 2_500,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 500}, {"ttl": "5m", "inputTokens": 2_000}],
        "serverToolUsage": {},
    },
    "metrics": {"latencyMs": 4_100},
}


def usage(**changes):
    return CONVERSE | {"usage": CONVERSE["usage"] | changes}


@pytest.mark.parametrize(
    "payload",
    [CONVERSE, json.dumps(CONVERSE), {"metadata": {"usage": CONVERSE["usage"], "metrics": {}}}, CONVERSE["usage"]],
)
def test_converse_response_stream_metadata_and_bare_usage_read_alike(payload):
    served = read_converse(payload, GLOBAL)
    assert served.usage == Usage(50, 2_000, 500, 100_000, 800)
    assert (served.channel, served.location, served.model) == ("bedrock", "global", GLOBAL.model)
    assert (served.kind, served.notes) == (Kind.MEASURED, ())


def test_converse_says_why_it_stopped_and_whether_it_began():
    served = read_converse(CONVERSE | {"serviceTier": {"type": "default"}}, GLOBAL)
    assert (served.stop_reason, served.output_started, served.service_tier) == ("end_turn", True, "standard")
    assert read_converse(CONVERSE["usage"], GLOBAL).output_started is None
    assert read_converse(CONVERSE | {"serviceTier": {"type": "priority"}}, GLOBAL).service_tier == "priority"


def test_the_total_of_converse_decides_nothing():
    read = read_converse(usage(totalTokens=850), GLOBAL)
    assert read.usage == Usage(50, 2_000, 500, 100_000, 800)
    assert "totalTokens = 850" in read.notes[0]
    assert read.prompt_tokens_reported is None


def test_writes_without_details_are_derived():
    read = read_converse(usage(cacheDetails=None), GLOBAL)
    assert (read.usage.cache_write_5m_tokens, read.kind) == (2_500, Kind.DERIVED)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (usage(cacheReadInputTokenCount=7), "cacheReadInputTokens = 100000, cacheReadInputTokenCount = 7"),
        (usage(cacheDetails=[{"ttl": "1h", "inputTokens": 1}]), r"0 \(5m\) \+ 1 \(1h\)"),
        (usage(cacheDetails=[{"ttl": "2h", "inputTokens": 1}]), r"cacheDetails\[0\] with an unknown ttl"),
        (usage(cacheDetails=[{"ttl": "1h", "inputTokens": -1}]), r"cacheDetails\[0\].inputTokens = -1"),
        (usage(outputTokens=1.5), "outputTokens = 1.5"),
        (usage(totalTokens=True), "totalTokens = a boolean"),
        ({"usage": {}}, "without token counts"),
        ({"usage": 5}, "no object"),
    ],
)
def test_contradictions_in_converse_are_refused(payload, said):
    with pytest.raises(BadInput, match=said):
        read_converse(payload, GLOBAL)


def test_converse_needs_a_model_from_the_caller():
    with pytest.raises(BadInput, match="names no model"):
        read_converse(CONVERSE)


@pytest.mark.parametrize(
    ("model", "stated", "location"),
    [
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", None, "us"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "us-east-1", "us-east-1"),
        ("global.anthropic.claude-opus-4-5-20251101-v1:0", "us-east-1", "global"),
        ("anthropic.claude-opus-4-5-20251101-v1:0", None, None),
        ("anthropic.claude-opus-4-5-20251101-v1:0", "eu-west-1", "eu-west-1"),
    ],
)
def test_the_inference_profile_in_the_id_tells_the_location(model, stated, location):
    assert read_converse(CONVERSE, Known(model=model, location=stated)).location == location


def test_t5_invoke_is_a_message_priced_by_the_invoked_id():
    counts = {"input_tokens": 3, "cache_creation_input_tokens": 25, "cache_read_input_tokens": 13_216}
    body = {"model": "claude-sonnet-4-5-20250929", "usage": counts | {"output_tokens": 12}}
    served = read_invoke(json.dumps(body), GLOBAL)
    assert served.usage == Usage(3, 25, 0, 13_216, 12)
    assert (served.model, served.channel, served.location) == (GLOBAL.model, "bedrock", "global")


STREAM = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "model": "claude-sonnet-4-5-20250929",
            "usage": {"input_tokens": 45, "output_tokens": 2},
        },
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 2_044}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 600}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 45, "outputTokenCount": 600}},
]


def metered(events, known=GLOBAL):
    meter = InvokeStreamMeter(known)
    for event in events:
        meter.event(json.dumps(event).encode())
    return meter.finish()


def test_an_invoke_stream_reads_like_the_message():
    served = metered(STREAM)
    assert (served.usage, served.kind, served.model) == (Usage(45, output_tokens=600), Kind.MEASURED, GLOBAL.model)
    assert (served.channel, served.location, served.message_id) == ("bedrock", "global", "msg_1")


def test_t20_a_cancelled_invoke_stream_is_recovered():
    served = metered(STREAM[:2], Known(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0"))
    assert (served.usage, served.kind, served.location) == (Usage(45, output_tokens=511), Kind.ASSUMED, "us")


def test_invocation_metrics_stand_in_for_a_stream_without_usage():
    old = [{"completion": "Hi", "stop_reason": None}, {"completion": "", **STREAM[-1]}]
    served = metered(old, Known(model="anthropic.claude-v2:1"))
    assert (served.usage, served.kind) == (Usage(45, output_tokens=600), Kind.DERIVED)
    assert "invocationMetrics" in served.notes[-1]

    assert isinstance(metered(old[:1]), Unreadable)
    assert "names no model" in metered(old, Known()).reason
    broken = metered([{"amazon-bedrock-invocationMetrics": {"inputTokenCount": -1}}])
    assert isinstance(broken, Quarantined)
    assert "inputTokenCount = -1" in broken.reason


def test_chunks_that_are_no_json_raise_nothing():
    meter = InvokeStreamMeter()
    meter.event(b'\xff"amazon-bedrock-invocationMetrics"')
    assert isinstance(meter.finish(), Unreadable)
