"""How ``farthing alerts`` prints what it found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from farthing.alerts.messages import incident_json, lines, plain, usd
from farthing.alerts.series import hour_start
from farthing.cli import output
from farthing.money import usd_text
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from farthing.alerts.coming import Coming
    from farthing.alerts.evaluate import Round
    from farthing.alerts.incidents import Incident
    from farthing.alerts.outlook import Total
    from farthing.alerts.owners import Standing
    from farthing.alerts.send import Delivered

Waiting = tuple[str, str, int, bool, str]
_COLORS = {"open": "bold red", "acknowledged": "yellow", "snoozed": "dim", "resolved": "green"}
_HOURS_SHOWN = 24
_STALE = timedelta(hours=6)


def print_round(found: Round, delivered: Delivered | None, now: datetime) -> None:
    """What fires, what changed, what was told."""
    console = output.console()
    if not found.incidents:
        console.print(f"Nothing fires at {now:%Y-%m-%d %H:%M} UTC.")
    for incident in found.incidents:
        _print_incident(incident)
    ended = [step.incident for step in found.steps if step.incident.state == "resolved"]
    for incident in ended:
        console.print(f"over: {plain(incident.title)}", style="green", markup=False)
    watch = found.watch
    silent = f", {watch.silent} of them silent: too little history yet" if watch.silent else ""
    console.print(f"[dim]watched {watch.series} series (tenant, feature, model){silent}[/]")
    if watch.latest is not None and (latest := hour_start(watch.latest + 1)) < now - _STALE:
        console.print(f"[yellow]no call since {latest:%Y-%m-%d %H:%M} UTC: nothing later could be judged[/]")
    if watch.left_out:
        console.print(f"[dim]{watch.left_out} small series are not watched[/]")
    if found.too_small:
        console.print(f"[dim]{found.too_small} with less at stake than alerts.stake_min_usd not shown[/]")
    if delivered is not None and (delivered.sent or delivered.faults):
        given_up = f", {delivered.given_up:,} given up" if delivered.given_up else ""
        console.print(f"{delivered.sent:,} messages sent, {delivered.failed:,} to be tried again{given_up}.")
        for fault in delivered.faults:
            output.note(fault)


def print_incidents(found: Sequence[Incident], waiting: Sequence[Waiting], *, every: bool) -> None:
    """The list."""
    if not found:
        output.console().print("No incidents." if every else "No incidents that are not over; --all shows those too.")
    for incident in found:
        _print_incident(incident)
    for delivery, channel, tries, given_up, fault in waiting:
        state = "given up" if given_up else "waits"
        tried = f", tried {tries:,} time{'' if tries == 1 else 's'}" if tries else ""
        why = f": {fault}" if fault else ""
        output.console().print(f"{state}: {delivery} to {channel}{tried}{why}", markup=False, soft_wrap=True)


def _print_incident(incident: Incident) -> None:
    from rich.markup import escape

    console = output.console()
    color = _COLORS[incident.state]
    until = f" until {incident.snoozed_until:%Y-%m-%d %H:%M} UTC" if incident.snoozed_until else ""
    name = f"#{incident.id} {incident.state}{until}"
    console.print(f"[{color}]{name}[/]  {escape(plain(incident.title))}", soft_wrap=True)
    for line in lines(incident):
        console.print(f"    {escape(line)}", style="dim", soft_wrap=True)


def round_json(found: Round, delivered: Delivered | None, now: datetime) -> dict[str, Any]:
    """A round as JSON."""
    return {
        "at": now.isoformat(),
        "firing": bool(found.firing),
        "incidents": [incident_json(one) for one in found.incidents],
        "changed": [
            {"incident": step.incident.id, "event": step.event, "state": step.incident.state} for step in found.steps
        ],
        "watched": {
            "series": found.watch.series,
            "left_out": found.watch.left_out,
            "silent": found.watch.silent,
            "too_small": found.too_small,
            "latest_hour": None if found.watch.latest is None else hour_start(found.watch.latest).isoformat(),
            "thresholds": found.watch.thresholds,
        },
        "budgets": [standing_json(one) for one in found.standings],
        "delivered": None
        if delivered is None
        else {"sent": delivered.sent, "failed": delivered.failed, "given_up": delivered.given_up},
    }


def incidents_json(found: Sequence[Incident], waiting: Sequence[Waiting]) -> dict[str, Any]:
    """The list as JSON."""
    names = ("delivery", "channel", "tries", "given_up", "fault")
    return {
        "incidents": [incident_json(one) for one in found],
        "undelivered": [dict(zip(names, one, strict=True)) for one in waiting],
    }


def standing_json(one: Standing) -> dict[str, Any]:
    """A budget as it stands, as JSON."""
    names = ("expected_over_at", "earliest_over_at", "latest_over_at")
    return {
        "budget": one.budget.name,
        "value": one.value,
        "window": one.budget.window,
        "window_start": one.starts_at.isoformat(),
        "window_end": one.ends_at.isoformat(),
        "limit_usd": usd_text(one.budget.limit_pusd),
        "spent_usd": usd_text(one.spent_pusd),
        "spent_kind": str(Kind.MEASURED),
        "end_usd": _total_json(one.end_pusd),
        "end_kind": str(Kind.ASSUMED),
        "interval_percent": 80,
        **{name: at.isoformat() if at else None for name, at in zip(names, one.over_at, strict=True)},
    }


def forecast_json(found: Coming, owners: Sequence[Standing], now: datetime) -> dict[str, Any]:
    """A forecast as JSON."""
    return {
        "at": now.isoformat(),
        "kind": str(Kind.ASSUMED),
        "interval_percent": 80,
        "hours_known": found.hours_known,
        "month": {
            "ends_at": found.month_ends_at.isoformat(),
            "spent_usd": usd_text(found.month_spent_pusd),
            "end_usd": _total_json(found.month_end_pusd),
        },
        "next_24_hours_usd": _total_json(found.day_pusd),
        "hours": [{"start": at.isoformat(), "expected_usd": usd_text(round(pusd))} for at, pusd in found.by_hour],
        "budgets": [standing_json(one) for one in owners],
    }


def print_forecast(found: Coming, owners: Sequence[Standing], now: datetime) -> None:
    """The month, the next day, each budget."""
    console = output.console()
    console.print(f"Forecast from {now:%Y-%m-%d %H:%M} UTC, of {found.hours_known:,} hours of history")
    if found.month_end_pusd is None or found.day_pusd is None:
        console.print("Too little history: two days are the least. Import or serve more, then ask again.")
    else:
        last = f"{found.month_ends_at:%Y-%m-%d}"
        end = _span(found.month_end_pusd)
        console.print(f"month until {last}: {usd(found.month_spent_pusd)} so far, {end} at its end")
        console.print(f"next 24 hours: {_span(found.day_pusd)}")
        most = max(pusd for _, pusd in found.by_hour) or 1.0
        for at, pusd in found.by_hour[:_HOURS_SHOWN]:
            bar = "█" * round(30 * pusd / most)
            console.print(f"  {at:%m-%d %H:%M}  {usd(round(pusd)):>10}  [cyan]{bar}[/]")
    for one in owners:
        console.print(_owner_line(one), markup=False, style="red" if one.will_pass else None)
    console.print(f"[dim]list prices; spent: {Kind.MEASURED}; the rest: {Kind.ASSUMED}, intervals of 80 percent[/]")


def _owner_line(one: Standing) -> str:
    who = plain(f"{one.budget.name} {one.value}".strip())
    line = f"budget {who}: {usd(one.spent_pusd)} of {usd(one.budget.limit_pusd)} this {one.budget.window}"
    if one.end_pusd is None:
        return line
    line += f", {_span(one.end_pusd)} at its end"
    expected = one.over_at[0]
    return f"{line}; passes its limit on {expected:%Y-%m-%d %H:%M} UTC" if one.will_pass and expected else line


def _span(total: Total) -> str:
    return f"{usd(round(total.expected))} ({usd(round(total.low))} to {usd(round(total.high))})"


def _total_json(total: Total | None) -> dict[str, str] | None:
    return None if total is None else {name: usd_text(round(pusd)) for name, pusd in total._asdict().items()}
