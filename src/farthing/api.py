"""
The front door of the Python API: a usage in, a bill out.

::

    import farthing

    bill = farthing.price(response.usage, model=response.model, at=sent_at)
    bill.list_usd  # '0.054399'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import Served, Usage
from farthing.errors import BadInput
from farthing.prices.engine import price_served
from farthing.prices.installed import default_book
from farthing.usage.interface import Known, type_name
from farthing.usage.messages import read_message, refusal_category
from farthing.usage.messages import read_usage as _read_usage

if TYPE_CHECKING:
    from datetime import date, datetime

    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook


def price(
    usage: Any,
    *,
    at: datetime,
    model: str | None = None,
    channel: str = "claude_api",
    location: str | None = None,
    service_tier: str | None = None,
    speed: str | None = None,
    stop_reason: str | None = None,
    stop_details: Mapping[str, Any] | None = None,
    write_ttls: frozenset[str] | None = None,
    book: PriceBook | None = None,
    known_on: date | None = None,
) -> Bill:
    """
    Price one request at the list rates in force when it was sent.

    Args:
        usage: One of: Anthropic's ``usage`` as a mapping; a whole Messages response as a mapping; either of them as an
            object of the SDK (anything with ``model_dump()``); a :class:`~farthing.Usage`; a :class:`~farthing.Served`.
        at: Send time, timezone-aware; chooses the rate period.
        model: The model that served; needed unless *usage* names it, in which case its own word wins.
        channel: ``claude_api``, ``claude_platform_aws``, ``bedrock``, ``google_cloud``, ``google_anthropic`` or
            ``foundry``.
        location: Region or ``global`` on partner channels; None where not stated.
        service_tier: ``batch`` or ``priority``, for a *usage* that says ``standard`` or nothing.
        speed: ``fast``, for a *usage* that says ``standard`` or nothing.
        stop_reason: For a bare *usage*: as the response reported it. A refusal before any output has a rule of its own.
        stop_details: For a bare *usage*: as the response reported it.
        write_ttls: Lifetimes the request's ``cache_control`` blocks named, for a *usage* without a 5m/1h split.
        book: A price book; None: the one that ships with farthing.
        known_on: Use only what the book knew on this day; None: all it knows now.

    Returns:
        A bill: one line per unit with its rate, rule and source, and their exact sum. An unknown model is unpriced
        (``bill.list_pusd is None``), never zero.

    Raises:
        BadInput: A count is no count, no model is named, or *at* is no time with a zone.

    """
    served = _served(usage, model, channel, location, write_ttls)
    if service_tier or speed or stop_reason or stop_details:
        served = _completed(served, service_tier, speed, stop_reason, stop_details)
    return price_served(book or default_book(), served, at, known_on)


def read_usage(
    usage: Any,
    *,
    model: str | None = None,
    channel: str = "claude_api",
    location: str | None = None,
    write_ttls: frozenset[str] | None = None,
) -> Served:
    """
    What a usage or a whole response says was served, without a price. Arguments as for :func:`price`.

    Raises:
        BadInput: A count is no count, or no model is named.

    """
    return _served(usage, model, channel, location, write_ttls)


def _served(
    usage: Any, model: str | None, channel: str, location: str | None, write_ttls: frozenset[str] | None
) -> Served:
    if type(usage) is not dict:  # the ordinary case first: a look at an abstract class costs more than a price
        if isinstance(usage, Served):
            _check_counts(usage.usage, *(extra.usage for extra in usage.extra_passes))
            return usage
        if isinstance(usage, Usage):
            _check_counts(usage)
            return Served(model=_named(model), usage=usage, channel=channel, location=location)
        if not isinstance(usage, Mapping):
            usage = _dumped(usage)
    if model and "usage" not in usage:
        if channel == "claude_api" and location is None and write_ttls is None:
            return _read_usage(usage, model=model)
        return _read_usage(usage, model=model, known=Known(channel=channel, location=location, write_ttls=write_ttls))
    return read_message(usage, Known(model=model, channel=channel, location=location, write_ttls=write_ttls))


def _check_counts(*usages: Usage) -> None:
    """A struct made by hand takes whatever it is given; a negative or fractional count would become money."""
    for usage in usages:
        for name in Usage.__struct_fields__:
            value = getattr(usage, name)
            if type(value) is not int or value < 0:
                shown = value if type(value) is int else type_name(value)
                raise BadInput(f"read {name} = {shown}", "a whole number, 0 or more")


def _dumped(usage: Any) -> Mapping[str, Any]:
    dump = getattr(usage, "model_dump", None)
    if dump is None:
        raise BadInput(
            f"read a {type(usage).__name__} as usage", "a mapping, an object of the Anthropic SDK, Usage or Served"
        )
    dumped: Mapping[str, Any] = dump()
    return dumped


def _named(model: str | None) -> str:
    if not model:
        raise BadInput("read a usage without its model", "model=..., the id of the model that served")
    return model


def _completed(
    served: Served,
    service_tier: str | None,
    speed: str | None,
    stop_reason: str | None,
    stop_details: Mapping[str, Any] | None,
) -> Served:
    return msgspec.structs.replace(
        served,
        service_tier=service_tier if service_tier and served.service_tier == "standard" else served.service_tier,
        speed=speed if speed and served.speed == "standard" else served.speed,
        stop_reason=served.stop_reason or stop_reason,
        refusal_category=served.refusal_category or refusal_category(stop_details),
    )
