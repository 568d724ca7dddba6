"""The official SDK through the gateway: it notices nothing, and the ledger equals the sandbox's books."""

import asyncio

import anthropic
import pytest

from farthing import testing
from farthing.sandbox.replies import Refusal, Reply

VERSIONS = ("2023-06-01", "2026-10-21")
ASK = {"model": "claude-sonnet-5", "max_tokens": 400, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}
CACHED = [{"type": "text", "text": "<<tokens:5000>>", "cache_control": {"type": "ephemeral"}}]


@pytest.fixture(params=VERSIONS)
def client(request, box, gateway):
    headers = {"anthropic-version": request.param}
    with anthropic.Anthropic(
        base_url=gateway.base_url, api_key=box.key, max_retries=0, default_headers=headers
    ) as client:
        yield client


def same_books(gateway, box):
    """Each booked request once in the ledger, at the same price, under the same ids."""
    booked = sorted((entry.call.served.message_id, entry.pusd) for entry in box.books)
    metered = sorted((stored.call.served.message_id, stored.posting.list_pusd) for stored in gateway.calls)
    assert metered == booked
    assert gateway.total_pusd == box.books.total_pusd > 0
    assert gateway.unsettled == []


def test_plain_and_streamed_calls(client, box, gateway):
    message = client.messages.create(**ASK)
    assert message.usage.output_tokens == 40
    with client.messages.stream(**ASK) as stream:
        streamed = stream.get_final_message()
    assert streamed.usage.output_tokens == 40
    same_books(gateway, box)
    assert {stored.call.served.kind for stored in gateway.calls} == {"measured"}


def test_attempts_that_were_declined_before_any_output_cost_what_their_category_says(client, box, gateway):
    """From 2026-09-24 a refusal for ``bio`` is billed, one for ``cyber`` is not; a fallback answers all the same."""
    for category in ("bio", "cyber", None) * 2:
        box.reply(Reply(refusal=Refusal(category=category)), Reply(text="Served.", output_tokens=9))
        more = {"extra_headers": {"anthropic-beta": "server-side-fallback-2026-07-01"}}
        ask = {**ASK, "extra_body": {"fallbacks": [{"model": "claude-haiku-4-5"}]}, **more}
        client.messages.create(**ask)
    same_books(gateway, box)
    declined = [stored.call.served.extra_passes[0].refusal_category for stored in gateway.calls]
    assert sorted(declined) == ["", "", "bio", "bio", "cyber", "cyber"]


def test_the_answer_tells_its_price_and_its_name(client, box, gateway):
    raw = client.messages.with_raw_response.create(**ASK)
    (entry,) = box.books
    (stored,) = gateway.calls
    assert stored.call.served.request_id == raw.headers["request-id"] == entry.call.served.request_id
    assert stored.call.dims["gateway_call"] == raw.headers["x-farthing-call-id"]
    assert float(raw.headers["x-farthing-overhead-ms"]) >= 0
    assert raw.headers.get("x-farthing-cost-usd", entry.bill.list_usd) == entry.bill.list_usd


def test_async_calls_at_once(box, gateway):
    async def run():
        async with anthropic.AsyncAnthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:

            async def stream():
                async with client.messages.stream(**ASK) as stream:
                    await stream.get_final_message()

            await asyncio.gather(*[client.messages.create(**ASK) for _ in range(20)], *[stream() for _ in range(20)])
        for _ in range(50):
            await asyncio.sleep(0)  # forty sockets close in turns of the loop that follow

    asyncio.run(run())
    assert len(box.books) == 40
    same_books(gateway, box)


def test_counting_and_listing_are_free(client, box, gateway):
    counted = client.messages.count_tokens(model="claude-sonnet-5", messages=ASK["messages"])
    assert counted.input_tokens > 0
    assert client.models.list().data
    assert gateway.calls == []
    assert b"begun" not in gateway.journal
    assert len(box.books) == 0


def test_batches_are_metered_once_however_often_they_are_fetched(client, box, gateway):
    params = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": ASK["messages"]}
    batch = client.messages.batches.create(
        requests=[{"custom_id": f"r{number}", "params": params} for number in range(3)]
    )
    ended = client.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    assert len(list(client.messages.batches.results(batch.id))) == 3  # past the gateway, as the API says where
    path = f"/v1/messages/batches/{batch.id}/results"
    for _ in range(2):
        assert client.get(path, cast_to=object, options={"headers": {"accept": "application/binary"}})
    same_books(gateway, box)
    assert {stored.call.call_id for stored in gateway.calls} == {f"{batch.id}/r{number}" for number in range(3)}
    assert {stored.call.served.service_tier for stored in gateway.calls} == {"batch"}


def test_cache_hits_through_the_gateway_equal_direct_ones(box, gateway):
    def reads(base_url):
        with anthropic.Anthropic(base_url=base_url, api_key=box.key, max_retries=0) as client:
            return [client.messages.create(**ASK, system=CACHED).usage.cache_read_input_tokens for _ in range(4)]

    through = reads(gateway.base_url)
    box.clock.advance(3600)
    assert through == reads(box.base_url) == [0, 5000, 5000, 5000]


def conversation(client, box):
    """Agents that share a prefix, with both lifetimes, tools, pauses that outlive one of them, and a changed prompt."""
    tools = [{"name": "look", "description": "<<tokens:1500>>", "input_schema": {"type": "object"}}]
    for turn in range(12):
        ttl = "1h" if turn % 3 else "5m"
        system = [
            {"type": "text", "text": "<<tokens:4000>> é 1.0", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {
                "type": "text",
                "text": f"<<tokens:1200>> {turn // 4}",
                "cache_control": {"type": "ephemeral", "ttl": ttl},
            },
        ]
        messages = [{"role": "user", "content": f"Turn {number}. <<output:20>>"} for number in range(turn + 1)]
        ask = {"model": "claude-sonnet-5", "max_tokens": 100, "system": system, "tools": tools, "messages": messages}
        if turn % 2:
            with client.messages.stream(**ask) as stream:
                stream.until_done()
        else:
            client.messages.create(**ask)
        box.clock.advance(400 if turn % 4 == 3 else 20)


def test_the_same_traffic_costs_the_same_through_and_direct(gateway_to):
    books = []
    for through in (False, True):
        with testing.sandbox() as box:
            gateway = gateway_to(box.base_url, now=box.clock.now) if through else None
            with anthropic.Anthropic(
                base_url=gateway.base_url if gateway else box.base_url, api_key=box.key, max_retries=0
            ) as client:
                conversation(client, box)
            books.append([(entry.call.served.usage, entry.pusd) for entry in box.books])
            if gateway:
                same_books(gateway, box)
    assert books[0] == books[1]
    assert sum(usage.cache_read_tokens > 0 for usage, _ in books[0]) >= 8
    assert len({usage.cache_write_1h_tokens > 0 for usage, _ in books[0]}) == 2


def test_refusals_of_the_api_reach_the_sdk_as_they_are_and_cost_nothing(client, box, gateway):
    box.fail("overloaded_error")
    with pytest.raises(anthropic.APIStatusError) as refused:
        client.messages.create(**ASK)
    assert (refused.value.status_code, refused.value.type) == (529, "overloaded_error")
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**{**ASK, "model": "no-such-model"})
    assert gateway.calls == []
    assert gateway.unsettled == []
    assert gateway.journal.count(b"HTTP 529") == 1


def test_retries_of_the_sdk_are_calls_of_their_own(box, gateway):
    box.fail("overloaded_error")
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=2) as client:
        client.messages.create(**ASK)
    same_books(gateway, box)
    assert gateway.journal.count(b'"begun"') == 2


def test_retries_of_the_gateway_are_linked(box, gateway_to):
    gateway = gateway_to(box.base_url, now=box.clock.now, retries=2)
    box.fail(testing.Fault(refuse="overloaded_error", retry_after_s=0, count=2))
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
        raw = client.messages.with_raw_response.create(**ASK)
    same_books(gateway, box)
    (stored,) = gateway.calls
    assert stored.call.dims["gateway_call"] == raw.headers["x-farthing-call-id"] + ".3"
    assert stored.call.dims["attempt"] == "3"
    assert gateway.metrics.value("farthing_retries_total") == 2


def test_neither_keys_nor_prompts_are_kept_anywhere(box, gateway):
    secret = "A prompt that nobody else may see"
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
        client.messages.create(**{**ASK, "messages": [{"role": "user", "content": secret}]})
        with pytest.raises(anthropic.APIStatusError):
            client.messages.create(**{**ASK, "model": secret})
        with pytest.raises(anthropic.APIStatusError):
            client.get(f"/v1/models/{secret}?key={box.key}", cast_to=object)
    gateway.stop()
    kept = "\n".join(gateway.log).encode() + gateway.journal + gateway.metrics.text().encode()
    kept += gateway.ledger.read_bytes()
    assert box.key.encode() not in kept
    assert b"nobody else may see" not in gateway.journal + gateway.ledger.read_bytes()
    assert secret not in "\n".join(line for line in gateway.log if "/v1/messages" in line)
    assert b"key_" in gateway.journal
