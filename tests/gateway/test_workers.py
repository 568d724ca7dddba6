"""Several workers on one port: one gateway to whoever looks, even while workers are killed."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anthropic
import pytest
from tests.announced import announced

from farthing import testing
from farthing.gateway.board import Board, Slot
from farthing.gateway.keys import hash_of, new_key
from farthing.gateway.metrics import Metrics
from farthing.gateway.supervisor import pause_s
from farthing.ledger import journal, open_ledger
from farthing.ledger.content import ContentStore
from farthing.ledger.interface import Query
from farthing.limits.refusal_store import read_refusals
from farthing.limits.refusals import by_case
from farthing.limits.store import STORE_NAME, SqliteBank

ASK = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}


# -- the board --------------------------------------------------------------------------------------------------------


def test_a_worker_goes_on_counting_where_the_one_before_it_was_killed(tmp_path):
    first = Slot(tmp_path / "1")
    first.add(("farthing_calls_total", "billed"), 2)
    first.show("farthing_workers", 1)
    second = Slot(tmp_path / "1")  # nothing of the first was closed or flushed
    assert second.counts() == {("farthing_calls_total", "billed"): 2}
    second.take_down()
    assert second.gauges() == {"farthing_workers": 0}
    second.add(("farthing_calls_total", "billed"), 1)
    second.add(("farthing_retries_total", ""), 0.5)
    assert first.counts() == {("farthing_calls_total", "billed"): 3, ("farthing_retries_total", ""): 0.5}


def test_a_full_board_drops_new_names_and_keeps_the_old_ones(tmp_path):
    slot = Slot(tmp_path / "1")
    for number in range(600):
        slot.add(("n", str(number)), 1)
    slot.add(("n" * 200, ""), 1)
    slot.add(("n", "0"), 1)
    assert len(slot.counts()) == 512
    assert slot.counts()["n", "0"] == 2


def test_metrics_are_the_sum_over_processes(tmp_path):
    one, two = (Metrics(Board(tmp_path, own, 2)) for own in (1, 2))
    for metrics, calls in ((one, 3), (two, 4)):
        metrics.count("farthing_calls_total", "billed", calls)
        metrics.gauge("farthing_workers", lambda: 1)
    one.publish()
    assert not two.all_ready
    text = two.text().splitlines()
    assert 'farthing_calls_total{outcome="billed"} 7.0' in text
    assert "farthing_workers 2.0" in text
    assert one.all_ready
    assert one.value("farthing_calls_total", "billed") == 3


def test_a_worker_that_keeps_dying_is_replaced_ever_more_slowly():
    pause, pauses = 0.0, []
    for _ in range(12):
        pause = pause_s(pause, lived_s=0.1)
        pauses.append(pause)
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert pauses[-1] == 30.0
    assert pause_s(pause, lived_s=11) == 0.1


# -- processes --------------------------------------------------------------------------------------------------------


class Served:
    """``farthing serve --workers 2`` in front of a sandbox on the machine's clock."""

    def __init__(self, folder, upstream, *arguments, **variables):
        (folder / "token").write_text("t")
        self.folder = folder
        self.log = (folder / "log").open("w+")
        ledger = str(folder / "ledger.duckdb")
        command = [sys.executable, "-m", "farthing", "serve", "--port", "0", "--no-dashboard", "--json"]
        command += ["--ledger", ledger]
        command += ["--upstream", upstream, "--workers", "2", *arguments]
        variables |= {"HOME": str(folder), "FARTHING_GATEWAY_METRICS_TOKEN_FILE": str(folder / "token")}
        variables |= {"FARTHING_GATEWAY_INGEST_SECONDS": "1", "FARTHING_GATEWAY_SHUTDOWN_SECONDS": "5"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=variables, text=True)
        self.facts = announced(self.process)
        self.base_url = self.facts["base_url"]

    def get(self, path):
        request = urllib.request.Request(self.base_url + path, headers={"authorization": "Bearer t"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""

    def until(self, true):
        for _ in range(2_400):
            if true():
                return
            time.sleep(0.05)
        raise AssertionError(self.logged)

    def until_ready(self):
        self.until(lambda: self.get("/readyz")[0] == 200)

    def metric(self, name):
        found = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(name)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    @property
    def workers(self):
        children = [one.read_text() for one in Path(f"/proc/{self.process.pid}/task").glob("*/children")]
        return [int(child) for child in " ".join(children).split()]

    @property
    def logged(self):
        return (self.folder / "log").read_text()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        assert self.process.wait(timeout=120) == 0, self.logged

    def calls(self):
        with open_ledger(self.folder / "ledger.duckdb") as ledger:
            return list(ledger.calls(Query())), ledger.unsettled()


@pytest.fixture
def live():
    with testing.sandbox(start=None) as box:
        yield box


@pytest.fixture
def serve(tmp_path, live):
    with contextlib.ExitStack() as stack:

        def started(*arguments, **variables):
            served = Served(tmp_path, live.base_url, *arguments, **variables)
            stack.callback(served.log.close)
            stack.callback(served.process.communicate)
            stack.callback(served.process.kill)
            served.until_ready()
            return served

        yield started


def test_a_worker_that_is_killed_under_load_loses_nothing(live, serve):
    served = serve()
    assert served.facts["workers"] == len(served.workers) == 2
    answered, killed = threading.Semaphore(0), threading.Event()

    def call(_):
        done = 0
        with anthropic.Anthropic(base_url=served.base_url, api_key=live.key, max_retries=0) as client:
            for _ in range(2_000):
                if done == 5:
                    return
                # A call that the killed worker had is broken off, in whatever way the SDK says so.
                with contextlib.suppress(Exception), client.messages.stream(**ASK) as stream:
                    stream.get_final_message()
                    done += killed.is_set()
                    answered.release()

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call, number) for number in range(4)]
        for _ in range(20):
            assert answered.acquire(timeout=120)
        victim = served.workers[0]
        os.kill(victim, signal.SIGKILL)
        killed.set()
        for one in calls:
            one.result()
    served.until(lambda: len(served.workers) == 2 and victim not in served.workers)
    served.until_ready()
    assert served.metric("farthing_worker_restarts_total") == 1
    billed = served.metric('farthing_calls_total{outcome="billed"}')
    served.end()

    stored, unsettled = served.calls()
    metered = {one.call.served.message_id: one.posting.list_pusd for one in stored}
    booked = {entry.call.served.message_id: entry.pusd for entry in live.books}
    recovered = {one.call.served.message_id for one in stored if "recovered" in one.call.dims}
    # An answer ends for its client after it is settled and counted, so each of the four has at most one under way.
    assert len(recovered) <= 4  # priced by the start of its answer
    assert all(booked[name] == pusd for name, pusd in metered.items() if name not in recovered)
    assert len(booked.keys() - metered.keys()) <= len(unsettled) <= 4  # each one in flight is known, by name
    assert 0 <= len(metered) - billed <= 4  # recovered, or killed between a record and its count
    assert len(metered) >= 40
    assert " ended with -9; another one starts" in served.logged
    assert live.key not in served.logged


def test_books_and_metrics_are_those_of_all_workers_and_open_requests_come_to_their_end(live, serve):
    served = serve()
    through = anthropic.Anthropic(base_url=served.base_url, api_key=live.key, max_retries=0)
    with through as client, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.messages.create(**ASK), range(24)))
    # The last byte of an answer of a stated length may go out a moment before it is counted.
    served.until(lambda: served.metric("farthing_cost_picodollars_total") == live.books.total_pusd)
    assert served.metric('farthing_calls_total{outcome="billed"}') == 24
    assert served.metric("farthing_workers") == 2
    served.until(lambda: served.metric("farthing_requests_under_way") == 0)

    live.reply(testing.Reply(output_tokens=40, event_s=0.02))
    through = anthropic.Anthropic(base_url=served.base_url, api_key=live.key, max_retries=0)
    with through as client, client.messages.stream(**ASK) as stream:
        next(iter(stream))
        served.process.send_signal(signal.SIGINT)
        assert stream.get_final_message().usage.output_tokens == 40
    assert served.process.wait(timeout=120) == 0
    stored, unsettled = served.calls()
    assert (len(stored), unsettled) == (25, [])
    assert sum(one.posting.list_pusd for one in stored) == live.books.total_pusd
    assert len(list(served.folder.glob("journals/*.journal"))) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_turns_the_keys_of_every_worker(live, serve, tmp_path, workers):
    key, keys = new_key(), tmp_path / "keys.toml"
    text = f'[upstream.main]\nkey_env = "UPSTREAM"\n[[key]]\nid = "acme"\nhash = "{hash_of(key)}"\n'
    keys.write_text(text)
    served = serve("--workers", str(workers), FARTHING_GATEWAY_KEYS=str(keys), UPSTREAM=live.key)
    with anthropic.Anthropic(base_url=served.base_url, api_key=key, max_retries=0) as client:
        client.messages.create(**ASK)
    keys.write_text(text + "disabled = true\n")
    served.process.send_signal(signal.SIGHUP)
    served.until(lambda: served.logged.count("keys read anew") >= workers)
    for _ in range(8):
        refused = anthropic.Anthropic(base_url=served.base_url, api_key=key, max_retries=0)
        with refused as client, pytest.raises(anthropic.AuthenticationError):
            client.models.list()
    served.end()
    assert [one.call.dims["api_key"] for one in served.calls()[0]] == ["acme"]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "token"]
    assert not any(secret.encode() in one for one in kept for secret in (live.key, key))


def test_a_budget_holds_over_workers_with_many_calls_at_once_and_one_of_them_killed(live, serve, tmp_path):
    (tmp_path / "limits.toml").write_text('[[budget]]\nname = "all"\nlimit_usd = "0.02"\nwindow = "total"\n')
    served = serve(FARTHING_GATEWAY_LIMITS=str(tmp_path / "limits.toml"))
    live.reply(*[testing.Reply(output_tokens=100, event_s=0.001)] * 400)
    refused, ended = [], []

    async def call(client, number):
        try:
            async with client.messages.stream(**ASK) as stream:
                await stream.get_final_message()
        except anthropic.APIStatusError as error:
            refused.append(error.body["error"]["message"])
        except Exception:  # noqa: BLE001  the killed worker had it, in whatever way the SDK says so
            ended.append(number)
        if number == 30:
            os.kill(served.workers[0], signal.SIGKILL)

    async def run():
        async with anthropic.AsyncAnthropic(base_url=served.base_url, api_key=live.key, max_retries=0) as client:
            await asyncio.gather(*[call(client, number) for number in range(200)])

    asyncio.run(run())
    served.until(lambda: "another one starts" in served.logged)
    served.end()
    with contextlib.closing(SqliteBank(tmp_path / STORE_NAME)) as bank:
        (line,) = bank.lines()
    assert 0 < live.books.total_pusd <= line.spent_pusd + line.held_pusd <= 20_000_000_000
    assert len(refused) > 50
    assert all(message.startswith("farthing: budget all") for message in refused)
    logged = by_case(read_refusals(tmp_path / "ledger.duckdb", None))
    assert {(case.kind, case.limit, case.why) for case, _ in logged} <= {
        ("budget", "all", "used up"),
        ("budget", "all", "busy"),
    }
    # The killed one loses what it counted in its last second, and may have counted what no client heard of any more.
    assert 0 < sum(tally.calls for _, tally in logged) <= len(refused) + len(ended)


def test_a_worker_that_takes_anothers_place_goes_by_the_limits_of_the_start(live, serve, tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text('[[budget]]\nname = "all"\nlimit_usd = "0.01"\nwindow = "total"\n')
    served = serve(FARTHING_GATEWAY_LIMITS=str(file))
    first = set(served.workers)
    file.write_text("[[budget]]\nhalf a word")
    for worker in first:
        os.kill(worker, signal.SIGKILL)
    served.until(lambda: len(set(served.workers) - first) == 2)
    served.until_ready()
    with anthropic.Anthropic(base_url=served.base_url, api_key=live.key) as client:
        client.messages.create(**ASK)
        with pytest.raises(anthropic.BadRequestError, match=r"the whole budget is \$0\.010"):
            client.messages.create(**ASK | {"max_tokens": 10_000})
    assert "cannot start" not in served.logged
    served.end()


def sockets(process):
    return sum(str(one.readlink()).startswith("socket:") for one in Path(f"/proc/{process}/fd").iterdir())


def test_what_a_killed_worker_held_of_a_budget_is_let_go_and_can_be_spent_to_its_end(live, serve, tmp_path):
    limit_pusd = 20_000_000_000
    (tmp_path / "limits.toml").write_text('[[budget]]\nname = "all"\nlimit_usd = "0.02"\nwindow = "total"\n')
    served = serve(FARTHING_GATEWAY_LIMITS=str(tmp_path / "limits.toml"))
    live.reply(*[testing.Reply(output_tokens=40, event_s=0.1)] * 28)  # so that most of the time is spent under way
    answered, killed = threading.Semaphore(0), threading.Event()

    def call(_):
        with anthropic.Anthropic(base_url=served.base_url, api_key=live.key, max_retries=0) as client:
            while not killed.is_set():
                with contextlib.suppress(Exception), client.messages.stream(**ASK) as stream:
                    stream.get_final_message()
                    answered.release()

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, number) for number in range(8)]
        for _ in range(12):
            assert answered.acquire(timeout=120)
        os.kill(max(served.workers, key=sockets), signal.SIGKILL)
        killed.set()
        for one in calls:
            one.result()
    served.until(lambda: "budgets let go what a process held" in served.logged)

    live.reply(*[testing.Reply(output_tokens=40)] * 400)
    refused = 0  # in a row: an idle slice of the other worker comes back within a second or two
    while refused < 6:
        with anthropic.Anthropic(base_url=served.base_url, api_key=live.key, max_retries=0) as client:
            try:
                client.messages.create(**ASK)
                refused = 0
            except anthropic.APIStatusError:
                refused += 1
                time.sleep(0.5)
    served.end()

    written = [one.record for path in tmp_path.glob("journals/*.journal") for one in journal.read(path)]
    reserved = {one.entry: int(one.holds[0].pusd) for one in written if isinstance(one, journal.Begun)}
    settled = {one.entry: one.stored.call.served.message_id for one in written if isinstance(one, journal.Settled)}
    booked = {entry.call.served.message_id: entry.pusd for entry in live.books}
    under_way = reserved.keys() - settled.keys()
    with contextlib.closing(SqliteBank(tmp_path / STORE_NAME)) as bank:
        (line,) = bank.lines()
    assert line.spent_pusd == sum(booked[name] for name in settled.values())
    assert line.held_pusd == line.presumed_pusd == sum(reserved[name] for name in under_way)
    assert 1 <= len(under_way) <= 8
    assert live.books.total_pusd <= line.spent_pusd + line.held_pusd <= limit_pusd
    assert limit_pusd - line.spent_pusd - line.held_pusd < max(reserved.values()), "no call had fitted any more"


def test_workers_keep_content_in_one_store_that_a_kill_leaves_whole(live, serve, tmp_path):
    served = serve(FARTHING_GATEWAY_CONTENT="full")

    def call(number):
        ask = {**ASK, "messages": [{"role": "user", "content": f"Say <<output:40>> {number}."}]}
        with (
            anthropic.Anthropic(base_url=served.base_url, api_key=live.key, max_retries=0) as client,
            contextlib.suppress(anthropic.APIConnectionError),
        ):
            client.messages.create(**ask)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(20)))
        served.until(lambda: served.metric("farthing_content_kept_total") == 20)
        calls = [pool.submit(call, number) for number in range(20, 40)]
        os.kill(served.workers[0], signal.SIGKILL)
        for one in calls:
            one.result()
    served.until_ready()
    call(40)
    served.end()
    billed = {stored.call.call_id for stored in served.calls()[0]}
    with ContentStore(tmp_path / "content.sqlite") as store:
        assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = [store.find(name) for (name,) in store._db.execute("SELECT gateway_call FROM content").fetchall()]
    said = {json.loads(one.request.body)["messages"][0]["content"] for one in kept}
    assert {f"Say <<output:40>> {number}." for number in (*range(20), 40)} <= said
    assert {one.call_id for one in kept if not one.answer.note} <= billed


def test_workers_end_with_the_process_that_keeps_them(live, serve):
    served = serve()
    with anthropic.Anthropic(base_url=served.base_url, api_key=live.key, max_retries=0) as client:
        client.messages.create(**ASK)
    workers = served.workers
    served.process.kill()
    served.process.wait()
    served.until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    later = serve()
    later.end()
    stored, unsettled = later.calls()
    assert ([one.posting.list_pusd for one in stored], unsettled) == ([live.books.total_pusd], [])
