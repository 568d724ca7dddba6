"""What must hold for every usage: parts sum to the whole, more never costs less, and both paths agree."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import ExtraPass, PassKind, Served, Usage
from farthing.prices.book import shipped_book
from farthing.prices.card import Card, Facts, Unpriced
from farthing.prices.engine import _Long, price_served

BOOK = shipped_book()
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
COUNTS = Usage.__struct_fields__[:5]
CURRENT = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2", "claude-haiku-4-5")
FLAT = CURRENT[1:]

counts = st.integers(0, 2**40) | st.integers(0, 300_000)
usages = st.builds(Usage, counts, counts, counts, counts, counts, web_search_requests=st.integers(0, 50))
small = st.integers(0, 25_000)
within_low_band = st.builds(Usage, small, small, small, small, counts)
tiers = st.sampled_from(["standard", "batch"])
geos = st.sampled_from([None, "us", "global"])


def price(usage, model="claude-opus-5-5", **facts):
    return price_served(BOOK, Served(model=model, usage=usage, **facts), AT)


def served_calls(draw_usage):
    return st.builds(
        Served,
        model=st.sampled_from(CURRENT),
        usage=draw_usage,
        service_tier=tiers,
        inference_geo=geos,
        calls_in_total=st.sampled_from([1, None]),
        stop_reason=st.sampled_from([None, "end_turn", "refusal"]),
        refusal_category=st.sampled_from([None, "bio", "cyber"]),
        extra_passes=st.lists(
            st.builds(ExtraPass, st.sampled_from(PassKind), usages, st.sampled_from([None, *CURRENT])), max_size=2
        ).map(tuple),
    )


@given(served_calls(usages))
def test_lines_sum_exactly_to_the_total_and_the_total_lies_in_its_bounds(served):
    bill = price_served(BOOK, served, AT)
    if bill.list_pusd is None:
        assert bill.unpriced
    else:
        assert bill.list_pusd == sum(line.pusd for line in bill.lines) == bill.low_pusd == bill.high_pusd
    if bill.low_pusd is not None:
        assert 0 <= bill.low_pusd <= bill.high_pusd == sum(line.pusd for line in bill.lines)


modified = st.fixed_dictionaries({"model": st.sampled_from(FLAT[:3]), "service_tier": tiers, "inference_geo": geos})


@given(usages, st.sampled_from(COUNTS), st.integers(1, 10**6), modified)
def test_more_never_costs_less(usage, name, more, facts):
    dearer = msgspec.structs.replace(usage, **{name: getattr(usage, name) + more})
    assert price(dearer, **facts).list_pusd > price(usage, **facts).list_pusd


@given(within_low_band, st.sampled_from(COUNTS), st.integers(1, 10**6))
def test_more_never_costs_less_across_a_band_either(usage, name, more):
    dearer = msgspec.structs.replace(usage, **{name: getattr(usage, name) + more})
    assert price(dearer, "claude-haiku-5-5").list_pusd > price(usage, "claude-haiku-5-5").list_pusd


@given(usages, usages, st.sampled_from(FLAT))
def test_splitting_counts_changes_no_sum_on_a_flat_model(one, other, model):
    whole = Usage(*(getattr(one, name) + getattr(other, name) for name in COUNTS))
    parts = [Usage(*(getattr(usage, name) for name in COUNTS)) for usage in (one, other)]
    assert price(whole, model).list_pusd == sum(price(part, model).list_pusd for part in parts)


@given(usages, st.sampled_from((*CURRENT, "claude-sonnet-4-5")), tiers)
def test_the_short_path_and_the_long_path_agree(usage, model, tier):
    served = Served(model=model, usage=usage, service_tier=tier)
    facts = Facts(model, "claude_api", None, tier, "standard", None, AT.date())
    card = BOOK.card(facts)
    assert isinstance(card, Card)
    assert card.plain is not None
    short, long = price_served(BOOK, served, AT), _Long(BOOK, served, facts).bill(card)
    assert short.to_json() == long.to_json()


@given(usages, st.sampled_from(CURRENT), tiers)
def test_every_channel_that_bills_the_first_party_list_costs_the_same(usage, model, tier):
    channels = ("claude_api", "claude_platform_aws", "foundry", "google_anthropic")
    assert len({price(usage, model, channel=channel, service_tier=tier).list_pusd for channel in channels}) == 1


@given(st.lists(st.builds(Usage, small, small, small, st.integers(0, 100_000), small), min_size=1, max_size=6))
def test_the_bounds_of_a_total_hold_whatever_calls_made_it(calls):
    total = Usage(*(sum(getattr(call, name) for call in calls) for name in COUNTS))
    bill = price(total, "claude-haiku-5-5", calls_in_total=None)
    true_pusd = sum(price(call, "claude-haiku-5-5").list_pusd for call in calls)
    assert bill.low_pusd <= true_pusd <= bill.high_pusd
    if bill.list_pusd is not None:
        assert bill.list_pusd == true_pusd


def dates_of_the_book():
    days = {AT.date()}
    for model in BOOK.models:
        for row in model.rate:
            days |= {day for day in (row.valid_from, row.valid_to) if day}
    return sorted(days)


def test_every_rate_the_modifiers_can_make_is_a_whole_number_of_picodollars():
    seen = 0
    for model in BOOK.models:
        names = [(model.id, "claude_api"), *((f"us.{name}", "bedrock") for name in model.ids.bedrock[:1])]
        for (name, channel), day, tier, geo, speed in product(
            names, dates_of_the_book(), ("standard", "batch"), (None, "us"), ("standard", "fast")
        ):
            card = BOOK.card(Facts(name, channel, None, tier, speed, geo, day))
            if isinstance(card, Unpriced):
                assert "picodollar" not in card.reason
                continue
            seen += 1
            for band in card.bands:
                assert all(rate is None or (type(rate) is int and rate > 0) for rate in band.rates)
    assert seen > 1_000


@pytest.mark.parametrize("model", [model.id for model in BOOK.models])
def test_every_model_has_a_price_on_every_day_between_its_first_and_its_last(model):
    named = BOOK.names.find(model)
    begins = [row.valid_from or date(2023, 1, 1) for row in named.model.rate if row.speed == "standard"]
    ends = [row.valid_to or AT.date() for row in named.model.rate if row.speed == "standard" and not row.channel]
    day = min(begins)
    usage = Usage(input_tokens=1, output_tokens=1)
    while day < max(ends):
        at = datetime.combine(day, time(23, 59, 59), UTC)
        assert price_served(BOOK, Served(model=model, usage=usage), at).list_pusd, day
        day += timedelta(days=1)
