"""
An incident as each channel wants it. Pure.

Names of tenants, features and models come from strangers: they are escaped where a channel reads markup, and no line
break of theirs reaches a header.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from farthing.errors import BadConfig
from farthing.money import usd_text
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from farthing.alerts.incidents import EventName, Incident

STANDS_FOR = timedelta(hours=8)
"""How long Alertmanager holds an alert for firing without hearing of it again; a round an hour renews it."""
_WORDS = {
    "opened": "New",
    "escalated": "Worse",
    "woken": "Still going on",
    "renewed": "Still going on",
    "resolved": "Resolved",
}
_STAKES = {
    ("anomaly", Kind.ASSUMED): "assumed: what is above usual, which is an estimate",
    ("budget", Kind.MEASURED): "measured: what is above the limit",
    ("budget", Kind.ASSUMED): "assumed: what is expected above the limit",
}


def plain(text: str) -> str:
    """One line, without control characters, of bounded length."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:300]


def headline(incident: Incident, event: EventName) -> str:
    """One line for people."""
    word = f"Now part of incident {incident.part_of}" if event == "joined" else _WORDS[event]
    return plain(f"{word}: {incident.title}")


def lines(incident: Incident) -> list[str]:
    """What is known beside the headline, a line each."""
    found = [f"since {incident.began_at:%Y-%m-%d %H:%M} UTC, last seen {incident.last_at:%Y-%m-%d %H:%M} UTC"]
    if incident.stake_pusd:
        found.append(f"at stake: {usd(incident.stake_pusd)} ({_STAKES[incident.kind, incident.stake_kind]})")
    for one in incident.detail.get("drivers", ()):
        more = f", {usd(int(one['more_pusd']))} more" if one.get("more_pusd") is not None else ""
        found.append(f"driver: {one['dimension']} {one['value']} ({one['share_percent']}% of what grew{more})")
    found += [str(line) for line in incident.detail.get("notes", ())]
    return [plain(line) for line in found]


def usd(pusd: int) -> str:
    """
    An amount for people: whole cents, half up.

    >>> usd(1_234_565_000_000_000), usd(-5 * 10**12), usd(10**9)
    ('$1,234.57', '-$5.00', 'under $0.01')
    """
    cents = (abs(pusd) + 5 * 10**9) // 10**10
    if cents == 0 and pusd:
        return "under $0.01"
    return f"{'-' if pusd < 0 else ''}${cents // 100:,}.{cents % 100:02d}"


def incident_json(incident: Incident) -> dict[str, Any]:
    """An incident as JSON, the same in webhooks, commands and pages."""
    return {
        "incident": incident.id,
        "kind": incident.kind,
        "state": incident.state,
        "title": incident.title,
        "began_at": incident.began_at.isoformat(),
        "last_at": incident.last_at.isoformat(),
        "opened_at": incident.opened_at.isoformat(),
        "resolved_at": incident.resolved_at.isoformat() if incident.resolved_at else None,
        "snoozed_until": incident.snoozed_until.isoformat() if incident.snoozed_until else None,
        "by": incident.by or None,
        "stake_usd": None if incident.stake_pusd is None else usd_text(incident.stake_pusd),
        "figure_kind": str(incident.stake_kind),
        "part_of": incident.part_of or None,
        "told": list(incident.told),
        "detail": incident.detail,
    }


def webhook(incident: Incident, event: EventName, delivery: str) -> dict[str, Any]:
    """The body of a webhook."""
    return {"type": f"farthing.incident.{event}", "delivery": delivery, "data": incident_json(incident)}


def signature(secret: str, delivery: str, timestamp: int, body: bytes) -> str:
    """
    Sign a webhook after the Standard Webhooks scheme: HMAC-SHA256 over ``id.timestamp.body``, in base64, after ``v1,``.

    Args:
        secret: As agreed; with ``whsec_`` before it the rest is base64, else it is taken as it is.
        delivery: The header ``webhook-id``.
        timestamp: The header ``webhook-timestamp``, seconds since 1970.
        body: The bytes that are sent.

    Raises:
        BadConfig: It begins with ``whsec_`` and is no base64; a receiver could not read it either.

    """
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise BadConfig("the webhook's secret begins with whsec_", "base64 after that") from None
    signed = hmac.new(key, b".".join((delivery.encode(), str(timestamp).encode(), body)), hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def slack(incident: Incident, event: EventName) -> dict[str, Any]:
    """The body of a Slack incoming webhook: a plain text for notifications, and two blocks."""
    head = _slack_text(headline(incident, event))
    rest = "\n".join(_slack_text(line) for line in lines(incident))
    return {
        "text": head,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{head}*"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": rest[:2900]}},
        ],
    }


def _slack_text(text: str) -> str:
    """Slack's three escapes; signs that would format are put out of its way by a space of no width."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\u200b{sign}" if sign in "*_~`" else sign for sign in escaped)


def mail(incident: Incident, event: EventName, delivery: str, sender: str, to: Sequence[str]) -> EmailMessage:
    """An e-mail; all of one incident are one thread, and one sent twice has one Message-ID."""
    message = EmailMessage()
    message["Subject"] = headline(incident, event)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Message-ID"] = f"<{delivery}@farthing.invalid>"
    message["References"] = f"<incident-{incident.id}-{int(incident.opened_at.timestamp())}@farthing.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    text = "\n".join([headline(incident, event), "", *lines(incident), "", f"farthing alerts ack {incident.id}", ""])
    message.set_content(text)
    return message


def alertmanager(incident: Incident, event: EventName, now: datetime) -> list[dict[str, Any]]:
    """
    The body for ``POST /api/v2/alerts``.

    The labels are the incident's identity there and never change; what changes stands in the annotations.
    """
    labels = {"alertname": f"farthing_{incident.kind}", "incident": str(incident.id), "severity": "warning"}
    return [
        {
            "labels": labels,
            "annotations": {"summary": headline(incident, event), "description": "\n".join(lines(incident))},
            "startsAt": incident.began_at.isoformat(),
            "endsAt": (now if event in ("resolved", "joined") else now + STANDS_FOR).isoformat(),
        }
    ]
