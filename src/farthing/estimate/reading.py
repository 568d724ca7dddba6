"""Workload files and flags to a :class:`~farthing.estimate.workload.Workload`: the only part that touches a disk."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import tomllib
import types
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import msgspec

from farthing.errors import BadConfig
from farthing.estimate.workload import Workload, check, sizes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PRESETS_FOLDER = Path(__file__).parent / "data" / "presets"
PRESETS = ("light", "medium", "heavy")


def read_workload(path: Path | None, *, preset: str | None = None, settings: Iterable[str] = ()) -> Workload:
    """
    Read a workload file over a preset, with settings over both.

    Args:
        path: A ``.toml`` or ``.json`` file; None: the preset alone.
        preset: One of :data:`PRESETS`.
        settings: ``key=value`` with dotted keys, values as in TOML; ``model=ID`` replaces the whole mix.

    Raises:
        BadConfig: An unreadable file, an unknown key or preset, a wrong type, or numbers that make no sense.

    """
    if path is None and preset is None:
        raise BadConfig("read neither a workload file nor a preset", f"a file, or --preset {'|'.join(PRESETS)}")
    tables = [] if preset is None else [_preset(preset)]
    if path is not None:
        tables.append(_parse(path))
    merged: dict[str, Any] = {}
    for table in tables:
        _merge(merged, table)
    for setting in settings:
        _merge(merged, _setting(setting))
    return decode(merged, path.name if path else f"preset {preset}")


def with_settings(workload: Workload, settings: Iterable[str]) -> Workload:
    """
    A workload with settings over it, as :func:`read_workload` takes them; what they change is no longer measured.

    Raises:
        BadConfig: As :func:`read_workload`.

    """
    merged: dict[str, Any] = msgspec.to_builtins(workload, builtin_types=(Decimal, dt.date))
    changed = set()
    for setting in settings:
        key = setting.partition("=")[0].strip()
        changed.add("models" if key.partition(".")[0] in ("model", "models") else key)
        _merge(merged, _setting(setting))
    merged["measured"] = [key for name in workload.measured for key in _still_measured(workload, name, changed)]
    return decode(merged, workload.name)


def _still_measured(workload: Workload, name: str, changed: set[str]) -> list[str]:
    """What is left of a measured key or table: itself, or the sizes of the table that nobody changed."""
    if not any(key == name or key.startswith(f"{name}.") for key in changed):
        return [name]
    return [key for key in sizes_of(workload) if key.startswith(f"{name}.") and key not in changed]


def decode(raw: Mapping[str, Any], where: str) -> Workload:
    """
    A checked workload from plain values; *where* names their origin in messages.

    Raises:
        BadConfig: As :func:`read_workload`.

    """
    table = dict(raw)
    if "model" in table:
        if "models" in table:
            raise BadConfig(f"read both model and models in {where}", "one of them")
        table["models"] = {str(table.pop("model")): Decimal(1)}
    _refuse_unknown(table, Workload, "", where)
    try:
        return check(msgspec.convert(table, Workload), where)
    except msgspec.ValidationError as error:
        raise BadConfig(f"read {where}: {error}", "the keys and types of docs/estimate.md") from error


def _preset(name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise BadConfig(f"read preset {name!r}", " or ".join(PRESETS))
    return _parse(PRESETS_FOLDER / f"{name}.toml")


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix == ".json":
            raw = json.loads(text, parse_float=Decimal, parse_constant=Decimal)
        else:
            raw = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise BadConfig(f"could not read {path.name}: {error.strerror}", "a workload file") from error
    except ValueError as error:
        shape = "JSON" if path.suffix == ".json" else "TOML"
        raise BadConfig(f"read {path.name}: {error}", f"{shape} in UTF-8") from error
    if not isinstance(raw, dict):
        raise BadConfig(f"read {path.name}: its top level is not a table", "keys such as [tokens] and [models]")
    return raw


def _setting(setting: str) -> dict[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise BadConfig(f"read setting {setting!r}", "key=value, such as tokens.output=400")
    try:
        parsed: Any = tomllib.loads(f"value = {value}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    key = key.strip()
    # A model id may hold dots, so everything behind "models." is one key.
    names = key.split(".", 1) if key.startswith("models.") else key.split(".")
    for name in reversed(names):
        parsed = {name: parsed}
    return dict(parsed)


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    """Lay *table* over *into*; a volume or a mix stated anew replaces the old one instead of joining it."""
    if "model" in table:
        into.pop("models", None)
    if "models" in table:
        into.pop("model", None)
    if isinstance(volume := table.get("volume"), dict) and isinstance(old := into.get("volume"), dict):
        ways = ("calls_per_day", "calls_per_month", "users")
        if any(way in volume for way in ways):
            for way in ways:
                old.pop(way, None)
    for key, value in table.items():
        is_range = isinstance(value, dict) and ("low" in value or "p50" in value)
        if isinstance(value, dict) and isinstance(into.get(key), dict) and not is_range:
            _merge(into[key], value)
        else:
            into[key] = _copy(value)


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _refuse_unknown(table: Mapping[str, Any], shape: type[msgspec.Struct], path: str, where: str) -> None:
    known = {field.encode_name for field in msgspec.structs.fields(shape)}
    hints = get_type_hints(shape)
    for key, value in table.items():
        if key not in known:
            nearest = difflib.get_close_matches(str(key), [*known, *(("model",) if not path else ())], n=1, cutoff=0.5)
            hint = f"did you mean {path}{nearest[0]}?" if nearest else f"known: {', '.join(sorted(known))}"
            raise BadConfig(f"read unknown key {path}{key} in {where}", next_step=hint)
        inner = _struct(hints[key])
        if inner is not None and isinstance(value, dict):
            _refuse_unknown(value, inner, f"{path}{key}.", where)


def _struct(hint: Any) -> type[msgspec.Struct] | None:
    options = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return next((one for one in options if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
