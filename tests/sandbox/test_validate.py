"""What is refused, per model and per API version, in the shape of the API's errors."""

import json
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.prices.book import shipped_book
from farthing.sandbox.accounts import Workspace
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Refused, begin
from farthing.sandbox.problems import STATUS, ApiError
from farthing.sandbox.validate import accept
from farthing.sandbox.world import World

ON = date(2026, 11, 20)
OLD, NEW = "2023-06-01", "2026-10-21"
DEFAULT = Workspace(id="wrkspc_1", name="Default", is_default=True)
USER = [{"role": "user", "content": "hi"}]
FORCED = {"tools": [{"name": "t", "input_schema": {}}], "tool_choice": {"type": "any"}}
PREFILL = {"messages": [*USER, {"role": "assistant", "content": "Sure,"}]}


def check(version=NEW, *, betas="", workspace=DEFAULT, on=ON, batch=False, counting=False, raw=None, **fields):
    body = {"model": "claude-opus-4-8", "max_tokens": 2000, "messages": USER, **fields}
    body = {name: value for name, value in body.items() if value is not ...}
    headers = {"anthropic-version": version, "anthropic-beta": betas}
    data = raw if raw is not None else json.dumps(body).encode()
    return accept(shipped_book(), headers, data, workspace, on, batch=batch, counting=counting)


def refusal(*args, **options):
    with pytest.raises(ApiError) as refused:
        check(*args, **options)
    return refused.value


def is_refused(*args, **options):
    try:
        check(*args, **options)
    except ApiError as error:
        return error.status == 400
    return False


MODELS = [
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-opus-4-7",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-fable-5",
    "claude-fable-5-1",
]


@pytest.mark.parametrize(
    ("options", "by"),
    [
        # Facts 0.3, row by row.
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            {m for m in MODELS if m not in MODELS[:4]},
        ),
        ({"thinking": {"type": "adaptive"}}, {"claude-sonnet-4-5", "claude-haiku-4-5"}),
        (
            {"thinking": {"type": "disabled"}},
            {"claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5", "claude-fable-5-1"},
        ),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            {"claude-opus-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5", "claude-fable-5-1"},
        ),
        (FORCED, {"claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"}),
        (PREFILL, {m for m in MODELS if m not in MODELS[:2]}),
        ({"inference_geo": "us"}, {"claude-sonnet-4-5", "claude-haiku-4-5"}),
        ({"temperature": 0.5, "version": OLD}, {m for m in MODELS if m not in MODELS[:4]}),
        ({"top_k": 5, "version": OLD}, {m for m in MODELS if m not in MODELS[:4]}),
        ({"temperature": 1, "version": OLD}, set()),
        ({"temperature": 1}, set(MODELS)),
        ({"max_tokens": 64_001}, {"claude-sonnet-4-5", "claude-haiku-4-5"}),
        ({"max_tokens": 128_001}, set(MODELS)),
        ({}, set()),
    ],
)
def test_each_model_refuses_what_it_is_documented_to(options, by):
    assert {model for model in MODELS if is_refused(model=model, **options)} == by


@pytest.mark.parametrize("parameter", ["temperature", "top_p", "top_k"])
def test_the_new_version_knows_no_sampling_parameters(parameter):
    assert refusal(**{parameter: 1}).message == f"{parameter}: Extra inputs are not permitted"


DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
CITED = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}


@pytest.mark.parametrize(
    "messages",
    [
        [*USER, {"role": "assistant", "content": [DOCUMENT]}, *USER],
        [{"role": "user", "content": [CITED]}],
    ],
)
def test_the_new_version_refuses_blocks_that_the_old_one_took(messages):
    assert is_refused(NEW, messages=messages)
    assert not is_refused(OLD, messages=messages)


def test_what_looks_like_those_is_taken():
    assert not is_refused(messages=[{"role": "user", "content": [DOCUMENT, {**CITED, "citations": []}]}])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": ...}, "model: Field required"),
        ({"model": 5}, "model: Input should be a valid string"),
        ({"max_tokens": ...}, "max_tokens: Field required"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        ({"messages": ...}, "messages: Field required"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["hi"]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be 'assistant' or 'user'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type: Field required"),
        ({"service_tier": "priority"}, "service_tier: Input should be 'auto' or 'standard_only'"),
        ({"speed": "slow"}, "speed: Input should be 'standard' or 'fast'"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"inference_geo": "eu"}, "inference_geo: Input should be 'global' or 'us'"),
        ({"thinking": {"type": "some"}}, "thinking.type: Input should be"),
        ({"context_management": []}, "context_management: Input should be a valid dictionary"),
        ({"compaction": {"type": "summarize"}}, "compaction: Extra inputs are not permitted"),
        ({"fallbacks": [{"model": "claude-opus-5"}]}, "fallbacks: Extra inputs are not permitted"),
        ({"raw": b"{"}, "The request body is not valid JSON"),
        ({"raw": b"[]"}, "The request body must be a JSON object"),
        ({"raw": b"\xff"}, "The request body is not valid JSON"),
        ({"raw": b"[" * 100_000}, "The request body is not valid JSON"),
        ({"version": ""}, "anthropic-version: header is required"),
        ({"version": "2030-01-01"}, "anthropic-version: not a known version"),
    ],
)
def test_a_bad_request_says_which_field(fields, says):
    error = refusal(**fields)
    assert (error.kind, error.status) == ("invalid_request_error", 400)
    assert error.message.startswith(says)


def test_models_are_served_only_by_exact_id_and_only_while_they_were_sold():
    assert refusal(model="claude-opus-9").status == 404
    assert refusal(model="us.anthropic.claude-opus-4-6-v1").status == 404
    assert refusal(model="claude-3-haiku-20240307").status == 404  # retired 2026-04-20
    assert check(model="claude-3-haiku-20240307", on=date(2026, 4, 19)).model.name == "Claude Haiku 3"
    # Other platforms keep these, at rates that the book has: here they are gone.
    assert refusal(model="claude-opus-4-1", on=date(2026, 8, 5)).status == 404
    assert check(model="claude-opus-4-1", on=date(2026, 8, 4)).model.name == "Claude Opus 4.1"
    assert refusal(model="claude-instant-1.2").status == 404
    assert refusal(model="claude-opus-5-5", on=date(2026, 9, 21)).status == 404
    assert check(model="claude-opus-5-5", on=date(2026, 9, 22)).model.id == "claude-opus-5-5"


def test_a_large_body_is_refused_unread():
    assert refusal(raw=b" " * (32 * 1024 * 1024 + 1)).kind == "request_too_large"


@pytest.mark.parametrize(
    ("clash", "named"),
    [
        ({"stream": True}, "stream"),
        ({"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, "output_config.format"),
        (FORCED, "tool_choice"),
        ({"batch": True}, "batches"),
    ],
)
def test_prewarming_goes_with_little_else(clash, named):
    assert named in refusal(max_tokens=0, **clash).message
    check(max_tokens=0)


@pytest.mark.parametrize(
    ("budget", "max_tokens", "says"),
    [(1023, 5000, "greater than or equal to 1024"), (5000, 5000, "must be greater than"), (None, 9, "Field required")],
)
def test_a_thinking_budget_has_bounds(budget, max_tokens, says):
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert says in refusal(model="claude-haiku-4-5", thinking=thinking, max_tokens=max_tokens).message


def test_a_paused_loop_may_be_sent_back():
    last = {"role": "assistant", "content": [{"type": "web_search_tool_result", "tool_use_id": "t", "content": []}]}
    assert not is_refused(messages=[*USER, last])
    client = {"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "t"}]}
    assert is_refused(messages=[*USER, client])


@pytest.mark.parametrize(
    ("options", "speed"),
    [
        ({"model": "claude-opus-5-5"}, "fast"),
        ({"model": "claude-opus-5-5", "on": date(2026, 10, 14)}, None),  # in preview until then
        ({"model": "claude-opus-5-5", "on": date(2026, 10, 14), "betas": "fast-mode-2026-02-01"}, "fast"),
        ({"model": "claude-opus-4-8", "betas": "fast-mode-2026-02-01"}, "fast"),
        ({"model": "claude-opus-4-8"}, None),
        ({"model": "claude-opus-4-8", "betas": "fast-mode-2026-02-01", "on": date(2026, 11, 30)}, None),
        ({"model": "claude-opus-4-7", "betas": "fast-mode-2026-02-01"}, None),
        ({"model": "claude-opus-4-6", "betas": "fast-mode-2026-02-01"}, "standard"),
        ({"model": "claude-sonnet-5"}, None),
        ({"model": "claude-opus-5-5", "batch": True}, None),
    ],
)
def test_fast_mode_runs_where_it_is_sold(options, speed):
    if speed is None:
        assert is_refused(speed="fast", **options)
    else:
        assert check(speed="fast", **options).speed == speed


def test_inference_geo_is_the_workspaces_business():
    pinned = msgspec.structs.replace(DEFAULT, default_inference_geo="us", allowed_inference_geos=("us",))
    assert check(workspace=pinned).inference_geo == "us"
    assert is_refused(workspace=pinned, inference_geo="global")
    assert check().inference_geo == "global"
    assert check(model="claude-haiku-4-5").inference_geo == "not_available"


def test_betas_open_their_fields():
    assert check(betas="a, server-side-fallback-2026-07-01", fallbacks=[]).has_beta("server-side-fallback")
    assert check(betas="compact-2026-09-04", compaction={"type": "summarize"}).has_beta("compact-")
    both = {"compaction": {"type": "summarize"}, "context_management": {"edits": []}}
    assert "may not be combined" in refusal(betas="compact-2026-09-04", **both).message
    assert refusal(thread={"type": "create"}).message == "thread: Extra inputs are not permitted"
    assert check(betas="message-threads-2026-08-12", thread={"type": "create"}).has_beta("message-threads-")
    assert is_refused(messages=[*USER, {"role": "system", "content": "x"}])
    assert not is_refused(
        betas="mid-conversation-tool-changes-2026-07-01", messages=[*USER, {"role": "system", "content": "x"}]
    )


def test_batches_may_put_out_more_under_their_beta():
    assert is_refused(model="claude-opus-5", max_tokens=300_000, batch=True)
    assert not is_refused(model="claude-opus-5", max_tokens=300_000, batch=True, betas="output-300k-2026-03-24")
    assert is_refused(batch=True, stream=True)


def test_counting_needs_no_max_tokens():
    check(max_tokens=..., counting=True)


@pytest.mark.parametrize(("kind", "status"), STATUS.items())
def test_error_bodies_have_the_documented_shape(kind, status):
    error = ApiError(kind, "why", error_code="code")
    assert error.status == status
    assert json.loads(error.body("req_1")) == {
        "type": "error",
        "error": {"type": kind, "message": "why", "details": {"error_code": "code"}},
        "request_id": "req_1",
    }


def ask(body):
    world = World(clock=VirtualClock(datetime(2026, 11, 20, tzinfo=UTC)))
    return begin(world, world.caller, {"anthropic-version": NEW}, body)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "9h"}}]}, "system.0"),
        ({"messages": [{"role": "user", "content": "<<tokens:1000001>>"}]}, "prompt is too long: 1000001 tokens"),
    ],
)
def test_the_prompt_itself_may_be_refused(fields, says):
    body = {"model": "claude-opus-5", "max_tokens": 9, "messages": USER, **fields}
    answer = ask(json.dumps(body).encode())
    assert isinstance(answer, Refused)
    assert json.loads(answer.body)["error"]["message"].startswith(says)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    *("messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "stop_sequences"),
    *("stream", "speed", "metadata", "container", "inference_geo"),
]


@given(st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4))
def test_no_body_breaks_the_sandbox(fields):
    body = {"model": "claude-opus-4-6", "max_tokens": 5, "messages": USER, **fields}
    answer = ask(json.dumps(body).encode())
    if isinstance(answer, Refused):
        assert answer.status == 400
    else:
        answer.first_byte()
        list(answer.events())
        assert answer.settle().call.served.usage.prompt_tokens >= 0


@given(st.binary(max_size=40))
def test_no_bytes_break_the_sandbox(raw):
    assert isinstance(ask(raw), Refused)
