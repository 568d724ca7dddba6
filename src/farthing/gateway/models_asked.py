"""
Every model that a request could be billed for, read so that nothing slips by: for keys that are bound to models. Pure.

A request names a model at its top, may name others as fallbacks and in tools, and in a batch does all that per request
(facts 3.2 and 3.4, checked 2026-11-20). Two readers may take different ones of two equal names, so a name that is there
twice makes the request unreadable. What people wrote (messages, the system prompt, schemas) is passed over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.gateway.asked import read_request

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROSE = frozenset({"messages", "system", "metadata", "input_schema", "schema"})
_TELLING = frozenset({"model", "models", "fallbacks", "tools", "requests", "params"})


def models_asked(body: bytes) -> frozenset[str] | None:
    """
    Every model that a request names; None where that cannot be told for certain.

    >>> sorted(models_asked(b'{"model": "a", "fallbacks": [{"model": "b"}], "messages": [{"model": "c"}]}'))
    ['a', 'b']
    """
    plain = body.count(b'"model"') == 1 and b'"fallbacks"' not in body and b'"params"' not in body
    if plain and not _has_escaped_letter(body):
        named = read_request(body).model  # the one name there is, however deep it stands
        return frozenset({named}) if named else None
    try:
        request = json.loads(body.decode(), object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        return None
    if not isinstance(request, dict):
        return None
    asked = request.get("requests", [request])
    parts = [one.get("params", one) if isinstance(one, dict) else None for one in asked] if _is_list(asked) else []
    if not parts or not all(isinstance(part, dict) and isinstance(part.get("model"), str) for part in parts):
        return None
    try:
        return frozenset(_named(request))
    except RecursionError:
        return None


def models_of(request: bytes) -> frozenset[str] | None:
    """
    The same for one request of a batch; None, too, where it has no ``params``.

    >>> models_of(b'{"custom_id": "1", "params": {"model": "a"}}'), models_of(b'{"params": {}, "model": "a"}')
    (frozenset({'a'}), None)
    """
    try:
        params = bytes(_decode_request(request).params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    once = request.count(b'"params"') == 1 and params.count(b'"model"') == request.count(b'"model"') == 1
    if once and b'"fallbacks"' not in request and not _has_escaped_letter(request):
        return models_asked(params)
    return models_asked(b'{"requests":[%b]}' % request)


def is_ambiguous(body: bytes) -> bool:
    """Whether two readers may take different ones of two equal names in it, or it is not readable at all."""
    try:
        json.loads(body.decode(), object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        return True
    return False


class _Request(msgspec.Struct):
    params: msgspec.Raw


_decode_request = msgspec.json.Decoder(_Request).decode


def _has_escaped_letter(body: bytes) -> bool:
    """Whether a small letter is written in another way, which may be part of a name."""
    return b"\\u006" in body or b"\\u007" in body


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and any(sum(name == other for other, _ in pairs) > 1 for name in _TELLING):
        raise ValueError
    return found


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "model" or (name == "fallbacks" and isinstance(inner, str)):
                yield inner if isinstance(inner, str) else ""
            elif name not in _PROSE:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
