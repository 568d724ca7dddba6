"""
The plan: which proposals to carry out, in which order, and what each saves after the ones before it. Pure.

1. Each proposal is tried by itself (:mod:`farthing.whatif.playbook.trial`). What does not pay, on all days and on the
   first two thirds of them, goes.
2. Of proposals that exclude one another, the set that saves most on the first two thirds stays
   (:mod:`farthing.whatif.playbook.order`); they are tried, not reckoned.
3. The same move of a model on several routes becomes one (:mod:`farthing.whatif.playbook.merge`).
4. All that stays is replayed in sequence, once. A step that loses there, on all days or on the first two thirds, or
   saves less than :data:`SMALL` of the bill, goes, and the rest is replayed again, until every step pays. Where all
   that goes stands at the end, or after :data:`ROUNDS_MAX` replays, the sequence is cut instead before the first step
   that does not pay: a cut changes nothing before it.

So savings are marginal and sum exactly to the bill before less the bill after. The last third of the days chose nothing
in this module: a step that loses there is kept and marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.units import Kind, weakest
from farthing.whatif.levers.route import Route, route_of
from farthing.whatif.playbook.advice import Finding, Guide, Proposal
from farthing.whatif.playbook.days import Days, Monthly, monthly
from farthing.whatif.playbook.merge import merged
from farthing.whatif.playbook.order import in_order, knots, taken_place_of, ways_out
from farthing.whatif.playbook.planned import Dropped, Plan, PlanStep
from farthing.whatif.playbook.profile import Profile
from farthing.whatif.playbook.repairs import repairs
from farthing.whatif.playbook.sequence import Sequenced, in_sequence
from farthing.whatif.playbook.trial import Trial
from farthing.whatif.replay.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from farthing.call import Call
    from farthing.ledger.interface import Stored
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.replay.ceiling import Caught
    from farthing.whatif.replay.totals import Backtest

    CallsAgain = Callable[[], Iterable[Call | Stored]]

SMALL = 0.005
"""Of the bill; a step that saves less is not worth anybody's day, and is named below the plan."""
ROUNDS_MAX = 5

LOSES = "it would cost more"
TOO_SMALL = f"it would save less than {SMALL:.1%} of the bill"
LOST_FIRST = "it would have cost more on the first two thirds of the days"
UNSETTLED = "what it would save after the other steps did not settle"
RIVAL = "another proposal for the same calls saves more"


def plan(
    calls_again: CallsAgain,
    found: Iterable[Proposal | Finding],
    book: PriceBook,
    *,
    terms: ContractTerms | None = None,
    small: float = SMALL,
    seed: int = 0,
) -> Plan:
    """
    Make a plan.

    Args:
        calls_again: Gives the calls, in order of ``sent_at``, each time it is called: they are streamed and not held.
        found: Proposals, with ids of their own, and findings.
        book: Prices.
        terms: The contract in force; None: list.
        small: The least share of the bill that a step is worth.
        seed: Of the ranges.

    Raises:
        BadInput: A call was sent before the one before it.

    """
    found = list(found)
    proposals = list({one.id: one for one in found if isinstance(one, Proposal)}.values())
    findings = sorted((one for one in found if isinstance(one, Finding)), key=lambda one: -(one.cost_pusd or 0))
    profile = Profile()
    trial = Trial([one.choice for one in proposals], book, terms, route_of).run(calls_again(), profile)
    days = trial.days or Days(0, 0)
    chosen = _Chosen(proposals, trial, days)
    chosen.try_knots(lambda choices: Trial(choices, book, terms).run(calls_again()))
    replays = 2 if chosen.tried_sets else 1
    kept, alone = merged(chosen.kept, chosen.alone)
    steps = in_order(kept, alone)
    done: Sequenced | None = None
    for last_round in range(1, ROUNDS_MAX + 1):
        learns = trial.backtest.calibrated_calls > 0
        done = in_sequence(calls_again(), [one.choice for one in steps], book, terms, days, learns=learns)
        replays += 1
        bad = {at: why for at in range(len(steps)) if (why := _why_not(done, at, small * profile.pusd))}
        if not bad:
            break
        chosen.dropped += [Dropped(steps[at], why, done.saved(at)) for at, why in bad.items()]
        rest = [one for at, one in enumerate(steps) if at not in bad]
        if last_round < ROUNDS_MAX and rest != steps[: min(bad)]:
            steps = rest
            continue
        chosen.dropped += [Dropped(one, UNSETTLED, 0) for one in rest[min(bad) :]]
        done, steps = done.cut(min(bad)), steps[: min(bad)]
        break
    assert done is not None, "at least one round"
    assert done.pusd[0] == profile.pusd, "what no step touches is in both sums"
    made, together = _steps(steps, done, alone, seed)
    if terms is None:  # the ceiling is at list
        made = tuple(step._replace(ceiling=_ceiling_of(step.proposal, trial.backtest)) for step in made)
    return Plan(
        trial.backtest,
        trial.days,
        done.pusd[0],
        done.pusd[-1],
        made,
        together,
        tuple(chosen.dropped),
        tuple(findings),
        repairs(calls_again, findings, [one.choice for one in steps], book, terms),
        profile,
        done.demand(),
        replays,
    )


def _ceiling_of(proposal: Proposal, backtest: Backtest) -> Caught | None:
    """The ceiling of the route that a proposal of caching is about."""
    if proposal.guide is not Guide.CACHING or backtest.ceiling is None or len(proposal.choice.rules) != 1:
        return None
    where = proposal.choice.rules[0].where
    of = backtest.ceiling.of.items()
    return next((caught for route, caught in of if isinstance(route, Route) and route.where == where), None)


class _Chosen:
    """Proposals that pay by themselves, less rivals that pay less."""

    def __init__(self, proposals: Sequence[Proposal], trial: Trial, days: Days) -> None:
        self.days = days
        self.dropped: list[Dropped] = []
        self.alone: dict[str, int] = {}
        self.kept: list[Proposal] = []
        self.tried_sets = False
        self._first: list[int] = []
        for at, one in enumerate(proposals):
            saved = sum(trial.saved[at].values())
            first = trial.saved_between(at, days.first, days.first + days.later)
            self.alone[one.id] = saved
            if saved <= 0 or first <= 0:
                self.dropped.append(Dropped(one, LOSES if saved <= 0 else LOST_FIRST, saved))
            else:
                self.kept.append(one)
                self._first.append(first)

    def try_knots(self, tried: Callable[[Sequence[Choice]], Trial]) -> None:
        """Keep of each knot of rivals the set that saves most on the first two thirds of the days."""
        ways = [ways_out(knot, self.kept, self._first) for knot in knots(self.kept)]
        if not ways:
            return
        flat = [way for of_knot in ways for way in of_knot]
        first: dict[tuple[int, ...], int] = {way: self._first[way[0]] for way in flat if len(way) == 1}
        together = [way for way in flat if len(way) > 1]
        if together:
            self.tried_sets = True
            trial = tried([_together([self.kept[at].choice for at in way]) for way in together])
            end = self.days.first + self.days.later
            first |= {way: trial.saved_between(at, self.days.first, end) for at, way in enumerate(together)}
        lost: dict[int, str] = {}
        for of_knot in ways:
            best = max(of_knot, key=lambda way: first[way])
            dearest = self.kept[max(best, key=lambda at: self._first[at])].id
            lost |= {at: dearest for way in of_knot for at in way if at not in best}
        self.dropped += [Dropped(self.kept[at], RIVAL, self.alone[self.kept[at].id], lost[at]) for at in sorted(lost)]
        self.kept = [one for at, one in enumerate(self.kept) if at not in lost]


def _together(choices: Sequence[Choice]) -> Choice:
    done = Choice()
    for one in choices:
        done = done.then(one)
    return done


def _why_not(done: Sequenced, at: int, small_pusd: float) -> str:
    saved = done.saved(at)
    if saved <= 0:
        return LOSES
    if done.saved_on(at, 0, done.days.later) <= 0:
        return LOST_FIRST
    return TOO_SMALL if saved < small_pusd else ""


def _steps(
    steps: Sequence[Proposal], done: Sequenced, alone: Mapping[str, int], seed: int
) -> tuple[tuple[PlanStep, ...], Monthly]:
    rows = [done.row(at) for at in range(len(steps))]
    together = [sum(day) for day in zip(*rows, strict=True)] if rows else [0] * done.days.number
    *each, all_of_them = monthly([*rows, together], done.days, seed=seed)
    made = []
    for at, proposal in enumerate(steps):
        later = done.saved_on(at, done.days.later, done.days.number)
        kind = weakest(done.kinds[at], Kind.ASSUMED if proposal.assumes else Kind.DERIVED)
        made.append(
            PlanStep(
                at + 1,
                proposal,
                done.saved(at),
                alone[proposal.id],
                each[at],
                kind,
                done.saved(at) - later,
                later,
                done.later_calls[at],
                taken_place_of(proposal, steps[:at]),
                done.stays[at],
            )
        )
    return tuple(made), all_of_them
