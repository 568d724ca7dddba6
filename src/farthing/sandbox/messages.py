"""
``POST /v1/messages`` and ``/v1/messages/count_tokens`` without HTTP: bytes in, an answer that is played out.

The order of one request: read and validate, spend limits, prompt cache, rate limits, faults, reply, usage. Nothing
waits: events carry their delays.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.prompts.blocks import read_prompt
from farthing.prompts.breakpoints import BadBreakpoint
from farthing.sandbox import spend
from farthing.sandbox.begun import Begun, Headers, Taken
from farthing.sandbox.cache import Scope
from farthing.sandbox.claude_code import dims_of
from farthing.sandbox.credit import credited
from farthing.sandbox.editing import edited
from farthing.sandbox.fallbacks import fallbacks_of
from farthing.sandbox.limits import Charge
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.replies import Ask
from farthing.sandbox.stream import Event
from farthing.sandbox.threads import unsupported
from farthing.sandbox.turn import Attempt, Turn, decline, serve
from farthing.sandbox.validate import Terms, accept

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.prices.schema import Model
    from farthing.sandbox.accounts import Caller, Key
    from farthing.sandbox.faults import Fault
    from farthing.sandbox.tokenizer import SandboxCounter
    from farthing.sandbox.world import World

__all__ = ["Begun", "Event", "Headers", "Refused", "begin", "count_tokens"]

UNCONFIRMED_TOKENS_MIN = 512
"""Shortest cacheable prefix where the book has none: presumably as on the models before (facts: claude-api 5.3)."""

WORKSPACES_APART = date(2026, 2, 5)
"""From this day on an organisation's workspaces share no cached prefix (facts: claude-api 5.11)."""


class Refused(NamedTuple):
    """An answer that is an error. Nothing was generated and nothing is booked."""

    status: int
    headers: Headers
    body: bytes


def begin(
    world: World,
    caller: Caller,
    headers: Mapping[str, str],
    body: bytes,
    *,
    service_tier: str = "standard",
) -> Begun | Refused:
    """
    Take one Messages request.

    Args:
        world: The sandbox.
        caller: Who is billed; authentication is the caller's business.
        headers: Request headers by lower-case name; ``anthropic-version`` and ``anthropic-beta`` are read.
        body: As received.
        service_tier: ``standard``, or ``batch`` for a request of a Message Batch: no rate limits, no stream.

    """
    request_id = world.new_id("req_")
    with world.lock:
        try:
            return _begin(world, caller, headers, body, (service_tier, request_id))
        except ApiError as error:
            return refused(world, caller, error, request_id)


def count_tokens(world: World, caller: Caller, headers: Mapping[str, str], body: bytes) -> tuple[int, Headers, bytes]:
    """``POST /v1/messages/count_tokens``: status, headers, body. Free; has a rate limit of its own."""
    request_id = world.new_id("req_")
    with world.lock:
        at = world.clock.now()
        try:
            workspace = world.accounts.workspaces[caller.workspace_id]
            terms = accept(world.book, headers, body, workspace, at.date(), batch=False, counting=True)
            if terms.body.get("thread") is not None:
                raise unsupported("count_tokens")
            world.limits.admit_count(world.accounts.organizations[caller.organization_id], at)
            counter = world.counter(caller, terms.model, at)
            read, edits = edited(terms.body, lambda body: _count(body, counter, terms.model))
            tokens = _count(read, counter, terms.model)
            before = _count(terms.body, counter, terms.model) if edits else tokens
        except ApiError as error:
            return refused(world, caller, error, request_id)
    answer: dict[str, Any] = {"input_tokens": tokens}
    if terms.has_beta("context-management-"):
        answer["context_management"] = {"original_input_tokens": before}
    return 200, identity_headers(caller, request_id), msgspec.json.encode(answer)


def refused(world: World, asker: Caller | Key | None, error: ApiError, request_id: str | None = None) -> Refused:
    """An error answer with its headers, for any route; *asker* is None where nobody is known."""
    request_id = request_id or world.new_id("req_")
    headers = identity_headers(asker, request_id) + list(error.headers)
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(error.retry_after_s)))
    return Refused(error.status, headers, error.body(request_id))


def identity_headers(asker: Caller | Key | None, request_id: str) -> Headers:
    """The headers that are on every response: which request it was, and who was charged."""
    headers = [("request-id", request_id)]
    if asker is not None:
        headers.append(("anthropic-organization-id", asker.organization_id))
        if asker.workspace_id is not None:
            headers.append(("anthropic-workspace-id", asker.workspace_id))
    return headers


def _begin(world: World, caller: Caller, headers: Mapping[str, str], body: bytes, named: tuple[str, str]) -> Begun:
    service_tier, request_id = named
    at = world.clock.now()
    batch = service_tier == "batch"
    organization = world.accounts.organizations[caller.organization_id]
    workspace = world.accounts.workspaces[caller.workspace_id]
    terms = accept(world.book, headers, body, workspace, at.date(), batch=batch, counting=False)
    terms = terms._replace(body=world.threads.resume(terms.body, caller, at))
    fallbacks = fallbacks_of(world.book, terms, workspace, world.default_fallbacks)
    spend.check(world.books, organization, workspace, at)
    claim = None if batch else world.credits.claim(terms, caller, at)
    attempt = _attempt(world, caller, terms, at)
    if claim is not None:
        attempt = attempt._replace(lookup=credited(attempt.lookup, attempt.prompt.blocks, claim.hit_at))
    charge = None if batch else Charge(organization, workspace, terms.model.id, terms.speed)
    if charge is not None:
        usage = attempt.usage
        fresh = usage.prompt_tokens - usage.cache_read_tokens
        world.limits.admit(charge, at, fresh_tokens=fresh, read_tokens=usage.cache_read_tokens)
    ask = Ask(terms.body, terms.model.id, caller, at, service_tier, 0, attempt.prompt.tokens)
    fault = world.faults.strike(ask)
    if fault.problem is not None:
        raise _with_limits(world, fault, charge, at)
    taken = Taken(caller, terms, service_tier, charge, fault, request_id, at, dims_of(headers, terms.body), claim)
    begun = _generated(world, taken, attempt, ask, fallbacks)
    world.threads.began(terms.body)
    return begun


def _with_limits(world: World, fault: Fault, charge: Charge | None, at: datetime) -> ApiError:
    problem = fault.problem
    assert problem is not None, "the fault refuses"
    problem.headers = tuple(world.limits.headers(charge, at)) if charge else ()
    return problem


def _generated(world: World, taken: Taken, attempt: Attempt, ask: Ask, fallbacks: list[Terms]) -> Begun:
    """Ask one model after the other until one answers or none is left."""
    turn, attempts = Turn(attempt.model.id), [attempt]
    while True:
        world.cache.start(attempt.lookup)
        reply = world.replies.reply(ask)
        if reply.refusal is None or not fallbacks:
            break
        terms = fallbacks.pop(0)
        decline(turn, attempt, reply, world.new_id, terms.model.id)
        attempt = _attempt(world, taken.caller, terms, taken.at)
        attempts.append(attempt)
        ask = ask._replace(
            body=terms.body, model=terms.model.id, attempt=ask.attempt + 1, prompt_tokens=attempt.prompt.tokens
        )
    serve(turn, attempt, reply, world.new_id, compaction_beta=taken.terms.has_beta("compact-"))
    return Begun(world, taken, attempts, turn, reply)


def _attempt(world: World, caller: Caller, terms: Terms, at: datetime) -> Attempt:
    model, counter = terms.model, world.counter(caller, terms.model, at)
    body, edits = edited(terms.body, lambda body: _count(body, counter, model))
    terms = terms._replace(body=body)
    try:
        prompt = read_prompt(body, counter, model=model.id, inference_geo=terms.inference_geo)
    except BadBreakpoint as error:
        raise invalid(error.read) from None
    if prompt.tokens > model.context_window_tokens:
        raise invalid(f"prompt is too long: {prompt.tokens} tokens > {model.context_window_tokens} maximum")
    tokens_min = model.cacheable_prefix.tokens_min or UNCONFIRMED_TOKENS_MIN
    scope = Scope(caller.organization_id, caller.workspace_id if at.date() >= WORKSPACES_APART else "", model.id)
    lookup = world.cache.look_up(scope, prompt.blocks, at, tokens_min=tokens_min)
    return Attempt(terms, prompt, lookup, tokens_min, edits)


def _count(body: Mapping[str, Any], counter: SandboxCounter, model: Model) -> int:
    return read_prompt(body, counter, model=model.id, breakpoints=False).tokens
