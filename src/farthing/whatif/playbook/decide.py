"""
Deciding about the plan that was shown last: the one home of apply and undo, for a terminal and for a page alike.

A plan made again has other numbers, so what is applied is what was kept when somebody read it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.errors import BadInput
from farthing.whatif.playbook.desk import Desk
from farthing.whatif.playbook.plan_json import struct_json
from farthing.whatif.playbook.shown import FORM, Shown, named, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.planned import Plan

OLD = timedelta(days=14)
"""After this long a plan is said to be old: calls have changed since."""
PLAN_NAME = "playbook.plan.json"


class Files(NamedTuple):
    """
    What the playbook keeps.

    Attributes:
        ledger: The ledger that it is about.
        policy: What gateways are to do. journal: of decisions. plan: the one shown last. None of them need exist.

    """

    ledger: Path
    policy: Path
    journal: Path
    plan: Path


def files_of(ledger: Path, policy: Path | None = None, journal: Path | None = None, plan: Path | None = None) -> Files:
    """The playbook's files: beside the ledger where nothing else is said, and the plan beside the journal."""
    journal = journal or ledger.with_name("playbook.journal")
    return Files(ledger, policy or ledger.with_name("policy.toml"), journal, plan or journal.with_name(PLAN_NAME))


def keep_plan(files: Files, plan: Plan, at: datetime) -> Shown:
    """
    Remember what is shown, for :func:`apply_steps`; give it back as it was kept.

    Raises:
        OSError: The file cannot be written; then the former plan stays.

    """
    new = files.plan.with_name(f".{files.plan.name}.new")
    kept = shown(plan, at, str(files.ledger))
    new.write_bytes(struct_json(kept))
    new.replace(files.plan)
    return kept


def kept_plan(files: Files) -> Shown:
    """
    The plan shown last.

    Raises:
        BadInput: There is none, or what is there is none, or another version of farthing wrote it.

    """
    try:
        plan = msgspec.json.decode(files.plan.read_bytes(), type=Shown)
    except FileNotFoundError:
        raise BadInput(f"found no plan at {files.plan}", "one", "run farthing playbook first") from None
    except OSError as error:
        raise BadInput(f"cannot read {files.plan}: {error.strerror}", "a plan as it was shown") from error
    except msgspec.MsgspecError as error:
        read = f"read {files.plan}: {error}"
        raise BadInput(read, "a plan as it was shown", "run farthing playbook again") from error
    if plan.form != FORM:
        raise BadInput(f"read {files.plan} of another version", "a plan of this one", "run farthing playbook again")
    return plan


def apply_steps(
    files: Files,
    steps: Sequence[str] | None,
    who: str,
    now: datetime,
    *,
    holdout_share: float = 0.0,
    read_at: datetime | None = None,
) -> list[Entry]:
    """
    Write steps of the plan shown last into the policy and the journal.

    Args:
        files: Where.
        steps: Numbers, ids or parts of ids; None: every step that is not applied.
        who: Decides.
        now: When; aware.
        holdout_share: Of the calls, 0 to 0.5; recorded.
        read_at: When the plan was made that somebody read; None: whichever was shown last.

    Raises:
        BadInput: A step is none, is applied already or cannot be carried out; nothing is written then. Or the plan was
            made anew since it was read.
        LedgerFault: A file cannot be written.

    """
    plan = kept_plan(files)
    if read_at is not None and read_at != plan.at:
        read = f"read a step of the plan made {read_at:%Y-%m-%d %H:%M}, which was made anew {plan.at:%Y-%m-%d %H:%M}"
        raise BadInput(read, "a step of the new one", "look at it first: its steps may be others")
    by_number = {str(one.number): one.id for one in plan.steps}
    by_id = {one.id: one for one in plan.steps}
    ids = list(by_id) if steps is None else [by_number.get(text) or named(text, list(by_id)) for text in steps]
    desk = Desk(files.policy, files.journal, who)
    live = {one.step.id for one in desk.look().live}
    if steps is None:
        ids = [one for one in ids if one not in live]
    elif applied := [one for one in ids if one in live]:  # before any of them is written
        raise BadInput(f"read the step {applied[0]!r}, which is applied", "another", "farthing playbook status")
    decided = [by_id[one].decided(now, holdout_share) for one in dict.fromkeys(ids)]
    return [desk.apply(one, now) for one in decided]


def undo_step(files: Files, step: str | None, who: str, now: datetime) -> Entry:
    """
    Take a step back.

    Args:
        files: Where.
        step: Its id or a part of it; None: the one that was applied last.
        who: Decides.
        now: When; aware.

    Raises:
        BadInput: It is not applied, or somebody edited it in the policy.
        LedgerFault: A file cannot be written.

    """
    desk = Desk(files.policy, files.journal, who)
    return desk.undo(None if step is None else named(step, [one.step.id for one in desk.look().live]), now)
