"""Contracts: each term alone, their order, and what must hold for a whole month."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Served, Usage
from farthing.errors import BadConfig
from farthing.money import PUSD_PER_USD
from farthing.prices.book import shipped_book
from farthing.prices.commitments import drawdown
from farthing.prices.contract_reading import parse_terms, read_terms
from farthing.prices.contracts import day_credits, price_under
from farthing.prices.engine import price_served

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
USAGE = Usage(1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000)


def bill_of(model="claude-opus-5-5", usage=USAGE, at=AT, **facts):
    return price_served(shipped_book(), Served(model=model, usage=usage, **facts), at)


def usd(toml, bill, at=AT, month_to_date_usd=0):
    terms = parse_terms('name = "test"\n' + toml)
    priced = price_under(terms, bill, at, month_to_date_usd * PUSD_PER_USD)
    assert priced.list_pusd == bill.list_pusd
    assert priced.contract is None or priced.contract == sum(line.contract for line in priced.lines)
    return priced.to_json()["contract_usd"]


# Opus 5.5 list: 4 + 5 + 8 + 0.2 + 20 = 37.2 USD for a million of each.
@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("", "37.2"),
        ('[[discount]]\npercent = "12.5"', "32.55"),
        ('[[discount]]\npercent = "12.5"\nvalid_from = 2026-11-20', "32.55"),
        ('[[discount]]\npercent = "12.5"\nvalid_from = 2026-11-21', "37.2"),
        ('[[discount]]\npercent = "12.5"\nvalid_to = 2026-11-20', "37.2"),
        ('[[discount]]\npercent = "10"\nmodels = ["claude-opus-5-5"]', "33.48"),
        ('[[discount]]\npercent = "10"\nmodels = ["claude-opus-5"]', "37.2"),
        ('[[discount]]\npercent = "10"\nfamilies = ["opus"]', "33.48"),
        ('[[discount]]\npercent = "10"\nfamilies = ["sonnet"]', "37.2"),
        ('[[discount]]\npercent = "10"\nchannels = ["claude_api"]', "33.48"),
        ('[[discount]]\npercent = "10"\nchannels = ["bedrock"]', "37.2"),
        ('[[discount]]\npercent = "50"\nunits = ["output_tokens"]', "27.2"),
        # The most specific applies, alone.
        ('[[discount]]\npercent = "10"\n[[discount]]\npercent = "20"\nfamilies = ["opus"]', "29.76"),
        (
            '[[discount]]\npercent = "30"\nfamilies = ["opus"]\n'  # noqa: ISC004 - one document on two lines
            '[[discount]]\npercent = "9"\nmodels = ["claude-opus-5-5"]',
            "33.852",
        ),
        # Fixed rates take no discount; a class without one stays at list and does.
        ('[[fixed]]\nmodel = "claude-opus-5-5"\ninput = "3"\noutput = "15"', "31.2"),
        (
            '[[fixed]]\nmodel = "claude-opus-5-5"\ninput = "3"\noutput = "15"\n[[discount]]\npercent = "10"',
            "29.88",  # 3 + 15 + 0.9 x 13.2
        ),
        ('[[fixed]]\nmodel = "claude-opus-5-5"\nspeed = "fast"\ninput = "3"', "37.2"),
        ('[[marketplace]]\nchannel = "claude_api"\nkind = "markup"\npercent = "3"', "38.316"),
        ('[[marketplace]]\nchannel = "claude_api"\nkind = "discount"\npercent = "3"', "36.084"),
        ('[[marketplace]]\nchannel = "foundry"\nkind = "markup"\npercent = "3"', "37.2"),
        (
            '[[discount]]\npercent = "10"\n[[marketplace]]\nchannel = "claude_api"\nkind = "markup"\npercent = "3"',
            "34.4844",
        ),
    ],
)
def test_terms_and_their_order(toml, expected):
    assert usd(toml, bill_of()) == expected


def test_fixed_rates_keep_the_usual_multipliers():
    fixed = '[[fixed]]\nmodel = "claude-opus-5-5"\ninput = "3"'
    usage = Usage(input_tokens=1_000_000)
    assert usd(fixed, bill_of(usage=usage, service_tier="batch", inference_geo="us")) == "1.65"
    assert usd(fixed, bill_of("us.anthropic.claude-opus-5-5", usage)) == "3.3"


def test_fixed_rates_of_one_band():
    low = '[[fixed]]\nmodel = "claude-haiku-5-5"\nprompt_tokens_up_to = 100000\ninput = "0.08"'
    assert usd(low, bill_of("claude-haiku-5-5", Usage(input_tokens=100_000))) == "0.008"
    assert usd(low, bill_of("claude-haiku-5-5", Usage(input_tokens=100_001))) == "0.0500005"
    total = bill_of("claude-haiku-5-5", Usage(input_tokens=90_000), calls_in_total=None)
    assert usd(low, total) == "0.0072"


@pytest.mark.parametrize(("prompt_tokens", "expected"), [(50_000, "0.2"), (50_001, "0.150003")])
def test_fixed_rates_of_a_band_that_list_does_not_have(prompt_tokens, expected):
    """A limit itself belongs to the lower band, here as in the price book: 50,000 x 4, then 50,001 x 3."""
    toml = '[[fixed]]\nmodel = "claude-opus-5-5"\nprompt_tokens_over = 50000\ninput = "3"'
    assert usd(toml, bill_of(usage=Usage(input_tokens=prompt_tokens))) == expected


def test_fees_take_no_discount_unless_named_but_a_marketplace_takes_its_share():
    bill = bill_of(usage=Usage(1_000_000, web_search_requests=100))  # 4 + 1
    assert usd('[[discount]]\npercent = "10"', bill) == "4.6"
    assert usd('[[discount]]\npercent = "10"\nunits = ["web_search_requests"]', bill) == "4.9"
    assert usd('[[marketplace]]\nchannel = "claude_api"\nkind = "markup"\npercent = "10"', bill) == "5.5"


MARGINAL = """
[[volume]]
mode = "marginal"
tier = [
  { list_usd_over = "0", percent = "0" },
  { list_usd_over = "100", percent = "5" },
  { list_usd_over = "120", percent = "10" },
]
"""
WHOLE = MARGINAL.replace("marginal", "whole-month")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (0, "37.2"),
        (62, "37.2"),  # 62 + 37.2 = 99.2: all below 100
        (80, "36.34"),  # 20 at 0 %, 17.2 at 5 %: 37.2 - 0.86
        (90, "35.48"),  # 10 at 0 %, 20 at 5 %, 7.2 at 10 %: 37.2 - 1 - 0.72
        (100, "34.48"),  # 20 at 5 %, 17.2 at 10 %
        (120, "33.48"),
    ],
)
def test_a_call_across_a_tier_is_split_exactly(before, expected):
    assert usd(MARGINAL, bill_of(), month_to_date_usd=before) == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (0, "37.2"),
        (80, "31.34"),  # reaches 5 %: 0.05 x (37.2 + 80) off
        (110, "27.98"),  # from 5 to 10 %: 0.1 x 37.2 and 0.05 x 110 off
        (120, "27.48"),  # exactly 120 is still the 5 % tier
        (121, "33.48"),
    ],
)
def test_whole_month_tiers_are_credited_when_they_are_reached(before, expected):
    assert usd(WHOLE, bill_of(), month_to_date_usd=before) == expected


ONE_TIER = """
[[volume]]
mode = "whole-month"
tier = [{ list_usd_over = "0", percent = "0" }, { list_usd_over = "10", percent = "5" }]
"""


def test_the_first_call_of_a_month_has_no_calls_before_it_to_credit():
    priced = price_under(parse_terms(f'name = "test"\n{ONE_TIER}'), bill_of(), AT)
    assert [line.contract for line in priced.lines if line.what == "volume credit"] == [-186 * PUSD_PER_USD // 100]


def test_a_call_at_fixed_rates_neither_counts_nor_gets_the_credit():
    fixed = '[[fixed]]\nmodel = "claude-opus-5-5"\ninput = "3"\n' + MARGINAL
    terms = parse_terms('name = "test"\n' + fixed)
    priced = price_under(terms, bill_of(usage=Usage(input_tokens=1_000_000)), AT, 10**15)
    assert (priced.contract, priced.counted_list_pusd) == (3 * PUSD_PER_USD, 0)


def test_what_has_no_list_price_has_no_contract_price():
    bill = bill_of("claude-opus-9")
    assert usd('[[discount]]\npercent = "10"', bill) is None


def test_a_refusal_that_is_not_billed_is_not_billed_under_fixed_rates():
    bill = bill_of(usage=Usage(input_tokens=1_000_000), stop_reason="refusal")
    assert bill.list_usd == "0"
    assert usd('[[fixed]]\nmodel = "claude-opus-5-5"\ninput = "3"', bill) == "0"


def test_an_amount_finer_than_a_picodollar_stays_exact_and_is_posted_by_the_named_rule():
    bill = bill_of("claude-haiku-5-5", Usage(cache_read_tokens=1), service_tier="batch", inference_geo="us")
    terms = parse_terms('name = "test"\n[[discount]]\npercent = "12.345"')
    priced = price_under(terms, bill, AT)
    assert bill.list_pusd == 5_500
    assert priced.contract == Fraction(5_500) * (1 - Fraction("0.12345")) == Fraction("4821.025")
    assert priced.to_json()["contract_usd"] == "0.000000004821025"
    assert priced.posted_pusd == 4_821


def test_lines_say_which_term_applied():
    terms = parse_terms('name = "test"\n[[discount]]\npercent = "10"\nfamilies = ["opus"]\n' + MARGINAL)
    priced = price_under(terms, bill_of(usage=Usage(1_000_000, web_search_requests=1)), AT, 110 * PUSD_PER_USD)
    assert [(line.what, line.terms) for line in priced.lines] == [
        ("input_tokens", ("10 % off opus",)),
        ("web_search_requests", ("list price",)),
        ("volume credit", ("5 % of list volume over 100 USD",)),
    ]


MIXED = (
    '[[discount]]\npercent = "10"\nfamilies = ["opus"]\n'
    '[[fixed]]\nmodel = "claude-sonnet-5-5"\ninput = "1.7"\noutput = "8.5"\n'
    '[[marketplace]]\nchannel = "claude_platform_aws"\nkind = "markup"\npercent = "2.5"\n'
)
small = st.integers(0, 20_000_000)
calls = st.lists(
    st.builds(
        Served,
        model=st.sampled_from(["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-2"]),
        usage=st.builds(Usage, small, small, small, small, small),
        channel=st.sampled_from(["claude_api", "claude_platform_aws"]),
    ),
    max_size=6,
)


def month(terms, served_calls):
    """What calls of one month cost, one after another."""
    total, counted_pusd = Fraction(0), 0
    for served in served_calls:
        bill = price_under(terms, price_served(shipped_book(), served, AT), AT, counted_pusd)
        total, counted_pusd = total + bill.contract, counted_pusd + bill.counted_list_pusd
    return total


@given(st.data(), calls, st.sampled_from([MARGINAL, WHOLE]))
def test_a_month_costs_the_same_in_any_order(data, served_calls, volume):
    terms = parse_terms('name = "test"\n' + MIXED + volume)
    shuffled = data.draw(st.permutations(served_calls))
    assert month(terms, served_calls) == month(terms, shuffled)


@given(calls, small.filter(bool))
def test_one_more_token_never_costs_less_under_marginal_tiers(served_calls, more):
    terms = parse_terms('name = "test"\n' + MIXED + MARGINAL)
    extra = Served(model="claude-opus-5-5", usage=Usage(input_tokens=more))
    assert month(terms, [extra, *served_calls]) > month(terms, served_calls)


@given(calls, st.sampled_from(["0", "0.0"]))
def test_a_discount_of_nothing_is_list(served_calls, zero):
    terms = parse_terms(f'name = "test"\n[[discount]]\npercent = "{zero}"')
    listed = sum(price_served(shipped_book(), served, AT).list_pusd for served in served_calls)
    assert month(terms, served_calls) == listed


@given(calls)
def test_everything_off_is_free_and_never_below(served_calls):
    assert month(parse_terms('name = "test"\n[[discount]]\npercent = "100"'), served_calls) == 0


def test_volume_begins_anew_each_month():
    terms = parse_terms('name = "test"\n' + MARGINAL)
    counted = [(date(2026, 10, 30), 100), (date(2026, 10, 31), 100), (date(2026, 11, 1), 100)]
    found = day_credits(terms, [(day, usd * PUSD_PER_USD) for day, usd in counted])
    assert [(day, line.contract / PUSD_PER_USD) for day, line in found] == [
        (date(2026, 10, 31), -1),
        (date(2026, 10, 31), -8),
    ]


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("nmae = 1", "nmae"),
        ("[[discount]]\npercent = 10", "str"),
        ('[[discount]]\npercent = "ten"', "decimal number"),
        ('[[discount]]\npercent = "101"', "0 to 100"),
        ('[[discount]]\npercent = "-1"', "0 to 100"),
        ('[[discount]]\npercent = "10"\nvalid_from = 2026-01-01\nvalid_to = 2026-01-01', "not after"),
        ('[[discount]]\npercent = "10"\nchannels = ["carrier_pigeon"]', "carrier_pigeon"),
        ('[[discount]]\npercent = "10"\n[[discount]]\npercent = "20"', "claim the same line"),
        ('[[discount]]\npercent = "10"\nunits = ["thinking_tokens"]', "thinking_tokens"),
        ('[[fixed]]\nmodel = "m"\ninput = "-1"', "0 or more"),
        ('[[fixed]]\nmodel = "m"\ninput = "1"\n[[fixed]]\nmodel = "m"\ninput = "2"', "claim the same line"),
        ('[[volume]]\nmode = "marginal"\ntier = []', "out of order"),
        ('[[volume]]\nmode = "marginal"\ntier = [{list_usd_over = "5", percent = "1"}]', "out of order"),
        (MARGINAL + MARGINAL, "claim the same line"),
        ('[[discount]]\npercent = "95"\n' + MARGINAL, "leave something to pay"),
        ('[[commitment]]\nname = "c"\nperiod = "year"\nprepaid_usd = "1"', "valid_from and valid_to"),
        ("]", "Invalid"),
    ],
)
def test_terms_that_cannot_be_are_refused(toml, says):
    with pytest.raises(BadConfig, match=says):
        parse_terms('name = "test"\n' + toml)


def test_terms_that_follow_each_other_are_fine():
    parse_terms(
        'name = "test"\n[[discount]]\npercent = "10"\nvalid_to = 2026-07-01\n'
        '[[discount]]\npercent = "20"\nvalid_from = 2026-07-01'
    )


def test_a_missing_file_is_one_clear_line(tmp_path):
    with pytest.raises(BadConfig, match=r"nowhere\.toml"):
        read_terms(tmp_path / "nowhere.toml")


def commitment(extra):
    toml = (
        'name = "test"\n[[commitment]]\nname = "prepaid"\nprepaid_usd = "100"\n'
        f"valid_from = 2026-01-31\nvalid_to = 2026-05-15\n{extra}"
    )
    return parse_terms(toml).commitment[0]


SPEND = [(date(2026, 1, 30), Fraction(999)), (date(2026, 1, 31), Fraction(30)), (date(2026, 2, 27), Fraction(40)),
         (date(2026, 2, 28), Fraction(120)), (date(2026, 5, 15), Fraction(999))]  # fmt: skip


def in_usd(periods):
    return [(p.begins.isoformat(), p.ends.isoformat(), *(int(amount) for amount in p[2:])) for p in periods]


def scaled(spend):
    return [(day, amount * PUSD_PER_USD) for day, amount in spend]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (
            'period = "month"',
            [
                ("2026-01-31", "2026-02-28", 100, 70, 30, 0),
                ("2026-02-28", "2026-03-31", 100, 100, 0, 20),
                ("2026-03-31", "2026-04-30", 100, 0, 100, 0),
                ("2026-04-30", "2026-05-15", 100, 0, 100, 0),
            ],
        ),
        (
            'period = "month"\ncarries_over = true',
            [
                ("2026-01-31", "2026-02-28", 100, 70, 30, 0),
                ("2026-02-28", "2026-03-31", 130, 120, 10, 0),
                ("2026-03-31", "2026-04-30", 110, 0, 110, 0),
                ("2026-04-30", "2026-05-15", 210, 0, 210, 0),
            ],
        ),
        (
            'period = "quarter"',
            [("2026-01-31", "2026-04-30", 100, 100, 0, 90), ("2026-04-30", "2026-05-15", 100, 0, 100, 0)],
        ),
        ('period = "term"', [("2026-01-31", "2026-05-15", 100, 100, 0, 90)]),
    ],
)
def test_commitments_are_drawn_down(extra, expected):
    periods = drawdown(commitment(extra), scaled(SPEND))
    usd_periods = [
        (begins, ends, *(amount // PUSD_PER_USD for amount in amounts)) for begins, ends, *amounts in in_usd(periods)
    ]
    assert usd_periods == expected
