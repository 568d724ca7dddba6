"""
One accepted request, generated: which passes ran, what they put out, what they write to the cache.

Choices where the documentation is silent: ``max_tokens`` bounds all passes of a server-tool loop together; a declined
attempt runs no server tools; an advisor is asked before the answer begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.call import Usage
from farthing.prompts.blocks import read_prompt
from farthing.sandbox import content
from farthing.sandbox.cache import Write
from farthing.sandbox.content import Segment
from farthing.sandbox.passes import FALLBACK, MESSAGE, Declined, Pass, checked
from farthing.sandbox.tokenizer import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.prices.schema import Model
    from farthing.prompts.blocks import Prompt
    from farthing.sandbox.cache import Lookup
    from farthing.sandbox.replies import Refusal, Reply, ServerPass
    from farthing.sandbox.tokenizer import SandboxCounter
    from farthing.sandbox.validate import Terms

_TOOL_COUNTS = {
    "web_search": "web_search_requests",
    "web_fetch": "web_fetch_requests",
    "code_execution": "code_execution_requests",
}


class Attempt(NamedTuple):
    """
    One model's try at a request.

    Attributes:
        terms: The request as this model gets it, after its context was edited.
        prompt: The request's blocks, for that model.
        lookup: What it reads from the cache and writes to it.
        tokens_min: The model's shortest cacheable prefix.
        edits: ``applied_edits`` of the response; None where none were asked for.

    """

    terms: Terms
    prompt: Prompt
    lookup: Lookup
    tokens_min: int
    edits: list[dict[str, Any]] | None = None

    def __repr__(self) -> str:
        return f"<Attempt {self.model.id}, {self.prompt.tokens} tokens>"

    @property
    def body(self) -> Mapping[str, Any]:
        """The decoded request."""
        return self.terms.body

    @property
    def model(self) -> Model:
        """The model."""
        return self.terms.model

    @property
    def usage(self) -> Usage:
        """The counts of the prompt, before any output."""
        found = self.lookup
        usage = Usage(found.input_tokens, found.write_5m_tokens, found.write_1h_tokens, found.read_tokens)
        return checked(usage, self.prompt.tokens)

    @property
    def room_tokens(self) -> int:
        """The most that may be put out."""
        return max(0, min(int(self.body["max_tokens"]), self._window_left))

    @property
    def overflow_reason(self) -> str:
        """The stop reason when that is used up."""
        return "max_tokens" if self.body["max_tokens"] <= self._window_left else "model_context_window_exceeded"

    @property
    def _window_left(self) -> int:
        return self.model.context_window_tokens - self.prompt.tokens


@dataclass(repr=False)
class Turn:
    """
    What a request led to so far.

    Attributes:
        model: Canonical id of the model that served.
        passes: In the order they ran.
        segments: The content.
        stop_reason, stop_sequence, refusal: How it ended.
        writes_after: How many segments precede each automatic breakpoint that server tools set (facts: 5.6).
        shows_iterations: Whether ``usage`` lists the passes.

    """

    model: str
    passes: list[Pass] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    refusal: Refusal | None = None
    writes_after: list[int] = field(default_factory=list)
    shows_iterations: bool = False

    def put(self, *segments: Segment) -> None:
        """Add content of the pass that comes next."""
        self.segments += [segment._replace(pass_index=len(self.passes)) for segment in segments]

    def ran(self, kind: str, usage: Usage, output: list[Segment]) -> Usage:
        """Add a pass with its content, and tell its usage."""
        self.put(*output)
        usage = msgspec.structs.replace(
            usage,
            output_tokens=sum(segment.output_tokens for segment in output),
            thinking_tokens=sum(segment.output_tokens for segment in output if segment.is_thinking),
        )
        self.passes.append(Pass(kind, self.model, checked(usage, usage.prompt_tokens)))
        return usage


def decline(turn: Turn, attempt: Attempt, reply: Reply, new_id: content.NewId, next_model: str) -> None:
    """A declined attempt with another model to follow: billed as a pass of its own, and marked in the content."""
    assert reply.refusal is not None, "only a refusal is declined"
    spoken = content.answer(reply, attempt.body, attempt.model.tokenizer, new_id) if reply.refusal.after_output else []
    turn.ran(MESSAGE, attempt.usage, content.fitted(spoken, attempt.room_tokens).segments)
    turn.passes[-1] = turn.passes[-1]._replace(declined=Declined(reply.refusal.category, attempt.terms.speed))
    handed = {
        "type": "fallback",
        "from": {"model": attempt.model.id if len(turn.passes) > 1 else attempt.body["model"]},  # as it was asked for
        "to": {"model": next_model},
        "trigger": {"type": "refusal", "category": reply.refusal.category},
    }
    turn.put(Segment(handed))
    turn.model = next_model


def serve(turn: Turn, attempt: Attempt, reply: Reply, new_id: content.NewId, *, compaction_beta: bool) -> None:
    """The attempt whose answer is the response's."""
    is_fallback, usage = bool(turn.passes), attempt.usage
    turn.refusal = reply.refusal
    if reply.refusal is not None and not reply.refusal.after_output:
        turn.ran(MESSAGE, usage, [])
        turn.stop_reason = "refusal"
    elif reply.compaction is not None and reply.compaction.remaining_tokens is None:
        _compact(turn, usage, reply)
        turn.stop_reason = "compaction"
    else:
        if reply.compaction is not None:
            usage = _compact(turn, usage, reply)
        _ask_advisors(turn, reply, new_id)
        _answer(turn, attempt, reply, usage, new_id)
    if is_fallback and turn.passes[-1].kind == MESSAGE:
        turn.passes[-1] = turn.passes[-1]._replace(kind=FALLBACK)  # it completed the answer
    several = len(turn.passes) > 1
    plain_loop = all(one.kind == MESSAGE for one in turn.passes)
    turn.shows_iterations = compaction_beta or not plain_loop or (several and reply.show_iterations)


def _compact(turn: Turn, usage: Usage, reply: Reply) -> Usage:
    """Summarise, and tell the prompt of the pass that answers."""
    compaction = reply.compaction
    assert compaction is not None, "asked for"
    summary = f"{compaction.summary} {mark(compaction.output_tokens)}"
    block = {"type": "compaction", "content": summary, "encrypted_content": None}
    turn.ran("compaction", usage, [Segment(block, compaction.output_tokens)])
    return Usage(input_tokens=compaction.remaining_tokens or 0)


def _ask_advisors(turn: Turn, reply: Reply, new_id: content.NewId) -> None:
    for given in reply.advice:
        usage = Usage(
            input_tokens=given.input_tokens,
            cache_read_tokens=given.cache_read_tokens,
            output_tokens=given.output_tokens,
        )
        turn.passes.append(Pass("advisor_message", given.model, usage))
        turn.put(*content.advice(given, new_id))


def _answer(turn: Turn, attempt: Attempt, reply: Reply, usage: Usage, new_id: content.NewId) -> None:
    """Server-tool passes, then the last one, until the room is used up."""
    room, tokenizer = attempt.room_tokens, attempt.model.tokenizer
    for used in reply.loop:
        call, result = content.tool_pass(used, tokenizer, new_id)
        cut = content.fitted([call], room)
        if cut.stop_reason:
            turn.ran(MESSAGE, usage, cut.segments)
            turn.stop_reason = attempt.overflow_reason
            return
        done = turn.ran(MESSAGE, _with_tool(usage, used), [call])
        turn.segments.append(result._replace(pass_index=len(turn.passes) - 1))
        room -= call.output_tokens
        usage = _next_prompt(turn, attempt, done, used.result_tokens)
    if reply.paused and reply.loop:
        turn.stop_reason = "pause_turn"
        return
    halted = content.stopped(
        content.answer(reply, attempt.body, tokenizer, new_id), attempt.body.get("stop_sequences") or ()
    )
    cut = content.fitted(halted.segments, room)
    turn.ran(MESSAGE, usage, cut.segments)
    turn.stop_reason = _stop_reason(attempt, reply, halted, cut)
    turn.stop_sequence = halted.stop_sequence if turn.stop_reason == "stop_sequence" else None


def _stop_reason(attempt: Attempt, reply: Reply, halted: content.Cut, cut: content.Cut) -> str:
    if cut.stop_reason or attempt.body["max_tokens"] == 0:
        return attempt.overflow_reason
    if halted.stop_reason:
        return halted.stop_reason
    if reply.refusal is not None:
        return "refusal"
    return reply.stop_reason or ("tool_use" if reply.tool_uses else "end_turn")


def _with_tool(usage: Usage, used: ServerPass) -> Usage:
    if used.failed or used.tool not in _TOOL_COUNTS:
        return usage
    return msgspec.structs.replace(usage, **{_TOOL_COUNTS[used.tool]: 1})


def _next_prompt(turn: Turn, attempt: Attempt, done: Usage, result_tokens: int) -> Usage:
    """
    The prompt of the pass after a tool's result.

    With any breakpoint in the request the API sets one of 5 minutes on the result, so all that was cached is read and
    the rest is written (facts: claude-api 5.6).
    """
    prompt = done.prompt_tokens + done.output_tokens + result_tokens
    if not attempt.prompt.breakpoints or prompt < attempt.tokens_min:
        return Usage(input_tokens=prompt)
    turn.writes_after.append(len(turn.segments))
    cached = done.prompt_tokens - done.input_tokens
    return Usage(cache_read_tokens=cached, cache_write_5m_tokens=prompt - cached)


def loop_writes(attempt: Attempt, turn: Turn, counter: SandboxCounter) -> tuple[Write, ...]:
    """What the automatic breakpoints on results of server tools write, for whoever sends the content back."""
    writes = []
    for count in turn.writes_after:
        said = {"role": "assistant", "content": [segment.block for segment in turn.segments[:count]]}
        body = {**attempt.body, "messages": [*attempt.body["messages"], said]}
        geo = attempt.terms.inference_geo
        prompt = read_prompt(body, counter, model=attempt.model.id, inference_geo=geo, breakpoints=False)
        writes.append(Write(prompt.blocks[-1].prefix_hash, "5m", prompt.tokens))
    return tuple(writes)
