"""Bars sum to the change whatever the calls are, and a change of one thing shows in one bar."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, ExtraPass, PassKind, Served, Usage
from farthing.errors import BadInput
from farthing.money import parse_usd
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.reports.movement import BARS, movement
from farthing.reports.movement_json import movement_json, opened_json
from farthing.reports.movement_open import open_bar

BOOK = shipped_book()
SEPTEMBER, OCTOBER = datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC)


def call(
    n=0, *, at=SEPTEMBER, model="claude-sonnet-4-6", usage=(1000, 0, 0, 0, 100), searches=0, feature="chat", **served
):
    fresh, write_5m, write_1h, read, output = usage
    counts = Usage(
        input_tokens=fresh,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        cache_read_tokens=read,
        output_tokens=output,
        web_search_requests=searches,
    )
    return Call(
        call_id=f"c{n}-{at:%m%d}",
        sent_at=at + timedelta(minutes=n),
        source="test",
        served=Served(model=model, usage=counts, **served),
        dims={"feature": feature} if feature else {},
    )


def calls(count=10, **changes):
    """Ten calls of different sizes: n + 1 times 1,000 fresh and 100 out, 500 read."""
    sizes = [(1000 * (n + 1), 0, 0, 500 * (n + 1), 100 * (n + 1)) for n in range(count)]
    return [call(n, **({"usage": size} | changes)) for n, size in enumerate(sizes)]


def bars(before, after, **settings):
    return {bar.name: bar.pusd for bar in movement(before, after, BOOK, **settings).bars if bar.pusd}


def total(some):
    return sum(price_served(BOOK, one.served, one.sent_at).list_pusd or 0 for one in some)


def changed(some, at=OCTOBER, **changes):
    """The same calls later, with other facts; a callable gets the call."""
    later = []
    for n, one in enumerate(some):
        facts = {name: value(n, one) if callable(value) else value for name, value in changes.items()}
        served = msgspec.structs.replace(one.served, **facts)
        moved_on = {"call_id": f"{one.call_id}-later", "sent_at": at + timedelta(minutes=n), "served": served}
        later.append(msgspec.structs.replace(one, **moved_on))
    return later


MODELS = [
    "claude-sonnet-4-6",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-4-8",
    "us.anthropic.claude-opus-4-6-v1",
]
TOKENS = st.sampled_from([0, 1, 7, 999, 60_000, 120_000])
CALLS = st.builds(
    call,
    n=st.integers(0, 50_000),
    at=st.sampled_from([SEPTEMBER, OCTOBER]),
    model=st.sampled_from([*MODELS, "claude-unheard-of"]),
    usage=st.tuples(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS),
    searches=st.integers(0, 2),
    feature=st.sampled_from(["chat", "search", None]),
    service_tier=st.sampled_from(["standard", "batch"]),
    speed=st.sampled_from(["standard", "standard", "fast"]),
    inference_geo=st.sampled_from([None, "us"]),
    stop_reason=st.sampled_from(["end_turn", "refusal"]),
    extra_passes=st.sampled_from([(), (ExtraPass(PassKind.COMPACTION, Usage(input_tokens=5, output_tokens=3)),)]),
)


def odd_contract(one, bill):
    """A price under contract with no rhyme or reason to it."""
    return bill.list_pusd * 7 // 9 + len(one.call_id)


@settings(max_examples=60)
@given(st.lists(CALLS, max_size=12), st.lists(CALLS, max_size=12), st.booleans(), st.sampled_from([(), ("feature",)]))
def test_bars_sum_to_the_change_for_any_two_sets_of_calls(before, after, under_contract, by):
    found = movement(before, after, BOOK, by=by, contract=odd_contract if under_contract else None)
    assert [bar.name for bar in found.bars] == list(BARS)
    assert sum(bar.pusd for bar in found.bars) == found.after.charged_pusd - found.before.charged_pusd
    assert all(sum(part.pusd for part in bar.parts) == bar.pusd for bar in found.bars)
    if not under_contract:
        assert found.moved_pusd == total(after) - total(before)
    counted = sum(one.calls for one in found.unpriced[0]) + found.before.calls
    assert counted == len(before)


@settings(max_examples=30)
@given(st.lists(CALLS, max_size=10), st.lists(CALLS, max_size=10))
def test_the_way_back_is_the_way_there_with_the_other_sign(before, after):
    there, back = movement(before, after, BOOK), movement(after, before, BOOK)
    segments = len({*there.before.segments, *there.after.segments})
    for one, other in zip(there.bars, back.bars, strict=True):
        assert abs(one.pusd + other.pusd) <= segments  # a remainder of a picodollar a segment may go to another bar


@settings(max_examples=30)
@given(st.lists(CALLS, max_size=10))
def test_nothing_moves_where_nothing_changed(some):
    assert bars(some, some) == {}


def test_twice_the_calls_is_volume_alone():
    before = calls()
    assert bars(before, changed(before) + changed(before, OCTOBER + timedelta(days=1))) == {"volume": total(before)}


def test_other_shares_of_the_same_features_are_mix_alone():
    small, large = call(1, feature="chat"), call(2, feature="search", usage=(9000, 0, 0, 0, 900))
    found = bars([small] * 3 + [large], changed([small] + [large] * 3))
    assert found == {"mix": 2 * (total([large]) - total([small]))}


def test_the_same_calls_on_another_model_are_models_alone():
    before = calls()
    after = changed(before, model="claude-haiku-4-5")
    assert bars(before, after) == {"models": total(after) - total(before)}


def test_a_new_route_is_mix_and_volume_alone():
    before = calls()
    new = [call(n, at=OCTOBER, feature="new", model="claude-opus-4-8") for n in range(10)]
    found = bars(before, changed(before) + new)
    assert set(found) == {"mix", "volume"}
    assert sum(found.values()) == total(new)


def test_longer_prompts_are_input_alone_and_longer_answers_output_alone():
    before = calls()
    longer = changed(
        before,
        usage=lambda _n, one: msgspec.structs.replace(
            one.served.usage,
            input_tokens=3 * one.served.usage.input_tokens,
            cache_read_tokens=3 * one.served.usage.cache_read_tokens,
        ),
    )
    assert bars(before, longer) == {"input": total(longer) - total(before)}
    wordy = changed(before, usage=lambda _n, one: msgspec.structs.replace(one.served.usage, output_tokens=5000))
    assert bars(before, wordy) == {"output": total(wordy) - total(before)}


def test_the_same_prompts_from_the_cache_are_cache_alone():
    before = [call(n, usage=(1000 * (n + 1), 0, 0, 0, 70)) for n in range(10)]
    after = changed(
        before,
        usage=lambda n, _one: Usage(
            input_tokens=100, cache_write_5m_tokens=300, cache_read_tokens=1000 * (n + 1) - 400, output_tokens=70
        ),
    )
    assert bars(before, after) == {"cache": total(after) - total(before)}


def test_the_same_calls_as_batches_are_batch_alone():
    before = calls()
    after = changed(before, service_tier=lambda n, _one: "batch" if n % 3 else "standard")
    assert bars(before, after) == {"batch": total(after) - total(before)}


def test_searches_fast_mode_regions_and_extra_passes_have_bars_of_their_own():
    before = calls(model="claude-opus-4-8")
    searching = changed(before, usage=lambda _n, one: msgspec.structs.replace(one.served.usage, web_search_requests=2))
    assert bars(before, searching) == {"tools": parse_usd("0.2")}  # 10 calls, 2 searches each, a cent a search
    fast = changed(before, speed="fast")
    assert bars(before, fast) == {"speed": total(before)}  # fast mode of Opus 4.8 costs twice as much
    at_home = changed(before, inference_geo="us")
    assert bars(before, at_home) == {"geo": total(before) // 10}
    extra = ExtraPass(PassKind.COMPACTION, Usage(output_tokens=1_000_000))
    assert bars(before, changed(before, extra_passes=(extra,))) == {"other": parse_usd("250")}  # 10 x 1 MTok at $25


def test_a_lower_price_is_price_alone():
    """A Sonnet 5.5 read cost $0.20 per MTok until 2026-10-07 and $0.10 from then on."""
    before = [
        call(n, at=datetime(2026, 10, 1, tzinfo=UTC), model="claude-sonnet-5-5", usage=(5, 0, 0, 10**6, 9))
        for n in range(4)
    ]
    assert bars(before, changed(before)) == {"price": -4 * parse_usd("0.10")}


def test_a_long_prompt_in_a_dearer_band_is_no_price_rise():
    """Haiku 5.5 in and out: $0.10 and $0.50 to 100,000 tokens, $0.50 and $2.50 above."""
    short = call(1, at=OCTOBER, model="claude-haiku-5-5", usage=(100_000, 0, 0, 0, 1000))
    found = bars([short], [call(2, at=OCTOBER, model="claude-haiku-5-5", usage=(200_000, 0, 0, 0, 1000))])
    assert set(found) == {"input", "band"}
    assert sum(found.values()) == parse_usd("0.1025") - parse_usd("0.0105")
    # Input doubles from $0.01 and becomes five times as dear: (1 + 5) x 0.01 / 2 for length, the rest for the band.
    assert found["input"] == parse_usd("0.03")


def test_terms_of_a_contract_are_contract_alone():
    before = calls()
    found = movement(
        before,
        changed(before),
        BOOK,
        contract=lambda one, bill: bill.list_pusd * (9 if one.sent_at >= OCTOBER else 10) // 10,
    )
    assert {bar.name: bar.pusd for bar in found.bars if bar.pusd} == {"contract": -total(before) // 10}


def test_unpriced_calls_are_named_and_in_no_bar():
    strange = [call(n, model="claude-unheard-of") for n in range(3)]
    found = movement(calls(), changed(calls()) + strange, BOOK)
    assert [bar.pusd for bar in found.bars if bar.pusd] == []
    assert found.unpriced[0] == ()
    (left_out,) = found.unpriced[1]
    assert (left_out.model, left_out.calls) == ("claude-unheard-of", 3)
    assert "not in the price book" in left_out.reason


def test_a_dimension_must_exist():
    with pytest.raises(BadInput, match="colour"):
        movement([], [], BOOK, by=("colour",))
    with pytest.raises(BadInput, match="kind"):
        movement([], [], BOOK, by=("kind",))


def test_an_opened_bar_names_segments_and_their_calls():
    before = calls() + calls(feature="search")
    after = changed(calls()) + changed(
        calls(feature="search"), usage=lambda n, _one: Usage(input_tokens=1500 * (n + 1), output_tokens=100 * (n + 1))
    )
    found = movement(before, after, BOOK)
    (opened,) = open_bar(found, "cache", before, after, BOOK)
    assert opened.key == ("search", "claude-sonnet-4-6")
    assert opened.pusd == found.bar("cache").pusd == found.moved_pusd
    assert (opened.before, opened.after) == ("read 33.3 %, written 0 %", "read 0 %, written 0 %")
    assert opened.calls == ("c9-0903-later", "c8-0903-later", "c7-0903-later")  # the most fresh tokens first
    (told,) = opened_json(found, [opened])
    assert told["key"] == {"feature": "search"}


@pytest.mark.parametrize("name", list(BARS))
def test_every_bar_opens(name):
    before = calls()
    after = changed(calls(count=4, model="claude-opus-4-8", feature="new"), speed="fast", inference_geo="us") + calls(3)
    found = movement(before, after, BOOK)
    opened = open_bar(found, name, before, after, BOOK)
    assert sum(one.pusd for one in opened) == found.bar(name).pusd


def test_json_adds_up_as_decimals():
    told = movement_json(movement(calls(), changed(calls(), service_tier="batch"), BOOK))
    bars_usd = sum(Decimal(bar["usd"]) for bar in told["bars"])
    assert bars_usd == Decimal(told["after"]["usd"]) - Decimal(told["before"]["usd"]) == Decimal(told["moved_usd"])
    assert told["kind"] == "derived"
