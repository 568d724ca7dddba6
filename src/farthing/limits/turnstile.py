"""What a call must pass before it is sent: anything that can say how long, let it through, and have it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from farthing.limits.sizes import Size, Used

Hold = tuple[int, ...] | None
"""What a turnstile remembers of a call it let through; its own business."""


class Why(NamedTuple):
    """
    What holds a call back.

    Attributes:
        rule: The rule's name and whose it is, or ``upstream``.
        limit: In words: ``60 requests per minute``.
        wait_s: Until it might fit, as things stand; infinite where that depends on other calls' ends.
        name: The rule's alone; empty for ``upstream``. value: whose it is, ``tenant=acme``; empty: everybody's.

    """

    rule: str
    limit: str
    wait_s: float
    name: str = ""
    value: str = ""


class Turnstile(Protocol):
    """
    One limit, or several that are judged together. Times are seconds of one clock that never goes back.

    Attributes:
        queue_seconds: How long a call may wait for this turnstile.

    """

    @property
    def queue_seconds(self) -> float:
        """How long a call may wait for this turnstile."""

    def wait_s(self, size: Size, now: float) -> float:
        """Seconds until a call of this size fits, 0 where it fits now; it may be infinite."""

    def why(self, size: Size, now: float) -> Why:
        """The limit that it would wait for longest."""

    def yields(self, now: float) -> bool:
        """Whether a call that has waited as long as it may goes through all the same."""

    def share(self, size: Size) -> float:
        """The part of a minute's worth that a call takes, of the limit where that is largest; 0 where unknown."""

    def take(self, size: Size, now: float) -> Hold:
        """Let a call through."""

    def settle(self, hold: Hold, size: Size, used: Used | None, now: float) -> None:
        """A call ended; None: it was refused and used nothing but its request."""

    def undo(self, hold: Hold, now: float) -> None:
        """A call that was let through was never sent."""
