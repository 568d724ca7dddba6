"""
kill -9 at every step, under load: what the API billed is in the ledger once, or known to be missing.

Whatever dies, and wherever: after a new start each call that the sandbox booked is in the ledger at the sandbox's
price, or it began and has no outcome, and is counted as such.
"""

import contextlib
import http.client
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.announced import announced

from farthing import testing
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.ledger.journal import Begun, Settled, read

DEEP = os.environ.get("FARTHING_DEEP") == "1"
CLIENTS, CALLS = 3, 8


@pytest.fixture(scope="module")
def box():
    with testing.sandbox(start=None, tier=None) as box:
        yield box


def call(base_url, key, number):
    """One call, plain or streamed; the id of its message, None where the gateway is gone."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=20)
    body = {"model": "claude-sonnet-5", "max_tokens": 100, "stream": bool(number % 2)}
    body["messages"] = [{"role": "user", "content": "Say <<output:20>>."}]
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    try:
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    assert answer.status == 200
    if number % 2:
        assert text.endswith(b'{"type":"message_stop"}\n\n')
        text = next(line for line in text.split(b"\n") if line.startswith(b"data:"))[5:]
        return json.loads(text)["message"]["id"]
    return json.loads(text)["id"]


def load(base_url, key):
    """Calls from several clients until all are made or the gateway is gone; the ids of those that were answered."""

    def client(_):
        found = []
        for number in range(CALLS):
            if (name := call(base_url, key, number)) is None:
                break
            found.append(name)
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        return {name for names in pool.map(client, range(CLIENTS)) for name in names}


def reckon(folder, box, since, answered, cut):
    """Hold the ledger against the sandbox's books; *cut* says how many calls may have been under way at the end."""
    with open_ledger(folder / "ledger.duckdb") as ledger:
        calls, unsettled = list(ledger.calls(Query())), ledger.unsettled()
        assert sum(row.calls for row in ledger.report(Query())) == len(calls)
    booked = {entry.call.served.message_id: entry for entry in list(box.books)[since:]}
    metered = {stored.call.served.message_id: stored for stored in calls}
    assert len(metered) == len(calls), "each once"
    assert metered.keys() <= booked.keys()
    for name, stored in metered.items():
        served = stored.call.served
        if served.kind == "measured":
            assert stored.posting.list_pusd == booked[name].pusd
        else:
            assert served.kind == "assumed"
            assert any("recovered" in note for note in served.notes), served.notes
            assert served.usage.input_tokens == booked[name].call.served.usage.input_tokens
    missing = booked.keys() - metered.keys()
    assert len(missing) <= len(unsettled) <= cut, "every call whose outcome is lost is known to have begun"
    assert len(answered - metered.keys()) <= len(unsettled)

    records = [one.record for path in folder.glob("journals/*.journal") for one in read(path)]
    settled = {record.entry for record in records if isinstance(record, Settled)}
    begun = {record.entry for record in records if isinstance(record, Begun)}
    recovered = sum(stored.call.served.kind == "assumed" for stored in calls)
    assert {one.entry for one in unsettled} <= begun - settled
    assert len(begun - settled) - len(unsettled) <= recovered
    return len(missing)


def crash(nursery, box, folder, kill):
    since = len(box.books)
    pid, base_url = nursery.start(folder, box.base_url, kill)
    answered = load(base_url, box.key)
    died = nursery.end(pid) == -signal.SIGKILL
    pid, _ = nursery.start(folder, box.base_url)
    assert nursery.end(pid) == 0
    reckon(folder, box, since, answered, CLIENTS)
    return died


def steps(name, count, last):
    """Some steps of a kind, the first ones always; all of them would be many hours."""
    dice = random.Random(name)
    return [1, 2, *sorted(dice.sample(range(3, last), count * (20 if DEEP else 1)))]


RECORDS = [(where, n) for where in ("before a record", "after a record", "within a record") for n in (1, 2, 3, 17)]
GATEWAY = [("a line of the gateway", n) for n in steps("gateway", 3, 12_000)]
LEDGER = [("a line of the ledger", n) for n in steps("ledger", 3, 4_000)]


@pytest.mark.parametrize(("where", "n"), RECORDS)
def test_killed_at_a_record_of_the_journal(nursery, box, tmp_path, where, n):
    assert crash(nursery, box, tmp_path, (where, n))


def test_killed_at_a_line_of_the_gateway(nursery, box, tmp_path):
    died = 0
    for where, n in GATEWAY:
        folder = tmp_path / str(n)
        folder.mkdir()
        died += crash(nursery, box, folder, (where, n))
    assert died >= len(GATEWAY) // 2


def test_killed_at_a_line_of_the_ledger(nursery, box, tmp_path):
    died = 0
    for where, n in LEDGER:
        folder = tmp_path / str(n)
        folder.mkdir()
        died += crash(nursery, box, folder, (where, n))
    assert died >= len(LEDGER) // 2


def test_killed_again_and_again_on_one_ledger(nursery, box, tmp_path):
    dice, since, answered, rounds = random.Random(7), len(box.books), set(), 60 if DEEP else 6
    for number in range(rounds):
        where, last = dice.choice([("a line of the gateway", 9_000), ("a line of the ledger", 3_000)])
        pid, base_url = nursery.start(tmp_path, box.base_url, (where, dice.randrange(1, last)))
        answered |= load(base_url, box.key)
        nursery.end(pid, signal.SIGKILL if number % 2 else signal.SIGTERM)
    pid, _ = nursery.start(tmp_path, box.base_url)
    assert nursery.end(pid) == 0
    reckon(tmp_path, box, since, answered, CLIENTS * rounds)


def test_one_of_two_on_one_ledger_is_killed(nursery, box, tmp_path):
    since = len(box.books)
    doomed, first = nursery.start(tmp_path, box.base_url, ("a line of the gateway", 5_000))
    other, second = nursery.start(tmp_path, box.base_url)
    with ThreadPoolExecutor(2) as pool:
        answered = set().union(*pool.map(lambda base_url: load(base_url, box.key), (first, second)))
    nursery.end(doomed, signal.SIGKILL)
    answered |= load(second, box.key)
    assert nursery.end(other) == 0
    pid, _ = nursery.start(tmp_path, box.base_url)
    assert nursery.end(pid) == 0
    reckon(tmp_path, box, since, answered, CLIENTS)


def end_under_load(nursery, box, folder, how, after_s):
    """How a gateway under load ended that got a signal after so long, and the calls that were answered."""
    pid, base_url = nursery.start(folder, box.base_url)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load, base_url, box.key)
        time.sleep(after_s)
        return nursery.end(pid, how), loading.result()


def test_killed_at_any_moment(nursery, box, tmp_path):
    """By the clock, so that calls into the system and the ledger's engine are hit as well."""
    dice = random.Random(3)
    for number in range(100 if DEEP else 4):
        folder = tmp_path / str(number)
        folder.mkdir()
        since = len(box.books)
        ended, answered = end_under_load(nursery, box, folder, signal.SIGKILL, dice.uniform(0, 0.15))
        assert ended == -signal.SIGKILL
        pid, _ = nursery.start(folder, box.base_url)
        assert nursery.end(pid) == 0
        reckon(folder, box, since, answered, CLIENTS)


def test_asked_to_end_at_any_moment(nursery, box, tmp_path):
    """Under load each answered call is metered, none is left open, and none was begun that had nowhere to go."""
    dice = random.Random(5)
    for number in range(100 if DEEP else 12):
        folder = tmp_path / str(number)
        folder.mkdir()
        since = len(box.books)
        ended, answered = end_under_load(nursery, box, folder, signal.SIGTERM, dice.uniform(0, 0.1))
        assert ended == 0
        assert reckon(folder, box, since, answered, 0) == 0
        assert "cannot write" not in (folder / "log").read_text()


@pytest.mark.parametrize("who", ["the owner", "all"])
def test_the_owner_of_several_workers_is_killed(nursery, box, tmp_path, who):
    """Alone, when its workers end by themselves, or with all of them."""
    since = len(box.books)
    command = [sys.executable, "-m", "farthing", "serve", "--port", "0", "--workers", "2", "--no-dashboard", "--json"]
    command += ["--upstream", box.base_url, "--ledger", str(tmp_path / "ledger.duckdb")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env={"HOME": str(tmp_path)}, start_new_session=True, **pipes) as process:
        base_url = announced(process)["base_url"]
        assert call(base_url, box.key, 0)
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load, base_url, box.key)
            time.sleep(0.02)
            (os.killpg if who == "all" else os.kill)(process.pid, signal.SIGKILL)
            answered = loading.result()
        for _ in range(6_000):
            if not list(group(process.pid)):
                break
            time.sleep(0.01)
        assert not list(group(process.pid)), "workers end with their owner"
    pid, _ = nursery.start(tmp_path, box.base_url)
    assert nursery.end(pid) == 0
    # An answer of a stated length may end a moment before it is settled, and the next call go to the other worker.
    reckon(tmp_path, box, since, answered, CLIENTS * 2 if who == "all" else CLIENTS)


def group(leader):
    """Processes of a session that are alive; zombies that nobody waits for are not."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = status.read_text().rpartition(") ")[2].split()[:4]
            if int(session) == leader and state != "Z":
                yield int(status.parent.name)


# -- disks, ledgers and clocks ----------------------------------------------------------------------------------------


def none_lost(nursery, box, folder, since):
    """A new start finds everything, and nothing is left open."""
    pid, _ = nursery.start(folder, box.base_url)
    assert nursery.end(pid) == 0
    assert reckon(folder, box, since, set(), 0) == 0


@pytest.mark.parametrize("there_before", [False, True])
def test_a_full_disk_stops_nobody_and_loses_nothing_once_there_is_room(nursery, box, tmp_path, there_before):
    """Neither the journal nor the ledger has room; *there_before*: whether the ledger's file was made already."""
    since = len(box.books)
    if there_before:
        pid, base_url = nursery.start(tmp_path, box.base_url)
        assert call(base_url, box.key, 0)
        assert nursery.end(pid) == 0
    pid, base_url = nursery.start(tmp_path, box.base_url, file_bytes_max=6_000)
    assert len(load(base_url, box.key)) == CLIENTS * CALLS
    assert "their records wait" in (tmp_path / "log").read_text()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert call(base_url, box.key, 0)
    assert nursery.end(pid) == 0
    assert "the journal can be written again" in (tmp_path / "log").read_text()
    none_lost(nursery, box, tmp_path, since)


def test_a_disk_that_stays_full_stops_nobody_and_says_what_is_lost(nursery, box, tmp_path):
    pid, base_url = nursery.start(tmp_path, box.base_url, file_bytes_max=6_000)
    assert len(load(base_url, box.key)) == CLIENTS * CALLS
    assert nursery.end(pid) == 0
    assert "records could not be written to the journal" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("damage", ["deleted", "garbage", "a folder"])
def test_a_ledger_that_is_gone_while_it_runs_is_filled_again(nursery, box, tmp_path, damage):
    since = len(box.books)
    ledger = tmp_path / "ledger.duckdb"
    pid, base_url = nursery.start(tmp_path, box.base_url)
    assert len(load(base_url, box.key)) == CLIENTS * CALLS
    for _ in range(6_000):
        if ledger.exists():
            break
        time.sleep(0.01)
    if damage == "garbage":
        (tmp_path / "garbage").write_bytes(b"no ledger" * 1_000)
        (tmp_path / "garbage").replace(ledger)
    else:
        ledger.unlink()
    ledger.with_name(ledger.name + ".wal").unlink(missing_ok=True)
    while damage == "a folder" and not ledger.is_dir():
        ledger.unlink(missing_ok=True)  # a round may be quicker than we are
        with contextlib.suppress(FileExistsError):
            ledger.mkdir()
    assert len(load(base_url, box.key)) == CLIENTS * CALLS
    assert nursery.end(pid) == 0
    if damage == "garbage":
        assert ledger.read_bytes() == b"no ledger" * 1_000, "what is not ours is not touched"
        ledger.unlink()
    elif damage == "a folder":
        ledger.rmdir()
    none_lost(nursery, box, tmp_path, since)


def test_a_log_that_cannot_be_written_stops_nobody(nursery, box, tmp_path):
    (tmp_path / "log").symlink_to("/dev/full")
    since = len(box.books)
    pid, base_url = nursery.start(tmp_path, box.base_url)
    assert len(load(base_url, box.key)) == CLIENTS * CALLS
    assert nursery.end(pid) == 0
    (tmp_path / "log").unlink()
    none_lost(nursery, box, tmp_path, since)


def test_a_clock_that_jumps_stops_nobody(box, gateway_to):
    since, days, start = len(box.books), iter([0, 1, -1, 400, -400, 3, 2, 3000, 0]), datetime.now(UTC)
    jump = 0

    def now():
        nonlocal jump
        jump = next(days, jump)
        return start + timedelta(days=jump)

    gateway = gateway_to(box.base_url, now=now)
    assert len(load(gateway.base_url, box.key)) == CLIENTS * CALLS
    booked = {entry.call.served.message_id: entry.call.served.usage for entry in list(box.books)[since:]}
    metered = {stored.call.served.message_id: stored.call for stored in gateway.calls}
    assert {name: call.served.usage for name, call in metered.items()} == booked
    assert all(call.duration_ms >= 0 for call in metered.values())
    assert gateway.unsettled == []


def test_an_upstream_that_comes_and_goes_is_a_502_in_between(box, nursery, tmp_path):
    """A chain of two: the one in the middle is killed and comes back on its port."""
    since = len(box.books)
    middle, far = tmp_path / "middle", tmp_path / "far"
    middle.mkdir()
    far.mkdir()
    pid, address = nursery.start(middle, box.base_url)
    near, base_url = nursery.start(far, address)
    for number in range(4):
        assert call(base_url, box.key, number)
    nursery.end(pid, signal.SIGKILL)
    with pytest.raises(AssertionError):
        call(base_url, box.key, 0)
    pid, _ = nursery.start(middle, box.base_url, port=urlsplit(address).port)
    for number in range(4):
        assert call(base_url, box.key, number)
    assert nursery.end(near) == nursery.end(pid) == 0
    for folder in (middle, far):
        reckon(folder, box, since, set(), 0)


def test_a_hangup_ends_nothing(box, nursery, tmp_path):
    pid, base_url = nursery.start(tmp_path, box.base_url)
    assert call(base_url, box.key, 0)
    os.kill(pid, signal.SIGHUP)
    assert all(call(base_url, box.key, number) for number in range(4))
    assert nursery.end(pid) == 0
