"""TLS towards the upstream, with a private authority."""

import datetime as dt
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ASK = {"model": "claude-sonnet-5", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi."}]}
BODY = b'{"id":"msg_1","model":"claude-sonnet-5","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response_only(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


@pytest.fixture
def certificate(tmp_path):
    """A certificate of this machine that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "upstream")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "upstream.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def secure(certificate):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that does not trust it breaks off
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_private_authority_is_trusted_where_it_is_named(secure, certificate, gateway_to):
    gateway = gateway_to(secure, ca_file=certificate)
    with anthropic.Anthropic(base_url=gateway.base_url, api_key="sk-ant-api03-x", max_retries=0) as client:
        assert [client.messages.create(**ASK).id for _ in range(3)] == ["msg_1"] * 3
    assert len(gateway.calls) == 1


def test_and_nowhere_else(secure, gateway_to):
    gateway = gateway_to(secure)
    with (
        anthropic.Anthropic(base_url=gateway.base_url, api_key="sk-ant-api03-x", max_retries=0) as client,
        pytest.raises(anthropic.InternalServerError, match="no TLS"),
    ):
        client.messages.create(**ASK)
    assert gateway.unsettled == []
