"""Keys and prose in places where neither belongs: hidden before anything is kept or logged. Pure."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from farthing.call import Served

_KEY = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{8,}")
"""API keys and OAuth tokens of Anthropic, ours, and those of others that followed the same custom."""


def hide(text: str) -> str:
    """
    *text* without anything that looks like a key.

    >>> hide("/v1/files/sk-ant-api03-abc_DEF-123/content"), hide("task-runner-of-friday")
    ('/v1/files/[key]/content', 'task-runner-of-friday')
    """
    return _KEY.sub("[key]", text) if "sk-" in text else text


_NAMES = ("model", "service_tier", "speed")
_NAMES_OR_NONE = ("message_id", "request_id", "inference_geo", "stop_reason", "refusal_category")
_NAME_CHARS_MAX = 200
_every_name = attrgetter(*_NAMES, *_NAMES_OR_NONE)


def only_names(served: Served) -> Served:
    """*served* without what should be a name or an id, but has a space in it, or no end: then it is unpriced."""
    if not _is_prose("".join(map(str, _every_name(served)))):
        return served
    prose: dict[str, Any] = {name: "not a name" for name in _NAMES if _is_prose(getattr(served, name))}
    prose |= {name: None for name in _NAMES_OR_NONE if _is_prose(getattr(served, name))}
    return msgspec.structs.replace(served, **prose) if prose else served


def _is_prose(text: str | None) -> bool:
    return text is not None and (" " in text or len(text) > _NAME_CHARS_MAX or not text.isprintable())
