"""List and contract side by side: the credits of whole months, exact, whatever the order and the terms."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Call, Served, Usage
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.prices.book import shipped_book
from farthing.prices.contract_reading import parse_terms
from farthing.prices.contracts import counted_list_pusd, day_credits, price_under
from farthing.prices.engine import price_served
from farthing.reports.contract import under_contract

BOOK = shipped_book()
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
USD = 10**12
SONNET, HAIKU = "claude-sonnet-4-5", "claude-haiku-4-5"
MARGINAL = """
[[volume]]
mode = "marginal"
tier = [{ list_usd_over = "0", percent = "1" }, { list_usd_over = "10", percent = "5" }]
"""
WHOLE = MARGINAL.replace("marginal", "whole-month")
FIXED = f'[[fixed]]\nmodel = "{HAIKU}"\noutput = "4"\n'
TURNED = """
[[volume]]
valid_to = 2026-10-10
mode = "whole-month"
tier = [{ list_usd_over = "0", percent = "2" }, { list_usd_over = "3", percent = "4" }]
[[volume]]
valid_from = 2026-10-10
mode = "marginal"
tier = [{ list_usd_over = "0", percent = "3" }, { list_usd_over = "7", percent = "50" }]
"""


def terms(text):
    return parse_terms(f'name = "ours"\n[[discount]]\npercent = "10"\n{text}')


def call(number, at, model=SONNET, output=100_000):
    """Sonnet writes 100,000 tokens for $1.50, Haiku for $0.50."""
    served = Served(model=model, usage=Usage(output_tokens=output))
    return Call(call_id=str(number), sent_at=at, source="t", served=served)


def ledger_of(contract, calls):
    ledger = MemoryLedger()
    for one in calls:
        bill = price_served(BOOK, one.served, one.sent_at)
        alone = parse_terms('name = "none"') if contract is None else contract
        posted = price_under(alone, bill, one.sent_at)
        credit = sum((line.contract for line in posted.lines if line.what == "volume credit"), Fraction(0))
        ledger.add([Stored(one, Posting.of(bill, contract and int(posted.contract - credit)))])
    return ledger


def asked(contract, calls, ledger=None, **query):
    ledger = ledger or ledger_of(contract, calls)
    question = Query(**query)
    [total] = ledger.report(question)
    return under_contract(ledger, lambda: BOOK, contract, question, total=total, now=NOW)


def october(count, **more):
    return [call(n, datetime(2026, 10, 1 + n % 31, tzinfo=UTC), **more) for n in range(count)]


def test_a_months_credit_is_a_line_of_its_own_and_all_sums():
    shown = asked(terms(MARGINAL), october(10))
    # $15 at list, $13.50 under contract; 1 % of the first $10 and 5 % of the other $5.
    assert [(c.month, c.on_list_pusd, c.pusd) for c in shown.credits] == [
        (date(2026, 10, 1), 10 * USD, -USD // 10),
        (date(2026, 10, 1), 5 * USD, -USD // 4),
    ]
    assert shown.calls_pusd == 13_500_000_000_000
    assert shown.total_pusd == 13_150_000_000_000
    assert shown.to_json()["contract_usd"] == "13.15"
    assert shown.notes == ()


def test_a_whole_month_tier_is_one_line():
    shown = asked(terms(WHOLE), october(10))
    assert [(c.on_list_pusd, c.pusd, c.why) for c in shown.credits] == [
        (15 * USD, -15 * USD // 20, "5 % of the month's list volume")
    ]


def test_lines_at_fixed_rates_do_not_count():
    calls = [*october(4), call("h", datetime(2026, 10, 3, tzinfo=UTC), HAIKU)]
    shown = asked(terms(MARGINAL + FIXED), calls)
    assert [(c.on_list_pusd, c.pusd) for c in shown.credits] == [(6 * USD, -6 * USD // 100)]
    # Sonnet 4 x $1.35, Haiku fixed at $0.40, less $0.06.
    assert shown.total_pusd == (5_400 + 400 - 60) * USD // 1000


def test_a_month_that_the_range_cuts_is_said_and_has_no_credit():
    calls = [*october(3), call("n", datetime(2026, 11, 2, tzinfo=UTC)), call("s", datetime(2026, 9, 2, tzinfo=UTC))]
    since = datetime(2026, 10, 2, tzinfo=UTC)
    shown = asked(terms(MARGINAL), calls, since=since)
    assert [f"{c.month:%m}" for c in shown.credits] == ["11"]
    assert shown.notes == (
        "the range cuts 2026-10, so its volume credit is left out",
        "2026-11 is not over: its volume credit is what it comes to so far",
    )
    [total] = ledger_of(terms(MARGINAL), calls).report(Query(since=since))
    assert shown.total_pusd == total.contract_pusd + sum(c.pusd for c in shown.credits)
    until = datetime(2026, 11, 1, tzinfo=UTC)
    assert [f"{c.month:%m}" for c in asked(terms(MARGINAL), calls, until=until).credits] == ["09", "10"]


def test_a_filtered_report_shows_no_credit_and_says_why():
    shown = asked(terms(MARGINAL), october(3), where={"model": (SONNET,)})
    assert (shown.credits, shown.total_pusd) == ((), shown.calls_pusd)
    assert "belongs to all calls" in shown.notes[0]


def test_calls_posted_without_the_contract_are_pointed_out():
    shown = asked(terms(""), october(2), ledger=ledger_of(None, october(2)))
    assert "farthing reprice" in shown.notes[0]


def test_fixed_lines_of_calls_posted_at_other_prices_are_not_guessed():
    odd = call("odd", datetime(2026, 10, 3, tzinfo=UTC), HAIKU)
    ledger = MemoryLedger()
    ledger.add([Stored(odd, Posting(list_pusd=7, low_pusd=7, high_pusd=7))])
    shown = asked(terms(MARGINAL + FIXED), [], ledger=ledger)
    assert shown.credits[0].on_list_pusd == 7
    assert any("1 calls are posted at other list prices" in note for note in shown.notes)


@pytest.mark.parametrize(("counts", "drawn"), [("contract", "13.15"), ("list", "15")])
def test_commitments_are_drawn_down_beside_the_sum(counts, drawn):
    commitment = f"""
[[commitment]]
name = "prepaid"
valid_from = 2026-01-01
valid_to = 2027-01-01
period = "quarter"
prepaid_usd = "20"
counts = "{counts}"
"""
    shown = asked(terms(MARGINAL + commitment), october(10))
    [one] = shown.to_json()["commitments"]
    assert (one["begins"], one["drawn_usd"], one["beyond_usd"], one["kind"]) == ("2026-10-01", drawn, "0", "derived")
    assert shown.total_pusd == 13_150_000_000_000
    assert asked(terms(MARGINAL + commitment), october(10), until=datetime(2026, 10, 6, tzinfo=UTC)).credits == ()


days = st.lists(st.tuples(st.integers(0, 60), st.sampled_from((SONNET, HAIKU)), st.integers(0, 400_000)), max_size=12)


@given(days, st.sampled_from((MARGINAL, WHOLE, TURNED)), st.sampled_from(("", FIXED)))
def test_months_cost_what_their_calls_cost_one_after_another(drawn, volume, fixed):
    contract = terms(volume + fixed)
    start = datetime(2026, 9, 15, tzinfo=UTC)
    calls = [call(n, start + timedelta(days=d), model, out) for n, (d, model, out) in enumerate(sorted(drawn))]
    bills = [(price_served(BOOK, one.served, one.sent_at), one.sent_at) for one in calls]
    right, before_pusd = Fraction(0), Counter()
    for bill, at in bills:
        priced = price_under(contract, bill, at, before_pusd[at.month])
        before_pusd[at.month] += priced.counted_list_pusd
        right += sum((line.contract for line in priced.lines if line.what == "volume credit"), Fraction(0))
    counted = {}
    for bill, at in bills:
        added = counted_list_pusd(contract, bill, at)
        assert added == price_under(contract, bill, at).counted_list_pusd
        counted[at.date()] = counted.get(at.date(), 0) + added
    assert sum((line.contract for _, line in day_credits(contract, counted.items())), Fraction(0)) == right
    if calls:
        shown = asked(contract, calls)
        assert sum((credit.pusd for credit in shown.credits), Fraction(0)) == right
