"""A price or model change on calls one made, by rates written here from the price facts."""

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, ExtraPass, PassKind, Served, Usage
from farthing.errors import BadInput
from farthing.money import parse_usd
from farthing.prices.book import shipped_book
from farthing.prices.overrides import OverrideModel, Overrides, layer
from farthing.prices.schema import RateRow
from farthing.units import Kind
from farthing.whatif.changes import dated_changes, successor_of
from farthing.whatif.impact import impact
from farthing.whatif.remodel import remodel

BOOK = shipped_book()
OCTOBER, TODAY = datetime(2026, 10, 20, tzinfo=UTC), date(2026, 11, 20)


def call(model="claude-sonnet-4-5", *, at=OCTOBER, name="c", fresh=0, write=0, read=0, out=0, **served):
    usage = Usage(input_tokens=fresh, cache_write_5m_tokens=write, cache_read_tokens=read, output_tokens=out)
    return Call(call_id=name, sent_at=at, source="test", served=Served(model=model, usage=usage, **served))


def test_prices_of_another_day():
    """Sonnet 5.5: a cache read cost $0.20 per MTok until 2026-10-07, then $0.10; input $2 throughout."""
    found = impact([call("claude-sonnet-5-5", fresh=10**6, read=10**6)], BOOK, on=date(2026, 10, 1))
    assert (found.before_pusd, found.after_pusd) == (parse_usd("2.10"), parse_usd("2.20"))
    assert found.kind is Kind.DERIVED


def test_another_book():
    row = RateRow(
        input="6", cache_write_5m="7.5", cache_write_1h="12", cache_read="0.6", output="30", reason="announced"
    )
    later = layer(BOOK, Overrides(model=(OverrideModel(id="claude-sonnet-4-6", rate=(row,)),)))
    calls = [call("claude-sonnet-4-6", fresh=10**6, out=10**6), call("claude-haiku-4-5", fresh=10**6)]
    found = impact(calls, BOOK, after_book=later)
    assert [(line.model, line.before_pusd, line.after_pusd) for line in found.lines] == [
        ("claude-sonnet-4-6", parse_usd("18"), parse_usd("36")),
        ("claude-haiku-4-5-20251001", parse_usd("1"), parse_usd("1")),
    ]
    assert found.before_book != found.after_book


def test_another_model_with_its_tokenizer_as_a_belief():
    """Sonnet 4.5 ($3, $15) to 5.5 ($2, $10): 1.30 tokens for one, 1.00 to 1.47."""
    found = impact(
        [call(fresh=10**5, out=10**5)] * 10, BOOK, on=TODAY, becomes={"claude-sonnet-4-5": "claude-sonnet-5-5"}
    )
    (line,) = found.lines
    assert line.before_pusd == parse_usd("18")
    assert line.after_pusd == parse_usd("15.60")
    assert (line.low_pusd, line.high_pusd) == (parse_usd("12"), parse_usd("17.64"))
    assert found.kind is Kind.ASSUMED
    assert any("1.30" in note and "assumed" in note for note in found.notes)


def test_a_long_prompt_lands_in_the_dear_band_of_the_other_model():
    """Haiku 5.5 above 100,000 tokens: $0.50. 80,000 tokens of Haiku 4.5 are 104,000 of its own, or 80,000."""
    found = impact(
        [call("claude-haiku-4-5", fresh=80_000)], BOOK, on=TODAY, becomes={"claude-haiku-4-5": "claude-haiku-5-5"}
    )
    (line,) = found.lines
    assert line.before_pusd == parse_usd("0.08")
    assert line.after_pusd == parse_usd("0.052")
    assert line.low_pusd == parse_usd("0.008")


def test_a_prefix_too_short_for_the_other_model_is_plain_input():
    """Sonnet 4.6 caches from 1,024 tokens, Opus 4.6 from 4,096; both have the older tokenizer. Opus input is $5."""
    found = impact(
        [call("claude-sonnet-4-6", write=1000, read=2000)], BOOK, becomes={"claude-sonnet-4-6": "claude-opus-4-6"}
    )
    assert found.after_pusd == 3000 * 5_000_000
    assert any("1 calls cache less" in note for note in found.notes)


def test_a_call_without_a_price_is_in_no_difference():
    calls = [call("claude-unheard-of", fresh=9), call("claude-opus-4-8", fresh=10**6, speed="fast"), call(fresh=10**5)]
    found = impact(calls, BOOK, on=TODAY, becomes={"claude-opus-4-8": "claude-haiku-5-5"})
    lines = {line.model: line for line in found.lines}
    assert lines["claude-unheard-of"].unpriced_before == 1
    fast = lines["claude-opus-4-8"]
    assert (fast.unpriced_after, fast.lost_pusd, fast.after_pusd) == (1, parse_usd("10"), 0)
    assert "fast" in fast.reason
    assert found.before_pusd == found.after_pusd == parse_usd("0.3")


def test_an_unknown_model_is_named_with_its_neighbours():
    with pytest.raises(BadInput, match="claude-sonnet-5-5"):
        impact([], BOOK, becomes={"claude-sonnet-4-5": "claude-sonet-5-5"})


def test_extra_passes_of_the_model_move_with_it_and_endpoints_stay():
    compaction = ExtraPass(PassKind.COMPACTION, Usage(output_tokens=100))
    advisor = ExtraPass(PassKind.ADVISOR, Usage(output_tokens=100), "claude-opus-5")
    one = call("us.anthropic.claude-sonnet-4-6", fresh=10, extra_passes=(compaction, advisor))
    named = BOOK.names.find(one.served.model)
    moved = remodel(one.served, named, BOOK.names.find("claude-sonnet-5-5").model).served
    assert (moved.model, moved.channel, moved.location) == ("claude-sonnet-5-5", "bedrock", "regional")
    assert [(extra.model, extra.usage.output_tokens) for extra in moved.extra_passes] == [
        (None, 130),
        ("claude-opus-5", 100),
    ]


COUNTS = st.integers(0, 300_000)


@settings(max_examples=40)
@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=5))
def test_the_same_model_on_the_same_day_changes_nothing(sizes):
    calls = [call("claude-haiku-5-5", fresh=a, write=b, read=c, out=d) for a, b, c, d in sizes]
    found = impact(calls, BOOK, on=OCTOBER.date(), becomes={"claude-haiku-5-5": "claude-haiku-5-5"})
    assert found.before_pusd == found.after_pusd


class TestDatedChanges:
    def test_a_price_that_moved_after_the_period(self):
        calls = [call("claude-sonnet-5-5", at=datetime(2026, 10, 2, tzinfo=UTC), read=10**6, fresh=10)]
        found = {change.what: change for change in dated_changes(BOOK, calls, date(2026, 10, 1), TODAY)}
        assert set(found) == {"price", "may retire"}
        cut = found["price"]
        assert (cut.day, cut.calls, cut.moved_pusd) == (date(2026, 10, 7), 1, -parse_usd("0.1"))
        assert found["may retire"].successor == ""

    def test_fast_mode_that_ends_is_withdrawn(self):
        """Fast mode of Opus 4.8 ($10 in) is rejected from 2026-11-30 on."""
        calls = [call("claude-opus-4-8", fresh=10**6, speed="fast"), call("claude-opus-4-8", fresh=10**6)]
        found = {change.what: change for change in dated_changes(BOOK, calls, OCTOBER.date(), TODAY)}
        gone = found["withdrawn"]
        assert (gone.day, gone.calls, gone.before_pusd, gone.after_pusd) == (
            date(2026, 11, 30),
            1,
            parse_usd("10"),
            None,
        )

    def test_a_rise_that_was_called_off_is_told_with_what_it_would_have_cost(self):
        """Sonnet 5 was to go from $2 to $3 on 2026-09-01; the rise was cancelled on 2026-08-10."""
        calls = [call("claude-sonnet-5", at=datetime(2026, 7, 20, tzinfo=UTC), fresh=10**6)]
        found = {change.what: change for change in dated_changes(BOOK, calls, date(2026, 7, 1), TODAY)}
        off = found["called off"]
        assert (off.day, off.before_pusd, off.after_pusd) == (date(2026, 9, 1), parse_usd("2"), parse_usd("3"))
        assert "price" not in found

    def test_a_model_that_goes_has_the_successor_the_vendor_names(self):
        """Sonnet 4.5 retires on 2026-11-30; Sonnet 5.5 costs $2 a MTok of 1.30 tokens for one."""
        (change,) = (
            one for one in dated_changes(BOOK, [call(fresh=10**5)], OCTOBER.date(), TODAY) if one.what == "retires"
        )
        assert (change.day, change.successor, change.successor_kind) == (
            date(2026, 11, 30),
            "claude-sonnet-5-5",
            Kind.MEASURED,
        )
        assert (change.before_pusd, change.after_pusd) == (parse_usd("0.3"), parse_usd("0.26"))
        assert change.kind is Kind.ASSUMED

    def test_a_retired_model_in_use_comes_first_whenever_it_was_retired(self):
        """Sonnet 4 was retired on 2026-06-15 and is still sold on Bedrock."""
        calls = [call(fresh=10), call("claude-sonnet-4-20250514", fresh=10**6, channel="bedrock", location="global")]
        first = dated_changes(BOOK, calls, OCTOBER.date(), TODAY)[0]
        assert (first.what, first.day, first.calls) == ("retired", date(2026, 6, 15), 1)
        assert first.successor == "claude-sonnet-5-5"

    def test_a_newer_model_of_the_family_is_told(self):
        calls = [call("claude-opus-5", at=datetime(2026, 9, 10, tzinfo=UTC), fresh=10**6)]
        (change,) = (one for one in dated_changes(BOOK, calls, date(2026, 9, 1), TODAY) if one.what == "released")
        assert (change.day, change.successor) == (date(2026, 9, 22), "claude-opus-5-5")
        assert (change.before_pusd, change.after_pusd) == (parse_usd("5"), parse_usd("4"))

    def test_calls_that_no_book_knows_are_touched_by_nothing(self):
        assert dated_changes(BOOK, [call("claude-unheard-of", fresh=9)], OCTOBER.date(), TODAY) == []


def test_a_successor_is_never_older_or_on_its_way_out():
    named = {model.id: successor_of(BOOK, model, TODAY)[0] for model in BOOK.models}
    heirs = {old: heir for old, heir in named.items() if heir is not None}
    assert heirs["claude-haiku-4-5-20251001"].id == "claude-haiku-5-5"
    assert all(heir.id != old and not heir.retired for old, heir in heirs.items())
    assert named["claude-haiku-5-5"] is None


def test_answers_are_json():
    encoded = msgspec.json.encode(
        [
            impact([call(fresh=10)], BOOK).to_json(),
            [one.to_json() for one in dated_changes(BOOK, [call(fresh=10)], OCTOBER.date(), TODAY)],
        ]
    )
    assert b"retires" in encoded
