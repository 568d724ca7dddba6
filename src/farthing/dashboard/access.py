"""
Who may look at the dashboard, and at what. Pure, but for the reading of two small files.

The users file holds no token, only SHA-256 digests: tokens are long and random, so a fast digest protects them (as for
virtual keys, :mod:`farthing.gateway.keys`).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import tomllib
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.dashboard.scope import Scope
from farthing.errors import BadConfig

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.config import DashboardSettings

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
TOKEN_CHARS_MIN = 20
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One person or display.

    Attributes:
        name: Shown on the page, and what a proxy's header says.
        role: ``viewer`` sees what was spent; ``operator`` also files and journals; ``admin`` everything there is.
        token_hash: ``sha256:`` and the digest of the token; empty: signs in through a proxy alone.
        tenants: Sees these alone; empty: all. Only a viewer can be bound so.

    """

    name: str
    role: Role = "viewer"
    token_hash: str = ""
    tenants: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope:
        """What this user's questions are narrowed to."""
        return Scope(self.tenants or None)

    def may(self, least: Role) -> bool:
        """Whether the role is at least that one."""
        return ROLES.index(self.role) >= ROLES.index(least)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user: tuple[User, ...] = ()


HERE = User(name="this machine", role="admin")
"""Whoever uses a dashboard that only this machine can reach, where no token is set."""


class Access(NamedTuple):
    """
    Everybody who may come in, and how.

    Attributes:
        users: By name; their digests decide who a token is.
        is_open: Whether nobody has to sign in.
        proxy_header: Name of the header by which a reverse proxy says who it is; empty: none is believed.
        proxies: Addresses whose header is believed.

    """

    users: tuple[User, ...] = ()
    is_open: bool = False
    proxy_header: str = ""
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def by_token(self, token: str) -> User | None:
        """Whose token that is."""
        digest = hash_of(token)
        found = [one for one in self.users if one.token_hash and hmac.compare_digest(one.token_hash, digest)]
        return found[0] if found else None

    def by_name(self, name: str) -> User | None:
        """The user of that name."""
        return next((one for one in self.users if one.name == name), None)

    def believes(self, address: str) -> bool:
        """Whether a header from that address is to be believed."""
        try:
            at = ipaddress.ip_address(address)
        except ValueError:
            return False
        return bool(self.proxy_header) and any(at in network for network in self.proxies)


def hash_of(token: str) -> str:
    """
    What the users file holds of a token.

    >>> hash_of("0123456789")[:15]
    'sha256:84d89877'
    """
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def read_access(settings: DashboardSettings, *, loopback: bool) -> Access:
    """
    Who may come in, by the settings.

    Args:
        settings: ``[dashboard]``.
        loopback: Whether only this machine can reach the dashboard: then, and only then, no sign-in at all is fine.

    Raises:
        BadConfig: A file cannot be read, holds something else, or nobody could be kept out.

    """
    users: list[User] = []
    if settings.token_file is not None:
        users.append(User(name="admin", role="admin", token_hash=hash_of(_token(settings.token_file))))
    if settings.users is not None:
        users += read_users(settings.users, taken={one.name for one in users})
    header = (settings.proxy_header or "").strip().lower()
    proxies = _networks(settings.proxy_addresses or "")
    if bool(header) != bool(proxies):
        raise BadConfig("read dashboard.proxy_header or dashboard.proxy_addresses alone", "both, or neither")
    if header and settings.users is None:
        raise BadConfig("read dashboard.proxy_header without dashboard.users", "a users file that says who is who")
    if not users and not loopback:
        raise BadConfig(
            "found no token for a dashboard that other machines can reach",
            "dashboard.token_file or dashboard.users",
            "set one, or listen on 127.0.0.1",
        )
    return Access(tuple(users), not users, header, proxies)


def read_users(path: Path, taken: set[str] | None = None) -> list[User]:
    """
    Read a users file.

    Raises:
        BadConfig: It cannot be read, has an unknown key, or contradicts itself.

    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).user
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadConfig(f"read users {path.name}: {error}", "the keys of docs/dashboard.md") from error
    names = set(taken or ())
    for one in found:
        where = f"read users {path.name}: user {one.name!r}"
        if not one.name.strip() or one.name in names:
            raise BadConfig(where, "a name of its own")
        if one.token_hash and not _HASH.fullmatch(one.token_hash):
            raise BadConfig(f"{where}: token_hash", "sha256: and 64 hexadecimal digits")
        if one.tenants and one.role != "viewer":
            raise BadConfig(f"{where}: role {one.role!r} with tenants", "a viewer, or no tenants")
        if any(not tenant for tenant in one.tenants):
            raise BadConfig(f"{where}: an empty tenant", "names of tenants")
        names.add(one.name)
    digests = [one.token_hash for one in found if one.token_hash]
    if len(set(digests)) != len(digests):
        raise BadConfig(f"read users {path.name}: two users have one token", "a token for each")
    return list(found)


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"read dashboard.token_file {path.name}: {error}", "a file with one token") from error
    if len(token) < TOKEN_CHARS_MIN or len(token.split()) != 1:
        raise BadConfig(f"read dashboard.token_file {path.name}", f"one token of at least {TOKEN_CHARS_MIN} letters")
    return token


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError as error:
        expected = "addresses such as 10.0.0.5 or 10.1.0.0/16, with commas between"
        raise BadConfig(f"read dashboard.proxy_addresses: {error}", expected) from error
