"""
Where a prompt may be cached up to: explicit breakpoints, the automatic one, and what the API refuses.

Source: prompt caching page (facts: claude-api 5.2, 5.5, 5.7), checked 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

Ttl = Literal["5m", "1h"]

BREAKPOINTS_MAX = 4
_ORDER = "Note that blocks are processed in the following order: `tools`, `system`, `messages`."


class BadBreakpoint(BadInput):
    """A ``cache_control`` that the API refuses with a 400; the message is fit for its error body."""


class Markable(Protocol):
    """As much of a :class:`~farthing.prompts.parts.Part` as breakpoints are about."""

    @property
    def cache_control(self) -> Any:
        """As it came, or None."""

    @property
    def cacheable(self) -> bool:
        """Whether a breakpoint may stand here."""

    @property
    def kind(self) -> Any:
        """Its type, as it came."""

    @property
    def path(self) -> str:
        """Where it stands in the body, for error messages."""


def ttls_of(parts: Sequence[Markable], automatic: Any = None) -> list[Ttl | None]:
    """
    The lifetime of the breakpoint on each part, None where there is none.

    Args:
        parts: In prompt order.
        automatic: The request's top-level ``cache_control``, None for none: a breakpoint on the last cacheable part. It
            takes one of the four slots unless that part has one already.

    Raises:
        BadBreakpoint: An unknown type or lifetime, a breakpoint on what cannot be cached, a fifth breakpoint, one of
            5 minutes before one of an hour, or an automatic one that contradicts an explicit one.

    """
    ttls = [None if part.cache_control is None else _explicit(part) for part in parts]
    _add_automatic(ttls, parts, automatic)
    count = len(ttls) - ttls.count(None)
    if count > BREAKPOINTS_MAX:
        raise BadBreakpoint(f"A maximum of {BREAKPOINTS_MAX} blocks with cache_control may be provided. Found {count}.")
    if count > 1:
        _check_order(ttls, parts)
    return ttls


def _explicit(part: Markable) -> Ttl:
    ttl = _ttl(part.cache_control, f"{part.path}.cache_control")
    if not part.cacheable:
        what = "empty text blocks" if part.kind == "text" else f"{part.kind} blocks"
        raise BadBreakpoint(f"{part.path}: cache_control cannot be set for {what}")
    return ttl


def _add_automatic(ttls: list[Ttl | None], parts: Sequence[Markable], automatic: Any) -> None:
    if automatic is None:
        return
    wanted = _ttl(automatic, "cache_control")
    at = next((at for at in range(len(parts) - 1, -1, -1) if parts[at].cacheable), None)
    if at is None or ttls[at] == wanted:
        return
    if ttls[at] is not None:
        raise BadBreakpoint(
            f"cache_control: ttl {wanted!r} differs from ttl {ttls[at]!r} of the last cacheable block, {parts[at].path}"
        )
    ttls[at] = wanted


def _check_order(ttls: Sequence[Ttl | None], parts: Sequence[Markable]) -> None:
    short_seen = False
    for ttl, part in zip(ttls, parts, strict=True):
        if ttl == "1h" and short_seen:
            raise BadBreakpoint(
                f"{part.path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                f"cache_control block. {_ORDER}"
            )
        short_seen = short_seen or ttl == "5m"


def _ttl(cache_control: Any, path: str) -> Ttl:
    if not isinstance(cache_control, Mapping):
        raise BadBreakpoint(f"{path}: Input should be a valid dictionary")
    if cache_control.get("type") != "ephemeral":
        raise BadBreakpoint(f"{path}.type: Input should be 'ephemeral'")
    match cache_control.get("ttl"):
        case None | "5m":
            return "5m"
        case "1h":
            return "1h"
    raise BadBreakpoint(f"{path}.ttl: Input should be '5m' or '1h'")
