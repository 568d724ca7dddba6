"""Keys in places where no key belongs: hidden before anything is kept or logged. Pure."""

from __future__ import annotations

import re

_KEY = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{8,}")
"""API keys and OAuth tokens of Anthropic, ours, and those of others that followed the same custom."""


def hide(text: str) -> str:
    """
    *text* without anything that looks like a key.

    >>> hide("/v1/files/sk-ant-api03-abc_DEF-123/content"), hide("task-runner-of-friday")
    ('/v1/files/[key]/content', 'task-runner-of-friday')
    """
    return _KEY.sub("[key]", text) if "sk-" in text else text
