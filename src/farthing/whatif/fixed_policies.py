"""
Caching policies that need no learning, replayed call by call.

An entry is live while ``now - last use <= lifetime``; a read is a use; nothing is read unless all before it is. Where
an entry stands at every block boundary (*always*, *second sight*) a call reads the longest live prefix and restarts all
of it. An *end* breakpoint writes one entry, at the last full block; a later call reads the longest entry on its path,
which alone is restarted, and its partial last block is plain input.

Two simplifications against the API, both on the side of the policy: a breakpoint finds entries at any distance (the API
looks back 20 content blocks, and a trace does not say where those end), and an entry is readable at once.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Protocol

from farthing.whatif.charges import FIVE_MINUTES, NEVER_MS, ONE_HOUR, Charge, Lifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farthing.whatif.prefixes import PrefixTree, Visit


class Policy(Protocol):
    """Decides call by call; knows nothing of the calls to come."""

    def take(self, visit: Visit) -> Charge:
        """What this call's prompt is charged; afterwards the cache is as the call left it."""
        ...


class Uncached:
    """No breakpoints at all."""

    def take(self, visit: Visit) -> Charge:
        """Plain input."""
        return Charge(visit.input_tokens)


class Always:
    """A breakpoint wherever one may stand, in every call."""

    def __init__(self, tree: PrefixTree, lifetime: Lifetime) -> None:
        self._tokens = tree.tokens
        self._used_ms = array("q", [NEVER_MS]) * tree.nodes
        self._lifetime = lifetime

    def take(self, visit: Visit) -> Charge:
        """Read what is live from the front on, write the rest."""
        read = written = 0
        used_ms, tokens = self._used_ms, self._tokens
        oldest_ms = visit.at_ms - self._lifetime.ms
        reading = True
        for node in visit.path:
            reading = reading and used_ms[node] >= oldest_ms
            used_ms[node] = visit.at_ms
            if reading:
                read += tokens[node]
            else:
                written += tokens[node]
        return _charge(visit, read, written, self._lifetime)


class SecondSight:
    """As :class:`Always`, but a block is written only where it was seen within the last hour."""

    def __init__(self, tree: PrefixTree, lifetime: Lifetime, sight: Lifetime = ONE_HOUR) -> None:
        self._tokens = tree.tokens
        self._used_ms = array("q", [NEVER_MS]) * tree.nodes
        self._seen_ms = array("q", [NEVER_MS]) * tree.nodes
        self._lifetime = lifetime
        self._sight = sight

    def take(self, visit: Visit) -> Charge:
        """Read what is live, write what was seen, leave the rest."""
        read = written = 0
        used_ms, seen_ms, tokens = self._used_ms, self._seen_ms, self._tokens
        oldest_ms = visit.at_ms - self._lifetime.ms
        sight_ms = visit.at_ms - self._sight.ms
        reading = True
        for node in visit.path:
            reading = reading and used_ms[node] >= oldest_ms
            if reading:
                read += tokens[node]
                used_ms[node] = visit.at_ms
            elif seen_ms[node] >= sight_ms:
                written += tokens[node]
                used_ms[node] = visit.at_ms
            seen_ms[node] = visit.at_ms
        return _charge(visit, read, written, self._lifetime)


class End:
    """One breakpoint, at the last full block."""

    def __init__(self, tree: PrefixTree, lifetime: Lifetime) -> None:
        self._tokens = tree.tokens
        self._used_ms = array("q", [NEVER_MS]) * tree.nodes
        self._lifetime = lifetime

    def take(self, visit: Visit) -> Charge:
        """Read up to the longest live entry, write from there to the last full block."""
        if not visit.full:
            return Charge(visit.input_tokens)
        used_ms = self._used_ms
        path = visit.path[: visit.full]
        oldest_ms = visit.at_ms - self._lifetime.ms
        hit = next((i for i in range(len(path), 0, -1) if used_ms[path[i - 1]] >= oldest_ms), 0)
        if hit:
            used_ms[path[hit - 1]] = visit.at_ms
        used_ms[path[-1]] = visit.at_ms
        read = sum(self._tokens[node] for node in path[:hit])
        written = sum(self._tokens[node] for node in path[hit:])
        return _charge(visit, read, written, self._lifetime)


FIXED: Mapping[str, Callable[[PrefixTree], Policy]] = {
    "none": lambda _tree: Uncached(),
    "always_5m": lambda tree: Always(tree, FIVE_MINUTES),
    "always_1h": lambda tree: Always(tree, ONE_HOUR),
    "end_5m": lambda tree: End(tree, FIVE_MINUTES),
    "end_1h": lambda tree: End(tree, ONE_HOUR),
    "second_sight_5m": lambda tree: SecondSight(tree, FIVE_MINUTES),
}
"""By name, in the order in which they are shown."""


def replay(tree: PrefixTree, policies: Mapping[str, Policy], *, charged_from_ms: int = NEVER_MS) -> dict[str, Charge]:
    """
    What each policy is charged for the calls from *charged_from_ms* on; earlier ones only fill its cache.

    One walk over the trace, whatever the number of policies.
    """
    sums = {name: [0, 0, 0, 0] for name in policies}
    steps = [(policy.take, sums[name]) for name, policy in policies.items()]
    for visit in tree.visits():
        counted = visit.at_ms >= charged_from_ms
        for take, total in steps:
            charge = take(visit)
            if counted:
                total[0] += charge[0]
                total[1] += charge[1]
                total[2] += charge[2]
                total[3] += charge[3]
    return {name: Charge(*total) for name, total in sums.items()}


def _charge(visit: Visit, read: int, written: int, lifetime: Lifetime) -> Charge:
    plain = visit.input_tokens - read - written
    return Charge(plain, written, 0, read) if lifetime is FIVE_MINUTES else Charge(plain, 0, written, read)
