"""
Cost engineering for the Claude API: what every call cost, exactly, and what would have been cheaper.

The public names, one page of them; ``docs/python-api.md`` says what each does. They load when they are first used, so
that ``import farthing`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farthing.api import price, read_usage
    from farthing.call import Call, ExtraPass, PassKind, Served, Usage
    from farthing.errors import (
        BadConfig,
        BadInput,
        BadPriceBook,
        DataFault,
        ErrorRecord,
        FarthingError,
        InexactMoney,
        LedgerFault,
    )
    from farthing.prices.bill import Bill, Line
    from farthing.prices.book import PriceBook, load_book
    from farthing.prices.engine import price_served
    from farthing.prices.installed import default_book
    from farthing.units import Kind, Unit

_HOMES = {
    "farthing.api": ("price", "read_usage"),
    "farthing.call": ("Call", "ExtraPass", "PassKind", "Served", "Usage"),
    "farthing.errors": (
        "BadConfig",
        "BadInput",
        "BadPriceBook",
        "DataFault",
        "ErrorRecord",
        "FarthingError",
        "InexactMoney",
        "LedgerFault",
    ),
    "farthing.prices.bill": ("Bill", "Line"),
    "farthing.prices.book": ("PriceBook", "load_book"),
    "farthing.prices.engine": ("price_served",),
    "farthing.prices.installed": ("default_book",),
    "farthing.units": ("Kind", "Unit"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  in the order in which docs/python-api.md explains them
    "price",
    "read_usage",
    "price_served",
    "Bill",
    "Line",
    "Usage",
    "Served",
    "ExtraPass",
    "PassKind",
    "Call",
    "Unit",
    "Kind",
    "PriceBook",
    "default_book",
    "load_book",
    "FarthingError",
    "BadInput",
    "BadConfig",
    "DataFault",
    "InexactMoney",
    "BadPriceBook",
    "LedgerFault",
    "ErrorRecord",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  slow to import, seldom asked for

        value: Any = version("farthing")
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module 'farthing' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
