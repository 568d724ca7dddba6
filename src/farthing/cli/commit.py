"""``farthing commit``: how much to commit to, at which risk, and what to bring to a negotiation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farthing.call import Call
    from farthing.ledger.interface import Ledger, Query
    from farthing.prices.book import PriceBook
    from farthing.whatif.commitment_demand import Collected
    from farthing.whatif.commitment_draws import Demand
    from farthing.whatif.commitment_pack import Evidence
    from farthing.whatif.commitment_units import Draw
    from farthing.whatif.commitments import Verdict

UnitName = Annotated[str, typer.Option("--unit", metavar="NAME", help="spend, gsu, bedrock-input, priority-input, ...")]
Discount = Annotated[str | None, typer.Option("--discount", metavar="PERCENT", help="What was offered, off on-demand.")]
Price = Annotated[str | None, typer.Option("--price", metavar="USD", help="Or its price: of one unit for an hour.")]
ModelId = Annotated[str | None, typer.Option("--model", "-m", metavar="ID", help="The model it is for.")]
Weeks = Annotated[int, typer.Option("--weeks", min=1, max=520, help="How long it binds.")]
Size = Annotated[int | None, typer.Option("--size", min=1, help="Judge this many units, such as what is bound.")]
Loss = Annotated[float, typer.Option("--loss", min=0, max=100, metavar="PERCENT", help="Risk of loss to accept.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Demand by the hour, without a ledger.")]
PackDir = Annotated[Path | None, typer.Option("--pack", metavar="DIR", help="Write evidence for a negotiation.")]
DISCOUNTS = (5, 10, 15, 20, 30, 40, 50)


def commit(  # noqa: PLR0917  flags are many
    unit: UnitName = "spend",
    discount: Discount = None,
    price: Price = None,
    model: ModelId = None,
    weeks: Weeks = 13,
    size: Size = None,
    loss: Loss = 5,
    csv: Csv = None,
    pack: PackDir = None,
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    where: options.Where = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Size a commitment by the demand of every hour, or refuse and say why.

    Without --discount it shows demand by the hour, and up to where each discount would break even. With one it judges
    sizes: expected saving, range, the risk of losing, and whether demand drifts. Units: spend (a prepaid sum), gsu,
    bedrock-input, bedrock-output, priority-input, priority-output.
    """
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.ledger.interface import Query
    from farthing.whatif.commitment_demand import demand_of
    from farthing.whatif.commitment_draws import Offer
    from farthing.whatif.commitment_units import unit_named
    from farthing.whatif.commitments import judge
    from farthing.whatif.impact import model_named

    if discount is not None and price is not None:
        raise BadInput("read --discount beside --price", "one of them")
    if pack is not None and csv is not None:
        raise BadInput("read --pack beside --csv", "--pack with a ledger: it needs the calls themselves")
    book = options.price_book(config)
    model_id = None if model is None else model_named(book, model).id
    draw = unit_named(unit, model_id)
    evidence: tuple[Evidence, Demand] | None = None
    if csv is not None:
        collected = _from_csv(csv, draw)
    else:
        start, end = options.time_range(since, until, last, options.zone_of("UTC"), datetime.now(UTC))
        query = Query(since=start, until=end, where=options.filters(where))
        with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
            with output.progress("reading calls", hidden=as_json) as advance:
                collected = demand_of(_calls(opened, query, advance), book, draw, model_id)
            if pack is not None:
                evidence = _evidence(opened, query, book)
    demand = collected.demand
    if not sum(demand.amounts):
        raise BadInput(_nothing(collected, model_id), "calls that draw on such a commitment")
    off = _discount(discount, price, demand, draw)
    verdict = None if off is None else judge(demand, Offer(draw, off, weeks), units=size, loss_max=loss / 100)
    written = None if pack is None or evidence is None else _write_pack(pack, *evidence, verdict)
    if as_json:
        output.print_json(_json(collected, draw, verdict, written))
        return
    from farthing.cli import commit_view

    console = output.console()
    commit_view.print_demand(console, collected, draw)
    if verdict is None:
        commit_view.print_break_even(console, demand, draw, DISCOUNTS, weeks)
    else:
        commit_view.print_verdict(console, verdict, loss_max=loss / 100)
    if written is not None:
        console.print(f"\nwrote {', '.join(written)} [dim]to {pack}[/]")


def _calls(ledger: Ledger, query: Query, advance: Callable[[int], None] = lambda _more: None) -> Iterator[Call]:
    for stored in ledger.calls(query):
        advance(1)
        yield stored.call


def _from_csv(path: Path, draw: Draw) -> Collected:
    from farthing.whatif.commitment_demand import read_demand

    with path.open(encoding="utf-8-sig", newline="") as stream:
        return read_demand(stream, str(path), draw)


def _discount(discount: str | None, price: str | None, demand: Demand, draw: Draw) -> Fraction | None:
    """The discount as stated, or as a quoted price comes to; None: neither was given."""
    from farthing import money
    from farthing.whatif.commitments import discount_of

    if price is not None:
        off = discount_of(demand, draw, money.parse_usd(price))
        if off <= 0:
            raise BadInput(
                f"read --price {price}, which is {float(-off):.1%} above what the same costs on demand", "a lower one"
            )
        return off
    if discount is None:
        return None
    try:
        off = Fraction(discount.strip().removesuffix("%")) / 100
    except (ValueError, ZeroDivisionError):
        raise BadInput(f"read --discount {discount!r}", "a percentage such as 20") from None
    if not 0 < off < 1:
        raise BadInput(f"read --discount {discount!r}", "more than 0 and less than 100")
    return off


def _nothing(collected: Collected, model_id: str | None) -> str:
    if model_id is not None and collected.other_models:
        return f"found no calls of {model_id} among {collected.other_models:,} calls of other models"
    return f"found no demand; {collected.unpriced:,} calls have no price and {collected.batches:,} are batches"


def _evidence(ledger: Ledger, query: Query, book: PriceBook) -> tuple[Evidence, Demand]:
    """The last thirteen weeks of the calls asked for, and what they cost by the hour."""
    import msgspec

    from farthing.whatif.commitment_demand import demand_of
    from farthing.whatif.commitment_pack import WEEKS, Evidence
    from farthing.whatif.commitment_units import SPEND, UNITS

    days = [row.start for row in ledger.report(msgspec.structs.replace(query, bucket="day")) if row.start is not None]
    if days:
        first = max(days) + timedelta(days=1) - timedelta(weeks=WEEKS)
        query = msgspec.structs.replace(query, since=max(first, min(days), query.since or first))
    demand = demand_of(_calls(ledger, query), book, UNITS[SPEND], None).demand
    return Evidence(book).add_all(_calls(ledger, query)), demand


def _write_pack(folder: Path, evidence: Evidence, demand: Demand, verdict: Verdict | None) -> list[str]:
    from farthing.whatif.commitment_pack import pack

    folder.mkdir(parents=True, exist_ok=True)
    files = pack(evidence, demand, verdict)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(files)


def _json(collected: Collected, draw: Draw, verdict: Verdict | None, written: list[str] | None) -> dict[str, Any]:
    from farthing.whatif.commitment_json import break_even_json, demand_json, verdict_json

    return {
        **demand_json(collected, draw),
        "break_even": break_even_json(collected.demand, draw, DISCOUNTS),
        "verdict": None if verdict is None else verdict_json(verdict),
        **({} if written is None else {"pack": written}),
        "kind": "assumed",
    }
