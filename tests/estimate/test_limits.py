from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from farthing.estimate.cost import expect
from farthing.estimate.limits import needs_of
from farthing.estimate.reading import decode
from farthing.limits.published import published_limits
from farthing.prices.book import shipped_book

DAY = date(2026, 11, 20)
BOOK = shipped_book()


def needs(on=DAY, **tables):
    volume = {"calls_per_day": 144_000, "peak_factor": 2}  # 100 calls a minute
    workload = decode({"volume": volume, **tables}, "test")
    return needs_of(expect(workload, on, BOOK), BOOK)


def by_limit(found, bucket):
    return {one.limit: one for one in found.needs if one.bucket == bucket}


def test_uncached_input_and_writes_count_and_reads_do_not():
    found = needs(
        model="claude-sonnet-5",
        tokens={"system": 8000, "user": 500, "output": 300},
        cache={"ttl": "5m", "hit_share": Decimal("0.75")},
    )
    rows = by_limit(found, "Sonnet 5")
    assert rows["requests"].mean == 100
    assert rows["requests"].peak == 200
    assert rows["input tokens"].mean == 100 * (500 + 8000 * Fraction(1, 4))
    assert rows["output tokens"].mean == 100 * 300


def test_reads_count_on_the_marked_exception():
    found = needs(
        model="claude-3-5-haiku-20241022",
        channel="bedrock",
        location="global",
        tokens={"system": 8000},
        cache={"ttl": "5m", "hit_share": 1},
    )
    assert by_limit(found, "Haiku 3.5")["input tokens"].mean == 800_000
    assert by_limit(found, "Haiku 3.5")["input tokens"].tier is None
    assert found.tier is None
    assert any("partner clouds" in note for note in found.notes)


def test_the_lowest_tier_that_fits_the_peak():
    # 15,000 tokens x 100 x peak 2 = 3 M input tokens a minute: above Start's 2 M, within Build's 5 M
    found = needs(model="claude-opus-5", tokens={"user": 15_000})
    rows = by_limit(found, "Opus 5")
    assert rows["input tokens"].tier == "Build"
    assert rows["requests"].tier == "Start"
    assert found.needs[0].limit == "input tokens"  # what binds first leads
    # 144,000 x 30 calls x 15,000 x 5 USD per M is 324,000 USD: more than Scale's 200,000
    assert found.spend_tier is None
    assert found.tier is None


def test_a_limit_that_is_just_reached_is_kept():
    """Opus 5 takes 2 M input tokens a minute in Start: 10,000 x 100 x peak 2. Start ends above 500 USD a month."""
    assert by_limit(needs(model="claude-opus-5", tokens={"user": 10_000}), "Opus 5")["input tokens"].tier == "Start"
    spends = [
        needs(model="claude-opus-5", tokens={"user": 10_000}, volume={"calls_per_month": calls}).spend_tier
        for calls in (10_000, 10_001)  # 100 M tokens at 5 USD per M, and 0.05 USD more
    ]
    assert spends == ["Start", "Build"]


def test_models_of_one_bucket_share_it():
    found = needs(
        models={"claude-sonnet-4-6": Decimal("0.5"), "claude-sonnet-4-5": Decimal("0.5")}, tokens={"user": 10}
    )
    assert by_limit(found, "Sonnet 4.x")["requests"].mean == 100
    assert len(found.needs) == 3


def test_batches_have_limits_of_their_own():
    found = needs(model="claude-sonnet-5", tokens={"user": 1000}, batch_share=Decimal("0.4"))
    assert by_limit(found, "Sonnet 5")["requests"].mean == 60
    assert by_limit(found, "Sonnet 5")["input tokens"].mean == 60_000


def test_buckets_of_unseen_size_say_so():
    found = needs(model="claude-sonnet-5-5", tokens={"user": 10})
    assert any("UNCONFIRMED" in note for note in found.notes)
    assert not any("UNCONFIRMED" in note for note in needs(model="claude-sonnet-5", tokens={"user": 10}).notes)


def test_a_model_without_a_published_bucket_has_no_tier():
    found = needs(model="claude-opus-4-1-20250805", channel="bedrock", location="global", tokens={"user": 10})
    assert {one.tier for one in found.needs} == {None}
    assert found.tier is None
    assert found.needs[0].use_of_lowest_tier is None


def test_an_earlier_day_says_that_other_tiers_applied():
    found = needs(on=date(2026, 3, 1), model="claude-sonnet-4-6", tokens={"user": 10})
    assert any("from 2026-06-26 on" in note for note in found.notes)


def test_the_data_names_models_of_the_book_once_and_a_number_per_tier():
    limits = published_limits()
    models = [model for bucket in limits.bucket for model in bucket.models]
    assert len(models) == len(set(models))
    assert set(models) <= {model.id for model in BOOK.models}
    for bucket in limits.bucket:
        for numbers in (bucket.requests, bucket.input, bucket.output):
            assert len(numbers) == len(limits.tier)
            assert list(numbers) == sorted(numbers)
    assert set(limits.sources) <= set(BOOK.sources)
