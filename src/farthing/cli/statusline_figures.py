"""
What a status line says, as numbers: the digest's, and what the current session wrote since.

Standard library alone, and little of it: imports are most of what a status line costs.
"""

from __future__ import annotations

import os
import time

from farthing.cli.statusline_tail import cache_after, new_lines, price, responses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOUR_US = 3600 * 10**6
_BLOCK_US = 5 * _HOUR_US
_COPIED_US = 600 * 10**6
"""A call that is this much older than the digest was copied from another session, which the digest knows."""
_KEPT_US = 72 * _HOUR_US
"""How long ago a transcript must have changed to be in the digest's offsets."""


def figures_of(
    given: dict[str, Any], digest: dict[str, Any] | None, now_us: int, timezone: str | None = None
) -> dict[str, Any]:
    """
    All that the line says, in picodollars and microseconds.

    ``session``, ``today``, ``month`` and ``block`` are ``[pusd, is incomplete]``: incomplete where calls are left out
    that only the next digest can price. They mean nothing unless ``counted``. ``block`` is None where none is active,
    ``month`` where there is no budget for it. ``budgets`` are picodollars by ``day`` and ``month``.
    """
    known = digest or {}
    path = os.path.realpath(given["transcript_path"])
    changed_us = _changed_us(path)
    lines, left_out = new_lines(path, _offset(known, path, changed_us))
    found = responses(lines)
    session = known.get("sessions", {}).get(given["session_id"]) or {"pusd": 0, "unpriced": 0, "cache": None}
    today_start, month_start = _starts_us(now_us, timezone or known.get("zone"))
    budgets = known.get("budgets", {})
    active = _active(known.get("block"), now_us)
    figures: dict[str, Any] = {
        "model": _model(given),
        "cc_usd": _number(_dict(given.get("cost")).get("total_cost_usd")),
        "counted": digest is not None,
        "behind": bool(found or left_out) and changed_us >= known.get("at_us", 0),
        "session": [session["pusd"], bool(session["unpriced"]) or left_out],
        "today": _since(known, today_start),
        "month": _since(known, month_start) if "month" in budgets else None,
        "budgets": budgets,
        "block": active and [active["pusd"], bool(active["unpriced"])],
        "span": active,
        "cache": session["cache"],
        "now_us": now_us,
        "context": _context(given, found, session.get("prompt")),
    }
    rates = known.get("rates", {}) if known.get("day") == _utc_day(now_us) else {}
    counted_before = {key: cost for one in known.get("sessions", {}).values() for key, cost in one["recent"].items()}
    for one in found:
        figures["cache"] = cache_after(one, figures["cache"])
        if digest is not None and one["at_us"] >= known["at_us"] - _COPIED_US:
            in_time = {"today": one["at_us"] >= today_start, "month": one["at_us"] >= month_start}
            _add(figures, one, counted_before.get(one["id"], 0), price(one, rates), in_time)
    return figures


def _offset(known: dict[str, Any], path: str, changed_us: int) -> int | None:
    """What the digest has read of a transcript; None where there is no digest."""
    if not known:
        return None
    is_old = changed_us < known["at_us"] - _KEPT_US
    offset = known["offsets"].get(path)
    return offset if offset is not None else 2**62 if is_old else 0


def _changed_us(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns // 1000  # noqa: PTH116 - pathlib is not worth its import here
    except OSError:
        return 0


def _add(
    figures: dict[str, Any], one: dict[str, Any], before: int | None, pusd: int | None, in_time: dict[str, bool]
) -> None:
    """Count a call that the digest does not know (*before* is 0), or knows as it was when part of it was there."""
    span = _span(figures, one)
    for name, concerned in (("session", True), *in_time.items(), ("block", span is not None)):
        if concerned and figures[name] is not None:
            figure = figures[name]
            figures[name] = [figure[0], True] if pusd is None else [figure[0] + pusd - (before or 0), figure[1]]
    if span is not None:
        span["last_us"] = max(span["last_us"], one["at_us"])
        if not before:
            span["tokens"] += sum(one["counts"])
            span["fresh_tokens"] += one["counts"][0] + one["counts"][4]


def _span(figures: dict[str, Any], one: dict[str, Any]) -> dict[str, Any] | None:
    """The block that a call falls in, which it may begin; None where that is over."""
    at_us = one["at_us"]
    if figures["span"] is None:
        start = at_us // _HOUR_US * _HOUR_US
        new = {"start_us": start, "end_us": start + _BLOCK_US, "first_us": at_us, "last_us": at_us}
        figures["span"] = _active(new | {"tokens": 0, "fresh_tokens": 0}, figures["now_us"])
        figures["block"] = None if figures["span"] is None else [0, False]
    span: dict[str, Any] | None = figures["span"]
    return span if span is not None and at_us >= span["start_us"] else None


def _active(block: dict[str, Any] | None, now_us: int) -> dict[str, Any] | None:
    """A copy of the block where it still goes on, else None."""
    goes_on = block is not None and now_us < block["end_us"] and now_us - block["last_us"] < _BLOCK_US
    return dict(block) if block is not None and goes_on else None


def _since(known: dict[str, Any], start_us: int) -> list[Any]:
    first = start_us // (_HOUR_US // 4)
    pairs = [pair for quarter, pair in known.get("quarters", {}).items() if int(quarter) >= first]
    return [sum(pair[0] for pair in pairs), any(pair[1] for pair in pairs)]


def _starts_us(now_us: int, timezone: str | None) -> tuple[int, int]:
    """When today and this month began, in the zone named or in the machine's."""
    if timezone is None:
        year, month, day, *_ = time.localtime(now_us // 10**6)
        starts = (int(time.mktime((year, month, first, 0, 0, 0, 0, 0, -1))) * 10**6 for first in (day, 1))
        return next(starts), next(starts)
    from datetime import datetime
    from zoneinfo import ZoneInfo

    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        return _starts_us(now_us, None)
    local = datetime.fromtimestamp(now_us // 10**6, zone)
    today = datetime(local.year, local.month, local.day, tzinfo=zone)
    return int(today.timestamp()) * 10**6, int(today.replace(day=1).timestamp()) * 10**6


def _utc_day(now_us: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(now_us // 10**6))


def _model(given: dict[str, Any]) -> str:
    model = given.get("model")
    name = (model.get("display_name") or model.get("id")) if isinstance(model, dict) else model
    return " ".join(str(name or "?").split())[:60]


def _context(given: dict[str, Any], found: list[dict[str, Any]], known: int | None) -> tuple[int, int] | None:
    """Tokens in the context window, and its size: as Claude Code says, else from the last call."""
    window = _dict(given.get("context_window"))
    size = int(_number(window.get("context_window_size")) or 200_000)
    stated = _number(window.get("total_input_tokens"))
    if stated is not None:
        return int(stated), size
    prompts = [sum(one["counts"][:4]) for one in found if not one["side"]]
    last = prompts[-1] if prompts else known
    return None if last is None else (last, size)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**15
    return value if is_number else None
