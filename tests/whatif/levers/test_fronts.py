"""Prompts with a changing front: found at its place, and repaired as their author could have written them."""

import msgspec
import pytest
from tests.whatif.levers.traffic_made import JOB, made, played

from farthing.prices.book import shipped_book
from farthing.whatif.levers.fronts import stable, with_stable_front
from farthing.whatif.levers.misses import find
from farthing.whatif.levers.traffic import traffic_of
from farthing.whatif.replay.choice import Caching, Choice
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
AS_MARKED = Choice.of(cache=Caching("as_marked"))


def bill(calls, choice=AS_MARKED):
    return replay(calls, [choice], BOOK).steps[0].sums.pusd


def test_a_repaired_front_costs_what_the_same_program_without_the_clock_really_cost():
    """The sandbox executes the same conversations without the stamp; only the stamp's few tokens differ."""
    stamped = played([JOB["contract-questions"]], sessions_per_day=30, days=2)
    executed = played([JOB["contract-questions"]._replace(stamped=False)], sessions_per_day=30, days=2)
    assert len(stamped) == len(executed)
    repaired, really = bill(with_stable_front(stamped, 0)), bill(executed)
    assert really == sum(replay([call], [], BOOK).before.pusd for call in executed)
    assert repaired == pytest.approx(really, rel=0.01)
    assert bill(stamped) > 2 * repaired


def test_the_finding_names_the_place_and_its_replayed_cost():
    calls = played([JOB["contract-questions"]], sessions_per_day=30, days=4)
    (found,) = [one for one in find(traffic_of(calls, BOOK)) if one.id.startswith("front-changes")]
    assert found.position == 0
    assert found.where == "system block 1 (block 1 of the prompt)"
    assert found.kind == "assumed"
    late = calls[len(calls) - found.calls :]
    exact = sum(replay([call], [], BOOK).before.pusd for call in late) - bill(with_stable_front(late, 0, found.about))
    assert found.cost_pusd == pytest.approx(exact, rel=0.05)


def test_the_place_counts_within_its_section():
    calls = [
        made(
            60 * n,
            [
                ("t", 900, "tools"),
                ("same", 2000, "system"),
                (f"id {n:03d}", 40, "system"),
                (f"q{n}", 9000, "messages", "5m"),
            ],
            counts=(None, 11_940, 0, 0),
            dims={"feature": "made", "session": f"s{n // 10}"},
        )
        for n in range(200)
    ]
    traffic = traffic_of(calls, BOOK)
    (one,) = traffic.habits
    (place,) = one.breaks
    assert (place.section, place.position, place.number) == ("system", 2, 2)
    assert one.breaks[place] == one.pairs == 180


def test_one_edit_of_a_prompt_is_no_habit():
    calls = [
        made(
            60 * n,
            [("old" if n < 50 else "new", 3000, "system", "5m"), (f"q{n}", 50, "messages")],
            counts=(None, 3000, 0, 0) if n in {0, 50} else (None, 0, 0, 3000),
            dims={"feature": "made", "user": "u"},
        )
        for n in range(100)
    ]
    assert find(traffic_of(calls, BOOK)) == []


def test_sessions_stay_apart_and_other_calls_pass():
    def asked(session, text, n):
        dims = {"feature": "made", "session": session}
        return made(n, [(f"clock {n}", 50 + n, "system"), ("rules", 70, "system"), (text, 9, "messages")], dims=dims)

    one, two, other = asked("a", "x", 1), asked("a", "x", 2), asked("b", "x", 3)
    hashes = [[block.prefix_hash for block in call.request.blocks] for call in with_stable_front([one, two, other], 0)]
    assert hashes[0] == hashes[1]
    assert hashes[0][:2] == hashes[2][:2]
    assert hashes[0][2] != hashes[2][2]
    assert list(with_stable_front([one], 0, {"feature": ("else",)})) == [one]
    assert stable(one, 3) == one
    assert stable(msgspec.structs.replace(one, request=None), 0).request is None
    kept = stable(one, 1).request.blocks[0]
    assert kept == one.request.blocks[0]
