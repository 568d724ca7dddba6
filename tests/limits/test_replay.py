"""What the ledger says was spent, and what budgets would have refused; sums worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from farthing.call import Call, Request, Served, Usage
from farthing.ledger.interface import Posting, Stored
from farthing.limits.protocol import AccountKey, MemoryBank
from farthing.limits.replay import dry_run, spent_from

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
    found = spent_from(named, rows, NOON)
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
    from farthing.limits.gate import Admitted, Gate, GateFacts

    named = limits({"name": "b", "limit_usd": 10, "window": "day"})
    bank = MemoryBank()
    assert bank.rebuild(spent_from(named.budgets, [row(4), row(5)], NOON).pusd, keep_presumed=False)
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
