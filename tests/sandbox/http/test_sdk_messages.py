"""The official SDK, unchanged, against the sandbox: what it reads is what the books say."""

import asyncio
import importlib.metadata

import anthropic
import pytest

from farthing.sandbox.replies import Advice, Compaction, Refusal, Reply, ServerPass, ToolUse
from farthing.testing import Fault
from farthing.usage.sse import SseMeter

HELLO = [{"role": "user", "content": "Say something."}]
ASK = {"model": "claude-sonnet-5", "max_tokens": 1000, "messages": HELLO}

REPLIES = {
    "text": Reply(text="Hello from the sandbox.", chunk_chars=5),
    "thinking": Reply(text="Four.", thinking="Two and two.", thinking_tokens=40),
    "tool": Reply(text="Let me see.", tool_uses=(ToolUse("weather", {"city": "Oslo"}),)),
    "search": Reply(text="Found it.", loop=(ServerPass(output_tokens=30, result_tokens=900),)),
    "quiet search": Reply(text="Found it.", loop=(ServerPass(output_tokens=30),), show_iterations=False),
    "pause": Reply(loop=(ServerPass(output_tokens=30),), paused=True),
    "cut": Reply(output_tokens=5000),
    "refusal": Reply(refusal=Refusal(category="cyber")),
    "late refusal": Reply(text="Well, ", refusal=Refusal(category="cyber", after_output=True)),
    "advice": Reply(text="As advised.", advice=(Advice(model="claude-opus-5-5", input_tokens=500, output_tokens=60),)),
    "empty": Reply(text=""),
}


def counts(usage):
    """The counters that every response has."""
    return (
        usage.input_tokens,
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
        usage.output_tokens,
    )


def booked(usage):
    writes = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return (usage.input_tokens, writes, usage.cache_read_tokens, usage.output_tokens)


@pytest.fixture(params=REPLIES)
def reply(request):
    return REPLIES[request.param]


def test_a_plain_answer_is_booked_as_it_says(box, client, entry, reply):
    box.reply(reply)
    message = client.messages.create(**ASK)
    call = entry().call
    assert counts(message.usage) == booked(call.served.usage)
    assert (message.id, message._request_id) == (call.served.message_id, call.served.request_id)
    assert message.stop_reason == call.served.stop_reason


def test_a_stream_is_booked_as_it_ends_and_our_meter_reads_what_the_sdk_reads(box, client, entry, reply):
    box.reply(reply)
    meter = SseMeter()
    with client.messages.with_streaming_response.create(**ASK, stream=True) as raw:
        wire = b"".join(raw.iter_bytes())
    meter.feed(wire)
    metered, once = meter.finish(), entry()

    box.reply(reply)
    with client.messages.stream(**ASK) as stream:
        message = stream.get_final_message()
    first, second = box.books
    assert first is once
    assert counts(message.usage) == booked(second.call.served.usage)
    assert booked(metered.usage) == counts(message.usage)
    assert booked(metered.usage) == booked(first.call.served.usage)
    assert [one.usage for one in metered.extra_passes] == [one.usage for one in first.call.served.extra_passes]
    assert metered.stop_reason == message.stop_reason == first.call.served.stop_reason
    assert first.pusd == second.pusd


def test_a_stream_says_what_a_plain_answer_says(box, client, reply):
    box.reply(reply, reply)
    plain = client.messages.create(**ASK)
    with client.messages.stream(**ASK) as stream:
        streamed = stream.get_final_message()
    assert [block.type for block in streamed.content] == [block.type for block in plain.content]
    assert [getattr(block, "text", None) for block in streamed.content] == [
        getattr(block, "text", None) for block in plain.content
    ]
    assert (streamed.stop_reason, counts(streamed.usage)) == (plain.stop_reason, counts(plain.usage))


def test_the_price_is_that_of_the_usage(box, client, entry):
    box.reply(Reply(output_tokens=200))
    message = client.messages.create(**{**ASK, "messages": [{"role": "user", "content": "<<tokens:1500>>"}]})
    assert counts(message.usage) == (1500, 0, 0, 200)
    assert entry().pusd == (1500 * 2 + 200 * 10) * 10**6  # Sonnet 5: $2 and $10 per million tokens


def test_a_cached_prefix_is_written_once_and_read_afterwards(box, client):
    system = [{"type": "text", "text": "<<tokens:2000>>", "cache_control": {"type": "ephemeral"}}]
    usages = [client.messages.create(**ASK, system=system).usage for _ in range(2)]
    assert [counts(usage)[1:3] for usage in usages] == [(2000, 0), (0, 2000)]
    box.clock.advance(301)
    assert counts(client.messages.create(**ASK, system=system).usage)[1:3] == (2000, 0)


def test_the_async_client(box, version, entry):
    async def run():
        headers = {"anthropic-version": version}
        async with anthropic.AsyncAnthropic(base_url=box.base_url, api_key=box.key, default_headers=headers) as client:
            plain = await client.messages.create(**ASK)
            async with client.messages.stream(**ASK) as stream:
                texts = [text async for text in stream.text_stream]
                return plain, texts, await stream.get_final_message()

    plain, texts, streamed = asyncio.run(run())
    assert "".join(texts) == plain.content[0].text == streamed.content[0].text
    assert [booked(one.call.served.usage) for one in box.books] == [counts(plain.usage), counts(streamed.usage)]


def test_many_streams_at_once_are_each_booked_once(box, version):
    async def run():
        async with anthropic.AsyncAnthropic(base_url=box.base_url, api_key=box.key) as client:

            async def one():
                async with client.messages.stream(**ASK) as stream:
                    return (await stream.get_final_message()).id

            return await asyncio.gather(*(one() for _ in range(20)))

    ids = asyncio.run(run())
    assert sorted(entry.call.served.message_id for entry in box.books) == sorted(set(ids))
    assert len(ids) == 20


def test_tokens_are_counted_as_they_are_billed_and_for_free(box, client, entry):
    tools = [{"name": "weather", "description": "Weather.", "input_schema": {"type": "object", "properties": {}}}]
    count = client.messages.count_tokens(model=ASK["model"], messages=HELLO, tools=tools).input_tokens
    usage = client.messages.create(**ASK, tools=tools).usage
    assert count == usage.input_tokens
    assert len(box.books) == 1


def test_beta_calls_use_the_same_path(box, client, entry):
    message = client.beta.messages.create(**ASK, betas=["compact-2026-01-12", "a-beta-from-tomorrow"])
    assert counts(message.usage) == booked(entry().call.served.usage)


def test_compaction_is_billed_beside_the_top_level(box, client, entry):
    box.reply(Reply(text="On.", compaction=Compaction(output_tokens=70, remaining_tokens=90)))
    message = client.beta.messages.create(
        **ASK, betas=["compact-2026-01-12"], context_management={"edits": [{"type": "compact_20260112"}]}
    )
    served = entry().call.served
    assert [one.type for one in message.usage.iterations] == ["compaction", "message"]
    assert (counts(message.usage), len(served.extra_passes)) == (booked(served.usage), 1)


ERRORS = {
    "invalid_request_error": anthropic.BadRequestError,
    "authentication_error": anthropic.AuthenticationError,
    "permission_error": anthropic.PermissionDeniedError,
    "not_found_error": anthropic.NotFoundError,
    "conflict_error": anthropic.ConflictError,
    "rate_limit_error": anthropic.RateLimitError,
    "api_error": anthropic.InternalServerError,
}


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_become_the_sdks_own(box, client, kind):
    box.fail(Fault(refuse=kind, error_code="some_code"))
    with pytest.raises(ERRORS[kind]) as caught:
        client.messages.create(**ASK)
    error = caught.value
    assert (error.body["error"]["type"], error.body["request_id"]) == (kind, error.request_id)
    assert error.body["error"]["details"] == {"error_code": "some_code"}
    assert len(box.books) == 0


@pytest.mark.parametrize(
    ("kind", "status"),
    [("billing_error", 402), ("request_too_large", 413), ("timeout_error", 504), ("overloaded_error", 529)],
)
def test_the_other_statuses(box, client, kind, status):
    box.fail(kind)
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**ASK)
    assert caught.value.status_code == status


def test_the_sdk_retries_after_as_long_as_it_is_told(box, client, entry, monkeypatch):
    slept = []
    monkeypatch.setattr("anthropic._base_client.time.sleep", slept.append)
    box.fail(Fault(refuse="rate_limit_error", retry_after_s=7), Fault(refuse="overloaded_error", retry_after_s=3))
    message = client.with_options(max_retries=2).messages.create(**ASK)
    assert slept == [7, 3]
    assert entry().call.served.message_id == message.id


def test_an_error_in_mid_stream_bills_what_was_generated(box, client, entry):
    box.reply(Reply(output_tokens=400))
    box.fail(Fault(error_after_events=6))
    with pytest.raises(anthropic.APIStatusError) as caught, client.messages.stream(**ASK) as stream:
        stream.get_final_message()
    assert caught.value.body["error"]["type"] == "overloaded_error"
    assert entry().aborted
    assert 0 < entry().call.served.usage.output_tokens < 400


@pytest.mark.parametrize("cut", [{"cut_after_events": 6}, {"cut_after_bytes": 1500}])
def test_a_broken_stream_is_broken_and_booked(box, client, entry, cut):
    box.reply(Reply(output_tokens=400))
    box.fail(Fault(**cut))
    with (
        pytest.raises(Exception, match="incomplete chunked read") as caught,
        client.messages.stream(**ASK) as stream,
    ):
        stream.get_final_message()
    assert not isinstance(caught.value, AssertionError)
    assert entry().aborted
    assert 0 <= entry().call.served.usage.output_tokens < 400


def test_a_broken_plain_answer_is_a_connection_error_and_billed_whole(box, client, entry):
    box.fail(Fault(cut_after_bytes=40))
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**ASK)
    assert not entry().aborted


def test_delays_move_the_virtual_clock(box, client, entry):
    start = box.clock.now()
    box.reply(Reply(text="x" * 240, chunk_chars=24, ttft_s=2.0, event_s=0.5))
    with client.messages.stream(**ASK) as stream:
        stream.get_final_message()
    assert (box.clock.now() - start).total_seconds() == 2.0 + 10 * 0.5
    assert (entry().call.ttft_ms, entry().call.duration_ms) == (2000, 7000)


def test_the_sdk_is_of_the_major_version_that_sends_the_new_version():
    assert int(importlib.metadata.version("anthropic").partition(".")[0]) >= 2


def test_a_thread_through_the_sdk(box, client):
    betas = ["message-threads-2026-08-12"]
    ask = {"model": "claude-sonnet-5", "max_tokens": 100, "betas": betas}
    first = client.beta.messages.create(
        **ask, messages=[{"role": "user", "content": "<<tokens:900>>"}], thread={"type": "create"}
    )
    thread = {"type": "continue", "previous_message_id": first.id}
    more = [{"role": "user", "content": "<<tokens:10>>"}]
    with client.beta.messages.stream(**ask, messages=more, thread=thread) as stream:
        second = stream.get_final_message()
    assert second.usage.input_tokens >= first.usage.input_tokens + first.usage.output_tokens + 10
    with pytest.raises(anthropic.BadRequestError, match="continued already"):
        client.beta.messages.create(**ask, messages=more, thread=thread)


def test_a_fallback_credit_through_the_sdk(box, client):
    prefix = [{"type": "text", "text": "<<tokens:4000>>", "cache_control": {"type": "ephemeral"}}]
    ask = {"max_tokens": 100, "betas": ["fallback-credit-2026-07-01"], "system": prefix}
    ask["messages"] = [{"role": "user", "content": "Go on."}]
    client.beta.messages.create(model="claude-fable-5-1", **ask)
    box.reply(Reply(refusal=Refusal(category="cyber")))
    details = client.beta.messages.create(model="claude-fable-5-1", **ask).stop_details
    retry = {"fallback_credit_token": details.fallback_credit_token, "model": "claude-opus-5"}
    with client.beta.messages.stream(**retry, **ask) as stream:
        usage = stream.get_final_message().usage
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (4000, 0)
    assert usage.fallback_credit.status.type == "redeemed"
