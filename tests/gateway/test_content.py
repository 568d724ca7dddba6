"""Content modes: what is kept where, who may say so, and that no call ever notices."""

import gzip
import json
import os
import threading
from datetime import UTC, datetime, timedelta

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.gateway.content import Said, Terms, kept_of, lowest, mode_under
from farthing.gateway.content_keeper import Keeper, Retention
from farthing.gateway.keys import hash_of, new_key
from farthing.gateway.metrics import Metrics
from farthing.gateway.rules import Rule, apply_rules, content_under
from farthing.ledger.content import Content, ContentStore, Part

MODES = ("none", "hash", "redacted", "full")
CANARY = "canary-7391-of-the-prompt"
ASK = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": f"{CANARY} ada@example.com <<output:40>>"}],
}
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TERMS = Terms(1_000, b"secret")


# -- who decides ------------------------------------------------------------------------------------------------------


@given(st.sampled_from(MODES), st.lists(st.sampled_from([*MODES, "FULL ", "yes", "", "\xff"]), max_size=3))
def test_a_header_lowers_and_never_raises(allowed, stated):
    found = mode_under(allowed, [(b"x-farthing-content", word.encode("latin-1")) for word in stated])
    assert MODES.index(found) <= MODES.index(allowed)
    known = [word.strip().lower() if word.strip().lower() in MODES else "none" for word in stated]
    assert found == lowest([allowed, *known])


def test_rules_decide_by_dimension_in_their_order():
    rules = (
        Rule(path="/v1/messages", set={"feature": "chat"}),
        Rule(where={"tenant": "acme*"}, content="full"),
        Rule(where={"tenant": "acme*", "feature": "chat"}, model="claude-opus-*", content="none"),
        Rule(where={"feature": "chat", "region": "*"}, set={"late": "yes"}),
    )

    def said(model="claude-haiku-4-5", **dims):
        return content_under(rules, "/v1/messages", model, [], dims)

    assert said() is None
    assert said(tenant="bolt") is None
    assert said(tenant="acme-eu") == "full"
    assert said("claude-opus-4-8", tenant="acme-eu") == "none"
    assert apply_rules(rules, "/v1/messages", "m", [], {"region": "eu"}) == {"feature": "chat", "late": "yes"}
    assert apply_rules(rules, "/v1/messages", "m", []) == {"feature": "chat"}


# -- what is kept -----------------------------------------------------------------------------------------------------


def said(mode, request=b'{"a":"b@c.de"}', answer=b'{"x":"y@z.de"}', note="", *, is_stream=False):
    row = Content("call_1", "call_1", AT, "", "m", mode, 200, Part(), Part())
    return Said(row, request, [answer[:5], answer[5:]], "ab", len(answer), note, is_stream)


def test_each_mode_keeps_what_it_says():
    kept = {mode: kept_of(said(mode), TERMS) for mode in MODES[1:]}
    assert [(one.request.body, one.answer.body) for one in kept.values()] == [
        (None, None),
        (b'{"a":"[email]"}', b'{"x":"[email]"}'),
        (b'{"a":"b@c.de"}', b'{"x":"y@z.de"}'),
    ]
    assert len({one.request.hash for one in kept.values()}) == 1
    assert kept["hash"].request.hash != kept_of(said("hash"), Terms(1_000, b"other")).request.hash
    assert {one.request.length_bytes for one in kept.values()} == {14}


def test_long_bodies_are_cut_and_say_so():
    long = json.dumps({"a": "ada@example.com " * 100}).encode()
    full = kept_of(said("full", long, long[:1000], "cut"), TERMS)
    assert (full.request.body, full.request.note, full.request.length_bytes) == (long[:1000], "cut", len(long))
    assert (full.answer.body, full.answer.note) == (long[:1000], "cut")
    redacted = kept_of(said("redacted", long, long), TERMS)
    assert redacted.request.note == ""
    assert (
        redacted.request.body
        == redacted.answer.body
        == json.dumps({"a": "[email] " * 100}, separators=(",", ":")).encode()
    )
    too_long = kept_of(said("redacted", long * 4, long * 4, "cut"), TERMS)
    assert [(part.body, part.note) for part in (too_long.request, too_long.answer)] == [
        (None, "too long to redact"),
    ] * 2
    assert too_long.request.hash
    assert kept_of(said("full", None), TERMS).request == Part(note="not held")


def test_what_is_said_shows_in_no_repr():
    one = said("full", CANARY.encode(), CANARY.encode())
    assert CANARY not in f"{one!r} {one} {kept_of(one, TERMS)!r} {TERMS!r}"
    assert "secret" not in repr(TERMS)


# -- behind the calls -------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "content.sqlite"


def keep(keeper, number, *, request=b"{}", answer=(b"{}",), mode="full", coding=b"", whole=True):
    row = Content(f"call_{number}", f"call_{number}", AT, "", "m", mode, 200, Part(), Part())
    capture = keeper.begin(row, request, coding, is_stream=False)
    if capture is not None:
        for piece in answer:
            capture.feed(piece)
        capture.end(f"msg_{number}", whole=whole)


def found(path, name):
    with ContentStore(path) as store:
        return store.find(name)


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_packed_answer_is_kept_unpacked(path, cut):
    metrics, body = Metrics(), os.urandom(300) + b"0" * 3_000
    keeper = Keeper(path, Terms(2_000, b"s"), metrics, pytest.fail)
    packed = gzip.compress(body)
    pieces = [packed[at : at + cut] for at in range(0, len(packed), cut)]
    keep(keeper, 1, answer=pieces, coding=b"gzip")
    keep(keeper, 2, answer=[body], mode="hash")
    keep(keeper, 3, answer=[b"no gzip"], coding=b"gzip")
    keep(keeper, 4, answer=[b"?"], coding=b"dcb")
    keep(keeper, 5, answer=[b"half"], whole=False)
    keeper.close(10)
    assert metrics.value("farthing_content_kept_total") == 5
    one, two = found(path, "msg_1").answer, found(path, "call_2").answer
    assert (one.body, one.note, one.length_bytes) == (body[:2_000], "cut", len(body))
    assert one.hash == two.hash
    assert two.body is None
    assert [found(path, f"msg_{number}").answer[2:] for number in (3, 4, 5)] == [
        ("packed", None),
        ("packed", None),
        ("broken off", b"half"),
    ]
    assert found(path, "msg_5").answer.hash is None


def test_what_finds_no_room_is_dropped_and_counted(path):
    metrics = Metrics()
    keeper = Keeper(path, Terms(10_000, b"s"), metrics, pytest.fail, memory_bytes_max=5_000, calls_max=3)
    keep(keeper, 1, request=b"0" * 6_000)
    keep(keeper, 2, request=b"0" * 3_000, answer=[b"1"] * 2_500)
    assert metrics.value("farthing_content_dropped_total", "no room") == 2
    open_ones = [keeper.begin(said("full").row, None, b"", is_stream=False) for _ in range(4)]
    assert open_ones.pop() is None
    assert metrics.value("farthing_content_dropped_total", "no room") == 3
    for capture in open_ones:
        capture.end("", whole=True)
    keeper.close(10)
    keep(keeper, 3, request=b"0" * 4_900)  # all room was given back
    assert metrics.value("farthing_content_dropped_total", "no room") == 3


def test_a_broken_store_drops_content_and_is_tried_anew(path):
    metrics, log = Metrics(), []
    path.mkdir()
    keeper = Keeper(path, TERMS, metrics, log.append)

    def dropped():
        keeper.tick()
        return metrics.value("farthing_content_dropped_total", "store")

    for number in (1, 2):
        keep(keeper, number)
        wait_until(lambda number=number: dropped() == number)
    assert len(log) == 1
    assert "calls go on" in log[0]
    path.rmdir()
    keep(keeper, 3)
    keeper.close(10)
    assert metrics.value("farthing_content_kept_total") == 1
    assert found(path, "call_3")


def test_a_body_that_breaks_the_redactor_costs_its_own_content_only(path, monkeypatch):
    def redact(body):
        raise MemoryError if b"bad" in body else StopIteration

    metrics = Metrics()
    keeper = Keeper(path, TERMS, metrics, pytest.fail)
    with monkeypatch.context() as patched:
        patched.setattr("farthing.gateway.content.redact", redact)
        keep(keeper, 1, request=b"bad", mode="redacted")
        keep(keeper, 2, mode="full")
        keeper.close(10)
    assert metrics.value("farthing_content_dropped_total", "not readable") == 1
    assert metrics.value("farthing_content_kept_total") == 1


def test_retention_ends_what_is_old_and_says_once_what_it_cannot(path, tmp_path):
    log, now = [], [AT]
    retention = Retention(path, days=7, disk_bytes_max=10**9, log=log.append, now=lambda: now[0])
    retention.round()
    assert not path.exists()
    with ContentStore(path) as store:
        store.add([said("full").row])
    retention.round()
    assert found(path, "call_1")
    now[0] += timedelta(days=7, seconds=1)
    retention.round()
    assert found(path, "call_1") is None
    path.unlink()
    path.mkdir()
    retention.round()
    retention.round()
    assert len(log) == 1


def wait_until(true):
    waiting = threading.Event()
    for _ in range(6_000):
        if true():
            return
        waiting.wait(0.01)
    pytest.fail("it never came true")


# -- end to end -------------------------------------------------------------------------------------------------------


def everywhere(folder):
    """All bytes that a gateway left, the bodies of the content store unpacked."""
    left = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    if (folder / "content.sqlite").exists():
        with ContentStore(folder / "content.sqlite") as store:
            for (name,) in store._db.execute("SELECT gateway_call FROM content").fetchall():
                one = store.find(name)
                left += repr(one).encode() + (one.request.body or b"") + (one.answer.body or b"")
    return left


def calls(gateway, box, **headers):
    """A plain and a streamed call; names of both."""
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0, default_headers=headers) as sdk:
        plain = sdk.messages.with_raw_response.create(**ASK)
        with sdk.messages.with_streaming_response.create(**ASK, stream=True) as streamed:
            events = b"".join(streamed.iter_bytes())
    return plain, streamed.headers["x-farthing-call-id"], events


@pytest.mark.parametrize("mode", MODES)
def test_canaries(mode, box, gateway_to, tmp_path):
    gateway = gateway_to(box.base_url, now=box.clock.now, content=mode)
    plain, streamed, events = calls(gateway, box)
    assert (gateway.server._running.desk.content is None) == (mode == "none")
    metered = {one.call.dims["gateway_call"]: one.call.call_id for one in gateway.calls}
    assert len(metered) == 2
    left = everywhere(tmp_path)
    assert box.key.encode() not in left
    assert (CANARY.encode() in left) == (mode in {"redacted", "full"})
    assert (b"ada@example.com" in left) == (mode == "full")
    assert CANARY.encode() not in gateway.journal
    assert CANARY not in "".join(gateway.log)
    if mode == "none":
        assert not (tmp_path / "content.sqlite").exists()
        return
    one = found(tmp_path / "content.sqlite", plain.headers["x-farthing-call-id"])
    two = found(tmp_path / "content.sqlite", streamed)
    assert {one.gateway_call: one.call_id, two.gateway_call: two.call_id} == metered
    assert (one.mode, one.model, one.status) == (mode, "claude-haiku-4-5", 200)
    assert one.sent_at == two.sent_at
    assert (one.request.hash, one.request.note) == (kept_hash(tmp_path, plain.http_request.content), "")
    assert (two.answer.hash, two.answer.length_bytes) == (kept_hash(tmp_path, events), len(events))
    if mode == "full":
        assert one.request.body == plain.http_request.content
        assert (one.answer.body, two.answer.body) == (plain.http_response.content, events)
    elif mode == "redacted":
        assert json.loads(one.request.body)["messages"][0]["content"] == f"{CANARY} [email] <<output:40>>"
        assert json.loads(two.answer.body)["content"] == json.loads(plain.http_response.content)["content"]
    else:
        assert one.request.body is two.answer.body is None


def kept_hash(folder, body):
    """The hash by its definition: BLAKE2b, 128 bits, keyed and with its purpose."""
    from hashlib import blake2b

    secret = bytes.fromhex((folder / "journals" / "fingerprint.key").read_text())
    return blake2b(body, key=secret, digest_size=16, person=b"farthing content").hexdigest()


def test_a_caller_may_lower_the_mode_and_not_raise_it(box, gateway_to, tmp_path):
    gateway = gateway_to(box.base_url, now=box.clock.now, content="redacted")
    names = [
        calls(gateway, box, **headers)[1]
        for headers in (
            {"x-farthing-content": "none"},
            {"x-farthing-content": "hash"},
            {"x-farthing-content": "full"},
            {"x-farthing-content": "please do not"},
        )
    ]
    gateway.stop()
    kept = [found(tmp_path / "content.sqlite", name) for name in names]
    assert [one and one.mode for one in kept] == [None, "hash", "redacted", None]
    assert gateway.metrics.value("farthing_content_kept_total") == 4


def test_rules_and_keys_decide_per_tenant(box, gateway_to, tmp_path, monkeypatch):
    monkeypatch.setenv("KEY_OF_THE_UPSTREAM", box.key)
    keys, toml = {}, 'mode = "virtual only"\n[upstream.main]\nkey_env = "KEY_OF_THE_UPSTREAM"\n'
    for tenant in ("acme", "bolt"):
        keys[tenant] = new_key()
        toml += f'[[key]]\nid = "{tenant}"\nhash = "{hash_of(keys[tenant])}"\nset = {{ tenant = "{tenant}" }}\n'
    (tmp_path / "keys.toml").write_text(toml)
    (tmp_path / "rules.toml").write_text('[[rule]]\nwhere = { tenant = "acme" }\ncontent = "full"\n')
    gateway = gateway_to(
        box.base_url, now=box.clock.now, rules=tmp_path / "rules.toml", keys=tmp_path / "keys.toml", content="none"
    )
    for key in keys.values():
        with anthropic.Anthropic(base_url=gateway.base_url, api_key=key, max_retries=0) as sdk:
            sdk.messages.create(**ASK, extra_headers={"x-farthing-tag-tenant": "acme"})
    gateway.stop()
    with ContentStore(tmp_path / "content.sqlite") as store:
        assert store.standing().calls == {"full": 1}
        assert store.purge(tenant="acme") == 1


def test_errors_and_odd_requests_are_kept_as_they_were(raw_upstream, gateway_to, wire, tmp_path):
    gateway = gateway_to(raw_upstream.url, content="full")
    error = b'{"type":"error"}'
    raw_upstream.answer = lambda _head, _body: (
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n%b" % (len(error), error),
        True,
    )
    body = b'{ "a":1.0,"a": "\\u00e9" }\xff'
    refused = wire.talk(gateway.base_url, wire.request(body))
    raw_upstream.answer = lambda _head, _body: (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", False)
    broken = wire.talk(gateway.base_url, wire.request(b""))
    free = wire.talk(gateway.base_url, wire.request(body, target=b"/v1/messages/count_tokens"))
    gateway.stop()
    store = tmp_path / "content.sqlite"
    one = found(store, refused.field(b"x-farthing-call-id").decode())
    assert (one.status, one.request.body, one.answer.body, one.call_id) == (400, body, error, one.gateway_call)
    two = found(store, broken.field(b"x-farthing-call-id").decode())
    assert (two.answer.body, two.answer.note, two.request.body) == (b"half", "broken off", b"")
    assert found(store, free.field(b"x-farthing-call-id").decode()) is None


def test_a_broken_store_stops_no_call(box, gateway_to, tmp_path):
    (tmp_path / "content.sqlite").write_bytes(b"no database " * 1_000)
    gateway = gateway_to(box.base_url, now=box.clock.now, content="full")
    calls(gateway, box)
    assert len(gateway.calls) == 2
    assert gateway.metrics.value("farthing_content_dropped_total", "store") == 2
    assert gateway.metrics.value("farthing_content_kept_total") == 0
    assert sum("not kept" in line for line in gateway.log) == 1
    assert sum("could not be deleted" in line for line in gateway.log) == 1


def test_the_owner_ends_old_content_whatever_the_mode_is_now(box, gateway_to, tmp_path):
    with ContentStore(tmp_path / "content.sqlite") as store:
        store.add([said("full").row._replace(sent_at=box.clock.now() - timedelta(days=31))])
    gateway_to(box.base_url, now=box.clock.now).stop()
    assert found(tmp_path / "content.sqlite", "call_1") is None
