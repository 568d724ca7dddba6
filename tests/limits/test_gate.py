"""The gate: incidents of other gateways as tests, what callers are told, thresholds, stores that fail."""

import asyncio
import http.server
import json
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import LedgerFault
from farthing.limits import quantile
from farthing.limits.answers import Admitted, Degrade, GateFacts
from farthing.limits.file import limits_of
from farthing.limits.gate import Gate
from farthing.limits.memory_bank import MemoryBank
from farthing.limits.pockets import Ticket
from farthing.limits.refusal import Refused
from farthing.limits.store import SqliteBank
from farthing.limits.worst import worst_case
from farthing.prices.book import shipped_book
from farthing.prices.card import Unpriced

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
USD = 10**12
SONNET, HAIKU = "claude-sonnet-5", "claude-haiku-4-5"


def budget(**fields):
    return {"name": "b", "limit_usd": 10, "window": "day", **fields}


def facts(usd="1", *, model=SONNET, degraded=False, route="", **dims):
    worst = usd if isinstance(usd, Unpriced) else round(float(usd) * USD)
    return GateFacts(dims, model, worst, route, degraded=degraded)


@pytest.fixture
def gate(limits):
    """A gate on a bank in memory; further gates of one test share it."""
    bank = MemoryBank()

    def build(*budgets, **options):
        named = [{**one, "name": one.get("name", "b")} for one in budgets]
        top = {name: options.pop(name) for name in ("on_store_failure",) if name in options}
        return Gate(limits(*named, **top), lambda: bank, NOON, **options)

    return build


def admitted(gate, *args, now=NOON, **dims):
    answer = gate.admit(facts(*args, **dims), now)
    assert isinstance(answer, Admitted), answer
    return answer.ticket


def refused(gate, *args, now=NOON, **dims):
    answer = gate.admit(facts(*args, **dims), now)
    assert isinstance(answer, Refused), answer
    return answer


def admitted_of(gate, calls, *args, now=NOON, **dims):
    return sum(isinstance(gate.admit(facts(*args, **dims), now), Admitted) for _ in range(calls))


# -- incidents --------------------------------------------------------------------------------------------------------


def test_eight_first_calls_at_once_of_a_new_user_with_next_to_no_budget(gate):
    """BerriAI/litellm#40095: all eight passed, $0.000264 spent of $0.000000001."""
    made = gate(budget(limit_usd="0.000000001", each="user", window="total"))
    assert admitted_of(made, 8, "0.000033", user="new") == 0


def test_five_long_calls_at_once_under_one_key(gate):
    """BerriAI/litellm PR#40002: $0.45 for the key, about $0.15 each; four passed and $0.60 was spent."""
    body = {"model": HAIKU, "max_tokens": 100, "messages": [{"role": "user", "content": "x" * 150_000}]}
    worst = worst_case(shipped_book(), json.dumps(body).encode(), NOON, default_geo="global")
    assert 0.15 * USD < worst < 0.152 * USD
    made = gate(budget(limit_usd="0.45", each="api_key", window="month"))
    calls = [made.admit(GateFacts({"api_key": "key_1"}, HAIKU, worst), NOON) for _ in range(5)]
    passed = [one for one in calls if isinstance(one, Admitted)]
    assert len(passed) == 2  # three worst cases are a hair above $0.45
    for one in passed:
        made.settle(one.ticket, 150_000_000_000)
    assert admitted_of(made, 5, "0.15", api_key="key_1") == 1
    assert admitted_of(made, 5, "0.15", api_key="key_2") == 3


def test_calls_of_one_session_at_once(gate):
    """BerriAI/litellm#34732: each fits alone, together they do not."""
    made = gate(budget(window="session", limit_usd=1))
    assert admitted_of(made, 20, "0.3", session="s1") == 3
    assert admitted_of(made, 20, "0.3", session="s2") == 3


@pytest.mark.parametrize("processes", [1, 3])
def test_each_alone_is_affordable_and_all_together_are_not_in_several_processes(gate, processes):
    gates = [gate(budget(limit_usd=10)) for _ in range(processes)]
    passed = sum(admitted_of(gates[number % processes], 1, "0.7") for number in range(60))
    assert passed == 14


def test_leaving_the_header_out_is_no_way_past(gate):
    """BerriAI/litellm#11083: a user who was never blocked."""
    made = gate(budget(limit_usd=1, each="user"), budget(name="s", limit_usd=2, window="session"))
    assert admitted_of(made, 9, "0.5", session="s") == 2
    assert admitted_of(made, 9, "0.5", user="u", session="s") == 2
    assert admitted_of(made, 9, "0.5", user="v") == 2


@pytest.mark.parametrize("worst", [11, Unpriced("nobody knows")])
def test_leaving_the_model_out_is_no_way_past_the_budget_of_a_model(gate, worst):
    made = gate(budget(scope={"model": "claude-opus-*", "tenant": "acme"}))
    assert refused(made, worst, model="", tenant="acme").budget == "b"
    admitted(made, worst, model="", tenant="other")
    admitted(made, worst, model=HAIKU, tenant="acme")


def test_whoever_may_be_billed_for_another_model_needs_room_for_it(gate):
    made = gate(budget(limit_usd=10, scope={"model": HAIKU}), budget(name="dear", limit_usd=1, scope={"model": SONNET}))
    beside = GateFacts({}, HAIKU, USD, beside=("claude-opus-5", SONNET))
    assert isinstance(made.admit(beside, NOON), Admitted)
    assert made.admit(beside, NOON).budget == "dear"
    admitted(made, 1, model=HAIKU)


def test_a_budget_of_a_call_looks_at_each_request_of_a_batch(gate):
    made = gate(budget(limit_usd=1, window="call"))
    assert isinstance(made.admit(GateFacts({}, SONNET, 100 * USD, alone_pusd=USD), NOON), Admitted)
    answer = made.admit(GateFacts({}, SONNET, 100 * USD, alone_pusd=2 * USD), NOON)
    assert (answer.why, "may cost $2.00" in answer.message) == ("too dear", True)


def test_without_an_estimate_nothing_passes_by_default(gate):
    """BerriAI/litellm#35524: no estimate, so no reservation."""
    made = gate(budget())
    answer = refused(made, Unpriced("model 'claude-next' is not in the price book"))
    assert (answer.status, answer.error_type, answer.why) == (400, "invalid_request_error", "unpriced")
    assert "claude-next" in answer.message
    allowing = gate(budget(unpriced="allow"))
    ticket = admitted(allowing, Unpriced("?"))
    assert allowing.settle(ticket, 4 * USD)
    refused(allowing, 7)


def test_many_calls_without_max_tokens_far_from_the_limit_in_smooth_mode(gate):
    """
    BerriAI/litellm PR#27509 and #38647: all refused at $0.144 of $2,000, by reservations of worst cases.

    Far from the limit: spent + worst case x calls under way <= limit + overshoot, and spent + the learnt reservation
    x calls under way <= limit. There a smooth budget refuses nothing.
    """
    hard = gate(budget(name="hard", limit_usd=2000))
    smooth = gate(budget(name="smooth", limit_usd=2000, smooth={"quantile": "0.99", "overshoot_usd": 1000}))
    for _ in range(100):
        for made in (hard, smooth):
            made.settle(admitted(made, 5), USD // 700)  # 100 calls: $0.14
    assert admitted_of(hard, 500, 5) == 399  # phantom refusals, which a hard budget must make
    assert admitted_of(smooth, 500, 5) == 500


def test_a_smooth_budget_never_passes_its_declared_overshoot(gate):
    made = gate(budget(limit_usd=100, smooth={"quantile": "0.5", "overshoot_usd": 20}))
    for _ in range(60):
        made.settle(admitted(made, 1), USD // 100)
    tickets = [one.ticket for one in (made.admit(facts(1), NOON) for _ in range(500)) if isinstance(one, Admitted)]
    for ticket in tickets:
        made.settle(ticket, USD)  # every one of them turns out as dear as it can be
    spent = 60 * USD // 100 + len(tickets) * USD
    assert 100 * USD < spent <= 120 * USD
    refused(made, 1)


_STEP = st.one_of(
    st.tuples(st.just("admit"), st.integers(0, 1), st.integers(1, 40), st.sampled_from("ab")),
    st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, 100)),
    st.tuples(st.just("lost"), st.integers(0, 9)),
    st.tuples(st.just("tick"), st.integers(0, 1)),
)


@given(st.lists(_STEP, max_size=60), st.integers(0, 5))
def test_a_tree_of_hard_and_smooth_budgets_is_never_passed_by_two_processes_together(steps, learnt):
    """What calls came to, and the worst of all without an outcome: within each limit and its declared overshoot."""
    tree = [
        budget(name="all", limit_usd=100, smooth={"quantile": "0.5", "overshoot_usd": 15}),
        budget(name="tenant", limit_usd=90, each="tenant"),
        budget(name="soft", limit_usd=1, mode="soft"),
    ]
    bank, now = MemoryBank(), NOON
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(quantile, "CALLS_MIN", 1)
        limits = limits_of({"budget": tree}, "limits.toml")
        gates = [Gate(limits, lambda: bank, now) for _ in range(2)]
        came_to, under_way = dict.fromkeys("ab", 0), []
        for number in range(learnt):
            ticket = admitted(gates[number % 2], 1, tenant="a")
            assert gates[number % 2].settle(ticket, USD // 10)
            came_to["a"] += USD // 10
        for kind, *told in steps:
            now += timedelta(seconds=0.3)
            if kind == "admit":
                which, usd, tenant = told
                answer = gates[which].admit(facts(usd, tenant=tenant), now)
                if isinstance(answer, Admitted):
                    under_way.append((gates[which], answer.ticket, usd * USD, tenant))
            elif kind == "tick":
                gates[told[0]].tick(now)
            elif told[0] < len(under_way):
                gate, ticket, worst, tenant = under_way.pop(told[0])
                pusd = worst if kind == "lost" else worst * told[1] // 100
                gate.settle(ticket, None if kind == "lost" else pusd)
                came_to[tenant] += pusd  # nobody knows of a lost one, so it may have come to its worst
            open_pusd = {name: sum(one[2] for one in under_way if one[3] == name) for name in "ab"}
            assert all(came_to[name] + open_pusd[name] <= 90 * USD for name in "ab")
            assert sum(came_to.values()) + sum(open_pusd.values()) <= 115 * USD
        for gate in gates:
            gate.close(now)
    spent = {one.key: one for one in bank.lines() if one.key.meter == "spend"}
    assert sum(one.spent_pusd for key, one in spent.items() if key.budget == "soft") == sum(came_to.values())


def test_reservations_do_not_leak(gate):
    """BerriAI/litellm#27639: a budget full of reservations of calls that had ended."""
    made = gate(budget(limit_usd=10))
    for _ in range(200):
        made.release(admitted(made, 9))
        made.settle(admitted(made, 9), 1)
    assert isinstance(made.admit(facts(9), NOON), Admitted)


def test_an_unknown_outcome_stays_spent_until_it_is_known(gate):
    made = gate(budget(limit_usd=10))
    ticket = admitted(made, 8)
    made.settle(ticket, None)
    assert refused(made, 3).status == 429
    assert made.settle(ticket, USD)
    admitted(made, 9)


def test_us_only_calls_stop_at_the_true_cost(gate):
    """claude-code#92751: a $500 cap let $550 of US-only calls through."""
    body = {"model": SONNET, "max_tokens": 1000, "inference_geo": "us", "messages": [{"role": "user", "content": "x"}]}
    worst = worst_case(shipped_book(), json.dumps(body).encode(), NOON)
    made, spent = gate(budget(limit_usd=1)), 0
    while isinstance(answer := made.admit(GateFacts({}, SONNET, worst), NOON), Admitted):
        made.settle(answer.ticket, worst)
        spent += worst
    assert USD - worst < spent <= USD


# -- the tree ---------------------------------------------------------------------------------------------------------

TREE = (
    budget(name="org", limit_usd=10, window="month"),
    budget(name="team", limit_usd=5, scope={"team": "red"}),
    budget(name="key", limit_usd=3, each="api_key"),
    budget(name="opus", limit_usd=1, scope={"model": "claude-opus-*"}, window="total"),
)


def test_every_budget_that_matches_must_admit(gate):
    made = gate(*TREE)
    assert admitted_of(made, 9, 1, team="red", api_key="k1") == 3
    assert refused(made, 1, team="red", api_key="k1").budget == "key"
    assert admitted_of(made, 9, 1, team="red", api_key="k2") == 2
    assert refused(made, 1, team="red", api_key="k3").budget == "team"
    assert refused(made, 2, model="claude-opus-5", api_key="k4").budget == "opus"
    assert admitted_of(made, 9, 1, api_key="k4") == 3
    assert admitted_of(made, 9, 1, api_key="k5") == 2
    assert refused(made, 1, api_key="k6").budget == "org"


def test_what_one_budget_refuses_is_not_reserved_from_the_others(gate):
    made = gate(*TREE)
    for _ in range(50):
        refused(made, 2, model="claude-opus-5", api_key="k1")
    assert admitted_of(made, 9, 1, api_key="k1") == 3


def test_what_is_left_is_the_tightest_budgets(gate):
    made = gate(*TREE)
    answer = made.admit(facts(1, team="red", api_key="k"), NOON)
    assert (answer.left.budget, answer.left.left_pusd, answer.left.limit_pusd) == ("key", 2 * USD, 3 * USD)
    assert answer.left.resets_at == datetime(2026, 11, 21, tzinfo=UTC)
    assert gate().admit(facts(), NOON).left is None


# -- windows ----------------------------------------------------------------------------------------------------------


def test_a_call_counts_in_the_window_it_was_sent_in(gate):
    made = gate(budget(limit_usd=10))
    before, after = NOON.replace(hour=23, minute=59), NOON + timedelta(hours=12)
    ticket = admitted(made, 8, now=before)
    assert isinstance(made.admit(facts(9), after), Admitted)
    made.settle(ticket, 8 * USD)
    made.tick(after)
    refused(made, 2, now=after)
    spent = {line.key.start_s: line.spent_pusd + line.held_pusd for line in made._purse.bank.lines()}
    assert spent == {int(NOON.timestamp()) - 12 * 3600: 8 * USD, int(NOON.timestamp()) + 12 * 3600: 9 * USD}


def test_a_clock_that_jumps_back_finds_the_old_window_again(gate):
    made = gate(budget(limit_usd=10))
    made.settle(admitted(made, 8), 8 * USD)
    admitted(made, 8, now=NOON + timedelta(days=1))
    refused(made, 3, now=NOON)


def test_a_day_is_one_of_the_budgets_zone(gate):
    made = gate(budget(limit_usd=10, timezone="America/New_York"))
    midnight_in_new_york = datetime(2026, 11, 21, 5, tzinfo=UTC)
    made.settle(admitted(made, 8), 8 * USD)
    answer = refused(made, 8, now=midnight_in_new_york - timedelta(seconds=90))
    assert (answer.resets_at, answer.retry_after_s) == (midnight_in_new_york, 90)
    admitted(made, 8, now=midnight_in_new_york)


# -- what callers are told --------------------------------------------------------------------------------------------


def test_used_up_until_the_calendar_says_otherwise(gate):
    made = gate(budget(name="acme daily", each="tenant", timezone="Europe/Berlin"))
    made.settle(admitted(made, 10, tenant="acme"), 10 * USD)
    answer = refused(made, 1, tenant="acme")
    assert answer.message == (
        "farthing: budget acme daily (tenant=acme) is used up: $10.00 of $10.00 spent, this call may cost $1.00; "
        "it resets at 2026-11-21 00:00 Europe/Berlin"
    )
    assert (answer.status, answer.error_type) == (429, "billing_error")
    assert dict(answer.headers) == {b"x-should-retry": b"false", b"retry-after": b"39600"}
    assert json.loads(answer.body("req_1")) == {
        "type": "error",
        "error": {"type": "billing_error", "message": answer.message},
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("window", "says"), [("session", "whole session"), ("run", "whole run"), ("total", "not reset")]
)
def test_used_up_for_good(gate, window, says):
    made = gate(budget(window=window))
    made.settle(admitted(made, 10, session="s", run="r"), 10 * USD)
    answer = refused(made, 1, session="s", run="r")
    assert (answer.status, answer.error_type, answer.retry_after_s) == (402, "billing_error", None)
    assert says in answer.message


def test_one_call_that_is_too_dear(gate):
    answer = refused(gate(budget(window="call", limit_usd=1)), 2)
    assert (answer.status, answer.error_type, answer.why) == (400, "invalid_request_error", "too dear")
    assert "max_tokens" in answer.message


def test_each_window_of_a_tree_ends_by_itself_and_the_wait_is_rounded_up(gate):
    made = gate(budget(name="month", limit_usd=100, window="month"), budget(name="hour", window="hour"))
    made.settle(admitted(made, 10), 10 * USD)
    late = NOON + timedelta(minutes=59, seconds=59, milliseconds=500)
    answer = refused(made, 1, now=late)
    assert (answer.budget, answer.retry_after_s) == ("hour", 1)
    assert refused(made, 1, now=NOON + timedelta(minutes=59, milliseconds=500)).retry_after_s == 60
    admitted(made, 1, now=NOON + timedelta(hours=1))
    assert refused(made, 1, now=late).budget == "hour", "a clock that was set back is in the hour before"


def test_what_would_just_fit_is_busy_and_one_more_is_used_up(gate):
    made = gate(budget(limit_usd=10))
    made.settle(admitted(made, 4), 4 * USD)
    admitted(made, 6)
    assert refused(made, 6).why == "busy"
    assert refused(made, 7).why == "used up"


@pytest.mark.parametrize("window", ["day", "session", "total"])
def test_a_call_above_the_whole_budget_is_not_told_to_wait(gate, window):
    made = gate(budget(limit_usd=1, window=window, each="tenant"))
    answer = refused(made, 5, tenant="acme")
    assert (answer.status, answer.error_type, answer.why) == (400, "invalid_request_error", "too dear")
    assert dict(answer.headers) == {b"x-should-retry": b"false"}
    assert answer.value.startswith("tenant=acme")
    assert "may cost $5.00, and the whole budget is $1.00; lower max_tokens" in answer.message
    admitted(made, 1, tenant="acme")


def test_a_budget_of_nothing_gives_no_advice(gate):
    answer = refused(gate(budget(limit_usd=0)), 5)
    assert answer.status == 400
    assert answer.message.endswith("the whole budget is $0.00")


def test_an_overshoot_makes_no_room_for_a_call_of_unknown_size(gate):
    made = gate(budget(limit_usd=10, smooth={"overshoot_usd": 5}))
    assert refused(made, 11).status == 400, "until it has learnt, the worst case must fit the limit itself"


def test_a_call_that_would_fit_if_others_had_ended_may_be_sent_again_at_once(gate):
    made = gate(budget(limit_usd=10))
    held = admitted(made, 8)
    answer = refused(made, 8)
    assert (answer.status, answer.error_type, answer.why) == (429, "rate_limit_error", "busy")
    assert dict(answer.headers) == {b"x-should-retry": b"true", b"retry-after": b"1"}
    made.settle(held, USD)
    admitted(made, 8)


class Answering:
    """A server on this machine that answers everything with one refusal."""

    def __init__(self, answer):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.asked += 1
                self.rfile.read(int(self.headers["content-length"]))
                body = answer.body("req_1")
                self.send_response(answer.status)
                for name, value in (*answer.headers, (b"content-length", b"%d" % len(body))):
                    self.send_header(name.decode(), value.decode())
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.asked = 0
        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.mark.parametrize(
    ("spent", "usd", "window", "error"),
    [
        (10, 1, "day", anthropic.RateLimitError),
        (10, 1, "total", anthropic.APIStatusError),
        (0, 11, "day", anthropic.BadRequestError),
        (0, 11, "call", anthropic.BadRequestError),
    ],
)
def test_the_official_sdk_shows_the_message_and_does_not_ask_again(gate, spent, usd, window, error):
    made = gate(budget(window=window))
    if spent:
        made.settle(admitted(made, spent), spent * USD)
    answer = refused(made, usd)
    with (
        Answering(answer) as server,
        anthropic.Anthropic(api_key="k", base_url=server.base_url, max_retries=2) as client,
        pytest.raises(error) as shown,
    ):
        client.messages.create(model=SONNET, max_tokens=1, messages=[{"role": "user", "content": "x"}])
    assert answer.message in str(shown.value)
    assert shown.value.status_code == answer.status
    assert server.asked == 1


# -- soft and degrade -------------------------------------------------------------------------------------------------


def test_thresholds_are_told_once_a_window_whoever_sees_them(gate):
    told = []
    alerts = ["0.5", "0.8", 1]
    gates = [gate(budget(mode="soft", alert_at=alerts), on_threshold=told.append) for _ in range(2)]
    for number in range(24):
        made, now = gates[number % 2], NOON + timedelta(seconds=number)
        made.settle(admitted(made, 1, now=now), USD)
        made.tick(now)
    assert [(one.budget, one.share) for one in told] == [
        ("b", Fraction(1, 2)),
        ("b", Fraction(4, 5)),
        ("b", Fraction(1)),
    ]
    assert [one.spent_pusd for one in told] == [5 * USD, 8 * USD, 10 * USD]
    tomorrow = NOON + timedelta(days=1)
    gates[0].settle(admitted(gates[0], 9, now=tomorrow), 9 * USD)
    gates[0].close(tomorrow)
    assert [one.share for one in told[3:]] == [Fraction(1, 2), Fraction(4, 5)]


def test_a_share_is_reached_at_the_first_picodollar_that_is_no_less(gate):
    told = []
    made = gate(budget(limit_usd="0.000000000003", alert_at=["0.5"]), on_threshold=told.append)
    for spent in (1, 2):
        answer = made.admit(GateFacts({}, SONNET, 1), NOON)
        made.settle(answer.ticket, 1)
        made.tick(NOON)
        assert [one.spent_pusd for one in told] == [2] * (spent == 2)


def test_thresholds_that_many_reach_at_once_are_told_one_tick_after_the_other(gate, monkeypatch):
    monkeypatch.setattr("farthing.limits.gate._ASKED_AT_ONCE", 10)
    told = []
    made = gate(budget(each="tenant", alert_at=["0.5"]), on_threshold=told.append)
    for number in range(25):
        made.settle(admitted(made, 6, tenant=f"t{number}"), 6 * USD)
    counts = []
    for second in range(1, 4):
        made.tick(NOON + timedelta(seconds=second))
        counts.append(len(told))
    assert counts == [10, 20, 25]
    assert len({one.value for one in told}) == 25


def test_a_soft_budget_refuses_nothing_even_without_a_price(gate):
    made = gate(budget(mode="soft", limit_usd=1))
    assert admitted_of(made, 5, 100) == 5
    assert isinstance(made.admit(facts(Unpriced("?")), NOON), Admitted)


def test_degrade_names_the_other_model_and_reserves_nothing(gate):
    made = gate(budget(name="dear", mode="degrade", degrade_to=HAIKU, limit_usd=1), budget(name="org", limit_usd=10))
    made.settle(admitted(made, 1), USD)
    answer = made.admit(facts(1), NOON)
    assert isinstance(answer, Degrade)
    assert (answer.to_model, answer.refused.status, answer.refused.budget) == (HAIKU, 429, "dear")
    assert isinstance(made.admit(facts("0.1", model=HAIKU, degraded=True), NOON), Admitted)
    assert isinstance(made.admit(facts("0.1", model=HAIKU), NOON), Refused)  # it is that model already
    refused(made, 9, degraded=True, model=HAIKU)  # the budget above goes on refusing


def test_what_a_hard_budget_refuses_is_not_handed_to_another_model(gate):
    made = gate(budget(name="dear", mode="degrade", degrade_to=HAIKU, limit_usd=1), budget(name="org", limit_usd=1))
    made.settle(admitted(made, 1), USD)
    assert refused(made, 1).budget == "org"


# -- stores that fail -------------------------------------------------------------------------------------------------


@pytest.fixture
def on_disk(limits, tmp_path):
    made = []

    def build(*budgets, **top):
        faults = []
        path = tmp_path / "limits.sqlite"
        gate = Gate(limits(*budgets, **top), lambda: SqliteBank(path, busy_s=0.01), NOON, on_fault=faults.append)
        made.append(gate)
        return gate, faults, path

    yield build
    for gate in made:
        gate.close(NOON + timedelta(days=9))


@pytest.mark.parametrize("seconds", [5, -86_400], ids=["later", "when the clock was set back"])
def test_a_corrupt_store_refuses_and_is_tried_again(on_disk, tmp_path, seconds):
    (tmp_path / "limits.sqlite").write_bytes(b"this is no database, but it is long enough to be taken for one" * 40)
    gate, faults, path = on_disk(budget())
    answer = refused(gate, 1)
    assert (answer.status, answer.why, answer.should_retry) == (503, "store", True)
    assert len(faults) == 1
    path.unlink()
    later = NOON + timedelta(seconds=seconds)
    gate.settle(admitted(gate, 1, now=later), USD)
    assert faults[1:] == [""]


def test_a_corrupt_store_lets_pass_what_the_file_says(on_disk, tmp_path):
    (tmp_path / "limits.sqlite").write_bytes(b"no database" * 400)
    allowing, _, _ = on_disk(budget(), on_store_failure="allow")
    ticket = admitted(allowing, 1)
    assert not allowing.settle(ticket, USD)
    soft, _, _ = on_disk(budget(mode="soft"))
    admitted(soft, 100)
    one_call, _, _ = on_disk(budget(window="call"))
    admitted(one_call, 1)


def test_without_a_budget_that_counts_there_is_no_store(on_disk):
    gate, faults, path = on_disk(budget(window="call"))
    admitted(gate, 1)
    gate.tick(NOON)
    assert not path.exists()
    assert faults == []


def test_a_locked_store_does_not_stop_who_has_a_slice(on_disk):
    gate, faults, path = on_disk(budget(limit_usd=1000))
    tickets = [admitted(gate, 1), admitted(gate, 1), admitted(gate, 1)]
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert admitted_of(gate, 5, 1) == 5
    assert refused(gate, 500).why == "store"
    gate.tick(NOON)
    assert len(faults) == 1
    for ticket in tickets:
        assert gate.settle(ticket, USD)
    other.execute("ROLLBACK")
    other.close()
    gate.tick(NOON + timedelta(seconds=1))
    assert faults[1:] == [""]
    assert gate._purse.bank.lines()[0].spent_pusd == 3 * USD


def test_allowing_what_the_store_does_not_answer_counts_it_afterwards(on_disk):
    gate, _, path = on_disk(budget(limit_usd=10), on_store_failure="allow")
    gate.settle(admitted(gate, 1), USD)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    gate.settle(admitted(gate, 100), 40 * USD)
    other.execute("ROLLBACK")
    other.close()
    gate.tick(NOON + timedelta(seconds=1))
    assert gate._purse.bank.lines()[0].spent_pusd == 41 * USD
    refused(gate, 1, now=NOON + timedelta(seconds=1))


def test_a_bank_that_breaks_in_the_middle_never_raises_into_a_call(gate, monkeypatch):
    made = gate(budget())

    def broken(*_):
        raise LedgerFault("broken")

    for name in ("lease", "report", "wanted", "leave", "first"):
        monkeypatch.setattr(MemoryBank, name, broken)
    assert refused(made, 1).why == "store"
    made.tick(NOON)
    made.close(NOON)
    assert not made.release(Ticket((), None, ""))


def test_calls_in_an_event_loop_are_reserved_one_by_one(gate):
    made = gate(budget(limit_usd=10))
    under_way = 0

    async def call():
        nonlocal under_way
        answer = made.admit(facts(1), NOON)
        if isinstance(answer, Refused):
            return 0
        under_way += 1
        await asyncio.sleep(0)
        assert under_way <= 10
        made.settle(answer.ticket, USD)
        return 1

    async def main():
        return sum(await asyncio.gather(*[call() for _ in range(50)]))

    assert asyncio.run(main()) == 10
