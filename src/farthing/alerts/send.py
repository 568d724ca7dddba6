"""
Send what is due. The only module of this room that talks to the network.

A redirect is a failure: a body signed for one address does not go to another. What a server answers is not kept, beside
its status. 4xx is final (but for 408, 425 and 429), everything else is tried again.
"""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import time
import urllib.error
import urllib.request
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.alerts import messages
from farthing.alerts.channels import check_url, secret
from farthing.errors import FarthingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from farthing.alerts.channels import Channel
    from farthing.alerts.store import AlertStore, Message

_TRY_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_AT_ONCE_MAX = 500


class Undelivered(Exception):
    """
    A message did not arrive.

    Args:
        why: Without addresses, secrets or what the server said.
        for_good: Whether to try again is in vain.

    """

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.for_good = for_good


class Delivered(NamedTuple):
    """How many messages arrived, failed and will be tried again, and were given up; and a line for each failure."""

    sent: int
    failed: int
    given_up: int
    faults: tuple[str, ...]


def deliver(
    store: AlertStore,
    channels: Sequence[Channel],
    now: datetime,
    *,
    send: Callable[[Channel, Message, datetime], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Delivered:
    """
    Send every message that is due. Never raises for a channel's fault.

    Args:
        store: Where messages wait.
        channels: All there are; a message for one that is gone is given up.
        now: Aware. What is due at this time is sent.
        send: How; None: over the network. It raises :class:`Undelivered`.
        stop: Asked before each message: whether to leave the rest for later.
        clock: Seconds, from any start.

    """
    by_name, began_s = {one.name: one for one in channels}, clock()
    sent, failed, given_up, faults = 0, 0, 0, []
    for _ in range(_AT_ONCE_MAX):
        at = now + timedelta(seconds=clock() - began_s)  # others that answer late have made it later
        message = None if stop() else store.claim(now, at)
        if message is None:
            break
        channel = by_name.get(message.channel)
        try:
            if channel is None:
                raise Undelivered("no such channel any more", for_good=True)  # noqa: TRY301 - one place for what follows
            (send or send_message)(channel, message, at)
        except Undelivered as fault:
            is_over = store.failed(message, fault.why, at, for_good=fault.for_good)
            failed, given_up = failed + (not is_over), given_up + is_over
            faults.append(f"channel {message.channel}: {fault.why}" + (" (given up)" if is_over else ""))
        else:
            store.sent(message, at)
            sent += 1
    return Delivered(sent, failed, given_up, tuple(faults))


def send_message(channel: Channel, message: Message, now: datetime) -> None:
    """
    Send one message now.

    Raises:
        Undelivered: It did not arrive.

    """
    try:
        if channel.kind == "email":
            _mail(channel, message)
            return
        url = check_url(channel.url or secret(channel, "url"), "")
        if channel.kind == "webhook":
            body = _encoded(messages.webhook(message.incident, message.event, message.delivery))
            stamp = int(now.timestamp())
            signed = messages.signature(secret(channel, "secret"), message.delivery, stamp, body)
            headers = {"webhook-id": message.delivery, "webhook-timestamp": str(stamp), "webhook-signature": signed}
        elif channel.kind == "slack":
            body, headers = _encoded(messages.slack(message.incident, message.event)), {}
        else:
            body = _encoded(messages.alertmanager(message.incident, message.event, now))
            token = secret(channel, "token")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            url = url if url.rstrip("/").endswith("/api/v2/alerts") else url.rstrip("/") + "/api/v2/alerts"
    except FarthingError as error:
        raise Undelivered(str(error)) from None
    _post(url, body, headers, channel.timeout_s)


def _encoded(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: int) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers}, method="POST")  # noqa: S310 - checked: http or https
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=timeout_s):
            return
    except urllib.error.HTTPError as error:
        error.close()
        for_good = error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in _TRY_AGAIN
        raise Undelivered(f"answered {error.code}", for_good=for_good) from None
    except HTTPException as error:
        raise Undelivered(f"answered what is no HTTP: {type(error).__name__}") from None
    except (OSError, ValueError) as error:
        raise Undelivered(f"cannot be reached: {_why(getattr(error, 'reason', error))}") from None


def _mail(channel: Channel, message: Message) -> None:
    mail = messages.mail(message.incident, message.event, message.delivery, channel.sender, channel.to)
    password = secret(channel, "password")
    port = channel.port or {"tls": 465, "starttls": 587, "none": 25}[channel.tls]
    try:
        if channel.tls == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(channel.host, port, timeout=channel.timeout_s, context=context)
        else:
            server = smtplib.SMTP(channel.host, port, timeout=channel.timeout_s)
        with server:
            if channel.tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if channel.username:
                server.login(channel.username, password)
            server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        raise Undelivered(f"mail server answered {error.smtp_code}", for_good=error.smtp_code >= 550) from None
    except smtplib.SMTPException as error:
        raise Undelivered(f"mail server: {type(error).__name__}") from None
    except OSError as error:
        raise Undelivered(f"mail server cannot be reached: {_why(error)}") from None


_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "it hung up"),
    (TimeoutError, "no answer in time"),
    (socket.gaierror, "its name is not known"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
)


def _why(error: object) -> str:
    """In words of ours: those of the system may name the address, which may be a secret."""
    return next((words for kind, words in _WHY if isinstance(error, kind)), type(error).__name__)
