"""Other commands of farthing as processes beside this one: they end with us, even where we are killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ENDS_WITHIN_S = 10.0
RESTARTS_MAX = 5
"""Of a process that keeps dying within :data:`SOUND_S`, then it is left alone, loudly."""
SOUND_S = 600.0
_PAUSE_S, _PAUSE_S_MAX = 1.0, 30.0


@contextlib.contextmanager
def beside(arguments: Sequence[str], *, is_heard: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """
    ``farthing ARGUMENTS --end-with-input`` while the block runs; we hold the other end of its standard input.

    Args:
        arguments: The command, which must know ``--end-with-input``.
        is_heard: Whether we read what it prints; else that goes to our standard error.

    """
    command = [sys.executable, "-m", "farthing", *arguments, "--end-with-input"]
    out = subprocess.PIPE if is_heard else 2
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out) as process:  # noqa: S603 - ourselves
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def await_end_of_input() -> None:
    """In the process beside, in a thread: wait until standard input ends, as whoever holds its other end does."""
    while os.read(0, 4096):  # not through sys.stdin: Python aborts where a thread has its lock at the end
        pass


@contextlib.contextmanager
def kept_beside(
    name: str, arguments: Sequence[str], log: Callable[[str], None], *, pause_s: float = _PAUSE_S
) -> Iterator[None]:
    """
    The same, started again where it dies: after ever longer pauses, and not for ever.

    Args:
        name: What it is called in the log.
        arguments: As above.
        log: Gets a line when it died, and when it is given up.
        pause_s: Before the first new start.

    """
    ending = threading.Event()
    thread = threading.Thread(target=_keep, args=(name, arguments, log, pause_s, ending), name=f"beside: {name}")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _keep(
    name: str, arguments: Sequence[str], log: Callable[[str], None], pause_s: float, ending: threading.Event
) -> None:
    deaths = 0
    while not ending.is_set():
        begun_s = time.monotonic()
        with beside(arguments) as process:
            code = _end_of(process, ending)
        if code is None or code == 0:  # zero: somebody told it to end, as Ctrl-C tells all of us
            return
        deaths = 1 if time.monotonic() - begun_s >= SOUND_S else deaths + 1
        if deaths > RESTARTS_MAX:
            log(f"{name} ended with {code}, {deaths} times in a row, and is not started again")
            return
        wait_s = min(_PAUSE_S_MAX, pause_s * 2 ** (deaths - 1))
        log(f"{name} ended with {code}; it starts again in {wait_s:g} s")
        ending.wait(wait_s)


def _end_of(process: subprocess.Popen[bytes], ending: threading.Event) -> int | None:
    """Its exit code; None: we end first."""
    while not ending.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(0.2)
    return None
