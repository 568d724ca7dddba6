"""
Fallback credit: a refused request is sent to another model without paying for its cold cache.

A refusal carries a token; the retry that shows it is billed as if the conversation had been on its model all along:
what the refused request read from its model's cache, the retry reads too, instead of writing it.

Source: facts: claude-api 3.6, and the official SDK's descriptions (2.8), checked 2026-11-20. UNCONFIRMED and chosen
here: that exactly the prefix that the refused request *read* moves; that any model but the refused one may be retried;
that other beta headers are a ``body_mismatch``; that a request with ``fallbacks`` gets no token.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.prompts.shape import mapping, mappings
from farthing.sandbox.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from farthing.prompts.blocks import Block
    from farthing.sandbox.accounts import Caller
    from farthing.sandbox.cache import Lookup
    from farthing.sandbox.validate import Terms

LIFETIME = timedelta(minutes=5)
_SWEEP_FIRST = 256
_BETA = "fallback-credit-"
_OBJECT_BETA = "fallback-credit-2026-07-01"
_MAY_CHANGE = (
    "fallback_credit_token",
    "max_tokens",
    "metadata",
    "model",
    "service_tier",
    "stop_sequences",
    "stream",
)


class _Credit(NamedTuple):
    caller: Caller
    model: str
    betas: frozenset[str]
    body: bytes
    messages: int
    said: str | None
    hit_at: int | None
    expires_at: datetime


class Claim(NamedTuple):
    """
    What a token came to.

    Attributes:
        status: For ``usage.fallback_credit``.
        hit_at: Position of the last block that the refused request read; None: nothing moves.

    """

    status: dict[str, Any]
    hit_at: int | None


class Credits:
    """Tokens that were given out. Not locked: its world is."""

    def __init__(self) -> None:
        self._credits: dict[str, _Credit] = {}
        self._sweep_at = _SWEEP_FIRST

    def grant(
        self, token: str, terms: Terms, caller: Caller, at: datetime, refused: tuple[Lookup, Sequence[Any]]
    ) -> bool:
        """
        Remember a refusal; tells whether its answer may be continued by the retry.

        Args:
            token: To be shown by the retry.
            terms: Of the refused request.
            caller: Whose.
            at: When it was refused.
            refused: What it read from the cache, and the content that it put out.

        """
        lookup, content = refused
        if len(self._credits) >= self._sweep_at:  # those just expired stay a while, to be told so
            self._credits = {key: one for key, one in self._credits.items() if one.expires_at > at - LIFETIME}
            self._sweep_at = max(_SWEEP_FIRST, 2 * len(self._credits))
        config, choice = mapping(terms.body.get("output_config")), mapping(terms.body.get("tool_choice"))
        is_bound = config.get("format") is not None or choice.get("type") in ("any", "tool")
        said = _text(content) if content and not is_bound else None
        messages = terms.body["messages"]
        self._credits[token] = _Credit(
            caller,
            terms.model.id,
            terms.betas,
            _sealed(terms.body, len(messages)),
            len(messages),
            said,
            lookup.hit_at,
            at + LIFETIME,
        )
        return said is not None

    def claim(self, terms: Terms, caller: Caller, at: datetime) -> Claim | None:
        """
        What becomes of the token of a request; None where it has none.

        Raises:
            ApiError: The token is malformed, goes with ``fallbacks``, or is no good and the mode is ``strict``.

        """
        given = terms.body.get("fallback_credit_token")
        if given is None:
            return None
        token, mode = _read(given, terms)
        credit = self._credits.get(token)
        if credit is None:
            raise invalid("fallback_credit_token: malformed token")
        if terms.body.get("fallbacks") is not None:
            raise invalid("fallback_credit_token: may not be combined with fallbacks")
        reason = _fault(credit, terms, caller, at)
        if reason is None:
            return Claim({"status": {"type": "redeemed"}}, credit.hit_at)
        if mode == "strict" or len(terms.body["messages"]) > credit.messages:  # only a good token allows a prefill
            raise invalid(f"fallback_credit_token: {reason}")
        return Claim({"status": {"type": "not_applied", "reason": reason}}, None)


def is_eligible(terms: Terms) -> bool:
    """Whether a refusal of this request carries a token."""
    return terms.has_beta(_BETA) and terms.body.get("fallbacks") is None


def credited(lookup: Lookup, blocks: Sequence[Block], hit_at: int | None) -> Lookup:
    """The same, with the prefix up to *hit_at* read where it would have been written. Its entries are written still."""
    if hit_at is None or hit_at >= len(blocks):
        return lookup
    wanted = max(0, blocks[hit_at].prefix_tokens - lookup.read_tokens)
    from_1h = min(wanted, lookup.write_1h_tokens)
    from_5m = min(wanted - from_1h, lookup.write_5m_tokens)
    return lookup._replace(
        read_tokens=lookup.read_tokens + from_1h + from_5m,
        write_1h_tokens=lookup.write_1h_tokens - from_1h,
        write_5m_tokens=lookup.write_5m_tokens - from_5m,
    )


def _read(given: Any, terms: Terms) -> tuple[str, str]:
    if isinstance(given, str):
        return given, "strict"
    if not isinstance(given, dict) or _OBJECT_BETA not in terms.betas:
        raise invalid("fallback_credit_token: Input should be a valid string")
    token, mode = given.get("token"), given.get("mode", "strict")
    if not isinstance(token, str):
        raise invalid("fallback_credit_token.token: Field required")
    if mode not in ("strict", "best_effort"):
        raise invalid("fallback_credit_token.mode: Input should be 'strict' or 'best_effort'")
    return token, mode


def _fault(credit: _Credit, terms: Terms, caller: Caller, at: datetime) -> str | None:
    """Why a token is no good, in the API's words; None where it is."""
    body, added = terms.body, terms.body["messages"][credit.messages :]
    is_answer = len(added) == 1 and added[0]["role"] == "assistant" and _text(added[0]["content"]) == credit.said
    checks = (
        ("wrong_organization", caller.organization_id != credit.caller.organization_id),
        ("wrong_workspace", caller.workspace_id != credit.caller.workspace_id),
        ("expired", credit.expires_at <= at),
        ("invalid_target_model", terms.model.id == credit.model),
        ("body_mismatch", terms.betas != credit.betas or _sealed(body, credit.messages) != credit.body),
        ("continuation_excluded", bool(added) and credit.said is None),
        ("body_mismatch", bool(added) and not is_answer),
    )
    return next((reason for reason, is_so in checks if is_so), None)


def _sealed(body: Mapping[str, Any], messages: int) -> bytes:
    """A digest of what must not change: the body with its first *messages*, without what may."""
    fixed = {name: value for name, value in body.items() if name not in _MAY_CHANGE}
    fixed["messages"] = body["messages"][:messages]
    return blake2b(msgspec.json.encode(fixed, order="deterministic"), digest_size=16).digest()


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content.rstrip()
    return "".join(str(block.get("text", "")) for block in mappings(content)).rstrip()
