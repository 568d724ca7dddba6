"""What the ledger says was spent, and what budgets would have refused; sums worked out by hand."""

import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, Request, Served, Usage
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.spending import Spending
from farthing.limits.budgets import Applying, Budget, bound_of
from farthing.limits.memory_bank import MemoryBank
from farthing.limits.protocol import AccountKey
from farthing.limits.replay import asked_model, cost_pusd, dry_run, since, spent_from, told_apart
from farthing.limits.windows import WindowKind, window_at

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
USD = 10**12


def row(usd, at=NOON, model="claude-sonnet-5", high=None, asked="", **dims):
    pusd = None if usd is None else round(usd * USD)
    call = Call(
        call_id=f"{at}{usd}{dims}",
        sent_at=at,
        source="gateway",
        served=Served(model=model, usage=Usage(input_tokens=1)),
        dims=dims,
        request=Request(model=asked) if asked else None,
    )
    return Stored(call, Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd if high is None else round(high * USD)))


def alone(stored):
    """One call as a group of its own."""
    pusd, call = cost_pusd(stored), stored.call
    return Spending(dict(call.dims), asked_model(stored), call.sent_at, 1, int(pusd is None), pusd or 0)


def budgets(limits, *tables):
    return limits(*({"name": "b", "limit_usd": 10, "window": "day", **one} for one in tables)).budgets


def test_spent_is_what_lies_in_windows_that_are_open(limits):
    named = budgets(
        limits,
        {"name": "day", "each": "tenant"},
        {"name": "month", "window": "month", "timezone": "Europe/Berlin", "smooth": {"overshoot_usd": 1}},
        {"name": "all", "window": "total", "scope": {"model": "claude-opus-*"}},
        {"name": "talk", "window": "session"},
        {"name": "one", "window": "call"},
    )
    rows = [
        row(1, tenant="a", session="s"),
        row(2, tenant="b"),
        row(4, at=NOON - timedelta(days=1), tenant="a", session="s"),
        row(8, at=datetime(2026, 10, 31, 23, 30, tzinfo=UTC)),  # November in Berlin
        row(16, at=datetime(2026, 10, 31, 22, 30, tzinfo=UTC), asked="claude-opus-5"),
        row(None, high=32, tenant="a"),
        row(None, tenant="a"),
    ]
    day = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())
    month = int(datetime(2026, 10, 31, 23, tzinfo=UTC).timestamp())
    found = spent_from(named, map(alone, rows), NOON)
    assert found.unpriced_calls == 1
    assert {key: pusd // USD for key, pusd in found.pusd.items()} == {
        AccountKey("day", "tenant=a", day): 33,
        AccountKey("day", "tenant=b", day): 2,
        AccountKey("month", "", month): 47,
        AccountKey("month", "", month, "bound"): 47,
        AccountKey("all"): 16,
        AccountKey("talk", "session=s"): 5,
        AccountKey("talk", "session=(none)"): 58,
    }


def test_a_store_that_begins_with_it_refuses_from_there_on(limits):
    from farthing.limits.answers import Admitted, GateFacts
    from farthing.limits.gate import Gate

    named = limits({"name": "b", "limit_usd": 10, "window": "day"})
    bank = MemoryBank()
    assert bank.rebuild(spent_from(named.budgets, map(alone, [row(4), row(5)]), NOON).pusd, keep_presumed=False)
    gate = Gate(named, lambda: bank, NOON)
    assert not isinstance(gate.admit(GateFacts({}, "m", 2 * USD), NOON), Admitted)
    assert isinstance(gate.admit(GateFacts({}, "m", USD), NOON), Admitted)


def test_a_dry_run_refuses_one_after_the_other_and_leaves_room_for_smaller_calls(limits):
    rows = [row(usd, at=NOON + timedelta(minutes=at)) for at, usd in enumerate((6, 5, 3, 2, 1, 1))]
    found = dry_run(budgets(limits, {}), rows)
    assert (found.calls, found.refused_calls, found.spent_pusd, found.refused_pusd) == (6, 3, 18 * USD, 8 * USD)
    (account,) = found.accounts
    assert (account.refused_calls, account.first_at) == (3, NOON + timedelta(minutes=1))


def test_what_one_budget_refuses_another_does_not_count(limits):
    named = budgets(limits, {"name": "tenant", "each": "tenant", "limit_usd": 1}, {"name": "org", "limit_usd": 4})
    rows = [row(1, tenant=one, at=NOON + timedelta(minutes=at)) for at, one in enumerate("aaaabcde")]
    found = dry_run(named, rows)
    assert found.refused_calls == 4  # three of a; and e, the fifth dollar
    refused = {(one.budget.name, one.value): one.refused_calls for one in found.accounts if one.refused_calls}
    assert refused == {("tenant", "tenant=a"): 3, ("org", ""): 1}


@pytest.mark.parametrize(
    ("mode", "refused"), [({"mode": "soft"}, 0), ({"mode": "degrade", "degrade_to": "m"}, 2), ({}, 2)]
)
def test_soft_budgets_only_say_so(limits, mode, refused):
    found = dry_run(budgets(limits, {"limit_usd": 1, "window": "call", **mode}), [row(2), row(3), row(1), row(None)])
    assert (found.refused_calls, found.unpriced_calls) == (refused, 1)
    assert found.accounts[0].refused_calls == 2


# -- summed in the ledger ---------------------------------------------------------------------------------------------

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]
NOWS = [NOON, datetime(2026, 10, 25, 1, 10, tzinfo=UTC), datetime(2026, 10, 3, 15, 40, tzinfo=UTC)]
CALENDAR = ["hour", "day", "week", "month"]
NAMES = ["tenant", "user", "session", "run", "team", "two words"]
MODELS = ["claude-opus-5", "claude-sonnet-5"]


def edges():
    """Every edge of every window that is open at one of the times."""
    found = {at for now in NOWS for zone in ZONES for kind in CALENDAR for at in window_at(kind, now, ZoneInfo(zone))}
    return sorted(found)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A ledger of calls on both sides of every edge, with values that are missing, empty and alike."""
    dice, rows = random.Random(7), []
    times = [at + timedelta(microseconds=more) for at in edges() for more in (-1, 0, 1)]
    times += [dice.choice(NOWS) - timedelta(days=dice.random() * 40) for _ in range(300)]
    for number, at in enumerate(times):
        dims = {name: dice.choice(["a", "ab", "b", "", "ü*"]) for name in NAMES if dice.random() < 0.6}
        pusd, high = (dice.randrange(10**20) for _ in range(2))
        posting = dice.choice([Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd)] * 3 + [
            Posting(list_pusd=None, low_pusd=1, high_pusd=high),
            Posting(list_pusd=None, low_pusd=1, high_pusd=None),
        ])  # fmt: skip
        call = Call(
            call_id=str(number),
            sent_at=at,
            source=dice.choice(["gateway"] * 4 + ["import"]),
            served=Served(model=dice.choice(MODELS), usage=Usage(input_tokens=1)),
            dims={**dims, "gateway_call": f"call {number}"},
            request=dice.choice([None, Request(model=""), Request(model=dice.choice(MODELS))]),
        )
        rows.append(Stored(call, posting))
    with DuckDBLedger(tmp_path_factory.mktemp("replay") / "ledger.duckdb") as ledger:
        ledger.add(rows)
        yield ledger, list(ledger.calls(Query()))


patterns = st.lists(st.sampled_from(["*", "a*", "?", "", "ab", "claude-opus-*"]), min_size=1, max_size=2).map(tuple)
some_budget = st.builds(
    Budget,
    name=st.just(""),
    limit_pusd=st.just(1),
    window=st.sampled_from(get_args(WindowKind)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    mode=st.sampled_from(["hard", "soft", "degrade"]),
    scope=st.dictionaries(st.sampled_from([*NAMES, "model"]), patterns, max_size=2).map(
        lambda found: (*found.items(),)
    ),
    each=st.sampled_from([None, *NAMES, "model"]),
    quantile=st.sampled_from([None, Fraction(99, 100)]),
)


def one_by_one(budgets, rows, now):
    """What was spent, call by call, in the accounts that the gateway reserves it from."""
    found, first = {}, since(budgets, now)
    counting = [one for one in budgets if one.window != "call"]
    applying = Applying(counting)
    for stored in rows:
        call, pusd = stored.call, cost_pusd(stored)
        if call.source != "gateway" or pusd is None or (first is not None and call.sent_at < first):
            continue
        for budget, key, window in applying.to(call.dims, asked_model(stored), call.sent_at):
            if window == window_at(budget.window, now, budget.zone):
                for account in (key, bound_of(key))[: 2 if budget.quantile else 1]:
                    found[account] = found.get(account, 0) + pusd
    return found


@settings(max_examples=60, deadline=None)
@given(listed=st.lists(some_budget, min_size=1, max_size=4), now=st.sampled_from(NOWS))
def test_what_the_ledger_sums_is_what_its_calls_come_to_one_by_one(filled, listed, now):
    ledger, rows = filled
    listed = [one._replace(name=f"b{number}") for number, one in enumerate(listed)]
    query = Query(since=since(listed, now), where={"source": ("gateway",)})
    found = spent_from(listed, ledger.spending(query, told_apart(listed, now)), now)
    assert found.pusd == one_by_one(listed, rows, now)
    kept = [
        one for one in rows if one.call.source == "gateway" and (not query.since or one.call.sent_at >= query.since)
    ]
    assert found.unpriced_calls == sum(cost_pusd(one) is None for one in kept)
    calls = spent_from(listed, map(alone, kept), now)
    assert calls == found
