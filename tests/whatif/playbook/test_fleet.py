"""A small noisy fleet: its planted habits are in the plan, and a fleet without them gets a short one."""

from datetime import UTC, datetime

import pytest

from farthing.demo import fleet as fleet_module
from farthing.demo.executed import executed
from farthing.demo.fleet import fleet
from farthing.demo.jobs import JOBS
from farthing.prices.book import shipped_book
from farthing.whatif.levers.find import find_all
from farthing.whatif.levers.fronts import with_stable_front
from farthing.whatif.playbook.advice import Guide
from farthing.whatif.playbook.guides import covered_by
from farthing.whatif.playbook.plan import plan
from farthing.whatif.playbook.policy import HEADER, block_of, read_policy, step_of
from farthing.whatif.replay.replay import replay

START = datetime(2026, 10, 20, tzinfo=UTC)
BOOK = shipped_book()


def planned(**more):
    calls = list(executed(fleet(START, 9, tenants=20, seed=11, **more)))
    return calls, plan(lambda: iter(calls), find_all(calls, BOOK), BOOK)


@pytest.fixture(scope="module")
def noisy():
    return planned(sessions_per_day=110)


def test_planted_habits_are_steps(noisy):
    _, made = noisy
    steps = {" ".join(step.proposal.id.split()[:2]) for step in made.steps}
    assert {
        "cache feature=support-chat",  # caches nothing where it would pay
        "cache feature=extraction",  # writes what never comes back
        "batch feature=nightly-summaries",  # full price for what nobody waits for
        "fast feature=live-translation",
        "smaller-model feature=triage",
    } <= steps
    assert not any("enrichment" in one for one in steps if one.startswith("batch"))  # is one already


def test_the_clock_at_the_top_of_a_prompt_is_a_finding_with_a_remedy_of_its_own(noisy):
    _, made = noisy
    (front,) = [one for one in made.findings if one.id.startswith("front-changes feature=contract-questions")]
    assert covered_by(front, made.steps) is None
    unread = [one for one in made.findings if one.id.startswith("unread-writes feature=extraction")]
    assert all(covered_by(one, made.steps) for one in unread)


def test_a_remedy_is_priced_after_the_steps_that_work_around_it(noisy):
    """The step stops writes that the clock makes useless; step and remedy together come to the remedy alone."""
    calls, made = noisy
    (front,) = [one for one in made.findings if one.id.startswith("front-changes feature=contract-questions")]
    (step,) = [step for step in made.steps if step.proposal.id == "cache " + front.id.partition(" ")[2]]
    left = made.repairs[front.id]
    about = [call for call in calls if front.repair.rules[0].is_about(call)]
    recorded = replay(about, [], BOOK).before.pusd
    repaired = replay(with_stable_front(about, front.position), [front.repair], BOOK).steps[0].sums.pusd
    assert left > 0
    assert left + step.saved_pusd == recorded - repaired


def test_the_plan_is_one_replay_of_its_steps(noisy):
    """A plain replay of all calls under the same choices says the same, step by step."""
    calls, made = noisy
    found = replay(calls, [step.proposal.choice for step in made.steps], BOOK, ceiling_by=lambda _: None)
    assert [step.saved_pusd for step in found.steps] == [step.saved_pusd for step in made.steps]
    assert (found.before.pusd, found.steps[-1].sums.pusd) == (made.before_pusd, made.after_pusd)
    assert found.backtest.to_json() == made.backtest.to_json()


def test_a_step_of_caching_says_how_much_of_the_ceiling_it_catches(noisy):
    _, made = noisy
    caching = {step.proposal.id.split()[1]: step for step in made.steps if step.proposal.guide is Guide.CACHING}
    chat = caching["feature=support-chat"]
    assert chat.ceiling.capture == 0  # nothing is cached today
    assert 0.5 < chat.capture <= 1
    wasteful = caching["feature=extraction"]
    assert wasteful.ceiling.least_pusd <= wasteful.ceiling.none_pusd < wasteful.ceiling.paid_pusd
    assert all(step.ceiling is None for step in made.steps if step.proposal.guide is not Guide.CACHING)
    assert made.backtest.ceiling.all.least_pusd == sum(one.least_pusd for one in made.backtest.ceiling.of.values())


def test_every_step_can_be_applied_and_says_what_its_choice_says(noisy):
    _, made = noisy
    steps = [step_of(step.proposal) for step in made.steps]
    text = HEADER + "".join(block_of(step) for step in steps).encode()
    assert list(read_policy(text, "policy.toml").step) == steps
    for step, of_plan in zip(steps, made.steps, strict=True):
        (rule,) = of_plan.proposal.choice.rules
        assert step.where == rule.where
        assert set(step.levers) == {
            name
            for name in ("model", "batch", "cache", "inference_geo", "speed", "effort")
            if getattr(rule.levers, name)
        }


def test_a_well_behaved_fleet_gets_a_short_plan(monkeypatch):
    good = {
        "coding-agent": {"effort": None},
        "enrichment": {"model": "claude-haiku-5-5"},
        "search-answers": {"again_percent": 0},
        "support-chat": {"caching": "automatic"},
    }
    kept = tuple(job._replace(**good[job.feature]) for job in JOBS if job.feature in good)
    monkeypatch.setattr(fleet_module, "JOBS", kept)
    _, made = planned(sessions_per_day=60)
    assert len(made.steps) <= 1
    assert made.saved_pusd < made.before_pusd * 0.15
