"""
Requests played through a sandbox without HTTP: the Calls that a meter in front of it would have recorded.

Nothing is estimated: usage is what the sandbox billed, and the blocks of each prompt carry the sandbox's own counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import Call, PromptBlock, Request
from farthing.errors import BadInput
from farthing.prompts.blocks import read_prompt
from farthing.prompts.shape import mapping, text
from farthing.sandbox.answering import Replies
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Refused, begin
from farthing.sandbox.tokenizer import SandboxCounter
from farthing.sandbox.world import World
from farthing.tokens.models import Unknowable, traits_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from farthing.demo.fleet import Ask
    from farthing.sandbox.replies import Ask as Attempt
    from farthing.sandbox.replies import Reply

_HEADERS = {"anthropic-version": "2026-10-21"}
_FAST = {"anthropic-beta": "fast-mode-2026-02-01"}


class _Next:
    """A source of replies that gives what the next request was made with."""

    reply_now: Reply

    def reply(self, ask: Attempt) -> Reply:
        del ask
        return self.reply_now


def executed(asks: Iterable[Ask], *, world: World | None = None) -> Iterator[Call]:
    """
    Send requests one after the other and yield a Call for each, as the gateway would have recorded it.

    Args:
        asks: In time order. Each answer is taken to begin at the moment in which its request is sent.
        world: Where; None: a sandbox of its own, without limits.

    Raises:
        BadInput: The sandbox refused a request.

    """
    clock: VirtualClock | None = None
    source = _Next()
    for ask in asks:
        if clock is None:
            clock = VirtualClock(ask.at)
            world = world or World(clock=clock, tier=None)
            world.clock, world.replies = clock, Replies(source)
        assert world is not None
        clock.set(ask.at)
        source.reply_now = ask.reply
        headers = _HEADERS | (_FAST if ask.body.get("speed") else {})
        tier = "batch" if ask.batch else "standard"
        begun = begin(world, world.caller, headers, msgspec.json.encode(ask.body), service_tier=tier)
        if isinstance(begun, Refused):
            raise BadInput(f"the sandbox answered {begun.status}: {begun.body.decode()}", "a request that it takes")
        begun.first_byte()
        call = begun.settle(ask.left_after_events).call
        left = {"client_left": "aborted"} if ask.left_after_events is not None else {}
        yield msgspec.structs.replace(call, source="gateway", dims=ask.tags | left, request=_request(ask))
        world.books.forget_before(ask.at)


def _request(ask: Ask) -> Request:
    body = ask.body
    traits = traits_of(body["model"])
    assert not isinstance(traits, Unknowable), "the sandbox took it"
    prompt = read_prompt(body, SandboxCounter(traits, ask.at.date()), model=body["model"])
    blocks = tuple(
        PromptBlock(block.prefix_hash, block.tokens, block.section.value, block.ttl, block.cacheable)
        for block in prompt.blocks
    )
    thinking: Any = mapping(body.get("thinking"))
    return Request(
        model=body["model"],
        stream=bool(body.get("stream")),
        max_tokens=body["max_tokens"],
        effort=text(mapping(body.get("output_config")).get("effort")),
        thinking=text(thinking.get("type")),
        thinking_budget_tokens=thinking.get("budget_tokens"),
        speed=text(body.get("speed")),
        inference_geo=text(body.get("inference_geo")),
        tools=len(body.get("tools", ())),
        tools_tokens=sum(block.tokens for block in blocks if block.section == "tools"),
        cache_automatic="cache_control" in body,
        blocks=blocks,
    )
