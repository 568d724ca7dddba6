"""
A choice as text: ``model=claude-haiku-5-5,batch=true where feature=triage``.

========================  ==============================================================================================
``model=ID``              ask this model
``batch=true``            through Message Batches; ``false``: not. ``turnaround=900``: seconds until it is worked on
``geo=us``                ``us`` or ``global``
``speed=fast``            ``fast`` or ``standard``
``effort=low*0.6``        an effort, and the output tokens per recorded one that are believed to come of it
``channel=bedrock``       ``channel=bedrock:us-east-1`` for a regional endpoint
``cache=POLICY``          ``none``, ``as_recorded``, ``as_marked``, ``automatic``, ``end``, ``second_sight``, or the
                          places of up to four breakpoints, ``tools+system+-2``
``ttl=1h``                ``5m``, ``1h`` or ``mixed``
``pings=3``               keep prefixes alive so often after their last use; ``ping_every=240``: seconds between
``tokenizer=1.35``        tokens of the new tokenizer per token of the old one, instead of the published figure
========================  ==============================================================================================
"""

from __future__ import annotations

import difflib
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec

from farthing.errors import BadInput
from farthing.prices.names import CHANNELS, PARTNER_CHANNELS
from farthing.whatif.replay.choice import SECTIONS, CachePolicy, Caching, Choice, Effort, Levers, LifetimeChoice, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.prices.book import PriceBook

_T = TypeVar("_T")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
_WHERE = re.compile(r"\s+where\s+")
_CACHE_KEYS = ("cache", "ttl", "pings", "ping_every")
_POLICIES = tuple(name for name in get_args(CachePolicy) if name != "fixed")


def parse_choice(text: str, book: PriceBook) -> Choice:
    """
    Read one choice.

    Args:
        text: As above.
        book: Which models there are.

    Raises:
        BadInput: An unknown lever or value, with what would have been right.

    """
    levers_text, *limits = _WHERE.split(text.strip(), maxsplit=1)
    pairs = _pairs(levers_text, "a lever such as model=claude-haiku-5-5")
    turned: dict[str, Any] = {}
    for name, value in pairs:
        if name not in _READERS and name not in _CACHE_KEYS:
            near = difflib.get_close_matches(name, [*_READERS, *_CACHE_KEYS], n=1)
            raise BadInput(
                f"read the lever {name!r}",
                f"one of {', '.join([*_READERS, *_CACHE_KEYS])}",
                f"did you mean {near[0]}?" if near else "",
            )
        if name in _READERS:
            turned |= _READERS[name](value, book)
    caching = _caching({name: value for name, value in pairs if name in _CACHE_KEYS})
    levers = msgspec.structs.replace(Levers(), **turned, cache=caching)
    if levers.batch and levers.speed == "fast":
        raise BadInput("read batch=true beside speed=fast", "one of them: no batch takes fast mode")
    if levers.turnaround_s is not None and not levers.batch:
        raise BadInput("read turnaround without batch=true", "both")
    return Choice(rules=(Rule(levers, _where(limits[0]) if limits else {}),), name=text.strip())


def _pairs(text: str, expected: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            raise BadInput(f"read {part.strip()!r}", f"{expected}; several are separated by commas")
        pairs.append((name, value))
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadInput(f"read one name twice in {text.strip()!r}", "each once")
    return pairs


def _where(text: str) -> dict[str, tuple[str, ...]]:
    """``feature=triage|summary,tenant=acme``."""
    return {name: tuple(value.split("|")) for name, value in _pairs(text, "a condition such as feature=triage")}


def _model(value: str, book: PriceBook) -> dict[str, Any]:
    named = book.names.find(value)
    if named is None or named.channel != "claude_api":
        near = ", ".join(book.names.nearest(value))
        raise BadInput(f"read the model {value!r}", "an id of the price book", f"nearest: {near}" if near else "")
    return {"model": named.model.id}


def _batch(value: str, _book: PriceBook) -> dict[str, Any]:
    return {"batch": _one_of("batch", value, {"true": True, "false": False})}


def _turnaround(value: str, _book: PriceBook) -> dict[str, Any]:
    return {"turnaround_s": _whole("turnaround", value, least=0, most=24 * 3600)}


def _geo(value: str, _book: PriceBook) -> dict[str, Any]:
    return {"inference_geo": _one_of("geo", value, {"us": "us", "global": "global"})}


def _speed(value: str, _book: PriceBook) -> dict[str, Any]:
    return {"speed": _one_of("speed", value, {"standard": "standard", "fast": "fast"})}


def _effort(value: str, _book: PriceBook) -> dict[str, Any]:
    level, _, factor = value.partition("*")
    if level not in EFFORTS or not factor:
        raise BadInput(
            f"read effort={value}",
            "an effort and what it does to the output, such as low*0.6",
            "nobody publishes that factor: measure it on your own calls, or say what you believe",
        )
    return {"effort": Effort(level, _factor("effort", factor))}


def _channel(value: str, _book: PriceBook) -> dict[str, Any]:
    channel, _, location = value.partition(":")
    if channel not in CHANNELS:
        raise BadInput(f"read the channel {channel!r}", f"one of {', '.join(CHANNELS)}")
    if location and channel not in PARTNER_CHANNELS:
        raise BadInput(f"read a location on {channel}", f"one only on {', '.join(sorted(PARTNER_CHANNELS))}")
    return {"channel": channel, "location": location or None}


def _tokenizer(value: str, _book: PriceBook) -> dict[str, Any]:
    return {"tokenizer_factor": _factor("tokenizer", value)}


_READERS: dict[str, Callable[[str, PriceBook], dict[str, Any]]] = {
    "model": _model,
    "batch": _batch,
    "turnaround": _turnaround,
    "geo": _geo,
    "speed": _speed,
    "effort": _effort,
    "channel": _channel,
    "tokenizer": _tokenizer,
}


def _caching(given: dict[str, str]) -> Caching | None:
    if not given:
        return None
    if "cache" not in given:
        raise BadInput(f"read {next(iter(given))} without cache", "both, such as cache=automatic,ttl=1h")
    policy, places = _policy(given["cache"])
    more: dict[str, Any] = {"places": places}
    if "ttl" in given:
        more["ttl"] = _one_of("ttl", given["ttl"], {ttl: ttl for ttl in get_args(LifetimeChoice)})
    if "pings" in given:
        more["pings"] = _whole("pings", given["pings"], least=0, most=1000)
    if "ping_every" in given:
        more["ping_every_s"] = _whole("ping_every", given["ping_every"], least=1, most=3600)
    return Caching(policy, **more)


def _policy(value: str) -> tuple[CachePolicy, tuple[str | int, ...]]:
    for name in get_args(CachePolicy):
        if value == name and name != "fixed":
            return name, ()
    places: list[str | int] = []
    for part in value.split("+"):
        if part in SECTIONS:
            places.append(part)
        elif re.fullmatch(r"-?[0-9]{1,6}", part):
            places.append(int(part))
        else:
            raise BadInput(
                f"read cache={value}", f"{', '.join(_POLICIES)}, or places such as {'+'.join(SECTIONS)} or system+-2"
            )
    return "fixed", tuple(places)


def _one_of(name: str, value: str, known: dict[str, _T]) -> _T:
    if value not in known:
        raise BadInput(f"read {name}={value}", " or ".join(known))
    return known[value]


def _whole(name: str, value: str, *, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise BadInput(f"read {name}={value}", f"a whole number from {least:,} to {most:,}")
    return int(value)


def _factor(name: str, value: str) -> Fraction:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", value) or not Fraction(value):
        raise BadInput(f"read {name} with the factor {value!r}", "a number above 0, such as 0.6")
    return Fraction(value)
