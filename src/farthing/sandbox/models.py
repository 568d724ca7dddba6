"""
The Models API: what the price book knows of each model, in the API's shape. It has no prices.

Source: facts: claude-api 10.6, 0.3, and the official SDK's types (2.8), checked 2026-11-20. ``capabilities`` has what
is documented and enforced here, batches and thinking; what else a model can do is left out, not guessed. UNCONFIRMED
and chosen here: ``allowed_fallback_models`` are all others of the day, because the sandbox takes any.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from farthing.sandbox.model_rules import accepts_thinking, is_served
from farthing.sandbox.paging import rfc3339
from farthing.sandbox.problems import ApiError

if TYPE_CHECKING:
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model

_LINES = frozenset({"fable", "haiku", "mythos", "opus", "sonnet"})


def list_models(book: PriceBook, on: date) -> list[dict[str, Any]]:
    """Every model released by that day, the newest first."""
    released = [model for model in book.models if model.ids.claude_api and is_released(book, model, on)]
    released.sort(key=lambda model: (model.released or EPOCH, model.id), reverse=True)
    return [model_json(model, on) for model in released]


def get_model(book: PriceBook, wanted: str, on: date) -> dict[str, Any]:
    """
    One model, by its id or an alias.

    Raises:
        ApiError: There is none, or there was none yet.

    """
    named = book.names.find(wanted) if len(wanted) <= 256 else None
    if named is None or named.channel != "claude_api" or not is_released(book, named.model, on):
        raise ApiError("not_found_error", f"model: {wanted[:256]}")
    return model_json(named.model, on)


def model_json(model: Model, on: date) -> dict[str, Any]:
    """One object of the Models API, as it looks on that day."""
    lifecycle = lifecycle_of(model, on)
    retires = model.retired or model.retires_on or (model.retire_not_before if lifecycle == "deprecated" else None)
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": _midnight(model.released or EPOCH),
        "line": model.family if model.family in _LINES else None,
        "lifecycle": lifecycle,
        "deprecated_at": _midnight(model.deprecated) if lifecycle != "active" else None,
        "retires_at": _midnight(retires) if lifecycle != "active" else None,
        "max_input_tokens": model.context_window_tokens,
        "max_tokens": model.output_tokens_max,
        "capabilities": _capabilities(model),
    }


def with_fallbacks(shown: dict[str, Any], book: PriceBook, on: date) -> dict[str, Any]:
    """The object as the server-side-fallback beta shows it."""
    served = [one.id for one in book.models if one.ids.claude_api and is_served(book, one, on)]
    return {**shown, "allowed_fallback_models": [one for one in served if one != shown["id"]]}


_THINKING = ("adaptive", "between_tools", "disabled", "enabled")
_BEFORE_THINKING = ("claude-2", "claude-3-5", "claude-3-haiku", "claude-3-opus", "claude-3-sonnet", "claude-instant")


def _capabilities(model: Model) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(model.applies.batch, bool):
        found["batch"] = {"supported": model.applies.batch}
    if not model.id.startswith(_BEFORE_THINKING):
        types = {kind: accepts_thinking(model, kind) for kind in _THINKING}
        found["thinking"] = {
            "supported": types["adaptive"] or types["enabled"],
            "types": {kind: {"supported": accepted} for kind, accepted in types.items()},
        }
    return found


def lifecycle_of(model: Model, on: date) -> str:
    """``active``, ``deprecated`` or ``retired`` on that day."""
    if model.has_retired(on):
        return "retired"
    return "deprecated" if model.deprecated is not None and model.deprecated <= on else "active"


EPOCH = datetime(1970, 1, 1, tzinfo=UTC).date()
"""What the API says where a release day is unknown."""


def is_released(book: PriceBook, model: Model, on: date) -> bool:
    """Whether a model was out on that day."""
    if model.released is not None:
        return model.released <= on
    return bool(book.rows(model, on))


def _midnight(day: date | None) -> str | None:
    return None if day is None else rfc3339(datetime.combine(day, time(), UTC))
