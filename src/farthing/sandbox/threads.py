"""
Message threads: the sandbox keeps a conversation, and a request sends its newest turn alone.

A continued thread is the same request as the whole conversation sent again, for price, limits and usage. Breakpoints
are not kept: a request caches what it marks itself.

Source: facts: claude-api 3.7, and the official SDK's descriptions (2.8), checked 2026-11-20. UNCONFIRMED and chosen
here: ``system`` and ``tools`` may be left out of a continued request, then the kept ones count, or sent as they were;
these and ``model`` are the fields that must stay the same; a top-level ``cache_control``, ``context_management`` and
``fallbacks`` are the unsupported fields; a response that was cut off cannot be continued.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from farthing.prompts.shape import mapping
from farthing.sandbox.problems import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from farthing.sandbox.accounts import Caller

LIFETIME = timedelta(minutes=5)
"""From the last request on."""
_SWEEP_FIRST = 256
_SAME = ("model", "system", "tools")
_KEPT = ("system", "tools")
_UNSUPPORTED = ("cache_control", "context_management", "fallbacks")


@dataclass(slots=True, repr=False)
class _Thread:
    caller: Caller
    body: dict[str, Any]
    messages: list[Any]
    expires_at: datetime
    is_continuing: bool = False
    is_continued: bool = False


class Threads:
    """Conversations by the id of their newest response. Not locked: its world is."""

    def __init__(self) -> None:
        self._threads: dict[str, _Thread] = {}
        self._sweep_at = _SWEEP_FIRST

    def __len__(self) -> int:
        """How many are kept; those that expired may be among them for a while."""
        return len(self._threads)

    def resume(self, body: Mapping[str, Any], caller: Caller, at: datetime) -> Mapping[str, Any]:
        """
        The request as if the whole conversation had been sent. Changes nothing.

        Raises:
            ApiError: The thread is not there, or not to be continued so.

        """
        thread = body.get("thread")
        if thread is None:
            return body
        kind = mapping(thread).get("type")
        if kind not in ("create", "continue"):
            raise invalid("thread.type: Input should be 'create' or 'continue'")
        for field in _UNSUPPORTED:
            if body.get(field) is not None:
                raise unsupported(field)
        return body if kind == "create" else self._continued(body, caller, at)

    def began(self, body: Mapping[str, Any]) -> None:
        """A request was accepted: its thread cannot be continued by another meanwhile."""
        thread = self._threads.get(_parent_id(body))
        if thread is not None:
            thread.is_continuing = True

    def ended(
        self, body: Mapping[str, Any], caller: Caller, at: datetime, message_id: str, content: Sequence[Any] | None
    ) -> None:
        """
        A request is over.

        Args:
            body: As :meth:`resume` made it.
            caller: Whose.
            at: When it was sent.
            message_id: Of its response.
            content: Of its response; None where it was cut off.

        """
        if body.get("thread") is None:
            return
        parent = self._threads.get(_parent_id(body))
        if parent is not None:
            parent.is_continuing = False
            parent.is_continued = content is not None
        if content is None:
            return
        self._sweep(at)
        messages = _without_breakpoints([*body["messages"], {"role": "assistant", "content": list(content)}])
        kept = {field: _without_breakpoints(body[field]) for field in _SAME if body.get(field) is not None}
        self._threads[message_id] = _Thread(caller, kept, messages, at + LIFETIME)

    def _sweep(self, at: datetime) -> None:
        """Forget what has expired, now and then: a constant cost for each thread."""
        if len(self._threads) >= self._sweep_at:
            self._threads = {key: one for key, one in self._threads.items() if one.expires_at > at}
            self._sweep_at = max(_SWEEP_FIRST, 2 * len(self._threads))

    def _continued(self, body: Mapping[str, Any], caller: Caller, at: datetime) -> Mapping[str, Any]:
        thread = self._threads.get(_parent_id(body))
        owner = None if thread is None else (thread.caller.organization_id, thread.caller.workspace_id)
        if thread is None or thread.expires_at <= at or owner != (caller.organization_id, caller.workspace_id):
            raise ApiError(
                "not_found_error",
                "No usable thread state for previous_message_id; send the whole conversation with thread.type 'create'",
                error_code="thread_not_found",
            )
        if thread.is_continuing:
            message = "Another request is still continuing from this previous_message_id"
            raise ApiError("conflict_error", message, error_code="thread_continue_in_flight")
        if thread.is_continued:
            message = "This response has been continued already; continue from the newest response"
            raise ApiError("invalid_request_error", message, error_code="thread_already_continued")
        changed = [
            field
            for field in _SAME
            if body.get(field) is not None and _without_breakpoints(body[field]) != thread.body.get(field)
        ]
        if changed:
            message = f"These fields differ from those of the thread: {', '.join(changed)}"
            raise ApiError("invalid_request_error", message, error_code="thread_fingerprint_mismatch")
        kept = {field: thread.body[field] for field in _KEPT if field in thread.body and body.get(field) is None}
        return {**body, **kept, "messages": [*thread.messages, *body["messages"]]}


def unsupported(what: str) -> ApiError:
    """The 400 of a request that does not go with a thread."""
    message = f"thread does not support {what}; send the whole conversation without thread, or leave that out"
    return ApiError("invalid_request_error", message, error_code="thread_unsupported_request")


def _parent_id(body: Mapping[str, Any]) -> str:
    return str(mapping(body.get("thread")).get("previous_message_id"))


def _without_breakpoints(value: Any) -> Any:
    """A copy without ``cache_control`` on parts of the prompt: down to the blocks inside a tool's result."""
    if isinstance(value, list):
        return [_without_breakpoints(one) for one in value]
    if not isinstance(value, dict):
        return value
    nested = {"content": _without_breakpoints(value["content"])} if isinstance(value.get("content"), list) else {}
    return {name: each for name, each in value.items() if name != "cache_control"} | nested
