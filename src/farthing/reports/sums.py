"""The sums of a report as JSON, as CSV and as cells of a table. Pure: rows of a ledger in, values out."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from farthing import money
from farthing.units import TOKEN_UNITS, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.call import Usage
    from farthing.ledger.interface import Query, Row
    from farthing.reports.contract import UnderContract

_FORMULA_STARTS = ("=", "+", "-", "@")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AFTER_COUNTS = ("web_search_requests", "list_usd", "low_usd", "high_usd", "contract_usd", "kind")
NOT_SET = "(not set)"


def report_json(
    query: Query, rows: Sequence[Row], total: Row | None, contract: UnderContract | None = None
) -> dict[str, Any]:
    """
    A whole report as JSON values: the question, its rows and their totals.

    Amounts are exact decimal strings, ``share`` is of the total's list price, keys that are not set are null. *total*
    is None where no call matched; then ``totals`` is null. ``contract`` is what a contract adds to the rows, or null.
    """
    return {
        "by": list(query.by),
        "bucket": query.bucket,
        "timezone": query.timezone,
        "since": query.since.isoformat() if query.since else None,
        "until": query.until.isoformat() if query.until else None,
        "where": {name: list(values) for name, values in query.where.items()},
        "rows": [row_json(query, row, total) for row in rows],
        "totals": None if total is None else row_json(query, total, total, is_total=True),
        "contract": None if contract is None else contract.to_json(),
    }


def row_json(query: Query, row: Row, total: Row | None, *, is_total: bool = False) -> dict[str, Any]:
    """One row as JSON values."""
    key = {} if is_total else {"key": dict(zip(query.by, row.key, strict=True))}
    start = {"start": row.start.isoformat()} if row.start is not None and not is_total else {}
    return {
        **start,
        **key,
        "calls": row.calls,
        "unpriced_calls": row.unpriced_calls,
        "tokens": token_counts(row.usage),
        "thinking_tokens": row.usage.thinking_tokens,
        "web_search_requests": row.usage.web_search_requests,
        "list_usd": money.usd_text(row.list_pusd),
        "low_usd": money.usd_text(row.low_pusd),
        "high_usd": None if row.high_pusd is None else money.usd_text(row.high_pusd),
        "contract_usd": money.usd_text(row.contract_pusd),
        "share": None if total is None else share_text(row.list_pusd, total.list_pusd, 6),
        "kind": str(row.kind),
    }


def report_csv(query: Query, rows: Sequence[Row], contract: UnderContract | None = None) -> str:
    """
    The rows as CSV with a header. Text that a spreadsheet would take for a formula gets a leading apostrophe.

    Under a contract a last column ``entry`` tells the rows of calls from those of the month's credits, which have
    ``contract_usd`` alone: that column sums to the contract total.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    counts = [str(unit) for unit in TOKEN_UNITS]
    start = ["start"] if query.bucket else []
    entry = [] if contract is None else ["calls"]
    head = [*start, *query.by, "calls", "unpriced_calls", *counts, *_AFTER_COUNTS]
    writer.writerow([*head, *(["entry"] if entry else [])])
    for row in rows:
        writer.writerow(
            [
                *([row.start.isoformat() if row.start else ""] if start else []),
                *(safe_cell(value or "") for value in row.key),
                row.calls,
                row.unpriced_calls,
                *token_counts(row.usage).values(),
                row.usage.web_search_requests,
                money.usd_text(row.list_pusd),
                money.usd_text(row.low_pusd),
                "" if row.high_pusd is None else money.usd_text(row.high_pusd),
                money.usd_text(row.contract_pusd),
                str(row.kind),
                *entry,
            ]
        )
    for credit in contract.credits if contract else ():
        amount = money.exact_usd_text(credit.pusd)
        blanks = [""] * (len(head) - 2)
        writer.writerow([*blanks, amount, str(Kind.DERIVED), f"volume credit {credit.month:%Y-%m}: {credit.why}"])
    return out.getvalue()


def safe_cell(text: str) -> str:
    """
    Text on one line that no spreadsheet runs as a formula; a control character becomes a blank.

    >>> safe_cell("=1+1"), safe_cell("acme")
    ("'=1+1", 'acme')
    """
    text = "".join(character if character.isprintable() else " " for character in text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text


def token_counts(usage: Usage) -> dict[str, int]:
    """The five disjoint token classes by their names, in the order of every table."""
    return {str(unit): getattr(usage, unit) for unit in TOKEN_UNITS}


def key_cell(dimension: str, value: str | None) -> str:
    """What a table shows for one key."""
    if value is None or value == "":
        return NOT_SET
    if dimension == "weekday" and value.isdigit():
        return _WEEKDAYS[int(value)]
    if dimension == "hour_of_day" and value.isdigit():
        return f"{int(value):02d}:00"
    return value


def start_cell(query: Query, row: Row) -> str:
    """The start of a row's bucket, as fine as the bucket."""
    if row.start is None:
        return ""
    return row.start.strftime({"hour": "%Y-%m-%d %H:00", "month": "%Y-%m"}.get(query.bucket or "", "%Y-%m-%d"))


def compact(count: int) -> str:
    """
    A count for a narrow column: four characters or so.

    >>> compact(987), compact(12_345), compact(9_950_000), compact(1_000_000_000)
    ('987', '12.3k', '9.95M', '1.00B')
    """
    for divisor, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= divisor:
            scaled = count / divisor
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{letter}"
    return str(count)


def share_text(part: int, whole: int, places: int) -> str | None:
    """
    *part* of *whole* as a decimal fraction, rounded half up; None where there is no whole.

    >>> share_text(1, 3, 4)
    '0.3333'
    """
    if whole <= 0:
        return None
    scaled = (part * 10**places * 2 + whole) // (2 * whole)
    return f"{scaled // 10**places}.{scaled % 10**places:0{places}d}"


def percent(part: int, whole: int) -> str:
    """A share for a reader: ``12.3 %``; empty where there is no whole."""
    if whole <= 0:
        return ""
    tenths = (part * 2000 + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10} %"
