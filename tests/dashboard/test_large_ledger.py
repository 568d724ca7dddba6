"""The made-up ledger that pages are measured on is exact, and a ledger like any other."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.ledger.reading import DuckDBReader
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

BENCH = Path(__file__).parents[2] / "bench" / "dashboard"
CALLS = 100_000
UNTIL = datetime(2026, 11, 20, tzinfo=UTC)


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def modules():
    before = set(sys.modules), list(sys.path)
    names = ("ids", "proof", "generate")
    yield {name: load(name) for name in names}
    for name in set(sys.modules) - before[0]:
        if name in names:
            del sys.modules[name]
    sys.path[:] = before[1]


@pytest.fixture(scope="module")
def made(modules, tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "ledger.duckdb"
    modules["generate"].generate(path, CALLS, 6, UNTIL, memory_mb=1_000)
    return path


def test_it_is_exact(modules, made):
    assert "cost what the engine says" in modules["proof"].prove(made, shipped_book())


def test_every_call_is_there_once_in_its_day(made):
    with DuckDBReader(made) as ledger:
        [total] = ledger.report(Query())
        days = ledger.report(Query(bucket="day"))
        models = ledger.report(Query(by=("model",)))
    assert total.calls == sum(day.calls for day in days) == CALLS
    assert (days[0].start, len(days)) == (datetime(2026, 11, 14, tzinfo=UTC), 6)
    assert {row.key[0] for row in models if row.unpriced_calls} == {"claude-next-preview"}
    assert total.unpriced_calls == sum(row.unpriced_calls for row in models) > 0


def test_a_call_is_found_by_each_of_its_ids_and_known_when_it_comes_again(made):
    with open_ledger(made) as ledger:
        some = ledger.latest(Query(where={"feature": ("coding-agent",)}), 20)
        for stored in some:
            served = stored.call.served
            for name in (stored.call.call_id, served.message_id, served.request_id):
                assert ledger.get(name) == stored
            assert stored.posting.list_pusd == price_served(shipped_book(), served, stored.call.sent_at).list_pusd
        assert ledger.add(some).known == len(some)
        assert ledger.report(Query())[0].calls == CALLS


def test_hours_have_all_calls_whatever_their_number(modules):
    for calls in (1, 777, 10**6):
        hours = modules["generate"].hours_of(calls, 9, UNTIL)
        assert sum(hour.calls for hour in hours) == calls
        assert [hour.first_no for hour in hours[1:]] == [hour.first_no + hour.calls for hour in hours[:-1]]
