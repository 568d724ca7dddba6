from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, Served, Usage
from farthing.errors import BadInput
from farthing.estimate.cost import expect
from farthing.estimate.lookalike import Traffic, look_alike
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.units import Kind

DAY = date(2026, 11, 20)
AT = datetime(2026, 11, 20, tzinfo=UTC)
BOOK = shipped_book()


def call(number, usage, model="claude-sonnet-5", tier="standard"):
    served = Served(model=model, usage=usage, service_tier=tier)
    return Call(call_id=str(number), sent_at=AT, source="jsonl", served=served)


def alike(calls, days):
    made = [Traffic(one.served.model, one.served.service_tier == "batch", 1, one.served.usage) for one in calls]
    return look_alike(made, days=Decimal(days))


usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 5000),
    cache_write_5m_tokens=st.integers(0, 5000),
    cache_read_tokens=st.integers(2000, 50_000),
    output_tokens=st.integers(0, 3000),
    web_search_requests=st.integers(0, 3),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(usages, min_size=1, max_size=8))
def test_on_one_flat_model_the_look_alike_costs_what_the_traffic_did(found):
    calls = [call(number, usage) for number, usage in enumerate(found)]
    real = sum(price_served(BOOK, one.served, AT).list_pusd for one in calls)
    again = expect(alike(calls, 30), DAY, BOOK)
    assert float(again.pusd) == pytest.approx(real, rel=1e-4)
    assert again.kind is Kind.DERIVED


def test_shares_add_up_and_batches_are_kept():
    calls = [call(number, Usage(input_tokens=10), f"claude-{number % 3}") for number in range(7)]
    calls.append(call(8, Usage(output_tokens=30, thinking_tokens=20), "claude-0", "batch"))
    found = alike(calls, 2)
    assert sum(found.models.values()) == 1
    assert found.models["claude-0"] == Decimal("0.5")
    assert found.batch_share == Decimal("0.125")
    assert found.volume.calls_per_day == 4
    assert (found.tokens.output, found.tokens.thinking) == (Decimal("1.25"), Decimal("2.5"))
    assert found.cache.ttl == "none"


def test_a_sum_of_calls_looks_like_the_calls():
    some, more = Usage(input_tokens=10, cache_read_tokens=90), Usage(input_tokens=30, output_tokens=7)
    calls = [call(1, some), call(2, more), call(3, more)]
    together = Traffic(
        "claude-sonnet-5", is_batch=False, calls=3, usage=Usage(input_tokens=70, cache_read_tokens=90, output_tokens=14)
    )
    assert look_alike([together], days=Decimal(3)) == alike(calls, 3)


def test_the_lifetime_most_written_is_planned():
    found = alike([call(1, Usage(cache_write_1h_tokens=100, cache_write_5m_tokens=99))], 1)
    assert found.cache.ttl == "1h"
    assert found.cache.hit_share == 0


def test_nothing_has_no_look_alike():
    with pytest.raises(BadInput, match="read 0 calls"):
        alike([], 1)
    with pytest.raises(BadInput, match="over 0 days"):
        alike([call(1, Usage())], 0)
