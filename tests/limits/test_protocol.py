"""Both banks keep one set of promises, and a purse on either keeps what it may spend."""

import pytest

from farthing.errors import LedgerFault
from farthing.limits import purse as purse_module
from farthing.limits.pockets import Refusal, Ticket, Wanted
from farthing.limits.protocol import WANTED_S, AccountKey, Ask, Granted, Share, Short
from farthing.limits.purse import EXPIRY_S, IDLE_SYNCS, SLICE_OF_ROOM, Purse

A, B = AccountKey("a"), AccountKey("b", "tenant=acme", 1_000)


def line(bank, key=A):
    """(spent, held, presumed) of one account."""
    return next(((one.spent_pusd, one.held_pusd, one.presumed_pusd) for one in bank.lines() if one.key == key), None)


def ask(key=A, limit=100, need=10, want=0):
    return Ask(key, limit, need, want)


@pytest.fixture
def bank(banks):
    bank = banks.open("one")
    bank.join("one")
    bank.join("two")
    return bank


def test_a_lease_is_as_wanted_where_there_is_room_and_as_needed_where_there_is_less(bank):
    assert bank.lease("one", [ask(need=10, want=60)], 0).grants_pusd == (60,)
    assert bank.lease("two", [ask(need=10, want=60)], 0).grants_pusd == (40,)
    assert isinstance(bank.lease("two", [ask(need=1)], 0), Short)
    assert line(bank) == (0, 100, 0)


def test_of_several_accounts_all_are_leased_from_or_none(bank):
    refused = bank.lease("one", [ask(A, limit=100, need=10), ask(B, limit=5, need=10)], 0)
    assert isinstance(refused, Short)
    assert refused.key == B
    assert line(bank, A) in (None, (0, 0, 0))


def test_who_only_looks_is_not_refused_even_where_nothing_is_left(bank):
    assert isinstance(bank.lease("one", [ask(limit=0, need=0), Ask(B, None, 0, 0)], 0), Granted)


def test_a_report_may_be_repeated(bank):
    bank.lease("one", [ask(need=50)], 0)
    for _ in range(3):
        (state,) = bank.report("one", [Share(A, 30, 20)], 0)
    assert (state.spent_pusd, state.held_pusd, state.mine_pusd) == (30, 20, 30)
    (state,) = bank.report("two", [Share(A, 5, 0)], 0)
    assert (state.spent_pusd, state.mine_pusd) == (35, 5)


def test_a_call_without_room_is_remembered_for_a_while_by_those_who_hold_some(bank):
    bank.lease("one", [ask(need=100)], 0)
    assert bank.wanted("one", 0) == []
    bank.lease("two", [ask(need=1)], 50)
    assert bank.wanted("one", 50 + WANTED_S - 1) == [A]
    assert bank.wanted("one", 50 + WANTED_S) == []
    assert bank.wanted("two", 51) == []


def test_while_others_want_room_a_lease_is_as_needed_only(bank):
    bank.lease("one", [ask(need=60)], 0)
    bank.lease("two", [ask(need=50)], 0)
    assert bank.lease("two", [ask(need=10, want=40)], 1).grants_pusd == (10,)


def test_what_a_dead_process_leased_is_presumed_until_the_truth_comes(banks, bank):
    other = banks.open("dying")
    other.join("dying")
    other.lease("dying", [ask(need=50)], 0)
    other.report("dying", [Share(A, 10, 40)], 0)
    banks.kill("dying")
    assert line(bank)[:2] == (10, 40)
    assert bank.bury() == ["dying"]
    assert line(bank) == (10, 40, 40)
    # One call of 25 has an outcome, one of at most 20 has none yet; then it came to 4.
    assert bank.truth("dying", {A: 25}, {A: 20})
    assert line(bank) == (25, 20, 20)
    assert bank.truth("dying", {A: 29}, {})
    assert line(bank) == (29, 0, 0)
    assert bank.bury() == []
    assert not bank.truth("dying", {A: 1_000}, {})
    assert line(bank) == (29, 0, 0)


def test_without_knowing_what_is_open_all_that_was_leased_and_not_spent_stays_presumed(banks, bank):
    other = banks.open("dying")
    other.join("dying")
    other.lease("dying", [ask(need=50)], 0)
    banks.kill("dying")
    bank.bury()
    for _ in range(2):
        assert bank.truth("dying", {A: 20, B: 7})
        assert line(bank) == (20, 30, 30)
        assert line(bank, B) == (7, 0, 0)


def test_the_truth_about_a_live_process_is_its_own_to_tell(bank):
    bank.lease("one", [ask(need=50)], 0)
    assert not bank.truth("one", {A: 0}, {})
    assert line(bank) == (0, 50, 0)


def test_a_process_that_ends_in_order_leaves_what_it_spent_and_nothing_else(bank):
    bank.lease("one", [ask(need=50)], 0)
    bank.report("one", [Share(A, 30, 0)], 0)
    bank.leave("one")
    assert line(bank) == (30, 0, 0)
    assert bank.bury() == []


def test_one_that_leaves_with_calls_under_way_is_as_if_it_had_died(bank):
    bank.lease("one", [ask(need=50)], 0)
    bank.leave("one")
    assert line(bank) == (0, 50, 50)
    assert bank.bury() == ["one"]


def test_rebuilding_sets_every_account_to_the_truth_but_not_while_anybody_is_alive(bank):
    bank.lease("one", [ask(need=50)], 0)
    bank.report("one", [Share(A, 30, 20), Share(B, 3, 0)], 0)
    bank.leave("one")
    assert not bank.rebuild({A: 1}, keep_presumed=False)
    bank.leave("two")
    assert bank.rebuild({A: 35}, keep_presumed=True)
    assert line(bank) == (35, 15, 15)  # 30 + 20 were counted; the ledger knows of 35
    assert line(bank, B) == (0, 3, 3)  # reported, and unknown to the ledger: a call without an outcome, for one
    assert bank.rebuild({A: 35}, keep_presumed=False)
    assert line(bank) == (35, 0, 0)
    assert line(bank, B) == (0, 0, 0)


def test_a_budget_that_is_new_begins_with_what_the_ledger_says_even_beside_others_that_are_alive(bank):
    bank.lease("one", [ask(need=50)], 0)
    new = AccountKey("new", "tenant=acme", 1_000)
    assert not bank.rebuild({A: 1, new: 7}, keep_presumed=False)
    assert (line(bank), line(bank, new)) == ((0, 50, 0), (7, 0, 0))
    assert isinstance(bank.lease("one", [Ask(new, 10, 4, 4)], 0), Short)
    assert not bank.rebuild({new: 9}, keep_presumed=False)
    assert line(bank, new) == (7, 0, 0)


def test_rebuilding_drops_accounts_of_windows_that_are_long_over(bank):
    old, new, endless = (AccountKey("b", "tenant=acme", start_s) for start_s in (1_000, 2_000, 0))
    for key in (old, new, endless):
        bank.lease("one", [ask(key, need=5)], 0)
        bank.report("one", [Share(key, 5, 0)], 0)
        assert bank.first(key, "alert 1")
    bank.leave("one")
    bank.leave("two")
    assert bank.rebuild({new: 5, endless: 5}, keep_presumed=True, forget_before_s=2_000)
    assert [one.key for one in bank.lines()] == [endless, new]
    assert [bank.first(key, "alert 1") for key in (new, endless)] == [False, False]
    assert bank.first(old, "alert 1")


def test_something_is_told_once(bank):
    assert [bank.first(A, "alert 1/2"), bank.first(A, "alert 1/2"), bank.first(B, "alert 1/2")] == [True, False, True]


# -- purses -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def purse(banks):
    return Purse(banks.open("p"), "p")


def wants(amount, limit=6_400, key=A):
    return [Wanted(key, limit, amount)]


def reserve(purse, amount, limit=6_400, key=A, now=0.0):
    return purse.reserve(wants(amount, limit, key), amount, "", now)


def test_a_purse_asks_once_and_then_reserves_from_its_slice(purse, monkeypatch):
    reserve(purse, 10)
    reserve(purse, 10)  # now the room is known, and a slice is taken
    monkeypatch.setattr(type(purse.bank), "lease", None)
    assert isinstance(reserve(purse, 10), Ticket)
    assert purse.pockets[A].lease_pusd == 20 + (6_400 - 10) // SLICE_OF_ROOM - 10


@pytest.mark.parametrize(
    ("steps", "news", "spent"),
    [
        ([4], [True], 4),
        ([4, 4, 9], [True, False, False], 4),
        ([None], [True], 10),
        ([None, None, 4, 9], [True, False, True, False], 4),
        (["free", 4], [True, False], 0),
        ([4, "free"], [True, False], 4),
        ([None, "free", None, 4], [True, True, False, False], 0),
        ([12], [True], 12),
    ],
)
def test_an_outcome_counts_once_whatever_is_told_after_it(purse, steps, news, spent):
    ticket = reserve(purse, 10)
    told = [purse.release(ticket) if step == "free" else purse.settle(ticket, step) for step in steps]
    assert told == news
    purse.close(0)
    assert line(purse.bank) == (spent, 0, 0)


def test_an_unknown_call_counts_at_what_was_reserved_and_is_put_right_however_late(purse):
    ticket = reserve(purse, 10)
    purse.settle(ticket, None)
    for second in range(IDLE_SYNCS + 3):
        purse.sync(second)
    assert A not in purse.pockets
    assert line(purse.bank) == (10, 0, 0)
    purse.settle(ticket, 3)
    purse.sync(100)
    assert line(purse.bank) == (3, 0, 0)


def test_a_ticket_that_nobody_settles_expires_into_an_unknown_outcome(purse):
    forgotten, held = reserve(purse, 10), reserve(purse, 10, now=60.0)
    purse.sync(EXPIRY_S + 1)
    assert (forgotten.stands, held.stands) == ("unknown", "reserved")
    assert line(purse.bank)[0] == 10
    assert purse.settle(forgotten, 2)
    purse.sync(EXPIRY_S + 2)
    assert line(purse.bank)[0] == 2


def test_an_account_that_was_forgotten_goes_on_where_it_was(purse):
    for spent in (7, 14):
        purse.settle(reserve(purse, 10), 7)
        for second in range(IDLE_SYNCS + 3):
            purse.sync(second)
        assert purse.pockets == {}
        assert line(purse.bank) == (spent, 0, 0)


def test_a_slice_that_others_want_is_given_back(banks, purse):
    other = Purse(banks.open("q"), "q")
    held = reserve(purse, 10, 6_400)
    purse.release(reserve(purse, 20, 6_400))
    refused = reserve(other, 6_390, now=5.0)
    assert isinstance(refused, Refusal)
    assert refused.state.spent_pusd == 0
    purse.sync(6.0)
    assert isinstance(reserve(other, 6_390, now=7.0), Ticket)
    assert purse.settle(held, 10)


def test_an_idle_slice_goes_back_by_itself(purse):
    purse.release(reserve(purse, 10))
    purse.release(reserve(purse, 20))
    for second in range(IDLE_SYNCS + 1):
        purse.sync(second)
    assert line(purse.bank) == (0, 0, 0)


def test_a_bill_above_its_worst_case_is_counted_as_it_is_and_stops_what_follows(purse):
    purse.settle(reserve(purse, 60, 100), 250)
    purse.sync(0)
    assert line(purse.bank) == (250, 0, 0)
    assert isinstance(reserve(purse, 1, 100), Refusal)


def test_calls_counted_without_the_bank_are_reported_when_it_is_back(banks):
    before = Purse(banks.open("p"), "p")
    before.settle(reserve(before, 10), 10)
    before.sync(0)
    ticket = before.reserve(wants(50, 12), 50, "", 0.0, forced=True)
    fresh = before.reserve(wants(5, 12, B), 5, "", 0.0, forced=True)
    before.settle(ticket, 50)
    before.settle(fresh, 5)
    before.close(1)
    assert line(before.bank) == (60, 0, 0)
    assert line(before.bank, B) == (5, 0, 0)


def test_a_soft_account_counts_and_never_refuses(purse):
    for _ in range(3):
        ticket = purse.reserve([Wanted(A, None, 10)], 10, "", 0.0)
        purse.settle(ticket, 9)
    purse.sync(0)
    assert line(purse.bank) == (27, 0, 0)


def test_no_idle_slice_is_forgotten_before_its_turn_to_be_given_back(banks, monkeypatch):
    monkeypatch.setattr(purse_module, "SYNCED_AT_ONCE", 1)
    bank = banks.open("p")
    purse = Purse(bank, "p")
    for number in range(5):
        wanted = [Wanted(AccountKey(f"b{number}"), 10_000, 1)]
        purse.settle(purse.reserve(wanted, 1, "", 0), 1)
        purse.settle(purse.reserve(wanted, 1, "", 0), 1)
    assert sum(one.held_pusd for one in bank.lines()) > 5
    for at in range(3 * IDLE_SYNCS):
        purse.sync(at)
    assert [(one.spent_pusd, one.held_pusd) for one in bank.lines()] == [(2, 0)] * 5
    assert not purse.pockets


# -- pledges: what outlives the process that reserved it --------------------------------------------------------------


def test_a_pledge_outlives_its_process_and_any_other_one_tells_what_it_came_to(banks):
    one = Purse(banks.open("p"), "p")
    ticket = one.reserve([*wants(60, 100), *wants(60, 100, B)], 60, "", 0)
    one.pledge(ticket, "batch", 0)
    one.pledge(ticket, "batch", 0)
    assert not one.settle(ticket, 7)
    one.close(0)
    other = Purse(banks.open("q"), "q")
    assert line(other.bank) == line(other.bank, B) == (0, 60, 60)
    assert isinstance(reserve(other, 41, 100), Refusal)
    assert other.redeem("batch", 25)
    assert not other.redeem("batch", 25)
    assert line(other.bank) == line(other.bank, B) == (25, 0, 0)
    assert isinstance(reserve(other, 75, 100), Ticket)


def test_a_pledge_is_kept_whatever_the_ledger_says_until_it_is_redeemed(banks):
    one = Purse(banks.open("p"), "p")
    settled, pledged = reserve(one, 10, 100), reserve(one, 60, 100)
    one.settle(settled, 10)
    one.pledge(pledged, "batch", 0)
    one.close(0)
    for keep_presumed in (False, True, False):
        assert one.bank.rebuild({A: 10}, keep_presumed=keep_presumed)
        assert line(one.bank) == (10, 60, 60)
    again = Purse(banks.open("q"), "q")
    assert again.redeem("batch", 30)
    assert line(again.bank) == (40, 0, 0)


def test_a_pledge_that_was_all_but_made_when_its_process_was_killed_can_be_redeemed(banks):
    one = banks.open("pledge-batch")  # between its report and its leave
    one.join("pledge-batch")
    one.report("pledge-batch", [Share(A, 0, 60)], 0)
    banks.kill("pledge-batch")
    other = Purse(banks.open("other"), "other")
    assert other.redeem("batch", 25)
    assert line(other.bank) == (25, 0, 0)
    assert other.bank.bury() == []


def test_a_pledge_whose_windows_are_long_over_is_forgotten_with_them(banks):
    bank = banks.open("one")
    purse = Purse(bank, "one")
    for start_s in (1_000, 5_000):
        ticket = purse.reserve([Wanted(AccountKey("b", "", start_s), 100, 10)], 10, "", 0)
        purse.pledge(ticket, f"batch-{start_s}", 0)
    purse.close(0)
    assert bank.bury() == ["pledge-batch-1000", "pledge-batch-5000"]
    assert bank.rebuild({}, keep_presumed=False, forget_before_s=2_000)
    assert bank.bury() == ["pledge-batch-5000"]
    assert [(one.key.start_s, one.held_pusd) for one in bank.lines()] == [(5_000, 10)]


def test_a_pledge_that_its_process_could_not_take_off_its_lease_is_taken_off_with_the_next_sync(banks, monkeypatch):
    bank = banks.open("p")
    purse, report = Purse(bank, "p"), bank.report

    def only_the_pledge(holder, shares, now_s):
        if holder == "p":
            raise LedgerFault("busy")
        return report(holder, shares, now_s)

    ticket = reserve(purse, 60, 100)
    with monkeypatch.context() as patched:
        patched.setattr(bank, "report", only_the_pledge)
        purse.pledge(ticket, "batch", 0)
    assert line(bank)[:2] == (0, 120), "for a moment it counts twice"
    purse.sync(1)
    assert line(bank)[:2] == (0, 60)


def test_a_process_that_goes_on_after_a_pledge_holds_it_no_longer(banks):
    purse = Purse(banks.open("p"), "p")
    purse.pledge(reserve(purse, 60, 100), "batch", 0)
    assert line(purse.bank)[:2] == (0, 60)
    purse.sync(1)
    assert line(purse.bank)[:2] == (0, 60)
    assert isinstance(reserve(purse, 41, 100), Refusal)
    small = reserve(purse, 40, 100)
    purse.settle(small, 40)
    assert purse.redeem("batch", 20)
    purse.close(2)
    assert line(purse.bank) == (60, 0, 0)


def test_what_had_no_price_can_be_pledged_and_counts_once_it_has_one(banks):
    purse = Purse(banks.open("p"), "p")
    purse.pledge(reserve(purse, 0, 100), "batch", 0)
    assert purse.redeem("batch", 33)
    purse.close(1)
    assert line(purse.bank) == (33, 0, 0)


# -- many accounts ----------------------------------------------------------------------------------------------------


def test_a_sync_says_so_many_at_most_each_in_its_turn_and_wanted_ones_first(banks, monkeypatch):
    monkeypatch.setattr(purse_module, "SYNCED_AT_ONCE", 10)
    purse, other = Purse(banks.open("p"), "p"), Purse(banks.open("q"), "q")
    keys = [AccountKey("tenant", f"tenant={number}") for number in range(25)]
    for key in keys:
        purse.settle(reserve(purse, 4, 6_400, key), 4)
    last = keys[-1]
    reserve(purse, 10, 6_400, last)  # takes a slice as well
    assert isinstance(reserve(other, 6_390, 6_400, last), Refusal)
    told = []
    for second in range(3):
        assert purse.sync(second) == (second == 2)
        told.append({one.key for one in purse.bank.lines() if one.spent_pusd})
    assert [len(one) for one in told] == [10, 20, 25]
    assert last in told[0]
    assert purse.sync(4)


def test_a_purse_that_closes_says_all_of_it(banks, monkeypatch):
    monkeypatch.setattr(purse_module, "SYNCED_AT_ONCE", 10)
    purse = Purse(banks.open("p"), "p")
    for number in range(25):
        purse.settle(reserve(purse, 4, 6_400, AccountKey("tenant", f"tenant={number}")), 4)
    purse.close(0)
    assert [(one.spent_pusd, one.held_pusd) for one in banks.open("q").lines()] == [(4, 0)] * 25


def test_what_was_counted_while_the_bank_did_not_answer_is_said_in_turns(banks, monkeypatch):
    monkeypatch.setattr(purse_module, "SYNCED_AT_ONCE", 10)
    purse = Purse(banks.open("p"), "p")
    for number in range(25):
        wanted = wants(4, key=AccountKey("tenant", f"tenant={number}"))
        purse.settle(purse.reserve(wanted, 4, "", 0, forced=True), 4)
    purse.close(0)
    assert [(one.spent_pusd, one.held_pusd) for one in banks.open("q").lines()] == [(4, 0)] * 25
