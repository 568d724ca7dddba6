"""
Anthropic's ``usage`` object, field by field, as the decoder of a hot path: one C call checks every type and range.

Source: facts 3.2 and 3.4 (Messages API reference and SDK 2.11.0 types), checked 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from farthing.call import Usage
from farthing.errors import BadInput
from farthing.usage.counts import COUNT_MAX, split_writes, whole
from farthing.usage.interface import type_name

Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)] | None
"""None: absent or null, which both mean 0 but let an earlier event's value stand."""


class CacheCreation(msgspec.Struct, gc=False):
    """Cache writes by lifetime."""

    ephemeral_5m_input_tokens: Count = None
    ephemeral_1h_input_tokens: Count = None

    @property
    def stated(self) -> bool:
        """Whether either part is there; an object of nulls states no split."""
        return self.ephemeral_5m_input_tokens is not None or self.ephemeral_1h_input_tokens is not None


class OutputDetails(msgspec.Struct, gc=False):
    """What part of the output was thinking."""

    thinking_tokens: Count = None


class ServerToolUse(msgspec.Struct, gc=False):
    """Uses of server tools. ``code_execution_requests`` is in the docs and absent from SDK types (facts 16.5)."""

    web_search_requests: Count = None
    web_fetch_requests: Count = None
    code_execution_requests: Count = None


class PassFields(msgspec.Struct):
    """The counts that ``usage`` and each entry of its ``iterations`` have in common."""

    input_tokens: Count = None
    output_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None


class Iteration(PassFields):
    """One sampling pass."""

    type: str = ""
    model: str | None = None


class UsageFields(PassFields):
    """A whole ``usage`` object. Unknown fields are ignored: new ones appear within one API version."""

    server_tool_use: ServerToolUse | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[Iteration] | None = None


def usage_fields(usage: Any) -> UsageFields:
    """
    Decode and check one ``usage`` object.

    Raises:
        BadInput: Not an object, or a field is not what it must be; the message names it.

    """
    try:
        return msgspec.convert(usage, UsageFields)
    except msgspec.ValidationError:
        return _explained(usage)


def split_pass(fields: PassFields, write_ttls: frozenset[str] | None) -> tuple[Usage, str | None]:
    """
    The disjoint counts of one pass, and a note where its writes had to be split without a statement.

    Raises:
        BadInput: The stated split does not sum to the stated total, or the split cannot be told.

    """
    written, note = fields.cache_creation_input_tokens, None
    write_5m = write_1h = 0
    if (split := fields.cache_creation) is not None and split.stated:
        write_5m, write_1h = split.ephemeral_5m_input_tokens or 0, split.ephemeral_1h_input_tokens or 0
        if written is not None and written != write_5m + write_1h:
            raise BadInput(
                f"read cache_creation = {write_5m} (5m) + {write_1h} (1h), cache_creation_input_tokens = {written}",
                "a split that sums to the total",
            )
    elif written:
        write_5m, write_1h, note = split_writes(written, write_ttls)
    output, details = fields.output_tokens or 0, fields.output_tokens_details
    thinking = details.thinking_tokens or 0 if details is not None else 0
    thinking = min(thinking, output)  # may be off by a few (facts 3.2), and decides no price
    read = fields.cache_read_input_tokens or 0
    return Usage(fields.input_tokens or 0, write_5m, write_1h, read, output, thinking), note


def _explained(usage: Any) -> UsageFields:
    """Read whole floats as integers; name the first field that is wrong."""
    if not isinstance(usage, Mapping):
        raise BadInput(f"read {type_name(usage)} as usage", "a JSON object")
    try:
        return msgspec.convert(_repaired(usage, ""), UsageFields)
    except msgspec.ValidationError as error:
        raise BadInput(f"read a usage object that breaks its shape: {error}") from None


_NESTED = ("cache_creation", "output_tokens_details", "server_tool_use")


def _repaired(usage: Mapping[str, Any], path: str) -> dict[str, Any]:
    repaired = {key: usage[key] for key in UsageFields.__struct_fields__ if key in usage}
    repaired |= {key: usage[key] for key in ("type", "model") if key in usage}
    for key, value in repaired.items():
        if key.endswith("_tokens") and value is not None:
            repaired[key] = whole(value, path + key)
        elif key in _NESTED and isinstance(value, Mapping):
            repaired[key] = _repaired_counts(value, f"{path}{key}.")
    if isinstance(entries := repaired.get("iterations"), list | tuple):
        repaired["iterations"] = [
            _repaired(entry, f"{path}iterations[{position}].") if isinstance(entry, Mapping) and not path else entry
            for position, entry in enumerate(entries)
        ]
    return repaired


def _repaired_counts(counts: Mapping[str, Any], path: str) -> dict[str, int | None]:
    known = {*CacheCreation.__struct_fields__, *OutputDetails.__struct_fields__, *ServerToolUse.__struct_fields__}
    return {
        key: None if value is None else whole(value, path + str(key)) for key, value in counts.items() if key in known
    }
