"""Every planted habit is found from the calls alone, and nothing is found where there is none."""

from random import Random

import msgspec
import pytest
from tests.whatif.levers.traffic_made import JOB, NO_HABITS, made, played

from farthing.demo.jobs import JOBS
from farthing.errors import BadInput
from farthing.prices.book import shipped_book
from farthing.whatif.levers.find import find_all
from farthing.whatif.playbook.advice import Finding, Proposal, Risk
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
PLANTED = {
    "support-chat": {"cache"},
    "coding-agent": {"effort"},
    "triage": {"smaller-model"},
    "contract-questions": {"cache", "front-changes"},
    "nightly-summaries": {"batch", "older-model"},
    "enrichment": {"newer-model"},
    "extraction": {"cache", "unread-writes", "truncated", "older-model"},
    "live-translation": {"fast"},
    "claims-desk": {"geo", "effort"},
    "search-answers": {"cache", "unread-writes", "repeated"},
}
ALSO_TRUE = {
    "coding-agent": {"cache", "history"},
    "triage": {"cache"},
    "nightly-summaries": {"cache"},
    "live-translation": {"cache"},
    "claims-desk": {"cache", "expired"},
}
"""What may be found besides, as it depends on how dense the sessions are."""


def kinds(advice):
    return {one.id.split()[0] for one in advice}


@pytest.mark.parametrize("feature", PLANTED)
def test_a_planted_habit_is_found_and_no_other(feature):
    job = JOB[feature]
    calls = played([job], sessions_per_day=max(8, 120 // max(job.turns)))
    found = kinds(find_all(calls, BOOK))
    assert PLANTED[feature] <= found <= PLANTED[feature] | ALSO_TRUE.get(feature, set())


@pytest.fixture(scope="module")
def month():
    return played(JOBS, days=6, tenants=10, sessions_per_day=110)


@pytest.fixture(scope="module")
def advice(month):
    return find_all(month, BOOK)


def test_advice_is_about_the_calls_it_says(month, advice):
    by_id = {call.call_id: call for call in month}
    assert len({one.id for one in advice}) == len(advice) >= 10
    for one in advice:
        where = one.choice.rules[0].where if isinstance(one, Proposal) else one.about
        about = [call for call in month if call.served.model in where["model"]]
        about = [call for call in about if call.dims["feature"] in where["feature"]]
        assert 0 < one.calls <= len(about)
        assert 0 < len(one.evidence) <= 5
        assert {by_id[call_id].dims["feature"] for call_id in one.evidence} == set(where["feature"])


def test_a_replay_of_all_proposals_agrees_that_they_save(month, advice):
    proposals = [one for one in advice if isinstance(one, Proposal)]
    steps = replay(month, [one.choice for one in proposals], BOOK, cumulative=False).steps
    for one, step in zip(proposals, steps, strict=True):
        assert step.moved_calls, one.id
        assert step.saved_pusd > 0, one.id


def test_what_may_hurt_says_so(advice):
    for one in advice:
        assert one.why
        if isinstance(one, Finding):
            assert one.change
            continue
        assert one.verify
        assert (one.risk is Risk.QUALITY) == (one.id.split()[0] in {"effort", "newer-model", "smaller-model"})
        assert not one.is_free or one.id.startswith("cache ")


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_no_habits_no_advice(seed):
    calls = played(NO_HABITS, days=4, tenants=10, sessions_per_day=50, seed=seed)
    assert len(calls) > 300
    assert kinds(find_all(calls, BOOK)) == set()


@pytest.mark.parametrize("seed", range(4))
def test_a_little_random_traffic_proves_nothing(seed):
    rng = Random(seed)
    moments = sorted(rng.randrange(3 * 86_400) for _ in range(150))
    calls = [
        made(
            at,
            [(f"system {rng.randrange(3)}", 400, "system"), (f"question {at}", rng.randrange(20, 3000), "messages")],
            model=rng.choice(["claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"]),
            output=rng.randrange(1, 2000),
            dims={"feature": rng.choice("ab"), "user": rng.choice("uvwxyz")},
            max_tokens=4096,
            stream=rng.random() < 0.3,
        )
        for at in moments
    ]
    assert find_all(calls, BOOK) == []


def test_nothing_at_all_and_calls_without_requests():
    assert find_all([], BOOK) == []
    assert find_all(played([JOB["triage"]], days=1, sessions_per_day=5), BOOK) == []


def test_calls_must_come_in_order():
    calls = [made(10, [("a", 5, "messages")]), made(5, [("b", 5, "messages")])]
    with pytest.raises(BadInput, match="calls in order of time"):
        find_all(calls, BOOK)


def test_routes_of_one_name_on_two_models_are_told_apart():
    both = played([JOB["extraction"]], sessions_per_day=20, days=4)
    changed = [
        msgspec.structs.replace(
            call,
            call_id=f"other {call.call_id}",
            served=msgspec.structs.replace(call.served, model="claude-sonnet-5-5"),
        )
        for call in both
    ]
    calls = sorted([*both, *changed], key=lambda call: call.sent_at)
    alone = {one.title for one in find_all(both, BOOK) if one.id.startswith(("cache ", "truncated "))}
    told = {one.title for one in find_all(calls, BOOK) if one.id.startswith(("cache ", "truncated "))}
    assert any("extraction to the cache" in title for title in alone)
    assert any("extraction on claude-opus-4-5-20251101" in title for title in told)
    assert not alone & told
