"""
Tokens that the API itself adds when a request has tools: the hidden tool prompt, and definitions that Anthropic wrote.

The numbers are data (``data/tools.toml``), dated, sourced, by exact model id. A model that no row names gets the range
of what is published for its tokenizer's generation, said as such: never a neighbour's number.
"""

from __future__ import annotations

import statistics
import tomllib
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import DataFault
from farthing.tokens.figure import NOTHING, Estimate, exactly, total, within
from farthing.tokens.models import Traits, Unknowable, traits_of
from farthing.tokens.text import estimate_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_DATA = Path(__file__).parent / "data" / "tools.toml"
_CONFIRMED = "confirmed"

_UNPUBLISHED_DEFINITION = within(0, 1000, 3000, "definition of unpublished size, our belief")
"""A tool of Anthropic's that no row knows: web search, code execution, a newer toolset."""


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row says about itself; see the head of the data file."""

    models: tuple[str, ...]
    source: str
    checked_on: str
    confidence: str = _CONFIRMED
    note: str = ""
    valid_from: date | None = None
    valid_to: date | None = None

    def applies(self, on: date | None) -> bool:
        """Whether the row held on that day; None asks for the newest."""
        if on is None:
            return self.valid_to is None
        return (self.valid_from is None or on >= self.valid_from) and (self.valid_to is None or on < self.valid_to)


class PromptRow(_Row, frozen=True, kw_only=True):
    """Tokens of the hidden tool prompt: with tool_choice auto or none, and with any or tool."""

    auto: int
    forced: int


class DefinitionRow(_Row, frozen=True, kw_only=True):
    """Tokens of one definition; *low* and *high* where a range is published, *optional_* for members it may have."""

    type_prefix: str
    tokens: int
    low: int | None = None
    high: int | None = None
    optional_less: int = 0
    optional_more: int = 0


class ToolTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of ``data/tools.toml``."""

    prompt: tuple[PromptRow, ...]
    definition: tuple[DefinitionRow, ...]


@lru_cache(maxsize=1)
def tool_table() -> ToolTable:
    """
    The table that ships with farthing, read once.

    Raises:
        DataFault: The file breaks its shape.

    """
    try:
        return msgspec.convert(tomllib.loads(_DATA.read_text("utf-8")), ToolTable)
    except (ValueError, msgspec.ValidationError) as error:
        raise DataFault(f"read {_DATA.name}: {error}") from error


def tool_prompt(traits: Traits, *, forced: bool, on: date | None = None) -> Estimate:
    """
    The hidden prompt, added once to a request whose ``tools`` is not empty.

    Args:
        traits: The model.
        forced: ``tool_choice`` is ``any`` or ``tool``; otherwise ``auto``, ``none`` or absent.
        on: Day of the request; None: now, as far as the table knows.

    Returns:
        ``derived`` and exact where published; otherwise an ``assumed`` range over the models of the same generation.

    """
    rows = tool_table().prompt
    row = next((row for row in rows if traits.model in row.models and row.applies(on)), None)
    published = _published_prompts(rows, traits, forced=forced)
    if row is None:
        basis = f"hidden tool prompt not published for {traits.model}; range of its tokenizer's generation"
        return within(min(published), statistics.median(published), max(published), basis)
    tokens = row.forced if forced else row.auto
    if row.confidence == _CONFIRMED:
        return exactly(tokens, f"hidden tool prompt ({row.source}, {row.checked_on})")
    basis = f"hidden tool prompt ({row.confidence}); range of its tokenizer's generation"
    return within(min(published), tokens, max(published), basis)


def definitions(tools: Sequence[Mapping[str, Any]], traits: Traits, on: date | None = None) -> Estimate:
    """
    The definitions in a request's ``tools``: the caller's own by their text, Anthropic's by the table.

    Deferred tools (``defer_loading``) stay out of the prompt until they are found, so the low end leaves them out.
    """
    return total(_definition(tool, traits, on) for tool in tools)


def _definition(tool: Mapping[str, Any], traits: Traits, on: date | None) -> Estimate:
    kind = tool.get("type", "custom")
    if kind == "custom":
        return _own_definition(tool, traits)
    return _known_definition(str(kind), traits, on, has_options=bool(tool.keys() - _PLAIN_KEYS))


_PLAIN_KEYS = {"type", "name", "cache_control", "display_width_px", "display_height_px", "display_number"}
_SHOWN_KEYS = ("name", "description", "input_schema", "input_examples")


def _own_definition(tool: Mapping[str, Any], traits: Traits) -> Estimate:
    shown = {key: tool[key] for key in _SHOWN_KEYS if key in tool}
    found = estimate_text(msgspec.json.encode(shown).decode(), traits.tokenizer)
    return msgspec.structs.replace(found, low=0) if tool.get("defer_loading") else found


def _known_definition(kind: str, traits: Traits, on: date | None, *, has_options: bool) -> Estimate:
    rows = [row for row in tool_table().definition if kind.startswith(row.type_prefix) and row.applies(on)]
    if not rows:
        return msgspec.structs.replace(_UNPUBLISHED_DEFINITION, basis=f"{kind}: {_UNPUBLISHED_DEFINITION.basis}")
    row = next((row for row in rows if traits.model in row.models or not row.models), None)
    if row is None or row.confidence != _CONFIRMED:
        return _spread(rows, row, kind, traits)
    low = (row.low or row.tokens) - (row.optional_less if has_options else 0)
    high = (row.high or row.tokens) + (row.optional_more if has_options else 0)
    basis = f"{kind} definition ({row.source}, {row.checked_on})"
    return exactly(row.tokens, basis) if low == high else within(low, row.tokens, high, basis)


def _spread(rows: Sequence[DefinitionRow], row: DefinitionRow | None, kind: str, traits: Traits) -> Estimate:
    middle = statistics.median(row.tokens for row in rows) if row is None else row.tokens
    why = f"not published for {traits.model}" if row is None else row.confidence
    low = min(row.tokens - row.optional_less for row in rows)
    return within(low, middle, max(row.tokens + row.optional_more for row in rows), f"{kind} definition: {why}")


def _published_prompts(rows: Iterable[PromptRow], traits: Traits, *, forced: bool) -> list[int]:
    same = [row for row in rows if row.applies(None) and _generation(row.models[0]) == traits.tokenizer]
    return [row.forced if forced else row.auto for row in same]


def _generation(model_id: str) -> str:
    traits = traits_of(model_id)
    assert not isinstance(traits, Unknowable), "the table names models of the book"
    return traits.tokenizer


def tools_estimate(
    tools: Sequence[Mapping[str, Any]], choice: Mapping[str, Any] | None, traits: Traits, on: date | None = None
) -> tuple[Estimate, Estimate]:
    """The hidden prompt and the definitions of a request; both nothing without tools, whatever *choice* says."""
    if not tools:
        return NOTHING, NOTHING
    forced = (choice or {}).get("type") in {"any", "tool"}
    return tool_prompt(traits, forced=forced, on=on), definitions(tools, traits, on)
