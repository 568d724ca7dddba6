"""Counters, and their text for Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.gateway.board import Board

COUNTERS = {
    "farthing_requests_total": "Requests answered, by status; 0: the client left or the answer broke off before one.",
    "farthing_calls_total": "Calls metered, by outcome: billed, free, or unknown (may have been billed).",
    "farthing_cost_picodollars_total": "List price of the calls metered, in picodollars.",
    "farthing_unpriced_calls_total": "Calls metered that have no exact price.",
    "farthing_metering_failures_total": "Answers that could not be metered, by reason; their bytes passed.",
    "farthing_journal_failures_total": "Records that could not be written at once; they are kept and written later.",
    "farthing_records_lost_total": "Records that were dropped because too many could not be written.",
    "farthing_ingest_failures_total": "Times the ledger could not take the journals; they are kept.",
    "farthing_recovered_calls_total": "Calls of killed processes that were posted from the starts of their answers.",
    "farthing_client_left_total": "Clients that left before the end, by what was done: drained or aborted.",
    "farthing_retries_total": "Attempts beyond the first.",
    "farthing_limit_refusals_total": "Calls that a limit did not let through, by why.",
    "farthing_refusals_lost_total": "Refusals that the log of refusals could not take.",
    "farthing_budget_thresholds_total": "Times a budget reached a share of its limit that is to be told.",
    "farthing_content_kept_total": "Calls whose content was kept, be it as a hash.",
    "farthing_content_dropped_total": "Calls whose content was to be kept and was not, by why; the calls went on.",
    "farthing_outcomes_total": "Outcomes told over HTTP, by what became of them: accepted or refused.",
    "farthing_outcomes_ingested_total": "Outcomes that the ledger was told of: new, known already, or corrected.",
    "farthing_upstream_faults_total": "Answers that the upstream did not give, by kind.",
    "farthing_worker_restarts_total": "Workers that ended by themselves and were replaced.",
    "farthing_overhead_seconds_total": "Time that requests spent in the gateway itself before their first byte.",
}
"""Every counter and what it counts."""

GAUGES = {
    "farthing_requests_under_way": "Requests under way.",
    "farthing_workers": "Processes that take requests.",
    "farthing_upstream_connections": "Connections to the upstream that carry a request.",
    "farthing_upstream_connections_idle": "Connections to the upstream that wait for one.",
    "farthing_unsettled_calls": "Calls in ingested journals that began and have no outcome: they may have been billed.",
    "farthing_calls_waiting": "Calls that wait for their turn under a rate limit.",
    "farthing_records_waiting": "Records that could not be written to the journal yet.",
    "farthing_outcomes_waiting": "Outcomes that were accepted and not in the ledger when its last round ended.",
}
"""Every gauge and what it shows."""

_LABELS = {
    "farthing_requests_total": "status",
    "farthing_calls_total": "outcome",
    "farthing_metering_failures_total": "reason",
    "farthing_client_left_total": "done",
    "farthing_upstream_faults_total": "kind",
    "farthing_content_dropped_total": "why",
    "farthing_limit_refusals_total": "why",
    "farthing_outcomes_total": "became",
    "farthing_outcomes_ingested_total": "were",
}


class Metrics:
    """
    Counts from the start of the gateway.

    Args:
        board: Where several processes show each other theirs; None: there is but one.

    """

    def __init__(self, board: Board | None = None) -> None:
        self._board = board
        self._counts: dict[tuple[str, str], float] = {}
        self._gauges: dict[str, Callable[[], float]] = {}

    def count(self, name: str, label: str = "", more: float = 1) -> None:
        """Add to a counter of :data:`COUNTERS`; *label* is one of a few words, never what a client sent."""
        key = (name, label)
        self._counts[key] = self._counts.get(key, 0) + more
        if self._board is not None:
            self._board.own.add(key, more)

    def value(self, name: str, label: str = "") -> float:
        """What a counter has come to, in this process."""
        return self._counts.get((name, label), 0)

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Say where a gauge of :data:`GAUGES` is read."""
        self._gauges[name] = read

    def publish(self) -> None:
        """Show this process's gauges to the others."""
        if self._board is not None:
            for name, read in self._gauges.items():
                self._board.own.show(name, read())

    @property
    def all_ready(self) -> bool:
        """Whether every other process takes requests."""
        return self._board is None or self._board.gauges().get("farthing_workers", 0) >= self._board.workers

    def text(self) -> str:
        """Everything, of all processes, for Prometheus."""
        if self._board is None:
            counts, gauges = self._counts, {name: read() for name, read in self._gauges.items()}
        else:
            self.publish()
            counts, gauges = self._board.counts(), self._board.gauges()
        lines: list[str] = []
        for name, meaning in COUNTERS.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} counter"]
            found = sorted((label, value) for (counter, label), value in counts.items() if counter == name)
            key = _LABELS.get(name)
            lines += [f'{name}{{{key}="{label}"}} {value}' if key else f"{name} {value}" for label, value in found]
            if not found and key is None:
                lines.append(f"{name} 0")
        for name, shown in gauges.items():
            lines += [f"# HELP {name} {GAUGES[name]}", f"# TYPE {name} gauge", f"{name} {shown}"]
        return "\n".join(lines) + "\n"
