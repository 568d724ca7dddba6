"""
Every interleaving of a few calls in a few processes, any of which may be killed between any two steps.

A small model checker: from each state every step that is possible is taken, each distinct state is looked at once. The
worst is assumed of the world: a call that was admitted and has no outcome may have been billed at its worst case.
"""

from copy import copy

import pytest

from farthing.limits import purse as purse_module
from farthing.limits.memory_bank import Account, MemoryBank
from farthing.limits.pockets import Part, Refusal, Ticket, Wanted
from farthing.limits.protocol import AccountKey
from farthing.limits.purse import Purse

SPEND, OTHER, BOUND = AccountKey("org"), AccountKey("team"), AccountKey("org", meter="bound")


class World:
    """Processes, their calls, the bank, and what is true."""

    def __init__(self, plan):
        self.plan = plan
        self.bank = MemoryBank()
        self.purses = [Purse(self.bank, f"{number}.0") for number in range(plan.processes)]
        self.lives = [1] * plan.processes
        self.phase = ["new"] * len(plan.calls)
        self.tickets = [None] * len(plan.calls)
        self.holder_of = [None] * len(plan.calls)

    def clone(self):
        other = copy(self)
        other.bank = MemoryBank()
        for key, one in self.bank.accounts.items():
            fields = (one.base_pusd, one.presumed_base_pusd, dict(one.reported), dict(one.leases), one.wanted_s)
            other.bank.accounts[key] = Account(*fields)
        other.bank.alive, other.bank.dead = set(self.bank.alive), set(self.bank.dead)
        other.bank.undead = set(self.bank.undead)
        pockets = {}
        other.purses = [one and self._purse(one, other.bank, pockets) for one in self.purses]
        other.lives, other.phase, other.holder_of = list(self.lives), list(self.phase), list(self.holder_of)
        other.tickets = [one and self._ticket(one, pockets) for one in self.tickets]
        return other

    @staticmethod
    def _purse(purse, bank, pockets):
        made = Purse.__new__(Purse)
        made.bank, made.holder, made.pockets, made._open = bank, purse.holder, {}, {}
        for key, pocket in purse.pockets.items():
            made.pockets[key] = pockets[id(pocket)] = copy(pocket)
        return made

    @staticmethod
    def _ticket(ticket, pockets):
        parts = tuple(Part(pockets.get(id(one.pocket), one.pocket), one.reserved_pusd) for one in ticket.parts)
        made = Ticket(parts, ticket.worst_pusd, ticket.route)
        made.stands = ticket.stands
        return made

    def key(self):
        accounts = tuple(
            (key, one.base_pusd, *(tuple(sorted(part.items())) for part in (one.reported, one.leases)))
            for key, one in sorted(self.bank.accounts.items())
        )
        purses = tuple(
            one
            and tuple(
                (key, p.lease_pusd, p.reserved_pusd, p.spent_pusd, p.elsewhere_pusd)
                for key, p in sorted(one.pockets.items())
            )
            for one in self.purses
        )
        return (
            accounts,
            purses,
            tuple(self.phase),
            tuple(self.lives),
            tuple(sorted(self.bank.dead)),
            tuple(self.bank.undead),
        )

    # -- steps: each is what one process does without another seeing anything in between ------------------------------

    def steps(self):
        for at in range(len(self.phase)):
            yield from ((step, at) for step in self.steps_of_call(at))
        for process in range(len(self.purses)):
            yield from ((step, process) for step in self.steps_of_process(process))
        if self.bank.undead:
            yield "bury", None
        for holder in sorted(self.bank.dead):
            yield self.plan.truth, holder

    def steps_of_call(self, at):
        process, phase = self.plan.calls[at][0], self.phase[at]
        purse = self.purses[process]
        alive = purse is not None and purse.holder == self.holder_of[at]
        if phase == "new":
            earlier = [self.phase[one] for one in range(at) if self.plan.calls[one][0] == process]
            can = purse is not None and "new" not in earlier  # calls of one process are alike, so they begin in order
            return ("reserve",) if can else ()
        if phase == "open" and alive:
            return self.plan.outcomes
        if phase == "unknown" and alive:
            return ("settle",)
        return ("found billed", "found free") if phase in ("open", "unknown") else ()  # the journal or a bill tells

    def steps_of_process(self, process):
        may_die = self.lives[process] <= self.plan.crashes
        if self.purses[process] is None:
            return ("restart",) if may_die else ()
        return ("sync", "kill") if may_die and process in self.plan.mortal else ("sync",)

    def take(self, step, at):
        getattr(self, "_" + step.replace(" ", "_"))(at)

    def _reserve(self, at):
        process, worst = self.plan.calls[at]
        found = self.purses[process].reserve(self.plan.wanted(worst), worst, "", 0.0)
        if isinstance(found, Refusal):
            self.phase[at] = "refused"
        else:
            self.phase[at], self.tickets[at] = "open", found
            self.holder_of[at] = self.purses[process].holder

    def _settle(self, at):
        assert self.purses[self.plan.calls[at][0]].settle(self.tickets[at], self.plan.actual(at))
        self.phase[at] = "billed"

    def _unknown(self, at):
        assert self.purses[self.plan.calls[at][0]].settle(self.tickets[at], None)
        self.phase[at] = "unknown"

    def _release(self, at):
        assert self.purses[self.plan.calls[at][0]].release(self.tickets[at])
        self.phase[at] = "free"

    def _found_billed(self, at):
        self.phase[at] = "billed"

    def _found_free(self, at):
        self.phase[at] = "free"

    def _sync(self, process):
        self.purses[process].sync(0.0)

    def _kill(self, process):
        self.bank.die(self.purses[process].holder)
        self.purses[process] = None

    def _restart(self, process):
        self.purses[process] = Purse(self.bank, f"{process}.{self.lives[process]}")
        self.lives[process] += 1

    def _bury(self, _):
        self.bank.bury()

    def _truth(self, holder):
        spent, still = self._of(holder)
        assert self.bank.truth(holder, spent, still)

    def _half_the_truth(self, holder):
        assert self.bank.truth(holder, self._of(holder)[0])

    def _of(self, holder):
        """What the ledger says of one process's calls: their bills, and the worst of those without an outcome."""
        spent, still = {}, {}
        for at, phase in enumerate(self.phase):
            if self.holder_of[at] == holder:
                for key, reserved in self.plan.parts(at):
                    if phase == "billed":
                        spent[key] = spent.get(key, 0) + self.plan.actual(at)
                    elif phase in ("open", "unknown"):
                        still[key] = still.get(key, 0) + reserved
        return spent, still

    # -- what must hold -----------------------------------------------------------------------------------------------

    def true_pusd(self, key, *, settled_only=False):
        """What may have been spent at the most by now."""
        total = 0
        for at, phase in enumerate(self.phase):
            if any(key == one for one, _ in self.plan.parts(at)):
                if phase == "billed":
                    total += self.plan.actual(at)
                elif phase in ("open", "unknown") and not settled_only:
                    total += self.plan.calls[at][1]
        return total

    def check(self):
        for key, limit in self.plan.limits.items():
            state = self.bank.accounts[key].state((), 0.0) if key in self.bank.accounts else None
            counted = 0 if state is None else state.spent_pusd + state.held_pusd
            if key in self.plan.exact:
                assert self.true_pusd(key) <= limit, "never over, whatever calls under way come to"
                assert counted <= limit, "spent + reserved <= limit"
                assert self.true_pusd(key) <= counted, "nothing is forgotten"

    def check_end(self):
        """Once all is told, the bank knows the truth and holds nothing back."""
        end = self.clone()
        for at, phase in enumerate(end.phase):
            if phase in ("open", "unknown"):
                alive = end.purses[end.plan.calls[at][0]]
                mine = alive is not None and alive.holder == end.holder_of[at]
                end.take("settle" if mine else "found billed", at)
        for process, purse in enumerate(end.purses):
            if purse is not None:
                purse.close(0.0)
                end.purses[process] = None
        for holder in end.bank.bury():
            end.take("truth", holder)
        for key in end.plan.limits:
            if key in end.bank.accounts:
                state = end.bank.accounts[key].state((), 0.0)
                assert (state.spent_pusd, state.held_pusd) == (end.true_pusd(key), 0)


class Plan:
    """
    What is tried.

    *calls*: (process, worst case); a call comes to *share* of its worst. *exact*: the accounts that may never be over.
    """

    def __init__(
        self,
        processes,
        calls,
        limits,
        *,
        crashes=1,
        mortal=(0,),
        bills=(5, 10),
        reserves=None,
        exact=None,
        outcomes=("settle", "unknown"),
        truth="truth",
    ):
        self.mortal = mortal
        self.outcomes = outcomes
        self.truth = truth
        self.processes = processes
        self.calls = calls
        self.limits = limits
        self.crashes = crashes
        self.bills = bills
        self.reserves = reserves or {}
        self.exact = exact or set(limits)

    def actual(self, at):
        return self.calls[at][1] * self.bills[at % 2] // 10

    def wanted(self, worst):
        return [Wanted(key, limit, worst * self.reserves.get(key, 10) // 10) for key, limit in self.limits.items()]

    def parts(self, at):
        return [(one.key, one.reserve_pusd) for one in self.wanted(self.calls[at][1])]


PLANS = {
    "two processes, both may die": Plan(
        2, [(0, 10), (1, 10), (1, 10)], {SPEND: 20}, bills=(4, 4), mortal=(0, 1), outcomes=("settle",)
    ),
    "two processes of two calls": Plan(
        2, [(0, 10), (0, 10), (1, 10), (1, 10)], {SPEND: 25}, bills=(4, 5), crashes=0, outcomes=("settle", "release")
    ),
    "three processes, one dies": Plan(3, [(0, 10), (1, 10), (2, 10)], {SPEND: 20}, outcomes=("settle",)),
    "two accounts, all or none": Plan(2, [(0, 10), (1, 10), (1, 10)], {SPEND: 30, OTHER: 20}, outcomes=("settle",)),
    "killed twice": Plan(1, [(0, 10), (0, 10), (0, 10)], {SPEND: 25}, crashes=2, outcomes=("settle",)),
    "outcomes that come late": Plan(2, [(0, 10), (1, 10)], {SPEND: 15}, outcomes=("settle", "unknown", "release")),
    "the truth without what is open": Plan(
        2, [(0, 10), (0, 10), (1, 10)], {SPEND: 25}, truth="half the truth", outcomes=("settle",)
    ),
    "smooth: a third is reserved, the bound is never passed": Plan(
        2,
        [(0, 10), (0, 10), (1, 10)],
        {SPEND: 12, BOUND: 20},
        bills=(5, 4),
        reserves={SPEND: 3},
        exact={BOUND},
        outcomes=("settle",),
    ),
}


def explored(plan):
    """Every state there is, each checked; which of them matter is for the caller to ask."""
    start = World(plan)
    seen, todo, ends = {start.key()}, [start], set()
    while todo:
        world = todo.pop()
        world.check()
        if "new" not in world.phase:
            world.check_end()
        ends.add(tuple(world.phase))
        for step, at in world.steps():
            after = world.clone()
            after.take(step, at)
            key = after.key()
            if key not in seen:
                seen.add(key)
                todo.append(after)
    return len(seen), ends


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_every_interleaving(plan, monkeypatch):
    monkeypatch.setattr(purse_module, "SLICE_OF_ROOM", 2)  # slices large enough to stand in each other's way
    states, ends = explored(plan)
    assert states > 300
    assert any("refused" in phases for phases in ends), "the plan is tight enough to refuse"
    assert any(phases.count("billed") >= 2 for phases in ends), "and not so tight that nothing passes"


def test_the_checker_finds_a_bank_that_forgets_the_dead(monkeypatch):
    def forgetful(self):
        for holder in self.undead:
            for account in self.accounts.values():
                account.leases.pop(holder, None)
        self.undead.clear()
        return []

    monkeypatch.setattr(MemoryBank, "bury", forgetful)
    with pytest.raises(AssertionError):
        explored(PLANS["killed twice"])


def test_the_checker_finds_a_purse_that_reserves_less_than_the_worst():
    plan = Plan(2, [(0, 10), (1, 10)], {SPEND: 10}, bills=(10, 10), reserves={SPEND: 5})
    world = World(plan)
    world.take("reserve", 0)
    world.take("reserve", 1)
    with pytest.raises(AssertionError, match="never over"):
        world.check()
