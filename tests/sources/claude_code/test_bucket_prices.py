"""The price of a bucket is the sum of what its calls cost one by one."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.sources.claude_code import iter_buckets, iter_calls, price_bucket
from farthing.sources.claude_code.buckets import BAND_LIMITS
from farthing.sources.claude_code.coarser import coarser

BOOK = shipped_book()
DAYS = ("2026-01-15", "2026-03-12", "2026-03-13", "2026-10-06", "2026-10-07", "2026-11-20")
CLOCKS = ("00:00:00", "00:14:59.999", "00:15:00", "23:59:59.999999")
MODELS = (
    "claude-haiku-5-5",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-opus-4-6",
    "claude-sonnet-4-5-20250929",
    "claude-unheard-of",
)
prompts = st.sampled_from([0, 5, 99_999, 100_000, 100_001, 200_000, 200_001]) | st.integers(0, 300_000)
extra = st.sampled_from(
    [
        {},
        {"speed": "fast"},
        {"inference_geo": "us"},
        {"service_tier": "batch"},
        {"service_tier": "priority"},
        {"server_tool_use": {"web_search_requests": 3}},
        {"server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0}},
        {"iterations": [{"type": "compaction", "input_tokens": 152_000, "output_tokens": 2_400}]},
    ]
)
calls = st.lists(
    st.tuples(
        st.sampled_from(DAYS),
        st.sampled_from(CLOCKS),
        st.sampled_from(MODELS),
        prompts,
        prompts,
        st.integers(0, 5_000),
        extra,
        st.sampled_from(["end_turn", None, "refusal"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60)
@given(calls=calls)
def test_buckets_cost_what_their_calls_cost(kit, calls):
    lines = [
        kit.response(
            f"m{number}",
            f"r{number}",
            at=f"{day}T{clock}Z",
            model=model,
            output=output,
            stop=stop,
            usage={"input_tokens": fresh, "cache_read_input_tokens": read} | more,
            message={"stop_details": {"type": "refusal", "category": "cyber"}} if stop == "refusal" else None,
        )
        for number, (day, clock, model, fresh, read, output, more, stop) in enumerate(calls)
    ]
    with tempfile.TemporaryDirectory() as folder:
        tree = kit.Tree(Path(folder))
        tree.write("p/s.jsonl", *lines)
        index, report = tree.scan()
    one_by_one = [price_served(BOOK, call.served, call.sent_at) for call in iter_calls(index)]
    summed = [price_bucket(BOOK, bucket) for bucket in iter_buckets(index)]
    assert len(one_by_one) == report.calls == len(calls)
    assert _total(one_by_one) == _total(summed)
    for apart in (lambda _: None, lambda bucket: bucket.quarter % 7):
        fewer = coarser(iter_buckets(index), apart)
        assert _total(price_bucket(BOOK, bucket) for bucket in fewer) == _total(summed)
        assert sum(bucket.calls for bucket in fewer) == len(calls)
    assert {reason for bill in one_by_one for reason in bill.unpriced} == {r for bill in summed for r in bill.unpriced}


def _total(bills):
    bills = list(bills)
    return (
        sum(bill.list_pusd or 0 for bill in bills),
        sum(bill.low_pusd or 0 for bill in bills),
        sum(bill.high_pusd or 0 for bill in bills),
    )


def test_the_band_limits_are_all_that_the_price_book_has():
    rows = [row for model in BOOK.models for row in model.rate]
    limits = {row.prompt_tokens_over for row in rows} | {row.prompt_tokens_up_to for row in rows}
    assert limits - {0, None} <= set(BAND_LIMITS)


def test_a_prompt_over_the_haiku_band_costs_what_the_facts_say(tree, kit):
    # Facts 1.4: input 1,000 + read 99,000 stays in the low band, one token more is the high band, output included.
    for number, read in enumerate((99_000, 99_001)):
        usage = {"input_tokens": 1_000, "cache_read_input_tokens": read}
        line = kit.response(f"m{number}", "r", model="claude-haiku-5-5", output=100, usage=usage)
        tree.write(f"p/{number}.jsonl", line)
    index, _ = tree.scan()
    costs = sorted(price_bucket(BOOK, bucket).list_pusd for bucket in iter_buckets(index))
    assert costs == [1_140_000_000, 5_700_050_000]


def test_a_refusal_before_any_output_is_free_and_one_after_output_is_not(tree, kit):
    details = {"stop_details": {"type": "refusal", "category": "cyber"}}
    said = {"content": [{"type": "text", "text": "I"}]}
    tree.write("p/s.jsonl", kit.response("m1", "r1", stop="refusal", message=details))
    tree.write("p/t.jsonl", kit.response("m2", "r2", stop="refusal", message=details | said))
    index, _ = tree.scan()
    costs = sorted(price_bucket(BOOK, bucket).list_pusd for bucket in iter_buckets(index))
    assert costs == [0, (2 * 4 + 100 * 20) * 10**6]


@pytest.mark.parametrize("tokens", [1, 10**9])
def test_kinds_survive_summing(tree, kit, tokens):
    tree.write("p/s.jsonl", kit.response(output=3, stop=None, usage={"input_tokens": tokens}))
    index, _ = tree.scan()
    (bucket,) = iter_buckets(index)
    assert (str(price_bucket(BOOK, bucket).kind), bucket.unprovable_calls) == ("assumed", 1)
