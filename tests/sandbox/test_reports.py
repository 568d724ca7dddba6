"""Whatever the traffic, every report adds up to the books: tokens exactly, money to the picodollar."""

import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.sandbox.analytics import analytics_cost, analytics_usage
from farthing.sandbox.batches import Pace
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Begun, begin
from farthing.sandbox.paging import Query
from farthing.sandbox.problems import ApiError
from farthing.sandbox.replies import Advice, Refusal, Reply, ServerPass
from farthing.sandbox.reports import Lateness, cost_report, usage_report
from farthing.sandbox.state import State
from farthing.sandbox.world import World

START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 20
PUSD_PER_CENT = 10**10
HEADERS = {"anthropic-version": "2023-06-01"}
FAST = frozenset({"fast-mode-2026-02-01"})

MODELS = st.sampled_from(
    ["claude-sonnet-5", "claude-opus-5-5", "claude-haiku-5-5", "claude-haiku-4-5", "claude-fable-5-1"]
)
REPLIES = st.sampled_from(
    [
        Reply(output_tokens=7),
        Reply(output_tokens=300),
        Reply(text="Found.", loop=(ServerPass(output_tokens=20, result_tokens=900),)),
        Reply(text="So.", advice=(Advice(model="claude-opus-5-5", input_tokens=501, output_tokens=61),)),
        Reply(refusal=Refusal(category="cyber")),
        Reply(refusal=Refusal()),
    ]
)
REQUESTS = st.fixed_dictionaries(
    {
        "model": MODELS,
        "prompt_tokens": st.sampled_from([1, 3000, 120_000, 260_000]),
        "cached": st.booleans(),
        "us": st.booleans(),
        "team": st.booleans(),
        "batch": st.booleans(),
        "reply": REPLIES,
        "wait": st.sampled_from([0, 50, 4000, 100_000]),
    }
)


def params_of(request):
    text = {"type": "text", "text": f"<<tokens:{request['prompt_tokens']}>>"}
    if request["cached"]:
        text["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    body = {"model": request["model"], "max_tokens": 400, "messages": [{"role": "user", "content": [text]}]}
    if request["us"] and request["model"] != "claude-haiku-4-5":
        body["inference_geo"] = "us"
    if request["model"] == "claude-haiku-4-5" and request["prompt_tokens"] > 190_000:
        text["text"] = "<<tokens:190000>>"
    return body


def traffic(requests):
    """A world in which all of that happened."""
    state = State(World(clock=VirtualClock(START), tier=None))
    team = state.world.add_workspace("team")
    team_key = state.world.add_key("sk-ant-api03-team", workspace_id=team.id, name="team")
    state.batches.pace = Pace(processing_s=60)
    for request in requests:
        state.answer_with(request["reply"])
        caller = state.world.accounts.caller(team_key) if request["team"] else state.world.caller
        params = params_of(request)
        if request["batch"]:
            body = json.dumps({"requests": [{"custom_id": "one", "params": params}]}).encode()
            state.batches.create(caller, HEADERS, body)
        else:
            begun = begin(state.world, caller, HEADERS, json.dumps(params).encode())
            assert isinstance(begun, Begun), begun.body
            begun.first_byte()
            begun.settle()
        state.world.clock.advance(request["wait"])
        state.batches.tick()
    state.world.clock.set(START + timedelta(days=DAYS))
    return state


def view(state):
    return state.view(state.world.organization.id)


def pages(report, state, *pairs):
    """Every row of every page."""
    rows, page = [], []
    while True:
        answer = report(view(state), Query([*pairs, *page]))
        rows += answer["data"]
        if not answer["has_more"]:
            return rows
        page = [("page", answer["next_page"])]


def buckets(report, state, *pairs):
    asked = [("starting_at", "2026-11-01T00:00:00Z"), *pairs]
    return [row for bucket in pages(report, state, *asked) for row in bucket["results"]]


def tokens_of(books):
    """Independent of the reports: straight over the calls."""
    total = Counter()
    for entry in books:
        for usage in (entry.call.served.usage, *(extra.usage for extra in entry.call.served.extra_passes)):
            total["in"] += usage.input_tokens
            total["read"] += usage.cache_read_tokens
            total["5m"] += usage.cache_write_5m_tokens
            total["1h"] += usage.cache_write_1h_tokens
            total["out"] += usage.output_tokens
            total["search"] += usage.web_search_requests
    return dict(total)


def tokens_in(rows):
    total = Counter()
    for row in rows:
        total["in"] += row["uncached_input_tokens"]
        total["read"] += row["cache_read_input_tokens"]
        total["5m"] += row["cache_creation"]["ephemeral_5m_input_tokens"]
        total["1h"] += row["cache_creation"]["ephemeral_1h_input_tokens"]
        total["out"] += row["output_tokens"]
        total["search"] += row["server_tool_use"]["web_search_requests"]
    return dict(total)


def cents_in(rows):
    return sum((Decimal(row["amount"]) for row in rows), Decimal(0))


def usage(shown, query):
    return usage_report(shown, query, FAST)


def without_betas(shown, query):
    return usage_report(shown, query, frozenset())


USAGE_GROUPS = st.lists(
    st.sampled_from(
        ["model", "workspace_id", "api_key_id", "service_tier", "context_window", "inference_geo", "speed"]
    ),
    unique=True,
)


COST_GROUPS = st.sets(st.sampled_from(["workspace_id", "description"]))


@settings(max_examples=30)
@given(
    st.lists(REQUESTS, min_size=1, max_size=8), USAGE_GROUPS, st.sets(st.sampled_from(["workspace_id", "description"]))
)
def test_all_reports_add_up_to_the_books_however_they_are_grouped(requests, groups, cost_groups):
    state = traffic(requests)
    books = list(state.books)
    assert len(books) == len(requests)
    by = [("group_by[]", name) for name in groups]
    span = [("starting_at", "2026-11-01T00:00:00Z"), ("ending_at", "2026-11-21T00:00:00Z"), ("limit", "3")]

    assert tokens_in(buckets(usage, state, ("bucket_width", "1d"), *by)) == tokens_of(books)
    costs = buckets(cost_report, state, *(("group_by[]", name) for name in cost_groups))
    assert cents_in(costs) * PUSD_PER_CENT == sum(entry.pusd for entry in books)

    rows = pages(analytics_usage, state, *span, *by[:5])
    assert tokens_in(row["usage"] for row in rows) == tokens_of(books)
    assert sum(row["usage"]["requests"] for row in rows) == len(books)
    for fans in ([], ["cost_type"], ["cost_type", "token_type"]):
        rows = pages(analytics_cost, state, *span, *by[:5], *(("group_by[]", name) for name in fans))
        assert cents_in(row["cost"] for row in rows) * PUSD_PER_CENT == state.books.total_pusd


@settings(max_examples=15)
@given(st.lists(REQUESTS, min_size=1, max_size=6), st.sampled_from(["1m", "1h", "1d"]))
def test_each_bucket_has_what_was_sent_in_it(requests, width):
    state = traffic([request | {"batch": False} for request in requests])
    first, last = min(e.call.sent_at for e in state.books), max(e.call.sent_at for e in state.books)
    found = pages(
        usage,
        state,
        ("bucket_width", width),
        ("starting_at", first.isoformat()),
        ("ending_at", (last + timedelta(microseconds=1)).isoformat()),
        ("limit", {"1m": "1440", "1h": "168", "1d": "31"}[width]),
    )
    edges = [(datetime.fromisoformat(one["starting_at"]), datetime.fromisoformat(one["ending_at"])) for one in found]
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(edges))  # empty ones are there too
    assert edges[0][0] <= first
    assert last < edges[-1][1]
    for bucket, (start, end) in zip(found, edges, strict=True):
        sent = [entry for entry in state.books if start <= entry.call.sent_at < end]
        assert tokens_in(bucket["results"]) == (tokens_of(sent) if sent else {})


ONE = {"model": "claude-sonnet-5", "prompt_tokens": 1000, "cached": False, "us": False, "team": False, "batch": False}
ONE |= {"reply": Reply(output_tokens=100), "wait": 0}


def test_a_cost_row_in_cents_by_hand():
    state = traffic([ONE, ONE | {"team": True, "us": True}])
    rows = buckets(cost_report, state, ("group_by[]", "description"), ("group_by[]", "workspace_id"))
    named = {(row["workspace_id"] is None, row["token_type"]): row for row in rows}
    assert named[True, "uncached_input_tokens"]["amount"] == "0.2"  # 1,000 tokens at $2 per million are $0.002
    assert named[True, "output_tokens"]["amount"] == "0.1"  # 100 at $10
    assert named[False, "uncached_input_tokens"]["amount"] == "0.22"  # US only: 1.1 times
    assert named[False, "output_tokens"]["inference_geo"] == "us"
    assert {row["currency"] for row in rows} == {"USD"}
    assert len({row["description"] for row in rows}) == 4


def test_the_default_workspace_is_null_in_the_old_reports_and_itself_in_the_new():
    state = traffic([ONE])
    (row,) = buckets(usage, state, ("bucket_width", "1d"), ("group_by[]", "workspace_id"), ("group_by[]", "model"))
    assert (row["workspace_id"], row["model"], row["api_key_id"]) == (None, "claude-sonnet-5", None)
    (row,) = pages(analytics_usage, state, ("starting_at", "2026-11-01T00:00:00Z"), ("group_by[]", "workspace_id"))
    assert row["group"]["workspace_id"] == state.world.workspace.id
    assert row["group"]["model"] is None


def test_filters_keep_what_they_name():
    state = traffic([ONE, ONE | {"model": "claude-opus-5-5"}, ONE | {"team": True}])
    asked = [("bucket_width", "1d"), ("models[]", "claude-sonnet-5"), ("workspace_ids[]", state.world.workspace.id)]
    (row,) = buckets(usage, state, *asked)
    assert row["output_tokens"] == 100


@pytest.mark.parametrize("name", ["account_ids[]", "service_account_ids[]"])
def test_nothing_is_of_an_account_that_nobody_has(name):
    state = traffic([ONE])
    assert buckets(usage, state, ("bucket_width", "1d"), (name, "user_1")) == []
    assert len(buckets(usage, state, ("bucket_width", "1d"), (name, ""))) == 1


def test_late_rows_revise_figures_that_looked_final():
    state = traffic([ONE] * 40)
    whole = tokens_of(state.books)
    state.lateness = Lateness(late_percent=50, late_after_s=25 * 86400)
    first = tokens_in(buckets(usage, state, ("bucket_width", "1d")))
    assert 0 < first["out"] < whole["out"]
    assert first == tokens_in(buckets(usage, state, ("bucket_width", "1d")))  # the same ones are late each time
    state.world.clock.set(START + timedelta(days=26))
    assert tokens_in(buckets(usage, state, ("bucket_width", "1d"))) == whole


def test_analytics_say_up_to_when_they_are_whole():
    state = traffic([ONE])
    state.world.clock.set(START + timedelta(hours=2))
    state.lateness = Lateness(visible_after_s=300)
    for report in (analytics_usage, analytics_cost):
        told = report(view(state), Query([("starting_at", "2026-11-01")]))["data_refreshed_at"]
        assert datetime.fromisoformat(told) == START + timedelta(hours=2) - timedelta(minutes=5)


def test_groups_beyond_the_cap_are_missing_without_a_row_for_the_rest():
    sizes = [
        ONE | {"model": model, "prompt_tokens": size}
        for model, size in (("claude-sonnet-5", 10), ("claude-opus-5-5", 9000))
    ]
    state = traffic(sizes)
    state.lateness = Lateness(groups_max=1)
    (row,) = buckets(usage, state, ("bucket_width", "1d"), ("group_by[]", "model"))
    assert row["model"] == "claude-opus-5-5"


@pytest.mark.parametrize(
    ("report", "pairs"),
    [
        (usage, []),
        (usage, [("starting_at", "yesterday")]),
        (usage, [("starting_at", "0001-01-01T00:00:00+05:00")]),
        (usage, [("starting_at", "2026-11-01"), ("ending_at", "9999-12-31T23:30:00Z")]),
        (usage, [("starting_at", "2026-11-01"), ("bucket_width", "2d")]),
        (usage, [("starting_at", "2026-11-01"), ("limit", "32"), ("bucket_width", "1d")]),
        (usage, [("starting_at", "2026-11-01"), ("group_by[]", "colour")]),
        (usage, [("starting_at", "2026-11-01"), ("page", "page_!")]),
        (
            lambda shown, query: usage_report(shown, query, frozenset()),
            [("starting_at", "2026-11-01"), ("group_by[]", "speed")],
        ),
        (cost_report, [("starting_at", "2026-11-01"), ("bucket_width", "1h")]),
        (cost_report, [("starting_at", "2026-11-01"), ("group_by[]", "model")]),
        (analytics_usage, [("starting_at", "2025-12-31")]),
        (analytics_usage, [("starting_at", "2026-10-01"), ("ending_at", "2026-11-02")]),
        (analytics_usage, [("starting_at", "2026-11-01"), ("time_bucket_width", "1d")]),
        (analytics_usage, [("starting_at", "2026-11-01"), ("ending_at", "2026-11-03"), ("time_bucket_width", "1m")]),
        (analytics_usage, [("starting_at", "2026-11-01"), ("order_by", "amount")]),
        (analytics_cost, [("starting_at", "2026-11-01"), ("order", "up")]),
        (analytics_cost, [("starting_at", "2026-11-01"), ("limit", "0")]),
    ],
)
def test_a_wrong_parameter_is_a_400(report, pairs):
    with pytest.raises(ApiError) as caught:
        report(view(State(World(clock=VirtualClock(START)))), Query(pairs))
    assert caught.value.status == 400


def test_analytics_rank_rows_and_buckets():
    state = traffic([ONE | {"wait": 90_000}, ONE | {"model": "claude-opus-5-5", "wait": 0}])
    asked = [("starting_at", "2026-11-01"), ("ending_at", "2026-11-05"), ("group_by[]", "model")]
    ranked = pages(analytics_cost, state, *asked)
    assert [row["group"]["model"] for row in ranked] == ["claude-opus-5-5", "claude-sonnet-5"]
    timed = pages(analytics_cost, state, *asked, ("time_bucket_width", "1d"), ("order_by", "time"), ("order", "asc"))
    assert [row["starting_at"][:10] for row in timed] == ["2026-11-01", "2026-11-02"]
