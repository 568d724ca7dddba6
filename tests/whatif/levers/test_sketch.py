"""Summaries keep what they promise."""

from hypothesis import given
from hypothesis import strategies as st

from farthing.whatif.levers.sketch import Dearest, OverTime, Quantiles, Ruler

HOUR_US = 3_600_000_000


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.95, 1.0]))
def test_a_quantile_is_never_too_small_and_hardly_too_large(numbers, share):
    sketch = Quantiles()
    for number in numbers:
        sketch.add(number)
    exact = next(one for one in sorted(numbers) if sum(other <= one for other in numbers) >= share * len(numbers))
    assert exact <= sketch.quantile(share) <= exact * 1.091


def test_no_numbers_no_quantile():
    assert Quantiles().quantile(0.5) == 0


@given(st.lists(st.integers(0, 1000), max_size=50))
def test_the_dearest_are_kept(amounts):
    dearest = Dearest()
    for number, amount in enumerate(amounts):
        dearest.add(amount, f"{number:03d}")
    kept = [amounts[int(call_id)] for call_id in dearest.ids]
    assert kept == sorted(amounts, reverse=True)[:5]


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 99)), min_size=1, max_size=80))
def test_sums_over_a_time_of_any_length_stay_whole_and_in_their_part(hours_and_amounts):
    ruler = Ruler(0)
    one, other = OverTime(ruler), OverTime(ruler)
    for hour, amount in sorted(hours_and_amounts):
        one.add(hour * HOUR_US, amount)
    other.add(hours_and_amounts[0][0] * HOUR_US, 1)
    sums = one.sums
    assert len(sums) <= 96
    for part, total in enumerate(sums):
        inside = range(part * ruler.width_us, (part + 1) * ruler.width_us)
        assert total == sum(amount for hour, amount in hours_and_amounts if hour * HOUR_US in inside)
    assert sum(other.sums) == 1
