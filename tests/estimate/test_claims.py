"""The published claims: figures in the tests come from independent arithmetic, never from our own output."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from farthing.estimate.claims.claim import Verdict, judge, percent
from farthing.estimate.claims.table import recompute_claims, render_claims
from farthing.prices.book import shipped_book
from farthing.units import Kind

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
F = Fraction


@pytest.fixture(scope="module")
def claims():
    return {claim.number: claim for claim in recompute_claims(shipped_book())}


EXACT = {
    1: {"ratio": F(60)},
    2: {"input_tokens_low": F(10_000), "input_tokens_high": F(10_000)},
    3: {"usd_per_day": F(6875), "usd_per_year": F(6875 * 365), "mistaken_usd_per_day": F(7375)},
    4: {"tokens": F(2 * 10**9)},
    5: {"last_10": F(2000), "last_20": F(4000), "all_10": F(11_000), "all_20": F(42_000)},
    6: {"saved": F(785, 1000)},
    7: {"hits_5m": F(25, 90), "hits_1h": F(100, 90)},
    8: {"at_0": F(1), "at_50": F(14, 3), "at_100": F(25, 3), "output_share_max": F(3, 11)},
    9: {"usd_per_month": F(5000), "usd_per_year": F(60_000)},
    10: {"usd_per_year": F(13_860)},
    11: {"usd_per_day": F(10_000), "usd_per_month": F(300_000)},
    12: {"input_low": F(2), "output_low": F(10), "input_high": F(26, 10), "output_high": F(13)},
    13: {"Sonnet 4.5": F(6600), "GPT-4o": F(4750), "Gemini 2.5 Pro": F(3875), "DeepSeek V3": F(519)},
    14: {"0.1x": F(95, 100), "0.05x": F(975, 1000), "0.025x": F(9875, 10_000)},
    15: {"input_tokens": F(5, 3), "output_tokens": F(5, 3)},
    16: {"assistant": F(1264, 100), "code review": F(1937, 100), "classifier": F(1430, 100), "total": F(4631, 100)},
    17: {"usd": F(16_550, 100), "unrounded_usd": F(16_575, 100)},
    18: {"share": F(2316, 4631)},
    19: {
        "plain_usd": F(1430, 100),
        # 18,000 fresh at 1, one write of 2,000 at 1.25, 2,890 reads of 2,000 at 0.10, 1.7 M out at 5
        "best_usd": F(18_000 + 2500 + 578_000, 10**6) + F(85, 10),
        "through_estimator_usd": F(1430, 100),
    },
    20: {"usd": F(250, 100), "batch_usd": F(125, 100)},
    21: {"usd_per_mtok": F(5, 100)},
    22: {"before": F(2), "after": F(1), "output_before": F(3, 2)},
    23: {"output_usd_per_day": F(30), "input_tokens_needed": F(7000, 3)},
    24: {"old": F(4000, 3), "new_by_factor": F(5200, 3)},
    25: {"low_usd": F(1460), "high_usd": F(2920)},
    26: {
        "standard_low": F(10 * (1500 + 1551)),
        "standard_high": F(10 * (3000 + 1551)),
        "high_low": F(10 * (1500 + 2145)),
        "high_high": F(10 * (3000 + 2145)),
    },
}


@pytest.mark.parametrize("number", sorted(EXACT))
def test_every_figure_is_what_the_arithmetic_says(claims, number):
    assert {name: claims[number].figures[name] for name in EXACT[number]} == EXACT[number]


def test_there_are_twenty_six(claims):
    assert sorted(claims) == list(range(1, 27))


HOLDS = {1, 2, 4, 9, 13, 14, 21}
DEPENDS = {5, 8, 22, 23}


def test_verdicts(claims):
    expected = {
        number: Verdict.HOLDS if number in HOLDS else Verdict.DEPENDS if number in DEPENDS else Verdict.WRONG
        for number in range(1, 27)
    }
    assert {number: claim.verdict for number, claim in claims.items()} == expected


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (6, "78.5 %"),
        (7, "0.278"),
        (7, "1.11"),
        (8, "27 %"),
        (13, "39 % over GPT-4o, 70 % over Gemini"),
        (16, "$12.64 + $19.37 + $14.30 = $46.31"),
        (17, "$165.50"),
        (18, "50 %"),
        (19, "$9.1 at best (36 %)"),
        (19, "4,096"),
        (23, "2,333"),
    ],
)
def test_the_sentence_says_it(claims, number, text):
    assert text in claims[number].really


def test_only_claims_on_tokens_and_machines_rest_on_beliefs(claims):
    assert {number for number, claim in claims.items() if claim.kind is Kind.ASSUMED} == {24, 25, 26}


def test_the_page_is_fresh():
    assert PAGE.read_text("utf-8") == render_claims(shipped_book()), "stale: run make docs"


def test_a_printed_figure_within_two_per_cent_holds():
    assert judge(102, F(100)) is Verdict.HOLDS
    assert judge(103, F(100)) is Verdict.WRONG


def test_percentages_drop_empty_places():
    assert (percent(F(785, 1000)), percent(F(95, 100)), percent(F(1, 3), 0)) == ("78.5 %", "95 %", "33 %")
