"""``farthing whatif``: what would have been cheaper, replayed on recorded calls."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import options, output
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.call import Call
    from farthing.errors import ErrorRecord
    from farthing.sources.traces import TraceCall
    from farthing.whatif.cache import Comparison
    from farthing.whatif.charges import Rates

ERRORS_SHOWN = 20
SHORTEST_PREFIX_TOKENS = 1024
"""Where neither a model nor ``--min-prefix`` says: that of most models in use (facts: claude-api 5.3)."""

app = typer.Typer(help="What would have been cheaper, on recorded calls.", invoke_without_command=True)

Trace = Annotated[str, typer.Argument(metavar="TRACE", help="A trace file; - for standard input.")]
Format = Annotated[str, typer.Option("--format", help="mooncake (JSON lines), csv, or calls (JSON lines or a ledger).")]
UsdPerMtok = Annotated[str | None, typer.Option("--usd-per-mtok", metavar="USD", help="Price of input; else 3.")]
ModelId = Annotated[str | None, typer.Option("--model", help="Take this model's prices of today and its prefix.")]
BlockTokens = Annotated[int, typer.Option("--block-tokens", min=1, max=2**20, help="Tokens of a block.")]
MinPrefix = Annotated[int | None, typer.Option("--min-prefix", min=1, max=2**20, help="Shortest prefix; else 1024.")]
Policies = Annotated[str | None, typer.Option("--policies", metavar="NAMES", help="Only these, by commas.")]
TrainUntil = Annotated[float | None, typer.Option("--train-until", metavar="SECONDS", help="Charge only later calls.")]


Choose = Annotated[
    list[str] | None,
    typer.Option("--choose", metavar="CHOICE", help="e.g. model=ID,batch=true,cache=automatic; repeat for steps."),
]
From = Annotated[str | None, typer.Option("--from", "--since", "-s", metavar="DATE", help="From this day or time on.")]
To = Annotated[str | None, typer.Option("--to", "--until", "-u", metavar="DATE", help="To the end of this day.")]


@app.callback()
def whatif(  # noqa: PLR0917  flags are many
    context: typer.Context,
    choose: Choose = None,
    since: From = None,
    until: To = None,
    last: options.Last = None,
    where: options.Where = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    What would have been cheaper, on recorded calls.

    Replays the ledger's calls under a choice: model=ID, batch=true, cache=none|automatic|end|second_sight|PLACES with
    ttl=5m|1h|mixed and pings=N, geo=us, speed=fast, effort=low*0.6, channel=bedrock:us-east-1. "where feature=triage"
    at its end limits a choice to some calls.
    """
    from datetime import UTC, datetime

    from farthing.errors import BadInput

    if context.invoked_subcommand is not None:
        if choose:
            raise BadInput("read --choose before a command", "one of them")
        return
    if not choose:
        typer.echo(context.get_help())
        raise typer.Exit(0)
    from farthing.cli.whatif_choose import choose as chosen

    zone = options.zone_of(options.settings(config).config.report.timezone)
    span = options.time_range(since, until, last, zone, datetime.now(UTC))
    chosen(choose, span, where, as_json=as_json, files=(ledger, config))


@app.command()
def cache(  # noqa: PLR0917  flags are many
    trace: Trace,
    trace_format: Format = "mooncake",
    usd_per_mtok: UsdPerMtok = None,
    model: ModelId = None,
    block_tokens: BlockTokens = 512,
    min_prefix: MinPrefix = None,
    policies: Policies = None,
    train_until: TrainUntil = None,
    as_json: output.Json = False,
    config: options.Config = None,
) -> None:
    """Replay a trace under caching policies, in dollars of prompt."""
    from farthing.sources.traces import in_time_order
    from farthing.whatif.cache import POLICIES, compare_policies, comparison_json
    from farthing.whatif.prefixes import Blocks, PrefixTree

    rates, shortest = _terms(usd_per_mtok, model, min_prefix, config)
    errors: list[ErrorRecord] = []
    calls = in_time_order(_calls(trace, trace_format, block_tokens, errors))
    tree = PrefixTree(calls, Blocks(block_tokens, shortest))
    del calls
    names = POLICIES if policies is None else [name.strip() for name in policies.split(",") if name.strip()]
    found = compare_policies(tree, rates, names, None if train_until is None else round(train_until * 1000))
    for error in islice(errors, ERRORS_SHOWN):
        output.note(f"{error.source}, line {error.line}: {error.error}")
    if errors:
        output.note(f"{len(errors):,} lines left out")
    if as_json:
        output.print_json(comparison_json(found) | {"lines_left_out": len(errors)})
    else:
        _show(found)
    if errors:
        raise typer.Exit(1)


def _calls(trace: str, trace_format: str, block_tokens: int, errors: list[ErrorRecord]) -> Iterator[TraceCall]:
    from farthing.errors import BadInput
    from farthing.sources.traces import TraceCall, read_csv_trace, read_mooncake

    if trace_format == "calls":
        yield from _recorded(trace, block_tokens, errors)
        return
    readers = {"mooncake": read_mooncake, "csv": read_csv_trace}
    if trace_format not in readers:
        raise BadInput(f"read --format {trace_format!r}", "mooncake, csv or calls")
    with options.opened(trace) as stream:
        for one in readers[trace_format](stream, trace, block_tokens):
            if isinstance(one, TraceCall):
                yield one
            else:
                errors.append(one)


def _recorded(trace: str, block_tokens: int, errors: list[ErrorRecord]) -> Iterator[TraceCall]:
    """Recorded calls with blocks, from JSON lines or from a ledger; the others are told and left out."""
    from collections import Counter

    from farthing.errors import ErrorRecord
    from farthing.whatif.replay.as_trace import trace_call
    from farthing.whatif.replay.lengths import Lengths
    from farthing.whatif.replay.moved import microseconds

    start_us: int | None = None
    left_out: Counter[str] = Counter()
    lengths = Lengths()
    for one in _read_calls(trace):
        if isinstance(one, ErrorRecord):
            errors.append(one)
            continue
        start_us = microseconds(one.sent_at) if start_us is None else start_us
        made = trace_call(one, block_tokens, start_us, lengths)
        if isinstance(made, str):
            left_out[made] += 1
        else:
            yield made
    for reason, calls in left_out.most_common():
        output.note(f"{calls:,} calls left out: {reason}")


def _read_calls(trace: str) -> Iterator[Call | ErrorRecord]:
    from farthing.sources.call_lines import read_call_lines

    if trace == "-" or not _is_ledger(Path(trace)):
        with options.opened(trace) as stream:
            yield from read_call_lines(stream, trace)
        return
    from farthing.cli.ledger_file import open_ledger
    from farthing.ledger.interface import Query

    with open_ledger(Path(trace), must_exist=True) as ledger:
        yield from (stored.call for stored in ledger.calls(Query()))


def _is_ledger(file: Path) -> bool:
    """A DuckDB file says so after its first eight bytes."""
    with file.open("rb") as stream:
        return stream.read(12)[8:] == b"DUCK"


def _terms(
    usd_per_mtok: str | None, model: str | None, min_prefix: int | None, config: Path | None
) -> tuple[Rates, int]:
    """The rates, and the shortest cacheable prefix."""
    from farthing.errors import BadInput
    from farthing.whatif.charges import list_rates

    if model is None:
        return list_rates(usd_per_mtok or "3"), min_prefix or SHORTEST_PREFIX_TOKENS
    if usd_per_mtok is not None:
        raise BadInput("read --model beside --usd-per-mtok", "one of them")
    rates, own_prefix = _terms_of(model, config)
    shortest = min_prefix or own_prefix
    if shortest is None:
        raise BadInput(f"looked for the shortest cacheable prefix of {model}, which is not published", "--min-prefix")
    return rates, shortest


def _terms_of(model: str, config: Path | None) -> tuple[Rates, int | None]:
    from datetime import UTC, datetime

    from farthing.errors import BadInput
    from farthing.prices.card import Facts, Unpriced
    from farthing.whatif.charges import Rates

    today = datetime.now(UTC).date()
    card = options.price_book(config).card(Facts(model, "claude_api", None, "standard", "standard", None, today))
    if isinstance(card, Unpriced):
        raise BadInput(
            f"looked for the price of {model}: {card.reason}", "a model of the price book, or --usd-per-mtok"
        )
    if len(card.bands) != 1:
        raise BadInput(
            f"read the price of {model}, which depends on the length of the prompt",
            "a model with one price",
            "replays under price bands are not supported; --usd-per-mtok takes the price of one band",
        )
    fresh, write_5m, write_1h, read, _ = card.bands[0].rates
    if fresh is None or write_5m is None or write_1h is None or read is None:
        raise BadInput(f"looked for the cache prices of {model}, which are not published", "another, or --usd-per-mtok")
    return Rates(fresh, write_5m, write_1h, read), card.model.cacheable_prefix.tokens_min


def _show(found: Comparison) -> None:
    from rich import box
    from rich.table import Table

    console = output.console()
    console.print(f"{found.calls_charged:,} of {found.calls:,} calls, prompts alone {output.kind_markup(Kind.DERIVED)}")
    made = Table(box=box.SIMPLE_HEAD)
    made.add_column("policy")
    for heading in ("USD", "saving", "%", "capture"):
        made.add_column(heading, justify="right")
    none_pusd = found.outcomes["none"].pusd
    broken = 0
    for name, outcome in found.outcomes.items():
        saved = outcome.saved_pusd
        share = "" if saved is None or not none_pusd else f"{100 * saved / none_pusd:.1f}"
        capture = "" if outcome.capture is None else f"{outcome.capture:.0%}"
        made.add_row(name, output.usd(outcome.pusd), "" if saved is None else output.usd(saved), share, capture)
        if outcome.plan is not None:
            broken = max(broken, outcome.plan.prefix_violations + outcome.plan.order_inversions)
    console.print(made)
    if broken:
        console.print(f"the best plan breaks {broken:,} rules of order: it is a bound that no plan may reach")
