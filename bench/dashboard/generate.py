"""
Write a ledger of many made-up calls, in minutes and exact to the picodollar.

    python bench/dashboard/generate.py FILE [--calls 100000000] [--days 120] [--until 2026-11-21T12:00Z]

The calls are made inside DuckDB, day by day, into the tables that the migrations make, and priced there at the rates of
the book's cards with whole numbers. At the end several thousand calls are priced again by the engine, and the rollup is
compared with a recount; a difference is an error.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

sys.path.insert(0, str(Path(__file__).parent))

import ids
import proof

from farthing.call import PromptBlock
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.prompt_runs import Packer
from farthing.ledger.prompt_tables import insert_runs
from farthing.ledger.staging import load, naive, unpriced_text
from farthing.ledger.store import sql
from farthing.prices.book import PriceBook, shipped_book
from farthing.prices.card import Card, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

HERE = Path(__file__).parent
UNPRICED_MODEL = "claude-next-preview"
TENANTS = 200
_NEW_MODEL_SINCE = datetime(2026, 10, 8, tzinfo=UTC)
_STAGED = "FROM staged"
_TOUCHED = "call_no IN (SELECT call_no FROM touched)"


class Feature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What sessions of one kind are like; names are those of calls.sql. *slots* of 64 say how often there are some."""

    feature: str
    prompt: str
    agent: str | None = None
    project: str
    workspace: str
    team: str
    old_model: str
    new_model: str
    slots: int
    service_tier: str = "standard"
    source: str = "gateway"
    prefix_tokens: int
    fresh_tokens: int
    fresh_tokens_spread: int = 256
    output_doublings: int = 6
    is_cached: bool = True
    ttl_1h: bool = False
    uses_tools: bool = False
    thinks: bool = False
    searches: bool = False
    leaf: str | None = None


_HAIKU, _NEXT_HAIKU, _SONNET, _OPUS = (
    "claude-haiku-4-5-20251001",
    "claude-haiku-5-5",
    "claude-sonnet-5",
    "claude-opus-5",
)
FEATURES = (
    Feature(
        feature="support-chat", prompt="support", project="help", workspace="production", team="support", slots=16,
        old_model=_HAIKU, new_model=_NEXT_HAIKU, prefix_tokens=6_200, fresh_tokens=40,
    ),
    Feature(
        feature="coding-agent", prompt="coder", agent="main", project="dev", workspace="engineering", team="platform",
        slots=14, old_model=_OPUS, new_model=_SONNET, prefix_tokens=18_400, fresh_tokens=10, output_doublings=7,
        ttl_1h=True, uses_tools=True, thinks=True, source="claude-code",
    ),
    Feature(
        feature="coding-agent", prompt="coder-search", agent="searcher", project="dev", workspace="engineering",
        team="platform", slots=4, old_model=_HAIKU, new_model=_NEXT_HAIKU, prefix_tokens=9_100, fresh_tokens=10,
        uses_tools=True, source="claude-code",
    ),
    Feature(
        feature="search-answers", prompt="answer", project="search", workspace="production", team="search", slots=12,
        old_model=_SONNET, new_model=_SONNET, prefix_tokens=3_300, fresh_tokens=1_500, fresh_tokens_spread=9_000,
        searches=True,
    ),
    Feature(
        feature="summaries", prompt="summary", project="search", workspace="production", team="search", slots=6,
        old_model=_HAIKU, new_model=_NEXT_HAIKU, prefix_tokens=0, fresh_tokens=12_000, fresh_tokens_spread=120_000,
        is_cached=False,
    ),
    Feature(
        feature="nightly-labels", prompt="labels", project="data", workspace="production", team="data", slots=8,
        old_model=_HAIKU, new_model=_HAIKU, prefix_tokens=1_100, fresh_tokens=700, fresh_tokens_spread=1_500,
        is_cached=False, service_tier="batch", output_doublings=4,
    ),
    Feature(
        feature="contract-review", prompt="review", project="legal", workspace="production", team="legal", slots=2,
        old_model=_OPUS, new_model=_OPUS, prefix_tokens=26_000, fresh_tokens=8_000, fresh_tokens_spread=60_000,
        output_doublings=7, thinks=True,
    ),
    Feature(
        feature="voice", prompt="voice", project="help", workspace="production", team="support", slots=2,
        old_model=_SONNET, new_model=_SONNET, prefix_tokens=2_400, fresh_tokens=60, output_doublings=4,
    ),
)  # fmt: skip


class Hour(NamedTuple):
    """An hour and its calls."""

    hour_no: int
    at: datetime
    first_no: int
    calls: int


class _CardLine(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    service_tier: str
    inference_geo: str | None
    band_over: int | None = None
    pusd: tuple[int, ...] = ()
    long_pusd: tuple[int, ...] = ()
    search_pusd: int = 0
    kind: str = "measured"
    unpriced: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--calls", type=int, default=100_000_000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--until", type=datetime.fromisoformat, help="when the last call was sent; default: this hour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=8_000)
    options = parser.parse_args()
    until = options.until or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    began_s = time.monotonic()

    def say(day: int, calls: int) -> None:
        taken_s = time.monotonic() - began_s
        print(f"\r{day} of {options.days} days, {calls:,} calls, {taken_s:,.0f} s", end="", flush=True)

    generate(options.file, options.calls, options.days, until, seed=options.seed, memory_mb=options.memory_mb, say=say)
    size, seconds = options.file.stat().st_size, time.monotonic() - began_s
    print(f"\nwritten in {seconds:,.0f} s: {size / 1e9:.1f} GB, {size / options.calls:.0f} bytes per call")
    print(proof.prove(options.file, shipped_book()))


def generate(
    path: Path,
    calls: int,
    days: int,
    until: datetime,
    *,
    seed: int = 1,
    memory_mb: int = 8_000,
    say: Callable[[int, int], None] = lambda _day, _calls: None,
) -> None:
    """Write *calls* calls of the *days* days before *until* into a new ledger."""
    book = shipped_book()
    hours = hours_of(calls, days, until)
    if path.exists():
        raise SystemExit(f"{path} is there already")
    with DuckDBLedger(path, memory_mb_max=memory_mb) as ledger:
        connection = ledger._connection  # noqa: SLF001 - a bench may
        assert connection is not None
        connection.execute("SET threads = 2")
        ids.make_pieces(connection)
        _features(connection)
        texts = {name: (HERE / f"{name}.sql").read_text(encoding="utf-8") for name in ("calls", "facts")}
        by_day: dict[datetime, list[Hour]] = {}
        for hour in hours:
            by_day.setdefault(hour.at.replace(hour=0), []).append(hour)
        for number, (day, some) in enumerate(sorted(by_day.items()), 1):
            _cards(connection, book, day)
            _day(connection, texts, _words(seed, number, day, some), some, book.version)
            say(number, some[-1].first_no + some[-1].calls - 1)
        connection.execute(
            "DELETE FROM rollup_loose"
        )  # an hour's calls came all at once, so its groups have one row each
        connection.execute("CHECKPOINT")


def hours_of(calls: int, days: int, until: datetime) -> list[Hour]:
    """Every hour with its share: busy afternoons, quiet nights and weekends, and growth. Pure."""
    first = until - timedelta(days=days)
    times = [first + timedelta(hours=n) for n in range(days * 24)]
    weights = [
        (4 if at.weekday() < 5 else 2) * (2 + max(0, 9 - abs(at.hour - 14))) * (100 + 60 * n // len(times))
        for n, at in enumerate(times)
    ]
    whole, passed, hours, given = sum(weights), 0, [], 0
    for number, (at, weight) in enumerate(zip(times, weights, strict=True)):
        passed += weight
        upto = calls * passed // whole
        hours.append(Hour(number, at, 1 + given, upto - given))
        given = upto
    return hours


def _words(seed: int, number: int, day: datetime, hours: list[Hour]) -> dict[str, object]:
    """What the braces of the SQL files stand for on one day, the *number*-th."""
    return {
        "seed": seed,
        "tenants": TENANTS,
        "unpriced_model": UNPRICED_MODEL,
        "new_share": 0 if day < _NEW_MODEL_SINCE else min(110, 3 * (day - _NEW_MODEL_SINCE).days),
        "geo_models": ", ".join(f"'{model}'" for model in (_NEXT_HAIKU, _SONNET, _OPUS)),
        "compaction_input": "(20000 + hash(call_no, 7) % 4096)::BIGINT",
        "compaction_output": "(400 + hash(call_no, 8) % 1024)::BIGINT",
        "prompt_version": 1 + number // 21,
        "ids": ids.columns(),
        "pieces": ids.joins(),
        "first": hours[0].first_no,
        "beyond": hours[-1].first_no + hours[-1].calls,
    }


def _day(
    connection: duckdb.DuckDBPyConnection,
    texts: dict[str, str],
    words: dict[str, object],
    hours: list[Hour],
    book_version: str,
) -> None:
    """One day's calls with what belongs to them, and their part of the rollup."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ticks AS SELECT * REPLACE (unnest(range(calls)) AS k) FROM ("
        "SELECT unnest($1::BIGINT[]) AS hour_no, unnest($2::TIMESTAMP[]) AS starts_at, "
        "unnest($3::BIGINT[]) AS first_no, unnest($4::BIGINT[]) AS calls, 0 AS k)",
        [
            [hour.hour_no for hour in hours],
            [naive(hour.at) for hour in hours],
            [hour.first_no for hour in hours],
            [hour.calls for hour in hours],
        ],
    )
    connection.execute("BEGIN TRANSACTION")
    connection.execute(_filled(texts["calls"], words), {"book_version": book_version})
    connection.execute(_filled(texts["facts"], words))
    assert _TOUCHED in sql("rollup_add"), "queries/rollup_add.sql has changed: adapt the generator"
    condition = f"call_no >= {words['first']} AND call_no < {words['beyond']}"
    connection.execute(sql("rollup_add").replace(_TOUCHED, condition), {"sign": 1})
    connection.execute(sql("rollup_spread"))
    findable = sql("insert_findable")
    assert findable.count(_STAGED) == 2, "queries/insert_findable.sql has changed: adapt the generator"
    connection.execute(findable.replace(_STAGED, f"FROM (SELECT * FROM calls WHERE {condition})"))
    connection.execute("COMMIT")


def _filled(text: str, words: dict[str, object]) -> str:
    for word, fragment in words.items():
        text = text.replace(f"{{{word}}}", str(fragment))
    return text


def _features(connection: duckdb.DuckDBPyConnection) -> None:
    """The table ``features`` with 64 slots, and the prefix of each prompt as one run of blocks."""
    packer, lines, runs = Packer(), [], []
    for one in FEATURES:
        packed = packer.pack(_blocks(one))
        runs += packed.runs
        made = msgspec.structs.replace(one, leaf=packed.leaf.hex() or None)
        fields = {name: value for name, value in msgspec.to_builtins(made).items() if name != "slots"}
        lines += [{"slot": len(lines) + n, **fields} for n in range(one.slots)]
    assert len(lines) == 64
    insert_runs(connection, runs)
    columns = (
        "slot: 'INTEGER', feature: 'VARCHAR', prompt: 'VARCHAR', agent: 'VARCHAR', project: 'VARCHAR', "
        "workspace: 'VARCHAR', team: 'VARCHAR', old_model: 'VARCHAR', new_model: 'VARCHAR', service_tier: 'VARCHAR', "
        "source: 'VARCHAR', prefix_tokens: 'BIGINT', fresh_tokens: 'BIGINT', fresh_tokens_spread: 'BIGINT', "
        "output_doublings: 'INTEGER', is_cached: 'BOOLEAN', ttl_1h: 'BOOLEAN', uses_tools: 'BOOLEAN', "
        "thinks: 'BOOLEAN', searches: 'BOOLEAN', leaf: 'UUID'"
    )
    _made(connection, "features", columns, lines)


def _blocks(feature: Feature) -> tuple[PromptBlock, ...]:
    if not feature.prefix_tokens:
        return ()
    digest = blake2b(feature.prompt.encode(), digest_size=16).digest()
    return (PromptBlock(digest, feature.prefix_tokens, "system", "1h" if feature.ttl_1h else "5m"),)


def _cards(connection: duckdb.DuckDBPyConnection, book: PriceBook, day: datetime) -> None:
    """The table ``cards``: what one token costs on this day, for every set of facts that there is."""
    models = sorted({UNPRICED_MODEL, *(f.old_model for f in FEATURES), *(f.new_model for f in FEATURES)})
    lines = [
        _card(book, model, tier, geo, day) for model in models for tier in ("standard", "batch") for geo in (None, "us")
    ]
    columns = (
        "model: 'VARCHAR', service_tier: 'VARCHAR', inference_geo: 'VARCHAR', band_over: 'BIGINT', pusd: 'BIGINT[]', "
        "long_pusd: 'BIGINT[]', search_pusd: 'BIGINT', kind: 'VARCHAR', unpriced: 'VARCHAR'"
    )
    _made(connection, "cards", columns, lines)


def _card(book: PriceBook, model: str, tier: str, geo: str | None, day: datetime) -> _CardLine:
    card = book.card(Facts(model, "claude_api", None, tier, "standard", geo, day.date()))
    facts = {"model": model, "service_tier": tier, "inference_geo": geo}
    if not isinstance(card, Card):
        return _CardLine(**facts, unpriced=unpriced_text((card.reason,)))
    longer = card.bands[1:]
    assert len(longer) < 2
    rates = [tuple(rate or 0 for rate in band.rates) for band in card.bands]
    return _CardLine(
        **facts,
        band_over=longer[0].over if longer else None,
        pusd=rates[0],
        long_pusd=rates[-1],
        search_pusd=card.web_search_pusd,
        kind=str(card.kind),
    )


def _made(connection: duckdb.DuckDBPyConnection, table: str, columns: str, lines: list[object]) -> None:
    load(
        connection,
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM "
        f"read_json($path, format = 'newline_delimited', columns = {{{columns}}})",
        lines,
    )


if __name__ == "__main__":
    main()
