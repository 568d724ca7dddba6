"""
Text that every engine can keep: valid Unicode. Pure.

A lone surrogate (half an emoji that some program cut in two) is no character, so no file of UTF-8 can hold it. One such
half in a tag must not lose the call, nor the batch it came in: at the ledger's boundary each becomes U+FFFD, the
replacement character, and two halves that belong together become the character they are.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from farthing.ledger.interface import Stored

_T = TypeVar("_T", bound=msgspec.Struct)


def valid_text(text: str) -> str:
    """*text* itself where it is valid Unicode, else with U+FFFD for each lone surrogate."""
    return text if _is_valid(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def valid_record(record: _T) -> _T:
    """A record of plain fields with :func:`valid_text` for every text in it."""
    plain = msgspec.to_builtins(record, builtin_types=(datetime,))
    return msgspec.convert(_valid(plain), type(record), builtin_types=(datetime,))


def valid_stored(stored: Stored) -> Stored:
    """The record as every engine keeps it; quick for the ordinary one, for this runs for every call."""
    call, posting = stored.call, stored.posting
    served = call.served
    texts = [call.call_id, call.source, served.model, served.channel, served.service_tier, served.speed]
    texts += [served.location or "", served.inference_geo or "", served.stop_reason or ""]
    texts += [served.refusal_category or "", served.message_id or "", served.request_id or ""]
    texts += [*served.notes, *call.dims, *call.dims.values(), *posting.unpriced, posting.book_version]
    texts += [(extra.model or "") + (extra.refusal_category or "") for extra in served.extra_passes]
    if (asked := call.request) is not None:
        texts += [asked.model, asked.effort or "", asked.thinking or "", asked.speed or ""]
        texts += [asked.inference_geo or "", asked.service_tier or ""]
    return stored if _is_valid("".join(texts)) else valid_record(stored)


def _is_valid(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _valid(plain: Any) -> Any:
    match plain:
        case str():
            return valid_text(plain)
        case dict():
            return {_valid(name): _valid(value) for name, value in plain.items()}
        case list() | tuple():
            return [_valid(one) for one in plain]
    return plain
