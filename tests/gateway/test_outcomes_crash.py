"""kill -9 at every step between a sender of outcomes and the ledger: what was accepted is there, once."""

import contextlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.announced import announced

from farthing.gateway import outcome_rounds
from farthing.gateway.metrics import Metrics
from farthing.gateway.outcome_rounds import OutcomeRounds
from farthing.ledger import open_ledger, outcome_spool
from farthing.ledger.outcome import Outcome
from farthing.ledger.outcome_spool import FOLDER, Spool, line, read, waiting

DEEP = os.environ.get("FARTHING_DEEP") == "1"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CLIENTS, POSTS = 3, 6
UPSTREAM = "http://127.0.0.1:9"  # nothing goes there


def outcome(name, value_pusd=None):
    return Outcome(outcome_id=name, happened_at=NOON, session="s", value_pusd=value_pusd)


# -- every step, one by one -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends everything at once, as far as that can be had without a process of its own."""


@contextlib.contextmanager
def killed_at(step, *modules):
    """Within, the n-th line of some modules is the last one that is reached."""
    left, files = itertools.count(step - 1, -1), {module.__file__ for module in modules}

    def at_line(_frame, event, _argument):
        if event == "line" and next(left) == 0:
            raise Killed
        return at_line

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: at_line if frame.f_code.co_filename in files else None)
    try:
        yield
    finally:
        sys.settrace(before)


def test_a_writer_that_is_killed_at_any_step_leaves_a_whole_file_or_none(tmp_path):
    for step in itertools.count(1):
        folder = tmp_path / str(step)
        Spool(folder).put([line(outcome("before"))])
        spool, accepted = Spool(folder), False
        with contextlib.suppress(Killed), killed_at(step, outcome_spool):
            spool.put([line(outcome("a")), line(outcome("b"))])
            accepted = True
        found = [one.outcome_id for path in waiting(folder) for one in read(path)]
        assert found == ["before", "a", "b"] if accepted else found in (["before"], ["before", "a", "b"])
        if accepted:
            break
    assert step > 30


def test_an_owner_that_is_killed_at_any_step_loses_nothing_and_doubles_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(outcome_spool.os, "fsync", lambda _file: None)
    made = tmp_path / "made.duckdb"
    with open_ledger(made) as ledger:
        ledger.add_outcomes([outcome("known")], received_at=NOON)
    for step in itertools.count(1, 1 if DEEP else 2):
        folder = tmp_path / str(step)
        folder.mkdir()
        spool = Spool(folder / FOLDER)
        spool.put([line(outcome("a", 1)), line(outcome("known"))])
        spool.put([line(outcome("a", 2)), line(outcome("b"))])
        shutil.copy(made, folder / "ledger.duckdb")

        def rounds(folder=folder):
            said = []
            one = OutcomeRounds(folder / "ledger.duckdb", folder / FOLDER, Metrics(), lambda: NOON, said.append)
            return one, said

        over = False
        with contextlib.suppress(Killed), killed_at(step, outcome_rounds, *([outcome_spool] if DEEP else [])):
            rounds()[0].round()
            over = True
        after, said = rounds()
        after.round()
        assert said == []
        with open_ledger(folder / "ledger.duckdb") as ledger:
            assert [(one.outcome_id, one.value_pusd) for one in ledger.outcomes()] == [
                ("a", 2),
                ("b", None),
                ("known", None),
            ]
            _, before = ledger.outcome("a")
            assert [one.outcome.value_pusd for one in before] == [1]
        assert list((folder / FOLDER).iterdir()) == []
        if over:
            break
        shutil.rmtree(folder)
    assert step > 30


# -- whole gateways ---------------------------------------------------------------------------------------------------


def post(base_url, rows):
    """Whether a gateway accepted outcomes; None where it is gone."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=20)
    try:
        headers = {"x-api-key": "k", "content-type": "application/json"}
        connection.request("POST", "/v1/outcomes", json.dumps(rows), headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer.status == 202


def load(base_url, life=""):
    """Each client tells of its own outcomes and corrects one of them every time: the last values that were accepted."""

    def client(own):
        found = {}
        for number in range(POSTS):
            rows = [{"id": f"{life}{own}-{number}", "session": "s"}, {"id": f"{life}{own}", "session": "s"}]
            rows[1]["value_usd"] = number
            if post(base_url, rows) is None:
                break
            found |= {row["id"]: row.get("value_usd") for row in rows}
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        return {name: value for found in pool.map(client, range(CLIENTS)) for name, value in found.items()}


def reckon(folder, accepted):
    """Hold the ledger against what was accepted; one post of each client may be in it whose answer never came."""
    with open_ledger(folder / "ledger.duckdb") as ledger:
        found = {one.outcome_id: one.value_pusd for one in ledger.outcomes()}
    assert accepted.keys() <= found.keys()
    for name, value in accepted.items():
        assert found[name] in ((None,) if value is None else (value * 10**12, (value + 1) * 10**12))
    assert waiting(folder / "journals" / FOLDER) == []


def crash(nursery, folder, kill):
    pid, base_url = nursery.start(folder, UPSTREAM, kill)
    accepted = load(base_url)
    died = nursery.end(pid) == -signal.SIGKILL
    pid, _ = nursery.start(folder, UPSTREAM)
    assert nursery.end(pid) == 0
    reckon(folder, accepted)
    return died, len(accepted)


def test_a_gateway_that_is_killed_at_a_line_about_outcomes(nursery, tmp_path):
    dice = random.Random("outcomes")
    steps = sorted(dice.sample(range(60, 2_500 if DEEP else 1_300), 160 if DEEP else 4))
    lives = []
    for n in steps:
        folder = tmp_path / str(n)
        folder.mkdir()
        lives.append(crash(nursery, folder, ("a line about outcomes", n)))
    assert sum(died for died, _ in lives) >= len(steps) // 2
    assert any(0 < accepted < CLIENTS * (POSTS + 1) for _, accepted in lives)


def test_a_gateway_that_is_killed_at_any_moment_again_and_again(nursery, tmp_path):
    """By the clock, on one ledger, so that calls into the system and the ledger's engine are hit as well."""
    dice, accepted = random.Random(11), {}
    for number in range(60 if DEEP else 4):
        pid, base_url = nursery.start(tmp_path, UPSTREAM)
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load, base_url, f"{number}/")
            time.sleep(dice.uniform(0.05, 0.4))
            assert nursery.end(pid, signal.SIGKILL) == -signal.SIGKILL
            accepted |= loading.result()
    pid, _ = nursery.start(tmp_path, UPSTREAM)
    assert nursery.end(pid) == 0
    assert accepted
    reckon(tmp_path, accepted)


def test_two_gateways_on_one_ledger_and_one_is_killed(nursery, tmp_path):
    doomed, first = nursery.start(tmp_path, UPSTREAM)
    other, second = nursery.start(tmp_path, UPSTREAM)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(load, first, "one/"), pool.submit(load, second, "two/")
        time.sleep(0.05)
        nursery.end(doomed, signal.SIGKILL)
        accepted = one.result() | two.result()
    accepted |= load(second, "three/")
    assert nursery.end(other) == 0
    pid, _ = nursery.start(tmp_path, UPSTREAM)
    assert nursery.end(pid) == 0
    reckon(tmp_path, accepted)


def test_a_disk_that_is_full_refuses_and_what_it_accepted_is_there(nursery, tmp_path):
    pid, base_url = nursery.start(tmp_path, UPSTREAM, file_bytes_max=6_000)
    big = [{"id": f"big-{number}", "session": "s"} for number in range(100)]
    assert post(base_url, big) is False
    assert post(base_url, [{"id": "small", "session": "s"}]) is True
    assert nursery.end(pid) == 0
    said = (tmp_path / "log").read_text()
    assert "POST /v1/outcomes 503 " in said
    assert "the disk does not take outcomes: File too large" in said
    pid, _ = nursery.start(tmp_path, UPSTREAM)
    assert nursery.end(pid) == 0
    reckon(tmp_path, {"small": None})


# -- several workers --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def workers(folder):
    """``farthing serve --workers 2``: its process and address."""
    command = [sys.executable, "-m", "farthing", "serve", "--port", "0", "--workers", "2", "--no-dashboard", "--json"]
    command += ["--upstream", UPSTREAM, "--ledger", str(folder / "ledger.duckdb")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    variables = {"HOME": str(folder), "FARTHING_GATEWAY_INGEST_SECONDS": "1"}
    with subprocess.Popen(command, env=variables, start_new_session=True, **pipes) as process:
        try:
            yield process, announced(process)["base_url"]
        finally:
            process.kill()


def children(pid):
    found = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for child in " ".join(found).split()]


def test_a_worker_is_killed_and_the_owner_takes_up_what_it_left(tmp_path):
    with workers(tmp_path) as (process, base_url):
        accepted = load(base_url, "before/")
        killed = threading.Timer(0.05, lambda: os.kill(children(process.pid)[0], signal.SIGKILL))
        killed.start()
        for number in range(8):
            accepted |= load(base_url, f"{number}/")
        killed.join()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    assert accepted.keys() >= {f"before/{own}" for own in range(CLIENTS)}
    reckon(tmp_path, accepted)


def test_all_are_killed_and_the_next_start_takes_up_what_they_left(nursery, tmp_path):
    with workers(tmp_path) as (process, base_url):
        accepted = load(base_url, "before/")
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load, base_url)
            time.sleep(0.03)
            os.killpg(process.pid, signal.SIGKILL)
            for worker in children(process.pid):
                os.kill(worker, signal.SIGKILL)
            accepted |= loading.result()
    pid, _ = nursery.start(tmp_path, UPSTREAM)
    assert nursery.end(pid) == 0
    reckon(tmp_path, accepted)
