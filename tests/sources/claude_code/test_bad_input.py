"""Each bad line gives one clear record with its place; everything else is kept."""

import json
import os

import pytest


@pytest.fixture
def response(kit):
    return kit.response


BAD_LINES = {
    "malformed": (b'{"type":"assistant","message":{"usage":{"output_tokens":}}}', "not JSON"),
    "torn": (b'{"type":"assistant","message":{"content":[{"te', "no JSON object"),
    "not an object": (b"[1,2]", "no JSON object"),
    "nulls": (b"\0\0\0\0", "no JSON object"),
    "torn behind a field of another type": (b'{"timestamp":5,"message":{"usage":}', "not JSON"),
    "nested without end": (b'{"message":{"usage":' + b"[" * 5000 + b"]" * 5000 + b"}}", "nested too deeply"),
    "a number of 5,000 digits": (b'{"message":{"model":"m","usage":{"input_tokens":' + b"9" * 5000 + b"}}}", "read"),
    "usage in an array": (b'[{"message":{"usage":{}}}]', "read an array"),
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_line_that_is_no_json_object(tree, response, bad):
    line, words = BAD_LINES[bad]
    tree.write("p/s.jsonl", response("m1", "r1"), line, response("m2", "r2"))
    _, report = tree.scan()
    (error,) = report.errors
    assert (error.source, error.line) == ("p/s.jsonl", 2)
    assert words in error.error
    assert report.calls == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"usage": {"output_tokens": 10**30}}, "output_tokens"),
        ({"usage": {"output_tokens": 2**53 + 1}}, "output_tokens"),
        ({"usage": {"input_tokens": -1}}, "input_tokens"),
        ({"usage": {"input_tokens": "7"}}, "input_tokens"),
        ({"usage": {"cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 8}}}, "split"),
        ({"at": None}, "without a timestamp"),
        ({"at": "yesterday"}, "no time"),
        ({"at": "2026-11-20T09:00:00"}, "with a zone"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "no time"),
        ({"model": None}, "without a model"),
        ({"message": {"usage": {}}}, "without token counts"),
    ],
)
def test_a_line_whose_facts_cannot_be_read(tree, response, change, words):
    tree.write("p/s.jsonl", response("good", "r0"), response("bad", "r1", **change))
    _, report = tree.scan()
    (error,) = report.errors
    assert (error.source, error.line) == ("p/s.jsonl", 2)
    assert words in error.error
    assert report.calls == 1


def test_invalid_utf8_in_a_text_that_nobody_reads_costs_no_count(tree, response, kit):
    line = kit.encoded(response("m1", "r1", note="secret?")).replace(b"secret?", b"secret\xff")
    tree.write("p/s.jsonl", line, response("m2", "r2"))
    _, report = tree.scan()
    assert (report.errors, report.calls) == ((), 2)


def test_invalid_utf8_where_it_is_read_is_told_without_content(tree, response, kit):
    line = kit.encoded(response("secret?", "r1")).replace(b"secret?", b"secret\xff")
    tree.write("p/s.jsonl", line, response("m2", "r2"))
    _, report = tree.scan()
    (error,) = report.errors
    assert "UTF-8" in error.error
    assert "secret" not in error.error
    assert report.calls == 1


def test_a_file_in_utf16_is_one_error(tree, response, kit):
    path = tree.write("p/s.jsonl")
    path.write_text("\n".join(kit.encoded(response(f"m{n}")).decode() for n in range(5)), encoding="utf-16")
    (error,) = tree.errors()
    assert (error.line, "UTF-16" in error.error) == (1, True)


def test_a_byte_order_mark_blank_lines_and_crlf_are_fine(tree, response, kit):
    one, two = (kit.encoded(response(f"m{n}", f"r{n}")) for n in (1, 2))
    tree.write("p/s.jsonl", b"\xef\xbb\xbf" + one + b"\r", b"", b"  ", two + b"\r")
    _, report = tree.scan()
    assert (report.calls, report.errors) == (2, ())


def test_whole_floats_and_unusual_types_are_read_leniently(tree, response):
    tree.write("p/s.jsonl", response("m", "r", usage={"input_tokens": 3.0}, isSidechain="no", cwd=7))
    (call,) = tree.calls()
    assert (call.served.usage.input_tokens, call.dims["agent"]) == (3, "main")


def test_an_unfinished_last_line_is_read_when_it_is_finished(tree, response, kit):
    whole = kit.encoded(response("m2", "r2"))
    path = tree.write("p/s.jsonl", response("m1", "r1"), whole[:-30], end=b"")
    index, report = tree.scan()
    assert (report.calls, report.errors) == (1, ())
    with path.open("ab") as stream:
        stream.write(whole[-30:] + b"\n")
    _, report = tree.scan(index)
    assert (report.calls, report.errors) == (2, ())


def test_a_whole_last_line_without_its_end_counts(tree, response):
    tree.write("p/s.jsonl", response("m1", "r1"), response("m2", "r2"), end=b"")
    index, report = tree.scan()
    assert report.calls == 2
    tree.append("p/s.jsonl", b"", response("m3", "r3"))
    _, report = tree.scan(index)
    assert (report.calls, report.duplicates, report.errors) == (3, 0, ())


def test_line_numbers_go_on_after_an_append(tree, response):
    tree.write("p/s.jsonl", response("m1", "r1"), b"bad", response("m2", "r2"))
    index, _ = tree.scan()
    tree.append("p/s.jsonl", response("m3", "r3"), b"worse")
    _, report = tree.scan(index)
    assert [error.line for error in report.errors] == [2, 5]


def test_errors_of_unchanged_files_are_told_again_without_opening_them(tree, response):
    path = tree.write("p/s.jsonl", b"bad", response())
    index, first = tree.scan()
    _, second = tree.scan(index)
    assert (second.files_read, second.bytes_read, second.errors) == (0, 0, first.errors)
    assert path.name in second.errors[0].source


def test_a_file_full_of_garbage_lists_a_bounded_number_of_lines(tree):
    tree.write("p/s.jsonl", *[b"bad"] * 1000)
    errors = tree.errors()
    assert len(errors) == 200
    assert "further lines" in errors[-1].error


def test_an_unreadable_file_is_one_error_and_is_tried_again(tree, response, monkeypatch):
    path = tree.write("p/locked.jsonl", response("m1", "r1"))
    tree.write("p/open.jsonl", response("m2", "r2"))
    real = open

    def refusing(name, *args, **kwargs):
        if os.fspath(name) == str(path.resolve()):
            raise PermissionError(13, "Permission denied")
        return real(name, *args, **kwargs)

    monkeypatch.setattr("builtins.open", refusing)
    index, report = tree.scan()
    assert [(error.source, error.error) for error in report.errors] == [
        ("p/locked.jsonl", "cannot be read: Permission denied")
    ]
    assert report.calls == 1
    monkeypatch.undo()
    _, report = tree.scan(index)
    assert (report.calls, report.errors) == (2, ())


def test_a_line_longer_than_the_window_is_read(tree, response):
    tree.write("p/s.jsonl", response("m1", "r1", cwd="x" * 3_000_000), response("m2", "r2"))
    _, report = tree.scan()
    assert (report.calls, report.errors) == (2, ())


def test_a_line_beyond_all_bounds_is_given_up(tree, response, monkeypatch):
    monkeypatch.setattr("farthing.sources.claude_code.window.LINE_BYTES_MAX", 1 << 20)
    tree.write("p/s.jsonl", response("m1", "r1"), b"x" * 4_000_000, response("m2", "r2"))
    _, report = tree.scan()
    assert report.calls == 2
    assert report.errors


def test_half_an_emoji_in_a_tool_result_costs_nothing(tree, response):
    cut = json.dumps(response("m2", "r2") | {"note": "\ud83d"}).encode()
    assert rb"\ud83d" in cut
    tree.write("p/s.jsonl", response("m1", "r1"), cut)
    _, report = tree.scan()
    assert (report.errors, report.calls) == ((), 2)
