"""``farthing session --id``: every call of one session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from farthing.cli import plain
from farthing.cli.usage_data import now, scan_with_progress, settings_of
from farthing.cli.usage_days import zone_of
from farthing.errors import BadInput
from farthing.prices.installed import default_book
from farthing.reports.claude_code.costing import Costed, Mode, costed
from farthing.reports.claude_code.rows import instant_json
from farthing.reports.claude_code.sums import cost_json, ours_json, summed
from farthing.sources.claude_code import Bucket, Index, discover, index_path, iter_buckets
from farthing.sources.claude_code.buckets import bucketed

if TYPE_CHECKING:
    from datetime import tzinfo

    from farthing.cli.usage_flags import Flags


def show_session(flags: Flags, wanted: str) -> None:
    """
    Print the calls of the session whose id is *wanted* or begins with it; ``null`` as JSON where there is none.

    Raises:
        BadInput: Several sessions begin like that, or there is a ``--gate``, which is for reports of days.

    """
    if flags.gate:
        raise BadInput("read --gate beside --id", "one of them")
    loaded = settings_of(flags)
    zone = zone_of(flags, loaded)
    roots = discover(flags.paths or None)
    session, calls = None, list[Bucket]()
    if roots:
        with Index(index_path(roots, loaded.config.claude_code.index_path)) as index:
            scan_with_progress(roots, index, flags)
            session, calls = calls_of_session(index, wanted)
    items = list(costed(calls, default_book(), Mode(flags.mode), now()))
    if flags.order == "desc":
        items.reverse()
    if flags.json:
        plain.print_json(None if session is None else session_calls_json(session, items, flags))
    elif session is None:
        plain.note(f"no session's id is {wanted!r} or begins with it; farthing session lists them")
    else:
        _print(session, items, zone, flags)


def calls_of_session(index: Index, wanted: str) -> tuple[str | None, list[Bucket]]:
    """
    The full id of a session, and each of its calls as a bucket of its own, in order of time; None and none without one.

    Raises:
        BadInput: Several sessions begin like that.

    """
    spans: dict[str, tuple[int, int]] = {}
    for bucket in iter_buckets(index):
        if bucket.session.startswith(wanted):
            first, last = spans.get(bucket.session, (bucket.first_us, bucket.last_us))
            spans[bucket.session] = min(first, bucket.first_us), max(last, bucket.last_us)
    if not spans:
        return None, []
    if wanted not in spans and len(spans) > 1:
        raise BadInput(f"read --id {wanted!r}, which {len(spans)} sessions begin with", "more of one id")
    session = wanted if wanted in spans else next(iter(spans))
    first, last = spans[session]
    return session, [
        bucket
        for key, sighting, origin in index.calls(first, last + 1)
        if origin.session == session
        for bucket in bucketed([(key, msgspec.structs.replace(sighting, origin=0))], [origin])
    ]


def session_calls_json(session: str, items: list[Costed], flags: Flags) -> dict[str, Any]:
    """``{"sessionId", "totalCost", "totalTokens", "entries": [...]}``."""
    total = summed(items)
    return {
        "sessionId": session,
        **({} if flags.no_cost else cost_json(total.pusd)),
        "totalTokens": total.total_tokens,
        "entries": [_entry_json(one, with_cost=not flags.no_cost) for one in items],
        **ours_json(total),
        "mode": flags.mode,
    }


def _entry_json(one: Costed, *, with_cost: bool) -> dict[str, Any]:
    usage = one.bucket.usage
    return {
        "timestamp": instant_json(one.bucket.first_us),
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cacheCreationTokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cacheReadTokens": usage.cache_read_tokens,
        "model": one.model,
        **(cost_json(one.pusd, "costUSD") if with_cost else {}),
        "kind": str(one.kind),
        "unpriced": list(one.reasons),
    }


def _print(session: str, items: list[Costed], zone: tzinfo | None, flags: Flags) -> None:
    from farthing.cli import usage_tables

    console, total = usage_tables.console_for(flags), summed(items)
    look = usage_tables.look_of(console, compact=flags.compact, cost=not flags.no_cost)
    entries = [(usage_tables.instant(one.bucket.first_us, zone), summed([one])) for one in items]
    console.print(f"[bold]Session {session}[/] [dim]in {items[0].bucket.project}[/]")
    console.print(usage_tables.entries_table(entries, total, look))
    if total.unpriced_calls and not flags.no_cost:
        console.print(usage_tables.unpriced_lines(total))
