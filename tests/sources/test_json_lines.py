"""Lines of strangers: a bad one costs itself and nothing else."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.sources.lines import Line, read_lines


def read(data, **limits):
    return list(read_lines(io.BytesIO(data), **limits))


def test_blank_lines_crlf_and_a_byte_order_mark_are_fine():
    found = read(b'\xef\xbb\xbf{"a":1}\r\n\r\n   \n{"b":2}')
    assert found == [Line(1, {"a": 1}), Line(4, {"b": 2})]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"a":', "ends too early"),
        (b"{", "spread over several"),
        (b"nope", "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b"\xff\xfe", "UTF-16"),
        (b"[1,2]", "jq -c"),
        (b"7", "read an integer"),
        (b'{"a":1,"a":2}', "'a' twice"),
        (b'{"u":{"a":1,"a" : 2}}', "'a' twice"),
        (b'{"a":1,"\\u0061":2}', "'a' twice"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_line_is_one_sentence_and_the_next_is_read(raw, says):
    bad, *rest = read(raw + b'\n{"id":"next"}\n')
    assert bad.value is None
    assert says in bad.error
    assert "\n" not in bad.error
    if not raw.startswith(b"\xff\xfe"):
        assert rest == [Line(2, {"id": "next"})]


def test_no_content_is_repeated_in_a_message():
    secret = "sk-ant-secret"
    for raw in (f'{{"prompt": "{secret}', f'{{"prompt": "{secret}" oops}}', f'"{secret}"'):
        (bad,) = read(raw.encode())
        assert secret not in bad.error


def test_the_same_name_in_two_objects_or_inside_a_string_is_no_duplicate():
    text = json.dumps({"a": {"a": 1}, "b": [{"a": 2}], "c": '"a": 1, "a": 2'})
    (line,) = read(text.encode())
    assert line.value == json.loads(text)


@pytest.mark.parametrize(
    ("raw", "own_id"),
    [(b'{"id":"x1","at":', "x1"), (b'{"id": 7, oops', 7), (b'{"id":"a","b":1,"b":2}', "a"), (b'{"b":', None)],
)
def test_the_id_of_a_bad_line_is_kept_where_it_can_be_read(raw, own_id):
    (bad,) = read(raw)
    assert bad.id == own_id


def test_a_line_that_is_too_long_is_skipped_without_being_held():
    long = b'{"a":"' + b"x" * 1000 + b'"}'
    found = read(long + b"\n" + b'{"b":1}\n' + long, line_bytes_max=100)
    assert [line.number for line in found] == [1, 2, 3]
    assert found[0].value is None
    assert "more than 100 bytes" in found[0].error
    assert found[1] == Line(2, {"b": 1})
    assert found[2].value is None


def test_a_line_exactly_at_the_limit_is_read():
    line = b'{"a":"' + b"x" * 10 + b'"}\n'
    assert read(line, line_bytes_max=len(line))[0].value == {"a": "x" * 10}


def test_ten_megabytes_in_one_line_are_read():
    (line,) = read(json.dumps({"content": "x" * 10_000_000, "usage": {"input_tokens": 1}}).encode())
    assert line.value["usage"] == {"input_tokens": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), json_values, max_size=5), st.booleans())
def test_every_object_that_json_writes_is_read_as_it_is(value, ascii_only):
    (line,) = read(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    if line.value is None:
        assert "UTF-8" in line.error  # a lone surrogate is no text
    else:
        assert line.value == value
