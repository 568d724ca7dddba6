"""What is asked of the gate, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.limits.pockets import Ticket
    from farthing.limits.refusal import Refused
    from farthing.prices.card import Unpriced


class GateFacts(NamedTuple):
    """
    What is known of a call before it is sent.

    Attributes:
        dims: Dimensions and tags.
        model: As asked for.
        worst_pusd: The most it can cost (:mod:`farthing.limits.worst`), or why nothing bounds that.
        route: What calls that cost alike have in common, for budgets that learn; any text. stream: likewise.
        beside: Other models that may be billed for it (a batch's, fallbacks): budgets of theirs count all of it.
        alone_pusd: The most that one request of a batch can cost, for budgets of a call; None: it is no batch.
        degraded: It was handed over by a budget already: budgets that degrade count it and no longer object.

    """

    dims: Mapping[str, str]
    model: str
    worst_pusd: int | Unpriced
    route: str = ""
    stream: bool = False
    degraded: bool = False
    beside: tuple[str, ...] = ()
    alone_pusd: int | None = None


class Left(NamedTuple):
    """What the tightest budget has left, this call's reservation taken off, as of the last look at the store."""

    budget: str
    left_pusd: int
    limit_pusd: int
    resets_at: datetime | None


class Admitted(NamedTuple):
    """The call may be sent. *left*: None where only budgets that tell apply, or none."""

    ticket: Ticket
    left: Left | None


class Degrade(NamedTuple):
    """
    A budget that degrades has no room: the call may go to *to_model* instead. Nothing was reserved.

    Who can rewrite a call asks again with the other model's facts and ``degraded`` set. Who cannot answers *refused*:
    a call is never sent as it is.
    """

    to_model: str
    refused: Refused
