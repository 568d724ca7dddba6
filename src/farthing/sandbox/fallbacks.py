"""
Server-side fallbacks: the request as each further model gets it.

An entry's own fields are checked as if the request had been made to its model; what it leaves out it takes from the
request as far as its model has it.

Source: facts: claude-api 2, and the official SDK's descriptions (2.8); checked 2026-11-20. UNCONFIRMED and chosen here:
that a request whose other fields an entry's model refuses is refused at once; that a request's ``max_tokens`` beyond
what an entry's model can put out is shortened to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.prompts.shape import mapping
from farthing.sandbox.model_rules import (
    accepts_thinking,
    check_max_tokens,
    check_model,
    find_model,
    geo_of,
    has_fast_mode,
    speed_of,
)
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.shapes import check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model
    from farthing.sandbox.accounts import Workspace
    from farthing.sandbox.validate import Terms

_FIELDS = frozenset({"model", "max_tokens", "thinking", "output_config", "speed"})


def fallbacks_of(
    book: PriceBook, terms: Terms, workspace: Workspace, defaults: Mapping[str, tuple[str, ...]]
) -> list[Terms]:
    """
    What the models after the first are asked, in order; empty where the request names none.

    Args:
        book: Which models there are.
        terms: Of the request.
        workspace: Of the caller.
        defaults: What ``"default"`` stands for, by the model asked for.

    Raises:
        ApiError: An entry is none, or its model refuses the request.

    """
    listed = terms.body.get("fallbacks")
    if listed is None:
        return []
    if listed == "default":
        listed = [{"model": model} for model in defaults.get(terms.model.id, ())]
    if not isinstance(listed, list):
        raise invalid("fallbacks: Input should be a valid list or 'default'")
    return [_fallback(book, terms, workspace, entry, f"fallbacks.{at}") for at, entry in enumerate(listed)]


def _fallback(book: PriceBook, terms: Terms, workspace: Workspace, entry: Any, path: str) -> Terms:
    if not isinstance(entry, dict):
        raise invalid(f"{path}: Input should be a valid dictionary")
    for field in entry:
        if field not in _FIELDS:
            raise invalid(f"{path}.{field}: Extra inputs are not permitted")
    try:
        return _terms(book, terms, workspace, entry)
    except ApiError as error:
        raise ApiError(error.kind, f"{path}.{error.message}") from None


def _terms(book: PriceBook, terms: Terms, workspace: Workspace, entry: Mapping[str, Any]) -> Terms:
    model = find_model(book, entry.get("model"), terms.on)
    body = {name: value for name, value in terms.body.items() if name != "fallbacks"}
    body |= {
        "model": entry["model"],
        "max_tokens": _max_tokens(terms, entry, model),
        "thinking": _thinking(terms, entry, model),
        "output_config": _config(terms, entry),
        "speed": _speed(book, terms, entry, model),
    }
    check_shape(body, terms.version, terms.betas, batch=False)
    check_max_tokens(body, model, terms.betas, batch=False)
    check_model(body, model, terms.version, batch=False)
    speed = speed_of(book, body, model, terms.betas, terms.on)
    return terms._replace(body=body, model=model, speed=speed, inference_geo=geo_of(body, model, workspace))


def _max_tokens(terms: Terms, entry: Mapping[str, Any], model: Model) -> Any:
    own = entry.get("max_tokens")
    return min(terms.body["max_tokens"], model.output_tokens_max) if own is None else own


def _thinking(terms: Terms, entry: Mapping[str, Any], model: Model) -> Any:
    asked = terms.body.get("thinking")
    if "thinking" in entry or asked is None:
        return entry.get("thinking")
    kind = str(mapping(asked).get("type"))
    if accepts_thinking(model, kind):
        return asked
    return {"type": "disabled"} if kind == "between_tools" and accepts_thinking(model, "disabled") else None


def _config(terms: Terms, entry: Mapping[str, Any]) -> Any:
    if "output_config" not in entry:
        return terms.body.get("output_config")
    if not isinstance(entry["output_config"], dict):
        return entry["output_config"]
    both = {**mapping(terms.body.get("output_config")), **entry["output_config"]}
    return {name: value for name, value in both.items() if value is not None}


def _speed(book: PriceBook, terms: Terms, entry: Mapping[str, Any], model: Model) -> Any:
    if "speed" in entry:
        return entry["speed"]
    return "fast" if terms.speed == "fast" and has_fast_mode(book, model, terms.betas, terms.on) else None
