"""
What can go wrong, and whose fault it is.

::

    FarthingError
    |-- BadInput            the caller gave us something we cannot read
    |   `-- BadConfig       ... in a configuration, workload or contract file
    |-- DataFault           our own data is wrong
    |   |-- InexactMoney    an amount is finer than a picodollar; we refuse instead of rounding
    |   `-- BadPriceBook    a price file breaks a rule of the book
    `-- LedgerFault         the ledger cannot be opened, read or written

Every message says what was read, what was expected, and what to do next. None carries prompt text or keys. Bad *rows*
are not exceptions: they become an :class:`ErrorRecord` beside the good ones.
"""

from __future__ import annotations

import msgspec


class FarthingError(Exception):
    """Something farthing can explain. ``exit_code`` is what a command ends with."""

    exit_code = 1


class BadInput(FarthingError):
    """
    The caller's input cannot be used.

    Args:
        read: What we read and where, without its content if that may be a prompt or a key.
        expected: What would have been right.
        next_step: What to do about it; may be empty.

    """

    def __init__(self, read: str, expected: str = "", next_step: str = "") -> None:
        self.read = read
        self.expected = expected
        self.next_step = next_step
        parts = [read]
        if expected:
            parts.append(f"expected {expected}")
        if next_step:
            parts.append(next_step)
        super().__init__("; ".join(parts))


class BadConfig(BadInput):
    """A configuration, workload, contract or override file cannot be used."""


class DataFault(FarthingError):
    """Our own data is wrong: please report it."""


class InexactMoney(DataFault):
    """An amount finer than one picodollar (1e-12 USD)."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not a whole number of picodollars (1e-12 USD); we refuse to round it")


class BadPriceBook(DataFault):
    """A price file breaks a rule of the book."""


class LedgerFault(FarthingError):
    """The ledger cannot be opened, read or written."""


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One bad row, kept beside the good ones.

    Attributes:
        source: Where the row came from: a file name, ``-`` for standard input, or a table.
        line: 1-based line or row number, where there is one.
        error: One clear line: what was read, what was expected. Never the row's text.

    """

    source: str
    error: str
    line: int | None = None
