"""
From a file and the environment to settings that hold.

A key is ``section.name``; its twin is ``FARTHING_SECTION_NAME``. The environment beats the file, the file beats the
default, and each value remembers which it was. An unknown key is an error that names its nearest neighbour.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints
from zoneinfo import ZoneInfo

import msgspec

from farthing.config.keys import DATA, KEYS
from farthing.config.settings import Config
from farthing.errors import BadConfig, FarthingError
from farthing.money import parse_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CONFIG_VARIABLE = "FARTHING_CONFIG"
"""Names the file to read, where ``--config`` does not."""


class Setting(NamedTuple):
    """One resolved setting, as ``farthing config`` shows it. *origin*: ``default``, a file, or a variable's name."""

    key: str
    variable: str
    value: Any
    origin: str

    @property
    def text(self) -> str:
        """The value as one would write it in the environment; empty for none."""
        if isinstance(self.value, dict):
            return ",".join(f"{name}={target}" for name, target in self.value.items())
        return "" if self.value is None else str(self.value)


class Loaded(NamedTuple):
    """
    What :func:`load` found.

    ``unknown_variables`` start with ``FARTHING_`` and mean nothing to us: worth a warning, not an error, because
    Kubernetes makes such variables for any service called farthing.
    """

    config: Config
    settings: tuple[Setting, ...]
    file: Path | None
    unknown_variables: tuple[str, ...]


def _declared() -> dict[str, Any]:
    sections = get_type_hints(Config, include_extras=True)
    return {
        f"{section.rstrip('_')}.{name}": wanted
        for section, struct in sections.items()
        for name, wanted in get_type_hints(struct, include_extras=True).items()
    }


_TYPES = _declared()


def variable_of(key: str) -> str:
    """
    Name a key's environment twin.

    >>> variable_of("ledger.path")
    'FARTHING_LEDGER_PATH'
    """
    return "FARTHING_" + key.replace(".", "_").upper()


def load(
    config_path: Path | None = None, *, environment: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Loaded:
    """
    Resolve every setting.

    Args:
        config_path: What ``--config`` named; None: the first there is of ``$FARTHING_CONFIG``, ``./farthing.toml`` and
            ``$XDG_CONFIG_HOME/farthing/farthing.toml``. No file at all is fine.
        environment: Where the twins are looked up; an empty variable counts as not set.
        folder: What ``.`` is and what relative paths in the environment start from; None: the working directory.
            Relative paths in a file start from the file.

    Raises:
        BadConfig: A file that was named is not there or is no TOML; it holds an unknown key (all are named at once); or
            it or a variable holds a value of a wrong kind.

    """
    folder = folder or Path.cwd()
    file = _find(config_path, environment, folder)
    found = {key: Setting(key, variable_of(key), value, "default") for key, value in _defaults(environment).items()}
    for setting in (*_from_file(file), *_from_environment(environment, folder)):
        found[setting.key] = setting
    settings = tuple(found[key] for key in KEYS)
    known = {CONFIG_VARIABLE, *(setting.variable for setting in settings)}
    unknown = sorted(name for name in environment if name.startswith("FARTHING_") and name not in known)
    return Loaded(_assembled(settings), settings, file, tuple(unknown))


def _defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    home = Path(environment.get("HOME") or Path.home())
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    return {name: _placed(key.default, data) for name, key in KEYS.items()}


def _placed(default: Any, data: Path) -> Any:
    is_data = isinstance(default, Path) and default.parts[0] == DATA
    return data.joinpath(*default.parts[1:]) if is_data else default


def _find(named: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    by_variable = environment.get(CONFIG_VARIABLE)
    if named is not None:
        return _must_exist(folder / named.expanduser(), "--config")
    if by_variable:
        return _must_exist(folder / Path(by_variable).expanduser(), f"${CONFIG_VARIABLE}")
    home = Path(environment.get("HOME") or Path.home())
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    candidates = (folder / "farthing.toml", user / "farthing" / "farthing.toml")
    return next((file for file in candidates if file.is_file()), None)


def _must_exist(file: Path, named_by: str) -> Path:
    if not file.is_file():
        raise BadConfig(
            f"found no settings file at {file}", f"the file that {named_by} names", "mend the path or drop it"
        )
    return file


def _from_file(file: Path | None) -> Iterator[Setting]:
    if file is None:
        return
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"read {file}: {error}", "a TOML file, UTF-8") from error
    _refuse_unknown(file, tree)
    for key in KEYS:
        section, name = key.split(".")
        if name in tree.get(section, {}):
            value = _converted(key, tree[section][name], f"{file}: {key}", file.parent)
            yield Setting(key, variable_of(key), value, str(file))


def _refuse_unknown(file: Path, tree: Mapping[str, Any]) -> None:
    sections = {key.partition(".")[0] for key in KEYS}
    unknown: list[str] = []
    for section, content in tree.items():
        if section in sections and not isinstance(content, dict):
            raise BadConfig(f"read {file}: {section} is a value", f"a table, [{section}]")
        if section in sections or (isinstance(content, dict) and content):
            unknown.extend(f"{section}.{name}" for name in content if f"{section}.{name}" not in KEYS)
        else:
            unknown.append(section)
    if unknown:
        advice = "; ".join(f"for {key} did you mean {_nearest(key)}?" for key in unknown)
        raise BadConfig(f"read {file}: unknown {', '.join(unknown)}", "only the keys of docs/configuration.md", advice)


def _nearest(key: str) -> str:
    """The most similar key; a bare name may also match a key's last part."""
    pool = {key: key for key in KEYS} | {key.partition(".")[2]: key for key in KEYS}
    return pool[difflib.get_close_matches(key, pool, n=1, cutoff=0)[0]]


def _from_environment(environment: Mapping[str, str], folder: Path) -> Iterator[Setting]:
    for key in KEYS:
        variable = variable_of(key)
        if text := environment.get(variable):
            value = _pairs(variable, text) if _TYPES[key] == dict[str, str] else text
            yield Setting(key, variable, _converted(key, _number(key, value), variable, folder), variable)


def _number(key: str, value: Any) -> Any:
    """Digits as the whole number they are, where the key wants one."""
    is_number = msgspec.inspect.type_info(_TYPES[key])
    return int(value) if isinstance(is_number, msgspec.inspect.IntType) and value.isdecimal() else value


def _pairs(variable: str, text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not equals or not name.strip() or not target.strip() for name, equals, target in pairs):
        raise BadConfig(f"read {variable}={text!r}", "pairs such as customer=tenant,team=feature")
    return {name.strip(): target.strip() for name, _, target in pairs}


def _converted(key: str, value: Any, where: str, base: Path) -> Any:
    try:
        converted = msgspec.convert(value, _TYPES[key], dec_hook=_path_reader(base))
        if key == "report.timezone":
            ZoneInfo(converted)
        if key.endswith("_budget_usd") and parse_usd(converted) < 0:
            raise ValueError(f"{converted} is less than nothing")  # noqa: TRY301 - one message for all
    except (msgspec.ValidationError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise BadConfig(f"read {where}: {error.args[0]}", KEYS[key].expected) from error
    except FarthingError:
        raise BadConfig(f"read {where}: {value!r} is no amount", KEYS[key].expected) from None
    return converted


def _path_reader(base: Path) -> Callable[[type, Any], Any]:
    def read(wanted: type, value: Any) -> Any:
        if wanted is Path and isinstance(value, str) and value:
            return base / Path(value).expanduser()
        raise ValueError(f"{value!r} is not a path")

    return read


def _assembled(settings: tuple[Setting, ...]) -> Config:
    sections: dict[str, dict[str, Any]] = {}
    for setting in settings:
        section, name = setting.key.split(".")
        sections.setdefault(section, {})[name] = setting.value
    return Config(**{name: struct(**sections[name.rstrip("_")]) for name, struct in get_type_hints(Config).items()})
