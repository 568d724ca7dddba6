"""What a Messages request asks for, as far as the meter needs it. The text of the prompt is passed over, not kept."""

from __future__ import annotations

import re

import msgspec

from farthing.gateway.hidden import hide


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Body(msgspec.Struct):
    model: str = ""
    stream: bool | None = None
    metadata: _Metadata | None = None
    max_tokens: int | float | str | None = None
    speed: str | None = None


class Asked(msgspec.Struct, frozen=True):
    """
    What a request asks for.

    Attributes:
        model: Empty where it names none that could be one. stream: whether a stream is asked for.
        user: ``metadata.user_id``. max_tokens, speed: as asked; None where absent.

    """

    model: str = ""
    stream: bool = False
    user: str | None = None
    max_tokens: int | None = None
    speed: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_MODEL = re.compile(r"[\w.:/@-]{1,128}", re.ASCII)


def read_request(body: bytes) -> Asked:
    """Read a request's body. One that cannot be read asks for nothing: the upstream will say what is wrong with it."""
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Asked()
    model = found.model if _MODEL.fullmatch(found.model) and hide(found.model) == found.model else ""
    most = int(found.max_tokens) if isinstance(found.max_tokens, int | float) else None
    user = found.metadata.user_id if found.metadata else None
    return Asked(model, bool(found.stream), user, most, found.speed)
