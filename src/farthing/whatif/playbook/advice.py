"""
What a lever finds in recorded calls: a proposal that a replay can price, or a finding that it cannot.

Finders only propose. Whether a proposal pays, and how much after the ones before it, is decided by one replay of all of
them in sequence (:mod:`farthing.whatif.playbook.plan`), so a proposal carries no figure of its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from farthing.units import Kind
from farthing.whatif.replay.choice import Choice


class Guide(StrEnum):
    """The six steps that published savings guides name, and what none of them counts."""

    ROUTING = "routing"
    CACHING = "caching"
    BATCH = "batch"
    OUTPUT = "output"
    THINKING = "thinking"
    COMMITMENTS = "commitments"
    HOUSEKEEPING = "housekeeping"


class Effort(StrEnum):
    """What it takes to do it."""

    SWITCH = "a setting"
    EDIT = "a small change"
    PROJECT = "a project"


class Risk(StrEnum):
    """What may get worse."""

    NONE = "none"
    DELAY = "answers come later"
    QUALITY = "answers may get worse"


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """
    One thing to do that a replay can price.

    Attributes:
        id: Stable from one run to the next on the same kind of traffic: ``batch feature=nightly-summaries``.
        title: What to do, in one line, as one would tell a colleague.
        guide: Which chapter of the guides it belongs to.
        choice: What the replay turns, for the calls that it is about and no others.
        effort, risk: See there.
        why: What was seen in the calls, with figures, in one or two sentences.
        calls: How many calls it is about. evidence: ids of a few of them, the dearest first.
        prerequisite: What must be so or be done before; empty where nothing.
        assumes: What is believed and not known; empty where the saving is an exact consequence of the calls.
        policy: The table that ``farthing playbook apply`` writes for the gateway; empty where only callers can do it.
        caller_change: What callers change where the gateway cannot; empty where nothing.
        verify: How one will see in the ledger that it worked.

    """

    id: str
    title: str
    guide: Guide
    choice: Choice
    effort: Effort
    risk: Risk
    why: str
    calls: int
    evidence: tuple[str, ...]
    prerequisite: str = ""
    assumes: str = ""
    policy: dict[str, Any] = {}
    caller_change: str = ""
    verify: str

    @property
    def is_free(self) -> bool:
        """Whether nothing gets worse by it: such steps come first."""
        return self.risk is Risk.NONE and not self.assumes


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something that costs money and that no choice of a replay can turn off by itself.

    Attributes:
        id: As for a proposal.
        title: What is so, in one line.
        guide: Which chapter it belongs to.
        cost_pusd: What it cost over the calls looked at, at list; None where that cannot be told.
        kind: How sure that figure is.
        why: What was seen, with figures. where: the exact place, such as a section and block; empty where none.
        calls: How many calls it is about. evidence: ids of a few of them.
        change: What to do about it, in one sentence.
        about: The calls, as the condition of a rule of a choice; empty where it is no single route.
        position: Where the cost is that of a block which changes from call to call, that block's number from 0:
            :func:`farthing.whatif.levers.fronts.with_stable_front` makes the calls as they would be without it.
        repair: The caching that goes with a constant block there; None without a position.

    """

    id: str
    title: str
    guide: Guide
    cost_pusd: int | None
    kind: Kind
    why: str
    where: str = ""
    calls: int
    evidence: tuple[str, ...]
    change: str
    about: dict[str, tuple[str, ...]] = {}
    position: int | None = None
    repair: Choice | None = None
