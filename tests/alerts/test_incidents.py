"""The life of an incident, and the store that keeps it."""

import sqlite3
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.alerts import send
from farthing.alerts.channels import Channel
from farthing.alerts.incidents import Signal, acknowledged, advance, resolved, snoozed
from farthing.alerts.send import Undelivered
from farthing.alerts.store import CLAIM_S, TRIES_MAX, AlertStore, backoff_s
from farthing.errors import BadInput, LedgerFault

HOUR = timedelta(hours=1)
AT = datetime(2026, 11, 20, tzinfo=UTC)
OPS = Channel(name="ops", kind="webhook")
deliver = partial(send.deliver, clock=lambda: 0.0)


@pytest.fixture
def signal(now):
    def make(*keys, began=-2, last=0, over=False, kind="anomaly", stake=10**12, marks=("anomaly",)):
        began_at, last_at = now + began * HOUR, now + last * HOUR
        return Signal(kind, keys or ("a",), began_at, last_at, over, 0, "it rose", stake, {}, marks)

    return make


def events(steps):
    return [(step.incident.id, step.event) for step in steps]


def test_opened_once_and_quiet_while_it_goes_on(store, signal, now):
    assert events(store.advance([signal()], now, [OPS])) == [(1, "opened")]
    assert store.advance([signal()], now, [OPS]) == []
    assert events(store.advance([signal(last=1)], now + HOUR, [OPS])) == [(1, None)]
    assert events(store.advance([signal(last=1, over=True)], now + 9 * HOUR, [OPS])) == [(1, "resolved")]
    assert store.advance([signal(last=1, over=True)], now + 9 * HOUR, [OPS]) == []
    assert store.incidents() == []


def test_a_wider_cause_stays_the_same_incident(store, signal, now):
    store.advance([signal("a")], now, [])
    assert events(store.advance([signal("a", "b", last=1)], now + HOUR, [])) == [(1, None)]
    assert store.advance([signal("b", last=1)], now + HOUR, []) == []
    assert store.incidents()[0].keys == ("a", "b")


def test_signals_that_share_a_key_open_one_incident(store, signal, now):
    assert len(store.advance([signal("a", "b"), signal("b", "c")], now, [])) == 1


def test_another_kind_is_another_incident(store, signal, now):
    assert len(store.advance([signal("a"), signal("a", kind="budget")], now, [])) == 2


def test_what_came_and_went_is_told_once(store, signal, now):
    past = signal(began=-20, last=-15, over=True)
    assert events(store.advance([past], now, [OPS])) == [(1, "opened")]
    assert store.incidents() == []
    assert store.advance([past], now, [OPS]) == []


def test_a_new_episode_after_the_end_is_a_new_incident(store, signal, now):
    store.advance([signal()], now, [])
    store.advance([], now + 9 * HOUR, [])
    later = signal(began=20, last=21)
    assert events(store.advance([later], now + 21 * HOUR, [])) == [(2, "opened")]


def test_resolved_by_hand_is_not_opened_by_the_same_episode(store, signal, now):
    store.advance([signal()], now, [OPS])
    store.change(1, lambda one: resolved(one, now))
    assert store.advance([signal(last=1)], now + HOUR, [OPS]) == []
    with pytest.raises(BadInput, match="is resolved"):
        store.change(1, acknowledged)


def test_worse_is_told_again_and_what_was_acknowledged_covers_only_what_was_known(store, signal, now):
    def budget(*shares):
        return signal(kind="budget", marks=tuple(f"budget:{share}" for share in shares))

    store.advance([budget(50)], now, [OPS])
    assert events(store.advance([budget(50, 80)], now, [OPS])) == [(1, "escalated")]
    assert store.advance([budget(50)], now, [OPS]) == []  # prices were corrected downwards
    store.change(1, lambda one: acknowledged(one, "ann"))
    assert store.advance([budget(50, 80)], now, [OPS]) == []
    assert store.incidents()[0].by == "ann"
    assert events(store.advance([budget(50, 80, 100)], now, [OPS])) == [(1, "escalated")]
    assert (store.incidents()[0].state, store.incidents()[0].by) == ("open", "")
    assert events(store.advance([], now + HOUR, [OPS])) == [(1, "resolved")]


def test_what_is_new_of_an_episode_that_was_closed_by_hand_is_news(store, signal, now):
    def budget(*marks):
        return signal(kind="budget", marks=marks, last=1)

    store.advance([budget("forecast")], now, [OPS])
    store.change(1, lambda one: resolved(one, now + 2 * HOUR, "ann"))
    assert store.advance([budget("forecast")], now + 2 * HOUR, [OPS]) == []
    assert events(store.advance([budget("budget:50", "forecast")], now + 2 * HOUR, [OPS])) == [(2, "opened")]
    store.change(2, lambda one: resolved(one, now + 2 * HOUR, "ann"))
    assert store.advance([budget("budget:50", "forecast")], now + 3 * HOUR, [OPS]) == []


def test_what_turns_out_to_be_one_cause_becomes_one_incident(store, signal, now):
    store.advance([signal("a"), signal("b"), signal("c")], now, [OPS])
    store.change(1, acknowledged)
    steps = store.advance([signal("a", "b", last=1)], now + HOUR, [OPS])
    assert events(steps) == [(1, "joined"), (2, None), (3, "resolved")]
    assert (steps[0].incident.part_of, steps[0].incident.state) == (2, "resolved")
    assert store.incidents()[0].keys == ("a", "b")
    assert store.advance([signal("a", last=1)], now + HOUR, [OPS]) == []  # narrower again: still that one


def test_a_chain_of_signals_makes_one_of_all_that_they_touch(store, signal, now):
    store.advance([signal("a", "d"), signal("b"), signal("c")], now, [OPS])
    steps = store.advance([signal("b", "c", last=1), signal("a", "b", last=1), signal("d", last=1)], now, [OPS])
    assert events(steps) == [(1, None), (2, "joined"), (3, "joined")]
    assert [one.keys for one in store.incidents()] == [("a", "b", "c", "d")]


def test_what_is_over_joins_nothing(store, signal, now):
    store.advance([signal("a"), signal("b")], now, [OPS])
    steps = store.advance([signal("a", "b", over=True), signal("b")], now, [OPS])
    assert [step.event for step in steps if step.event] == ["resolved"]


def test_snoozed_until_its_time_is_up(store, signal, now):
    store.advance([signal()], now, [OPS])
    store.change(1, lambda one: snoozed(one, now, 3 * HOUR))
    assert store.advance([signal()], now + HOUR, [OPS]) == []
    assert events(store.advance([signal(last=3)], now + 3 * HOUR, [OPS])) == [(1, "woken")]
    assert store.incidents()[0].state == "open"


def test_an_amount_of_any_size_survives(store, signal, now):
    store.advance([signal(stake=10**25 + 1)], now, [])
    assert store.incidents()[0].stake_pusd == 10**25 + 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 3)), max_size=8))
def test_the_same_signals_again_change_nothing(drawn):
    signals = [Signal("anomaly", (k,), AT - n * HOUR, AT, over, n, "t", None, {}) for k, over, n in drawn]
    steps = advance([], signals, AT)
    kept = [msgspec.structs.replace(step.incident, id=number) for number, step in enumerate(steps, 1)]
    keys = [key for one in kept for key in one.keys]
    assert sorted(keys) == sorted({signal.keys[0] for signal in signals})
    assert [step.event for step in advance(kept, signals, AT)].count("opened") == 0


# -- messages ---------------------------------------------------------------------------------------------------------


class Inbox:
    def __init__(self, *faults):
        self.got = []
        self.faults = list(faults)

    def __call__(self, channel, message, now):
        self.got.append((message.delivery, message.event))
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault


def test_told_once_per_channel_and_event(store, signal, now):
    inbox, two = Inbox(), [OPS, Channel(name="mail", kind="email", tells=("budget",))]
    for _ in range(3):
        store.advance([signal()], now, two)
        deliver(store, two, now, send=inbox)
    store.advance([], now + HOUR, two)
    deliver(store, two, now + HOUR, send=inbox)
    assert [event for _, event in inbox.got] == ["opened", "resolved"]
    assert len({delivery for delivery, _ in inbox.got}) == 2


def test_a_channel_hears_of_its_topics_and_then_of_the_end(store, signal, now):
    inbox = []
    channels = [Channel(name=name, kind="webhook", tells=(name,)) for name in ("budget", "forecast", "anomaly")]
    for marks in (("forecast",), ("budget:50", "forecast"), ("budget:50", "budget:80")):
        store.advance([signal(kind="budget", marks=marks)], now, channels)
    store.advance([], now + HOUR, channels)
    deliver(store, channels, now + HOUR, send=lambda channel, message, _: inbox.append((channel.name, message.event)))
    assert [event for name, event in inbox if name == "forecast"] == ["opened", "resolved"]
    assert [event for name, event in inbox if name == "budget"] == ["escalated", "escalated", "resolved"]
    assert not [event for name, event in inbox if name == "anomaly"]


def test_killed_between_sending_and_remembering_sends_the_same_id_again(store, signal, now):
    store.advance([signal()], now, [OPS])
    inbox = Inbox(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        deliver(store, [OPS], now, send=inbox)
    assert deliver(store, [OPS], now + timedelta(seconds=CLAIM_S - 1), send=inbox).sent == 0
    assert deliver(store, [OPS], now + timedelta(seconds=CLAIM_S), send=inbox).sent == 1
    assert deliver(store, [OPS], now + HOUR, send=inbox).sent == 0
    assert len(inbox.got) == 2
    assert len(set(inbox.got)) == 1


def test_two_senders_do_not_send_the_same(store, signal, now, tmp_path):
    store.advance([signal()], now, [OPS])
    other = AlertStore(tmp_path / "alerts.sqlite")
    assert store.claim(now, now) is not None
    assert other.claim(now, now) is None
    other.close()


def test_a_claim_lasts_from_when_it_is_made_however_late_the_others_answered(store, signal, now, tmp_path):
    slow = [Channel(name=name, kind="webhook") for name in ("one", "two")]
    store.advance([signal()], now, slow)
    seconds, other = [0.0], AlertStore(tmp_path / "alerts.sqlite")
    got = []

    def answer_late(channel, message, at):
        got.append((channel.name, at - now))
        seconds[0] += CLAIM_S - 1
        late = now + timedelta(seconds=seconds[0])
        if channel.name == "two":
            assert other.claim(late, late) is None

    assert send.deliver(store, slow, now, send=answer_late, clock=lambda: seconds[0]).sent == 2
    other.close()
    assert got == [("one", timedelta(0)), ("two", timedelta(seconds=CLAIM_S - 1))]


def test_retried_at_growing_distances_and_given_up(store, signal, now):
    store.advance([signal()], now, [OPS])
    inbox, at = Inbox(*[Undelivered("answered 503")] * 50), now
    for tries in range(1, TRIES_MAX + 1):
        found = deliver(store, [OPS], at, send=inbox)
        assert (found.failed, found.given_up) == ((1, 0) if tries < TRIES_MAX else (0, 1))
        assert deliver(store, [OPS], at + timedelta(seconds=backoff_s(tries) - 1), send=inbox) == (0, 0, 0, ())
        at += timedelta(seconds=backoff_s(tries))
    assert deliver(store, [OPS], at + 99 * HOUR, send=inbox).sent == 0
    ((_, channel, tries, given_up, fault),) = store.undelivered()
    assert (channel, tries, given_up, fault) == ("ops", TRIES_MAX, True, "answered 503")


def test_the_end_never_overtakes_the_beginning(store, signal, now):
    inbox = Inbox(Undelivered("answered 503"))
    store.advance([signal()], now, [OPS])
    deliver(store, [OPS], now, send=inbox)
    store.advance([], now, [OPS])
    deliver(store, [OPS], now, send=inbox)
    deliver(store, [OPS], now + HOUR, send=inbox)
    assert [event for _, event in inbox.got] == ["opened", "opened", "resolved"]


def test_one_dead_channel_does_not_hold_up_the_other(store, signal, now):
    dead, alive = Channel(name="dead", kind="webhook"), Channel(name="alive", kind="webhook")
    store.advance([signal()], now, [dead, alive])

    def send(channel, message, now):
        if channel.name == "dead":
            raise Undelivered("cannot be reached")

    assert deliver(store, [dead, alive], now, send=send)[:2] == (1, 1)


def test_a_channel_that_is_gone_is_given_up(store, signal, now):
    store.advance([signal()], now, [OPS])
    assert deliver(store, [], now).given_up == 1


def test_alertmanager_is_reminded_once_an_hour(store, signal, now):
    manager, inbox = Channel(name="am", kind="alertmanager"), Inbox()
    for minutes in (0, 5, 61, 65, 121):
        at = now + timedelta(minutes=minutes)
        store.advance([signal(last=0)], at, [manager])
        deliver(store, [manager], at, send=inbox)
    assert [event for _, event in inbox.got] == ["opened", "renewed", "renewed", "renewed"]


def test_a_store_of_a_newer_farthing_is_refused(tmp_path):
    file = tmp_path / "new.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerFault, match="version 99"):
        AlertStore(file)


def test_no_such_incident(store):
    with pytest.raises(BadInput, match="no incident 7"):
        store.change(7, acknowledged)
