"""The ledger a command works on: where it lies, opening it, posting calls to it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from farthing.cli.options import settings
from farthing.errors import BadInput, ErrorRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from farthing.call import Call
    from farthing.ledger.interface import Ledger, Stored
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms

_AT_ONCE = 20_000


def ledger_path(ledger: Path | None, config: Path | None) -> Path:
    """The file named on the command line, or else the one in the settings."""
    return ledger if ledger is not None else settings(config).config.ledger.path


def open_ledger(path: Path, *, must_exist: bool = False) -> Ledger:
    """
    Open or make the ledger at *path*.

    Raises:
        BadInput: There is none, and there must be.
        LedgerFault: It cannot be opened.

    """
    if must_exist and not path.exists():
        raise BadInput(f"found no ledger at {path}", "one", "run farthing import or farthing demo first")
    from farthing.ledger import open_ledger as opened

    path.parent.mkdir(parents=True, exist_ok=True)
    return opened(path)


class Imported(NamedTuple):
    """What an import did. ``new + known + improved`` is the number of calls read; ``errors`` are beside them."""

    new: int
    known: int
    improved: int
    unpriced: int
    errors: tuple[ErrorRecord, ...]
    error_count: int


_ERRORS_KEPT = 1_000


def contract_in_force(config: Path | None) -> ContractTerms | None:
    """
    The contract that the settings name, or None.

    Raises:
        BadConfig: The contract file cannot be read.

    """
    path = settings(config).config.prices.contract
    if path is None:
        return None
    from farthing.prices.contract_reading import read_terms

    return read_terms(path)


def contract_terms(config: Path | None) -> ContractTerms | None:
    """
    The terms that a call is priced under by itself, or None: a credit on the month's volume belongs to no single call.

    Raises:
        BadConfig: The contract file cannot be read.

    """
    import msgspec

    terms = contract_in_force(config)
    return None if terms is None else msgspec.structs.replace(terms, volume=())


def contract_price(terms: ContractTerms) -> Callable[[Call, Bill], int | None]:
    """What a call is posted at under *terms*, given its bill at list."""
    from farthing.prices.contracts import price_under

    return lambda call, bill: price_under(terms, bill, call.sent_at).posted_pusd


def post(
    ledger: Ledger,
    book: PriceBook,
    items: Iterable[Call | ErrorRecord],
    *,
    terms: ContractTerms | None = None,
    advance: Callable[[int], None] = lambda _more: None,
) -> Imported:
    """Price and post what a source yields; keeps the first error records and counts them all."""
    errors: list[ErrorRecord] = []
    new = known = improved = unpriced = error_count = 0
    stream = iter(items)
    while chunk := list(islice(stream, _AT_ONCE)):
        bad = [item for item in chunk if isinstance(item, ErrorRecord)]
        errors += bad[: _ERRORS_KEPT - len(errors)]
        error_count += len(bad)
        stored = list(posted(book, (item for item in chunk if not isinstance(item, ErrorRecord)), terms))
        added = ledger.add(stored)
        new, known, improved = new + added.new, known + added.known, improved + added.improved
        unpriced += sum(1 for one in stored if one.posting.list_pusd is None)
        advance(len(chunk))
    return Imported(new, known, improved, unpriced, tuple(errors), error_count)


def posted(book: PriceBook, calls: Iterable[Call], terms: ContractTerms | None = None) -> Iterator[Stored]:
    """Calls with what they come to by *book*, and under *terms* where there are some."""
    from farthing.ledger.interface import Posting, Stored
    from farthing.prices.engine import price_served

    contract = None if terms is None else contract_price(terms)
    for call in calls:
        bill = price_served(book, call.served, call.sent_at)
        yield Stored(call, Posting.of(bill, None if contract is None else contract(call, bill)))
