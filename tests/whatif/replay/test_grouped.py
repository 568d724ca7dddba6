"""From sums and call by call: the same dollars, reasons and kinds, for any choice of price alone."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, ExtraPass, PassKind, Request, Served, Usage
from farthing.cli.ledger_file import posted
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Query
from farthing.prices.book import shipped_book
from farthing.units import Kind
from farthing.whatif.replay.choice import Choice, Effort
from farthing.whatif.replay.grouped import is_of_price_alone, replay_groups, replay_ledger
from farthing.whatif.replay.parse import parse_choice
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
START = datetime(2026, 10, 6, 20, tzinfo=UTC)
MODELS = ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-haiku-4-5-20251001", "claude-opus-4-6", "claude-nobody"]
SIZES = st.sampled_from([0, 0, 7, 40_000, 76_923, 99_999, 100_000, 100_001, 160_000])

USAGES = st.builds(
    Usage,
    input_tokens=SIZES,
    cache_write_5m_tokens=st.sampled_from([0, 0, 3, 2000]),
    cache_write_1h_tokens=st.sampled_from([0, 0, 5, 900]),
    cache_read_tokens=st.sampled_from([0, 0, 1, 60_000]),
    output_tokens=st.sampled_from([0, 1, 333]),
    web_search_requests=st.sampled_from([0, 0, 0, 2]),
)
SERVED = st.builds(
    Served,
    model=st.sampled_from(MODELS),
    usage=USAGES,
    service_tier=st.sampled_from(["standard", "standard", "batch", "priority"]),
    inference_geo=st.sampled_from([None, "global", "us", "not_available"]),
    stop_reason=st.sampled_from(["end_turn", "end_turn", "refusal"]),
    refusal_category=st.sampled_from([None, "bio"]),
    prompt_tokens_max_in_one_pass=st.sampled_from([None, None, None, 50_000]),
    calls_in_total=st.sampled_from([1, 1, 1, 1, 4]),
    extra_passes=st.sampled_from(
        [(), (), (), (ExtraPass(PassKind.COMPACTION, Usage(input_tokens=9000, output_tokens=4)),)]
    ),
    kind=st.sampled_from([Kind.MEASURED, Kind.MEASURED, Kind.DERIVED]),
)
CALLS = st.lists(
    st.tuples(
        SERVED,
        st.integers(0, 12 * 3600),
        st.sampled_from(["", "triage", "draft"]),
        st.sampled_from(["", "gold"]),
        st.sampled_from([None, 0, 8000, 128_000]),
    ),
    max_size=12,
)
CHOICES = st.lists(
    st.sampled_from(
        [
            "model=claude-haiku-5-5",
            "model=claude-haiku-4-5 where feature=triage|",
            "model=claude-sonnet-5-5,geo=us where tag:plan=gold",
            "batch=true",
            "batch=true,turnaround=20000 where feature=draft",
            "batch=false",
            "geo=us",
            "geo=global,cache=as_recorded",
            "speed=fast",
            "model=claude-opus-5-5,speed=fast",
            "effort=low*0.37",
            "tokenizer=1.07",
            "channel=bedrock",
            "channel=google_cloud:europe-west1 where model=claude-haiku-5-5",
        ]
    ),
    min_size=1,
    max_size=3,
)


def calls_of(drawn):
    made = [
        Call(
            call_id=f"c{number:03}",
            sent_at=START + timedelta(seconds=later),
            source="test",
            served=served,
            dims={name: value for name, value in (("feature", feature), ("plan", plan)) if value},
            request=None if longest is None else Request(model=served.model, max_tokens=longest),
        )
        for number, (served, later, feature, plan, longest) in enumerate(drawn)
    ]
    return sorted(made, key=lambda call: (call.sent_at, call.call_id))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ledgers")


@settings(max_examples=15)
@given(drawn=CALLS, texts=CHOICES, cumulative=st.booleans())
def test_sums_and_calls_agree(folder, drawn, texts, cumulative):
    calls, choices = calls_of(drawn), [parse_choice(text, BOOK) for text in texts]
    path = folder / "ledger.duckdb"
    path.unlink(missing_ok=True)
    with DuckDBLedger(path) as ledger:
        ledger.add(posted(BOOK, calls))
        from_sums = replay_groups(ledger, Query(), choices, BOOK, cumulative=cumulative)
        stored = list(ledger.calls(Query()))
    one_by_one = replay(stored, choices, BOOK, cumulative=cumulative)
    assert from_sums.to_json() == one_by_one.to_json()
    assert from_sums.before.kinds_pusd == one_by_one.before.kinds_pusd
    for mine, theirs in zip(from_sums.steps, one_by_one.steps, strict=True):
        assert mine.sums.kinds_pusd == theirs.sums.kinds_pusd
        assert mine.deferred == theirs.deferred


def test_a_ledger_is_asked_for_sums_only_where_they_are_enough(tmp_path):
    calls = calls_of([(Served(model="claude-haiku-5-5", usage=Usage(input_tokens=1000)), 12 * 3600, "", "", None)])
    with DuckDBLedger(tmp_path / "ledger.duckdb") as ledger:
        ledger.add(posted(BOOK, calls))
        for text in ("geo=us", "cache=none"):
            found = replay_ledger(ledger, Query(), [parse_choice(text, BOOK)], BOOK)
            assert found.before.pusd == 1000 * 100_000
    assert is_of_price_alone(Choice.of(effort=Effort("low", Fraction(1, 2))))
    assert not is_of_price_alone(parse_choice("cache=none", BOOK))
