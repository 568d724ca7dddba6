"""What the client sends arrives, and what the upstream answers comes back, to the byte."""

import gzip
import http.client
import http.server
import sys
import threading
from urllib.parse import urlsplit

import brotli
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

USAGE = b'{"id":"msg_1","type":"message","model":"claude-sonnet-5","content":[],"stop_reason":"end_turn",'
MESSAGE = USAGE + b'"usage":{"input_tokens":10,"output_tokens":5}}'


class Recorder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        seen = self.server.seen
        seen.append((self.command, self.path, self.headers.items(), self.body()))
        status, headers, body = self.server.answer
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815 - http.server's names

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_):
        pass


@pytest.fixture
def recording():
    """An upstream that keeps what it was sent."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.daemon_threads = True
    server.seen, server.answer = [], (200, [("Content-Type", "application/json")], MESSAGE)
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gateway(recording, gateway_to):
    return gateway_to(recording.url)


def ask(gateway, body=None, *, method="POST", target="/v1/messages", headers=(), chunks=None):
    """One request as it is given, nothing added but a key."""
    connection = http.client.HTTPConnection(urlsplit(gateway.base_url).netloc, timeout=20)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (("X-Api-Key", "sk-ant-api03-test"), *headers):
            connection.putheader(name, value)
        if chunks is not None:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            for piece in chunks:
                connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.send(b"0\r\n\r\n")
        else:
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


BODIES = {
    "odd key order": b'{"stream":false,"messages":[],"model":"claude-sonnet-5"}',
    "escapes": b'{"model":"claude-sonnet-5","a":"\\u00e9\\/\\ud83d\\ude00","b":"\\n"}',
    "numbers": b'{"model":"claude-sonnet-5","temperature":1.0,"top_p":1e0,"n":-0,"big":123456789012345678901234567890}',
    "duplicate keys": b'{"model":"a","model":"claude-sonnet-5","x":1,"x":2}',
    "non-ASCII": '{"model":"claude-sonnet-5","t":"žluťoučký 🐎 日本"}'.encode(),
    "white space": b' {\r\n\t"model" : "claude-sonnet-5" }\n\n',
    "not JSON": b"\x00\xff\xfe not JSON at all",
    "empty": b"",
    "large": b'{"model":"claude-sonnet-5","t":"' + b"0123456789abcdef" * 2**17 + b'"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_arrives_as_it_was_sent(recording, gateway, name):
    body = BODIES[name]
    half = len(body) // 2
    assert ask(gateway, body)[2] == MESSAGE
    assert ask(gateway, chunks=[piece for piece in (body[:half], body[half:]) if piece])[2] == MESSAGE
    (_, _, plain, first), (_, _, chunked, second) = recording.seen
    assert first == second == body
    assert dict(plain)["content-length"] == str(len(body))
    assert "content-length" not in dict(chunked)


def test_a_body_that_is_not_held_streams_through(recording, gateway):
    body = bytes(range(256)) * 2**13
    for target in ("/v1/files", "/v1/messages/batches"):
        ask(gateway, body, target=target)
        ask(gateway, target=target, chunks=[body[:100_000], body[100_000:]])
    assert [seen[3] for seen in recording.seen] == [body] * 4


def test_a_request_too_long_to_hold_is_forwarded_and_its_answer_metered(recording, gateway, monkeypatch):
    monkeypatch.setattr("farthing.gateway.exchange._HELD_BYTES_MAX", 1_000)
    assert ask(gateway, BODIES["large"])[2] == MESSAGE
    assert recording.seen[0][3] == BODIES["large"]
    assert gateway.metrics.value("farthing_metering_failures_total", "request too long to read") == 1
    assert len(gateway.calls) == 1


def test_headers_and_targets_pass(recording, gateway):
    sent = [
        ("anthropic-version", "2026-10-21"),
        ("anthropic-beta", "a-2026-01-01,b"),
        ("Anthropic-Beta", "c"),
        ("Authorization", "Bearer token"),
        ("X-Anything", "é".encode().decode("latin-1")),
        ("Connection", "X-Hop"),
        ("X-Hop", "ends here"),
        ("TE", "trailers"),
        ("Accept-Encoding", "gzip, br;q=0.9, zstd, dcb"),
        ("Helicone-Auth", "Bearer other"),
        ("X-Farthing-Tag-Tenant", "acme"),
    ]
    ask(gateway, b"{}", target="/v1/messages?beta=true&x=%2F%20", headers=sent)
    ((method, path, headers, _),) = recording.seen
    assert (method, path) == ("POST", "/v1/messages?beta=true&x=%2F%20")
    assert [value for name, value in headers if name == "anthropic-beta"] == ["a-2026-01-01,b", "c"]
    stated = dict(headers)
    assert stated["host"] == urlsplit(recording.url).netloc
    assert (stated["x-api-key"], stated["authorization"]) == ("sk-ant-api03-test", "Bearer token")
    assert stated["x-anything"].encode("latin-1") == "é".encode()
    assert stated["accept-encoding"] == "gzip, br;q=0.9, zstd"
    gone = {"x-hop", "te", "connection", "helicone-auth", "x-farthing-tag-tenant"}
    assert not gone & {name.lower() for name, _ in headers}


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_compressed_answers_come_back_as_they_are_and_are_metered(recording, gateway, coding):
    packed = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd.compress}[coding](MESSAGE)
    recording.answer = (200, [("Content-Type", "application/json"), ("Content-Encoding", coding)], packed)
    assert ask(gateway, b'{"model":"claude-sonnet-5"}', headers=[("Accept-Encoding", coding)])[2] == packed
    (stored,) = gateway.calls
    assert stored.call.served.usage.output_tokens == 5


def test_an_answer_that_cannot_be_read_passes_and_is_not_lost(recording, gateway):
    recording.answer = (200, [("Content-Type", "application/json"), ("Content-Encoding", "dcb")], b"\x01\x02")
    assert ask(gateway, b"{}")[2] == b"\x01\x02"
    recording.answer = (200, [("Content-Type", "application/json")], b"no JSON")
    assert ask(gateway, b"{}")[2] == b"no JSON"
    assert len(gateway.unsettled) == 2
    assert gateway.calls == []
    assert gateway.metrics.value("farthing_metering_failures_total", "content coding") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT"])
@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_any_method_and_status_pass(recording, gateway, method, status):
    body = b"" if status in {204, 304} else b"body"
    recording.answer = (status, [("X-Mine", "1")], body)
    for _ in range(2):
        got, headers, came = ask(gateway, method=method, target="/v1/files/file_1")
        assert (got, headers["x-mine"], came) == (status, "1", b"" if method == "HEAD" else body)
    assert len(recording.seen) == 2


def test_tags_and_rules_reach_the_ledger(recording, gateway_to, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nmodel = "claude-sonnet-*"\nset = { feature = "search", tenant = "by rule" }\n')
    gateway = gateway_to(recording.url, rules=rules)
    headers = [
        ("Helicone-User-Id", "ada"),
        ("Helicone-Property-Plan", "gold"),
        ("x-claude-code-session-id", "s-1"),
        ("x-farthing-tag-tenant", "acme"),
        ("x-farthing-tag-environment", "test"),
        ("x-farthing-tag-api-key", "forged"),
    ]
    ask(gateway, b'{"model":"claude-sonnet-5","metadata":{"user_id":"u-1"}}', headers=headers)
    (stored,) = gateway.calls
    dims = dict(stored.call.dims)
    assert dims.pop("gateway_call").startswith("call_")
    assert dims.pop("api_key").startswith("key_")
    assert dims == {
        "user": "ada",
        "plan": "gold",
        "session": "s-1",
        "tenant": "by rule",
        "environment": "test",
        "feature": "search",
    }


def test_what_is_not_the_api_is_answered_here(recording, gateway_to, tmp_path):
    token = tmp_path / "token"
    token.write_text("let me see\n")
    gateway = gateway_to(recording.url, metrics_token_file=token)
    assert ask(gateway, method="GET", target="/healthz")[::2] == (200, b"ok\n")
    assert ask(gateway, method="GET", target="/readyz")[0] == 200
    assert ask(gateway, method="GET", target="/metrics")[0] == 404
    status, _, text = ask(gateway, method="GET", target="/metrics", headers=[("Authorization", "Bearer let me see")])
    assert (status, b"farthing_requests_under_way 0" in text) == (200, True)
    for target in ("/", "/v2/messages", "/api/hello", "/v1"):
        assert ask(gateway, method="GET", target=target)[0] == 404
    for target in ("/v1/../admin", "/v1/%2e%2e/admin", "/v1//files", "/v1/a%2fb", "/v1/%00"):
        assert ask(gateway, method="GET", target=target)[0] == 400
    assert ask(gateway, b"{}", headers=[("X-Api-Key", "")])[0] == 200  # a second, empty one changes nothing
    assert len(recording.seen) == 1


def test_nobody_without_credentials_reaches_the_upstream(recording, gateway):
    connection = http.client.HTTPConnection(urlsplit(gateway.base_url).netloc, timeout=20)
    connection.request("GET", "/v1/models")
    answer = connection.getresponse()
    assert (answer.status, b"authentication_error" in answer.read()) == (401, True)
    connection.close()
    assert recording.seen == []
