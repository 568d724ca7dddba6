"""
ccusage's own settings file, ``ccusage.json``: what of it maps onto our flags, and a line about what does not.

Where it is looked for and what goes before what: ccusage 20.0.24, by trying (2026-11-21). Standard library alone, and
little of it: the status line reads the file too.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from farthing.cli.usage_flags import Field

_MEANINGLESS = ("$schema", "all", "offline", "noOffline")
"""Without effect here, and nobody would miss one."""
_ADVICE = {
    "pricingOverrides": "own rates go into the file that the setting prices.overrides names",
    "jq": "pipe --json into jq",
}


def flags_of_file(report: str, config: Any, fields: list[Field]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """
    The flags that ccusage's settings mean for *report*, by field, and what there is to say about them.

    Args:
        report: ``daily``, ``blocks`` and so on.
        config: What ``--config`` named; None: the usual places are looked at. A file that is no ``.json`` is ours.
        fields: What the report accepts.

    Raises:
        BadConfig: The file that was named cannot be read.

    """
    try:
        found = load(None if config is None else os.fspath(config))
    except ValueError as error:
        from farthing.errors import BadConfig

        raise BadConfig(str(error), "the JSON of a ccusage.json") from None
    if found is None:
        return {}, ()
    path, tree = found
    taken: dict[str, Any] = {}
    left = unknown(tree)
    for key, value in options(tree, report).items():
        name = "color" if key == "noColor" else _snake(key)
        field = next((field for field in fields if field.name == name), None)
        read = None if field is None else _value(field, value)
        if field is None or read is None:
            left.append(key)
        elif read is not False:  # ccusage's false means: not set
            taken[name] = key != "noColor" if name == "color" else read
    return taken, tuple(_notes(path, taken, left))


def load(named: str | None, environment: Mapping[str, str] = os.environ) -> tuple[str, dict[str, Any]] | None:
    """
    Path and content of the file: the one that is *named*, if it is in JSON, else the first usual one that can be read.

    Raises:
        ValueError: The file that was named cannot be read.

    """
    if named is not None:
        return (named, _read(named)) if named.endswith(".json") else None
    for path in _places(environment):
        try:
            return path, _read(path)
        except ValueError:
            continue
    return None


def options(tree: dict[str, Any], command: str) -> dict[str, Any]:
    """What holds for a command of Claude Code's, by ccusage's names: its own section last, as the nearest."""
    claude = _table(tree.get("claude"))
    found: dict[str, Any] = {}
    for part in (tree, claude):
        found |= _table(part.get("defaults")) | _table(_table(part.get("commands")).get(command))
    return {key: value for key, value in found.items() if key not in _MEANINGLESS}


def unknown(tree: dict[str, Any]) -> list[str]:
    """Sections that are not read: those of other tools, and slips."""
    return [key for key in tree if key not in ("$schema", "defaults", "commands", "claude")]


def _places(environment: Mapping[str, str]) -> Iterator[str]:
    yield ".ccusage/ccusage.json"
    home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - pathlib is not worth its import here
    xdg = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    usual = f"{xdg}/claude,{home}/.claude"
    for folder in (environment.get("CLAUDE_CONFIG_DIR") or usual).split(","):
        yield f"{folder.strip()}/ccusage.json"


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123
            tree = json.loads(stream.read())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"read {path}: {getattr(error, 'strerror', None) or 'no JSON'}") from None
    if isinstance(tree, dict):
        return tree
    raise ValueError(f"read {path}: no JSON object")


def _value(field: Field, value: Any) -> Any:
    """The value as the flag takes it; None where it does not."""
    if field.kind is bool:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if field.choices:
        return value if value in field.choices else None
    try:
        read = field.kind(value if field.kind is float else str(value))
    except ValueError:
        return None
    too_small = field.flag.minimum is not None and read < field.flag.minimum
    return None if too_small else read


def _notes(path: str, taken: dict[str, Any], left: list[str]) -> Iterator[str]:
    if taken:
        yield f"Flags taken from {path}: {', '.join(sorted(taken))}."
    if left:
        advice = "".join(f"; {_ADVICE[key]}" for key in left if key in _ADVICE)
        yield f"Not taken from {path}: {', '.join(left)}{advice}."


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
