"""A worst case is never below a bill: by hand for each modifier, and against every bill the sandbox makes up."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.limits.demand import ITERATIONS_MAX, demand_of, read_body
from farthing.limits.worst import worst_case
from farthing.prices.book import shipped_book
from farthing.prices.card import Unpriced
from farthing.sandbox.answering import Echo, Replies, Scripted
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Begun, begin
from farthing.sandbox.replies import Advice, Compaction, Refusal, Reply, ServerPass
from farthing.sandbox.world import World

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)
BETAS = "compact-2026-01-12,context-management-2025-06-27,server-side-fallback-2026-07-01,fast-mode-2026-02-01"
SONNET, OPUS, HAIKU = "claude-sonnet-5", "claude-opus-5", "claude-haiku-4-5"
SEARCH = {"type": "web_search_20260209", "name": "web_search"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAB4AAAAQ4CAIAAABnsVYU"  # the head of one of 1920x1080


def request(text="What does it cost?", model=SONNET, **fields):
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}


def worst(body, geo="global", **options):
    return worst_case(shipped_book(), json.dumps(body).encode(), T0, default_geo=geo, **options)


def rate(model, unit, speed="standard"):
    """Picodollars a token, read from the book's own text."""
    row = next(
        row for row in shipped_book().rows(shipped_book().names.find(model).model, T0.date()) if row.speed == speed
    )
    return round(float(getattr(row, unit)) * 10**6)


def prompt_bound(body):
    return len(json.dumps(body)) + 64


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_plain_text_is_bounded_by_its_bytes():
    body = request()
    assert worst(body) == prompt_bound(body) * rate(SONNET, "input") + 100 * rate(SONNET, "output")


def test_where_something_may_be_cached_it_may_be_written():
    body = request(cache_control={"type": "ephemeral"})
    assert worst(body) == prompt_bound(body) * rate(SONNET, "cache_write_5m") + 100 * rate(SONNET, "output")
    body = request(system=[{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
    assert worst(body) == prompt_bound(body) * rate(SONNET, "cache_write_1h") + 100 * rate(SONNET, "output")


def test_where_it_may_run_decides():
    body, plain = request(), worst(request())
    assert worst(body, "us") * 10 == worst(body, "unknown") * 10 == plain * 11
    stated = request(inference_geo="global")
    assert worst(stated, "us") == prompt_bound(stated) * rate(SONNET, "input") + 100 * rate(SONNET, "output")
    stated = request(inference_geo="us")
    assert worst(stated) * 10 == (prompt_bound(stated) * rate(SONNET, "input") + 100 * rate(SONNET, "output")) * 11


def test_fast_costs_its_own_rate_and_a_batch_half():
    body = request(model="claude-opus-5-5", speed="fast")
    model = body["model"]
    fast = prompt_bound(body) * rate(model, "input", "fast") + 100 * rate(model, "output", "fast")
    assert worst(body) == fast
    assert worst(request(), batch=True) * 2 == worst(request())


def test_without_max_tokens_the_model_may_say_all_it_can():
    body = request()
    del body["max_tokens"]
    model = shipped_book().names.find(SONNET).model
    longest = max(model.output_tokens_max, model.output_tokens_max_batch_beta)
    assert worst(body) == prompt_bound(body) * rate(SONNET, "input") + longest * rate(SONNET, "output")


WINDOW = 1_000_000


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "something_new"},
        {"type": "text", "text": "<<tokens:5>>"},
    ],
)
def test_what_its_bytes_do_not_bound_the_context_window_does(block):
    body = request([block])
    assert worst(body) == WINDOW * rate(SONNET, "input") + 100 * rate(SONNET, "output")


def test_an_hour_asked_for_once_counts_for_all():
    blocks = [{"type": "text", "text": "x", "cache_control": one} for one in (HOUR, {"type": "ephemeral"})]
    for order in (blocks, blocks[::-1]):
        body = request(order)
        assert worst(body) == prompt_bound(body) * rate(SONNET, "cache_write_1h") + 100 * rate(SONNET, "output")


def test_a_cited_document_counts_twice_and_thinking_may_be_longer_than_the_answer():
    source = {"type": "text", "media_type": "text/plain", "data": "word " * 50}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    body = request([document], thinking={"type": "enabled", "budget_tokens": 2000})
    twice = len(json.dumps(source, separators=(",", ":")))
    assert worst(body) == (prompt_bound(body) + twice) * rate(SONNET, "input") + 2000 * rate(SONNET, "output")


HOUR = {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    "body",
    [
        request([{"type": "something_new", "content": [{"type": "text", "text": "x", "cache_control": HOUR}]}]),
        request(a_field_of_next_year=[{"within": {"cache_control": HOUR}}]),
        {**request(), "messages": [{"role": "user", "content": "x", "more": {"cache_control": HOUR}}]},
    ],
    ids=["block", "field", "message"],
)
def test_a_cache_write_is_found_wherever_it_is_asked_for(body):
    assert worst(body) == WINDOW * rate(SONNET, "cache_write_1h") + 100 * rate(SONNET, "output")


def test_a_cache_write_within_a_search_result_is_found():
    text = [{"type": "text", "text": "x", "cache_control": HOUR}]
    body = request([{"type": "search_result", "source": "s", "title": "t", "content": text}])
    assert worst(body) == prompt_bound(body) * rate(SONNET, "cache_write_1h") + 100 * rate(SONNET, "output")


@pytest.mark.parametrize("name", ["tools", "a_field_of_next_year"])
def test_a_tool_that_is_defined_beside_the_list_of_tools_is_one(name):
    uses = {**SEARCH, "max_uses": 3}
    message = {"role": "system", "content": "x", name: [uses]}
    found = demand_of(read_body(json.dumps({**request(), "messages": [message]}).encode()))
    assert (found.iterations, found.searches, found.has_tools, found.tools) == (4, 3, True, (uses,))


def test_words_beside_a_message_are_no_more_than_their_bytes():
    body = {**request(), "messages": [{"role": "user", "content": "x", "effort": "low", "clear_at": 5}]}
    assert worst(body) == prompt_bound(body) * rate(SONNET, "input") + 100 * rate(SONNET, "output")


@pytest.mark.parametrize("field", ["thread", "container", "a_field_of_next_year"])
def test_a_field_that_nobody_knows_proves_nothing(field):
    assert worst(request(**{field: {"id": "x"}})) >= WINDOW * rate(SONNET, "input")


def test_an_image_counts_at_its_tiers_most_and_its_bytes_do_not():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG * 1000}}
    tokens = len(json.dumps(request([image]))) - len(PNG) * 1000 + 64 + 4784
    assert worst(request([image])) == tokens * rate(SONNET, "input") + 100 * rate(SONNET, "output")


def test_a_number_may_be_written_longer_than_it_came():
    short = (
        b'{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","input":[%s]}]}]}'
    )
    body = read_body(short % b",".join([b"1e15"] * 50))
    assert demand_of(body).text_bytes >= len(json.dumps([1e15] * 50))


def test_several_models_may_answer():
    few, more = (worst(request(fallbacks=[{"model": HAIKU}] * number)) for number in (2, 8))
    assert worst(request()) < few < more


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (request(model="claude-sonnet-6"), "not in the price book"),
        (request(model=None), "names no model"),
        (request(fallbacks="default"), "fallbacks"),
        (request(fallbacks=[{"model": "claude-next"}]), "not in the price book"),
        (request(fallbacks=[{"model": HAIKU}] * 9), "more than 8 models may answer"),
        (request(inference_geo="mars"), "mars"),
        (request(tools=[{"type": "advisor_20260301", "name": "advisor"}]), "advisor"),
    ],
)
def test_what_has_no_bound_says_why(body, says):
    found = worst(body)
    assert isinstance(found, Unpriced)
    assert says in found.reason


@pytest.mark.parametrize("raw", [b"", b"\x1f\x8b\x08", b"[]", b'{"model": ', b"[" * 5_000, b'{"a": "\xff"}'])
def test_a_body_that_cannot_be_read_has_no_bound(raw):
    assert isinstance(worst_case(shipped_book(), raw, T0), Unpriced)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.sampled_from(
        ["type", "source", "content", "cache_control", "tools", "messages", "system", "max_uses", "citations", "data"]
    ), inner)
)))  # fmt: skip
@settings(max_examples=60)
def test_odd_bodies_raise_nothing(value):
    body = {**request(), **(value if isinstance(value, dict) else {"messages": value, "tools": value})}
    assert isinstance(worst(body), int | Unpriced)


@pytest.mark.parametrize("odd", [[], {}, [[]], 1e400, None, True, "x" * 10_000])
def test_no_field_of_a_wrong_type_raises_or_comes_back_whole(odd):
    for field in ("model", "max_tokens", "tools", "tool_choice", "thinking", "fallbacks", "inference_geo", "system",
                  "output_config", "context_management", "cache_control", "speed"):  # fmt: skip
        found = worst_case(shipped_book(), json.dumps({**request(), field: odd}).encode(), T0)
        assert isinstance(found, int) or len(found.reason) < 400
    for block in ({"type": odd}, {"type": "image", "source": odd}, {"type": "document", "source": {"type": odd}}, odd):
        assert isinstance(worst(request([block])), int | Unpriced)
    for tool in ({"type": odd}, {**SEARCH, "max_uses": odd}, {"type": "advisor_1", "model": odd, "max_uses": odd}):
        assert isinstance(worst(request(tools=[tool])), int | Unpriced)


# -- against the sandbox ----------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
CONTROL = st.sampled_from([None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
LONG = st.sampled_from([0, 1500, 6000])


def marked(block, control):
    return {**block, "cache_control": control} if control else block


TEXTS = st.builds(lambda t, n, c: marked({"type": "text", "text": t + "cost " * n + "."}, c), TEXT, LONG, CONTROL)
DICTATED = st.builds(lambda n, c: marked({"type": "text", "text": f"<<tokens:{n}>>"}, c),
                     st.integers(0, 190_000), CONTROL)  # fmt: skip
IMAGES = st.builds(
    lambda source: {"type": "image", "source": source},
    st.sampled_from([
        {"type": "base64", "media_type": "image/png", "data": PNG},
        {"type": "url", "url": "https://example.com/a.png"},
    ]),
)  # fmt: skip
DOCUMENTS = st.builds(
    lambda source: {"type": "document", "source": source},
    st.sampled_from([
        {"type": "text", "media_type": "text/plain", "data": "A contract. " * 40},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
        {"type": "content", "content": [{"type": "text", "text": "Part one."}]},
    ]),
)  # fmt: skip
RESULTS = st.builds(
    lambda inner: {"type": "tool_result", "tool_use_id": "toolu_1", "content": inner},
    TEXT | st.lists(TEXTS | IMAGES, max_size=2),
)
OWN_TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "x": [1e15, 1e-7, 2.5]}}
TOOLS = st.lists(
    st.sampled_from([OWN_TOOL, {"type": "bash_20250124", "name": "bash"}, {**SEARCH, "max_uses": 3}, SEARCH]),
    max_size=2,
)


@st.composite
def bodies(draw):
    blocks = draw(st.lists(TEXTS | DICTATED | IMAGES | DOCUMENTS | RESULTS, min_size=1, max_size=4))
    body = {
        "model": draw(st.sampled_from([SONNET, OPUS, HAIKU, "claude-sonnet-4-5", "claude-opus-5-5"])),
        "max_tokens": draw(st.integers(1, 4000)),
        "messages": [{"role": "user", "content": blocks}],
    }
    optional = {
        "tools": TOOLS,
        "system": TEXT | st.lists(TEXTS, max_size=2),
        "cache_control": CONTROL,
        "inference_geo": st.sampled_from(["us", "global"]),
        "speed": st.just("fast"),
        "fallbacks": st.just([{"model": HAIKU, "max_tokens": 3000}, {"model": OPUS}]),
        "context_management": st.just({"edits": [{"type": "compact_20260112"}]}),
        "output_config": st.just({"format": {"type": "json_schema", "schema": {"type": "object"}}}),
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)), max_size=3)):
        value = draw(optional[name])
        if value is not None:
            body[name] = value
    return body


@st.composite
def replies(draw, body):
    """What the request could lead to: a loop only with server tools, a summary only where one was asked for."""
    tools = body.get("tools", [])
    uses = sum(tool.get("max_uses", ITERATIONS_MAX) for tool in tools if tool.get("type") == SEARCH["type"])
    reply = {
        "output_tokens": draw(st.none() | st.integers(0, 5000)),
        "loop": tuple(
            ServerPass(result_tokens=draw(st.integers(0, 50_000)), output_tokens=draw(st.integers(0, 50)))
            for _ in range(draw(st.integers(0, min(uses, ITERATIONS_MAX))))
        ),
        "refusal": draw(st.none() | st.sampled_from([Refusal(category="bio"), Refusal(after_output=True)])),
    }
    if "context_management" in body:
        reply["compaction"] = draw(st.none() | st.builds(
            Compaction, output_tokens=st.integers(1, 60_000), remaining_tokens=st.integers(1, 100_000)
        ))  # fmt: skip
    return Reply(**reply)


def bill_of(world, body, service_tier="standard"):
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": BETAS}
    raw = json.dumps(body).encode()
    begun = begin(world, world.caller, headers, raw, service_tier=service_tier)
    if not isinstance(begun, Begun):
        return None
    begun.first_byte()
    begun.message()
    return begun.settle().bill


@given(st.data())
@settings(max_examples=120)
def test_no_bill_of_the_sandbox_is_above_its_worst_case(data):
    body = data.draw(bodies())
    tier = data.draw(st.sampled_from(["standard", "batch"]))
    world = World(clock=VirtualClock(T0), tier=None)
    if data.draw(st.booleans()):
        workspace = world.workspace
        replaced = type(workspace)(id=workspace.id, name="us", is_default=True, default_inference_geo="us")
        world.accounts.put_workspace(replaced, world.organization.id)
    scripted = [data.draw(replies(body)) for _ in range(6)]
    world.replies = Replies(Scripted(scripted), Echo())
    most = worst(body, "unknown", batch=tier == "batch")
    for _ in range(2):  # cold, and with what the first one cached
        bill = bill_of(world, body, tier)
        if bill is not None and bill.high_pusd is not None:
            assert isinstance(most, int), most
            assert bill.high_pusd <= most


def test_an_advisor_is_bounded_by_its_own_model():
    tool = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5", "max_uses": 2}
    body = request(tools=[tool])
    world = World(clock=VirtualClock(T0), tier=None)
    advice = Advice(model="claude-opus-5-5", input_tokens=400_000, output_tokens=20_000)
    world.replies = Replies(Scripted([Reply(text="Done.", advice=(advice, advice))]), Echo())
    bill = bill_of(world, body)
    assert 2 * 400_000 * rate("claude-opus-5-5", "input") < bill.high_pusd <= worst(body)


def test_the_bound_is_not_absurd():
    """At least a tenth of it is spent by a call that fills what it asked for: text of 4 characters a token."""
    body = request("cost " * 4000, max_tokens=4000)
    world = World(clock=VirtualClock(T0), tier=None)
    world.replies = Replies(Scripted([Reply(output_tokens=4000)]), Echo())
    assert bill_of(world, body).list_pusd * 10 > worst(body)
