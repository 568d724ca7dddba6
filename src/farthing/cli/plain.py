"""What a command prints without a table: JSON, one line, an amount. Neither Typer nor Rich is imported for it."""

from __future__ import annotations

import json
import sys
from typing import Any

from farthing import money
from farthing.units import Kind

_KIND_STYLE = {Kind.MEASURED: "green", Kind.DERIVED: "cyan", Kind.ASSUMED: "yellow"}


def print_json(value: Any) -> None:
    """Print *value* as indented JSON with keys in their given order."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def fail(message: str, *, as_json: bool, code: int = 1) -> int:
    """Say what went wrong in one line, as ``{"error": ...}`` on standard output for JSON; returns *code*."""
    one_line = " ".join(message.split())
    if as_json:
        print_json({"error": one_line})
    else:
        print(f"farthing: {one_line}", file=sys.stderr)  # noqa: T201
    return code


def note(message: str) -> None:
    """Say something in passing, as one line on standard error."""
    print(f"farthing: {message}", file=sys.stderr)  # noqa: T201


def kind_markup(kind: Kind) -> str:
    """The kind of a figure, quiet but visible, as Rich markup."""
    return f"[dim {_KIND_STYLE[kind]}]{kind}[/]"


def usd(pusd: int | None, places: int = 2) -> str:
    """
    An amount for a reader: ``$1,234.50``; ``unpriced`` for None.

    An amount that would read as zero but is not gets as many digits as it needs for two that count.
    """
    if pusd is None:
        return "unpriced"
    while pusd and places < 12 and abs(pusd) < 10 ** (12 - places + 1):
        places += 1
    text = money.display(abs(pusd), places)
    return f"-${text}" if pusd < 0 else f"${text}"


def bear_any_terminal() -> None:
    """Let an ASCII terminal get a "?" for a bar, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
