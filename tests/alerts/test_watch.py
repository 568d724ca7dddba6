"""Watching one series: nothing on repetition, always on a sustained tenfold, in any currency."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.alerts.series import BY_NAME, METRICS
from farthing.alerts.threshold import blended, calibrated, episodes
from farthing.alerts.watch import SHARE, VOLUME, WEEK_H, Hour, Score, watched

WEEK = st.lists(st.integers(0, 400), min_size=WEEK_H, max_size=WEEK_H)
RATES = st.lists(st.floats(0.5, 8.0), min_size=WEEK_H, max_size=WEEK_H)


def volume(amounts):
    return [Hour(number, amount, 1) for number, amount in enumerate(amounts)]


def share(rates, calls=20, scale=1.0):
    return [Hour(number, rate * calls * scale, calls) for number, rate in enumerate(rates)]


@settings(max_examples=15)
@given(WEEK)
def test_a_week_that_repeats_exactly_is_no_news(week):
    scores = watched(volume(week * 4), VOLUME)
    assert max(one.score for one in scores[2 * WEEK_H :]) <= 0.0


@settings(max_examples=15)
@given(RATES)
def test_rates_that_repeat_exactly_are_no_news(week):
    scores = watched(share(week * 3), SHARE)
    assert max(one.score for one in scores[2 * WEEK_H :]) <= 1e-9


@settings(max_examples=15)
@given(RATES, st.floats(1e-6, 1e12))
def test_the_currency_does_not_matter(rates, scale):
    plain, scaled = watched(share(rates), SHARE), watched(share(rates, scale=scale), SHARE)
    assert all(math.isclose(a.score, b.score, rel_tol=1e-6, abs_tol=1e-6) for a, b in zip(plain, scaled, strict=True))


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(5, 500), st.integers(1, 6))
def test_a_sustained_tenfold_is_always_seen(seed, calls, length):
    rng = random.Random(seed)
    noise = [rng.uniform(0.8, 1.25) for _ in range(3 * WEEK_H)]
    start = len(noise) - length
    rates = [one * (10 if number >= start else 1) for number, one in enumerate(noise)]
    shares = watched(share(rates, calls), SHARE)[start:]
    assert max(one.score for one in shares) > BY_NAME["unit_cost"].threshold_max
    volumes = watched(volume([round(r * calls * 10) for r in rates]), VOLUME)[start:]
    assert max(one.score for one in volumes) > BY_NAME["volume"].threshold_max


@settings(max_examples=15)
@given(st.lists(st.floats(0.1, 100), min_size=400, max_size=400))
def test_no_hour_is_judged_by_what_comes_later(rates):
    hours = share(rates)
    assert watched(hours, SHARE)[:200] == watched(hours[:200], SHARE)


@pytest.mark.parametrize(("tuning", "hours"), [(SHARE, 12), (VOLUME, 72)])
def test_a_new_series_is_silent_until_it_has_enough(tuning, hours):
    series = [Hour(n, 10.0 if n < hours - 1 else 1000.0, 1) for n in range(hours + 1)]
    scores = watched(series, tuning)
    assert [one.score for one in scores[:hours]] == [0.0] * hours
    assert scores[hours].score > 0


def test_hours_without_a_call_say_nothing_of_a_share():
    series = [Hour(n, 2.0 if n % 5 == 0 else 0.0, 1 if n % 5 == 0 else 0) for n in range(400)]
    assert {one.score for one in watched(series, SHARE) if one.number % 5} == {0.0}


def test_few_calls_prove_little():
    def after(calls):
        return watched([*share([1.0] * 200), Hour(200, 3.0 * calls, calls)], SHARE)[-1].score

    assert after(1) < after(5) < after(500)


def test_a_job_that_runs_once_a_week_is_news_once():
    week = [100] * WEEK_H
    week[30] = 5000
    scores = watched(volume(week * 3), VOLUME)
    assert scores[WEEK_H + 30].score == pytest.approx(0.0)
    assert scores[2 * WEEK_H + 30].score <= 0.0


def test_a_rare_burst_is_set_against_the_largest_burst():
    bursts = [0] * 600
    for start in range(10, 590, 40):
        bursts[start] = 1000
    usual, large = [*bursts, 1000], [*bursts, 20_000]
    assert watched(volume(usual), VOLUME)[-1].score <= 0.0
    assert watched(volume(large), VOLUME)[-1].score > 3


def test_a_wild_series_must_rise_further_than_a_calm_one():
    calm = [100 + n % 3 for n in range(500)]
    wild = [100 * (1 + 5 * (n * 7919 % 13 == 0)) for n in range(500)]
    scores = [watched(volume([*one, one[-24] * 3]), VOLUME)[-1].score for one in (calm, wild)]
    assert scores[0] > scores[1]


@settings(max_examples=15)
@given(st.floats(1e-3, 1e9), st.integers(1, 500))
def test_what_never_changes_is_never_news(rate, calls):
    assert max(one.score for one in watched(share([rate] * 400, calls), SHARE)) <= 1e-9
    assert max(one.score for one in watched(volume([calls] * 400), VOLUME)) <= 1e-9


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.lists(st.floats(1, 50), min_size=2, max_size=6))
def test_the_larger_the_spike_the_higher_the_score(seed, times):
    rng = random.Random(seed)
    noise = [rng.lognormvariate(0, 0.3) for _ in range(300)]
    found = [
        [
            watched(share([*noise, factor * noise[-24]]), SHARE)[-1].score,
            watched(volume([*(100 * one for one in noise), 100 * factor * noise[-24]]), VOLUME)[-1].score,
        ]
        for factor in sorted(times)
    ]
    assert all(a <= b for one, two in itertools.pairwise(found) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric.tuning.is_share])
def test_twice_as_much_is_news_however_the_threshold_was_set(metric):
    rates = [1 + n % 3 / 20 for n in range(metric.tuning.hours_before)]
    assert watched(share([*rates, 2.2], calls=10_000), metric.tuning)[-1].score > metric.threshold_max


def test_one_old_change_does_not_make_a_series_blind_to_the_next():
    rates = [1.0] * 200 + [2.5] * 84 + [1.0] * 48
    assert watched(share([*rates, 2.0], calls=500), SHARE)[-1].score > BY_NAME["unit_cost"].threshold_max


def test_a_calm_series_needs_less_to_be_news_than_a_wild_one_but_not_in_proportion():
    def after(spread, factor):
        rng = random.Random(4)
        rates = [math.exp(rng.gauss(0, spread)) for _ in range(400)]
        return watched(share([*rates, factor], calls=500), SHARE)[-1].score

    assert after(0.02, 2) > after(0.5, 2)
    assert after(1.0, 10) > BY_NAME["unit_cost"].threshold_max


def scores(*values):
    return [Score(number, value, 1.0) for number, value in enumerate(values)]


def test_an_episode_goes_on_at_half_the_threshold_and_over_a_short_lull():
    assert episodes(scores(0, 2, 1.2, 0, 0, 1.1, *[0] * 7, 2.5), 2) == [(1, 5, 2), (13, 13, 2.5)]


def test_half_the_threshold_begins_nothing():
    assert episodes(scores(1.9, 1.9, 1.9), 2) == []


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(0, 5), min_size=100, max_size=100), min_size=2, max_size=4), st.floats(0.1, 5))
def test_the_threshold_keeps_its_word_on_what_it_was_set_on(values, per_week):
    series = [scores(*one) for one in values]
    threshold = calibrated(series, 2.0, per_week)
    assert sum(len(episodes(one, threshold)) for one in series) <= per_week * 2.0


def test_no_threshold_from_less_than_a_week_and_none_beyond_its_bound():
    assert calibrated([scores(1, 2, 3)], 0.9) is None
    assert calibrated([scores(9.0)], 2.0, 0.1, at_most=1.5) == 1.5


def test_the_shipped_threshold_fades_as_traffic_comes():
    assert blended(0.8, None, 0) == 0.8
    assert blended(0.8, 1.6, 4.0) == pytest.approx(1.2)
    assert blended(0.8, 1.6, 400) == pytest.approx(1.6, abs=0.02)


def test_years_of_sameness_do_not_make_a_percent_an_incident():
    assert blended(0.8, 0.3, 10_000) == pytest.approx(0.6)
