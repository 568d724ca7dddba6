"""
What the Messages API refuses before it generates anything, per model and per API version.

Only documented refusals; a body that the real API would also refuse for its finer schema passes here.

Source: facts: claude-api 0.1, 0.3, 2, 5.9 and the emulator's list in 18; checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.prompts.shape import mapping, mappings
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.threads import unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model
    from farthing.sandbox.accounts import Workspace

OLD_VERSION, NEW_VERSION = "2023-06-01", "2026-10-21"
BODY_BYTES_MAX = 32 * 1024 * 1024
MESSAGES_MAX = 100_000
_FORCED_REFUSED = frozenset({"claude-fable-5-1", "claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5"})
_SAMPLING = {"temperature": 1, "top_p": 1, "top_k": None}
"""Sampling parameters and their defaults; no ``top_k`` is the same as none given."""
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
    "stop_sequences": (list, "list"),
    "stream": (bool, "boolean"),
}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


class Terms(NamedTuple):
    """
    What is known of a request once it is accepted.

    Attributes:
        body: The decoded request.
        model: The model asked for.
        version: API version.
        betas: As asked for.
        speed: The speed it will run at, which a withdrawn fast mode changes.
        inference_geo: As the response will report it.
        on: Day of the request.

    """

    body: Mapping[str, Any]
    model: Model
    version: str
    betas: frozenset[str]
    speed: str
    inference_geo: str
    on: date

    def __repr__(self) -> str:
        return f"<Terms {self.model.id}, {self.version}>"

    def has_beta(self, prefix: str) -> bool:
        """Whether a beta that begins so was asked for."""
        return any(beta.startswith(prefix) for beta in self.betas)


def accept(
    book: PriceBook,
    headers: Mapping[str, str],
    raw: bytes,
    workspace: Workspace,
    on: date,
    *,
    batch: bool,
    counting: bool,
) -> Terms:
    """
    Accept a request, or say why not.

    Args:
        book: Which models there are.
        headers: By lower-case name.
        raw: The body as received.
        workspace: Of the caller.
        on: Day of the request.
        batch: It is a request of a Message Batch.
        counting: It is for ``count_tokens``, which takes no ``max_tokens``.

    Raises:
        ApiError: The error answer.

    """
    version, betas = _version(headers), _betas(headers)
    body = decode(raw)
    model = find_model(book, body.get("model"), on)
    if not counting:
        _check_max_tokens(body, model, betas, batch=batch)
    _check_messages(body, version, betas)
    _check_types(body)
    _check_fields(body, betas)
    if version == NEW_VERSION:
        _check_new_version(body)
    _check_model(body, model, version, batch=batch)
    if batch:
        _check_batch(body)
    if body.get("max_tokens") == 0:
        _check_prewarm(body, batch=batch)
    speed = _speed(book, body, model, betas, on)
    return Terms(body, model, version, betas, speed, _geo(body, model, workspace), on)


def decode(raw: bytes) -> dict[str, Any]:
    """
    The body as an object.

    Raises:
        ApiError: It is too large, not JSON or not an object.

    """
    if len(raw) > BODY_BYTES_MAX:
        raise ApiError("request_too_large", "Request exceeds the maximum size")
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object")
    return body


def find_model(book: PriceBook, wanted: Any, on: date) -> Model:
    """
    The model of that id, if it was served on that day.

    Raises:
        ApiError: No such model, or not on that day.

    """
    if wanted is None:
        raise invalid("model: Field required")
    if not isinstance(wanted, str):
        raise invalid("model: Input should be a valid string")
    named = book.names.find(wanted) if len(wanted) <= 256 else None
    if named is None or named.channel != "claude_api" or not book.rows(named.model, on):
        raise ApiError("not_found_error", f"model: {wanted[:256]}")
    return named.model


def is_4_6_or_later(model: Model) -> bool:
    """Whether a model is of the 4.6 generation or newer: those that take ``inference_geo``."""
    return model.applies.inference_geo_us is True or is_4_7_or_later(model)


def is_4_7_or_later(model: Model) -> bool:
    """Whether a model is 4.7 or newer: those of the newer tokenizer."""
    return model.tokenizer == "4.7"


def accepts_thinking(model: Model, kind: str) -> bool:
    """Whether a request with that ``thinking.type`` is not a 400 for this model."""
    thinking = {"type": kind, "budget_tokens": 1024}
    try:
        _check_thinking({"thinking": thinking, "max_tokens": 2048}, model)
    except ApiError:
        return False
    return True


def _version(headers: Mapping[str, str]) -> str:
    version = headers.get("anthropic-version")
    if not version:
        raise invalid("anthropic-version: header is required")
    if version not in (OLD_VERSION, NEW_VERSION):
        raise invalid(f"anthropic-version: not a known version; expected {OLD_VERSION} or {NEW_VERSION}")
    return version


def _betas(headers: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for part in headers.get("anthropic-beta", "").split(",") if (name := part.strip()))


def _check_max_tokens(body: Mapping[str, Any], model: Model, betas: frozenset[str], *, batch: bool) -> None:
    wanted = body.get("max_tokens")
    if wanted is None:
        raise invalid("max_tokens: Field required")
    if type(wanted) is not int:
        raise invalid("max_tokens: Input should be a valid integer")
    if wanted < 0:
        raise invalid("max_tokens: Input should be greater than or equal to 0")
    longest = model.output_tokens_max
    if batch and "output-300k-2026-03-24" in betas:
        longest = model.output_tokens_max_batch_beta or longest
    if wanted > longest:
        raise invalid(
            f"max_tokens: {wanted} > {longest}, which is the maximum allowed number of output tokens for {model.id}"
        )


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
    for name in _SAMPLING:
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


def _check_model(body: Mapping[str, Any], model: Model, version: str, *, batch: bool) -> None:
    _check_thinking(body, model)
    choice = mapping(body.get("tool_choice")).get("type")
    if choice in ("any", "tool") and model.id in _FORCED_REFUSED:
        raise invalid(f"tool_choice: {choice!r} is not supported by {model.id}; use 'auto' or 'none'")
    has_token = body.get("fallback_credit_token") is not None and not batch  # it may allow a prefill: credit.py
    if is_4_6_or_later(model) and _is_prefilled(body) and not has_token:
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if version == OLD_VERSION and is_4_7_or_later(model):
        for name, default in _SAMPLING.items():
            if body.get(name) is not None and body[name] != default:
                raise invalid(f"{name}: is not supported by {model.id}")


def _check_thinking(body: Mapping[str, Any], model: Model) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    match mapping(thinking).get("type"):
        case "enabled":
            if is_4_7_or_later(model):
                raise invalid(f"thinking.type: 'enabled' is not supported by {model.id}; use 'adaptive'")
            _check_budget(mapping(thinking).get("budget_tokens"), body.get("max_tokens"))
        case "adaptive":
            if not is_4_6_or_later(model):
                raise invalid(f"thinking.type: 'adaptive' is not supported by {model.id}; use 'enabled'")
        case "disabled":
            _check_disabled(body, model)
        case "between_tools":
            if not model.id.startswith(("claude-sonnet-5", "claude-opus-5", "claude-haiku-5")):
                raise invalid(f"thinking.type: 'between_tools' is not supported by {model.id}")
        case _:
            raise invalid("thinking.type: Input should be 'adaptive', 'between_tools', 'disabled' or 'enabled'")


def _check_budget(budget: Any, max_tokens: Any) -> None:
    if type(budget) is not int:
        raise invalid("thinking.enabled.budget_tokens: Field required")
    if budget < 1024:
        raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if isinstance(max_tokens, int) and max_tokens and budget >= max_tokens:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")


def _check_disabled(body: Mapping[str, Any], model: Model) -> None:
    if model.family in ("fable", "mythos") or model.id in ("claude-opus-5-5", "claude-sonnet-5-5"):
        raise invalid(f"thinking.type: 'disabled' is not supported by {model.id}")
    effort = mapping(body.get("output_config")).get("effort")
    if model.id == "claude-opus-5" and effort in ("xhigh", "max"):
        raise invalid(f"thinking.type: 'disabled' is not supported by {model.id} at effort {effort!r}")


def _is_prefilled(body: Mapping[str, Any]) -> bool:
    """An assistant turn at the end that is not a paused server-tool loop, which is sent back to go on."""
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return False
    blocks = mappings(last["content"])
    kind = str(blocks[-1].get("type")) if blocks else "text"
    return not (kind == "server_tool_use" or (kind.endswith("_tool_result") and kind != "tool_result"))


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


def _speed(book: PriceBook, body: Mapping[str, Any], model: Model, betas: frozenset[str], on: date) -> str:
    """What will be served: fast where it is sold on that day; Opus 4.6 falls back since its fast mode was withdrawn."""
    if body.get("speed") != "fast":
        return "standard"
    if not any(row.speed == "fast" for row in book.rows(model, on)):
        if model.id == "claude-opus-4-6":
            return "standard"
        raise invalid(f"speed: 'fast' is not supported by {model.id}")
    if model.id != "claude-opus-5-5" and not any(beta.startswith("fast-mode-") for beta in betas):
        raise invalid("speed: Extra inputs are not permitted")
    return "fast"


def _geo(body: Mapping[str, Any], model: Model, workspace: Workspace) -> str:
    wanted = body.get("inference_geo")
    if not is_4_6_or_later(model):
        if wanted is not None:
            raise invalid(f"inference_geo: is not supported by {model.id}")
        return "not_available"
    if wanted is None:
        return workspace.default_inference_geo
    if wanted not in ("global", "us"):
        raise invalid("inference_geo: Input should be 'global' or 'us'")
    if wanted not in workspace.allowed_inference_geos:
        raise invalid(f"inference_geo: {wanted!r} is not allowed in this workspace")
    return str(wanted)
