"""Modifiers composed, one response at a time. A thousand tokens of each class keep the sums readable."""

from datetime import UTC, datetime

import pytest

from farthing.call import ExtraPass, PassKind, Served, Usage
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.units import Kind

EACH = Usage(1_000, 1_000, 1_000, 1_000, 1_000)
NOW = "2026-11-20"


def bill_of(model, at=NOW, usage=EACH, **facts):
    served = Served(model=model, usage=usage, **facts)
    return price_served(shipped_book(), served, datetime.fromisoformat(at).replace(tzinfo=UTC))


def usd(*args, **facts):
    return bill_of(*args, **facts).list_usd


# Opus 5.5: 4 + 5 + 8 + 0.2 + 20 = 37.2 USD per million of each class; fast 74.4.
@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "0.0372"),
        ({"service_tier": "batch"}, "0.0186"),
        ({"inference_geo": "us"}, "0.04092"),
        ({"inference_geo": "global"}, "0.0372"),
        ({"inference_geo": "not_available"}, "0.0372"),
        ({"service_tier": "batch", "inference_geo": "us"}, "0.02046"),
        ({"speed": "fast"}, "0.0744"),
        ({"speed": "fast", "inference_geo": "us"}, "0.08184"),
    ],
)
def test_batch_geo_and_fast_on_every_class(facts, expected):
    assert usd("claude-opus-5-5", **facts) == expected


def test_one_band_moves_every_class_and_the_rest_multiplies_on_top():
    long = Usage(60_000, 20_000, 10_000, 10_001, 1_000)  # 100,001 prompt tokens on Haiku 5.5
    # 60,000 x 0.5 + 20,000 x 0.625 + 10,000 x 1 + 10,001 x 0.05 + 1,000 x 2.5 = 55,500.05 per million
    assert usd("claude-haiku-5-5", usage=long) == "0.05550005"
    assert usd("claude-haiku-5-5", usage=long, service_tier="batch", inference_geo="us") == "0.0305250275"


def test_fast_and_batch_contradict_each_other():
    bill = bill_of("claude-opus-5-5", speed="fast", service_tier="batch")
    assert bill.list_pusd is None
    assert bill.low_pusd is None
    assert bill.unpriced == ("batch and fast mode cannot be combined; the response contradicts itself",)


# Sonnet 4.5: 3 + 3.75 + 6 + 0.3 + 15 = 28.05; regional x 1.1 = 30.855.
@pytest.mark.parametrize(
    ("model", "facts", "expected"),
    [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", {}, "0.030855"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", {}, "0.030855"),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", {}, "0.030855"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", {}, "0.02805"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", {"location": "eu-west-1"}, "0.02805"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", {"service_tier": "batch"}, "0.0154275"),
        ("claude-sonnet-4-5@20250929", {"location": "global"}, "0.02805"),
        ("claude-sonnet-4-5@20250929", {"location": "us-east5"}, "0.030855"),
        ("claude-sonnet-4-5@20250929", {"location": "eu"}, "0.030855"),
        ("claude-sonnet-4-5", {"channel": "bedrock", "location": "eu-west-1"}, "0.030855"),
        ("claude-sonnet-4-5", {"channel": "claude_platform_aws", "location": "eu-west-1"}, "0.02805"),
        ("claude-sonnet-4-5", {"channel": "foundry", "location": "swedencentral"}, "0.02805"),
        ("claude-sonnet-4-5", {"channel": "google_anthropic", "location": "eu"}, "0.02805"),
        # Before the 4.5 generation one price everywhere: Opus 4.1 is 15 + 18.75 + 30 + 1.5 + 75.
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", {}, "0.14025"),
        ("claude-opus-4-1@20250805", {"location": "us-east5"}, "0.14025"),
    ],
)
def test_regional_endpoints_of_partners(model, facts, expected):
    bill = bill_of(model, **facts)
    assert bill.list_usd == expected
    assert bill.kind is Kind.MEASURED


def test_an_endpoint_nobody_stated_is_assumed_global_and_says_so():
    bill = bill_of("claude-sonnet-4-5@20250929")
    assert (bill.list_usd, bill.kind) == ("0.02805", Kind.ASSUMED)
    assert any("endpoint not stated" in note for note in bill.notes)


def test_the_premium_began_on_its_day():
    opus = "us.anthropic.claude-opus-4-1-20250805-v1:0"
    assert usd(opus, "2025-09-28") == usd(opus, "2025-09-29") == "0.14025"
    assert usd("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "2025-09-29") == "0.030855"


@pytest.mark.parametrize(("at", "expected"), [("2024-10-07", None), ("2024-10-08", "0.0015")])
def test_batch_began_on_its_day(at, expected):
    model = "claude-3-5-sonnet-20240620"
    assert usd(model, at, Usage(input_tokens=1_000), service_tier="batch") == expected
    assert usd(model, at, Usage(input_tokens=1_000)) == "0.003"


@pytest.mark.parametrize(("at", "expected"), [("2026-02-05", "0.0055"), ("2026-02-04", None)])
def test_us_only_inference_began_on_its_day(at, expected):
    assert usd("claude-opus-4-6", at, Usage(input_tokens=1_000), inference_geo="us") == expected


@pytest.mark.parametrize(
    ("at", "count", "expected"),
    [("2025-05-06", 0, "0.003"), ("2025-05-07", 2, "0.023"), (NOW, 2, "0.023"), (NOW, 1_000, "10.003")],
)
def test_web_searches_cost_a_fee_each(at, count, expected):
    model = "claude-3-7-sonnet-20250219" if at < "2026" else "claude-sonnet-4-6"
    assert usd(model, at, Usage(input_tokens=1_000, web_search_requests=count)) == expected


def test_no_token_multiplier_touches_the_fee():
    usage = Usage(input_tokens=1_000, web_search_requests=1)
    assert usd("claude-sonnet-4-6", usage=usage, service_tier="batch", inference_geo="us") == "0.01165"


def test_searches_before_a_fee_was_published_are_unpriced_not_free():
    bill = bill_of("claude-3-7-sonnet-20250219", "2025-05-06", Usage(input_tokens=1_000, web_search_requests=2))
    assert bill.list_pusd is None
    assert bill.unpriced == ("no fee for web searches was published on 2025-05-06",)
    assert [(line.pusd, line.usd_per_unit) for line in bill.lines][-1] == (None, None)


def test_fetches_are_free_and_code_execution_says_what_is_left_out():
    usage = Usage(input_tokens=1_000, web_fetch_requests=3, code_execution_requests=2)
    bill = bill_of("claude-sonnet-4-6", usage=usage)
    assert bill.list_usd == "0.003"
    assert any("container-hour" in note for note in bill.notes)


PROMPT_ONLY = Usage(input_tokens=1_000)
BILLED_CATEGORIES = ("bio", "frontier_llm", "reasoning_extraction")


@pytest.mark.parametrize("category", [*BILLED_CATEGORIES, "cyber", "general_harms", None])
@pytest.mark.parametrize("at", ["2026-06-01", "2026-06-02", "2026-09-23", "2026-09-24", NOW])
@pytest.mark.parametrize("channel", ["claude_api", "bedrock", "google_cloud", "foundry"])
def test_a_refusal_before_any_output(category, at, channel):
    facts = {"stop_reason": "refusal", "refusal_category": category, "channel": channel, "location": "global"}
    bill = bill_of("claude-opus-4-6", at, PROMPT_ONLY, **facts)
    if at < "2026-06-02":
        assert bill.list_usd == "0.005"
    elif at >= "2026-09-24":
        assert bill.list_usd == ("0.005" if category in BILLED_CATEGORIES else "0")
    elif channel == "claude_api":
        assert bill.list_usd == "0"
    else:  # whether partners billed it then is unconfirmed
        assert (bill.list_pusd, bill.low_pusd, bill.high_pusd) == (None, 0, 5_000_000_000)
        assert "UNCONFIRMED" in bill.unpriced[0]


@pytest.mark.parametrize("at", ["2026-06-01", "2026-06-02", "2026-09-24"])
@pytest.mark.parametrize(
    "facts", [{"usage": Usage(input_tokens=1_000, output_tokens=10)}, {"usage": PROMPT_ONLY, "output_started": True}]
)
def test_a_refusal_in_mid_stream_is_always_billed(at, facts):
    output_usd = {0: "0.005", 10: "0.00525"}[facts["usage"].output_tokens]
    assert usd("claude-opus-4-6", at, stop_reason="refusal", **facts) == output_usd


def test_placeholder_output_is_not_output():
    facts = {"usage": Usage(input_tokens=1_000, output_tokens=1), "stop_reason": "refusal", "output_started": False}
    assert usd("claude-opus-4-6", "2026-08-01", **facts) == "0"


def test_an_advisor_is_billed_at_its_own_model_and_standard_speed():
    advisor = ExtraPass(PassKind.ADVISOR, Usage(input_tokens=2_000, output_tokens=500), "claude-opus-5-5")
    bill = bill_of("claude-haiku-5-5", usage=Usage(input_tokens=1_000, output_tokens=100), extra_passes=(advisor,))
    assert bill.list_usd == "0.01815"  # 0.0001 + 0.00005 + 0.008 + 0.01
    assert {line.model for line in bill.lines} == {"claude-haiku-5-5", "claude-opus-5-5"}
    assert {line.part for line in bill.lines} == {"request", "advisor_message"}


def test_a_fast_request_does_not_make_its_advisor_fast():
    advisor = ExtraPass(PassKind.ADVISOR, Usage(output_tokens=1_000), "claude-opus-5")
    bill = bill_of("claude-opus-5-5", usage=Usage(output_tokens=1_000), speed="fast", extra_passes=(advisor,))
    assert bill.list_usd == "0.065"  # 0.04 fast + 0.025 standard


def test_a_compaction_runs_at_the_speed_of_its_request():
    compaction = ExtraPass(PassKind.COMPACTION, Usage(output_tokens=1_000))
    bill = bill_of("claude-opus-5-5", usage=Usage(output_tokens=1_000), speed="fast", extra_passes=(compaction,))
    assert bill.list_usd == "0.08"


def test_an_extra_pass_is_judged_by_its_own_prompt():
    compaction = ExtraPass(PassKind.COMPACTION, Usage(input_tokens=100_001, output_tokens=1_000))
    bill = bill_of(
        "claude-haiku-5-5", usage=Usage(input_tokens=10_000, output_tokens=1_000), extra_passes=(compaction,)
    )
    assert bill.list_usd == "0.0540005"  # 0.0015 in the low band + 0.0525005 in the high one


def test_an_extra_pass_takes_batch_and_geo_with_it():
    compaction = ExtraPass(PassKind.COMPACTION, Usage(input_tokens=1_000))
    facts = {"usage": Usage(input_tokens=1_000), "service_tier": "batch", "inference_geo": "us"}
    assert usd("claude-opus-5-5", extra_passes=(compaction,), **facts) == "0.0044"


def test_an_extra_pass_does_not_make_an_unstated_endpoint_certain():
    compaction = ExtraPass(PassKind.COMPACTION, Usage(input_tokens=1_000))
    facts = {"usage": PROMPT_ONLY, "channel": "bedrock", "extra_passes": (compaction,)}
    assert bill_of("claude-opus-4-6", **facts).kind is Kind.ASSUMED
    assert bill_of("claude-opus-4-6", location="global", **facts).kind is Kind.MEASURED


def test_a_refusal_that_is_not_billed_needs_no_rate():
    """No price of Mythos Preview's cache was ever published; nobody asks for it here."""
    facts = {"usage": Usage(cache_read_tokens=1_000), "stop_reason": "refusal"}
    assert usd("claude-mythos-preview", "2026-08-01", **facts) == "0"
    assert usd("claude-mythos-preview", "2026-06-01", **facts) is None


def test_an_advisor_without_a_model_is_unpriced():
    bill = bill_of("claude-opus-5-5", extra_passes=(ExtraPass(PassKind.ADVISOR, Usage(input_tokens=10)),))
    assert bill.list_pusd is None
    assert bill.unpriced == ("advisor_message: the response does not say which model ran this pass",)


@pytest.mark.parametrize(
    ("at", "expected"), [("2026-06-01", "0.0075"), ("2026-06-02", "0.005"), ("2026-09-24", "0.005")]
)
def test_a_declined_attempt_follows_the_refusal_rule(at, expected):
    declined = ExtraPass(PassKind.DECLINED, Usage(input_tokens=500), "claude-opus-4-6")
    assert usd("claude-opus-4-8", at, PROMPT_ONLY, extra_passes=(declined,)) == expected


@pytest.mark.parametrize(
    ("at", "output", "kind"),
    [
        ("2026-09-23", 0, Kind.MEASURED),  # free in every category
        ("2026-09-24", 0, Kind.ASSUMED),  # free in some, and the response does not say which it was
        ("2026-09-24", 7, Kind.MEASURED),  # it wrote something: billed
    ],
)
def test_of_a_declined_attempt_the_category_may_not_be_known(at, output, kind):
    declined = ExtraPass(PassKind.DECLINED, Usage(input_tokens=500, output_tokens=output), "claude-opus-4-6")
    bill = bill_of("claude-opus-4-8", at, PROMPT_ONLY, extra_passes=(declined,))
    assert bill.kind is kind
    assert ("does not say its category" in "".join(bill.notes)) == (kind is Kind.ASSUMED)


@pytest.mark.parametrize(
    ("at", "category", "expected"),
    [
        ("2026-06-01", "cyber", "0.0075"),  # every refusal was billed: 1,000 and 500 tokens at $5
        ("2026-06-02", "bio", "0.005"),  # none was
        ("2026-09-24", "bio", "0.0075"),
        ("2026-09-24", "frontier_llm", "0.0075"),
        ("2026-09-24", "reasoning_extraction", "0.0075"),
        ("2026-09-24", "cyber", "0.005"),
        ("2026-09-24", "general_harms", "0.005"),
        ("2026-09-24", "", "0.005"),  # the response says that it has no category
    ],
)
def test_a_declined_attempt_whose_category_is_known_is_billed_by_it(at, category, expected):
    declined = ExtraPass(PassKind.DECLINED, Usage(input_tokens=500), "claude-opus-4-6", category)
    assert usd("claude-opus-4-8", at, PROMPT_ONLY, extra_passes=(declined,)) == expected
    assert bill_of("claude-opus-4-8", at, PROMPT_ONLY, extra_passes=(declined,)).kind is Kind.MEASURED


def test_a_declined_attempt_of_a_category_that_no_rule_names_is_bounded():
    declined = ExtraPass(PassKind.DECLINED, Usage(input_tokens=500), "claude-opus-4-6", "new_one")
    bill = bill_of("claude-opus-4-8", "2026-09-24", PROMPT_ONLY, extra_passes=(declined,))
    assert (bill.list_pusd, bill.low_pusd, bill.high_pusd) == (None, 5 * 10**9, 7_500_000_000)


def test_a_declined_attempt_on_a_partner_channel_is_bounded_while_nobody_knows():
    bedrock = "global.anthropic.claude-opus-4-8"
    declined = ExtraPass(PassKind.DECLINED, Usage(input_tokens=1_000), bedrock)
    bill = bill_of(bedrock, "2026-08-01", PROMPT_ONLY, extra_passes=(declined,))
    assert (bill.list_pusd, bill.low_pusd, bill.high_pusd) == (None, 5_000_000_000, 10_000_000_000)
    assert "on bedrock on 2026-08-01 is UNCONFIRMED" in bill.unpriced[0]


@pytest.mark.parametrize("output", [0, 7])
def test_a_declined_attempt_that_wrote_something_is_billed(output):
    declined = ExtraPass(PassKind.DECLINED, Usage(input_tokens=500, output_tokens=output), "claude-opus-4-6")
    expected = {0: "0.005", 7: "0.007675"}[output]
    assert usd("claude-opus-4-8", NOW, PROMPT_ONLY, extra_passes=(declined,)) == expected


@pytest.mark.parametrize(
    ("model", "facts", "says"),
    [
        ("claude-opus-5-5", {"service_tier": "priority"}, "never published"),
        ("claude-opus-5-5", {"service_tier": "platinum"}, "known: standard, batch, priority"),
        ("claude-opus-5-5", {"inference_geo": "mars"}, "'mars'"),
        ("claude-sonnet-4-5", {"inference_geo": "us"}, "no published price"),
        (
            "global.anthropic.claude-opus-5-5",
            {"inference_geo": "us"},
            "no published price on claude-opus-5-5 (bedrock)",
        ),
        ("claude-opus-5-5", {"channel": "carrier_pigeon"}, "known: claude_api, claude_platform_aws, bedrock"),
        ("claude-opus-5-5", {"speed": "ludicrous"}, "no ludicrous rate"),
        ("claude-sonnet-5-5", {"speed": "fast"}, "no fast rate"),
        ("claude-sonnet-5-6", {}, "nearest known ids: claude-sonnet-5"),
        ("claude-2.0", {"service_tier": "batch"}, "no standard rate on 2026-11-20"),
        ("claude-opus-5-5", {"channel": "google_cloud", "service_tier": "batch"}, "UNCONFIRMED"),
        ("us.anthropic.claude-mythos-preview", {"usage": PROMPT_ONLY}, "UNCONFIRMED"),
        ("claude-mythos-preview", {"usage": EACH}, "no published cache_write_5m_tokens rate"),
    ],
)
def test_what_nobody_published_is_unpriced_and_says_why(model, facts, says):
    bill = bill_of(model, **facts)
    assert bill.list_pusd is None
    assert says in "; ".join(bill.unpriced)


@pytest.mark.parametrize(
    ("usage", "facts", "low", "high"),
    [
        # A day's total: every call may have been short, or one long.
        (Usage(input_tokens=150_000, output_tokens=1_000), {"calls_in_total": None}, "0.0155", "0.0775"),
        # A search loop reports the sum of its prompts.
        (Usage(150_000, output_tokens=1_000, web_search_requests=1), {}, "0.0255", "0.0875"),
        # No single prompt was long, but the sum is.
        (
            Usage(input_tokens=150_000, output_tokens=1_000),
            {"prompt_tokens_max_in_one_pass": 90_000},
            "0.0155",
            "0.0775",
        ),
    ],
)
def test_what_cannot_be_banded_lies_between_bounds(usage, facts, low, high):
    bill = bill_of("claude-haiku-5-5", usage=usage, **facts)
    shown = bill.to_json()
    assert shown["cost_usd"] is None
    assert (shown["low_usd"], shown["high_usd"]) == (low, high)
    assert bill.unpriced


@pytest.mark.parametrize(
    ("usage", "facts", "expected"),
    [
        (Usage(input_tokens=100_000), {"calls_in_total": None}, "0.01"),
        (Usage(100_000, web_search_requests=1), {}, "0.02"),
        (Usage(input_tokens=250_000), {"prompt_tokens_max_in_one_pass": 120_000}, "0.125"),
    ],
)
def test_a_sum_that_fits_one_band_either_way_is_exact(usage, facts, expected):
    assert usd("claude-haiku-5-5", usage=usage, **facts) == expected


# Since 2026-04-30 Sonnet 4.5 takes no prompt over 200,000 tokens, so a longer total is made of shorter ones.
@pytest.mark.parametrize(
    ("usage", "facts", "expected"),
    [
        (Usage(input_tokens=5_000_000), {"calls_in_total": None}, "15"),
        (Usage(input_tokens=5_000_000), {"calls_in_total": 400}, "15"),
        (Usage(300_000, web_search_requests=1), {}, "0.91"),
        (Usage(input_tokens=300_000), {"prompt_tokens_max_in_one_pass": 150_000}, "0.9"),
        (Usage(input_tokens=300_000), {"prompt_tokens_max_in_one_pass": 200_001}, None),
        (Usage(input_tokens=200_001), {}, None),
    ],
)
def test_a_total_over_a_limit_that_single_prompts_keep(usage, facts, expected):
    assert usd("claude-sonnet-4-5", usage=usage, **facts) == expected


def test_a_bill_names_rule_source_and_confidence_of_every_line():
    bill = bill_of("claude-fable-5-2", service_tier="batch", inference_geo="us")
    for line in bill.lines:
        assert line.rule == "claude-fable-5-2 standard from 2026-11-09, x 0.5 batch, x 1.1 inference_geo_us"
        assert "A-REL" in line.source
        assert line.confidence == "input/output confirmed; cache columns third-party"


@pytest.mark.parametrize(
    ("model", "channel", "on", "expected"),
    [
        ("claude-opus-5-5", "claude_api", "2026-09-22", "8"),
        ("claude-opus-5-5", "google_anthropic", "2026-10-21", None),
        ("claude-opus-5-5", "google_anthropic", "2026-10-22", "8"),
        ("claude-fable-5-2", "google_cloud", "2026-11-12", "16"),
        ("claude-opus-5-5", "google_cloud", "2026-11-12", None),
        ("claude-opus-5", "claude_platform_aws", "2026-11-12", None),
        ("us.anthropic.claude-opus-5-5", "bedrock", "2026-11-12", None),
        ("claude-opus-5-5", "foundry", "2026-11-12", None),
    ],
)
def test_fast_mode_has_a_price_only_where_it_is_sold(model, channel, on, expected):
    """Facts 4.4: the Claude API; Opus 5.5 on Google Cloud (Anthropic managed); Fable 5.2 on Google Cloud."""
    usage = Usage(input_tokens=1_000_000)
    served = Served(model=model, usage=usage, channel=channel, location="global", speed="fast")
    bill = price_served(shipped_book(), served, datetime.fromisoformat(f"{on}T12:00:00+00:00"))
    assert bill.list_usd == expected


def test_a_refusal_of_a_category_that_no_rule_names_has_bounds():
    bill = bill_of(
        "claude-opus-5-5", usage=Usage(input_tokens=1_000), stop_reason="refusal", refusal_category="new_kind"
    )
    assert (bill.list_pusd, bill.low_pusd, bill.high_pusd) == (None, 0, 4_000_000_000)
    assert "'new_kind'" in bill.unpriced[0]


def test_an_id_of_any_length_makes_a_short_message():
    (reason,) = bill_of("x" * 100_000).unpriced
    assert len(reason) < 400
