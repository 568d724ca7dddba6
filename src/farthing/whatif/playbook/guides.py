"""
The six steps that published guides name: what they print, and what the plan comes to for these calls.

Printed figures are others' and are repeated with where they stand; those that do not hold are recomputed in
docs/claims.md. The vendor's page is *Optimizing for cost and intelligence*, as of August 2026.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.money import display
from farthing.units import Kind, weakest
from farthing.whatif.commitment_draws import Offer
from farthing.whatif.commitment_units import SPEND, UNITS
from farthing.whatif.commitments import judge
from farthing.whatif.playbook.advice import Guide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.whatif.commitment_draws import Demand
    from farthing.whatif.playbook.advice import Finding
    from farthing.whatif.playbook.planned import Plan, PlanStep
    from farthing.whatif.playbook.profile import Profile

ASKED_DISCOUNT = Fraction(1, 10)
ASKED_WEEKS = 13
"""Assumption: discounts on commitments are not published, so a plain one is judged to see whether any could pay."""


class Published(NamedTuple):
    """What guides print: *says*, and *source* with what is wrong in it."""

    says: str
    source: str


PUBLISHED = {
    Guide.ROUTING: Published(
        "37 to 69 % less with a warm cache, 4 times dearer without; a move from Sonnet 3.5 to Haiku 3: 92 % less",
        "LiteLLM's own measurement of its router; claim 3 (its dollars were wrong), and claim 12 on blends is wrong",
    ),
    Guide.CACHING: Published(
        "83 % on a triage agent, 60 to 73 % on agent loops; 90 % on a document read ten times",
        "the vendor's page; the 90 % is really 78.5 % (claim 6), and the first hit pays, not the 1.39th (claim 7)",
    ),
    Guide.BATCH: Published(
        "50 % of every token class; 95 % together with cache reads",
        "the price list; claim 14 holds where reads cost 0.1x, newer models reach 97.5 and 98.75 %",
    ),
    Guide.OUTPUT: Published(
        "14 % by asking for a shorter format; a cap on max_tokens saves nothing per solved task",
        "the vendor's page; no guide's figure for caps survived measurement",
    ),
    Guide.THINKING: Published(
        "33 to 50 % at low effort for 1 to 3 points; half on coding at medium for 2 points",
        "the vendor's page; a guide's $10,000 a month for thinking is $10,000 a day (claim 11)",
    ),
    Guide.COMMITMENTS: Published(
        "nothing: discounts are negotiated and not published",
        "the price list; farthing commit judges an offer of yours",
    ),
}


class GuideRow(NamedTuple):
    """
    One step of the guides for these calls.

    Attributes:
        guide: Which.
        published: What is printed.
        saved_pusd: What the plan's steps of it save over the days at hand, after the ones before them; 0 for none.
        a_month_pusd: Per 30 days. share: of the whole bill.
        kind: How sure that is; derived for an exact 0.
        steps: Numbers of those steps.
        why: Why it is 0, or what else is to be said.

    """

    guide: Guide
    published: Published
    saved_pusd: int
    a_month_pusd: int
    share: float
    kind: Kind
    steps: tuple[int, ...]
    why: str


def guide_rows(plan: Plan) -> list[GuideRow]:
    """All six, in the order in which guides name them, whatever the plan holds."""
    return [_row(plan, guide) for guide in PUBLISHED]


def _row(plan: Plan, guide: Guide) -> GuideRow:
    steps = [step for step in plan.steps if step.proposal.guide is guide]
    saved = sum(step.saved_pusd for step in steps)
    share = saved / plan.before_pusd if plan.before_pusd else 0.0
    kind = weakest(Kind.DERIVED, *(step.kind for step in steps))
    a_month = plan.days.a_month(saved) if plan.days is not None else 0
    why = "" if steps else _why_nothing(plan, guide)
    if guide is Guide.CACHING:
        why = "; ".join(filter(None, (why, _ceiling(plan))))
    if guide is Guide.COMMITMENTS and not steps:
        kind = Kind.ASSUMED
    return GuideRow(guide, PUBLISHED[guide], saved, a_month, share, kind, tuple(step.number for step in steps), why)


def _ceiling(plan: Plan) -> str:
    """How much of what any caching could save was saved as it was."""
    ceiling = plan.backtest.ceiling
    if ceiling is None or plan.days is None or ceiling.all.capture is None:
        return ""
    most = display(plan.days.a_month(ceiling.all.none_pusd - ceiling.all.least_pusd))
    return (
        f"the best plan in hindsight would save ${most} a month against no caching, and the calls as they were catch "
        f"{ceiling.all.capture:.0%} of that"
    )


def _why_nothing(plan: Plan, guide: Guide) -> str:
    """Why a guide's step saves nothing here."""
    told = _OF_PROFILE[guide](plan.profile) if guide in _OF_PROFILE else _commitment(plan.demand)
    left = [one for one in plan.dropped if one.proposal.guide is guide]
    found = [one for one in plan.findings if one.guide is guide and covered_by(one, plan.steps) is None]
    if left:
        best = max(left, key=lambda one: one.saved_pusd)
        told += f"; {_counted(len(left), 'proposal')} tried and left out ({best.reason})"
    if found:
        told += f"; {_counted(len(found), 'finding')} below, which no replay can price"
    return told


def covered_by(finding: Finding, steps: Sequence[PlanStep]) -> int | None:
    """
    The number of the step that ends what a finding is about, or None.

    That is so where both are of one guide and one route, and the finding has no remedy of its own: a block that changes
    has one, which is worth more than a step that works around it.
    """
    route = finding.id.partition(" ")[2]
    for step in steps:
        same_guide = step.proposal.guide is finding.guide and finding.position is None
        if same_guide and route and route == step.proposal.id.partition(" ")[2]:
            return step.number
    return None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _routing(profile: Profile) -> str:
    if not profile.pusd:
        return "no priced calls"
    dearest = max(profile.by_model, key=lambda model: profile.by_model[model])
    share = profile.by_model[dearest] / profile.pusd
    return f"{share:.0%} of the bill is {dearest}, and no route shows that a cheaper model would do{_untagged(profile)}"


def _caching(profile: Profile) -> str:
    read = profile.read_tokens / profile.prompt_tokens if profile.prompt_tokens else 0
    told = f"{read:.0%} of prompt tokens are read from the cache already"
    if not profile.with_prompts:
        return f"{told}; no call has its prompt recorded block by block, so no caching policy can be replayed"
    if profile.with_prompts < profile.calls:
        return f"{told}; no policy tried is cheaper on the {profile.with_prompts:,} calls with recorded prompts"
    return f"{told}, and no policy tried is cheaper"


def _batch(profile: Profile) -> str:
    share = profile.batched_pusd / profile.pusd if profile.pusd else 0
    told = f"{share:.0%} of the bill is batched already, and no other route looks as if nobody waited"
    return told + _untagged(profile)


def _untagged(profile: Profile) -> str:
    """A hint where most calls say nothing of what they are for."""
    without = profile.calls - profile.tagged
    if without * 2 <= profile.calls:
        return ""
    return f"; {without:,} of {profile.calls:,} calls have no feature, prompt or project by which to tell routes apart"


def _output(profile: Profile) -> str:
    share = profile.output_pusd / profile.pusd if profile.pusd else 0
    return f"{share:.0%} of the bill is output; calls do not show which of it nobody needs, so nothing is claimed"


def _thinking(profile: Profile) -> str:
    if not profile.thinking_pusd:
        return "no thinking tokens are reported in these calls, and no effort is set that could be lower"
    share = profile.thinking_pusd / profile.pusd if profile.pusd else 0
    return f"{share:.0%} of the bill is thinking, and no lower effort than asked for is proposed"


_OF_PROFILE = {
    Guide.ROUTING: _routing,
    Guide.CACHING: _caching,
    Guide.BATCH: _batch,
    Guide.OUTPUT: _output,
    Guide.THINKING: _thinking,
}


def _commitment(demand: Demand | None) -> str:
    """What a plain offer would come to on what is left after the plan: committing comes last."""
    if demand is None:
        return "there is no demand to commit to"
    verdict = judge(demand, Offer(UNITS[SPEND], ASKED_DISCOUNT, ASKED_WEEKS))
    offer = f"{float(ASKED_DISCOUNT):.0%} off for {ASKED_WEEKS} weeks"
    if verdict.recommended is None:
        more = len(verdict.refusals) - 1
        told = f"no offer is known; at {offer} what is left after this plan would be refused: {verdict.refusals[0]}"
        return told + (f" (and {_counted(more, 'reason')} more, which farthing commit says)" if more else "")
    units = display(verdict.recommended.units * 10**12, 0)
    saved = display(verdict.recommended.saving_pusd, 0)
    return (
        f"no offer is known; at {offer}, ${units} of what is left after this plan would save ${saved} over the term. "
        "farthing commit --discount judges a real one"
    )
