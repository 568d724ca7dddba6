"""Budgets and rate limits in the gateway: the official SDK meets them, and the sandbox's books never pass them."""

import asyncio
import json
import socket
import time
from datetime import timedelta
from fractions import Fraction

import anthropic
import httpx2
import pytest

from farthing import testing
from farthing.ledger import journal
from farthing.limits.store import STORE_NAME, SqliteBank

ASK = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}
PUSD = 10**12


@pytest.fixture
def limited(box, gateway_to, tmp_path):
    """Starts a gateway under a limits file, in front of the sandbox and on its clock."""

    def started(text, **changes):
        file = tmp_path / "limits.toml"
        file.write_text(text)
        return gateway_to(box.base_url, now=box.clock.now, limits=file, **changes)

    return started


def budget(usd, window="day", **more):
    lines = [f'name = "{more.pop("name", "all")}"', f'limit_usd = "{usd}"', f'window = "{window}"']
    lines += [f'{key} = "{value}"' for key, value in more.items()]
    return "[[budget]]\n" + "\n".join(lines) + "\n"


def sdk(box, gateway, **more):
    return anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0, **more)


def until_refused(client, most=100):
    """How many calls passed, and what the next one was told."""
    for passed in range(most):
        try:
            client.messages.create(**ASK)
        except anthropic.RateLimitError as refused:
            return passed, refused
    return pytest.fail("nothing was refused")


def test_a_used_up_budget_refuses_before_anything_is_sent_and_says_who_how_much_and_until_when(box, limited):
    gateway = limited(budget("0.004", each="tenant"))
    acme = {"x-farthing-tag-tenant": "acme"}
    with sdk(box, gateway, default_headers=acme) as client:
        passed, refused = until_refused(client)
        with sdk(box, gateway, default_headers={"x-farthing-tag-tenant": "other"}) as other:
            other.messages.create(**ASK)
    assert passed > 1
    assert len(box.books) == passed + 1
    spent = {}
    for stored in gateway.calls:
        tenant = stored.call.dims["tenant"]
        spent[tenant] = spent.get(tenant, 0) + stored.posting.list_pusd
    assert spent["acme"] <= 0.004 * PUSD
    message, headers = refused.body["error"]["message"], refused.response.headers
    assert refused.body["error"]["type"] == "billing_error"
    for part in ("farthing: budget all", "acme", "of $0.004", "2026-11-21 00:00"):
        assert part in message
    assert headers["x-should-retry"] == "false"
    assert int(headers["retry-after"]) == 15 * 3600  # the sandbox begins at nine
    assert gateway.metrics.value("farthing_limit_refusals_total", "used up") == 1


def test_what_was_spent_is_reported_within_seconds_however_seldom_the_ledger_is_filled(gateway_to, tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text(budget("1"))
    with testing.sandbox(start=None) as live:
        gateway = gateway_to(live.base_url, limits=file, ingest_seconds=3600)
        with sdk(live, gateway) as client:
            client.messages.create(**ASK)
        wait_until(lambda: reported(tmp_path) == live.books.total_pusd)


def reported(folder):
    bank = SqliteBank(folder / STORE_NAME)
    try:
        return sum(line.spent_pusd for line in bank.lines())
    finally:
        bank.close()


def test_the_next_day_there_is_room_again(box, limited):
    gateway = limited(budget("0.001"))
    with sdk(box, gateway) as client:
        client.messages.create(**ASK)
        with pytest.raises(anthropic.RateLimitError):
            client.messages.create(**ASK)
        box.clock.advance(timedelta(days=1))
        client.messages.create(**ASK)
    assert len(box.books) == 2


def test_many_calls_at_once_that_each_would_fit_never_pass_the_limit_together(box, limited):
    gateway = limited(budget("0.003"))

    async def run():
        async with anthropic.AsyncAnthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
            answers = await asyncio.gather(*[client.messages.create(**ASK) for _ in range(40)], return_exceptions=True)
        for _ in range(50):
            await asyncio.sleep(0)
        return answers

    answers = asyncio.run(run())
    refused = [answer for answer in answers if isinstance(answer, anthropic.RateLimitError)]
    assert len(refused) + len(box.books) == 40
    assert 0 < box.books.total_pusd <= 0.003 * PUSD
    assert refused


def test_two_gateways_share_what_is_left(box, limited, tmp_path):
    one = limited(budget("0.004"))
    two = limited(budget("0.004"))
    refused = 0
    for _ in range(12):
        for gateway in (one, two):
            with sdk(box, gateway) as client:
                try:
                    client.messages.create(**ASK)
                except anthropic.RateLimitError:
                    refused += 1
    assert refused
    assert 0 < box.books.total_pusd <= 0.004 * PUSD


def test_a_gateway_that_starts_again_begins_with_what_the_ledger_says(box, limited, tmp_path):
    gateway = limited(budget("0.001"))
    with sdk(box, gateway) as client:
        client.messages.create(**ASK)
    gateway.stop()
    (tmp_path / STORE_NAME).unlink()
    again = limited(budget("0.001"))
    with sdk(box, again) as client:
        assert until_refused(client)[0] == 0
    assert box.books.total_pusd <= 0.001 * PUSD
    assert len(box.books) == 1


def test_what_cannot_be_priced_is_refused_and_free_calls_are_not(box, limited):
    gateway = limited(budget("10"))
    with sdk(box, gateway) as client:
        with pytest.raises(anthropic.BadRequestError, match="no call whose cost has no bound"):
            client.messages.create(**{**ASK, "model": "claude-of-tomorrow"})
        client.messages.count_tokens(model="claude-sonnet-5", messages=ASK["messages"])
        client.models.list()
    assert len(box.books) == 0


def test_an_answer_tells_what_is_left_and_what_the_cache_did(box, limited):
    gateway = limited(budget("1"))
    system = [{"type": "text", "text": "pay the farthing " * 2000, "cache_control": {"type": "ephemeral"}}]
    with sdk(box, gateway) as client:
        answers = [client.messages.with_raw_response.create(**ASK, system=system) for _ in range(2)]
    told = [answer.headers for answer in answers]
    assert told[0]["x-farthing-budget"] == "all"
    assert told[0]["x-farthing-budget-resets"] == "2026-11-21T00:00:00Z"
    assert 0 < Fraction(told[1]["x-farthing-budget-left-usd"]) < Fraction(told[0]["x-farthing-budget-left-usd"]) < 1
    for answer in answers:
        usage = answer.parse().usage
        verdict = (
            f"read={usage.cache_read_input_tokens}; written={usage.cache_creation_input_tokens}; "
            f"uncached={usage.input_tokens}"
        )
        assert answer.headers.get("x-farthing-cache", verdict) == verdict  # there where the answer came in one piece
    assert answers[1].parse().usage.cache_read_input_tokens > 5000


def test_an_error_gives_back_what_was_reserved(box, limited, tmp_path):
    gateway = limited(budget("0.002") + "[upstream]\nslow_down = false\n")
    box.fail(*["overloaded_error"] * 20)
    with sdk(box, gateway) as client:
        for _ in range(20):
            with pytest.raises(anthropic.APIStatusError):
                client.messages.create(**ASK)
        client.messages.create(**ASK)
    gateway.stop()
    assert spent(tmp_path) == box.books.total_pusd


def spent(folder):
    bank = SqliteBank(folder / STORE_NAME)
    try:
        return sum(line.spent_pusd + line.held_pusd for line in bank.lines())
    finally:
        bank.close()


def test_streams_are_settled_at_their_bill(box, limited, tmp_path):
    gateway = limited(budget("1"))
    with sdk(box, gateway) as client:
        for _ in range(3):
            with client.messages.stream(**ASK) as stream:
                stream.get_final_message()
    gateway.stop()
    assert spent(tmp_path) == box.books.total_pusd > 0


def test_a_batch_holds_its_worst_case_until_its_results_are_read(box, limited, tmp_path):
    gateway = limited(budget("0.01"))
    requests = [{"custom_id": f"r{number}", "params": ASK} for number in range(10)]
    box.state.processing_s = 600
    with sdk(box, gateway) as client:
        batch = client.messages.batches.create(requests=requests)
        with pytest.raises(anthropic.APIStatusError, match="budget all"):
            client.messages.batches.create(requests=requests * 40)
        box.clock.advance(3600)
        assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
    gateway.stop()
    assert len(gateway.calls) == 10
    assert spent(tmp_path) == box.books.total_pusd > 0


def many(number, **changes):
    return [{"custom_id": f"r{one}", "params": {**ASK, **changes}} for one in range(number)]


def test_what_the_making_of_a_batch_holds_is_written_down_until_it_is_pledged_or_free(box, limited, tmp_path):
    gateway = limited(budget("0.02"))
    with sdk(box, gateway) as client:
        client.messages.batches.create(requests=many(20))
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.create(requests=[*many(1), *many(1)])  # two of one name
    gateway.stop()
    (path,) = gateway.server.journals.glob("*.journal")
    written = [one.record for one in journal.read(path)][1:]
    assert [type(one) for one in written] == [journal.Begun, journal.Settled] * 2
    assert [one.why for one in written[1::2]] == ["it made a batch", "no batch was made"]
    assert int(written[0].holds[0].pusd) == spent(tmp_path)


def test_a_batch_that_is_out_goes_on_counting_when_the_gateway_starts_again(box, limited, tmp_path):
    box.state.processing_s = 600
    limits = budget("0.01")
    gateway = limited(limits)
    with sdk(box, gateway) as client:
        batch = client.messages.batches.create(requests=many(20))
    gateway.stop()
    assert spent(tmp_path) > 0.005 * PUSD
    again = limited(limits)
    with sdk(box, again) as client:
        with pytest.raises(anthropic.APIStatusError, match="budget all"):
            client.messages.batches.create(requests=many(20))
        box.clock.advance(3600)
        assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
    again.stop()
    assert spent(tmp_path) == box.books.total_pusd > 0


def test_a_batch_is_settled_by_whichever_gateway_reads_its_results(box, limited, tmp_path):
    box.state.processing_s = 600
    one, two = limited(budget("0.01")), limited(budget("0.01"))
    with sdk(box, one) as first, sdk(box, two) as second:
        batch = first.messages.batches.create(requests=many(20))
        box.clock.advance(3600)
        results = list(second.messages.batches.results(batch.id))
    assert len(results) == 20
    two.stop()
    one.stop()
    assert spent(tmp_path) == box.books.total_pusd > 0


OF_OPUS = '[[budget]]\nname = "opus"\nlimit_usd = "0.0001"\nwindow = "day"\nscope = { model = "claude-opus-*" }\n'


def test_a_batch_counts_under_the_budgets_of_every_model_in_it(box, limited):
    gateway = limited(budget("10") + OF_OPUS)
    requests = [*many(2), {"custom_id": "dear", "params": {**ASK, "model": "claude-opus-4-5"}}]
    with sdk(box, gateway) as client:
        client.messages.batches.create(requests=many(2))
        with pytest.raises(anthropic.APIStatusError, match="budget opus"):
            client.messages.batches.create(requests=requests)
        with pytest.raises(anthropic.APIStatusError, match="budget opus"):
            client.messages.batches.create(requests=requests[2:])


def test_no_body_that_could_be_read_in_two_ways_leads_past_the_budget_of_a_model(box, limited):
    gateway = limited(OF_OPUS)
    dear = {"custom_id": "dear", "params": {**ASK, "model": "claude-opus-4-5"}}
    two_lists = json.dumps({"requests": many(1), "REQUESTS": [dear]}).replace("REQUESTS", "requests")
    two_models = json.dumps({**ASK, "MODEL": "claude-opus-4-5"}).replace("MODEL", "model")
    headers = {"x-api-key": box.key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    with httpx2.Client(base_url=gateway.base_url, headers=headers) as client:
        for path, body in (("/v1/messages/batches", two_lists), ("/v1/messages", two_models)):
            answer = client.post(path, content=body)
            assert (answer.status_code, "budget opus" in answer.json()["error"]["message"]) == (400, True), path
    assert len(box.books) == 0


def test_a_fallback_counts_under_the_budgets_of_its_model(box, limited):
    gateway = limited(OF_OPUS)
    with sdk(box, gateway) as client:
        client.messages.create(**ASK)
        with pytest.raises(anthropic.APIStatusError, match="budget opus"):
            client.messages.create(**ASK, extra_body={"fallbacks": [{"model": "claude-opus-4-5"}]})
    assert len(box.books) == 1


def test_a_call_above_what_one_may_cost_is_told_so(box, limited):
    gateway = limited(budget("0.001", window="call"))
    with sdk(box, gateway) as client:
        client.messages.create(**ASK)
        with pytest.raises(anthropic.BadRequestError, match=r"one may cost \$0.001"):
            client.messages.create(**{**ASK, "max_tokens": 2000})


def test_a_budget_that_would_degrade_never_sends_the_call_as_it_was(box, limited):
    gateway = limited(budget("0.0000001", mode="degrade", degrade_to="claude-haiku-5-5"))
    with sdk(box, gateway) as client, pytest.raises(anthropic.APIStatusError, match="budget all"):
        client.messages.create(**ASK)
    assert len(box.books) == 0


def test_a_soft_budget_tells_and_refuses_nothing(box, limited):
    gateway = limited(budget("0.0001", mode="soft"))
    with sdk(box, gateway) as client:
        for _ in range(3):
            client.messages.create(**ASK)
    gateway.stop()
    assert len(box.books) == 3
    assert [line for line in gateway.log if line.startswith("budget all: 100%")]


RATE = '[[rate]]\nname = "each key"\neach = "api_key"\nrequests_per_minute = 2\nqueue_seconds = {}\n'


def test_a_rate_limit_refuses_as_the_api_does(box, limited):
    gateway = limited(RATE.format(0))
    with sdk(box, gateway) as client:
        passed, refused = until_refused(client)
    assert 1 <= passed == len(box.books) <= 3
    assert refused.body["error"]["type"] == "rate_limit_error"
    assert "rate limit each key" in refused.body["error"]["message"]
    assert int(refused.response.headers["retry-after"]) >= 1


def test_whoever_has_no_budget_left_uses_up_no_request_of_others(box, limited):
    gateway = limited(budget("0.01", each="tenant") + RATE.format(0))
    headers = {"x-farthing-tag-tenant": "broke"}
    with sdk(box, gateway) as client:
        for _ in range(5):
            with pytest.raises(anthropic.BadRequestError, match="budget all"):
                client.messages.create(**ASK | {"max_tokens": 5000}, extra_headers=headers)
        for _ in range(2):
            client.messages.create(**ASK)


def test_a_client_that_leaves_the_queue_is_never_sent(box, limited):
    gateway = limited(RATE.format(60))
    with sdk(box, gateway) as client:
        for _ in range(2):
            client.messages.create(**ASK)
    host, port = gateway.base_url.removeprefix("http://").split(":")
    body = b'{"model":"claude-sonnet-5","max_tokens":5,"messages":[{"role":"user","content":"Hi."}]}'
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {box.key}\r\nanthropic-version: 2023-06-01\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as waiting:
        waiting.sendall(head.encode() + body)
        wait_until(lambda: "farthing_calls_waiting 1" in gateway.metrics.text())
    wait_until(lambda: "farthing_calls_waiting 0" in gateway.metrics.text())
    gateway.stop()
    assert len(box.books) == 2
    assert gateway.unsettled == []


def wait_until(true):
    for _ in range(6_000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


@pytest.mark.parametrize("path", [b"/v1/messages/", b"/v1/message%73/"])
def test_a_slash_at_the_end_of_a_path_leads_past_no_limit_and_no_meter(raw_upstream, gateway_to, wire, tmp_path, path):
    """An upstream may pass over it, and would then bill for what was neither held back nor metered."""
    usage = b'{"input_tokens": 100, "output_tokens": 20}'
    body = b'{"type": "message", "id": "msg_1", "model": "claude-sonnet-5", "usage": %b}' % usage
    raw_upstream.answer = lambda _head, _body: (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body),
        True,
    )
    file = tmp_path / "limits.toml"
    file.write_text(budget("0.000000001"))
    ask = b'{"model": "claude-sonnet-5", "max_tokens": 50, "messages": []}'
    limited = gateway_to(raw_upstream.url, limits=file)
    assert wire.talk(limited.base_url, wire.request(ask, target=path)).status in {400, 402, 403, 429}
    assert raw_upstream.seen == []
    limited.stop()
    free = gateway_to(raw_upstream.url)
    wire.talk(free.base_url, wire.request(ask, target=path))
    assert [stored.call.served.message_id for stored in free.calls] == ["msg_1"]
