"""The month as requests: what the sandbox counts is what the row said."""

from datetime import UTC, date, datetime

import anthropic
import pytest

from farthing import testing
from farthing.demo.asking import asking
from farthing.demo.traffic import traffic

ROWS = traffic(date(2026, 11, 1))


def prompt_tokens(usage):
    return sum(usage[name] for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"))


def some(count):
    """Plain rows from all over the month."""
    plain = [row for row in ROWS if "server_tool_use" not in row["usage"] and row["stop_reason"] == "end_turn"]
    return plain[:: len(plain) // count][:count]


@pytest.fixture
def box():
    with testing.sandbox(start=datetime(2026, 10, 2, tzinfo=UTC), tier=None) as box:
        yield box


def test_prompt_and_answer_are_as_long_as_the_row_says(box):
    with anthropic.Anthropic(base_url=box.base_url, api_key=box.key, max_retries=0) as client:
        for row in some(30):
            request = asking(row)
            assert request.reply is None
            usage = client.messages.create(**request.params).usage.to_dict()
            assert prompt_tokens(usage) == prompt_tokens(row["usage"])
            assert usage["output_tokens"] == row["usage"]["output_tokens"]


def test_a_search_is_billed_as_one_and_a_refusal_is_free(box):
    searching = next(row for row in ROWS if "server_tool_use" in row["usage"])
    refused = next(row for row in ROWS if row["stop_reason"] == "refusal")
    with anthropic.Anthropic(base_url=box.base_url, api_key=box.key, max_retries=0) as client:
        for row in (searching, refused):
            request = asking(row)
            box.reply(request.reply)
            client.messages.create(**request.params)
    found, declined = box.books
    assert found.call.served.usage.web_search_requests == searching["usage"]["server_tool_use"]["web_search_requests"]
    assert found.call.served.usage.output_tokens == searching["usage"]["output_tokens"]
    assert declined.call.served.stop_reason == "refusal"
    assert declined.pusd == 0


def test_tags_go_along_as_headers():
    row = ROWS[0]
    assert asking(row).headers == {f"x-farthing-tag-{name}": value for name, value in row["tags"].items()}
