"""
What a process that died had of the budgets: every step at which it can be killed, and journals that do not tell all.

The model of test_interleavings, step by finer step: a call is reserved, written down and sent, answered, written down,
and only then told to the purse. The bank hears nothing of the dead but what :mod:`farthing.limits.estate` reads.
"""

import importlib.util
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farthing.call import Call, Served, Usage
from farthing.ledger.interface import Begun, Posting, Reserved, Stored
from farthing.ledger.journal import JournalWriter, Seen, Settled
from farthing.limits import purse as purse_module
from farthing.limits.estate import Estates, estate_of, reserved_of
from farthing.limits.memory_bank import MemoryBank
from farthing.limits.pockets import Wanted
from farthing.limits.protocol import AccountKey, Ask, Share
from farthing.limits.purse import Purse
from farthing.limits.store import SqliteBank
from farthing.units import Kind

_SPEC = importlib.util.spec_from_file_location("interleavings", Path(__file__).with_name("test_interleavings.py"))
interleavings = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(interleavings)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
A, B = AccountKey("a"), AccountKey("b", "tenant=acme", 1_000)


def stored(pusd, kind=Kind.MEASURED):
    served = Served(model="m", usage=Usage(input_tokens=1), kind=kind)
    call = Call(call_id="c", sent_at=NOON, source="gateway", served=served)
    return Stored(call, Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd))


class Journalled(interleavings.World):
    """
    Phases of a call: new, open (reserved), sent (written down before), answered (the outcome is written), told.

    Of one that was lost sight of, or whose answer broke off, the journal has no sure outcome, but the world may have.
    """

    def __init__(self, plan):
        super().__init__(plan)
        self.records = [()] * len(plan.calls)
        self.truly = [None] * len(plan.calls)

    def clone(self):
        other = super().clone()
        other.records, other.truly = list(self.records), list(self.truly)
        return other

    def key(self):
        written = tuple(tuple(type(one).__name__ for one in records) for records in self.records)
        return (*super().key(), written, tuple(self.truly), tuple(self.holder_of))

    def _is_alive(self, at):
        purse = self.purses[self.plan.calls[at][0]]
        return purse is not None and purse.holder == self.holder_of[at]

    def steps_of_call(self, at):
        phase = self.phase[at]
        if phase == "new":
            return tuple(super().steps_of_call(at))
        steps = []
        if self._is_alive(at):
            steps += {
                "open": ["send"],
                "sent": list(self.plan.outcomes),
                "answered": ["tell"],
                "pledged": ["made"],
            }.get(phase, [])
        if self.truly[at] is None and phase in ("sent", "lost"):
            steps += ["found billed", "found free"]
        return tuple(steps)

    def _send(self, at):
        holds = reserved_of(self.tickets[at])
        self._write(at, "sent", Begun(str(at), NOON, "m", holds))

    def _write(self, at, phase, *records):
        self.phase[at] = phase
        self.records[at] += records

    def _answer(self, at):
        self.truly[at] = self.plan.actual(at) if self.truly[at] is None else self.truly[at]
        self._write(at, "answered", Settled(str(at), stored(self.truly[at]) if self.truly[at] else None))

    def _tell(self, at):
        purse, ticket = self.purses[self.plan.calls[at][0]], self.tickets[at]
        assert purse.settle(ticket, self.truly[at]) if self.truly[at] else purse.release(ticket)
        self.phase[at] = "told"

    def _lose_sight(self, at):
        assert self.purses[self.plan.calls[at][0]].settle(self.tickets[at], None)
        self._write(at, "lost")

    def _break_off(self, at):
        self._lose_sight(at)
        self._write(at, "lost", Settled(str(at), stored(1, Kind.ASSUMED)))

    def _pledge(self, at):
        self.purses[self.plan.calls[at][0]].pledge(self.tickets[at], f"batch-{at}", 0.0)
        self.phase[at] = "pledged"

    def _made(self, at):
        self._write(at, "made", Settled(str(at)))

    def _found_billed(self, at):
        self.truly[at] = self.plan.calls[at][1]

    def _found_free(self, at):
        self.truly[at] = 0

    def _of(self, holder):
        mine = [one for at, one in enumerate(self.records) if self.holder_of[at] == holder]
        return estate_of(record for records in mine for record in records)

    def true_pusd(self, key, *, settled_only=False):
        total = 0
        for at, phase in enumerate(self.phase):
            may_cost = phase in ("sent", "lost", "pledged", "made") or (phase == "open" and self._is_alive(at))
            if any(key == one for one, _ in self.plan.parts(at)):
                total += self.truly[at] if self.truly[at] is not None else self.plan.calls[at][1] * may_cost
        return total

    def steps(self):
        return ((step, at) for step, at in super().steps() if not str(at).startswith("pledge-"))

    def check_end(self):
        """Once all have ended and all is told, only what no journal has an outcome of is held back."""
        end = self.clone()
        for process, purse in enumerate(end.purses):
            if purse is not None:
                end.bank.die(purse.holder)
                end.purses[process] = None
        for holder in end.bank.bury():
            if not holder.startswith("pledge-"):
                end.take("truth", holder)
        sure = sum(end.truly[at] or 0 for at, phase in enumerate(end.phase) if phase in ("answered", "told"))
        unsure = sum(
            self.plan.calls[at][1] * (2 if phase == "pledged" else 1)  # once as a pledge, once as a call
            for at, phase in enumerate(end.phase)
            if phase in ("sent", "lost", "pledged", "made")
        )
        for key in end.plan.limits:
            if key in end.bank.accounts:
                state = end.bank.accounts[key].state((), 0.0)
                assert (state.spent_pusd, state.held_pusd) == (sure, unsure)


Plan = interleavings.Plan
ANSWER = ("answer",)
PLANS = {
    "both may die": Plan(2, [(0, 10), (1, 10)], {A: 15}, bills=(4, 5), mortal=(0, 1), outcomes=ANSWER),
    "one dies": Plan(2, [(0, 10), (0, 10), (1, 10)], {A: 20}, bills=(4, 4), outcomes=ANSWER),
    "lost and broken off": Plan(2, [(0, 10), (1, 10)], {A: 15}, outcomes=("answer", "lose_sight", "break_off")),
    "two accounts": Plan(2, [(0, 10), (1, 10)], {A: 30, B: 15}, bills=(4, 5), outcomes=ANSWER),
    "killed twice": Plan(1, [(0, 10), (0, 10)], {A: 15}, crashes=2, outcomes=("answer", "lose_sight")),
}


def explored(plan, world=Journalled):
    start = world(plan)
    seen, todo, ends = {start.key()}, [start], set()
    while todo:
        now = todo.pop()
        now.check()
        if "new" not in now.phase:
            now.check_end()
        ends.add(tuple(now.phase))
        for step, at in now.steps():
            after = now.clone()
            after.take(step, at)
            if (key := after.key()) not in seen:
                seen.add(key)
                todo.append(after)
    return len(seen), ends


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_whenever_a_process_is_killed_its_journal_puts_its_share_right(plan, monkeypatch):
    monkeypatch.setattr(purse_module, "SLICE_OF_ROOM", 2)
    states, ends = explored(plan)
    assert states > 200
    assert any("refused" in phases for phases in ends)
    assert any(phases.count("told") + phases.count("answered") >= 2 for phases in ends)


class WithBatches(Journalled):
    def check(self):
        for key, limit in self.plan.limits.items():
            state = self.bank.accounts[key].state((), 0.0) if key in self.bank.accounts else None
            counted = 0 if state is None else state.spent_pusd + state.held_pusd
            assert self.true_pusd(key) <= min(limit, counted)


def test_what_a_batch_reserved_is_never_forgotten_between_its_journal_and_its_pledge(monkeypatch):
    monkeypatch.setattr(purse_module, "SLICE_OF_ROOM", 2)
    states, ends = explored(Plan(2, [(0, 10), (1, 10)], {A: 15}, outcomes=("pledge", "answer")), WithBatches)
    assert states > 100
    assert any("made" in phases for phases in ends)


@pytest.mark.parametrize("wrong", ["written after it is sent", "told before it is written", "assumed taken as sure"])
def test_the_checker_finds_a_gateway_that_keeps_another_order(monkeypatch, wrong):
    class Wrong(Journalled):
        def steps_of_call(self, at):
            if wrong == "written after it is sent" and self.phase[at] == "sent" and not self.records[at]:
                return ("write",) if self._is_alive(at) else ("found billed",) * (self.truly[at] is None)
            return super().steps_of_call(at)

        def _write_late(self, at):
            self.records[at] = (Begun(str(at), NOON, "m", reserved_of(self.tickets[at])),)

        def take(self, step, at):
            if wrong == "written after it is sent" and step == "send":
                self.phase[at] = "sent"
            elif step == "write":
                self._write_late(at)
            elif wrong == "told before it is written" and step == "answer":
                self.truly[at] = self.plan.actual(at)
                assert self.purses[self.plan.calls[at][0]].settle(self.tickets[at], self.truly[at])
                self.phase[at] = "answered"
            elif wrong == "told before it is written" and step == "tell":
                self._write(at, "told", Settled(str(at), stored(self.truly[at])))
            elif wrong == "assumed taken as sure" and step == "break_off":
                self._lose_sight(at)
                self._write(at, "lost", Settled(str(at), stored(1)))
            else:
                super().take(step, at)

    monkeypatch.setattr(purse_module, "SLICE_OF_ROOM", 2)
    plan = Plan(2, [(0, 10), (1, 10), (1, 10)], {A: 20}, bills=(4, 4), outcomes=("answer", "break_off"))
    with pytest.raises(AssertionError):
        explored(plan, Wrong)


# -- journals ---------------------------------------------------------------------------------------------------------


def held(pusd, key=A):
    return Reserved(*key, str(pusd))


def test_an_estate_is_the_sure_bills_and_what_all_other_calls_reserved():
    records = [
        *(Begun(name, NOON, "m", (held(20), held(15, B))) for name in ("sure", "free", "assumed", "seen", "open")),
        Begun("unlimited", NOON, "m"),
        Begun("huge", NOON, "m", (held(10**30, B),)),
        Settled("sure", stored(7)),
        Settled("free", None, "HTTP 500"),
        Settled("assumed", stored(3, Kind.ASSUMED)),
        Seen("seen", stored(2)),
        Settled("unlimited", stored(1_000)),
        Settled("of a batch", stored(1_000)),
    ]
    assert estate_of(records) == ({A: 7, B: 7}, {A: 60, B: 45 + 10**30})


def test_a_call_without_an_exact_price_counts_at_its_upper_bound_and_without_one_at_what_it_reserved():
    bounded = Stored(stored(0).call, Posting(list_pusd=None, low_pusd=1, high_pusd=9))
    unbounded = Stored(stored(0).call, Posting(list_pusd=None, low_pusd=1, high_pusd=None))
    begun = [Begun("x", NOON, "m", (held(20),)), Begun("y", NOON, "m", (held(30),))]
    assert estate_of([*begun, Settled("x", bounded), Settled("y", unbounded)]) == ({A: 9}, {A: 30})


class Scene:
    """A bank on disk, and the journal of a process that has a share of it."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "limits.sqlite"
        self.bank = SqliteBank(self.path)
        self.process = SqliteBank(self.path)
        self.writer = JournalWriter(folder / "dying.journal", NOON, "never")
        self.process.join("dying")
        self.process.lease("dying", [Ask(A, 100, 50, 0)], 0)
        self.process.report("dying", [Share(A, 5, 45)], 0)
        self.writer.append(Begun("1", NOON, "m", (held(20),)))
        self.writer.append(Settled("1", stored(5)))
        self.writer.append(Begun("2", NOON, "m", (held(20),)))

    def kill(self):
        self.process.close()
        os.close(self.writer._file)

    def counted(self):
        (line,) = self.bank.lines()
        return line.spent_pusd, line.held_pusd


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    scene.bank.close()


def test_a_share_is_put_right_once_its_process_is_gone(scene):
    estates = Estates(scene.folder)
    assert estates.settle(scene.bank) == []
    assert scene.counted() == (5, 45)
    scene.kill()
    (line,) = estates.settle(scene.bank)
    assert "dying.journal" in line
    assert scene.counted() == (5, 20)
    assert estates.settle(scene.bank) == []
    Estates(scene.folder).settle(scene.bank)  # whoever owns the ledger from now on
    assert scene.counted() == (5, 20)


def test_where_every_call_has_an_outcome_the_bank_forgets_the_process(scene):
    scene.writer.append(Settled("2", None, "HTTP 500"))
    scene.kill()
    assert len(Estates(scene.folder).settle(scene.bank)) == 1
    assert scene.counted() == (5, 0)
    assert scene.bank.bury() == []


def test_a_process_that_left_the_bank_and_still_writes_is_waited_for(scene):
    scene.process.leave("dying")
    estates = Estates(scene.folder)
    assert estates.settle(scene.bank) == []
    scene.writer.append(Settled("2", stored(11)))
    scene.kill()
    estates.settle(scene.bank)
    assert scene.counted() == (16, 0)


def spoil_mode(scene, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Exception, match="No space left"):
            scene.writer.append(Begun("3", NOON, "m", (held(20),)))
    scene.writer.append(Begun("3", NOON, "m", (held(20),)))
    assert scene.writer.path.stat().st_mode & stat.S_IXUSR


def spoil_line(scene, _):
    os.write(scene.writer._file, b"00000000 {}\n")


def spoil_amount(scene, _):
    scene.writer.append(Begun("3", NOON, "m", (held("much"),)))


@pytest.mark.parametrize("spoil", [spoil_mode, spoil_line, spoil_amount])
def test_on_half_the_evidence_nothing_is_let_go(scene, monkeypatch, spoil):
    spoil(scene, monkeypatch)
    scene.kill()
    estates = Estates(scene.folder)
    (line,) = estates.settle(scene.bank)
    assert "lacks records" in line
    assert estates.settle(scene.bank) == []
    assert scene.counted() == (5, 45)


def test_a_line_that_was_cut_by_the_kill_began_nothing(scene):
    os.write(scene.writer._file, b"0badcafe {half a beginn")
    scene.kill()
    Estates(scene.folder).settle(scene.bank)
    assert scene.counted() == (5, 20)


def test_pledges_and_processes_without_a_journal_keep_what_they_have(scene, tmp_path):
    purse = Purse(scene.bank, "alive")
    purse.pledge(purse.reserve([Wanted(A, 100, 10)], 10, "", 0.0), "batch", 0.0)
    other = SqliteBank(scene.path)
    other.join("unknown")
    other.lease("unknown", [Ask(A, 100, 7, 0)], 0)
    other.close()
    scene.kill()
    Estates(tmp_path).settle(scene.bank)
    assert scene.counted() == (5, 20 + 10 + 7)
    scene.bank.leave("alive")


def test_the_memory_bank_is_told_alike(tmp_path):
    bank = MemoryBank()
    bank.join("dying")
    bank.lease("dying", [Ask(A, 100, 50, 0)], 0)
    with JournalWriter(tmp_path / "dying.journal", NOON, "never") as writer:
        writer.append(Begun("1", NOON, "m", (held(20),)))
    bank.die("dying")
    Estates(tmp_path).settle(bank)
    assert [(one.spent_pusd, one.held_pusd) for one in bank.lines()] == [(0, 20)]
