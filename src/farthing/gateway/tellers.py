"""Who may tell of outcomes, and of whose. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from farthing.gateway.decide import Refuse
from farthing.gateway.headers import first
from farthing.gateway.rules import apply_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farthing.gateway.keys import Entry
    from farthing.gateway.rules import Rule
    from farthing.gateway.wire import Headers

_BY_A_PROXY = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
_STRANGER = (
    "farthing: outcomes are taken with a virtual key, or else from this machine alone, "
    "because nobody here can tell whether another key is a good one; see docs/outcomes.md"
)


def may_tell(key: Entry | None, headers: Headers, peer: str) -> Refuse | None:
    """
    Why a caller who was let in may not tell of outcomes; None where it may.

    The API judges the credentials of calls that are passed on. Outcomes go nowhere, so a credential that is not ours
    proves nothing, and its bearer has to be on this machine: not behind a proxy of it, nor a page in a browser whose
    host's name was made to mean this machine.

    Args:
        key: The caller's virtual key; None: it showed a credential of its own.
        headers: Names in lower case.
        peer: The address that the connection comes from; empty: not known.

    """
    host = (first(headers, b"host") or b"").decode("latin-1").strip().lower()
    if key is not None or (is_here(peer) and is_here(_name_of(host)) and not any(n in _BY_A_PROXY for n, _ in headers)):
        return None
    return Refuse(403, "permission_error", _STRANGER)


def is_here(host: str) -> bool:
    """
    Whether a name or address can only mean this machine.

    >>> [is_here(host) for host in ("127.0.0.1", "::ffff:127.0.0.1", "localhost", "localhost.example", "10.0.0.1", "")]
    [True, True, True, False, False, False]
    """
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def tenant_of(key: Entry | None, rules: Sequence[Rule], headers: Headers, stated: Mapping[str, str]) -> str | None:
    """
    Whose outcomes a caller may tell; None: anybody's.

    It is the tenant whom key or rules give a message that is sent with the same headers: what only the caller says of
    itself binds it to nobody.

    Args:
        key: The caller's virtual key, if any.
        rules: The operator's.
        headers: Names in lower case.
        stated: Dimensions of such a message before any rule.

    """
    ruled = apply_rules(rules, "/v1/messages", "", headers, stated).get("tenant")
    return ruled or (key.set.get("tenant") if key is not None else None) or None


def _name_of(host: str) -> str:
    """
    A Host without its port.

    >>> _name_of("localhost:8788"), _name_of("[::1]:8788"), _name_of("127.0.0.1")
    ('localhost', '::1', '127.0.0.1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
