"""Processes that are measured: started on one core, asked for their CPU time and memory, ended to the last child."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GATEWAY_CORE, LOAD_CORE = "1", "0"
_TICKS = os.sysconf("SC_CLK_TCK")


def pinned(core: str, command: Sequence[str]) -> list[str]:
    """*command*, bound to one core where the machine has two and knows how."""
    return (
        ["taskset", "-c", core, *command]
        if (os.cpu_count() or 1) > 1 and Path("/usr/bin/taskset").exists()
        else [*command]
    )


class Tree:
    """
    A process and all its children.

    Args:
        command: What is run. core: where.
        environment: Beside ours.
        log: Where its output goes; None: a pipe that its caller reads.

    """

    def __init__(
        self, command: Sequence[str], core: str, environment: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        with contextlib.ExitStack() as stack:
            out: Any = subprocess.PIPE if log is None else stack.enter_context(log.open("ab"))
            self.process = subprocess.Popen(
                pinned(core, command),
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=None if log is None else out,
                start_new_session=True,
            )

    def pids(self) -> list[int]:
        """The process and everything below it."""
        parents: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    parents.setdefault(int(fields[1]), []).append(int(entry.name))
        found = [self.process.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    def cpu_s(self) -> float:
        """User and system time of the whole tree so far."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def main_thread_cpu_s(self) -> float:
        """The same, of the first thread of the first process alone."""
        pid = self.process.pid
        fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        """Resident memory of the whole tree."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        return total / 1024

    def end(self) -> None:
        """Ask it to end, and make it end if it does not."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_ready(tree: Tree, port: int, path: str, seconds: float) -> bool:
    """Whether it answers within *seconds*, with whatever status."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s and tree.process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", path)
            connection.getresponse().read()
            connection.close()
            return True
        time.sleep(0.2)
    return False
