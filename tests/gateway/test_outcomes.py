"""``POST /v1/outcomes`` over a running gateway: answered here, on the disk before the answer, once in the ledger."""

import asyncio
import http.client
import itertools
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.gateway import outcomes
from farthing.gateway.keys import hash_of, new_key
from farthing.gateway.metrics import Metrics
from farthing.gateway.owner import Owner
from farthing.ledger import open_ledger
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.outcome_spool import FOLDER, Spool, line, waiting
from farthing.sources.outcome_intake import BODY_BYTES_MAX, OUTCOMES_MAX
from farthing.sources.outcomes import read_outcome

ASK = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}
OURS = {"id": "t-1", "at": "2026-11-20T12:00:00Z", "session": "s"}
EVENT = {"specversion": "1.0", "id": "e-1", "source": "/crm", "type": "solved", "data": {"session": "s"}}
OWN = {"x-api-key": "sk-ant-of-somebody"}


def local(request):
    """The bytes of a request, its Host being this machine."""
    return request.replace(b"host: gateway", b"host: localhost")


def send(base_url, body, *, method="POST", path="/v1/outcomes", headers=OWN, content_type="application/json"):
    """Status, headers and JSON of one answer."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=20)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"content-type": content_type, **headers})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, dict(answer.getheaders()), json.loads(text) if text else None
    finally:
        connection.close()


def told(gateway):
    """The outcomes of its ledger, once it has ended."""
    gateway.stop()
    with open_ledger(gateway.ledger) as ledger:
        return {one.outcome_id: one for one in ledger.outcomes()}


def spooled(gateway):
    return waiting(gateway.server.journals / FOLDER)


def error_of(answer):
    status, _, said = answer
    assert said["type"] == "error"
    assert said["error"]["message"].startswith("farthing: ")
    return status, said["error"]["type"]


# -- from calls to what an outcome cost -------------------------------------------------------------------------------


def call(base_url, key, **headers):
    request = urllib.request.Request(
        f"{base_url}/v1/messages",
        json.dumps(ASK).encode(),
        {"x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["id"]


def test_calls_are_metered_outcomes_told_and_the_command_says_what_each_cost(box, gateway, root, tmp_path):
    """Told as docs/outcomes.md shows it, before and after the calls, by session, request and tag, and some twice."""
    page = (root / "docs" / "outcomes.md").read_text(encoding="utf-8")
    (snippet,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def tell" in code]
    names = {}
    exec(snippet, names)
    tell = names["tell"]

    early = {"id": "early", "session": "s-1", "status": "success", "revenue_usd": "0.99", "tenant": "acme"}
    assert tell(gateway.base_url, box.key, [early]) == []
    for _ in range(3):
        call(gateway.base_url, box.key, **{"x-farthing-tag-session": "s-1", "x-farthing-tag-tenant": "acme"})
    named = call(gateway.base_url, box.key, **{"x-farthing-tag-tenant": "acme"})
    for _ in range(2):
        call(gateway.base_url, box.key, **{"x-farthing-tag-ticket": "7", "x-farthing-tag-tenant": "bolt"})
    call(gateway.base_url, box.key)
    late = [
        {"id": "by request", "request_id": named, "status": "failure", "tenant": "acme"},
        {"id": "by tag", "tag": "ticket=7", "status": "success", "tenant": "bolt"},
    ]
    assert tell(gateway.base_url, box.key, late) == []
    assert tell(gateway.base_url, box.key, [early, *late]) == []
    (bad,) = tell(gateway.base_url, box.key, [{"id": "names no calls"}, early])
    assert bad["index"] == 0
    assert len(box.books) == 7, "nothing of it went upstream"
    gateway.stop()

    each = next(iter(box.books)).pusd
    assert [entry.pusd for entry in box.books] == [each] * 7
    command = [sys.executable, "-m", "farthing", "outcomes", "report", "--json", "--ledger", str(gateway.ledger)]
    done = subprocess.run(command, capture_output=True, check=True, env={"HOME": str(tmp_path)})
    report = json.loads(done.stdout, parse_float=Decimal)
    rows = {row["key"]["tenant"]: row for row in report["rows"]}
    usd = Decimal(each) / 10**12
    assert Decimal(rows["acme"]["cost_usd"]) == 4 * usd
    assert Decimal(rows["bolt"]["cost_usd"]) == 2 * usd
    assert Decimal(rows["acme"]["cost_per_outcome_usd"]) == 2 * usd
    assert Decimal(rows["acme"]["cost_per_success_usd"]) == 4 * usd
    assert Decimal(rows["bolt"]["cost_per_success_usd"]) == 2 * usd
    assert Decimal(rows["acme"]["margin_usd"]) == Decimal("0.99") - 4 * usd


# -- what is taken ----------------------------------------------------------------------------------------------------


def test_events_in_structured_mode_and_in_batches(gateway):
    base_url, batch = gateway.base_url, [EVENT, EVENT | {"id": "e-2"}]
    assert send(base_url, EVENT, content_type="application/cloudevents+json; charset=utf-8")[0] == 202
    assert send(base_url, batch, content_type="application/cloudevents-batch+json")[0] == 202
    assert send(base_url, [*batch, OURS])[2] == {"accepted": 3, "errors": []}
    assert told(gateway).keys() == {"/crm e-1", "/crm e-2", "t-1"}
    counts = [gateway.metrics.value("farthing_outcomes_ingested_total", were) for were in ("new", "known", "corrected")]
    assert counts == [3, 3, 0]


def test_the_same_body_counts_once_and_a_later_word_wins(gateway):
    for status in ("success", "success", "failure", "success"):
        assert send(gateway.base_url, OURS | {"status": status})[0] == 202
    assert told(gateway)["t-1"].status == "failure"  # what was told before changes nothing
    with open_ledger(gateway.ledger) as ledger:
        _, (before,) = ledger.outcome("t-1")
    assert before.outcome.status == "success"


def test_corrections_keep_their_order_whatever_files_they_came_in(gateway):
    for number in range(40):
        assert send(gateway.base_url, OURS | {"value_usd": number})[0] == 202
    assert told(gateway)["t-1"].value_pusd == 39 * 10**12


def test_bad_ones_are_named_and_the_good_ones_kept(gateway):
    status, _, said = send(gateway.base_url, [OURS, {"id": "x"}, 3, OURS | {"id": "y", "sesion": "s"}])
    assert (status, said["accepted"], [one["index"] for one in said["errors"]]) == (422, 1, [1, 2, 3])
    assert "expected session" in said["errors"][2]["error"]
    assert told(gateway).keys() == {"t-1"}
    assert gateway.metrics.value("farthing_outcomes_total", "accepted") == 1
    assert gateway.metrics.value("farthing_outcomes_total", "refused") == 3


def test_an_accepted_outcome_is_on_the_disk_when_its_sender_hears_of_it(gateway, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr("farthing.ledger.outcome_spool.os.fsync", lambda file: (sync(file), synced.append(file)))
    assert send(gateway.base_url, OURS)[0] == 202
    assert len(synced) >= 2  # the file and its folder
    assert send(gateway.base_url, [])[2] == {"accepted": 0, "errors": []}
    assert send(gateway.base_url, [3])[0] == 422
    assert len(spooled(gateway)) == 1


def test_no_text_of_an_outcome_is_logged_or_counted(gateway):
    secret = "a-word-of-its-own"
    fields = {"id": secret, "session": secret, "outcome": secret, "tenant": secret}
    for body in (fields, fields | {secret: 1}, [fields, {"status": secret}], secret.encode()):
        send(gateway.base_url, body, content_type="application/json")
        send(gateway.base_url, body, path=f"/v1/outcomes?{secret}", headers={**OWN, "content-type": secret})
    assert secret in told(gateway)
    assert secret not in "\n".join(gateway.log) + gateway.metrics.text()
    assert re.fullmatch(r"POST /v1/outcomes 202 \d+ ms 1 outcomes", gateway.log[0])


# -- what is not ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_told_which_one_there_is(box, gateway, method):
    status, headers, _ = send(gateway.base_url, None, method=method)
    assert (status, headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/v1/outcomes/", "/v1/outcomes/t-1", "/v1/%6futcomes/x", "/v1/outcomes%2f"])
def test_nothing_below_the_path_is_forwarded(raw_upstream, gateway_to, path):
    assert send(gateway_to(raw_upstream.url).base_url, OURS, path=path)[0] in {400, 404}
    assert raw_upstream.seen == []


def test_the_path_under_any_name_is_answered_here(raw_upstream, gateway_to):
    gateway = gateway_to(raw_upstream.url)
    for path in ("/v1/%6Futcomes", "/v1/outcomes?x=1"):
        assert send(gateway.base_url, OURS, path=path)[0] == 202
    assert raw_upstream.seen == []


@pytest.mark.parametrize(
    ("body", "how", "told"),
    [
        (b"{", {}, (400, "invalid_request_error")),
        (b"", {}, (400, "invalid_request_error")),
        (b"{}", {"content_type": "text/plain"}, (415, "invalid_request_error")),
        (b"{}", {"headers": {**OWN, "content-encoding": "gzip"}}, (415, "invalid_request_error")),
        (b"{}", {"headers": {**OWN, "ce-specversion": "1.0"}}, (415, "invalid_request_error")),
        (b"{}", {"headers": {}}, (401, "authentication_error")),
        (b"{}", {"headers": {**OWN, "host": "rebound.example"}}, (403, "permission_error")),
        (b"{}", {"headers": {**OWN, "x-forwarded-for": "127.0.0.1"}}, (403, "permission_error")),
        (b" " * (BODY_BYTES_MAX + 1), {}, (413, "request_too_large")),
        (b"[" + b",".join([b"1"] * (OUTCOMES_MAX + 1)) + b"]", {}, (413, "request_too_large")),
    ],
)
def test_what_is_refused_as_a_whole(gateway, body, how, told):
    assert error_of(send(gateway.base_url, body, **how)) == told
    assert spooled(gateway) == []


def test_a_body_without_a_stated_end_is_bounded_as_well(gateway, wire):
    head = wire.request(None, target=b"/v1/outcomes", headers=(b"x-api-key: k", b"transfer-encoding: chunked"))
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    answer = wire.talk(gateway.base_url, local(head) + chunk * 17)
    assert answer.status == 413


def test_a_client_that_asks_first_is_refused_before_it_sends(gateway, wire):
    headers = (b"x-api-key: k", b"expect: 100-continue", b"content-length: 9000000")
    request = local(wire.request(None, target=b"/v1/outcomes", headers=headers))
    answer = wire.talk(gateway.base_url, request)
    assert answer.status == 413
    assert b"100 Continue" not in answer.head


def test_a_body_that_pauses_too_long_is_cut_off(box, gateway_to, wire):
    gateway = gateway_to(box.base_url, client_timeout_seconds=0.3)
    request = local(wire.request(json.dumps(OURS).encode(), target=b"/v1/outcomes"))
    assert wire.talk(gateway.base_url, request[:-5]) is None
    assert wire.talk(gateway.base_url, request).status == 202
    gateway.stop()
    assert gateway.log[0].startswith("POST /v1/outcomes - ")
    assert gateway.metrics.value("farthing_requests_total", "0") == 1


def test_bodies_under_way_are_bounded_together(gateway, wire, monkeypatch):
    monkeypatch.setattr(outcomes, "_HELD_BYTES_MAX", 100_000)
    big = json.dumps([OURS | {"id": str(number)} for number in range(1_000)]).encode()
    request = local(wire.request(big, target=b"/v1/outcomes"))
    with wire.connected(gateway.base_url) as slow:
        slow.sendall(request[:60_000])
        for _ in range(2_000):
            answer = wire.talk(gateway.base_url, request)
            if answer.status == 503:
                break
            time.sleep(0.01)
        assert answer.status == 503
        assert answer.field(b"retry-after") == b"10"
        slow.sendall(request[60_000:])
        assert wire.read_answer(slow).status == 202
    assert wire.talk(gateway.base_url, request).status == 202


def test_so_many_tell_at_once_and_calls_have_places_of_their_own(box, gateway_to, wire, monkeypatch):
    monkeypatch.setattr(outcomes, "_POSTS_MAX", 1)
    gateway = gateway_to(box.base_url, calls_max=1)
    request = local(wire.request(json.dumps(OURS).encode(), target=b"/v1/outcomes"))
    with wire.connected(gateway.base_url) as slow:
        slow.sendall(request[:-5])
        for _ in range(2_000):
            if gateway.server._running.outcomes.under_way == 1:
                break
            time.sleep(0.01)
        assert wire.talk(gateway.base_url, request).status == 503
        assert call(gateway.base_url, box.key)
        assert "farthing_requests_under_way 1" in gateway.metrics.text()
        slow.sendall(request[-5:])
        assert wire.read_answer(slow).status == 202
    assert wire.talk(gateway.base_url, request).status == 202


def test_others_have_their_turns_while_many_outcomes_are_read(tmp_path):
    class Sender:
        body_complete = False

        async def body(self):
            self.body_complete = True
            return json.dumps([OURS] * 2_000).encode()

    async def run():
        desk = outcomes.OutcomeDesk(tmp_path / FOLDER, Metrics(), lambda: datetime.now(UTC), print)
        taking, turns = asyncio.create_task(desk.take(Sender(), [], None)), 0
        while not taking.done():
            await asyncio.sleep(0)
            turns += 1
        await desk.close()
        return taking.result(), turns

    told, turns = asyncio.run(run())
    assert (told.status, told.accepted) == (202, 2_000)
    assert turns >= 100


# -- whose ------------------------------------------------------------------------------------------------------------

KEYS = {name: new_key() for name in ("acme", "bolt", "desk", "bound", "narrow", "gone")}


@pytest.fixture
def keyed(box, gateway_to, tmp_path):
    sets = {"acme": '{ tenant = "acme" }', "bolt": '{ tenant = "bolt" }'}
    more = {"bound": 'models = ["claude-haiku-*"]', "narrow": 'paths = ["/v1/messages"]', "gone": "disabled = true"}
    entries = "".join(
        f'[[key]]\nid = "{name}"\nhash = "{hash_of(key)}"\nset = {sets.get(name, "{}")}\n{more.get(name, "")}\n'
        for name, key in KEYS.items()
    )
    (tmp_path / "keys.toml").write_text(
        'mode = "virtual or own"\n[upstream.main]\nkey_file = "upstream.key"\n' + entries
    )
    (tmp_path / "upstream.key").write_text(box.key)
    return gateway_to(box.base_url, now=box.clock.now, keys=tmp_path / "keys.toml")


def test_a_key_tells_of_its_own_tenant_alone(keyed):
    def tell(name, *rows):
        return send(keyed.base_url, list(rows), headers={"x-api-key": KEYS[name], "x-farthing-tag-tenant": "zeta"})

    assert tell("acme", OURS)[0] == 202
    assert tell("bolt", OURS | {"status": "failure"})[0] == 202
    status, _, said = tell("bolt", OURS | {"tenant": "acme", "status": "failure"}, OURS | {"id": "acme/t-1"})
    assert (status, said["accepted"], said["errors"][0]["index"]) == (422, 1, 0)
    assert tell("desk", OURS | {"id": "d", "tenant": "acme"})[0] == 202
    found = {name: (one.tenant, one.status) for name, one in told(keyed).items()}
    assert found == {
        "acme/t-1": ("acme", "other"),
        "bolt/t-1": ("bolt", "failure"),
        "bolt/acme/t-1": ("bolt", "other"),
        "d": ("acme", "other"),
    }


def test_a_rule_of_the_operators_says_whose_they_are(box, gateway_to, tmp_path):
    (tmp_path / "rules.toml").write_text('[[rule]]\nheader = { "x-team" = "*" }\nset = { tenant = "acme" }\n')
    gateway = gateway_to(box.base_url, rules=tmp_path / "rules.toml")
    assert send(gateway.base_url, OURS, headers={**OWN, "x-team": "billing"})[0] == 202
    assert send(gateway.base_url, OURS | {"tenant": "bolt"}, headers={**OWN, "x-team": "billing"})[0] == 422
    assert send(gateway.base_url, OURS | {"tenant": "bolt"})[0] == 202
    assert {name: one.tenant for name, one in told(gateway).items()} == {"acme/t-1": "acme", "t-1": "bolt"}


@pytest.mark.parametrize(
    ("name", "status"), [("bound", 202), ("narrow", 403), ("gone", 401), ("nobody", 401), ("own", 202)]
)
def test_which_keys_may_tell(keyed, name, status):
    credential = {"nobody": new_key(), "own": "sk-ant-own"}.get(name) or KEYS[name]
    for headers in ({"x-api-key": credential}, {"authorization": f"Bearer {credential}"}):
        assert send(keyed.base_url, OURS, headers=headers)[0] == status


def test_a_virtual_key_tells_from_elsewhere_and_a_key_of_ones_own_does_not(keyed):
    elsewhere = {"host": "farthing.example", "x-forwarded-for": "10.0.0.1"}
    assert send(keyed.base_url, OURS, headers={"x-api-key": KEYS["acme"], **elsewhere})[0] == 202
    assert send(keyed.base_url, OURS, headers={"x-api-key": "sk-ant-own", **elsewhere})[0] == 403


# -- when the disk or the ledger is in trouble ------------------------------------------------------------------------


def test_a_full_disk_is_a_503_that_says_when_to_come_back(gateway, monkeypatch):
    def full(*_arguments):
        raise OSError(28, os.strerror(28), "a path")

    with monkeypatch.context() as patched:
        patched.setattr("farthing.ledger.outcome_spool.os.fsync", full)
        answers = [send(gateway.base_url, OURS) for _ in range(3)]
        assert send(gateway.base_url, [3])[0] == 422  # what is wrong with it does not depend on the disk
    for answer in answers:
        assert error_of(answer) == (503, "api_error")
        assert answer[1]["retry-after"] == "10"
        said = answer[2]["error"]["message"]
        assert said == (
            "farthing: the disk does not take outcomes: No space left on device; nothing of this request is kept, "
            "send it again later"
        )
    assert send(gateway.base_url, OURS)[0] == 202
    assert told(gateway).keys() == {"t-1"}
    assert [one for one in gateway.log if not one.startswith("POST")] == [
        "the disk does not take outcomes: No space left on device",
        "outcomes are taken again",
    ]


def test_a_defect_of_our_own_leaves_no_sender_waiting(gateway, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("with a secret in its words")

    monkeypatch.setattr(Spool, "put", broken)
    status, _, said = send(gateway.base_url, OURS)
    assert (status, "secret" in json.dumps(said)) == (503, False)
    assert "secret" not in "\n".join(gateway.log)


def test_senders_at_the_same_time_share_a_file(gateway, monkeypatch):
    put, held = Spool.put, threading.Event()

    def slow(spool, lines):
        held.wait(10)
        put(spool, lines)

    monkeypatch.setattr(Spool, "put", slow)
    with ThreadPoolExecutor(12) as pool:
        posts = [pool.submit(send, gateway.base_url, OURS | {"id": str(number)}) for number in range(12)]
        desk = gateway.server._running.outcomes
        for _ in range(1_000):
            if len(desk._waiting) == 11:
                break
            time.sleep(0.01)
        held.set()
        assert [post.result()[0] for post in posts] == [202] * 12
    assert len(spooled(gateway)) == 2
    assert len(told(gateway)) == 12


@pytest.fixture
def left(tmp_path):
    """Puts outcomes into a folder as a process that died left them; then rounds of an owner read them."""
    spool = Spool(tmp_path / FOLDER)

    def put(*rows):
        spool.put([line(read_outcome(OURS | row)) for row in rows])
        return waiting(tmp_path / FOLDER)[-1]

    return put


class Rounds:
    def __init__(self, folder):
        self.metrics, self.log, self.ledger = Metrics(), [], folder / "ledger.duckdb"
        self.owner = Owner(self.ledger, folder, self.metrics, self.log.append)

    def outcomes(self):
        self.owner.ingest()
        with open_ledger(self.ledger) as ledger:
            return [one.outcome_id for one in ledger.outcomes()]

    @property
    def waiting(self):
        return float(re.search(r"(?m)^farthing_outcomes_waiting (.*)$", self.metrics.text())[1])


def test_what_a_dead_process_left_is_taken_up_and_deleted(tmp_path, left):
    left({"id": "a"}, {"id": "b"})
    left({"id": "c"})
    rounds = Rounds(tmp_path)
    assert rounds.outcomes() == ["a", "b", "c"]
    assert rounds.waiting == 0
    assert list((tmp_path / FOLDER).iterdir()) == []
    assert rounds.log == []


def test_a_ledger_that_is_locked_delays_and_loses_nothing(tmp_path, left):
    left({"id": "a"}, {"id": "b"})
    rounds = Rounds(tmp_path)
    rounds.ledger.write_bytes(b"no ledger" * 1_000)
    rounds.owner.ingest()
    rounds.owner.ingest()
    assert rounds.waiting == 2
    assert rounds.metrics.value("farthing_ingest_failures_total") == 2
    (said,) = rounds.log
    assert said.startswith("the ledger did not take outcomes, they are kept: ")
    rounds.ledger.unlink()
    assert rounds.outcomes() == ["a", "b"]
    assert rounds.waiting == 0


def test_a_damaged_file_is_set_aside_and_keeps_no_other_out(tmp_path, left):
    left({"id": "a"})
    damaged = left({"id": "b"})
    left({"id": "c"})
    damaged.write_bytes(damaged.read_bytes()[:-3])
    rounds = Rounds(tmp_path)
    assert rounds.outcomes() == ["a", "c"]
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [damaged.name + ".damaged"]
    assert damaged.name in rounds.log[0]
    assert rounds.outcomes() == ["a", "c"]
    assert len(rounds.log) == 1


def test_an_outcome_that_a_ledger_chokes_on_keeps_no_other_out(tmp_path, left, monkeypatch):
    add = DuckDBLedger.add_outcomes

    def choking(ledger, rows, **how):
        if any(one.outcome_id == "poison" for one in rows):
            raise ZeroDivisionError("with a secret in its words")
        return add(ledger, rows, **how)

    monkeypatch.setattr(DuckDBLedger, "add_outcomes", choking)
    for name in ("a", "poison", "c"):
        left({"id": name})
    rounds = Rounds(tmp_path)
    assert rounds.outcomes() == ["a", "c"]
    assert rounds.waiting == 1
    assert rounds.log == ["the ledger did not take outcomes, they are kept: ZeroDivisionError, a defect of farthing"]


def test_a_file_of_a_newer_version_waits_for_it(tmp_path, left):
    newer = left({"id": "a"})
    left({"id": "b"})
    newer.write_bytes(newer.read_bytes().replace(b"outcomes 1", b"outcomes 9"))
    rounds = Rounds(tmp_path)
    assert rounds.outcomes() == ["b"]
    assert rounds.outcomes() == ["b"]
    assert rounds.waiting == 1
    assert "upgrade farthing" in rounds.log[0]
    assert len(rounds.log) == 1


def test_rounds_at_the_same_time_count_each_outcome_once(tmp_path, left):
    for number in range(10):
        left({"id": str(number)})
    rounds = Rounds(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: rounds.owner.ingest(), range(4)))
    assert len(rounds.outcomes()) == 10
    assert rounds.metrics.value("farthing_outcomes_ingested_total", "new") == 10
    assert waiting(tmp_path / FOLDER) == []


# -- hostile bodies ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lasting(lasting_gateway_to, lasting_upstream):
    return lasting_gateway_to(lasting_upstream.url)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
bodies = (
    st.binary(max_size=60)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from([*OURS, *EVENT, "value_usd", "tag", "status", "tenant"]), json_values).map(
        lambda more: json.dumps([OURS | more, EVENT | more, more]).encode()
    )
    | st.integers(1, 4_000).map(lambda deep: b"[" * deep + b"]" * deep)
    | st.integers(1, 4_000).map(lambda long: b'{"id":%d,"session":"s"}' % 10**long)
)


@given(
    bodies,
    st.sampled_from(
        ["", "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "x"]
    ),
)
def test_whatever_is_sent_gets_one_clear_answer(lasting, body, content_type):
    status, _, said = send(lasting.base_url, body, content_type=content_type)
    if status in {202, 422}:
        assert len(said["errors"]) + said["accepted"] >= 0
        assert bool(said["errors"]) == (status == 422)
        assert all(error["error"].startswith("read ") for error in said["errors"])
    else:
        assert error_of((status, {}, said))[0] in {400, 413, 415}


def test_what_was_fuzzed_is_in_the_ledger_or_was_refused(lasting):
    """After the test above: whatever was accepted, a ledger took."""
    dice = random.Random(5)
    words = ["\x00", "\ud83d", "\u202e", "'; DROP TABLE outcomes; --", "😀", "\r\n", "x" * 200, "{}", "%s", "\x7f"]
    rows = [
        {"id": f"x{one}{two}x", "session": one + "s", "tag": f"{two}a={one}b", "tenant": two, "outcome": one}
        for one, two in itertools.product(words, words)
    ]
    dice.shuffle(rows)
    status, _, said = send(lasting.base_url, rows)
    assert status == 422
    bad = {error["index"] for error in said["errors"]}
    assert said["accepted"] + len(bad) == len(rows)
    assert said["accepted"] > len(rows) // 2
    found = told(lasting)
    good = {row["id"].replace("\ud83d", "\ufffd") for index, row in enumerate(rows) if index not in bad}
    assert good <= found.keys()
    assert spooled(lasting) == []
    assert lasting.metrics.value("farthing_ingest_failures_total") == 0
