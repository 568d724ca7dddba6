"""
The same replay for choices of price alone, from sums instead of calls: ten million calls in seconds.

With caching as it was recorded, what a call costs elsewhere is its counts times other rates. So the ledger sums counts
over calls that the same rates fit (:mod:`farthing.ledger.price_groups`), and everything else is decided here by the
same code as call by call: whether a call can be moved, what it becomes, which rates hold. Calls with a rule of their
own go through :class:`~farthing.whatif.replay.run.Run` one by one.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from farthing.call import Call, Request, Served, Usage
from farthing.ledger.price_groups import Grouping, Split
from farthing.prices.card import Card, Facts
from farthing.prices.engine import price_served
from farthing.units import Kind, weakest
from farthing.whatif.replay.lengths import Lengths
from farthing.whatif.replay.moved import ONE, Stays, facts_of, moved, tokenizer_factor, waits_s
from farthing.whatif.replay.replay import accumulated, given_of, replay
from farthing.whatif.replay.run import NO_PRICE, Run
from farthing.whatif.replay.totals import Backtest, Replayed, Sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from farthing.ledger.interface import Ledger, Query, Stored
    from farthing.ledger.price_groups import Group
    from farthing.prices.book import PriceBook
    from farthing.prices.card import Unpriced
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.replay.choice import Choice, Levers
    from farthing.whatif.replay.totals import Step


def replay_ledger(
    ledger: Ledger,
    query: Query,
    choices: Sequence[Choice],
    book: PriceBook,
    *,
    terms: ContractTerms | None = None,
    cumulative: bool = True,
) -> Replayed:
    """
    Replay the calls of a ledger: from sums where the choices allow it, else call by call.

    Args:
        ledger: The ledger.
        query: Range and filters; the rest does not matter.
        choices: See :func:`farthing.whatif.replay.replay.replay`, as for everything else.
        book: Prices.
        terms: The contract in force.
        cumulative: Each choice on top of the ones before it.

    """
    if isinstance(ledger, Grouping) and terms is None and all(is_of_price_alone(choice) for choice in choices):
        return replay_groups(ledger, query, choices, book, cumulative=cumulative)
    return replay(ledger.calls(query), choices, book, terms=terms, cumulative=cumulative, ceiling_by=_all_of_them)


def _all_of_them(_: Call) -> str:
    return ""


def is_of_price_alone(choice: Choice) -> bool:
    """Whether a choice leaves the cache as recorded and takes no contract, so that sums are enough for it."""
    cachings = (rule.levers.cache for rule in choice.rules)
    return choice.contract is None and not any(one is not None and one.is_replayed for one in cachings)


def replay_groups(
    ledger: Grouping, query: Query, choices: Sequence[Choice], book: PriceBook, *, cumulative: bool = True
) -> Replayed:
    """
    Replay choices of price alone from a ledger's sums.

    Equal to the replay call by call, but for two things: the caches of calls are not back-tested, and
    ``off_posting_calls`` counts every call of a group whose sum comes out otherwise.
    """
    chosen = accumulated(choices) if cumulative else list(choices)
    summed = _Summed(ledger, query, chosen, book)
    backtest, before = Backtest(), Sums()
    for group in summed.groups(PLAIN):
        _count_before(backtest, before, group, book)
    for stored in summed.special():
        bill = price_served(book, stored.call.served, stored.call.sent_at)
        backtest.calls += 1
        backtest.add_posting(stored.posting.list_pusd, bill.list_pusd)
        if bill.list_pusd is None:
            backtest.unpriced_calls += 1
        else:
            backtest.pusd += bill.list_pusd
            before.add(bill, bill.list_pusd, bill.kind)
    steps = [_step(summed, choice, book) for choice in chosen]
    saved_from = before.pusd
    for step in steps:
        step.saved_pusd = saved_from - step.sums.pusd
        saved_from = step.sums.pusd if cumulative else saved_from
    return Replayed(backtest, before, tuple(steps))


class Limits(NamedTuple):
    """What calls are told apart by: price bands, the longest prompts that models take, and their longest outputs."""

    bands: tuple[int, ...]
    windows: tuple[int, ...]
    outputs: tuple[int, ...]


class Need(NamedTuple):
    """What has to be summed for a call under its levers."""

    factor: Fraction
    output_factor: Fraction
    later_s: int

    def split(self, keys: tuple[str, ...], limits: Limits, *, looks_at_output: bool = False) -> Split:
        """The sums to ask for."""
        longest = {int(window / self.factor) for window in limits.windows}
        return Split(
            keys,
            tuple(sorted({*limits.bands, *longest})),
            limits.bands,
            limits.outputs if looks_at_output else (),
            self.factor,
            self.output_factor,
            self.later_s,
            min(limits.bands, default=0) // 2,
        )


def _limits(book: PriceBook) -> Limits:
    bands = {row.prompt_tokens_over for model in book.models for row in model.rate if row.prompt_tokens_over}
    bands |= {row.prompt_tokens_up_to for model in book.models for row in model.rate if row.prompt_tokens_up_to}
    windows = {model.context_window_tokens for model in book.models}
    outputs = {0, *(model.output_tokens_max for model in book.models)}
    return Limits(tuple(sorted(bands)), tuple(sorted(windows)), tuple(sorted(outputs)))


PLAIN = Need(ONE, ONE, 0)


class _Summed:
    """The sums of one range of a ledger, each asked for once for all choices."""

    def __init__(self, ledger: Grouping, query: Query, choices: Sequence[Choice], book: PriceBook) -> None:
        self._ledger = ledger
        self._query = query
        self._looks = any(rule.levers.model or rule.levers.batch for choice in choices for rule in choice.rules)
        self._known: dict[Need, list[Group]] = {}
        self.keys = tuple(sorted({name for choice in choices for name in choice.dimensions}))
        self.limits = _limits(book)

    def groups(self, need: Need) -> list[Group]:
        """Sums as *need* has them."""
        if need not in self._known:
            self._known[need] = self._ledger.price_groups(self._query, self._split(need))
        return self._known[need]

    def special(self) -> Iterator[Stored]:
        """The calls that are in no sum."""
        return self._ledger.special_calls(self._query, self._split(PLAIN))

    def _split(self, need: Need) -> Split:
        return need.split(self.keys, self.limits, looks_at_output=self._looks)


def _step(summed: _Summed, choice: Choice, book: PriceBook) -> Step:
    run, needs, done = Run(choice, book, None), [PLAIN], 0
    while done < len(needs):
        wanted = needs[done]
        done += 1
        for group in summed.groups(wanted):
            call = _one_of(group, summed.keys, wanted, summed.limits)
            levers = choice.levers_for(call)
            need = _need(call, levers, book)
            if need == wanted:
                _move(run.step, group, call, levers, book)
            elif wanted == PLAIN and need not in needs:
                needs.append(need)
    lengths = Lengths()
    for stored in summed.special():
        bill = price_served(book, stored.call.served, stored.call.sent_at)
        if bill.list_pusd is not None:
            run.take(given_of(stored.call, bill, bill.list_pusd, lengths))
    run.catch_up(None)
    return run.step


def _need(call: Call, levers: Levers, book: PriceBook) -> Need:
    old = book.names.find(call.served.model, call.served.channel)
    new = old if levers.model is None else book.names.find(levers.model)
    factor = ONE if old is None or new is None else tokenizer_factor(old.model, new.model, levers)
    output_factor = factor if levers.effort is None else factor * levers.effort.output_factor
    return Need(factor, output_factor, waits_s(call.served, levers))


def _one_of(group: Group, keys: tuple[str, ...], need: Need, limits: Limits) -> Call:
    """A call that stands for all of a group wherever it is decided what becomes of them."""
    at = datetime.combine(group.sent_on, time(), UTC)
    if (at + timedelta(seconds=need.later_s)).date() != group.later_on:
        at += timedelta(days=1) - timedelta(microseconds=1)
    longest = None if group.output_class is None else (0, *(one + 1 for one in limits.outputs))[group.output_class]
    return Call(
        call_id="",
        sent_at=at,
        source="",
        served=Served(
            model=group.model,
            usage=Usage(input_tokens=group.prompt_tokens_min),
            channel=group.channel,
            location=group.location,
            service_tier=group.service_tier,
            speed=group.speed,
            inference_geo=group.inference_geo,
            kind=Kind(group.served_kind),
        ),
        dims=dict(zip((key.removeprefix("tag:") for key in keys), group.keys, strict=True)),
        request=None if longest is None else Request(max_tokens=longest),
    )


def _count_before(backtest: Backtest, before: Sums, group: Group, book: PriceBook) -> None:
    found = _priced(book.card(_facts(group)), group.prompt_tokens_min, group.counts, group.has)
    backtest.calls += group.calls
    backtest.posted_calls += group.calls
    backtest.posted_pusd += group.posted_pusd
    if found is None:
        backtest.unpriced_calls += group.calls
        return
    units_pusd, kind = found
    backtest.posted_facts_pusd += sum(units_pusd)
    backtest.off_posting_calls += group.calls if sum(units_pusd) != group.posted_pusd else 0
    backtest.pusd += sum(units_pusd)
    before.add_counts(group.counts, units_pusd, weakest(Kind(group.served_kind), kind))


def _move(step: Step, group: Group, call: Call, levers: Levers, book: PriceBook) -> None:
    """Add a group to a step."""
    was = _priced(book.card(_facts(group)), group.prompt_tokens_min, group.counts, group.has)
    if was is None:
        return
    before_pusd, before_kind = was[0], weakest(call.served.kind, was[1])
    to = moved(call, levers, book)
    if isinstance(to, Stays):
        _stay(step, group, before_pusd, before_kind, to.reason)
        return
    waits = to.at != call.sent_at
    step.deferred += group.calls if waits else 0
    if to.served is call.served and not waits and to.output_factor == 1:
        step.sums.add_counts(group.counts, before_pusd, before_kind)
        return
    after = _priced(book.card(facts_of(to.served, to.at)), group.scaled_tokens_min, group.scaled, group.has)
    if after is None:
        _stay(step, group, before_pusd, before_kind, NO_PRICE)
        return
    is_cached = any(group.has[1:4])
    kind = Kind.ASSUMED if to.separates_caches and is_cached else to.kind
    kind = weakest(kind, to.served.kind, after[1])
    step.moved_calls += group.calls
    step.sums.add_counts(group.scaled, after[0], kind)
    step.saved_kinds_pusd[kind] += sum(before_pusd) - sum(after[0])


def _stay(step: Step, group: Group, pusd: Sequence[int], kind: Kind, reason: str) -> None:
    step.stays[reason] += group.calls
    step.sums.add_counts(group.counts, pusd, kind)


def _facts(group: Group) -> Facts:
    return Facts(
        group.model,
        group.channel,
        group.location,
        group.service_tier,
        group.speed,
        group.inference_geo,
        group.sent_on,
    )


def _priced(
    card: Card | Unpriced, prompt_tokens: int, counts: Sequence[int], has: Sequence[bool]
) -> tuple[list[int], Kind] | None:
    """Picodollars per unit at list, and how sure the rates are; None where a part has no price."""
    band = card.band(prompt_tokens) if isinstance(card, Card) else None
    if not isinstance(card, Card) or band is None:
        return None
    rates = (*band.rates, card.web_search_pusd if card.web_search is not None else None)
    if any(used and rate is None for used, rate in zip(has, rates, strict=True)):
        return None
    return [count * (rate or 0) for count, rate in zip(counts, rates, strict=True)], card.kind
