"""A plan as values, made by :mod:`farthing.whatif.playbook.plan`: its steps, what is left out, what it saves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.whatif.commitment_draws import Demand
    from farthing.whatif.playbook.advice import Finding, Proposal
    from farthing.whatif.playbook.days import Days, Monthly
    from farthing.whatif.playbook.profile import Profile
    from farthing.whatif.replay.ceiling import Caught
    from farthing.whatif.replay.totals import Backtest


class PlanStep(NamedTuple):
    """
    One step.

    Attributes:
        number: From 1, in the order in which to do them.
        proposal: What to do.
        saved_pusd: After the steps before it, over the days at hand; more than 0.
        alone_pusd: By itself.
        a_month: Saved per 30 days.
        kind: How sure the saving is.
        first_pusd, later_pusd: On the first two thirds of the days, and on the last third; both 0 and the sum where
            there are too few days to tell.
        later_calls: Calls it is about in the last third.
        instead_of: Numbers of earlier steps whose place it takes, for calls that both are about.
        stays: Reason to number of calls that it cannot take and that count as recorded.
        ceiling: For a step of caching, what the best plan in hindsight could have saved on its calls, and what their
            caching as it was saved; None for any other.

    """

    number: int
    proposal: Proposal
    saved_pusd: int
    alone_pusd: int
    a_month: Monthly
    kind: Kind
    first_pusd: int
    later_pusd: int
    later_calls: int
    instead_of: tuple[int, ...]
    stays: dict[str, int]
    ceiling: Caught | None = None

    @property
    def lost_later(self) -> bool:
        """Whether it lost on the last third of the days."""
        return self.later_pusd < 0

    @property
    def capture(self) -> float | None:
        """Its share of what caching could save at most on its calls; None where that is not known."""
        return None if self.ceiling is None else self.ceiling.capture_at(self.ceiling.paid_pusd - self.alone_pusd)


class Dropped(NamedTuple):
    """A proposal that is not in the plan: why, and what it saved where that was seen; *rival* is the id of another."""

    proposal: Proposal
    reason: str
    saved_pusd: int
    rival: str = ""


class Plan(NamedTuple):
    """
    A plan.

    Attributes:
        backtest: What the replay makes of the calls as they were.
        days: The days at hand; None without priced calls.
        before_pusd, after_pusd: The priced calls as recorded, and with every step. The difference is the sum of steps.
        steps: In order. saved_a_month: all of them together.
        dropped: What is not in it. findings: what costs money and no step turns off, the dearest first.
        repairs: Per finding of a block that changes, by id: what a constant block would save on top of the steps, where
            it is more than 0.
        profile: What the calls are like. demand: the bill by the hour with every step, for commitments.
        replays: How often the calls were gone through.

    """

    backtest: Backtest
    days: Days | None
    before_pusd: int
    after_pusd: int
    steps: tuple[PlanStep, ...]
    saved_a_month: Monthly
    dropped: tuple[Dropped, ...]
    findings: tuple[Finding, ...]
    repairs: dict[str, int]
    profile: Profile
    demand: Demand | None
    replays: int

    @property
    def saved_pusd(self) -> int:
        """What all steps save together."""
        return self.before_pusd - self.after_pusd

    @property
    def kind(self) -> Kind:
        """As weak as the weakest step."""
        return weakest(Kind.DERIVED, *(step.kind for step in self.steps))
