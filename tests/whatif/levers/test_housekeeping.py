"""Unused tools, repeated and abandoned calls, long histories, and premiums."""

import pytest
from tests.whatif.levers.traffic_made import made

from farthing.prices.book import shipped_book
from farthing.units import Kind
from farthing.whatif.levers import history, premiums, retries, tools
from farthing.whatif.levers.route import Route, route_of
from farthing.whatif.levers.traffic import ROUTES_MAX, traffic_of
from farthing.whatif.playbook.advice import Risk
from farthing.whatif.replay.choice import Choice

PLAIN, READ = 2_000_000, 100_000


def measured(calls):
    return traffic_of(calls, shipped_book())


def with_tools(calls, **more):
    blocks = [("t", 3000, "tools"), ("rules", 500, "system")]
    return [made(400 * n, [*blocks, (f"q{n}", 20, "messages")], **more) for n in range(calls)]


def test_tools_that_nobody_calls_cost_what_was_paid_for_them():
    (one,) = tools.find(measured(with_tools(150)))
    assert one.cost_pusd == 150 * 3000 * PLAIN
    (read,) = tools.find(measured(with_tools(150, counts=(None, 0, 0, 3200))))
    assert read.cost_pusd == 150 * 3000 * READ
    assert read.kind is Kind.DERIVED


def test_tools_that_are_called_now_and_then_are_used():
    assert tools.find(measured([*with_tools(149), *with_tools(152, stop="tool_use")[149:]])) == []
    assert tools.find(measured(with_tools(60))) == []


def test_a_prompt_sent_again_wastes_the_first_call():
    calls = []
    for n in range(100):
        dims = {"feature": "made", "session": f"s{n}"}
        calls.append(made(1000 * n, [(f"q{n}", 3000, "messages")], dims=dims, output=7))
        if n % 10 == 0:
            calls.append(made(1000 * n + 30, [(f"q{n}", 3000, "messages")], dims=dims))
    (one,) = retries.find(measured(calls))
    assert one.cost_pusd == 10 * (3000 * PLAIN + 7 * 10_000_000)
    assert one.kind is Kind.MEASURED
    assert one.evidence[0].startswith("call-")


def test_a_retry_storm_is_said_however_little_it_costs():
    dims = {"feature": "cheap", "session": "s"}
    calls = [made(1000 * n + late, [(f"q{n}", 100, "messages")], dims=dims) for n in range(40) for late in (0, 30)]
    dear = [made(100_000 + n, [(f"d{n}", 190_000, "messages")], dims={"feature": "dear"}) for n in range(1000)]
    traffic = measured([*calls, *dear])
    (one,) = retries.find(traffic)
    assert one.title.startswith("50 % of the calls of cheap")
    assert not traffic.is_worth_saying(one.cost_pusd)


def test_the_same_prompt_of_others_or_later_is_no_retry():
    by_others = [
        made(5 * n, [("ping", 3000, "messages")], dims={"feature": "made", "user": f"u{n}"}) for n in range(99)
    ]
    later = [made(700 * n, [("ping", 3000, "messages")], dims={"feature": "made", "user": "u"}) for n in range(99)]
    assert retries.find(measured(by_others)) == retries.find(measured(later)) == []


def test_clients_that_leave():
    dims = [{"feature": "made"}, {"feature": "made", "client_left": "aborted"}]
    calls = [made(400 * n, [(f"q{n}", 3000, "messages")], dims=dims[n % 10 == 0]) for n in range(100)]
    (one,) = retries.find(measured(calls))
    assert (one.id.split()[0], one.calls) == ("abandoned", 10)


def test_history_beyond_the_twentieth_turn():
    """50 turns that each add 1,000 tokens, all plain: turn n carries (n - 1) x 1,000 of history."""
    calls = [
        made(
            60 * n,
            [("rules", 600, "system"), *((f"{said}", 1000, "messages") for said in range(n + 1))],
            dims={"feature": "made", "session": "s"},
        )
        for n in range(50)
    ]
    traffic = measured(calls)
    (one,) = history.find(traffic)
    extra = sum(1000 * (turn - 1) - 19_000 for turn in range(21, 51))
    assert one.cost_pusd == extra * PLAIN
    assert one.kind is Kind.ASSUMED
    assert "38% at turn 2, 71% at turn 5, 85% at turn 10, 92% at turn 20, 96% at turn 40" in one.why
    shares = history.history_share(traffic.routes[Route("feature", "made", "claude-sonnet-5-5")])
    assert shares[0] == (1, 1, 0.0)
    assert shares[19] == (20, 1, pytest.approx(19_000 / 20_600))


def test_premiums_are_priced_and_need_somebody_to_agree():
    calls = [made(400 * n, [(f"q{n}", 3000, "messages")], served={"inference_geo": "us"}) for n in range(60)]
    (one,) = premiums.find(measured(calls))
    assert one.choice.rules[0].levers.inference_geo == "global"
    assert not one.is_free
    assert "compliance" in one.prerequisite
    paid = 60 * (3000 * 2 + 10 * 10) * 1.1 / 1e6
    assert f"cost ${paid:.2f}; the premium in that is ${paid / 11:.2f}" in one.why


@pytest.mark.parametrize("stream", [True, False])
def test_fast_mode_says_whether_anybody_watches(stream):
    calls = [
        made(3600 * n, [(f"q{n}", 300, "messages")], model="claude-opus-5-5", served={"speed": "fast"}, stream=stream)
        for n in range(60)
    ]
    (one,) = premiums.find(measured(calls))
    assert one.choice.rules[0].levers.speed == "standard"
    assert one.risk is Risk.DELAY
    assert ("somebody may watch" in one.why) == stream
    assert "timer" in one.why
    assert bool(one.prerequisite) == stream


@pytest.mark.parametrize(
    ("dims", "where"),
    [
        ({"feature": "f", "prompt": "p"}, {"feature": ("f",)}),
        ({"prompt": "p", "project": "j"}, {"feature": ("",), "prompt": ("p",)}),
        ({"project": "j"}, {"feature": ("",), "prompt": ("",), "project": ("j",)}),
        ({"user": "u"}, {"feature": ("",), "prompt": ("",), "project": ("",)}),
    ],
)
def test_a_route_chooses_its_own_calls_and_no_others(dims, where):
    call = made(0, [("q", 5, "messages")], dims=dims)
    route = route_of(call)
    assert route.where == where | {"model": ("claude-sonnet-5-5",)}
    others = [{"feature": "f"}, {"prompt": "p"}, {"project": "j"}, {"user": "u"}, {"feature": "g", "prompt": "p"}]
    rule = Choice.of(where=route.where, batch=True).rules[0]
    for other in (made(0, [("q", 5, "messages")], dims=other) for other in others):
        assert rule.is_about(other) == (route_of(other) == route)


def test_routes_beyond_the_bound_only_count_in_the_bill():
    calls = [made(n, [("q", 5, "messages")], dims={"feature": f"f{n}"}) for n in range(ROUTES_MAX + 5)]
    traffic = measured(calls)
    assert len(traffic.routes) == ROUTES_MAX
    assert traffic.pusd == (ROUTES_MAX + 5) * (5 * PLAIN + 10 * 10_000_000)
