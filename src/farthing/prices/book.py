"""
The price book: every rate on two time axes.

*Valid* says when a rate applied; *known* says when the book learnt of it. A rise that was announced and then called off
is a row that was known for a while and never applied, so "what did we believe on D about D2" is answered from data.
"""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from farthing.errors import BadPriceBook
from farthing.prices.card import Card, Facts, Unpriced, compile_card
from farthing.prices.names import NameTable
from farthing.prices.sanity import check_dates, check_structure, findings
from farthing.prices.schema import (
    CompetitorFile,
    CompetitorModel,
    Dated,
    Model,
    ModelFile,
    ModifierFile,
    RateRow,
    RefusalRule,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

DATA = Path(__file__).parent / "data"
_T = TypeVar("_T")
_D = TypeVar("_D", bound=Dated)


class PriceBook:
    """
    All that is known about prices, immutable.

    Args:
        models: Claude models with their rates.
        modifiers: Multipliers, fees, meters and refusal rules.
        sources: Where facts were read, by key.
        competitors: Other vendors' models, by vendor; read late, for they are needed only in comparisons.
        version: A short digest of the data; every posted cost carries it.

    Raises:
        BadPriceBook: An id names two models, or a row breaks a rule of :func:`farthing.prices.sanity.check_structure`.

    """

    def __init__(
        self,
        models: Sequence[Model],
        modifiers: ModifierFile,
        sources: dict[str, Source],
        *,
        version: str,
        competitors: dict[str, tuple[CompetitorModel, ...]] | None = None,
    ) -> None:
        self.models = tuple(models)
        self.modifiers = modifiers
        self.sources = sources
        self.version = version
        self.names = NameTable(self.models)
        check_structure(self.models)
        self._competitors = competitors
        self._cards: dict[Facts, Card | Unpriced] = {}

    @cached_property
    def competitors(self) -> dict[str, tuple[CompetitorModel, ...]]:
        """Other vendors' models by vendor (``openai``, ``google``, ``deepseek``), for comparison only."""
        return read_competitors(DATA) if self._competitors is None else self._competitors

    def layered(self, models: Sequence[Model], sources: dict[str, Source], version: str) -> PriceBook:
        """A new book with other models and sources, and everything else as in this one."""
        return PriceBook(models, self.modifiers, sources, version=version, competitors=self._competitors)

    def card(self, facts: Facts) -> Card | Unpriced:
        """The composed rates for these facts of a response, or why there are none."""
        card = self._cards.get(facts)
        if card is None:
            if len(self._cards) > _CARDS_MAX:
                self._cards.clear()
            card = self._cards[facts] = compile_card(self, facts)
        return card

    def rows(self, model: Model, valid_on: date, known_on: date | None = None) -> tuple[RateRow, ...]:
        """Every row of *model* that applied on *valid_on* as known on *known_on*, whatever its speed and channel."""
        return tuple(in_force(model.rate, valid_on, known_on))

    @cached_property
    def change_days(self) -> tuple[date, ...]:
        """Days, ascending, on which a rate, a multiplier or a fee began or ended: between two no card changes."""
        dated: list[Dated] = [row for model in self.models for row in model.rate]
        dated += [*self.modifiers.multiplier, *self.modifiers.fee]
        return tuple(sorted({day for one in dated for day in (one.valid_from, one.valid_to) if day is not None}))

    def refusal_rule(self, valid_on: date, known_on: date | None = None) -> RefusalRule:
        """
        The rule for refusals before any output.

        Raises:
            BadPriceBook: No rule covers that day.

        """
        for rule in in_force(self.modifiers.refusal, valid_on, known_on):
            return rule
        raise BadPriceBook(f"no refusal rule covers {valid_on}; the book must have one for every day")


_CARDS_MAX = 100_000  # a bound, not a tuning knob: a year of days for every model, tier and geo stays far below it


def in_force(rows: Iterable[_D], valid_on: date, known_on: date | None) -> list[_D]:
    """
    The dated records that applied on *valid_on* as known on *known_on*, the latest start first.

    Of overlapping records the one that began later holds, for then a change was made; ties go to the later known.
    """
    known = known_on or date.max
    matching = [row for row in rows if row.applies(valid_on, known)]
    matching.sort(key=lambda row: (row.valid_from or date.min, row.known_from or date.min), reverse=True)
    return matching


@lru_cache(maxsize=1)
def shipped_book() -> PriceBook:
    """The book that ships with farthing, read once."""
    return load_book(DATA)


def load_book(folder: Path, accepted: Container[str] = ()) -> PriceBook:
    """
    Read a book's folder: ``anthropic/*.toml``, ``modifiers.toml``, ``sources.toml``, ``competitors/*.toml``.

    Args:
        folder: Where the book lies.
        accepted: Ids of findings (:mod:`farthing.prices.sanity`) that somebody accepted with a reason.

    Raises:
        BadPriceBook: A file is not TOML, has an unknown key or a wrong type, names a source that does not exist, sets
            a row by hand, or breaks a sanity bound.

    """
    book = read_book(folder)
    for finding in findings(book.models):
        if finding.id not in accepted:
            raise BadPriceBook(f"{finding.says} (finding {finding.id})")
    return book


def read_book(folder: Path) -> PriceBook:
    """
    Read a book's folder like :func:`load_book`, without its sanity bounds.

    Raises:
        BadPriceBook: As :func:`load_book`, but for sanity bounds.

    """
    digest = hashlib.sha256()
    models: list[Model] = []
    for path in sorted((folder / "anthropic").glob("*.toml")):
        models += _read(path, ModelFile, digest).model
    modifiers = _read(folder / "modifiers.toml", ModifierFile, digest)
    sources = _read(folder / "sources.toml", dict[str, Source], digest)
    check_sources(models, modifiers, sources)
    for name, record in _beside_rates(modifiers):
        check_dates(name, record)
    by_hand = [model.id for model in models for row in model.rate if row.reason]
    if by_hand:
        raise BadPriceBook(f"a row of {by_hand[0]} has a reason, which only rows set by hand (prices.toml) may have")
    version = f"{modifiers.as_of.isoformat()}+{digest.hexdigest()[:12]}"
    competitors = None if folder == DATA else read_competitors(folder)
    return PriceBook(models, modifiers, sources, version=version, competitors=competitors)


def read_competitors(folder: Path) -> dict[str, tuple[CompetitorModel, ...]]:
    """
    Read ``competitors/*.toml`` of a book's folder, by vendor.

    Raises:
        BadPriceBook: As :func:`load_book`.

    """
    return {path.stem: _read(path, CompetitorFile).model for path in sorted((folder / "competitors").glob("*.toml"))}


def _read(path: Path, shape: type[_T], digest: hashlib._Hash | None = None) -> _T:
    try:
        raw = path.read_bytes()
        if digest is not None:
            digest.update(raw)
        return msgspec.convert(tomllib.loads(raw.decode()), shape)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise BadPriceBook(f"read price file {path.name}: {error}") from error


def check_sources(models: Iterable[Model], modifiers: ModifierFile, sources: dict[str, Source]) -> None:
    """
    Refuse a record that names no known source of its facts.

    Raises:
        BadPriceBook: A rate, fee, meter or rule names a source that *sources* does not have.

    """
    dated: list[Dated] = [row for model in models for row in model.rate]
    dated += [record for _, record in _beside_rates(modifiers)]
    for record in dated:
        for key in record.sources:
            if key not in sources:
                raise BadPriceBook(f"a rate names source {key!r}, which sources.toml does not have")


def _beside_rates(modifiers: ModifierFile) -> list[tuple[str, Dated]]:
    """Everything dated that is not a rate row, with a name for messages."""
    return [
        *((f"multiplier {record.name}", record) for record in modifiers.multiplier),
        *((f"fee {record.unit}", record) for record in modifiers.fee),
        *((f"time meter {record.name}", record) for record in modifiers.time_meter),
        *(("refusal rule", record) for record in modifiers.refusal),
    ]
