"""A bill's movement as JSON values; amounts are exact decimal strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing import money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.reports.fair_shares import FairShares
    from farthing.reports.movement import Movement, Part
    from farthing.reports.movement_fair import FairInBoth
    from farthing.reports.movement_open import Opened
    from farthing.reports.movement_sums import Key, Period


PARTS_MAX = 20


def movement_json(found: Movement, *, parts_max: int = PARTS_MAX) -> dict[str, Any]:
    """Both periods, every bar with its largest segments, what is left out, and the sum."""
    return {
        "by": list(found.by),
        "before": period_json(found.before),
        "after": period_json(found.after),
        "moved_usd": money.usd_text(found.moved_pusd),
        "bars": [
            {
                "name": bar.name,
                "label": bar.label,
                "usd": money.usd_text(bar.pusd),
                "segments": [_part(found, part) for part in bar.parts[:parts_max]],
                "segments_left_out": max(0, len(bar.parts) - parts_max),
            }
            for bar in found.bars
        ],
        "kind": str(found.kind),
        "method": "Shapley value over all orders of the factors, rounded per segment by largest remainder",
        "notes": list(found.notes),
        "book_version": found.book_version,
    }


def period_json(period: Period) -> dict[str, Any]:
    """One period's totals and the calls left out of them."""
    return {
        "calls": period.calls,
        "usd": money.usd_text(period.charged_pusd),
        "list_usd": money.usd_text(period.list_pusd),
        "unpriced": [{"model": one.model, "calls": one.calls, "reason": one.reason} for one in period.unpriced],
    }


def opened_json(found: Movement, opened: Sequence[Opened]) -> list[dict[str, Any]]:
    """The segments of an opened bar with their example calls."""
    return [
        {
            **key_json(found.by, one.key),
            "usd": money.usd_text(one.pusd),
            "before": one.before,
            "after": one.after,
            "calls": list(one.calls),
        }
        for one in opened
    ]


def key_json(by: Sequence[str], key: Key) -> dict[str, Any]:
    """A segment's key by the names of its dimensions."""
    return {"key": dict(zip(by, key, strict=False)), "model": key[-1]}


def fair_json(fair: FairInBoth) -> dict[str, Any]:
    """Write premiums as billed and by their readers, per value of the movement's dimensions, in both periods."""
    return {
        "by": list(fair.by),
        "before": _fair(fair.by, fair.before, fair.before_by_value),
        "after": _fair(fair.by, fair.after, fair.after_by_value),
    }


def _fair(by: Sequence[str], shares: FairShares, by_value: dict[Key, tuple[int, int]]) -> dict[str, Any]:
    return {
        "premium_usd": money.usd_text(shares.premium_pusd),
        "values": [
            {
                "key": dict(zip(by, key, strict=True)),
                "paid_usd": money.usd_text(paid),
                "fair_usd": money.usd_text(fair),
            }
            for key, (paid, fair) in by_value.items()
        ],
        "reasons": {
            reason: {"calls": calls, "usd": money.usd_text(pusd)} for reason, (calls, pusd) in shares.reasons.items()
        },
        "kind": str(shares.kind),
    }


def _part(found: Movement, part: Part) -> dict[str, Any]:
    return {**key_json(found.by, part.key), "usd": money.usd_text(part.pusd)}
