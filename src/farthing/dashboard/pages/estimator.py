"""What a plan would cost: from one's own traffic or a preset, with a range, what moves it, and other models."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from farthing import money
from farthing.dashboard.blocks import Block, Field, Form, Page
from farthing.dashboard.pages.estimate_shown import shown
from farthing.dashboard.pages.shared import nothing
from farthing.errors import BadConfig

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.estimate.compare import Comparison
    from farthing.estimate.result import Estimate
    from farthing.estimate.workload import Workload
    from farthing.prices.schema import Model

OWN = ("start", "model", "calls", "input", "output", "cache", "set")
"""What the form asks, and the address says."""
_TRAFFIC = "traffic"
_PRESETS = ("light", "medium", "heavy")
_KEYS = {"calls": "volume.calls_per_day", "input": "tokens.user", "output": "tokens.output", "cache": "cache.ttl"}
_CHARS_MAX = 300


def page(visit: Visit) -> Page:
    """The form, and what it comes to. All that it says of a plan hangs on the plan: only traffic is measured."""
    workload = _start(visit)
    form = _form(visit)
    if workload is None:
        return Page("Estimator", (form, nothing(visit)))
    changed = _changed(visit, workload)
    key = ("estimate", repr(changed), visit.now.date(), visit.desk.book.version)
    found, beside = visit.reader.kept(key, lambda: _estimated(visit, changed))
    spent = _month_pusd(visit) if visit.asked.said("start", _TRAFFIC) == _TRAFFIC else None
    blocks: tuple[Block, ...] = (form, *shown(visit, found, beside, spent))
    return Page("Estimator", blocks, {"estimate": found.to_json()})


def _estimated(visit: Visit, workload: Workload) -> tuple[Estimate, Comparison]:
    from farthing.estimate.compare import compare  # noqa: PLC0415 - this page alone, as the next
    from farthing.estimate.result import estimate  # noqa: PLC0415

    on = workload.date or visit.now.date()
    return estimate(workload, on, visit.desk.book), compare(workload, on, visit.desk.book)


def _start(visit: Visit) -> Workload | None:
    """The plan before any change; None: the span has no calls to look like."""
    from farthing.estimate.lookalike import Traffic, look_alike  # noqa: PLC0415 - this page alone, as the next
    from farthing.estimate.reading import read_workload  # noqa: PLC0415

    start = visit.asked.said("start", _TRAFFIC)
    if start != _TRAFFIC:
        return read_workload(None, preset=start)
    rows = visit.rows("model", "service_tier")
    if not rows:
        return None
    traffic = [Traffic(row.key[0] or "", row.key[1] == "batch", row.calls, row.usage) for row in rows]
    days = Decimal(_days(visit).numerator) / Decimal(_days(visit).denominator)
    return look_alike(traffic, days=days, name=f"like {visit.span.label}")


def _days(visit: Visit) -> Fraction:
    """Days of the span that have passed, at least one hour of them."""
    until = min(visit.span.until, visit.now)
    return max(Fraction(1, 24), Fraction(int((until - visit.span.since).total_seconds()), 86_400))


def _month_pusd(visit: Visit) -> int | None:
    """What thirty days like the span cost, at list; None where a call of it has no price."""
    total = visit.total()
    if total is None or total.unpriced_calls:
        return None
    return money.nearest(Fraction(total.list_pusd) * 30 / _days(visit))


def _changed(visit: Visit, workload: Workload) -> Workload:
    """
    The plan with what the form changes.

    Raises:
        BadConfig: Something in it cannot be read.

    """
    from farthing.estimate.reading import with_settings  # noqa: PLC0415 - this page alone

    asked = visit.asked
    settings = [f"{key}={asked.said(name)}" for name, key in _KEYS.items() if asked.said(name)]
    if model := asked.said("model"):
        settings.append(f"model={msgspec.json.encode(model).decode()}")
    text = asked.said("set")
    if len(text) > _CHARS_MAX:
        raise BadConfig(f"read {len(text)} letters of changes", f"at most {_CHARS_MAX}")
    settings += [one.strip() for one in text.split(";") if one.strip()]
    return with_settings(workload, settings) if settings else workload


def _form(visit: Visit) -> Form:
    said = visit.asked.said
    starts = ((_TRAFFIC, "traffic of these days"), *((name, f"{name} (a preset)") for name in _PRESETS))
    models = (("", "as it is"), *((model.id, model.id) for model in _offered(visit)))
    caches = (("", "as it is"), ("none", "none"), ("5m", "5 minutes"), ("1h", "1 hour"))
    return Form(
        "A plan",
        (
            Field("start", "Start from", said("start", _TRAFFIC), starts),
            Field("model", "Model", said("model"), models),
            Field("calls", "Calls a day", said("calls"), placeholder="as it is"),
            Field("input", "New input tokens a call", said("input"), placeholder="as it is"),
            Field("output", "Output tokens a call", said("output"), placeholder="as it is"),
            Field("cache", "Cached for", said("cache"), caches),
            Field(
                "set",
                "More",
                said("set"),
                placeholder="batch_share=0.5; tokens.system=4000",
                hint="keys of a workload file, with ; between; a range is { low = 1, mode = 2, high = 3 }",
            ),
        ),
        "Estimate",
        "The address holds the plan: send it, or open two side by side. farthing estimate reads plans from files.",
    )


def _offered(visit: Visit) -> list[Model]:
    """Models that can be called today, as the book has them, newest last."""
    book, today = visit.desk.book, visit.now.date()
    return [model for model in book.models if book.rows(model, today) and not model.has_retired(today)]
