"""Fair shares of cache writes: nothing lost or made, and the reader pays, not the one who came first."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.money import parse_usd
from farthing.prices.book import shipped_book
from farthing.reports.fair_shares import BY_BLOCKS, BY_ROUTE, NO_PRICE, UNREAD, fair_shares
from farthing.units import Kind

BOOK = shipped_book()
START = datetime(2026, 10, 5, 9, tzinfo=UTC)


def call(name, minute, prefix="", *, written=0, read=0, model="claude-sonnet-4-6", every=100_000, ends=None, **dims):
    """A call whose prompt is one block per letter of *prefix*, with breakpoints after the blocks in *ends*."""
    ends = {len(prefix) - 1} if ends is None else ends
    blocks = tuple(
        PromptBlock(prefix[: n + 1].encode().ljust(16), every, "messages", ttl="5m" if n in ends else None)
        for n in range(len(prefix))
    )
    return Call(
        call_id=name,
        sent_at=START + timedelta(minutes=minute),
        source="test",
        served=Served(model=model, usage=Usage(cache_write_5m_tokens=written, cache_read_tokens=read)),
        dims=dims,
        request=Request(blocks=blocks) if blocks else None,
    )


def fair(*calls):
    found = fair_shares(calls, BOOK)
    return {share.call_id: share.fair_pusd for share in found.shares}, found


def test_two_readers_share_what_the_first_call_paid():
    """Sonnet 4.6: a write costs $3.75 and plain input $3 per MTok, so 200,000 tokens carry $0.15 of premium."""
    shares, found = fair(
        call("morning", 0, "ab", written=200_000), call("x", 1, "abc", read=200_000), call("y", 2, "abd", read=200_000)
    )
    assert shares == {"morning": 0, "x": parse_usd("0.075"), "y": parse_usd("0.075")}
    assert found.premium_pusd == parse_usd("0.15")
    assert found.reasons == {BY_BLOCKS: (1, parse_usd("0.15"))}
    assert found.kind is Kind.DERIVED


def test_a_reader_pays_for_as_deep_as_it_read():
    shares, _ = fair(
        call("writer", 0, "abcd", written=400_000, ends={1, 3}),
        call("shallow", 1, "abx", read=200_000),
        call("deep", 2, "abcd", read=400_000),
    )
    assert shares == {"writer": 0, "shallow": parse_usd("0.075"), "deep": parse_usd("0.075") + parse_usd("0.15")}


def test_what_nobody_read_stays_with_its_writer():
    shares, found = fair(
        call("a", 0, "ab", written=200_000), call("b", 60, "ab", written=200_000), call("c", 61, "ab", read=200_000)
    )
    assert shares == {"a": parse_usd("0.15"), "b": 0, "c": parse_usd("0.15")}
    assert found.reasons[UNREAD] == (1, parse_usd("0.15"))


def test_models_and_workspaces_have_caches_of_their_own():
    shares, _ = fair(
        call("a", 0, "ab", written=200_000, workspace="one"),
        call("b", 1, "ab", read=200_000, workspace="two"),
        call("c", 2, "ab", read=200_000, workspace="one", model="claude-sonnet-5"),
    )
    assert shares == {"a": parse_usd("0.15"), "b": 0, "c": 0}


def test_without_blocks_the_route_stands_for_the_prompt_and_that_is_said():
    shares, found = fair(
        call("w", 0, written=200_000, feature="chat"),
        call("x", 1, read=100_000, feature="chat"),
        call("y", 2, read=300_000, feature="chat"),
        call("z", 3, read=300_000, feature="other"),
    )
    assert shares == {"w": 0, "x": parse_usd("0.0375"), "y": parse_usd("0.1125"), "z": 0}
    assert found.reasons == {BY_ROUTE: (1, parse_usd("0.15"))}
    assert found.kind is Kind.ASSUMED


def test_a_write_without_a_price_is_counted_and_not_shared():
    shares, found = fair(call("w", 0, "ab", written=5, model="claude-unheard-of"), call("x", 1, "ab", read=5))
    assert shares == {"w": 0, "x": 0}
    assert found.reasons == {NO_PRICE: (1, 0)}


def test_values_of_a_dimension_sum_to_the_same():
    calls = [call("w", 0, "ab", written=200_000), call("x", 1, "ab", read=200_000)]
    tenants = {"w": "acme", "x": "bolt"}
    assert fair_shares(calls, BOOK).by(tenants) == {"acme": (parse_usd("0.15"), 0), "bolt": (0, parse_usd("0.15"))}


CALLS = st.builds(
    call,
    name=st.uuids().map(str),
    minute=st.integers(0, 30),
    prefix=st.text("ab", max_size=4),
    written=st.integers(0, 1000),
    read=st.integers(0, 1000),
    every=st.sampled_from([0, 1, 250]),
    ends=st.sampled_from([None, set(), {0}, {0, 2}, {1, 3}]),
    workspace=st.sampled_from(["one", "two"]),
)


@settings(max_examples=60)
@given(st.lists(CALLS, max_size=15))
def test_fair_shares_sum_to_what_was_paid(calls):
    found = fair_shares(calls, BOOK)
    written = sum(one.served.usage.cache_write_5m_tokens for one in calls)
    assert sum(share.paid_pusd for share in found.shares) == found.premium_pusd == written * 750_000
    assert sum(share.fair_pusd for share in found.shares) == found.premium_pusd
    assert all(share.fair_pusd >= 0 for share in found.shares)
    assert sum(pusd for _, pusd in found.reasons.values()) == found.premium_pusd
