"""``/sandbox/...``: every order does what it says, and a misspelt one says so."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from farthing.sandbox.control import ORDERS

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
    ],
)
def test_a_wrong_order_is_a_400_that_says_what_is_wrong(order, name, value, said):
    answer = order(name, value)
    assert answer["status"] == 400
    assert said in answer["error"]


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
