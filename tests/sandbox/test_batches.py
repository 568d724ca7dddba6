"""Message Batches on a clock that a test moves: lifecycle, counts, expiry, retention, limits, money."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.sandbox import batches as batches_module
from farthing.sandbox.batch import read_requests
from farthing.sandbox.batches import Batches, Pace
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.problems import ApiError
from farthing.sandbox.replies import Reply
from farthing.sandbox.world import World

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
HEADERS = {"anthropic-version": "2023-06-01"}
BASE = "http://here"
GOOD = {"model": "claude-sonnet-5", "max_tokens": 20, "messages": [{"role": "user", "content": "<<tokens:1000>>"}]}


class Office:
    """A world with batches, and short words for what tests do."""

    def __init__(self, *, tier="Scale", seed=0, **pace):
        self.world = World(clock=VirtualClock(START), tier=tier, seed=seed)
        self.batches = Batches(self.world, Pace(**pace))
        self.caller = self.world.caller

    def create(self, count=4, params=GOOD, caller=None):
        requests = [{"custom_id": f"r{at}", "params": params} for at in range(count)]
        body = json.dumps({"requests": requests}).encode()
        return self.batches.create(caller or self.caller, HEADERS, body)

    def after(self, seconds):
        self.world.clock.set(START + timedelta(seconds=seconds))
        self.batches.tick()

    def show(self, batch):
        return self.batches.find(self.caller, batch.id).to_json(self.world.clock.now(), BASE)

    def results(self, batch):
        return [json.loads(line) for line in self.batches.results(self.caller, batch.id)]


def test_each_request_is_sent_at_its_own_time():
    office = Office(processing_s=100)
    office.create(4)
    office.after(1000)
    sent = [(entry.call.sent_at - START).total_seconds() for entry in office.world.books]
    assert sent == [25, 50, 75, 100]
    assert [(entry.booked_at - START).total_seconds() for entry in office.world.books] == sent


@pytest.mark.parametrize("looks", [[100], [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]])
def test_when_somebody_looks_changes_nothing(looks):
    office = Office(processing_s=100)
    batch = office.create(7)
    for at in looks:
        office.after(at)
    assert office.show(batch)["ended_at"] == "2026-11-20T09:01:40Z"
    plain = Office(processing_s=100)
    other = plain.create(7)
    plain.after(100)
    assert office.results(batch) == plain.results(other)


def test_the_seed_decides_the_order():
    orders = []
    for seed in (0, 0, 1):
        office = Office(seed=seed)
        batch = office.create(20)
        office.after(0)
        orders.append([one["custom_id"] for one in office.results(batch)])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_what_takes_over_a_day_expires_unbilled():
    office = Office(processing_s=2 * 86_400)
    batch = office.create(10)
    office.after(86_399)
    assert office.show(batch)["request_counts"]["processing"] == 10
    office.after(86_400)
    shown = office.show(batch)
    assert (shown["processing_status"], shown["ended_at"]) == ("ended", "2026-11-21T09:00:00Z")
    assert shown["request_counts"] == {"processing": 0, "succeeded": 4, "errored": 0, "canceled": 0, "expired": 6}
    assert len(office.world.books) == 4
    assert Counter(one["result"]["type"] for one in office.results(batch)) == {"succeeded": 4, "expired": 6}


def test_results_are_there_for_29_days():
    office = Office()
    batch = office.create(2)
    office.after(29 * 86_400 - 1)
    assert office.show(batch)["results_url"] == f"{BASE}/v1/messages/batches/{batch.id}/results"
    assert len(office.results(batch)) == 2
    office.after(29 * 86_400)
    assert (office.show(batch)["archived_at"], office.show(batch)["results_url"]) == ("2026-12-19T09:00:00Z", None)
    with pytest.raises(ApiError) as caught:
        office.results(batch)
    assert caught.value.status == 404


def test_a_failed_request_is_a_result_and_costs_nothing():
    office = Office()
    batch = office.create(1, GOOD | {"stream": True})
    office.after(0)
    (result,) = office.results(batch)
    assert result["result"]["type"] == "errored"
    assert result["result"]["error"]["error"]["type"] == "invalid_request_error"
    assert result["result"]["error"]["request_id"].startswith("req_")
    assert len(office.world.books) == 0


def test_a_request_costs_half_of_its_price():
    office = Office()
    office.world.replies.sources.insert(0, type("Fixed", (), {"reply": lambda self, ask: Reply(output_tokens=20)})())
    office.create(3)
    office.after(0)
    assert [entry.pusd for entry in office.world.books] == [(1000 * 2 + 20 * 10) * 10**6 // 2] * 3


def test_a_running_batch_is_not_deleted_and_a_strangers_is_not_there():
    office = Office(processing_s=100)
    batch = office.create(2)
    with pytest.raises(ApiError, match="has not ended"):
        office.batches.delete(office.caller, batch.id)
    team = office.world.add_workspace("team")
    stranger = office.world.accounts.caller(office.world.add_key("sk-team", workspace_id=team.id, name="team"))
    for look in (office.batches.find, office.batches.cancel, office.batches.delete, office.batches.results):
        with pytest.raises(ApiError) as caught:
            look(stranger, batch.id)
        assert caught.value.status == 404
    assert office.batches.owned_by(stranger) == []


def test_cancelling_twice_is_cancelling_once():
    office = Office(processing_s=100, cancel_s=5)
    batch = office.create(4)
    office.after(50)
    first = office.batches.cancel(office.caller, batch.id).to_json(office.world.clock.now(), BASE)
    office.after(52)
    assert office.batches.cancel(office.caller, batch.id).to_json(office.world.clock.now(), BASE) == first
    office.after(55)
    assert office.show(batch)["request_counts"]["canceled"] == 2
    assert office.show(batch)["ended_at"] == "2026-11-20T09:00:55Z"


def test_the_queue_and_the_requests_per_minute_have_limits(monkeypatch):
    monkeypatch.setitem(batches_module.QUEUED_MAX, "Start", 10)
    office = Office(tier="Start", processing_s=100)
    office.create(6)
    with pytest.raises(ApiError) as caught:
        office.create(5)
    assert caught.value.status == 429
    office.create(4)
    office.after(100)
    office.create(10)
    for _ in range(1000):
        office.batches.admit(office.caller)
    with pytest.raises(ApiError) as caught:
        office.batches.admit(office.caller)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 1)


def test_no_tier_no_limits(monkeypatch):
    monkeypatch.setattr(batches_module, "QUEUED_MAX", {})
    office = Office(tier=None)
    for _ in range(5000):
        office.batches.admit(office.caller)


def test_no_batch_is_taken_where_a_spend_limit_is_reached():
    office = Office()
    organization = office.world.accounts.organizations[office.caller.organization_id]
    office.world.accounts.put_organization(msgspec.structs.replace(organization, spend_limit_pusd=1))
    office.create(2)
    office.after(0)
    with pytest.raises(ApiError, match="You have reached your specified API usage limits") as caught:
        office.create(2)
    assert caught.value.status == 400
    # The first request may be the one that reaches the limit; those after it are refused at their time.
    assert [entry.pusd > 0 for entry in office.world.books] == [True]


def test_an_envelope_has_its_limits():
    with pytest.raises(ApiError) as caught:
        read_requests(b" " * (256 * 1000 * 1000 + 1))
    assert caught.value.status == 413
    many = b'{"requests":[' + b",".join(b'{"custom_id":"r%d","params":{}}' % at for at in range(100_001)) + b"]}"
    with pytest.raises(ApiError, match="100000"):
        read_requests(many)
    assert read_requests(b'{"requests":[{"custom_id":"a","params":[1]}]}') == [("a", b"[1]")]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 600, 50_000, 100_000])),
        st.tuples(st.just("create"), st.integers(1, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
    ),
    max_size=20,
)


@settings(max_examples=60)
@given(STEPS, st.sampled_from([0, 45, 100_000]), st.sampled_from([0, 20]))
def test_whatever_happens_every_request_ends_once_and_only_what_succeeded_is_billed(steps, processing_s, cancel_s):
    office = Office(tier=None, processing_s=processing_s, cancel_s=cancel_s)
    made, deleted, refused = [], 0, []
    for step, value in steps:
        office.batches.tick()
        mine = office.batches.owned_by(office.caller)
        try:
            if step == "wait":
                office.world.clock.advance(value)
            elif step == "create":
                made.append((office.create(value), value))
            elif mine:
                look = office.batches.cancel if step == "cancel" else office.batches.delete
                look(office.caller, mine[value % len(mine)].id)
                deleted += step == "delete"
        except ApiError as error:
            refused.append(error.status)
    office.batches.tick()
    assert set(refused) <= {400}  # the batch was in the wrong state for that
    for batch, size in made:
        shown = batch.to_json(office.world.clock.now(), BASE)["request_counts"]
        assert sum(shown.values()) == size
        assert shown["processing"] in (0, size)
    office.world.clock.advance(10 * 86_400)
    office.batches.tick()
    assert all(batch.ended_at and not batch.waiting for batch, _ in made)
    assert all(batch.ended_at <= max(batch.expires_at, batch.ends_at) for batch, _ in made)
    assert len(office.world.books) == sum(batch.counts["succeeded"] for batch, _ in made)
    assert len(office.batches.owned_by(office.caller)) == len(made) - deleted


def told(books):
    return [(entry.call, entry.pusd, entry.booked_at) for entry in books]


def cached(count):
    """Requests that share a cached prefix, so that the order in which they are answered shows."""
    text = {"type": "text", "text": "<<tokens:3000>>", "cache_control": {"type": "ephemeral"}}
    params = {"model": "claude-sonnet-5", "max_tokens": 20, "messages": [{"role": "user", "content": [text]}]}
    requests = [{"custom_id": f"r{at}", "params": params} for at in range(count)]
    return json.dumps({"requests": requests}).encode()


@settings(max_examples=15)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 7), st.sampled_from([0, 60, 100_000]))
def test_however_the_work_is_sliced_the_books_are_the_same(sizes, slice_requests, processing_s):
    offices = [Office(tier=None, processing_s=processing_s) for _ in range(2)]
    made = [[office.batches.create(office.caller, HEADERS, cached(size)) for size in sizes] for office in offices]
    whole, sliced = offices
    whole.after(200_000)
    sliced.world.clock.set(START + timedelta(seconds=200_000))
    now, steps, before = sliced.world.clock.now(), 0, sum(sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches_module, "SLICE_REQUESTS", slice_requests)
        while sliced.batches.step(now):
            steps += 1
            backlog = sliced.batches.backlog(now)
            assert backlog <= before
            before = backlog
    if processing_s <= 60:  # nothing expires: one step for each request, the last slice not counted
        assert steps == (sum(sizes) - 1) // slice_requests
    assert sliced.batches.backlog(now) == 0
    assert told(sliced.world.books) == told(whole.world.books)
    assert [sliced.show(batch) for batch in made[1]] == [whole.show(batch) for batch in made[0]]
    assert [sliced.results(batch) for batch in made[1]] == [whole.results(batch) for batch in made[0]]


def test_a_slice_ends_by_number_and_by_size(monkeypatch):
    office = Office(tier=None)
    office.create(120)
    now = office.world.clock.now()
    assert office.batches.backlog(now) == 120
    left = []
    while office.batches.step(now):
        left.append(office.batches.backlog(now))
    assert left == [70, 20]  # 50 requests each
    monkeypatch.setattr(batches_module, "SLICE_BYTES", 1)
    office.create(3)
    left = []
    while office.batches.step(now):
        left.append(office.batches.backlog(now))
    assert left == [2, 1]


def test_the_backlog_is_what_is_due_and_not_what_expires():
    office = Office(tier=None, processing_s=2 * 86_400)
    office.create(10)  # one every 17,280 s; the sixth after the day that a batch may take
    moments = [START + timedelta(seconds=seconds) for seconds in (0, 17_279, 17_280, 60_000, 86_400, 500_000)]
    assert [office.batches.backlog(at) for at in moments] == [0, 0, 1, 3, 5, 5]
