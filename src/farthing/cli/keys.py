"""``farthing keys``: make, list, revoke and check the gateway's virtual keys, in the file that is their only truth."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.gateway.keys import Entry, KeysFile
    from farthing.ledger.interface import Row

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the gateway's virtual keys.")

Keys = Annotated[Path | None, typer.Option("--keys", metavar="FILE", help="File of keys; else gateway.keys.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Name of the key.", show_default=False)]
_DAYS_USED = 100_000


@app.command()
def create(  # noqa: PLR0917  typer passes by name
    key_id: Id,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A dimension of its calls; repeat for more.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="PATTERN", help="A model it may use; none: any. Repeat.")
    ] = None,
    path: Annotated[
        list[str] | None, typer.Option("--path", metavar="PATTERN", help="A path it may use; none: any. Repeat.")
    ] = None,
    upstream: Annotated[str, typer.Option("--upstream", metavar="NAME", help="Credential its calls go out with.")] = "",
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="A day, a time, or a span such as 90d.")
    ] = None,
    keys: Keys = None,
    config: options.Config = None,
    json: output.Json = False,
) -> None:
    """
    Make a key, print it once, and write its digest to the file.

    Nobody can print it again: the file holds only its SHA-256. A gateway that runs takes it up within seconds.
    """
    from farthing.gateway.keys import Entry, hash_of, new_key, shown
    from farthing.gateway.keys_text import NEW_FILE, with_entry

    file, key = _file(keys, config), new_key()
    entry = Entry(
        id=key_id,
        hash=hash_of(key),
        prefix=shown(key),
        set={name: values[-1] for name, values in _pairs(set_).items()},
        upstream=upstream,
        models=tuple(model or ()),
        paths=tuple(path or ()),
        expires_at=_expiry(expires, datetime.now(UTC)),
    )
    _change(file, lambda text: with_entry(text or NEW_FILE, entry, file.name))
    if json:
        output.print_json({"key": key, "file": str(file), **_facts(entry, datetime.now(UTC))})
        return
    sys.stdout.write(f"{key}\n")
    sys.stdout.flush()
    output.note(f"This is the key {key_id}; it is shown once. Its digest is in {file}.")


@app.command("list")
def list_(
    keys: Keys = None,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
    json: output.Json = False,
) -> None:
    """List the keys, with what the ledger knows of each: calls, cost and the last day it was used."""
    from farthing.cli.ledger_file import ledger_path
    from farthing.gateway.key_file import read_key_file

    found, now = read_key_file(_file(keys, config)), datetime.now(UTC)
    used = _used(ledger_path(ledger, config))
    rows = [{**_facts(entry, now), **_use(used.get(entry.id))} for entry in found.key]
    if json:
        output.print_json({"mode": found.mode, "keys": rows})
    elif not rows:
        output.console().print("No keys; farthing keys create makes one.")
    else:
        _print(rows)


@app.command()
def revoke(key_id: Id, keys: Keys = None, config: options.Config = None, json: output.Json = False) -> None:
    """
    Disable a key. Its entry stays, so that its calls keep a name.

    A gateway that runs refuses it within seconds, or at once when it gets SIGHUP.
    """
    from farthing.gateway.keys_text import without_access

    file = _file(keys, config)
    _change(file, lambda text: without_access(text, key_id, file.name))
    if json:
        output.print_json({"id": key_id, "file": str(file), "disabled": True})
    else:
        output.console().print(f"{key_id} is disabled in {file.name}.", markup=False)


@app.command()
def check(
    stdin: Annotated[bool, typer.Option("--stdin", help="Read a key, and say whose it is.")] = False,
    keys: Keys = None,
    config: options.Config = None,
    json: output.Json = False,
) -> None:
    """
    Read the file as a gateway would, with the credentials it names, and say what is wrong; exit code 1 then.

    With --stdin a key is read from standard input, which shows it to nobody, and looked up.
    """
    from farthing.gateway.key_file import credentials, read_key_file
    from farthing.gateway.keys import hash_of

    file, now = _file(keys, config), datetime.now(UTC)
    found = read_key_file(file)
    credentials(found, file)
    facts: dict[str, Any] = {
        "file": str(file),
        "mode": found.mode,
        "keys": len(found.key),
        "upstreams": [*found.upstream],
    }
    if stdin:
        digest = hash_of(sys.stdin.readline().strip())
        entry = next((one for one in found.key if one.hash == digest), None)
        if entry is None:
            raise BadInput("read a key that is not in the file", f"one whose digest is in {file}")
        facts["key"] = _facts(entry, now)
    if json:
        output.print_json(facts)
    else:
        output.console().print("\n".join(_told(found, facts)), markup=False)


def _told(found: KeysFile, facts: dict[str, Any]) -> list[str]:
    lines = [f"{facts['file']}: {len(found.key)} keys, {found.mode}; every credential is there."]
    if "key" in facts:
        lines.append(f"The key is {facts['key']['id']}, {facts['key']['state']}.")
    return lines


def _file(keys: Path | None, config: Path | None) -> Path:
    file = keys if keys is not None else options.settings(config).config.gateway.keys
    if file is None:
        raise BadInput("found no file of keys", "--keys FILE, or the setting gateway.keys")
    return file


def _change(file: Path, changed: Callable[[str], str]) -> None:
    """Change the file in one step that nobody sees half of, one change after another."""
    import os
    import tempfile

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.parent):
            text = changed(file.read_text(encoding="utf-8") if file.exists() else "")
            handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # only for us: mode 0600
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as made:
                    made.write(text)
                    made.flush()
                    os.fsync(made.fileno())
                Path(name).replace(file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"change {file}: {why}", "a file that can be written") from error


def _alone(folder: Path) -> Any:
    """Wait until nobody else changes a file in *folder* this way."""
    import contextlib
    import os

    @contextlib.contextmanager
    def held() -> Any:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    return held() if sys.platform != "win32" else contextlib.nullcontext()


def _pairs(texts: list[str] | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise BadInput(f"read --set {text!r}", "name=value, such as tenant=acme")
        found[name] = (value,)
    return found


def _expiry(text: str | None, now: datetime) -> datetime | None:
    """``90d`` from now, the end of a day, or a time."""
    if text is None:
        return None
    if text.endswith("d") and text[:-1].isdecimal() and 0 < int(text[:-1]) < _DAYS_USED:
        at: datetime | None = (now + timedelta(days=int(text[:-1]))).replace(microsecond=0)
    else:
        _, at = options.time_range(None, text, None, ZoneInfo("UTC"), now)
    if at is None or at <= now:
        raise BadInput(f"read --expires {text!r}", "a time that is still to come")
    return at


def _facts(entry: Entry, now: datetime) -> dict[str, Any]:
    expired = entry.expires_at is not None and entry.expires_at <= now
    return {
        "id": entry.id,
        "prefix": entry.prefix,
        "state": "revoked" if entry.disabled else "expired" if expired else "active",
        "set": entry.set,
        "upstream": entry.upstream,
        "models": list(entry.models),
        "paths": list(entry.paths),
        "expires_at": None if entry.expires_at is None else entry.expires_at.isoformat(),
    }


def _used(ledger: Path) -> dict[str, list[Row]]:
    """What each key was used for, per day; nothing where there is no ledger."""
    if not ledger.exists():
        return {}
    from farthing.cli.ledger_file import open_ledger
    from farthing.ledger.interface import Query

    found: dict[str, list[Row]] = {}
    with open_ledger(ledger, must_exist=True) as opened:
        for row in opened.report(Query(by=("api_key",), bucket="day")):
            found.setdefault(row.key[0] or "", []).append(row)
    return found


def _use(rows: list[Row] | None) -> dict[str, Any]:
    from farthing.money import usd_text
    from farthing.units import weakest

    rows = rows or []
    last = max((row.start for row in rows if row.start is not None), default=None)
    return {
        "calls": sum(row.calls for row in rows),
        "unpriced_calls": sum(row.unpriced_calls for row in rows),
        "list_usd": usd_text(sum(row.list_pusd for row in rows)),
        "kind": weakest(*(row.kind for row in rows)).value if rows else None,
        "last_used": None if last is None else last.date().isoformat(),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True)
    for title in ("Key", "State", "Sets", "May use"):
        table.add_column(title, overflow="fold")
    for title in ("Last used", "Calls", "At list"):
        table.add_column(title, no_wrap=title != "At list", justify="right")
    for row in rows:
        until = f" until {row['expires_at'][:10]}" if row["state"] == "active" and row["expires_at"] else ""
        sets = "\n".join(f"{name}={value}" for name, value in row["set"].items())
        may = "\n".join([*row["models"], *row["paths"]]) or "all"
        cost = f"${row['list_usd']}\n{row['kind']}" if row["calls"] else "-"
        cost += f"\n{row['unpriced_calls']} unpriced" if row["unpriced_calls"] else ""
        cells = (f"{row['id']}\n...{row['prefix'][-4:]}", row["state"] + until, sets, may, row["last_used"] or "never")
        table.add_row(*(Text(cell) for cell in (*cells, f"{row['calls']:,}", cost)))
    output.console().print(table)
