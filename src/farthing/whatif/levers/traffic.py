"""
Traffic: what the finders look at, made in one pass over the calls.

Memory grows with routes and with what was sent in the last hour, not with the calls: per route sums, sketches and a few
ids are kept, and no prompt longer than a cache could have kept it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput
from farthing.ledger.interface import Stored
from farthing.prices.engine import price_served
from farthing.whatif.levers.fronts import changing_place, note_break
from farthing.whatif.levers.measures import Measures, Turns, paid_between
from farthing.whatif.levers.policies import Policies, Tried
from farthing.whatif.levers.repeats import Repeats
from farthing.whatif.levers.route import Route, route_of
from farthing.whatif.levers.sketch import Ruler
from farthing.whatif.levers.streams import Last, Streams, stream_key
from farthing.whatif.levers.writes import Writes
from farthing.whatif.replay.lengths import Lengths
from farthing.whatif.replay.moved import microseconds
from farthing.whatif.replay.replay import given_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from farthing.call import Call, PromptBlock
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook

ROUTES_MAX = 1000
"""Routes that are told apart; calls of any further one only count in the whole bill."""
TRIM_AFTER_TURNS = 20
"""Assumption: what was said more than so many turns ago is what one would trim first."""
CALLS_MIN = 30
"""Fewer calls of a route prove no habit."""
WORTH_SAYING = 0.001
"""What comes to less than this share of the whole bill is left out."""
_TURNS_MAX = 64


class Traffic(NamedTuple):
    """
    Calls, measured.

    Attributes:
        book: Prices.
        routes: What is known of each route, in the order of their first calls.
        tried: Caching policies per route, of calls whose prompts were recorded.
        ruler: The parts of time in which those are summed.
        calls, pusd: All of them, and what the priced ones cost at list.
        first_us, last_us: When the first and the last one was sent, in microseconds since 1970.

    """

    book: PriceBook
    routes: dict[Route, Measures]
    tried: dict[Route, Tried]
    ruler: Ruler
    calls: int
    pusd: int
    first_us: int
    last_us: int

    @property
    def days(self) -> float:
        """How long it is, at least an hour, in days."""
        return max(self.last_us - self.first_us, 3_600_000_000) / 86_400_000_000

    @property
    def habits(self) -> list[Measures]:
        """Routes with enough calls to have one, the dearest first."""
        enough = [one for one in self.routes.values() if one.calls >= CALLS_MIN]
        return sorted(enough, key=lambda one: (-one.pusd, one.route))

    def is_worth_saying(self, pusd: float) -> bool:
        """Whether so much is more than a trifle of the whole bill."""
        return pusd > 0 and pusd >= self.pusd * WORTH_SAYING


def traffic_of(calls: Iterable[Call | Stored], book: PriceBook, *, tries: bool = True) -> Traffic:
    """
    Measure calls.

    Args:
        calls: In order of ``sent_at``.
        book: Prices.
        tries: Whether caching policies are tried on them, which takes most of the time; ``tried`` is empty otherwise.

    Raises:
        BadInput: A call was sent before the one before it.

    """
    meter = _Meter(book, tries=tries)
    for one in calls:
        meter.take(one.call if isinstance(one, Stored) else one)
    return meter.traffic()


class _Meter:
    def __init__(self, book: PriceBook, *, tries: bool) -> None:
        self._book = book
        self._tries = tries
        self._routes: dict[Route, Measures] = {}
        self._policies: Policies | None = None
        self._ruler = Ruler(0)
        self._streams = Streams()
        self._sessions = Streams()
        self._writes = Writes()
        self._repeats = Repeats()
        self._lengths = Lengths()
        self._calls = 0
        self._pusd = 0
        self._first_us = 0
        self._last_us = 0

    def take(self, call: Call) -> None:
        at_us = microseconds(call.sent_at)
        if self._policies is None:
            self._first_us, self._last_us, self._ruler = at_us, at_us, Ruler(at_us)
            self._policies = Policies(self._book, self._ruler)
        if at_us < self._last_us:
            raise BadInput("read a call that was sent before the one before it", "calls in order of time")
        self._last_us = at_us
        self._calls += 1
        bill = price_served(self._book, call.served, call.sent_at)
        pusd = bill.list_pusd
        self._pusd += pusd or 0
        if call.served.calls_in_total != 1:
            return  # a total of several calls has no habits
        route = route_of(call)
        measures = self._routes.get(route)
        if measures is None:
            if len(self._routes) >= ROUTES_MAX:
                return
            measures = self._routes[route] = Measures(route)
        measures.add(call, at_us)
        rates = bill.components[0].band.rates if bill.components else (None,) * 5
        self._beside_the_last(call, measures, rates, at_us)
        if pusd is None:
            return
        measures.add_price(call, bill, rates)
        self._writes.add(call, measures, rates, at_us)
        self._repeats.add(call, measures, pusd, at_us)
        if self._tries:
            self._try(call, bill, pusd, measures, at_us)

    def _try(self, call: Call, bill: Bill, pusd: int, measures: Measures, at_us: int) -> None:
        given = given_of(call, bill, pusd, self._lengths)
        if given.why_not is None and self._policies is not None:
            place = changing_place(measures)
            self._policies.take(given, at_us, place.position if place is not None and place.position >= 0 else None)

    def _beside_the_last(self, call: Call, measures: Measures, rates: Sequence[int | None], at_us: int) -> None:
        key = stream_key(call)
        blocks = call.request.blocks if call.request is not None else ()
        seen = self._streams.see(call, at_us, key)
        turn, early = 1, 0
        if seen is not None:
            repeats = bool(blocks) and seen.shared == len(blocks)
            if key[0] and seen.carries_on and not repeats:
                seen.last.measures.answered_into += 1
            note_break(measures, call, seen)
            if key[0] and blocks and seen.carries_on:
                turn, early = seen.last.turn + (not repeats), seen.last.early_tokens
        if key[0] and blocks:
            said = blocks[: seen.shared] if seen is not None and turn > 1 else ()
            early = _note_turn(call, measures, rates, turn, (early, said))
        self._streams.keep(key, Last(measures, at_us, blocks, turn, early))
        if key[0]:
            self._of_other_routes(call, measures, at_us)

    def _of_other_routes(self, call: Call, measures: Measures, at_us: int) -> None:
        """Another route's call in the same session may have waited for the answer before it."""
        key = (call.dims["session"],)
        seen = self._sessions.see(call, at_us, key)
        if seen is not None and seen.last.measures is not measures:
            seen.last.measures.answered_into += 1
        self._sessions.keep(key, Last(measures, at_us, (), 0, 0))

    def traffic(self) -> Traffic:
        if self._policies is not None:
            self._policies.finish()
        return Traffic(
            self._book,
            self._routes,
            {} if self._policies is None else self._policies.of,
            self._ruler,
            self._calls,
            self._pusd,
            self._first_us,
            self._last_us,
        )


def _note_turn(
    call: Call, measures: Measures, rates: Sequence[int | None], turn: int, so_far: tuple[int, Sequence[PromptBlock]]
) -> int:
    """
    Count a turn of a conversation; return its history as of the last turn that nobody would trim.

    *so_far*: that figure as of the turn before, and the blocks that this prompt shares with that one's.
    """
    early, said = so_far
    front = sum(block.tokens for block in said if block.section != "messages")
    history = sum(block.tokens for block in said) - front
    turns = measures.turns.get(min(turn, _TURNS_MAX))
    if turns is None:
        turns = measures.turns[min(turn, _TURNS_MAX)] = Turns()
    turns.calls += 1
    turns.prompt_tokens += call.served.usage.prompt_tokens
    turns.history_tokens += history
    if turn <= TRIM_AFTER_TURNS:
        return history
    extra = max(0, history - early)
    if extra:
        measures.trimmed_tokens += extra
        measures.trimmed_pusd += paid_between(call.served.usage, rates, front, front + extra)
        measures.evidence["trimmed"].add(extra, call.call_id)
    return early
