"""Batch is proposed where something shows that nobody waits, and nothing that somebody does."""

from random import Random

import pytest
from tests.whatif.levers.traffic_made import made

from farthing.prices.book import shipped_book
from farthing.whatif.levers.batch import find, waiting
from farthing.whatif.levers.traffic import traffic_of
from farthing.whatif.playbook.advice import Risk

DAY = 86_400


def asked(at, **more):
    return made(at, [(f"q{at}", 2000, "messages")], **more)


def found(calls):
    return find(traffic_of(sorted(calls, key=lambda call: call.sent_at), shipped_book()))


def at_minute_five(**more):
    return [asked(hour * 3600 + 300 + second, **more) for hour in range(48) for second in (1, 30)]


def test_a_timer_is_seen():
    (one,) = found(at_minute_five())
    assert one.choice.rules[0].levers.batch is True
    assert one.choice.rules[0].where == {"feature": ("made",), "model": ("claude-sonnet-5-5",)}
    assert (one.risk, one.calls) == (Risk.DELAY, 96)
    assert "100 % begin at :05 of the hour" in one.why
    assert one.policy["where"] == {"feature": ["made"], "model": ["claude-sonnet-5-5"]}


@pytest.mark.parametrize(
    "more",
    [
        {"stream": True},
        {"stop": "tool_use"},
        {"served": {"service_tier": "batch"}},
        {"served": {"speed": "fast"}, "model": "claude-opus-5-5"},
        {"dims": {"feature": "made", "client_left": "aborted"}},
    ],
)
def test_whoever_may_wait_is_left_alone(more):
    assert found(at_minute_five(**more)) == []


def test_a_follow_up_within_the_hour_means_that_somebody_waits():
    talk = [
        made(
            hour * 3600 + 300 + turn,
            [("rules", 900, "system"), *((f"{hour}.{said}", 50, "messages") for said in range(turn + 1))],
            dims={"feature": "made", "session": f"s{hour}"},
        )
        for hour in range(48)
        for turn in (0, 1)
    ]
    assert found(talk) == []


def test_one_job_run_of_unrelated_calls_is_not_a_conversation():
    same_session = {"feature": "made", "session": "nightly"}
    assert len(found(at_minute_five(dims=same_session))) == 1


def test_a_next_call_of_another_route_may_have_waited_as_well():
    calls = []
    for hour in range(48):
        for second, feature in ((1, "made"), (30, "next")):
            dims = {"feature": feature, "session": f"s{hour}"}
            calls.append(asked(hour * 3600 + 300 + second, dims=dims))
    assert [one.id.split()[1] for one in found(calls)] == ["feature=next"]


def test_rounded_times_and_totals_of_days_show_no_timer():
    assert found([asked(hour * 3600) for hour in range(100)]) == []
    assert found(at_minute_five(served={"calls_in_total": None})) == []


def test_one_busy_minute_is_no_timer():
    assert found([asked(at) for at in range(60)]) == []


def test_calls_at_any_time_are_no_timer():
    rng = Random(3)
    assert found([asked(at) for at in sorted(rng.sample(range(5 * DAY), 200))]) == []


def test_an_even_beat_is_seen():
    (one,) = found([asked(at) for at in range(0, 3 * DAY, 1170)])
    assert "they come every 1170 s" in one.why


def test_night_work_is_seen_only_where_the_day_is_known():
    rng = Random(5)
    night = [asked(day * DAY + rng.randrange(0, 6 * 3600)) for day in range(8) for _ in range(20)]
    chat = [
        asked(day * DAY + rng.randrange(9 * 3600, 18 * 3600), stream=True, dims={"feature": "chat"})
        for day in range(8)
        for _ in range(40)
    ]
    assert found(night) == []
    (one,) = found(night + chat)
    assert one.id == "batch feature=made model=claude-sonnet-5-5"
    assert "quietest hours" in one.why


def test_what_each_route_shows_is_told_whether_it_may_wait_or_not():
    timer = at_minute_five()
    watched = [asked(600 + 7 * n, stream=True, dims={"feature": "chat"}) for n in range(60)]
    few = [asked(900 + n, dims={"feature": "rare"}) for n in range(3)]
    batched = [asked(1200 + n, dims={"feature": "batched"}, served={"service_tier": "batch"}) for n in range(40)]
    calls = sorted([*timer, *watched, *few, *batched], key=lambda call: call.sent_at)
    shown = {one.route.value: one for one in waiting(traffic_of(calls, shipped_book(), tries=False))}
    assert sorted(shown) == ["chat", "made", "rare"]
    assert (shown["made"].calls, shown["made"].nobody_seen) == (96, True)
    assert shown["made"].signs[0].startswith("100 % begin at :05 of the hour")
    assert (shown["chat"].seen["streamed"], shown["chat"].nobody_seen) == (60, False)
    assert (shown["rare"].is_habit, shown["rare"].signs) == (False, ())
    without = traffic_of(calls, shipped_book(), tries=False)
    assert [one.id for one in find(without)] == [one.id for one in found(calls)]
    assert without.tried == {}
