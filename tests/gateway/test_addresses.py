"""Only the addresses of results change in an answer about batches; not one other byte does."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from farthing.gateway.addresses import moved, origin_of, with_location_at, with_results_at

HERE = b"http://127.0.0.1:8788"
RESULTS = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"
MOVED = "http://127.0.0.1:8788/v1/messages/batches/msgbatch_1/results"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"id":"b","results_url":"URL","x":1.0}', '{"id":"b","results_url":"NEW","x":1.0}'),
        ('{"data":[{"results_url":"URL"},{"results_url":null}],"has_more":true}', None),
        ('{ "results_url"\n:\t"URL" }', '{ "results_url"\n:\t"NEW" }'),
        ('{"results\\u005furl":"https:\\/\\/api.anthropic.com\\/v1\\/x"}', '{"results\\u005furl":"HERE/v1/x"}'),
        ('{"results_url":"URL","results_url":"URL"}', '{"results_url":"NEW","results_url":"NEW"}'),
        ('{"[":"a","results_url":"URL"}', '{"[":"a","results_url":"NEW"}'),
        ('{"{":["}"],"\\"":"\\\\","results_url":"URL"}', '{"{":["}"],"\\"":"\\\\","results_url":"NEW"}'),
    ],
)
def test_it_is_moved_however_it_is_written(before, after):
    before = before.replace("URL", RESULTS)
    after = before.replace(RESULTS, MOVED) if after is None else after.replace("NEW", MOVED)
    assert with_results_at(before.encode(), HERE).decode() == after.replace("HERE", HERE.decode())


@pytest.mark.parametrize(
    "body",
    [
        '{"a":"\\"results_url\\":\\"URL\\""}',
        '{"a":"results_url","b":"URL"}',
        '{"a":{"results_url":"URL"}}',
        '{"data":{"results_url":"URL"}}',
        '{"data":[[{"results_url":"URL"}]]}',
        '{"data":["results_url","URL"]}',
        '["results_url","URL"]',
        '"results_url"',
        '{"results_url":["URL"]}',
        '{"results_url":"/v1/relative"}',
        '{"results_url":"',
        '{"results_url":"\\x://a"}',
        "}{]",
        "",
        '{"type":"error","error":{"message":"results_url"}}',
    ],
)
def test_look_alikes_stay(body):
    body = body.replace("URL", RESULTS).encode()
    assert with_results_at(body, HERE) == body


def test_the_prefix_of_the_upstream_is_taken_off():
    body = b'{"results_url":"https://proxy/claude/v1/messages/batches/b/results?x=1"}'
    assert with_results_at(body, HERE, b"/claude") == b'{"results_url":"%b/v1/messages/batches/b/results?x=1"}' % HERE


_names = st.sampled_from(["results_url", "data", "[", "{", '"', "\\", "a", "é"])
_texts = (
    st.sampled_from([RESULTS, "results_url", f'"results_url":"{RESULTS}"', "\\", '"', "x://y", "\ud800"]) | st.text()
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=30,
)


@given(value=_json, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
@example(value={"data": [{"results_url": RESULTS, "a": {"results_url": RESULTS}}]}, ascii_only=True, indent=None)
def test_those_values_change_and_not_one_byte_around_them(value, ascii_only, indent):
    before, after = {}, {}

    def marked(one):
        """The same with a mark where an address is moved; what stood there and what shall stand there, by mark."""
        if not isinstance(one, dict) or not isinstance(url := one.get("results_url"), str):
            return one
        if (there := moved(url, HERE.decode())) == url:
            return one
        mark = f"@@{len(before)}@@"
        before[json.dumps(mark)], after[json.dumps(mark)] = json.dumps(url, ensure_ascii=ascii_only), json.dumps(there)
        return one | {"results_url": mark}

    value = marked(value)
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value | {"data": [marked(one) for one in value["data"]]}
    template = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert with_results_at(filled(template, before), HERE) == filled(template, after)


def filled(template, texts):
    for mark, text in texts.items():
        template = template.replace(mark, text)
    return template.encode("utf-8", "surrogatepass")


@given(st.binary(max_size=200) | st.text('{}[]":,\\resultsurl_da /').map(str.encode))
def test_what_is_no_json_never_fails(body):
    assert isinstance(with_results_at(body, HERE), bytes)


@given(_json.filter(lambda value: isinstance(value, dict)), st.text("abc/?#é ", max_size=8))
def test_every_byte_around_the_value_stays(value, path):
    value = {name: inner for name, inner in value.items() if name not in ("results_url", "data")}
    before = json.dumps(value)[:-1] + (", " if value else "") + '"results_url": '
    old, new = json.dumps("https://api.anthropic.com/" + path), json.dumps(HERE.decode() + "/" + path)
    assert with_results_at(f"{before}{old} }}".encode(), HERE) == f"{before}{new} }}".encode()


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ([(b"host", b"gateway.example:8788")], b"http://gateway.example:8788"),
        ([(b"host", b"[::1]:8788")], b"http://[::1]:8788"),
        ([(b"host", b"g"), (b"x-forwarded-proto", b"HTTPS, http")], b"https://g"),
        ([(b"host", b"g"), (b"x-forwarded-proto", b"javascript")], b"http://g"),
        ([(b"host", b'g"/x')], b""),
        ([(b"host", b"user@g")], b""),
        ([], b""),
    ],
)
def test_the_address_as_the_client_used_it(headers, origin):
    assert origin_of(headers) == origin


def test_redirections_stay_here():
    headers = [(b"Location", b"https://api.anthropic.com/v1/x"), (b"link", b"https://elsewhere/")]
    assert with_location_at(headers, HERE) == [(b"Location", HERE + b"/v1/x"), (b"link", b"https://elsewhere/")]
    assert with_location_at([(b"location", b"/v1/x")], HERE) == [(b"location", b"/v1/x")]
