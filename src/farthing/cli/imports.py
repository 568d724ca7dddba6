"""``farthing import``: put calls you already have into the ledger, each once."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.errors import BadInput, ErrorRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from farthing.call import Call
    from farthing.cli.ledger_file import Imported
    from farthing.sources.rows import Origin

    Reader = Callable[[BinaryIO, str, Origin], Iterator[Call | ErrorRecord]]

app = typer.Typer(
    help="Put calls you already have into the ledger, each once: importing a file again changes nothing.",
    no_args_is_help=True,
)

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders; - is standard input.")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", "-m", metavar="NAME=PATH", help="Where things are, e.g. tenant=metadata.customer,at=ts."),
]
Channel = Annotated[str | None, typer.Option("--channel", metavar="NAME", help="Channel of rows that do not say.")]
Model = Annotated[str | None, typer.Option("--model", metavar="ID", help="Model of rows that do not say.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="Send time of rows that do not say (RFC 3339).")]


@app.command("claude-code")
def claude_code(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Transcripts or folders; nothing: where Claude Code keeps them."),
    ] = None,
    *,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Import Claude Code transcripts: every API response once, across resumes, forks and sub-agents.

    Costs are API list prices; a subscription bills differently. Responses whose output was never counted are kept and
    their figures are marked as assumed.
    """
    from farthing.sources.claude_code import Index, discover, index_path, iter_calls, scan

    roots = discover(paths or None)
    if not roots:
        raise BadInput(
            "found no Claude Code transcripts in the usual places",
            "~/.claude/projects",
            "name a folder or set CLAUDE_CONFIG_DIR",
        )
    configured = options.settings(config).config.claude_code.index_path
    with Index(index_path(roots, configured)) as index:
        with output.progress("reading transcripts", hidden=json) as advance:
            errors = scan(roots, index, progress=_steps(advance)).errors
        items: Iterator[Call | ErrorRecord] = chain(errors, iter_calls(index))
        post_and_tell(items, "claude-code", as_json=json, ledger=ledger, config=config)


def _steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    done_before = 0

    def progress(done: int, _total: int) -> None:
        nonlocal done_before
        advance(done - done_before)
        done_before = done

    return progress


@app.command()
def jsonl(
    paths: Paths,
    *,
    map_: Map = None,
    channel: Channel = None,
    model: Model = None,
    at: At = None,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Import JSON lines, one call each.

    A row names its model, its time (at, sent_at, timestamp, created_at) and its usage, itself or in a response, message
    or body. Dimensions (tenant, feature, ...) are taken from the top, from tags and from metadata; --map says where
    else.
    """
    from farthing.sources.jsonl import read_jsonl

    _import(
        paths,
        (".jsonl", ".ndjson"),
        read_jsonl,
        "jsonl",
        (map_, channel, model, at),
        as_json=json,
        ledger=ledger,
        config=config,
    )


@app.command()
def csv(
    paths: Paths,
    *,
    map_: Map = None,
    channel: Channel = None,
    model: Model = None,
    at: At = None,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Import CSV with a header line, one call a row.

    Columns: model, at, input_tokens, output_tokens, and where there are any cache_read_input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, service_tier, tenant, feature, ...; --map renames.
    """
    from farthing.sources.csv_file import read_csv

    _import(
        paths, (".csv", ".tsv"), read_csv, "csv", (map_, channel, model, at), as_json=json, ledger=ledger, config=config
    )


@app.command()
def usage(
    paths: Paths,
    *,
    map_: Map = None,
    channel: Channel = None,
    model: Model = None,
    at: At = None,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Import API responses as they came: JSON, arrays, JSON lines, batch results, saved event streams.

    Every shape of docs/usage-readers.md is understood. Responses seldom say when they were sent: then give --at.
    """
    from farthing.sources.usage_payloads import read_payloads

    suffixes = (".json", ".jsonl", ".ndjson", ".sse", ".txt")
    _import(
        paths, suffixes, read_payloads, "usage", (map_, channel, model, at), as_json=json, ledger=ledger, config=config
    )


def _import(
    paths: list[str],
    suffixes: tuple[str, ...],
    read: Reader,
    source: str,
    facts: tuple[list[str] | None, str | None, str | None, str | None],
    *,
    as_json: bool,
    ledger: Path | None,
    config: Path | None,
) -> None:
    from farthing.sources.rows import Origin, instant, parse_map

    map_, channel, model, at = facts
    origin = Origin(
        source=source,
        mapping=parse_map(map_ or []),
        tag_map=options.settings(config).config.import_.tag_map,
        channel=channel,
        at=None if at is None else instant(at, "--at"),
        model=model,
    )
    post_and_tell(_items(_files(paths, suffixes), read, origin), source, as_json=as_json, ledger=ledger, config=config)


def post_and_tell(
    items: Iterable[Call | ErrorRecord], source: str, *, as_json: bool, ledger: Path | None, config: Path | None
) -> None:
    """Post what a source yields and print what became of it; exits with 1 where a row was bad."""
    from farthing.cli.ledger_file import contract_terms, ledger_path, open_ledger, post

    path = ledger_path(ledger, config)
    with open_ledger(path) as opened, output.progress(f"importing {source}", hidden=as_json) as advance:
        done = post(opened, options.price_book(config), items, terms=contract_terms(config), advance=advance)
    if as_json:
        output.print_json(imported_json(done, path))
    else:
        _print(done, path)
    if done.error_count:
        raise typer.Exit(1)


def imported_json(done: Imported, path: Path) -> dict[str, Any]:
    """What an import did, as JSON values."""
    import msgspec

    return {
        "new": done.new,
        "known": done.known,
        "improved": done.improved,
        "unpriced": done.unpriced,
        "errors": done.error_count,
        "error_records": msgspec.to_builtins(done.errors),
        "ledger": str(path),
    }


def told_once(errors: Sequence[ErrorRecord]) -> list[str]:
    """One line per source and error, with the places it happened at: a thousand rows without a time are one fault."""
    lines: dict[tuple[str, str], list[int]] = {}
    for record in errors:
        lines.setdefault((record.source, record.error), []).extend([record.line] if record.line else [])
    return [f"{source}{_places(numbers)}: {error}" for (source, error), numbers in lines.items()]


def _places(numbers: list[int]) -> str:
    if not numbers:
        return ""
    shown = ", ".join(str(number) for number in numbers[:4])
    return f":{shown}" + (f" and {len(numbers) - 4:,} more" if len(numbers) > 4 else "")


def _print(done: Imported, path: Path) -> None:
    console = output.console()
    console.print(
        f"[bold]{done.new:,}[/] new, {done.known:,} known, {done.improved:,} improved"
        f"[dim]; ledger {path}; farthing report shows it[/]",
        soft_wrap=True,
    )
    if done.unpriced:
        console.print(output.unpriced_banner(done.unpriced, done.new + done.known + done.improved))
    stderr = output.console(stderr=True)
    told = told_once(done.errors)
    for line in told[:10]:
        stderr.print(line, markup=False, soft_wrap=True)
    if done.error_count:
        more = " (the first 10 kinds are shown; --json has more)" if len(told) > 10 else ""
        output.note(f"{done.error_count:,} bad rows left out{more}; everything else is in")


def _files(paths: list[str], suffixes: tuple[str, ...]) -> list[str]:
    """The files that *paths* name; of a folder, those with one of *suffixes*, sorted."""
    found: list[str] = []
    for path in paths:
        if path != "-" and Path(path).is_dir():
            inside = sorted(str(file) for file in Path(path).rglob("*") if file.suffix.lower() in suffixes)
            if not inside:
                raise BadInput(f"read folder {path}, which has no {' or '.join(suffixes)} file", "one of them")
            found += inside
        else:
            found.append(path)
    return found


def _items(files: list[str], read: Reader, origin: Origin) -> Iterator[Call | ErrorRecord]:
    for file in files:
        try:
            with options.opened(file) as stream:
                yield from read(stream, file, origin)
        except OSError as error:
            yield ErrorRecord(source=file, error=f"cannot be read: {error.strerror or error}")
