"""``farthing prices``: what the price book says, on any day, as known on any other; its history and its sources."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from farthing.cli import options, output, price_updates
from farthing.errors import BadInput

if TYPE_CHECKING:
    from rich.table import Table

    from farthing.prices.book import PriceBook
    from farthing.prices.card import Band, Card
    from farthing.prices.schema import Model, RateRow


class _ShowByDefault(TyperGroup):
    """``farthing prices MODEL`` means ``farthing prices show MODEL``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``show`` before anything that is neither a command nor a call for help."""
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowByDefault,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="What the price book says: rates, history, sources, updates. Without a command: show [MODEL].",
)

_Model = Annotated[str | None, typer.Argument(metavar="[MODEL]", help="An exact id on any channel; nothing: all.")]
_At = Annotated[str | None, typer.Option("--at", metavar="DATE", help="Rates of this day (UTC); today if not given.")]
_KnownAt = Annotated[
    str | None, typer.Option("--known-at", metavar="DATE", help="Use only what was known on this day.")
]
_Channel = Annotated[str, typer.Option("--channel", metavar="NAME", help="claude_api, bedrock, google_cloud, ...")]
_Location = Annotated[
    str | None, typer.Option("--location", metavar="NAME", help="Region or global, on partner channels.")
]


class _Rates(NamedTuple):
    """One row to show: a composed card's band and what stands behind it."""

    card: Card
    band: Band

    def to_json(self) -> dict[str, Any]:
        from farthing import money
        from farthing.units import TOKEN_UNITS

        row = self.band.row
        return {
            "model": self.card.model.id,
            "channel": self.card.channel,
            "speed": row.speed,
            "prompt_tokens_over": self.band.over,
            "prompt_tokens_up_to": self.band.up_to,
            "usd_per_mtok": {
                str(unit): None if rate is None else money.usd_per_mtok_text(rate)
                for unit, rate in zip(TOKEN_UNITS, self.band.rates, strict=True)
            },
            "multipliers": {multiplier.name: multiplier.factor for multiplier in self.card.multipliers},
            **_standing(row),
            "notes": [*self.card.notes],
            "kind": str(self.card.kind),
        }


@app.command("show")
def show(
    model: _Model = None,
    *,
    at: _At = None,
    known_at: _KnownAt = None,
    channel: _Channel = "claude_api",
    location: _Location = None,
    json: output.Json = False,
    config: options.Config = None,
) -> None:
    """Show rates in USD per million tokens: every model in force, or one with its bands, speeds and sources."""
    valid_on = options.day(at, "--at") or datetime.now(UTC).date()
    known_on = options.day(known_at, "--known-at")
    book = options.price_book(config)
    wanted = [model] if model else [known.id for known in book.models]
    shown = [rates for name in wanted for rates in _rates(book, name, channel, location, (valid_on, known_on))]
    if not shown:
        raise BadInput(_why_nothing(book, model, channel, location, (valid_on, known_on)))
    if json:
        output.print_json(
            {
                "book_version": book.version,
                "valid_on": valid_on.isoformat(),
                "known_on": None if known_on is None else known_on.isoformat(),
                "rates": [rates.to_json() for rates in shown],
            }
        )
        return
    _print_rates(shown, book, valid_on, known_on, alone=model is not None)


@app.command("history")
def history(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An exact id on any channel.")],
    json: output.Json = False,
    config: options.Config = None,
) -> None:
    """Show every row a model ever had: when it applied, when that was known, what was called off."""
    book = options.price_book(config)
    found = _model(book, model)
    rows = sorted(found.rate, key=lambda row: (row.valid_from or date.min, row.speed, row.prompt_tokens_over))
    if json:
        listed = [{"speed": row.speed, **_band(row), "usd_per_mtok": _published(row), **_standing(row)} for row in rows]
        output.print_json({"book_version": book.version, "model": found.id, "rows": listed})
    else:
        _print_history(found, rows)


@app.command("sources")
def sources(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Only these.")] = None,
    json: output.Json = False,
    config: options.Config = None,
) -> None:
    """List where the facts of the price book were read, and how old those copies were."""
    book = options.price_book(config)
    unknown = [key for key in keys or [] if key not in book.sources]
    if unknown:
        raise BadInput(f"read source {unknown[0]!r}", "a key of the price book", "farthing prices sources lists them")
    listed = {key: source for key, source in book.sources.items() if not keys or key in keys}
    if json:
        shown = {key: {"url": one.url, "kind": one.kind, "as_of": one.as_of} for key, one in listed.items()}
        output.print_json({"book_version": book.version, "sources": shown})
        return
    from rich.markup import escape

    console = output.console()
    for key, one in listed.items():
        console.print(f"[bold]{escape(key)}[/] [dim]{escape(one.kind)}[/]\n  {escape(one.url)}\n  {escape(one.as_of)}")


price_updates.register(app)


def _rates(
    book: PriceBook, name: str, channel: str, location: str | None, days: tuple[date, date | None]
) -> list[_Rates]:
    from farthing.prices.card import Card, Facts

    shown = []
    for speed in ("standard", "fast"):
        card = book.card(Facts(name, channel, location, "standard", speed, None, *days))
        if isinstance(card, Card):
            shown += [_Rates(card, band) for band in card.bands]
    return shown


def _why_nothing(
    book: PriceBook, name: str | None, channel: str, location: str | None, days: tuple[date, date | None]
) -> str:
    from farthing.prices.card import Facts, Unpriced

    if name is None and channel in _channels():
        return f"no model has a rate on {days[0]} on {channel}"
    card = book.card(Facts(name or book.models[0].id, channel, location, "standard", "standard", None, *days))
    assert isinstance(card, Unpriced)
    return card.reason


def _channels() -> list[str]:
    from farthing.prices.names import CHANNELS

    return list(CHANNELS)


def _model(book: PriceBook, name: str) -> Model:
    for channel in _channels():
        named = book.names.find(name, channel)
        if named is not None:
            return named.model
    nearest = ", ".join(book.names.nearest(name)) or "none"
    raise BadInput(f"model {name!r} is not in the price book; nearest known ids: {nearest}")


def _band(row: RateRow) -> dict[str, Any]:
    band = {"prompt_tokens_over": row.prompt_tokens_over, "prompt_tokens_up_to": row.prompt_tokens_up_to}
    return {**band, **({"channel": row.channel} if row.channel else {})}


def _published(row: RateRow) -> dict[str, str | None]:
    from farthing.units import TOKEN_UNITS

    return dict(zip(map(str, TOKEN_UNITS), row.rates, strict=True))


def _standing(row: RateRow) -> dict[str, Any]:
    """When a row applies and was known, and what it rests on, as JSON values."""
    days = ("valid_from", "valid_to", "known_from", "end_known_from", "retracted_on")
    return {
        **{name: day.isoformat() if (day := getattr(row, name)) else None for name in days},
        "confidence": row.confidence,
        "sources": list(row.sources),
        "checked_on": row.checked_on,
        "note": row.note,
        **({"set_by_hand": row.reason} if row.reason else {}),
    }


def _print_rates(shown: list[_Rates], book: PriceBook, valid_on: date, known_on: date | None, *, alone: bool) -> None:
    from rich.markup import escape

    from farthing import money

    console = output.console()
    as_known = f", as known on {known_on}" if known_on else ""
    head = f"USD per million tokens on {valid_on}{as_known}"
    console.print(f"[bold]{head}[/] [dim]{shown[0].card.channel}, book {book.version}[/]")
    table = _table("model", "prompt", last="since")
    for card, band in shown:
        name = escape(card.model.id) + (" [yellow]fast[/]" if band.row.speed == "fast" else "")
        rates = ["-" if rate is None else money.usd_per_mtok_text(rate) for rate in band.rates]
        since = band.row.valid_from.isoformat() if band.row.valid_from else "ever"
        mark = "" if band.row.confidence == "confirmed" else " [yellow]?[/]"
        table.add_row(name, _prompt(band.row), *rates, since + mark)
    console.print(table)
    if alone:
        _print_grounds(shown)
    elif any(rates.band.row.confidence != "confirmed" for rates in shown):
        console.print("[dim][yellow]?[/] not confirmed by the vendor; farthing prices MODEL says more[/]")


def _print_grounds(shown: list[_Rates]) -> None:
    """What the rates of one model rest on."""
    from rich.markup import escape

    console = output.console()
    for card, band in shown:
        row = band.row
        console.print(
            f"[dim]{row.speed}, {_prompt(row)}:[/] {escape(row.confidence)}, checked {row.checked_on or '-'}, "
            f"sources {escape(', '.join(row.sources))}"
        )
        factors = [f"x {multiplier.factor} {multiplier.name}" for multiplier in card.multipliers]
        for text in (*factors, row.note, row.reason and f"set by hand: {row.reason}", *card.notes):
            if text:
                console.print(f"  {escape(text)}")


def _print_history(model: Model, rows: list[RateRow]) -> None:
    from rich.markup import escape

    console = output.console()
    console.print(f"[bold]{escape(model.name)}[/] [dim]{escape(model.id)}, {escape(model.status)}[/]")
    table = _table("applies", "known", "prompt", last="")
    for row in rows:
        applies = f"{row.valid_from or 'ever'} .. {row.valid_to or ''}".rstrip()
        known = f"{row.known_from or row.valid_from or 'ever'} .. {row.retracted_on or ''}".rstrip()
        marks = (row.speed == "fast" and "fast", row.retracted_on and "[red]called off[/]", row.reason and "by hand")
        rates = [rate or "-" for rate in row.rates]
        table.add_row(applies, known, _prompt(row), *rates, ", ".join(mark for mark in marks if mark))
    console.print(table)
    for row in rows:
        for text in (row.note, row.reason):
            if text:
                console.print(f"[dim]{row.valid_from or 'ever'}:[/] {escape(text)}")


def _prompt(row: RateRow) -> str:
    """The prompt band in thousands of tokens where it is whole ones: ``<=100k``, ``>100k``, ``any``."""
    limit = row.prompt_tokens_over or row.prompt_tokens_up_to
    if limit is None:
        return "any"
    text = f"{limit // 1_000}k" if limit % 1_000 == 0 else f"{limit:,}"
    return f">{text}" if row.prompt_tokens_over else f"<={text}"


def _table(*left: str, last: str) -> Table:
    """A table of rates; at 80 columns words may wrap, digits never go missing."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in left:
        table.add_column(name, overflow="fold")
    for name in ("input", "5m", "1h", "read", "output"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(last, overflow="fold")
    return table
