from __future__ import annotations

import math
import statistics
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from farthing.estimate.sizes import Range, draw, ends, mean, text

TRIANGLE = Range(low=Decimal(100), mode=Decimal(200), high=Decimal(600))
LOGNORMAL = Range(p50=Decimal(400), p95=Decimal(2000))


def test_a_number_is_itself():
    assert mean(Decimal("0.1")) == Fraction(1, 10)
    assert ends(Decimal(7)) == (7, 7)
    assert draw(Decimal(7), Random(1)) == 7


def test_means():
    assert mean(TRIANGLE) == 300
    sigma = math.log(2000 / 400) / statistics.NormalDist().inv_cdf(0.95)
    assert float(mean(LOGNORMAL)) == pytest.approx(400 * math.exp(sigma**2 / 2), abs=0.5)


def test_ends():
    assert ends(TRIANGLE) == (100, 600)
    assert ends(LOGNORMAL) == (80, 2000)  # the median squared over p95 is p5


def test_draws_follow_the_distribution():
    random = Random(7)
    drawn = sorted(draw(LOGNORMAL, random) for _ in range(4000))
    assert float(drawn[2000]) == pytest.approx(400, rel=0.06)
    assert float(drawn[3800]) == pytest.approx(2000, rel=0.1)
    triangle = [draw(TRIANGLE, random) for _ in range(4000)]
    assert min(triangle) >= 100
    assert max(triangle) <= 600
    assert float(sum(triangle) / 4000) == pytest.approx(300, rel=0.03)


def test_small_draws_keep_three_places():
    small = Range(low=Decimal("0.1"), mode=Decimal("0.2"), high=Decimal("0.3"))
    assert all((draw(small, Random(seed)) * 1000).denominator == 1 for seed in range(20))
    assert len({draw(small, Random(seed)) for seed in range(20)}) > 10


def test_text():
    assert [text(one) for one in (Decimal("1E+3"), TRIANGLE, LOGNORMAL)] == [
        "1000",
        "100..200..600",
        "p50 400, p95 2000",
    ]
