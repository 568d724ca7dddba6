"""
The most a request can cost, in picodollars at list, before it is sent. Pure.

:mod:`farthing.limits.demand` says what a request can lead to; here that is priced at the dearest it can be: the dearest
rate a token of the prompt can fall under (a cache write where something may be written, a long-prompt band that can be
reached), the whole of ``max_tokens`` as output, for every time the model can be sampled, for every model that can be.

Not in it: container hours of code execution, which no response bills.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.limits.demand import Body, Demand, demand_of, read_body
from farthing.prices.card import Card, Facts, Unpriced
from farthing.prices.engine import utc_day
from farthing.tokens.images import LIMITS
from farthing.tokens.models import Traits, image_tier
from farthing.tokens.tools import definitions, tool_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model

LONG_WINDOW_TOKENS = 1_000_000
"""What a model with a price for long prompts takes, whatever its window is without a beta."""
_FALLBACKS_MAX = 8
"""For each of them the whole request is looked at again, while other calls wait."""
_GEO_CHARS_MAX = 32  # it comes back in a message


class Where(NamedTuple):
    """
    What a price depends on beside the body.

    Attributes:
        on: Day (UTC) the request is sent.
        batch: It is a request of a Message Batch.
        default_geo: Where a request runs that does not say: ``global``, ``us``, or ``unknown`` for the dearer.
        channel: As in :data:`farthing.prices.names.CHANNELS`.

    """

    on: date
    batch: bool = False
    default_geo: str = "unknown"
    channel: str = "claude_api"


def worst_case(
    book: PriceBook, raw: bytes, at: datetime, *, default_geo: str = "unknown", batch: bool = False
) -> int | Unpriced:
    """
    The most one Messages request can cost.

    Args:
        book: The price book.
        raw: The body as it came.
        at: When it is sent; aware.
        default_geo: Where the workspace runs calls that do not say: ``global``, ``us``, or ``unknown``.
        batch: Price it as a request of a batch.

    Returns:
        Picodollars; or why there is no bound: an unknown model, say, or a body that cannot be read.

    Raises:
        BadInput: *at* has no time zone.

    """
    body = read_body(raw)
    if body is None:
        return Unpriced("the request's body is not readable JSON, so nothing bounds what it costs")
    return _request(book, body, Where(utc_day(at), batch, default_geo))


def _request(book: PriceBook, body: Body, where: Where) -> int | Unpriced:
    tree = body.tree
    listed = tree.get("fallbacks")
    if listed is not None and not (isinstance(listed, list) and all(isinstance(one, dict) for one in listed)):
        return Unpriced("fallbacks: which models may answer is not said")
    if listed and len(listed) > _FALLBACKS_MAX:
        return Unpriced(f"fallbacks: more than {_FALLBACKS_MAX} models may answer")
    bodies = [tree, *({**tree, **one} for one in listed or ())]
    fast = any(one.get("speed") == "fast" for one in bodies)
    total = 0
    for number, one in enumerate(bodies):
        found = _attempt(book, body._replace(tree=one), where, fast=fast, aside=number > 0)
        if isinstance(found, Unpriced):
            return found
        total += found
    return total


class _Priced(NamedTuple):
    """A model with every card its call can be billed on."""

    model: Model
    cards: tuple[Card, ...]

    @property
    def window_tokens(self) -> int:
        bands = [band for card in self.cards for band in card.bands if band.over]
        return max(self.model.context_window_tokens, LONG_WINDOW_TOKENS if bands else 0)

    @property
    def output_tokens_max(self) -> int:
        return max(self.model.output_tokens_max, self.model.output_tokens_max_batch_beta or 0)


def _attempt(book: PriceBook, body: Body, where: Where, *, fast: bool, aside: bool) -> int | Unpriced:
    tree, model_id = body.tree, body.tree.get("model")
    if not isinstance(model_id, str):
        return Unpriced("the request names no model")
    priced = _priced(book, model_id, _geos(tree, where, aside=aside), where, fast=fast)
    if isinstance(priced, Unpriced):
        return priced
    demand = demand_of(body)
    prompt = _prompt_tokens(demand, priced, where.on)
    output = priced.output_tokens_max if demand.max_tokens is None else demand.max_tokens
    total_prompt = prompt + (demand.iterations - 1) * priced.window_tokens
    total_output = output * demand.iterations
    if demand.compacts:
        total_prompt += priced.window_tokens * demand.iterations
        total_output += priced.output_tokens_max * demand.iterations
    worst = _dearest(priced, total_prompt, total_output, demand)
    if isinstance(worst, Unpriced):
        return worst
    for advisor in demand.advisors:
        more = _advice(book, advisor.model, advisor.uses, _geos(tree, where, aside=True), where)
        if isinstance(more, Unpriced):
            return more
        worst += more
    return worst


def _advice(book: PriceBook, model_id: str, uses: int, geos: tuple[str | None, ...], where: Where) -> int | Unpriced:
    """What an advisor can cost: its whole window each time, cached or not."""
    priced = _priced(book, model_id, geos, where, fast=False)
    if isinstance(priced, Unpriced):
        return Unpriced(f"advisor: {priced.reason}")
    prompt, output = priced.window_tokens * uses, priced.output_tokens_max * uses
    found = [_on_card(card, prompt, output, ttl=None, searches=0) for card in priced.cards]
    return next((one for one in found if isinstance(one, Unpriced)), max(one for one in found if isinstance(one, int)))


def _geos(tree: Mapping[str, Any], where: Where, *, aside: bool = False) -> tuple[str | None, ...]:
    """Where a request may run; a model *aside* from the one asked for may not be sold there, and runs anywhere then."""
    stated = tree.get("inference_geo")
    if stated is not None:
        geo = str(stated)[:_GEO_CHARS_MAX]
        return (geo, None) if aside else (geo,)
    return {"global": (None,), "us": ("us", None)}.get(where.default_geo, ("us", None))


def _priced(
    book: PriceBook, model_id: str, geos: tuple[str | None, ...], where: Where, *, fast: bool
) -> _Priced | Unpriced:
    named = book.names.find(model_id, where.channel) if len(model_id) <= 256 else None
    tier = "batch" if where.batch else "standard"
    speeds = ("standard", "fast") if fast and not where.batch else ("standard",)
    found = [
        book.card(Facts(model_id[:256], where.channel, None, tier, speed, geo, where.on))
        for geo in geos
        for speed in speeds
    ]
    cards = tuple(card for card in found if isinstance(card, Card))
    if named is None or not cards:
        return next(card for card in found if isinstance(card, Unpriced))
    return _Priced(named.model, cards)


def _prompt_tokens(demand: Demand, priced: _Priced, on: date) -> int:
    """The longest the first prompt can be."""
    if demand.text_bytes is None:
        return priced.window_tokens
    tokens = demand.text_bytes + demand.images * LIMITS[image_tier(priced.model.tokenizer)].tokens_max
    tokens += demand.extra_tokens
    if demand.has_tools:
        traits = Traits(priced.model.id, priced.model.tokenizer, keeps_thinking=True)
        tokens += _tool_prompt_tokens(traits, on)
        tokens += definitions(demand.tools, traits, on).high if demand.tools else 0
    return min(tokens, priced.window_tokens)


@lru_cache(maxsize=256)
def _tool_prompt_tokens(traits: Traits, on: date) -> int:
    """The hidden prompt at its longest, whether or not a tool must be used."""
    return max(tool_prompt(traits, forced=forced, on=on).high for forced in (False, True))


def _dearest(priced: _Priced, prompt: int, output: int, demand: Demand) -> int | Unpriced:
    found = [_on_card(card, prompt, output, ttl=demand.ttl, searches=demand.searches) for card in priced.cards]
    amounts = [one for one in found if isinstance(one, int)]
    return max(amounts) if len(amounts) == len(found) else next(one for one in found if isinstance(one, Unpriced))


def _on_card(card: Card, prompt: int, output: int, *, ttl: str | None, searches: int) -> int | Unpriced:
    """Every prompt token at the dearest rate it can fall under, in any band that can be reached."""
    bands = [band for band in card.bands if not band.over or band.over < prompt]
    needed = {None: (0,), "5m": (0, 1, 3), "1h": (0, 1, 2, 3)}[ttl]
    rates = [band.rates[unit] for band in bands for unit in needed]
    outputs = [band.rates[4] for band in bands]
    known = [rate for rate in rates if rate is not None]
    known_outputs = [rate for rate in outputs if rate is not None]
    if len(known) < len(rates) or len(known_outputs) < len(outputs):
        return Unpriced(f"{card.model.id} has no published price for all that this request may use")
    if searches and card.web_search is None:
        return Unpriced("no fee for web searches was published for that day")
    return prompt * max(known) + output * max(known_outputs) + searches * card.web_search_pusd
