"""The Call: immutable, without prompt text, and the same after a journey through JSON."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import DIMENSIONS, Call, ExtraPass, PassKind, Served, Usage
from farthing.units import PROMPT_UNITS, TOKEN_UNITS, Kind, Unit, weakest

counts = st.integers(min_value=0, max_value=2**62)
usages = st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, counts))


@given(usages)
def test_the_prompt_is_fresh_input_plus_writes_plus_reads(usage):
    assert usage.prompt_tokens == sum(getattr(usage, unit) for unit in PROMPT_UNITS)


def test_each_billable_unit_is_a_field_of_usage():
    assert {unit.value for unit in Unit} <= set(Usage.__struct_fields__)


def test_thinking_is_inside_output_and_so_no_unit():
    assert "thinking_tokens" in Usage.__struct_fields__
    assert "thinking_tokens" not in {unit.value for unit in TOKEN_UNITS}


def test_fetches_and_code_execution_are_no_billable_unit_of_a_call():
    assert [unit for unit in Unit if unit not in TOKEN_UNITS] == [Unit.WEB_SEARCH]


@given(usages, st.lists(st.builds(ExtraPass, st.sampled_from(PassKind), usages, st.none() | st.text()), max_size=3))
def test_a_call_survives_a_journey_through_json(usage, passes):
    call = Call(
        call_id="c1",
        sent_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        source="jsonl",
        served=Served(model="claude-sonnet-4-6", usage=usage, extra_passes=tuple(passes), notes=("a note",)),
        dims={"tenant": "acme"},
    )
    assert msgspec.json.decode(msgspec.json.encode(call), type=Call) == call


def test_a_call_cannot_be_changed():
    served = Served(model="claude-sonnet-4-6", usage=Usage())
    call = Call(call_id="c1", sent_at=datetime(2026, 3, 1, tzinfo=UTC), source="jsonl", served=served)
    with pytest.raises(AttributeError):
        call.call_id = "c2"
    with pytest.raises(AttributeError):
        call.served.usage.input_tokens = 1


def test_a_call_has_no_room_for_prompt_text():
    fields = {*Call.__struct_fields__, *Served.__struct_fields__, *Usage.__struct_fields__}
    assert not fields & {"text", "content", "messages", "prompt", "system"}


def test_defaults_are_the_plain_case():
    served = Served(model="claude-sonnet-4-6", usage=Usage())
    assert (served.channel, served.service_tier, served.speed) == ("claude_api", "standard", "standard")
    assert (served.calls_in_total, served.kind, served.inference_geo) == (1, Kind.MEASURED, None)


def test_dimensions_are_named_once():
    assert len(set(DIMENSIONS)) == len(DIMENSIONS)


@pytest.mark.parametrize(
    ("kinds", "made"),
    [
        ((), Kind.MEASURED),
        ((Kind.MEASURED, Kind.MEASURED), Kind.MEASURED),
        ((Kind.MEASURED, Kind.DERIVED), Kind.DERIVED),
        ((Kind.ASSUMED, Kind.DERIVED, Kind.MEASURED), Kind.ASSUMED),
    ],
)
def test_a_figure_is_as_weak_as_its_weakest_part(kinds, made):
    assert weakest(*kinds) is made
