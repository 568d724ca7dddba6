"""Deadlines of one length, on a clock that is turned by hand."""

from hypothesis import given
from hypothesis import strategies as st

from farthing.gateway.deadlines import Deadlines, Silence


class Timer:
    def __init__(self, at, call):
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


class Clock:
    """As much of an event loop as deadlines need; it counts the timers that were ever set."""

    def __init__(self):
        self.now = 0.0
        self.timers = []
        self.set = 0
        self.failures = []

    def call_exception_handler(self, context):
        self.failures.append(context["exception"])

    def time(self):
        return self.now

    def call_later(self, seconds, call):
        return self.call_at(self.now + seconds, call)

    def call_at(self, at, call):
        self.set += 1
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    def turn_to(self, now):
        while due := [timer for timer in self.timers if timer.at <= now and not timer.cancelled]:
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            self.now = max(self.now, first.at)
            first.call()
        self.now = now


def test_a_wait_that_is_over_in_time_expires_never():
    clock, expired = Clock(), []
    deadlines = Deadlines(10, clock)
    number = deadlines.begin(lambda: expired.append(1))
    clock.turn_to(9.9)
    deadlines.end(number)
    clock.turn_to(100)
    assert expired == []
    assert clock.timers == []


def test_one_that_fails_keeps_no_other_waiting_and_is_told():
    clock, expired = Clock(), []
    deadlines, failure = Deadlines(10, clock), RuntimeError("no")

    def fail():
        raise failure

    deadlines.begin(fail)
    deadlines.begin(lambda: expired.append(1))
    clock.turn_to(1)
    deadlines.begin(lambda: expired.append(2))
    clock.turn_to(100)
    assert expired == [1, 2]
    assert clock.failures == [failure]


def test_each_expires_at_its_own_time():
    clock, expired = Clock(), []
    deadlines = Deadlines(10, clock)
    for begun in (0, 3, 7):
        clock.turn_to(begun)
        deadlines.begin(lambda begun=begun: expired.append((begun, clock.now)))
    clock.turn_to(9.9)
    assert expired == []
    clock.turn_to(100)
    assert expired == [(0, 10), (3, 13), (7, 17)]


def test_a_thousand_short_waits_set_a_timer_for_each_of_the_lengths_that_pass():
    clock, expired = Clock(), []
    deadlines = Deadlines(10, clock)
    for tenth in range(1_000):
        number = deadlines.begin(lambda: expired.append(1))
        clock.turn_to(tenth / 10 + 0.05)
        deadlines.end(number)
    assert expired == []
    assert clock.set <= 12


def test_what_expires_may_begin_and_end_others():
    clock, expired = Clock(), []
    deadlines = Deadlines(10, clock)

    def again():
        expired.append(clock.now)
        if len(expired) < 3:
            deadlines.begin(again)

    deadlines.begin(again)
    deadlines.end(0)
    deadlines.end(99)
    clock.turn_to(100)
    assert expired == [10, 20, 30]


def test_closed_they_are_forgotten():
    clock, expired = Clock(), []
    deadlines = Deadlines(10, clock)
    deadlines.begin(lambda: expired.append(1))
    deadlines.close()
    clock.turn_to(100)
    assert expired == []


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 25)), max_size=30))
def test_exactly_those_expire_that_took_too_long(waits):
    """Each wait is (pause before it begins, how long it takes); they overlap."""
    clock, expired, ends, begins, at = Clock(), set(), [], [], 0.0
    deadlines, numbers = Deadlines(10, clock), {}
    for index, (pause, length) in enumerate(waits):
        at += pause
        begins.append((at, index))
        ends.append((at + length, index))
    events = sorted([(when, 0, index) for when, index in begins] + [(when, 1, index) for when, index in ends])
    for when, is_end, index in events:
        clock.turn_to(when)
        if is_end:
            deadlines.end(numbers[index])
        else:
            numbers[index] = deadlines.begin(lambda index=index: expired.add(index))
    clock.turn_to(at + 100)
    sure = {index for index, (_, length) in enumerate(waits) if length > 10.01}
    possible = {index for index, (_, length) in enumerate(waits) if length > 9.99}
    assert sure <= expired <= possible


@given(st.lists(st.floats(0, 25), max_size=30), st.floats(0, 25))
def test_a_silence_expires_that_long_after_something_was_heard(pauses, before):
    """Something is heard after each of *pauses*, and then nothing any more; another wait began *before* that."""
    clock, expired = Clock(), []
    deadlines = Deadlines(10, clock)
    Silence(deadlines, lambda: expired.append("other")).begin()
    clock.turn_to(before)
    silence, heard = Silence(deadlines, lambda: expired.append(clock.now)), before
    silence.begin()
    for pause in pauses:
        if pause >= 10:
            break
        heard += pause
        clock.turn_to(heard)
        silence.heard_s = heard
    clock.turn_to(heard + 9.99)
    assert [when for when in expired if when != "other"] == []
    clock.turn_to(1_000)
    late = [when - heard - 10 for when in expired if when != "other"]
    assert len(late) == 1
    assert -0.01 < late[0] < 0.01


def test_a_silence_that_is_ended_expires_never():
    clock, expired = Clock(), []
    silence = Silence(Deadlines(10, clock), lambda: expired.append(clock.now))
    silence.begin()
    clock.turn_to(9)
    silence.heard_s = 9.0
    clock.turn_to(15)
    silence.end()
    clock.turn_to(100)
    assert expired == []


def test_a_stream_of_a_thousand_events_sets_a_timer_for_each_of_the_lengths_that_pass():
    clock, expired = Clock(), []
    silence = Silence(Deadlines(10, clock), lambda: expired.append(clock.now))
    silence.begin()
    for tenth in range(1_000):
        clock.turn_to(tenth / 10)
        silence.heard_s = clock.now
    assert expired == []
    assert clock.set <= 12
