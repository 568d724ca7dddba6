"""A log that cannot be written, because its disk is full or its reader is gone, stops nobody."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def never_failing(log: Callable[[str], None]) -> Callable[[str], None]:
    """*log*, whose failures are nobody's."""

    def say(line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed file is a ValueError
            log(line)

    return say
