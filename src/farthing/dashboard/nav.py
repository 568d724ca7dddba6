"""The pages there are, who may see each, and what a page's filters offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.call import DIMENSIONS
from farthing.dashboard import incidents
from farthing.dashboard.pages import (
    alerts,
    batches,
    budgets,
    cache,
    call,
    calls,
    estimator,
    explore,
    health,
    models,
    outcomes,
    overview,
    playbook,
    prices,
    sessions,
)
from farthing.ledger.interface import FACTS, Query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farthing.dashboard.access import Role
    from farthing.dashboard.blocks import Page
    from farthing.dashboard.visit import Visit


class PageRoute(NamedTuple):
    """
    One page.

    Attributes:
        path: Its address. label: in the menu; empty: it is not there. group: under which heading.
        page: Makes it.
        least: The least role that sees it.
        is_whole: Whether it tells of everybody's calls, so that a viewer bound to tenants does not see it.
        has_span: Whether it is about days. has_filters: whether filters change it. has_groups: whether it groups;
            by: by what,
            where nobody says.
        own: Names in the address that this page alone understands.
        act: Does what a button says: (visit, name of the act, the form's fields). A FarthingError says why it cannot.
            None: there are no buttons. act_least: the least role that may press them.

    """

    path: str
    label: str
    group: str
    page: Callable[[Visit], Page]
    least: Role = "viewer"
    is_whole: bool = False
    has_span: bool = True
    has_filters: bool = True
    has_groups: bool = False
    by: str = "feature"
    own: tuple[str, ...] = ()
    act: Callable[[Visit, str, Mapping[str, str]], None] | None = None
    act_least: Role = "operator"


PAGES = (
    PageRoute("/", "Overview", "Spend", overview.page, has_groups=True),
    PageRoute("/explore", "Cost explorer", "Spend", explore.page, has_groups=True),
    PageRoute("/calls", "Calls", "Spend", calls.page, own=calls.OWN),
    PageRoute("/call", "", "Spend", call.page, has_span=False, has_filters=False, own=("as_if",)),
    PageRoute("/sessions", "Sessions", "Spend", sessions.page),
    PageRoute(
        "/outcomes", "Tenants and outcomes", "Spend", outcomes.page, has_groups=True, by="tenant", own=outcomes.OWN
    ),
    PageRoute("/cache", "Cache", "Save", cache.page, has_groups=True),
    PageRoute("/batches", "Batches", "Save", batches.page),
    PageRoute("/models", "Models and routing", "Save", models.page, own=models.OWN),
    PageRoute(
        "/playbook",
        "Playbook",
        "Save",
        playbook.page,
        is_whole=True,
        has_span=False,
        has_filters=False,
        act=playbook.act,
    ),
    PageRoute("/estimator", "Estimator", "Save", estimator.page, own=estimator.OWN),
    PageRoute(
        "/alerts",
        "Alerts",
        "Hold",
        alerts.page,
        is_whole=True,
        has_span=False,
        has_filters=False,
        act=incidents.act,
    ),
    PageRoute("/budgets", "Budgets", "Hold", budgets.page, has_span=False, has_filters=False),
    PageRoute("/prices", "Prices", "Books", prices.page, has_span=False, has_filters=False),
    PageRoute(
        "/health", "Health", "Books", health.page, least="operator", is_whole=True, has_span=False, has_filters=False
    ),
)

CHOICES = tuple(name for name in (*DIMENSIONS, *FACTS) if name not in ("session", "user"))
"""What a page can be grouped by, from its menu; a URL takes sessions, users and tags as well."""

_OFFERED = ("tenant", "feature", "model", "project", "environment")
_VALUES_MAX = 40


def filters_of(visit: Visit) -> dict[str, list[str]]:
    """Per dimension the dearest values of these days, to choose from: of calls that this user may see."""
    span = Query(since=visit.span.since, until=visit.span.until, timezone=visit.zone.key)
    offered: dict[str, list[str]] = {}
    for name, found in visit.reader.dearest(span, _OFFERED, _VALUES_MAX).items():
        values = [value for value in found if value is not None]
        if len(values) > 1 or any(name == chosen for chosen, _ in visit.asked.where):
            offered[name] = values
    return offered
