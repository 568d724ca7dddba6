"""One choice, call by call: what waits until its time, what the cache does, what it costs."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.call import Call, Served, Usage
from farthing.prices.engine import price_served
from farthing.units import Kind, weakest
from farthing.whatif.replay import moved
from farthing.whatif.replay.amounts import amount, without_volume
from farthing.whatif.replay.ceiling import Ceiling
from farthing.whatif.replay.choice import UNTURNED
from farthing.whatif.replay.counts import as_recorded, began, replayed_usage, tokens_min_of
from farthing.whatif.replay.moved import Moved, Stays
from farthing.whatif.replay.outcome import Outcome
from farthing.whatif.replay.places import Sightings, breakpoints
from farthing.whatif.replay.rules import FATES, Cache
from farthing.whatif.replay.totals import Step, prompt_counts
from farthing.whatif.replay.warm import Due, Warmth

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.prompts.breakpoints import Ttl
    from farthing.whatif.replay.choice import Caching, Choice, Levers
    from farthing.whatif.replay.outcome import Given
    from farthing.whatif.replay.rules import Found

NO_PRICE = "no exact price under this choice"
_NOTHING = Usage()
_ANY = Call(call_id="", sent_at=datetime(1970, 1, 1, tzinfo=UTC), source="", served=Served(model="", usage=_NOTHING))


class _Asked(NamedTuple):
    """A request whose prompt went through the cache, to be asked again by a ping."""

    given: Given
    levers: Levers
    to: Moved
    scope: Hashable
    prompt: tuple[list[int], list[int]]
    marks: list[tuple[int, Ttl]]


_Waiting = tuple[int, int, "tuple[Given, Levers, Moved] | tuple[_Asked, Due]"]


class Run:
    """
    One choice over a stream of calls.

    Args:
        choice: What is chosen.
        book: Prices.
        terms: The contract in force, which the choice's own replaces; None: list.
        each: Called with every outcome, in the order in which calls are worked on.
        group: Says in whose sums of the ceiling a call is; None: no ceiling is sought.

    """

    def __init__(
        self,
        choice: Choice,
        book: PriceBook,
        terms: ContractTerms | None,
        each: Callable[[Outcome], None] | None = None,
        group: Callable[[Call], Hashable] | None = None,
    ) -> None:
        self.step = Step(choice)
        self._group = group
        self._ceiling = None if group is None else Ceiling()
        self._choice = choice
        self._book = book
        self._terms = without_volume(choice.contract or terms)
        self._each = each
        self._cache = Cache()
        self._seen = Sightings()
        self._warmth = Warmth()
        self._waiting: list[_Waiting] = []
        self._number = 0
        self._levers = None if choice.dimensions else choice.levers_for(_ANY)
        self._new_terms = choice.contract is not None

    def finish(self) -> None:
        """After the last call: work on what still waits, and find the ceiling."""
        self.catch_up(None)
        if self._ceiling is not None:
            self.step.ceiling = self._ceiling.found()

    def take(self, given: Given) -> None:
        """The next call in order of sending."""
        levers = self._choice.levers_for(given.call) if self._levers is None else self._levers
        sent_us = moved.microseconds(given.call.sent_at)
        self.catch_up(sent_us)
        if levers is UNTURNED and not self._new_terms:
            bill, at = given.bill, given.call.sent_at
            self._book_call(Outcome(given.call, at, given.call.served, bill, given.pusd, bill.kind, bill), given)
            return
        found = moved.moved(given.call, levers, self._book)
        if isinstance(found, Stays):
            self._stay(given, found.reason)
        elif found.at == given.call.sent_at:
            self._work(given, levers, found)
        else:
            self.step.deferred += 1
            self._wait(moved.microseconds(found.at), (given, levers, found))

    def catch_up(self, now_us: int | None) -> None:
        """Work on everything that is due by then; None: on everything."""
        waiting = self._waiting
        while waiting and (now_us is None or waiting[0][0] <= now_us):
            at_us, _, task = heapq.heappop(waiting)
            if len(task) == 3:
                self._work(*task)
            else:
                self._ping(at_us, *task)

    def _wait(self, at_us: int, task: tuple[Given, Levers, Moved] | tuple[_Asked, Due]) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (at_us, self._number, task))

    def _work(self, given: Given, levers: Levers, to: Moved) -> None:
        caching = levers.cache
        usage, kind, marks = as_recorded(to)
        asked = None
        if caching is not None and caching.is_replayed:
            asked, found, began = self._through_cache(given, levers, to)
            if given.why_not is not None:
                self.step.cache_stays[given.why_not] += 1
            elif asked is not None and found is not None:
                usage, kind, marks = replayed_usage(usage, found), self._replayed_kind(asked, found), asked.marks
                kind = kind if began else weakest(kind, Kind.ASSUMED)
                self._count(found)
        served = to.served if usage is to.served.usage else msgspec.structs.replace(to.served, usage=usage)
        untouched = served is given.call.served and to.at == given.call.sent_at
        if untouched and not self._new_terms:
            self._count_ceiling(asked, None)
            self._book_call(
                Outcome(given.call, to.at, served, given.bill, given.pusd, given.bill.kind, given.bill), given
            )
            return
        bill = price_served(self._book, served, to.at)
        self._count_ceiling(asked, bill if marks is not None else None)
        if bill.list_pusd is None:
            self._stay(given, NO_PRICE)
            return
        kind = weakest(kind, bill.kind)
        pusd = amount(bill, to.at, self._terms)
        self.step.moved_calls += 1
        off = marks is not None and given.prompt is not None and given.prompt.is_calibrated
        outcome = Outcome(given.call, to.at, served, bill, pusd, kind, given.bill, marks=marks, is_calibrated=off)
        self._book_call(outcome, given)

    def _count_ceiling(self, asked: _Asked | None, bill: Bill | None) -> None:
        """Let the ceiling know of a prompt; without a *bill* of one replayed prompt it only warms the cache."""
        if self._ceiling is None or self._group is None or asked is None:
            return
        rates: Sequence[int | None] | None = None
        paid = 0
        if bill is not None and len(bill.components) == 1 and bill.components[0].billed:
            rates = bill.components[0].band.rates
            counts = prompt_counts(bill.components[0].usage)
            paid = sum(count * (rate or 0) for count, rate in zip(counts, rates, strict=False))
        at_us = moved.microseconds(asked.to.at)
        tokens_min = tokens_min_of(asked.to)
        group = self._group(asked.given.call)
        self._ceiling.take(
            asked.scope, asked.prompt, at_us, tokens_min=tokens_min, rates=rates, paid_pusd=paid, group=group
        )

    def _through_cache(self, given: Given, levers: Levers, to: Moved) -> tuple[_Asked | None, Found | None, bool]:
        """Run the rules for a call with blocks; whether it is known when its response began."""
        call, prompt, caching = given.call, given.prompt, levers.cache
        if prompt is None or caching is None:
            return None, None, True
        scope = moved.scope_of(call, to.served, to.model, to.at)
        keys = prompt.keys(moved.dials_under(call, to.served, to.model, levers))
        ends = prompt.ends(to.factor)
        at_us = moved.microseconds(to.at)
        seen_at = self._seen.longest(scope, keys, at_us) if caching.policy == "second_sight" else -1
        marks = breakpoints(caching, prompt, seen_at)
        began_ms, known = began(call, to)
        asked = _Asked(given, levers, to, scope, (keys, ends), marks)
        found = self._ask(asked, at_us, None if began_ms is None else at_us + 1000 * began_ms)
        self._keep_warm(caching, asked, found, at_us)
        return asked, found, known

    def _ask(self, asked: _Asked, at_us: int, begins_us: int | None) -> Found:
        tokens_min = tokens_min_of(asked.to)
        return self._cache.ask(
            asked.scope, asked.prompt, asked.marks, at_us=at_us, begins_us=begins_us, tokens_min=tokens_min
        )

    def _keep_warm(self, caching: Caching, asked: _Asked, found: Found, at_us: int) -> None:
        keys, ends = asked.prompt
        request = asked.given.call.request
        self._warmth.used(asked.scope, keys[: found.hit_at + 1])
        counted = [at for at, _ in asked.marks if ends[at] >= asked.to.tokens_min]
        batched = asked.to.served.service_tier == "batch"
        if not caching.pings or not counted or batched or request is None or request.thinking == "enabled":
            return
        due = self._warmth.begin(asked.scope, keys[counted[-1]], caching.pings)
        self._wait(at_us + caching.ping_every_s * 1_000_000, (asked, due))

    def _ping(self, at_us: int, asked: _Asked, due: Due) -> None:
        if not self._warmth.is_wanted(due):
            return
        given, levers, to = asked.given, asked.levers, asked.to
        at = moved.at_microseconds(at_us)
        began_ms, _ = began(given.call, to)
        found = self._ask(asked, at_us, at_us + 1000 * (began_ms or 0))
        usage = replayed_usage(_NOTHING, found)
        served = msgspec.structs.replace(
            to.served, usage=usage, stop_reason="max_tokens", refusal_category=None, output_started=False
        )
        bill = price_served(self._book, served, at)
        following = self._warmth.next(due)
        if following is not None and levers.cache is not None:
            self._wait(at_us + levers.cache.ping_every_s * 1_000_000, (asked, following))
        if bill.list_pusd is None:
            return
        kind = weakest(self._replayed_kind(asked, found), bill.kind)
        pusd = amount(bill, at, self._terms)
        step = self.step
        step.pings += 1
        step.pings_pusd += pusd
        step.saved_kinds_pusd[kind] -= pusd
        step.sums.add(bill, pusd, kind)
        if self._ceiling is not None and self._group is not None:
            self._ceiling.pinged(bill.list_pusd, self._group(given.call))
        if self._each is not None:
            self._each(Outcome(given.call, at, served, bill, pusd, kind, given.bill, is_ping=True, marks=asked.marks))

    def _replayed_kind(self, asked: _Asked, found: Found) -> Kind:
        """How sure replayed counts are: estimated prefixes, unpublished minima and caches of batches are not."""
        to, prompt = asked.to, asked.given.prompt
        uses_cache = found.hit_at >= 0 or bool(found.writes)
        assert prompt is not None, "it was replayed"
        is_doubtful = to.model.cacheable_prefix.tokens_min is None or to.served.service_tier == "batch"
        if prompt.is_calibrated and asked.prompt[1][-1] >= to.tokens_min:
            is_estimated = not prompt.is_sure_of({*(at for at, _ in asked.marks), found.hit_at} - {-1})
        else:
            is_estimated = False
        assumed = is_estimated or (is_doubtful and uses_cache)
        return weakest(Kind.DERIVED, to.kind, Kind.ASSUMED if assumed else Kind.DERIVED)

    def _count(self, found: Found) -> None:
        step = self.step
        step.replayed_calls += 1
        for at in range(len(FATES)):
            step.fate[at] += found.fate[at]

    def _stay(self, given: Given, reason: str) -> None:
        self.step.stays[reason] += 1
        call = given.call
        kept = Outcome(
            call, call.sent_at, call.served, given.bill, given.pusd, given.bill.kind, given.bill, stays=reason
        )
        self._book_call(kept, given)

    def _book_call(self, outcome: Outcome, given: Given) -> None:
        step = self.step
        step.sums.add(outcome.bill, outcome.pusd, outcome.kind)
        step.saved_kinds_pusd[outcome.kind] += given.pusd - outcome.pusd
        if self._each is not None:
            self._each(outcome)
