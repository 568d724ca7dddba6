"""
A program that is killed with SIGKILL at its n-th step, for every n: before each statement of SQLite, before and after
each sending. Prints what arrived, a line of JSON for each n.

    python killed.py FOLDER
"""

import json
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from farthing.alerts.channels import Channel
from farthing.alerts.incidents import Signal
from farthing.alerts.send import Undelivered, deliver
from farthing.alerts.store import CLAIM_S, AlertStore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHANNELS = (Channel(name="ops", kind="webhook"), Channel(name="mail", kind="email"))


class Steps:
    def __init__(self, last):
        self.left = last

    def step(self, *_):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def told(*marks):
    one = Signal("budget", ("org",), NOW - HOUR, NOW, is_over=False, level=0, title="t", stake_pusd=None, detail={})
    return [one._replace(marks=marks)]


ROUNDS = (told("forecast"), told("forecast", "budget:50"), [])


def live(folder, steps, since=NOW):
    """What a watcher does in its rounds; each begins where the one before ended, or was killed."""
    seen = folder / "arrived"
    refused = folder / "refused"

    def send(channel, message, now):
        steps.step()
        if channel.name == "mail" and not refused.exists():  # the first one fails, and is sent again
            refused.touch()
            raise Undelivered("answered 503")
        with seen.open("a") as stream:
            stream.write(f"{message.delivery} {channel.name} {message.event}\n")
        steps.step()

    done = folder / "done"
    for number, signals in enumerate(ROUNDS):
        now = since + number * HOUR
        store = AlertStore(folder / "alerts.sqlite")
        if number >= (int(done.read_text()) if done.exists() else 0):
            store.advance(signals, now, CHANNELS)
            done.write_text(str(number + 1))
        for late in (0, CLAIM_S):
            deliver(store, CHANNELS, now + timedelta(seconds=late), send=send)
        store.close()


def main(base):
    plain = sqlite3.connect

    def quick(*args, **more):
        db = plain(*args, **more)
        db.execute("PRAGMA synchronous = OFF")  # a killed program is no power cut
        return db

    sqlite3.connect = quick
    for last in range(1, 1000):
        folder = base / str(last)
        folder.mkdir()
        child = os.fork()
        if child == 0:
            steps = Steps(last)

            def traced(*args, steps=steps, **more):
                db = quick(*args, **more)
                db.set_trace_callback(steps.step)
                return db

            sqlite3.connect = traced
            live(folder, steps)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        live(folder, Steps(0), NOW + 9 * HOUR)
        store = AlertStore(folder / "alerts.sqlite")
        found = {
            "killed": os.WIFSIGNALED(status),
            "arrived": [line.split() for line in (folder / "arrived").read_text().splitlines()],
            "incidents": len(store.incidents(resolved=True)),
            "undelivered": store.undelivered(),
        }
        store.close()
        sys.stdout.write(json.dumps(found) + "\n")
        if not os.WIFSIGNALED(status):
            return


main(Path(sys.argv[1]))
