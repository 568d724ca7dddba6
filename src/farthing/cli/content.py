"""``farthing content``: what the gateway kept of what was said, how much of it, and its end."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.errors import BadInput
from farthing.units import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.ledger.content import Content, ContentStore, Part, Standing

app = typer.Typer(help="What the gateway kept of prompts and answers.", no_args_is_help=True)

_SPAN = re.compile(r"([1-9][0-9]{0,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


class Side(StrEnum):
    """One of the two bodies of a call."""

    REQUEST = "request"
    ANSWER = "answer"


@app.callback()
def content() -> None:
    """What the gateway kept of prompts and answers."""


@app.command()
def show(
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID", help="Its name in the ledger or the gateway's log.")],
    raw: Annotated[
        Side | None, typer.Option("--raw", help="Print only this body, byte for byte as it is kept.")
    ] = None,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show what is kept of one call.

    CALL_ID is x-farthing-call-id of the answer, the id of the message, or the call's name in the ledger.
    """
    path = _path(ledger, config)
    if raw is not None and json:
        raise BadInput("read --raw beside --json", "one of them")
    found = None
    if path.exists():
        with _opened(path) as store:
            found = store.find(call_id)
    if found is None:
        raise BadInput(
            f"found no content of {call_id}",
            "a call that gateway.content or a rule let be kept, not older than gateway.content_days",
            "farthing content status says what there is",
        )
    if raw is not None:
        _print_raw(found, raw)
    elif json:
        output.print_json(_json(found))
    else:
        _print(found)


@app.command()
def purge(  # noqa: PLR0917  typer passes by name
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="SPAN", help="Calls sent before the last 12h, 7d or 4w.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Calls of this tenant.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every call.")] = False,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Delete content at once and for good; the ledger keeps what calls cost.

    With both --older-than and --tenant, calls that are both. A gateway that runs is not disturbed.
    """
    if everything == (older_than is not None or tenant is not None):
        raise BadInput("read no choice, or --all beside one", "--older-than, --tenant, both, or --all alone")
    before = None if older_than is None else datetime.now(UTC) - _span(older_than)
    path, deleted = _path(ledger, config), 0
    if path.exists():
        with _opened(path) as store:
            deleted = store.purge(before=before, tenant=tenant)
    if json:
        output.print_json({"deleted": deleted})
    else:
        output.console().print(f"Deleted the content of {deleted:,} {'call' if deleted == 1 else 'calls'}.")


@app.command()
def status(json: output.Json = False, ledger: options.LedgerPath = None, config: options.Config = None) -> None:
    """Say what is kept by the settings, how much there is, and since when."""
    settings, path = options.settings(config).config.gateway, _path(ledger, config)
    found = None
    if path.exists():
        with _opened(path) as store:
            found = store.standing()
    facts = {
        "file": str(path),
        "mode": settings.content,
        "rules": None if settings.rules is None else str(settings.rules),
        "days": settings.content_days,
        "calls": {} if found is None else found.calls,
        "disk_bytes": 0 if found is None else found.disk_bytes,
        "disk_bytes_max": settings.content_total_bytes_max,
        "oldest_at": _iso(found.oldest_at) if found else None,
        "newest_at": _iso(found.newest_at) if found else None,
        "kind": str(Kind.MEASURED),
    }
    if json:
        output.print_json(facts)
    else:
        _print_status(facts, found)


def _path(ledger: Path | None, config: Path | None) -> Path:
    from farthing.cli.ledger_file import ledger_path
    from farthing.ledger.content import CONTENT_NAME

    return ledger_path(ledger, config).with_name(CONTENT_NAME)


def _opened(path: Path) -> ContentStore:
    from farthing.ledger.content import ContentStore

    return ContentStore(path)


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise BadInput(f"read --older-than {text!r}", "a span such as 12h, 7d or 4w")
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


# -- one call ---------------------------------------------------------------------------------------------------------


def _json(one: Content) -> dict[str, Any]:
    return {
        "call_id": one.call_id,
        "gateway_call": one.gateway_call,
        "sent_at": one.sent_at.isoformat(),
        "tenant": one.tenant or None,
        "model": one.model or None,
        "mode": one.mode,
        "status": one.status,
        "request": _part_json(one.request),
        "answer": _part_json(one.answer),
    }


def _part_json(part: Part) -> dict[str, Any]:
    """A body as text where it is UTF-8, else in base64; both None where nothing is kept."""
    from base64 import b64encode

    text = base64 = None
    if part.body is not None:
        try:
            text = part.body.decode()
        except UnicodeDecodeError:
            base64 = b64encode(part.body).decode()
    return {"hash": part.hash, "bytes": part.length_bytes, "note": part.note, "text": text, "base64": base64}


def _print_raw(one: Content, side: Side) -> None:
    part = one.request if side is Side.REQUEST else one.answer
    if part.body is None:
        raise BadInput(f"found no body of the {side}: its mode is {one.mode}", "redacted or full", part.note)
    sys.stdout.buffer.write(part.body)
    sys.stdout.flush()


def _print(one: Content) -> None:
    lines = [f"{one.gateway_call}  {one.sent_at:%Y-%m-%d %H:%M:%S} UTC  {one.model or 'unknown model'}  {one.status}"]
    if one.call_id != one.gateway_call:
        lines.append(f"in the ledger: {one.call_id}")
    lines.append(f"mode: {one.mode}" + (f"  tenant: {one.tenant}" if one.tenant else ""))
    for name, part in ((Side.REQUEST, one.request), (Side.ANSWER, one.answer)):
        size = "length unknown" if part.length_bytes is None else f"{part.length_bytes:,} bytes"
        facts = [size, *([f"hash {part.hash}"] if part.hash else []), *([part.note] if part.note else [])]
        lines += ["", f"{name}: {', '.join(facts)}"]
        if part.body is not None:
            lines.append(_readable(part.body))
    sys.stdout.write("\n".join(map(_harmless, lines)) + "\n")
    sys.stdout.flush()


def _readable(body: bytes) -> str:
    """JSON over several lines; anything else as it is."""
    import json

    text = body.decode("utf-8", "backslashreplace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _harmless(text: str) -> str:
    """*text* without what would move a terminal's cursor, or worse."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape").decode() for sign in text
    )


# -- all of it --------------------------------------------------------------------------------------------------------


def _print_status(facts: dict[str, Any], found: Standing | None) -> None:
    from rich.markup import escape

    console = output.console()
    kept = {"none": "nothing", "hash": "hashes", "redacted": "redacted bodies", "full": "whole bodies"}[facts["mode"]]
    days = f"for {facts['days']} days" if facts["days"] else "for ever"
    rules = f"; rules in {escape(facts['rules'])} may say otherwise" if facts["rules"] else ""
    console.print(f"The settings keep [bold]{kept}[/]{'' if facts['mode'] == 'none' else ' ' + days}{rules}.")
    if found is None or found.oldest_at is None or found.newest_at is None:
        console.print(f"[dim]no content in {escape(facts['file'])}[/]", soft_wrap=True)
        return
    counts = ", ".join(f"{calls:,} {mode}" for mode, calls in found.calls.items())
    share = f"{_size(found.disk_bytes)} of at most {_size(facts['disk_bytes_max'])}"
    console.print(f"{counts}; {share}; {found.oldest_at:%Y-%m-%d %H:%M} to {found.newest_at:%Y-%m-%d %H:%M} UTC")
    console.print(f"[dim]{escape(facts['file'])}, {facts['kind']}[/]", soft_wrap=True)


def _size(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
