"""The demo's refusals: calls that asked for far too much, as the real gate would have refused them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.limits.answers import GateFacts
from farthing.limits.file import read_limits
from farthing.limits.gate import Gate
from farthing.limits.memory_bank import MemoryBank
from farthing.limits.refusal import Refused
from farthing.limits.refusal_store import REFUSALS_NAME, RefusalStore
from farthing.limits.refusals import HOUR_S, of_budget, one_call, together
from farthing.limits.worst import worst_case
from farthing.prices.book import shipped_book

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from farthing.call import Call
    from farthing.limits.refusals import Key, Tally

_EVERY = 12
"""Of so many calls of an agent one is tried with all the output there is first."""


def write_refusals(folder: Path, limits: Path, calls: Iterable[Call], now: datetime) -> None:
    """Ask the gate about some agents' calls with the most output there is; what a former run kept is dropped."""
    book = shipped_book()
    found: dict[Key, Tally] = {}
    gate = Gate(read_limits(limits), MemoryBank, now)
    for call in [call for call in calls if call.dims["feature"] == "coding-agent"][::_EVERY]:
        ask = {"model": call.served.model, "max_tokens": 128_000, "messages": [{"role": "user", "content": "Go on."}]}
        worst = worst_case(book, msgspec.json.encode(ask), call.sent_at)
        answer = gate.admit(GateFacts(call.dims, call.served.model, worst), call.sent_at)
        if isinstance(answer, Refused):
            key = int(call.sent_at.timestamp()) // HOUR_S * HOUR_S, of_budget(answer, call.dims)
            tally = one_call(worst if isinstance(worst, int) else None, call.sent_at)
            found[key] = together(found.get(key), tally)
    (folder / REFUSALS_NAME).unlink(missing_ok=True)
    store = RefusalStore(folder / REFUSALS_NAME)
    try:
        store.add(found, now)
    finally:
        store.close()
