"""
A report under a contract: what belongs to no single call, beside the rows.

A call is posted at its price under the contract, but a credit on the month's volume belongs to the month. So a report
adds one line per term and calendar month (UTC), for months that lie in its range as a whole; the rows under contract
and these lines sum to the contract total, exactly. Commitments are shown beside the sum: they say what was prepaid, not
what was spent.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.ledger.interface import Query
from farthing.prices.commitments import Drawdown, drawdown, periods_of
from farthing.prices.contracts import counted_list_pusd, day_credits
from farthing.prices.engine import price_served
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from farthing.ledger.interface import Ledger, Row
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import Commitment, ContractTerms

    Month = tuple[int, int]
    Days = list[tuple[date, int]]


class Credit(NamedTuple):
    """One term's credit of one month (its first day): the list volume it is on, and the exact amount, below zero."""

    month: date
    on_list_pusd: int
    pusd: Fraction
    why: str


class UnderContract(NamedTuple):
    """
    What a contract adds to a report.

    Attributes:
        name: The contract.
        calls_pusd: The rows' sum: calls under contract, at list where a call was posted without one.
        credits: By month, then term. Derived.
        total_pusd: ``calls_pusd`` and the credits.
        drawdowns: Commitments whose period meets the range, by name, as of the range's end.
        notes: What is left out and why, one sentence each.

    """

    name: str
    calls_pusd: int
    credits: tuple[Credit, ...]
    total_pusd: Fraction
    drawdowns: tuple[tuple[str, Drawdown], ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; amounts are exact decimal strings."""
        return {
            "name": self.name,
            "calls_usd": money.usd_text(self.calls_pusd),
            "credits": [
                {
                    "month": f"{credit.month:%Y-%m}",
                    "on_list_usd": money.usd_text(credit.on_list_pusd),
                    "contract_usd": money.exact_usd_text(credit.pusd),
                    "why": credit.why,
                    "kind": str(Kind.DERIVED),
                }
                for credit in self.credits
            ],
            "contract_usd": money.exact_usd_text(self.total_pusd),
            "commitments": [_drawdown_json(name, period) for name, period in self.drawdowns],
            "notes": list(self.notes),
        }


def under_contract(
    ledger: Ledger, book: Callable[[], PriceBook], terms: ContractTerms, query: Query, *, total: Row, now: datetime
) -> UnderContract:
    """
    Work out what *terms* add to the report of *query*, whose totals are *total*.

    *book* is asked for only where fixed rates make the calls themselves decide what counts towards the volume: then
    every call of those months is priced once more.
    """
    notes = [_not_posted(terms)] if _moves_calls(terms) and total.contract_pusd == total.list_pusd else []
    if query.where:
        if terms.volume or terms.commitment:
            notes.append("a volume credit or commitment belongs to all calls, so a filtered report shows none")
        return UnderContract(terms.name, total.contract_pusd, (), Fraction(total.contract_pusd), (), tuple(notes))
    end = min(query.until or now, now) - timedelta(microseconds=1)
    rows = ledger.report(Query(bucket="day", until=query.until))
    listed = [(row.start.date(), row.list_pusd) for row in rows if row.start is not None]
    spent = [(row.start.date(), row.contract_pusd) for row in rows if row.start is not None]
    span = _span(query, listed, end)
    running = [term for term in terms.commitment if any(_meets(period, span) for period in periods_of(term))]
    months, cut = _months(query, [day for day, _ in listed])
    needed = months if not running else {(day.year, day.month) for day, _ in listed}
    counted = _counted(ledger, book, terms, [one for one in listed if _in(one[0], needed)], notes)
    found = [
        Credit(day.replace(day=1), line.list_pusd, line.contract, line.terms[0])
        for day, line in day_credits(terms, _together(terms, counted))
        if _in(day, months)
    ]
    if terms.volume:
        notes += [f"the range cuts {year}-{month:02d}, so its volume credit is left out" for year, month in sorted(cut)]
    if any(credit.month == now.date().replace(day=1) for credit in found):
        notes.append(f"{now:%Y-%m} is not over: its volume credit is what it comes to so far")
    by_day = [(day, line.contract) for day, line in day_credits(terms, counted)]
    spend = [*((day, Fraction(pusd)) for day, pusd in spent), *by_day]
    return UnderContract(
        terms.name,
        total.contract_pusd,
        tuple(found),
        total.contract_pusd + sum((credit.pusd for credit in found), Fraction(0)),
        tuple(_drawdowns(running, spend, listed, span)),
        tuple(notes),
    )


def _moves_calls(terms: ContractTerms) -> bool:
    return bool(terms.discount or terms.fixed or terms.marketplace)


def _not_posted(terms: ContractTerms) -> str:
    return (
        f"no call in range was posted under {terms.name}, or it changes none of them: "
        "farthing reprice --preview shows which it would change"
    )


def _months(query: Query, days: Sequence[date]) -> tuple[set[Month], set[Month]]:
    """The months with calls in range that lie in it as a whole, and those that it cuts."""
    whole: set[Month] = set()
    cut: set[Month] = set()
    for month in {(day.year, day.month) for day in days}:
        begins = datetime(*month, 1, tzinfo=UTC)
        ends = (begins + timedelta(days=32)).replace(day=1)
        if (query.since is None or query.since <= begins) and (query.until is None or query.until >= ends):
            whole.add(month)
        elif query.since is None or query.since < ends:
            cut.add(month)
    return whole, cut


def _in(day: date, months: set[Month]) -> bool:
    return (day.year, day.month) in months


def _counted(
    ledger: Ledger, book: Callable[[], PriceBook], terms: ContractTerms, listed: Days, notes: list[str]
) -> Days:
    """What each day adds to its month's list volume: its list price without the lines at fixed rates."""
    fixed = [day for day, _ in listed if terms.volume_on(day) and any(row.in_force(day) for row in terms.fixed)]
    if not fixed:
        return listed
    in_force = book()
    begins, ends = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (fixed[0], fixed[-1]))
    counted, elsewhere = dict(listed), 0
    for stored in ledger.calls(Query(since=begins, until=ends + timedelta(days=1))):
        call, day = stored.call, stored.call.sent_at.date()
        if day in counted:
            bill = price_served(in_force, call.served, call.sent_at)
            if bill.list_pusd != stored.posting.list_pusd:
                elsewhere += 1
                continue
            counted[day] -= (bill.list_pusd or 0) - counted_list_pusd(terms, bill, call.sent_at)
    if elsewhere:
        notes.append(
            f"{elsewhere:,} calls are posted at other list prices than the book's in force, so all of them counts "
            "towards the volume: farthing reprice puts that right"
        )
    return list(counted.items())


def _together(terms: ContractTerms, counted: Days) -> Days:
    """Days of one month under one volume term as one: the sum is the same, and a reader wants one line."""
    found: Days = []
    for day, pusd in counted:
        last = found[-1][0] if found else date.min
        if found and _in(day, {(last.year, last.month)}) and terms.volume_on(day) is terms.volume_on(last):
            found[-1] = (last, found[-1][1] + pusd)
        else:
            found.append((day, pusd))
    return found


def _span(query: Query, listed: Days, end: datetime) -> tuple[date, date]:
    """First and last UTC day that the report is about: of calls, where the range is open to the past."""
    first = listed[0][0] if listed else end.date()
    return max(first, query.since.astimezone(UTC).date()) if query.since else first, end.astimezone(UTC).date()


def _meets(period: tuple[date, date], span: tuple[date, date]) -> bool:
    return period[0] <= span[1] and span[0] < period[1]


def _drawdowns(
    running: list[Commitment], spend: list[tuple[date, Fraction]], listed: Days, span: tuple[date, date]
) -> Iterable[tuple[str, Drawdown]]:
    at_list = [(day, Fraction(pusd)) for day, pusd in listed]
    for term in running:
        for period in drawdown(term, at_list if term.counts == "list" else spend):
            if _meets((period.begins, period.ends), span):
                yield term.name, period


def _drawdown_json(name: str, period: Drawdown) -> dict[str, Any]:
    amounts = ("available", "drawn", "remaining", "beyond")
    return {
        "name": name,
        "begins": period.begins.isoformat(),
        "ends": period.ends.isoformat(),
        **{f"{amount}_usd": money.exact_usd_text(getattr(period, amount)) for amount in amounts},
        "kind": str(Kind.DERIVED),
    }
