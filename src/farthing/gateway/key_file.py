"""The file of virtual keys on disk: read at the start, and again when it or a file it names changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from farthing.errors import BadConfig
from farthing.gateway.keys import make_ring, parse_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farthing.gateway.keys import KeysFile, Ring, Source

_Signatures = dict[Path, tuple[int, int, int] | None]


class KeyFile:
    """
    The keys in force.

    Args:
        path: The file.
        log: Gets one line when it was read anew, or could not be.
        environment: Where variables are looked up.

    Attributes:
        ring: The keys of the last file that could be read.

    Raises:
        BadConfig: It cannot be read, or a credential that it names is not there.

    """

    def __init__(self, path: Path, log: Callable[[str], None], environment: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._log = log
        self._environment = environment
        self._seen: _Signatures = {}
        self.ring: Ring = self._read()

    def refresh(self) -> None:
        """Read the file if it changed since it was read."""
        if any(_signature(path) != seen for path, seen in self._seen.items()):
            self.reload()

    def reload(self) -> None:
        """Read the file; one that cannot be read leaves the keys as they are, and is logged."""
        try:
            self.ring = self._read()
        except BadConfig as error:
            self._log(f"keys stay as they were: {error}")
            return
        self._log(f"{len(self.ring.entries)} keys read anew from {self._path.name}")

    def _read(self) -> Ring:
        self._seen |= {path: _signature(path) for path in self._seen}  # before reading: a change meanwhile is seen
        self._seen[self._path] = _signature(self._path)
        file = read_key_file(self._path)
        self._seen = {path: _signature(path) for path in _files_of(file, self._path)} | {
            self._path: self._seen[self._path]
        }
        return make_ring(file, credentials(file, self._path, self._environment))


def read_key_file(path: Path) -> KeysFile:
    """
    Read a file of keys.

    Raises:
        BadConfig: It cannot be read.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadConfig(f"read keys {path}: {why}", "a TOML file", "make one with farthing keys create") from None
    return parse_keys(text, path.name)


def credentials(file: KeysFile, path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, bytes]:
    """
    The secret of each upstream of a file of keys that lies at *path*.

    Raises:
        BadConfig: A variable or a file is not there, is empty, or holds what cannot be sent in a header.

    """
    return {name: _credential(name, source, path, environment) for name, source in file.upstream.items()}


def _credential(name: str, source: Source, path: Path, environment: Mapping[str, str]) -> bytes:
    where = f"upstream.{name} of {path.name}"
    if source.key_env:
        held, value = f"the variable {source.key_env}", environment.get(source.key_env, "").encode()
    else:
        file = path.parent / Path(source.key_file).expanduser()
        held = f"the file {file}"
        try:
            value = file.read_bytes()
        except OSError as error:
            raise BadConfig(f"read {where}: {held}: {error.strerror}", "a file that holds the key") from None
    value = value.strip()
    if not value:
        raise BadConfig(f"read {where}: {held} is empty or not set", "a key")
    if not all(0x21 <= byte < 0x7F for byte in value):
        raise BadConfig(f"read {where}: {held} holds what is no key", "one line of visible ASCII")
    return value


def _files_of(file: KeysFile, path: Path) -> list[Path]:
    named = [source.key_file for source in file.upstream.values() if source.key_file]
    return [path.parent / Path(one).expanduser() for one in named]


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
