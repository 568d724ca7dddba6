"""
One count at a time: which values are counts, what to do when a shape states one twice, and how writes are split.

Every rule here is shared by readers of different shapes, so that a huge integer or a missing split means the same
wherever it turns up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.errors import BadInput
from farthing.usage.interface import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COUNT_MAX = 2**53
"""Above this a JSON number is no longer exact in most languages; no real count comes near it."""


def whole(value: Any, field: str) -> int:
    """
    Read one count. None is 0; ``3.0`` is 3.

    Raises:
        BadInput: A boolean, a string, a number that is not whole, not finite, negative or above :data:`COUNT_MAX`.

    """
    if value is None:
        return 0
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int and 0 <= value <= COUNT_MAX:
        return value
    raise BadInput(f"read {field} = {_shown(value)}", "a whole number from 0 to 2**53")


def agreed(mapping: Mapping[str, Any], names: Iterable[str]) -> int | None:
    """
    Read a count that *mapping* may carry under several names; None where it carries none.

    Raises:
        BadInput: A value is no count, or two names disagree.

    """
    found: dict[str, int] = {name: whole(mapping[name], name) for name in names if mapping.get(name) is not None}
    if len(set(found.values())) > 1:
        stated = ", ".join(f"{name} = {count}" for name, count in found.items())
        raise BadInput(f"read {stated}", "the same count under each name")
    return next(iter(found.values()), None)


def split_writes(total: int, ttls: frozenset[str] | None) -> tuple[int, int, str | None]:
    """
    Split a total of cache writes that came without its split.

    Args:
        total: Tokens written.
        ttls: The ``ttl`` values of the request's ``cache_control`` blocks (``"5m"`` where one names none); None where
            the request is not known.

    Returns:
        5-minute writes, 1-hour writes, and the note that makes the figure *derived* (None where nothing was written).

    Raises:
        BadInput: The request asked for both lifetimes, or for one we do not know: the split cannot be told.

    Source: 5 minutes is the default lifetime (facts 5.4), checked 2026-11-20.

    """
    if not total:
        return 0, 0, None
    if not ttls:
        return total, 0, f"{total} cache-write tokens came without a split: counted as 5m, the default lifetime"
    if ttls == {"5m"}:
        return total, 0, f"{total} cache-write tokens came without a split: counted as 5m, all the request asked for"
    if ttls == {"1h"}:
        return 0, total, f"{total} cache-write tokens came without a split: counted as 1h, all the request asked for"
    raise BadInput(
        f"read {total} cache-write tokens without a split, for a request with more than one lifetime or an unknown one",
        "cache_creation with its 5m and 1h parts",
    )


def inside(part: int, of: int, part_name: str, whole_name: str) -> None:
    """
    Insist that a subset is no larger than its set.

    Raises:
        BadInput: It is.

    """
    if part > of:
        raise BadInput(f"read {part_name} = {part} inside {whole_name} = {of}", f"{part_name} <= {whole_name}")


def _shown(value: Any) -> str:
    """A number as it is; anything else by its type alone, because it may be content."""
    if type(value) is float:
        return repr(value)
    if type(value) is int:
        return str(value) if value.bit_length() <= 128 else f"an integer of {value.bit_length()} bits"
    return type_name(value)
