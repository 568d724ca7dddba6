"""Rivals, knots and the order of steps."""

from tests.whatif.playbook.made import HAIKU, SONNET, proposal

from farthing.whatif.playbook.advice import Risk
from farthing.whatif.playbook.order import are_rivals, in_order, knots, taken_place_of, ways_out
from farthing.whatif.replay.choice import Caching

WORK, PLAY = {"feature": ("work",)}, {"feature": ("play",)}


def test_rivals_turn_the_same_lever_for_calls_that_both_are_about():
    haiku = proposal("haiku", WORK, model=HAIKU)
    assert are_rivals(haiku, proposal("sonnet", WORK, model=SONNET))
    assert are_rivals(haiku, proposal("by tenant", {"tenant": ("a",)}, model=SONNET))  # a call may be of both
    assert not are_rivals(haiku, proposal("play", PLAY, model=SONNET))
    assert not are_rivals(haiku, proposal("batch", WORK, batch=True, turnaround_s=60))


def test_of_a_knot_every_way_out_has_no_rivals_and_takes_in_what_it_can():
    wide = proposal("wide", {}, cache=Caching("automatic"))
    work = proposal("work", WORK, cache=Caching("end"))
    play = proposal("play", PLAY, cache=Caching("none"))
    other = proposal("other", WORK, batch=True)
    every = [wide, other, work, play]
    assert knots(every) == [[0, 2, 3]]
    assert set(ways_out([0, 2, 3], every, [5, 1, 3, 3])) == {(0,), (2, 3)}


def test_rivals_of_another_risk_are_no_knot():
    every = [proposal("mild", WORK, model=SONNET), proposal("bold", WORK, model=HAIKU, risk=Risk.QUALITY)]
    assert knots(every) == []


def test_free_wins_then_dollars_per_risk():
    small, big = proposal("small", WORK, batch=True), proposal("big", PLAY, batch=True)
    late = proposal("late", {"feature": ("late",)}, batch=True, risk=Risk.DELAY)
    bold = proposal("bold", {"feature": ("bold",)}, model=HAIKU, risk=Risk.QUALITY, assumes="as good")
    saved = {"small": 1, "big": 2, "late": 10, "bold": 39}
    # 39 / 8 is less than 10 / 2
    assert [one.id for one in in_order([bold, late, small, big], saved)] == ["big", "small", "late", "bold"]
    assert [one.id for one in in_order([bold, late], {"late": 10, "bold": 48})] == ["bold", "late"]


def test_a_milder_rival_comes_first_however_little_it_saves():
    mild = proposal("mild", WORK, model=SONNET, risk=Risk.DELAY)
    bold = proposal("bold", WORK, model=HAIKU, risk=Risk.QUALITY)
    assert [one.id for one in in_order([bold, mild], {"mild": 1, "bold": 1000})] == ["mild", "bold"]
    assert taken_place_of(bold, [mild]) == (1,)
