"""Batches: what went through them, what that saved, and which standard calls could have waited, with the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.dashboard.blocks import Block, Cell, Column, Note, Page, Table, Tile, Tiles, Tone
from farthing.dashboard.cells import count, share_of, text, usd
from farthing.dashboard.pages.batch_list import batch_list
from farthing.dashboard.pages.shared import nothing, spend_over_time
from farthing.dashboard.row_prices import BATCH, BY, STANDARD
from farthing.dashboard.tiers import Tiered, at_tier
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.reports.sums import percent
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row
    from farthing.whatif.levers.batch import Waiting

_GROUPS = ("feature", "model")
_SHOWN = 40
NO_BATCH = Note(
    "Message Batches answer within an hour as a rule, within 24 hours at most, at half the price per token. farthing "
    "serve meters them when their results are fetched; results files can be imported as well.",
    "Nothing went through a batch in these days",
    code="client.messages.batches.create(requests=[...])    # through the gateway, as any call\n"
    "farthing import usage results.jsonl               # what a batch answered",
)


class _Verdict(NamedTuple):
    """Whether a group may wait: in a word and why; *rank* sorts the likeliest first."""

    rank: int
    word: str
    why: str
    tone: Tone


def page(visit: Visit) -> Page:
    """Batched calls, then those that could be."""
    total = visit.total()
    if total is None:
        return Page("Batches", (nothing(visit),))
    batched = at_tier(_rows(visit, BATCH), visit.desk.book, STANDARD, len(_GROUPS))
    open_calls = at_tier(_rows(visit, STANDARD), visit.desk.book, BATCH, len(_GROUPS))
    verdicts = _verdicts(visit)
    blocks: list[Block] = [_sums(total, batched, open_calls, verdicts)]
    if batched:
        blocks += [*spend_over_time(visit, ("service_tier",), title="Spend by service tier"), _saved(visit, batched)]
        blocks += batch_list(visit)
    else:
        blocks.append(NO_BATCH)
    if open_calls:
        blocks.append(_could_wait(visit, open_calls, verdicts))
    return Page("Batches", tuple(blocks))


def _rows(visit: Visit, tier: str) -> list[Row]:
    """The calls of a tier by group and whatever decides their rates, in UTC days."""
    query = visit.query(*_GROUPS, *BY, bucket="day")
    asked = query.where.get("service_tier", (tier,))
    where = {**query.where, "service_tier": tuple(one for one in asked if one == tier)}
    return visit.reader.report(msgspec.structs.replace(query, where=where, timezone="UTC"))


def _sums(
    total: Row,
    batched: dict[tuple[str | None, ...], Tiered],
    open_calls: dict[tuple[str | None, ...], Tiered],
    verdicts: dict[tuple[str | None, ...], _Verdict] | None,
) -> Tiles:
    done, rest = _together(batched.values()), _together(open_calls.values())
    left_out = f"; {done.left_out:,} have no exact price and are in no sum" if done.left_out else ""
    tiles = [
        Tile(
            "saved",
            "Batches saved",
            usd(done.other_pusd - done.pusd),
            str(done.kind),
            "against the same usage at standard rates, at list",
            tone="good" if done.other_pusd > done.pusd else "",
        ),
        Tile("usd", "Spent in batches", usd(done.pusd), str(total.kind), f"{done.calls:,} calls, at list{left_out}"),
        Tile(
            "share",
            "Of the spend",
            Cell(percent(done.pusd, total.list_pusd) or "0.0 %", share_of(done.pusd, total.list_pusd)),
            "derived",
            f"{percent(done.calls, total.calls)} of {total.calls:,} calls",
            meter=share_of(done.pusd, total.list_pusd),
        ),
    ]
    if verdicts is not None:
        likely = _together(
            one for key, one in open_calls.items() if (told := verdicts.get(key)) is not None and told.rank == 0
        )
        tiles.append(
            Tile(
                "could_save",
                "More could be saved",
                usd(likely.pusd - likely.other_pusd),
                "assumed",
                f"{likely.calls:,} calls for whose answers, by all signs, nobody waits",
                tone="warn" if likely.calls else "",
            )
        )
    tiles.append(
        Tile(
            "at_most",
            "If everything could wait",
            usd(rest.pusd - rest.other_pusd),
            "assumed",
            "no batch takes a call that somebody watches",
        )
    )
    return Tiles(tuple(tiles), is_lead=True)


def _together(parts: Iterable[Tiered]) -> Tiered:
    whole = Tiered()
    for one in parts:
        whole = whole.plus(one)
    return whole


def _saved(visit: Visit, batched: dict[tuple[str | None, ...], Tiered]) -> Table:
    columns = visit.head(
        ("feature", "Feature", False),
        ("model", "Model", False),
        ("calls", "Calls", True),
        ("usd", "Spent", True),
        ("standard_usd", "At standard rates", True),
        ("saved_usd", "Saved", True),
    )
    ordered = sorted(batched.items(), key=lambda item: (-item[1].pusd, tuple(part or "" for part in item[0])))
    rows = [
        (
            text(feature),
            text(model),
            count(one.calls, href=_calls(visit, feature, model, BATCH)),
            usd(one.pusd),
            usd(one.other_pusd),
            usd(one.other_pusd - one.pusd, tone="good"),
        )
        for (feature, model), one in ordered[:_SHOWN]
    ]
    whole = _together(batched.values())
    note = "The same counts at both list rates, by day and model."
    if whole.kind is Kind.ASSUMED:
        note += " Some calls have a price rule of their own (long prompts, refusals): they are scaled, and assumed."
    if whole.left_out:
        note += f" {whole.left_out:,} calls have no exact price and are in no sum."
    return Table(
        "batched", "What went through batches", columns, visit.sorted_rows(columns, rows), str(whole.kind), note
    )


def _could_wait(
    visit: Visit,
    open_calls: dict[tuple[str | None, ...], Tiered],
    verdicts: dict[tuple[str | None, ...], _Verdict] | None,
) -> Table:
    """The eligibility finder."""
    unknown = _Verdict(
        3, "not looked at", f"it takes reading the calls, and there are over {CALLS_READ_MAX:,}", "quiet"
    )
    told = {key: (verdicts or {}).get(key, unknown) for key in open_calls}
    ordered = sorted(
        open_calls.items(),
        key=lambda item: (
            told[item[0]].rank,
            item[1].other_pusd - item[1].pusd,
            tuple(part or "" for part in item[0]),
        ),
    )
    columns = (
        Column("feature", "Feature"),
        Column("model", "Model"),
        Column("calls", "Calls", is_number=True),
        Column("usd", "Standard", is_number=True),
        Column("batch_usd", "In a batch", is_number=True),
        Column("saved_usd", "Would save", is_number=True),
        Column("waits", "Could wait?"),
        Column("evidence", "What the calls show"),
    )
    rows = tuple(
        (
            text(feature),
            text(model),
            count(one.calls, href=_calls(visit, feature, model, STANDARD)),
            usd(one.pusd),
            usd(one.other_pusd),
            usd(one.pusd - one.other_pusd),
            Cell(verdict.word, verdict.word, tone=verdict.tone),
            Cell(verdict.why, verdict.why),
        )
        for (feature, model), one in ordered[:_SHOWN]
        for verdict in (told[feature, model],)
    )
    whole = _together(open_calls.values())
    note = (
        "The difference is that of the same counts at both list rates; that a call can wait is assumed, and only its "
        "owner knows. A batch may take up to 24 hours."
    )
    if whole.cached_tokens:
        note += " What was read from a cache is taken to be read in the batch too, where hits are not promised."
    if whole.left_out:
        note += f" {whole.left_out:,} calls have no batch price and are in no sum."
    return Table(
        "could_wait",
        "Which standard calls could wait",
        columns,
        rows,
        str(Kind.ASSUMED),
        note,
        more=(("The playbook", "/playbook"),) if visit.user.scope.is_whole else (),
    )


def _verdicts(visit: Visit) -> dict[tuple[str | None, ...], _Verdict] | None:
    """What the calls of each group show; None where there are too many to read."""
    if not visit.can_read_calls():
        return None
    from farthing.whatif.levers.batch import waiting  # noqa: PLC0415 - only here
    from farthing.whatif.levers.traffic import traffic_of  # noqa: PLC0415

    book = visit.desk.book
    key = ("waiting", repr(visit.query()), book.version)
    routes = visit.reader.kept(key, lambda: waiting(traffic_of(visit.calls(), book, tries=False)))
    groups: dict[tuple[str | None, ...], list[Waiting]] = {}
    for one in routes:
        feature = one.route.value if one.route.by == "feature" else None
        groups.setdefault((feature, one.route.model), []).append(one)
    return {key: _verdict(found) for key, found in groups.items()}


def _verdict(routes: list[Waiting]) -> _Verdict:
    """Of several routes in a group (prompts of calls without a feature) the one that waits least says."""
    calls = sum(one.calls for one in routes)
    seen = {name: sum(one.seen[name] for one in routes) for name in routes[0].seen}
    if not all(one.nobody_seen for one in routes):
        ways = [f"{percent(number, calls)} {name}" for name, number in seen.items() if number]
        return _Verdict(2, "somebody waits", ", ".join(ways[:3]) or "most are batched already", "quiet")
    if not all(one.is_habit for one in routes):
        return _Verdict(1, "too few to tell", f"{calls:,} calls, none streamed or followed up", "")
    signs = [sign for one in routes for sign in one.signs]
    if signs and all(one.signs for one in routes):
        return _Verdict(0, "likely", f"{'; '.join(signs[:2])}; none is streamed or followed up", "good")
    return _Verdict(1, "perhaps", "nobody is seen waiting, and nothing shows a timer or night work", "")


def _calls(visit: Visit, feature: str | None, model: str | None, tier: str) -> str:
    names = ("feature", "model", "service_tier")
    kept = tuple(pair for pair in visit.asked.where if pair[0] not in names)
    where = (*kept, *zip(names, (feature or "", model or "", tier), strict=True))
    return visit.asked.elsewhere("/calls", where=where)
