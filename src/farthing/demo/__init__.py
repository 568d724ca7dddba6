"""
A month of made-up traffic of three applications, for the first look, the documentation and the tests.

``applications`` says what they do, ``shares`` splits totals exactly, ``traffic`` puts one month together. The totals
are those of a published example (30 days, 4,480 calls), met to the token; the shape around them is ours, and nothing in
it is real: no tenant, no user, no prompt.
"""

from farthing.demo.applications import GENERATIONS
from farthing.demo.traffic import DAYS, calls, traffic

__all__ = ["DAYS", "GENERATIONS", "calls", "traffic"]
