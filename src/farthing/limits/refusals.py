"""
What is remembered of calls that a limit did not let through: counts per case and hour, never a call. Pure.

A case is which limit refused, whose account, why, and whose calls. However many calls are refused and whatever they say
of themselves, the cases of an hour are bounded: those beyond count together under :data:`OTHERS`, as long as there is
room still apart by tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.limits.budgets import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from farthing.limits import flow, refusal

OTHERS = "(others)"
"""Stands for values and tenants that are too many to be told apart."""
HOUR_S = 3600

WORDS = {
    "used up": "used up",
    "busy": "calls under way held what was left",
    "too dear": "one call alone above the limit",
    "unpriced": "no bound on its cost",
    "store": "the store of budgets did not answer",
    "queue": "others waited before it, or the queue was full",
}
"""What ``why`` means; the limit itself in words where it is none of these."""


class Case(NamedTuple):
    """
    What is told apart.

    Attributes:
        kind: ``budget``, ``rate``, ``upstream`` (a pause of the upstream's, or its limits), ``queue`` or ``store``.
        limit: Name of the budget or rate limit; empty for the other kinds.
        value: The account that refused, ``tenant=acme``; empty where all calls share it.
        why: As ``refusal.Refused.why``; for ``rate`` and ``upstream`` the limit in words, ``60 requests per minute``.
        tenant: Of the calls; empty where they name none.
        api_key: Their key's id or fingerprint, never a key; empty where *value* says it, or where there is none.

    """

    kind: str
    limit: str
    value: str
    why: str
    tenant: str
    api_key: str

    @property
    def who(self) -> str:
        """Account, tenant and key in words, each once; ``all`` where none is known."""
        said = self.value.split(",") if self.value else []
        told = [f"{name}={value}" for name, value in (("tenant", self.tenant), ("api_key", self.api_key)) if value]
        return ", ".join((*said, *(one for one in told if one not in said))) or "all"


class Tally(NamedTuple):
    """
    What calls of one case came to.

    Attributes:
        calls: How many.
        unknown_calls: Those of them whose worst case is not known: nothing bounds it, or no budget was asked.
        worst_pusd: Sum of the worst cases that are known, in picodollars at list: what they would have held.
        last_worst_pusd: That of the last call; None: not known.
        first_at, last_at: When the first and the last was refused; aware, UTC.

    """

    calls: int
    unknown_calls: int
    worst_pusd: int
    last_worst_pusd: int | None
    first_at: datetime
    last_at: datetime

    @property
    def known_pusd(self) -> int | None:
        """The sum; None where no call's worst case is known."""
        return None if self.calls == self.unknown_calls else self.worst_pusd


Key = tuple[int, Case]
"""Start of the hour in seconds since 1970, and the case."""


def of_budget(refused: refusal.Refused, dims: Mapping[str, str]) -> Case:
    """The case of a call that a budget refused, or that was refused for want of an answer from the store."""
    return _case("budget" if refused.budget else "store", refused.budget, refused.value, refused.why, dims)


def of_rate(refused: flow.Refused, dims: Mapping[str, str]) -> Case:
    """The case of a call that a rate limit, the upstream's limits or a full queue refused."""
    if refused.name:
        return _case("rate", refused.name, refused.value, refused.limit, dims)
    return _case(refused.rule, "", "", "queue" if refused.rule == "queue" else refused.limit, dims)


def one_call(worst_pusd: int | None, at: datetime) -> Tally:
    """One call; *worst_pusd* None: not known."""
    return Tally(1, int(worst_pusd is None), worst_pusd or 0, worst_pusd, at, at)


def together(one: Tally | None, more: Tally) -> Tally:
    """Both."""
    if one is None:
        return more
    last = one if one.last_at > more.last_at else more
    return Tally(
        one.calls + more.calls,
        one.unknown_calls + more.unknown_calls,
        one.worst_pusd + more.worst_pusd,
        last.last_worst_pusd,
        min(one.first_at, more.first_at),
        last.last_at,
    )


def place(case: Case, has: Callable[[Case], bool], rows: int, rows_max: int) -> Case:
    """
    As what a case is counted: itself, or those of its tenant together, or of everybody.

    Args:
        case: Which.
        has: Whether a case is counted already.
        rows: How many are.
        rows_max: So many are told apart in full, and as many again by tenant.

    """
    if rows < rows_max or has(case):
        return case
    of_tenant = case._replace(value=OTHERS, api_key="")
    if rows < 2 * rows_max or has(of_tenant):
        return of_tenant
    return of_tenant._replace(tenant=OTHERS)


def by_case(rows: Iterable[tuple[Key, Tally]], tenants: Iterable[str] | None = None) -> list[tuple[Case, Tally]]:
    """
    All hours together; what was refused last comes first.

    Args:
        rows: Per hour.
        tenants: Only calls of these, and none of whom that is not certain; None: all.

    """
    found: dict[Case, Tally] = {}
    mine = None if tenants is None else set(tenants) - {OTHERS, ""}
    for (_, case), tally in rows:
        if mine is None or case.tenant in mine:
            found[case] = together(found.get(case), tally)
    return sorted(found.items(), key=lambda one: (-one[1].last_at.timestamp(), one[0]))


def _case(kind: str, limit: str, value: str, why: str, dims: Mapping[str, str]) -> Case:
    value = value.encode("utf-8", "replace").decode()  # half an emoji in a name must not lose the others
    says_key = any(part.startswith("api_key=") and part != f"api_key={NOBODY}" for part in value.split(","))
    return Case(kind, limit, value, why, dims.get("tenant", ""), "" if says_key else dims.get("api_key", ""))
