"""Exact ids only: near misses are unpriced and name their neighbours, partner ids say what they mean."""

from datetime import UTC, datetime

import msgspec
import pytest

from farthing.call import Served, Usage
from farthing.errors import BadPriceBook
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.prices.names import CHANNELS, NameTable

NAMES = shipped_book().names


def price(model, **facts):
    served = Served(model=model, usage=Usage(input_tokens=1_000_000), **facts)
    return price_served(shipped_book(), served, datetime(2026, 11, 20, tzinfo=UTC))


# Ids that are prefixes of each other, at different prices.
@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("claude-opus-5", "5"),
        ("claude-opus-5-5", "4"),
        ("claude-opus-4-8", "5"),
        ("claude-fable-5", "10"),
        ("claude-fable-5-2", "8"),
        ("claude-haiku-5-5", "0.5"),
        ("claude-haiku-4-5-20251001", "1"),
        ("us.anthropic.claude-opus-5-5", "4.4"),
        ("arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-opus-5-5", "4.4"),
        ("arn:aws:bedrock:us-west-2:123456789012:inference-profile/global.anthropic.claude-opus-5", "5"),
        ("arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0", "1.1"),
        (
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude-sonnet-4-6",
            "3.3",
        ),
    ],
)
def test_an_exact_id_has_its_own_price(model, usd):
    assert price(model).list_usd == usd


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-4.1",
        "claude-opus-5.5",
        "claude-opus-5-5-20260922",
        "claude-opus",
        "claude-sonnet-5-",
        "Claude-Opus-5",
        " claude-opus-5",
        "claude-opus-5[1m]",
        "anthropic/claude-opus-5",
        "us.claude-opus-5",
        "mars.anthropic.claude-opus-5",
        "anthropic.claude-opus-5-v1:0",
        "claude-sonnet-4-5@latest",
        "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3",
        "arn:aws:bedrock:us-west-2:123456789012:provisioned-model/a1b2c3",
        "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-opus-9",
        "gpt-4o",
        "",
        "<synthetic>",
    ],
)
def test_a_near_miss_is_unpriced_never_a_neighbours_price_and_never_zero(model):
    bill = price(model)
    assert (bill.list_pusd, bill.low_pusd, bill.high_pusd) == (None, None, None)
    assert bill.lines == ()
    assert len(bill.unpriced) == 1
    assert "is not in the price book" in bill.unpriced[0]


@pytest.mark.parametrize(
    ("model", "neighbour"),
    [
        ("claude-opus-4.1", "claude-opus-4-1"),
        ("claude-opus-5.5", "claude-opus-5-5"),
        ("claude-sonnet-6", "claude-sonnet-5"),
        ("claude-haiku-4-5@20251002", "claude-haiku-4-5@20251001"),
    ],
)
def test_the_nearest_ids_are_named(model, neighbour):
    assert neighbour in price(model).unpriced[0].split("nearest known ids: ")[1].split(", ")


def test_every_id_names_the_same_model_on_every_channel():
    owners = {}
    for channel in CHANNELS:
        for known in NAMES.all_ids(channel):
            named = NAMES.find(known, channel)
            assert owners.setdefault(known, named.model.id) == named.model.id
    assert len(owners) > 300


def test_a_partners_id_is_not_accepted_where_it_cannot_be():
    assert NAMES.find("us.anthropic.claude-opus-5", "foundry") is None
    assert NAMES.find("claude-sonnet-4-5@20250929", "bedrock") is None
    assert NAMES.find("us.anthropic.claude-opus-5").channel == "bedrock"
    assert NAMES.find("claude-sonnet-4-5@20250929").channel == "google_cloud"


def test_a_profile_nobody_saw_says_so():
    assert any("was not seen" in note for note in price("jp.anthropic.claude-opus-5-5").notes)
    assert not price("jp.anthropic.claude-opus-5").notes


def test_one_id_for_two_models_is_refused_on_one_channel_and_across_two():
    opus = NAMES.find("claude-opus-5").model
    sonnet = NAMES.find("claude-sonnet-5").model
    same = msgspec.structs.replace(sonnet, ids=msgspec.structs.replace(sonnet.ids, claude_api=("claude-opus-5",)))
    with pytest.raises(BadPriceBook, match="names both Claude Opus 5 and Claude Sonnet 5"):
        NameTable([opus, same])
    across = msgspec.structs.replace(sonnet, ids=msgspec.structs.replace(sonnet.ids, google_cloud=("claude-opus-5",)))
    with pytest.raises(BadPriceBook, match="'claude-opus-5'"):
        NameTable([opus, across])


def test_a_model_without_a_claude_api_id_is_refused():
    opus = NAMES.find("claude-opus-5").model
    nameless = msgspec.structs.replace(opus, ids=msgspec.structs.replace(opus.ids, claude_api=()))
    with pytest.raises(BadPriceBook, match="no Claude API id"):
        NameTable([nameless])
