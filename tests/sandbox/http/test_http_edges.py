"""What no SDK sends: odd keys, odd paths, odd bodies, clients that leave. Bytes go over a plain connection."""

import http.client
import json
import socket
import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from farthing import testing
from farthing.sandbox.accounts import secret_digest
from farthing.sandbox.http.server import SandboxServer
from farthing.sandbox.state import State
from farthing.serving.address import listen
from farthing.testing import Reply

HELLO = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
VERSION = {"anthropic-version": "2023-06-01"}


def call(box, method, path, body=None, headers=None, *, key=None):
    """One exchange: status, headers by lower-case name, body as JSON where it is."""
    address = urlsplit(box.base_url)
    sent = {"x-api-key": box.key if key is None else key, **VERSION, **(headers or {})}
    sent = {name: value for name, value in sent.items() if value is not None}
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=10)) as connection:
        connection.request(method, path, body if isinstance(body, bytes | None) else json.dumps(body), sent)
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(raw)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": None, "authorization": "Bearer {key}"},
        {"x-api-key": None, "authorization": "bearer  {key}"},
        {"x-api-key": "{key}"},
        {"x-api-key": "{key}", "authorization": "Bearer of-nothing"},  # x-api-key wins
    ],
)
def test_a_key_is_taken_in_either_header(box, headers):
    sent = {name: value and value.format(key=box.key) for name, value in headers.items()}
    assert call(box, "POST", "/v1/messages", HELLO, sent)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": None},
        {"x-api-key": ""},
        {"x-api-key": "sk-ant-api03-stranger"},
        {"x-api-key": None, "authorization": "Basic {key}"},
        {"x-api-key": "wrong", "authorization": "Bearer {key}"},
        {"x-api-key": "{admin_key}"},
    ],
)
def test_any_other_key_is_a_401_that_does_not_repeat_it(box, headers):
    sent = {name: value and value.format(key=box.key, admin_key=box.admin_key) for name, value in headers.items()}
    status, answered, body = call(box, "POST", "/v1/messages", HELLO, sent)
    assert (status, body["error"]["type"]) == (401, "authentication_error")
    assert body["request_id"] == answered["request-id"]
    assert not any(secret in json.dumps(body) for secret in filter(None, sent.values()))
    assert len(box.books) == 0


def test_reports_are_for_admin_keys_alone(box):
    path = "/v1/organizations/cost_report?starting_at=2026-11-20T00:00:00Z"
    assert call(box, "GET", path)[0] == 401
    assert call(box, "GET", path, key=box.admin_key)[0] == 200


def test_an_expired_and_an_inactive_key_are_refused(box):
    import msgspec

    made = box.world.add_key("sk-ant-api03-brief", workspace_id=box.world.workspace.id, name="brief")
    assert call(box, "POST", "/v1/messages", HELLO, key="sk-ant-api03-brief")[0] == 200
    box.world.accounts.put_key(msgspec.structs.replace(made, expires_at=box.clock.now()))
    assert call(box, "POST", "/v1/messages", HELLO, key="sk-ant-api03-brief")[0] == 401
    box.world.accounts.put_key(msgspec.structs.replace(made, status="inactive"))
    assert call(box, "POST", "/v1/messages", HELLO, key="sk-ant-api03-brief")[0] == 401
    assert secret_digest("sk-ant-api03-brief") == made.secret_sha256


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/", 404, "not_found_error"),
        ("GET", "/v2/messages", 404, "not_found_error"),
        ("POST", "/v1/messages/", 404, "not_found_error"),
        ("POST", "/v1/messages/../messages", 404, "not_found_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("HEAD", "/v1/models", 405, None),
        ("PUT", "/v1/messages/batches", 405, "invalid_request_error"),
        ("GET", "/v1/messages/batches/msgbatch_none", 404, "not_found_error"),
        ("GET", "/v1/models/claude-none", 404, "not_found_error"),
        ("POST", "/v1/organizations/me", 405, "invalid_request_error"),
    ],
)
def test_paths_and_methods_that_are_none(box, method, path, status, kind):
    if method == "HEAD":
        address = urlsplit(box.base_url)
        with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=10)) as connection:
            connection.request(method, path, headers={"x-api-key": box.key, **VERSION})
            assert connection.getresponse().status == status
        return
    answered, headers, body = call(box, method, path, HELLO if method == "POST" else None)
    assert (answered, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert headers["request-id"] == body["request_id"]


@pytest.mark.parametrize("version", [None, "2023-01-01", "tomorrow"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batches", "/v1/messages/count_tokens"])
def test_a_version_is_required_everywhere(box, version, path):
    status, _, body = call(box, "POST", path, HELLO, {"anthropic-version": version})
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert "anthropic-version" in body["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages?beta=true"])
def test_the_query_of_a_message_does_not_matter(box, path):
    status, headers, body = call(box, "POST", path, HELLO)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert headers["anthropic-organization-id"] == box.world.organization.id
    assert headers["anthropic-workspace-id"] == box.world.workspace.id
    assert headers["anthropic-ratelimit-requests-remaining"].isdigit()
    assert body["usage"]["service_tier"] == "standard"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b'{"a":' * 5000])
def test_a_body_that_is_no_request_is_a_400(box, body):
    status, _, answer = call(box, "POST", "/v1/messages", body)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


def test_a_body_beyond_32_mb_is_a_413_and_is_not_kept(box):
    status, headers, answer = call(box, "POST", "/v1/messages", b" " * (32 * 1024 * 1024 + 1))
    assert (status, answer["error"]["type"]) == (413, "request_too_large")
    assert headers["request-id"] == answer["request_id"]


def test_too_many_requests_say_when_to_come_back(box):
    box.state.reset(tier="Start")
    statuses = []
    for _ in range(2000):
        status, headers, body = call(box, "POST", "/v1/messages", HELLO | {"model": "claude-haiku-4-5"})
        statuses.append(status)
        if status != 200:
            break
    limit = int(headers["anthropic-ratelimit-requests-limit"])
    assert statuses == [200] * limit + [429]
    assert body["error"]["type"] == "rate_limit_error"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    box.clock.advance(int(headers["retry-after"]))
    assert call(box, "POST", "/v1/messages", HELLO | {"model": "claude-haiku-4-5"})[0] == 200


def test_frames_are_as_documented(box):
    address = urlsplit(box.base_url)
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=10)) as connection:
        connection.request(
            "POST", "/v1/messages", json.dumps(HELLO | {"stream": True}), {"x-api-key": box.key, **VERSION}
        )
        answer = connection.getresponse()
        assert answer.getheader("content-type") == "text/event-stream; charset=utf-8"
        assert answer.getheader("transfer-encoding") == "chunked"
        wire = answer.read().decode()
    assert wire.endswith("\n\n")
    for block in wire.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        assert name.removeprefix("event: ") == json.loads(data.removeprefix("data: "))["type"]


def test_a_client_that_leaves_is_billed_for_what_it_got():
    with testing.sandbox(start=None) as box:
        box.reply(Reply(output_tokens=300, chunk_chars=8, event_s=0.02))
        address = urlsplit(box.base_url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        connection.request(
            "POST",
            "/v1/messages",
            json.dumps(HELLO | {"stream": True, "max_tokens": 300}),
            {"x-api-key": box.key, **VERSION},
        )
        answer = connection.getresponse()
        while b"content_block_delta" not in answer.readline():
            pass
        answer.close()
        connection.close()
        deadline = time.monotonic() + 10
        while not len(box.books) and time.monotonic() < deadline:
            time.sleep(0.01)  # the server hears of it on its own time
        (entry,) = box.books
    assert entry.aborted
    assert entry.call.served.usage.input_tokens > 0
    assert 0 < entry.call.served.usage.output_tokens < 300


def test_a_request_that_is_cut_off_is_not_booked_and_harms_nobody(box):
    address = urlsplit(box.base_url)
    with socket.create_connection((address.hostname, address.port)) as raw:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {box.key}\r\nanthropic-version: 2023-06-01\r\n"
        raw.sendall(head.encode() + b'content-length: 1000\r\n\r\n{"model":')
    assert call(box, "POST", "/v1/messages", HELLO)[0] == 200
    assert len(box.books) == 1


def test_a_fault_of_our_own_is_a_500_in_the_apis_shape(box, monkeypatch, caplog):
    monkeypatch.setattr("farthing.sandbox.http.resources.list_models", lambda *_: 1 / 0)
    status, headers, body = call(box, "GET", "/v1/models")
    assert (status, body["error"]) == (500, {"type": "api_error", "message": "Internal server error"})
    assert headers["request-id"] == body["request_id"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(("host", "are_served"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_controls_are_for_loopback_alone(host, are_served, monkeypatch):
    monkeypatch.setattr("farthing.serving.server.listen", lambda _, port: listen("127.0.0.1", port))
    server = SandboxServer(State(), host=host)
    assert server.controls is are_served
    server.stop()


def test_without_controls_there_is_nothing_under_sandbox():
    with testing.sandbox(controls=False) as box:
        assert call(box, "GET", "/sandbox/state")[0] == 404
        assert call(box, "POST", "/v1/messages", HELLO, {"x-sandbox-time": "2026-12-01T00:00:00Z"})[0] == 200
        assert box.clock.now() == testing.START  # nobody from elsewhere moves it


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59Z", "soon"])
def test_a_time_that_no_sandbox_has_is_a_400(box, at):
    assert call(box, "POST", "/v1/messages", HELLO, {"x-sandbox-time": at})[0] == 400
    assert box.clock.now() == testing.START


def test_every_answer_to_a_good_key_names_whose_it_is(box):
    organization = {"anthropic-organization-id": box.world.organization.id}
    workspace = {"anthropic-workspace-id": box.world.workspace.id}
    bad_day = "/v1/organizations/usage_report/claude_code?starting_at=9999-12-31"
    for method, path, key, status, named in (
        ("GET", "/v1/models", box.key, 200, organization | workspace),
        ("GET", "/v1/messages/batches/msgbatch_none", box.key, 404, organization | workspace),
        ("GET", "/v1/organizations/me", box.admin_key, 200, organization),
        ("GET", bad_day, box.admin_key, 400, organization),
        ("GET", "/v1/organizations/me", box.key, 401, {}),
    ):
        answer = call(box, method, path, key=key)
        assert answer[0] == status
        assert {name: value for name, value in answer[1].items() if name.startswith("anthropic-")} == named
        assert answer[1]["request-id"].startswith("req_")


def test_a_log_line_has_no_query_and_no_line_breaks():
    lines = []
    server = SandboxServer(State(), log=lines.append)
    server.start()
    box = testing.Sandbox(server.base_url, State())
    call(box, "GET", "/v1/nothing%0Ahere?key=secret", key="sk-secret")
    server.stop()
    (line,) = lines
    assert line.startswith("GET /v1/nothing\\nhere 404 ")
    assert "secret" not in line
