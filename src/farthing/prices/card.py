"""
A card: one response's rates, composed.

The order is fixed and documented (docs/prices.md): (1) the row for model, day, speed and prompt band; (2) x batch;
(3) x US-only inference; (4) x regional endpoint. Each step is exact: a rate that is no longer a whole number of
picodollars per token is refused. Cards depend on few facts, so they are compiled once and kept.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol

from farthing import money
from farthing.errors import InexactMoney
from farthing.prices.names import CHANNELS, PARTNER_CHANNELS, Named
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.prices.names import NameTable
    from farthing.prices.schema import Fee, Model, ModifierFile, Multiplier, RateRow

NO_GEO = frozenset({None, "", "global", "not_available"})


class Rates(Protocol):
    """What a card is composed from: the price book, as seen from here."""

    names: NameTable
    modifiers: ModifierFile

    def rows(self, model: Model, valid_on: date, known_on: date | None = None) -> tuple[RateRow, ...]:
        """Every row of *model* that applied on *valid_on* as known on *known_on*."""


class Band(NamedTuple):
    """
    Rates for prompts with ``over < prompt tokens <= up_to`` (None: no upper end).

    Attributes:
        over, up_to: The limits.
        rates: Picodollars per token in the order of :data:`farthing.units.TOKEN_UNITS`; None: none is published.
        row: The row of the book they come from.
        usd_per_mtok: ``rates`` as exact text, written once because every line of every bill shows it.
        rule: How they came to be, in the documented order; likewise written once.

    """

    over: int
    up_to: int | None
    rates: tuple[int | None, ...]
    row: RateRow
    usd_per_mtok: tuple[str | None, ...]
    rule: str


class Card(NamedTuple):
    """
    Composed rates for one set of response facts.

    Attributes:
        model: The model that served.
        channel: The channel it was bought on.
        bands: Price bands by prompt length, ascending; usually one.
        plain: The rates of the first band where every unit has a published price, else None: all that an ordinary
            call needs.
        plain_up_to: The longest prompt that ``plain`` holds for; None: any.
        multipliers: What was applied, in order.
        web_search: The fee row for searches, or None where none was published yet: then searches are unpriced.
        web_search_pusd: Picodollars per search, 0 where no fee was published.
        kind: ``assumed`` where an unstated endpoint was taken to be global, else ``measured``.
        notes: What a reader of the bill should know.

    """

    model: Model
    channel: str
    bands: tuple[Band, ...]
    multipliers: tuple[Multiplier, ...]
    plain: tuple[int, ...] | None = None
    plain_up_to: int | None = None
    web_search: Fee | None = None
    web_search_pusd: int = 0
    kind: Kind = Kind.MEASURED
    notes: tuple[str, ...] = ()

    def band(self, prompt_tokens: int) -> Band | None:
        """The band of a prompt, or None where none takes a prompt of that length."""
        for band in self.bands:
            if prompt_tokens <= band.over and band.over:
                continue
            if band.up_to is None or prompt_tokens <= band.up_to:
                return band
        return None


class Facts(NamedTuple):
    """
    What a rate depends on: facts of a response, and two days.

    Attributes:
        model_id: Id exactly as the response reported it.
        channel: Where it was bought, see :data:`farthing.prices.names.CHANNELS`.
        location: Region or ``global`` on partner channels; None where not stated.
        service_tier: ``standard``, ``batch`` or ``priority``.
        speed: ``standard`` or ``fast``.
        inference_geo: As reported; None where absent.
        valid_on: Day (UTC) the request was sent.
        known_on: Use only what the book knew on this day; None: all it knows now.

    """

    model_id: str
    channel: str
    location: str | None
    service_tier: str
    speed: str
    inference_geo: str | None
    valid_on: date
    known_on: date | None = None


class Unpriced(NamedTuple):
    """Why something has no price. Never zero, never a neighbour's price."""

    reason: str


def compile_card(book: Rates, facts: Facts) -> Card | Unpriced:
    """Compose a card from the book, or say why there is none."""
    if facts.channel not in CHANNELS:
        return Unpriced(f"channel {facts.channel!r} is not in the price book; known: {', '.join(CHANNELS)}")
    named = book.names.find(facts.model_id, facts.channel)
    if named is None:
        nearest = book.names.nearest(facts.model_id)
        hint = f"; nearest known ids: {', '.join(nearest)}" if nearest else ""
        return Unpriced(f"model {_shown(facts.model_id)} is not in the price book{hint}")
    rows = _rows(book, named, facts)
    if not rows:
        as_known = f" as known on {facts.known_on}" if facts.known_on else ""
        released = named.model.released
        early = released is not None and facts.valid_on < released
        return Unpriced(
            f"{named.model.id} has no {facts.speed} rate on {facts.valid_on}{as_known} on {CHANNELS[named.channel]} "
            f"({f'released on {released}' if early else named.model.status})"
        )
    try:
        wanted, kind, note = _wanted_multipliers(named, facts)
        multipliers = _dated_multipliers(book, wanted, facts)
        notes = tuple(text for text in (named.note, note) if text)
        card = _compose(named, rows, multipliers)
        search = _web_search(book, facts)
        search_pusd = money.parse_usd(search.usd_per_unit) if search else 0
        plain = _plain(card.bands[0]) if search else None
        return card._replace(plain=plain, web_search=search, web_search_pusd=search_pusd, kind=kind, notes=notes)
    except _NoPublishedPriceError as why:
        return Unpriced(str(why))
    except InexactMoney as error:
        return Unpriced(f"{named.model.id}: {error}")


def _shown(model_id: str) -> str:
    """An id for a message; a stranger's may be of any length."""
    return repr(model_id if len(model_id) <= _ID_SHOWN_MAX else f"{model_id[:_ID_SHOWN_MAX]}...")


_ID_SHOWN_MAX = 120


class _NoPublishedPriceError(Exception):
    """A combination of facts that no published price covers; becomes :class:`Unpriced` in :func:`compile_card`."""


def _rows(book: Rates, named: Named, facts: Facts) -> list[RateRow]:
    """Rows that do not overlap in prompt band; one set by hand goes first, then one for this channel alone."""
    candidates = [
        row
        for row in book.rows(named.model, facts.valid_on, facts.known_on)
        if row.speed == facts.speed and row.channel in {None, named.channel}
    ]
    candidates.sort(key=lambda row: (not row.reason, row.channel is None))
    chosen: list[RateRow] = []
    for row in candidates:
        if not any(bands_overlap(row, other) for other in chosen):
            chosen.append(row)
    return sorted(chosen, key=lambda row: row.prompt_tokens_over)


def bands_overlap(one: RateRow, other: RateRow) -> bool:
    """Whether some prompt length falls in the bands of both."""
    below = other.prompt_tokens_up_to is not None and other.prompt_tokens_up_to <= one.prompt_tokens_over
    above = one.prompt_tokens_up_to is not None and one.prompt_tokens_up_to <= other.prompt_tokens_over
    return not (below or above)


def _wanted_multipliers(named: Named, facts: Facts) -> tuple[list[str], Kind, str]:
    """Names of the multipliers these facts call for, in order, how sure that is, and a note or an empty string."""
    wanted = []
    if _is_batch(named, facts):
        wanted.append("batch")
    if facts.inference_geo not in NO_GEO:
        sold = named.model.applies.inference_geo_us is True and named.channel not in PARTNER_CHANNELS
        if facts.inference_geo != "us" or not sold:
            raise _NoPublishedPriceError(
                f"inference_geo={facts.inference_geo!r} has no published price on {named.model.id} ({named.channel})"
            )
        wanted.append("inference_geo_us")
    premium = named.model.applies.regional_premium
    if named.channel not in PARTNER_CHANNELS or premium is False:
        return wanted, Kind.MEASURED, ""
    match _endpoint(named, facts.location):
        case None:
            note = "endpoint not stated: priced at the global endpoint; a regional one may cost 1.1x"
            return wanted, Kind.ASSUMED, note
        case "regional" if premium == "unconfirmed":
            raise _NoPublishedPriceError(f"whether {named.model.id} costs more on regional endpoints is UNCONFIRMED")
        case "regional":
            wanted.append("regional_endpoint")
    return wanted, Kind.MEASURED, ""


def _endpoint(named: Named, location: str | None) -> str | None:
    """``global`` or ``regional``; a stated global location goes before what the id says, and None means unstated."""
    if location == "global":
        return "global"
    return named.endpoint or (None if location is None else "regional")


def _is_batch(named: Named, facts: Facts) -> bool:
    if facts.service_tier == "standard":
        return False
    if facts.service_tier == "priority":
        raise _NoPublishedPriceError("priority tier is prepaid capacity: its price per token was never published")
    if facts.service_tier != "batch":
        raise _NoPublishedPriceError(
            f"service tier {facts.service_tier!r} is not in the price book; known: standard, batch, priority"
        )
    if facts.speed == "fast":
        raise _NoPublishedPriceError("batch and fast mode cannot be combined; the response contradicts itself")
    if named.model.applies.batch is not True:
        raise _NoPublishedPriceError(f"batch has no published price on {named.model.id}")
    if named.channel == "google_cloud":
        raise _NoPublishedPriceError("the batch discount for Claude on Google Cloud is UNCONFIRMED")
    return True


def _dated_multipliers(book: Rates, wanted: list[str], facts: Facts) -> tuple[Multiplier, ...]:
    """The rows of the wanted multipliers on that day. Regional endpoints cost the same before their premium began."""
    known_on = facts.known_on or date.max
    in_force = {row.name: row for row in book.modifiers.multiplier if row.applies(facts.valid_on, known_on)}
    missing = [name for name in wanted if name not in in_force and name != "regional_endpoint"]
    if missing:
        raise _NoPublishedPriceError(f"{missing[0]} was not offered on {facts.valid_on}")
    return tuple(in_force[name] for name in wanted if name in in_force)


def _compose(named: Named, rows: list[RateRow], multipliers: tuple[Multiplier, ...]) -> Card:
    factor = Fraction(1)
    for multiplier in multipliers:
        factor *= Fraction(multiplier.factor)
    bands = tuple(_band(named.model, row, factor, multipliers) for row in rows)
    return Card(named.model, named.channel, bands, multipliers, plain_up_to=bands[0].up_to)


def _band(model: Model, row: RateRow, factor: Fraction, multipliers: tuple[Multiplier, ...]) -> Band:
    rates = _rates(row, factor)
    text = tuple(None if rate is None else money.usd_per_mtok_text(rate) for rate in rates)
    return Band(row.prompt_tokens_over, row.prompt_tokens_up_to, rates, row, text, _rule(model, row, multipliers))


def _rule(model: Model, row: RateRow, multipliers: tuple[Multiplier, ...]) -> str:
    since = row.valid_from.isoformat() if row.valid_from else "the start"
    parts = [f"{model.id} {row.speed} from {since}"]
    if row.reason:
        parts.append(f"set by hand ({row.reason})")
    if row.prompt_tokens_over:
        parts.append(f"whole request, prompt over {row.prompt_tokens_over:,} tokens")
    elif row.prompt_tokens_up_to is not None:
        parts.append(f"prompt up to {row.prompt_tokens_up_to:,} tokens")
    parts += [f"x {multiplier.factor} {multiplier.name}" for multiplier in multipliers]
    return ", ".join(parts)


def _rates(row: RateRow, factor: Fraction) -> tuple[int | None, ...]:
    return tuple(None if rate is None else money.scale(money.parse_usd_per_mtok(rate), factor) for rate in row.rates)


def _plain(first: Band) -> tuple[int, ...] | None:
    published = tuple(rate for rate in first.rates if rate is not None)
    return published if first.over == 0 and len(published) == len(first.rates) else None


def _web_search(book: Rates, facts: Facts) -> Fee | None:
    fees = book.modifiers.fee
    known_on = facts.known_on or date.max
    return next((f for f in fees if f.unit == "web_search_requests" and f.applies(facts.valid_on, known_on)), None)
