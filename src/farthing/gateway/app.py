"""What the gateway does with a request: pages of its own, outcomes, and all else below ``/v1`` through an exchange."""

from __future__ import annotations

import functools
import hmac
import random
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.gateway import decide as deciding
from farthing.gateway.addresses import origin_of
from farthing.gateway.admit import Caller, Shown, admit, may_be_sent, names_models
from farthing.gateway.client import ClientGone
from farthing.gateway.content import mode_under
from farthing.gateway.desk import Came
from farthing.gateway.exchange import Exchange
from farthing.gateway.failures import UpstreamFault
from farthing.gateway.headers import first
from farthing.gateway.hidden import hide
from farthing.gateway.routes import OUTCOMES, meant
from farthing.gateway.rules import apply_rules, content_under
from farthing.gateway.tags import credential_of, fingerprint, tags_of
from farthing.gateway.tellers import may_tell, tenant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farthing.gateway.asked import Asked
    from farthing.gateway.client import Client
    from farthing.gateway.content import Mode
    from farthing.gateway.incoming import Scope
    from farthing.gateway.metrics import Metrics
    from farthing.gateway.rules import Rule
    from farthing.gateway.running import Running
    from farthing.gateway.wire import Headers

_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Options(NamedTuple):
    """
    What the application is told.

    Attributes:
        policy: For :func:`farthing.gateway.decide.decide`.
        rules: Dimensions by pattern.
        secret: Key of the fingerprints of keys.
        metrics_token: Bearer token for ``/metrics``; None: there is no such page.
        log: Gets one line per request, without its query, body or key.
        content: What is kept of bodies where no rule says; None: nothing ever is.

    """

    policy: deciding.Policy
    rules: Sequence[Rule]
    secret: bytes
    metrics_token: bytes | None
    log: Callable[[str], None]
    content: Mode | None = None


class App:
    """
    The application.

    Args:
        options: What it is told.
        running: What it needs while it runs; opened by the server's start and closed by its end.
        metrics: Where everything is counted.

    """

    def __init__(self, options: Options, running: Running, metrics: Metrics) -> None:
        self._options = options
        self._running = running
        self._metrics = metrics
        self._under_way = 0
        metrics.gauge("farthing_requests_under_way", lambda: self._under_way + running.outcomes.under_way)

    async def serve(self, scope: Scope, client: Client) -> None:
        """Serve one request: its method, paths, query and headers by name, and who sent it."""
        path = scope["path"]
        if path in ("/healthz", "/readyz", "/metrics"):
            self._own_page(path, scope["headers"], client)
            return
        headers = scope["headers"]
        facts = deciding.RequestFacts(scope["method"], path, scope["raw_path"], credential_of(headers) is not None)
        action = deciding.decide(facts, self._options.policy, deciding.State(self._under_way))
        if isinstance(action, deciding.Refuse):
            self._refuse(scope, client, action)
            return
        ring, caller = self._running.ring, Caller(headers)
        if ring is not None:
            shown = Shown(scope["method"], meant(path), _target(scope), headers)
            admitted = admit(ring, shown, self._running.now())
            if isinstance(admitted, deciding.Refuse):
                self._refuse(scope, client, admitted)
                return
            caller = admitted
        if isinstance(action, deciding.Tell):
            await self._tell(scope, client, caller)
            return
        self._under_way += 1
        try:
            await self._forward(scope, client, action, caller)
        finally:
            self._under_way -= 1

    async def _forward(self, scope: Scope, client: Client, action: deciding.Forward, caller: Caller) -> None:
        started_s, desk = time.perf_counter(), self._running.desk
        came = self._came(scope, caller)
        exchange = Exchange(desk, came, action, client)
        try:
            await exchange.run()
        except ClientGone:
            pass
        except deciding.Refused as refused:
            exchange.status = refused.refusal.status
            _refused(client, refused.refusal, came.entry)
        except UpstreamFault as fault:
            self._metrics.count("farthing_upstream_faults_total", type(fault).__name__)
            if not exchange.left:
                exchange.status = fault.status
                _error(client, fault.status, fault.error_type, f"farthing: {fault}", came.entry)
        finally:
            self._metrics.count("farthing_requests_total", str(exchange.status))
            self._options.log(_line(scope, exchange, came.entry, time.perf_counter() - started_s))

    async def _tell(self, scope: Scope, client: Client, caller: Caller) -> None:
        started_s, headers, status, accepted = time.perf_counter(), scope["headers"], 0, 0
        try:
            stated = self._stated(headers, None, caller)
            tenant = tenant_of(caller.key, self._options.rules, headers, stated)
            refusal = may_tell(caller.key, headers, client.peer())
            told = refusal or await self._running.outcomes.take(client, headers, tenant)
            status = told.status
            if isinstance(told, deciding.Refuse):
                _refused(client, told, "")
            else:
                accepted = told.accepted
                client.answer(status, [(b"content-type", b"application/json")], told.body)
        except ClientGone:
            pass
        finally:
            self._metrics.count("farthing_requests_total", str(status))
            took_ms = (time.perf_counter() - started_s) * 1000
            self._options.log(f"POST {OUTCOMES} {status or '-'} {took_ms:.0f} ms {accepted} outcomes")

    def _stated(self, headers: Headers, user: str | None, caller: Caller) -> dict[str, str]:
        """Dimensions of what a caller sends, before any rule."""
        dims = tags_of(headers, user) | (caller.key.set if caller.key is not None else {})
        if caller.key is not None:
            dims["api_key"] = caller.key.id
        elif (credential := credential_of(headers)) is not None:
            dims["api_key"] = fingerprint(credential, self._options.secret)
        return dims

    def _came(self, scope: Scope, caller: Caller) -> Came:
        headers, path, key, options = scope["headers"], meant(scope["path"]), caller.key, self._options

        def dims_of(asked: Asked) -> dict[str, str]:
            dims = self._stated(headers, asked.user, caller)
            return dims | apply_rules(options.rules, path, asked.model, headers, dims) if options.rules else dims

        def content_of(asked: Asked, allowed: Mode) -> Mode:
            ruled = content_under(options.rules, path, asked.model, headers, self._stated(headers, asked.user, caller))
            return mode_under(ruled or allowed, headers)

        entry, method = f"call_{random.getrandbits(96):024x}", scope["method"]
        check = None
        if key is not None and key.models and method == "POST" and names_models(path):
            check = functools.partial(may_be_sent, key)
        return Came(
            entry,
            method,
            path,
            _target(scope),
            caller.headers,
            dims_of,
            check=check,
            origin=None if key is None else origin_of(headers),
            upstream="" if key is None else f"key {key.upstream}",
            content_of=None if options.content is None else functools.partial(content_of, allowed=options.content),
        )

    def _refuse(self, scope: Scope, client: Client, refusal: deciding.Refuse) -> None:
        self._metrics.count("farthing_requests_total", str(refusal.status))
        self._options.log(f"{scope['method']} {_shown(scope['path'])} {refusal.status} refused")
        _refused(client, refusal, "")

    def _own_page(self, path: str, headers: Headers, client: Client) -> None:
        if path == "/metrics" and not self._may_see_metrics(headers):
            _error(client, 404, "not_found_error", "farthing: only paths below /v1 are forwarded", "")
        elif path == "/metrics":
            client.answer(200, [(b"content-type", _TEXT)], self._metrics.text().encode())
        else:
            ready = path == "/healthz" or (self._running.is_ready and self._metrics.all_ready)
            body = b"ok\n" if ready else b"not ready\n"
            client.answer(200 if ready else 503, [(b"content-type", _TEXT)], body)

    def _may_see_metrics(self, headers: Headers) -> bool:
        token, stated = self._options.metrics_token, first(headers, b"authorization") or b""
        return token is not None and hmac.compare_digest(stated, b"Bearer " + token)


def _target(scope: Scope) -> bytes:
    query, path = scope["query_string"], scope["raw_path"]
    target: bytes = path + b"?" + query if query else path
    return target


def _refused(client: Client, refusal: deciding.Refuse, entry: str) -> None:
    _error(client, refusal.status, refusal.error_type, refusal.message, entry, refusal.headers)


def _error(  # noqa: PLR0917 - one line of an answer each
    client: Client,
    status: int,
    error_type: str,
    message: str,
    entry: str,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    body = msgspec.json.encode({"type": "error", "error": {"type": error_type, "message": message}})
    headers = [(b"content-type", b"application/json"), *more]
    if entry:
        headers.append((b"x-farthing-call-id", entry.encode()))
    client.answer(status, headers, body)


def _line(scope: Scope, exchange: Exchange, entry: str, seconds: float) -> str:
    parts = [scope["method"], _shown(scope["path"]), str(exchange.status or "-"), f"{seconds * 1000:.0f} ms", entry]
    if exchange.model:
        parts.append(exchange.model)
    if exchange.usd:
        parts.append(f"${exchange.usd}")
    if exchange.left:
        parts.append(f"client left: {exchange.left}")
    return " ".join(parts)


@functools.lru_cache(maxsize=256)
def _shown(path: str) -> str:
    return hide(path.encode("unicode_escape").decode())[:200]
