"""An explanation tells what was asked for, where that is known."""

from datetime import UTC, datetime

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.reports.explained import asked

BLOCKS = (PromptBlock(b"a" * 16, 10, "system", "1h"), PromptBlock(b"b" * 16, 5, "messages"))


def call(request):
    served = Served(model="m", usage=Usage())
    return Call(call_id="c", sent_at=datetime(2026, 3, 1, tzinfo=UTC), source="s", served=served, request=request)


def test_what_was_asked_for_is_told():
    request = Request(model="m", stream=True, max_tokens=1000, thinking="enabled", thinking_budget_tokens=2048)
    told = dict(asked(call(request)))
    assert (told["asked for"], told["max tokens"]) == ("m, streamed", "1,000")
    assert (told["thinking"], told["effort"], told["prompt"]) == ("enabled, budget 2,048 tokens", "", "")


def test_blocks_are_counted():
    told = dict(asked(call(Request(tools=2, tools_tokens=1500, blocks=BLOCKS))))
    assert told["prompt"] == "2 blocks, 1 of them with a cache breakpoint"
    assert told["tools"] == "2, about 1,500 tokens"


def test_a_source_that_does_not_know_says_nothing():
    assert asked(call(None)) == []
