"""
What a transcript says that its digest does not know yet: the lines written since, bounded in size.

Standard library alone, and little of it: Python's start and these imports are most of what a status line costs.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TAIL_BYTES_MAX = 4 << 20
FIRST_BYTES_MAX = 512 << 10
"""How much of a transcript is read that no digest knows: enough for its last calls."""
_NEEDLE = b'"usage"'
_NO_GEO = ("", "global", "not_available", None)
CACHE_5M_S, CACHE_1H_S = 300, 3600


def new_lines(path: str, offset: int | None) -> tuple[list[bytes], bool]:
    """
    Whole lines of the file at *path* after *offset* (None: nothing was read yet), and whether some were left out.

    At most :data:`TAIL_BYTES_MAX` bytes are read, the last ones. A file that is gone or shorter than *offset* has none.
    """
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - pathlib is not worth its import here
            size = stream.seek(0, 2)
            known = offset or 0
            start = min(size, max(known, size - (FIRST_BYTES_MAX if offset is None else TAIL_BYTES_MAX)))
            stream.seek(start)
            lines = stream.read(size - start).split(b"\n")
    except OSError:
        return [], False
    left_out = start > known
    return lines[1:-1] if left_out else lines[:-1], left_out


def responses(lines: list[bytes]) -> list[dict[str, Any]]:
    """
    The API responses among *lines*, each once, in order: the line with most output counts, the last of equals.

    Lines that are no responses, or that cannot be read, are passed over: the digest's own scan reports them.
    """
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        if _NEEDLE in line:
            one = _response(line)
            if one is not None:
                before = found.pop(one["id"], None)
                if before is not None and before["counts"][4] > one["counts"][4]:
                    one = before
                found[one["id"]] = one
    return list(found.values())


def _response(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
        message = value["message"]
        usage, model = message["usage"], message["model"]
        if value.get("type") != "assistant" or model == "<synthetic>":
            return None
        return {
            "id": message.get("id") or value.get("uuid") or str(len(line)),
            "model": str(model),
            "counts": counts_of(usage),
            "rate_key": _rate_key(str(model), usage),
            "plain": _is_plain(message, usage),
            "at_us": _microseconds(value["timestamp"]),
            "side": bool(value.get("isSidechain")),
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def counts_of(usage: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """Fresh input, 5m writes, 1h writes, reads, output. Writes without a lifetime are 5m ones."""
    split = usage.get("cache_creation") or {}
    hour = int(split.get("ephemeral_1h_input_tokens") or 0)
    written = int(usage.get("cache_creation_input_tokens") or 0)
    return (
        int(usage.get("input_tokens") or 0),
        max(0, written - hour),
        hour,
        int(usage.get("cache_read_input_tokens") or 0),
        int(usage.get("output_tokens") or 0),
    )


def price(one: dict[str, Any], rates: dict[str, Any]) -> int | None:
    """
    What a response cost in picodollars, by the digest's rates.

    None where a rule beyond counts times rates prices it, or no rate is known: the next digest will know.
    """
    counts: tuple[int, ...] = one["counts"]
    prompt = sum(counts[:4])
    for over, up_to, band in rates.get(one["rate_key"], ()) if one["plain"] else ():
        if (prompt > over or not over) and (up_to is None or prompt <= up_to):
            return sum(count * int(rate) for count, rate in zip(counts, band, strict=True))
    return None


def cache_after(one: dict[str, Any], before: list[Any] | None) -> list[Any] | None:
    """Last use, lifetime in seconds, whether a write ever stated it; see the digest's ``cache``."""
    _, write_5m, write_1h, read, _ = one["counts"]
    if one["side"] or not (write_5m or write_1h or read):
        return before
    if write_5m or write_1h:
        return [one["at_us"], CACHE_1H_S if write_1h else CACHE_5M_S, True]
    return [one["at_us"], *(before[1:] if before else (CACHE_5M_S, False))]


def _rate_key(model: str, usage: dict[str, Any]) -> str:
    geo = usage.get("inference_geo")
    tier, speed = usage.get("service_tier") or "standard", usage.get("speed") or "standard"
    return f"{model}|{tier}|{speed}|{'' if geo in _NO_GEO else geo}"


def _is_plain(message: dict[str, Any], usage: dict[str, Any]) -> bool:
    """Whether counts times rates is its price."""
    tools = usage.get("server_tool_use") or {}
    return message.get("stop_reason") != "refusal" and not usage.get("iterations") and not any(tools.values())


def _microseconds(timestamp: str) -> int:
    from datetime import UTC, datetime, timedelta

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (datetime.fromisoformat(timestamp) - epoch) // timedelta(microseconds=1)
