"""
Manual corrections: dated rows of one's own, laid over a price book.

A correction (``prices.toml``) states its reason and goes before the book's own rows wherever both apply, so it
survives every update of the book. Laying it over makes a new book; the book below is never changed. Where the book
learns something about what a correction covers, :func:`conflicts` says so.
"""

from __future__ import annotations

import hashlib
import tomllib
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.errors import BadConfig, BadPriceBook
from farthing.prices.card import bands_overlap
from farthing.prices.sanity import row_name, spans_overlap
from farthing.prices.schema import Applies, CacheablePrefix, Model, ModelIds, RateRow, Source

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.prices.book import PriceBook

MANUAL_SOURCE = "prices.toml"
"""Source of a correction that names no other."""

_UNSAID = Applies(
    batch="unconfirmed", prompt_caching=True, inference_geo_us="unconfirmed", regional_premium="unconfirmed"
)


class OverrideModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Rows of one's own for a model.

    Attributes:
        id: Any id of a model the book has, or the Claude API id of a new one.
        rate: Rows in the book's own shape, each with a ``reason``.
        name: For a new model; None: its id. The rest is for a new model alone too.
        family: Such as ``opus``.
        context_window_tokens: Needed for a new model, as are the next two.
        output_tokens_max: Longest answer.
        tokenizer: ``4.7`` or ``pre-4.7``.
        ids: Ids on other channels; None: the Claude API id alone.
        applies: Which modifiers it takes; None: those nobody stated are ``unconfirmed``.

    """

    id: str
    rate: tuple[RateRow, ...]
    name: str | None = None
    family: str | None = None
    context_window_tokens: int | None = None
    output_tokens_max: int | None = None
    tokenizer: Literal["4.7", "pre-4.7"] | None = None
    ids: ModelIds | None = None
    applies: Applies | None = None


class Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The file of corrections.

    Attributes:
        model: Models with rows of one's own.
        source: Where their facts were read, by key; a row without sources has :data:`MANUAL_SOURCE`.

    """

    model: tuple[OverrideModel, ...] = ()
    source: dict[str, Source] = {}

    @property
    def version(self) -> str:
        """A short digest of the corrections."""
        return "manual." + hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:8]


class Conflict(NamedTuple):
    """
    A row of the book that a correction covers.

    Attributes:
        model: Id of the model.
        manual: The correction.
        book_row: The book's row.
        agrees: Whether both have the same rates, so that the correction may no longer be needed.

    """

    model: Model
    manual: RateRow
    book_row: RateRow
    agrees: bool

    @property
    def says(self) -> str:
        """One sentence: both sides and who goes first."""
        name = row_name(self.model, self.manual)
        if self.agrees:
            return f"{name}: the book has the same rates now; the correction may no longer be needed"
        mine, theirs = (" / ".join(rate or "-" for rate in row.rates) for row in (self.manual, self.book_row))
        return f"{name}: your correction ({mine}) goes before the book's row ({theirs})"


def read_overrides(path: Path) -> Overrides:
    """
    Read a file of corrections.

    Raises:
        BadConfig: It cannot be read, is not TOML, or has an unknown key or a wrong type.

    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Overrides)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise BadConfig(f"read corrections {path.name}: {error}", "rows as in docs/prices.md") from error


def layer(book: PriceBook, overrides: Overrides) -> PriceBook:
    """
    A new book in which the corrections go before the book's own rows.

    Raises:
        BadConfig: A correction has no reason, clashes with another, names an unknown source, splits one of the book's
            price bands, or describes a new model without the traits that need stating.

    """
    models = {model.id: model for model in book.models}
    sources = {**book.sources, MANUAL_SOURCE: Source(url=MANUAL_SOURCE, kind="manual", as_of="as its rows say")}
    sources.update(overrides.source)
    try:
        for override in overrides.model:
            named = book.names.find(override.id)
            base = models[named.model.id] if named else _new_model(override)
            rows = tuple(_manual(row, override.id, sources) for row in override.rate)
            for row in rows:
                _check_bands(base, row)
            models[base.id] = msgspec.structs.replace(base, rate=base.rate + rows)
        return book.layered(tuple(models.values()), sources, f"{book.version}+{overrides.version}")
    except BadPriceBook as error:
        raise BadConfig(f"laid corrections over the price book: {error}") from error


def conflicts(book: PriceBook, overrides: Overrides) -> tuple[Conflict, ...]:
    """Every row of *book* (without corrections) that a correction covers, as known now."""
    return tuple(
        Conflict(named.model, manual, row, agrees=manual.rates == row.rates)
        for override in overrides.model
        if (named := book.names.find(override.id))
        for manual in override.rate
        for row in named.model.rate
        if row.retracted_on is None and _covers(manual, row)
    )


def _manual(row: RateRow, model_id: str, sources: dict[str, Source]) -> RateRow:
    if not row.reason.strip():
        raise BadConfig(f"read a correction of {model_id} without a reason", 'reason = "why the book is wrong"')
    for key in row.sources:
        if key not in sources:
            raise BadConfig(f"read source {key!r} in a correction of {model_id}", f"a table [source.{key}]")
    return msgspec.structs.replace(row, sources=row.sources or (MANUAL_SOURCE,))


def _new_model(override: OverrideModel) -> Model:
    window, longest, tokenizer = override.context_window_tokens, override.output_tokens_max, override.tokenizer
    if window is None or longest is None or tokenizer is None:
        raise BadConfig(
            f"read corrections of {override.id!r}, which the price book does not have",
            "context_window_tokens, output_tokens_max and tokenizer for a new model, or an id the book has",
        )
    ids = override.ids or ModelIds()
    return Model(
        name=override.name or override.id,
        family=override.family or "own",
        status="set by hand",
        ids=msgspec.structs.replace(ids, claude_api=tuple(dict.fromkeys((override.id, *ids.claude_api)))),
        applies=override.applies or _UNSAID,
        cacheable_prefix=CacheablePrefix(confidence="UNCONFIRMED"),
        rate=(),
        context_window_tokens=window,
        output_tokens_max=longest,
        tokenizer=tokenizer,
    )


def _check_bands(model: Model, manual: RateRow) -> None:
    """A correction takes whole bands of the book, for the rest of a split band would have no price."""
    for row in model.rate:
        if row.reason or not _covers(manual, row):
            continue
        begins_inside = manual.prompt_tokens_over > row.prompt_tokens_over
        ends_inside = manual.prompt_tokens_up_to is not None and (
            row.prompt_tokens_up_to is None or manual.prompt_tokens_up_to < row.prompt_tokens_up_to
        )
        if begins_inside or ends_inside:
            raise BadConfig(
                f"read a correction that covers part of the price band {row_name(model, row)}",
                "a band that covers it whole; add a second row for the rest",
            )


def _covers(manual: RateRow, row: RateRow) -> bool:
    same_channel = manual.channel is None or row.channel is None or manual.channel == row.channel
    return manual.speed == row.speed and same_channel and bands_overlap(manual, row) and spans_overlap(manual, row)
