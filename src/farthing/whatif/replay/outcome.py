"""What a replay takes and gives for one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.call import Call, Served
    from farthing.prices.bill import Bill
    from farthing.prompts.breakpoints import Ttl
    from farthing.units import Kind
    from farthing.whatif.replay.prompt import Prompt


class Given(NamedTuple):
    """
    One recorded call, read once for all choices.

    Attributes:
        call: The call.
        bill: Its bill from facts; its list price is known.
        pusd: What it cost, under contract where there is one.
        prompt: Its blocks; None where it has none. why_not: why its cache cannot be replayed, None where it can.

    """

    call: Call
    bill: Bill
    pusd: int
    prompt: Prompt | None
    why_not: str | None


class Outcome(NamedTuple):
    """
    One call, or one ping of it, under a choice.

    Attributes:
        call: As recorded.
        at: When it was worked on.
        served: What would have been served.
        bill: Its bill. pusd: what it costs. kind: how sure that is. recorded: the bill of the call as recorded.
        is_ping: Whether it is a request that only keeps a prefix alive.
        marks: Position and lifetime of each breakpoint it was sent with; None where the cache was not replayed.
        is_calibrated: Whether the recorder's counts of its prompt had to be changed.
        stays: Why it is kept as recorded; empty where it is not.

    """

    call: Call
    at: datetime
    served: Served
    bill: Bill
    pusd: int
    kind: Kind
    recorded: Bill
    is_ping: bool = False
    marks: list[tuple[int, Ttl]] | None = None
    is_calibrated: bool = False
    stays: str = ""
