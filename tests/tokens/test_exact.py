from __future__ import annotations

import json

import pytest

from farthing.errors import BadInput
from farthing.tokens.exact import count_body, count_exactly, read_count
from farthing.tokens.models import Unknowable
from farthing.units import Kind

BODY = {
    "model": "claude-opus-5",
    "max_tokens": 1024,
    "stream": True,
    "metadata": {"user_id": "u"},
    "service_tier": "auto",
    "inference_geo": "us",
    "stop_sequences": ["x"],
    "system": "be kind",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "low"},
    "speed": "fast",
    "cache_control": {"type": "ephemeral"},
}


def test_the_body_keeps_what_is_counted_and_drops_the_rest():
    dropped = {"max_tokens", "stream", "metadata", "service_tier", "inference_geo", "stop_sequences"}
    assert count_body(BODY) == {key: value for key, value in BODY.items() if key not in dropped}


def test_a_count_is_one_figure():
    found = read_count(b'{"input_tokens": 2095, "later": 1}')
    assert (found.low, found.tokens, found.high, found.kind) == (2095, 2095, 2095, Kind.DERIVED)
    assert "estimate" in found.basis
    assert (
        read_count(b'{"input_tokens": 25000, "context_management": {"original_input_tokens": 70000}}').tokens == 25000
    )


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"input_tokens": -1}', b'{"input_tokens": "9"}', b"[1]", b"\xff"])
def test_another_answer_is_refused(answer):
    with pytest.raises(BadInput):
        read_count(answer)


def test_the_injected_callable_is_the_only_way_out():
    sent = []
    found = count_exactly(BODY, lambda data: sent.append(json.loads(data)) or b'{"input_tokens": 7}')
    assert found.tokens == 7
    assert sent == [count_body(BODY)]


def test_a_continued_thread_is_not_sent():
    def refuse(_data):
        raise AssertionError

    assert isinstance(count_exactly({**BODY, "thread": {"type": "continue"}}, refuse), Unknowable)


def test_what_the_sender_raises_passes_through():
    def fail(_data):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        count_exactly(BODY, fail)
