"""The redactor: what it finds, what it leaves, and what holds for any body."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.gateway.content_redact import TOO_DEEP, redact, redact_text
from farthing.gateway.content_stream import assembled

AWS = "AKIA" + "IOSFODNN7EXAMPLE"
CARD = "4111 1111 1111 1111"
IBAN = "DE89 3704 0044 0532 0130 00"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc+/=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("write to ada.love-lace+x@mail.example.co.uk.", "write to [email]."),
        ("müller@exämple.de, O'Brien: o'brien@example.ie", "[email], O'Brien: [email]"),
        ("a@b@c.com", "a@[email]"),
        ("key sk-ant-api03-AbC_dEf-12345 ends", "key [key] ends"),
        ("sk-proj-0123456789abcdef", "[key]"),
        (f"id={AWS}", "id=[key]"),
        ("ghp_" + "a1" * 18 + " xoxb-123456789012-abc", "[key] [key]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl!", "[key]!"),
        (f"before {PEM} after", "before [key] after"),
        (PEM[:45], "[key]"),
        (f"card {CARD}, cvc 123", "card [card], cvc 123"),
        (f"{CARD} 12 25", "[card] 12 25"),
        (f"order 12 {CARD}", "order 12 [card]"),
        ("4111111111111111", "[card]"),
        ("378282246310005 5555-5555-5555-4444", "[card] [card]"),
        (f"to {IBAN} IS MINE", "to [iban] IS MINE"),
        ("gb82west12345698765432", "[iban]"),
        (f"{IBAN} {IBAN}", "[iban] [iban]"),
        ("call +49 30 901820 or (212) 555-0187 or 212-555-0187", "call [phone] or [phone] or [phone]"),
        ("from 192.168.0.1:80", "from [ip]:80"),
        (r"ada\u0040example.com", "[email]"),
    ],
)
def test_what_is_found(text, left):
    assert redact_text(text) == left
    assert json.loads(redact(json.dumps({"a": [text]}).encode())) == {"a": [left]}
    escaped = "".join(f"\\u{ord(sign):04x}" for sign in text)
    assert redact(b'"%b"' % escaped.encode()).decode() == json.dumps(left, ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111 1111 1111 1112",  # Luhn fails
        "DE89 3704 0044 0532 0130 01",
        "1763733600000 msg_01XFDUDYJgAACzvnptvVoYEL",
        "2026-11-21T14:09:00Z 3.141592653589793 v1.2.3 300.1.1.1 1.2.3.4.5",
        "task-runner-of-friday @mention user@localhost a@b",
        "the year 1984 and 212 pages, 555 of 1000",
    ],
)
def test_what_is_left(text):
    assert redact_text(text) == text
    assert json.loads(redact(json.dumps([text, {text: 1.5}]).encode())) == [text, {text: 1.5}]


def test_values_of_every_kind_in_json():
    body = {
        "ada@example.com": 1,
        "bob@example.com": 2,
        "n": 4111111111111111,
        "big": 10**30,
        "nothing": None,
        "yes": True,
        "inner": json.dumps({"mail": "ada@example.com"}).replace("@", "\\u0040"),
        "untouched": '{"a" :  1}',
        "image": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
    }
    assert json.loads(redact(json.dumps(body).encode())) == {
        "[email]": 1,
        "[email] 2": 2,
        "n": "[card]",
        "big": 10**30,
        "nothing": None,
        "yes": True,
        "inner": '{"mail":"[email]"}',
        "untouched": '{"a" :  1}',
        "image": {"type": "base64", "media_type": "image/png", "data": "[base64, 12 characters]"},
    }


def test_odd_json_stays_json():
    assert redact(b'{"a":1e999,"b":"\\ud800 a@b.cd"}') == b'{"a":"1e999","b":"\\ud800 [email]"}'
    assert redact(b"[" * 5_000 + b"]" * 5_000) == TOO_DEEP
    assert json.loads(redact(b"[%b]" % (b"9" * 6_000))) == ["9" * 6_000]


def test_what_is_no_json_is_redacted_as_text():
    assert redact(b'{"a": "ada\\u0040example.com') == b'{"a": "[email]'
    assert redact(b"\xff\xfe ada@example.com \x80") == b"\xff\xfe [email] \x80"
    assert redact(b"NaN") == b"NaN"


def test_long_texts_are_read_in_pieces_and_nothing_is_lost_between_them():
    text = " ".join(["lorem ipsum 12"] * 5_000)
    for at in range(8_180, 8_210):
        mixed = f"{text[:at]} {CARD} x ada@example.com {IBAN} {text[at:]}"
        assert redact_text(mixed) == f"{text[:at]} [card] x [email] [iban] {text[at:]}"


TRICKY = st.text(st.sampled_from('0145 -+.@abAB[]{}"\\u09:,()sk_eyJ=\n'), max_size=80) | st.sampled_from(
    ["ada@example.com", CARD, IBAN, PEM, AWS, "+49 30 901820", "10.0.0.1", "sk-ant-0123456789", "\\u0040", '{"a":1}']
)
TEXTS = st.lists(TRICKY | st.text(max_size=20), max_size=6).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_redacted_and_twice_is_once(body):
    once = redact(body)
    assert redact(once) == once


@given(VALUES, st.booleans())
def test_valid_json_stays_valid_and_twice_is_once(value, ascii_only):
    once = redact(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    json.loads(once, parse_constant=pytest.fail)
    assert redact(once) == once


@given(TEXTS, st.sampled_from(["ada@example.com", CARD, IBAN, AWS]), TEXTS)
def test_what_stands_free_is_found_whatever_is_around(before, secret, after):
    assert f"\n{secret}\n" not in redact_text(f"{before}\n{secret}\n{after}")


# -- streams ----------------------------------------------------------------------------------------------------------


def sse(*events):
    return b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in events)


def delta(index, **delta):
    return {"type": "content_block_delta", "index": index, "delta": delta}


def block(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


STREAM = sse(
    {"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": {"input_tokens": 3}}},
    block(0, type="thinking", thinking=""),
    delta(0, type="thinking_delta", thinking="hm"),
    delta(0, type="signature_delta", signature="c2ln"),
    {"type": "ping"},
    block(1, type="text", text="To "),
    delta(1, type="text_delta", text="ada@exa"),
    delta(1, type="text_delta", text="mple.com"),
    delta(1, type="citations_delta", citation={"url": "https://example.com"}),
    delta(1, type="later_delta", more=1),
    block(2, type="tool_use", name="send", input={}),
    delta(2, type="input_json_delta", partial_json='{"to": "ada@'),
    delta(2, type="input_json_delta", partial_json='example.com"}'),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
)


def test_a_stream_is_put_together():
    assert assembled(STREAM) == {
        "id": "msg_1",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {
                "type": "text",
                "text": "To ada@example.com",
                "citations": [{"url": "https://example.com"}],
                "deltas": [{"type": "later_delta", "more": 1}],
            },
            {"type": "tool_use", "name": "send", "input": {"to": "ada@example.com"}},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 9},
        "stop_reason": "tool_use",
    }
    assert assembled(STREAM.replace(b"\n", b"\r\n")) == assembled(STREAM)


def test_a_stream_cut_anywhere_is_put_together_as_far_as_it_came():
    whole = assembled(STREAM)
    for at in range(len(STREAM)):
        part = assembled(STREAM[:at])
        assert set(part) <= set(whole)
        for ours, theirs in zip(part.get("content", []), whole["content"], strict=False):
            assert theirs.get("text", "").startswith(ours.get("text", ""))
    assert assembled(STREAM[: STREAM.index(b'example.com\\"')])["content"][2]["partial_json"] == '{"to": "ada@'


def test_an_error_in_a_stream_stays():
    error = {"type": "error", "error": {"type": "overloaded_error"}}
    assert assembled(sse(error)) == {"events": [error]}


@given(st.lists(st.sampled_from([*STREAM.split(b"\n"), b"data: {}", b"data: []", b'data: {"type":[]}', b"data"])))
def test_any_stream_can_be_put_together(lines):
    json.dumps(assembled(b"\n".join(lines)))
