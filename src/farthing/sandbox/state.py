"""Everything that one sandbox server serves: the world, and what the other endpoints keep beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from farthing.errors import BadInput
from farthing.sandbox.answering import Echo, Recorded, Scripted
from farthing.sandbox.batches import Batches
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.replies import checked
from farthing.sandbox.reports import Lateness, View
from farthing.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.sandbox.books import Books
    from farthing.sandbox.clock import Clock
    from farthing.sandbox.replies import Case, Reply


class State:
    """
    One sandbox as a server sees it.

    Args:
        world: The world it starts with; None: a new one.

    Attributes:
        world: The present one; :meth:`reset` replaces it and everything beside it.
        batches, lateness: What the world keeps no track of.
        scripted: Replies on order, asked before every other source.

    """

    def __init__(self, world: World | None = None) -> None:
        self._begin(world or World())

    def reset(
        self,
        *,
        seed: int | None = None,
        tier: str | None = "",
        clock: Clock | None = None,
        start: datetime | None = None,
    ) -> World:
        """
        Begin anew: empty books and caches, no faults, no replies on order.

        Args:
            seed: None: as before.
            tier: Empty: as before. None: no limits.
            clock: None: as before.
            start: Where a virtual clock starts again.

        """
        old = self.world
        clock = VirtualClock(start) if start is not None else clock or old.clock
        organization = old.accounts.organizations[old.organization.id]
        world = World(
            clock=clock,
            seed=old.seed if seed is None else seed,
            book=old.book,
            tier=organization.tier if tier == "" else tier,
            keep=old.books.keep,
        )
        self._begin(world)
        return world

    @property
    def books(self) -> Books:
        """The books, with every batch request that is due."""
        self.batches.tick()
        return self.world.books

    def answer_with(self, *replies: Reply) -> None:
        """
        Answer the next requests so, each reply once.

        Raises:
            BadInput: One has a field that is wrong, or an advisor that is no model; then none is used.

        """
        self.scripted.add(*[self._advised(checked(reply)) for reply in replies])

    def answer_cases(self, cases: Mapping[str, Case]) -> None:
        """
        Answer requests that name a case as recorded.

        Raises:
            BadInput: A case is of something that is no model.

        """
        known = {name: self._by_model(case) for name, case in cases.items()}
        self.world.replies.sources.insert(-1, Recorded(known))

    def model_id(self, name: str) -> str:
        """
        The canonical id of a model, by any name that the Claude API takes.

        Raises:
            BadInput: It takes none such.

        """
        named = self.world.book.names.find(name)
        if named is None or named.channel != "claude_api":
            raise BadInput(f"read the model {name!r}", "an id or alias of the Claude API")
        return named.model.id

    def _advised(self, reply: Reply) -> Reply:
        advice = tuple(replace(given, model=self.model_id(given.model)) for given in reply.advice)
        return replace(reply, advice=advice)

    def _by_model(self, case: Case) -> Case:
        is_correct = {self.model_id(name): value for name, value in case.is_correct.items()}
        return replace(
            case,
            is_correct=is_correct,
            output_tokens={self.model_id(name): value for name, value in case.output_tokens.items()},
        )

    def virtual_clock(self) -> VirtualClock:
        """
        The clock, to be moved.

        Raises:
            BadInput: It is the machine's.

        """
        if not isinstance(self.world.clock, VirtualClock):
            raise BadInput(
                "read an order to move the clock",
                "a sandbox that was started with a virtual clock",
                "start it with farthing sandbox --virtual-clock 2026-11-20T09:00:00Z, or testing.sandbox(start=...)",
            )
        return self.world.clock

    def view(self, organization_id: str) -> View:
        """The books as the reports of an organisation see them now."""
        default = next((one.id for one in self.world.accounts.workspaces_of(organization_id) if one.is_default), None)
        return View(self.books, organization_id, default, self.world.clock.now(), self.lateness)

    def _begin(self, world: World) -> None:
        self.world = world
        self.batches = Batches(world)
        self.lateness = Lateness()
        self.scripted = Scripted()
        world.replies.sources = [self.scripted, *(world.replies.sources or [Echo()])]
