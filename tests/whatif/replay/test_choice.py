"""Choices: read from text, combined, taken apart; prompts: scaled to what was measured."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.errors import BadInput
from farthing.prices.book import shipped_book
from farthing.whatif.replay.choice import Caching, Choice, Effort, Levers
from farthing.whatif.replay.lengths import Lengths, shared_out
from farthing.whatif.replay.parse import parse_choice
from farthing.whatif.replay.prompt import prompt_of, scaled, why_not_replayed

BOOK = shipped_book()


def call(**dims):
    return Call(
        call_id="c",
        sent_at=datetime(2026, 11, 20, tzinfo=UTC),
        source="test",
        served=Served(model="claude-sonnet-4-6", usage=Usage(input_tokens=10)),
        dims=dims,
    )


def levers(text, **dims):
    return parse_choice(text, BOOK).levers_for(call(**dims))


def test_every_lever_is_read():
    assert levers("model=claude-haiku-4-5,batch=true,turnaround=900,geo=us,tokenizer=1.35") == Levers(
        model="claude-haiku-4-5-20251001",
        batch=True,
        turnaround_s=900,
        inference_geo="us",
        tokenizer_factor=Fraction("1.35"),
    )
    assert levers("speed=fast, effort=low*0.6, channel=bedrock:us-east-1") == Levers(
        speed="fast", effort=Effort("low", Fraction(3, 5)), channel="bedrock", location="us-east-1"
    )
    assert levers("cache=tools+system+-2,ttl=mixed").cache == Caching("fixed", ("tools", "system", -2), "mixed")
    assert levers("cache=second_sight,ttl=1h,pings=3,ping_every=3000").cache == Caching(
        "second_sight", ttl="1h", pings=3, ping_every_s=3000
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modle=x", "did you mean model?"),
        ("model=claude-haiku-6", "nearest: claude-haiku"),
        ("batch", "a lever such as"),
        ("", "a lever such as"),
        ("batch=yes", "true or false"),
        ("effort=low", "such as low*0.6"),
        ("effort=low*0", "a number above 0"),
        ("channel=aws", "one of claude_api"),
        ("channel=foundry:eu", "one only on"),
        ("cache=always", "none, automatic"),
        ("cache=0+1+2+3+4", "1 to 4 places"),
        ("ttl=1h", "both, such as cache=automatic"),
        ("cache=none,pings=2", "a policy that sets breakpoints"),
        ("cache=end,ttl=2h", "5m or 1h or mixed"),
        ("batch=true,speed=fast", "no batch takes fast mode"),
        ("geo=us,geo=global", "each once"),
        ("turnaround=60", "batch=true"),
        ("geo=us where feature", "feature=triage"),
    ],
)
def test_what_cannot_be_read_says_what_could(text, says):
    with pytest.raises(BadInput, match=says.replace("?", r"\?").replace("*", r"\*")):
        parse_choice(text, BOOK)


def test_a_choice_for_some_calls():
    choice = parse_choice("batch=true where feature=triage|,tenant=acme", BOOK)
    assert choice.levers_for(call(feature="triage", tenant="acme")).batch
    assert choice.levers_for(call(tenant="acme")).batch  # an empty value: not set
    assert choice.levers_for(call(feature="draft", tenant="acme")).batch is None
    assert choice.levers_for(call(feature="triage")).batch is None
    assert choice.dimensions == ("feature", "tenant")


TEXTS = st.sampled_from(["batch=true", "geo=us", "geo=global where feature=a", "model=claude-opus-5,batch=false"])


@given(st.lists(TEXTS, min_size=3, max_size=3), st.sampled_from(["a", "b"]))
def test_the_later_choice_holds_and_grouping_does_not_matter(texts, feature):
    a, b, c = (parse_choice(text, BOOK) for text in texts)
    one = call(feature=feature)
    assert a.then(b).then(c).levers_for(one) == a.then(b.then(c)).levers_for(one)
    assert a.then(b).levers_for(one) == a.levers_for(one).then(b.levers_for(one))


def test_a_choice_taken_apart_is_the_same_choice():
    choice = parse_choice("model=claude-opus-5,tokenizer=1.2,cache=end,ttl=1h,batch=true where feature=a", BOOK)
    steps = choice.lever_by_lever()
    assert [step.name for step in steps] == [
        "model=claude-opus-5 where feature=a",
        "cache=end 1h where feature=a",
        "batch=true where feature=a",
    ]
    together = Choice()
    for step in steps:
        together = together.then(step)
    assert together.levers_for(call(feature="a")) == choice.levers_for(call(feature="a"))


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1).filter(any))
def test_what_is_shared_out_adds_up_and_is_fair(total, weights):
    parts = shared_out(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


def test_counts_are_scaled_with_halves_up():
    assert [scaled(count, Fraction(1, 2)) for count in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert scaled(10, Fraction(13, 10)) == 13


def recorded(tokens, measured):
    blocks = tuple(PromptBlock(bytes([at] * 16), count, "system") for at, count in enumerate(tokens))
    request = Request(model="claude-sonnet-4-6", blocks=blocks)
    served = Served(model="claude-sonnet-4-6", usage=Usage(input_tokens=measured))
    return Call(call_id="c", sent_at=datetime(2026, 11, 20, tzinfo=UTC), source="t", served=served, request=request)


def test_blocks_that_add_up_are_left_alone_and_others_are_given_what_was_measured():
    assert prompt_of(recorded([3, 5, 2], 10), Lengths()).tokens == [3, 5, 2]
    assert not prompt_of(recorded([3, 5, 2], 10), Lengths()).is_calibrated
    scaled_up = prompt_of(recorded([3, 5, 2], 21), Lengths())
    assert scaled_up.tokens == [6, 11, 4]  # 6.3, 10.5, 4.2: the one left over goes to the largest remainder
    assert scaled_up.is_calibrated


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"calls_in_total": 3}, "a total of several calls"),
        ({"prompt_tokens_max_in_one_pass": 5}, "several passes"),
        ({"usage": Usage(input_tokens=10, web_search_requests=1)}, "several passes"),
        ({"usage": Usage()}, "no tokens"),
    ],
)
def test_why_a_cache_is_not_replayed(changed, why):
    import msgspec

    one = recorded([3, 5, 2], 10)
    assert why_not_replayed(one) is None
    served = msgspec.structs.replace(one.served, **changed)
    assert why in why_not_replayed(msgspec.structs.replace(one, served=served))
    assert "no blocks" in why_not_replayed(call())
