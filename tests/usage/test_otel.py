"""Span attributes: inclusive by convention, exclusive where that is stated or proven."""

from __future__ import annotations

import pytest

from farthing.call import ExtraPass, PassKind, Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.interface import Known
from farthing.usage.otel import read_span

MODEL = {"gen_ai.response.model": "claude-sonnet-4-6"}


def span(input_tokens=0, output=0, read=0, written=0, total=None):
    return MODEL | {
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output,
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_write.input_tokens": written,
        "gen_ai.usage.total_tokens": total,
    }


def test_t6_an_inclusive_input_count_comes_apart():
    served = read_span(span(130_213, 0, 128_955, 1_253))
    assert served.usage == Usage(5, 1_253, 0, 128_955)
    assert served.prompt_tokens_reported == 130_213
    assert served.kind is Kind.DERIVED
    assert served.notes == ("1253 cache-write tokens came without a split: counted as 5m, the default lifetime",)


def test_old_and_new_names_mean_the_same():
    old = MODEL | {
        "gen_ai.system": "anthropic",
        "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 9,
        "gen_ai.usage.cache_read_input_tokens": 60,
        "gen_ai.usage.cache_creation_input_tokens": 30,
    }
    middle = {"gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.cache_creation.input_tokens": 30}
    new = span(100, 9, 60, 30)
    assert (
        read_span(old).usage == read_span(new).usage == read_span(new | old | middle).usage == Usage(10, 30, 0, 60, 9)
    )
    with pytest.raises(BadInput, match=r"gen_ai\.usage\.input_tokens = 100, gen_ai\.usage\.prompt_tokens = 99"):
        read_span(new | {"gen_ai.usage.prompt_tokens": 99})


@pytest.mark.parametrize(
    ("attributes", "stated", "fresh"),
    [
        pytest.param(span(5, 9, 60, 30), None, 5, id="smaller than its own cached part: proven exclusive"),
        pytest.param(span(5, 9, 60, 30, total=104), None, 5, id="the total proves it too"),
        pytest.param(span(100, 9, 60, 30, total=199), None, 100, id="only exclusive fits the total"),
        pytest.param(span(100, 9, 60, 30, total=109), None, 10, id="only inclusive fits the total"),
        pytest.param(span(90, 9, 60, 30), None, 0, id="exactly its cached part can be inclusive"),
        pytest.param(span(100, 9, 60, 30), None, 10, id="in doubt the convention"),
        pytest.param(span(100, 9, 60, 30), False, 100, id="the caller says exclusive"),
        pytest.param(span(100, 9, 60, 30, total=109), False, 100, id="the caller's word beats a total"),
        pytest.param(span(100, 9, 60, 30), True, 10, id="the caller says inclusive"),
        pytest.param(span(100, 9, total=109), None, 100, id="nothing cached"),
    ],
)
def test_which_meaning_the_input_count_has(attributes, stated, fresh):
    served = read_span(attributes, Known(inclusive=stated))
    assert served.usage.input_tokens == fresh
    cached = served.usage.cache_read_tokens + served.usage.cache_write_5m_tokens
    exclusive = attributes["gen_ai.usage.input_tokens"] == fresh and cached > 0
    assert any("exclusive" in note for note in served.notes) is exclusive
    assert (served.prompt_tokens_reported is None) is exclusive


@pytest.mark.parametrize(
    ("attributes", "known", "said"),
    [
        (span(100, 9, 60, 30, total=150), Known(), "a total of 150"),
        (span(5, 9, 60, 30, total=14), Known(), "a total of 14"),
        (span(100, 9, total=110), Known(), "a total of 110"),
        (span(5, 9, 60, 30), Known(inclusive=True), "= 90 inside gen_ai.usage.input_tokens = 5"),
        (span(-1), Known(), "input_tokens = -1"),
        (span(1) | {"gen_ai.usage.reasoning.output_tokens": 3}, Known(), "= 3 inside gen_ai.usage.output_tokens = 0"),
        (MODEL, Known(), "without token counts"),
        ({"gen_ai.usage.input_tokens": 4}, Known(), "names no model"),
        (span(9, 0, 0, 5) | {"anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 4}, Known(), "sums"),
    ],
)
def test_what_fits_no_meaning_is_refused(attributes, known, said):
    with pytest.raises(BadInput, match=said):
        read_span(attributes, known)


def test_attributes_of_the_official_sdk_are_exact():
    served = read_span(
        span(1_000, 50, 200, 300)
        | {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.response.id": "msg_1",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.reasoning.output_tokens": 20,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 100,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 200,
            "anthropic.usage.compaction.input_tokens": 7_000,
            "anthropic.usage.compaction.output_tokens": 70,
            "anthropic.response.service_tier": "batch",
            "anthropic.message.stop_reason": "end_turn",
            "anthropic.request.id": "req_1",
        }
    )
    assert served.usage == Usage(500, 100, 200, 200, 50, 20)
    assert served.extra_passes == (ExtraPass(PassKind.COMPACTION, Usage(7_000, output_tokens=70), "claude-sonnet-4-6"),)
    assert (served.kind, served.notes, served.service_tier) == (Kind.MEASURED, (), "batch")
    assert (served.message_id, served.request_id, served.stop_reason) == ("msg_1", "req_1", "end_turn")


@pytest.mark.parametrize(
    ("provider", "channel"),
    [("anthropic", "claude_api"), ("aws.bedrock", "bedrock"), ("gcp.vertex_ai", "google_cloud"), (None, "claude_api")],
)
def test_the_provider_names_the_channel_unless_the_caller_does(provider, channel):
    attributes = span(1) | {"gen_ai.system": provider}
    assert read_span(attributes).channel == channel
    assert read_span(attributes, Known(channel="foundry")).channel == "foundry"


def test_the_response_model_beats_the_requested_one():
    assert read_span(span(1) | {"gen_ai.request.model": "asked"}).model == "claude-sonnet-4-6"
    assert read_span({"gen_ai.request.model": "asked", "gen_ai.usage.output_tokens": 1}).model == "asked"


def test_a_finish_reason_stands_in_for_the_stop_reason():
    assert read_span(span(1) | {"gen_ai.response.finish_reasons": ["max_tokens"]}).stop_reason == "max_tokens"
