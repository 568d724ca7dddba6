"""``farthing explain``: one call, line by line."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from farthing.call import Call
    from farthing.ledger.interface import Ledger, Stored
    from farthing.prices.bill import Bill
    from farthing.prices.contracts import ContractBill
    from farthing.reports.explained import Explained


def explain(
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="Call id, message id or request id; - reads one JSON line.")
    ],
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show why one call costs what it costs: every line as count x rate = amount, with its rule and source.

    With - a line as for farthing price is read from standard input, and no ledger is needed.
    """
    from farthing.reports.explained import explained_json

    explained = _from_stdin(config) if call == "-" else _from_ledger(call, ledger, config)
    if json:
        output.print_json(explained_json(explained))
    else:
        print_explained(output.console(), explained)


def _from_stdin(config: options.Config) -> Explained:
    from farthing.prices.engine import price_served
    from farthing.reports.explained import explain
    from farthing.sources.lines import read_lines
    from farthing.sources.rows import Origin, content_id, read_row

    line = next(read_lines(sys.stdin.buffer), None)
    if line is None:
        raise BadInput("read nothing on standard input", "one JSON line as for farthing price")
    if line.value is None:
        raise BadInput(line.error)
    call = read_row(line.value, Origin(source="stdin"))
    if not call.call_id:
        import msgspec

        call = msgspec.structs.replace(call, call_id=content_id("stdin", line.value, 0))
    book = options.price_book(config)
    bill = price_served(book, call.served, call.sent_at)
    return explain(call, bill, None, book.sources, _under_contract(bill, call, config))


def _from_ledger(call_id: str, ledger: options.LedgerPath, config: options.Config) -> Explained:
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.prices.engine import price_served
    from farthing.reports.explained import explain

    path = ledger_path(ledger, config)
    with open_ledger(path, must_exist=True) as opened:
        stored = opened.get(call_id) or _by_own_id(opened, call_id)
    if stored is None:
        raise BadInput(
            f"found no call {call_id!r} in {path}", "a call id, message id or request id, or the id of an imported row"
        )
    book = options.price_book(config)
    bill = price_served(book, stored.call.served, stored.call.sent_at)
    return explain(stored.call, bill, stored.posting, book.sources, _under_contract(bill, stored.call, config))


def _under_contract(bill: Bill, call: Call, config: options.Config) -> ContractBill | None:
    from farthing.cli.ledger_file import contract_terms

    terms = contract_terms(config)
    if terms is None:
        return None
    from farthing.prices.contracts import price_under

    return price_under(terms, bill, call.sent_at)


def _by_own_id(ledger: Ledger, own_id: str) -> Stored | None:
    from farthing.ledger.interface import Query
    from farthing.sources.rows import OWN_ID

    found = list(islice(ledger.calls(Query(where={f"tag:{OWN_ID}": (own_id,)})), 2))
    if len(found) > 1:
        raise BadInput(
            f"found several calls whose row had the id {own_id!r}",
            "an id of one call",
            f"such as {found[0].call.call_id} or {found[1].call.call_id}",
        )
    return found[0] if found else None


_LABEL = 16


def print_explained(console: Console, explained: Explained) -> None:
    """The explanation for a reader."""
    from rich.markup import escape

    from farthing.reports.explained import facts, formula

    for name, text in facts(explained.call):
        console.print(f"[dim]{name:<{_LABEL}}[/]{escape(text)}", soft_wrap=True)
    bill = explained.bill
    part = rule = ""
    for line in bill.lines:
        if (line.part, line.rule) != (part, rule):
            part, rule = line.part, line.rule
            console.print(f"\n[bold]{escape(part)}[/] [dim]{escape(rule)}[/]")
        console.print(f"  {line.unit:<24}{formula(line)}", soft_wrap=True, markup=False)
    _print_total(console, explained)
    _print_sources(console, explained)


def _print_sources(console: Console, explained: Explained) -> None:
    from textwrap import fill

    if not explained.sources:
        return
    console.print("\n[dim]rates were read from[/]")
    confidence = {key: line.confidence for line in explained.bill.lines for key in line.source.split(", ")}
    indent = " " * _LABEL
    for key, source in explained.sources.items():
        head = f"  {key:<{_LABEL - 2}}"
        body = fill(f"as of {source.as_of}", console.width, initial_indent=indent, subsequent_indent=indent)
        text = f"{head}{source.url} ({confidence[key]})\n{body}"
        console.print(text, style="dim", markup=False, soft_wrap=True)


def _print_total(console: Console, explained: Explained) -> None:
    from rich.markup import escape

    from farthing import money

    bill, posting = explained.bill, explained.posting
    console.print()
    if bill.list_usd is not None:
        console.print(f"[bold]{'total':<{_LABEL}}${bill.list_usd}[/] {output.kind_markup(bill.kind)}")
    else:
        console.print("[bold white on red] UNPRICED [/] never counted as zero")
        if bill.low_pusd is not None and bill.high_pusd is not None:
            low, high = money.usd_text(bill.low_pusd), money.usd_text(bill.high_pusd)
            console.print(f"{'bounds':<{_LABEL}}${low} to ${high} {output.kind_markup(bill.kind)}")
        for reason in bill.unpriced:
            console.print(f"  {escape(reason)}")
    if explained.contract is not None:
        _print_contract(console, explained.contract)
    if posting is not None:
        _print_posting(console, explained)
    for text in bill.notes:
        console.print(f"[dim]{'note':<{_LABEL}}{escape(text)}[/]")


def _print_contract(console: Console, contract: ContractBill) -> None:
    from rich.markup import escape

    from farthing import money

    for line in contract.lines:
        amounts = f"${money.usd_text(line.list_pusd)} at list = ${money.exact_usd_text(line.contract)}"
        console.print(f"  {line.what:<24}{amounts} [dim]{escape('; '.join(line.terms))}[/]", soft_wrap=True)
    if contract.contract is not None:
        amount = money.exact_usd_text(contract.contract)
        console.print(f"[bold]{'contract':<{_LABEL}}${amount}[/] [dim]under {escape(contract.name)}[/]", soft_wrap=True)


def _print_posted_contract(console: Console, explained: Explained) -> None:
    """A contract price that was posted under other terms than those in force, or without any."""
    from farthing import money

    assert explained.posting is not None
    had, now = explained.posting.contract_pusd, explained.contract and explained.contract.posted_pusd
    if had == now:
        return
    said = "no contract price" if had is None else f"${money.usd_text(had)} under a contract"
    console.print(
        f"[yellow]{'posted':<{_LABEL}}{said}, which is not what the settings come to now; farthing reprice --preview "
        "shows what would change[/]",
        soft_wrap=True,
    )


def _print_posting(console: Console, explained: Explained) -> None:
    from farthing import money

    bill, posting = explained.bill, explained.posting
    assert posting is not None
    _print_posted_contract(console, explained)
    if posting.list_pusd != bill.list_pusd:
        had = "unpriced" if posting.list_pusd is None else f"${money.usd_text(posting.list_pusd)}"
        console.print(
            f"[yellow]{'posted':<{_LABEL}}{had} by book {posting.book_version}; farthing reprice --preview shows what "
            "the book in force would change[/]"
        )
    else:
        same = "unpriced as well" if posting.list_pusd is None else "at the same price"
        console.print(f"[dim]{'posted':<{_LABEL}}{same}, by book {posting.book_version}[/]")
