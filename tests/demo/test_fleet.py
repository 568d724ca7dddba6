"""The fleet: fifty tenants whose calls are billed by the sandbox, habits and all."""

import csv
from datetime import UTC, datetime, timedelta

import pytest

from farthing.demo.executed import executed
from farthing.demo.fleet import fleet
from farthing.demo.jobs import JOBS
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

START = datetime(2026, 10, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def asks():
    return fleet(START, 2, sessions_per_day=500)


@pytest.fixture(scope="module")
def calls(asks):
    return list(executed(asks))


def of(calls, feature):
    return [call for call in calls if call.dims["feature"] == feature]


def test_the_same_seed_gives_the_same_month_and_another_another():
    small = {"tenants": 5, "sessions_per_day": 40}
    assert fleet(START, 1, **small) == fleet(START, 1, **small)
    assert fleet(START, 1, **small) != fleet(START, 1, seed=8, **small)


def test_it_is_in_order_inside_its_days_and_most_tenants_send(asks):
    moments = [ask.at for ask in asks]
    assert moments == sorted(moments)
    assert moments[0] >= START
    assert moments[-1] < START + timedelta(days=2)
    assert 40 <= len({ask.tags["tenant"] for ask in asks}) <= 50


def test_each_request_is_one_call_with_its_prompt_counted_exactly(asks, calls):
    assert len(calls) == len(asks)
    for call in calls:
        blocks = sum(block.tokens for block in call.request.blocks)
        assert blocks == call.served.usage.prompt_tokens
        assert price_served(shipped_book(), call.served, call.sent_at).list_pusd > 0


def test_habits_cost_what_they_are_meant_to_cost(calls):
    agents, stamped, wasteful = of(calls, "coding-agent"), of(calls, "contract-questions"), of(calls, "extraction")
    assert sum(call.served.usage.cache_read_tokens for call in agents) > 0
    assert stamped
    assert sum(call.served.usage.cache_write_5m_tokens for call in stamped) > 0
    assert sum(call.served.usage.cache_read_tokens for call in stamped) == 0
    assert sum(call.served.usage.cache_write_5m_tokens for call in wasteful) > 0
    assert sum(call.served.usage.cache_read_tokens for call in wasteful) == 0
    assert any(call.served.stop_reason == "max_tokens" for call in wasteful)
    assert {call.served.service_tier for call in of(calls, "enrichment")} == {"batch"}
    assert {call.sent_at.minute for call in of(calls, "nightly-summaries")} == {5}


def test_rates_can_be_a_recorded_series():
    quiet = [0.0] * 72 + [1.0] * 72
    asks = fleet(START, 2, tenants=4, sessions_per_day=60, rates=[quiet])
    first = {}
    for ask in asks:
        first.setdefault(ask.tags["session"], ask.at)
    timed = {job.feature for job in JOBS if job.at_minute is not None}
    began = [first[ask.tags["session"]] for ask in asks if ask.tags["feature"] not in timed]
    assert began
    assert all(at.hour >= 12 for at in began)


@pytest.mark.shared_data
def test_recorded_rates_and_lengths_fit(shared_data):
    rates = []
    for file in sorted((shared_data / "servegen" / "m-small").glob("chunk-*-trace.csv")):
        with file.open() as rows:
            rates.append([float(row[1]) for row in csv.reader(rows)])
    with (shared_data / "azure-llm-2023" / "AzureLLMInferenceTrace_code.csv").open() as rows:
        sizes = [(int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(rows)]
    asks = fleet(START, 1, sessions_per_day=200, rates=rates, sizes=sizes)
    assert len(list(executed(asks))) == len(asks) > 100
