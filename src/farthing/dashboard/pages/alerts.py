"""Alerts: what is wrong now, what it costs, who was told; one incident whole; budgets to come; channels."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from farthing.alerts.coming import coming
from farthing.alerts.messages import plain
from farthing.alerts.owners import standings
from farthing.dashboard.blocks import Block, Cell, Column, Note, Page, Table, Tile, Tiles, Tone
from farthing.dashboard.cells import dollars, text, usd
from farthing.dashboard.incidents import buttons, number_of, opened, store_of
from farthing.dashboard.pages.alert_one import incident_page, state_of, time_of
from farthing.dashboard.pages.budgets import UNREADABLE
from farthing.errors import BadConfig
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.alerts.coming import Coming
    from farthing.alerts.incidents import Incident
    from farthing.alerts.owners import Standing
    from farthing.alerts.reading import Incidents
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Ledger

OVER_MAX = 50
_LATE = timedelta(hours=3)
_BEGIN = Note(
    "Nothing has judged this ledger yet. A watcher judges every hour: unusual cost per tenant and feature, and budgets "
    "on their way past a limit. farthing serve runs one beside the gateway where the settings ask for it.",
    "No incidents yet",
    code="farthing alerts watch               # every hour, until Ctrl-C\n"
    "farthing alerts check               # once\n\n"
    "[alerts]                            # farthing.toml: beside farthing serve\n"
    'watch_minutes = 60\nchannels = "channels.toml"           # who is told',
)


def page(visit: Visit) -> Page:
    """The incidents, or the one that is opened."""
    with opened(visit.desk) as store:
        if visit.asked.open:
            return incident_page(visit, store, number_of(visit.asked.open))
        blocks: list[Block] = [_BEGIN] if store is None else _incidents(visit, store)
        counted = {} if store is None else store.by_channel()
    blocks += _forecast(visit)
    blocks.append(_channels(visit, counted))
    return Page("Alerts", tuple(blocks))


def _incidents(visit: Visit, store: Incidents) -> list[Block]:
    standing = sorted(store.standing(), key=lambda one: (one.state != "open", -(one.stake_pusd or 0), -one.id))
    over, at = store.over(OVER_MAX), store.evaluated_at()
    told = store.by_channel()
    unfinished = sum(waiting + given_up for _, waiting, given_up in told.values())
    firing = [one for one in standing if one.state == "open"]
    is_late = at is None or visit.now - at > _LATE
    tiles = (
        Tile(
            "open",
            "Open",
            Cell(f"{len(firing):,}", len(firing)),
            str(Kind.MEASURED),
            _quiet(standing),
            tone="bad" if firing else "good",
        ),
        Tile(
            "at_stake", "At stake in those", usd(_stake(firing)), _stake_kind(firing), "above usual, or above a limit"
        ),
        Tile(
            "judged",
            "Judged last",
            Cell("never", None) if at is None else time_of(at, visit),
            "",
            "farthing alerts watch judges every hour" if is_late else "every whole hour before it",
            tone="warn" if is_late else "",
        ),
        Tile(
            "undelivered",
            "Messages that did not arrive",
            Cell(f"{unfinished:,}", unfinished),
            str(Kind.MEASURED),
            "of all incidents",
            tone="warn" if unfinished else "",
        ),
    )
    return [
        Tiles(tiles),
        _table(visit, "incidents", "Active", standing, "Nothing is wrong, as far as anybody watches."),
        _table(visit, "resolved", "Resolved", over, "None yet."),
    ]


def _quiet(standing: Sequence[Incident]) -> str:
    """What is neither open nor over."""
    counts = [(sum(one.state == state for one in standing), state) for state in ("acknowledged", "snoozed")]
    return ", ".join(f"{count:,} {state}" for count, state in counts if count) or "none is put off"


def _stake(incidents: Sequence[Incident]) -> int:
    return sum(one.stake_pusd or 0 for one in incidents)


def _stake_kind(incidents: Sequence[Incident]) -> str:
    if not incidents:
        return ""
    return str(weakest(*(one.stake_kind for one in incidents)))


def _table(visit: Visit, name: str, title: str, incidents: Sequence[Incident], empty: str) -> Table:
    columns = (
        Column("incident", "", is_number=True),
        Column("title", "What"),
        Column("stake_usd", "At stake", is_number=True),
        Column("since", "Since"),
        Column("driver", "Driver"),
        Column("level", "Level"),
        Column("state", "State"),
        *((Column("do", "Do", is_buttons=True),) if name == "incidents" else ()),
    )
    rows = []
    for one in incidents:
        row = (
            Cell(f"{one.id}", one.id),
            text(plain(one.title), href=visit.asked.url(open=str(one.id))),
            Cell("", None) if one.stake_pusd is None else usd(one.stake_pusd),
            time_of(one.began_at, visit),
            driver_of(one),
            Cell(f"{one.level} %", one.level) if one.level else Cell(""),
            state_of(one, visit),
        )
        rows.append((*row, Cell("", buttons=buttons(one, are_few=True))) if name == "incidents" else row)
    note = "At stake: what is above usual (assumed), above the limit (measured), or expected above it (assumed)."
    return Table(name, title, columns, tuple(rows), _stake_kind(incidents), note if incidents else "", empty)


def driver_of(incident: Incident) -> Cell:
    """Which model, prompt or tenant it is, or whose budget."""
    if incident.kind != "anomaly":
        value = str(incident.detail.get("value", ""))
        return text(plain(f"budget {incident.detail.get('budget', '')} {value}".strip()))
    found = [one for one in incident.detail.get("drivers", ()) if one["dimension"] != "unit"]
    if not found:
        return Cell("", None)
    said = plain(f"{found[0]['dimension']} {found[0]['value']}")
    return Cell(said, said, hint=f"{found[0]['share_percent']} % of what grew")


def _forecast(visit: Visit) -> list[Block]:
    """The month, the next day and each budget, from now on."""
    now = visit.now.replace(second=0, microsecond=0)
    ledger, days = cast("Ledger", visit.reader), visit.desk.history_days
    month = visit.reader.kept(("coming", now, days), lambda: coming(ledger, now, {}, days))
    blocks: list[Block] = [_month(visit, month)] if month.month_end_pusd is not None else []
    if visit.desk.limits is not None:
        from farthing.limits.file import read_limits  # noqa: PLC0415

        try:
            budgets = read_limits(visit.desk.limits).budgets
        except BadConfig as fault:
            return [*blocks, Note(str(fault), UNREADABLE, "bad")]
        found = visit.reader.kept(
            ("standings", now, days, repr(budgets)), lambda: standings(ledger, budgets, now, days)
        )
        blocks.append(_owners(visit, found))
    return blocks


def _month(visit: Visit, month: Coming) -> Table:
    assert month.month_end_pusd is not None
    assert month.day_pusd is not None
    none = Cell("", None)
    rows = []
    for name, label, spent, total in (
        ("month", f"all of {visit.now:%B}", usd(month.month_spent_pusd), month.month_end_pusd),
        ("day", "the next 24 hours", none, month.day_pusd),
    ):
        low, expected, high = (round(pusd) for pusd in total)
        ends = Cell(f"{dollars(low)} to {dollars(high)}")
        rows.append((Cell(label, name), spent, usd(expected), ends))
    columns = (
        Column("what", "What"),
        Column("spent_usd", "Spent", is_number=True),
        Column("end_usd", "Expected", is_number=True),
        Column("range", "Four in five"),
    )
    note = "From the days of the last weeks, at list price."
    return Table("coming", "Forecast", columns, tuple(rows), str(Kind.ASSUMED), note)


def _owners(visit: Visit, found: Sequence[Standing]) -> Table:
    columns = (
        Column("budget", "Budget"),
        Column("who", "Who"),
        Column("window", "Window"),
        Column("spent_usd", "Spent", is_number=True),
        Column("end_usd", "At its end", is_number=True),
        Column("range", "Four in five"),
        Column("limit_usd", "Limit", is_number=True),
        Column("passes_at", "Passes its limit"),
    )
    rows = []
    for one in found:
        limit, end = one.budget.limit_pusd, one.end_pusd
        tone: Tone = "bad" if one.spent_pusd >= limit or one.will_pass else "warn" if one.may_pass else ""
        when = Cell("passed", "passed", tone="bad") if one.spent_pusd >= limit else Cell("", None)
        if one.will_pass and one.over_at[0] is not None:
            when = time_of(one.over_at[0], visit)._replace(tone="bad")
        rows.append(
            (
                text(plain(one.budget.name)),
                text(plain(one.value) or "all"),
                text(one.budget.window),
                usd(one.spent_pusd),
                Cell("", None) if end is None else usd(round(end.expected), tone=tone),
                Cell("" if end is None else f"{dollars(round(end.low))} to {dollars(round(end.high))}"),
                usd(limit),
                when,
            )
        )
    note = "Spent is measured, at list price; the rest is expected from the hours so far."
    empty = "No budget of a calendar window counts any call."
    return Table("budgets", "Forecast of budgets", columns, tuple(rows), str(Kind.ASSUMED), note, empty)


def _channels(visit: Visit, counted: dict[str, tuple[int, int, int]]) -> Block:
    """Who is told: names and kinds, never an address or a secret."""
    from farthing.alerts.channels import read_channels  # noqa: PLC0415

    try:
        channels = () if visit.desk.channels is None else read_channels(visit.desk.channels)
    except BadConfig as fault:
        return Note(str(fault), "The channels file cannot be read: nobody is told", tone="bad")
    if not channels:
        return Note(
            "Incidents are kept and shown here. A channels file says who is told of them: Slack, a webhook, e-mail, "
            "Alertmanager.",
            "Nobody is told yet",
            code='[alerts]\nchannels = "channels.toml"     # farthing.toml',
        )
    rows = []
    for one in channels:
        arrived, waiting, given_up = counted.get(one.name, (0, 0, 0))
        rows.append(
            (
                text(one.name),
                text(one.kind),
                text(", ".join(one.tells)),
                Cell(f"{arrived:,}", arrived),
                Cell(f"{waiting:,}", waiting, tone="warn" if waiting else ""),
                Cell(f"{given_up:,}", given_up, tone="bad" if given_up else ""),
            )
        )
    columns = (
        Column("channel", "Channel"),
        Column("kind", "Kind"),
        Column("tells", "Of what"),
        Column("arrived", "Arrived", is_number=True),
        Column("waiting", "Wait", is_number=True),
        Column("given_up", "Given up", is_number=True),
    )
    note = "farthing alerts test CHANNEL sends a message now."
    return Table("channels", "Who is told", columns, tuple(rows), str(Kind.MEASURED), note)


def tile(visit: Visit) -> Tile | None:
    """For the overview: how much is wrong now, and the worst of it."""
    if not visit.reader.scope.is_whole:
        return None
    href = visit.asked.elsewhere("/alerts", where=())
    if not store_of(visit.desk).exists():
        told = "farthing alerts watch judges every hour"
        return Tile("incidents", "Incidents", Cell("not watched", None, tone="quiet"), "", told, href=href)
    with opened(visit.desk) as store:
        firing = [] if store is None else [one for one in store.standing() if one.state == "open"]
    if not firing:
        return Tile("incidents", "Incidents", Cell("none open", "0"), str(Kind.MEASURED), "", href=href, tone="good")
    worst = max(firing, key=lambda one: (one.stake_pusd or 0, one.id))
    many = "incident open" if len(firing) == 1 else "incidents open"
    return Tile(
        "incidents",
        f"{len(firing):,} {many}, at stake",
        usd(_stake(firing)),
        _stake_kind(firing),
        plain(worst.title).partition(" (")[0],
        href=visit.asked.elsewhere("/alerts", where=(), open=str(worst.id)) if len(firing) == 1 else href,
        tone="bad",
    )
