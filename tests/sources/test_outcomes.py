"""Outcomes as others tell them: our JSON, CloudEvents, files, and a request's body."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput, ErrorRecord, LedgerFault
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.outcome import Outcome
from farthing.sources.outcome_files import parse_outcome_map, read_outcome_csv, read_outcome_lines
from farthing.sources.outcome_intake import BODY_BYTES_MAX, OUTCOMES_MAX, NotRead, answer, read_value, values_of
from farthing.sources.outcomes import FIELDS, decode, read_outcome
from farthing.sources.rows import fingerprint

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OURS = {"id": "t-1", "at": "2026-11-20T12:00:00Z", "session": "s"}
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/crm",
    "type": "ticket_solved",
    "time": "2026-11-20T13:00:00+01:00",
    "data": {"status": "success", "session": "s"},
}


def error_of(value, **how):
    read = read_outcome(value, **how)
    assert isinstance(read, BadInput), read
    return str(read)


class TestOurJson:
    def test_every_field(self):
        row = OURS | {
            "outcome": "ticket_solved",
            "status": "Success",
            "value_usd": "12.50",
            "revenue_usd": "-0.000000000001",
            "request_id": "msg_1",
            "tag": "ticket=4711=b",
            "tenant": "acme",
            "feature": "mail",
        }
        assert read_outcome(row) == Outcome(
            outcome_id="t-1",
            happened_at=NOON,
            name="ticket_solved",
            status="success",
            value_pusd=12_500_000_000_000,
            revenue_pusd=-1,
            session="s",
            request="msg_1",
            tag_name="ticket",
            tag_value="4711=b",
            dims={"tenant": "acme", "feature": "mail"},
        )

    def test_the_least_that_is_enough(self):
        read = read_outcome({"id": 7, "gateway_call": "gw-1"}, received_at=NOON)
        assert read == Outcome(outcome_id="7", happened_at=NOON, request="gw-1", at_assumed=True)

    @pytest.mark.parametrize("tag", ["tag:ticket=1", {"ticket": 1}, {"tag:ticket": " 1 "}, " ticket =1"])
    def test_a_tag_is_a_pair(self, tag):
        read = read_outcome({"id": "a", "at": 1_763_640_000, "tag": tag})
        assert (read.tag_name, read.tag_value) == ("ticket", "1")

    def test_aliases(self):
        read = read_outcome({"id": "a", "at": OURS["at"], "session_id": "s", "message_id": "m", "tenant_id": "acme"})
        assert (read.session, read.request, read.dims) == ("s", "m", {"tenant": "acme"})

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"id": None}, "without id"),
            ({"id": ""}, "without id"),
            ({"id": ["x"]}, "read an array as id"),
            ({"id": "x" * 1001}, "1,001 characters"),
            ({"at": None}, "without a time"),
            ({"at": "2026-11-20T12:00:00"}, "without a time zone"),
            ({"at": "9999-01-01T00:00:00Z"}, "year 9999"),
            ({"session": None}, "names no calls"),
            ({"session": True}, "read a boolean as session"),
            ({"status": "solved"}, "expected one of success, failure, other"),
            ({"status": []}, "expected one of success"),
            ({"value_usd": "twelve"}, "value_usd that is no amount"),
            ({"value_usd": True}, "read a boolean as value_usd"),
            ({"value_usd": "0.0000000000001"}, "finer than a picodollar"),
            ({"revenue_usd": "1e16"}, "beyond any bill"),
            ({"revenue_usd": "NaN"}, "revenue_usd that is no amount"),
            ({"revenue_usd": "1" * 300}, "as revenue_usd"),
            ({"tag": "ticket"}, "without a name or a value"),
            ({"tag": "=x"}, "without a name or a value"),
            ({"tag": {"a": "1", "b": "2"}}, "as tag"),
            ({"sesion": "s"}, "'sesion'; expected session"),
            ({"revenue": "1"}, "'revenue'; expected revenue_usd"),
        ],
    )
    def test_what_is_wrong_is_said(self, changes, told):
        assert told in error_of(OURS | changes)

    @pytest.mark.parametrize("value", [None, [], "x", 3])
    def test_no_object(self, value):
        assert "expected an object" in error_of(value)

    def test_what_looks_like_a_key_is_kept_as_calls_keep_it(self):
        key = "sk-ant-api03-abcdef"
        assert read_outcome(OURS | {"session": key}).session == fingerprint(key)

    def test_amounts_keep_every_digit(self):
        row = decode(b'{"id":"a","at":1763640000.5,"session":"s","value_usd":123456789.123456789012,"revenue_usd":3}')
        read = read_outcome(row)
        assert (read.value_pusd, read.revenue_pusd) == (123_456_789_123_456_789_012, 3 * 10**12)
        assert read.happened_at == datetime.fromtimestamp(1_763_640_000, UTC) + timedelta(milliseconds=500)


class TestCloudEvents:
    def test_the_envelope_stands_in_for_what_data_does_not_say(self):
        read = read_outcome(EVENT)
        assert (read.outcome_id, read.name, read.happened_at, read.status) == (
            "/crm e-1",
            "ticket_solved",
            NOON,
            "success",
        )

    def test_what_data_says_goes_first(self):
        data = {"id": "t-1", "outcome": "solved", "at": "2026-11-20T12:00:00Z", "session": "s", "anything": {"else": 1}}
        read = read_outcome(EVENT | {"data": data, "time": None, "subject": "x", "comexampleextension": 1})
        assert (read.outcome_id, read.name, read.happened_at) == ("t-1", "solved", NOON)

    def test_binary_data(self):
        event = {name: value for name, value in EVENT.items() if name != "data"}
        packed = base64.b64encode(b'{"session": "s", "value_usd": 0.1}').decode()
        assert read_outcome(event | {"data_base64": packed}).value_pusd == 10**11

    def test_without_a_time_it_happened_when_it_was_told(self):
        event = {name: value for name, value in EVENT.items() if name != "time"}
        assert "without a time" in error_of(event)
        assert read_outcome(event, received_at=NOON).at_assumed

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"specversion": "0.3"}, "expected 1.0"),
            ({"specversion": None}, "expected 1.0"),
            ({"id": ""}, "without id"),
            ({"source": None}, "without source"),
            ({"type": 3}, "without type"),
            ({"data": None}, "as the data"),
            ({"data": "text"}, "read a string as the data"),
            ({"data": None, "data_base64": "%%%"}, "not base64"),
            ({"data": None, "data_base64": base64.b64encode(b"<xml/>").decode()}, "not JSON"),
            ({"datacontenttype": "text/xml"}, "data is not JSON"),
            ({"datacontenttype": 3}, "data is not JSON"),
            ({"data": {}}, "names no calls"),
        ],
    )
    def test_what_is_wrong_is_said(self, changes, told):
        assert told in error_of(EVENT | changes)

    def test_media_types_of_json(self):
        for media_type in ("application/json; charset=utf-8", "application/vnd.crm+json", "text/json"):
            assert isinstance(read_outcome(EVENT | {"datacontenttype": media_type}), Outcome)


class TestFiles:
    def test_lines_of_both_shapes_with_bad_ones_beside(self):
        lines = [json.dumps(OURS), "{oops", json.dumps(EVENT), json.dumps(OURS | {"status": "?"}), ""]
        read = list(read_outcome_lines(io.BytesIO("\n".join(lines).encode()), "f.jsonl", {}))
        assert [type(one) for one in read] == [Outcome, ErrorRecord, Outcome, ErrorRecord]
        assert [one.line for one in read if isinstance(one, ErrorRecord)] == [2, 4]

    def test_lines_keep_every_digit(self):
        (read,) = read_outcome_lines(io.BytesIO(b'{"id":1,"at":0,"session":"s","value_usd":0.123456789012}'), "f", {})
        assert read.value_pusd == 123_456_789_012

    def test_csv_with_foreign_columns_and_empty_cells(self):
        text = (
            "\ufeffid;at;status;revenue_usd;session;agent name;tenant\n"
            't-1;2026-11-20T12:00:00Z;success; 9.90 ;s-1;"Smith; J.";acme\n'
            "t-2;2026-11-20T12:00:00Z;failure;;s-2;;\n"
            "t-3;yesterday;success;1;s-3;;\n"
            "t-4;2026-11-20T12:00:00Z;success;1,000.00;s-3;;\n"
            "t-5;2026\n"
        )
        first, second, *bad = read_outcome_csv(io.BytesIO(text.encode()), "f.csv", {})
        assert (first.revenue_pusd, first.dims, second.revenue_pusd) == (9_900_000_000_000, {"tenant": "acme"}, None)
        assert [one.line for one in bad] == [4, 5, 6]
        assert "1,000" not in bad[1].error

    def test_a_map_says_where_things_are(self):
        mapping = parse_outcome_map(["id=ticket.no,at=closed", "tag:ticket=ticket.no"])
        row = {"ticket": {"no": 4711}, "closed": "2026-11-20T12:00:00Z", "tags": ["x"]}
        (read,) = read_outcome_lines(io.BytesIO(json.dumps(row).encode()), "f", mapping)
        assert (read.outcome_id, read.tag_name, read.tag_value) == ("4711", "ticket", "4711")

    @pytest.mark.parametrize("text", ["id", "=x", "id=", "nonsense=x", "tag:=x"])
    def test_a_map_of_nothing_is_refused(self, text):
        with pytest.raises(BadInput, match="--map"):
            parse_outcome_map([text])


class TestBodies:
    @staticmethod
    def read(value, content_type="application/json", **how):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        values = values_of(body, content_type)
        if isinstance(values, NotRead):
            return values
        return [read_value(one, **({"received_at": NOON} | how)) for one in values]

    @pytest.mark.parametrize("content_type", ["", "Application/JSON; charset=utf-8", "application/json"])
    def test_one_of_ours_or_many(self, content_type):
        assert self.read(OURS, content_type) == [read_outcome(OURS)]
        assert self.read([OURS, OURS | {"id": 2}], content_type) == [read_outcome(OURS), read_outcome(OURS | {"id": 2})]
        assert self.read([], content_type) == []

    def test_events_alone_in_batches_and_as_plain_json(self):
        event = read_outcome(EVENT)
        assert self.read(EVENT, "application/cloudevents+json; charset=UTF-8") == [event]
        assert self.read([EVENT, EVENT], "application/cloudevents-batch+json") == [event, event]
        assert self.read([EVENT, OURS]) == [event, read_outcome(OURS)]

    def test_an_event_without_a_time_may_be_sent_again(self):
        event = {name: value for name, value in EVENT.items() if name != "time"}
        store = MemoryLedger()
        for minutes, what in ((0, "new"), (5, "known")):
            at = NOON + timedelta(minutes=minutes)
            told = self.read(event, "application/cloudevents+json", received_at=at)
            assert getattr(store.add_outcomes(told, received_at=at), what) == 1
        assert store.outcomes()[0].happened_at == NOON

    def test_bad_ones_stand_beside_the_good_ones(self):
        read = self.read([OURS, {"id": "x"}, 3])
        assert [type(one) for one in read] == [Outcome, BadInput, BadInput]

    def test_a_sender_is_told_which_are_bad_and_why(self):
        assert answer(2, []) == (202, {"accepted": 2, "errors": []})
        status, said = answer(1, [(4, BadInput("read \ud83d", "x"))])
        assert (status, said) == (422, {"accepted": 1, "errors": [{"index": 4, "error": "read \ufffd; expected x"}]})

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (b"", "application/json", 400),
            (b"{", "application/json", 400),
            (b"\xff", "application/json", 400),
            (b"[" * 100_000, "application/json", 400),
            (b"{}", "text/plain", 415),
            (b"{}", "application/cloudevents+avro", 415),
            (b"{}", "application/cloudevents+json", 400),
            (b"[]", "application/cloudevents+json", 400),
            (b"{}", "application/cloudevents-batch+json", 400),
            (b"[{}]", "application/cloudevents-batch+json", 400),
            (b" " * (BODY_BYTES_MAX + 1), "application/json", 413),
            (b"[" + b",".join([b"1"] * (OUTCOMES_MAX + 1)) + b"]", "application/json", 413),
        ],
    )
    def test_what_cannot_be_read_is_not_read_in_part(self, body, content_type, status):
        assert self.read(body, content_type).status == status

    def test_a_tenant_tells_of_itself_alone(self):
        first, other, last = self.read(
            [OURS, OURS | {"id": "b", "tenant": "bolt"}, OURS | {"id": "c", "tenant": "a/c"}], tenant="a/c"
        )
        assert [(one.outcome_id, one.tenant) for one in (first, last)] == [("a%2Fc/t-1", "a/c"), ("a%2Fc/c", "a/c")]
        assert "another tenant" in str(other)
        assert "bolt" not in str(other)

    def test_a_tenant_cannot_correct_anothers_outcome(self):
        store = MemoryLedger()
        for tenant, status in (("acme", "other"), ("bolt", "failure"), ("a", "success")):
            told = self.read(OURS | {"status": status, "id": "cme/t-1" if tenant == "a" else "t-1"}, tenant=tenant)
            assert store.add_outcomes(told, received_at=NOON).new == 1
        assert {one.tenant: one.status for one in store.outcomes()} == {
            "acme": "other",
            "bolt": "failure",
            "a": "success",
        }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1.0", "a=b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "specversion", "source", "type", "time", "data", "data_base64"]), json_values
    )
)
def test_whatever_comes_is_an_outcome_that_a_ledger_keeps_or_one_clear_error(value):
    read = read_outcome(value, received_at=NOON)
    if isinstance(read, BadInput):
        assert str(read).startswith("read ")
        return
    try:
        assert MemoryLedger().add_outcomes([read], received_at=NOON).new == 1
    except LedgerFault as fault:
        raise AssertionError(msgspec.to_builtins(value)) from fault
