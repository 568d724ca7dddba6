"""Rounds at an interval: when, what each says, what a fault does, and that nobody is told twice."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.conftest import CENT, NOW, Maker

from farthing.alerts import rounds
from farthing.alerts.channels import Channel
from farthing.alerts.evaluate import Settings
from farthing.alerts.incidents import acknowledged
from farthing.alerts.reading import Incidents
from farthing.alerts.rounds import AGAIN, Given, Glances, Watcher, alone, next_round
from farthing.alerts.store import AlertStore
from farthing.errors import BadConfig, LedgerFault
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query

HOUR = timedelta(hours=1)
OPS = Channel(name="ops", kind="webhook", url="http://127.0.0.1:9/", secret_env="NONE_SUCH")


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


class All(list):
    """Takes rows as a ledger does, so that a file gets them all at once."""

    add = list.extend


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A ledger's file in which one feature became twenty times as dear three hours ago."""
    path, rows, now = tmp_path_factory.mktemp("made") / "ledger.duckdb", All(), NOW
    maker = Maker(rows)
    maker.quiet_weeks(days=10)
    for hours in (3, 2, 1):
        maker.calls(now - hours * HOUR, 4, pusd=20 * CENT, tenant="acme", feature="chat")
    with open_ledger(path) as ledger:
        ledger.add(rows)
    return path


@pytest.fixture
def filled(made, tmp_path):
    return shutil.copy(made, tmp_path / "ledger.duckdb")


def watcher(path, clock, given=lambda: Given((OPS,), (), Settings(stake_min_pusd=CENT)), **more):
    return Watcher(path, path.with_name("alerts.sqlite"), given, HOUR, clock=clock, **more)


@given(
    st.integers(1_600_000_000, 2_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.integers(1, 1440).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_the_next_round_is_ahead_never_further_than_the_interval_and_always_at_the_same_distance(now, every):
    found = next_round(now, every)
    assert now < found <= now + every
    assert next_round(found, every) == found + every


def test_an_hourly_round_is_a_minute_after_the_hour():
    assert next_round(datetime(2026, 11, 20, 12, 0, 59, tzinfo=UTC), HOUR) == datetime(2026, 11, 20, 12, 1, tzinfo=UTC)
    assert next_round(datetime(2026, 11, 20, 12, 1, tzinfo=UTC), HOUR) == datetime(2026, 11, 20, 13, 1, tzinfo=UTC)


def test_a_round_judges_delivers_and_what_failed_is_sent_again_when_it_is_due(filled, now):
    clock = Clock(now)
    watching = watcher(filled, clock)
    said = watching.step()
    assert (len(said.found.firing), said.fault, said.next_at) == (1, "", now + timedelta(minutes=1))
    assert (said.delivered.sent, said.delivered.failed) == (0, 1)  # its secret is not set
    clock.now = now + timedelta(seconds=29)
    assert watching.step() is None
    clock.now = now + timedelta(seconds=31)
    again = watching.step()
    assert (again.found, again.delivered.failed) == (None, 1)


def test_a_ledger_that_is_not_there_is_said_and_looked_for_again(tmp_path, now):
    clock = Clock(now)
    watching = watcher(tmp_path / "none.duckdb", clock)
    said = watching.step()
    assert "none.duckdb" in said.fault
    assert said.next_at == now + AGAIN
    with open_ledger(tmp_path / "none.duckdb"):
        pass
    clock.now = said.next_at
    assert watching.step().fault == ""


def test_a_ledger_that_is_being_written_fails_the_round_alone(filled, now, monkeypatch):
    def locked(path, **_):
        raise LedgerFault(f"cannot read the ledger {path} now: another process is writing it")

    clock = Clock(now)
    watching = watcher(filled, clock)
    with monkeypatch.context() as patched:
        patched.setattr(rounds, "DuckDBReader", locked)
        assert "writing it" in watching.step().fault
    assert not filled.with_name("alerts.sqlite").exists() or not _standing(filled)
    clock.now = now + AGAIN
    assert len(watching.step().found.firing) == 1


def _standing(filled):
    store = Incidents(filled.with_name("alerts.sqlite"))
    try:
        return store.standing()
    finally:
        store.close()


def test_a_mistake_in_a_file_of_the_settings_tells_nobody_and_gives_nothing_up(filled, now):
    files = [Given((OPS,), (), Settings(stake_min_pusd=CENT))]

    def read():
        if not files:
            raise BadConfig("read channels: a mistake")
        return files.pop()

    clock = Clock(now)
    watching = watcher(filled, clock, read)
    assert watching.step().delivered.failed == 1
    clock.now = now + timedelta(minutes=2)
    assert watching.step().fault == "read channels: a mistake"
    clock.now += timedelta(seconds=29)
    said = watching.step()
    assert (said.delivered.failed, said.delivered.given_up) == (1, 0)


def test_channels_that_were_never_read_give_up_nothing(filled, now):
    first = watcher(filled, Clock(now))
    first.step()

    def broken():
        raise BadConfig("read channels: a mistake")

    clock = Clock(now + timedelta(minutes=1))
    second = watcher(filled, clock, broken)
    second.step()
    clock.now += timedelta(seconds=29)
    assert second.step() is None


def test_told_to_stop_it_leaves_the_rest_for_the_next(filled, now):
    assert watcher(filled, Clock(now), stop=lambda: True).step().delivered.failed == 0
    assert watcher(filled, Clock(now)).step().delivered.failed == 1


def test_the_ledger_is_closed_between_two_questions(filled, now):
    glances = Glances(filled)
    assert sum(row.calls for row in glances.report(Query())) > 0
    with open_ledger(filled) as ledger:  # the same process could not open it for writing beside an open reader
        Maker(ledger).calls(now, 1, tenant="acme")
    assert glances.report(Query())


def test_only_one_watches_and_the_next_goes_on_when_it_ends(tmp_path):
    store, told = tmp_path / "alerts.sqlite", []
    with alone(store, wait=lambda _: True, say=told.append) as first:
        with alone(store, wait=lambda _: True, say=told.append) as second:
            assert (first, second) == (True, False)
        assert len(told) == 1
    with alone(store, wait=lambda _: True, say=told.append) as third:
        assert third
    assert len(told) == 1


def test_a_lock_file_with_anything_in_it_is_a_lock_file(tmp_path):
    store = tmp_path / "alerts.sqlite"
    store.with_name("alerts.sqlite.watcher").write_text("not a number")
    told = []
    with alone(store, wait=lambda _: True, say=told.append) as first:
        assert first
        store.with_name("alerts.sqlite.watcher").write_text("-")
        with alone(store, wait=lambda _: True, say=told.append):
            assert told == [0]


def test_reading_sees_the_last_whole_transaction_and_waits_for_nobody(filled, now):
    watcher(filled, Clock(now)).step()
    path = filled.with_name("alerts.sqlite")
    store, reader = AlertStore(path), Incidents(path)
    try:

        def change(incident):
            (seen,) = reader.standing()  # in the middle of a transaction of the other one
            assert seen.state == "open"
            return acknowledged(incident, "ada")

        store.change(1, change)
        assert (reader.one(1).state, reader.one(1).by) == ("acknowledged", "ada")
        assert reader.one(2) is None
        assert reader.over(10) == []
        assert reader.evaluated_at() == now
        (told,) = reader.told(1)
        assert (told.channel, told.event, told.tries, told.is_given_up) == ("ops", "opened", 1, False)
        assert told.due_at == now + timedelta(seconds=30)
        assert reader.by_channel() == {"ops": (0, 1, 0)}
    finally:
        store.close()
        reader.close()


def test_reading_makes_no_store_and_takes_no_other_file_for_one(tmp_path):
    with pytest.raises(LedgerFault, match=r"alerts\.sqlite"):
        Incidents(tmp_path / "alerts.sqlite")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "alerts.sqlite").write_text("this is a text, and a long one, about nothing in particular " * 20)
    with pytest.raises(LedgerFault, match="cannot be read"):
        Incidents(tmp_path / "alerts.sqlite")
