"""
Caching policies tried on every route at once, in the one pass that also measures.

Each candidate is a replay of all calls under one policy (:class:`farthing.whatif.replay.run.Run`), so that prompts
which several routes share are shared. What a call costs under it is added to its route, by part of the time, so that a
policy can be chosen on the first part and judged on the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.whatif.levers.fronts import stable
from farthing.whatif.levers.route import route_of
from farthing.whatif.levers.sketch import OverTime
from farthing.whatif.replay.choice import Caching, Choice
from farthing.whatif.replay.moved import microseconds
from farthing.whatif.replay.replay import given_of
from farthing.whatif.replay.rules import FATES
from farthing.whatif.replay.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.prices.book import PriceBook
    from farthing.whatif.levers.route import Route
    from farthing.whatif.levers.sketch import Ruler
    from farthing.whatif.replay.run import Given, Outcome

AS_MARKED = "as_marked"
NONE = "none"
CANDIDATES: dict[str, Caching] = {
    AS_MARKED: Caching("as_marked"),
    NONE: Caching("none"),
    "automatic 5m": Caching("automatic", ttl="5m"),
    "automatic 1h": Caching("automatic", ttl="1h"),
    "system 5m": Caching("fixed", ("tools", "system"), "5m"),
    "system 1h": Caching("fixed", ("tools", "system"), "1h"),
    "system and end": Caching("fixed", ("tools", "system", -1), "5m"),
    "system 1h and end 5m": Caching("fixed", ("tools", "system", -1), "mixed"),
    "second sight": Caching("second_sight", ttl="5m"),
    "system kept warm": Caching("fixed", ("tools", "system"), "5m", pings=12),
}
"""What is tried; :data:`AS_MARKED` is the replay of what was done, against which a gain must hold as well."""
REPAIRED = ("as_marked", "automatic 5m", "system 5m")
"""What is tried where a front that changes is repaired."""


class Tried:
    """
    One route under the candidates, calls with replayable prompts alone.

    Attributes:
        calls: How many calls. estimated: of them, with block lengths that had to be scaled to the measured prompt.
        recorded: What they cost, over time. under: per candidate, the same.
        fate: Prompt tokens by what became of them under the recorded breakpoints. missed_pusd: per fate, what they cost
            more than reading them would have; zero for the first and the last two.
        marked, below_minimum: Calls with breakpoints, and of them those where all were too early to count.
        knows_begin: Whether it is known for all calls when their response began.
        repaired_calls, repaired_from_pusd: Calls with a changing front, and what they cost. repaired: per candidate of
            :data:`REPAIRED`, what they would if it did not change.

    """

    def __init__(self, ruler: Ruler) -> None:
        self.calls = 0
        self.estimated = 0
        self.recorded = OverTime(ruler)
        self.under = {name: OverTime(ruler) for name in CANDIDATES}
        self.fate = [0] * len(FATES)
        self.missed_pusd = [0] * len(FATES)
        self.marked = 0
        self.below_minimum = 0
        self.knows_begin = True
        self.repaired_calls = 0
        self.repaired_from_pusd = 0
        self.repaired = dict.fromkeys(REPAIRED, 0)


class Policies:
    """The candidates' replays over one stream of calls."""

    def __init__(self, book: PriceBook, ruler: Ruler) -> None:
        self.of: dict[Route, Tried] = {}
        self._book = book
        self._ruler = ruler
        self._runs = [
            Run(Choice.of(cache=caching), book, None, self._counted(name)) for name, caching in CANDIDATES.items()
        ]
        self._repairs = [Run(Choice.of(cache=CANDIDATES[name]), book, None, self._repair(name)) for name in REPAIRED]
        self._fate = [0] * len(FATES)

    def take(self, given: Given, at_us: int, changes_at: int | None) -> None:
        """
        Take one call whose prompt can be replayed.

        Args:
            given: The call.
            at_us: When it was sent.
            changes_at: The position of the block that changes from call to call on its route; None: none does.

        """
        route = route_of(given.call)
        tried = self.of.get(route)
        if tried is None:
            tried = self.of[route] = Tried(self._ruler)
        assert given.prompt is not None, "it can be replayed"
        tried.calls += 1
        tried.estimated += given.prompt.is_calibrated
        tried.knows_begin &= given.call.ttft_ms is not None
        tried.recorded.add(at_us, given.pusd)
        for run in self._runs:
            run.take(given)
        if changes_at is not None:
            tried.repaired_calls += 1
            tried.repaired_from_pusd += given.pusd
            call = stable(given.call, changes_at)
            repaired = given_of(call, given.bill, given.pusd)
            for run in self._repairs:
                run.take(repaired)

    def finish(self) -> None:
        """Work on what still waits: pings that are due after the last call."""
        for run in (*self._runs, *self._repairs):
            run.catch_up(None)

    def _counted(self, name: str) -> Callable[[Outcome], None]:
        def each(outcome: Outcome) -> None:
            tried = self.of[route_of(outcome.call)]
            tried.under[name].add(microseconds(outcome.at), outcome.pusd)
            if name == AS_MARKED:
                self._misses(tried, outcome)

        return each

    def _repair(self, name: str) -> Callable[[Outcome], None]:
        def each(outcome: Outcome) -> None:
            self.of[route_of(outcome.call)].repaired[name] += outcome.pusd

        return each

    def _misses(self, tried: Tried, outcome: Outcome) -> None:
        """What became of one call's prompt under its own breakpoints, and what each miss cost."""
        now = self._runs[0].step.fate
        found = [new - old for new, old in zip(now, self._fate, strict=True)]
        self._fate = list(now)
        for at, tokens in enumerate(found):
            tried.fate[at] += tokens
        if not outcome.marks:
            return
        tried.marked += 1
        tried.below_minimum += found[5] > 0 and not found[0]
        usage = outcome.served.usage
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        if not written or not outcome.bill.components:
            return
        _, write_5m, write_1h, read, _ = outcome.bill.components[0].band.rates
        paid = usage.cache_write_5m_tokens * (write_5m or 0) + usage.cache_write_1h_tokens * (write_1h or 0)
        for at in (2, 3, 4):
            if found[at]:
                tried.missed_pusd[at] += found[at] * paid // written - found[at] * (read or 0)
