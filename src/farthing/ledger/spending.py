"""
What calls cost, summed by whatever somebody asks for: what counting them against budgets needs of ten million calls.

A report cannot answer it: its sums go by the model that served and by days and hours of one time zone, and it takes a
text that is empty for one that is missing, where a pattern of a budget tells them apart.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.call import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import duckdb

    from farthing.ledger.asking import Asked

_ASKED = """
LEFT JOIN (SELECT call_no AS asked_no, nullif(model, '') AS asked_model FROM requests) AS asked
    ON asked_no = calls.call_no
"""


class Spending(NamedTuple):
    """
    Calls that are alike.

    Attributes:
        dims: Those dimensions and tags that were asked for and that the calls have.
        model: The model that was asked for, where that is known, else the one that served; empty where nobody asks.
        first_at: When the first was sent; aware, UTC. No edge lies between any two of them.
        calls: How many; unpriced_calls: of them, how many have neither an exact price nor an upper bound.
        pusd: Sum over the others, of list prices, and of upper bounds where there is no exact price.

    """

    dims: dict[str, str]
    model: str
    first_at: datetime
    calls: int
    unpriced_calls: int
    pusd: int


class Wanted(NamedTuple):
    """
    How calls are told apart.

    Attributes:
        names: Dimensions and tags. by_model: whether by the model that was asked for.
        edges: Instants, aware: calls before one are never summed with calls from it on.

    """

    names: Sequence[str]
    by_model: bool
    edges: Sequence[datetime]


def spending(connection: duckdb.DuckDBPyConnection, asked: Asked, wanted: Wanted) -> list[Spending]:
    """The groups that there are, by the time of their first call."""
    from farthing.ledger.staging import naive  # noqa: PLC0415 - heavy, as the next: who forwards calls only asks
    from farthing.ledger.store import sql  # noqa: PLC0415

    parameters: dict[str, Any] = {}
    keys = []
    for number, name in enumerate(wanted.names):
        column = f'"{name}"'
        if name not in DIMENSIONS:
            parameters[f"tag_{number}"] = name
            column = f"tags[$tag_{number}::VARCHAR]"
        keys.append(f"{column} AS key_{number},")
    edges = sorted(set(wanted.edges))
    for number, edge in enumerate(edges):
        parameters[f"edge_{number}"] = naive(edge)
    whens = " ".join(f"WHEN sent_at < $edge_{number}::TIMESTAMP THEN {number}" for number in range(len(edges)))
    fragments = {
        "keys": "\n    ".join(keys),
        "model": "coalesce(asked_model, calls.model)" if wanted.by_model else "''",
        "stretch": f"CASE {whens} ELSE {len(edges)} END" if edges else "0",
        "asked": _ASKED if wanted.by_model else "",
        "conditions": asked.conditions(),
    }
    text = sql("spending")
    for word, fragment in fragments.items():
        text = text.replace(f"{{{word}}}", fragment)
    found = connection.execute(text, parameters | asked.parameters).fetchall()
    return [_group(wanted.names, row) for row in found]


def _group(names: Sequence[str], row: tuple[Any, ...]) -> Spending:
    dims = {name: value for name, value in zip(names, row, strict=False) if value is not None}
    model, _, first_at, calls, unpriced_calls, pusd = row[len(names) :]
    return Spending(dims, model, first_at.replace(tzinfo=UTC), calls, unpriced_calls, pusd)
