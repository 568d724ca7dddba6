"""
What a call costs under a contract, beside list.

Terms are a TOML file, decoded strictly (docs/prices.md). They apply in one order: (1) a fixed rate replaces the list
rate, with the usual multipliers on top, and takes no further discount; (2) else the most specific percentage discount;
(3) the marketplace's markup or discount; (4) a credit on the month's list volume.

Money is exact: every amount is a fraction of picodollars, never rounded here. Percentages are decimals, so every amount
has a finite decimal form and is printed in full. A ledger's integer column takes ``posted_pusd``, rounded once per call
by :func:`farthing.money.nearest`: a million calls are off by less than a millionth of a dollar.

The volume credit is a function of the month's list volume alone, so a month costs the same in whatever order its calls
are read. With ``mode = "marginal"`` each tier's percentage holds for the volume inside it, and a call across a limit is
split. With ``mode = "whole-month"`` the tier reached holds for the whole month: the call that reaches it carries the
credit for the calls before it, and may so come out below zero.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.prices.bill import lines_of
from farthing.prices.engine import utc_day
from farthing.units import TOKEN_UNITS, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from farthing.prices.bill import Bill, Component, Line
    from farthing.prices.contract_terms import ContractTerms, Discount, FixedRates, Volume

LIST = "list price"


class ContractLine(NamedTuple):
    """
    One line of a contract's bill.

    Attributes:
        what: The unit, or ``volume credit``.
        list_pusd: At list; for a credit the list volume it is on.
        contract: Under the contract, in picodollars, exact; a credit is negative.
        terms: The terms that made it, in order.

    """

    what: str
    list_pusd: int
    contract: Fraction
    terms: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The line as JSON values; amounts are decimal strings."""
        return {
            "what": self.what,
            "list_usd": money.usd_text(self.list_pusd),
            "contract_usd": money.exact_usd_text(self.contract),
            "terms": list(self.terms),
        }


class ContractBill(NamedTuple):
    """
    One call under a contract.

    Attributes:
        name: The contract.
        list_pusd: At list, or None where that cannot be known.
        contract: Under the contract in picodollars, exact; None where list is.
        lines: They sum exactly to ``contract``.
        counted_list_pusd: What this call adds to the month's list volume.

    """

    name: str
    list_pusd: int | None
    contract: Fraction | None
    lines: tuple[ContractLine, ...]
    counted_list_pusd: int

    @property
    def posted_pusd(self) -> int | None:
        """The contract price as a ledger posts it: rounded once, half to even, off by at most 5e-13 USD."""
        return None if self.contract is None else money.nearest(self.contract)

    def to_json(self) -> dict[str, Any]:
        """The bill as JSON values; amounts are exact decimal strings."""
        return {
            "contract": self.name,
            "list_usd": None if self.list_pusd is None else money.usd_text(self.list_pusd),
            "contract_usd": None if self.contract is None else money.exact_usd_text(self.contract),
            "lines": [line.to_json() for line in self.lines],
        }


def price_under(terms: ContractTerms, bill: Bill, at: datetime, month_to_date_list_pusd: int = 0) -> ContractBill:
    """
    Price one call under a contract, beside its list price.

    Args:
        terms: The contract.
        bill: The call's bill at list.
        at: Send time, aware; its UTC day chooses the terms in force.
        month_to_date_list_pusd: The list volume of the calendar month (UTC) before this call: the sum of
            ``counted_list_pusd`` over its earlier calls.

    Returns:
        Both prices. Where list cannot be known the contract price cannot either.

    Raises:
        BadInput: *at* has no time zone.

    """
    day = utc_day(at)
    if bill.list_pusd is None:
        return ContractBill(terms.name, None, None, (), 0)
    lines: list[ContractLine] = []
    counted = 0
    for component in bill.components:
        for line in lines_of(component):
            assert line.pusd is not None
            fixed = _fixed(terms, component, line.unit, day)
            amount, applied = _discounted(terms, component, line, day) if fixed is None else fixed
            amount, applied = _at_market(terms, component, day, amount, applied)
            lines.append(ContractLine(str(line.unit), line.pusd, amount, applied or (LIST,)))
            counted += line.pusd if fixed is None else 0
    lines += _credits(terms.volume_on(day), month_to_date_list_pusd, counted)
    total = sum((line.contract for line in lines), Fraction(0))
    return ContractBill(terms.name, bill.list_pusd, total, tuple(lines), counted)


def counted_list_pusd(terms: ContractTerms, bill: Bill, at: datetime) -> int:
    """
    What one call adds to its month's list volume: its list price without its lines at fixed rates.

    The same as ``price_under(terms, bill, at).counted_list_pusd``, without making the lines where nothing is fixed.
    """
    day = utc_day(at)
    if bill.list_pusd is None or not any(_fixed_row(terms, component, day) for component in bill.components):
        return bill.list_pusd or 0
    return price_under(terms, bill, at).counted_list_pusd


def day_credits(terms: ContractTerms, counted_pusd: Iterable[tuple[date, int]]) -> list[tuple[date, ContractLine]]:
    """
    The volume credits of whole days, exact, each with its day.

    Args:
        terms: The contract.
        counted_pusd: Per UTC day, ascending, the list volume its calls add; every day with calls from the first of a
            month on.

    Returns:
        Lines as :func:`price_under` makes for calls. Over a month they sum to what its calls' own credits sum to, for
        the credit is a function of the volume before and after.

    """
    found: list[tuple[date, ContractLine]] = []
    before_pusd, month = 0, (0, 0)
    for day, added_pusd in counted_pusd:
        if month != (day.year, day.month):
            before_pusd, month = 0, (day.year, day.month)
        found += [(day, line) for line in _credits(terms.volume_on(day), before_pusd, added_pusd)]
        before_pusd += added_pusd
    return found


_Amount = tuple[Fraction, tuple[str, ...]]


def _fixed(terms: ContractTerms, component: Component, unit: Unit, day: date) -> _Amount | None:
    row = _fixed_row(terms, component, day)
    if row is None or unit not in TOKEN_UNITS:
        return None
    rate = row.rates[TOKEN_UNITS.index(unit)]
    if rate is None:
        return None
    factor = Fraction(1) if component.billed else Fraction(0)
    for multiplier in component.card.multipliers:
        factor *= Fraction(multiplier.factor)
    count: int = getattr(component.usage, unit)
    return count * money.parse_usd_per_mtok(rate) * factor, (f"fixed at {rate} USD/MTok",)


def _fixed_row(terms: ContractTerms, component: Component, day: date) -> FixedRates | None:
    list_row, card = component.band.row, component.card
    for row in terms.fixed:
        same_model = row.model in card.model.ids.claude_api and row.speed == list_row.speed
        same_channel = not row.channels or card.channel in row.channels
        if same_model and same_channel and row.in_force(day) and _in_band(row, component):
            return row
    return None


def _in_band(row: FixedRates, component: Component) -> bool:
    """Whether the whole list band lies in the fixed rate's; where it does not, the prompt's own length decides."""
    band = component.band
    whole = row.prompt_tokens_up_to is None or (band.up_to is not None and band.up_to <= row.prompt_tokens_up_to)
    if row.prompt_tokens_over <= band.over and whole:
        return True
    prompt = component.usage.prompt_tokens
    above = prompt > row.prompt_tokens_over or row.prompt_tokens_over == 0
    return above and (row.prompt_tokens_up_to is None or prompt <= row.prompt_tokens_up_to)


def _discounted(terms: ContractTerms, component: Component, line: Line, day: date) -> _Amount:
    assert line.pusd is not None
    matching = [term for term in terms.discount if term.in_force(day) and _takes(term, component, line.unit)]
    if not matching:
        return Fraction(line.pusd), ()
    term = max(matching, key=lambda term: term.specificity)
    return line.pusd * _kept(term.percent), (f"{term.percent} % off {term.scope}",)


@lru_cache(maxsize=1_000)
def _kept(percent_off: str) -> Fraction:
    return 1 - Fraction(percent_off) / 100


def _takes(term: Discount, component: Component, unit: Unit) -> bool:
    model = component.card.model
    return (
        (not term.models or any(name in term.models for name in model.ids.claude_api))
        and (not term.families or model.family in term.families)
        and (not term.channels or component.card.channel in term.channels)
        and (unit in term.units if term.units else unit in TOKEN_UNITS)
    )


def _at_market(
    terms: ContractTerms, component: Component, day: date, amount: Fraction, applied: tuple[str, ...]
) -> _Amount:
    for market in terms.marketplace:
        if market.channel == component.card.channel and market.in_force(day):
            return amount * market.factor, (*applied, f"{market.percent} % {market.kind} on {market.channel}")
    return amount, applied


def _credits(volume: Volume | None, before_pusd: int, added_pusd: int) -> list[ContractLine]:
    if volume is None or not added_pusd:
        return []
    split = _marginal if volume.mode == "marginal" else _whole_month
    return [
        ContractLine("volume credit", part, -part * percent / 100, (why,))
        for part, percent, why in split(volume, before_pusd, added_pusd)
        if percent
    ]


_Part = tuple[int, Fraction, str]


def _marginal(volume: Volume, before_pusd: int, added_pusd: int) -> Iterator[_Part]:
    """The parts of this call in each tier."""
    after_pusd = before_pusd + added_pusd
    for begins, ends, percent in volume.spans_pusd:
        part = min(after_pusd, ends if ends is not None else after_pusd) - max(before_pusd, begins)
        if part > 0:
            yield part, percent, f"{percent_text(percent)} % of list volume over {money.usd_text(begins)} USD"


def _whole_month(volume: Volume, before_pusd: int, added_pusd: int) -> Iterator[_Part]:
    """The call at the tier it reaches, and the calls before it where it is the one that reached it."""
    former, reached = volume.percent_at(before_pusd), volume.percent_at(before_pusd + added_pusd)
    yield added_pusd, reached, f"{percent_text(reached)} % of the month's list volume"
    if before_pusd and reached != former:
        risen = reached - former
        yield before_pusd, risen, f"tier reached: {percent_text(risen)} % more on the month so far"


def percent_text(percent: Fraction) -> str:
    """A percentage as an exact decimal."""
    return money.exact_usd_text(percent * money.PUSD_PER_USD) or str(percent)
