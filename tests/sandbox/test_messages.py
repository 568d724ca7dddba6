"""Requests end to end: every kind of reply, plain and streamed, reads back as it was booked, to the picodollar."""

import itertools
import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import PassKind, Served, Usage
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.sandbox.answering import Echo, Replies, Scripted
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.faults import Fault
from farthing.sandbox.messages import Begun, Refused, begin, count_tokens
from farthing.sandbox.replies import Advice, Compaction, Refusal, Reply, ServerPass, ToolUse
from farthing.sandbox.world import World
from farthing.units import Kind
from farthing.usage.interface import Known
from farthing.usage.messages import read_message
from farthing.usage.sse import SseMeter

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)
VERSIONS = ("2023-06-01", "2026-10-21")
BETAS = "compact-2026-01-12,compact-2026-09-04,server-side-fallback-2026-07-01"
EPHEMERAL = {"type": "ephemeral"}


def world(*replies, at=T0, **options):
    made = World(clock=VirtualClock(at), **options)
    made.replies = Replies(Scripted(replies), Echo())
    return made


def request(**fields):
    question = {"role": "user", "content": "<<tokens:40>> What does it cost?"}
    return {"model": "claude-sonnet-5", "max_tokens": 1000, "messages": [question], **fields}


def cached(tokens=5000, **control):
    return [{"type": "text", "text": f"<<tokens:{tokens}>>", "cache_control": {**EPHEMERAL, **control}}]


def send(sandbox, body, version="2026-10-21", betas="", **options):
    headers = {"anthropic-version": version, "anthropic-beta": betas}
    return begin(sandbox, sandbox.caller, headers, json.dumps(body).encode(), **options)


def accepted(*args, **options):
    begun = send(*args, **options)
    assert isinstance(begun, Begun), begun
    begun.first_byte()
    return begun


def wire(events):
    return b"".join(b"event: %s\ndata: %s\n\n" % (e.name.encode(), msgspec.json.encode(e.payload)) for e in events)


def reading(begun):
    """What farthing's own readers make of the answer."""
    known = Known(request_id=begun.request_id, requested_model="claude-sonnet-5")
    if not begun.is_stream:
        return read_message(msgspec.json.encode(begun.message()), known)
    meter = SseMeter(known)
    meter.feed(wire(begun.events()))
    return meter.finish()


def refused(answer):
    assert isinstance(answer, Refused), answer
    error = json.loads(answer.body)
    assert error["type"] == "error"
    assert error["request_id"] == dict(answer.headers)["request-id"]
    return answer.status, error["error"]


REPLIES = {
    "text": Reply(text="It costs a farthing."),
    "dictated": Reply(output_tokens=321),
    "thinking": Reply(text="A farthing.", thinking="Let me see.", thinking_tokens=77, output_tokens=100),
    "hidden thinking": Reply(thinking_tokens=50, output_tokens=50),
    "empty": Reply(),
    "tool": Reply(text="I look.", tool_uses=(ToolUse("get", {"city": "Oslo"}), ToolUse("now")), output_tokens=64),
    "search": Reply(text="Found.", loop=(ServerPass(result_tokens=8000, output_tokens=30),) * 2),
    "mixed loop": Reply(
        text="Found.",
        loop=(
            ServerPass(failed=True, result_tokens=9),
            ServerPass(tool="web_fetch", input={"url": "https://example.com/"}),
            ServerPass(tool="code_execution", input={"code": "1"}, result_tokens=20),
        ),
    ),
    "unlisted loop": Reply(text="Found.", loop=(ServerPass(result_tokens=8000),), show_iterations=False),
    "paused": Reply(loop=(ServerPass(),) * 3, paused=True),
    "refused at once": Reply(refusal=Refusal(category="cyber", explanation="No.")),
    "refused at once, billed": Reply(refusal=Refusal(category="bio")),
    "refused late": Reply(text="I begin", refusal=Refusal(after_output=True)),
    "compacted": Reply(text="Go on.", compaction=Compaction(output_tokens=240, remaining_tokens=2100)),
    "compaction only": Reply(compaction=Compaction(output_tokens=240)),
    "advised": Reply(
        text="Done.",
        advice=(Advice(model="claude-opus-5-5", input_tokens=900, output_tokens=300, cache_read_tokens=50),),
    ),
    "cut": Reply(output_tokens=5000, thinking_tokens=100),
    "cut in a tool call": Reply(tool_uses=(ToolUse("get", {"text": "x" * 400}),), output_tokens=2000),
    "cut in a loop": Reply(text="late", loop=(ServerPass(output_tokens=700),) * 3),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("system", [[], cached(), cached(ttl="1h")], ids=["uncached", "5m", "1h"])
@pytest.mark.parametrize("name", REPLIES)
def test_readers_read_back_what_was_booked(name, system, stream, version):
    sandbox = world(*[REPLIES[name]] * 2)
    for _ in range(2):  # a write, then a read
        begun = accepted(sandbox, request(system=system, stream=stream), version, BETAS if "comp" in name else "")
        seen = reading(begun)
        entry = begun.settle()
        booked = entry.call.served
        assert isinstance(seen, Served), seen
        if name == "unlisted loop":  # the sum of a loop's prompts hides its largest one, and a stream later splits
            seen = msgspec.structs.replace(seen, kind=Kind.MEASURED, notes=())
        assert seen == booked
        assert price_served(sandbox.book, seen, T0).list_pusd == entry.bill.list_pusd
        assert entry.bill.list_pusd is not None
    assert sandbox.books.total_pusd == sum(entry.pusd for entry in sandbox.books)
    assert len(sandbox.books) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_serves_and_each_attempt_is_billed_at_its_own_price(stream):
    decline = Reply(text="I begin", output_tokens=20, refusal=Refusal(category="bio", after_output=True))
    sandbox = world(decline, Reply(text="Served.", output_tokens=9))
    body = request(system=cached(), stream=stream, fallbacks=[{"model": "claude-haiku-4-5"}])
    begun = accepted(sandbox, body, betas=BETAS)
    seen, entry = reading(begun), begun.settle()
    assert seen == entry.call.served
    assert seen.model == "claude-haiku-4-5-20251001"
    assert [(extra.kind, extra.model) for extra in seen.extra_passes] == [(PassKind.DECLINED, "claude-sonnet-5")]
    # Sonnet 5 (2 / 2.50 / 10) wrote 5,000, took 40, put out 20; Haiku 4.5 (1 / 1.25 / 5) put out 9.
    assert entry.pusd == (40 * 2 + 20 * 10) * 10**6 + 5000 * 2_500_000 + (40 * 1 + 9 * 5) * 10**6 + 5000 * 1_250_000
    if stream:
        events = list(begun.events())
        assert events[0].payload["message"]["model"] == "claude-sonnet-5"
        assert {
            "type": "fallback",
            "from": {"model": "claude-sonnet-5"},
            "to": {"model": seen.model},
            "trigger": {"type": "refusal", "category": "bio"},
        } in [e.payload.get("content_block") for e in events]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("paused", [False, True])
def test_the_tool_loop_of_a_fallback_is_one_answer(stream, paused):
    loop = (ServerPass(output_tokens=30, result_tokens=8000),) * 2
    sandbox = world(Reply(refusal=Refusal(category="cyber")), Reply(text="Found.", loop=loop, paused=paused))
    body = request(stream=stream, fallbacks=[{"model": "claude-opus-5"}])
    begun = accepted(sandbox, body, betas=BETAS)
    seen, entry = reading(begun), begun.settle()
    assert seen == entry.call.served
    # 40, then 8,030 more a search; the declined 40 of the other model are no part of it.
    assert seen.usage.input_tokens == 40 + 8_070 + (0 if paused else 16_100)
    assert [(one.model, one.usage.input_tokens) for one in seen.extra_passes] == [("claude-sonnet-5", 40)]
    kinds = [one["type"] for one in begun.message()["usage"]["iterations"]]
    assert kinds == ["message"] * (len(kinds) - 1) + ["fallback_message"]


@pytest.mark.parametrize("events_sent", [3, 6, 9, 12])
def test_who_leaves_in_the_loop_of_a_fallback_pays_each_attempt_at_its_own_price(events_sent):
    decline = Reply(text="I begin", output_tokens=20, refusal=Refusal(category="bio", after_output=True))
    sandbox = world(decline, Reply(text="Found.", loop=(ServerPass(output_tokens=30),)))
    begun = accepted(sandbox, request(stream=True, fallbacks=[{"model": "claude-opus-5"}]), betas=BETAS)
    served = begun.settle(events_sent).call.served
    ran = [(served.model, served.usage), *((one.model, one.usage) for one in served.extra_passes)]
    assert {model for model, _ in ran} == {"claude-sonnet-5", *(["claude-opus-5"] if events_sent > 5 else [])}
    assert all(usage.prompt_tokens == 40 for _, usage in ran)


@pytest.mark.parametrize(
    ("category", "is_billed"), [("bio", True), ("frontier_llm", True), ("cyber", False), (None, False)]
)
def test_an_attempt_declined_before_any_output_is_billed_by_its_category(category, is_billed):
    """Facts 3.5: with a fallback the same rule as without one."""
    sandbox = world(Reply(refusal=Refusal(category=category)), Reply(output_tokens=9))
    betas = f"{BETAS},fast-mode-2026-02-01"
    body = request(model="claude-opus-5-5", speed="fast", fallbacks=[{"model": "claude-opus-4-6", "speed": None}])
    begun = accepted(sandbox, body, betas=betas)
    entry = begun.settle()
    assert (begun.message()["usage"]["speed"], entry.call.served.speed) == ("standard", "standard")
    # Opus 5.5 fast took 40 at 8; Opus 4.6 took 40 at 5 and put out 9 at 25.
    assert entry.pusd == ((40 * 8 if is_billed else 0) + 40 * 5 + 9 * 25) * 10**6
    assert sum(line.pusd or 0 for line in entry.bill.lines) == entry.pusd


@pytest.mark.parametrize("show_iterations", [False, True])
def test_a_loop_is_billed_in_its_band_whether_or_not_it_is_listed(show_iterations):
    loop = (ServerPass(result_tokens=50, output_tokens=5),)
    sandbox = world(Reply(output_tokens=9, loop=loop, show_iterations=show_iterations))
    question = [{"role": "user", "content": "<<tokens:100001>>"}]
    entry = accepted(sandbox, request(model="claude-haiku-5-5", messages=question)).settle()
    # Both prompts are past 100,000: 0.50 in, 2.50 out; a search is a cent.
    assert entry.pusd == (100_001 + 100_056) * 500_000 + 14 * 2_500_000 + 10**10


def test_where_only_bounds_are_known_the_upper_one_is_charged():
    loop = (ServerPass(result_tokens=0, output_tokens=5),)
    sandbox = world(Reply(output_tokens=9, loop=loop))
    question = [{"role": "user", "content": "<<tokens:60000>>"}]
    entry = accepted(sandbox, request(model="claude-haiku-5-5", messages=question)).settle()
    # 60,000 and 60,005: neither is past 100,000, their sum is.
    assert entry.pusd == 120_005 * 500_000 + 14 * 2_500_000 + 10**10
    assert sum(line.pusd or 0 for line in entry.bill.lines) == entry.pusd
    assert "UNCONFIRMED" in " ".join(entry.bill.notes)


def test_without_a_model_left_the_last_refusal_is_the_answer():
    declines = [Reply(refusal=Refusal(category="cyber"))] * 2
    begun = accepted(world(*declines), request(fallbacks=[{"model": "claude-opus-5"}]), betas=BETAS)
    message = begun.message()
    assert (message["stop_reason"], message["model"]) == ("refusal", "claude-opus-5")
    assert message["stop_details"] == {"type": "refusal", "category": "cyber", "explanation": None}
    assert reading(begun) == begun.settle().call.served


# -- usage, by hand ------------------------------------------------------------------------------------------------


def test_a_cached_prompt_is_written_then_read():
    sandbox = world()
    body = request(system=cached(), messages=[{"role": "user", "content": "<<tokens:40>><<output:7>>"}])
    first, second = (accepted(sandbox, body).message()["usage"] for _ in range(2))
    assert first == {
        "input_tokens": 40,
        "cache_creation_input_tokens": 5000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 5000, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
        "inference_geo": "global",
        "speed": "standard",
    }
    assert (second["cache_creation_input_tokens"], second["cache_read_input_tokens"]) == (0, 5000)


def test_a_server_tool_loop_sums_its_passes_and_caches_what_its_tools_found():
    reply = Reply(text="x", output_tokens=100, loop=(ServerPass(output_tokens=30, result_tokens=8000),))
    plain = accepted(world(reply), request()).message()["usage"]
    # 40, then 40 + 30 + 8,000 again.
    assert (plain["input_tokens"], plain["output_tokens"]) == (40 + 8070, 130)
    assert plain["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    usage = accepted(world(reply), request(system=cached(ttl="1h"))).message()["usage"]
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 8070, "ephemeral_1h_input_tokens": 5000}
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (40, 5000)
    assert [one["type"] for one in usage["iterations"]] == ["message", "message"]


def test_what_a_loop_cached_is_read_when_its_content_comes_back():
    sandbox = world(Reply(text="Found.", loop=(ServerPass(result_tokens=8000, output_tokens=30),)))
    body = request(system=cached())
    begun = accepted(sandbox, body)
    content = begun.message()["content"]
    begun.settle()
    turns = [*body["messages"], {"role": "assistant", "content": content}, {"role": "user", "content": "<<tokens:9>>"}]
    usage = accepted(sandbox, {**body, "messages": turns, "cache_control": EPHEMERAL}).message()["usage"]
    # Read: system, question, call and result; written: the answer's text and the new question.
    assert usage["cache_read_input_tokens"] >= 5000 + 40 + 8000
    assert usage["input_tokens"] == 0
    assert usage["cache_creation_input_tokens"] == 9 + 2  # "Found." is 6 characters, ceil(6 x 13 / 40) tokens


def test_compaction_is_billed_beside_the_top_level():
    sandbox = world(Reply(output_tokens=900, compaction=Compaction(output_tokens=2400, remaining_tokens=21_000)))
    question = [{"role": "user", "content": "<<tokens:152000>>"}]
    entry = accepted(sandbox, request(messages=question), betas=BETAS).settle()
    # Facts 3.4: 173,000 input and 3,300 output, not 21,000 and 900. Sonnet 5 costs 2 and 10.
    assert entry.pusd == 173_000 * 2_000_000 + 3_300 * 10_000_000
    assert entry.call.served.usage == Usage(input_tokens=21_000, output_tokens=900)


def test_batch_and_geo_and_speed_are_what_the_response_says():
    sandbox = world()
    begun = accepted(sandbox, request(model="claude-opus-5-5", speed="fast", inference_geo="us"))
    usage = begun.message()["usage"]
    assert (usage["service_tier"], usage["speed"], usage["inference_geo"]) == ("standard", "fast", "us")
    batch = accepted(sandbox, request(), service_tier="batch").message()["usage"]
    assert batch["service_tier"] == "batch"
    older = accepted(sandbox, request(model="claude-haiku-4-5")).message()
    assert older["usage"]["inference_geo"] == "not_available"
    assert older["model"] == "claude-haiku-4-5-20251001"
    preview = accepted(sandbox, request(model="claude-opus-4-6", speed="fast")).message()
    assert preview["usage"]["speed"] == "standard"  # withdrawn: runs and bills as standard


def test_prewarming_writes_and_says_nothing():
    sandbox = world()
    message = accepted(sandbox, request(max_tokens=0, system=cached())).message()
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
    assert message["usage"]["output_tokens"] == 0
    assert accepted(sandbox, request(system=cached())).message()["usage"]["cache_read_input_tokens"] == 5000


@pytest.mark.parametrize(
    ("body", "stop", "output"),
    [
        (request(max_tokens=10), "max_tokens", 10),
        (request(stop_sequences=["keep"]), "stop_sequence", None),
        (request(model="claude-haiku-4-5", messages=[{"role": "user", "content": "<<tokens:199990>><<output:50>>"}]),
         "model_context_window_exceeded", 10),
    ],
)  # fmt: skip
def test_what_cuts_an_answer(body, stop, output):
    begun = accepted(world(Reply(output_tokens=100)), body)
    message = begun.message()
    assert message["stop_reason"] == stop
    assert output in (None, message["usage"]["output_tokens"])
    if stop == "stop_sequence":
        assert message["content"][0]["text"] == "pay the farthing and "
        assert message["stop_sequence"] == "keep"


# -- streams -------------------------------------------------------------------------------------------------------


def test_a_stream_has_the_documented_order():
    begun = accepted(world(REPLIES["thinking"]), request(stream=True))
    events = list(begun.events())
    assert all(event.payload["type"] == event.name for event in events)
    assert [name for name, _ in itertools.groupby(event.name for event in events)] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    start, delta = events[0].payload["message"], events[-2].payload
    assert (start["content"], start["stop_reason"], start["usage"]["output_tokens"]) == ([], None, 1)
    assert not {"cache_creation", "service_tier", "inference_geo", "speed"} & delta["usage"].keys()
    assert delta["usage"]["output_tokens_details"] == {"thinking_tokens": 77}


@pytest.mark.parametrize("name", REPLIES)
def test_a_stream_adds_up_to_the_plain_answer(name):
    plain = accepted(world(REPLIES[name]), request(), betas=BETAS).message()
    blocks = {}
    for event in accepted(world(REPLIES[name]), request(stream=True), betas=BETAS).events():
        match event.payload:
            case {"type": "content_block_start", "index": index, "content_block": block}:
                blocks[index] = dict(block)
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                _apply(blocks[index], delta)
            case {"type": "message_delta", "delta": ending}:
                assert ending["stop_reason"] == plain["stop_reason"]
    for block in blocks.values():
        if isinstance(block.get("partial"), str):
            text = block.pop("partial")
            block["input"] = json.loads(text or "{}") if plain["stop_reason"] != "max_tokens" else {}
    assert list(blocks.values()) == plain["content"]


def _apply(block, delta):
    for key, piece in delta.items():
        if key == "partial_json":
            block["partial"] = block.get("partial", "") + piece
        elif key != "type" and piece is not None:
            block[key] = (block.get(key) or "") + piece


def test_a_client_that_leaves_is_booked_for_what_was_generated():
    body = request(stream=True, system=cached())
    whole = accepted(world(Reply(output_tokens=100, thinking_tokens=40)), body)
    amounts, outputs = [], []
    for sent in range(len(list(whole.events())) + 1):
        entry = accepted(world(Reply(output_tokens=100, thinking_tokens=40)), body).settle(sent)
        amounts.append(entry.pusd)
        outputs.append(entry.call.served.usage.output_tokens)
        assert entry.call.served.usage.cache_write_5m_tokens == 5000
    assert (outputs[0], outputs[-1]) == (0, 100)
    assert outputs == sorted(outputs)
    assert amounts == sorted(amounts)
    assert amounts[0] == 40 * 2_000_000 + 5000 * 2_500_000
    assert amounts[-1] == whole.settle().pusd == amounts[0] + 100 * 10_000_000
    assert len(set(outputs)) > 5


def test_leaving_in_a_loop_pays_only_the_passes_that_ran():
    reply = Reply(text="Found.", loop=(ServerPass(result_tokens=8000, output_tokens=30),))
    begun = accepted(world(reply), request(stream=True))
    names = [event.name for event in begun.events()]
    entry = begun.settle(names.index("content_block_stop"))
    assert entry.call.served.usage == Usage(input_tokens=40, output_tokens=30, web_search_requests=1)
    assert entry.aborted


def test_a_request_is_booked_once():
    begun = accepted(world(), request())
    assert begun.settle() is begun.settle(0)


# -- faults --------------------------------------------------------------------------------------------------------


def test_a_burst_of_refusals_passes():
    sandbox = world()
    sandbox.faults.add(Fault(refuse="overloaded_error", count=2))
    statuses = [answer.status if isinstance(answer := send(sandbox, request()), Refused) else 200 for _ in range(4)]
    assert statuses == [529, 529, 200, 200]
    assert len(sandbox.books) == 0


def test_a_scripted_ramp_limit_says_so():
    sandbox = world()
    sandbox.faults.add(Fault(refuse="rate_limit_error", error_code="ramp_limit_exceeded", retry_after_s=7))
    answer = send(sandbox, request())
    status, error = refused(answer)
    assert (status, error["details"]) == (429, {"error_code": "ramp_limit_exceeded"})
    assert dict(answer.headers)["retry-after"] == "7"
    assert "anthropic-ratelimit-requests-limit" in dict(answer.headers)


def test_an_error_in_mid_stream_ends_it_and_is_booked_so_far():
    sandbox = world(Reply(output_tokens=100))
    sandbox.faults.add(Fault(error_after_events=5))
    begun = accepted(sandbox, request(stream=True))
    events = list(begun.events())
    assert [event.name for event in events][-2:] == ["content_block_delta", "error"]
    assert events[-1].payload["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    entry = begun.settle(len(events))
    assert entry.aborted
    assert 0 < entry.call.served.usage.output_tokens < 100
    assert begun.broken_off is False


def test_an_error_in_mid_stream_has_the_words_of_its_kind():
    sandbox = world()
    for kind, words in (("api_error", "Internal server error"), ("overloaded_error", "Overloaded")):
        sandbox.faults.add(Fault(error_after_events=3, error_type=kind))
        last = list(accepted(sandbox, request(stream=True)).events())[-1]
        assert last.payload == {"type": "error", "error": {"type": kind, "message": words}}


def test_a_cut_stream_says_that_it_is_broken():
    sandbox = world(Reply(output_tokens=100))
    sandbox.faults.add(Fault(cut_after_events=4, event_s=0.5))
    begun = accepted(sandbox, request(stream=True))
    events = list(begun.events())
    assert [event.delay_s for event in events] == [0.5] * 4
    assert begun.broken_off
    assert begun.settle().aborted


def test_chance_repeats_with_its_seed():
    def statuses(seed):
        sandbox = world(seed=seed)
        sandbox.faults.add(Fault(refuse="api_error", probability=0.5, count=None))
        return [isinstance(send(sandbox, request()), Refused) for _ in range(40)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert 5 < sum(statuses(1)) < 35


def test_equal_worlds_give_equal_answers():
    answers = [accepted(world(), request(stream=True)) for _ in range(2)]
    assert wire(answers[0].events()) == wire(answers[1].events())
    assert answers[0].headers() == answers[1].headers()


# -- time and cache -------------------------------------------------------------------------------------------------


def test_what_is_written_can_be_read_once_the_response_has_begun():
    sandbox = world()
    body = request(system=cached())
    early, parallel = send(sandbox, body), send(sandbox, body)
    early.first_byte()
    late = send(sandbox, body)
    reads = [one.message()["usage"]["cache_read_input_tokens"] for one in (early, parallel, late)]
    assert reads == [0, 0, 5000]


@pytest.mark.parametrize(
    ("model", "minimum"),
    [("claude-sonnet-5", 1024), ("claude-opus-4-7", 2048), ("claude-haiku-4-5", 4096), ("claude-fable-5-2", 512)],
)
def test_each_model_has_its_shortest_cacheable_prefix(model, minimum):
    def written(tokens):
        usage = accepted(world(), request(model=model, system=cached(tokens))).message()["usage"]
        return usage["cache_creation_input_tokens"]

    assert (written(minimum - 1), written(minimum)) == (0, minimum)


def test_workspaces_do_not_share_a_cache():
    sandbox = world()
    other = sandbox.add_workspace("Other")
    key = sandbox.add_key("sk-ant-api03-other", workspace_id=other.id, name="other")
    headers, raw = {"anthropic-version": "2026-10-21"}, json.dumps(request(system=cached())).encode()
    for caller in (sandbox.caller, sandbox.accounts.caller(key)):
        begun = begin(sandbox, caller, headers, raw)
        begun.first_byte()
        assert begun.message()["usage"]["cache_creation_input_tokens"] == 5000
        assert dict(begun.headers())["anthropic-workspace-id"] == caller.workspace_id


def test_the_documented_sequence_with_real_requests():
    # Facts 5.13, on Sonnet 5: (input, read, 5m write) of each request.
    sandbox = world()
    tools = [{"name": "t", "description": "old <<tokens:0>>", "input_schema": {}}]

    def question(text, *, history=False):
        turns = [{"role": "user", "content": cached(900)}, {"role": "assistant", "content": "<<tokens:0>>"}]
        return [*(turns if history else []), {"role": "user", "content": text}]

    def row(messages, **changes):
        body = request(system=cached(), messages=messages, **{"tools": tools, **changes})
        usage = accepted(sandbox, body).message()["usage"]
        assert usage["cache_creation"]["ephemeral_1h_input_tokens"] == 0
        return tuple(usage[name] for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))

    third = question("<<tokens:30>>", history=True)
    assert row(question("<<tokens:40>>")) == (40, 0, 5000)
    sandbox.clock.advance(120)
    assert row(question("<<tokens:55>>")) == (55, 5000, 0)
    assert row(third) == (30, 5000, 900)
    assert row(third, tool_choice={"type": "none"}) == (30, 5000, 900)
    assert row(third, tools=[{**tools[0], "description": "new <<tokens:0>>"}]) == (30, 0, 5900)
    sandbox.clock.advance(360)
    assert row(third) == (30, 0, 5900)


def test_delays_are_numbers_for_whoever_sends():
    reply = Reply(text="a" * 30, chunk_chars=10, ttft_s=1.5, event_s=0.25)
    sandbox = world(reply, reply)
    sandbox.faults.add(Fault(first_byte_s=2, event_s=0, count=None))
    stream, plain = accepted(sandbox, request(stream=True)), accepted(sandbox, request())
    assert stream.first_byte_delay_s == 3.5
    assert [event.delay_s for event in stream.events() if event.delay_s] == [0.25] * 3
    assert plain.first_byte_delay_s == 3.5 + 3 * 0.25


def test_a_call_knows_how_long_it_took():
    sandbox = world()
    begun = send(sandbox, request())
    sandbox.clock.advance(1.25)
    begun.first_byte()
    sandbox.clock.advance(0.5)
    begun.first_byte()
    call = begun.settle().call
    assert (call.sent_at, call.ttft_ms, call.duration_ms) == (T0, 1250, 1750)


def test_later_passes_count_against_the_input_limit():
    loop = (ServerPass(result_tokens=900_000, output_tokens=0),) * 2
    sandbox = world(Reply(text="x", loop=loop), tier="Start")
    accepted(sandbox, request()).settle()
    # 40, then 900,040, then 1,800,040 tokens: more than the 2 M a minute of tier Start.
    assert refused(send(sandbox, request()))[0] == 429


def test_a_growing_conversation_pays_for_each_token_once():
    sandbox, turns, whole = world(*[Reply(thinking_tokens=30, output_tokens=130)] * 6), [], 0
    for turn in range(6):
        turns = [*turns, {"role": "user", "content": f"<<tokens:{2000 + turn}>>"}]
        begun = accepted(sandbox, request(messages=turns, cache_control=EPHEMERAL, stream=turn % 2 == 0))
        usage = begun.settle().call.served.usage
        answer = 130 if turn else 0  # thinking comes back at its raw length, filler at its own
        assert (usage.input_tokens, usage.cache_read_tokens) == (0, whole)
        assert usage.cache_write_5m_tokens == answer + 2000 + turn
        whole = usage.prompt_tokens
        turns = [*turns, {"role": "assistant", "content": begun.message()["content"]}]
        sandbox.clock.advance(240)


def test_no_repr_shows_a_prompt():
    asks = []
    sandbox = world()
    sandbox.replies = Replies(Scripted(rules=[(lambda ask: asks.append(ask) is not None, Reply())]), Echo())
    secret = "the secret of the house"
    begun = accepted(sandbox, request(system=secret, messages=[{"role": "user", "content": secret}]))
    shown = repr([asks, begun, begun._taken, begun._attempts, begun._turn, list(begun.events()), begun.settle()])
    assert "secret" not in shown
    assert "<Ask claude-sonnet-5" in shown


# -- counting -------------------------------------------------------------------------------------------------------


def test_counting_is_free_and_equals_the_whole_prompt():
    sandbox = world()
    body = request(system=cached(), tools=[{"name": "get", "input_schema": {"type": "object"}}])
    status, headers, answer = count_tokens(
        sandbox, sandbox.caller, {"anthropic-version": "2026-10-21"}, json.dumps({**body, "max_tokens": None}).encode()
    )
    usage = accepted(sandbox, body).message()["usage"]
    whole = usage["input_tokens"] + usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"]
    assert (status, json.loads(answer)) == (200, {"input_tokens": whole})
    assert dict(headers)["request-id"].startswith("req_")
    assert len(sandbox.books) == 0


# -- properties -----------------------------------------------------------------------------------------------------

passes = st.builds(
    ServerPass,
    tool=st.sampled_from(["web_search", "web_fetch", "code_execution"]),
    output_tokens=st.integers(0, 400),
    result_tokens=st.integers(0, 3000),
    failed=st.booleans(),
)
tokens = st.integers(0, 900)
tool_uses = st.builds(ToolUse, st.just("t"), st.dictionaries(st.text(max_size=3), st.text(max_size=9)))
refusals = st.builds(Refusal, category=st.sampled_from([None, "bio", "cyber"]), after_output=st.booleans())
compactions = st.builds(Compaction, output_tokens=tokens, remaining_tokens=st.none() | tokens)
advices = st.builds(Advice, model=st.just("claude-opus-5"), input_tokens=tokens, output_tokens=tokens)
any_reply = st.builds(
    Reply,
    text=st.none() | st.text(max_size=60),
    thinking=st.text(max_size=30),
    thinking_tokens=st.none() | st.integers(0, 300),
    tool_uses=st.lists(tool_uses, max_size=2).map(tuple),
    output_tokens=st.none() | tokens,
    loop=st.lists(passes, max_size=2).map(tuple),
    paused=st.booleans(),
    refusal=st.none() | refusals,
    compaction=st.none() | compactions,
    advice=st.lists(advices, max_size=1).map(tuple),
    chunk_chars=st.integers(1, 50),
)


@given(any_reply, st.booleans(), st.integers(1, 1200), st.sampled_from([None, "5m", "1h"]))
def test_any_reply_is_consistent_and_reads_back(reply, stream, max_tokens, ttl):
    body = request(system=cached(ttl=ttl) if ttl else [], stream=stream, max_tokens=max_tokens)
    begun = accepted(world(reply), body)
    seen, entry = reading(begun), begun.settle()
    assert isinstance(seen, Served), seen
    assert seen == entry.call.served
    assert price_served(shipped_book(), seen, T0).list_pusd == entry.bill.list_pusd
    assert seen.usage.output_tokens <= max_tokens
    usage = begun.message()["usage"]
    split = usage["cache_creation"]
    assert (
        split["ephemeral_5m_input_tokens"] + split["ephemeral_1h_input_tokens"] == usage["cache_creation_input_tokens"]
    )
    assert usage["output_tokens_details"]["thinking_tokens"] <= usage["output_tokens"]
