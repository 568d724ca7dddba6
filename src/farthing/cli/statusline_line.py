"""The figures of a status line as text, and as JSON. Standard library alone, and little of it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOUR_US = 3600 * 10**6
_MINUTE_US = 60 * 10**6
_PUSD_PER_CENT = 10**10


def line_of(figures: dict[str, Any], flags: dict[str, Any]) -> str:
    """The line."""
    parts = [f"🤖 {figures['model']}", f"💰 {_costs(figures, flags['cost-source'])}"]
    if budgets := _budgets(figures):
        parts.append(f"💳 {budgets}")
    burn = _burn(figures)
    if burn is not None:
        parts.append(f"🔥 {dollars(burn[0])}/hr{_burn_mark(burn[1], flags['visual-burn-rate'])}")
    parts.append(f"🧠 {_context_text(figures['context'], flags)}")
    if (cold := _cold(figures)) is not None:
        parts.append(f"🧊 cache {cold}")
    if not figures["counted"]:
        parts.append("counting transcripts for the first time")
    return " | ".join(parts)


def _costs(figures: dict[str, Any], source: str) -> str:
    session = f"{_session(figures, source)} session"
    if not figures["counted"]:
        return f"{session} / … today / … block"
    today = f"{_amount(figures['today'])} today"
    if figures["block"] is None:
        return f"{session} / {today} / No active block"
    left = max(0, figures["span"]["end_us"] - figures["now_us"]) // _MINUTE_US
    return f"{session} / {today} / {_amount(figures['block'])} block ({left // 60}h {left % 60}m left)"


def _session(figures: dict[str, Any], source: str) -> str:
    cc = None if figures["cc_usd"] is None else f"${figures['cc_usd']:,.2f}"
    own = _amount(figures["session"]) if figures["counted"] else "…"
    if source == "both":
        return f"({cc or 'N/A'} cc / {own} farthing)"
    if source == "cc":
        return cc or "N/A"
    return own if source == "ccusage" or cc is None else cc


def _amount(figure: list[Any]) -> str:
    """An amount, with a plus behind it where calls are left out of it."""
    pusd, is_incomplete = figure
    return f"{dollars(pusd)}{'+' if is_incomplete else ''}"


def _budgets(figures: dict[str, Any]) -> str:
    """What is left of the budgets; empty where there are none, or nothing is counted yet."""
    parts = [_left(*one) for one in _left_of(figures)]
    text = ", ".join(parts)
    return f"\x1b[31m{text}\x1b[0m" if " over budget " in text and _is_colored() else text


def _left(period: str, left_pusd: int, is_incomplete: bool) -> str:
    name = "today" if period == "day" else "this month"
    if left_pusd < 0:
        return f"{dollars(-left_pusd)} over budget {name}"
    return f"{'at most ' if is_incomplete else ''}{dollars(left_pusd)} left {name}"


def _left_of(figures: dict[str, Any]) -> list[tuple[str, int, bool]]:
    """Each budget's period, what is left of it in picodollars, and whether calls are left out of that."""
    spent = {"day": figures["today"], "month": figures["month"]}
    budgets = figures["budgets"].items() if figures["counted"] else ()
    return [(period, limit - spent[period][0], spent[period][1]) for period, limit in budgets]


def dollars(pusd: int) -> str:
    """
    Picodollars to the cent, half to even, as :func:`farthing.money.display` rounds.

    >>> dollars(1_234_565_000_000_000), dollars(15 * 10**9)
    ('$1,234.56', '$0.02')
    """
    cents, rest = divmod(abs(pusd), _PUSD_PER_CENT)
    cents += rest * 2 > _PUSD_PER_CENT or (rest * 2 == _PUSD_PER_CENT and cents % 2 == 1)
    return f"{'-' if pusd < 0 else ''}${cents // 100:,}.{cents % 100:02d}"


def _burn(figures: dict[str, Any]) -> tuple[int, float] | None:
    """Picodollars per hour, and input and output tokens per minute; None where a block spans no time."""
    block, span = figures["block"], figures["span"]
    length = 0 if block is None else span["last_us"] - span["first_us"]
    if length <= 0:
        return None
    return block[0] * _HOUR_US // length, span["fresh_tokens"] * _MINUTE_US / length


def _burn_mark(tokens_per_minute: float, visual: str) -> str:
    level = (tokens_per_minute >= 2000) + (tokens_per_minute >= 5000)
    emoji, text = (("🟢", "Normal"), ("⚠️", "Moderate"), ("🚨", "High"))[level]
    return {"off": "", "emoji": f" {emoji}", "text": f" ({text})", "emoji-text": f" {emoji} ({text})"}[visual]


def _context_text(context: tuple[int, int] | None, flags: dict[str, Any]) -> str:
    if context is None or not context[1]:
        return "N/A"
    share = (context[0] * 200 + context[1]) // (2 * context[1])
    text = f"{context[0]:,} ({share}%)"
    if not _is_colored():
        return text
    full = context[0] * 100 / context[1]
    low, medium = float(flags["context-low-threshold"]), float(flags["context-medium-threshold"])
    color = "32" if full < low else "33" if full < medium else "31"
    return f"\x1b[{color}m{text}\x1b[0m"


def _is_colored() -> bool:
    return not os.environ.get("NO_COLOR") and (bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty())


def _cold(figures: dict[str, Any]) -> str | None:
    """When the session's prompt cache goes cold, if nothing is sent; None where it never used one."""
    if figures["cache"] is None:
        return None
    left = _cold_in_s(figures)
    return f"cold in {left // 60:02d}:{left % 60:02d}" if left > 0 else "cold"


def _cold_in_s(figures: dict[str, Any]) -> int:
    last_us, lifetime_s, _ = figures["cache"]
    left: int = (last_us - figures["now_us"]) // 10**6 + lifetime_s
    return left


def as_json(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures, amounts as exact decimal strings, each with its kind."""
    cache, context = figures["cache"], figures["context"]
    return {
        "model": figures["model"],
        "counted": figures["counted"],
        "session": _json(figures, "session") | {"claudeCodeUSD": figures["cc_usd"]},
        "today": _json(figures, "today"),
        "block": None if figures["block"] is None else _json(figures, "block") | _block_json(figures),
        "budget": {
            period: {"leftUsdExact": _exact(left), "over": left < 0, "incomplete": is_incomplete, "kind": "measured"}
            for period, left, is_incomplete in _left_of(figures)
        }
        or None,
        "context": None if context is None else {"tokens": context[0], "windowTokens": context[1]},
        "cache": None
        if cache is None
        else {"coldInSeconds": max(0, _cold_in_s(figures)), "kind": "derived" if cache[2] else "assumed"},
    }


def _json(figures: dict[str, Any], name: str) -> dict[str, Any]:
    pusd, is_incomplete = figures[name]
    exact = _exact(pusd) if figures["counted"] else None
    return {"costUsdExact": exact, "incomplete": is_incomplete, "kind": "measured"}


def _block_json(figures: dict[str, Any]) -> dict[str, Any]:
    span, burn = figures["span"], _burn(figures)
    return {
        "totalTokens": span["tokens"],
        "remainingMinutes": max(0, span["end_us"] - figures["now_us"]) // _MINUTE_US,
        "burnRate": None if burn is None else {"costPerHourUsdExact": _exact(burn[0]), "kind": "derived"},
    }


def _exact(pusd: int) -> str:
    whole, rest = divmod(abs(pusd), 10**12)
    text = f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if pusd < 0 else text
