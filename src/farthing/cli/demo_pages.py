"""
The demo's dashboard, in a process that outlives the command that started it and ends once nobody looks any more.

So ``farthing demo`` gives the prompt back, and the address that it printed works.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

IDLE_MINUTES = 30
_PORT = 8790
_TOLD_NAME, _LOG_NAME = "dashboard.json", "dashboard.log"
_STARTUP_S, _STEP_S, _ANSWER_S = 30.0, 0.1, 2.0


def shown_at(folder: Path) -> str | None:
    """
    The address of a dashboard over the demo in *folder*: the one that a former run started, or a new one.

    Returns None where none came up; what it said is in ``dashboard.log``.
    """
    running = _address(folder / _TOLD_NAME)
    return running if running is not None and _answers(running) else _start(folder)


def _start(folder: Path) -> str | None:
    told = folder / _TOLD_NAME
    command = [sys.executable, "-m", "farthing", "dashboard", "--demo", "--json", "--folder", str(folder)]
    command += ["--port", str(_PORT if _is_free(_PORT) else 0), "--end-when-idle", str(IDLE_MINUTES)]
    with told.open("wb") as out, (folder / _LOG_NAME).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
        )
    ends_at_s = time.monotonic() + _STARTUP_S
    while process.poll() is None and time.monotonic() < ends_at_s:
        address = _address(told)
        if address is not None and _answers(address):
            return address
        time.sleep(_STEP_S)
    process.terminate()
    return None


def _address(told: Path) -> str | None:
    """What a dashboard announced of itself; None: nothing yet."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return str(json.loads(told.read_bytes())["url"])
    return None


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/sign-in", timeout=_ANSWER_S) as answer:  # noqa: S310 - our own
        return bool(answer.status == 200)
    return False


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False
