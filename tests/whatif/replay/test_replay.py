"""The replay as a whole: the back-test, sums that add up, what stays, how sure each figure is."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whatif.replay.conversations import traces
from tests.whatif.replay.execution import recorded

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.errors import BadInput
from farthing.ledger.interface import Posting, Stored
from farthing.prices.book import shipped_book
from farthing.prices.contract_terms import ContractTerms, Discount
from farthing.prices.engine import price_served
from farthing.units import Kind
from farthing.whatif.replay.choice import Choice
from farthing.whatif.replay.parse import parse_choice
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
START = datetime(2026, 11, 20, 9, tzinfo=UTC)
TEXTS = [
    "cache=none",
    "cache=automatic,ttl=1h",
    "cache=end,pings=2",
    "cache=second_sight",
    "model=claude-haiku-5-5,speed=standard",
    "batch=true,turnaround=1000",
    "geo=us",
    "effort=low*0.5",
]


def one(number=0, **changes):
    """Sonnet 4.6 (3/15 USD per million): 2,000 tokens of prompt and 100 of output."""
    served = Served(model="claude-sonnet-4-6", usage=Usage(input_tokens=2000, output_tokens=100))
    request = Request(model="claude-sonnet-4-6", blocks=(PromptBlock(b"a" * 16, 1500, "system"), QUESTION))
    return Call(
        call_id=str(number),
        sent_at=START + timedelta(seconds=number),
        source="test",
        served=msgspec.structs.replace(served, **changes),
        request=request,
        ttft_ms=100,
    )


QUESTION = PromptBlock(b"b" * 16, 500, "messages")


def replayed(calls, *texts, **more):
    return replay(calls, [parse_choice(text, BOOK) for text in texts], BOOK, **more)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(traces(), st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4))
def test_savings_in_sequence_sum_exactly_and_each_step_is_its_choices_together(trace, texts):
    calls = recorded(trace)
    found = replayed(calls, *texts)
    assert found.saved_pusd == found.before.pusd - found.steps[-1].sums.pusd
    together = Choice()
    for step, text in zip(found.steps, texts, strict=True):
        together = together.then(parse_choice(text, BOOK))
        alone = replay(calls, [together], BOOK).steps[0]
        assert alone.to_json()["units"] == step.to_json()["units"]
        assert alone.sums.pusd == step.sums.pusd == sum(step.sums.units_pusd) == sum(step.sums.kinds_pusd.values())
        assert sum(step.saved_kinds_pusd.values()) == found.before.pusd - step.sums.pusd
        if step.replayed_calls == len(calls) and not step.pings:
            assert sum(step.fate) == sum(step.sums.counts[:4])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(traces())
def test_the_cache_as_it_was_comes_out_as_it_was(trace):
    found = replayed(recorded(trace), "geo=us").backtest
    assert found.replayed == found.measured
    assert found.error_pusd == 0
    assert (found.calls, found.replayed_calls, found.calibrated_calls) == (len(trace), len(trace), 0)


def test_each_choice_by_itself():
    found = replayed([one()], "batch=true", "geo=us", cumulative=False)
    # 2,000 x $3 + 100 x $15 per million: 7,500 millionths of a dollar.
    assert found.before.pusd == 7_500_000_000
    assert [step.saved_pusd for step in found.steps] == [3_750_000_000, -750_000_000]
    assert [step.sums.pusd for step in replayed([one()], "batch=true", "geo=us").steps] == [
        3_750_000_000,
        4_125_000_000,
    ]


def test_a_posting_that_the_facts_do_not_bear_out_is_told():
    call = one()
    right = Posting.of(price_served(BOOK, call.served, call.sent_at))
    wrong = msgspec.structs.replace(right, list_pusd=1)
    found = replayed([Stored(call, right), Stored(call, wrong)], "geo=us").backtest
    assert (found.posted_calls, found.off_posting_calls) == (2, 1)
    assert found.posted_facts_pusd - found.posted_pusd == 7_500_000_000 - 1


def test_calls_without_a_price_are_counted_and_in_no_sum():
    found = replayed([one(), one(1, model="claude-nobody")], "batch=true")
    assert (found.backtest.calls, found.backtest.unpriced_calls) == (2, 1)
    assert found.before.pusd == 7_500_000_000


@pytest.mark.parametrize(
    ("text", "changes", "says"),
    [
        ("speed=fast", {}, "no fast rate"),
        ("model=claude-haiku-4-5", {"usage": Usage(input_tokens=200_001)}, "longer than"),
        ("model=claude-haiku-4-5", {"inference_geo": "us"}, "inference_geo='us' has no published price"),
        ("channel=google_cloud,batch=true", {}, "UNCONFIRMED"),
        ("model=claude-haiku-5-5", {"calls_in_total": 3, "usage": Usage(input_tokens=150_000)}, "no exact price"),
    ],
)
def test_what_a_lever_does_not_take_stays_as_recorded(text, changes, says):
    call = one(**changes)
    found = replayed([call], text)
    (reason,) = found.steps[0].stays
    assert says in reason
    assert found.saved_pusd == 0


def test_what_cannot_be_replayed_keeps_its_measured_cache_and_takes_the_other_levers():
    bare = msgspec.structs.replace(one(usage=Usage(cache_read_tokens=2000)), request=None)
    found = replayed([bare], "cache=none,batch=true")
    assert found.steps[0].cache_stays == {"no blocks of the prompt were recorded": 1}
    assert found.steps[0].sums.counts[3] == 2000
    assert found.saved_pusd == found.before.pusd // 2


@pytest.mark.parametrize(
    ("text", "changes", "kind"),
    [
        ("batch=true", {}, Kind.DERIVED),
        ("batch=true", {"usage": Usage(cache_read_tokens=2000)}, Kind.ASSUMED),
        ("cache=automatic", {}, Kind.DERIVED),
        ("cache=automatic", {"usage": Usage(input_tokens=2001)}, Kind.DERIVED),  # the whole prompt was measured
        ("cache=system", {"usage": Usage(input_tokens=2001)}, Kind.ASSUMED),
        ("cache=automatic,batch=true", {}, Kind.ASSUMED),
        ("model=claude-opus-4-6", {}, Kind.DERIVED),
        ("model=claude-sonnet-5", {}, Kind.ASSUMED),
        ("effort=low*0.5", {}, Kind.ASSUMED),
        ("geo=global", {}, Kind.DERIVED),
    ],
)
def test_every_figure_says_how_sure_it_is(text, changes, kind):
    assert replayed([one(**changes)], text).steps[0].kind == kind


def test_a_new_tokenizer_and_a_lower_effort_change_the_counts():
    step = replayed([one()], "model=claude-sonnet-5,effort=low*0.5").steps[0]
    assert (step.sums.counts[0], step.sums.counts[4]) == (2600, 65)
    step = replayed([one()], "model=claude-sonnet-5,tokenizer=1.1").steps[0]
    assert (step.sums.counts[0], step.sums.counts[4]) == (2200, 110)


def test_a_band_is_judged_per_prompt():
    # Haiku 5.5: 100,000 tokens at $0.10, one more at $0.50 for all; 76,923 of the older tokenizer's are 100,000.
    for tokens, usd_per_mtok in ((76_923, Fraction(1, 10)), (76_924, Fraction(1, 2))):
        step = replayed([one(usage=Usage(input_tokens=tokens))], "model=claude-haiku-5-5").steps[0]
        assert step.sums.pusd == step.sums.counts[0] * usd_per_mtok * 10**6


def test_a_contract_holds_on_both_sides_and_a_choice_may_bring_another():
    tenth = ContractTerms(name="ten", discount=(Discount(percent="10"),))
    found = replay([one()], [parse_choice("batch=true", BOOK)], BOOK, terms=tenth)
    assert (found.before.pusd, found.steps[0].sums.pusd) == (6_750_000_000, 3_375_000_000)
    fifth = ContractTerms(name="twenty", discount=(Discount(percent="20"),))
    found = replay([one()], [Choice(contract=fifth)], BOOK, terms=tenth)
    assert found.saved_pusd == 750_000_000


def test_routing_a_call_away_loses_its_prefix():
    calls = [msgspec.structs.replace(one(at), dims={"feature": name}) for at, name in enumerate("aba")]
    stay = replayed(calls, "cache=tools+system").steps[0].sums.counts
    away = replayed(calls, "cache=tools+system", "model=claude-opus-4-8 where feature=b").steps[1].sums.counts
    assert (stay[1], stay[3]) == (1500, 3000)
    assert (away[1], away[3]) == (1500 + 1950, 1500)  # written once more, in the other tokenizer's tokens


def test_calls_out_of_order_are_refused():
    with pytest.raises(BadInput, match="in order of time"):
        replayed([one(1), one(0)], "geo=us")
