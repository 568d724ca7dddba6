"""
A plan made from the page, where the calls are few: beside the pages, one at a time, in a thread that ends with them.

The calls are read first and the ledger closed again, so that no gateway waits for it meanwhile.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Actions, Block, Button, Note
from farthing.errors import BadInput, FarthingError
from farthing.ledger.interface import Query
from farthing.whatif.playbook.days import month_to

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Stored

CALLS_MAX = 5_000
"""Some ten seconds of one core; with more the command line is the place, which shows how far it is."""
LOOK_S = 2
_LOCK = threading.Lock()
_MAKING: dict[Path, Making] = {}


class Making:
    """A plan on its way, or why there is none."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.fault = ""

    @property
    def is_running(self) -> bool:
        """Whether it is not done yet."""
        return self.thread is not None and self.thread.is_alive()


def making_of(visit: Visit) -> Making | None:
    """What this process last made for these files."""
    return _MAKING.get(visit.desk.plan)


def offer(visit: Visit) -> tuple[Block, ...]:
    """A button, where the calls are few enough; how far it is, once it was pressed."""
    making = making_of(visit)
    if making is not None and making.is_running:
        told = "Your calls are gone through several times. This page shows the plan when it is there."
        return (Note(told, "A plan is being made"),)
    failed = () if making is None or not making.fault else (Note(making.fault, "No plan was made", "bad"),)
    since = month_to(visit.last_call)
    total = None if since is None else visit.reader.total(Query(since=since))
    if total is None or total.calls > CALLS_MAX:
        return failed
    told = f"Of the {total.calls:,} calls of the last 30 days, as farthing playbook does; some seconds."
    return (*failed, Actions((Button("Make a plan now", "plan"),), told))


def start(visit: Visit) -> None:
    """
    Make a plan and keep it.

    Raises:
        BadInput: There are no calls, or too many, or one is being made.

    """
    since = month_to(visit.last_call)
    query = Query(since=since)
    total = None if since is None else visit.reader.total(query)
    if total is None or total.calls > CALLS_MAX:
        read = "found no calls" if total is None else f"found {total.calls:,} calls"
        raise BadInput(read, f"at most {CALLS_MAX:,}", "run farthing playbook")
    with _LOCK:
        making = making_of(visit)
        if making is not None and making.is_running:
            raise BadInput("read a wish for a plan while one is being made", "patience")
        calls = list(visit.reader.calls(query))
        making = _MAKING[visit.desk.plan] = Making()
        making.thread = threading.Thread(target=_make, args=(visit, calls, making), daemon=True)
        making.thread.start()


def _make(visit: Visit, calls: list[Stored], making: Making) -> None:
    from farthing.whatif.levers.find import find_all  # noqa: PLC0415 - most visits do without
    from farthing.whatif.playbook.decide import keep_plan  # noqa: PLC0415
    from farthing.whatif.playbook.plan import plan  # noqa: PLC0415

    desk = visit.desk
    try:
        made = plan(lambda: calls, find_all(calls, desk.book), desk.book, terms=desk.terms)
        keep_plan(desk.playbook, made, visit.now)
    except (FarthingError, OSError) as error:
        making.fault = str(error)
