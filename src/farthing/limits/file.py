"""
The limits file: budgets, and beside them the tables of the rate limits. Decoded strictly.

Amounts and shares are read as they are written, never by way of a float: ``limit_usd = 0.1`` is ten cents exactly.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from farthing.call import DIMENSIONS
from farthing.errors import BadConfig, FarthingError
from farthing.ledger.zones import find_zone
from farthing.limits.budgets import MODEL, Budget, Mode
from farthing.limits.rates import RateRule, UpstreamRule, named_rules
from farthing.limits.windows import WindowKind
from farthing.money import parse_usd

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Exact = int | str
"""A TOML number or text; floats arrive here as the text they were written as."""

_ALERT_MAX = 10
_WELL_KNOWN = frozenset({*DIMENSIONS, MODEL, "run", "team"})


class _Smooth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    overshoot_usd: _Exact
    quantile: _Exact = "0.99"


class _Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    limit_usd: _Exact
    window: WindowKind
    scope: dict[str, str | tuple[str, ...]] = {}
    each: str | None = None
    timezone: str = "UTC"
    mode: Mode = "hard"
    alert_at: tuple[_Exact, ...] = ("0.5", "0.8", 1)
    degrade_to: str | None = None
    smooth: _Smooth | None = None
    unpriced: Literal["refuse", "allow"] = "refuse"


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    budget: tuple[_Budget, ...] = ()
    on_store_failure: Literal["refuse", "allow"] = "refuse"
    default_inference_geo: Literal["unknown", "global", "us"] = "unknown"
    rate: tuple[RateRule, ...] = ()
    upstream: UpstreamRule = UpstreamRule()


_WORDS = {one.name: get_args(one.type) for struct in (_File, _Budget) for one in msgspec.structs.fields(struct)}
_KEYS = sorted({*_File.__struct_fields__, *_Budget.__struct_fields__, *_Smooth.__struct_fields__})


class Limits(NamedTuple):
    """
    What a limits file says.

    Attributes:
        budgets: In their order.
        refuses_without_store: Whether calls under a hard budget are refused while the store of budgets does not answer.
        default_inference_geo: Where a call runs that does not say so (``unknown`` reserves the dearer place).
        rates, upstream: For :mod:`farthing.limits.flow`.

    """

    budgets: tuple[Budget, ...] = ()
    refuses_without_store: bool = True
    default_inference_geo: str = "unknown"
    rates: tuple[RateRule, ...] = ()
    upstream: UpstreamRule = UpstreamRule()


def read_limits(path: Path) -> Limits:
    """
    Read a limits file.

    Raises:
        BadConfig: It cannot be read, has an unknown key or a wrong value, or contradicts itself.

    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
        exact = tomllib.loads(text, parse_float=str)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"read limits {path.name}: {error}", "a TOML file, UTF-8") from error
    if "budget" in exact:
        tree["budget"] = exact["budget"]
    return limits_of(tree, path.name)


def limits_of(tree: dict[str, Any], where: str) -> Limits:
    """
    Limits from decoded TOML.

    Args:
        tree: The file; floats of budgets as text.
        where: Its name, for messages.

    Raises:
        BadConfig: As :func:`read_limits`.

    """
    try:
        file = msgspec.convert(tree, _File)
    except msgspec.ValidationError as error:
        raise BadConfig(f"read limits {where}: {error}", "the keys of docs/limits.md", _hint(str(error))) from error
    budgets: list[Budget] = []
    for table in file.budget:
        if not table.name.strip() or len(table.name) > 100:
            raise BadConfig(f"read limits {where}: a budget called {table.name[:100]!r}", "a name of 1 to 100 letters")
        if any(one.name == table.name for one in budgets):
            raise BadConfig(f"read limits {where}: two budgets are called {table.name!r}", "one name for each")
        budgets.append(_budget(table, f"read limits {where}: budget {table.name!r}"))
    for rule in file.rate:
        _check_rate(rule, f"read limits {where}: rate {rule.name!r}")
    return Limits(
        tuple(budgets),
        file.on_store_failure == "refuse",
        file.default_inference_geo,
        named_rules(file.rate, where),
        file.upstream,
    )


def _check_rate(rule: RateRule, where: str) -> None:
    names = (*rule.match, *([rule.each] if rule.each else ()))
    _check_names(names, where)
    if MODEL in names:
        raise BadConfig(f"{where} tells models apart by {MODEL!r}", 'model = "a pattern", beside match and each')


def _check_names(names: Iterable[str], where: str) -> None:
    """Tags are free, but a limit on what no call has limits nothing: names just beside one that calls do have."""
    for name in names:
        plain = name.strip().lower().replace("-", "_")
        meant = {plain, plain.removesuffix("s")} & _WELL_KNOWN
        if name not in _WELL_KNOWN and meant:
            raise BadConfig(f"{where} names {name!r}", "a dimension, a tag or model", f"did you mean {min(meant)}?")


def _budget(table: _Budget, where: str) -> Budget:
    _check_names((*table.scope, *([table.each] if table.each else ())), where)
    if any(not patterns for patterns in table.scope.values()):
        raise BadConfig(f"{where}: a scope is empty", "at least one pattern, or else no call falls under it")
    if (table.mode == "degrade") != (table.degrade_to is not None):
        raise BadConfig(f"{where}: mode {table.mode!r}, degrade_to {table.degrade_to!r}", "both, or neither")
    smooth = table.smooth
    if smooth is not None and (table.mode == "soft" or table.window == "call"):
        raise BadConfig(f"{where}: smooth", "a window of several calls, and a mode that refuses")
    shares = sorted({_share(value, f"{where}: alert_at", _ALERT_MAX) for value in table.alert_at})
    try:
        zone = find_zone(table.timezone)
    except FarthingError as error:
        raise BadConfig(f"{where}: timezone {table.timezone!r}", "an IANA name such as Europe/Berlin") from error
    return Budget(
        name=table.name,
        limit_pusd=_pusd(table.limit_usd, f"{where}: limit_usd"),
        window=table.window,
        zone=zone,
        mode=table.mode,
        scope=tuple((name, (one,) if isinstance(one, str) else one) for name, one in table.scope.items()),
        each=table.each or None,
        alert_at=tuple(shares),
        degrade_to=table.degrade_to,
        quantile=None if smooth is None else _share(smooth.quantile, f"{where}: smooth.quantile", 1),
        overshoot_pusd=0 if smooth is None else _pusd(smooth.overshoot_usd, f"{where}: smooth.overshoot_usd"),
        allows_unpriced=table.unpriced == "allow",
    )


def _pusd(value: _Exact, where: str) -> int:
    try:
        pusd = parse_usd(str(value))
    except FarthingError:
        raise BadConfig(f"{where} = {value!r}", "exact dollars, such as 25 or 0.10") from None
    if pusd < 0:
        raise BadConfig(f"{where} = {value!r}", "no less than nothing")
    return pusd


def _share(value: _Exact, where: str, most: int) -> Fraction:
    try:
        share = Fraction(str(value)) if len(str(value)) <= 20 and "e" not in str(value).lower() else None
    except (ValueError, ZeroDivisionError):
        share = None
    if share is None or not 0 < share <= most:
        raise BadConfig(f"{where} holds {value!r}", f"a number above 0, up to {most}")
    return share


def _hint(message: str) -> str:
    """The nearest key there is, where the message names one that there is not; or the words that a key takes."""
    if (odd := re.search(r"Invalid enum value .* at `\$.*?(\w+)`$", message)) and _WORDS.get(odd[1]):
        return f"{odd[1]} is one of {', '.join(map(str, _WORDS[odd[1]]))}"
    unknown = re.search(r"unknown field `([^`]*)`", message)
    near = difflib.get_close_matches(unknown[1], _KEYS, n=1) if unknown else []
    return f"did you mean {near[0]}?" if near else ""
