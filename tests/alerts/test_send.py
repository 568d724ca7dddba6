"""Channels: read strictly, written as each wants it, and delivered to servers on this machine."""

import base64
import hashlib
import hmac
import json
import re
import socketserver
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from farthing.alerts import messages
from farthing.alerts.channels import Channel, read_channels
from farthing.alerts.incidents import Incident
from farthing.alerts.send import Undelivered, send_message
from farthing.alerts.store import Message
from farthing.alerts.trial import trial
from farthing.errors import BadConfig
from farthing.units import Kind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NASTY = "cost <b>&\r\nBcc: x@evil.example *bold* per call"


def message(event="opened", title=NASTY, **detail):
    incident = Incident(
        id=7,
        kind="anomaly",
        keys=("k",),
        began_at=NOW - timedelta(hours=2),
        last_at=NOW,
        title=title,
        level=0,
        stake_pusd=12_345 * 10**9,
        detail=detail,
        opened_at=NOW,
    )
    return Message(1, f"incident-7-1-{event}-ops", incident, event, "ops", 0)


@pytest.fixture
def web():
    """An HTTP server that answers with the statuses it is given, and remembers what it got."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status = server.statuses.pop(0) if server.statuses else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.statuses = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def smtp():
    """As much of a mail server as a mail needs."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    body = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        body += part
                    server.got.append(body)
                    self.wfile.write(b"250 taken\r\n")
                elif verb == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    server.got.append(line)
                    self.wfile.write(server.answers.get(verb, b"250 fine\r\n"))

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.got, server.answers = [], {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_is_signed(web, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    send_message(Channel(name="ops", kind="webhook", url=web.url, secret_env="HOOK_SECRET"), message(), NOW)
    ((_, headers, body),) = web.got
    signed = f"{headers['webhook-id']}.{int(NOW.timestamp())}.".encode() + body
    wanted = base64.b64encode(hmac.new(b"s3cret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    sent = json.loads(body)
    assert (sent["type"], sent["delivery"]) == ("farthing.incident.opened", "incident-7-1-opened-ops")
    assert (sent["data"]["stake_usd"], sent["data"]["figure_kind"]) == ("12.345", "assumed")


@pytest.mark.parametrize("secret", ["s3cret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_the_documented_check_tells_ours_from_others(web, monkeypatch, secret):
    page = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    names = {}
    exec(next(code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def is_genuine" in code), names)
    is_genuine = names["is_genuine"]
    monkeypatch.setenv("HOOK_SECRET", secret)
    channel = Channel(name="ops", kind="webhook", url=web.url, secret_env="HOOK_SECRET")
    send_message(channel, message(), datetime.now(UTC))
    send_message(channel, message(), datetime.now(UTC) - timedelta(minutes=6))
    (_, headers, body), (_, old, _) = web.got
    assert is_genuine(secret, headers, body)
    assert is_genuine(secret, {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}, body)
    assert not is_genuine(secret, headers, body + b" ")
    assert not is_genuine("whsec_" + "A" * 32, headers, body)
    assert not is_genuine(secret, {**headers, "webhook-id": "other"}, body)
    assert not is_genuine(secret, old, body)  # replayed


def test_a_signature_equals_the_published_example_of_the_scheme():
    """The worked example of the Standard Webhooks libraries."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = messages.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_no_receiver_could_read_is_a_fault_and_not_another_secret():
    with pytest.raises(BadConfig, match="base64") as caught:
        messages.signature("whsec_no base64", "id", 1, b"")
    assert "no base64" not in str(caught.value).replace("base64 after", "")


def test_slack_gets_its_text_escaped(web, tmp_path):
    (tmp_path / "url").write_text(web.url + "\n")
    send_message(Channel(name="s", kind="slack", url_file=str(tmp_path / "url")), message(), NOW)
    sent = json.loads(web.got[0][2])
    assert "&lt;b&gt;&amp;" in sent["text"]
    assert "*bold*" not in sent["text"]
    assert sent["blocks"][0]["type"] == "section"


def test_alertmanager_gets_stable_labels_and_an_end(web, monkeypatch):
    monkeypatch.setenv("AM_TOKEN", "t0ken")
    channel = Channel(name="am", kind="alertmanager", url=web.url.removesuffix("/hook"), token_env="AM_TOKEN")
    for event in ("opened", "renewed", "resolved"):
        send_message(channel, message(event), NOW)
    assert {path for path, _, _ in web.got} == {"/api/v2/alerts"}
    assert web.got[0][1]["authorization"] == "Bearer t0ken"
    alerts = [json.loads(body)[0] for _, _, body in web.got]
    assert len({json.dumps(one["labels"]) for one in alerts}) == 1
    ends = [datetime.fromisoformat(one["endsAt"]) for one in alerts]
    assert ends[0] == ends[1] > NOW
    assert ends[2] == NOW


@pytest.mark.parametrize(("status", "for_good"), [(500, False), (429, False), (408, False), (404, True), (302, True)])
def test_what_an_answer_means(web, status, for_good):
    web.statuses = [status]
    with pytest.raises(Undelivered, match=f"answered {status}") as fault:
        send_message(Channel(name="s", kind="slack", url=web.url), message(), NOW)
    assert fault.value.for_good == for_good
    assert len(web.got) == 1


def test_no_fault_names_an_address_or_a_secret(monkeypatch):
    monkeypatch.setenv("URL", "http://127.0.0.1:9/T000/hidden")
    with pytest.raises(Undelivered) as fault:
        send_message(Channel(name="s", kind="slack", url_env="URL"), message(), NOW)
    assert "hidden" not in fault.value.why
    monkeypatch.setenv("URL", "ftp://user:hidden@example.com")
    with pytest.raises(Undelivered) as fault:
        send_message(Channel(name="s", kind="slack", url_env="URL"), message(), NOW)
    assert "hidden" not in fault.value.why


def test_a_secret_that_is_not_set_is_a_fault_with_a_name():
    channel = Channel(name="ops", kind="webhook", url="http://127.0.0.1:9", secret_env="NOT_THERE")
    with pytest.raises(Undelivered, match=r"\$NOT_THERE is not set"):
        send_message(channel, message(), NOW)


def test_a_mail_arrives_in_one_piece(smtp):
    channel = Channel(
        name="m", kind="email", host="127.0.0.1", port=smtp.server_address[1], tls="none", sender="a@b.c", to=("d@e.f",)
    )
    send_message(channel, message(notes=["spent $1"]), NOW)
    body = next(one for one in smtp.got if b"Subject" in one).decode()
    head, _, text = body.partition("\r\n\r\n")
    assert "Message-ID: <incident-7-1-opened-ops@farthing.invalid>" in head
    assert not any(line.lower().startswith("bcc") for line in head.splitlines())
    assert "at stake: $12.35" in text
    assert "spent $1" in text


@pytest.mark.parametrize(("answer", "for_good"), [(b"451 later\r\n", False), (b"550 never\r\n", True)])
def test_a_mail_that_is_refused(smtp, answer, for_good):
    smtp.answers[b"MAIL"] = answer
    channel = Channel(
        name="m", kind="email", host="127.0.0.1", port=smtp.server_address[1], tls="none", sender="a@b.c", to=("d@e.f",)
    )
    with pytest.raises(Undelivered) as fault:
        send_message(channel, message(), NOW)
    assert fault.value.for_good == for_good


def test_a_mail_without_the_encryption_that_was_asked_for_is_not_sent(smtp):
    port = smtp.server_address[1]
    channel = Channel(name="m", kind="email", host="127.0.0.1", port=port, sender="a@b.c", to=("d@e.f",))
    with pytest.raises(Undelivered, match="mail server"):
        send_message(channel, message(), NOW)
    assert not any(b"Subject" in one for one in smtp.got)


def test_a_trial_says_that_nothing_is_wrong(web):
    send_message(Channel(name="s", kind="slack", url=web.url), trial("s", NOW), NOW)
    assert "nothing is wrong" in json.loads(web.got[0][2])["text"]


@pytest.mark.parametrize(
    ("kind", "figure", "told"),
    [
        ("anomaly", "assumed", "above usual"),
        ("budget", "measured", "above the limit"),
        ("budget", "assumed", "expected"),
    ],
)
def test_each_amount_says_what_it_is(kind, figure, told):
    incident = msgspec.structs.replace(message().incident, kind=kind, stake_kind=Kind(figure))
    assert messages.incident_json(incident)["figure_kind"] == figure
    (line,) = [line for line in messages.lines(incident) if line.startswith("at stake: $12.35")]
    assert figure in line
    assert told in line
    nothing = msgspec.structs.replace(incident, stake_pusd=0)
    assert not any("at stake" in line for line in messages.lines(nothing))


GOOD = """
[[channel]]
name = "ops"
kind = "webhook"
url = "https://ops.example.com/x"
secret_file = "secret"
"""


def test_paths_of_secrets_start_from_the_file(tmp_path):
    (tmp_path / "channels.toml").write_text(GOOD)
    (one,) = read_channels(tmp_path / "channels.toml")
    assert one.secret_file == str(tmp_path / "secret")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("secret_file", "secret_fiel"), "did you mean secret_file"),
        (('kind = "webhook"', 'kind = "pager"'), "pager"),
        (('secret_file = "secret"', ""), "every webhook is signed"),
        (("https://", "https://user:pass@"), "without a password"),
        (("https://", "file://"), "http or https"),
        (('name = "ops"', 'name = "o p"'), "a name of letters"),
        (('kind = "webhook"', 'kind = "email"'), "host, sender and to"),
        (("[[channel]]", GOOD + "[[channel]]"), "two channels"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path, change, told):
    (tmp_path / "channels.toml").write_text(GOOD.replace(*change))
    with pytest.raises(BadConfig, match=told) as error:
        read_channels(tmp_path / "channels.toml")
    assert "pass@" not in str(error.value)


def test_a_password_is_not_sent_in_the_clear(tmp_path):
    text = '[[channel]]\nname="m"\nkind="email"\nhost="h"\nsender="a@b.c"\nto=["d@e.f"]\nusername="u"\ntls="none"\n'
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadConfig, match="password is sent"):
        read_channels(tmp_path / "c.toml")


@pytest.mark.parametrize(
    "address", ["d@e.f,x@evil.example", "Ann <d@e.f>", "d@e.f;x@y.z", 'd"@e.f', "d@e.f\r\nBcc: x@y.z"]
)
def test_an_address_is_one_plain_address(tmp_path, address):
    text = f'[[channel]]\nname="m"\nkind="email"\nhost="h"\nsender="a@b.c"\nto=[{json.dumps(address)}]\n'
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadConfig, match="plain addresses"):
        read_channels(tmp_path / "c.toml")
