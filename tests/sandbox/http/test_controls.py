"""``/sandbox/...``: every order does what it says, and a misspelt one says so."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import anthropic
import pytest

from farthing.sandbox.control import ORDERS
from farthing.sandbox.world import DEMO_KEY

ASK = {"model": "claude-sonnet-5", "max_tokens": 200, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def order(box):
    def ordered(name, value=None, method="POST"):
        body = None if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        request = urllib.request.Request(f"{box.base_url}/sandbox/{name}", body, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error) | {"status": error.code}

    return ordered


def test_the_state_names_keys_by_their_hints_alone(box, order):
    state = order("state", method="GET")
    assert state["clock"] == {"now": "2026-11-20T09:00:00Z", "is_virtual": True}
    assert (state["tier"], state["seed"], state["requests_booked"], state["total_usd"]) == ("Scale", 0, 0, "0")
    assert box.key not in json.dumps(state)
    assert box.admin_key not in json.dumps(state)


def test_the_books_are_the_usage_that_was_answered(box, order, client):
    message = client.messages.create(**ASK)
    books = order("books", method="GET")
    (entry,) = books["entries"]
    assert (entry["message_id"], entry["model"]) == (message.id, "claude-sonnet-5")
    assert entry["usage"]["output_tokens"] == message.usage.output_tokens
    assert books["total_usd"] == entry["usd"] == order("state", method="GET")["total_usd"]
    assert "Hello" not in json.dumps(books)
    assert order("books?starting_at=2026-11-20T09:00:01Z", method="GET")["requests"] == 0


def test_the_clock_moves_both_ways_and_by_header(box, order, client):
    assert order("clock", {"advance_s": 1.5}) == {"now": "2026-11-20T09:00:01.500000Z"}
    assert order("clock", {"set": "2026-01-01T00:00:00Z"}) == {"now": "2026-01-01T00:00:00Z"}
    client.messages.create(
        **ASK | {"model": "claude-haiku-4-5"}, extra_headers={"x-sandbox-time": "2026-10-01T00:00:00Z"}
    )
    (entry,) = box.books
    assert entry.call.sent_at.isoformat() == "2026-10-01T00:00:00+00:00"


def test_moving_the_clock_ends_batches(box, order, client):
    order("batches", {"processing_s": 60})
    batch = client.messages.batches.create(requests=[{"custom_id": "a", "params": ASK}])
    order("clock", {"advance_s": 60})
    assert len(box.world.books) == 1
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_replies_are_used_once_and_in_order(order, client):
    assert order("replies", [{"text": "One"}, {"text": "Two", "output_tokens": 99}]) == {"replies": 2}
    texts = [client.messages.create(**ASK).content[0].text[:5] for _ in range(3)]
    assert [texts[0], texts[1][:3], texts[2]] == ["One", "Two", "Hello"]


def test_recorded_cases_know_who_is_right(order, client):
    case = {"correct": "4", "incorrect": "5", "is_correct": {"claude-sonnet-5": True, "claude-haiku-5-5": False}}
    assert order("replies", {"cases": {"sum": case}}) == {"cases": 1}
    messages = [{"role": "user", "content": "2 + 2? <<case:sum>>"}]
    answers = {
        model: client.messages.create(model=model, max_tokens=9, messages=messages).content[0].text
        for model in ("claude-sonnet-5", "claude-haiku-5-5")
    }
    assert answers == {"claude-sonnet-5": "4", "claude-haiku-5-5": "5"}


def test_faults_strike_whom_they_are_for_and_are_disarmed(box, order, client):
    import anthropic

    order("faults", {"refuse": "overloaded_error", "count": None, "model": "claude-opus-5-5"})
    client.messages.create(**ASK)
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(**ASK | {"model": "claude-opus-5-5"})
    order("faults", method="DELETE")
    client.messages.create(**ASK | {"model": "claude-opus-5-5"})


def test_limits_of_the_organisation_and_of_a_workspace(box, order, client):
    import anthropic

    assert order("limits", {"tier": None})["tier"] is None
    made = order("workspaces", {"name": "team", "secret": "sk-ant-api03-team"})
    order("limits", {"tier": "Scale"})
    order("limits", {"workspace_id": made["workspace_id"], "limits": {"requests": 1}, "spend_limit_usd": "12.50"})
    workspace = box.world.accounts.workspaces[made["workspace_id"]]
    assert (workspace.limits.requests, workspace.spend_limit_pusd) == (1, 12_500_000_000_000)
    team = client.with_options(api_key="sk-ant-api03-team")
    team.messages.create(**ASK)
    with pytest.raises(anthropic.RateLimitError):
        team.messages.create(**ASK)
    client.messages.create(**ASK)


def test_reports_lag_as_told(box, order, client, admin):
    order("reports", {"visible_after_s": 300})
    client.messages.create(**ASK)
    path = "/v1/organizations/usage_report/messages?starting_at=2026-11-20T00:00:00Z&bucket_width=1d"
    assert admin.get(path, cast_to=object)["data"][0]["results"] == []
    box.clock.advance(300)
    assert len(admin.get(path, cast_to=object)["data"][0]["results"]) == 1


def test_reset_begins_anew(box, order, client):
    client.messages.create(**ASK)
    order("faults", {"refuse": "api_error"})
    order("replies", {"text": "stale"})
    state = order("reset", {"seed": 5, "tier": "Start", "start": "2026-10-01T00:00:00Z"})
    assert (state["seed"], state["tier"], state["requests_booked"]) == (5, "Start", 0)
    assert state["clock"]["now"] == "2026-10-01T00:00:00Z"
    assert client.messages.create(**ASK).content[0].text == "Hello"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("clock", {}, "set or advance_s"),
        ("clock", {"advance": 1}, "advance"),
        ("clock", {"advance_s": -1}, "0 or more"),
        ("clock", {"set": "2026-11-20T09:00:00"}, "zone"),
        ("replies", {"txt": "x"}, "'txt'"),
        ("replies", 5, "order"),
        ("faults", [{"refuse": "no_such_error"}], "no_such_error"),
        ("faults", [{"when": "always"}], "'when'"),
        ("faults", [5], "an object"),
        ("limits", {"tier": "Gold"}, "Gold"),
        ("limits", {"workspace_id": "wrkspc_none"}, "wrkspc_none"),
        ("reset", {"tier": "Gold"}, "Gold"),
        ("batches", {"processing": 3}, "processing"),
        ("reports", {"late": 3}, "late"),
        ("workspaces", {"name": "x"}, "secret"),
        ("clock", b"{", "not valid JSON"),
        ("clock", {"set": "2026-11-20T09:00:00Z", "advance_s": 5}, "set or advance_s"),
        ("clock", {"set": "9999-12-31T23:59:59Z"}, "year 9999"),
        ("clock", {"set": "0001-01-01T00:00:00+05:00"}, "year 1"),
        ("clock", {"advance_s": 1e300}, "1e+300"),
        ("clock", {"advance_s": 3.1e10}, "year 300"),
        ("replies", {"loop": [{"fail": True}]}, "unknown field `fail`"),
        ("replies", {"loop": [{"tool": "websearch"}]}, "'websearch'"),
        ("replies", {"output_tokens": -1}, "$.output_tokens"),
        ("replies", {"ttft_s": 1e300}, "$.ttft_s"),
        ("replies", {"advice": [{"model": "claude-9", "input_tokens": 1, "output_tokens": 1}]}, "claude-9"),
        ("replies", {"cases": {"a": {"correct": "x", "incorrect": "y", "is_correct": {"claude-9": True}}}}, "claude-9"),
        ("faults", {"error_type": "no_such_error", "error_after_events": 2}, "no_such_error"),
        ("faults", {"probability": 2}, "$.probability"),
        ("faults", {"model": "claude-9"}, "claude-9"),
        ("faults", {"service_tier": "flex"}, "flex"),
        ("limits", {"limits": {"requests": 5}}, "workspace_id"),
        ("limits", {"spend_limit_usd": "-5"}, "-5"),
        ("batches", {"processing_s": -1}, "$.processing_s"),
        ("reports", {"late_percent": 101}, "$.late_percent"),
        ("workspaces", {"name": "x", "secret": ""}, "empty"),
        ("workspaces", {"name": "x", "secret": DEMO_KEY}, "somebody's already"),
    ],
)
def test_a_wrong_order_is_a_400_that_says_what_is_wrong(order, name, value, said):
    answer = order(name, value)
    assert answer["status"] == 400
    assert said in answer["error"]


@pytest.mark.parametrize("fields", [{"tier": "Start"}, {"limits": {"requests": 0}}, {"limits": {"request": 5}}])
def test_a_workspace_has_limits_above_nothing_and_no_tier(order, fields):
    workspace_id = order("workspaces", {"name": "team", "secret": "sk-ant-api03-team"})["workspace_id"]
    assert order("limits", {"workspace_id": workspace_id, **fields})["status"] == 400


def test_orders_name_models_as_callers_do(order, client):
    """By any name: a fault or a case for an alias that never struck would be a test of nothing."""
    ask = ASK | {"model": "claude-haiku-4-5"}
    order("faults", {"refuse": "overloaded_error", "model": "claude-haiku-4-5"})
    with pytest.raises(anthropic.InternalServerError):
        client.with_options(max_retries=0).messages.create(**ask)
    cases = {"a": {"correct": "Oslo", "incorrect": "Rome", "is_correct": {"claude-haiku-4-5": True}}}
    order("replies", {"cases": cases})
    question = [{"role": "user", "content": "<<case:a>> Which town?"}]
    assert client.messages.create(**ask | {"messages": question}).content[0].text == "Oslo"


def test_every_order_is_documented():
    page = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [name for name in ORDERS if f"`POST /sandbox/{name}`" not in page] == []


def test_default_fallbacks_are_set_by_any_name_of_a_model(box, order, client):
    assert order("fallbacks", {"claude-fable-5-1": ["claude-opus-5"]})["default"] == {
        "claude-fable-5-1": ["claude-opus-5"]
    }
    order("replies", [{"refusal": {"category": "cyber"}}, {"text": "Yes."}])
    ask = ASK | {"model": "claude-fable-5-1", "fallbacks": "default", "betas": ["server-side-fallback-2026-07-01"]}
    assert client.beta.messages.create(**ask).model == "claude-opus-5"
    assert order("fallbacks", {"claude-9": []})["status"] == 400
    assert order("fallbacks", {})["default"] == {}
