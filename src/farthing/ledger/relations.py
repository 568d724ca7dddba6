"""
Which sums answer a question: those of fewest rows that tell apart what it asks about. Pure.

==================== ===== ==================================================================
``rollup``           hours every dimension that is summed, together
``rollup_rates``     hours the feature and whatever decides a rate
``rollup_names``     hours one dimension
``rollup_days``      days  every dimension that is summed, together
``rollup_name_days`` days  one dimension and whatever decides a rate
==================== ===== ==================================================================

All of them have the ``kind``. Tables by one dimension have it as ``value``, and its ``name`` beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

TABLES = ("rollup", "rollup_days", "rollup_rates", "rollup_names", "rollup_name_days")
"""Every table of sums. ``queries/rollup_spread.sql`` adds to each of them."""

_RATES = frozenset(("model", "channel", "service_tier", "speed", "inference_geo"))
_FEATURE, _KIND = "feature", "kind"


def hourly(names: Collection[str]) -> str:
    """A relation of hourly sums, as SQL, that has these dimensions."""
    wanted = {*names} - {_KIND}
    if wanted <= {_FEATURE, *_RATES}:
        return "rollup_rates"
    return _named("rollup_names", *wanted) if len(wanted) == 1 else "rollup"


def daily(names: Collection[str]) -> str:
    """A relation of daily sums, as SQL, that has these dimensions."""
    wanted = {*names} - {_KIND} - _RATES
    return "rollup_days" if len(wanted) > 1 else _named("rollup_name_days", *(wanted or {_FEATURE}))


def _named(table: str, name: str) -> str:
    return f"(SELECT * EXCLUDE (name) RENAME (value AS \"{name}\") FROM {table} WHERE name = '{name}')"  # noqa: S608 - ours
