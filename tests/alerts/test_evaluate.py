"""From the ledger to incidents: what is told, with which driver, how often."""

from datetime import timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from farthing.alerts.budget import budget_signal
from farthing.alerts.channels import Channel
from farthing.alerts.coming import coming
from farthing.alerts.evaluate import Settings, evaluate
from farthing.alerts.outlook import Total
from farthing.alerts.owners import Standing, standings
from farthing.call import Usage
from farthing.limits.budgets import Budget

CENT = 10**10
HOUR = timedelta(hours=1)
UTC_ZONE = ZoneInfo("UTC")
LOW = Settings(stake_min_pusd=CENT)


@pytest.fixture
def quiet(maker):
    maker.quiet_weeks()
    return maker


def test_quiet_weeks_are_quiet(ledger, store, quiet, now):
    found = evaluate(ledger, now, store=store, settings=LOW)
    assert (found.incidents, found.steps) == ((), ())
    assert found.watch.series == 2


def test_an_empty_ledger_is_quiet(ledger, store, now):
    found = evaluate(ledger, now, store=store)
    assert (found.incidents, found.watch.series, found.watch.silent) == ((), 0, 0)


def test_a_dearer_model_is_one_incident_with_its_model_and_its_dollars(ledger, store, quiet, now):
    for hours in (3, 2, 1):
        quiet.calls(now - hours * HOUR, 4, pusd=20 * CENT, model="m-large", tenant="acme", feature="chat")
    found = evaluate(ledger, now, store=store, settings=LOW)
    (one,) = found.incidents
    assert one.detail["metric"] == "unit_cost"
    assert one.detail["scope"]["tenant"] == "acme"
    drivers = {driver["dimension"]: driver["value"] for driver in one.detail["drivers"]}
    assert drivers["model"] == "m-large"
    # Twelve calls at 20 cents where one cent was usual; the twelve others of these hours are not above it.
    assert one.stake_pusd == 12 * 19 * CENT
    assert one.began_at == now - 3 * HOUR


def test_a_lost_cache_is_told_before_the_cost_it_makes(ledger, store, quiet, now):
    for hours in (2, 1):
        fresh = Usage(4000, 0, 0, 0, 100)
        quiet.calls(now - hours * HOUR, 30, pusd=4 * CENT, usage=fresh, tenant="bolt", feature="chat")
    (one,) = evaluate(ledger, now, store=store, settings=LOW).incidents
    assert one.detail["metric"] == "uncached_share"
    assert "unit_cost" in one.detail["also"]
    assert {d["value"] for d in one.detail["drivers"] if d["dimension"] == "unit"} == {"input_tokens"}


def test_refusals_are_seen(ledger, store, quiet, now):
    quiet.calls(now - HOUR, 40, stop_reason="refusal", tenant="bolt", feature="chat")
    (one,) = evaluate(ledger, now, store=store, settings=LOW).incidents
    assert one.detail["metric"] == "refused_share"


def test_many_tenants_of_one_feature_are_one_incident(ledger, store, maker, now):
    names = ("a", "b", "c", "d")
    maker.quiet_weeks(tenants=names)
    for name in names:
        maker.calls(now - HOUR, 30, pusd=6 * CENT, tenant=name, feature="chat")
    (one,) = [i for i in evaluate(ledger, now, store=store, settings=LOW).incidents if i.state == "open"]
    assert one.detail["scope"] == {"feature": "chat"}
    assert len(one.detail["members"]) == 4
    assert len(one.keys) == 4


def test_what_rose_everywhere_at_once_is_one_incident(ledger, store, maker, now):
    for tenant, feature in (("acme", "chat"), ("bolt", "chat"), ("cork", "mail"), ("dune", "sort")):
        maker.quiet_weeks((tenant,), feature=feature)
        for hours in range(1, 4):
            maker.calls(now - hours * HOUR, 4, pusd=9 * CENT, tenant=tenant, feature=feature)
    found = evaluate(ledger, now, store=store, settings=LOW)
    (incident,) = found.incidents
    assert len(incident.keys) == 4
    assert "4 tenants' features" in incident.title
    assert {one["dimension"] for one in incident.detail["drivers"]} >= {"tenant", "feature", "model"}


def test_strangers_that_rose_at_different_hours_are_not(ledger, store, maker, now):
    for late, (tenant, feature) in enumerate((("acme", "chat"), ("bolt", "code"), ("cork", "mail"))):
        maker.quiet_weeks((tenant,), feature=feature)
        for hours in range(1, 2 + 5 * late):
            maker.calls(now - hours * HOUR, 1, pusd=90 * CENT, tenant=tenant, feature=feature)
    assert len(evaluate(ledger, now, store=store, settings=LOW).incidents) == 3


def test_again_and_again_tells_once_until_it_is_over(ledger, store, quiet, now):
    channel = Channel(name="ops", kind="webhook")
    events = []
    for hours in range(4):
        quiet.calls(now + (hours - 1) * HOUR, 60, pusd=9 * CENT, tenant="acme", feature="chat")
    for hours in (0, 0, 1, 2, 3, 3, 6, 12, 13):
        at = now + hours * HOUR
        steps = evaluate(ledger, at, store=store, channels=[channel], settings=LOW).steps
        events += [step.event for step in steps if step.event]
    assert events == ["opened", "resolved"]
    assert [delivery.split("-")[3] for delivery, *_ in store.undelivered()] == ["opened", "resolved"]


def test_an_anomaly_is_told_again_at_each_further_power_of_ten_dollars(ledger, store, quiet, now):
    told = []
    for hours, pusd in enumerate((10**12, 30 * 10**12, 40 * 10**12, 500 * 10**12)):
        quiet.calls(now + hours * HOUR, 4, pusd=pusd, tenant="acme", feature="chat")
        found = evaluate(ledger, now + (hours + 1) * HOUR, store=store, settings=LOW)
        told += [(step.incident.id, step.event, step.incident.told[-1]) for step in found.steps]
    assert told == [  # some $4, $124, $284 and $2,284 above usual
        (1, "opened", "anomaly"),
        (1, "escalated", "anomaly:100"),
        (1, None, "anomaly:100"),
        (1, "escalated", "anomaly:1000"),
    ]


def test_too_small_is_counted_and_not_told(ledger, store, quiet, now):
    quiet.calls(now - HOUR, 30, pusd=6 * CENT, tenant="acme", feature="chat")
    found = evaluate(ledger, now, store=store, settings=Settings(stake_min_pusd=1000 * CENT))
    assert (found.incidents, found.too_small) == ((), 1)


def test_the_hour_that_is_under_way_is_not_judged(ledger, store, quiet, now):
    quiet.calls(now, 500, pusd=90 * CENT, tenant="acme", feature="chat")
    assert evaluate(ledger, now + timedelta(minutes=59), store=store, settings=LOW).incidents == ()


def test_a_new_tenant_is_silent(ledger, store, quiet, now):
    for hours in range(1, 11):
        quiet.calls(now - hours * HOUR, 1 if hours > 1 else 500, pusd=CENT * hours, tenant="new", feature="chat")
    assert evaluate(ledger, now, store=store, settings=LOW).incidents == ()


def budget(limit_cents, window="month", **more):
    shares = (Fraction(1, 2), Fraction(4, 5), Fraction(1))
    return Budget("org", limit_cents * CENT, window, UTC_ZONE, alert_at=shares, **more)


def spent_by_hand(now, starts_at):
    """Four calls an hour by day and one by night, of two tenants, a cent each; November's first days have none."""
    hours, at = 0, max(starts_at, now - timedelta(days=21))
    while at < now:
        hours += (4 if 8 <= at.hour < 20 else 1) * 2
        at += HOUR
    return hours * CENT


def test_a_budget_as_it_stands(ledger, quiet, now):
    (one,) = standings(ledger, [budget(10_000)], now, 35)
    assert one.spent_pusd == spent_by_hand(now, now.replace(day=1, hour=0))
    assert one.end_pusd.low < one.end_pusd.expected < one.end_pusd.high
    # Each day costs 120 cents, and ten and a half are left.
    assert one.end_pusd.expected == pytest.approx(one.spent_pusd + (30 * 120 - 1) * CENT - 19.5 * 120 * CENT, rel=0.02)
    assert one.over_at == (None, None, None)
    assert not one.will_pass


def test_a_budget_that_will_pass_says_when(ledger, quiet, now):
    spent = spent_by_hand(now, now.replace(day=1, hour=0)) // CENT
    (one,) = standings(ledger, [budget(spent + 3 * 120)], now, 35)
    expected, earliest, latest = one.over_at
    assert abs(expected - (now + timedelta(days=3))) <= 3 * HOUR
    assert earliest <= expected <= latest
    assert one.will_pass


def test_shares_are_told_once_each_and_a_forecast_once(ledger, store, quiet, now):
    spent = spent_by_hand(now, now.replace(day=1, hour=0)) // CENT
    limit = budget(spent + 240)
    told = []
    for days in (0, 0, 1, 3, 3):
        at = now + timedelta(days=days)
        if days:
            quiet.quiet_weeks(until=at, days=2 if days == 3 else 1)
        steps = evaluate(ledger, at, store=store, budgets=[limit], settings=LOW).steps
        told += [(step.incident.id, step.event, step.incident.told) for step in steps if step.event]
    known = ("budget:50", "budget:80", "forecast")
    assert told == [(1, "opened", known), (1, "escalated", (*known, "budget:100"))]


def test_a_forecast_that_hovers_about_its_limit_is_one_incident(now):
    def standing(expected, earliest):
        at = (now + HOUR if expected else None, now + HOUR if earliest else None, None)
        end = Total(80 * CENT, 100 * CENT, 120 * CENT)
        return Standing(budget(100), "", now - 9 * HOUR, now + 99 * HOUR, 50 * CENT - 1, end, at)

    opened = budget_signal(standing(expected=True, earliest=True), now)
    assert "will pass its limit of $1.00" in opened.title
    assert budget_signal(standing(expected=False, earliest=True), now) is None
    still = budget_signal(standing(expected=False, earliest=True), now, opened.marks)
    assert "may pass its limit of $1.00 a month" in still.title
    assert still.keys == opened.keys
    assert budget_signal(standing(expected=False, earliest=False), now, opened.marks) is None


@pytest.mark.parametrize(
    ("spent", "expected", "marks", "stake"),
    [
        (60, False, ("budget:50",), (0, "measured")),
        (60, True, ("budget:50", "forecast"), (20, "assumed")),
        (40, True, ("forecast",), (20, "assumed")),
        (130, True, ("budget:50", "budget:80", "budget:100"), (30, "measured")),
    ],
)
def test_a_budget_has_one_thing_to_say(now, spent, expected, marks, stake):
    over_at = (now + HOUR if expected else None, now if expected else None, None)
    end = Total(80 * CENT, 120 * CENT, 160 * CENT)
    one = budget_signal(Standing(budget(100), "", now - 9 * HOUR, now + 99 * HOUR, spent * CENT, end, over_at), now)
    assert (one.marks, (one.stake_pusd // CENT, str(one.stake_kind))) == (marks, stake)
    assert ("is reached" in one.title, " on 2026-" in one.title) == (spent >= 50, "forecast" in marks)


def test_a_budget_for_each_tenant(ledger, quiet, now):
    found = standings(ledger, [budget(100, "day", each="tenant", scope=(("feature", ("ch*",)),))], now, 35)
    assert sorted(one.value for one in found) == ["tenant=acme", "tenant=bolt"]
    assert {one.spent_pusd for one in found} == {(8 + 4 * 4) * CENT}


def test_nothing_matches_a_scope_of_something_else(ledger, quiet, now):
    assert standings(ledger, [budget(100, scope=(("feature", ("other",)),))], now, 35) == []


def test_what_is_coming(ledger, quiet, now):
    found = coming(ledger, now, {}, 35)
    assert found.day_pusd.expected == pytest.approx(120 * CENT, rel=0.01)
    assert sum(pusd for _, pusd in found.by_hour) == pytest.approx(120 * CENT, rel=0.01)
    assert found.by_hour[0][0] == now
    assert coming(ledger, now, {"tenant": ("acme",)}, 35).day_pusd.expected == pytest.approx(60 * CENT, rel=0.01)


def test_too_little_history_is_not_forecast(ledger, maker, now):
    maker.calls(now - 5 * HOUR, 3)
    found = coming(ledger, now, {}, 35)
    assert (found.month_end_pusd, found.month_spent_pusd) == (None, 3 * CENT)
