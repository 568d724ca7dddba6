"""
A process that forks gateways which kill themselves: run by test_crash.py, which says where.

It imports everything once, so that a gateway costs a fork and not a start of Python. An order is a line of JSON:
``{"start": {...}}`` forks one, which prints its address; ``{"wait": pid}`` prints how it ended.
"""

import contextlib
import itertools
import json
import os
import resource
import signal
import sys
import threading
import types
from pathlib import Path

import msgspec

import farthing.ledger.duckdb
from farthing.config import load
from farthing.gateway.server import GatewayServer
from farthing.ledger import journal
from farthing.prices.book import shipped_book

BOOK = shipped_book()
GATEWAY = str(Path(sys.modules["farthing.gateway.server"].__file__).parent)
LEDGER = str(Path(farthing.ledger.duckdb.__file__).parent)
OUTCOMES = tuple(
    f"{folder}/outcome{more}.py" for folder, more in ((GATEWAY, "s"), (GATEWAY, "_rounds"), (LEDGER, "_spool"))
)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class At:
    """Dies at the n-th time, counted from 1."""

    def __init__(self, n):
        self._left = itertools.count(n - 1, -1)

    def pass_by(self):
        if next(self._left) == 0:
            die()


def arm(where, n):
    """Make this process kill itself at the n-th step of a kind."""
    at = At(n)
    if where in {"before a record", "after a record", "within a record"}:
        _arm_records(where, at)
    elif where == "a line of the gateway":
        _arm_lines(GATEWAY, at)
    elif where == "a line of the ledger":
        _arm_lines(LEDGER, at)
    elif where == "a line about outcomes":
        _arm_lines(OUTCOMES, at)


def _arm_records(where, at):
    write = os.write

    def written(file, data):
        if where == "before a record":
            at.pass_by()
        if where == "within a record":
            write(file, data[: len(data) // 2])
            at.pass_by()
            return len(data) // 2 + write(file, data[len(data) // 2 :])
        done = write(file, data)
        if where == "after a record":
            at.pass_by()
        return done

    journal.os = types.SimpleNamespace(**{**vars(os), "write": written})


def _arm_lines(places, at):
    def line(_frame, event, _argument):
        if event == "line":
            at.pass_by()
        return line

    def call(frame, _event, _argument):
        return line if frame.f_code.co_filename.startswith(places) else None

    threading.settrace(call)
    sys.settrace(call)


def tell(facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def gateway(folder, upstream, kill, *, settings, port, file_bytes_max):
    folder = Path(folder)
    if file_bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, resource.RLIM_INFINITY))
    defaults = load(environment={"HOME": "/nowhere"}).config.gateway
    wanted = {"shutdown_seconds": 30, "ingest_seconds": 0.02, **settings}
    with contextlib.suppress(OSError), (folder / "log").open("a", encoding="utf-8", buffering=1) as log:
        server = GatewayServer(
            msgspec.structs.replace(defaults, upstream=upstream, **wanted),
            folder / "ledger.duckdb",
            book=BOOK,
            port=port,
            log=lambda line: print(line, file=log),
        )
        signal.signal(signal.SIGTERM, lambda *_: server.end_soon())  # until the server heeds it itself
        tell({"pid": os.getpid(), "base_url": server.base_url})
        if kill:
            arm(*kill)
        server.run()


def main():
    for text in sys.stdin:
        order = json.loads(text)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            tell({"code": os.waitstatus_to_exitcode(status)})
        elif os.fork() == 0:
            code = 1
            try:
                gateway(**order["start"])
                code = 0
            finally:
                os._exit(code)


if __name__ == "__main__":
    main()
