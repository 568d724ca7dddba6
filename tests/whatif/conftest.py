"""Small traces, and the published marks on the real ones."""

from array import array

import pytest

from farthing.sources.traces import TraceCall, in_time_order, read_mooncake
from farthing.whatif.prefixes import PrefixTree

MARKS = {
    "conversation_first20min": {
        "none": "147.09",
        "always_5m": "141.26",
        "always_1h": "209.88",
        "end_5m": "144.34",
        "end_1h": "214.61",
        "second_sight_5m": "137.52",
        "hindsight_5m": "119.20",
        "hindsight_1h": "129.94",
        "hindsight": "118.29",
    },
    "synthetic_trace": {
        "none": "183.58",
        "always_5m": "103.72",
        "always_1h": "139.51",
        "end_5m": "130.85",
        "end_1h": "187.05",
        "second_sight_5m": "112.96",
        "hindsight_5m": "92.73",
        "hindsight_1h": "103.43",
        "hindsight": "90.45",
    },
}
"""USD of input at $3 per million tokens, computed elsewhere by independent code."""


@pytest.fixture(params=MARKS)
def marked_trace(request, shared_data):
    """A real trace as a tree, and what each policy costs on it."""
    file = shared_data / "mooncake" / f"{request.param}.jsonl"
    with file.open("rb") as stream:
        calls = list(read_mooncake(stream, file.name))
    assert all(isinstance(call, TraceCall) for call in calls)
    return PrefixTree(in_time_order(calls)), MARKS[request.param]


@pytest.fixture
def call():
    """``call(seconds, tokens, *ids)``: one call of a trace."""

    def made(seconds, tokens, *ids):
        return TraceCall(seconds * 1000, tokens, array("Q", ids))

    return made
