"""How good and how fast each model was: success share and cost per success, and times where they are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Chart, Column, Note, Table
from farthing.dashboard.cells import count, dollars, text
from farthing.dashboard.charts import COLORS, Frame, both
from farthing.dashboard.scatter import Point, scatter, unbeaten
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.visit import Visit
    from farthing.reports.outcome_rows import OutcomeReport

_PERCENTS = (50, 95)


def success_and_cost(report: OutcomeReport | None) -> tuple[Block, ...]:
    """Cost per call against success share, by model; nothing where fewer than two models have outcomes with calls."""
    points: list[Point] = []
    for row in report.rows if report is not None else ():
        outcomes = row.outcomes - row.without_calls
        success = row.by_status["success"]
        priced = row.calls - row.unpriced_calls
        if row.key[0] and outcomes > 0 and row.pusd >= priced > 0:
            share = (success.outcomes - success.without_calls) * 1000 // outcomes
            points.append(Point(row.key[0], row.pusd // priced, share, len(points) % (COLORS - 1)))
    if len(points) < 2 or report is None:
        return ()
    title = "What a call costs, and how often it ends well"
    best = ", ".join(point.name for point in unbeaten(points))
    says = "; ".join(f"{point.name} {dollars(point.cost)} and {point.quality / 10:.1f} %" for point in points)
    wide, narrow = both(
        lambda width, key: scatter(
            Frame(key, title, says, dollars), points, ("cost per call", "outcomes that succeeded"), width
        ),
        "pareto",
    )
    kind = str(weakest(Kind.DERIVED, report.total.kind, report.total.outcome_kind))
    note = (
        f"Nothing that was used here is both cheaper and better than: {best}. An outcome counts for the model that it "
        "cost most on. Models that do other work cannot be compared: keep one feature to see like beside like."
    )
    return (Chart(title, wide, narrow, (), kind, note),)


def latency(visit: Visit) -> tuple[Block, ...]:
    """How long answers took, by model."""
    if not visit.can_read_calls():
        return (Note(f"Times are read call by call; here are over {CALLS_READ_MAX:,}. Narrow the days.", "Latency"),)
    key = ("latency", repr(visit.query()))
    times = visit.reader.kept(key, lambda: _times(visit))
    if not times:
        told = "No call of these days says how long it took: the gateway records it, logs and usage files often do not."
        return (Note(told, "Latency"),)
    columns = (
        Column("model", "Model"),
        Column("calls", "Timed calls", is_number=True),
        *(Column(f"ttft_ms_p{n}", f"First token, {_word(n)}", is_number=True) for n in _PERCENTS),
        *(Column(f"duration_ms_p{n}", f"Whole answer, {_word(n)}", is_number=True) for n in _PERCENTS),
    )
    rows = tuple(
        (
            text(model),
            count(len(durations)),
            *(_time(percentile(firsts, n)) for n in _PERCENTS),
            *(_time(percentile(durations, n)) for n in _PERCENTS),
        )
        for model, (firsts, durations) in times.items()
    )
    note = "As the recorder's clock had it, network included. First token: of streamed answers alone."
    return (Table("latency", "How long answers took", columns, rows, str(Kind.MEASURED), note),)


def percentile(values: Sequence[int], percent: int) -> int | None:
    """
    The smallest value that at least *percent* % of them do not pass; None where there are none.

    >>> percentile([10, 20, 30, 40], 50), percentile([10, 20, 30, 40], 95)
    (20, 40)
    """
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def _times(visit: Visit) -> dict[str, tuple[list[int], list[int]]]:
    """Per model, the one with most calls first: times to the first token of streams, and to the end; 0 is no time."""
    found: dict[str, tuple[list[int], list[int]]] = {}
    for call in visit.calls():
        if call.duration_ms:
            firsts, durations = found.setdefault(call.served.model, ([], []))
            durations.append(call.duration_ms)
            if call.ttft_ms and (call.request is None or call.request.stream):
                firsts.append(call.ttft_ms)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1][1]), item[0])))


def _time(milliseconds: int | None) -> Cell:
    if milliseconds is None:
        return Cell("-", None, tone="quiet", hint="not known")
    shown = f"{milliseconds:,} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
    return Cell(shown, milliseconds)


def _word(percent: int) -> str:
    return "median" if percent == 50 else f"{percent} % within"
