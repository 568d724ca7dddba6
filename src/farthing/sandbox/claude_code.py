"""
Claude Code's own report, from the booked calls that carried its headers.

A call is Claude Code's where its request had ``x-claude-code-session-id``. An API call tells nothing of what the editor
did with the answer, so lines, commits and tool decisions are 0; sessions, tokens and cost are exact.

Source: facts: claude-api 11.4 and 12.1, checked 2026-11-20. UNCONFIRMED and chosen here: ``terminal_type`` is the
entrypoint that the attribution block names, ``unknown`` without one; cost is not rounded to whole cents; a web search
counts for the model that asked for it; anything but a day in ``starting_at`` is a 400.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from farthing import money
from farthing.prices.bill import lines_of
from farthing.prompts.parts import ATTRIBUTION
from farthing.prompts.shape import mappings
from farthing.sandbox.clock import YEARS
from farthing.sandbox.paging import cursor, offset_of, rfc3339
from farthing.sandbox.pieces import counts
from farthing.sandbox.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farthing.sandbox.accounts import Accounts
    from farthing.sandbox.books import Entry
    from farthing.sandbox.paging import Query
    from farthing.sandbox.reports import View

SESSION_HEADER = "x-claude-code-session-id"
READY_AFTER = timedelta(hours=1)
"""Younger calls are not in the report."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ENTRYPOINT = re.compile(r"\bcc_entrypoint=([\w-]{1,64})")
_VALUE_CHARS_MAX = 256
_TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")


def dims_of(headers: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, str]:
    """
    What a request of Claude Code says of itself: ``session`` and ``terminal``; nothing where it is not one.

    Args:
        headers: By lower-case name.
        body: Decoded; only the attribution block is read, at the start of ``system``.

    """
    session = headers.get(SESSION_HEADER, "")[:_VALUE_CHARS_MAX]
    if not session:
        return {}
    blocks = mappings(body.get("system"))
    text = str(blocks[0].get("text")) if blocks else ""
    named = _ENTRYPOINT.search(text) if text.startswith(ATTRIBUTION) else None
    return {"session": session, "terminal": named[1] if named else "unknown"}


def claude_code_report(view: View, query: Query, accounts: Accounts) -> dict[str, Any]:
    """
    ``GET /v1/organizations/usage_report/claude_code``: one row per key and terminal of one UTC day.

    Raises:
        ApiError: A parameter is wrong.

    """
    start = datetime.combine(_day(query.one("starting_at")), time(), UTC)
    limit, first = query.count("limit", 20, 1000), offset_of(query.one("page"))
    rows: dict[tuple[str, str], list[Entry]] = {}
    for entry in view.entries(start, start + timedelta(days=1)):
        dims = entry.call.dims
        if "terminal" in dims and entry.booked_at + READY_AFTER <= view.now:
            rows.setdefault((dims["api_key"], dims["terminal"]), []).append(entry)
    keys = sorted(rows)
    data = [_row(view, accounts, start, key, rows[key]) for key in keys[first : first + limit]]
    has_more = first + limit < len(keys)
    return {"data": data, "has_more": has_more, "next_page": cursor(first + limit) if has_more else None}


def _day(text: str | None) -> date:
    if text is None:
        raise invalid("starting_at: Field required")
    try:
        day = date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise invalid("starting_at: Input should be a day, YYYY-MM-DD") from None
    if day.year not in YEARS:
        raise invalid(f"starting_at: Input should be in a year from {YEARS[0]} to {YEARS[-1]}")
    return day


def _row(view: View, accounts: Accounts, start: datetime, key: tuple[str, str], entries: list[Entry]) -> dict[str, Any]:
    key_id, terminal = key
    return {
        "date": rfc3339(start),
        "actor": {"type": "api_actor", "api_key_name": accounts.keys[key_id].name},
        "organization_id": view.organization_id,
        "customer_type": "api",
        "subscription_type": None,
        "terminal_type": terminal,
        "is_remote": False,
        "core_metrics": {
            "num_sessions": len({entry.call.dims["session"] for entry in entries}),
            "lines_of_code": {"added": 0, "removed": 0},
            "commits_by_claude_code": 0,
            "pull_requests_by_claude_code": 0,
        },
        "tool_actions": {tool: {"accepted": 0, "rejected": 0} for tool in _TOOLS},
        "model_breakdown": _breakdown(entries),
    }


def _breakdown(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Tokens and cost of each model, dearest first."""
    tokens: dict[str, dict[str, int]] = {}
    pusd: dict[str, int] = {}
    for entry in entries:
        for piece in counts(entry):
            usage, sums = piece.usage, tokens.setdefault(str(piece.facts["model"]), dict.fromkeys(_TOKENS, 0))
            sums["input"] += usage.input_tokens
            sums["output"] += usage.output_tokens
            sums["cache_read"] += usage.cache_read_tokens
            sums["cache_creation"] += usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        for component in entry.bill.components if entry.bill.list_pusd is not None else ():
            model = component.card.model.id
            pusd[model] = pusd.get(model, 0) + sum(line.pusd or 0 for line in lines_of(component))
    order = sorted(tokens, key=lambda model: (-pusd.get(model, 0), model))
    return [
        {
            "model": model,
            "tokens": tokens[model],
            "estimated_cost": {"currency": "USD", "amount": _cents(pusd.get(model, 0))},
        }
        for model in order
    ]


_TOKENS = ("input", "output", "cache_read", "cache_creation")


def _cents(pusd: int) -> msgspec.Raw:
    """Cents as a JSON number, every digit of it: no float is in between."""
    return msgspec.Raw(money.usd_text(pusd * 100).encode())
