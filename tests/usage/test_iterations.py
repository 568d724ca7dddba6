"""The table of facts 3.4: which passes the top level leaves out."""

from __future__ import annotations

import json

import pytest

from farthing.call import ExtraPass, PassKind, Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.interface import Known
from farthing.usage.messages import read_message, read_usage
from farthing.usage.stream import EventMeter


def entry(kind, input_tokens, output_tokens, read=0, written=0, **more):
    return {
        "type": kind,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
    } | more


def split(write_5m, write_1h):
    return {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h}


def served(top, entries, **known):
    usage = {name: value for name, value in top.items() if name != "type"} | {"iterations": entries}
    return read_usage(usage, model="claude-opus-5", known=Known(**known))


def test_t23_compaction_is_billed_beside_the_top_level():
    read = served(entry("", 23_000, 1_000), [entry("compaction", 180_000, 3_500), entry("message", 23_000, 1_000)])

    assert read.usage == Usage(23_000, output_tokens=1_000)
    assert read.extra_passes == (ExtraPass(PassKind.COMPACTION, Usage(180_000, output_tokens=3_500), "claude-opus-5"),)
    assert sum(part.input_tokens for part in (read.usage, read.extra_passes[0].usage)) == 203_000
    assert (read.kind, read.notes) == (Kind.MEASURED, ())


def test_compaction_keeps_the_split_of_its_own_writes():
    compaction = entry("compaction", 100, 82, written=55_096, cache_creation=split(5_096, 50_000))
    read = served(entry("", 180, 8), [compaction, entry("message", 180, 8)])
    assert read.extra_passes[0].usage == Usage(100, 5_096, 50_000, 0, 82)


def test_an_advisor_is_billed_at_its_own_model_or_not_guessed():
    entries = [entry("message", 10, 5), entry("advisor_message", 70, 9, model="claude-opus-5-5")]
    assert served(entry("", 10, 5), entries).extra_passes == (
        ExtraPass(PassKind.ADVISOR, Usage(70, output_tokens=9), "claude-opus-5-5"),
    )
    del entries[1]["model"]
    assert served(entry("", 10, 5), entries).extra_passes[0].model is None


def test_a_server_tool_loop_is_its_top_level_and_tells_its_largest_prompt():
    entries = [entry("message", 2_679, 90), entry("message", 5_000, 100, read=60_000), entry("message", 3_003, 320)]
    read = served(entry("", 10_682, 510, read=60_000), entries)

    assert read.usage == Usage(10_682, 0, 0, 60_000, 510)
    assert read.extra_passes == ()
    assert read.prompt_tokens_max_in_one_pass == 65_000


def test_t34_a_declined_attempt_is_a_pass_of_the_model_that_was_asked():
    entries = [entry("message", 900, 0), entry("fallback_message", 950, 40, model="claude-opus-4-8")]
    read = served(entry("", 950, 40), entries, requested_model="claude-fable-5-1")

    assert read.usage == Usage(950, output_tokens=40)
    assert read.extra_passes == (ExtraPass(PassKind.DECLINED, Usage(900), "claude-fable-5-1"),)
    assert read.prompt_tokens_max_in_one_pass == 950
    assert served(entry("", 950, 40), entries).extra_passes[0].model is None
    entries[0]["model"] = "claude-mythos-5"
    assert served(entry("", 950, 40), entries, requested_model="x").extra_passes[0].model == "claude-mythos-5"


def test_the_tool_loop_of_a_fallback_is_its_top_level():
    """Only its last pass is a ``fallback_message``; those before it name its model, and are no declined attempts."""
    entries = [
        entry("message", 900, 0, model="claude-fable-5-1"),
        entry("message", 950, 40, model="claude-opus-4-8"),
        entry("fallback_message", 5_000, 60, read=60_000, model="claude-opus-4-8"),
    ]
    read = served(entry("", 5_950, 100, read=60_000), entries, requested_model="claude-fable-5-1")
    assert read.usage == Usage(5_950, 0, 0, 60_000, 100)
    assert read.extra_passes == (ExtraPass(PassKind.DECLINED, Usage(900), "claude-fable-5-1"),)
    assert (read.prompt_tokens_max_in_one_pass, read.notes) == (65_000, ())


OPUS, FABLE, HAIKU = "claude-opus-5", "claude-fable-5-1", "claude-haiku-4-5"
HOPS = [
    entry("message", 900, 30, model=FABLE),  # a tool's turn of the attempt that declined then
    entry("message", 990, 0, model=FABLE),
    entry("message", 950, 0, model=HAIKU),
    entry("fallback_message", 960, 40, model=OPUS),
]


def handed_over(*categories):
    blocks = [{"type": "fallback", "trigger": {"type": "refusal", "category": category}} for category in categories]
    return [{"type": "text", "text": "I will"}, *blocks, {"type": "text", "text": "Done."}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (handed_over("bio", "cyber"), ["bio", "bio", "cyber"]),
        (handed_over(None, "frontier_llm"), ["", "", "frontier_llm"]),
        (handed_over("bio"), [None] * 3),  # an attempt too few, or too many: who knows which
        (handed_over("bio", "cyber", "bio"), [None] * 3),
        ([{"type": "fallback"}, {"type": "fallback", "trigger": {"type": "odd"}}], [None] * 3),
        (None, [None] * 3),
    ],
)
def test_why_an_attempt_was_declined_is_where_the_content_hands_over(content, expected):
    usage = {**entry("", 960, 40), "iterations": HOPS}
    message = {"id": "msg_1", "model": OPUS, "content": content, "usage": usage}
    whole = read_message(json.dumps(message).encode())
    assert [one.refusal_category for one in whole.extra_passes] == expected
    assert read_message(message).extra_passes == whole.extra_passes

    events = [{"type": "message_start", "message": {**message, "content": [], "usage": entry("", 900, 1)}}]
    events += [{"type": "content_block_start", "index": 0, "content_block": block} for block in content or ()]
    events += [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    meter = EventMeter()
    for event in events:
        meter.event(json.dumps(event).encode())
    assert meter.finish().extra_passes == whole.extra_passes


def test_compaction_before_a_fallback_was_run_by_the_model_that_was_asked():
    entries = [
        entry("compaction", 100, 10),
        entry("message", 900, 0),
        entry("fallback_message", 950, 40, model="claude-opus-5"),
        entry("compaction", 200, 20),
    ]
    read = served(entry("", 950, 40), entries, requested_model="asked")
    assert [extra.model for extra in read.extra_passes] == ["asked", "asked", "claude-opus-5"]


def test_entries_that_state_their_split_make_the_top_level_exact():
    entries = [
        entry("message", 5, 1, written=30, cache_creation=split(10, 20)),
        entry("message", 6, 1, written=7, cache_creation=split(7, 0)),
    ]
    read = served(entry("", 11, 2, written=37), entries)
    assert (read.usage, read.kind) == (Usage(11, 17, 20, 0, 2), Kind.MEASURED)

    read = served(entry("", 11, 2, written=40), entries)
    assert (read.usage, read.kind) == (Usage(11, 40, 0, 0, 2), Kind.DERIVED)

    entries[1]["cache_creation_input_tokens"] = 8
    del entries[1]["cache_creation"]
    read = served(entry("", 11, 2, written=38), entries)
    assert (read.usage, read.kind) == (Usage(11, 38, 0, 0, 2), Kind.DERIVED)


def test_an_unknown_pass_is_refused_unless_the_top_level_provably_covers_it():
    entries = [entry("message", 10, 5), entry("critique", 20, 7)]
    with pytest.raises(BadInput, match=r"1 usage\.iterations entries of a type we do not know"):
        served(entry("", 10, 5), entries)
    assert served(entry("", 30, 12), entries).usage == Usage(30, output_tokens=12)
    assert served(entry("", 10, 5), [entry("message", 10, 5), entry("critique", 0, 0)]).extra_passes == ()


def test_a_top_level_that_already_holds_the_compaction_is_refused():
    with pytest.raises(BadInput, match="the sum of all its iterations"):
        served(entry("", 30, 12), [entry("message", 10, 5), entry("compaction", 20, 7)])


def test_a_loop_that_does_not_sum_is_noted_and_billed_by_its_top_level():
    read = served(entry("", 10, 5), [entry("message", 9, 5)])
    assert read.usage == Usage(10, output_tokens=5)
    assert "do not sum to the top level" in read.notes[0]


@pytest.mark.parametrize("entries", [None, []])
def test_no_entries_change_nothing(entries):
    read = served(entry("", 10, 5), entries)
    assert (read.extra_passes, read.prompt_tokens_max_in_one_pass) == ((), None)
