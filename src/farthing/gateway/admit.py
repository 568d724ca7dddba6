"""
Who is let in, as whom, and with which credential their request goes on. Pure.

Where a file of keys is in force, whoever shows a virtual key is let in as that key: every credential of theirs is taken
out, and the upstream's put in its place. What begins like a virtual key is never passed on, in no field and no address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.gateway.decide import Refuse
from farthing.gateway.keys import PREFIX, Entry
from farthing.gateway.models_asked import models_asked
from farthing.gateway.routes import OUTCOMES, Route, route_of
from farthing.gateway.wire import Headers

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.gateway.keys import Credential, Ring

_PREFIX = PREFIX.encode()
_BOUND_TO_CREDENTIAL = frozenset({b"x-api-key", b"authorization", b"anthropic-workspace-id"})
_UNCHECKED = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods that ask no model for anything."""
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 413: "request_too_large"}


class Shown(NamedTuple):
    """A request's head: names of *headers* in lower case, *path* decoded and as it is meant, *target* as it came."""

    method: str
    path: str
    target: bytes
    headers: Headers

    def __repr__(self) -> str:
        return f"<Shown {self.method} {self.path}>"


class Caller(msgspec.Struct, frozen=True, gc=False):
    """
    Somebody who was let in.

    Attributes:
        headers: What goes on, the right credential in it.
        key: Their virtual key; None: they use a credential of their own.

    """

    headers: Headers
    key: Entry | None = None

    def __repr__(self) -> str:
        return f"<Caller {self.key.id if self.key else 'with a credential of its own'}>"


def admit(ring: Ring, shown: Shown, now: datetime) -> Caller | Refuse:
    """
    Let a caller in, or say why not.

    Args:
        ring: The keys in force.
        shown: The request's head.
        now: The time; aware, UTC.

    """
    presented = presented_by(shown.headers)
    known = {key: found for key in presented if (found := ring.find(key)) is not None}
    if not known:
        return _own(ring, shown)
    if len(set(presented)) > 1:
        return _refuse(401, "two different credentials came with this request; send the virtual key alone")
    ((key, (entry, credential)),) = known.items()
    refusal = _refusal(entry, key, shown, now)
    return refusal if refusal is not None else Caller(_exchanged(shown, key, credential), entry)


def _refusal(entry: Entry, key: bytes, shown: Shown, now: datetime) -> Refuse | None:
    if entry.disabled:
        return _refuse(401, "this key was revoked")
    if entry.expires_at is not None and now >= entry.expires_at:
        return _refuse(401, "this key has expired")
    if key in shown.target or _PREFIX in shown.target:
        return _refuse(400, "a key stands in this address; send it in x-api-key alone")
    if not entry.may_use(shown.path) or not _is_checked(entry, shown):
        return _refuse(403, f"the key {entry.id} may not use this path")
    return None


def may_be_sent(entry: Entry, body: bytes, whole: bool) -> Refuse | None:  # noqa: FBT001 - called by position
    """
    Whether a key that is bound to models may send a request.

    Args:
        entry: The key.
        body: The request's body.
        whole: Whether that is all of it.

    Returns:
        Why not; None where it may.

    """
    if not whole:
        return _refuse(413, f"this request is too long to tell its model, which the key {entry.id} is bound to")
    asked = models_asked(body)
    if asked is None:
        return _refuse(403, f"what model is asked for cannot be told, and the key {entry.id} is bound to some")
    if all(entry.may_ask_for(model) for model in asked):
        return None
    return _refuse(403, f"the key {entry.id} may not use every model that this request names")


def presented_by(headers: Headers) -> list[bytes]:
    """Every API key and bearer token that a request carries."""
    found = [value.strip() for name, value in headers if name == b"x-api-key"]
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                found.append(token.strip())
    return [key for key in found if key]


def _own(ring: Ring, shown: Shown) -> Caller | Refuse:
    ours = _PREFIX in shown.target or any(_PREFIX in value for _, value in shown.headers)
    if not ring.passes_own or ours:
        return _refuse(401, "this key is not known here; send a virtual key as x-api-key or Authorization: Bearer")
    return Caller(shown.headers)


def _is_checked(entry: Entry, shown: Shown) -> bool:
    """Whether what a key that is bound to models may ask for can be told: elsewhere it may only look and delete."""
    if shown.method in ("TRACE", "CONNECT"):  # an upstream that answers the first one shows what it was sent
        return False
    if not entry.models or shown.method in _UNCHECKED or names_models(shown.path):
        return True
    is_free = shown.path == OUTCOMES or shown.path.startswith("/v1/files")
    return is_free or route_of(shown.method, shown.path) is Route.BATCH


def names_models(path: str) -> bool:
    """Whether a request that is sent there says which model is asked for, so that it has to be read."""
    return path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches")


def _exchanged(shown: Shown, key: bytes, credential: Credential) -> Headers:
    """The fields with the credential changed; answers that are rewritten are asked for as plain text."""
    dropped = _BOUND_TO_CREDENTIAL
    if route_of(shown.method, shown.path) is Route.BATCH:
        dropped |= {b"accept-encoding"}
    kept = [field for field in shown.headers if field[0] not in dropped and _PREFIX not in field[1]]
    if not key.startswith(_PREFIX):
        kept = [field for field in kept if key not in field[1]]
    return [*kept, *credential.fields]


def _refuse(status: int, why: str) -> Refuse:
    return Refuse(status, _KINDS[status], f"farthing: {why}")
