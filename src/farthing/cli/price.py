"""``farthing price``: JSON lines in, priced JSON lines out, in the same order."""

from __future__ import annotations

import gc
import os
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from farthing.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farthing.sources.lines import Line

_CHUNK_LINES = 512


def price(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="JSON lines; - or nothing: standard input.")] = "-",
    known_at: Annotated[
        str | None, typer.Option("--known-at", metavar="DATE", help="Use only prices known on this day.")
    ] = None,
    json: output.Json = False,
    config: options.Config = None,
) -> None:
    """
    Price JSON lines: one object in, one out, in the same order.

    In: model, at (RFC 3339) and usage, or a whole Messages response plus at; id, channel, location, stop_reason and
    stop_details where known. Out: cost_usd as an exact decimal string (null where it cannot be known, then unpriced
    says why), and a line per unit with its rate, rule and source; contract_usd too where the settings name a contract.
    A bad line becomes an object with error and line; the others are priced all the same, and the exit code is 1. The
    output is JSON with or without --json.
    """
    from farthing.cli.ledger_file import contract_terms
    from farthing.reports.priced import priced

    del json
    known_on = options.day(known_at, "--known-at")
    book = options.price_book(config)
    terms = contract_terms(config)
    with _seldom_collected(), options.opened(file) as stream:
        bad, unpriced = _price_stream(stream, lambda line: priced(line, book, known_on, terms))
    if unpriced:
        output.note(f"UNPRICED: {_lines(unpriced)} no exact price; see unpriced in the output")
    if bad:
        output.note(f"{_lines(bad)} an error, told in its place; all others are priced")
        raise typer.Exit(1)


def _price_stream(stream: BinaryIO, answer_to: Callable[[Line], dict[str, Any]]) -> tuple[int, int]:
    """Price every line of *stream* to standard output; returns how many were bad and how many unpriced."""
    from farthing.reports.priced import encode
    from farthing.sources.lines import read_lines

    bad, unpriced, out = 0, 0, sys.stdout
    buffer: list[bytes] = []
    at_once = _CHUNK_LINES if _is_file(stream) else 1
    for line in read_lines(stream):
        answer = answer_to(line)
        bad += "error" in answer
        unpriced += answer.get("cost_usd", "") is None
        buffer.append(encode(answer))
        if len(buffer) >= at_once:
            _write(out, buffer)
    _write(out, buffer)
    return bad, unpriced


def _is_file(stream: BinaryIO) -> bool:
    """Whether all of it is there already; whoever writes into a pipe may wait for an answer to each line."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:
        return False


def _lines(count: int) -> str:
    return f"{count:,} line has" if count == 1 else f"{count:,} lines have"


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Pricing makes no cycles: looking for them after every few lines would take a third of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _write(out: Any, buffer: list[bytes]) -> None:
    if buffer:
        out.buffer.write(b"\n".join(buffer) + b"\n")
        out.buffer.flush()
        buffer.clear()
