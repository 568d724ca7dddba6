"""A call's way through the limits: let in, made to wait, refused, cancelled, settled. On a clock that jumps."""

import asyncio
import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from farthing.call import Usage
from farthing.errors import BadConfig
from farthing.limits import routes
from farthing.limits.flow import Entered, Flow, FlowFacts, Refused
from farthing.limits.rates import RateRule, UpstreamRule
from farthing.prices.book import shipped_book

_SPEC = importlib.util.spec_from_file_location("virtual_time", Path(__file__).with_name("virtual_time.py"))
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
VirtualTime = _MODULE.VirtualTime

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)
SERVED = Usage(input_tokens=10, output_tokens=5)


@pytest.fixture
def virtual_time():
    return VirtualTime()


@pytest.fixture
def new_flow(virtual_time):
    def made(*rules, **options):
        def wall():
            return T0 + timedelta(seconds=virtual_time.clock())

        return Flow(rules, clock=virtual_time.clock, wall=wall, **options)

    return made


def facts(tenant="", model="claude-sonnet-5", **more):
    dims = more.pop("dims", {}) | ({"tenant": tenant} if tenant else {})
    return FlowFacts(dims, model, more.pop("prompt_tokens", 10), **more)


def limits(counts, limit, remaining, family="ratelimit"):
    values = (("limit", limit), ("remaining", remaining), ("reset", "x"))
    return [(f"anthropic-{family}-{counts}-{part}".encode(), str(value).encode()) for part, value in values]


def rate(**fields):
    return RateRule(**{"name": "r", "requests_per_minute": 60} | fields)


# -- nothing to do --------------------------------------------------------------------------------------------------


def test_without_rules_and_limits_nothing_is_done(new_flow, virtual_time):
    flow = new_flow()

    async def main():
        for _ in range(500):
            entered = await flow.enter(facts())
            flow.observe(entered.ticket, 200, [(b"content-type", b"application/json")])
            assert (entered.waited_s, entered.ticket.turnstiles, entered.ticket.holds) == (0.0, (), [])
            assert flow.headers(entered.ticket) == []
            flow.leave(entered.ticket, SERVED)
        assert (virtual_time.clock(), flow.waiting, flow._pacers, flow._routes._lanes) == (0.0, 0, {}, {})

    virtual_time.run(main())


def test_a_call_that_no_rule_matches_is_free(new_flow, virtual_time):
    flow = new_flow(rate(match={"tenant": "acme"}, requests_per_minute=1))

    async def main():
        for _ in range(50):
            assert isinstance(await flow.enter(facts("bolt")), Entered)

    virtual_time.run(main())


# -- own rules ------------------------------------------------------------------------------------------------------


def test_without_a_queue_the_next_call_is_refused_and_told_all_it_needs(new_flow, virtual_time):
    flow = new_flow(rate(name="small fry", each="tenant", requests_per_minute=2))

    async def main():
        assert isinstance(await flow.enter(facts("acme")), Entered)
        assert isinstance(await flow.enter(facts("acme")), Entered)
        refused = await flow.enter(facts("acme"))
        assert refused == Refused(
            "farthing: rate limit small fry (tenant: acme): 2 requests per minute; try again in 30 s",
            "small fry (tenant: acme)",
            "2 requests per minute",
            30,
            name="small fry",
            value="tenant=acme",
        )
        assert dict(refused.headers) == {b"x-should-retry": b"true", b"retry-after": b"30"}
        assert json.loads(refused.body("req_1")) == {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": refused.message},
            "request_id": "req_1",
        }
        assert isinstance(await flow.enter(facts("bolt")), Entered)
        await asyncio.sleep(30)
        assert isinstance(await flow.enter(facts("acme")), Entered)

    virtual_time.run(main())


def test_in_a_queue_it_waits_exactly_as_long_as_it_must(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=2, queue_seconds=40))

    async def main():
        waits = [(await flow.enter(facts())).waited_s for _ in range(3)]
        assert waits == pytest.approx([0, 0, 30], abs=1e-3)

    virtual_time.run(main())


def test_who_would_wait_too_long_is_refused_at_once(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=1, queue_seconds=40))

    async def main():
        await flow.enter(facts())
        assert (await flow.enter(facts())).retry_after_s == 60
        assert virtual_time.clock() == 0

    virtual_time.run(main())


def test_behind_others_it_is_refused_when_its_deadline_comes(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=6, queue_seconds=25))

    async def main():
        for _ in range(6):
            await flow.enter(facts())
        answers = await asyncio.gather(*(flow.enter(facts()) for _ in range(4)))
        assert [isinstance(one, Entered) for one in answers] == [True, True, False, False]
        assert [one.waited_s for one in answers[:2]] == pytest.approx([10, 20], abs=1e-3)
        assert virtual_time.clock() == pytest.approx(25, abs=1e-3)
        assert "after 25.0 s in the queue" in answers[2].message
        assert flow.waiting == 0

    virtual_time.run(main())


def test_calls_at_once_take_turns(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=None, concurrent=2, queue_seconds=60))
    under_way = most = 0

    async def one():
        nonlocal under_way, most
        entered = await flow.enter(facts())
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(3)
        under_way -= 1
        flow.leave(entered.ticket, SERVED)

    async def main():
        await asyncio.gather(*(one() for _ in range(10)))

    virtual_time.run(main())
    assert (most, under_way, virtual_time.clock()) == (2, 0, 15)


def test_a_client_that_leaves_gives_up_its_place(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=6, queue_seconds=60))

    async def main():
        for _ in range(6):
            await flow.enter(facts())
        first, second = (asyncio.create_task(flow.enter(facts())) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        assert (await second).waited_s == pytest.approx(10, abs=1e-3)
        assert (first.cancelled(), flow.waiting) == (True, 0)

    virtual_time.run(main())


def test_when_a_large_call_leaves_those_it_kept_waiting_go_at_once(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=None, input_tokens_per_minute=600, queue_seconds=100))

    async def main():
        await flow.enter(facts(prompt_tokens=600))
        large = asyncio.create_task(flow.enter(facts(prompt_tokens=600)))
        await asyncio.sleep(0)
        small = asyncio.create_task(flow.enter(facts(prompt_tokens=10)))
        await asyncio.sleep(20)
        assert flow.waiting == 2
        large.cancel()
        assert (await small).waited_s == pytest.approx(20, abs=1e-3)

    virtual_time.run(main())


def test_a_client_that_leaves_at_the_very_moment_of_its_turn_gives_it_back(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=None, concurrent=1, queue_seconds=60))

    async def main():
        holder = await flow.enter(facts())
        waits = asyncio.create_task(flow.enter(facts()))
        await asyncio.sleep(1)
        flow.leave(holder.ticket, SERVED)  # now it has its turn ...
        waits.cancel()  # ... and has not heard of it
        await asyncio.gather(waits, return_exceptions=True)
        assert isinstance(await asyncio.wait_for(flow.enter(facts()), 1), Entered)

    virtual_time.run(main())


def test_leaving_twice_counts_once(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=None, concurrent=1))

    async def main():
        entered = await flow.enter(facts())
        flow.leave(entered.ticket, SERVED)
        flow.leave(entered.ticket, SERVED)
        assert isinstance(await flow.enter(facts()), Entered)
        assert isinstance(await flow.enter(facts()), Refused)

    virtual_time.run(main())


@pytest.mark.parametrize(("model", "left"), [("claude-sonnet-5", 900), ("claude-3-5-haiku-20241022", 600)])
def test_cache_reads_count_only_where_the_class_counts_them(new_flow, virtual_time, model, left):
    flow = new_flow(rate(requests_per_minute=None, input_tokens_per_minute=1000))

    async def main():
        entered = await flow.enter(facts(model=model, prompt_tokens=400))
        flow.leave(
            entered.ticket,
            Usage(input_tokens=60, cache_write_5m_tokens=30, cache_write_1h_tokens=10, cache_read_tokens=300),
        )
        assert dict(flow.headers(entered.ticket))[b"x-farthing-ratelimit-remaining"] == str(left).encode()

    virtual_time.run(main())


def test_headers_tell_of_the_tightest_limit(new_flow, virtual_time):
    flow = new_flow(
        rate(name="wide", requests_per_minute=1000),
        rate(name="täglich\r\n", each="tenant", requests_per_minute=10, input_tokens_per_minute=60),
    )

    async def main():
        entered = await flow.enter(facts("x\r\nset-cookie: y", prompt_tokens=30))
        assert flow.headers(entered.ticket) == [
            (b"x-farthing-ratelimit-rule", b"t\\xe4glich\\r\\n: input tokens"),
            (b"x-farthing-ratelimit-limit", b"60"),
            (b"x-farthing-ratelimit-remaining", b"30"),
            (b"x-farthing-ratelimit-reset", b"2026-11-20T09:00:30Z"),
        ]

    virtual_time.run(main())


def test_rules_that_cannot_be_meant_are_refused(new_flow):
    with pytest.raises(BadConfig):
        new_flow(RateRule(name="x"))


# -- fairness -------------------------------------------------------------------------------------------------------


def served_in(flow, virtual_time, seconds, *tenants):
    """Calls that each tenant got through if it always has fifty waiting."""
    got = dict.fromkeys(tenants, 0)

    async def client(tenant):
        while True:
            entered = await flow.enter(facts(tenant))
            if isinstance(entered, Entered):
                got[tenant] += 1
                flow.leave(entered.ticket, SERVED)
            else:
                await asyncio.sleep(entered.retry_after_s)

    async def main():
        clients = [asyncio.create_task(client(tenant)) for tenant in tenants for _ in range(50 if tenant != "b" else 5)]
        await asyncio.sleep(seconds)
        for one in clients:
            one.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    virtual_time.run(main())
    return got


def test_tenants_share_a_common_limit_however_many_calls_each_has(new_flow, virtual_time):
    got = served_in(new_flow(rate(requests_per_minute=120, queue_seconds=60)), virtual_time, 120, "a", "b")
    assert sum(got.values()) == pytest.approx(360, abs=2)
    assert got["b"] >= 115  # half of what flowed in; the full bucket went to whoever came first


def test_weights_shift_the_shares(new_flow, virtual_time):
    rules = (rate(requests_per_minute=120, queue_seconds=60), RateRule(match={"tenant": "b"}, weight=3))
    got = served_in(new_flow(*rules), virtual_time, 120, "a", "b")
    assert got["b"] >= 170  # three quarters of 240


# -- the upstream ---------------------------------------------------------------------------------------------------


def heard(flow, status, headers, **more):
    async def main():
        entered = await flow.enter(facts(**more))
        flow.observe(entered.ticket, status, headers)
        flow.leave(entered.ticket, SERVED)
        return [await flow.enter(facts(**more)) for _ in range(3)]

    return main()


def test_calls_are_spread_once_little_is_left(new_flow, virtual_time):
    answers = virtual_time.run(heard(new_flow(), 200, limits("requests", 60, 0)))
    assert [one.waited_s for one in answers] == pytest.approx([1, 1, 1], abs=1e-3)


def test_another_credential_or_class_is_not_held_up_and_the_same_class_is(new_flow, virtual_time):
    flow = new_flow(names=shipped_book().names)

    async def main():
        entered = await flow.enter(facts(model="claude-sonnet-4-5", upstream="one"))
        flow.observe(entered.ticket, 429, [(b"retry-after", b"5")])
        waits = {
            (model, upstream): (await flow.enter(facts(model=model, upstream=upstream))).waited_s
            for upstream in ("two", "one")
            for model in ("claude-opus-5", "claude-sonnet-4-6")
        }
        assert list(waits.values()) == pytest.approx([0, 0, 0, 5], abs=1e-3)

    virtual_time.run(main())


def test_a_pause_longer_than_a_call_may_wait_is_passed_on_at_once(new_flow, virtual_time):
    (refused, *_) = virtual_time.run(heard(new_flow(), 429, [(b"retry-after", b"30")]))
    assert (refused.rule, refused.retry_after_s, virtual_time.clock()) == ("upstream", 30, 0)


@pytest.mark.parametrize(("when_late", "kind"), [("pass", Entered), ("refuse", Refused)])
def test_a_call_that_waited_as_long_as_it_may_is_sent_or_refused(new_flow, virtual_time, when_late, kind):
    rule = UpstreamRule(queue_seconds=10, when_late=when_late)
    flow = new_flow(upstream=rule)
    (first, *_) = virtual_time.run(heard(flow, 200, limits("requests", 2, 0)))  # one in thirty seconds
    assert isinstance(first, kind)


def test_slowing_down_can_be_switched_off(new_flow, virtual_time):
    flow = new_flow(upstream=UpstreamRule(slow_down=False))
    answers = virtual_time.run(heard(flow, 429, [(b"retry-after", b"30"), *limits("requests", 60, 0)]))
    assert [one.waited_s for one in answers] == [0, 0, 0]


def test_tenants_share_what_their_common_credential_may_send(new_flow, virtual_time):
    flow = new_flow()

    async def main():
        entered = await flow.enter(facts("a"))
        flow.observe(entered.ticket, 200, limits("requests", 60, 0))
        flow.leave(entered.ticket, SERVED)

        async def one(tenant):
            await flow.enter(facts(tenant))
            return tenant

        tasks = [asyncio.create_task(one(tenant)) for tenant in "aaaaaab"]
        done = [await task for task in asyncio.as_completed(tasks)]
        assert done.index("b") <= 1

    virtual_time.run(main())


def test_a_call_that_was_never_sent_used_nothing_and_lets_the_next_one_through(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=1, concurrent=1, queue_seconds=5))

    async def main():
        first = await flow.enter(facts())
        waiting = asyncio.create_task(flow.enter(facts()))
        await asyncio.sleep(1)
        flow.undo(first.ticket)
        flow.leave(first.ticket, SERVED)
        entered = await waiting
        assert isinstance(entered, Entered)
        assert entered.waited_s == pytest.approx(1)
        flow.leave(entered.ticket, SERVED)
        flow.undo(entered.ticket)
        assert isinstance(await flow.enter(facts()), Refused)

    virtual_time.run(main())


# -- others that wait -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [(), (rate(name="all"),)], ids=["other limits", "one in common, with room"])
def test_whoever_may_not_wait_is_not_refused_because_others_wait_for_what_it_does_not_need(
    new_flow, virtual_time, shared
):
    patient = rate(name="a", match={"tenant": "a"}, requests_per_minute=None, concurrent=1, queue_seconds=20)
    flow = new_flow(patient, rate(name="b", match={"tenant": "b"}), *shared)

    async def main():
        await flow.enter(facts("a"))
        waiting = asyncio.create_task(flow.enter(facts("a")))
        await asyncio.sleep(1)
        assert flow.waiting == 1
        entered = await flow.enter(facts("b"))
        assert isinstance(entered, Entered)
        assert entered.waited_s == 0
        assert flow.waiting == 1
        assert isinstance(await waiting, Refused)

    virtual_time.run(main())


@pytest.mark.parametrize("shared", [(), (rate(name="all"),)], ids=["other limits", "one in common, with room"])
def test_a_full_queue_loses_nobody_to_a_call_that_need_not_wait(new_flow, virtual_time, shared):
    patient = rate(name="a", match={"tenant": "a"}, requests_per_minute=None, concurrent=1, queue_seconds=20)
    flow = new_flow(patient, rate(name="b", match={"tenant": "b"}), *shared, queue_length_max=2)

    async def main():
        first = await flow.enter(facts("a"))
        waiting = [asyncio.create_task(flow.enter(facts("a"))) for _ in range(2)]
        await asyncio.sleep(1)
        assert isinstance(await flow.enter(facts("b")), Entered)
        assert flow.waiting == 2
        flow.leave(first.ticket, SERVED)
        flow.leave((await waiting[0]).ticket, SERVED)
        assert isinstance(await waiting[1], Entered)

    virtual_time.run(main())


# -- bounds ---------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=None, concurrent=1, queue_seconds=5), queue_length_max=3)

    async def main():
        await flow.enter(facts())
        answers = await asyncio.gather(*(flow.enter(facts()) for _ in range(10)))
        assert all(isinstance(one, Refused) for one in answers)
        assert virtual_time.clock() == pytest.approx(5, abs=1e-3)

    virtual_time.run(main())


def test_values_that_somebody_makes_up_do_not_fill_the_memory(new_flow, virtual_time, monkeypatch):
    monkeypatch.setattr(routes, "_KEPT_MAX", 50)
    flow = new_flow(rate(each="user", requests_per_minute=10, queue_seconds=0))

    async def main():
        for n in range(500):
            await flow.enter(facts(dims={"user": str(n)}))
            assert max(len(flow._routes._lanes), len(flow._routes._routes)) <= 51
        await asyncio.sleep(3600)

    virtual_time.run(main())


def test_no_speed_that_somebody_makes_up_is_remembered(new_flow, virtual_time):
    flow = new_flow(rate(requests_per_minute=10, queue_seconds=0))

    async def main():
        for speed in ("standard", "fast", "CANARY" * 1_000, ""):
            await flow.enter(facts(speed=speed))
        assert "CANARY" not in repr(list(flow._routes._routes))
        assert len(flow._routes._routes) == 2

    virtual_time.run(main())
