"""
The Call: one API call as it was billed.

One noun carries everything through the loop. A usage reader turns response bytes into :class:`Served` (what the
response says was served); a source adds when, by whom and from where and makes a :class:`Call`; the price engine adds
money; the ledger keeps it. All of it is immutable, and none of it holds prompt text.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from farthing.units import Kind


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """
    Disjoint counts of one sampling pass or of a whole request. All are >= 0.

    ``input_tokens`` is what was neither read from nor written to the cache (Anthropic's meaning, exclusive).
    ``thinking_tokens`` are inside ``output_tokens``. Server-tool counts are requests, not tokens.
    """

    input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    code_execution_requests: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt: fresh input, cache writes and cache reads. Decides the price band."""
        return self.input_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens + self.cache_read_tokens


class PassKind(StrEnum):
    """Why a response sampled a model once more than its top-level usage says."""

    COMPACTION = "compaction"
    ADVISOR = "advisor_message"
    DECLINED = "declined_fallback"


class ExtraPass(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """
    A billable sampling pass that the top-level usage leaves out (``usage.iterations``, facts 3.4).

    Attributes:
        kind: Why it exists.
        usage: Its own counts.
        model: The model that ran it; None means the request's own model was not stated, so it cannot be priced.
        refusal_category: Why an attempt was declined, as the response says where it hands over; empty where it names no
            category; None where it does not say.

    """

    kind: PassKind
    usage: Usage
    model: str | None = None
    refusal_category: str | None = None


class Served(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """
    What a response says was served: everything that decides its price except when and under which contract.

    Facts of the response, never intent of the request.

    Attributes:
        model: Id exactly as reported, on whatever channel.
        usage: Disjoint counts of the request's main pass (top-level usage).
        extra_passes: Billable passes that the top level leaves out.
        channel: ``claude_api``, ``claude_platform_aws``, ``bedrock``, ``google_cloud``, ``google_anthropic`` or
            ``foundry``.
        location: Region or ``global`` on partner channels; None where not stated.
        service_tier: ``standard``, ``batch`` or ``priority``.
        speed: ``standard`` or ``fast``, from ``usage.speed``.
        inference_geo: As reported: ``global``, ``us``, ``not_available``; None where absent.
        stop_reason: As reported; None while unknown.
        refusal_category: ``stop_details.category`` of a refusal.
        output_started: Whether any output content was seen; None where the source cannot tell.
        prompt_tokens_max_in_one_pass: Largest single prompt where a server-tool loop's ``iterations`` tell it; None
            otherwise. Price bands are judged per prompt, while a loop's top-level usage is a sum.
        prompt_tokens_reported: The provider's own prompt total, for the checksum; None where it gave none.
        calls_in_total: How many requests these counts sum over: 1 for a call; None for an aggregate of unknown
            many (a daily total), which cannot be banded exactly.
        kind: ``measured``; ``derived`` where a reader had to work out a split; ``assumed`` where it estimated.
        message_id: ``msg_...``; request_id: ``req_...``. None where absent.
        notes: Short sentences about anything a reader had to decide.

    """

    model: str
    usage: Usage
    extra_passes: tuple[ExtraPass, ...] = ()
    channel: str = "claude_api"
    location: str | None = None
    service_tier: str = "standard"
    speed: str = "standard"
    inference_geo: str | None = None
    stop_reason: str | None = None
    refusal_category: str | None = None
    output_started: bool | None = None
    prompt_tokens_max_in_one_pass: int | None = None
    prompt_tokens_reported: int | None = None
    calls_in_total: int | None = 1
    kind: Kind = Kind.MEASURED
    message_id: str | None = None
    request_id: str | None = None
    notes: tuple[str, ...] = ()


def call_identity(message_id: str | None, request_id: str | None) -> str | None:
    """
    The id of a call that any source would give it, so that one call seen by two sources counts once.

    Both ids where both are known, the message id where only that is; None where there is no message id: then a source
    makes an id of its own, from whatever identifies the row where it was read.
    """
    if not message_id:
        return None
    return f"{message_id}:{request_id}" if request_id else message_id


DIMENSIONS = (
    "tenant",
    "feature",
    "prompt",
    "prompt_version",
    "user",
    "session",
    "agent",
    "environment",
    "workspace",
    "api_key",
    "project",
)
"""The dimensions with a column of their own in the ledger; any other tag is kept in a map beside them."""


class PromptBlock(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """
    One position of a prompt, without its text (:mod:`farthing.prompts.blocks` makes them).

    Attributes:
        prefix_hash: Of everything from the start of the prompt to the end of this block, 16 bytes. Two calls share a
            cached prefix exactly where they have the same hash.
        tokens: Of this block, >= 0, as the recorder counted them: an estimate unless its counter was exact.
        section: ``tools``, ``system`` or ``messages``.
        ttl: ``5m`` or ``1h`` where the request put a breakpoint here, None elsewhere.
        cacheable: Whether a breakpoint may stand here.

    """

    prefix_hash: bytes
    tokens: int
    section: str
    ttl: str | None = None
    cacheable: bool = True


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """
    What a request asked for, as far as it explains a bill. Wishes: none of it decides a price.

    Attributes:
        model: Id as asked; empty where unknown.
        stream: Whether a stream was asked for.
        max_tokens: As asked; None where absent.
        effort: ``output_config.effort``; None where absent.
        thinking: ``thinking.type`` as asked; None where absent. thinking_budget_tokens: its budget; None: none.
        speed: As asked; None where absent. inference_geo: the same. service_tier: the same.
        tools: How many tools were defined. tools_tokens: what their definitions take, as the recorder counted.
        cache_automatic: Whether the request asked for automatic caching (top-level ``cache_control``).
        blocks: The prompt, in its order; empty where it was not read.

    """

    model: str = ""
    stream: bool = False
    max_tokens: int | None = None
    effort: str | None = None
    thinking: str | None = None
    thinking_budget_tokens: int | None = None
    speed: str | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    tools: int = 0
    tools_tokens: int = 0
    cache_automatic: bool = False
    blocks: tuple[PromptBlock, ...] = ()


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """
    One API call, as it was billed.

    Attributes:
        call_id: Stable identity: the same call seen twice has the same id, whatever file it was read from.
        sent_at: When it was sent; aware, UTC.
        source: Which room it came through: ``claude-code``, ``jsonl``, ``usage``, ``gateway``, ...
        served: What the response says was served.
        dims: Values for :data:`DIMENSIONS` and any other tags. ``api_key`` holds a fingerprint, never a key.
        duration_ms: Send to last byte; ttft_ms: send to first token. None where unknown.
        request: What was asked for; None where the source does not know it.

    """

    call_id: str
    sent_at: datetime
    source: str
    served: Served
    dims: dict[str, str] = {}
    duration_ms: int | None = None
    ttft_ms: int | None = None
    request: Request | None = None
