"""Plans: savings sum exactly, every step pays, and what does not pay says why it is left out."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whatif.playbook.made import HAIKU, OPUS, SONNET, SONNET_IN, SONNET_OUT, START, call, proposal

from farthing.prices.book import shipped_book
from farthing.prices.contract_terms import ContractTerms, Discount
from farthing.prices.engine import price_served
from farthing.units import Kind
from farthing.whatif.playbook import plan as plan_module
from farthing.whatif.playbook.advice import Finding, Guide, Risk
from farthing.whatif.playbook.guides import guide_rows
from farthing.whatif.playbook.merge import merged
from farthing.whatif.playbook.plan import LOSES, LOST_FIRST, RIVAL, TOO_SMALL, UNSETTLED, plan
from farthing.whatif.playbook.plan_json import plan_json

BOOK = shipped_book()
A_CALL = 1000 * SONNET_IN + 100 * SONNET_OUT
MODELS = [OPUS, SONNET, HAIKU, "claude-opus-4-5-20251101", "claude-haiku-4-5-20251001", "unheard-of"]
WHERE = [{}, {"feature": ("work",)}, {"feature": ("play",)}, {"tenant": ("",), "model": (OPUS,)}]


def planned(calls, found, **more):
    calls = sorted(calls, key=lambda one: one.sent_at)
    return plan(lambda: iter(calls), found, BOOK, **more)


@st.composite
def proposals(draw, number):
    lever = draw(
        st.sampled_from(
            [{"model": model} for model in MODELS[:5]] + [{"batch": True}, {"batch": False}, {"speed": "fast"}]
        )
    )
    return proposal(
        f"p{number}",
        draw(st.sampled_from(WHERE)),
        risk=draw(st.sampled_from(list(Risk))),
        assumes=draw(st.sampled_from(["", "something"])),
        guide=draw(st.sampled_from(list(Guide))),
        **lever,
    )


@st.composite
def months(draw):
    calls = [
        call(
            number,
            draw(st.sampled_from(["work", "play", ""])),
            draw(st.sampled_from(MODELS)),
            days=draw(st.integers(0, 40)) / 4,
            tokens=draw(st.sampled_from([0, 10, 5000, 120_000])),
            output=draw(st.sampled_from([1, 900])),
            tier=draw(st.sampled_from(["standard", "standard", "batch"])),
        )
        for number in range(draw(st.integers(0, 12)))
    ]
    return calls, [draw(proposals(number)) for number in range(draw(st.integers(0, 7)))]


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(months())
def test_steps_pay_and_sum_exactly(month):
    calls, found = month
    made = planned(calls, found, small=0.0)
    bills = [price_served(BOOK, one.served, one.sent_at).list_pusd for one in calls]
    assert made.before_pusd == sum(pusd for pusd in bills if pusd is not None)
    assert sum(step.saved_pusd for step in made.steps) == made.before_pusd - made.after_pusd
    assert all(step.saved_pusd > 0 and step.first_pusd > 0 for step in made.steps)
    assert all(step.first_pusd + step.later_pusd == step.saved_pusd for step in made.steps)
    assert made.replays <= 2 + plan_module.ROUNDS_MAX
    free = [step.proposal.is_free for step in made.steps]
    assert free == sorted(free, reverse=True) or any(step.instead_of for step in made.steps)
    assert sum(row.saved_pusd for row in guide_rows(made)) <= made.saved_pusd
    if made.demand is not None:
        assert sum(made.demand.worth_pusd) == made.after_pusd
    plan_json(made)


def test_a_step_is_counted_after_the_ones_before_it():
    """Half price and a third of the price: alone 1/2 and the rest, together not their sum."""
    calls = [call(n, days=n) for n in range(10)]
    batch = proposal("batch", batch=True, risk=Risk.DELAY, guide=Guide.BATCH)
    move = proposal("move", model=HAIKU, risk=Risk.QUALITY, guide=Guide.ROUTING)
    made = planned(calls, [move, batch])
    first, second = made.steps
    assert made.before_pusd == 10 * A_CALL
    assert first.saved_pusd + second.saved_pusd == made.before_pusd - made.after_pusd
    assert second.saved_pusd < second.alone_pusd
    assert made.saved_a_month.pusd == 3 * made.saved_pusd
    assert made.saved_a_month.low_pusd == made.saved_a_month.high_pusd == made.saved_a_month.pusd  # like days


def test_what_does_not_pay_is_left_out_and_says_why():
    calls = [call(n, days=n) for n in range(10)] + [call(99, "rare", days=9, tokens=100)]
    dear = proposal("dear", model=OPUS)
    tiny = proposal("tiny", {"feature": ("rare",)}, batch=True)
    nobody = proposal("nobody", {"feature": ("nobody's",)}, batch=True)
    made = planned(calls, [dear, tiny, nobody])
    assert made.steps == ()
    assert made.after_pusd == made.before_pusd
    reasons = {one.proposal.id: one.reason for one in made.dropped}
    # the rare one comes on the last day alone: nothing showed on the first two thirds
    assert reasons == {"dear": LOSES, "tiny": LOST_FIRST, "nobody": LOSES}


def test_a_tiny_step_is_named_and_not_taken():
    calls = [call(n, days=n, tokens=100_000) for n in range(9)] + [call(99, "rare", days=0, tokens=10)]
    made = planned(calls, [proposal("tiny", {"feature": ("rare",)}, batch=True)])
    assert [(one.reason, one.saved_pusd > 0) for one in made.dropped] == [(TOO_SMALL, True)]
    assert planned(calls, [proposal("tiny", {"feature": ("rare",)}, batch=True)], small=0.0).steps


def test_of_rivals_the_better_set_is_taken():
    calls = [call(n, "work" if n % 2 else "play", days=n) for n in range(10)]
    wide = proposal("wide", {}, model="claude-haiku-4-5-20251001")
    work = proposal("on work", {"feature": ("work",)}, model=HAIKU)
    play = proposal("on play", {"feature": ("play",)}, model=HAIKU)
    made = planned(calls, [wide, work, play])
    assert sorted(step.proposal.id for step in made.steps) == ["on feature=play|work"]
    assert [(one.proposal.id, one.reason) for one in made.dropped] == [("wide", RIVAL)]
    assert made.dropped[0].rival in {"on work", "on play"}


def test_a_bolder_rival_comes_on_top_of_the_milder_one():
    calls = [call(n, model=OPUS, days=n) for n in range(10)]
    mild = proposal("mild", model=SONNET)
    bold = proposal("bold", model=HAIKU, risk=Risk.QUALITY)
    made = planned(calls, [bold, mild])
    assert [step.proposal.id for step in made.steps] == ["mild", "bold"]
    assert made.steps[1].instead_of == (1,)
    assert made.steps[1].saved_pusd == made.steps[1].alone_pusd - made.steps[0].saved_pusd


def test_a_step_that_lost_lately_is_marked():
    """Nine days on Opus, then dear days on Haiku: Sonnet is cheaper, and then it is not."""
    calls = [call(n, model=OPUS, days=n, tokens=10_000) for n in range(6)]
    calls += [call(10 + n, model=HAIKU, days=6 + n, tokens=10_000) for n in range(3)]
    made = planned(calls, [proposal("sonnet", model=SONNET)])
    (step,) = made.steps
    assert step.lost_later
    assert step.later_calls == 3
    assert step.later_pusd < 0 < step.first_pusd


def test_few_days_have_no_range():
    made = planned([call(n, days=n) for n in range(4)], [proposal("batch", batch=True)])
    assert made.steps[0].a_month.low_pusd is None
    assert made.steps[0].a_month.pusd == 30 * A_CALL // 2


def test_what_is_assumed_says_so():
    calls = [call(n, days=n) for n in range(9)]
    exact = planned(calls, [proposal("batch", batch=True)]).steps[0]
    believed = planned(calls, [proposal("batch", batch=True, assumes="nobody waits")]).steps[0]
    assert (exact.kind, believed.kind) == (Kind.DERIVED, Kind.ASSUMED)


def test_rounds_are_bounded(monkeypatch):
    """With one round, the sequence is cut before the first step that does not pay, and is exact all the same."""
    monkeypatch.setattr(plan_module, "ROUNDS_MAX", 1)
    calls = [call(n, days=n, tokens=100_000) for n in range(9)]
    calls += [call(50 + n, "rare", days=n, tokens=10) for n in range(9)]
    small = proposal("small", {"feature": ("rare",)}, batch=True)
    risky = proposal("risky", batch=True, risk=Risk.DELAY)
    made = planned(calls, [small, risky])
    assert [one.reason for one in made.dropped] == [TOO_SMALL, UNSETTLED]
    assert made.steps == ()
    assert made.saved_pusd == 0
    monkeypatch.undo()
    assert [step.proposal.id for step in planned(calls, [small, risky]).steps] == ["risky"]


def test_findings_stand_beside_the_sum():
    finding = Finding(
        id="f",
        title="t",
        guide=Guide.OUTPUT,
        cost_pusd=7,
        kind=Kind.MEASURED,
        why="w",
        calls=1,
        evidence=(),
        change="c",
    )
    dearer = Finding(
        id="g",
        title="t",
        guide=Guide.OUTPUT,
        cost_pusd=9,
        kind=Kind.MEASURED,
        why="w",
        calls=1,
        evidence=(),
        change="c",
    )
    made = planned([call(0)], [finding, dearer])
    assert [one.id for one in made.findings] == ["g", "f"]
    assert made.saved_pusd == 0
    output = next(row for row in guide_rows(made) if row.guide is Guide.OUTPUT)
    assert "2 findings below" in output.why


def test_all_six_steps_of_the_guides_appear_whatever_there_is():
    for calls in ([], [call(0, model="unheard-of")], [call(n, days=n) for n in range(30)]):
        rows = guide_rows(planned(calls, []))
        assert [row.guide for row in rows] == list(Guide)[:6]
        assert all(row.saved_pusd == 0 and row.why for row in rows)
        assert all(row.published.says and row.published.source for row in rows)


def test_why_nothing_is_saved_is_said_of_the_calls_at_hand():
    def why(guide, calls):
        return next(row.why for row in guide_rows(planned(calls, [])) if row.guide is guide)

    half = [call(n, days=n, tier="batch" if n % 3 else "standard") for n in range(9)]  # six at half price, three whole
    assert why(Guide.BATCH, half).startswith("50% of the bill is batched already")
    assert "no call has its prompt recorded" in why(Guide.CACHING, half)
    assert why(Guide.OUTPUT, half).startswith("33% of the bill is output")  # $0.001 of $0.003
    assert "1.3 weeks of history" in why(Guide.COMMITMENTS, [call(n, days=n) for n in range(10)])
    assert why(Guide.ROUTING, half).startswith(f"100% of the bill is {SONNET}")
    assert "9 of 9 calls have no feature" in why(Guide.ROUTING, [call(n, "", days=n) for n in range(9)])


def test_a_steady_month_is_worth_an_offer():
    calls = [call(n, days=n / 24, tokens=500_000) for n in range(24 * 35)]
    row = next(row for row in guide_rows(planned(calls, [])) if row.guide is Guide.COMMITMENTS)
    assert "would save" in row.why
    assert (row.saved_pusd, row.kind) == (0, Kind.ASSUMED)


def test_one_move_on_several_routes_is_one_step():
    made = [
        proposal(f"newer-model feature={name}", {"feature": (name,), "model": (SONNET,)}, model=HAIKU)
        for name in ("play", "work", "rest")
    ]
    other = proposal("newer-model feature=work of opus", {"feature": ("work",), "model": (OPUS,)}, model=HAIKU)
    found, alone = merged([*made, other], {one.id: 1 for one in made} | {other.id: 5})
    assert [one.id for one in found] == [other.id, f"newer-model feature=play|rest|work model={SONNET}"]
    together = found[1]
    assert alone == {other.id: 5, together.id: 3}
    assert together.policy["where"] == {"feature": ["play", "rest", "work"], "model": [SONNET]}
    assert together.calls == 3


def test_under_a_contract_both_sides_are():
    tenth = ContractTerms(name="ten", discount=(Discount(percent="10"),))
    calls = [call(n, days=n) for n in range(10)] + [call(99, "play", days=9)]
    made = planned(calls, [proposal("batch", batch=True)], terms=tenth)
    assert made.before_pusd == 11 * A_CALL * 9 // 10
    assert made.steps[0].saved_pusd == made.steps[0].alone_pusd == 10 * A_CALL // 2 * 9 // 10


def test_calls_out_of_order_are_refused():
    calls = [call(1, days=1), call(0)]
    with pytest.raises(Exception, match="in order of time"):
        plan(lambda: iter(calls), [], BOOK)
    assert calls[0].sent_at - timedelta(days=1) == START
