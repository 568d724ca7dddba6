"""What every engine promises. Each test runs on each engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest

from farthing.call import Call, ExtraPass, PassKind, PromptBlock, Request, Served, Usage
from farthing.errors import BadInput, LedgerFault
from farthing.ledger.interface import Added, Posting, Query, Stored
from farthing.prices.book import PriceBook
from farthing.prices.engine import price_served
from farthing.units import Kind

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
FULL = Stored(
    Call(
        call_id="msg_full:req_full",
        sent_at=NOON.replace(microsecond=123_456),
        source="jsonl",
        served=Served(
            model="claude-opus-4-1-20250805",
            usage=Usage(1, 2, 3, 4, 5, 4, 7, 8, 9),
            extra_passes=(
                ExtraPass(PassKind.COMPACTION, Usage(10, 20, 30, 40, 50, 45), None),
                ExtraPass(PassKind.ADVISOR, Usage(output_tokens=2**62), "claude-haiku-4-5-20251001"),
                ExtraPass(PassKind.DECLINED, Usage(7), "claude-opus-5", "bio"),
                ExtraPass(PassKind.DECLINED, Usage(8), "claude-opus-5", ""),
            ),
            channel="bedrock",
            location="eu-west-1",
            service_tier="batch",
            speed="fast",
            inference_geo="us",
            stop_reason="refusal",
            refusal_category="bio",
            output_started=False,
            prompt_tokens_max_in_one_pass=6,
            prompt_tokens_reported=10,
            calls_in_total=None,
            kind=Kind.DERIVED,
            message_id="msg_full",
            request_id="req_full",
            notes=("one", 'with "quotes", commas\nand a newline', "Fürth \u2713 \U0001f4b6"),
        ),
        dims={"tenant": "acme", "user": "", "team": "red", "odd name'\"": "nul \x00 inside", "session": "s/1"},
        duration_ms=1234,
        ttft_ms=56,
        request=Request(
            model="claude-opus-4-1",
            stream=True,
            max_tokens=2**62,
            effort="low",
            thinking="enabled",
            thinking_budget_tokens=0,
            speed="fast",
            inference_geo="us",
            service_tier="auto",
            tools=3,
            tools_tokens=400,
            cache_automatic=True,
            blocks=(
                PromptBlock(bytes(range(16)), 400, "tools", "1h"),
                PromptBlock(b"\xff" * 16, 2**62, "system"),
                PromptBlock(b"a" * 16, 0, "messages", None, cacheable=False),
                PromptBlock(b"b" * 16, 1, "messages", "5m"),
            ),
        ),
    ),
    Posting(
        list_pusd=None,
        low_pusd=1,
        high_pusd=10**30,
        contract_pusd=12345678901234567890123,
        kind=Kind.ASSUMED,
        unpriced=("for a reason", "and another"),
        book_version="v1",
    ),
)
PLAIN = Stored(
    Call(call_id="own-id", sent_at=NOON, source="", served=Served(model="m", usage=Usage())),
    Posting(list_pusd=0, low_pusd=0, high_pusd=0),
)


def priced(pusd, **more):
    return Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd, **more)


@pytest.mark.parametrize("stored", [FULL, PLAIN], ids=["every field", "no field"])
def test_a_record_comes_back_as_it_went_in(ledger, stored):
    ledger.add([stored])
    assert ledger.get(stored.call.call_id) == stored
    assert list(ledger.calls(Query())) == [stored]


def test_a_call_is_found_by_each_of_its_ids(ledger):
    ledger.add([FULL, PLAIN])
    for name in ("msg_full:req_full", "msg_full", "req_full"):
        assert ledger.get(name) == FULL
    assert ledger.get("msg_ful") is None


def test_adding_twice_changes_nothing(ledger, make):
    records = [make("a"), make("b"), FULL]
    assert ledger.add(records) == Added(new=3, known=0, improved=0)
    before = ledger.report(Query(by=("model", "kind"), bucket="hour"))
    assert ledger.add(reversed(records)) == Added(new=0, known=3, improved=0)
    assert ledger.report(Query(by=("model", "kind"), bucket="hour")) == before


def test_the_same_call_twice_in_one_add_counts_once(ledger, make):
    assert ledger.add([make("a"), make("a"), make("b")]) == Added(new=2, known=1, improved=0)
    assert ledger.report(Query())[0].calls == 2


def test_final_counts_replace_a_placeholder_and_its_posting(ledger, make):
    placeholder = make("a", usage=Usage(100, output_tokens=1))
    final = make("a", usage=Usage(100, output_tokens=900))
    assert ledger.add([placeholder]) == Added(new=1, known=0, improved=0)
    assert ledger.add([final, placeholder]) == Added(new=0, known=1, improved=1)
    [row] = ledger.report(Query())
    assert (row.calls, row.usage, row.list_pusd) == (
        1,
        Usage(100, output_tokens=900),
        100 * 3_000_000 + 900 * 15_000_000,
    )
    assert ledger.get("msg_a") == final


def test_improvements_within_one_add(ledger, make):
    counts = [make("a", usage=Usage(output_tokens=n)) for n in (1, 5, 3, 9)]
    assert ledger.add(counts) == Added(new=1, known=1, improved=2)
    assert ledger.get("msg_a") == counts[-1]


def test_measured_beats_assumed_whatever_the_counts(ledger, make):
    measured = make("a", usage=Usage(output_tokens=1))
    ledger.add([make("a", usage=Usage(output_tokens=50), kind=Kind.ASSUMED), measured])
    assert ledger.get("msg_a") == measured


@pytest.mark.parametrize("swapped", [False, True])
def test_a_call_without_request_id_is_the_one_with_its_message_id(ledger, make, swapped):
    with_id, without = make("a", request="r"), make("a", request=None)
    for stored in (without, with_id) if swapped else (with_id, without):
        ledger.add([stored])
    assert list(ledger.calls(Query())) == [with_id]


def test_two_requests_with_one_message_id_are_two_calls(ledger, make):
    assert ledger.add([make("a", request="r1"), make("a", request="r2")]).new == 2
    assert ledger.add([make("a", request=None)]) == Added(new=0, known=1, improved=0)


def test_a_better_record_without_request_id_keeps_the_one_known(ledger, make):
    better = make("a", request=None, usage=Usage(output_tokens=99))
    first = make("a", request="r", usage=Usage(output_tokens=1))
    ledger.add([first])
    assert ledger.add([better]) == Added(new=0, known=0, improved=1)
    kept = ledger.get("req_a_r")
    assert (kept.call.call_id, kept.call.served.usage) == (first.call.call_id, better.call.served.usage)
    assert ledger.add([better, first, make("a", request="r2")]) == Added(new=1, known=2, improved=0)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (
            msgspec.structs.replace(PLAIN, call=msgspec.structs.replace(PLAIN.call, sent_at=datetime(2026, 1, 1))),  # noqa: DTZ001
            "zone",
        ),
        (Stored(msgspec.structs.replace(PLAIN.call, duration_ms=-1), PLAIN.posting), "duration_ms"),
        (
            Stored(msgspec.structs.replace(PLAIN.call, served=Served(model="m", usage=Usage(2**63))), PLAIN.posting),
            "input_tokens",
        ),
        (
            Stored(
                msgspec.structs.replace(PLAIN.call, served=Served(model="m", usage=Usage(output_tokens=-1))),
                PLAIN.posting,
            ),
            "output_tokens",
        ),
        (Stored(PLAIN.call, priced(2**127)), "list_pusd"),
    ],
    ids=["time", "duration", "count", "negative", "amount"],
)
def test_a_record_no_ledger_can_keep_is_named_and_nothing_is_written(ledger, make, stored, said):
    with pytest.raises(LedgerFault, match=said):
        ledger.add([make("a"), stored])
    assert ledger.report(Query())[0].calls == 0
    assert ledger.add([make("a")]).new == 1


@pytest.mark.parametrize("year", [1, 1969, 2201, 9999])
def test_a_call_at_the_ends_of_the_calendar_is_refused_before_it_can_break_a_report(ledger, make, year):
    with pytest.raises(LedgerFault, match=f"year {year}"):
        ledger.add([make("a"), make("b", at=NOON.replace(year=year))])
    assert ledger.report(Query())[0].calls == 0


def test_times_of_other_zones_are_kept_in_utc(ledger, make):
    ledger.add([make("a", at=NOON.astimezone(timezone(timedelta(hours=-7))))])
    assert ledger.get("msg_a").call.sent_at.tzinfo is UTC
    assert ledger.get("msg_a").call.sent_at == NOON


def test_sums_are_over_main_and_extra_passes(ledger):
    ledger.add([FULL])
    [row] = ledger.report(Query())
    assert row.usage == Usage(11 + 7 + 8, 22, 33, 44, 55 + 2**62, 49, 7, 8, 9)
    assert (row.calls, row.unpriced_calls, row.list_pusd, row.low_pusd, row.high_pusd) == (1, 1, 0, 1, 10**30)
    assert (row.contract_pusd, row.kind) == (12345678901234567890123, Kind.ASSUMED)


def test_bounds_and_contract_sums(ledger, make):
    ledger.add([make("a", posting=priced(5, contract_pusd=3)), make("b", posting=priced(7))])
    [row] = ledger.report(Query())
    assert (row.list_pusd, row.low_pusd, row.high_pusd, row.contract_pusd) == (12, 12, 12, 10)
    ledger.add([make("c", posting=Posting(list_pusd=None, low_pusd=None, high_pusd=None, unpriced=("unknown",)))])
    [row] = ledger.report(Query())
    assert (row.calls, row.unpriced_calls, row.list_pusd, row.low_pusd, row.high_pusd) == (3, 1, 12, 12, None)


def test_an_empty_ledger_has_one_row_of_nothing_and_no_groups(ledger):
    [row] = ledger.report(Query())
    assert (row.key, row.start, row.calls, row.list_pusd, row.high_pusd, row.kind) == ((), None, 0, 0, 0, Kind.MEASURED)
    assert ledger.report(Query(by=("model",))) == []
    assert ledger.report(Query(bucket="day", timezone="Asia/Kolkata")) == []


def test_groups_by_columns_facts_and_tags(ledger, make):
    ledger.add(
        [
            make("a", posting=priced(1), dims={"tenant": "x", "team": "red"}, inference_geo="us"),
            make("b", posting=priced(2), dims={"tenant": "x", "user": "u"}),
            make("c", posting=priced(4), dims={"tenant": "", "team": "red"}),
        ]
    )

    def sums(*by):
        return {row.key: row.list_pusd for row in ledger.report(Query(by=by))}

    assert sums("tenant") == {("x",): 3, (None,): 4}
    assert sums("tag:tenant") == {("x",): 3, (None,): 4}
    assert sums("tag:team", "tenant") == {("red", "x"): 1, (None, "x"): 2, ("red", None): 4}
    assert sums("user") == {("u",): 2, (None,): 5}
    assert sums("inference_geo", "source") == {("us", "gateway"): 1, (None, "gateway"): 6}
    assert sums('tag:it\'s "odd"') == {(None,): 7}


def test_filters_where_the_empty_string_stands_for_not_set(ledger, make):
    ledger.add([make("a", dims={"tenant": "x"}), make("b", dims={"tenant": "y", "team": "red"}), make("c")])

    def names(**where):
        return {s.call.served.message_id[-1] for s in ledger.calls(Query(where=where))}

    assert names(tenant=("x",)) == {"a"}
    assert names(tenant=("x", "")) == {"a", "c"}
    assert names(**{"tag:team": ("",)}) == {"a", "c"}
    assert names(tenant=("x", "y"), **{"tag:team": ("red",)}) == {"b"}
    assert names(tenant=()) == set()
    assert names(hour_of_day=("12",), weekday=("1",)) == {"a", "b", "c"}  # 2026-03-10 is a Tuesday
    assert ledger.report(Query(where={"model": ("nobody's",)}))[0].calls == 0


def test_a_range_includes_its_start_and_not_its_end(ledger, make):
    ledger.add([make(str(n), at=NOON + timedelta(minutes=n)) for n in range(120)])
    for since, until, calls in ((NOON, None, 120), (None, NOON, 0), (None, NOON + timedelta(hours=1), 60)):
        assert ledger.report(Query(since=since, until=until))[0].calls == calls
    edges = Query(since=NOON + timedelta(minutes=7), until=NOON + timedelta(minutes=70))
    assert ledger.report(edges)[0].calls == 63
    assert len(list(ledger.calls(edges))) == 63


def test_a_range_may_begin_and_end_within_an_hour(ledger, make):
    ledger.add([make("a", at=NOON + timedelta(minutes=15)), make("b", at=NOON + timedelta(minutes=45))])
    for minutes in (30, 20):
        edge = NOON + timedelta(minutes=minutes)
        for query in (Query(since=edge), Query(until=edge)):
            [row] = ledger.report(query)
            assert row.calls == 1


def test_rows_are_ordered_by_time_then_dearest_then_key(ledger, make):
    day = timedelta(days=1)
    ledger.add(
        [
            make("a", at=NOON + day, dims={"tenant": "z"}, posting=priced(9)),
            make("b", at=NOON, dims={"tenant": "z"}, posting=priced(1)),
            make("c", at=NOON, dims={"tenant": "y"}, posting=priced(5)),
            make("d", at=NOON, dims={"tenant": "x"}, posting=priced(1)),
            make("e", at=NOON, posting=priced(1)),
        ]
    )
    rows = ledger.report(Query(by=("tenant",), bucket="day"))
    assert [(row.start.day, row.key[0]) for row in rows] == [(10, "y"), (10, None), (10, "x"), (10, "z"), (11, "z")]


def test_a_limit_keeps_the_dearest_overall_and_sums_the_others(ledger, make):
    day = timedelta(days=1)
    ledger.add(
        [
            make("a", dims={"tenant": "x"}, posting=priced(5)),
            make("b", dims={"tenant": "y"}, posting=priced(6)),
            make("c", dims={"tenant": "z"}, posting=priced(1)),
            make("d", at=NOON + day, dims={"tenant": "x"}, posting=priced(7)),
            make("e", at=NOON + day, dims={"tenant": "z"}, posting=priced(2)),
        ]
    )
    rows = ledger.report(Query(by=("tenant",), bucket="day", limit=1))
    assert [(row.start.day, row.key, row.list_pusd, row.calls) for row in rows] == [
        (10, ("other",), 7, 2),
        (10, ("x",), 5, 1),
        (11, ("x",), 7, 1),
        (11, ("other",), 2, 1),
    ]
    assert len(ledger.report(Query(by=("tenant",), limit=3))) == 3


BERLIN, KOLKATA, HAVANA = "Europe/Berlin", "Asia/Kolkata", "America/Havana"


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        (BERLIN, datetime(2026, 3, 28, 23, tzinfo=UTC), 23),  # clocks go forward on 2026-03-29
        (BERLIN, datetime(2026, 10, 24, 22, tzinfo=UTC), 25),  # and back on 2026-10-25
        (KOLKATA, datetime(2026, 3, 28, 18, 30, tzinfo=UTC), 24),
        ("Asia/Kathmandu", datetime(2026, 3, 28, 18, 15, tzinfo=UTC), 24),
        (HAVANA, datetime(2026, 3, 8, 5, tzinfo=UTC), 23),  # midnight itself is skipped
        ("UTC", datetime(2026, 3, 28, tzinfo=UTC), 24),
    ],
)
def test_days_in_a_zone_have_their_own_length(ledger, make, zone, first, hours):
    quarter = timedelta(minutes=15)
    ledger.add([make(str(n), at=first + n * quarter) for n in range(-4, 4 * hours + 4)])
    rows = ledger.report(Query(bucket="day", timezone=zone))
    assert [row.calls for row in rows] == [4, 4 * hours, 4]
    assert rows[1].start.astimezone(UTC) == first
    assert rows[1].start.tzinfo == ZoneInfo(zone)
    by_hour = ledger.report(Query(bucket="hour", timezone=zone, since=first, until=first + timedelta(hours=hours)))
    assert [row.start.astimezone(UTC) for row in by_hour] == [first + timedelta(hours=n) for n in range(hours)]


def test_weeks_start_on_monday_and_months_on_the_first(ledger, make):
    ledger.add([make(str(n), at=NOON + timedelta(days=n)) for n in range(40)])
    for bucket, starts in (("week", [9, 16, 23, 30, 6, 13]), ("month", [1, 1])):
        assert [row.start.day for row in ledger.report(Query(bucket=bucket, timezone=BERLIN))] == starts


def test_times_of_day_are_those_of_the_zone(ledger, make):
    ledger.add([make("a", at=datetime(2026, 3, 8, 20, 45, tzinfo=UTC))])  # a Sunday; Monday 02:15 in Kolkata
    for zone, key in (("UTC", ("20", "6")), (KOLKATA, ("2", "0")), (BERLIN, ("21", "6"))):
        assert [r.key for r in ledger.report(Query(by=("hour_of_day", "weekday"), timezone=zone))] == [key]


@pytest.mark.parametrize(
    "query",
    [
        Query(by=("colour",)),
        Query(where={"tag:": ("x",)}),
        Query(timezone="Mars/Olympus"),
        Query(timezone="../etc/passwd"),
        Query(bucket="minute"),
        Query(since=datetime(2026, 1, 1)),  # noqa: DTZ001
        Query(limit=0),
    ],
    ids=["dimension", "tag", "zone", "path", "bucket", "naive", "limit"],
)
def test_a_query_that_cannot_be_meant_is_refused(ledger, query):
    with pytest.raises(BadInput):
        ledger.report(query)
    with pytest.raises(BadInput):
        ledger.calls(query)


def test_calls_come_by_time_then_id_while_the_ledger_is_used(ledger, make):
    ledger.add([make("b"), make("a"), make("c", at=NOON - timedelta(hours=1))])
    names = []
    for stored in ledger.calls(Query()):
        names.append(stored.call.served.message_id)
        ledger.add([make("later", at=NOON + timedelta(hours=len(names)))])
    assert names == ["msg_c", "msg_a", "msg_b"]


def doubled(book):
    """The shipped book with every Sonnet rate doubled."""
    models = [
        model if model.family != "sonnet" else msgspec.structs.replace(model, rate=tuple(map(_doubled, model.rate)))
        for model in book.models
    ]
    return PriceBook(models, book.modifiers, book.sources, version="doubled")


def _doubled(row):
    names = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
    return msgspec.structs.replace(row, **{n: str(2 * float(v)) for n in names if (v := getattr(row, n)) is not None})


def reprice(ledger, book, reason="a rate was wrong", **more):
    return ledger.reprice(book, reason=reason, made_at=NOON, **more)


def test_a_correction_says_before_and_after_per_model(ledger, make, book):
    opus = "claude-opus-4-1-20250805"
    ledger.add([make("a", usage=Usage(10)), make("b", usage=Usage(5), model=opus), make("c", model="claude-nope")])
    made = reprice(ledger, doubled(book))
    assert (made.correction_id, made.book_version, made.made_at, made.reverted) == (1, "doubled", NOON, False)
    assert [msgspec.structs.astuple(change) for change in made.changes] == [
        ("claude-nope", 1, 0, 0, 0, 1, 1, 0, 0),
        (opus, 1, 0, 75_000_000, 75_000_000, 0, 0, 75_000_000, 75_000_000),
        ("claude-sonnet-4-5-20250929", 1, 1, 30_000_000, 60_000_000, 0, 0, 30_000_000, 60_000_000),
    ]
    assert ledger.corrections() == [made]
    assert ledger.get("msg_a").posting.book_version == "doubled"
    assert ledger.get("msg_b").posting.book_version == book.version
    assert {r.key[0]: r.list_pusd for r in ledger.report(Query(by=("model",)))}[
        "claude-sonnet-4-5-20250929"
    ] == 60_000_000


def test_a_preview_changes_nothing(ledger, make, book):
    ledger.add([make("a")])
    before = ledger.report(Query())
    seen = reprice(ledger, doubled(book), preview=True)
    assert seen.correction_id is None
    assert seen.changes[0].after_pusd == 2 * seen.changes[0].before_pusd
    assert ledger.report(Query()) == before
    assert ledger.corrections() == []


def test_reverting_restores_every_posting_exactly(ledger, make, book):
    odd = priced(123, contract_pusd=7, kind=Kind.ASSUMED, book_version="by hand")
    ledger.add([make("a", posting=odd), make("b"), FULL])
    before = [list(ledger.calls(Query())), ledger.report(Query(by=("model", "kind")))]
    reprice(ledger, book)
    reprice(ledger, doubled(book))
    assert ledger.get("msg_a").posting.contract_pusd == 7
    with pytest.raises(BadInput, match="latest"):
        ledger.revert(1)
    assert ledger.revert(2).reverted
    with pytest.raises(BadInput, match="already"):
        ledger.revert(2)
    ledger.revert(1)
    assert [list(ledger.calls(Query())), ledger.report(Query(by=("model", "kind")))] == before
    assert [c.reverted for c in ledger.corrections()] == [True, True]
    with pytest.raises(BadInput, match="does not exist"):
        ledger.revert(3)


def test_only_calls_in_range_are_priced_again(ledger, make, book):
    ledger.add([make("a"), make("b", at=NOON + timedelta(days=1))])
    made = reprice(ledger, doubled(book), since=NOON + timedelta(hours=1))
    assert made.changes[0].calls == 1
    assert ledger.get("msg_a").posting.book_version == book.version
    assert ledger.get("msg_b").posting.book_version == "doubled"


def test_a_revert_does_not_bring_back_what_an_improved_call_was_posted_at(ledger, make, book):
    ledger.add([make("a", usage=Usage(output_tokens=1))])
    reprice(ledger, doubled(book))
    final = make("a", usage=Usage(output_tokens=500))
    ledger.add([final])
    ledger.revert(1)
    assert ledger.get("msg_a") == final
    assert ledger.report(Query())[0].list_pusd == final.posting.list_pusd


def test_a_revert_finds_a_call_whose_request_id_was_learnt_meanwhile(ledger, make, book):
    first = make("a", request=None, usage=Usage(output_tokens=9))
    ledger.add([first])
    reprice(ledger, doubled(book))
    ledger.add([make("a", request="r", usage=Usage(output_tokens=1))])
    ledger.revert(1)
    assert ledger.get("req_a_r").posting == first.posting


def nine_tenths(call, bill):
    """A contract: 10 % off, but for the tenant that has none."""
    return None if call.dims.get("tenant") == "none" or bill.list_pusd is None else bill.list_pusd * 9 // 10


def test_under_a_contract_every_contract_price_is_posted_anew(ledger, make, book):
    right = priced(450_000_000, contract_pusd=405_000_000, book_version="first")
    odd = make("odd", posting=priced(7, contract_pusd=3))
    ledger.add([make("a"), make("right", posting=right), odd, FULL, PLAIN])
    ledger.add([make("none", dims={"tenant": "none"}, posting=priced(450_000_000, contract_pusd=1))])
    before = list(ledger.calls(Query())), ledger.report(Query(by=("model",), bucket="hour"))
    seen = reprice(ledger, book, contract=nine_tenths, preview=True)
    assert (list(ledger.calls(Query())), ledger.report(Query(by=("model",), bucket="hour"))) == before
    made = reprice(ledger, book, contract=nine_tenths)
    assert made.changes == seen.changes
    sonnet = next(change for change in made.changes if change.model == make("a").call.served.model)
    assert msgspec.structs.astuple(sonnet)[1:] == (
        4,
        3,
        3 * 450_000_000 + 7,
        4 * 450_000_000,
        0,
        0,
        450_000_000 + 405_000_000 + 3 + 1,
        3 * 405_000_000 + 450_000_000,
    )
    assert ledger.get("msg_right").posting == right
    posted = {name: ledger.get(f"msg_{name}").posting.contract_pusd for name in ("a", "odd", "none")}
    assert posted == {"a": 405_000_000, "odd": 405_000_000, "none": None}
    [row] = ledger.report(Query(by=("model",), where={"model": (sonnet.model,)}))
    assert (row.list_pusd, row.contract_pusd) == (sonnet.after_pusd, sonnet.after_contract_pusd)
    assert ledger.corrections() == [made]
    ledger.revert(1)
    assert (list(ledger.calls(Query())), ledger.report(Query(by=("model",), bucket="hour"))) == before


def test_without_a_contract_its_prices_stay(ledger, make, book):
    ledger.add([make("a", posting=priced(1, contract_pusd=5))])
    reprice(ledger, book)
    assert ledger.get("msg_a").posting == Posting.of(price_served(book, make("a").call.served, NOON), 5)


def test_dimensions_and_tags_of_both_records_are_kept(ledger, make):
    ledger.add([make("a", dims={"session": "s1", "tenant": "guessed", "user": "", "team": "red"})])
    gateway = {"tenant": "acme", "user": "u1", "team": "blue", "floor": "3", "feature": ""}
    better = make("a", usage=Usage(output_tokens=99), dims=gateway)
    assert ledger.add([better]) == Added(new=0, known=0, improved=1)
    kept = ledger.get("msg_a")
    assert kept.posting == better.posting
    assert kept.call.dims == gateway | {"session": "s1"}
    equal = make("a", usage=Usage(output_tokens=99), dims={"feature": "chat", "tenant": "no", "floor": "4"})
    assert ledger.add([equal]) == Added(new=0, known=0, improved=1)
    worse = make("a", usage=Usage(), dims={"level": "7", "floor": "5"})
    assert ledger.add([worse]) == Added(new=0, known=0, improved=1)
    assert ledger.get("msg_a").call.dims == gateway | {"session": "s1", "feature": "chat", "level": "7"}
    assert ledger.add([better, equal, worse, better]) == Added(new=0, known=4, improved=0)
    for names in (("tenant", "feature"), ("session", "tag:floor", "tag:level")):
        [row] = ledger.report(Query(by=names, bucket="hour"))
        assert row.key == tuple(ledger.get("msg_a").call.dims[name.removeprefix("tag:")] for name in names)
        assert (row.calls, row.list_pusd) == (1, better.posting.list_pusd)


def test_half_an_emoji_loses_nothing(ledger, make):
    half, other_half, whole = "\ud83d", "\ude00", "\U0001f600"
    served = Served(
        model=f"m{half}",
        usage=Usage(1),
        extra_passes=(ExtraPass(PassKind.ADVISOR, Usage(2), other_half),),
        message_id=f"msg{half}",
        notes=(f"a{half}b",),
    )
    dims = {"tenant": f"{half}{other_half}", f"tag{half}": f"x{other_half}"}
    call = Call(call_id=f"msg{half}", sent_at=NOON, source="jsonl", served=served, dims=dims)
    odd = Stored(call, Posting(list_pusd=None, low_pusd=None, high_pusd=None, unpriced=(f"unknown m{half}",)))
    assert ledger.add([make("a"), odd]) == Added(new=2, known=0, improved=0)
    assert ledger.add([odd]) == Added(new=0, known=1, improved=0)
    kept = ledger.get("msg\ufffd")
    assert ledger.get(f"msg{half}") == kept
    assert kept.call.dims == {"tenant": whole, "tag\ufffd": "x\ufffd"}
    assert (kept.call.served.model, kept.call.served.notes) == ("m\ufffd", ("a\ufffdb",))
    assert kept.call.served.extra_passes[0].model == "\ufffd"
    assert kept.posting.unpriced == ("unknown m\ufffd",)
    with pytest.raises(BadInput, match="Unicode"):
        ledger.report(Query(where={"tenant": (half,)}))


def test_a_group_called_other_is_summed_into_the_others(ledger, make):
    for name, tenant, pusd in (("a", "other", 9), ("b", "x", 8), ("c", None, 7), ("d", "", 7), ("e", "z", 7)):
        ledger.add([make(name, dims={} if tenant is None else {"tenant": tenant}, posting=priced(pusd))])
    found = ledger.report(Query(by=("tenant",), limit=2))
    assert [(row.key, row.list_pusd, row.calls) for row in found] == [(("other",), 24, 3), ((None,), 14, 2)]
    tied = [("f", "y", 7), ("g", "a", 7)]
    ledger.add([make(name, dims={"tenant": tenant}, posting=priced(pusd)) for name, tenant, pusd in tied])
    kept = {row.key[0] for row in ledger.report(Query(by=("tenant",), limit=4))}
    assert kept == {None, "other", "x", "a"}  # a tie goes to the smaller key


def test_a_correction_needs_an_aware_time(ledger, book):
    with pytest.raises(BadInput):
        ledger.reprice(book, reason="", made_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_closed_ledger_says_so(ledger, make):
    ledger.close()
    ledger.close()
    for use in (lambda: ledger.add([make("a")]), lambda: ledger.report(Query()), ledger.corrections):
        with pytest.raises(LedgerFault, match="closed"):
            use()
