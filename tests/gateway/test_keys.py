"""The pure half of virtual keys: what a file may say, who is let in, what a bound key may ask for."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadConfig
from farthing.gateway.admit import Caller, Shown, admit, may_be_sent
from farthing.gateway.decide import Refuse
from farthing.gateway.key_file import KeyFile
from farthing.gateway.keys import hash_of, make_ring, new_key, parse_keys
from farthing.gateway.models_asked import models_asked

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
REAL = b"sk-ant-api03-THE-REAL-ONE"
ACME, OTHER = new_key(), new_key()
FILE = f"""
[upstream.main]
key_env = "ANTHROPIC_API_KEY"

[[key]]
id = "acme"
hash = "{hash_of(ACME)}"
set = {{ tenant = "acme" }}
MORE

[[key]]
id = "other"
hash = "{hash_of(OTHER)}"
"""


def ring(more="", mode="virtual only"):
    return make_ring(parse_keys(f'mode = "{mode}"' + FILE.replace("MORE", more), "keys.toml"), {"main": REAL})


def shown(*headers, method="POST", path="/v1/messages", query=b""):
    return Shown(method, path, path.encode() + query, [(b"host", b"h"), *headers])


def api_key(key):
    return (b"x-api-key", key.encode())


def bearer(key):
    return (b"authorization", b"Bearer " + key.encode())


def test_a_hash_is_a_plain_digest_of_the_key():
    assert hash_of("k") == "sha256:" + hashlib.sha256(b"k").hexdigest()
    assert len({new_key() for _ in range(100)}) == 100
    assert len(new_key()) == len("sk-farthing-") + 43  # 256 bits in base64


@pytest.mark.parametrize("field", [api_key, bearer])
def test_a_virtual_key_is_exchanged_in_every_field(field):
    smuggled = [(b"cookie", b"k=" + ACME.encode()), (b"x-own", OTHER.encode()), (b"anthropic-workspace-id", b"w")]
    caller = admit(ring(), shown(field(ACME), *smuggled, (b"anthropic-version", b"2023-06-01")), NOW)
    assert caller.key.id == "acme"
    assert caller.headers == [(b"host", b"h"), (b"anthropic-version", b"2023-06-01"), (b"x-api-key", REAL)]


def test_a_credential_goes_out_as_its_upstream_says():
    text = FILE.replace("MORE", "").replace(
        'key_env = "ANTHROPIC_API_KEY"', 'key_file = "k"\nheader = "authorization"\nworkspace = "wrkspc_1"'
    )
    caller = admit(make_ring(parse_keys(text, "keys.toml"), {"main": REAL}), shown(api_key(ACME)), NOW)
    assert caller.headers[1:] == [(b"authorization", b"Bearer " + REAL), (b"anthropic-workspace-id", b"wrkspc_1")]


def test_batches_are_asked_for_as_plain_text():
    request = shown(api_key(ACME), (b"accept-encoding", b"gzip"), path="/v1/messages/batches", method="GET")
    assert b"accept-encoding" not in dict(admit(ring(), request, NOW).headers)


@pytest.mark.parametrize(
    ("more", "request_shown", "status"),
    [
        ("", shown(api_key("sk-ant-own")), 401),
        ("", shown(api_key(new_key())), 401),
        ("", shown(), 401),
        ("", shown(path="/v1/oauth/token"), 401),
        ("", shown((b"authorization", b"Basic " + ACME.encode())), 401),
        ("", shown(api_key(ACME), bearer(OTHER)), 401),
        ("", shown(api_key("sk-ant-own"), bearer(ACME)), 401),
        ("disabled = true", shown(api_key(ACME)), 401),
        ("expires_at = 2026-11-20T09:00:00Z", shown(api_key(ACME)), 401),
        ("", shown(api_key(ACME), query=b"?key=" + ACME.encode()), 400),
        ("", shown(api_key(ACME), query=b"?key=" + OTHER.encode()), 400),
        ("", shown(api_key(ACME), method="TRACE"), 403),
        ('paths = ["/v1/messages"]', shown(api_key(ACME), path="/v1/files"), 403),
        ('models = ["claude-haiku-*"]', shown(api_key(ACME), path="/v1/complete"), 403),
        ('models = ["claude-haiku-*"]', shown(api_key(ACME), path="/v1/agents"), 403),
    ],
)
def test_who_is_turned_away(more, request_shown, status):
    refusal = admit(ring(more), request_shown, NOW)
    assert isinstance(refusal, Refuse)
    assert refusal.status == status
    assert ACME not in refusal.message


@pytest.mark.parametrize(
    ("more", "request_shown"),
    [
        ("expires_at = 2026-11-20T09:00:01Z", shown(api_key(ACME))),
        ('paths = ["/v1/messages*"]', shown(api_key(ACME), path="/v1/messages/count_tokens")),
        ('models = ["claude-haiku-*"]', shown(api_key(ACME), path="/v1/files")),
        ('models = ["claude-haiku-*"]', shown(api_key(ACME), path="/v1/models", method="GET")),
        ('models = ["claude-haiku-*"]', shown(api_key(ACME), path="/v1/messages/batches/msgbatch_1/cancel")),
        ("", shown(api_key(ACME), bearer(ACME))),
    ],
)
def test_who_is_let_in(more, request_shown):
    assert admit(ring(more), request_shown, NOW).key.id == "acme"


def test_own_credentials_pass_only_where_the_file_says_so_and_ours_never():
    open_ring = ring("disabled = true", mode="virtual or own")
    own = shown(api_key("sk-ant-own"), (b"accept-encoding", b"br"))
    assert admit(open_ring, own, NOW) == Caller(own.headers)
    smuggled = [shown(api_key("sk-ant-own"), (b"cookie", OTHER.encode())), shown(api_key("x"), query=OTHER.encode())]
    for turned_away in (shown(api_key(ACME)), shown(api_key(new_key())), *smuggled):
        assert isinstance(admit(open_ring, turned_away, NOW), Refuse)


def test_nothing_that_is_printed_shows_a_key():
    request = shown(api_key(ACME))
    caller = admit(ring(), request, NOW)
    printed = repr(request) + repr(caller) + repr(ring()) + str(ring().credentials)
    assert ACME not in printed
    assert REAL.decode() not in printed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "keys.toml"),
        ('mode = "open"', "mode"),
        ("[upstream.a]", "one of key_env and key_file"),
        ('[upstream.a]\nkey = "sk-ant-SECRET"', "unknown field `key`"),
        ('[upstream.a]\nkey_env = "sk-ant-SECRET"', "a key stands in the file"),
        ('[upstream.a]\nkey_file = "sk-ant-SECRET"', "a key stands in the file"),
        ('[upstream.a]\nkey_env = "A"\nheader = "cookie"', "header"),
        ('[upstream.a]\nkey_env = "A"\nworkspace = "a b"', "workspace"),
        ('[[key]]\nid = "a"\nhash = "sk-ant-SECRET"', "a key stands in the file"),
        ('[[key]]\nid = "a"\nhash = "HASH"\nprefix = "sk-ant-SECRET-and-all-of-it"', "a key stands in the file"),
        ('[[key]]\nid = "sk-ant-SECRET"\nhash = "HASH"', "id cannot be used"),
        ('[[key]]\nid = "key_1"\nhash = "HASH"', "id cannot be used"),
        ('[[key]]\nid = "a"\nhash = "md5:1"', "sha256"),
        ('[[key]]\nid = "a"\nhash = "HASH"', "names no upstream"),
        ('[[key]]\nid = "a"\nhash = "HASH"\nupstream = "sk-ant-SECRET"', "no upstream of the name"),
        ('[[key]]\nid = "a"\nhash = "HASH"\nset = { api_key = "b" }', "sets api_key"),
        ('[[key]]\nid = "a"\nhash = "HASH"\nset = { tenant = "' + "x" * 257 + '" }', "a long value"),
        ('[[key]]\nid = "a"\nhash = "HASH"\nexpires_at = 2026-11-20T09:00:00', "expires_at"),
        ('[upstream.u]\nkey_env = "A"\n' + '[[key]]\nid = "a"\nhash = "HASH"\n' * 2, "the id of a is there twice"),
        (
            '[upstream.u]\nkey_env = "A"\n[[key]]\nid = "a"\nhash = "HASH"\n[[key]]\nid = "b"\nhash = "HASH"',
            "the hash of b is there twice",
        ),
    ],
)
def test_what_a_file_may_not_say(text, said):
    with pytest.raises(BadConfig, match=r"keys\.toml") as refused:
        parse_keys(text.replace("HASH", hash_of("k")), "keys.toml")
    assert said in str(refused.value)
    assert "SECRET" not in str(refused.value)


# -- the file on disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(FILE.replace("MORE", "").replace('key_env = "ANTHROPIC_API_KEY"', 'key_file = "upstream.key"'))
    (tmp_path / "upstream.key").write_bytes(REAL + b"\n")
    return path


def test_changes_are_read_and_broken_ones_keep_the_keys(file):
    log = []
    keys = KeyFile(file, log.append, {})
    assert keys.ring.find(ACME.encode())[1].fields == [(b"x-api-key", REAL)]
    keys.refresh()
    assert log == []

    good = file.read_text()
    for broken in ("[", good.replace("upstream.key", "gone.key")):
        file.write_text(broken)
        keys.refresh()
        keys.refresh()
        assert keys.ring.find(ACME.encode()) is not None
    assert len(log) == 2
    assert all("keys stay as they were" in line for line in log)

    file.write_text(good.replace("[[key]]", "[[key]]\ndisabled = true", 1))
    keys.refresh()
    assert keys.ring.find(ACME.encode())[0].disabled
    (file.parent / "upstream.key").write_bytes(b"sk-ant-turned")
    keys.refresh()
    assert keys.ring.find(ACME.encode())[1].fields == [(b"x-api-key", b"sk-ant-turned")]
    assert REAL.decode() not in "".join(log)
    file.unlink()
    keys.refresh()
    assert keys.ring.find(ACME.encode()) is not None


@pytest.mark.parametrize("held", [b"", b" \n", b"sk-ant-SECRET\nsecond", "sk-ant-SECRET-\u00e9".encode()])
def test_a_credential_that_cannot_be_sent_is_refused_and_not_shown(file, held):
    (file.parent / "upstream.key").write_bytes(held)
    with pytest.raises(BadConfig, match=r"upstream\.main") as refused:
        KeyFile(file, print, {})
    assert "SECRET" not in str(refused.value)


def test_a_variable_may_hold_the_credential(file):
    file.write_text(FILE.replace("MORE", ""))
    assert KeyFile(file, print, {"ANTHROPIC_API_KEY": "sk-x"}).ring.find(ACME.encode())[1].fields[0][1] == b"sk-x"
    with pytest.raises(BadConfig, match="ANTHROPIC_API_KEY is empty or not set"):
        KeyFile(file, print, {})
    file.write_bytes(b"\xff")
    with pytest.raises(BadConfig, match="not UTF-8"):
        KeyFile(file, print, {})


# -- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ('{"model": "a"}', {"a"}),
        ('{"m\\u006fdel": "a"}', {"a"}),
        ('{"model": "a", "fallbacks": [{"model": "b"}]}', {"a", "b"}),
        ('{"model": "a", "fallbacks": "default"}', {"a", "default"}),
        ('{"model": "a", "tools": [{"type": "advisor_20260301", "model": "b"}]}', {"a", "b"}),
        ('{"model": "a", "tools": [{"name": "t", "input_schema": {"properties": {"model": {}}}}]}', {"a"}),
        ('{"model": "a", "messages": [{"role": "user", "content": "\\"model\\": \\"b\\""}]}', {"a"}),
        ('{"requests": [{"params": {"model": "a"}}, {"params": {"model": "b"}}]}', {"a", "b"}),
        ('{"model": "a", "model": "b"}', None),
        ('{"model": "a", "m\\u006fdel": "b"}', None),
        ('{"model": "a", "fallbacks": [], "fallbacks": [{"model": "b"}]}', None),
        ('{"requests": [{"params": {"model": "a"}, "params": {"model": "b"}}]}', None),
        ('{"requests": [{"params": {"model": "a"}}, {"params": {}}]}', None),
        ('{"requests": {"params": {"model": "a"}}}', None),
        ('{"requests": [1]}', None),
        ('{"x": {"model": "a"}}', None),
        ("[]", None),
        ("{", None),
        ("", None),
        ("[" * 100_000 + '"model" "model"', None),
        ('{"model": 1}', None),
    ],
)
def test_every_model_that_a_request_could_be_billed_for(body, models):
    assert models_asked(body.encode()) == (None if models is None else frozenset(models))
    if models is not None:
        assert models_asked(body.encode("utf-16")) is None


def test_a_bound_key_may_send_what_it_may_ask_for():
    (entry, _) = ring('models = ["claude-haiku-*"]').find(ACME.encode())
    assert may_be_sent(entry, b'{"model": "claude-haiku-4-5"}', whole=True) is None
    assert may_be_sent(entry, b'{"model": "claude-opus-4-5"}', whole=True).status == 403
    assert may_be_sent(entry, b"{", whole=True).status == 403
    assert may_be_sent(entry, b'{"model": "claude-haiku-4-5"', whole=False).status == 413


_words = st.sampled_from(["model", "fallbacks", "tools", "requests", "params", "messages", "x"])
_json = st.recursive(
    st.sampled_from(["claude-haiku-4-5", "claude-opus-4-5", "default"]) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_words, _json, max_size=4))
def test_no_model_at_a_place_that_is_billed_slips_by(request):
    asked = models_asked(json.dumps(request).encode())
    if asked is not None and asked <= {"claude-haiku-4-5"}:
        billed = [request, *[one.get("params") for one in request.get("requests", ()) if isinstance(one, dict)]]
        for one in (part for part in billed if isinstance(part, dict)):
            assert one.get("model", "claude-haiku-4-5") == "claude-haiku-4-5"
            others = [item for name in ("fallbacks", "tools") for item in _items(one.get(name))]
            assert all(item.get("model", "claude-haiku-4-5") == "claude-haiku-4-5" for item in others)
            assert one.get("fallbacks") != "default"


def _items(value):
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def test_an_expired_key_is_told_from_one_that_will_expire():
    at = (NOW + timedelta(seconds=1)).isoformat()
    key_ring = ring(f"expires_at = {at}")
    assert isinstance(admit(key_ring, shown(api_key(ACME)), NOW), Caller)
    assert "expired" in admit(key_ring, shown(api_key(ACME)), NOW + timedelta(seconds=1)).message


def test_a_key_that_somebody_else_made_is_taken_out_everywhere_too():
    made = "their-own-random-key"
    file = FILE.replace("MORE", "").replace(hash_of(ACME), hash_of(made))
    caller = admit(
        make_ring(parse_keys(file, "keys.toml"), {"main": REAL}),
        shown(bearer(made), (b"x-copy", b"is " + made.encode())),
        NOW,
    )
    assert caller.headers == [(b"host", b"h"), (b"x-api-key", REAL)]
