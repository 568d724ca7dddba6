"""
Who goes next when not all can: a fair queue over parties, with weights, deadlines and a bound. Pure.

Start-time fair queueing: each call has a virtual start, its party's last one plus what that call cost over the party's
weight, and the smallest start goes first. Between two parties that both wait all the time, what they got over their
weights never differs by more than one call of each. A party that comes back has no credit from the time it was away.

A call that does not fit yet keeps its place: later ones may pass it only where they need none of what it waits for. So
a large call is not starved by small ones. Calls of one party with other turnstiles (another model, say) stand in a line
of their own.

Source: Goyal, Vin and Cheng, "Start-time Fair Queuing", 1996: the order and its bound.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.limits.sizes import Size
    from farthing.limits.turnstile import Hold, Turnstile


class Place(NamedTuple):
    """A line of calls: whose, and before which turnstiles."""

    party: str
    turnstiles: tuple[Turnstile, ...]


class Waiting:
    """
    One call that waits.

    Args:
        place: Its line.
        size: What it will take of the turnstiles. cost: the same as one figure, > 0, which fairness counts.
        weight: Of its party, > 0.
        deadline: When it has waited long enough.

    Attributes:
        holds: What its turnstiles gave, in their order, once it was let through.

    """

    __slots__ = ("cost", "deadline", "holds", "number", "place", "size", "weight")

    def __init__(self, place: Place, size: Size, deadline: float, *, cost: float = 1.0, weight: float = 1.0) -> None:
        assert cost > 0, "a call that costs nothing would never stop being first"
        assert weight > 0, "a party without weight would never be served"
        self.place = place
        self.size = size
        self.cost = cost
        self.weight = weight
        self.deadline = deadline
        self.number = 0
        self.holds: list[Hold] = []


class _Line:
    __slots__ = ("calls", "place", "start")

    def __init__(self, place: Place, start: float) -> None:
        self.place = place
        self.start = start
        self.calls: dict[Waiting, None] = {}

    @property
    def head(self) -> Waiting:
        return next(iter(self.calls))


class FairQueue:
    """
    Calls that wait for turnstiles.

    Args:
        length_max: How many may wait. One more drops the call nearest its deadline from the longest line, so that a
            party that floods the queue pushes out its own.

    Attributes:
        wakes_at: When to ask again, as the latest :meth:`admit` found; infinite where only an event can help.

    """

    def __init__(self, length_max: int = 1000) -> None:
        self.wakes_at = math.inf
        self._length_max = length_max
        self._lines: dict[Place, _Line] = {}
        self._groups: dict[tuple[Turnstile, ...], list[tuple[float, int, _Line]]] = {}
        self._finish: dict[Place, float] = {}
        self._deadlines: list[tuple[float, int, Waiting]] = []
        self._virtual = 0.0
        self._length = 0
        self._number = 0

    def __len__(self) -> int:
        return self._length

    def put(self, waiting: Waiting, *, stays: bool = True) -> Waiting | None:
        """
        Let a call wait; the one that had to go for it where the queue was full, which may be itself.

        Who does not stay, because its deadline has come already and it only asks whether it is its turn, pushes out
        nobody.
        """
        self._number += 1
        waiting.number = self._number
        line = self._lines.get(waiting.place)
        if line is None:
            start = max(self._virtual, self._finish.pop(waiting.place, 0.0))
            line = self._lines[waiting.place] = _Line(waiting.place, start)
            heapq.heappush(self._groups.setdefault(waiting.place.turnstiles, []), (start, self._number, line))
        line.calls[waiting] = None
        heapq.heappush(self._deadlines, (waiting.deadline, waiting.number, waiting))
        self._length += 1
        if self._length <= self._length_max or not stays:
            return None
        longest = max(self._lines.values(), key=lambda one: len(one.calls) / one.head.weight)
        dropped = min(longest.calls, key=lambda one: (one.deadline, one.number))
        self.remove(dropped)
        return dropped

    def wait_before(self, turnstiles: Sequence[Turnstile]) -> bool:
        """Whether a call waits that needs one of these."""
        return any(one in turnstiles for place in self._lines for one in place.turnstiles)

    def remove(self, waiting: Waiting) -> None:
        """Forget a call that no longer waits; its line keeps its turn. Nothing happens where it waits no more."""
        line = self._lines.get(waiting.place)
        if line is None or waiting not in line.calls:
            return
        del line.calls[waiting]
        self._left(waiting.place, line)

    def expired(self, now: float) -> list[Waiting]:
        """The calls whose deadline has come, in that order; they wait no more."""
        found = []
        while self._deadlines and self._deadlines[0][0] <= now:
            waiting = heapq.heappop(self._deadlines)[2]
            if self._waits(waiting):
                self.remove(waiting)
                found.append(waiting)
        return found

    def admit(self, now: float) -> list[Waiting]:
        """Let through every call whose turn it is and that fits, in order; each takes what it needs."""
        admitted: list[Waiting] = []
        shut: set[int] = set()
        self.wakes_at = math.inf
        fronts = [
            (*group[0][:2], turnstiles) for turnstiles in tuple(self._groups) if (group := self._group(turnstiles))
        ]
        heapq.heapify(fronts)
        while fronts:
            start, _, turnstiles = heapq.heappop(fronts)
            line = self._groups[turnstiles][0][2]
            waiting = line.head
            if not self._fits(waiting, now, shut):
                continue  # nor does anybody behind it: they need the same
            waiting.holds = [turnstile.take(waiting.size, now) for turnstile in turnstiles]
            admitted.append(waiting)
            self._virtual = max(self._virtual, start)
            self._serve(line, waiting)
            if group := self._group(turnstiles):
                heapq.heappush(fronts, (*group[0][:2], turnstiles))
        self._wake_for_deadlines()
        return admitted

    def _group(self, turnstiles: tuple[Turnstile, ...]) -> list[tuple[float, int, _Line]]:
        """The lines before the same turnstiles, the first of them in front; lines that emptied are forgotten."""
        group = self._groups[turnstiles]
        while group and not group[0][2].calls:
            heapq.heappop(group)
        if len(group) > 2 * len(self._lines) + 64:
            group[:] = [one for one in group if one[2].calls]
            heapq.heapify(group)
        if not group:
            del self._groups[turnstiles]
        return group

    def _serve(self, line: _Line, waiting: Waiting) -> None:
        """Take the head off the first line of its group; the next one's turn is later by what it cost."""
        group = self._groups[line.place.turnstiles]
        heapq.heappop(group)
        del line.calls[waiting]
        line.start += waiting.cost / waiting.weight
        if line.calls:
            heapq.heappush(group, (line.start, line.head.number, line))
        self._left(line.place, line)

    def _fits(self, waiting: Waiting, now: float, shut: set[int]) -> bool:
        """Whether a call fits now; what it waits for is shut for those behind it."""
        turnstiles = waiting.place.turnstiles
        if any(id(turnstile) in shut for turnstile in turnstiles):
            return False
        fits = True
        for turnstile in turnstiles:
            wait_s = turnstile.wait_s(waiting.size, now)
            if wait_s > 0:
                fits = False
                shut.add(id(turnstile))
                self.wakes_at = min(self.wakes_at, now + wait_s)
        return fits

    def _wake_for_deadlines(self) -> None:
        while self._deadlines and not self._waits(self._deadlines[0][2]):
            heapq.heappop(self._deadlines)
        if self._deadlines:
            self.wakes_at = min(self.wakes_at, self._deadlines[0][0])
        if len(self._deadlines) > 2 * self._length + 64:
            self._deadlines = [one for one in self._deadlines if self._waits(one[2])]
            heapq.heapify(self._deadlines)

    def _waits(self, waiting: Waiting) -> bool:
        line = self._lines.get(waiting.place)
        return line is not None and waiting in line.calls

    def _left(self, place: Place, line: _Line) -> None:
        """One call less; what is remembered of parties without calls is bounded by those that may still owe."""
        self._length -= 1
        if not line.calls:
            del self._lines[place]
            self._finish[place] = line.start
        if not self._lines:
            self._finish.clear()
            self._virtual = 0.0
        elif len(self._finish) > len(self._lines) + 64:
            self._finish = {one: at for one, at in self._finish.items() if at > self._virtual}


def waits(turnstiles: Sequence[Turnstile], size: Size, now: float) -> list[tuple[Turnstile, float]]:
    """The turnstiles that hold a call back now, with how long."""
    return [(turnstile, wait_s) for turnstile in turnstiles if (wait_s := turnstile.wait_s(size, now)) > 0]
