"""A reply's content: finished blocks with the output tokens they cost, cut at ``max_tokens`` or a stop sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.prompts.shape import mapping
from farthing.sandbox.tokenizer import filler, mark, text_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farthing.sandbox.replies import Advice, Reply, ServerPass
    from farthing.tokens.models import Tokenizer

NewId = Callable[[str], str]
"""Makes the next id with a prefix."""


class Segment(NamedTuple):
    """
    One content block.

    Attributes:
        block: As in the finished message.
        output_tokens: What it cost; 0 for what the server put in.
        is_thinking: Whether those are thinking.
        pass_index: The pass that put it out.
        partial_json: A tool's input as far as it got, where it was cut; None: whole.

    """

    block: dict[str, Any]
    output_tokens: int = 0
    is_thinking: bool = False
    pass_index: int = 0
    partial_json: str | None = None

    def __repr__(self) -> str:
        return f"<Segment {self.block['type']}, {self.output_tokens} tokens>"


class Cut(NamedTuple):
    """Segments after a cut, and why there was one (None: there was none)."""

    segments: list[Segment]
    stop_reason: str | None
    stop_sequence: str | None = None


def answer(reply: Reply, body: Mapping[str, Any], tokenizer: Tokenizer, new_id: NewId) -> list[Segment]:
    """What the last pass puts out: thinking, text, tool calls, adding up to the tokens the reply asks for."""
    segments = []
    thinking = text_tokens(reply.thinking, tokenizer) if reply.thinking_tokens is None else reply.thinking_tokens
    if reply.output_tokens is not None:
        thinking = min(thinking, reply.output_tokens)
    if thinking:
        segments.append(_thinking(reply, body, thinking))
    rest = None if reply.output_tokens is None else reply.output_tokens - thinking
    spoken = _spoken(reply, rest, tokenizer, new_id)
    return segments + (spoken if rest is None else _adding_up_to(rest, spoken))


def tool_pass(used: ServerPass, tokenizer: Tokenizer, new_id: NewId) -> tuple[Segment, Segment]:
    """One use of a server tool: the call, and its result, which is not output."""
    tool_id = new_id("srvtoolu_")
    call = {"type": "server_tool_use", "id": tool_id, "name": used.tool, "input": used.input}
    tokens = _json_tokens(call, tokenizer) if used.output_tokens is None else used.output_tokens
    result = {"type": f"{used.tool}_tool_result", "tool_use_id": tool_id, "content": _result(used)}
    return Segment(call, tokens), Segment(result)


def advice(given: Advice, new_id: NewId) -> tuple[Segment, Segment]:
    """One sub-call to an advisor, as it shows in the content. Its price shows in ``iterations`` alone."""
    tool_id = new_id("srvtoolu_")
    call = {"type": "server_tool_use", "id": tool_id, "name": "advisor", "input": {}}
    content = {"type": "advisor_result", "text": f"Advice. {mark(given.output_tokens)}"}
    return Segment(call), Segment({"type": "advisor_tool_result", "tool_use_id": tool_id, "content": content})


def stopped(segments: Sequence[Segment], stop_sequences: Sequence[str]) -> Cut:
    """End at the first stop sequence in the text; the sequence itself is not put out."""
    kept: list[Segment] = []
    for segment in segments:
        text = segment.block.get("text") if segment.block["type"] == "text" else None
        found = [(text.index(one), one) for one in stop_sequences if one and one in text] if text else []
        if found and text:
            at, sequence = min(found)
            if at:
                kept.append(_shortened(segment, segment.output_tokens * at // len(text), at))
            return Cut(kept, "stop_sequence", sequence)
        kept.append(segment)
    return Cut(kept, None)


def fitted(segments: Sequence[Segment], room_tokens: int) -> Cut:
    """End when *room_tokens* are used up."""
    kept: list[Segment] = []
    for segment in segments:
        if segment.output_tokens > room_tokens:
            if room_tokens:
                kept.append(_shortened(segment, room_tokens, None))
            return Cut(kept, "max_tokens")
        kept.append(segment)
        room_tokens -= segment.output_tokens
    return Cut(kept, None)


def _thinking(reply: Reply, body: Mapping[str, Any], tokens: int) -> Segment:
    shown = "" if mapping(body.get("thinking")).get("display") == "omitted" else reply.thinking
    block = {"type": "thinking", "thinking": shown, "signature": f"sandbox-{mark(tokens)}"}
    return Segment(block, tokens, is_thinking=True)


def _spoken(reply: Reply, rest: int | None, tokenizer: Tokenizer, new_id: NewId) -> list[Segment]:
    text = reply.text
    if text is None and not reply.tool_uses and rest:
        text = filler(rest, tokenizer)
    segments = []
    if text:
        segments.append(Segment({"type": "text", "text": text}, text_tokens(text, tokenizer)))
    for use in reply.tool_uses:
        block = {"type": "tool_use", "id": use.id or new_id("toolu_"), "name": use.name, "input": use.input}
        segments.append(Segment(block, _json_tokens(block, tokenizer)))
    return segments


def _adding_up_to(tokens: int, segments: list[Segment]) -> list[Segment]:
    """The same blocks with other counts: each keeps its own as far as it fits, the last takes the rest."""
    for at, segment in enumerate(segments):
        is_last = at == len(segments) - 1
        own = tokens if is_last else min(segment.output_tokens, tokens)
        segments[at] = segment._replace(output_tokens=own)
        tokens -= own
    return segments


def _shortened(segment: Segment, tokens: int, characters: int | None) -> Segment:
    """The beginning of a segment. A tool's input that was cut is no JSON, so the finished block has none."""
    block, share = dict(segment.block), (tokens, max(1, segment.output_tokens))
    for key in ("text", "thinking"):
        if key in block:
            length = characters if characters is not None else len(block[key]) * share[0] // share[1]
            block[key] = block[key][:length]
    if segment.is_thinking:
        block["signature"] = f"sandbox-{mark(tokens)}"
    partial = None
    if "input" in block:
        whole = msgspec.json.encode(block["input"]).decode()
        partial, block["input"] = whole[: len(whole) * share[0] // share[1]], {}
    return segment._replace(block=block, output_tokens=tokens, partial_json=partial)


def _result(used: ServerPass) -> Any:
    if used.failed:
        return {"type": f"{used.tool}_tool_result_error", "error_code": "unavailable"}
    sealed = f"sandbox-{mark(used.result_tokens)}"
    if used.tool == "web_search":
        return [
            {"type": "web_search_result", "url": "https://example.com/", "title": "Result", "encrypted_content": sealed}
        ]
    if used.tool == "web_fetch":
        source = {"type": "text", "media_type": "text/plain", "data": sealed}
        document = {"type": "document", "source": source, "title": "Page"}
        return {"type": "web_fetch_result", "url": "https://example.com/", "content": document}
    return {"type": f"{used.tool}_result", "stdout": sealed, "stderr": "", "return_code": 0, "content": []}


def _json_tokens(block: Mapping[str, Any], tokenizer: Tokenizer) -> int:
    return text_tokens(msgspec.json.encode([block["name"], block["input"]]).decode(), tokenizer)
