"""Money is exact: text and integers say the same, rounding happens once, and what is not whole is refused."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput, InexactMoney
from farthing.money import (
    PUSD_PER_TOKEN_PER_USD_PER_MTOK,
    PUSD_PER_USD,
    display,
    exact_usd_text,
    nearest,
    parse_usd,
    parse_usd_per_mtok,
    scale,
    usd_per_mtok_text,
    usd_text,
)

amounts = st.integers(min_value=-(10**35), max_value=10**35)


@given(amounts)
def test_text_and_amount_say_the_same(pusd):
    assert parse_usd(usd_text(pusd)) == pusd


@given(amounts)
def test_text_is_the_exact_decimal_without_exponent_or_trailing_zeros(pusd):
    text = usd_text(pusd)
    assert Fraction(text) == Fraction(pusd, 10**12)
    assert "e" not in text.lower()
    assert text == "0" or "." not in text or not text.endswith("0")
    assert not text.startswith(("-0.", ".")) or pusd < 0


@given(amounts)
def test_rate_text_and_rate_say_the_same(pusd_per_token):
    text = usd_per_mtok_text(pusd_per_token)
    assert parse_usd_per_mtok(text) == pusd_per_token
    assert Fraction(text) == Fraction(pusd_per_token, 10**6)


@pytest.mark.parametrize(
    ("text", "pusd"),
    [
        ("12.50", 12_500_000_000_000),
        (" 0.000000000001 ", 1),
        ("-3", -3 * 10**12),
        ("1e-12", 1),
        ("1E3", 10**15),
        ("-0", 0),
    ],
)
def test_amounts_as_people_write_them(text, pusd):
    assert parse_usd(text) == pusd


def test_one_cent_per_million_tokens_is_ten_thousand_picodollars_per_token():
    assert parse_usd_per_mtok("0.01") == 10_000
    assert parse_usd_per_mtok("1") == PUSD_PER_TOKEN_PER_USD_PER_MTOK
    assert parse_usd("1") == PUSD_PER_USD


@pytest.mark.parametrize("text", ["", "twelve", "$1", "1,000", "NaN", "Infinity", "-Infinity", "0x10"])
@pytest.mark.parametrize("parse", [parse_usd, parse_usd_per_mtok])
def test_what_is_no_amount_is_refused_by_name(parse, text):
    with pytest.raises(BadInput, match="as an amount of USD; expected a"):
        parse(text)


@pytest.mark.parametrize("text", ["1e30", "-1e999999999", "1e-31", "1e-999999999"])
@pytest.mark.parametrize("parse", [parse_usd, parse_usd_per_mtok])
def test_an_absurd_exponent_is_refused_at_once(parse, text):
    with pytest.raises(BadInput, match="at most 30 digits"):
        parse(text)


def test_zero_is_zero_however_it_is_written():
    assert parse_usd("0e999999999") == 0


@pytest.mark.parametrize(("parse", "text"), [(parse_usd, "0.0000000000001"), (parse_usd_per_mtok, "0.0000001")])
def test_finer_than_a_picodollar_is_refused(parse, text):
    with pytest.raises(InexactMoney, match="we refuse to round it"):
        parse(text)


@given(amounts, st.fractions(max_denominator=10**6))
def test_scaling_is_exact_or_refused(pusd, factor):
    product = Fraction(pusd) * factor
    if product.denominator == 1:
        assert scale(pusd, factor) == product
    else:
        with pytest.raises(InexactMoney):
            scale(pusd, factor)


@given(st.fractions(max_denominator=10**6))
def test_the_nearest_picodollar_is_at_most_half_away_and_a_tie_goes_to_the_even_one(pusd):
    distance = abs(nearest(pusd) - pusd)
    assert distance < Fraction(1, 2) or (distance == Fraction(1, 2) and nearest(pusd) % 2 == 0)


@given(st.integers(), st.integers(0, 12), st.integers(0, 12))
def test_a_fraction_with_a_finite_decimal_form_is_written_in_full(numerator, twos, fives):
    pusd = Fraction(numerator, 2**twos * 5**fives)
    assert Fraction(exact_usd_text(pusd)) * PUSD_PER_USD == pusd


@given(st.integers(), st.sampled_from([3, 7, 30, 3_600_000]))
def test_a_fraction_without_one_is_not_written_at_all(numerator, denominator):
    pusd = Fraction(numerator, denominator)
    assert (exact_usd_text(pusd) is None) == (pusd.denominator % 3 == 0 or pusd.denominator % 7 == 0)


@given(amounts, st.integers(min_value=1, max_value=12))
def test_display_is_the_decimal_rounded_half_to_even(pusd, places):
    grid = Fraction(1, 10**places)
    steps = round(Fraction(pusd, 10**12) / grid)  # Python rounds a Fraction half to even
    shown = display(pusd, places)
    assert Fraction(shown.replace(",", "")) == steps * grid
    assert len(shown.rpartition(".")[2]) == places


@pytest.mark.parametrize(
    ("usd", "shown"),
    [("0.005", "0.00"), ("0.015", "0.02"), ("0.025", "0.02"), ("-0.015", "-0.02"), ("1234567.891", "1,234,567.89")],
)
def test_display_of_known_amounts(usd, shown):
    assert display(parse_usd(usd)) == shown
    assert Decimal(shown.replace(",", "")) == Decimal(usd).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


def test_display_shows_whole_dollars_without_a_point():
    assert display(parse_usd("1234.5"), 0) == "1,234"
