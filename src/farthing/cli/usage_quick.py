"""
Usage reports without Typer: it takes longer to load than a report takes to make.

Only what is plainly right is done here. Anything else (help, a flag that is not there, a value that does not fit, any
error on the way) is left to Typer's way through the same reports, which explains it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from farthing.cli.plain import bear_any_terminal
from farthing.cli.usage_flags import OWN, Field, fields
from farthing.cli.usage_request import request_of
from farthing.errors import FarthingError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int | None:
    """
    Make the report that ``farthing daily --json`` or ``farthing claude daily`` asks for.

    Returns:
        The exit code; None: Typer is to do it, and nothing was printed that it would not print again in its place.

    """
    words = arguments[1:] if arguments[0] == "claude" else arguments
    given = read(words[0], words[1:]) if words and words[0] in OWN else None
    if given is None or given.get("live"):
        return None
    from farthing.cli.usage_reports import run

    bear_any_terminal()
    try:
        return run(request_of(words[0], given))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (FarthingError, OSError):
        return None


def read(report: str, arguments: Sequence[str]) -> dict[str, Any] | None:
    """What was given, by field; None where anything is not plain."""
    by_spelling: dict[str, tuple[Field, bool]] = {}
    for field in fields(report):
        for spelling in field.flag.spellings:
            on, _, off = spelling.partition("/")
            by_spelling |= {on: (field, True)} | ({off: (field, False)} if off else {})
    given: dict[str, Any] = {}
    rest = list(arguments)[::-1]
    while rest:
        text = rest.pop()
        if not text.startswith("-"):
            given.setdefault("paths", []).append(Path(text))
            continue
        name, equals, value = text.partition("=") if text.startswith("--") else (text, "", "")
        if name not in by_spelling:
            return None
        field, is_on = by_spelling[name]
        if field.kind is bool and not equals:
            given[field.name] = is_on
            continue
        read_value = _value(field, value if equals else rest.pop() if rest else "")
        if read_value is None:
            return None
        given[field.name] = read_value
    return given


def _value(field: Field, text: str) -> Any:
    """A value of the flag; None where it is not plainly one."""
    if not text or text.startswith("-") or field.kind is bool or (field.choices and text not in field.choices):
        return None
    if field.kind in (int, float):
        number = text.isascii() and text.replace(".", "", field.kind is float).isdecimal()
        if not number or (field.flag.minimum is not None and float(text) < field.flag.minimum):
            return None
    return field.kind(text)
