"""What caching saved, against rates written here."""

from datetime import UTC, datetime

from farthing.call import Call, Served, Usage
from farthing.dashboard.caching import saved_by_caching
from farthing.dashboard.row_prices import BY
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.units import Kind

DAY = datetime(2026, 11, 18, 9, tzinfo=UTC)


def saved(*usages, model="claude-haiku-4-5-20251001", **facts):
    ledger = MemoryLedger()
    calls = [
        Call(call_id=str(n), sent_at=DAY, source="t", served=Served(model=model, usage=usage, **facts))
        for n, usage in enumerate(usages)
    ]
    book = shipped_book()
    ledger.add(Stored(call, Posting.of(price_served(book, call.served, call.sent_at))) for call in calls)
    return saved_by_caching(ledger.report(Query(by=BY, bucket="day")), book)


def test_a_read_saves_nine_tenths_and_a_write_costs_a_quarter():
    # Haiku 4.5: input $1, read $0.10, write for 5 minutes $1.25 per million tokens.
    found = saved(Usage(cache_write_5m_tokens=1_000_000), Usage(cache_read_tokens=3_000_000))
    assert found == (3 * 900_000_000_000 - 250_000_000_000, Kind.DERIVED, 0, 250_000_000_000)


def test_a_write_that_nobody_reads_is_a_loss():
    found = saved(Usage(cache_write_1h_tokens=1_000_000))
    assert (found.pusd, found.premium_pusd) == (-(10**12), 10**12)


def test_batches_halve_both():
    assert saved(Usage(cache_read_tokens=2_000_000), service_tier="batch").pusd == 900_000_000_000


def test_without_a_cache_nothing_is_saved():
    assert saved(Usage(input_tokens=1_000_000, output_tokens=5)) == (0, Kind.DERIVED, 0, 0)


def test_many_short_prompts_of_a_model_with_bands_are_priced_as_short_ones():
    # Haiku 5.5 up to 100,000 tokens: input $0.10, read $0.01 per million tokens.
    usages = [Usage(input_tokens=1_000, cache_read_tokens=4_000)] * 100
    assert saved(*usages, model="claude-haiku-5-5") == (400_000 * 90_000, Kind.ASSUMED, 0, 0)


def test_calls_without_a_price_are_left_out_and_counted():
    assert saved(Usage(cache_read_tokens=5), model="claude-nobody-knows") == (0, Kind.DERIVED, 1, 0)
