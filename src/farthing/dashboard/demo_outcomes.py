"""What came of the made-up fleet's calls, as a help desk, a forge and a billing system would tell it. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import msgspec

from farthing.ledger.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.call import Call
    from farthing.ledger.outcome import Status

_CENT = 10**10


class _Work(NamedTuple):
    """What a feature leads to: of a hundred, so many succeed and so many fail; what a success brings, in cents."""

    name: str
    success: int
    failure: int
    revenue_cents: int | None = None
    value_cents: int | None = None


_OF_SESSIONS = {
    "support-chat": _Work("ticket_solved", 81, 19, revenue_cents=99),
    "coding-agent": _Work("pull_request_merged", 57, 28, value_cents=4_500),
    "contract-questions": _Work("question_answered", 74, 12, revenue_cents=60),
    "claims-desk": _Work("claim_settled", 66, 22, revenue_cents=240),
}
_OF_CALLS = {"extraction": _Work("document_read", 91, 9, revenue_cents=4)}
_DIGESTS = "nightly-summaries"
_REOPENED_PERCENT, _NAMELESS_PERCENT = 4, 3


def demo_outcomes(calls: Iterable[Call], until: datetime) -> tuple[list[Outcome], list[Outcome]]:
    """
    Outcomes of calls.

    Args:
        calls: In order of time.
        until: What would have happened later is not told yet.

    Returns:
        What was told first, and what was told otherwise afterwards: tickets that were opened again.

    """
    last: dict[str, Call] = {}
    digests: dict[tuple[str, date], Call] = {}
    told: list[Outcome] = []
    for call in calls:
        feature = call.dims.get("feature", "")
        if feature in _OF_SESSIONS:
            last[call.dims["session"]] = call
        elif feature in _OF_CALLS and call.served.message_id:
            told.append(_outcome(_OF_CALLS[feature], call, call.served.message_id, request=call.served.message_id))
        elif feature == _DIGESTS:
            digests[call.dims["prompt"], call.sent_at.date()] = call
    told += [_outcome(_OF_SESSIONS[call.dims["feature"]], call, name, session=name) for name, call in last.items()]
    told += [_digest(prompt, day, call) for (prompt, day), call in digests.items()]
    told = sorted((one for one in told if one.happened_at < until), key=lambda one: (one.happened_at, one.outcome_id))
    return told, [_reopened(one) for one in told if one.name == "ticket_solved" and _is_reopened(one)]


def _outcome(work: _Work, call: Call, name: str, *, session: str | None = None, request: str | None = None) -> Outcome:
    """What came of a session or of one call; which of it, its name decides, so it is the same every time."""
    draw = crc32(name.encode()) % 100
    status: Status = "success" if draw < work.success else "failure" if draw < work.success + work.failure else "other"
    is_success = status == "success"
    dims = {key: value for key, value in call.dims.items() if key in ("tenant", "feature")}
    if crc32(f"whose {name}".encode()) % 100 < _NAMELESS_PERCENT:
        dims = {}  # some systems do not say whose a ticket is
    return Outcome(
        outcome_id=f"{work.name.partition('_')[0]}-{name}",
        happened_at=call.sent_at + timedelta(minutes=3 + crc32(f"when {name}".encode()) % 55),
        name=work.name,
        status=status,
        revenue_pusd=work.revenue_cents * _CENT if work.revenue_cents is not None and is_success else None,
        value_pusd=work.value_cents * _CENT if work.value_cents is not None and is_success else None,
        session=session,
        request=request,
        dims=dims,
    )


def _digest(prompt: str, day: date, call: Call) -> Outcome:
    """A night's summaries, sent out in the morning: all calls of that prompt since the last ones."""
    at = datetime.combine(day + timedelta(days=1), time(6), call.sent_at.tzinfo)
    return Outcome(
        outcome_id=f"digest-{prompt}-{day.isoformat()}",
        happened_at=at,
        name="digest_sent",
        status="success",
        tag_name="prompt",
        tag_value=prompt,
        dims={key: value for key, value in call.dims.items() if key in ("tenant", "feature")},
    )


def _is_reopened(outcome: Outcome) -> bool:
    is_solved = outcome.status == "success"
    return is_solved and crc32(f"again {outcome.outcome_id}".encode()) % 100 < _REOPENED_PERCENT


def _reopened(outcome: Outcome) -> Outcome:
    """The ticket was opened again, and nobody paid for it."""
    return msgspec.structs.replace(outcome, status="failure", revenue_pusd=0)
