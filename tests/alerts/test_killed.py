"""kill -9 at every statement of the outbox and on either side of every sending."""

import json
import subprocess
import sys
from pathlib import Path

EVENTS = ["opened", "escalated", "resolved"]


def test_whatever_is_killed_each_message_arrives_under_one_id_in_order_and_at_most_one_twice(tmp_path):
    program = Path(__file__).with_name("killed.py")
    run = subprocess.run([sys.executable, program, tmp_path], capture_output=True, text=True, check=False, timeout=240)
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    *killed, whole = found
    assert not whole["killed"]
    assert len(killed) > 80
    for one in found:
        assert (one["incidents"], one["undelivered"]) == (1, [])
        twice = 0
        for channel in ("ops", "mail"):
            arrived = [(delivery, event) for delivery, name, event in one["arrived"] if name == channel]
            once = list(dict.fromkeys(arrived))
            assert [event for _, event in once] == EVENTS
            assert len({delivery for delivery, _ in once}) == len(EVENTS)
            twice += len(arrived) - len(once)
        assert twice <= one["killed"]
