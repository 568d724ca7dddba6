"""
What rented GPUs or seats would cost beside the API. Every figure is assumed, and seat prices are the caller's.

How many tokens a GPU makes is the caller's to measure: without it, the GPUs stated are taken to be enough, which is a
lower bound.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.estimate.sizes import ends
from farthing.money import PUSD_PER_USD

if TYPE_CHECKING:
    from farthing.estimate.workload import SelfHosted, Workload

HOURS_PER_MONTH = 730
"""A year's hours over twelve: what an always-on machine is billed."""


class Hosting(NamedTuple):
    """
    A month of one's own GPUs.

    Attributes:
        gpus: How many are rented.
        low_pusd, high_pusd: A month in picodollars, staff included: also the API spend from which on it could pay.
        is_lower_bound: Whether the GPUs needed are unknown, so that more may be.

    """

    gpus: int
    low_pusd: Fraction
    high_pusd: Fraction
    is_lower_bound: bool


class SeatPlan(NamedTuple):
    """A month of seats: how many, and picodollars for all."""

    seats: Fraction
    pusd: Fraction


def hosting(plan: SelfHosted, output_tokens_per_month: Fraction) -> Hosting:
    """
    A month of GPUs for this much output.

    With a measured throughput the GPUs follow from the tokens and the utilisation, and are never fewer than stated.
    """
    gpus = plan.gpus
    if plan.tokens_per_gpu_second:
        a_month = Fraction(plan.tokens_per_gpu_second) * 3600 * HOURS_PER_MONTH * Fraction(plan.utilisation)
        gpus = max(gpus, math.ceil(output_tokens_per_month / a_month))
    rate_low, rate_high = ends(plan.usd_per_gpu_hour)
    staff_low, staff_high = ends(plan.staff_usd_per_month)
    hours = gpus * HOURS_PER_MONTH
    return Hosting(
        gpus,
        (hours * rate_low + staff_low) * PUSD_PER_USD,
        (hours * rate_high + staff_high) * PUSD_PER_USD,
        plan.tokens_per_gpu_second is None,
    )


def seat_plan(workload: Workload, users: Fraction | None) -> SeatPlan | None:
    """A month of the seats that the workload states, one per user unless it says how many; None where none."""
    if workload.seats is None:
        return None
    seats = users if workload.seats.seats is None else Fraction(workload.seats.seats)
    if seats is None:
        return None
    whole = Fraction(math.ceil(seats))
    return SeatPlan(whole, whole * Fraction(workload.seats.usd_per_seat_per_month) * PUSD_PER_USD)
