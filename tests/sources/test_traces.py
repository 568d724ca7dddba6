"""Traces: what a good line says, what a bad one is told, and that one costs itself alone."""

import io
import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import ErrorRecord
from farthing.sources.traces import TraceCall, in_time_order, read_csv_trace, read_mooncake

GOOD = {"timestamp": 27000, "input_length": 1100, "output_length": 5, "hash_ids": [7, 8, 9]}


def mooncake(*lines):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return list(read_mooncake(io.BytesIO(text.encode()), "trace"))


def table(text):
    return list(read_csv_trace(io.BytesIO(text.encode()), "trace"))


def test_a_line_of_each_format():
    call = TraceCall(27000, 1100, array("Q", [7, 8, 9]), 5)
    assert mooncake(GOOD) == [call]
    assert table("timestamp,input_length,output_length,hash_ids\n27000,1100,5,7 8 9\n") == [call]
    assert table("hash_ids,input_length,timestamp\n7 8 9,1100,27000\n") == [call._replace(output_tokens=0)]


def test_ids_beyond_the_prompt_are_dropped_and_other_block_sizes_count_other_ids():
    assert mooncake(GOOD | {"hash_ids": [7, 8, 9, 10]}) == mooncake(GOOD)
    stream = io.BytesIO(json.dumps(GOOD).encode())
    assert next(read_mooncake(stream, "trace", block_tokens=1024)).block_ids == array("Q", [7, 8])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"timestamp": -1}, "timestamp out of range"),
        ({"timestamp": 1e300}, "timestamp out of range"),
        ({"input_length": -1}, "length out of range"),
        ({"output_length": 2**50}, "length out of range"),
        ({"hash_ids": [7]}, "read 1 block ids for 1,100 tokens; expected 3"),
        ({"hash_ids": [7, 8, -9]}, "block id out of range"),
        ({"hash_ids": [7, 8, 2**70]}, "block id out of range"),
        ({"hash_ids": "secret"}, "no trace call"),
        ({"input_length": 1.5}, "no trace call"),
    ],
)
def test_a_line_that_makes_no_sense_is_told_without_its_content(change, told):
    before, bad, after = mooncake(GOOD, GOOD | change, GOOD)
    assert isinstance(bad, ErrorRecord)
    assert told in bad.error
    assert bad.line == 2
    assert "secret" not in bad.error
    assert before == after == mooncake(GOOD)[0]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("timestamp,hash_ids\n1,2\n", 1, "without input_length"),
        ("timestamp,input_length,hash_ids\nsoon,1100,7 8 9\n", 2, "timestamp that is no whole number"),
        ("timestamp,input_length,hash_ids\n1,1100,7 8 x\n", 2, "hash_ids that are no whole numbers"),
        ("timestamp,input_length,hash_ids\n1\n", 2, "input_length that is no whole number"),
        ("", 1, "without timestamp, input_length, hash_ids"),
    ],
)
def test_a_bad_table_is_told_where(text, line, told):
    (bad,) = table(text)
    assert (bad.line, told in bad.error) == (line, True)


@given(st.binary(max_size=200))
def test_any_bytes_give_calls_or_errors(noise):
    for read in (read_mooncake, read_csv_trace):
        assert all(isinstance(one, TraceCall | ErrorRecord) for one in read(io.BytesIO(noise), "trace"))


def test_calls_of_one_instant_keep_their_order():
    calls = [TraceCall(at, tokens, array("Q")) for at, tokens in ((5, 1), (0, 2), (5, 3), (0, 4))]
    assert [call.input_tokens for call in in_time_order(calls)] == [2, 4, 1, 3]
