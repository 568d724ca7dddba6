"""
Fakes for tests: a Claude API that bills faithfully, started in one line.

Any test of anything that talks to the Claude API may use it; see docs/sandbox.md. Under pytest there is the fixture
``farthing_sandbox`` as well.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.faults import Fault
from farthing.sandbox.replies import Refusal, Reply, ToolUse
from farthing.sandbox.state import State
from farthing.sandbox.world import DEMO_ADMIN_KEY, DEMO_KEY, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.prices.book import PriceBook
    from farthing.sandbox.books import Books

__all__ = ["START", "Fault", "Refusal", "Reply", "Sandbox", "ToolUse", "sandbox"]

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
"""Where a sandbox's virtual clock starts unless told otherwise."""


class Sandbox:
    """
    A running sandbox, for a test.

    Attributes:
        base_url: For ``ANTHROPIC_BASE_URL``.
        key: An API key that it accepts; admin_key: one for the reports.
        state: All of it: batches, files, lateness of reports.

    """

    key = DEMO_KEY
    admin_key = DEMO_ADMIN_KEY

    def __init__(self, base_url: str, state: State) -> None:
        self.base_url = base_url
        self.state = state

    @property
    def world(self) -> World:
        """Accounts, cache, limits; a reset replaces it."""
        return self.state.world

    @property
    def clock(self) -> VirtualClock:
        """
        Its clock, to be moved: ``clock.advance(300)``.

        Raises:
            BadInput: It was started on the machine's clock.

        """
        return self.state.virtual_clock()

    @property
    def books(self) -> Books:
        """Every request that was billed so far, with its price."""
        return self.state.books

    @property
    def env(self) -> dict[str, str]:
        """Environment variables that point an SDK at it."""
        return {"ANTHROPIC_BASE_URL": self.base_url, "ANTHROPIC_API_KEY": self.key}

    def reply(self, *replies: Reply | str) -> None:
        """Answer the next requests so, each reply once; a text is a reply of that text."""
        self.state.answer_with(*(Reply(text=one) if isinstance(one, str) else one for one in replies))

    def fail(self, *faults: Fault | str) -> None:
        """Let the next requests fail so; a text is the ``error.type`` of one refusal."""
        self.world.faults.add(*(Fault(refuse=one) if isinstance(one, str) else one for one in faults))

    def reset(self) -> None:
        """Begin anew, on the same address and clock."""
        self.state.reset()

    def __repr__(self) -> str:
        return f"<Sandbox {self.base_url}, {len(self.books)} requests booked>"


@contextlib.contextmanager
def sandbox(
    *,
    start: datetime | None = START,
    tier: str | None = "Scale",
    seed: int = 0,
    book: PriceBook | None = None,
    port: int = 0,
    keep: int | None = None,
    **server: Any,
) -> Iterator[Sandbox]:
    """
    Run a sandbox on this machine for as long as the block lasts.

    Args:
        start: Where its virtual clock starts, which stands still until it is moved; None: the machine's clock.
        tier: Usage tier, for rate and spend limits; None: no limits.
        seed: Decides every id and every chance.
        book: Prices; the shipped ones by default.
        port: 0: any free one.
        keep: How many requests its books keep, the newest; None: all.
        server: For :class:`~farthing.sandbox.http.server.SandboxServer`.

    Raises:
        BadInput: The port is taken, or *start* has no time zone.

    """
    from farthing.sandbox.http.server import SandboxServer  # noqa: PLC0415 - the fakes alone need no server

    clock = None if start is None else VirtualClock(start)
    state = State(World(clock=clock, seed=seed, book=book, tier=tier, keep=keep))
    running = SandboxServer(state, port=port, **server)
    running.start()
    try:
        yield Sandbox(running.base_url, state)
    finally:
        running.stop()
