"""What a Messages request asks for, as far as the meter needs it. The text of the prompt is passed over, not kept."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from farthing.gateway.hidden import hide
from farthing.prompts.recall import Body
from farthing.prompts.shape import mapping


class Whole(Body):
    """All of a request that is ever looked at, in one decoding: settings of whatever type, the prompt as it came."""

    stream: Any = None
    max_tokens: Any = None
    metadata: Any = None
    service_tier: Any = None


class _Settings(msgspec.Struct):
    """The same settings where the prompt has another shape than the API's."""

    model: Any = None
    stream: Any = None
    max_tokens: Any = None
    metadata: Any = None
    speed: Any = None


class Asked(msgspec.Struct, frozen=True):
    """
    What a request asks for.

    Attributes:
        model: Empty where it names none that could be one. stream: whether a stream is asked for.
        user: ``metadata.user_id``. max_tokens, speed: as asked; None where absent.
        whole: The request, decoded; None where its prompt has another shape than the API's.

    """

    model: str = ""
    stream: bool = False
    user: str | None = None
    max_tokens: int | None = None
    speed: str | None = None
    whole: Whole | None = None

    def __repr__(self) -> str:
        return f"<Asked {self.model}>"  # the prompt stays where it is


_decode = msgspec.json.Decoder(Whole).decode
_decode_settings = msgspec.json.Decoder(_Settings).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MODEL = re.compile(r"[\w.:/@-]{1,128}", re.ASCII)


def read_request(body: bytes) -> Asked:
    """Read a request's body. One that cannot be read asks for nothing: the upstream will say what is wrong with it."""
    whole: Whole | None = None
    found: Whole | _Settings
    try:
        found = whole = _decode(body)
    except _UNREADABLE:
        try:
            found = _decode_settings(body)
        except _UNREADABLE:
            return Asked()
    model, most, user = found.model, found.max_tokens, mapping(found.metadata).get("user_id")
    return Asked(
        model if isinstance(model, str) and _MODEL.fullmatch(model) and hide(model) == model else "",
        found.stream is True,
        user if isinstance(user, str) else None,
        int(most) if type(most) in {int, float} else None,
        found.speed if isinstance(found.speed, str) else None,
        whole,
    )
