"""
What the Messages API refuses in the shape of a request, whichever model it is for.

Only documented refusals; a body that the real API would also refuse for its finer schema passes here.

Source: facts: claude-api 0.1, 2 and 5.9; checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.prompts.shape import mapping, mappings
from farthing.sandbox.model_rules import NEW_VERSION, SAMPLING
from farthing.sandbox.problems import invalid
from farthing.sandbox.threads import unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGES_MAX = 100_000
_BETA_FIELDS = {
    "compaction": ("compact-",),
    "context_management": ("context-management-", "compact-"),
    "fallbacks": ("server-side-fallback-",),
    "fallback_credit_token": ("fallback-credit-",),
    "mcp_servers": ("mcp-client-",),
    "thread": ("message-threads-",),
}
"""Fields that are refused unless a beta with one of these prefixes is asked for."""
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "system": ((str, list), "string or list"),
    "tools": (list, "list"),
    "tool_choice": (dict, "dictionary"),
    "thinking": (dict, "dictionary"),
    "output_config": (dict, "dictionary"),
    "metadata": (dict, "dictionary"),
    "context_management": (dict, "dictionary"),
    "stop_sequences": (list, "list"),
    "stream": (bool, "boolean"),
}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def check_shape(body: Mapping[str, Any], version: str, betas: frozenset[str], *, batch: bool) -> None:
    """
    Whether a request is one, for that version and these betas.

    Raises:
        ApiError: The 400.

    """
    _check_messages(body, version, betas)
    _check_types(body)
    _check_fields(body, betas)
    if version == NEW_VERSION:
        _check_new_version(body)
    if batch:
        _check_batch(body)
    if body.get("max_tokens") == 0:
        _check_prewarm(body, batch=batch)


def _check_messages(body: Mapping[str, Any], version: str, betas: frozenset[str]) -> None:
    messages = body.get("messages")
    if messages is None:
        raise invalid("messages: Field required")
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    if len(messages) > MESSAGES_MAX:
        raise invalid(f"messages: List should have at most {MESSAGES_MAX} items")
    roles = {"user", "assistant"}
    if any(beta.startswith("mid-conversation-") for beta in betas):
        roles.add("system")
    for at, message in enumerate(messages):
        _check_message(message, f"messages.{at}", roles)
        if version == NEW_VERSION:
            _check_new_blocks(message, f"messages.{at}")


def _check_message(message: Any, path: str, roles: set[str]) -> None:
    if not isinstance(message, dict):
        raise invalid(f"{path}: Input should be a valid dictionary")
    if message.get("role") not in roles:
        raise invalid(f"{path}.role: Input should be {' or '.join(repr(role) for role in sorted(roles))}")
    content = message.get("content")
    if content is None:
        raise invalid(f"{path}.content: Field required")
    if not isinstance(content, str | list):
        raise invalid(f"{path}.content: Input should be a valid string or list")
    for at, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise invalid(f"{path}.content.{at}.type: Field required")


def _check_new_blocks(message: Mapping[str, Any], path: str) -> None:
    for at, block in enumerate(mappings(message.get("content"))):
        if message["role"] == "assistant" and block.get("type") == "document":
            raise invalid(f"{path}.content.{at}: document blocks are not permitted in assistant messages")
        if message["role"] == "user" and block.get("type") == "text" and block.get("citations"):
            raise invalid(f"{path}.content.{at}.text.citations: Extra inputs are not permitted")


def _check_new_version(body: Mapping[str, Any]) -> None:
    for name in SAMPLING:
        if name in body:
            raise invalid(f"{name}: Extra inputs are not permitted")


def _check_types(body: Mapping[str, Any]) -> None:
    for field, (types, name) in _TYPES.items():
        if body.get(field) is not None and not isinstance(body[field], types):
            raise invalid(f"{field}: Input should be a valid {name}")
    for at, sequence in enumerate(body.get("stop_sequences") or ()):
        if not isinstance(sequence, str):
            raise invalid(f"stop_sequences.{at}: Input should be a valid string")


def _check_fields(body: Mapping[str, Any], betas: frozenset[str]) -> None:
    for field, prefixes in _BETA_FIELDS.items():
        if body.get(field) is not None and not any(name.startswith(prefixes) for name in betas):
            raise invalid(f"{field}: Extra inputs are not permitted")
    if body.get("compaction") is not None and body.get("context_management") is not None:
        raise invalid("compaction: may not be combined with context_management")
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise invalid("service_tier: Input should be 'auto' or 'standard_only'")
    if body.get("speed", "standard") not in ("standard", "fast", None):
        raise invalid("speed: Input should be 'standard' or 'fast'")
    effort = mapping(body.get("output_config")).get("effort")
    if effort is not None and effort not in _EFFORTS:
        raise invalid(f"output_config.effort: Input should be {', '.join(repr(one) for one in _EFFORTS)}")


def _check_batch(body: Mapping[str, Any]) -> None:
    if body.get("stream"):
        raise invalid("stream: streaming is not supported in batches")
    if body.get("speed") == "fast":
        raise invalid("speed: 'fast' is not supported in batches")
    if body.get("thread") is not None:
        raise unsupported("batches")


def _check_prewarm(body: Mapping[str, Any], *, batch: bool) -> None:
    """``max_tokens: 0`` reads the prompt into the cache, and goes with little else (facts: claude-api 5.9)."""
    config = mapping(body.get("output_config"))
    clashes = {
        "stream": bool(body.get("stream")),
        "thinking.type 'enabled'": mapping(body.get("thinking")).get("type") == "enabled",
        "output_config.format": config.get("format") is not None,
        "tool_choice 'any' or 'tool'": mapping(body.get("tool_choice")).get("type") in ("any", "tool"),
        "batches": batch,
    }
    for what, clash in clashes.items():
        if clash:
            raise invalid(f"max_tokens: 0 may not be combined with {what}")
