"""Realised against predicted, where later calls show that something changed."""

from datetime import timedelta

import msgspec
import pytest
from tests.whatif.playbook.made import HAIKU, OPUS, SONNET, SONNET_IN, SONNET_OUT, START, call

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.prices.book import shipped_book
from farthing.units import Kind
from farthing.whatif.playbook.journal import Entry, Predicted
from farthing.whatif.playbook.policy import CacheTable, StepTable
from farthing.whatif.playbook.realised import mode_of, realised, realised_since

BOOK = shipped_book()
APPLIED = START + timedelta(days=10)
NOW = START + timedelta(days=20)
A_CALL = 1000 * SONNET_IN + 100 * SONNET_OUT


def entry(**levers):
    where = levers.pop("where", {"feature": ("work",)})
    return Entry(
        number=1,
        at=APPLIED,
        who="me",
        action="applied",
        step=StepTable(id="s", where=where, **levers),
        predicted=Predicted(
            a_month_pusd=30 * 12,
            low_pusd=None,
            high_pusd=None,
            kind=Kind.DERIVED,
            since=START,
            until=START + timedelta(days=9),
            calls=10,
        ),
        policy="policy.toml",
        block="",
        created=False,
        before=None,
        after=None,
    )


def judged(calls, applied):
    (found,) = realised(sorted(calls, key=lambda one: one.sent_at), [applied], BOOK, NOW)
    return found


def test_batches_since_then_are_charged_as_if_they_were_none():
    calls = [call(n, days=n) for n in range(10)]
    calls += [call(50 + n, days=10 + n, tier="batch") for n in range(4)] + [
        call(90, days=15),
        call(91, "play", days=15),
    ]
    found = judged(calls, entry(batch=True))
    assert (found.calls, found.visible, found.share_before) == (5, 4, 0.0)
    assert found.saved_pusd == 4 * A_CALL // 2
    assert found.kind is Kind.DERIVED
    assert found.predicted_pusd == 10 * 12  # 10 days of 30
    assert found.days == 10


def test_what_was_done_before_is_not_counted():
    """Half of the calls were batches already, and all are now: half of what batches save is new."""
    calls = [call(n, days=n, tier="batch" if n % 2 else "standard") for n in range(10)]
    calls += [call(50 + n, days=10 + n, tier="batch") for n in range(4)]
    found = judged(calls, entry(batch=True))
    assert found.saved_pusd == 4 * A_CALL // 2 // 2
    assert found.kind is Kind.ASSUMED
    assert "50% did before" in found.says


@pytest.mark.parametrize(
    ("later", "says"), [([], "no such calls"), ([call(50, days=12)], "not visible yet: 0 of 1 calls")]
)
def test_callers_that_change_nothing_save_nothing(later, says):
    found = judged([call(0), *later], entry(batch=True))
    assert found.saved_pusd is None
    assert says in found.says


def test_a_model_is_charged_at_the_one_before():
    """Of one tokenizer: $4 and $20 per million instead of $0.10 and $0.50."""
    before = [call(n, model=OPUS, days=n) for n in range(10)]
    after = [call(50 + n, model=HAIKU, days=11 + n) for n in range(3)]
    found = judged([*before, *after], entry(model=HAIKU, where={"feature": ("work",), "model": (OPUS,)}))
    assert (found.calls, found.visible) == (3, 3)
    assert found.saved_pusd == 3 * (1000 * (4_000_000 - 100_000) + 100 * (20_000_000 - 500_000))


def test_effort_is_compared_by_output_per_call():
    before = [call(n, days=n, output=300, effort="high") for n in range(10)]
    after = [call(50 + n, days=11 + n, output=200, effort="medium") for n in range(3)]
    found = judged([*before, *after], entry(effort="medium"))
    assert found.saved_pusd == 3 * 100 * SONNET_OUT
    assert found.kind is Kind.ASSUMED


def test_caching_is_compared_by_what_a_prompt_token_costs():
    """Written at 1.25 before and never read; afterwards plain: a fifth of the prompt's price is gone."""
    before = [cached(n, n, "5m", cache_write_5m_tokens=1000) for n in range(10)]
    after = [cached(50 + n, 11 + n, None, input_tokens=1000) for n in range(4)]
    found = judged([*before, *after], entry(cache=CacheTable("none")))
    assert found.visible == 4
    assert found.saved_pusd == 4 * 1000 * SONNET_IN // 4
    assert found.kind is Kind.ASSUMED
    assert (
        judged([*before, cached(50, 11, "5m", cache_write_5m_tokens=9)], entry(cache=CacheTable("none"))).visible == 0
    )


def test_speed_and_region_are_turned_back():
    fast = msgspec.structs.replace(call(0, model=OPUS).served, speed="fast")
    before = [msgspec.structs.replace(call(0, model=OPUS), served=fast)]
    found = judged([*before, call(1, model=OPUS, days=11)], entry(speed="standard"))
    assert found.saved_pusd == 1000 * 4_000_000 + 100 * 20_000_000  # fast mode costs twice as much
    us = msgspec.structs.replace(call(0).served, inference_geo="us")
    found = judged([msgspec.structs.replace(call(0), served=us), call(1, days=11)], entry(inference_geo="global"))
    assert found.saved_pusd == A_CALL // 10


def test_ways_of_caching():
    assert mode_of(call(0)) == "not cached"
    assert mode_of(cached(0, 0, "5m", input_tokens=1)) == "system 5m"
    assert mode_of(cached(0, 0, None, input_tokens=1)) == "none"
    assert realised_since([]) is None
    assert realised_since([entry(batch=True)]) == START


def cached(number, days, ttl, **usage):
    return Call(
        call_id=f"cached-{number}",
        sent_at=START + timedelta(days=days),
        source="test",
        served=Served(model=SONNET, usage=Usage(output_tokens=1, **usage), stop_reason="end_turn"),
        dims={"feature": "work"},
        request=Request(blocks=(PromptBlock(b"h" * 16, 1000, "system", ttl),)),
    )
