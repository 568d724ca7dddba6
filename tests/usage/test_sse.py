"""Event streams: whole, byte by byte, cut anywhere, broken off, oversized, and hostile."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import ExtraPass, PassKind, Served, Usage
from farthing.units import Kind
from farthing.usage.interface import Known, Quarantined, Unreadable
from farthing.usage.sse import SseMeter


def start(model="claude-sonnet-5", **usage):
    counts = {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    return {"type": "message_start", "message": message | {"stop_reason": None, "usage": counts | usage}}


def block(kind="text", index=0, **more):
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **more}}


def delta(index=0, **delta):
    return {"type": "content_block_delta", "index": index, "delta": delta}


def end(stop_reason="end_turn", **usage):
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": usage}


def error(kind="overloaded_error"):
    return {"type": "error", "error": {"type": kind, "message": "Overloaded"}}


PING, BLOCK_STOP, STOP = {"type": "ping"}, {"type": "content_block_stop", "index": 0}, {"type": "message_stop"}
SPLIT = {"ephemeral_5m_input_tokens": 2_000, "ephemeral_1h_input_tokens": 500}

# Facts 4.2 and 4.3; the counts of the server-tool stream are those of its samples.
TEXT = [
    start(cache_creation={"ephemeral_5m_input_tokens": 0}, service_tier="standard", inference_geo="global"),
    block(text=""),
    PING,
    delta(type="text_delta", text="Hi"),
    BLOCK_STOP,
    end(input_tokens=12, cache_creation_input_tokens=0, cache_read_input_tokens=0, output_tokens=4),
    STOP,
]
THINKING_AND_TOOL = [
    start(cache_creation_input_tokens=2_500, cache_read_input_tokens=9, cache_creation=SPLIT, speed="fast"),
    block("thinking", thinking="", signature=""),
    delta(type="thinking_delta", thinking="Need the wéather."),
    delta(type="signature_delta", signature="b64..."),
    BLOCK_STOP,
    block("tool_use", 1, id="toolu_1", name="get_weather", input={}),
    delta(1, type="input_json_delta", partial_json=""),
    delta(1, type="input_json_delta", partial_json='{"city": "Oslo"}'),
    BLOCK_STOP,
    end("tool_use", output_tokens=64, output_tokens_details={"thinking_tokens": 21}),
    STOP,
]
SERVER_TOOL = [
    start(input_tokens=2_679, output_tokens=3),
    block("server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    delta(type="input_json_delta", partial_json='{"query": "x"}'),
    BLOCK_STOP,
    block("web_search_tool_result", 1, content=[{"type": "web_search_result", "encrypted_content": "E" * 50}]),
    BLOCK_STOP,
    end(
        input_tokens=10_682,
        cache_creation_input_tokens=0,
        cache_read_input_tokens=0,
        output_tokens=510,
        server_tool_use={"web_search_requests": 1},
    ),
    STOP,
]
STREAMS = {"text": TEXT, "thinking and tool": THINKING_AND_TOOL, "server tool": SERVER_TOOL}
USAGES = {
    "text": Usage(12, output_tokens=4),
    "thinking and tool": Usage(12, 2_000, 500, 9, 64, 21),
    "server tool": Usage(10_682, output_tokens=510, web_search_requests=1),
}


def encoded(events, newline="\n"):
    frames = [
        f"event: {event['type']}{newline}data: {json.dumps(event, ensure_ascii=False)}{newline}{newline}"
        for event in events
    ]
    return "".join(frames).encode()


def metered(data, known=None, **options):
    meter = SseMeter(known or Known(), **options)
    for chunk in [data] if isinstance(data, bytes) else data:
        meter.feed(chunk)
    return meter.finish()


@pytest.mark.parametrize("name", STREAMS)
def test_start_and_last_delta_together_make_the_usage(name):
    served = metered(encoded(STREAMS[name]))
    assert served.usage == USAGES[name]
    assert (served.kind, served.notes, served.output_started) == (Kind.MEASURED, (), True)
    assert (served.model, served.message_id) == ("claude-sonnet-5", "msg_1")


def test_tier_geography_and_speed_come_from_the_start_alone():
    assert (metered(encoded(TEXT)).inference_geo, metered(encoded(THINKING_AND_TOOL)).speed) == ("global", "fast")
    assert metered(encoded(THINKING_AND_TOOL)).stop_reason == "tool_use"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", STREAMS)
def test_byte_by_byte_and_cut_in_two_at_every_byte_change_nothing(name, newline):
    data = encoded(STREAMS[name], newline)
    whole = metered(data)

    assert whole == metered(encoded(STREAMS[name]))
    assert metered([data[at : at + 1] for at in range(len(data))]) == whole
    assert all(metered([data[:at], data[at:]]) == whole for at in range(len(data)))


def test_line_ends_may_be_mixed_and_chunks_empty():
    data = encoded(TEXT).replace(b"\n\n", b"\r\n\n", 3).replace(b"\n\n", b"\r\r", 5)
    chunks = [part for at in range(len(data)) for part in (data[at : at + 1], b"")]
    assert metered(chunks) == metered(data) == metered(encoded(TEXT))


@given(st.data())
def test_any_cut_into_chunks_changes_nothing(data):
    stream = encoded(data.draw(st.sampled_from(list(STREAMS.values()))), data.draw(st.sampled_from(["\n", "\r\n"])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [stream[begin:stop] for begin, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert metered(chunks) == metered(stream)


@pytest.mark.parametrize("name", STREAMS)
def test_cut_short_at_every_byte_it_recovers_what_was_told(name):
    data, final = encoded(STREAMS[name]), USAGES[name]
    for stop in range(len(data)):
        told = whole_events(data[:stop])
        read = metered(data[:stop])
        if not told:
            assert isinstance(read, Unreadable)
        elif told[-1]["type"] in ("message_delta", "message_stop"):
            assert (read.usage, read.kind) == (final, Kind.MEASURED)
        else:
            characters = sum(len(text) for event in told for text in relayed(event))
            placeholder = told[0]["message"]["usage"]["output_tokens"]
            assert read.usage.output_tokens == max(placeholder, (characters + 3) // 4)
            assert read.kind is Kind.ASSUMED
            assert read.notes[0].startswith("recovered")


def whole_events(data):
    """An independent reading of the cut stream: every data line that holds a whole JSON object."""
    events = []
    for line in data.split(b"\n"):
        try:
            events.append(json.loads(line.removeprefix(b"data: ")))
        except ValueError:
            continue
    return events


def relayed(event):
    piece = event.get("delta", {}) if event["type"] == "content_block_delta" else {}
    return [piece.get(name, "") for name in ("text", "thinking", "partial_json")]


@pytest.mark.parametrize(
    ("events", "output"),
    [
        pytest.param([start(input_tokens=45), delta(type="text_delta", text="x" * 2041)], 511, id="T20"),
        pytest.param(
            [start(input_tokens=27, output_tokens=4), delta(type="text_delta", text="x" * 796)], 199, id="T21"
        ),
        pytest.param([start(), *[delta(type="text_delta", text="x" * 5)] * 3], 4, id="T22"),
        pytest.param([start(output_tokens=8), delta(type="text_delta", text="é" * 4)], 8, id="never below the start"),
        pytest.param([start(output_tokens=8), end(None, output_tokens=2)], 8, id="nor by a delta"),
        pytest.param([start(), end(None, output_tokens=70), delta(type="text_delta", text="x")], 70, id="last delta"),
        pytest.param([start(), delta(type="text_delta", text="x" * 40), error()], 10, id="error"),
        pytest.param([start(), delta(type="text_delta", text="x" * 40), STOP], 10, id="stop without any delta"),
        pytest.param(
            [start(), delta(type="text_delta", text="x" * 40), {"type": "message_delta", "delta": {}}, STOP],
            10,
            id="delta without usage",
        ),
    ],
)
def test_a_stream_without_final_counts_is_recovered_and_said_to_be(events, output):
    served = metered(encoded(events))
    assert served.usage.output_tokens == output
    assert served.kind is Kind.ASSUMED
    assert served.notes[0].startswith("recovered: ")


def test_an_error_event_is_named_and_its_message_is_not():
    assert "(overloaded_error)" in metered(encoded([start(), error()])).notes[0]
    assert "secret" not in repr(metered(encoded([start(), error("secret prompt!")])))
    assert isinstance(metered(encoded([error()])), Unreadable)


def test_an_error_after_the_final_counts_leaves_them_measured():
    assert metered(encoded([*TEXT[:-1], error()])).kind is Kind.MEASURED


def test_the_last_delta_wins_and_keeps_what_it_leaves_out():
    events = [start(), end(None, input_tokens=40, output_tokens=5), end(output_tokens=9), STOP]
    assert metered(encoded(events)).usage == Usage(40, output_tokens=9)
    events = [start(cache_read_input_tokens=7), end(output_tokens=9, cache_read_input_tokens=None, input_tokens=None)]
    assert metered(encoded(events)).usage == Usage(12, 0, 0, 7, 9)


def test_writes_after_the_start_are_five_minute_writes_and_derived():
    first = start(cache_creation_input_tokens=2_500, cache_creation=SPLIT)
    served = metered(encoded([first, end(cache_creation_input_tokens=3_100, output_tokens=9)]))

    assert served.usage == Usage(12, 2_600, 500, 0, 9)
    assert served.kind is Kind.DERIVED
    assert served.notes == ("600 cache-write tokens came after message_start without a split: counted as 5m",)


def test_iterations_that_state_their_split_make_later_writes_exact():
    entries = [
        {"type": "message", "input_tokens": 6, "output_tokens": 4, "cache_creation_input_tokens": 2_500}
        | {"cache_creation": SPLIT},
        {"type": "message", "input_tokens": 6, "output_tokens": 5, "cache_creation_input_tokens": 600}
        | {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 600}},
    ]
    first = start(cache_creation_input_tokens=2_500, cache_creation=SPLIT)
    served = metered(encoded([first, end(cache_creation_input_tokens=3_100, output_tokens=9, iterations=entries)]))
    assert (served.usage, served.kind) == (Usage(12, 2_000, 1_100, 0, 9), Kind.MEASURED)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([start(cache_creation_input_tokens=2_500, cache_creation=SPLIT), end(cache_creation_input_tokens=9)], "fall"),
        ([start(cache_creation_input_tokens=2_600, cache_creation=SPLIT), end(output_tokens=9)], "sums to the total"),
        ([start(input_tokens=-1), end(output_tokens=9)], "input_tokens = -1"),
        ([start(), end(output_tokens="9")], "output_tokens = a string"),
        ([start(), start(), end(output_tokens=9)], "two message_start"),
        ([{"type": "message_start"}, end(output_tokens=9)], "without its message"),
        ([start(model=None), end(output_tokens=9)], "names no model"),
    ],
)
def test_a_stream_that_contradicts_itself_is_quarantined(events, said):
    read = metered(encoded(events))
    assert isinstance(read, Quarantined)
    assert not isinstance(read, Unreadable)
    assert said in read.reason
    assert read.read == "messages stream"


def fallback_stream(**final):
    return [
        start("claude-fable-5-1", input_tokens=900),
        block("fallback", to={"model": "claude-opus-4-8"}),
        BLOCK_STOP,
        block(index=1, text=""),
        delta(1, type="text_delta", text="ok"),
        end(input_tokens=950, output_tokens=40, **final),
        STOP,
    ]


def test_a_fallback_in_mid_stream_is_priced_attempt_by_attempt():
    entries = [
        {"type": "message", "input_tokens": 900, "output_tokens": 0},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 950, "output_tokens": 40},
    ]
    served = metered(encoded(fallback_stream(iterations=entries)))

    assert (served.model, served.usage) == ("claude-opus-4-8", Usage(950, output_tokens=40))
    assert served.extra_passes == (ExtraPass(PassKind.DECLINED, Usage(900), "claude-fable-5-1"),)
    assert (served.kind, served.notes) == (Kind.MEASURED, ())


@pytest.mark.parametrize(("stated", "kind"), [(True, Kind.MEASURED), (False, Kind.DERIVED)])
def test_writes_of_a_declined_attempt_say_nothing_of_those_that_served(stated, kind):
    declined = {"type": "message", "input_tokens": 900, "output_tokens": 0, "cache_creation_input_tokens": 2_500}
    serving = {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 950, "output_tokens": 40}
    serving |= {"cache_creation_input_tokens": 700}
    if stated:
        serving["cache_creation"] = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 600}
    events = fallback_stream(
        cache_creation_input_tokens=700, iterations=[declined | {"cache_creation": SPLIT}, serving]
    )
    events[0] = start("claude-fable-5-1", cache_creation_input_tokens=2_500, cache_creation=SPLIT)
    served = metered(encoded(events))

    assert served.usage == (Usage(950, 100, 600, 0, 40) if stated else Usage(950, 700, 0, 0, 40))
    assert served.extra_passes[0].usage == Usage(900, 2_000, 500)
    assert served.kind is kind


def test_writes_of_an_attempt_that_no_iterations_tell_of_are_not_those_that_served():
    events = fallback_stream(cache_creation_input_tokens=700)
    events[0] = start("claude-fable-5-1", cache_creation_input_tokens=2_500, cache_creation=SPLIT)
    served = metered(encoded(events))
    assert (served.usage, served.kind) == (Usage(950, 700, 0, 0, 40), Kind.ASSUMED)


@pytest.mark.parametrize(
    ("opened", "wrote"),
    [
        (block(text="I can"), True),
        (block("server_tool_use", id="srvtoolu_1", name="web_search", input={}), True),
        (block(text=""), False),
        (block("thinking", thinking="", signature=""), False),
        (block("fallback", to={"model": "claude-opus-4-8"}), False),
    ],
)
def test_a_block_that_opens_with_content_is_output_without_any_delta(opened, wrote):
    """Whether a refusal came before any output decides whether it is billed."""
    served = metered(encoded([start(), opened, BLOCK_STOP, end("refusal", output_tokens=1), STOP]))
    assert served.output_started is wrote


def test_a_fallback_that_tells_no_iterations_is_assumed():
    served = metered(encoded(fallback_stream()))
    assert (served.model, served.kind) == ("claude-opus-4-8", Kind.ASSUMED)
    assert "no iterations" in served.notes[0]


def test_a_refusal_before_output_says_so():
    refusal = end("refusal", output_tokens=0)
    refusal["delta"]["stop_details"] = {"type": "refusal", "category": "cyber"}
    served = metered(encoded([start(), block(text=""), BLOCK_STOP, refusal, STOP]))
    assert (served.stop_reason, served.refusal_category, served.output_started) == ("refusal", "cyber", False)
    assert (served.usage.output_tokens, served.kind) == (0, Kind.MEASURED)


def test_framing_of_every_legal_kind_is_read():
    first, last = json.dumps(start(), indent=1).splitlines(), json.dumps(end(output_tokens=4))
    lines = [f"\ufeffdata:{first[0]}", ": a comment", "retry: 10", "id: 7", "event:message_start"]
    lines += [*(f"data:{line}" for line in first[1:]), ""]
    lines += ["data: not json", "", "event: brand_new", 'data: {"type": "brand_new", "n": [1]}', "", "", "data", ""]
    lines += ["event: message_delta", f"data: {last}"]
    served = metered("\n".join(lines).encode())

    for newline in ("\n", "\r\n", "\r"):
        data = newline.join(lines).encode()
        assert metered([data[at : at + 1] for at in range(len(data))]) == served
    assert served.usage == Usage(12, output_tokens=4)
    assert served.notes == ("1 events of the stream could not be read",)


def test_an_oversized_content_event_loses_its_characters_and_nothing_else():
    huge = block("web_search_tool_result", 1, content="x" * 5_000)
    data = encoded([*TEXT[:4], huge, delta(type="text_delta", text="y" * 5_000), *TEXT[4:]])
    for size in (1, 7, 1_000, len(data)):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        served = metered(chunks, event_bytes_max=1_000)
        assert (served.usage, served.kind) == (USAGES["text"], Kind.MEASURED)
        assert served.notes == ("2 events of the stream could not be read",)


def test_the_limit_falls_on_the_same_byte_however_the_stream_is_cut():
    data = encoded(TEXT)
    longest = max(map(len, data.splitlines()))
    for limit in range(longest - 8, longest + 2):
        whole = metered(data, event_bytes_max=limit)
        assert metered([data[at : at + 1] for at in range(len(data))], event_bytes_max=limit) == whole
    assert whole.kind is Kind.MEASURED


@pytest.mark.parametrize("pieces", [1, 10])
def test_an_oversized_final_delta_is_never_taken_for_no_usage(pieces):
    padded = encoded([end(output_tokens=4_000, x="z" * 3_000)]).replace(
        b', "x"', b',\ndata: "x"' if pieces > 1 else b', "x"'
    )
    served = metered(encoded(TEXT[:5]) + padded + encoded([STOP]), event_bytes_max=1_000)
    assert served.kind is Kind.ASSUMED
    assert "message_delta event was too long to hold" in served.notes[0]


def test_memory_stays_bounded_whatever_comes():
    meter = SseMeter(event_bytes_max=1_000)
    for chunk in (b"data: " + b"x" * 10_000, b"x" * 10_000, b"\n", *([b"data: yyyy\n"] * 5_000)):
        meter.feed(chunk)
        assert len(meter._line) + len(meter._data) <= 2_100
    assert isinstance(meter.finish(), Unreadable)


def test_finishing_twice_gives_the_same_answer():
    meter = SseMeter()
    meter.feed(encoded(TEXT)[:-30])
    assert meter.finish() == meter.finish()


def test_what_the_caller_knows_is_carried():
    known = Known(channel="google_cloud", location="us-east5", model="claude-sonnet-5@1", request_id="req_1")
    served = metered(encoded(TEXT), known)
    assert (served.channel, served.location, served.model, served.request_id) == (
        "google_cloud",
        "us-east5",
        "claude-sonnet-5@1",
        "req_1",
    )


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"data: ", b"\n\n", b"\r", b'{"type":"message_start"']), max_size=20
    )
)
def test_garbage_raises_nothing(chunks):
    assert isinstance(metered(chunks), Served | Quarantined)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["message", "delta", "usage", "content_block", "error"]), _JSON, st.sampled_from(TEXT)
        )
    )
)
def test_events_with_any_field_replaced_raise_nothing(changes):
    events = [event | {name: value} for name, value, event in changes]
    assert isinstance(metered(encoded([start(), *events])), Served | Quarantined)
