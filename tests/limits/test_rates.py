"""Rules as they are written, and lanes: what counts, what is reserved, what is settled."""

import math

import msgspec
import pytest

from farthing.errors import BadConfig
from farthing.limits.file import read_limits
from farthing.limits.lanes import Lane
from farthing.limits.rates import RateRule, UpstreamRule, named_rules
from farthing.limits.sizes import Size, Used


def rule(**fields):
    return RateRule(**{"name": "r"} | fields)


def left(lane, now=0.0):
    return {one.counts: one.remaining for one in lane.left(now)}


# -- rules ----------------------------------------------------------------------------------------------------------


def test_a_rule_reads_from_toml():
    text = '[[rate]]\nmatch = { tenant = "ac*" }\nmodel = "claude-opus-*"\neach = "api_key"\nrequests_per_minute = 60\n'
    read = msgspec.toml.decode(text, type=dict[str, list[RateRule]])["rate"][0]
    assert (read.match, read.each, read.limits) == ({"tenant": "ac*"}, "api_key", (60, None, None, None))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("requests_per_minute", 0),
        ("queue_seconds", -1),
        ("weight", 0),
        ("requests_per_minut", 1),
        ("concurrent", 1.5),
        ("queue_seconds", 601),
    ],
)
def test_a_misspelt_key_or_an_impossible_value_is_refused(field, value):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({field: value}, RateRule)


def test_upstream_settings_are_checked_too():
    assert UpstreamRule().when_late == "pass"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"when_late": "wait"}, UpstreamRule)


@pytest.mark.parametrize(
    ("dims", "model", "expected"),
    [
        ({"tenant": "acme"}, "claude-opus-5", True),
        ({"tenant": "acorn", "x": "y"}, "claude-opus-5-5", True),
        ({"tenant": "bolt"}, "claude-opus-5", False),
        ({}, "claude-opus-5", False),
        ({"tenant": "acme"}, "claude-sonnet-5", False),
    ],
)
def test_every_pattern_must_match(dims, model, expected):
    assert rule(match={"tenant": "ac*"}, model="claude-opus-*").matches(dims, model) is expected


def test_rules_without_a_name_are_called_by_their_place():
    rules = named_rules([rule(name="", concurrent=1), rule(name="x", concurrent=1), rule(name="", weight=2)], "f")
    assert [one.name for one in rules] == ["rate 1", "x", "rate 3"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [([rule(concurrent=1), rule(concurrent=2)], "two rates are called 'r'"), ([rule()], "'r' limits nothing")],
)
def test_rules_that_cannot_be_meant_are_refused(rules, said):
    with pytest.raises(BadConfig, match=said):
        named_rules(rules, "limits.toml")


# -- lanes ----------------------------------------------------------------------------------------------------------


def test_what_was_reserved_gives_way_to_what_was_used():
    lane = Lane(rule(requests_per_minute=10, input_tokens_per_minute=1000, output_tokens_per_minute=1000), "", 0.0)
    hold = lane.take(Size(400, 50), 0.0)
    assert left(lane) == {"requests": 9, "input tokens": 600, "output tokens": 950}
    lane.settle(hold, Size(400, 50), Used(100, 20), 0.0)
    assert left(lane) == {"requests": 9, "input tokens": 900, "output tokens": 980}


def test_output_goes_into_debt_and_is_paid_off():
    lane = Lane(rule(output_tokens_per_minute=600), "", 0.0)
    hold = lane.take(Size(1, 100), 0.0)
    lane.settle(hold, Size(1, 100), Used(1, 1200), 0.0)
    assert lane.wait_s(Size(1, 1), 0.0) == pytest.approx(60.1, abs=1e-3)  # 601 tokens at 10 a second
    assert lane.wait_s(Size(1, 1), 60.2) == 0


def test_a_call_that_served_nothing_used_its_request_alone():
    lane = Lane(rule(requests_per_minute=10, input_tokens_per_minute=1000), "", 0.0)
    lane.settle(lane.take(Size(400), 0.0), Size(400), None, 0.0)
    assert left(lane) == {"requests": 9, "input tokens": 1000}


def test_a_call_that_was_never_sent_used_nothing():
    lane = Lane(rule(requests_per_minute=10, concurrent=1), "", 0.0)
    lane.undo(lane.take(Size(400), 0.0), 0.0)
    assert (left(lane), lane.in_flight) == ({"requests": 10}, 0)


def test_no_more_calls_at_once_than_the_rule_says():
    lane = Lane(rule(concurrent=2), "", 0.0)
    holds = [lane.take(Size(1), 0.0) for _ in range(2)]
    assert lane.wait_s(Size(1), 0.0) == math.inf
    assert lane.why(Size(1), 0.0).limit == "2 calls at once"
    lane.settle(holds[0], Size(1), None, 0.0)
    assert lane.wait_s(Size(1), 0.0) == 0


def test_a_prompt_larger_than_the_limit_goes_when_the_bucket_is_full():
    lane = Lane(rule(input_tokens_per_minute=600), "", 0.0)
    hold = lane.take(Size(5000), 0.0)
    assert lane.wait_s(Size(5000), 0.0) == pytest.approx(60, abs=1e-3)
    lane.settle(hold, Size(5000), Used(5000, 1), 0.0)
    assert lane.wait_s(Size(1), 0.0) == pytest.approx(440.1, abs=1e-3)  # 4,401 short at 10 a second


def test_cached_prompts_come_to_be_reserved_as_what_they_count():
    lane = Lane(rule(input_tokens_per_minute=1_000_000), "", 0.0)
    size = Size(100_000)
    for _ in range(60):
        lane.settle(lane.take(size, 0.0), size, Used(1_000, 10), 0.0)
    before = left(lane)["input tokens"]
    lane.take(size, 0.0)
    assert before - left(lane)["input tokens"] < 2_000


def test_a_lane_is_idle_once_nothing_would_be_forgotten():
    lane = Lane(rule(requests_per_minute=60), "", 0.0)
    hold = lane.take(Size(1), 0.0)
    assert not lane.is_idle(60.0)
    lane.settle(hold, Size(1), None, 0.0)
    assert not lane.is_idle(0.5)
    assert lane.is_idle(1.0)


# -- the page that explains them ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "rate-limits.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("table", "struct"), [("[[rate]]", RateRule), ("[upstream]", UpstreamRule)])
def test_every_key_is_explained_and_no_other(page, table, struct):
    rows = page.partition(f"| `{table}` |")[2].partition("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(struct.__struct_fields__)


def test_the_example_is_a_limits_file(page, tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text(page.partition("```toml\n")[2].partition("```")[0])
    read = read_limits(file)
    assert [one.name for one in read.rates] == ["each customer", "nightly jobs", "paying more"]
    assert read.rates[1].limits == (None, None, None, 4)
    assert read.upstream.queue_seconds == 10
