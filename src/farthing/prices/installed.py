"""
Which price book is in force on this machine.

Books that were installed by ``farthing prices update`` lie beside each other under
``$XDG_DATA_HOME/farthing/prices/VERSION/``; nothing is overwritten, so going back is a choice and not a repair. Without
a choice the newest book is used: an installed one where it is newer than the one that ships with farthing. The user's
corrections (the file that the setting ``prices.overrides`` names) are laid over it.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from farthing import config
from farthing.errors import BadInput, BadPriceBook
from farthing.prices.book import DATA, load_book, shipped_book
from farthing.prices.overrides import layer, read_overrides

if TYPE_CHECKING:
    from farthing.config import Config
    from farthing.prices.book import PriceBook

SHIPPED = "shipped"
_VERSION = re.compile(r"\d{4}-\d\d-\d\d\+[0-9a-f]{12}")


class Installed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What is remembered of an installed book, in ``installed.json`` beside its data.

    Attributes:
        version: Its version, as every posted cost carries it.
        as_of: The day its facts were last checked.
        released_at: When it was signed; aware, UTC.
        installed_at: When it was installed here; aware, UTC.
        key: Fingerprint of the key that signed it.
        accepted: Findings that were accepted, by id, with the reason of whoever accepted them.

    """

    version: str
    as_of: date
    released_at: datetime
    installed_at: datetime
    key: str
    accepted: dict[str, str] = {}


def prices_home() -> Path:
    """Where installed books lie."""
    root = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(root) / "farthing" / "prices"


def installed_books() -> list[Installed]:
    """
    Every installed book, oldest first.

    Raises:
        BadPriceBook: The record of one cannot be read.

    """
    books = []
    for path in prices_home().glob("*/installed.json"):
        if _VERSION.fullmatch(path.parent.name):
            try:
                books.append(msgspec.json.decode(path.read_bytes(), type=Installed))
            except (OSError, msgspec.DecodeError) as error:
                raise BadPriceBook(f"read the record of installed book {path.parent.name}: {error}") from error
    return sorted(books, key=lambda book: (book.as_of, book.released_at))


def chosen() -> str | None:
    """The version the user chose, :data:`SHIPPED`, or None where nobody chose."""
    path = prices_home() / "chosen"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def choose(version: str) -> None:
    """
    Use this version from now on: an installed one, :data:`SHIPPED`, or ``newest`` to take the choice back.

    Raises:
        BadInput: No such version is installed.

    """
    home = prices_home()
    if version == "newest":
        (home / "chosen").unlink(missing_ok=True)
        return
    known = [SHIPPED, *(book.version for book in installed_books())]
    if version not in known:
        raise BadInput(f"read price book version {version!r}", f"newest or one of: {', '.join(known)}")
    home.mkdir(parents=True, exist_ok=True)
    replacement = home / "chosen.new"
    replacement.write_text(version + "\n", encoding="utf-8")
    replacement.replace(home / "chosen")


def version_in_force() -> str:
    """The version without corrections: the choice, else the newest installed where newer than shipped, else that."""
    choice = chosen()
    if choice is not None:
        return choice
    books = installed_books()
    if not books:
        return SHIPPED
    shipped_as_of: date = tomllib.loads((DATA / "modifiers.toml").read_text(encoding="utf-8"))["as_of"]
    return books[-1].version if books[-1].as_of > shipped_as_of else SHIPPED


def base_book() -> PriceBook:
    """
    The book in force without the user's corrections.

    Raises:
        BadPriceBook: It cannot be read, or was changed since it was installed.

    """
    version = version_in_force()
    if version == SHIPPED:
        return shipped_book()
    record = next((book for book in installed_books() if book.version == version), None)
    if record is None:
        raise BadPriceBook(f"price book {version} was chosen but is not installed; run: farthing prices use newest")
    book = load_book(prices_home() / version, accepted=record.accepted)
    if book.version != version:
        raise BadPriceBook(
            f"installed price book {version} was changed after it was installed; run: farthing prices use {SHIPPED}"
        )
    return book


def book_under(settings: Config) -> PriceBook:
    """
    The book in force on this machine, installed or shipped, under the corrections that these settings name.

    Raises:
        BadPriceBook: The installed book cannot be read.
        BadConfig: The file of corrections cannot be read.

    """
    book = base_book()
    overrides = settings.prices.overrides
    return book if overrides is None else layer(book, read_overrides(overrides))


@lru_cache(maxsize=1)
def default_book() -> PriceBook:
    """
    The book in force on this machine by the settings found without being told where, read once.

    For Python programs; a command goes by its ``--config`` and :func:`book_under`.

    Raises:
        BadPriceBook: The installed book cannot be read.
        BadConfig: The settings or the file of corrections cannot be read.

    """
    return book_under(config.load().config)
