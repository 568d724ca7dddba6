"""The short way through a line says what the reader of the Messages API says; real transcripts are read whole."""

import json
from collections import Counter

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from farthing.errors import BadInput
from farthing.sources.claude_code import discover, iter_calls, scan
from farthing.sources.claude_code.index import Index
from farthing.sources.claude_code.lines import read_line
from farthing.sources.claude_code.sighting import served_of
from farthing.usage.messages import read_message

count = st.none() | st.integers(0, 2**53) | st.sampled_from([-1, 2.0, 2.5, 2**53 + 1, True, "7"])
small = st.none() | st.integers(0, 9)
iteration = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["message", "compaction", "advisor_message"]),
        "input_tokens": small,
        "output_tokens": small,
    },
    optional={"model": st.sampled_from(["claude-opus-5-5", "claude-haiku-5-5"]), "cache_creation_input_tokens": small},
)
usages = st.fixed_dictionaries(
    {"input_tokens": count, "output_tokens": small},
    optional={
        "cache_creation_input_tokens": small,
        "cache_read_input_tokens": count,
        "cache_creation": st.none()
        | st.fixed_dictionaries({"ephemeral_5m_input_tokens": small, "ephemeral_1h_input_tokens": small}),
        "output_tokens_details": st.none() | st.fixed_dictionaries({"thinking_tokens": small}),
        "server_tool_use": st.none()
        | st.fixed_dictionaries({"web_search_requests": small}, optional={"code_execution_requests": small}),
        "service_tier": st.sampled_from([None, "standard", "batch", "priority", "default"]),
        "speed": st.sampled_from([None, "fast"]),
        "inference_geo": st.sampled_from([None, "us", "global", "not_available"]),
        "iterations": st.none() | st.lists(iteration, max_size=3),
    },
)


UNSPLIT = {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": None}


@given(usage=usages)
@example(
    usage={
        "input_tokens": None,
        "output_tokens": 0,
        "cache_creation_input_tokens": 1,
        "cache_creation": UNSPLIT,
        "server_tool_use": {"web_search_requests": 1},
    }
)
def test_every_usage_is_read_as_the_messages_reader_reads_it(kit, usage):
    line = kit.response(output=0, message={"usage": usage})
    try:
        expected = read_message(json.loads(json.dumps(line["message"])))
    except BadInput:
        expected = None
    try:
        key, sighting, _ = read_line(kit.encoded(line), False, ("p/s.jsonl", 0))  # noqa: FBT003
    except BadInput:
        assert expected is None
        return
    served = served_of(key, sighting)
    assert expected is not None
    assert served.usage == expected.usage
    assert served.extra_passes == expected.extra_passes
    for name in ("service_tier", "speed", "inference_geo", "stop_reason", "kind"):
        assert getattr(served, name) == getattr(expected, name), name
    largest = expected.prompt_tokens_max_in_one_pass
    assert served.prompt_tokens_max_in_one_pass in (largest, None if largest == served.usage.prompt_tokens else largest)


@pytest.mark.shared_data
def test_real_transcripts_are_read_whole(shared_data):
    folder = shared_data / "claude-code-transcripts"
    with Index(":memory:") as index:
        report = scan(discover([folder]), index)
        found = Counter()
        for call in iter_calls(index):
            found["calls"] += 1
            found.update(msgspec.structs.asdict(call.served.usage))
    expected = Counter()
    best, not_objects = {}, []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(map(json.loads, path.read_text(encoding="utf-8").splitlines()), start=1):
            if not isinstance(line, dict):
                not_objects.append((path.name, number))
                continue
            message = line.get("message") or {}
            if isinstance(message, dict) and message.get("usage"):
                best.setdefault((message["id"], line.get("requestId")), []).append(message["usage"])
    for snapshots in best.values():
        expected["calls"] += 1
        for name in ("input_tokens", "output_tokens"):
            expected[name] += max(usage.get(name, 0) for usage in snapshots)
    assert [(error.source, error.line) for error in report.errors] == not_objects
    assert len(not_objects) == 3
    assert +found == +expected
    assert report.calls == expected["calls"] > 10
