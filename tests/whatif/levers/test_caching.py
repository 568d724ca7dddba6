"""A caching policy is chosen on the first part of the time and proposed only if it holds on the rest."""

from tests.whatif.levers.traffic_made import made

from farthing.prices.book import shipped_book
from farthing.whatif.levers import caching
from farthing.whatif.levers.caching import find, judged
from farthing.whatif.levers.policies import CANDIDATES, Tried
from farthing.whatif.levers.sketch import OverTime, Ruler
from farthing.whatif.levers.traffic import traffic_of
from farthing.whatif.playbook.advice import Risk


def found(calls):
    return find(traffic_of(calls, shipped_book()))


def asked(at, front="rules", **more):
    return made(at, [(front, 6000, "system"), (f"q{at}", 40, "messages")], **more)


def test_what_is_cheaper_before_and_after_is_proposed():
    (one,) = found([asked(100 * n) for n in range(500)])
    assert one.choice.rules[0].levers.cache.places == ("tools", "system")
    assert one.risk is Risk.NONE
    assert one.is_free
    assert one.policy["cache"]["ttl"] == "5m"


def test_what_stops_to_pay_is_not_proposed():
    """Three days alike, then two in which no front comes twice."""
    alike = [asked(200 * n) for n in range(1296)]
    unlike = [asked(200 * n, f"rules {n}") for n in range(1296, 2160)]
    assert found(alike)
    assert found([*alike, *unlike]) == []


def test_one_good_hour_is_luck():
    """What is judged on saves in one part of many, and loses a little in none."""
    calls = [asked(5000 * n, f"rules {n}") for n in range(90)]
    burst = [asked(at) for at in (*range(3600, 7000, 20), *range(440_000, 441_000, 20))]
    assert found(sorted([*calls, *burst], key=lambda call: call.sent_at)) == []


def test_a_few_hours_are_too_few_to_learn_on_some_and_judge_on_others():
    assert found([asked(100 * n) for n in range(100)]) == []


def tried_with(gains):
    """Ten parts of an hour in which all cost 1,000, and automatic caching saves so much in each."""
    ruler = Ruler(0)
    tried = Tried(ruler)
    for hour, gain in enumerate(gains):
        at_us = hour * 3_600_000_000
        tried.recorded.add(at_us, 1000)
        for name, sums in tried.under.items():
            sums.add(at_us, 1000 - gain if name == "automatic 5m" else 1000)
    return tried


def test_what_is_learnt_and_what_is_judged_are_kept_apart():
    verdict = judged(tried_with([100] * 6 + [50, 60, 70, 60]))
    assert verdict.name == "automatic 5m"
    assert (verdict.learnt_pusd, verdict.learnt_share) == (600, 0.1)
    assert (verdict.judged_pusd, verdict.judged_share) == (240, 0.06)
    assert (verdict.parts, verdict.parts_saved) == (4, 4)


def test_a_gain_must_be_large_enough_sure_enough_and_there_in_both_parts():
    assert judged(tried_with([10] * 6 + [100] * 4)) is None
    assert judged(tried_with([100] * 6 + [10] * 4)) is None
    assert judged(tried_with([100] * 6 + [400, -100, -100, -100])) is None
    assert judged(tried_with([100] * 5)) is None


def test_an_error_of_the_replay_is_no_saving():
    """What was done comes out 100 cheaper as well when it is replayed."""
    tried = tried_with([100] * 10)
    again = OverTime(Ruler(0))
    for hour in range(10):
        again.add(hour * 3_600_000_000, 900)
    tried.under["as_marked"] = again
    assert judged(tried) is None


def test_calls_without_prompts_are_not_guessed_at():
    calls = [made(100 * n, [], counts=(6000, 0, 0, 0)) for n in range(500)]
    assert found(calls) == []


def test_an_hour_is_chosen_where_pauses_are_longer_than_five_minutes():
    (one,) = found([asked(900 * n) for n in range(400)])
    assert one.choice.rules[0].levers.cache.ttl == "1h"


def test_estimated_lengths_are_said():
    (one,) = found([asked(100 * n, counts=(6100, 0, 0, 0)) for n in range(500)])
    assert "estimates" in one.why


def test_callers_are_told_of_every_policy_with_its_lifetimes():
    told = {name: caching._CALLERS[name] for name in caching._SIMPLEST_FIRST}
    assert set(told) == set(CANDIDATES) - {"as_marked"}
    assert {name for name, text in told.items() if "ttl 1h" in text} == {name for name in told if "1h" in name}
    kept = CANDIDATES["system kept warm"]
    assert f"every {kept.ping_every_s // 60} minutes, up to {kept.pings} times" in told["system kept warm"]
    assert "within the last hour" in told["second sight"]
    assert not any("gateway" in text for text in told.values())
