"""What batches saved is the same calls priced again one by one; whether a call can wait is as the finder has it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.dashboard.made import NOW, OpenLedger, client_of, posted

from farthing.call import Call, Request, Served, Usage
from farthing.dashboard.pages import batch_list
from farthing.dashboard.tiers import BATCH, STANDARD, at_tier
from farthing.ledger.interface import Query
from farthing.money import usd_text
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.units import Kind
from farthing.whatif.levers.find import find_all

BOOK = shipped_book()
FIRST = datetime(2026, 11, 3, tzinfo=UTC)
BY = ("feature", "model", "channel", "service_tier", "speed", "inference_geo")


def call(name, at, feature, *, tier="standard", model="claude-sonnet-5-5", stream=False, **facts):
    usage = Usage(input_tokens=900, output_tokens=120, cache_read_tokens=facts.pop("cached", 0))
    served = Served(model=model, usage=facts.pop("usage", usage), service_tier=tier, **facts)
    dims = {"tenant": "tenant-01", "feature": feature}
    return Call(call_id=name, sent_at=at, source="gateway", served=served, dims=dims, request=Request(stream=stream))


@pytest.fixture(scope="module")
def mixed():
    """Two batches, a timer's calls, watched ones, fast ones, and batched calls of another source."""
    hour = timedelta(hours=1)
    made = [
        call(f"msgbatch_{day}/{n}", FIRST + day * 24 * hour, "enrich", tier="batch")
        for day in (0, 1)
        for n in (1, 2, 3)
    ]
    made += [call(f"import-{n}", FIRST, "old", tier="batch", model="claude-haiku-5-5") for n in (1, 2)]
    made += [call(f"timer-{n}", FIRST + n * hour + timedelta(minutes=5, seconds=1), "nightly") for n in range(60)]
    made += [call(f"chat-{n}", FIRST + n * hour, "chat", stream=True, cached=50) for n in range(40)]
    made += [call(f"few-{n}", FIRST + n * hour, "rare") for n in range(3)]
    made += [call("fast", FIRST, "quick", model="claude-opus-5-5", speed="fast")]
    return made


@pytest.fixture(scope="module")
def pages(mixed, desk):
    ledger = OpenLedger()
    ledger.add(map(posted, mixed))
    return client_of(ledger, desk)


def rows(page, name):
    return next(table["rows"] for table in page["tables"] if table["name"] == name)


def cost(calls, tier):
    """Picodollars at a tier, call by call; in a batch nothing is fast."""
    total = 0
    for one in calls:
        speed = "standard" if tier == "batch" else one.served.speed
        served = msgspec.structs.replace(one.served, service_tier=tier, speed=speed)
        total += price_served(BOOK, served, one.sent_at).list_pusd
    return total


def test_what_batches_saved_is_the_same_calls_at_standard_rates(pages, mixed):
    page = pages.get("/batches?format=json").json()
    batched = [one for one in mixed if one.served.service_tier == "batch"]
    assert page["figures"]["usd"]["value"] == usd_text(cost(batched, "batch"))
    saved = cost(batched, "standard") - cost(batched, "batch")
    assert page["figures"]["saved"] == {
        "value": usd_text(saved),
        "kind": "derived",
        "detail": page["figures"]["saved"]["detail"],
    }
    by_feature = {row["feature"]: row for row in rows(page, "batched")}
    assert by_feature["enrich"]["calls"] == 6
    enrich = [one for one in batched if one.dims["feature"] == "enrich"]
    assert by_feature["enrich"]["standard_usd"] == usd_text(cost(enrich, "standard"))
    assert by_feature["enrich"]["saved_usd"] == by_feature["enrich"]["usd"]  # half the price


def test_batches_are_told_apart_by_the_id_that_calls_carry(pages, mixed):
    page = pages.get("/batches?format=json").json()
    shown = rows(page, "batches")
    assert [(row["batch_id"], row["calls"]) for row in shown] == [("msgbatch_1", 3), ("msgbatch_0", 3)]
    first = [one for one in mixed if one.call_id.startswith("msgbatch_0/")]
    assert shown[1]["usd"] == usd_text(cost(first, "batch"))
    assert Decimal(shown[1]["saved_usd"]) == Decimal(usd_text(cost(first, "standard") - cost(first, "batch")))
    text = pages.get("/batches").text
    assert "2 batched calls do not carry" in text
    assert "not recorded" in text


def test_what_could_wait_is_priced_in_a_batch_and_judged_as_the_finder_does(pages, mixed):
    page = pages.get("/batches?format=json").json()
    shown = {row["feature"]: row for row in rows(page, "could_wait")}
    assert {name: row["waits"] for name, row in shown.items()} == {
        "nightly": "likely",
        "chat": "somebody waits",
        "quick": "somebody waits",
        "rare": "too few to tell",
    }
    for name, row in shown.items():
        own = [one for one in mixed if one.dims["feature"] == name]
        assert row["usd"] == usd_text(cost(own, "standard"))
        assert row["batch_usd"] == usd_text(cost(own, "batch"))
        assert Decimal(row["saved_usd"]) == Decimal(row["usd"]) - Decimal(row["batch_usd"])
    ordered = sorted(mixed, key=lambda one: one.sent_at)
    proposed = {one.choice.rules[0].where["feature"] for one in find_all(ordered, BOOK) if one.id.startswith("batch ")}
    assert proposed == {("nightly",)}
    assert page["figures"]["could_save"]["value"] == shown["nightly"]["saved_usd"]
    assert "100.0 % streamed" in shown["chat"]["evidence"]


def test_filters_hold_for_both_sides(pages):
    page = pages.get("/batches?format=json&where=feature=enrich").json()
    assert [table["name"] for table in page["tables"] if table["name"] == "could_wait"] == []
    assert page["figures"]["usd"]["value"] == rows(page, "batched")[0]["usd"]
    page = pages.get("/batches?format=json&where=service_tier=standard").json()
    assert page["figures"]["usd"]["value"] == "0"


def test_without_batches_it_says_how_to_make_one(client):
    text = client.get("/batches?where=feature=triage").text
    assert "messages.batches.create" in text
    assert "Which standard calls could wait" in text


def test_too_many_calls_are_not_gone_through(pages, monkeypatch):
    monkeypatch.setattr("farthing.dashboard.visit.CALLS_READ_MAX", 1)
    monkeypatch.setattr(batch_list, "CALLS_READ_MAX", 1)
    page = pages.get("/batches?format=json").json()
    assert {row["waits"] for row in rows(page, "could_wait")} == {"not looked at"}
    assert "could_save" not in page["figures"]
    assert [table["name"] for table in page["tables"] if table["name"] == "batches"] == []


class TestAnotherTier:
    def rows(self, *calls):
        ledger = OpenLedger()
        ledger.add(map(posted, calls))
        return ledger.report(Query(by=BY, bucket="day"))

    def test_what_is_priced_by_its_own_rule_is_scaled_and_assumed(self):
        short = Usage(input_tokens=1_000, output_tokens=10)
        long = Usage(input_tokens=150_000, output_tokens=10)
        calls = [
            call(name, NOW, "f", model="claude-haiku-5-5", usage=usage) for name, usage in (("a", short), ("b", long))
        ]
        (found,) = at_tier(self.rows(*calls), BOOK, BATCH, 1).values()
        assert (found.kind, found.pusd) == (Kind.ASSUMED, cost(calls, "standard"))
        assert abs(found.other_pusd - cost(calls, "batch")) <= 1  # half, whatever the band

    def test_calls_without_a_price_are_left_out_and_counted(self):
        odd = call("odd", NOW, "f", model="claude-nobody")
        (found,) = at_tier(self.rows(odd), BOOK, BATCH, 1).values()
        assert (found.calls, found.left_out, found.pusd, found.other_pusd) == (1, 1, 0, 0)

    def test_there_and_back_is_the_same(self):
        calls = [call(str(n), NOW + timedelta(minutes=n), "f") for n in range(4)]
        (there,) = at_tier(self.rows(*calls), BOOK, BATCH, 1).values()
        moved = [
            msgspec.structs.replace(one, served=msgspec.structs.replace(one.served, service_tier=BATCH))
            for one in calls
        ]
        (back,) = at_tier(self.rows(*moved), BOOK, STANDARD, 1).values()
        assert (there.pusd, there.other_pusd) == (back.other_pusd, back.pusd)
        assert there.kind is back.kind is Kind.DERIVED


def test_calls_without_a_price_are_marked_in_their_batch(desk):
    unknown = {"tier": "batch", "model": "claude-unheard-of"}
    calls = [
        call("msgbatch_some/1", FIRST, "enrich", tier="batch"),
        call("msgbatch_some/2", FIRST, "enrich", **unknown),
    ]
    calls.append(call("msgbatch_none/1", FIRST, "enrich", **unknown))
    ledger = OpenLedger()
    ledger.add(map(posted, calls))
    client = client_of(ledger, desk)
    tables = client.get("/batches?format=json").json()["tables"]
    found = {row["batch_id"]: row for table in tables if table["name"] == "batches" for row in table["rows"]}
    known = price_served(BOOK, calls[0].served, FIRST).list_pusd
    assert found["msgbatch_some"]["usd"] == found["msgbatch_some"]["saved_usd"] == usd_text(known)
    assert found["msgbatch_none"]["usd"] is found["msgbatch_none"]["saved_usd"] is None
    html = client.get("/batches").text
    assert "+?" in html
    assert ">unpriced" in html
    assert "in no sum (+?)" in html
    assert "3 calls, at list; 2 have no exact price and are in no sum" in html
