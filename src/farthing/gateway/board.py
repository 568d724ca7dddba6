"""
Figures that several processes show each other: one small file per process, mapped into memory.

A count is a store into memory, so it costs a call next to nothing, needs nobody to answer, and is still there when its
process was killed: the process that takes its place goes on counting from there. Whoever is asked for the metrics reads
every file. Gauges are written anew every second; those of a process that ended are taken down by the one that reaps it.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ENTRIES_MAX = 512
_TEXT_BYTES_MAX = 118
_ENTRY = struct.Struct(f"<cB{_TEXT_BYTES_MAX}sd")
_VALUE_AT = _ENTRY.size - 8
_VALUE = struct.Struct("<d")
_COUNT, _GAUGE = b"c", b"g"

Key = tuple[str, str]
"""Name and label."""


class Slot:
    """
    One process's figures; written by that process alone, read by all.

    Args:
        path: The file; made if it is not there.

    """

    def __init__(self, path: Path) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(file, _ENTRIES_MAX * _ENTRY.size)
            self._map = mmap.mmap(file, _ENTRIES_MAX * _ENTRY.size)
        finally:
            os.close(file)
        self._places = {(kind, key): at for kind, key, at in self._entries()}

    def add(self, key: Key, more: float) -> None:
        """Add to a counter."""
        at = self._place(_COUNT, key)
        if at is not None:
            _VALUE.pack_into(self._map, at, _VALUE.unpack_from(self._map, at)[0] + more)

    def show(self, name: str, value: float) -> None:
        """Set a gauge."""
        at = self._place(_GAUGE, (name, ""))
        if at is not None:
            _VALUE.pack_into(self._map, at, value)

    def take_down(self) -> None:
        """Set every gauge to nothing: the process has ended."""
        for kind, _, at in self._entries():
            if kind == _GAUGE:
                _VALUE.pack_into(self._map, at, 0.0)

    def counts(self) -> dict[Key, float]:
        """Every counter."""
        return {key: _VALUE.unpack_from(self._map, at)[0] for kind, key, at in self._entries() if kind == _COUNT}

    def gauges(self) -> dict[str, float]:
        """Every gauge."""
        return {key[0]: _VALUE.unpack_from(self._map, at)[0] for kind, key, at in self._entries() if kind == _GAUGE}

    def _entries(self) -> Iterator[tuple[bytes, Key, int]]:
        for start in range(0, len(self._map), _ENTRY.size):
            kind, length, text, _ = _ENTRY.unpack_from(self._map, start)
            if kind not in (_COUNT, _GAUGE):
                return
            name, _, label = text[:length].decode().partition("\n")
            yield kind, (name, label), start + _VALUE_AT

    def _place(self, kind: bytes, key: Key) -> int | None:
        """Where a figure's value stands; a new one is appended, its kind last, which is what makes it seen."""
        if (at := self._places.get((kind, key))) is not None:
            return at
        text, start = "\n".join(key).encode(), len(self._places) * _ENTRY.size
        if len(text) > _TEXT_BYTES_MAX or start >= len(self._map):
            return None
        _ENTRY.pack_into(self._map, start, b"\0", len(text), text, 0.0)
        self._map[start : start + 1] = kind
        self._places[kind, key] = start + _VALUE_AT
        return start + _VALUE_AT


class Board:
    """
    The figures of all processes of one gateway.

    Args:
        folder: Where the files lie; nobody else's.
        own: Which of them is this process's: 0 for the one that keeps the others, 1 and up for workers.
        workers: How many workers there are.

    """

    def __init__(self, folder: Path, own: int, workers: int) -> None:
        self.workers = workers
        self.slots = [Slot(folder / f"{number}.figures") for number in range(workers + 1)]
        self.own = self.slots[own]

    def counts(self) -> dict[Key, float]:
        """Every counter, summed."""
        found: dict[Key, float] = {}
        for slot in self.slots:
            for key, value in slot.counts().items():
                found[key] = found.get(key, 0) + value
        return found

    def gauges(self) -> dict[str, float]:
        """Every gauge, summed; those of other processes are up to a second old."""
        found: dict[str, float] = {}
        for slot in self.slots:
            for name, value in slot.gauges().items():
                found[name] = found.get(name, 0) + value
        return found
