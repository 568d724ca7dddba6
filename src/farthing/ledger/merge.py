"""
One call seen twice: which record is better known, and what the ledger keeps. Pure.

Two sources may tell of the same call (a transcript and the gateway), and one source may tell of it twice (a stream's
placeholder, then its final counts). Every engine decides by the functions here.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.errors import LedgerFault
from farthing.ledger.interface import Added, Stored
from farthing.ledger.prompt_runs import HASH_BYTES, SECTIONS, TTLS
from farthing.ledger.text import valid_stored
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.call import Call, PromptBlock

COUNT_MAX = 2**63 - 1
PUSD_MAX = 2**126
"""The largest count and amount that every engine can keep; both are far beyond any bill."""

YEAR_MIN, YEAR_MAX = 1970, 2200
"""Reports count days one by one, so the ends of the calendar stay out; sources are stricter by a year."""

RECOVERED = "recovered"
"""The tag of a record that was made from half an answer, because whoever read it was killed."""

_CERTAINTY = {Kind.ASSUMED: 0, Kind.DERIVED: 1, Kind.MEASURED: 2}


def knowledge(call: Call) -> tuple[int, int, bool]:
    """
    How well a record knows its call; greater is better.

    Measured beats derived beats assumed; then more output tokens, because a stream's counts only grow; then a record
    that has the request id.
    """
    served = call.served
    return _CERTAINTY[served.kind], served.usage.output_tokens, bool(served.request_id)


def merged(known: Stored, other: Stored) -> Stored:
    """
    What to keep of two records of one call: *known* itself unless *other* tells more.

    The better known record is kept, with its posting. Three things are taken from the other one where the better lacks
    them: the request id, and the call id made of it, so that later records still find their call; every dimension or
    tag, because one source knows the session and another the tenant (an empty value is none, and that a record was
    recovered says nothing of the better one); and what the request asked for.
    """
    winner, loser = (other, known) if knowledge(other.call) > knowledge(known.call) else (known, other)
    dims = winner.call.dims
    stated = loser.call.dims.items()
    learnt = {name: value for name, value in stated if value and not dims.get(name) and name != RECOVERED}
    if learnt:
        winner = Stored(msgspec.structs.replace(winner.call, dims=dims | learnt), winner.posting)
    if winner.call.request is None and loser.call.request is not None:
        winner = Stored(msgspec.structs.replace(winner.call, request=loser.call.request), winner.posting)
    request_id = loser.call.served.request_id
    if winner.call.served.request_id or not request_id:
        return winner
    served = msgspec.structs.replace(winner.call.served, request_id=request_id)
    call = msgspec.structs.replace(winner.call, call_id=loser.call.call_id, served=served)
    return msgspec.structs.replace(winner, call=call)


class Outcome(NamedTuple):
    """
    What became of one added record.

    Attributes:
        number: The ledger's own number of the call.
        what: ``new``, ``known`` or ``improved``.
        reposted: Whether the call has another posting than before.

    """

    number: int
    what: Literal["new", "known", "improved"]
    reposted: bool


class Known:
    """Numbered records that can be found by their ids, and added to by the merge rule."""

    def __init__(self) -> None:
        self.records: dict[int, Stored] = {}
        self._by_call_id: dict[str, int] = {}
        self._by_message_id: dict[str, set[int]] = {}

    def put(self, number: int, stored: Stored) -> None:
        """Keep *stored* under *number*, instead of what was there."""
        former = self.records.get(number)
        if former is not None:
            del self._by_call_id[former.call.call_id]
            if former.call.served.message_id:
                self._by_message_id[former.call.served.message_id].discard(number)
        self.records[number] = stored
        self._by_call_id[stored.call.call_id] = number
        if stored.call.served.message_id:
            self._by_message_id.setdefault(stored.call.served.message_id, set()).add(number)

    def find(self, call: Call) -> int | None:
        """
        The number of the record that *call* is another record of, or None.

        The same call id; else the same message id where one of the two has no request id, the smallest call id first.
        """
        number = self._by_call_id.get(call.call_id)
        if number is not None or not call.served.message_id:
            return number
        alike = [
            n
            for n in self._by_message_id.get(call.served.message_id, ())
            if not (call.served.request_id and self.records[n].call.served.request_id)
        ]
        return min(alike, key=lambda n: self.records[n].call.call_id, default=None)

    def add(self, stored: Stored, number: int) -> Outcome:
        """Add one record; *number* becomes its number if the call is new."""
        found = self.find(stored.call)
        if found is None:
            self.put(number, stored)
            return Outcome(number, "new", reposted=True)
        known = self.records[found]
        kept = merged(known, stored)
        if kept is known:
            return Outcome(found, "known", reposted=False)
        self.put(found, kept)
        return Outcome(found, "improved", reposted=kept.posting is not known.posting)


class Tally:
    """Counts outcomes."""

    def __init__(self) -> None:
        self._counts = {"new": 0, "known": 0, "improved": 0}

    def count(self, what: Literal["new", "known", "improved"], calls: int = 1) -> None:
        """Count *calls* more of one outcome."""
        self._counts[what] += calls

    def added(self) -> Added:
        """The counts so far."""
        return Added(**self._counts)


def checked(stored: Stored) -> Stored:
    """
    The record as every engine keeps it: its time in UTC, its texts valid Unicode.

    Raises:
        LedgerFault: A time without a zone or at the ends of the calendar, or a number that no engine can keep.

    """
    return in_range(valid_stored(stored))


def in_range(stored: Stored) -> Stored:
    """What :func:`checked` does for a record whose texts are valid, as all are that came from JSON."""
    call = stored.call
    if not _is_plain(stored):
        _explain(stored)
    if call.request is not None:
        _check_blocks(call, call.request.blocks)
    if not YEAR_MIN <= call.sent_at.year <= YEAR_MAX:
        raise LedgerFault(
            f"call {call.call_id}: sent in the year {call.sent_at.year}; expected {YEAR_MIN} to {YEAR_MAX}; "
            "nothing was written"
        )
    if call.sent_at.tzinfo is UTC:
        return stored
    if call.sent_at.tzinfo is None:
        raise LedgerFault(f"call {call.call_id}: sent_at has no time zone; expected an aware time; nothing was written")
    return Stored(msgspec.structs.replace(call, sent_at=call.sent_at.astimezone(UTC)), stored.posting)


def _is_plain(stored: Stored) -> bool:
    """Whether all numbers are in range, decided in few steps: this runs for every call."""
    call, posting = stored.call, stored.posting
    served = call.served
    counts = msgspec.structs.astuple(served.usage)
    counts += (served.prompt_tokens_max_in_one_pass or 0, served.prompt_tokens_reported or 0)
    counts += (served.calls_in_total or 0, call.duration_ms or 0, call.ttft_ms or 0)
    for extra in served.extra_passes:
        counts += msgspec.structs.astuple(extra.usage)
    if (asked := call.request) is not None:
        counts += (asked.max_tokens or 0, asked.thinking_budget_tokens or 0, asked.tools, asked.tools_tokens)
    low, high = posting.low_pusd or 0, posting.high_pusd or 0
    amounts = (posting.list_pusd or 0, posting.contract_pusd or 0, low, high)
    return min(counts) >= 0 and max(counts) <= COUNT_MAX and max(amounts) <= PUSD_MAX and min(amounts) >= -PUSD_MAX


def _explain(stored: Stored) -> None:
    """Say which number no engine can keep."""
    call, served = stored.call, stored.call.served
    holders = [served.usage, served, call, call.request, *(extra.usage for extra in served.extra_passes)]
    for holder in filter(None, holders):
        for field in holder.__struct_fields__:
            _check(call, field, getattr(holder, field), 0, COUNT_MAX)
    for field in stored.posting.__struct_fields__:
        _check(call, field, getattr(stored.posting, field), -PUSD_MAX, PUSD_MAX)


def _check_blocks(call: Call, blocks: Iterable[PromptBlock]) -> None:
    for prefix_hash, tokens, section, ttl, _ in map(msgspec.structs.astuple, blocks):
        if len(prefix_hash) != HASH_BYTES or section not in SECTIONS or ttl not in TTLS or not 0 <= tokens <= COUNT_MAX:
            raise LedgerFault(
                f"call {call.call_id}: a prompt block with a hash of {len(prefix_hash)} bytes, {tokens} tokens, in the "
                f"section {section!r}, ttl {ttl!r}; expected {HASH_BYTES} bytes, 0 to {COUNT_MAX} tokens, one of "
                f"{', '.join(SECTIONS)}, and 5m, 1h or none; nothing was written"
            )


def _check(call: Call, field: str, value: object, low: int, high: int) -> None:
    if isinstance(value, int) and not low <= value <= high:
        raise LedgerFault(f"call {call.call_id}: {field} is {value}, expected {low} to {high}; nothing was written")
