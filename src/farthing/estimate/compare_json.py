"""A comparison as JSON values: USD as decimal strings without exponent, to the nearest picodollar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.estimate.result import number, usd_text
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.estimate.compare import Comparison, Row


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The shape that ``farthing compare --json`` prints."""
    now = found.now
    hosting, seats = found.hosting, found.seats
    return {
        "name": now.workload.name,
        "date": now.on.isoformat(),
        "book_version": now.book_version,
        "month_usd": usd_text(now.pusd),
        "kind": str(now.kind),
        "rows": [_row(row, found) for row in found.rows],
        "unpriced": [one._asdict() for one in found.missing],
        "self_hosted": {
            "gpus": hosting.gpus,
            "low_usd": usd_text(hosting.low_pusd),
            "high_usd": usd_text(hosting.high_pusd),
            "is_lower_bound": hosting.is_lower_bound,
            "kind": str(Kind.ASSUMED),
        },
        "seats": None
        if seats is None
        else {"seats": number(seats.seats), "usd": usd_text(seats.pusd), "kind": str(Kind.ASSUMED)},
        "notes": list(now.notes),
    }


def _row(row: Row, found: Comparison) -> dict[str, Any]:
    now = found.now.pusd
    return {
        "vendor": row.vendor,
        "model": row.model,
        "places": list(row.places),
        "month_usd": usd_text(row.pusd),
        "low_usd": usd_text(row.low_pusd),
        "high_usd": usd_text(row.high_pusd),
        "of_now": number(row.pusd / now) if now else None,
        "kind": str(row.kind),
        "notes": list(row.notes),
    }
