"""
One call under other levers: what would have been served, or why it stays as it was.

What cannot be carried out is not guessed: a call that the chosen model, channel, speed or batch would refuse, or for
which no price is published, is kept as recorded and counted with the reason.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.prices.card import Card, Facts
from farthing.prices.names import PARTNER_CHANNELS
from farthing.prompts.dials import Dials
from farthing.tokens.generation import NEW_PER_OLD
from farthing.units import Kind
from farthing.whatif.replay.choice import TURNAROUND_S

if TYPE_CHECKING:
    from collections.abc import Hashable

    from farthing.call import Call, Served
    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model
    from farthing.whatif.replay.choice import Levers

ONE = Fraction(1)
UNCONFIRMED_TOKENS_MIN = 512
"""Shortest cacheable prefix where none is published: presumably as on the models before (facts: claude-api 5.3)."""
UNKNOWN_MODEL = "the model is not in the price book"
_WORKSPACES_APART_FROM = date(2026, 2, 5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moved(NamedTuple):
    """
    A call as it would have been served.

    Attributes:
        served: With the recorded counts.
        at: When it is worked on: later than it was sent where it waits for a batch.
        model: The model.
        factor: Prompt and output tokens per recorded one, by the tokenizer alone.
        output_factor: Output tokens per recorded one, with effort.
        kind: How sure this is, before caching is looked at.
        separates_caches: Whether a lever is turned that cached prefixes depend on.

    """

    served: Served
    at: datetime
    model: Model
    factor: Fraction
    output_factor: Fraction
    kind: Kind
    separates_caches: bool

    @property
    def tokens_min(self) -> int:
        """The shortest prefix that is cached."""
        return self.model.cacheable_prefix.tokens_min or UNCONFIRMED_TOKENS_MIN


class Stays(NamedTuple):
    """A call that is kept as recorded, and why."""

    reason: str


def moved(call: Call, levers: Levers, book: PriceBook) -> Moved | Stays:
    """*call* under *levers*, at list."""
    served = call.served
    old = book.names.find(served.model, served.channel)
    new = old if levers.model is None else book.names.find(levers.model)
    if old is None or new is None:
        return Stays(UNKNOWN_MODEL)
    model = new.model
    if levers.leaves_service:
        return Moved(served, call.sent_at, model, ONE, ONE, served.kind, separates_caches=False)
    factor = tokenizer_factor(old.model, model, levers)
    batched = (served.service_tier == "batch") if levers.batch is None else levers.batch
    joins_batch, wait_s = batched and served.service_tier != "batch", waits_s(served, levers)
    new_model = model is not old.model
    why = _kept_for(call, levers, new_model, joins_batch) or (_does_not_fit(call, model, factor) if new_model else "")
    if why:
        return Stays(why)
    changed = _changes(served, levers, model, batched)
    if new_model or "channel" in changed:
        changed["model"] = model.id  # understood on every channel
    at = call.sent_at + timedelta(seconds=wait_s) if wait_s else call.sent_at
    after = msgspec.structs.replace(served, **changed, prompt_tokens_reported=None) if changed else served
    card = book.card(facts_of(after, at))
    if not isinstance(card, Card):
        return Stays(card.reason)
    effort = levers.effort
    if effort is None and not changed and not wait_s:
        return Moved(after, at, model, ONE, ONE, served.kind, separates_caches=False)
    kind = Kind.DERIVED if effort is None and factor == 1 else Kind.ASSUMED
    output_factor = factor if effort is None else factor * effort.output_factor
    return Moved(after, at, model, factor, output_factor, kind, bool(changed or effort))


def _kept_for(call: Call, levers: Levers, new_model: bool, joins_batch: bool) -> str:  # noqa: FBT001  two facts
    """Why no lever can be turned on a call; empty where some can."""
    served = call.served
    if served.service_tier not in {"standard", "batch"}:
        return f"service tier {served.service_tier}"
    if served.extra_passes and (new_model or levers.channel not in {None, served.channel}):
        return "several passes, of which each has a model of its own"
    if joins_batch and call.request is not None and call.request.max_tokens == 0:
        return "a pre-warming request (max_tokens: 0), which no batch takes"
    return ""


def _changes(served: Served, levers: Levers, model: Model, batched: bool) -> dict[str, Any]:  # noqa: FBT001  a fact
    """The facts of a response that come out otherwise; its model is not looked at."""
    joins_batch = batched and served.service_tier != "batch"
    channel, location = _channel(served, levers)
    facts: dict[str, str | None] = {
        "channel": channel,
        "location": location,
        "service_tier": "batch" if batched else "standard",
        "speed": levers.speed or ("standard" if joins_batch else served.speed),
    }
    if levers.model is not None or levers.channel is not None or levers.inference_geo is not None:
        facts["inference_geo"] = _geo(served, levers, model, channel)
    return {name: value for name, value in facts.items() if value != getattr(served, name)}


def waits_s(served: Served, levers: Levers) -> int:
    """How long after it was sent a call is worked on: at once, unless it is put in a batch."""
    if not levers.batch or served.service_tier == "batch":
        return 0
    return TURNAROUND_S if levers.turnaround_s is None else levers.turnaround_s


def facts_of(served: Served, at: datetime) -> Facts:
    """What the rates of a response depend on."""
    return Facts(
        served.model,
        served.channel,
        served.location,
        served.service_tier,
        served.speed,
        served.inference_geo,
        at.astimezone(UTC).date(),
    )


def scope_of(call: Call, served: Served, model: Model, at: datetime) -> Hashable:
    """
    Who shares a cached prefix: one organisation's workspace on Anthropic's own channels, an organisation on others.

    Source: facts: claude-api 5.11, checked 2026-11-20; before 2026-02-05 an organisation's workspaces shared theirs.
    """
    apart = served.channel not in PARTNER_CHANNELS and at.astimezone(UTC).date() >= _WORKSPACES_APART_FROM
    workspace = call.dims.get("workspace", "") if apart else ""
    return call.dims.get("organization", ""), workspace, served.channel, served.location, model.id


def dials_under(call: Call, served: Served, model: Model, levers: Levers) -> Dials:
    """The dials under which a moved call's prefixes are cached: those of the response where it states them."""
    request = call.request
    assert request is not None, "only calls with blocks are replayed"
    return Dials(
        model.id,
        served.inference_geo or request.inference_geo,
        served.speed,
        request.thinking,
        request.thinking_budget_tokens,
        request.effort if levers.effort is None else levers.effort.level,
    )


def microseconds(at: datetime) -> int:
    """Since 1970, exact."""
    return (at - _EPOCH) // _MICROSECOND


def at_microseconds(at_us: int) -> datetime:
    """The inverse of :func:`microseconds`."""
    return _EPOCH + at_us * _MICROSECOND


def _channel(served: Served, levers: Levers) -> tuple[str, str | None]:
    if levers.channel is None:
        return served.channel, levers.location or served.location
    if levers.channel not in PARTNER_CHANNELS:
        return levers.channel, None
    return levers.channel, levers.location or "global"


def _geo(served: Served, levers: Levers, model: Model, channel: str) -> str | None:
    """As a response would report it; a model that takes none, where one is wanted, has no price for it."""
    if channel in PARTNER_CHANNELS:
        return None
    wanted = levers.inference_geo or served.inference_geo
    if wanted == "global" and served.inference_geo is None:
        return None  # not stated, which is the same
    if model.applies.inference_geo_us is True or model.tokenizer == "4.7":
        return "global" if wanted == "not_available" else wanted
    return "not_available" if wanted == "global" else wanted


def tokenizer_factor(old: Model, new: Model, levers: Levers) -> Fraction:
    """Tokens on *new* per token on *old*, for the same text."""
    if old.tokenizer == new.tokenizer:
        return ONE
    if levers.tokenizer_factor is not None:
        return levers.tokenizer_factor
    published = Fraction(str(NEW_PER_OLD.typical))
    return published if new.tokenizer == "4.7" else 1 / published


def _does_not_fit(call: Call, model: Model, factor: Fraction) -> str:
    served = call.served
    longest = served.prompt_tokens_max_in_one_pass or served.usage.prompt_tokens
    if served.calls_in_total == 1 and longest * factor > model.context_window_tokens:
        return f"the prompt is longer than {model.id} takes"
    asked = call.request.max_tokens if call.request is not None else None
    if asked is not None and asked > model.output_tokens_max and served.service_tier != "batch":
        return f"it asks for more output than {model.id} gives"
    return ""
