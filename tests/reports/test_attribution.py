"""Shapley values of a product against the definition, walked order by order; shares that lose nothing."""

from fractions import Fraction
from itertools import permutations
from math import factorial, lcm, prod

from hypothesis import given
from hypothesis import strategies as st

from farthing.reports.attribution import shapley, split, summed, whole_parts

RATIOS = st.fractions(min_value=0, max_value=9, max_denominator=7)


def by_definition(before, after):
    """The mean, over every order, of what a factor's change did when its turn came."""
    parts = [Fraction(0)] * len(before)
    for order in permutations(range(len(before))):
        now = list(before)
        for n in order:
            old = prod(now)
            now[n] = after[n]
            parts[n] += prod(now) - old
    return [part / factorial(len(before)) for part in parts]


def exact(parts):
    return [Fraction(over, parts.divisor) for over in parts.over]


@given(st.lists(st.tuples(RATIOS, RATIOS), min_size=1, max_size=5))
def test_it_is_the_mean_over_all_orders(pairs):
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    assert exact(shapley(before, after)) == by_definition(before, after)


@given(st.lists(st.tuples(RATIOS, RATIOS), min_size=1, max_size=14))
def test_parts_sum_to_the_change_and_an_unchanged_factor_gets_nothing(pairs):
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    parts = exact(shapley(before, after))
    assert sum(parts) == prod(after) - prod(before)
    assert all(part == 0 for part, (a, b) in zip(parts, pairs, strict=True) if a == b)


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), RATIOS, RATIOS), max_size=4), max_size=4))
def test_parts_of_several_products_are_summed_by_name(products):
    every = [
        ([name for name, _, _ in one], shapley([a for _, a, _ in one], [b for _, _, b in one])) for one in products
    ]
    wanted = {}
    for names, parts in every:
        for name, part in zip(names, exact(parts), strict=True):
            wanted[name] = wanted.get(name, 0) + part
    sums, divisor = summed(iter(every))
    assert {name: Fraction(over, divisor) for name, over in sums.items()} == wanted


@given(st.lists(st.fractions(min_value=-50, max_value=50, max_denominator=9), min_size=1, max_size=9))
def test_whole_parts_sum_and_are_less_than_one_off(parts):
    parts = [*parts, -sum(parts) + 7]
    divisor = lcm(*(part.denominator for part in parts))
    whole = whole_parts({n: int(part * divisor) for n, part in enumerate(parts)}, divisor, 7)
    assert sum(whole.values()) == 7
    assert all(abs(whole[n] - part) < 1 for n, part in enumerate(parts))
    assert all(whole[n] == part for n, part in enumerate(parts) if part.denominator == 1)


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_a_split_sums_to_what_was_split(total, weights):
    shares = split(total, dict(enumerate(weights)))
    assert sum(shares.values()) == total
    if any(weights):
        assert all(not shares[n] for n, weight in enumerate(weights) if not weight)
