"""Rows of anybody's log: what is found, what is an error, and who a call is."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest

from farthing.call import Call, Usage
from farthing.errors import BadInput, ErrorRecord
from farthing.sources.csv_file import read_csv
from farthing.sources.jsonl import read_jsonl
from farthing.sources.rows import FieldMap, Origin, at_path, fingerprint, instant, parse_map, read_row
from farthing.sources.usage_payloads import read_payloads

AT = "2026-10-05T09:00:00Z"
USAGE = {"input_tokens": 100, "output_tokens": 20}
ROW = {"model": "claude-sonnet-4-5", "at": AT, "usage": USAGE}
JSONL = Origin(source="jsonl")


def calls(read, data, origin=JSONL):
    return list(read(io.BytesIO(data if isinstance(data, bytes) else data.encode()), "file", origin))


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows)


class TestInstant:
    @pytest.mark.parametrize(
        "value", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2200-01-01T00:00:00Z", -1, 1e10]
    )
    def test_a_year_without_calls(self, value):
        with pytest.raises(BadInput, match="in the year"):
            instant(value)

    @pytest.mark.parametrize("value", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"])
    def test_years_at_the_edge(self, value):
        assert instant(value) == datetime.fromisoformat(value)

    @pytest.mark.parametrize(
        "value",
        ["2026-10-05T09:00:00Z", "2026-10-05t09:00:00z", "2026-10-05 11:00:00+02:00", 1791190800, 1791190800000.0],
    )
    def test_the_same_moment(self, value):
        assert instant(value) == datetime(2026, 10, 5, 9, tzinfo=UTC)

    @pytest.mark.parametrize(
        "value", ["2026-10-05T09:00:00", "2026-10-05", "soon", True, None, [], 1e300, float("nan")]
    )
    def test_what_is_no_moment_is_refused_without_repeating_it(self, value):
        with pytest.raises(BadInput) as caught:
            instant(value)
        assert "RFC 3339" in str(caught.value)
        assert "soon" not in str(caught.value)

    def test_it_is_utc(self):
        at = instant(datetime(2026, 10, 5, 23, tzinfo=timezone(timedelta(hours=-5))).isoformat())
        assert at.tzinfo is UTC
        assert at.day == 6


class TestRow:
    def test_dimensions_from_top_tags_and_metadata(self):
        row = ROW | {
            "tenant": "acme",
            "tags": {"feature": "chat", "team": "blue", "tenant": "not-this"},
            "metadata": {"user_id": "u1", "prompt_text": "secret"},
        }
        assert read_row(row, JSONL).dims == {"tenant": "acme", "feature": "chat", "team": "blue", "user": "u1"}

    def test_the_map_goes_before_what_is_found(self):
        row = ROW | {"tenant": "acme", "metadata": {"customer": "bolt"}, "spans": [{"name": "x"}]}
        mapping = parse_map(["tenant=metadata.customer, step=spans.0.name"])
        assert read_row(row, Origin(source="jsonl", mapping=mapping)).dims == {"tenant": "bolt", "step": "x"}

    def test_tags_are_renamed_by_the_settings(self):
        row = ROW | {"tags": {"customer": "acme"}}
        assert read_row(row, Origin(source="jsonl", tag_map={"customer": "tenant"})).dims == {"tenant": "acme"}

    def test_a_key_becomes_a_fingerprint(self):
        call = read_row(ROW | {"api_key": "sk-ant-api03-secret"}, JSONL)
        assert call.dims["api_key"] == fingerprint("sk-ant-api03-secret")
        assert "secret" not in repr(call)
        assert fingerprint("key_0123") == "key_0123"

    @pytest.mark.parametrize(
        "place", [{"id": "{}"}, {"user": "{}"}, {"tags": {"auth": "{}"}}, {"metadata": {"tenant": "{}"}}]
    )
    @pytest.mark.parametrize("key", ["sk-ant-api03-secret", "Bearer secret", "AKIAsecret", "sk-secret\ud800"])
    def test_a_key_anywhere_becomes_a_fingerprint(self, place, key):
        row = ROW | json.loads(json.dumps(place).replace("{}", json.dumps(key)[1:-1]))
        call = read_row(row, JSONL)
        assert list(call.dims.values()) == [fingerprint(key)]
        assert "secret" not in repr(call)

    def test_a_mapped_key_becomes_a_fingerprint(self):
        call = read_row(ROW | {"who": "sk-secret"}, Origin(source="jsonl", mapping=parse_map(["tenant=who"])))
        assert call.dims == {"tenant": fingerprint("sk-secret")}

    @pytest.mark.parametrize("value", [1e300, float("inf"), float("nan"), 2**53 + 1, -1, True, "12"])
    def test_no_clock_measured_such_a_duration(self, value):
        call = read_row(ROW | {"duration_ms": value, "ttft_ms": 2**53}, JSONL)
        assert (call.duration_ms, call.ttft_ms) == (None, 2**53)

    @pytest.mark.parametrize("holder", [{}, "metadata"])
    def test_a_prompt_of_several_words_is_content(self, holder):
        def row(prompt):
            return ROW | ({holder: {"prompt": prompt}} if holder else {"prompt": prompt})

        assert read_row(row("Tell me a joke"), JSONL).dims == {}
        assert read_row(row("greeting-v2"), JSONL).dims == {"prompt": "greeting-v2"}

    def test_a_tag_names_the_prompt_as_it_likes(self):
        assert read_row(ROW | {"tags": {"prompt": "Greet new users"}}, JSONL).dims == {"prompt": "Greet new users"}

    def test_long_text_is_no_tag(self):
        assert read_row(ROW | {"tags": {"prompt": "x" * 500, "feature": {"a": 1}}}, JSONL).dims == {}

    @pytest.mark.parametrize("holder", ["response", "message", "body"])
    def test_a_response_inside_the_row(self, holder):
        response = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "usage": USAGE}
        call = read_row({"at": AT, "request_id": "req_1", holder: response}, JSONL)
        assert call.call_id == "msg_1:req_1"
        assert call.served.usage == Usage(input_tokens=100, output_tokens=20)

    def test_fields_may_be_mapped(self):
        row = {"ts": 1791190800, "data": {"m": "claude-sonnet-4-5", "u": USAGE}}
        mapping = parse_map(["at=ts,model=data.m,payload=data.u"])
        call = read_row(row, Origin(source="jsonl", mapping=mapping))
        assert call.served.model == "claude-sonnet-4-5"
        assert call.sent_at == datetime(2026, 10, 5, 9, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ({"model": "m", "usage": USAGE}, "without a time"),
            ({"at": AT, "usage": USAGE}, "model"),
            ({"at": AT, "model": "m"}, "usage"),
            (ROW | {"model": 7}, "as model"),
            (ROW | {"usage": {"input_tokens": -1, "output_tokens": 1}}, "input_tokens = -1"),
            (ROW | {"usage": {"input_tokens": 10**40, "output_tokens": 1}}, "integer of"),
            (ROW | {"usage": {"prompt_tokens": 1, "input_tokens": 1}}, "shapes"),
        ],
    )
    def test_what_cannot_be_read_says_why(self, row, says):
        with pytest.raises(BadInput, match=says):
            read_row(row, JSONL)

    def test_what_the_import_knows_stands_in(self):
        origin = Origin(source="usage", at=datetime(2026, 1, 1, tzinfo=UTC), model="claude-opus-4-5", channel="bedrock")
        call = read_row({"usage": USAGE}, origin)
        assert (call.sent_at, call.served.model, call.served.channel) == (origin.at, "claude-opus-4-5", "bedrock")

    @pytest.mark.parametrize("text", ["tenant", "=x", "tenant=", "a=b,,c=d"])
    def test_a_map_that_is_none_is_refused(self, text):
        with pytest.raises(BadInput, match="name=path"):
            parse_map([text])

    def test_a_map_sorts_fields_from_dimensions(self):
        assert parse_map(["at=ts", "x=y"]) == FieldMap({"at": "ts"}, {"x": "y"})

    def test_paths(self):
        row = {"a.b": 1, "a": {"b": 2, "c": [3]}}
        assert (at_path(row, "a.b"), at_path(row, "a.c.0"), at_path(row, "a.c.9"), at_path(row, "z.y")) == (
            1,
            3,
            None,
            None,
        )


class TestIdentity:
    def test_a_row_numbered_by_its_log_is_told_by_its_content(self):
        one, other = calls(read_jsonl, lines(ROW | {"id": "1"}, ROW | {"id": "2"}))
        assert one.call_id != other.call_id
        assert one.served.message_id is None
        assert one.dims == {"id": "1"}

    def test_the_same_file_gives_the_same_ids_and_equal_rows_stay_apart(self):
        data = lines(ROW, ROW, ROW | {"tenant": "acme"})
        first, again = calls(read_jsonl, data), calls(read_jsonl, data)
        assert [call.call_id for call in first] == [call.call_id for call in again]
        assert len({call.call_id for call in first}) == 3

    def test_a_file_that_grew_keeps_its_ids(self):
        before = calls(read_jsonl, lines(ROW, ROW))
        after = calls(read_jsonl, lines(ROW, ROW, ROW, ROW | {"tenant": "acme"}))
        assert [call.call_id for call in after[:2]] == [call.call_id for call in before]

    def test_the_order_of_keys_does_not_matter(self):
        (one,) = calls(read_jsonl, lines(ROW))
        (other,) = calls(read_jsonl, lines(dict(reversed(ROW.items()))))
        assert one.call_id == other.call_id

    def test_a_provider_id_is_the_identity(self):
        (call,) = calls(read_jsonl, lines(ROW | {"id": "msg_01", "request_id": "req_9"}))
        assert call.call_id == "msg_01:req_9"


class TestJsonl:
    def test_bad_rows_stand_beside_good_ones(self):
        good, bad_json, bad_row, last = calls(
            read_jsonl, lines(ROW) + "\n{oops\n" + lines({"at": AT}, ROW | {"id": "9"})
        )
        assert good.served.model == last.served.model == "claude-sonnet-4-5"
        assert isinstance(bad_json, ErrorRecord)
        assert (bad_json.line, bad_row.line, bad_row.source) == (2, 3, "file")


class TestCsv:
    HEADER = "model,at,input_tokens,output_tokens,cache_read_tokens,cache_write_1h_tokens,service_tier,tenant\n"

    def test_a_row(self):
        (call,) = calls(read_csv, self.HEADER + f"claude-sonnet-4-5,{AT},100,20,7,5,batch,acme\n")
        expected = Usage(input_tokens=100, output_tokens=20, cache_read_tokens=7, cache_write_1h_tokens=5)
        assert call.served.usage == expected
        assert (call.served.service_tier, call.dims) == ("batch", {"tenant": "acme"})

    def test_empty_cells_are_absent(self):
        (call,) = calls(read_csv, self.HEADER + f"claude-sonnet-4-5,{AT},100,20,,,,\n")
        assert call.served.usage == Usage(input_tokens=100, output_tokens=20)
        assert call.served.service_tier == "standard"

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_other_delimiters_a_byte_order_mark_and_crlf(self, delimiter):
        data = self.HEADER + f"claude-sonnet-4-5,{AT},100,20,0,0,,acme\n"
        data = b"\xef\xbb\xbf" + data.replace(",", delimiter).replace("\n", "\r\n").encode()
        (call,) = calls(read_csv, data)
        assert call.served.usage.input_tokens == 100

    def test_a_quoted_cell_may_span_lines(self):
        data = self.HEADER + f'claude-sonnet-4-5,{AT},100,20,0,0,,"a\nb"\nclaude-sonnet-4-5,{AT},1,2,0,0,,c\n'
        assert [call.dims["tenant"] for call in calls(read_csv, data)] == ["a\nb", "c"]

    def test_bad_rows_say_what_and_where(self):
        good = f"claude-sonnet-4-5,{AT},100,20,0,0,,acme\n"
        data = (self.HEADER + good + "too,short\n" + good.replace("100", "-1") + good.replace("100", "many")).encode()
        data += good.replace("acme", "\udcff").encode("utf-8", "surrogateescape") + good.encode()
        first, short, negative, word, bytes_, last = calls(read_csv, data)
        assert first.served == last.served
        assert "2 cells" in short.error
        assert short.line == 3
        assert "-1" in negative.error
        assert "a string" in word.error or "str" in word.error
        assert "UTF-8" in bytes_.error

    @pytest.mark.parametrize("data", ["", "a,a\n1,2\n"])
    def test_a_file_without_a_header_says_so(self, data):
        (bad,) = calls(read_csv, data)
        assert "header" in bad.error


class TestUsagePayloads:
    ORIGIN = Origin(source="usage", at=datetime(2026, 10, 5, tzinfo=UTC))
    MESSAGE: ClassVar = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "usage": USAGE}

    @pytest.mark.parametrize("indent", [None, 2])
    def test_one_document_an_array_and_lines_are_the_same_calls(self, indent):
        one = calls(read_payloads, json.dumps(self.MESSAGE, indent=indent), self.ORIGIN)
        array = calls(read_payloads, json.dumps([self.MESSAGE], indent=indent), self.ORIGIN)
        rows = calls(read_payloads, lines(self.MESSAGE, self.MESSAGE), self.ORIGIN)
        assert one == array == rows[:1]
        assert [call.call_id for call in rows] == ["msg_1", "msg_1"]

    def test_a_batch_result_is_a_batch(self):
        result = {"custom_id": "a", "result": {"type": "succeeded", "message": self.MESSAGE}}
        (call,) = calls(read_payloads, lines(result), self.ORIGIN)
        assert (call.call_id, call.served.service_tier) == ("msg_1", "batch")

    def test_a_saved_stream(self):
        start = {
            "type": "message_start",
            "message": self.MESSAGE | {"usage": {"input_tokens": 100, "output_tokens": 1}},
        }
        delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}}
        events = [start, delta, {"type": "message_stop"}]
        data = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        (call,) = calls(read_payloads, data, self.ORIGIN)
        assert call.served.usage == Usage(input_tokens=100, output_tokens=20)
        (bad,) = calls(read_payloads, data, Origin(source="usage"))
        assert "--at" in bad.error

    def test_what_is_no_payload_is_an_error_record(self):
        number, good = calls(read_payloads, json.dumps([1, self.MESSAGE]), self.ORIGIN)
        assert "read an integer" in number.error
        assert good.call_id == "msg_1"

    def test_every_real_payload_is_a_call_or_an_error(self, shared_data):
        file = shared_data / "usage-payloads" / "claude_usages.json"
        found = calls(read_payloads, file.read_bytes(), self.ORIGIN)
        assert len(found) == 178
        bad = [one for one in found if isinstance(one, ErrorRecord)]
        assert all(one.error and "\n" not in one.error for one in bad)
        assert len(bad) < 18


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_csv_in_a_wide_encoding_is_one_error(encoding):
    [told] = calls(read_csv, f"model,at,input_tokens\nm,{AT},1\nm,{AT},2\n".encode(encoding))
    assert isinstance(told, ErrorRecord)
    assert "UTF-16 or UTF-32" in told.error


def test_a_cut_document_over_several_lines_is_one_error():
    document = json.dumps([ROW], indent=2)
    [told] = calls(read_payloads, document[: len(document) // 2])
    assert isinstance(told, ErrorRecord)
    assert "ends too early" in told.error
    assert isinstance(calls(read_payloads, document)[0], Call)


def test_a_line_cut_at_its_first_brace_costs_no_other_line():
    told, call = calls(read_payloads, "{\n" + json.dumps(ROW))
    assert isinstance(told, ErrorRecord)
    assert isinstance(call, Call)
