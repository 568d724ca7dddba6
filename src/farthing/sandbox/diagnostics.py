"""
Cache diagnostics: where a prompt stopped being the prompt of an earlier message.

Source: facts: claude-api 5.10, checked 2026-11-20. Fingerprints are kept only for requests that carry ``diagnostics``.
The number of missed tokens is called approximate there; ours are those of the earlier prompt past the point of
divergence.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.prompts.parts import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.prompts.blocks import Prompt
    from farthing.sandbox.accounts import Caller

_REASON = {Section.TOOLS: "tools_changed", Section.SYSTEM: "system_changed", Section.MESSAGES: "messages_changed"}


class Fingerprint(NamedTuple):
    """What is kept of a prompt: hashes and counts."""

    caller: Caller
    speed: str
    prompt: Prompt


class Diagnostics:
    """
    Fingerprints by message id. Not locked: its world is.

    Args:
        kept_max: Beyond it the oldest are forgotten.

    """

    def __init__(self, *, kept_max: int = 10_000) -> None:
        self._kept: OrderedDict[str, Fingerprint] = OrderedDict()
        self._kept_max = kept_max

    def answer(self, body: Mapping[str, Any], message_id: str, now: Fingerprint) -> dict[str, Any] | None:
        """
        Keep this request's fingerprint, and compare it with that of the message it names.

        Returns:
            The response's ``diagnostics``; None where it was not asked for or nothing was missed.

        """
        asked = body.get("diagnostics")
        if not isinstance(asked, dict):
            return None
        earlier_id = asked.get("previous_message_id")
        earlier = self._kept.get(earlier_id) if isinstance(earlier_id, str) else None
        self._kept[message_id] = now
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)
        if earlier_id is None:
            return None
        if earlier is None or earlier.caller[:2] != now.caller[:2]:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        missed = _missed(earlier, now)
        return None if missed is None else {"cache_miss_reason": missed}


def _missed(earlier: Fingerprint, now: Fingerprint) -> dict[str, Any] | None:
    """The earliest divergence; None where the earlier prompt is a beginning of this one."""
    before, after = earlier.prompt, now.prompt
    if before.model != after.model or earlier.speed != now.speed:
        return {"type": "model_changed", "cache_missed_input_tokens": before.tokens}
    for at, block in enumerate(before.blocks):
        same = at < len(after.blocks) and after.blocks[at].prefix_hash == block.prefix_hash
        if not same:
            other = after.blocks[at].section if at < len(after.blocks) else block.section
            section = min(block.section, other, key=list(Section).index)
            missed = before.tokens - (block.prefix_tokens - block.tokens)
            return {"type": _REASON[section], "cache_missed_input_tokens": missed}
    return None
