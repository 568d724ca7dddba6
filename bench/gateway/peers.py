"""How each gateway is started: as its own documentation says, on one worker, without a database."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import shapes

NAMES = ("farthing", "nginx", "portkey", "litellm")
MESSAGES = "/v1/messages"
_PEERS = Path(__file__).resolve().parents[2] / ".venv/peers"


class Upstream(NamedTuple):
    """The stub; *ca*: the certificate to trust, None for plain HTTP."""

    port: int
    ca: Path | None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"


class Start(NamedTuple):
    """
    What starts one gateway.

    Attributes:
        command: Its words. environment: beside ours.
        ready: A path that answers once it serves.
        headers: What its callers have to send beside the API's own.
        exact: Whether it promises the upstream's bytes.
        note: What a reader of the figures should know.

    """

    command: list[str]
    environment: dict[str, str]
    ready: str
    headers: dict[str, str]
    exact: bool
    note: str


class Paths(NamedTuple):
    """Where the peers are; None: not here."""

    litellm: str | None
    portkey: str | None
    nginx: str | None


def find(litellm: str | None, portkey: str | None, nginx: str | None) -> Paths:
    """Where the peers are: as told, or in ``.venv/peers``, or as the shell would find them."""
    script = Path(portkey or _PEERS, "node_modules/@portkey-ai/gateway/build/start-server.js")
    return Paths(
        shutil.which(litellm or str(_PEERS / "bin/litellm")),
        str(script.resolve()) if script.exists() and shutil.which("node") else None,
        shutil.which(nginx or "nginx") or shutil.which("/usr/sbin/nginx"),
    )


def start(name: str, paths: Paths, upstream: Upstream, port: int, folder: Path) -> Start | None:
    """How gateway *name* is started on *port*, its files in *folder*; None where it is not installed."""
    if name == "farthing":
        return _farthing(upstream, port, folder)
    if name == "nginx" and paths.nginx:
        return _nginx(paths.nginx, upstream, port, folder)
    if name == "portkey" and paths.portkey:
        return _portkey(paths.portkey, upstream, port)
    if name == "litellm" and paths.litellm:
        return _litellm(paths.litellm, upstream, port, folder)
    return None


def _farthing(upstream: Upstream, port: int, folder: Path) -> Start:
    farthing = os.environ.get("BENCH_FARTHING") or str(Path(sys.executable).with_name("farthing"))
    environment = {"FARTHING_GATEWAY_CA_FILE": str(upstream.ca)} if upstream.ca else {}
    command = [farthing, "serve", "--no-dashboard", "--port", str(port)]
    command += ["--upstream", upstream.url, "--ledger", str(folder / "l.duckdb")]
    return Start(
        command, environment, "/readyz", {}, exact=True, note="metered, journalled, priced, one log line a call"
    )


_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
{user}events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 512k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  upstream stub {{ server 127.0.0.1:{to}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass {scheme}://stub; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_ssl_verify {verify}; {trusted} proxy_ssl_name localhost; proxy_ssl_session_reuse on;
    }}
  }}
}}
"""


def _nginx(nginx: str, upstream: Upstream, port: int, folder: Path) -> Start:
    text = _NGINX.format(
        folder=folder,
        user="user root; " if os.geteuid() == 0 else "",
        to=upstream.port,
        port=port,
        scheme="https" if upstream.ca else "http",
        verify="on" if upstream.ca else "off",
        trusted=f"proxy_ssl_trusted_certificate {upstream.ca};" if upstream.ca else "",
    )
    config = folder / "nginx.conf"
    config.write_text(text, encoding="utf-8")
    command = [nginx, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    return Start(command, {}, MESSAGES, {}, exact=True, note="a plain reverse proxy: no metering, no log")


def _portkey(script: str, upstream: Upstream, port: int) -> Start:
    script, note = _mended(Path(script))
    headers = {"x-portkey-provider": "anthropic", "x-portkey-custom-host": f"{upstream.url}/v1"}
    environment = {"NODE_EXTRA_CA_CERTS": str(upstream.ca)} if upstream.ca else {}
    command = ["node", script, f"--port={port}", "--headless"]
    return Start(command, {**environment, "NODE_ENV": "production"}, "/", headers, exact=False, note=note)


def _mended(script: Path) -> tuple[str, str]:
    """
    Portkey's program with streams that work: 1.15.2 as published adds headers to a response that it may not change.

    The copy lies beside the original, where its imports are found. Its other lines are as they came.
    """
    wrong, right = "this.updateHeaders(i,n.cacheStatus,o),", "i=new Response(i.body,i),"
    text = script.read_text(encoding="utf-8")
    if text.count(wrong) != 1:
        return str(script), "as published"
    copy = script.with_name("start-server.mended.js")
    copy.write_text(text.replace(wrong, right + wrong), encoding="utf-8")
    return str(copy), "streams mended by one line"


_LITELLM = """
model_list:
  - model_name: {model}
    litellm_params: {{model: anthropic/{model}, api_base: "{url}", api_key: sk-ant-bench}}
litellm_settings: {{telemetry: false, num_retries: 0, ssl_verify: {verify}}}
general_settings: {{master_key: sk-bench}}
"""


def _litellm(litellm: str, upstream: Upstream, port: int, folder: Path) -> Start:
    config = folder / "litellm.yaml"
    verify = f'"{upstream.ca}"' if upstream.ca else "true"
    config.write_text(_LITELLM.format(model=shapes.MODEL, url=upstream.url, verify=verify), encoding="utf-8")
    environment = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    if upstream.ca:
        environment |= {"SSL_CERT_FILE": str(upstream.ca)}
    command = [litellm, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    headers = {"x-api-key": "sk-bench", "authorization": "Bearer sk-bench"}
    return Start(command, environment, "/health/liveliness", headers, exact=False, note="no database, logs off")
