from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from farthing.estimate.breakeven import (
    batch_share_to_match_cache,
    gap_to_pay_seconds,
    hit_share_to_pay,
    hits_to_pay,
    levers,
    with_cache,
    workload_break_evens,
)
from farthing.estimate.cost import month_pusd
from farthing.estimate.point import averages
from farthing.estimate.reading import decode
from farthing.prices.book import shipped_book

DAY = date(2026, 11, 20)
BOOK = shipped_book()
F = Fraction


def plan(**tables):
    tables.setdefault("model", "claude-sonnet-5")
    return decode({"volume": {"calls_per_month": 1000}, **tables}, "test")


def pusd(workload):
    return month_pusd(workload, DAY, BOOK, averages(workload))


@pytest.mark.parametrize(
    ("write", "read", "hits", "share"),
    [
        (F(5, 4), F(1, 10), F(5, 18), F(5, 23)),
        (F(2), F(1, 10), F(10, 9), F(10, 19)),
        (F(5, 4), F(1, 20), F(5, 19), F(5, 24)),
        (F(1), F(1, 10), F(0), F(0)),
    ],
)
def test_hits_and_shares(write, read, hits, share):
    assert hits_to_pay(F(1), write, read) == hits
    assert hit_share_to_pay(F(1), write, read) == share


def test_reads_that_save_nothing_never_pay():
    assert hits_to_pay(F(1), F(2), F(1)) is None
    assert hit_share_to_pay(F(1), F(2), F(1)) is None


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3600)])
def test_the_gap_gives_just_the_share(ttl, seconds):
    gap = gap_to_pay_seconds(ttl, F(1, 2))
    assert 1 - math.exp(-seconds / gap) >= 0.5 > 1 - math.exp(-seconds / (gap + 1))


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_at_the_break_even_share_caching_costs_the_same(ttl):
    found = {one.ttl: one for one in workload_break_evens(plan(), DAY, BOOK)}[ttl]
    one = plan(tokens={"system": 5000, "output": 100}, cache={"ttl": ttl})
    at_share = averages(one)._replace(stated_hit_share=found.hit_share)
    plain = month_pusd(with_cache(one, "none"), DAY, BOOK, at_share)
    assert month_pusd(one, DAY, BOOK, at_share) == plain
    more = at_share._replace(stated_hit_share=found.hit_share + F(1, 1000))
    assert month_pusd(one, DAY, BOOK, more) < plain


def test_each_band_has_its_own_line():
    found = workload_break_evens(plan(model="claude-haiku-5-5"), DAY, BOOK)
    assert [(one.prompt_tokens_over, one.ttl) for one in found] == [
        (0, "5m"),
        (0, "1h"),
        (100_000, "5m"),
        (100_000, "1h"),
    ]


def test_levers_save_what_the_plans_differ_by():
    one = plan(tokens={"system": 5000, "output": 100}, cache={"ttl": "5m", "hit_share": Decimal("0.9")})
    found = {lever.change: lever for lever in levers(one, DAY, BOOK)}
    assert set(found) == {
        "cache none",
        "cache 1h",
        *(f"everything in batches, cache {ttl}" for ttl in ("none", "5m", "1h")),
    }
    plain = with_cache(one, "none")
    assert found["cache none"].pusd == pusd(plain)
    assert found["cache none"].saved_pusd == pusd(one) - pusd(plain)
    # everything in batches without a cache is half of everything without a cache
    assert found["everything in batches, cache none"].pusd == pusd(plain) / 2
    costs = [lever.pusd for lever in levers(one, DAY, BOOK)]
    assert costs == sorted(costs)


def test_levers_without_a_price_come_last():
    found = levers(plan(model="claude-mythos-preview", tokens={"user": 10}), DAY, BOOK)
    assert found[-1].pusd is None
    assert found[-1].saved_pusd is None


def test_batches_match_a_cache_at_the_share():
    one = plan(tokens={"system": 5000, "output": 1000}, cache={"ttl": "5m", "hit_share": Decimal("0.5")})
    share = batch_share_to_match_cache(one, DAY, BOOK)
    # per call, in units of input price: plain 5,000 + 5,000 output; cache saves 5,000 x (1 - 0.5 x 1.25 - 0.5 x 0.1)
    assert share == F(5000) * (1 - F(1, 2) * F(5, 4) - F(1, 2) * F(1, 10)) / 5000
    plain = averages(with_cache(one, "none"))._replace(batch_share=share)
    assert month_pusd(with_cache(one, "none"), DAY, BOOK, plain) == pusd(one)


def test_a_cache_that_is_never_hit_needs_no_batches_to_match_it():
    """Its writes cost more than no cache at all."""
    one = plan(tokens={"system": 5000, "output": 1000}, cache={"ttl": "5m", "hit_share": 0})
    assert batch_share_to_match_cache(one, DAY, BOOK) == 0
