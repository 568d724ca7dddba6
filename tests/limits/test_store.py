"""The store on its own: other processes, kill -9 in the middle of everything, and its files."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from farthing.errors import LedgerFault
from farthing.limits.memory_bank import MemoryBank
from farthing.limits.pockets import Refusal, Wanted
from farthing.limits.protocol import AccountKey, Ask, Share
from farthing.limits.purse import Purse
from farthing.limits.store import SqliteBank

A = AccountKey("a", "tenant=äcme", 1_700_000_000)
SOFT = A._replace(budget="soft")
LIMIT = 10_000


def line(bank, key=A):
    return next(one for one in bank.lines() if one.key == key)


def test_amounts_beyond_sixty_four_bits(tmp_path):
    bank, huge = SqliteBank(tmp_path / "limits.sqlite"), 10**9 * 10**12
    bank.join("p")
    bank.lease("p", [Ask(A, 2 * huge, huge, 0)], 0)
    bank.report("p", [Share(A, huge, huge)], 0)
    bank.close()
    again = SqliteBank(tmp_path / "limits.sqlite")
    assert (line(again).spent_pusd, line(again).held_pusd) == (huge, huge)
    again.close()


def test_a_store_of_a_newer_farthing_is_left_alone(tmp_path):
    SqliteBank(tmp_path / "limits.sqlite").close()
    raw = sqlite3.connect(tmp_path / "limits.sqlite")
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(LedgerFault, match="version 99"):
        SqliteBank(tmp_path / "limits.sqlite")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerFault, match=r"limits\.sqlite"):
        SqliteBank(tmp_path / "file" / "limits.sqlite")


def test_locks_of_those_who_left_or_died_are_tidied_away(tmp_path):
    bank, other = SqliteBank(tmp_path / "limits.sqlite"), SqliteBank(tmp_path / "limits.sqlite")
    bank.join("one")
    other.join("two")
    other.lease("two", [Ask(A, LIMIT, 10, 0)], 0)
    assert bank.bury() == []
    other.close()
    assert bank.bury() == ["two"]
    bank.leave("one")
    assert list((tmp_path / "limits.sqlite-holders").iterdir()) == []
    bank.close()


# -- real processes ---------------------------------------------------------------------------------------------------

WORKER = """
import random, sys, time
from pathlib import Path
from farthing.limits.pockets import Refusal, Wanted
from farthing.limits.protocol import AccountKey
from farthing.limits.purse import Purse
from farthing.limits.store import SqliteBank

path, name, seed, stays = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "stays"
dice, key = random.Random(seed), AccountKey("a", "tenant=äcme", 1_700_000_000)
purse = Purse(SqliteBank(path, busy_s=60), name)
log = open(path.with_name(name + ".log"), "a", buffering=1)
for number in range(10**9 if stays else 100):
    ticket = purse.reserve([Wanted(key, 10_000, 20)], 20, "", 0.0)
    if isinstance(ticket, Refusal):
        if not stays:
            break
        purse.sync(0.0)
        continue
    log.write(f"{number} begun\\n")  # the journal: before the call is sent
    time.sleep(0.001)
    actual = dice.randint(0, 20)
    log.write(f"{number} {actual}\\n")  # and once it has an outcome
    purse.settle(ticket, actual)
    if dice.random() < 0.2:
        purse.sync(0.0)
purse.close(0.0)
"""


def start(path, name, seed, how):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(path), name, str(seed), how])


def journal(path, name):
    """What the journal of one process says: the sum of outcomes, and how many calls have none."""
    begun, spent = set(), 0
    for text in path.with_name(name + ".log").read_text().splitlines():
        number, _, outcome = text.partition(" ")
        if outcome == "begun":
            begun.add(number)
        elif outcome:
            begun.discard(number)
            spent += int(outcome)
    return spent, len(begun)


def test_processes_that_are_killed_lose_nothing_and_never_pass_the_limit(tmp_path):
    path = tmp_path / "limits.sqlite"
    SqliteBank(path).close()
    killed = [start(path, f"killed-{seed}", seed, "stays") for seed in range(3)]
    others = [start(path, f"whole-{seed}", seed, "ends") for seed in range(2)]
    for number, process in enumerate(killed):
        log = path.with_name(f"killed-{number}.log")
        deadline = time.monotonic() + 60
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # in the middle of something, whatever it is
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert [process.wait(300) for process in others] == [0, 0]

    bank = SqliteBank(path)
    names = [f"killed-{seed}" for seed in range(3)]
    assert bank.bury() == names
    said = {name: journal(path, name) for name in (*names, "whole-0", "whole-1")}
    total = sum(spent for spent, _ in said.values())
    under_way = 20 * sum(without for _, without in said.values())
    before = line(bank)
    assert total + under_way <= before.spent_pusd + before.held_pusd <= LIMIT
    for name in names:
        spent, without = said[name]
        assert bank.truth(name, {A: spent}, {A: 20 * without} if without else {})
    after = line(bank)
    assert (after.spent_pusd, after.held_pusd) == (total, under_way)
    bank.close()


# -- the store and the definition say the same ------------------------------------------------------------------------


class TwoBanks(RuleBasedStateMachine):
    """Several processes on one store, step by step beside the bank in memory, until the truth about all is told."""

    purses = Bundle("purses")
    tickets = Bundle("tickets")

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "limits.sqlite"
        self.memory, self.looker = MemoryBank(), SqliteBank(self.path)
        self.count, self.now, self.banks = 0, 0.0, []
        self.true = {}  # per holder: sum of outcomes; and worst cases without one, by ticket
        self.open = {}

    @rule(target=purses)
    def start(self):
        name, self.count = f"p{self.count}", self.count + 1
        self.true[name] = 0
        self.banks.append(SqliteBank(self.path))
        return (name, Purse(self.banks[-1], name), Purse(self.memory, name))

    @rule(target=tickets, pair=purses, worst=st.integers(1, 3_000))
    def reserve(self, pair, worst):
        name, *both = pair
        if name not in self.true or name not in self.memory.alive:
            return multiple()
        wanted = [Wanted(A, LIMIT, worst), Wanted(SOFT, None, worst)]
        found = [one.reserve(wanted, worst, "", self.now) for one in both]
        assert isinstance(found[0], Refusal) == isinstance(found[1], Refusal)
        if isinstance(found[0], Refusal):
            assert found[0] == found[1]
            return multiple()
        self.open[id(found[0])] = (name, worst)
        return (name, both, found, worst)

    @rule(ticket=consumes(tickets), share=st.integers(0, 10))
    def settle(self, ticket, share):
        name, both, found, worst = ticket
        if name in self.memory.alive:
            actual = worst * share // 10
            assert [purse.settle(one, actual) for purse, one in zip(both, found, strict=True)] == [True, True]
            self.true[name] += actual
            del self.open[id(found[0])]

    @rule(ticket=tickets)
    def lose_sight(self, ticket):
        name, both, found, _ = ticket
        if name in self.memory.alive:
            news = [purse.settle(one, None) for purse, one in zip(both, found, strict=True)]
            assert news[0] == news[1]

    @rule(pair=purses, passed=st.sampled_from([0.0, 1.0, 11.0]))
    def sync(self, pair, passed):
        self.now += passed
        for purse in pair[1:] if pair[0] in self.memory.alive else ():
            purse.sync(self.now)

    @rule(pair=purses)
    def kill(self, pair):
        name, on_disk, _ = pair
        if name in self.memory.alive:
            on_disk.bank.close()
            self.memory.die(name)

    @rule(tell_open=st.booleans())
    def tell_the_truth(self, tell_open):
        assert self.looker.bury() == self.memory.bury()
        for name in self.memory.bury():
            worst = sum(worst for holder, worst in self.open.values() if holder == name)
            spent = dict.fromkeys((A, SOFT), self.true[name])
            still = dict.fromkeys(spent, worst) if worst else {}
            for bank in (self.looker, self.memory):
                assert bank.truth(name, spent, still if tell_open else None)

    @invariant()
    def both_say_the_same_and_nobody_is_over(self):
        mine, definition = self.looker.lines(), self.memory.lines()
        shown = [one._replace(presumed_pusd=0) for one in mine], [one._replace(presumed_pusd=0) for one in definition]
        assert shown[0] == shown[1]
        counted = sum(one.spent_pusd + one.held_pusd for one in mine if one.key == A)
        true = sum(self.true.values()) + sum(worst for _, worst in self.open.values())
        assert true <= counted <= LIMIT

    def teardown(self):
        if hasattr(self, "looker"):
            self.looker.close()
            for bank in self.banks:
                bank.close()
            self.folder.cleanup()


TestTwoBanks = TwoBanks.TestCase
TestTwoBanks.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
