"""Apply and undo, in any order and killed at any moment: bytes that are not ours stay, and nothing is half done."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farthing.errors import BadConfig, BadInput, LedgerFault
from farthing.units import Kind
from farthing.whatif.playbook import desk as desk_module
from farthing.whatif.playbook.desk import Decided, Desk
from farthing.whatif.playbook.journal import Predicted, read_journal
from farthing.whatif.playbook.policy import HEADER, StepTable, read_policy

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PREDICTED = Predicted(a_month_pusd=5, low_pusd=None, high_pusd=None, kind=Kind.DERIVED, since=NOW, until=NOW, calls=3)
OWN = [None, HEADER, b"version = 1", b'version = 1\n# mine\n[[step]]\nid = "mine"\nbatch = true\n', b"version = 1\r\n"]
NAMES = ["a", "b", "c", "callers only"]


def decided(name):
    return Decided(StepTable(id=name, batch=True), name != "callers only", PREDICTED, f"predicted for {name}")


class _Killed(BaseException):
    """The process is gone."""


class Machine(RuleBasedStateMachine):
    """The real files against a model: the user's own bytes, and blocks in the order in which they were applied."""

    @initialize(own=st.sampled_from(OWN))
    def begin(self, own):
        self.folder = tempfile.TemporaryDirectory()
        self.policy = Path(self.folder.name) / "policy.toml"
        self.journal = Path(self.folder.name) / "playbook.journal"
        self.own = own
        if own is not None:
            self.policy.write_bytes(own)
        self.live = []
        self.blocks = {}
        self.desk = Desk(self.policy, self.journal, "me")

    def teardown(self):
        self.folder.cleanup()

    def bytes_now(self):
        return self.policy.read_bytes() if self.policy.exists() else None

    @rule(name=st.sampled_from(NAMES))
    def apply(self, name):
        if name in self.live:
            with pytest.raises(BadInput):
                self.desk.apply(decided(name), NOW)
            return
        entry = self.desk.apply(decided(name), NOW)
        self.blocks[name] = entry.block.encode()
        self.live.append(name)

    @rule(name=st.sampled_from([*NAMES, None]))
    def undo(self, name):
        if not self.live or name not in {*self.live, None}:
            with pytest.raises(BadInput):
                self.desk.undo(name, NOW)
            return
        assert self.desk.undo(name, NOW).step.id == (name or self.live[-1])
        self.live.remove(name or self.live[-1])

    @rule(name=st.sampled_from(NAMES))
    def killed_between_the_writes(self, name):
        """The journal has it, the policy not yet: the next look finishes it."""
        before, kept = self.bytes_now(), desk_module._replace

        def die(path, data):
            del path, data
            raise _Killed

        desk_module._replace = die
        try:
            if name in self.live:
                self.desk.undo(name, NOW)
                self.live.remove(name)
            else:
                self.blocks[name] = self.desk.apply(decided(name), NOW).block.encode()
                self.live.append(name)
        except _Killed:
            assert self.bytes_now() == before
            if name in self.live:
                self.live.remove(name)
            else:
                self.blocks[name] = read_journal(self.journal).entries[-1].block.encode()
                self.live.append(name)
        finally:
            desk_module._replace = kept
        self.desk.look()

    @precondition(lambda self: self.journal.exists())
    @rule(torn=st.binary(min_size=1, max_size=20))
    def killed_in_the_middle_of_a_line(self, torn):
        with self.journal.open("ab") as file:
            file.write(torn.replace(b"\n", b""))

    @invariant()
    def policy_is_the_own_bytes_and_what_is_applied(self):
        if not hasattr(self, "live"):
            return
        blocks = b"".join(self.blocks[name] for name in self.live)
        expected = (HEADER if self.own is None else self.own) + blocks if blocks else self.own
        assert self.bytes_now() == expected
        assert [one.step.id for one in self.desk.look().live] == self.live
        if expected is not None:
            read_policy(expected, "policy.toml")


TestInAnyOrder = Machine.TestCase
TestInAnyOrder.settings = settings(max_examples=40, stateful_step_count=14, deadline=None)


def test_an_edited_step_is_not_guessed_at(tmp_path):
    desk = Desk(tmp_path / "policy.toml", tmp_path / "journal")
    desk.apply(decided("a"), NOW)
    edited = (tmp_path / "policy.toml").read_bytes().replace(b"batch = true", b"batch = false")
    (tmp_path / "policy.toml").write_bytes(edited)
    with pytest.raises(BadInput, match="somebody edited it"):
        desk.undo("a", NOW)
    assert (tmp_path / "policy.toml").read_bytes() == edited
    assert [one.step.id for one in desk.look().live] == ["a"]


def test_other_edits_stay(tmp_path):
    desk = Desk(tmp_path / "policy.toml", tmp_path / "journal")
    desk.apply(decided("a"), NOW)
    with (tmp_path / "policy.toml").open("ab") as file:
        file.write(b"# mine\n")
    desk.undo(None, NOW)
    assert (tmp_path / "policy.toml").read_bytes() == HEADER + b"# mine\n"


def test_a_file_that_is_no_policy_is_left_alone(tmp_path):
    (tmp_path / "policy.toml").write_text("[limits]\n")
    desk = Desk(tmp_path / "policy.toml", tmp_path / "journal")
    with pytest.raises(BadConfig, match="limits"):
        desk.apply(decided("a"), NOW)
    assert desk.look().entries == ()


def test_a_step_that_somebody_wrote_by_hand_is_not_written_twice(tmp_path):
    (tmp_path / "policy.toml").write_text('version = 1\n[[step]]\nid = "a"\nbatch = true\n')
    with pytest.raises(BadInput, match="somebody wrote it there"):
        Desk(tmp_path / "policy.toml", tmp_path / "journal").apply(decided("a"), NOW)


def test_a_journal_that_cannot_be_written_changes_nothing(tmp_path):
    (tmp_path / "journal").mkdir()
    with pytest.raises((LedgerFault, IsADirectoryError)):
        Desk(tmp_path / "policy.toml", tmp_path / "journal").apply(decided("a"), NOW)
    assert not (tmp_path / "policy.toml").exists()


def test_the_journal_says_who_when_and_what(tmp_path):
    desk = Desk(tmp_path / "policy.toml", tmp_path / "journal", "ada")
    desk.apply(decided("a"), NOW)
    desk.undo("a", NOW)
    applied, undone = read_journal(tmp_path / "journal").entries
    assert (applied.number, applied.who, applied.at, applied.action, applied.predicted) == (
        1,
        "ada",
        NOW,
        "applied",
        PREDICTED,
    )
    assert (undone.number, undone.action, undone.undoes, undone.after) == (2, "undone", 1, None)
    damaged = (tmp_path / "journal").read_bytes().replace(b'"ada"', b'"eve"', 1)
    (tmp_path / "journal").write_bytes(damaged)
    assert read_journal(tmp_path / "journal").damaged == 1
