"""Who was refused is known afterwards: by several processes, under floods, kills and full disks."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import anthropic
import pytest

from farthing.gateway.metrics import Metrics
from farthing.gateway.refusal_log import RefusalLog
from farthing.limits.refusal_store import REFUSALS_NAME, read_refusals
from farthing.limits.refusals import OTHERS, Case, by_case

ASK = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CASE = Case("budget", "all", "tenant=acme", "used up", "acme", "key_1")
LOST = "farthing_refusals_lost_total"
OUTPUT_PUSD = 11 * 10**6
"""The most that one token of Sonnet 5's may cost: $10 a million, and a tenth more where it may run in the US alone."""
BUDGETS = """
[[budget]]
name = "all"
each = "tenant"
limit_usd = "0.002"
window = "day"

[[budget]]
name = "a call"
limit_usd = "0.01"
window = "call"
"""
RATE = '[[rate]]\nname = "each user"\neach = "user"\nrequests_per_minute = 2\nqueue_seconds = 0\n'


@pytest.fixture
def limited(box, gateway_to, tmp_path):
    """Starts a gateway under a limits file, in front of the sandbox and on its clock."""

    def started(text, **changes):
        file = tmp_path / "limits.toml"
        file.write_text(text)
        return gateway_to(box.base_url, now=box.clock.now, limits=file, **changes)

    return started


@pytest.fixture
def written(tmp_path):
    """What the log beside the ledger says, hours together."""
    return lambda: by_case(read_refusals(tmp_path / "ledger.duckdb", NOW - timedelta(days=400)))


class Kept:
    """A log and what it says of itself."""

    def __init__(self, path, **more):
        self.metrics, self.said = Metrics(), []
        self.log = RefusalLog(path, self.metrics, self.said.append, **more)

    def write(self, now=NOW):
        self.log.tick(now)
        self.log.close(now, 60)

    @property
    def lost(self):
        return self.metrics.value(LOST)


def sdk(box, gateway, **tags):
    headers = {f"x-farthing-tag-{name}": value for name, value in tags.items()}
    return anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0, default_headers=headers)


def refused(client, error, **changes):
    with pytest.raises(error) as raised:
        client.messages.create(**{**ASK, **changes})
    return raised.value


# -- through the gateway ----------------------------------------------------------------------------------------------


def test_what_budgets_refused_is_told_exactly(box, limited, written, tmp_path):
    gateway = limited(BUDGETS)
    with sdk(box, gateway, tenant="acme") as client:
        passed = 0
        with contextlib.suppress(anthropic.RateLimitError):
            while passed < 50:
                client.messages.create(**ASK)
                passed += 1
        begun = box.clock.now()
        box.clock.advance(60)
        told = refused(client, anthropic.RateLimitError, max_tokens=60)
        refused(client, anthropic.BadRequestError, max_tokens=2000)
        refused(client, anthropic.BadRequestError, model="claude-of-tomorrow")
    with sdk(box, gateway, tenant="bolt") as client:
        client.messages.create(**ASK)
    gateway.stop()
    assert 1 <= passed < 50
    assert told.body["error"]["type"] == "billing_error"
    api_key = gateway.calls[0].call.dims["api_key"]
    found = dict(written())
    assert {(*case[:5], tally.calls, tally.unknown_calls) for case, tally in found.items()} == {
        ("budget", "all", "tenant=acme", "used up", "acme", 2, 0),
        ("budget", "a call", "", "too dear", "acme", 1, 0),
        ("budget", "all", "tenant=acme", "unpriced", "acme", 1, 1),
    }
    assert {case.api_key for case in found} == {api_key}
    tally = found[Case("budget", "all", "tenant=acme", "used up", "acme", api_key)]
    first_pusd = tally.worst_pusd - tally.last_worst_pusd
    assert tally.last_worst_pusd - first_pusd == 10 * OUTPUT_PUSD
    assert f"this call may cost ${tally.last_worst_pusd / 10**12:.4f}" in told.body["error"]["message"]
    assert tally.first_at <= begun < tally.last_at <= begun + timedelta(minutes=2)
    assert gateway.metrics.value(LOST) == 0
    assert box.key.encode() not in (tmp_path / REFUSALS_NAME).read_bytes()


def test_what_rate_limits_refused_is_told_exactly(box, limited, written):
    gateway = limited(RATE + BUDGETS.replace("0.002", "1"))
    counts = {}
    for user in ("ann", "bob"):
        with sdk(box, gateway, user=user, tenant="acme") as client:
            for _ in range(5):
                with contextlib.suppress(anthropic.RateLimitError):
                    client.messages.create(**ASK)
                    counts[user] = counts.get(user, 0) + 1
            assert "rate limit each user" in refused(client, anthropic.RateLimitError).body["error"]["message"]
    gateway.stop()
    assert {(*case[:5], tally.calls, tally.unknown_calls) for case, tally in written()} == {
        ("rate", "each user", f"user={user}", "2 requests per minute", "acme", 6 - counts[user], 6 - counts[user])
        for user in ("ann", "bob")
    }
    assert all(tally.known_pusd is None for _, tally in written())


def test_it_is_written_within_seconds_while_calls_go_on(box, gateway_to, tmp_path, written):
    (tmp_path / "limits.toml").write_text(BUDGETS)
    gateway = gateway_to(box.base_url, limits=tmp_path / "limits.toml", now=box.clock.now)
    with sdk(box, gateway, tenant="acme") as client:
        refused(client, anthropic.BadRequestError, max_tokens=2000)
        until(written)
        assert [(case.why, tally.calls) for case, tally in written()] == [("too dear", 1)]


def test_a_log_that_cannot_be_written_changes_nothing_for_calls_and_is_counted(box, limited, tmp_path):
    (tmp_path / REFUSALS_NAME).write_text("this is no database, and too long to be taken for an empty one" * 20)
    gateway = limited(BUDGETS)
    with sdk(box, gateway, tenant="acme") as client:
        refused(client, anthropic.BadRequestError, max_tokens=2000)
        client.messages.create(**ASK)
        until(lambda: gateway.metrics.value(LOST) == 1)
        refused(client, anthropic.BadRequestError, max_tokens=2000)
    gateway.stop()
    assert gateway.metrics.value(LOST) == 2
    assert len([line for line in gateway.log if "refusals are not written down" in line]) == 1
    assert gateway.metrics.value("farthing_limit_refusals_total", "too dear") == 2


def until(true):
    for _ in range(6_000):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError


# -- the log on its own -----------------------------------------------------------------------------------------------


def test_a_flood_is_one_row_and_one_write(tmp_path, written):
    kept = Kept(tmp_path / REFUSALS_NAME)
    for number in range(10_000):
        kept.log.add(CASE, 5 * 10**17, NOW + timedelta(microseconds=number))
    assert len(kept.log._counted) == 1
    kept.write()
    ((case, tally),) = written()
    assert case == CASE
    assert tally == (10_000, 0, 5 * 10**21, 5 * 10**17, NOW, NOW + timedelta(microseconds=9_999))
    assert kept.lost == 0


def test_a_flood_of_ever_new_names_is_bounded_in_memory_and_rows_and_loses_no_call(tmp_path, written):
    kept = Kept(tmp_path / REFUSALS_NAME, cases_max=50)
    kept.log.add(CASE, 7, NOW)
    for number in range(10_000):
        session = CASE._replace(value=f"session={number}", tenant=f"tenant-{number % 400}")
        kept.log.add(session, 10, NOW)
    assert len(kept.log._counted) <= 2 * 50 + 1
    kept.log.add(CASE, 7, NOW)
    kept.write()
    rows = dict(written())
    assert len(rows) <= 2 * 50 + 1
    assert sum(tally.calls for tally in rows.values()) == 10_002
    assert sum(tally.worst_pusd for tally in rows.values()) == 100_014
    assert rows[CASE].calls == 2
    assert rows[CASE._replace(value=OTHERS, tenant="tenant-60", api_key="")].calls > 0
    assert rows[CASE._replace(value=OTHERS, tenant=OTHERS, api_key="")].calls > 5_000


@pytest.mark.parametrize("value", ["model=tell me a story", "model=one\ntwo", "user=sk-ant-api03-abcdefgh", "x" * 999])
def test_no_prose_and_no_key_is_kept(tmp_path, written, value):
    kept = Kept(tmp_path / REFUSALS_NAME)
    kept.log.add(CASE._replace(value=value), None, NOW)
    kept.write()
    ((case, _),) = written()
    assert case.value in {"(not a name)", "user=[key]", "x" * 300}


def test_a_locked_file_loses_the_count_and_says_so_and_the_next_one_is_kept(tmp_path, written):
    kept = Kept(tmp_path / REFUSALS_NAME, busy_s=0.01)
    kept.log.add(CASE, 1, NOW)
    kept.write()
    with contextlib.closing(sqlite3.connect(tmp_path / REFUSALS_NAME, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        kept.log.add(CASE, 1, NOW)
        kept.log.add(CASE, 1, NOW)
        kept.write()
    kept.log.add(CASE, 1, NOW)
    kept.write()
    assert kept.lost == 2
    assert [line.partition(":")[0] for line in kept.said] == [
        "refusals are not written down",
        "refusals are written down again",
    ]
    assert written()[0][1].calls == 2


def test_a_full_disk_loses_the_count_and_says_so(tmp_path):
    program = """
import resource, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from farthing.gateway.metrics import Metrics
from farthing.gateway.refusal_log import RefusalLog
from farthing.limits.refusals import Case
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
metrics, now = Metrics(), datetime.now(UTC)
log = RefusalLog(Path(sys.argv[1]), metrics, lambda line: None)
for number in range(400):
    log.add(Case("budget", "all", f"user={number:0100}", "used up", "acme", ""), 1, now)
log.close(now)
print(metrics.value("farthing_refusals_lost_total"))
"""
    told = subprocess.run([sys.executable, "-c", program, tmp_path / REFUSALS_NAME], capture_output=True, check=True)
    assert told.stdout == b"400\n"
    assert told.stderr == b""


# -- processes --------------------------------------------------------------------------------------------------------

WORKER = """
import json, sys, time
from datetime import datetime, UTC, timedelta
from pathlib import Path
from farthing.gateway.metrics import Metrics
from farthing.gateway.refusal_log import RefusalLog
from farthing.limits.refusals import Case

path, rounds, forever = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "forever"
now, metrics = datetime(2026, 11, 20, 9, 30, tzinfo=UTC), Metrics()
log = RefusalLog(path, metrics, lambda line: print(line, file=sys.stderr), busy_s=60)
done = 0
while forever or done < rounds:
    for number in range(50):
        log.add(Case("budget", "all", f"tenant={number % 5}", "used up", str(number % 5), ""), 10**18, now)
    log.tick(now)
    log._wait(90)
    done += 1
    print(done, flush=True)
log.close(now)
print(json.dumps(metrics.value("farthing_refusals_lost_total")))
"""


def worker(folder, rounds, how):
    command = [sys.executable, "-c", WORKER, str(folder / REFUSALS_NAME), str(rounds), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_processes_add_up(tmp_path, written):
    workers = [worker(tmp_path, 20, "ends") for _ in range(3)]
    told = [one.communicate(timeout=300) for one in workers]
    assert [(out.splitlines()[-1], err) for out, err in told] == [("0", "")] * 3
    assert {case.value: (tally.calls, tally.worst_pusd) for case, tally in written()} == {
        f"tenant={number}": (3 * 20 * 10, 600 * 10**18) for number in range(5)
    }


def test_who_is_killed_loses_what_it_had_not_written_yet(tmp_path, written):
    one = worker(tmp_path, 0, "forever")
    done = 0
    while done < 5:
        done = int(one.stdout.readline())
    os.kill(one.pid, signal.SIGKILL)
    rest = one.communicate(timeout=300)[0].splitlines()
    done = max([done, *map(json.loads, rest)])
    calls = sum(tally.calls for _, tally in written())
    assert calls in {50 * done, 50 * (done + 1)}  # the last round's write may have been told to nobody
