"""One incident: what rose since when, what drives it, what it costs, who was told, and what can be done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from farthing.alerts.messages import incident_json, plain
from farthing.dashboard.blocks import Actions, Block, Cell, Column, Facts, Note, Page, Table
from farthing.dashboard.cells import text, usd
from farthing.dashboard.incidents import buttons
from farthing.dashboard.pages.alert_chart import incident_chart
from farthing.units import Kind

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.alerts.incidents import Incident
    from farthing.alerts.reading import Incidents, Told
    from farthing.dashboard.visit import Visit

_ALTERNATIVES_MAX = 10
_TONES = {"open": "bad", "acknowledged": "warn", "snoozed": "quiet", "resolved": "good"}
_EVENTS = {
    "opened": "it began",
    "escalated": "it became worse",
    "woken": "it still goes on",
    "joined": "it is part of another",
    "resolved": "it is over",
}


def incident_page(visit: Visit, store: Incidents | None, number: int) -> Page:
    """All of one incident; 404 where there is none of that number."""
    incident = None if store is None else store.one(number)
    back = ("All alerts", visit.asked.url(open=""))
    if store is None or incident is None:
        return Page("No such incident", (Note(f"There is no incident {number}.", links=(back,)),), status=404)
    blocks: list[Block] = [
        Note("", links=(back, *_links(visit, incident))),
        Facts(plain(incident.title), _facts(visit, incident)),
    ]
    if incident.state != "resolved":
        said = "Acknowledged, it is told again only if it becomes worse; snoozed, not before its time is up."
        blocks.append(Actions(buttons(incident), said))
    if (drawn := incident_chart(visit, incident)) is not None:
        blocks += drawn
    if incident.kind == "anomaly":
        blocks.append(_drivers(visit, incident))
    blocks.append(_told(visit, store.told(number)))
    return Page(f"Incident {number}", tuple(blocks), data={"incident": incident_json(incident)})


def time_of(at: datetime, visit: Visit) -> Cell:
    """A time in the page's zone, exact for everybody else."""
    return Cell(f"{at.astimezone(visit.zone):%-d %b %H:%M}", at.isoformat())


def state_of(incident: Incident, visit: Visit) -> Cell:
    """Where it is in its life, until when, and who put it there."""
    words: str = incident.state
    if incident.snoozed_until is not None:
        words += f" until {incident.snoozed_until.astimezone(visit.zone):%-d %b %H:%M}"
    if incident.resolved_at is not None:
        words += f" {incident.resolved_at.astimezone(visit.zone):%-d %b %H:%M}"
    if incident.by:
        words += f" by {plain(incident.by)}"
    tone: Any = _TONES[incident.state]
    return Cell(words, incident.state, tone=tone)


def _facts(visit: Visit, incident: Incident) -> tuple[tuple[str, Cell], ...]:
    detail = incident.detail
    stake = Cell("not known", None)
    if incident.stake_pusd is not None:
        known = usd(incident.stake_pusd)
        stake = known._replace(text=f"{known.text}, {incident.stake_kind}")
    rows = [
        ("State", state_of(incident, visit)),
        ("At stake", stake),
        ("Since", time_of(incident.began_at, visit)),
        ("Last seen", time_of(incident.last_at, visit)),
    ]
    if incident.kind == "anomaly":
        rows += [
            ("Usual", text(str(detail.get("usual", "")))),
            ("Instead", text(str(detail.get("seen", "")))),
            ("Hours", Cell(str(detail.get("hours", "")))),
            ("Also rose", text(", ".join(detail.get("also", ())).replace("_", " ") or "nothing else")),
        ]
    else:
        rows += [(name, Cell(value)) for name, value in _budget_facts(detail)]
    rows += [("Note", text(plain(str(line)))) for line in detail.get("notes", ())]
    return tuple(rows)


def _budget_facts(detail: dict[str, Any]) -> list[tuple[str, str]]:
    found = [("Budget", plain(f"{detail.get('budget', '')} {detail.get('value', '')}".strip()))]
    if detail.get("expected_over_at"):
        found.append(("Passes its limit", _day(detail["expected_over_at"])))
        first, last = (_day(detail.get(name)) for name in ("earliest_over_at", "latest_over_at"))
        found.append(("Four in five", f"{first} to {last}"))
    return found


def _day(at: Any) -> str:
    return "not in this window" if not at else str(at)[:16].replace("T", " ") + " UTC"


def _where(incident: Incident) -> tuple[tuple[str, str], ...]:
    """The filters that keep the calls it is about, as far as filters can."""
    detail = incident.detail
    if incident.kind != "anomaly":
        name, equals, value = str(detail.get("value", "")).partition("=")
        return ((name, value),) if equals else ()
    found = [(str(name), str(value)) for name, value in dict(detail.get("scope", {})).items()]
    named = {name for name, _ in found}
    for name in ("tenant", "feature"):
        values = sorted({one[name] or "" for one in detail.get("members", ())})
        if name not in named and len(values) <= _ALTERNATIVES_MAX:
            found += [(name, value) for value in values]
    return tuple(found)


def _span(visit: Visit, incident: Incident) -> str:
    first = incident.began_at.astimezone(visit.zone)
    last = max(first, (incident.last_at - timedelta(seconds=1)).astimezone(visit.zone))
    return f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d}..{last:%Y-%m-%d}"


def _links(visit: Visit, incident: Incident) -> list[tuple[str, str]]:
    where, span = _where(incident), _span(visit, incident)
    by = ("model",) if incident.kind == "anomaly" else ("feature",)
    return [
        ("Explore its cost", visit.asked.elsewhere("/explore", where=where, span=span, by=by)),
        ("Its calls", visit.asked.elsewhere("/calls", where=where, span=span)),
    ]


def _drivers(visit: Visit, incident: Incident) -> Table:
    where, span = _where(incident), _span(visit, incident)
    rows = []
    for one in incident.detail.get("drivers", ()):
        name, value = str(one["dimension"]), str(one["value"])
        kept = (*(pair for pair in where if pair[0] != name), (name, value))
        href = "" if name == "unit" else visit.asked.elsewhere("/explore", where=kept, span=span)
        more = one.get("more_pusd")
        rows.append(
            (
                text(name),
                text(plain(value.replace("_", " ") if name == "unit" else value), href=href),
                Cell("", None) if more is None else usd(int(more)),
                Cell(f"{one['share_percent']} %", one["share_percent"], share=int(one["share_percent"]) * 10),
            )
        )
    columns = (
        Column("dimension", "What"),
        Column("value", "Which"),
        Column("more_usd", "Grew by", is_number=True),
        Column("share_percent", "Of what grew", is_number=True),
    )
    note = "The hours of the incident against as many of the week before, at list price."
    return Table("drivers", "What drives it", columns, tuple(rows), str(Kind.DERIVED), note, "Nothing grew.")


def _told(visit: Visit, told: list[Told]) -> Table:
    rows = []
    for one in told:
        state = Cell("given up", "given up", tone="bad") if one.is_given_up else Cell("waits", "waits", tone="warn")
        if one.sent_at is not None:
            state = Cell("arrived", "arrived", tone="good")
        rows.append(
            (
                text(one.channel),
                Cell(_EVENTS.get(one.event, one.event), one.event),
                state,
                Cell("", None) if one.sent_at is None else time_of(one.sent_at, visit),
                Cell(str(one.tries), one.tries),
                Cell("", None) if one.due_at is None else time_of(one.due_at, visit),
                Cell(plain(one.fault), one.fault or None),
            )
        )
    columns = (
        Column("channel", "Whom"),
        Column("event", "That"),
        Column("state", "State"),
        Column("sent_at", "Arrived"),
        Column("tries", "Tries", is_number=True),
        Column("due_at", "Next try"),
        Column("fault", "Why not"),
    )
    return Table("told", "Who was told", columns, tuple(rows), str(Kind.MEASURED), "", "Nobody was told of this one.")
