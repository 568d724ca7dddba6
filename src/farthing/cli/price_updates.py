"""``farthing prices diff|update|sign|use``: other price books than the one that shipped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from farthing.ledger.interface import Correction
    from farthing.prices.book import PriceBook
    from farthing.prices.release import Checked


def register(app: typer.Typer) -> None:
    """Add these commands to ``farthing prices``."""
    app.command("diff")(diff)
    app.command("update")(update)
    app.command("sign")(sign)
    app.command("use")(use)


_Book = "shipped, an installed version, or a book's folder"


def diff(
    before: Annotated[str, typer.Argument(metavar="[BEFORE]", help=_Book)] = "shipped",
    after: Annotated[str | None, typer.Argument(metavar="[AFTER]", help=f"{_Book}; nothing: the one in force.")] = None,
    json: output.Json = False,
) -> None:
    """Show what differs between two price books: rows added, closed, called off, with their moves."""
    from farthing.prices.diff import diff_books

    found = diff_books(_book(before), _book(after))
    if json:
        output.print_json(found.to_json())
    else:
        _print_lines(f"{found.before} -> {found.after}", found.text())


def update(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed price book.")],
    *,
    signature: Annotated[
        Path | None, typer.Option("--signature", metavar="FILE", help="Its signature; FILE.sig if not given.")
    ] = None,
    key: Annotated[
        list[Path] | None, typer.Option("--key", metavar="PEM", help="Trust this public key; repeat for more.")
    ] = None,
    force: Annotated[
        list[str] | None,
        typer.Option("--force", metavar="FINDING=REASON", help="Accept one finding, and say why; repeat for more."),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would change.")] = False,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Check a signed price book, show what it changes and what your calls would cost by it, and install it.

    Your corrections stay in force. Prices already posted stay as they are until farthing reprice; to go back:
    farthing prices use.
    """
    from farthing.prices.installed import base_book, version_in_force
    from farthing.prices.overrides import Overrides, layer, read_overrides
    from farthing.prices.release import TRUSTED_KEYS, check, install

    settings = options.settings(config).config
    path = settings.prices.overrides
    overrides = read_overrides(path) if path else Overrides()
    text = file.read_bytes()
    signed = (signature or file.with_name(file.name + ".sig")).read_text(encoding="utf-8", errors="replace")
    keys = (*TRUSTED_KEYS, *(name.read_text(encoding="utf-8", errors="replace") for name in key or ()))
    checked = check(text, signed, keys, base_book(), overrides)
    effect = _effect(layer(checked.book, overrides), ledger or settings.ledger.path)
    if not json:
        _print_checked(checked, effect)
    installed = None if preview else install(checked, _accepted(force or []), datetime.now(UTC))
    in_force = version_in_force()
    if json:
        output.print_json(_update_json(checked, effect, installed=installed is not None, in_force=in_force))
    elif installed is None:
        output.note("preview: nothing was changed")
    elif in_force == installed.version:
        output.note(f"installed {installed.version}, now in force; to go back: farthing prices use shipped")
    else:
        output.note(f"installed {installed.version}; in force is {in_force}: farthing prices use {installed.version}")


def sign(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A price book's folder.")],
    private_key: Annotated[Path, typer.Option("--private-key", metavar="PEM", help="Ed25519, without a passphrase.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the release goes; FILE.sig beside it.")],
    json: output.Json = False,
) -> None:
    """
    Make a signed release of a price book, for maintainers and for organisations with a book of their own.

    A key is made with: openssl genpkey -algorithm ed25519 -out key.pem
    """
    from farthing.prices import release

    text = release.pack(folder, datetime.now(UTC).replace(microsecond=0))
    signature = release.sign(text, private_key.read_bytes())
    beside = out.with_name(out.name + ".sig")
    out.write_bytes(text)
    beside.write_text(signature, encoding="utf-8")
    if json:
        output.print_json({"release": str(out), "signature": str(beside), "bytes": len(text)})
    else:
        output.note(f"wrote {out} and {beside}")


def use(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="An installed version, shipped, or newest.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Choose the price book in force; without a version, list what is installed."""
    from farthing.prices import installed

    if version is not None:
        installed.choose(version)
    in_force = installed.version_in_force()
    books = installed.installed_books()
    if json:
        listed = [{"version": book.version, "released_at": book.released_at.isoformat()} for book in books]
        output.print_json({"in_force": in_force, "chosen": installed.chosen(), "installed": listed})
        return
    console = output.console()
    for name, said in (("shipped", "with farthing"), *((book.version, f"signed by {book.key}") for book in books)):
        mark = "[green]*[/]" if name == in_force else " "
        console.print(f"{mark} {name} [dim]{said}[/]")


def _book(name: str | None) -> PriceBook:
    """
    A book by name, without corrections.

    Raises:
        BadInput: No such book.

    """
    from farthing.prices import installed
    from farthing.prices.book import load_book, read_book, shipped_book

    if name is None:
        return installed.base_book()
    if name == installed.SHIPPED:
        return shipped_book()
    books = {book.version: book for book in installed.installed_books()}
    if name in books:
        return load_book(installed.prices_home() / name, accepted=books[name].accepted)
    if Path(name).is_dir():
        return read_book(Path(name))
    raise BadInput(f"read price book {name!r}", _Book)


def _accepted(force: list[str]) -> dict[str, str]:
    accepted = {}
    for text in force:
        finding, equals, reason = text.partition("=")
        if not equals or not reason.strip():
            raise BadInput(f"read --force {text!r}", "finding=why it is right")
        accepted[finding] = reason.strip()
    return accepted


def _effect(book: PriceBook, path: Path) -> Correction | None:
    """What the ledger's calls would cost by *book*; None where there is no ledger."""
    if not path.exists():
        return None
    from farthing.cli.ledger_file import open_ledger

    with open_ledger(path, must_exist=True) as ledger:
        return ledger.reprice(book, reason="preview", made_at=datetime.now(UTC), preview=True)


def _update_json(checked: Checked, effect: Correction | None, *, installed: bool, in_force: str) -> dict[str, Any]:
    from farthing.cli.corrections import correction_json

    return {
        "version": checked.book.version,
        "signed_by": checked.key,
        "released_at": checked.release.released_at.isoformat(),
        "diff": checked.diff.to_json(),
        "findings": [{"id": finding.id, "says": finding.says} for finding in checked.findings],
        "conflicts": [conflict.says for conflict in checked.conflicts],
        "ledger": None if effect is None else correction_json(effect),
        "installed": installed,
        "in_force": in_force,
    }


def _print_checked(checked: Checked, effect: Correction | None) -> None:
    head = f"{checked.book.version}, signed by {checked.key} on {checked.release.released_at:%Y-%m-%d %H:%M} UTC"
    _print_lines(head, checked.diff.text())
    if checked.conflicts:
        _print_lines("your corrections stay in force", [conflict.says for conflict in checked.conflicts])
    if checked.findings:
        _print_lines("findings", [f"{finding.id}: {finding.says}" for finding in checked.findings])
    if effect is not None:
        _print_lines("your calls by this book", _effect_lines(effect))


def _effect_lines(effect: Correction) -> list[str]:
    from farthing import money

    changed = [change for change in effect.changes if change.changed_calls]
    return [
        f"{change.model}: {change.changed_calls:,} of {change.calls:,} calls, "
        f"{money.display(change.before_pusd)} -> {money.display(change.after_pusd)} USD"
        for change in changed
    ] or ["none would cost anything else"]


def _print_lines(head: str, lines: list[str]) -> None:
    from rich.markup import escape

    console = output.console()
    console.print(f"[bold]{escape(head)}[/]")
    for line in lines:
        console.print(f"  {escape(line)}", soft_wrap=True)
