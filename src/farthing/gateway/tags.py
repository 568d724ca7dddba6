"""
Who a call belongs to: dimensions from headers, the request's metadata and the operator's rules. Pure.

What a rule sets beats what a header says, a header of ours beats another gateway's, and those beat what clients send by
themselves. Values are cut to a bound; ``api_key`` is a fingerprint and can be set by nobody.

Source: facts 12.1 for Claude Code's headers, checked 2026-11-20; LiteLLM's "Request Headers" page and Helicone's
"Header directory" page for theirs, checked 2026-11-21.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from farthing.gateway.headers import first
from farthing.gateway.hidden import hide

if TYPE_CHECKING:
    from farthing.gateway.wire import Headers

VALUE_CHARS_MAX = 256
_TAGS_MAX = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_OURS, _HELICONE_PROPERTY = b"x-farthing-tag-", b"helicone-property-"

_FIXED = (
    (b"x-claude-code-session-id", "session"),
    (b"x-claude-code-agent-id", "agent"),
    (b"x-claude-code-parent-agent-id", "parent_agent"),
    (b"x-litellm-end-user-id", "user"),
    (b"x-litellm-customer-id", "user"),
    (b"x-litellm-tags", "litellm_tags"),
    (b"helicone-session-id", "session"),
    (b"helicone-user-id", "user"),
)
"""Headers with one meaning; of two for one dimension the later one wins."""
_STATING = (b"x-farthing-", b"x-claude-code-", b"x-litellm-", b"helicone-")
"""How every header begins that states a dimension: most requests have none."""

RESERVED = frozenset({"api_key", "gateway_call", "attempt", "client_left", "recovered"})
"""Dimensions that only the gateway sets."""


def tags_of(headers: Headers, metadata_user: str | None) -> dict[str, str]:
    """
    Dimensions that a request states.

    Args:
        headers: Names in lower case.
        metadata_user: ``metadata.user_id`` of its body.

    """
    found = user_of(metadata_user) if metadata_user else {}
    stated = [field for field in headers if field[0].startswith(_STATING)]
    if not stated and not found:
        return {}
    fixed = dict(stated)
    found |= {name: _text(fixed[header]) for header, name in _FIXED if header in fixed}
    for prefix in (_HELICONE_PROPERTY, _OURS):
        for name, value in stated:
            if name.startswith(prefix):
                found[name[len(prefix) :].decode("latin-1").replace("-", "_")] = _text(value)
    usable = ((name, value) for name, value in found.items() if value and _NAME.fullmatch(name))
    return dict([(name, value) for name, value in usable if name not in RESERVED][:_TAGS_MAX])


class _ClaudeCodeUser(msgspec.Struct):
    device_id: str = ""
    account_uuid: str = ""
    session_id: str = ""


_decode_user = msgspec.json.Decoder(_ClaudeCodeUser).decode
_OLDER_USER = re.compile(r"user_([0-9a-f]{64})_account_([0-9a-f-]{36})?_session_([0-9a-f-]{36})")


def user_of(metadata_user: str) -> dict[str, str]:
    """
    Dimensions in a ``metadata.user_id``.

    Claude Code packs device, account and session into one; as it is, each of its sessions would be a user of its own.
    The account is the user, or the device where nobody is logged in.

    >>> user_of("ada")
    {'user': 'ada'}
    >>> user_of('{"device_id":"d","account_uuid":"","session_id":"s"}')
    {'user': 'd', 'session': 's'}
    """
    try:
        one = _decode_user(metadata_user)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        older = _OLDER_USER.fullmatch(metadata_user)
        one = _ClaudeCodeUser(older[1], older[2] or "", older[3]) if older else _ClaudeCodeUser()
    user = one.account_uuid or one.device_id
    if not user:
        return {"user": _cut(metadata_user)}
    return {"user": _cut(user), "session": _cut(one.session_id)}


def credential_of(headers: Headers) -> bytes | None:
    """The key or token that a request carries; of both headers ``x-api-key`` counts (facts 10.1)."""
    if key := first(headers, b"x-api-key"):
        return key
    scheme, _, token = (first(headers, b"authorization") or b"").partition(b" ")
    return token.strip() or None if scheme.lower() == b"bearer" else None


def fingerprint(credential: bytes, secret: bytes) -> str:
    """A name for a key that nobody can turn back, nor compare with a fingerprint made elsewhere."""
    return "key_" + blake2b(credential, key=secret, digest_size=8).hexdigest()


def _text(value: bytes) -> str:
    return _cut(value.decode("utf-8", "replace").strip())


def _cut(text: str) -> str:
    return hide(text)[:VALUE_CHARS_MAX]
