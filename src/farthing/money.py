"""
Exact money: integers of picodollars.

One picodollar (``pusd``) is 1e-12 USD. Every published list rate is a whole number of picodollars per token
($0.01 per million tokens is 10,000), and so is its product with every published multiplier. Where a result is not
whole, we refuse (:class:`~farthing.errors.InexactMoney`) instead of rounding. Rounding happens in one place,
:func:`display`, when a person reads. What is finer than a picodollar by its nature stays a fraction, and becomes whole
by one named rule, :func:`nearest`.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING

from farthing.errors import BadInput, InexactMoney

if TYPE_CHECKING:
    from fractions import Fraction

PUSD_PER_USD = 10**12
PUSD_PER_TOKEN_PER_USD_PER_MTOK = 10**6
"""A rate of 1 USD per million tokens is this many picodollars per token."""

_DIGITS_MAX = 30
"""More digits than this on either side of the point is a slip or an attack (``1e999999999``), never money."""


def usd_text(pusd: int) -> str:
    """
    Write an amount as exact decimal USD: no exponent, no trailing zeros, no rounding.

    >>> usd_text(54_399_000_000), usd_text(-1), usd_text(2 * 10**12)
    ('0.054399', '-0.000000000001', '2')
    """
    return _scaled_text(pusd, 12)


def usd_per_mtok_text(pusd_per_token: int) -> str:
    """
    Write a rate in picodollars per token as exact USD per million tokens.

    >>> usd_per_mtok_text(3_750_000)
    '3.75'
    """
    return _scaled_text(pusd_per_token, 6)


def parse_usd(text: str) -> int:
    """
    Read decimal USD (``"12.50"``) as picodollars.

    Raises:
        BadInput: Not a finite decimal number.
        InexactMoney: Finer than one picodollar.

    """
    return _whole(_decimal(text), 12, text)


def parse_usd_per_mtok(text: str) -> int:
    """
    Read a rate in USD per million tokens (``"0.125"``) as picodollars per token.

    Raises:
        BadInput: Not a finite decimal number.
        InexactMoney: Finer than one picodollar per token.

    """
    return _whole(_decimal(text), 6, text)


def scale(pusd: int, factor: Fraction) -> int:
    """
    Multiply exactly.

    Raises:
        InexactMoney: The product is not a whole number of picodollars.

    """
    whole, rest = divmod(pusd * factor.numerator, factor.denominator)
    if rest:
        raise InexactMoney(f"{usd_text(pusd)} USD x {factor}")
    return whole


def nearest(pusd: Fraction) -> int:
    """
    The whole number of picodollars nearest to an exact fraction, half to even: off by at most 5e-13 USD.

    For what may be finer than a picodollar by its nature: an expected value over a workload, a percentage of a
    contract, a second of an hourly price. What a call costs at list never is. Sum first, then round.

    >>> from fractions import Fraction
    >>> nearest(Fraction(5, 2)), nearest(Fraction(7, 2))
    (2, 4)
    """
    return round(pusd)


def exact_usd_text(pusd: Fraction) -> str | None:
    """
    Write a fraction of picodollars as exact decimal USD, or None where it has no finite decimal form.

    >>> from fractions import Fraction
    >>> exact_usd_text(Fraction(1, 8)), exact_usd_text(Fraction(1, 3))
    ('0.000000000000125', None)
    """
    twos_and_fives = pusd.denominator
    for prime in (2, 5):
        while twos_and_fives % prime == 0:
            twos_and_fives //= prime
    if twos_and_fives != 1:
        return None
    digits = pusd.denominator.bit_length()  # 2**n and 5**n divide 10**n, and n < bit length
    return _scaled_text(int(pusd * 10**digits), 12 + digits)


def display(pusd: int, places: int = 2) -> str:
    """
    Round half to even for a reader's eye, with thousands separators: the one place where money is rounded.

    >>> display(1_234_565_000_000_000), display(-5 * 10**9, 3)
    ('1,234.56', '-0.005')
    """
    with localcontext() as context:
        context.prec = 60
        amount = Decimal(pusd).scaleb(-12)
        return f"{amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN):,f}"


def _scaled_text(value: int, digits: int) -> str:
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 10**digits)
    fraction = f"{rest:0{digits}d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _decimal(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        raise BadInput(f"read {text!r} as an amount of USD", "a decimal number such as 12.50") from None
    if not amount.is_finite():
        raise BadInput(f"read {text!r} as an amount of USD", "a finite decimal number")
    if amount and not -_DIGITS_MAX <= amount.adjusted() < _DIGITS_MAX:
        raise BadInput(f"read {text!r} as an amount of USD", f"an amount of at most {_DIGITS_MAX} digits")
    return amount


def _whole(amount: Decimal, digits: int, text: str) -> int:
    numerator, denominator = amount.as_integer_ratio()
    whole, rest = divmod(numerator * int(10**digits), denominator)
    if rest:
        raise InexactMoney(text)
    return whole
