"""
The plan as it was last shown, so that what is applied is what somebody read: numbers, choices and predictions. JSON.

A plan made again later would have other numbers, because there are more calls.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.money import display
from farthing.whatif.playbook.desk import Decided
from farthing.whatif.playbook.journal import Predicted
from farthing.whatif.playbook.plan_json import plan_json
from farthing.whatif.playbook.policy import StepTable, step_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.whatif.playbook.planned import Plan, PlanStep


FORM = 1
"""To be raised whenever the plan's JSON loses or renames a key."""


class ShownStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step as it was shown; *cannot* says why no policy can hold it, and is empty otherwise."""

    number: int
    id: str
    title: str
    predicted: Predicted
    step: StepTable | None = None
    in_policy: bool = False
    cannot: str = ""
    caller_change: str = ""
    verify: str = ""

    def decided(self, at: datetime, holdout_share: float = 0.0) -> Decided:
        """
        As it is applied.

        Raises:
            BadInput: No policy can hold it.

        """
        if self.step is None:
            raise BadInput(f"read the step {self.id!r}: {self.cannot}", "one that a policy can hold")
        step = msgspec.structs.replace(self.step, applied_at=at, holdout_share=holdout_share)
        note = f"predicted {at:%Y-%m-%d}: ${display(self.predicted.a_month_pusd)} a month, {self.predicted.kind}"
        return Decided(step, self.in_policy, self.predicted, note, self.caller_change, self.verify)


class Shown(msgspec.Struct, frozen=True):
    """
    A plan as it was shown.

    Attributes:
        at: When; aware, UTC. ledger: whose calls.
        steps: As they can be applied.
        told: All that the plan holds, as :func:`farthing.whatif.playbook.plan_json.plan_json` has it.
        form: Of *told*: :data:`FORM`, or that of another version of farthing, which pages cannot read.

    """

    at: datetime
    ledger: str
    steps: tuple[ShownStep, ...]
    told: dict[str, Any]
    form: int = 0


def shown(plan: Plan, at: datetime, ledger: str) -> Shown:
    """What is kept of a plan."""
    return Shown(at, ledger, tuple(_step(plan, step) for step in plan.steps), plan_json(plan), FORM)


def predicted_of(plan: Plan, step: PlanStep) -> Predicted:
    """What a step is predicted to save."""
    assert plan.days is not None, "a step has calls"
    first = datetime.fromordinal(plan.days.first).replace(tzinfo=UTC)
    return Predicted(
        a_month_pusd=step.a_month.pusd,
        low_pusd=step.a_month.low_pusd,
        high_pusd=step.a_month.high_pusd,
        kind=step.kind,
        since=first,
        until=first + timedelta(days=plan.days.number - 1),
        calls=step.proposal.calls,
    )


def _step(plan: Plan, step: PlanStep) -> ShownStep:
    proposal = step.proposal
    table, cannot = None, ""
    try:
        table = step_of(proposal)
    except BadInput as error:
        cannot = str(error)
    return ShownStep(
        number=step.number,
        id=proposal.id,
        title=proposal.title,
        predicted=predicted_of(plan, step),
        step=table,
        in_policy=bool(proposal.policy) and table is not None,
        cannot=cannot,
        caller_change=proposal.caller_change,
        verify=proposal.verify,
    )


def named(text: str, ids: Sequence[str]) -> str:
    """
    The one id that is *text*, or contains it.

    Raises:
        BadInput: None does, or several.

    """
    if text in ids:
        return text
    found = [one for one in ids if text in one]
    if len(found) == 1:
        return found[0]
    read = f"read the step {text!r}, which {'is none' if not found else 'could be ' + ' or '.join(found)}"
    raise BadInput(read, "an id or a part of one" if found else f"one of {', '.join(ids) or 'no steps'}")
