"""Misses by cause, with what they cost and only where there is a remedy."""

import pytest
from tests.whatif.levers.traffic_made import made

from farthing.prices.book import shipped_book
from farthing.units import Kind
from farthing.whatif.levers.misses import find
from farthing.whatif.levers.traffic import traffic_of

READ, WRITE_5M, WRITE_1H, PLAIN = 100_000, 2_500_000, 4_000_000, 2_000_000
"""Sonnet 5.5, picodollars per token: $0.10, $2.50, $4 and $2 per million tokens (facts: prices)."""


def found(calls):
    return find(traffic_of(calls, shipped_book()))


def test_calls_that_begin_together_each_write():
    """Bursts of three, of which the last two need not have written."""
    calls = [
        made(
            900 * burst + at,
            [("rules", 4000, "system", "5m"), (f"{burst}.{at}", 20, "messages")],
            counts=(None, 4000, 0, 0),
            ttft_ms=5000,
        )
        for burst in range(20)
        for at in range(3)
    ]
    one = next(one for one in found(calls) if one.id.startswith("written-at-once"))
    assert one.cost_pusd == 40 * 4000 * (WRITE_5M - READ)
    assert one.kind is Kind.DERIVED


def test_a_breakpoint_too_far_behind_what_was_cached():
    """Each call appends 25 blocks to a conversation, so its one breakpoint looks at none that was written."""
    calls = [
        made(
            3600 * talk + 60 * turn,
            [
                ("rules", 4000, "system"),
                *((f"{talk}.{said}", 40, "messages") for said in range(25 * turn + 24)),
                (f"{talk}.{25 * turn + 24}", 40, "messages", "5m"),
            ],
            counts=(0, 4000 + 1000 * (turn + 1), 0, 0),
            dims={"feature": "made", "session": f"s{talk}"},
        )
        for talk in range(8)
        for turn in range(5)
    ]
    one = next(one for one in found(calls) if one.id.startswith("beyond-lookback"))
    again = sum(4000 + 1000 * turn for turn in range(1, 5))
    assert one.cost_pusd == 8 * again * (WRITE_5M - READ)
    assert "20 blocks" in one.change


def every(seconds, counts, ttl="5m"):
    return [
        made(seconds * n, [("rules", 30_000, "system", ttl), (f"q{n}", 20, "messages")], counts=counts)
        for n in range(200)
    ]


def test_what_expires_is_said_where_another_lifetime_is_cheaper():
    one = next(one for one in found(every(600, (None, 30_000, 0, 0))) if one.id.startswith("expired"))
    assert one.cost_pusd == 199 * 30_000 * (WRITE_5M - READ)


def test_what_no_policy_would_have_kept_is_not_said():
    calls = every(7000, (None, 0, 30_000, 0), "1h")
    assert {one.id.split()[0] for one in found(calls)} == {"unread-writes"}


def test_unread_writes_cost_their_premium_alone():
    calls = [
        made(
            1800 * n, [(f"q{n}", 5000, "messages", "5m")], counts=(0, 5000, 0, 0), dims={"feature": "made", "user": "u"}
        )
        for n in range(60)
    ]
    (one,) = found(calls)
    assert one.id == "unread-writes feature=made model=claude-sonnet-5-5"
    assert one.calls == 59  # the last may still be read
    assert one.cost_pusd == 59 * 5000 * (WRITE_5M - PLAIN)
    assert one.kind is Kind.DERIVED


def test_a_shared_front_that_is_read_does_not_excuse_what_is_written_behind_it():
    calls = [
        made(
            60 * n,
            [("rules", 5000, "system", "5m"), (f"q{n}", 5000, "messages", "5m")],
            counts=(0, 10_000, 0, 0) if n == 0 else (0, 5000, 0, 5000),
        )
        for n in range(60)
    ]
    (one,) = [one for one in found(calls) if one.id.startswith("unread-writes")]
    assert one.calls == 53  # not the first, whose front is read, nor the six that still live
    assert one.cost_pusd == 53 * 5000 * (WRITE_5M - PLAIN)


def test_writes_that_are_read_are_not_wasted():
    calls = [
        made(
            60 * n,
            [("rules", 5000, "system", "5m"), (f"q{n}", 20, "messages")],
            counts=(None, 5000, 0, 0) if n == 0 else (None, 0, 0, 5000),
        )
        for n in range(60)
    ]
    assert found(calls) == []


@pytest.mark.parametrize(("tokens", "is_found"), [(500, True), (513, False)])
def test_breakpoints_below_the_minimum_do_nothing(tokens, is_found):
    calls = [
        made(60 * n, [("rules", tokens - 20, "system"), (f"q{n}", 20, "messages", "5m")], counts=(None, 0, 0, 0))
        for n in range(40)
    ]
    names = {one.id.split()[0] for one in found(calls)}
    assert ("below-minimum" in names) == is_found


def test_a_history_that_is_rewritten():
    def turn(talk, n):
        said = [(f"{talk}.0", 300, "messages"), *((f"{talk}.{k} as told at {n}", 900, "messages") for k in range(n))]
        blocks = [("rules", 2000, "system"), *said, (f"{talk} new {n}", 50, "messages", "5m")]
        read = 0 if n == 0 else 2300
        total = sum(tokens for _, tokens, *_ in blocks)
        dims = {"feature": "made", "session": f"s{talk}"}
        return made(1000 * talk + 30 * n, blocks, counts=(0, total - read, 0, read), dims=dims)

    (one,) = [one for one in found([turn(talk, n) for talk in range(10) for n in range(6)]) if "rewritten" in one.id]
    assert one.where == "the history in messages"
    assert one.position is None
