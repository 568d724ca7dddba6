"""One usage written in every shape and read back is the same usage: no shape changes the bill."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Usage
from farthing.units import Kind
from farthing.usage.detect import read_any

COUNTS = st.integers(0, 2**40) | st.just(0)
TOKENS = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


def written(usage):
    return usage.cache_write_5m_tokens + usage.cache_write_1h_tokens


def messages(usage):
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": written(usage),
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens_details": {"thinking_tokens": usage.thinking_tokens},
    }


def response(usage):
    return json.dumps({"model": "m", "content": [], "usage": messages(usage)}).encode()


def stream(usage):
    start = {"type": "message_start", "message": {"model": "m", "usage": messages(usage) | {"output_tokens": 1}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": messages(usage)}
    del end["usage"]["cache_creation"]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in (start, end))


def batch_line(usage):
    return {"custom_id": "c", "result": {"type": "succeeded", "message": {"model": "m", "usage": messages(usage)}}}


def converse(usage):
    details = [("1h", usage.cache_write_1h_tokens), ("5m", usage.cache_write_5m_tokens)]
    return {
        "usage": {
            "inputTokens": usage.input_tokens,
            "outputTokens": usage.output_tokens,
            "totalTokens": usage.prompt_tokens + usage.output_tokens,
            "cacheReadInputTokens": usage.cache_read_tokens,
            "cacheReadInputTokenCount": usage.cache_read_tokens,
            "cacheWriteInputTokens": written(usage),
            "cacheDetails": [{"ttl": ttl, "inputTokens": count} for ttl, count in details],
        }
    }


def chat(usage):
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": written(usage)},
        "completion_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
    }


def responses(usage):
    return {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": written(usage)},
        "output_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
    }


def otel(usage, prompt="input_tokens", output="output_tokens", write="cache_write.input_tokens"):
    return {
        f"gen_ai.usage.{prompt}": usage.prompt_tokens,
        f"gen_ai.usage.{output}": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        f"gen_ai.usage.{write}": written(usage),
        "gen_ai.usage.reasoning.output_tokens": usage.thinking_tokens,
    }


def otel_old(usage):
    return otel(usage, "prompt_tokens", "completion_tokens", "cache_creation.input_tokens")


def otel_exclusive_with_total(usage):
    total = usage.prompt_tokens + usage.output_tokens
    return otel(usage) | {"gen_ai.usage.input_tokens": usage.input_tokens, "gen_ai.usage.total_tokens": total}


SPLITTING = [messages, response, stream, batch_line]
WITHOUT_SPLIT = [chat, responses, otel, otel_old, otel_exclusive_with_total]


def thinking(usage):
    """*usage* with a third of its output as thinking."""
    return Usage(*[getattr(usage, name) for name in Usage.__struct_fields__[:5]], usage.output_tokens // 3)


@pytest.mark.parametrize("encode", SPLITTING)
@given(TOKENS)
def test_shapes_that_split_writes_give_back_every_count(encode, usage):
    usage = thinking(usage)
    served = read_any(encode(usage), model="m")
    assert (served.usage, served.kind, served.notes) == (usage, Kind.MEASURED, ())


@given(TOKENS)
def test_converse_gives_back_all_but_thinking(usage):
    served = read_any(converse(usage), model="m")
    assert (served.usage, served.kind, served.notes) == (usage, Kind.MEASURED, ())


@pytest.mark.parametrize("ttl", [None, "5m", "1h"])
@pytest.mark.parametrize("encode", WITHOUT_SPLIT)
@given(st.builds(Usage, COUNTS, COUNTS, st.just(0), COUNTS, COUNTS))
def test_shapes_without_a_split_give_back_one_lifetime_as_derived(encode, ttl, usage):
    usage = thinking(usage)
    if ttl == "1h":
        usage = Usage(usage.input_tokens, 0, written(usage), *_rest(usage))
    served = read_any(encode(usage), model="m", write_ttls=ttl and frozenset({ttl}))
    assert served.usage == usage
    assert served.kind is Kind.DERIVED or written(usage) == 0


def _rest(usage):
    return usage.cache_read_tokens, usage.output_tokens, usage.thinking_tokens


@given(st.builds(Usage, COUNTS, COUNTS, st.just(0), COUNTS, COUNTS))
def test_an_exclusive_emitter_is_read_right_when_the_caller_knows_it(usage):
    attributes = otel(usage) | {"gen_ai.usage.input_tokens": usage.input_tokens}
    assert read_any(attributes, model="m", inclusive=False).usage == usage
