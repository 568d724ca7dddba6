"""
Who is alive: each process has a file of its own locked, which the system lets go when the process ends however it ends.

The folder must lie on a local disk; locks of network disks cannot be trusted.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class Locks:
    """
    One process's view of a folder of locks.

    Args:
        folder: Made with the first lock.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def take(self, name: str) -> None:
        """
        Lock a name until :meth:`drop`, :meth:`close` or the end of this process; again does nothing.

        Raises:
            OSError: Another process has it, or the folder cannot be written.

        """
        assert _NAME.fullmatch(name), "a holder's name is a file's name"
        self._folder.mkdir(parents=True, exist_ok=True)
        if name not in self._held:
            self._held[name] = _locked(self._folder / name)

    def drop(self, name: str) -> None:
        """Let a name of one's own go, and its file; nothing happens where it is none."""
        descriptor = self._held.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)
            self.forget(name)

    def forget(self, name: str) -> None:
        """Remove the file of a name that is free."""
        with suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)

    def is_free(self, name: str) -> bool:
        """Whether nobody has it; who has it here is somebody."""
        return name not in self._held and _is_free(self._folder / name)

    def close(self) -> None:
        """Let all names of one's own go; their files stay, for others to find that nobody has them."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
