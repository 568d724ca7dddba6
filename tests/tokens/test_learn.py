from __future__ import annotations

import hashlib
import json
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput
from farthing.tokens.figure import within
from farthing.tokens.learn import PRIOR_CALLS, RATIO_MAX, Learner, Stats, corrected
from farthing.tokens.letters import ContentKind
from farthing.tokens.request import estimate_request
from farthing.units import Kind

MODEL = "claude-opus-5"
calls = st.lists(st.tuples(st.integers(1, 10**7), st.integers(0, 10**8)), max_size=30)
ESTIMATE = within(750, 1000, 1500, "believed")


def learned(pairs):
    stats = Stats()
    for estimated, real in pairs:
        stats = stats.with_call(estimated, real)
    return stats


def noisy(truth, spread, count, seed=1):
    source = random.Random(seed)
    estimates = [source.randint(200, 20_000) for _ in range(count)]
    return [(estimated, round(estimated * truth * source.uniform(1 - spread, 1 + spread))) for estimated in estimates]


@given(calls, st.randoms())
def test_order_does_not_matter(pairs, source):
    shuffled = list(pairs)
    source.shuffle(shuffled)
    assert learned(pairs) == learned(shuffled)


@given(calls, calls, calls)
def test_merging_is_associative_and_commutative_and_equals_seeing_all(one, two, three):
    a, b, c = learned(one), learned(two), learned(three)
    assert a.merged(b).merged(c) == a.merged(b.merged(c)) == c.merged(a).merged(b) == learned(one + two + three)


@given(calls)
def test_ratio_and_quantiles_stay_inside_the_bounds(pairs):
    stats = learned(pairs)
    assert 1 / RATIO_MAX <= stats.ratio <= RATIO_MAX
    assert len(stats.ratio_bins) <= 97
    if pairs:
        assert 0 < stats.quantile(0.05) <= stats.quantile(0.95) < RATIO_MAX * 1.02
    found = corrected(ESTIMATE, stats)
    assert 0 <= found.low <= found.tokens <= found.high


@pytest.mark.parametrize("truth", [0.6, 0.95, 1.0, 1.3, 2.5])
def test_converges_on_the_truth(truth):
    stats = learned(noisy(truth, 0.1, 1000))
    assert stats.ratio == pytest.approx(truth, rel=0.02)
    assert stats.quantile(0.05) == pytest.approx(truth * 0.91, rel=0.03)
    assert stats.quantile(0.95) == pytest.approx(truth * 1.09, rel=0.03)


def test_equal_calls_lie_inside_their_own_quantiles():
    stats = learned([(1000, 1300)] * 50)
    assert 1.26 < stats.quantile(0.05) < 1.3 < stats.quantile(0.95) < 1.34


def test_one_call_moves_the_figure_a_little():
    assert learned([(1000, 2000)]).ratio == pytest.approx((2 + PRIOR_CALLS) / (1 + PRIOR_CALLS))
    assert learned([]).ratio == 1.0


def test_an_outlier_is_bounded_and_counted():
    calm = noisy(1.0, 0.1, 200)
    wild = learned([*calm, (1000, 10**9)])
    assert wild.clipped_calls == 1
    assert abs(wild.ratio - learned(calm).ratio) < 0.01
    assert wild.quantile(0.95) == learned(calm).quantile(0.95)


def test_the_interval_covers_new_calls_and_narrows():
    stats = learned(noisy(1.2, 0.1, 300))
    found = corrected(ESTIMATE, stats)
    fresh = [1000 * real / estimated for estimated, real in noisy(1.2, 0.1, 1000, seed=2)]
    inside = sum(found.low <= real <= found.high for real in fresh) / len(fresh)
    assert inside > 0.88
    assert found.high - found.low < (ESTIMATE.high - ESTIMATE.low) / 2
    assert found.kind is Kind.ASSUMED
    assert "learned from 300 calls" in found.basis


def request(words):
    return {"model": MODEL, "messages": [{"role": "user", "content": "the quick brown fox " * words}]}


def test_a_learner_corrects_text_alone_and_says_from_how_many_calls():
    learner = Learner()
    for words in range(50, 250):
        estimate = estimate_request(request(words))
        assert learner.learn(estimate, round(estimate.text.tokens * 1.1) + estimate.sections["overhead"].tokens)
    estimate = estimate_request(request(500))
    found = learner.correct(estimate)
    assert found.calls_learned_from == 200
    assert found.text.tokens == pytest.approx(estimate.text.tokens * 1.1, rel=0.01)
    assert found.sections["overhead"] == estimate.sections["overhead"]
    assert learner.correct(found) is found
    assert not learner.learn(found, 1000)


def test_kinds_and_models_are_learned_apart():
    learner = Learner()
    learner.observe(MODEL, ContentKind.CODE, 100, 200)
    assert learner.stats(MODEL, ContentKind.PROSE) == Stats()
    assert learner.stats("claude-opus-4-8", ContentKind.CODE) == Stats()
    estimate = estimate_request(request(5))
    assert learner.correct(estimate) is estimate


def test_calls_that_say_little_about_text_are_left_out():
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    mostly_picture = estimate_request({"model": MODEL, "messages": [{"role": "user", "content": [image]}]})
    assert not Learner().learn(mostly_picture, 3000)
    assert not Learner().learn(estimate_request(request(50)), 0)


@given(
    st.lists(st.tuples(st.sampled_from(list(ContentKind)), st.integers(1, 10**6), st.integers(0, 10**7)), max_size=20)
)
def test_state_survives_writing_and_merging(pairs):
    whole, left, right = Learner(), Learner(), Learner()
    for position, pair in enumerate(pairs):
        whole.observe(MODEL, *pair)
        (left if position % 2 else right).observe(MODEL, *pair)
    left.merge(Learner.decode(right.encode()))
    assert left.encode() == whole.encode() == Learner.decode(whole.encode()).encode()


def state(**changes):
    stats = {
        "calls": 1,
        "estimated_tokens": 10,
        "real_tokens": 10,
        "clipped_calls": 0,
        "ratio_bins": {"0": 1},
        **changes,
    }
    return msgspec.json.encode({"version": 1, "rows": [{"model": MODEL, "content": "prose", "stats": stats}]})


def test_a_sound_state_is_read():
    assert Learner.decode(state()).stats(MODEL, ContentKind.PROSE).calls == 1


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{}",
        b'{"version":2,"rows":[]}',
        state(calls=2),
        state(calls=-1),
        state(estimated_tokens=0),
        state(real_tokens=-5),
        state(ratio_bins={"4000": 1}),
    ],
)
def test_a_state_that_does_not_add_up_is_refused(bad):
    with pytest.raises(BadInput):
        Learner.decode(bad)


@pytest.mark.parametrize(
    ("model", "estimated", "real"), [("claude-opus-4-5", 1, 1), ("gpt", 1, 1), (MODEL, 0, 1), (MODEL, 1, -1)]
)
def test_what_cannot_be_learned_is_refused(model, estimated, real):
    with pytest.raises(BadInput):
        Learner().observe(model, ContentKind.PROSE, estimated, real)


def test_learning_from_real_calls_holds_its_interval_on_others(shared_data):
    trace = shared_data / "routerarena" / "claude-3-haiku-20240307.jsonl"
    learner, inside, rest = Learner(), 0, 0
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    for seen in (True, False):
        for row in rows:
            if (int(hashlib.sha256(row["global_index"].encode()).hexdigest(), 16) % 2 == 0) != seen:
                continue
            body = {"model": "claude-3-haiku-20240307", "messages": [{"role": "user", "content": row["question"]}]}
            estimate, real = estimate_request(body), row["token_usage"]["input_tokens"]
            if seen:
                learner.learn(estimate, real)
            else:
                whole = learner.correct(estimate).total
                rest += 1
                inside += whole.low <= real <= whole.high
    assert inside / rest > 0.85
