"""
What a model "does" with one request: a :class:`Reply`, and the :class:`Ask` that it answers.

:mod:`farthing.sandbox.answering` decides on one; :mod:`farthing.sandbox.messages` turns it into content, events and
usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec

from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.sandbox.accounts import Caller

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=10 * 366 * 86_400)]
"""Up to ten years."""


class Ask(NamedTuple):
    """
    One attempt that needs a reply. Transient: nobody keeps it, for it holds the prompt.

    Attributes:
        body: The decoded request.
        model: Canonical id of the model asked; a fallback's own on a further attempt.
        caller: Who asks.
        at: When the request was sent.
        service_tier: ``standard`` or ``batch``.
        attempt: 0, or how many models declined before this one.
        prompt_tokens: Of the whole prompt.

    """

    body: Mapping[str, Any]
    model: str
    caller: Caller
    at: datetime
    service_tier: str
    attempt: int
    prompt_tokens: int

    def __repr__(self) -> str:
        return f"<Ask {self.model}, {self.prompt_tokens} tokens>"


class ToolUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client tool call. The id is made up where None."""

    name: str
    input: dict[str, Any] = {}
    id: str | None = None


class ServerPass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One use of a server tool inside a loop: it ends one sampling pass, and its result is input of the next.

    Attributes:
        tool: ``web_search``, ``web_fetch`` or ``code_execution``.
        input: What the model asked the tool.
        output_tokens: What the pass that asked for it put out, thinking and all; None: counted from *input*.
        result_tokens: Tokens of the result.
        failed: A failed search is reported in the content and not billed.

    """

    tool: Literal["web_search", "web_fetch", "code_execution"] = "web_search"
    input: dict[str, Any] = {}
    output_tokens: Count | None = None
    result_tokens: Count = 1000
    failed: bool = False


class Refusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The model declines.

    Attributes:
        category: As in ``stop_details``; None for none.
        after_output: False: before any output. True: in mid-stream, after the reply's own content.

    """

    category: str | None = None
    explanation: str | None = None
    after_output: bool = False


class Compaction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The server summarises the conversation first.

    Attributes:
        output_tokens: Length of the summary.
        remaining_tokens: Prompt of the pass that answers; None for an on-demand compaction, which answers nothing.

    """

    output_tokens: Count
    remaining_tokens: Count | None = None
    summary: str = "Summary of the conversation."


class Advice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sub-call to a bigger model, billed at its price."""

    model: str
    input_tokens: Count
    output_tokens: Count
    cache_read_tokens: Count = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What the model does with one request.

    Attributes:
        text: The answer; None: none, or filler where *output_tokens* asks for some.
        thinking: Visible thinking.
        thinking_tokens: Raw length of the thinking; None: counted from *thinking*.
        tool_uses: Client tool calls, after the text.
        output_tokens: Total output of the last pass, thinking included; None: counted from the content. ``max_tokens``
            cuts it. Filler text is added where nothing else fills it.
        stop_reason: None: ``tool_use`` with tool calls, else ``end_turn``; cuts and refusals override it.
        refusal: None: none.
        loop: Server-tool passes before the answer.
        paused: The loop hit its limit: ``pause_turn``, with no answer after it.
        compaction: None: none.
        advice: Sub-calls to other models.
        show_iterations: Whether a server-tool loop lists its passes in ``usage.iterations``; every other reply that has
            several passes always does.
        ttft_s: Delay before the first event. event_s: delay before each content delta.
        chunk_chars: Characters per content delta.

    """

    text: str | None = None
    thinking: str = ""
    thinking_tokens: Count | None = None
    tool_uses: tuple[ToolUse, ...] = ()
    output_tokens: Count | None = None
    stop_reason: str | None = None
    refusal: Refusal | None = None
    loop: tuple[ServerPass, ...] = ()
    paused: bool = False
    compaction: Compaction | None = None
    advice: tuple[Advice, ...] = ()
    show_iterations: bool = True
    ttft_s: Seconds = 0.0
    event_s: Seconds = 0.0
    chunk_chars: Annotated[int, msgspec.Meta(ge=1)] = 24


def checked(reply: Any) -> Reply:
    """
    A reply whose every field is what it should be; plain dictionaries and lists inside it become what they stand for.

    Raises:
        BadInput: It is none: better now, where it was written, than in the answer to a request.

    """
    try:
        return msgspec.convert(msgspec.to_builtins(reply), Reply)
    except (msgspec.ValidationError, TypeError) as error:
        raise BadInput(f"read a reply: {error}", "the fields of farthing.testing.Reply") from None


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One recorded case of an evaluation.

    Attributes:
        correct: The right answer. incorrect: a wrong one.
        is_correct: Per model id, whether that model got it right. One not listed is left to the next source.
        output_tokens: Per model id, how long its answer was; a model that is not listed is counted from the text.

    """

    correct: str
    incorrect: str
    is_correct: dict[str, bool]
    output_tokens: dict[str, Count] = {}
