"""
What a file shows, and which calls it owns.

A response may be shown by several files. It is owned by the file of its earliest line (outside side chains where there
is one), and counted there alone.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import ErrorRecord
from farthing.sources.claude_code.discovery import Found
from farthing.sources.claude_code.sighting import Key, Origin, Sighting, merge, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ERRORS_PER_FILE_MAX = 200


class FileState(msgspec.Struct, frozen=True, array_like=True):
    """
    What is known of a file after reading it.

    Attributes:
        file: As it was when reading began.
        offset: Bytes read; what follows is an unfinished line.
        tail: Digest of the last bytes before *offset*.
        usage_lines: Lines that were counted, copies included.
        skipped: Lines that were no API responses.
        errors: Lines that could not be read, at most :data:`ERRORS_PER_FILE_MAX`.

    """

    file: Found
    offset: int = 0
    tail: bytes = b""
    usage_lines: int = 0
    skipped: int = 0
    errors: tuple[ErrorRecord, ...] = ()


class Shown(msgspec.Struct, array_like=True):
    """Sightings of one or several files, merged; their origins number *origins*."""

    origins: list[Origin] = []
    sightings: list[tuple[Key, Sighting]] = []

    @property
    def message_ids(self) -> list[str]:
        """Messages that are shown, sorted."""
        return sorted({key[0] for key, _ in self.sightings})


def joined(parts: Iterable[Shown]) -> Shown:
    """What several files show together."""
    origins: list[Origin] = []
    numbers: dict[Origin, int] = {}
    found: dict[Key, Sighting] = {}
    for part in parts:
        for origin in part.origins:
            if numbers.setdefault(origin, len(origins)) == len(origins):
                origins.append(origin)
        renumbered = [numbers[origin] for origin in part.origins]
        for key, sighting in part.sightings:
            own = msgspec.structs.replace(sighting, origin=renumbered[sighting.origin])
            seen = found.get(key)
            found[key] = own if seen is None else merge(seen, own, origins)
    return Shown(origins, list(found.items()))


def calls_of(shown: Shown) -> Iterator[tuple[Key, Sighting]]:
    """The calls among all sightings, sorted by message id."""
    ordered = sorted(shown.sightings, key=itemgetter(0))
    for _, group in groupby(ordered, key=lambda item: item[0][0]):
        yield from resolve(list(group), shown.origins)


def calls_owned(path: str, own: Shown, others: Iterable[Shown]) -> tuple[list[tuple[Key, Sighting]], list[Origin]]:
    """Calls that the file at *path* owns, seeing what the other files show of the same messages; and their origins."""
    messages = set(own.message_ids)
    together = joined([own, *(_about(messages, other) for other in others)])
    calls = [call for call in calls_of(together) if together.origins[call[1].origin].path == path]
    return calls, together.origins


def _about(message_ids: set[str], shown: Shown) -> Shown:
    return Shown(shown.origins, [item for item in shown.sightings if item[0][0] in message_ids])
