"""Where in a prompt something is."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """
    A block that changes.

    Attributes:
        section: ``tools``, ``system`` or ``messages``.
        position: From the start of the prompt, from 0; -1 for messages, where it moves.
        number: Within its section, from 1; 0 for messages.

    """

    section: str
    position: int
    number: int

    @property
    def told(self) -> str:
        """For people."""
        return f"{self.section} block {self.number}" if self.number else "the history in messages"
