"""
Every decision about a request, before anything is sent: facts, policy and state in, one action out. Pure.

Limits and levers will be further rules here: they return another action, and nothing else changes.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from farthing.gateway.routes import OUTCOMES, Route, is_api, is_own, is_tricky, meant, route_of


class RequestFacts(msgspec.Struct, frozen=True, gc=False):
    """
    What is known of a request when its head is there.

    Attributes:
        method: As it came. path: decoded, without the query. raw_path: as it came.
        has_credentials: Whether it carries an API key or a bearer token.

    """

    method: str
    path: str
    raw_path: bytes
    has_credentials: bool


class Policy(NamedTuple):
    """
    What the operator decided.

    Attributes:
        calls_max: Requests that are forwarded at once.
        retries: How often a refused call is sent again.

    """

    calls_max: int = 10_000
    retries: int = 0


class State(msgspec.Struct, frozen=True, gc=False):
    """What is so right now: requests under way that are forwarded, this one not counted."""

    calls: int = 0


class Forward(msgspec.Struct, frozen=True, gc=False):
    """Send it upstream, at most *attempts_max* times, and read the answer as *route* says."""

    route: Route
    attempts_max: int = 1


class Tell(NamedTuple):
    """Take it here: it tells of outcomes."""


class Refuse(NamedTuple):
    """Answer it here, with an error of the API's shape; *headers* go along with it."""

    status: int
    error_type: str
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Refused(Exception):
    """
    The request was read and may not be sent; the client was told nothing yet.

    Args:
        refusal: What it is to be told.

    """

    def __init__(self, refusal: Refuse) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


Action = Forward | Tell | Refuse


def decide(facts: RequestFacts, policy: Policy, state: State) -> Action:
    """What to do with a request."""
    if is_tricky(facts.raw_path):
        return Refuse(400, "invalid_request_error", "farthing: this path could be read in two ways")
    if facts.method in ("CONNECT", "TRACE"):  # one asks for a tunnel, the other to be shown the credentials sent
        return Refuse(405, "invalid_request_error", "farthing: this method is not forwarded")
    if not is_api(facts.path):
        return Refuse(404, "not_found_error", "farthing: only paths below /v1 are forwarded")
    if not facts.has_credentials and not facts.path.startswith("/v1/oauth/"):  # these carry theirs in the body
        why = "says who tells, and goes no further" if is_own(facts.path) else "is passed on to the API"
        message = f"farthing: x-api-key or Authorization: Bearer is required; it {why}"
        return Refuse(401, "authentication_error", message)
    return _own(facts) if is_own(facts.path) else _forward(facts, policy, state)


def _forward(facts: RequestFacts, policy: Policy, state: State) -> Action:
    if state.calls >= policy.calls_max:
        return Refuse(529, "overloaded_error", "farthing: too many requests are under way")
    route = route_of(facts.method, meant(facts.path))
    return Forward(route, 1 + policy.retries if route is Route.MESSAGES else 1)


def _own(facts: RequestFacts) -> Action:
    if facts.path != OUTCOMES:
        return Refuse(404, "not_found_error", f"farthing: {OUTCOMES} is all there is here")
    if facts.method != "POST":
        message = "farthing: outcomes are told with POST; farthing outcomes and the dashboard show them"
        return Refuse(405, "invalid_request_error", message, ((b"allow", b"POST"),))
    return Tell()
