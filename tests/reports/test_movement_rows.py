"""A movement worked out from sums is that of the calls: the same bars and the same parts, where sums can say so."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reports.test_movement import CALLS, call

from farthing.call import ExtraPass, PassKind, Usage
from farthing.errors import BadInput
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.money import parse_usd
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.reports.movement import BARS, movement
from farthing.reports.movement_rows import Sums, dimensions_of, movement_of_sums
from farthing.units import Kind

BOOK = shipped_book()
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)


def under_contract(one, bill):
    """A price under contract with no rhyme or reason to it."""
    return None if bill.list_pusd is None else bill.list_pusd * 7 // 9 + len(one.call_id)


def sums(calls, by=("feature",), zone="UTC"):
    """What a ledger of these calls alone says, asked between two changes of price at a time."""
    ledger, stored = MemoryLedger(), []
    for one in calls:
        bill = price_served(BOOK, one.served, one.sent_at)
        stored.append(Stored(one, Posting.of(bill, under_contract(one, bill))))
    ledger.add(stored)
    first, last = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
    changes = (datetime.combine(day, time(), UTC) for day in BOOK.change_days)
    edges = [first, *(at for at in changes if first < at < last), last]
    names = dimensions_of(by)
    stretches = tuple(
        (since.date(), ledger.report(Query(by=names, since=since, until=until, timezone=zone)))
        for since, until in pairwise(edges)
    )
    days = Counter(
        one.sent_at.date() for one in calls if price_served(BOOK, one.served, one.sent_at).list_pusd is not None
    )
    return Sums(stretches, days)


def of_sums(before, after, by=("feature",), *, contract=False, zone="UTC", values_max=100):
    return movement_of_sums(
        sums(before, by, zone), sums(after, by, zone), BOOK, by=by, under_contract=contract, values_max=values_max
    )


def bars(found):
    return [(bar.name, bar.pusd, bar.parts) for bar in found.bars]


def unpriced(found):
    return [sorted((one.model, one.calls) for one in period) for period in found.unpriced]


PLAIN = st.builds(
    call,
    n=st.integers(0, 50_000),
    at=st.sampled_from([datetime(2026, 9, 3, tzinfo=UTC), NOON]),
    model=st.sampled_from(
        ["claude-sonnet-4-6", "claude-sonnet-5-5", "claude-opus-4-8", "us.anthropic.claude-opus-4-6-v1", "claude-gone"]
    ),
    usage=st.tuples(*[st.sampled_from([0, 1, 7, 999, 60_000, 120_000])] * 5),
    searches=st.integers(0, 2),
    feature=st.sampled_from(["chat", "search", "code", None]),
    service_tier=st.sampled_from(["standard", "batch"]),
    speed=st.sampled_from(["standard", "standard", "fast"]),
    inference_geo=st.sampled_from([None, "us"]),
)


def unique(calls):
    """Calls whose ids differ: a ledger keeps each once."""
    return list({one.call_id: one for one in calls}.values())


@settings(max_examples=60)
@given(
    st.lists(PLAIN, max_size=14).map(unique),
    st.lists(PLAIN, max_size=14).map(unique),
    st.booleans(),
    st.sampled_from([((), "UTC"), (("feature",), "UTC"), (("service_tier", "hour_of_day"), "Asia/Tokyo")]),
)
def test_without_bands_sums_say_what_the_calls_say(before, after, contract, asked):
    by, zone = asked
    terms = under_contract if contract else None
    calls = movement(before, after, BOOK, by=by, contract=terms, zone=ZoneInfo(zone))
    found = of_sums(before, after, by, contract=contract, zone=zone)
    assert bars(found) == bars(calls)
    assert (found.kind, found.notes, found.by) == (calls.kind, calls.notes, calls.by)
    assert unpriced(found) == unpriced(calls)
    assert (found.before.days, found.after.calls) == (calls.before.days, calls.after.calls)


@settings(max_examples=60)
@given(
    st.lists(CALLS, max_size=14).map(unique), st.lists(CALLS, max_size=14).map(unique), st.booleans(), st.integers(1, 3)
)
def test_bars_sum_to_what_was_posted_whatever_the_calls_are(before, after, contract, values_max):
    found = of_sums(before, after, contract=contract, values_max=values_max)
    terms = under_contract if contract else None
    calls = movement(before, after, BOOK, contract=terms)
    assert [bar.name for bar in found.bars] == list(BARS)
    assert sum(bar.pusd for bar in found.bars) == found.moved_pusd == calls.moved_pusd
    assert all(sum(part.pusd for part in bar.parts) == bar.pusd for bar in found.bars)


def banded(n, prompt, output=1000, **served):
    """Haiku 5.5 in and out: $0.10 and $0.50 to 100,000 tokens, $0.50 and $2.50 above."""
    return call(n, at=NOON, model="claude-haiku-5-5", usage=(prompt, 0, 0, 0, output), **served)


def test_long_prompts_alone_are_as_exact_as_call_by_call():
    before, after = [banded(1, 100_000)], [banded(2, 200_000), banded(3, 150_000)]
    found = of_sums(before, after)
    assert bars(found) == bars(movement(before, after, BOOK))
    assert (found.kind, found.notes) == (Kind.DERIVED, ())


def test_long_prompts_beside_short_ones_have_their_own_bar_and_are_assumed():
    """Of two calls one grows into the dearer band: what is not more tokens is the band, and nothing is left over."""
    before, after = [banded(1, 50_000), banded(2, 50_000)], [banded(3, 50_000), banded(4, 150_000)]
    found = of_sums(before, after)
    assert {bar.name for bar in found.bars if bar.pusd} == {"input", "band"}
    # Prompts: 2 x 50,000 at $0.10; then 50,000 at $0.10 and 150,000 at $0.50; answers: 1,000 of 4,000 at $2.50.
    assert found.moved_pusd == parse_usd("0.070") + parse_usd("0.002")
    assert found.kind == Kind.ASSUMED
    assert "2 of 4 calls are in sums that one price does not explain" in found.notes[0]


def test_a_regional_endpoint_costs_a_tenth_more_and_that_is_geo():
    model = "anthropic.claude-opus-4-8"
    placed = {"model": model, "channel": "bedrock", "usage": (1000, 0, 0, 0, 100)}
    before = [call(n, at=NOON, location="global", **placed) for n in range(4)]
    after = [call(n, at=NOON + timedelta(hours=1), location="us-east-1", **placed) for n in range(4)]
    posted = price_served(BOOK, before[0].served, NOON), price_served(BOOK, after[0].served, NOON)
    assert posted[1].list_pusd * 10 == posted[0].list_pusd * 11
    assert {bar.name: bar.pusd for bar in of_sums(before, after).bars if bar.pusd} == {
        "geo": 4 * posted[0].list_pusd // 10
    }
    mixed = of_sums(before, [*before[:2], *after[2:]])
    assert {bar.name: bar.pusd for bar in mixed.bars if bar.pusd} == {"geo": 2 * posted[0].list_pusd // 10}
    assert mixed.kind == Kind.ASSUMED


def test_what_no_price_explains_is_the_rest():
    """A refusal before any output is free, and a pass on another model costs what that costs."""
    plain = [call(n, at=NOON) for n in range(4)]
    refused = call(
        9, at=NOON, usage=(500, 0, 0, 0, 0), stop_reason="refusal", output_started=False, refusal_category="x"
    )
    extra = ExtraPass(PassKind.ADVISOR, Usage(output_tokens=1_000_000), model="claude-opus-4-8")
    found = of_sums(plain, [*plain, call(5, at=NOON, extra_passes=(extra,))])
    # The pass is $25; its tokens are among those of Sonnet 4.6 at $15, so $10 are left.
    assert found.bar("other").pusd == parse_usd("10") or found.kind == Kind.ASSUMED
    assert found.moved_pusd == sum(bar.pusd for bar in found.bars)
    assert of_sums(plain, [*plain, refused]).moved_pusd == movement(plain, [*plain, refused], BOOK).moved_pusd


def test_more_values_than_are_told_apart_are_one():
    before = [call(n, at=NOON, feature=f"f{n}", usage=(1000 * (n + 1), 0, 0, 0, 100)) for n in range(6)]
    after = [call(n, at=NOON, feature=f"f{n}", usage=(2000 * (n + 1), 0, 0, 0, 100)) for n in range(6)]
    found = of_sums(before, after, values_max=2)
    assert [part.key[0] for part in found.bar("input").parts] == ["other", "f5", "f4"]
    assert found.bar("input").pusd == found.moved_pusd
    assert found.notes == ("the 2 dearest of 6 groups are told apart, the others are one",)


def test_a_dimension_must_exist():
    for name in ("colour", "kind"):
        with pytest.raises(BadInput, match=name):
            dimensions_of((name,))
