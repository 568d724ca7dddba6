"""
What each model refuses: a day before its release or past its end, lengths, modes, speeds and places that are not its.

Source: facts: claude-api 0.2, 0.3, 1.2 and the price book; checked 2026-11-20.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from farthing.prompts.shape import mapping, mappings
from farthing.sandbox.problems import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model, RateRow
    from farthing.sandbox.accounts import Workspace

OLD_VERSION, NEW_VERSION = "2023-06-01", "2026-10-21"
SAMPLING = {"temperature": 1, "top_p": 1, "top_k": None}
"""Sampling parameters and their defaults; no ``top_k`` is the same as none given."""
_CHANNEL = "claude_api"
_FORCED_REFUSED = frozenset({"claude-fable-5-1", "claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5"})
_FAST_WITHOUT_BETA = {"claude-opus-5-5": date(2026, 10, 15)}
"""Models whose fast mode is generally available, and since when."""


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
    if named is None or named.channel != _CHANNEL or not is_served(book, named.model, on):
        raise ApiError("not_found_error", f"model: {wanted[:256]}")
    return named.model


def is_served(book: PriceBook, model: Model, on: date) -> bool:
    """Whether the Claude API itself served a model on that day: other platforms keep some of them for longer."""
    return not model.has_retired(on) and bool(_rows(book, model, on))


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
        check_thinking({"thinking": thinking, "max_tokens": 2048}, model)
    except ApiError:
        return False
    return True


def check_model(body: Mapping[str, Any], model: Model, version: str, *, batch: bool) -> None:
    """
    What the model itself refuses of a request whose shape is right.

    Raises:
        ApiError: The 400.

    """
    check_thinking(body, model)
    choice = mapping(body.get("tool_choice")).get("type")
    if choice in ("any", "tool") and model.id in _FORCED_REFUSED:
        raise invalid(f"tool_choice: {choice!r} is not supported by {model.id}; use 'auto' or 'none'")
    has_token = body.get("fallback_credit_token") is not None and not batch  # it may allow a prefill: credit.py
    if is_4_6_or_later(model) and _is_prefilled(body) and not has_token:
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if version == OLD_VERSION and is_4_7_or_later(model):
        for name, default in SAMPLING.items():
            if body.get(name) is not None and body[name] != default:
                raise invalid(f"{name}: is not supported by {model.id}")


def check_max_tokens(body: Mapping[str, Any], model: Model, betas: frozenset[str], *, batch: bool) -> None:
    """
    Whether ``max_tokens`` is a length that the model can put out.

    Raises:
        ApiError: The 400.

    """
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


def check_thinking(body: Mapping[str, Any], model: Model) -> None:
    """
    Whether the model has that way of thinking.

    Raises:
        ApiError: The 400.

    """
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


def has_fast_mode(book: PriceBook, model: Model, betas: frozenset[str], on: date) -> bool:
    """Whether ``speed: "fast"`` is sold for a model on that day, to a caller who asked for these betas."""
    if not any(row.speed == "fast" for row in _rows(book, model, on)):
        return False
    return on >= _FAST_WITHOUT_BETA.get(model.id, date.max) or any(beta.startswith("fast-mode-") for beta in betas)


def speed_of(book: PriceBook, body: Mapping[str, Any], model: Model, betas: frozenset[str], on: date) -> str:
    """
    The speed that will be served: Opus 4.6 falls back to standard since its fast mode was withdrawn.

    Raises:
        ApiError: The model has no fast mode on that day, or it needs a beta.

    """
    if body.get("speed") != "fast":
        return "standard"
    if has_fast_mode(book, model, betas, on):
        return "fast"
    if any(row.speed == "fast" for row in _rows(book, model, on)):
        raise invalid("speed: Extra inputs are not permitted")
    if model.id == "claude-opus-4-6":
        return "standard"
    raise invalid(f"speed: 'fast' is not supported by {model.id}")


def geo_of(body: Mapping[str, Any], model: Model, workspace: Workspace) -> str:
    """
    Where it will be served, as the response reports it: ``not_available`` on models that know no places.

    Raises:
        ApiError: There is no such place, or the model or the workspace has it not.

    """
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


def _rows(book: PriceBook, model: Model, on: date) -> list[RateRow]:
    return [row for row in book.rows(model, on) if row.channel in (None, _CHANNEL)]


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
