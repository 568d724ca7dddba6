"""
Where Claude Code keeps its transcripts, and which files are there now.

``<config>/projects/<project>/<session>.jsonl``; sub-agents may have files of their own in
``<project>/<session>/subagents/``. Source: facts 12.2 (Claude Code session docs, ccusage), checked 2026-11-20.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import BadInput, ErrorRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SUFFIX = ".jsonl"
SUBAGENTS = "subagents"


class Root(msgspec.Struct, frozen=True, order=True):
    """
    One place to read transcripts from.

    Attributes:
        path: Absolute, symlinks resolved: a folder, or one file.

    """

    path: str


class Found(msgspec.Struct, frozen=True, array_like=True):
    """
    One transcript file as the file system describes it.

    Attributes:
        path: Absolute.
        name: Relative to its root, with ``/``: what errors and ties go by.
        inode, size, mtime_ns: As :func:`os.stat` says.

    """

    path: str
    name: str
    inode: int
    size: int
    mtime_ns: int

    @property
    def project(self) -> str:
        """Name of the folder that holds the session."""
        return self._session_path().rpartition("/")[0].rpartition("/")[2]

    @property
    def session(self) -> str:
        """The session a line belongs to when it does not say."""
        return self._session_path().rpartition("/")[2].removesuffix(SUFFIX)

    @property
    def is_subagent(self) -> bool:
        """Whether this is a sub-agent's own file."""
        return f"/{SUBAGENTS}/" in f"/{self.name}"

    def _session_path(self) -> str:
        """The session's file, or the folder of that name that a sub-agent's file lies in. Text: thousands are asked."""
        path = self.path.replace(os.sep, "/")
        return path.rpartition(f"/{SUBAGENTS}/")[0] if self.is_subagent else path


def discover(paths: Sequence[str | Path] | None = None, env: Mapping[str, str] | None = None) -> list[Root]:
    """
    Find where transcripts are.

    Args:
        paths: Files and folders to read instead of the usual places; a folder with ``projects`` in it is taken for a
            configuration folder. None: ``CLAUDE_CONFIG_DIR`` (a comma list) where set, else each of
            ``$XDG_CONFIG_HOME/claude``, ``~/.config/claude`` and ``~/.claude`` that exists.
        env: Environment; None: the process's own.

    Returns:
        Roots without repetitions, sorted. A root inside another one is left out, so no file is read twice. Empty where
        none of the usual places exists.

    Raises:
        BadInput: A path that was named does not exist.

    """
    environment = os.environ if env is None else env
    if paths is not None:
        return _distinct(_named(Path(path), "give") for path in paths)
    if configured := environment.get("CLAUDE_CONFIG_DIR", "").strip():
        return _distinct(
            _named(Path(part.strip()), "set CLAUDE_CONFIG_DIR to") for part in configured.split(",") if part
        )
    home = Path(environment.get("HOME") or Path.home())
    xdg = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    places = (xdg / "claude", home / ".config" / "claude", home / ".claude")
    return _distinct(_resolved(place) for place in places if (place / "projects").is_dir())


def files_under(roots: Iterable[Root]) -> tuple[list[Found], list[ErrorRecord]]:
    """Every transcript under *roots*, sorted by path, and a record for each folder that cannot be listed."""
    errors: list[ErrorRecord] = []
    found: dict[str, Found] = {}
    for root in roots:
        for item in _walk(root.path, root.path, errors):
            found.setdefault(item.path, item)
    return sorted(found.values(), key=lambda item: item.path), errors


def _walk(folder: str, root: str, errors: list[ErrorRecord]) -> Iterator[Found]:
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            if not os.path.isdir(current):  # noqa: PTH112 - one call on the warm path of thousands of files
                yield _file(current, os.path.basename(current), os.stat(current))  # noqa: PTH116, PTH119
                continue
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX) and not entry.is_dir():
                        yield _file(entry.path, _relative(entry.path, root), entry.stat())
                    elif entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except FileNotFoundError:
            continue  # deleted while we looked
        except OSError as error:
            errors.append(ErrorRecord(source=_relative(current, root), error=f"cannot be listed: {error.strerror}"))


def _file(path: str, name: str, stat: os.stat_result) -> Found:
    return Found(path, name, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _relative(path: str, root: str) -> str:
    return (path[len(root) :].lstrip(os.sep) or os.path.basename(path)).replace(os.sep, "/")  # noqa: PTH119


def _named(path: Path, how: str) -> Root:
    path = path.expanduser()
    if not path.exists():
        raise BadInput(f"{path} does not exist", "a folder or file of Claude Code transcripts", f"{how} one that does")
    return _resolved(path)


def _resolved(path: Path) -> Root:
    projects = path / "projects"
    return Root(str((projects if projects.is_dir() else path).resolve()))


def _distinct(roots: Iterable[Root]) -> list[Root]:
    kept: list[Root] = []
    for root in sorted(set(roots)):
        if not any(Path(root.path).is_relative_to(other.path) for other in kept):
            kept.append(root)
    return kept
