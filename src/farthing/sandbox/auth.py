"""
Whose key a request carries.

Source: facts: claude-api 10.1, checked 2026-11-20. Both header forms are one key, and ``x-api-key`` wins. UNCONFIRMED
and chosen here: a good key on paths of another kind is a 401 like a bad one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.sandbox.problems import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.sandbox.accounts import Accounts, Key


def authenticate(accounts: Accounts, headers: Mapping[str, str], now: datetime, kinds: frozenset[str]) -> Key:
    """
    The key of a request.

    Args:
        accounts: Who there is.
        headers: By lower-case name.
        now: A key may have expired.
        kinds: Which kinds of key the path takes.

    Raises:
        ApiError: No key, a stranger's, one that is no longer good, or one of another kind.

    """
    secret = headers.get("x-api-key")
    name = "x-api-key"
    if secret is None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        secret, name = (token.strip(), "authorization header") if scheme.lower() == "bearer" else (None, name)
    if not secret:
        raise ApiError("authentication_error", "x-api-key header is required")
    key = accounts.find_key(secret)
    if key is None or key.kind not in kinds or key.status != "active":
        raise ApiError("authentication_error", f"invalid {name}")
    if key.expires_at is not None and key.expires_at <= now:
        raise ApiError("authentication_error", f"invalid {name}")
    return key
