"""
Caching policies tried on every route at once, in the one pass that also measures.

Each candidate is a cache of its own that takes all calls, so that prompts which several routes share are shared. What a
call costs under it is added to its route, by part of the time, so that a policy can be chosen on the first part and
judged on the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.whatif.levers.fronts import stable
from farthing.whatif.levers.route import route_of
from farthing.whatif.levers.sketch import OverTime
from farthing.whatif.levers.trial import Trial, asked_of, priced
from farthing.whatif.replay.choice import Caching, Choice
from farthing.whatif.replay.moved import microseconds
from farthing.whatif.replay.rules import FATES
from farthing.whatif.replay.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.prices.book import PriceBook
    from farthing.whatif.levers.route import Route
    from farthing.whatif.levers.sketch import Ruler
    from farthing.whatif.replay.outcome import Given, Outcome
    from farthing.whatif.replay.rules import Found

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
        calls: How many calls. estimated: of them, with block lengths that are estimates, fitted to what was measured.
        recorded: What they cost, over time. under: per candidate, the same.
        fate: Prompt tokens of calls with breakpoints, by what became of them under those.
        missed_pusd: Per fate, what they cost more than reading them would have; zero for the first and the last two.
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
    """The candidates over one stream of calls."""

    def __init__(self, book: PriceBook, ruler: Ruler) -> None:
        self.of: dict[Route, Tried] = {}
        self._book = book
        self._ruler = ruler
        self._caches = {name: Trial(one) for name, one in CANDIDATES.items() if not one.pings}
        self._warmed = [
            Run(Choice.of(cache=one), book, None, self._counted(name)) for name, one in CANDIDATES.items() if one.pings
        ]
        self._repaired = {name: Trial(CANDIDATES[name]) for name in REPAIRED}

    def take(self, given: Given, at_us: int, changes_at: int | None) -> None:
        """
        Take one call whose prompt can be replayed.

        Args:
            given: The call.
            at_us: When it was sent.
            changes_at: The position of the block that changes from call to call on its route; None: none does.

        """
        asked = asked_of(given, self._book, at_us)
        if asked is None:
            return
        route = route_of(given.call)
        tried = self.of.get(route)
        if tried is None:
            tried = self.of[route] = Tried(self._ruler)
        tried.calls += 1
        tried.estimated += asked.prompt.is_calibrated
        tried.knows_begin &= given.call.ttft_ms is not None
        tried.recorded.add(at_us, given.pusd)
        for name, trial in self._caches.items():
            found = trial.take(asked)
            tried.under[name].add(at_us, priced(given, found))
            if name == AS_MARKED and asked.prompt.marks:
                _note_misses(tried, given, found)
        for run in self._warmed:
            run.take(given)
        if changes_at is not None:
            tried.repaired_calls += 1
            tried.repaired_from_pusd += given.pusd
            repaired = _repaired(given, changes_at)
            asked = asked_of(repaired, self._book, at_us)
            assert asked is not None, "it was replayed as it is"
            for name, trial in self._repaired.items():
                tried.repaired[name] += priced(given, trial.take(asked))

    def finish(self) -> None:
        """Work on what still waits: pings that are due after the last call."""
        for run in self._warmed:
            run.catch_up(None)

    def _counted(self, name: str) -> Callable[[Outcome], None]:
        def each(outcome: Outcome) -> None:
            self.of[route_of(outcome.call)].under[name].add(microseconds(outcome.at), outcome.pusd)

        return each


def _repaired(given: Given, changes_at: int) -> Given:
    """The same call with a constant block at *changes_at*; its blocks are as long as they were."""
    call = stable(given.call, changes_at)
    request = call.request
    if request is None or given.prompt is None:
        return given
    hashes = [int.from_bytes(block.prefix_hash) for block in request.blocks]
    return given._replace(call=call, prompt=given.prompt._replace(hashes=hashes))


def _note_misses(tried: Tried, given: Given, found: Found) -> None:
    """What became of one call's prompt under its own breakpoints, and what each miss cost."""
    for at, tokens in enumerate(found.fate):
        tried.fate[at] += tokens
    tried.marked += 1
    tried.below_minimum += found.fate[5] > 0 and not found.read_tokens
    written = found.write_5m_tokens + found.write_1h_tokens
    if not written or not given.bill.components:
        return
    _, write_5m, write_1h, read, _ = given.bill.components[0].band.rates
    paid = found.write_5m_tokens * (write_5m or 0) + found.write_1h_tokens * (write_1h or 0)
    for at in (2, 3, 4):
        if found.fate[at]:
            tried.missed_pusd[at] += found.fate[at] * paid // written - found.fate[at] * (read or 0)
