"""``farthing demo``: a first look at everything, on a month of made-up traffic. No key, no network."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from farthing.cli import output
from farthing.money import usd_text
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from farthing.demo.live import Sent
    from farthing.ledger.interface import Ledger, Query, Row, Stored
    from farthing.sources.claude_code import Root

_FIRST_LOOK_BYTES_MAX = 300 * 2**20


def demo(
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the demo keeps its files.")] = Path(
        ".demo"
    ),
    own: Annotated[bool, typer.Option("--own/--no-own", help="Add up your own Claude Code transcripts too.")] = True,
    pages: Annotated[
        bool, typer.Option("--dashboard/--no-dashboard", help="Leave a dashboard running over it for a while.")
    ] = True,
    json: output.Json = False,
) -> None:
    """
    Show a real bill, made from seven weeks of a made-up fleet's traffic, and a dashboard over it.

    The official SDK sends 4,183 calls of nine tenants through the gateway to the sandbox, and a ledger of its own is
    filled from what passed. Where the SDK is not installed they are played through the sandbox without HTTP. Nothing
    leaves this machine and no key is needed. Run it twice: every call still counts once. The dashboard listens on
    127.0.0.1 alone, and ends once nobody has looked for half an hour.
    """
    from farthing.cli.demo_pages import shown_at
    from farthing.cli.ledger_file import open_ledger
    from farthing.ledger.interface import Query

    file, sent = _filled(folder, hidden=json)
    with open_ledger(file) as ledger:
        query = Query(by=("feature", "model"))
        rows, total = ledger.report(query), ledger.report(Query())[0]
        if json:
            from farthing.reports.sums import report_json

            passed = None if sent is None else {"cost_report_usd": usd_text(sent.reported_pusd)}
            made = report_json(query, rows, total) | {"ledger": str(file), "sandbox": passed}
        else:
            console = output.console()
            _print_sent(console, sent, total)
            _print_bill(console, ledger, query, rows, total)
            _print_classes(console, ledger, total)
            _print_one_call(console, ledger)
    address = shown_at(folder) if pages else None
    if json:
        output.print_json(made | {"dashboard": address})
        return
    if own:
        _print_own(console)
    _print_next(console, file)
    if pages:
        _print_dashboard(console, folder, address)


def _filled(folder: Path, *, hidden: bool) -> tuple[Path, Sent | None]:
    """The demo's ledger with what lies beside it, and what was sent; None: it was played without HTTP."""
    from farthing.dashboard import demo as pages

    folder.mkdir(parents=True, exist_ok=True)
    sent = _send(folder / pages.LEDGER_NAME, hidden=hidden) if _has_sdk() else None
    with output.progress("playing seven weeks", hidden=hidden) as advance:
        return pages.write_demo(folder, advance), sent


def _has_sdk() -> bool:
    return importlib.util.find_spec("anthropic") is not None


def _send(ledger: Path, *, hidden: bool) -> Sent | None:
    """Send the calls, unless a former run did. The ledger appears when it is whole: a run may be broken off."""
    import msgspec

    from farthing.demo.live import Sent, send_season
    from farthing.demo.season import season

    done = ledger.with_suffix(".json")
    if ledger.exists():
        return msgspec.json.decode(done.read_bytes(), type=Sent) if done.exists() else None
    with tempfile.TemporaryDirectory(dir=ledger.parent) as folder:
        new = Path(folder) / ledger.name
        with output.progress("sending seven weeks through the gateway", len(season()), hidden=hidden) as advance:
            sent = send_season(new, advance=advance)
        done.write_bytes(msgspec.json.encode(sent))
        new.replace(ledger)
    return sent


def _print_sent(console: Console, sent: Sent | None, total: Row) -> None:
    if sent is None:
        told = (
            "Played through the sandbox without HTTP. With farthing\\[demo] installed, a run in a new --folder sends it"
        )
        console.print(f"[dim]{told} through the gateway.[/]\n")
        return
    agrees = sent.reported_pusd == total.list_pusd
    for line in sent.log:
        console.print(f"gateway: {line}", markup=False)
    console.print(
        f"The official SDK sent {sent.calls:,} calls through the gateway to the sandbox, "
        f"some of them in {sent.batches} batches."
    )
    console.print(
        f"The sandbox's cost report: [bold]${usd_text(sent.reported_pusd)}[/]. The ledger: "
        f"[bold]${usd_text(total.list_pusd or 0)}[/]. "
        + ("[green]Equal.[/]\n" if agrees else "[red]They differ: that is a defect of farthing.[/]\n")
    )
    if not agrees:
        raise typer.Exit(1)


def _print_bill(console: Console, ledger: Ledger, query: Query, rows: Sequence[Row], total: Row) -> None:
    from farthing.cli import report_view
    from farthing.ledger.interface import Query as Asked

    console.print(
        f"[bold]Seven weeks, nine tenants, {total.calls:,} calls: {output.usd(total.list_pusd)}[/] "
        f"{output.kind_markup(total.kind)}"
    )
    console.print("[dim]Made-up traffic of 1 October to 19 November 2026, at the list prices of each day.[/]\n")
    report_view.print_report(console, query, rows, total)
    report_view.print_days(console, ledger.report(Asked(bucket="day")))


def _print_classes(console: Console, ledger: Ledger, total: Row) -> None:
    from farthing.ledger.interface import Query
    from farthing.prices.book import shipped_book
    from farthing.prices.engine import price_served
    from farthing.reports import charts
    from farthing.reports.classes import CLASS_NAMES, by_class
    from farthing.reports.sums import percent

    book = shipped_book()
    calls = (stored.call for stored in ledger.calls(Query()))
    sums = by_class(price_served(book, call.served, call.sent_at) for call in calls)
    console.print("\n[bold]Where the money went[/]")
    largest = max(sums.values())
    for unit, pusd in sorted(sums.items(), key=lambda item: -item[1]):
        drawn = charts.bar(pusd, largest, 24)
        console.print(
            f"  {CLASS_NAMES[unit]:<24}{output.usd(pusd):>8} {percent(pusd, total.list_pusd):>7}  [cyan]{drawn}[/]"
        )


def _print_one_call(console: Console, ledger: Ledger) -> None:
    """The dearest call that read the cache: every rule it needed is on its bill."""
    from farthing.cli.explain import print_explained
    from farthing.ledger.interface import Query
    from farthing.prices.book import shipped_book
    from farthing.prices.engine import price_served
    from farthing.reports.explained import explain

    def interest(stored: Stored) -> tuple[int, int]:
        usage = stored.call.served.usage
        units = (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.web_search_requests)
        return sum(1 for count in units if count), stored.posting.list_pusd or 0

    stored = max(ledger.calls(Query()), key=interest)
    book = shipped_book()
    bill = price_served(book, stored.call.served, stored.call.sent_at)
    console.print("\n[bold]One call, explained[/]\n")
    print_explained(console, explain(stored.call, bill, stored.posting, {}))


def _print_own(console: Console) -> None:
    """One's own Claude Code total, where transcripts are on this machine."""
    from farthing.sources.claude_code import discover

    roots = discover()
    if not roots:
        return
    own = _own_total(roots)
    console.print("\n[bold]Your own Claude Code[/]")
    if own is None:
        console.print("  more transcripts than a first look should read; [green]farthing daily[/] adds them up")
    elif not own.calls:
        console.print("  [dim]no API response in its transcripts yet[/]")
    else:
        left_out = f", {own.unpriced:,} calls UNPRICED" if own.unpriced else ""
        console.print(
            f"  [bold]{output.usd(own.pusd)}[/] {output.kind_markup(own.kind)} for {own.calls:,} calls since "
            f"{own.since}{left_out}"
        )
        console.print("  [dim]at API list price, every response counted once; a subscription bills differently[/]")


class _Own(NamedTuple):
    calls: int
    unpriced: int
    pusd: int
    kind: Kind
    since: str


def _own_total(roots: Sequence[Root]) -> _Own | None:
    """None where there is too much to read for a first look."""
    from farthing.prices.book import shipped_book
    from farthing.sources.claude_code import Index, default_index_path, iter_buckets, price_bucket, scan
    from farthing.sources.claude_code.discovery import files_under

    path = default_index_path(roots)
    if not path.exists() and sum(file.size for file in files_under(roots)[0]) > _FIRST_LOOK_BYTES_MAX:
        return None
    book = shipped_book()
    with Index(path) as index:
        scan(roots, index)
        priced = [(bucket, price_bucket(book, bucket)) for bucket in iter_buckets(index)]
    return _Own(
        calls=sum(bucket.calls for bucket, _ in priced),
        unpriced=sum(bucket.calls for bucket, bill in priced if bill.list_pusd is None),
        pusd=sum(bill.list_pusd or 0 for _, bill in priced),
        kind=weakest(*(bill.kind for _, bill in priced)),
        since=f"{min((bucket.start for bucket, _ in priced), default=datetime.now(UTC)):%Y-%m-%d}",
    )


def _print_next(console: Console, ledger: Path) -> None:
    program = _program()
    console.print("\n[bold]Go on from here[/]")
    for command, what in (
        (f"report --ledger {ledger} --by tenant", "by any dimension"),
        (f"moved 2026-10-01..2026-10-19 2026-11-01..2026-11-19 --ledger {ledger}", "why the bill moved"),
        (f"playbook --ledger {ledger}", "what would save money, each step with its evidence"),
        ("import jsonl YOUR.jsonl", "your own calls"),
        ("daily", "your own Claude Code transcripts"),
    ):
        console.print(f"  [green]{program} {command}[/]", soft_wrap=True)
        console.print(f"    [dim]{what}[/]")


def _print_dashboard(console: Console, folder: Path, address: str | None) -> None:
    from farthing.cli.demo_pages import IDLE_MINUTES

    if address is None:
        console.print(f"\nThe dashboard did not come up; {folder / 'dashboard.log'} says why.", markup=False)
        return
    console.print(f"\n[bold]The same in a browser: [green]{address}[/][/]", soft_wrap=True)
    console.print(f"  [dim]it ends by itself once nobody has looked for {IDLE_MINUTES} minutes[/]")


def _program() -> str:
    """How to call farthing from here: by its name, or by its path where no shell would find it."""
    here = Path(sys.argv[0])
    if here.name != "farthing" or shutil.which("farthing") is not None:
        return "farthing"
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)
