"""
Apply and undo: the one place of the playbook that writes files.

Under a lock, the journal first and the policy second, which is replaced as a whole. Whoever is killed in between has
decided but not written: the next command writes it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.errors import BadInput, LedgerFault
from farthing.whatif.playbook.journal import Entry, Journal, append, changed, checksum_of, read_journal
from farthing.whatif.playbook.policy import block_of, checked, read_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from farthing.whatif.playbook.journal import Predicted
    from farthing.whatif.playbook.policy import StepTable


class Decided(NamedTuple):
    """
    A step as somebody takes it.

    Attributes:
        step: What is turned. in_policy: whether a gateway can do it; else callers alone change.
        predicted: What it is to save. note: one line for readers of the policy.
        caller_change, verify: The proposal's.

    """

    step: StepTable
    in_policy: bool
    predicted: Predicted
    note: str = ""
    caller_change: str = ""
    verify: str = ""


class Desk:
    """
    A policy and the journal of its changes.

    Args:
        policy: The policy's file, which need not exist. journal: likewise.
        who: Who decides.

    """

    def __init__(self, policy: Path, journal: Path, who: str = "") -> None:
        self._policy = policy.absolute()
        self._journal = journal
        self._who = who

    def look(self) -> Journal:
        """
        The journal, after finishing what a killed command left unfinished.

        Raises:
            LedgerFault: A file cannot be read or written.

        """
        if not self._journal.exists():
            return Journal((), 0)
        with self._locked():
            return self._settled()

    def apply(self, decided: Decided, at: datetime) -> Entry:
        """
        Write a step into the policy.

        Raises:
            BadInput: It is applied already, or cannot be carried out.
            BadConfig: The policy that is there is none.
            LedgerFault: A file cannot be written.

        """
        step = checked(decided.step)
        with self._locked():
            journal = self._settled()
            if any(one.step.id == step.id for one in journal.live):
                raise BadInput(f"read the step {step.id!r}, which is applied", "another", "farthing playbook status")
            data = _read(self._policy)
            block = block_of(step, decided.note) if decided.in_policy else ""
            there = read_policy(data, str(self._policy)) if data is not None else None
            if block and there is not None and any(one.id == step.id for one in there.step):
                raise BadInput(f"found the step {step.id!r} in {self._policy}", "none", "somebody wrote it there")
            return self._write(
                journal,
                data,
                Entry(
                    number=_next(journal),
                    at=at,
                    who=self._who,
                    action="applied",
                    step=step,
                    predicted=decided.predicted,
                    policy=str(self._policy),
                    block=block,
                    created=bool(block) and data is None,
                    before=checksum_of(data),
                    after=None,
                    caller_change=decided.caller_change,
                    verify=decided.verify,
                ),
            )

    def undo(self, step_id: str | None, at: datetime) -> Entry:
        """
        Take a step out of the policy it was written into; None: the last one that is applied.

        Raises:
            BadInput: It is not applied, or somebody edited it in the policy.
            LedgerFault: A file cannot be written.

        """
        with self._locked():
            journal = self._settled()
            live = [one for one in journal.live if step_id in {None, one.step.id}]
            if not live:
                what = "no applied step" if step_id is None else f"no applied step {step_id!r}"
                raise BadInput(f"found {what}", "one", "farthing playbook status lists them")
            was = live[-1]
            data = _read(Path(was.policy))
            fields = {name: getattr(was, name) for name in ("step", "predicted", "policy", "block")}
            return self._write(
                journal,
                data,
                Entry(
                    number=_next(journal),
                    at=at,
                    who=self._who,
                    action="undone",
                    created=False,
                    before=checksum_of(data),
                    after=None,
                    undoes=was.number,
                    **fields,
                ),
            )

    def _write(self, journal: Journal, data: bytes | None, entry: Entry) -> Entry:
        """The journal first, then the policy."""
        try:
            made = changed(journal.entries, entry, data)
        except LookupError:
            raise BadInput(
                f"looked for the step {entry.step.id!r} in {entry.policy}, where it is not as it was written",
                "it unchanged",
                "somebody edited it: mend the file by hand, or put the step back as the journal has it",
            ) from None
        entry = msgspec.structs.replace(entry, after=checksum_of(made))
        append(self._journal, entry)
        if made != data:
            _replace(Path(entry.policy), made)
        return entry

    def _settled(self) -> Journal:
        """The journal; where its last entry's change of the policy is missing, that is made first."""
        journal = read_journal(self._journal)
        if journal.entries:
            last = journal.entries[-1]
            data = _read(Path(last.policy))
            if checksum_of(data) == last.before != last.after:
                made = changed(journal.entries[:-1], last, data)
                assert checksum_of(made) == last.after, "the same change of the same bytes"
                _replace(Path(last.policy), made)
        return journal

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self._journal.with_name(self._journal.name + ".lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerFault(f"cannot lock {lock}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


def _next(journal: Journal) -> int:
    return max((one.number for one in journal.entries), default=0) + 1


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerFault(f"cannot read {path}: {error.strerror}") from error


def _replace(path: Path, data: bytes | None) -> None:
    """All or nothing; None: away with it."""
    new = path.with_name(f".{path.name}.new")
    try:
        if data is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise LedgerFault(f"cannot write {path}: {error.strerror}") from error
