"""Claude Code's own report: who, how much, and that it adds up to the books."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.sandbox.claude_code import claude_code_report, dims_of
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import begin
from farthing.sandbox.paging import Query
from farthing.sandbox.problems import ApiError
from farthing.sandbox.replies import Advice, Reply, ServerPass
from farthing.sandbox.state import State
from farthing.sandbox.world import World

START = datetime(2026, 11, 19, tzinfo=UTC)
PLAIN = {"anthropic-version": "2023-06-01"}
PUSD_PER_CENT = 10**10


class Shop:
    def __init__(self):
        self.state = State(World(clock=VirtualClock(START), tier=None))
        team = self.state.world.add_workspace("team")
        other = self.state.world.add_key("sk-ant-api03-other", workspace_id=team.id, name="other key")
        self.callers = [self.state.world.caller, self.state.world.accounts.caller(other)]

    def send(self, *, session="s1", entrypoint="cli", key=0, reply=None, model="claude-sonnet-5", tokens=1000):
        system = [{"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.2; cc_entrypoint={entrypoint};"}]
        said = {"role": "user", "content": [{"type": "text", "text": f"<<tokens:{tokens}>>"}]}
        body = {"model": model, "max_tokens": 400, "messages": [said]} | ({"system": system} if entrypoint else {})
        self.state.answer_with(reply or Reply(output_tokens=100))
        headers = PLAIN | ({"x-claude-code-session-id": session} if session else {})
        begun = begin(self.state.world, self.callers[key], headers, json.dumps(body).encode())
        begun.first_byte()
        begun.settle()

    def report(self, day="2026-11-19", **asked):
        view = self.state.view(self.state.world.organization.id)
        query = Query([("starting_at", day), *asked.items()])
        answer = claude_code_report(view, query, self.state.world.accounts)
        return json.loads(msgspec.json.encode(answer), parse_float=Decimal, parse_int=Decimal)

    def later(self, **span):
        self.state.world.clock.advance(timedelta(**span))


def test_a_row_by_hand():
    shop = Shop()
    shop.send()
    shop.send(session="s2")
    shop.later(hours=1)
    (row,) = shop.report()["data"]
    assert row["date"] == "2026-11-19T00:00:00Z"
    assert row["actor"] == {"type": "api_actor", "api_key_name": "sandbox"}
    assert (row["terminal_type"], row["customer_type"], row["subscription_type"]) == ("cli", "api", None)
    assert row["core_metrics"]["num_sessions"] == 2
    (model,) = row["model_breakdown"]
    assert model["model"] == "claude-sonnet-5"
    assert model["tokens"] == {"input": 2000, "output": 200, "cache_read": 0, "cache_creation": 0}
    # 2,000 tokens at $2 and 200 at $10 per million are $0.006: a number of cents, not a string
    assert model["estimated_cost"] == {"currency": "USD", "amount": Decimal("0.6")}


def test_only_claude_codes_own_calls_older_than_an_hour_and_of_that_day():
    shop = Shop()
    shop.send(session="")
    shop.send()
    shop.later(minutes=59, seconds=59)
    assert shop.report()["data"] == []
    shop.later(seconds=1)
    assert len(shop.report()["data"]) == 1
    shop.later(hours=23)
    shop.send()
    shop.later(hours=1)
    assert [shop.report(day)["data"][0]["core_metrics"]["num_sessions"] for day in ("2026-11-19", "2026-11-20")] == [
        1,
        1,
    ]
    assert shop.report("2026-11-18")["data"] == []


def test_one_row_per_key_and_terminal_page_by_page():
    shop = Shop()
    for key in (0, 1):
        for entrypoint in ("cli", "claude-vscode", ""):
            shop.send(key=key, entrypoint=entrypoint)
    shop.later(hours=2)
    whole = shop.report()
    assert (len(whole["data"]), whole["has_more"], whole["next_page"]) == (6, False, None)
    found, page = [], None
    while page is not None or not found:
        answer = shop.report(limit="4", **({"page": page} if page else {}))
        found, page = found + answer["data"], answer["next_page"]
    assert found == whole["data"]
    assert Counter(row["terminal_type"] for row in found) == {"cli": 2, "claude-vscode": 2, "unknown": 2}
    assert {row["actor"]["api_key_name"] for row in found} == {"sandbox", "other key"}


def test_what_a_request_says_of_itself():
    assert dims_of({}, {"system": "x-anthropic-billing-header: cc_entrypoint=cli;"}) == {}
    headers = {"x-claude-code-session-id": "s"}
    assert dims_of(headers, {"system": "cc_entrypoint=cli"}) == {"session": "s", "terminal": "unknown"}
    later = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "x-anthropic-billing-header: cc_entrypoint=cli;"}]
    assert dims_of(headers, {"system": later})["terminal"] == "unknown"


@pytest.mark.parametrize(
    "asked", [{}, {"day": "2026-11-19T00:00:00Z"}, {"day": "20261119"}, {"day": "2026-02-30"}, {"limit": "1001"}]
)
def test_a_wrong_parameter_is_a_400(asked):
    shop = Shop()
    pairs = [("starting_at", asked["day"])] if "day" in asked else []
    pairs += [("starting_at", "2026-11-19"), ("limit", asked["limit"])] if "limit" in asked else []
    with pytest.raises(ApiError) as caught:
        claude_code_report(shop.state.view(shop.state.world.organization.id), Query(pairs), shop.state.world.accounts)
    assert caught.value.status == 400


CALLS = st.fixed_dictionaries(
    {
        "session": st.sampled_from(["", "s1", "s2"]),
        "entrypoint": st.sampled_from(["", "cli", "claude-vscode"]),
        "key": st.sampled_from([0, 1]),
        "model": st.sampled_from(["claude-sonnet-5", "claude-opus-5-5", "claude-haiku-5-5"]),
        "tokens": st.sampled_from([1, 777, 120_001]),
        "reply": st.sampled_from(
            [
                Reply(output_tokens=7),
                Reply(text="Found.", loop=(ServerPass(output_tokens=20, result_tokens=900),)),
                Reply(text="So.", advice=(Advice(model="claude-opus-5-5", input_tokens=501, output_tokens=61),)),
            ]
        ),
    }
)


@settings(max_examples=25)
@given(st.lists(CALLS, max_size=8))
def test_the_rows_add_up_to_the_books(calls):
    shop = Shop()
    for call in calls:
        shop.send(**call)
    shop.later(hours=1)
    mine = [entry for entry, call in zip(shop.state.books, calls, strict=True) if call["session"]]
    models = [model for row in shop.report()["data"] for model in row["model_breakdown"]]
    assert sum(one["estimated_cost"]["amount"] * PUSD_PER_CENT for one in models) == sum(entry.pusd for entry in mine)
    ran = [u for e in mine for u in (e.call.served.usage, *(extra.usage for extra in e.call.served.extra_passes))]
    assert sum(one["tokens"]["input"] for one in models) == sum(usage.input_tokens for usage in ran)
    assert sum(one["tokens"]["output"] for one in models) == sum(usage.output_tokens for usage in ran)
