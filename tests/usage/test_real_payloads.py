"""Real payloads of three vendors' shapes: each is read exactly or quarantined with a reason."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from farthing.usage.detect import read_any
from farthing.usage.interface import Quarantined

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def bodies(shared_data):
    records = (shared_data / "usage-payloads" / "claude_usages.json").read_text(encoding="utf-8")
    return [record["body"] for record in json.loads(records)]


def test_every_payload_that_names_its_model_is_read(bodies):
    read = [read_any(body) for body in bodies]
    quarantined = [answer for answer in read if isinstance(answer, Quarantined)]

    assert len(read) == 178
    assert Counter((answer.read, "names no model" in answer.reason) for answer in quarantined) == {
        ("bedrock converse", True): 12
    }
    assert [body["usage"].keys() >= {"inputTokens"} for body in bodies if "model" not in body] == [True] * 12


def test_no_token_is_lost_or_counted_twice(bodies):
    for body in bodies:
        usage, served = body["usage"], read_any(body, model="stated")
        assert served.usage.prompt_tokens == prompt_total(usage)
        assert served.usage.output_tokens == first(usage, "output_tokens", "completion_tokens", "outputTokens")


def prompt_total(usage):
    """Added up anew, by the meaning that each vendor documents."""
    if "inputTokens" in usage:
        return usage["totalTokens"] - usage["outputTokens"]
    if "total_tokens" in usage:
        return first(usage, "prompt_tokens", "input_tokens")
    return usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]


def first(usage, *names):
    return next(usage[name] for name in names if name in usage)


def test_compaction_passes_are_found(bodies):
    compactions = [part for body in bodies for part in read_any(body, model="stated").extra_passes]
    assert sorted(part.usage.prompt_tokens for part in compactions) == [55_196, 55_196]
    assert sorted(part.usage.cache_write_5m_tokens for part in compactions) == [0, 55_096]
