"""Where a caching policy puts breakpoints on a prompt. Knows only the calls before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.whatif.replay.choice import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from farthing.prompts.breakpoints import Ttl
    from farthing.whatif.replay.choice import Caching
    from farthing.whatif.replay.prompt import Prompt

SEEN_WITHIN_US = 3_600_000_000
_FORGET_FIRST = 65_536


class Sightings:
    """When each prefix was last in a prompt, per scope; forgets after an hour."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Hashable, int], int] = {}
        self._forget_at = _FORGET_FIRST

    def longest(self, scope: Hashable, keys: Sequence[int], at_us: int) -> int:
        """The last position of *keys* that was seen within the hour before, -1 for none. Afterwards all are seen."""
        seen, found = self._seen, -1
        for at, key in enumerate(keys):
            here = (scope, key)
            if at_us - seen.get(here, at_us - SEEN_WITHIN_US - 1) <= SEEN_WITHIN_US:
                found = at
            seen[here] = at_us
        if len(seen) > self._forget_at:
            self._seen = {one: last for one, last in seen.items() if at_us - last <= SEEN_WITHIN_US}
            self._forget_at = max(_FORGET_FIRST, 2 * len(self._seen))
        return found


def breakpoints(caching: Caching, prompt: Prompt, seen_at: int = -1) -> list[tuple[int, Ttl]]:
    """
    Position and lifetime of each breakpoint that *caching* puts on a prompt, ascending.

    Args:
        caching: Any policy but ``as_recorded``.
        prompt: The prompt, as recorded.
        seen_at: For ``second_sight``: the longest prefix seen, see :meth:`Sightings.longest`.

    """
    if caching.policy == "as_marked":
        if caching.ttl is None:
            return prompt.marks
        return [(at, _ttl(caching, prompt, at)) for at, _ in prompt.marks]
    return [(at, _ttl(caching, prompt, at)) for at in _positions(caching, prompt, seen_at)]


def _positions(caching: Caching, prompt: Prompt, seen_at: int) -> list[int]:
    last = len(prompt.cacheable) - 1
    match caching.policy:
        case "automatic":
            return _back_from(prompt, last)
        case "end":
            return _back_from(prompt, last - 1)
        case "second_sight":
            return _back_from(prompt, seen_at)
        case "fixed":
            return sorted({at for place in caching.places for at in _place(prompt, place)})
    return []


def _place(prompt: Prompt, place: str | int) -> list[int]:
    if isinstance(place, int):
        at = place if place >= 0 else len(prompt.cacheable) + place
        return [at] if 0 <= at < len(prompt.cacheable) and prompt.cacheable[at] else []
    section = SECTIONS.index(place)
    inside = [at for at, one in enumerate(prompt.sections) if one == section and prompt.cacheable[at]]
    return inside[-1:]


def _back_from(prompt: Prompt, at: int) -> list[int]:
    """The last position up to *at* that may carry a breakpoint."""
    while at >= 0 and not prompt.cacheable[at]:
        at -= 1
    return [at] if at >= 0 else []


def _ttl(caching: Caching, prompt: Prompt, at: int) -> Ttl:
    if caching.ttl == "mixed":
        return "5m" if prompt.sections[at] == SECTIONS.index("messages") else "1h"
    return caching.ttl or "5m"
