"""The parts of a world: clock, accounts, ids, books."""

import threading
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Call, Served, Usage
from farthing.errors import BadInput
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.sandbox.accounts import key_hint
from farthing.sandbox.books import Books, Entry
from farthing.sandbox.clock import RealClock, VirtualClock
from farthing.sandbox.state import State
from farthing.sandbox.world import DEMO_ADMIN_KEY, DEMO_KEY, World

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)


# -- clock ----------------------------------------------------------------------------------------------------------


def test_a_virtual_clock_moves_only_by_hand():
    clock = VirtualClock(T0)
    assert clock.now() == clock.now() == T0
    assert clock.advance(1.5) == T0 + timedelta(seconds=1.5)
    assert clock.advance(timedelta(days=30)) == T0 + timedelta(days=30, seconds=1.5)
    assert clock.set(T0) == clock.now() == T0


def test_times_are_utc_whatever_they_were_told_in():
    tokyo = timezone(timedelta(hours=9))
    assert VirtualClock(T0.astimezone(tokyo)).now().tzinfo is UTC
    assert RealClock().now().tzinfo is UTC


def test_a_clock_refuses_times_without_a_zone_and_steps_back():
    clock = VirtualClock(T0)
    for wrong in (lambda: VirtualClock(datetime(2026, 1, 1)), lambda: clock.set(datetime(2026, 1, 1))):  # noqa: DTZ001
        with pytest.raises(BadInput, match="without a zone"):
            wrong()
    with pytest.raises(BadInput, match="0 or more"):
        clock.advance(-1)
    assert clock.now() == T0


def test_steps_from_many_threads_all_count():
    clock = VirtualClock(T0)
    threads = [threading.Thread(target=lambda: [clock.advance(1) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == T0 + timedelta(seconds=800)


# -- accounts and ids -----------------------------------------------------------------------------------------------


def test_a_world_knows_its_keys_and_keeps_no_secret():
    world = World(clock=VirtualClock(T0))
    assert world.accounts.find_key(DEMO_KEY) == world.key
    assert world.accounts.find_key(DEMO_ADMIN_KEY).kind == "admin"
    assert world.accounts.find_key("sk-ant-api03-stranger") is None
    everything = repr([world.accounts.keys, world.accounts.workspaces, world.accounts.organizations])
    assert DEMO_KEY not in everything
    assert DEMO_ADMIN_KEY not in everything
    assert key_hint("sk-ant-api03-R2D" + "x" * 90 + "igAA") == "sk-ant-api03-R2D...igAA"
    assert key_hint("sk-ant-api03-w") == "sk-ant-api..."


def test_only_keys_of_a_workspace_may_call():
    world = World(clock=VirtualClock(T0))
    assert world.caller == (world.organization.id, world.workspace.id, world.key.id)
    with pytest.raises(BadInput):
        world.accounts.caller(world.admin_key)
    other = world.add_workspace("Other")
    assert world.accounts.workspaces_of(world.organization.id) == [world.workspace, other]
    with pytest.raises(BadInput):
        world.accounts.put_workspace(other, "no such organisation")


def test_ids_are_unique_and_repeat_with_the_seed():
    one, same, other = (World(clock=VirtualClock(T0), seed=seed) for seed in (1, 1, 2))
    ids = [[world.new_id("msg_") for _ in range(100)] for world in (one, same, other)]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 200
    assert all(text.startswith("msg_01") for text in ids[0])


# -- books ----------------------------------------------------------------------------------------------------------


def entry(seconds, input_tokens=1, workspace="w"):
    served = Served(model="claude-sonnet-5", usage=Usage(input_tokens=input_tokens))
    at = T0 + timedelta(seconds=seconds)
    dims = {"organization": "o", "workspace": workspace, "api_key": "k"}
    call = Call(call_id=str(seconds), sent_at=at, source="sandbox", served=served, dims=dims)
    return Entry(call, price_served(shipped_book(), served, at), at)


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 50), st.integers(0, 50))
def test_books_answer_by_time_in_whatever_order_they_were_kept(seconds, start, end):
    books = Books()
    for second in seconds:
        books.add(entry(second))
    found = books.between(T0 + timedelta(seconds=start), T0 + timedelta(seconds=end))
    assert [e.call.call_id for e in found] == [str(s) for s in sorted(seconds) if start <= s < end]
    assert len(books) == len(seconds)
    assert books.total_pusd == sum(e.pusd for e in books)


def test_spending_is_known_per_month_and_workspace():
    books = Books()
    month_s = 11 * 86400
    for made in (entry(0, 3, "w"), entry(1, 5, "x"), entry(month_s, 7, "w")):
        books.add(made)
    at = T0 + timedelta(seconds=month_s)
    assert at.date() == date(2026, 12, 1)
    rate = 2_000_000  # Sonnet 5: 2 USD per million
    assert books.spent_pusd("o", None, T0) == 8 * rate
    assert books.spent_pusd("o", "w", T0) == 3 * rate
    assert books.spent_pusd("o", "w", at) == 7 * rate
    assert books.spent_pusd("other", None, T0) == 0


def test_books_can_forget_and_still_know_their_sums():
    books = Books()
    for second in range(5):
        books.add(entry(second))
    before = books.total_pusd
    assert books.forget_before(T0 + timedelta(seconds=3)) == 3
    assert [e.call.call_id for e in books] == ["3", "4"]
    assert books.total_pusd == before


def test_books_that_keep_the_newest_still_know_their_sums():
    books, whole = Books(keep=8), Books()
    for second in range(100):
        books.add(entry(second))
        whole.add(entry(second))
        assert len(books) <= 9
    assert [e.call.call_id for e in books] == [str(second) for second in range(100)][-len(books) :]
    assert len(books) >= 8
    assert (books.total_pusd, books.forgotten + len(books)) == (whole.total_pusd, 100)
    assert repr(books) == repr(whole)


def test_a_workspace_is_replaced_by_its_id():
    world = World(clock=VirtualClock(T0))
    limited = msgspec.structs.replace(world.workspace, spend_limit_pusd=1)
    world.accounts.put_workspace(limited, world.organization.id)
    assert world.accounts.workspaces_of(world.organization.id) == [limited]


def test_a_machines_clock_is_not_moved_and_the_error_says_what_to_start():
    with pytest.raises(BadInput, match="--virtual-clock"):
        State(World()).virtual_clock()


def test_books_show_their_sum():
    assert repr(World().books) == "<Books: 0 requests, 0 USD>"
