"""Rate and spend limits: buckets, what counts, every header, the bodies of refusals."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.sandbox.accounts import RateLimits
from farthing.sandbox.buckets import Bucket
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.limits import Charge, RateLimiter, model_class
from farthing.sandbox.messages import Refused, begin, count_tokens
from farthing.sandbox.problems import ApiError
from farthing.sandbox.world import World

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)
HEADERS = {"anthropic-version": "2026-10-21"}


def later(seconds):
    return T0 + timedelta(seconds=seconds)


@pytest.fixture
def start():
    """A world on tier Start: 1,000 requests, 2 M input and 400 k output tokens a minute on Sonnet 5."""
    return World(clock=VirtualClock(T0), tier="Start")


def charge(world, model="claude-sonnet-5", **options):
    return Charge(world.organization, options.pop("workspace", world.workspace), model, **options)


def ask(world, text="<<tokens:10>><<output:5>>", caller=None, **fields):
    body = {
        "model": "claude-sonnet-5",
        "max_tokens": 10_000,
        "messages": [{"role": "user", "content": text}],
        **fields,
    }
    answer = begin(world, caller or world.caller, HEADERS, json.dumps(body).encode())
    if not isinstance(answer, Refused):
        answer.first_byte()
        answer.settle()
    return answer


# -- the bucket -----------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 10**7),
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**6)), max_size=20),
)
def test_a_bucket_is_exact(per_minute, steps):
    bucket, level, at = Bucket(per_minute, T0), Fraction(per_minute), T0
    for microseconds, tokens in steps:
        at += timedelta(microseconds=microseconds)
        level = min(Fraction(per_minute), level + Fraction(per_minute * microseconds, 60_000_000))
        assert bucket.remaining(at) == max(0, level.__floor__())
        fits = tokens <= level
        assert (bucket.wait_s(tokens, at) == 0) is fits
        if fits:
            bucket.take(tokens, at)
            level -= tokens


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 10**6))
def test_waiting_as_long_as_told_is_enough_and_a_second_less_is_not(per_minute, used, wanted):
    bucket = Bucket(per_minute, T0)
    bucket.take(used, T0)
    wait = bucket.wait_s(min(wanted, per_minute), T0)
    assert bucket.wait_s(min(wanted, per_minute), later(wait)) == 0
    if wait > 1:
        fresh = Bucket(per_minute, T0)
        fresh.take(used, T0)
        assert fresh.wait_s(min(wanted, per_minute), later(wait - 1)) > 0


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing():
    bucket = Bucket(60, T0)
    bucket.take(60, T0)
    assert bucket.remaining(later(-100)) == 0
    assert bucket.remaining(later(1)) == 1


# -- what counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "tier", "expected"),
    [
        ("claude-fable-5-1", "Start", (1000, 500_000, 100_000)),
        ("claude-fable-5", "Scale", (4000, 4_000_000, 800_000)),
        ("claude-opus-5", "Build", (5000, 5_000_000, 1_000_000)),
        ("claude-sonnet-5", "Scale", (10_000, 10_000_000, 2_000_000)),
    ],
)
def test_tiers_are_the_published_ones(model, tier, expected):
    limits = model_class(model, tier).limits
    assert (limits.requests, limits.input_tokens, limits.output_tokens) == expected


def test_models_of_one_class_share_and_others_do_not(start):
    limiter = RateLimiter()
    limiter.admit(charge(start, "claude-opus-4-7"), T0, fresh_tokens=2_000_000)
    with pytest.raises(ApiError):
        limiter.admit(charge(start, "claude-opus-4-8"), T0, fresh_tokens=1)
    limiter.admit(charge(start, "claude-opus-5"), T0, fresh_tokens=1)
    limiter.admit(charge(start, "claude-opus-4-8", speed="fast"), T0, fresh_tokens=1)


def test_requests_refill_continuously(start):
    limiter = RateLimiter()
    for _ in range(1000):
        limiter.admit(charge(start), T0, fresh_tokens=0)
    with pytest.raises(ApiError) as refused:
        limiter.admit(charge(start), T0, fresh_tokens=0)
    assert refused.value.retry_after_s == 1
    limiter.admit(charge(start), later(0.06), fresh_tokens=0)  # 1,000 a minute is one every 60 ms


def test_a_refused_request_takes_nothing(start):
    limiter = RateLimiter()
    limiter.admit(charge(start), T0, fresh_tokens=1_500_000)
    for _ in range(5):
        with pytest.raises(ApiError):
            limiter.admit(charge(start), T0, fresh_tokens=600_000)
    limiter.admit(charge(start), T0, fresh_tokens=500_000)


def test_cache_reads_are_free_of_the_input_limit_and_writes_are_not(start):
    cached = [{"type": "text", "text": "<<tokens:900000>>", "cache_control": {"type": "ephemeral"}}]
    assert not isinstance(ask(start, system=cached), Refused)
    assert not any(isinstance(ask(start, system=cached), Refused) for _ in range(5))
    other = [{**cached[0], "text": "<<tokens:900000>> other"}]
    assert not isinstance(ask(start, system=other), Refused)
    third = [{**cached[0], "text": "<<tokens:900000>> third"}]
    assert ask(start, system=third).status == 429


def test_only_older_haiku_counts_cache_reads(start):
    limiter = RateLimiter()
    with pytest.raises(ApiError):
        limiter.admit(charge(start, "claude-3-5-haiku-20241022"), T0, fresh_tokens=1, read_tokens=100_000)
    limiter.admit(charge(start), T0, fresh_tokens=1, read_tokens=10**9)


def test_output_counts_as_it_is_made_not_as_it_is_asked_for(start):
    limiter = RateLimiter()
    limiter.admit(charge(start), T0, fresh_tokens=1)
    limiter.produced(charge(start), T0, 400_000 + 100_000)  # into debt: it was admitted
    with pytest.raises(ApiError) as refused:
        limiter.admit(charge(start), T0, fresh_tokens=1)
    assert "output tokens per minute" in refused.value.message
    assert refused.value.retry_after_s == 16  # 100,001 tokens at 400,000 a minute
    limiter.admit(charge(start), later(16), fresh_tokens=1)


def test_max_tokens_plays_no_part(start):
    assert not any(isinstance(ask(start, max_tokens=128_000), Refused) for _ in range(20))


def test_a_workspace_has_limits_of_its_own_on_top(start):
    workspace = msgspec.structs.replace(start.add_workspace("small"), limits=RateLimits(requests=2))
    start.accounts.put_workspace(workspace, start.organization.id)
    caller = start.accounts.caller(start.add_key("sk-ant-api03-w", workspace_id=workspace.id, name="w"))
    answers = [ask(start, caller=caller) for _ in range(3)]
    assert [isinstance(one, Refused) for one in answers] == [False, False, True]
    assert f"workspace: {workspace.id}" in json.loads(answers[2].body)["error"]["message"]
    assert dict(answers[2].headers)["anthropic-ratelimit-requests-limit"] == "2"
    assert not isinstance(ask(start), Refused)


def test_without_a_tier_there_are_no_limits_and_no_headers():
    world = World(clock=VirtualClock(T0), tier=None)
    answers = [ask(world, "<<tokens:900000>>") for _ in range(10)]
    assert not any(isinstance(one, Refused) for one in answers)
    assert not any("ratelimit" in name for name, _ in answers[0].headers())


def test_batches_have_limits_of_their_own(start):
    body = {"model": "claude-sonnet-5", "max_tokens": 1, "messages": [{"role": "user", "content": "<<tokens:900000>>"}]}
    for _ in range(5):
        answer = begin(start, start.caller, HEADERS, json.dumps(body).encode(), service_tier="batch")
        assert not isinstance(answer, Refused)
        assert not any("ratelimit" in name for name, _ in answer.headers())


def test_counting_tokens_has_a_limit_of_its_own(start):
    body = json.dumps({"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "hi"}]}).encode()
    statuses = [count_tokens(start, start.caller, HEADERS, body)[0] for _ in range(2001)]
    assert statuses == [200] * 2000 + [429]
    assert not isinstance(ask(start), Refused)


# -- answers --------------------------------------------------------------------------------------------------------


def test_every_header_is_there_on_success_and_on_refusal(start):
    cached = [{"type": "text", "text": "<<tokens:900400>>", "cache_control": {"type": "ephemeral"}}]
    good = dict(ask(start, system=cached).headers())
    assert good["anthropic-ratelimit-requests-limit"] == "1000"
    assert good["anthropic-ratelimit-requests-remaining"] == "999"
    assert good["anthropic-ratelimit-requests-reset"] == "2026-11-20T09:00:01Z"
    assert good["anthropic-ratelimit-input-tokens-limit"] == "2000000"
    assert good["anthropic-ratelimit-input-tokens-remaining"] == "1100000"  # 1,099,590, to the nearest thousand
    assert good["anthropic-ratelimit-input-tokens-reset"] == "2026-11-20T09:00:28Z"  # 900,410 at 2 M a minute
    assert good["anthropic-ratelimit-output-tokens-remaining"] == "400000"
    assert good["anthropic-ratelimit-tokens-limit"] == "2000000"  # the tighter of the two
    assert good["anthropic-organization-id"] == start.organization.id
    assert not isinstance(ask(start, "<<tokens:900000>>"), Refused)
    answer = ask(start, "<<tokens:900000>>")
    bad = dict(answer.headers)
    assert good.keys() | {"retry-after"} == bad.keys()
    assert bad["retry-after"] == "22"  # 900,000 wanted, 199,590 left, 2 M a minute: 21.02 s
    error = json.loads(answer.body)
    assert error["type"] == "error"
    assert error["error"]["type"] == "rate_limit_error"
    assert "details" not in error["error"]
    assert error["request_id"] == bad["request-id"]


def test_fast_mode_has_headers_of_its_own(start):
    body = {"speed": "fast", "model": "claude-opus-5-5"}
    names = {name for name, _ in ask(start, **body).headers()}
    assert {"anthropic-fast-input-tokens-limit", "anthropic-fast-output-tokens-reset"} <= names
    assert "anthropic-ratelimit-input-tokens-limit" not in names


# -- spend ----------------------------------------------------------------------------------------------------------


def spend(world):
    """About 1.80 USD: 900,000 tokens of Sonnet 5 at 2 USD."""
    return ask(world, "<<tokens:900000>><<output:1>>")


def test_the_cap_of_the_tier_is_a_429_without_retry_after():
    world = World(clock=VirtualClock(T0), tier="Start")
    while not isinstance(answer := spend(world), Refused):
        world.clock.advance(60)
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["details"]) == (429, {"error_code": "enforced_spend_limit_reached"})
    assert "retry-after" not in dict(answer.headers)
    spent = world.books.total_pusd
    assert 500 * 10**12 <= spent < 502 * 10**12
    world.clock.set(datetime(2026, 12, 1, tzinfo=UTC))
    assert not isinstance(spend(world), Refused)


@pytest.mark.parametrize("whose", ["organization", "workspace"])
def test_a_limit_that_somebody_set_is_a_400_that_names_the_day(whose):
    world = World(clock=VirtualClock(T0))
    if whose == "organization":
        world.accounts.put_organization(msgspec.structs.replace(world.organization, spend_limit_pusd=10**12))
    else:
        limited = msgspec.structs.replace(world.workspace, spend_limit_pusd=10**12)
        world.accounts.put_workspace(limited, world.organization.id)
    assert not isinstance(spend(world), Refused)
    answer = spend(world)
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["type"]) == (400, "invalid_request_error")
    word = "" if whose == "organization" else "workspace "
    assert error["message"] == (
        f"You have reached your specified {word}API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
    )
