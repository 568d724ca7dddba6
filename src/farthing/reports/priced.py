"""One line of ``farthing price``: an object that tells of a call in, its bill out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.prices.contracts import price_under
from farthing.prices.engine import price_served
from farthing.sources.rows import instant
from farthing.usage.detect import read_any
from farthing.usage.fields import UsageFields
from farthing.usage.interface import Quarantined, type_name
from farthing.usage.messages import read_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from farthing.call import Served
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.sources.lines import Line

encode = msgspec.json.Encoder().encode


def priced(
    line: Line, book: PriceBook, known_on: date | None = None, terms: ContractTerms | None = None
) -> dict[str, Any]:
    """
    The answer to one line: ``{"id"?, "cost_usd", "unpriced", "lines", "kind", ...}`` or ``{"id"?, "error", "line"}``.

    Under *terms* also ``contract_usd``, exact, null where the list price is not known. Never raises for what the line
    says.
    """
    row = line.value
    if row is None:
        return _error(line.id, line.error, line.number)
    try:
        served, at = served_of(row), _at(row)
        bill = price_served(book, served, at, known_on)
    except BadInput as error:
        return _error(row.get("id"), str(error), line.number)
    answer = {"id": row["id"]} if "id" in row else {}
    answer.update(bill.to_json())
    if terms is not None:
        answer["contract_usd"] = _under(terms, bill, at)
    return answer


def _under(terms: ContractTerms, bill: Bill, at: datetime) -> str | None:
    contract_usd: str | None = price_under(terms, bill, at).to_json()["contract_usd"]
    return contract_usd


def served_of(row: Mapping[str, Any]) -> Served:
    """
    What a row says was served: its ``usage``, or a whole response.

    Raises:
        BadInput: No model, no usage, or one that cannot be read without guessing.

    """
    for name in ("model", "channel", "location", "stop_reason"):
        if not isinstance(row.get(name), str | None):
            raise BadInput(f"read {type_name(row[name])} as {name}", "a string")
    if not isinstance(row.get("stop_details"), dict | None):  # would make a billed refusal a free one
        raise BadInput(f"read {type_name(row['stop_details'])} as stop_details", "an object")
    if _is_plain(row):
        return read_message(row)
    served = read_any(row, channel=row.get("channel"), location=row.get("location"), model=row.get("model"))
    if isinstance(served, Quarantined):
        raise BadInput(served.reason)
    return served


_PLAIN_ROW = frozenset({"id", "model", "at", "usage", "stop_reason", "stop_details"})
_PLAIN_USAGE = frozenset(UsageFields.__struct_fields__)


def _is_plain(row: Mapping[str, Any]) -> bool:
    """Whether no name in *row* could belong to another shape than Anthropic's: then none need be looked for."""
    usage = row.get("usage")
    return type(usage) is dict and row.keys() <= _PLAIN_ROW and usage.keys() <= _PLAIN_USAGE


def _at(row: Mapping[str, Any]) -> datetime:
    if row.get("at") is None:
        raise BadInput("read a line without at", "when the call was sent, such as 2026-11-20T09:00:00Z")
    return instant(row["at"])


def _error(own_id: Any, error: str, number: int) -> dict[str, Any]:
    return {**({} if own_id is None else {"id": own_id}), "error": error, "line": number}
