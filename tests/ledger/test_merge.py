from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Call, Served, Usage
from farthing.ledger.interface import Posting, Stored
from farthing.ledger.merge import Known, knowledge, merged
from farthing.units import Kind

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def record(kind=Kind.MEASURED, output=0, request=None, pusd=0):
    served = Served(model="m", usage=Usage(output_tokens=output), kind=kind, message_id="m", request_id=request)
    call = Call(call_id=f"m:{request}" if request else "m", sent_at=NOON, source="t", served=served)
    return Stored(call, Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd))


records = st.builds(
    record, st.sampled_from(list(Kind)), st.integers(0, 3), st.sampled_from((None, "r")), st.integers(0, 2)
)


def test_the_order_of_knowledge():
    ascending = [
        record(Kind.ASSUMED, 9, "r"),
        record(Kind.DERIVED, 1, "r"),
        record(Kind.DERIVED, 2),
        record(Kind.DERIVED, 2, "r"),
        record(Kind.MEASURED, 0),
    ]
    for worse, better in pairwise(ascending):
        assert knowledge(worse.call) < knowledge(better.call)


@given(records, records)
def test_of_two_the_better_stays_and_an_equal_changes_nothing(known, other):
    kept = merged(known, other)
    better = other if knowledge(other.call) > knowledge(known.call) else known
    assert kept.posting is better.posting
    assert kept.call.served.usage == better.call.served.usage
    assert bool(kept.call.served.request_id) == any(s.call.served.request_id for s in (known, other))
    if knowledge(other.call) == knowledge(known.call):
        assert kept is known


@given(records, records)
def test_merging_again_changes_nothing(known, other):
    kept = merged(known, other)
    assert merged(kept, other) is kept
    assert merged(kept, known) is kept


@given(st.lists(records, min_size=1))
def test_knowledge_never_falls(given_records):
    known = Known()
    best = knowledge(given_records[0].call)
    for number, stored in enumerate(given_records):
        known.add(stored, number)
        [kept] = known.records.values()
        assert knowledge(kept.call) >= max(best, (*knowledge(stored.call)[:2], False))
        best = knowledge(kept.call)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_message_id_leads_to_the_smallest_of_several_calls(order):
    calls = [record(request="r1"), record(request="r2"), record(request="r3")]
    known = Known()
    for number in order:
        known.add(calls[number], number)
    assert known.find(record().call) == 0


def test_a_replaced_record_is_no_longer_found_by_its_former_id():
    known = Known()
    known.add(record(), 1)
    known.add(record(request="r"), 2)
    assert known.find(msgspec.structs.replace(record().call, served=Served(model="m", usage=Usage()))) is None
    assert known.find(record(request="r").call) == 1
