"""Virtual keys with the official SDK: metered, tagged, refused, and no credential on the wrong side of the gateway."""

import gzip
import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import anthropic
import pytest

from farthing.gateway.keys import hash_of, new_key
from farthing.gateway.models_asked import models_asked

ASK = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}
KEYS = {name: new_key() for name in ("acme", "bound", "late", "gone", "narrow")}
FILE = f"""
[upstream.main]
key_file = "upstream.key"

[[key]]
id = "acme"
hash = "{hash_of(KEYS["acme"])}"
set = {{ tenant = "acme", team = "key", feature = "key" }}

[[key]]
id = "bound"
hash = "{hash_of(KEYS["bound"])}"
models = ["claude-haiku-*"]

[[key]]
id = "late"
hash = "{hash_of(KEYS["late"])}"
expires_at = 2026-11-20T09:00:00Z

[[key]]
id = "gone"
hash = "{hash_of(KEYS["gone"])}"
disabled = true

[[key]]
id = "narrow"
hash = "{hash_of(KEYS["narrow"])}"
paths = ["/v1/messages/count_tokens"]
"""


@pytest.fixture
def keys_file(tmp_path, box):
    path = tmp_path / "keys.toml"
    path.write_text(FILE)
    (tmp_path / "upstream.key").write_text(box.key)
    return path


@pytest.fixture
def gateway(box, gateway_to, keys_file):
    return gateway_to(box.base_url, now=box.clock.now, keys=keys_file)


@pytest.fixture
def client_of(gateway):
    def client(key, **options):
        return anthropic.Anthropic(base_url=gateway.base_url, max_retries=0, **({"api_key": key} | options))

    return client


def everything_kept(gateway):
    """Log, journal, metrics and ledger, once it has ended."""
    gateway.stop()
    kept = "\n".join(gateway.log).encode() + gateway.journal + gateway.metrics.text().encode()
    return kept + gateway.ledger.read_bytes()


def test_a_virtual_key_is_metered_under_its_own_tags(box, gateway_to, keys_file, tmp_path):
    (tmp_path / "rules.toml").write_text('[[rule]]\nset = { feature = "rule" }')
    gateway = gateway_to(box.base_url, now=box.clock.now, keys=keys_file, rules=tmp_path / "rules.toml")
    tags = {f"x-farthing-tag-{name}": "caller" for name in ("tenant", "team", "feature", "user")}
    for credential in ({"api_key": KEYS["acme"]}, {"api_key": None, "auth_token": KEYS["acme"]}):
        with anthropic.Anthropic(base_url=gateway.base_url, max_retries=0, **credential) as client:
            assert client.messages.create(**ASK, extra_headers=tags).usage.output_tokens == 40
            with client.messages.stream(**ASK, extra_headers=tags) as stream:
                stream.get_final_message()
    assert gateway.total_pusd == box.books.total_pusd > 0
    assert len(gateway.calls) == len(box.books) == 4
    for stored in gateway.calls:
        dims = {name: stored.call.dims[name] for name in ("api_key", "tenant", "team", "feature", "user")}
        assert dims == {"api_key": "acme", "tenant": "acme", "team": "key", "feature": "rule", "user": "caller"}
    kept = everything_kept(gateway)
    assert box.key.encode() not in kept
    assert KEYS["acme"].encode() not in kept


def test_the_whole_life_of_a_batch(box, gateway, client_of):
    with client_of(KEYS["acme"]) as client:
        params = {name: ASK[name] for name in ASK}
        batch = client.messages.batches.create(requests=[{"custom_id": f"r{n}", "params": params} for n in range(3)])
        ended = client.messages.batches.retrieve(batch.id)
        there = f"/v1/messages/batches/{batch.id}/results"
        assert ended.results_url == gateway.base_url + there
        assert {result.custom_id for result in client.messages.batches.results(batch.id)} == {"r0", "r1", "r2"}
        assert [one.results_url for one in client.messages.batches.list(limit=1)] == [gateway.base_url + there]
        raw = client.messages.batches.with_raw_response.list().http_response
        assert int(raw.headers["content-length"]) == len(raw.content)
        assert box.key not in str(raw.headers.raw) + raw.text
    assert gateway.total_pusd == box.books.total_pusd > 0
    assert {stored.call.call_id for stored in gateway.calls} == {f"{batch.id}/r{n}" for n in range(3)}
    assert {stored.call.dims["api_key"] for stored in gateway.calls} == {"acme"}
    assert box.key.encode() not in everything_kept(gateway)


def test_the_background_fetches_results_with_the_upstream_credential(box, gateway, client_of):
    with client_of(KEYS["acme"]) as client:
        batch = client.messages.batches.create(requests=[{"custom_id": "r", "params": ASK}])
        client.messages.batches.retrieve(batch.id)
    assert [stored.call.call_id for stored in gateway.calls] == [f"{batch.id}/r"]
    assert gateway.metrics.value("farthing_metering_failures_total", "batch results") == 0


@pytest.mark.parametrize(
    ("key", "asked", "told"),
    [
        ("late", {}, (401, "authentication_error")),
        ("gone", {}, (401, "authentication_error")),
        ("narrow", {}, (403, "permission_error")),
        ("bound", {"model": "claude-opus-4-5"}, (403, "permission_error")),
        ("bound", {"extra_body": {"fallbacks": [{"model": "claude-opus-4-5"}]}}, (403, "permission_error")),
        ("nobody", {}, (401, "authentication_error")),
        ("the upstream's own", {}, (401, "authentication_error")),
    ],
)
def test_whoever_is_refused_reaches_nothing(box, gateway, client_of, key, asked, told):  # noqa: PLR0917 - pytest passes by name
    credential = KEYS.get(key) or {"nobody": new_key(), "the upstream's own": box.key}[key]
    with client_of(credential) as client, pytest.raises(anthropic.APIStatusError) as refused:
        client.messages.create(**{**ASK, **asked})
    assert (refused.value.status_code, refused.value.type) == told
    assert refused.value.message.count("farthing: ") == 1
    kept = everything_kept(gateway)
    assert gateway.calls == []
    assert b'"begun"' not in gateway.journal
    assert len(box.books) == 0
    for secret in (credential, box.key):
        assert secret not in str(refused.value) + refused.value.response.text
        assert secret.encode() not in kept


def test_a_bound_key_sends_what_it_may_and_no_batch_with_another_model(box, gateway, client_of):
    with client_of(KEYS["bound"]) as client:
        assert client.messages.create(**ASK).usage.output_tokens == 40
        assert client.messages.count_tokens(model=ASK["model"], messages=ASK["messages"]).input_tokens > 0
        requests = [
            {"custom_id": "a", "params": ASK},
            {"custom_id": "b", "params": {**ASK, "model": "claude-opus-4-5"}},
        ]
        client.messages.batches.create(requests=requests[:1])
        for refused in (
            lambda: client.messages.batches.create(requests=requests),
            lambda: client.messages.count_tokens(model="claude-opus-4-5", messages=ASK["messages"]),
        ):
            with pytest.raises(anthropic.PermissionDeniedError):
                refused()
    assert {entry.call.served.model for entry in box.books} == {"claude-haiku-4-5-20251001"}


def test_a_request_too_long_to_tell_its_model_is_refused_to_a_bound_key(box, gateway, client_of, monkeypatch):
    from farthing.gateway import exchange

    monkeypatch.setattr(exchange, "_HELD_BYTES_MAX", 1_000)
    with client_of(KEYS["bound"]) as client, pytest.raises(anthropic.APIStatusError) as refused:
        client.messages.create(**{**ASK, "system": "x" * 3_000_000})
    assert refused.value.status_code == 413
    assert len(box.books) == 0


def test_own_credentials_pass_where_the_file_says_so(box, gateway_to, keys_file):
    keys_file.write_text('mode = "virtual or own"' + FILE)
    gateway = gateway_to(box.base_url, now=box.clock.now, keys=keys_file)
    for key in (box.key, KEYS["acme"]):
        with anthropic.Anthropic(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
            client.messages.create(**ASK)
            batch = client.messages.batches.create(requests=[{"custom_id": "r", "params": ASK}])
            url = client.messages.batches.retrieve(batch.id).results_url
            assert url.startswith(box.base_url if key == box.key else gateway.base_url)
    unknown = anthropic.Anthropic(base_url=gateway.base_url, api_key=new_key(), max_retries=0)
    with unknown as client, pytest.raises(anthropic.AuthenticationError, match="farthing: "):
        client.messages.create(**ASK)
    names = sorted(stored.call.dims["api_key"][:4] for stored in gateway.calls)
    assert names == ["acme", "acme", "key_", "key_"]


def test_a_long_batch_is_judged_away_from_the_loop_that_serves_the_others(box, gateway, client_of, monkeypatch):
    judged = []

    def models_asked_here(body):
        judged.append((len(body), threading.current_thread().name))
        return models_asked(body)

    monkeypatch.setattr("farthing.gateway.admit.models_asked", models_asked_here)
    requests = [{"custom_id": f"r{number}", "params": ASK} for number in range(5_000)]
    with client_of(KEYS["bound"]) as client:
        client.messages.batches.create(requests=requests)
        dear = {"custom_id": "dear", "params": {**ASK, "model": "claude-opus-4-5"}}
        with pytest.raises(anthropic.PermissionDeniedError, match="every model"):
            client.messages.batches.create(requests=[*requests, dear])
        client.messages.create(**ASK)
    (_, first), (_, second), (_, short) = judged
    assert short == "farthing gateway"
    assert short not in (first, second)


def test_a_key_in_an_address_is_refused_and_not_logged(gateway, client_of):
    with client_of(KEYS["acme"]) as client:
        for path in (f"/v1/models/{KEYS['acme']}", f"/v1/models?key={KEYS['bound']}", f"/{KEYS['acme']}"):
            with pytest.raises(anthropic.APIStatusError):
                client.get(path, cast_to=object)
    kept = everything_kept(gateway)
    assert KEYS["acme"].encode() not in kept
    assert KEYS["bound"].encode() not in kept
    assert any("/v1/models/[key]" in line for line in gateway.log)


def test_a_revoked_key_is_refused_at_the_next_round(box, gateway_to, keys_file):
    gateway = gateway_to(box.base_url, now=box.clock.now, keys=keys_file, ingest_seconds=1)
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=KEYS["acme"], max_retries=0) as client:
        client.messages.create(**ASK)
        keys_file.write_text(FILE.replace('id = "acme"', 'id = "acme"\ndisabled = true'))
        for _ in range(6_000):
            if any("keys read anew" in line for line in gateway.log):
                break
            time.sleep(0.01)
        with pytest.raises(anthropic.AuthenticationError):
            client.models.list()


# -- an upstream that does what it likes ------------------------------------------------------------------------------


class Upstream:
    """Answers each request with the same bytes, in pieces, and keeps what it was sent."""

    def __init__(self, head, pieces):
        import socket

        self.heads = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.base_url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, args=(head, pieces))
        self.thread.start()

    def _serve(self, head, pieces):
        try:
            connection, _ = self.listener.accept()
        except OSError:  # nobody came, and the test says so
            return
        with connection:
            self.heads.append(connection.recv(65_536))
            connection.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
            for piece in pieces:
                connection.sendall(piece)

    def close(self):
        self.thread.join()
        self.listener.close()


@pytest.fixture
def answered(gateway_to, keys_file):
    """Asks for a batch through a gateway in front of an upstream that answers so."""
    upstreams = []

    def answer(head, *pieces):
        upstream = Upstream(head, pieces)
        upstreams.append(upstream)
        gateway = gateway_to(upstream.base_url, keys=keys_file)
        connection = http.client.HTTPConnection(urlsplit(gateway.base_url).netloc, timeout=10)
        headers = {"authorization": f"Bearer {KEYS['acme']}", "accept-encoding": "gzip", "host": "gateway.example"}
        connection.request("GET", "/v1/messages/batches/msgbatch_1", headers=headers)
        got = connection.getresponse()
        body = got.read()
        connection.close()
        return got, body, upstream.heads[0]

    yield answer
    for upstream in upstreams:
        upstream.close()


BATCH = (
    b'{"id": "msgbatch_1", "type":"message_batch","results_url":"https://api.example/v1/messages/b/results", "n":1.0}'
)
HERE = BATCH.replace(b"https://api.example", b"http://gateway.example")


def test_an_address_cut_at_every_byte_is_moved(answered, box):
    pieces = [b"1\r\n%c\r\n" % byte for byte in BATCH]
    got, body, head = answered(b"200 OK\r\ntransfer-encoding: chunked", *pieces, b"0\r\n\r\n")
    assert (got.status, body) == (200, HERE)
    assert b"accept-encoding: identity\r\n" in head
    assert b"x-api-key: " + box.key.encode() in head
    assert KEYS["acme"].encode() not in head
    assert b"authorization" not in head.lower()


def test_the_length_is_that_of_what_is_sent(answered):
    got, body, _ = answered(b"200 OK\r\nContent-Length: %d" % len(BATCH), BATCH)
    assert (body, got.headers.get_all("content-length")) == (HERE, [str(len(HERE))])


def test_errors_pass_as_they_are(answered):
    got, body, _ = answered(b"404 Not Found\r\ncontent-length: %d" % len(BATCH), BATCH)
    assert (got.status, body) == (404, BATCH)


@pytest.mark.parametrize(
    "answer",
    [
        (b"200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d" % len(gzip.compress(BATCH)), gzip.compress(BATCH)),
        (b"200 OK\r\ncontent-length: 400", BATCH),
        (b"200 OK\r\ncontent-length: %d" % (9 * 2**20), b" " * (9 * 2**20)),
    ],
)
def test_what_cannot_be_rewritten_fails_and_nothing_of_it_slips_by(answered, answer):
    got, body, _ = answered(*answer)
    assert got.status == 502
    assert json.loads(body)["error"]["type"] == "api_error"
    assert b"api.example" not in body


def test_a_redirection_leads_nowhere_else(answered):
    got, _, _ = answered(b"307 Moved\r\nlocation: https://elsewhere.example/v1/x\r\ncontent-length: 0")
    assert got.headers["location"] == "http://gateway.example/v1/x"
