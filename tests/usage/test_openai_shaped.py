"""OpenAI's shapes are inclusive: cached tokens come off the prompt, and totals must fit."""

from __future__ import annotations

import pytest

from farthing.call import Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.interface import Known
from farthing.usage.openai_shaped import read_chat, read_response

KNOWN = Known(model="anthropic/claude-4.6-sonnet-20260217")


def chat(prompt, completion, details=None, **more):
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return counts | {"prompt_tokens_details": details} | more


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(chat(1_000, 0, cache_creation_input_tokens=1_000), Usage(0, 1_000), id="T2"),
        pytest.param(
            chat(3_329, 53, {"cached_tokens": 3_211, "cache_write_tokens": 115}),
            Usage(3, 115, 0, 3_211, 53),
            id="recorded router payload",
        ),
        pytest.param(
            chat(17_903, 0, {"cached_tokens": 17_817}), Usage(86, cache_read_tokens=17_817), id="langfuse 10592"
        ),
        pytest.param(
            chat(50, 136, completion_tokens_details={"reasoning_tokens": 31}),
            Usage(50, output_tokens=136, thinking_tokens=31),
            id="reasoning is inside the output",
        ),
        pytest.param(
            chat(130, 1, {"cached_tokens": 100, "cache_creation_tokens": 20}, cache_read_input_tokens=100)
            | {"cache_creation_input_tokens": 20},
            Usage(10, 20, 0, 100, 1),
            id="stated twice",
        ),
        pytest.param(
            chat(
                130,
                1,
                {
                    "cache_creation_tokens": 120,
                    "cache_creation_token_details": {"ephemeral_1h_input_tokens": 90}
                    | {"ephemeral_5m_input_tokens": 30},
                },
            ),
            Usage(10, 30, 90, 0, 1),
            id="split passed through",
        ),
        pytest.param({"prompt_tokens": 5, "completion_tokens": None}, Usage(5), id="nulls"),
    ],
)
def test_chat_completions_come_apart_exactly(usage, expected):
    served = read_chat({"usage": usage}, KNOWN)
    assert served.usage == expected
    assert served.prompt_tokens_reported == usage["prompt_tokens"] == served.usage.prompt_tokens


def test_responses_come_apart_exactly():
    served = read_response(
        {
            "id": "resp_1",
            "model": "gpt-5.4-2026-03-05",
            "status": "completed",
            "output": [{}],
            "service_tier": "default",
            "usage": {
                "input_tokens": 580,
                "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 500},
                "output_tokens": 43,
                "output_tokens_details": {"reasoning_tokens": 21},
                "total_tokens": 623,
            },
        }
    )
    assert served.usage == Usage(80, 0, 0, 500, 43, 21)
    assert (served.model, served.message_id, served.stop_reason) == ("gpt-5.4-2026-03-05", "resp_1", "completed")
    assert (served.service_tier, served.output_started, served.kind) == ("standard", True, Kind.MEASURED)


def test_writes_are_derived_and_a_cost_is_noted_but_not_used():
    served = read_chat({"usage": chat(200, 1, {"cache_write_tokens": 150}, cost=0.5)}, KNOWN)
    assert (served.usage.cache_write_5m_tokens, served.kind) == (150, Kind.DERIVED)
    assert [note.split()[0] for note in served.notes] == ["150", "a"]
    served = read_chat({"usage": chat(200, 1, cost=0.5)}, KNOWN)
    assert (served.kind, len(served.notes)) == (Kind.MEASURED, 1)


def test_a_choice_tells_why_it_stopped():
    choice = {"finish_reason": "stop", "message": {"content": "secret"}}
    served = read_chat({"choices": [choice], "usage": chat(2, 1)}, KNOWN)
    assert (served.stop_reason, served.output_started) == ("stop", True)
    assert "secret" not in repr(served)


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (chat(100, 5, total_tokens=106), "total_tokens = 106 with prompt_tokens = 100 and completion_tokens = 5"),
        (chat(100, 5, {"cached_tokens": 101}), "cached and written tokens = 101 inside prompt_tokens = 100"),
        (chat(100, 5, {"cached_tokens": 60, "cache_write_tokens": 60}), "= 120 inside"),
        (chat(100, 5, {"cached_tokens": 60}, cache_read_input_tokens=50), "cached_tokens = 60 in the details and 50"),
        (chat(9, 5, {"cache_write_tokens": 1, "cache_creation_tokens": 2}), "the same count under each name"),
        (chat(100, 5, completion_tokens_details={"reasoning_tokens": 6}), "reasoning_tokens = 6 inside"),
        (chat(100, 5, {"audio_tokens": 3}), "prompt_tokens_details.audio_tokens = 3"),
        (chat(100, 5, {"cache_write_tokens": 9}, cache_creation={"ephemeral_5m_input_tokens": 8}), "sums to the total"),
        (chat(100, 5, {"cached_tokens": -1}), "cached_tokens = -1"),
        (chat(100, 5, "secret"), "no object"),
        ({"prompt_tokens": None}, "without token counts"),
        (5, "no object"),
    ],
)
def test_contradictions_are_refused(usage, said):
    with pytest.raises(BadInput, match=said) as caught:
        read_chat({"usage": usage}, KNOWN)
    assert "secret" not in str(caught.value)
