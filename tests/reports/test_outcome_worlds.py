"""
The report on outcomes against sums over raw rows, in made-up worlds.

Nothing of the ledger's joining is used here: for each call every outcome is looked at, every figure is added up anew.
Late outcomes, outcomes told twice and otherwise, calls without outcomes, outcomes without calls, refunds, contract
prices, and ranges of whole days in zones that change their clocks.
"""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from farthing.call import Call, Served, Usage
from farthing.ledger import open_ledger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.reports.outcomes import outcome_report
from farthing.sources.outcomes import read_outcome

START = datetime(2026, 10, 20, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata")  # clocks change on 25 October and 1 November


def a_call(draw, number):
    dims = {}
    for name, values, often in (
        ("tenant", "acme bolt cork", 0.85),
        ("session", "s1 s2 s3 s4", 0.7),
        ("ticket", "t1 t2 t3", 0.4),
        ("gateway_call", f"g{number}", 0.2),
    ):
        if draw.random() < often:
            dims[name] = draw.choice(values.split())
    pusd = None if draw.random() < 0.1 else draw.randint(0, 10**14)
    contract = None if pusd is None or draw.random() < 0.5 else pusd * 9 // 10
    served = Served(
        model="m", usage=Usage(1), message_id=f"msg{number}", request_id=draw.choice((None, f"req{number}"))
    )
    at = START + timedelta(minutes=draw.randint(0, 14 * 1440))
    call = Call(call_id=f"c{number}", sent_at=at, source="test", served=served, dims=dims)
    return Stored(call, Posting(list_pusd=pusd, contract_pusd=contract, low_pusd=pusd or 0, high_pusd=pusd or 0))


def an_outcome(draw, number, calls):
    at = START + timedelta(minutes=draw.randint(0, 20 * 1440))
    told = {"id": f"o{number}", "at": at.isoformat(), "status": draw.choice(("success", "success", "failure", "other"))}
    if draw.random() < 0.5:
        told["revenue_usd"] = draw.choice(("0.99", "-2.5", "100", "0", "12.000000000001"))
    if draw.random() < 0.5:
        told["tenant"] = draw.choice(("acme", "bolt"))
    way = draw.random()
    if way < 0.5:
        told["session"] = draw.choice(("s1", "s2", "s3", "nobody"))
    if 0.4 < way < 0.7:
        told["tag"] = f"ticket={draw.choice(('t1', 't2', 't9'))}"
    if way >= 0.7:
        told["request_id"] = draw.choice(names_of(draw.choice(calls).call))
    return told


def names_of(call):
    found = (call.call_id, call.served.message_id, call.served.request_id, call.dims.get("gateway_call"))
    return [name for name in found if name]


def outcome_of(call, outcomes):
    """The id of the outcome that a call belongs to, by the three rules of docs/outcomes.md."""
    tenant = call.dims.get("tenant")
    mine = [one for one in outcomes if not tenant or one.get("tenant") in (None, tenant)]
    for named in (
        [one for one in mine if one.get("request_id") in names_of(call)],
        [one for one in mine if "session" in one and one["session"] == call.dims.get("session")],
        [one for one in mine if "tag" in one and one["tag"] == f"ticket={call.dims.get('ticket')}"],
    ):
        times = sorted((datetime.fromisoformat(one["at"]), one["id"]) for one in named)
        if later := [name for at, name in times if at >= call.sent_at]:
            return later[0]
        if times:
            return min(name for at, name in times if at == times[-1][0])
    return None


def days(draw, zone):
    first = START.astimezone(zone).date() + timedelta(days=draw.randint(0, 10))
    last = first + timedelta(days=draw.randint(1, 6))
    return tuple(datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC) for one in (first, last))


@pytest.mark.parametrize("seed", range(9))
def test_every_figure_is_the_sum_of_its_raw_rows(seed, tmp_path):
    draw = random.Random(seed)
    calls = [a_call(draw, number) for number in range(draw.randint(5, 60))]
    told = [an_outcome(draw, number, calls) for number in range(draw.randint(1, 25))]
    otherwise = [one | {"status": "failure", "revenue_usd": "-0.5"} for one in told[:2]]
    words, outcomes = (told, [*told[:3], *otherwise]), {one["id"]: one for one in [*told, *otherwise]}
    zone = ZoneInfo(draw.choice(ZONES))
    with open_ledger(tmp_path / "ledger.duckdb" if seed % 4 == 0 else None) as ledger:
        late = draw.random() < 0.5
        for is_calls in (late, not late):
            if is_calls:
                ledger.add(calls)
            else:
                for some in words:
                    ledger.add_outcomes([read_outcome(one, received_at=START) for one in some], received_at=START)
        for since, until in ((None, None), days(draw, zone)):
            query = Query(by=("tenant",), since=since, until=until, timezone=zone.key)
            for basis in ("list", "contract"):
                check(outcome_report(ledger, query, basis), calls, outcomes, (since, until))


def check(report, calls, outcomes, span):
    def is_in(at):
        return span[0] is None or span[0] <= at < span[1]

    def cost(one):
        contract = one.posting.contract_pusd if report.basis == "contract" else None
        return one.posting.list_pusd if contract is None else contract

    belongs = {one.call.call_id: outcome_of(one.call, outcomes.values()) for one in calls}
    shown = [one for one in calls if is_in(one.call.sent_at)]
    own = {name: [one for one in shown if belongs[one.call.call_id] == name] for name in outcomes}
    counted = [
        name
        for name, one in outcomes.items()
        if own[name] or (name not in belongs.values() and is_in(datetime.fromisoformat(one["at"])))
    ]
    joined = [name for name in counted if own[name]]
    costs = {name: sum(cost(one) or 0 for one in own[name]) for name in joined}
    total = report.total
    assert total.pusd == sum(cost(one) or 0 for one in shown)
    assert (total.outcome_pusd, total.free_pusd) == (sum(costs.values()), total.pusd - sum(costs.values()))
    assert (total.outcomes, total.without_calls) == (len(counted), len(counted) - len(joined))
    successes = [name for name in joined if outcomes[name]["status"] == "success"]
    for mean, of in ((total.per_outcome_pusd, joined), (total.per_success_pusd, successes)):
        assert (mean is None) == (not of)
        assert mean is None or abs(mean - Fraction(sum(costs.values()), len(of))) <= Fraction(1, 2)
    tail = sorted(costs.values(), reverse=True)
    assert report.top_outcomes_pusd(5) == sum(tail[: -(-len(tail) * 5 // 100)])
    priced = sorted((cost(one) for one in shown if cost(one) is not None), reverse=True)
    assert report.calls_tail.top_1_pusd == sum(priced[: -(-len(priced) // 100)])
    check_margins(
        report, [(one.call.dims.get("tenant"), cost(one) or 0) for one in shown], outcomes, own, counted, cost
    )


def check_margins(report, spent, outcomes, own, counted, cost):  # noqa: PLR0917 - the raw rows, side by side
    def home(name):
        sums = {}
        for one in own[name]:
            pusd, calls = sums.get(one.call.dims.get("tenant"), (0, 0))
            sums[one.call.dims.get("tenant")] = (pusd - (cost(one) or 0), calls - 1)
        return outcomes[name].get("tenant") or min(sums, key=lambda key: (sums[key], key or ""), default=None)

    paid = [(home(name), outcomes[name].get("revenue_usd")) for name in counted]
    for row in report.rows:
        (tenant,) = row.key
        amounts = [int(Decimal(text) * 10**12) for who, text in paid if who == tenant and text is not None]
        pusd = sum(amount for who, amount in spent if who == tenant)
        assert (row.pusd, row.revenue_pusd) == (pusd, sum(amounts))
        assert row.margin_pusd == (sum(amounts) - pusd if amounts else None)
    assert {row.key[0] for row in report.rows} == {who for who, _ in [*spent, *paid]}
