"""Applying and undoing in the browser is what the command line does: the same files, figures and refusals."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from tests.dashboard.made import OpenLedger, client_of, form_token, posted

from farthing.call import Call, Served, Usage
from farthing.dashboard.access import HERE, Access, User, hash_of
from farthing.dashboard.asked import Asked
from farthing.dashboard.books import books_of
from farthing.dashboard.pages import playbook_make
from farthing.dashboard.visit import Visit
from farthing.dashboard.web import Site, create_app
from farthing.errors import BadInput
from farthing.ledger import open_ledger
from farthing.money import parse_usd, usd_text

START = datetime(2026, 10, 20, 0, 5, 7, tzinfo=UTC)
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
NIGHTLY = "batch feature=nightly model=claude-sonnet-5-5"
VIEWER, OPERATOR = "viewer-token-0123456789", "operator-token-0123456789"
USERS = Access(
    (
        User(name="vera", token_hash=hash_of(VIEWER)),
        User(name="otto", role="operator", token_hash=hash_of(OPERATOR)),
    )
)


def hourly(hours, *, start=START, tier="standard"):
    """A timer that runs at five past every hour: $0.012 a time at full price."""
    for hour in hours:
        served = Served(
            model="claude-sonnet-5-5",
            usage=Usage(input_tokens=1000, output_tokens=1000),
            service_tier=tier,
            message_id=f"msg_{tier}_{hour}",
        )
        dims = {"feature": "nightly", "session": f"run-{hour}"}
        at = start + timedelta(hours=hour)
        yield Call(call_id=f"{tier}-{hour}", sent_at=at, source="jsonl", served=served, dims=dims)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("FARTHING_LEDGER_PATH", "FARTHING_PLAYBOOK_POLICY", "FARTHING_PLAYBOOK_JOURNAL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def ledger(folder, farthing):
    """Ten days of calls and the plan for them, as the command line makes and keeps it."""
    path = folder / "ledger.duckdb"
    with open_ledger(path) as made:
        made.add(map(posted, hourly(range(240))))
    farthing("playbook", "--ledger", path)
    return path


@pytest.fixture
def own_desk(desk, ledger):
    return desk._replace(
        ledger=ledger,
        plan=ledger.with_name("playbook.plan.json"),
        decisions=ledger.with_name("playbook.journal"),
    )


def site(own_desk, access=None, now=NOW):
    from starlette.testclient import TestClient

    app = create_app(Site(books_of(own_desk.ledger), own_desk, access or Access(is_open=True), lambda: now))
    return TestClient(app, base_url="http://127.0.0.1", follow_redirects=False, client=("127.0.0.1", 40_000))


def page(client, **asked):
    return client.get("/playbook", params={"format": "json", **asked}).json()


def rows(told, name):
    return next((table["rows"] for table in told["tables"] if table["name"] == name), [])


def press(client, act, step, plan=None, **more):
    html = client.get("/playbook").text
    made = page(client)["figures"]["made"]["value"] if plan is None else plan
    fields = {"form_token": form_token(html), "act": act, "step": step, "plan": made, "next": "/playbook"} | more
    return client.post("/playbook", data=fields)


def test_steps_are_those_of_the_command_line(own_desk, farthing):
    told = farthing.json("playbook", "--ledger", own_desk.ledger)
    shown = rows(page(site(own_desk)), "steps")
    wanted = [(one["step"], one["title"], one["a_month"]["usd"], one["kind"], one["effort"]) for one in told["steps"]]
    assert [(one["number"], one["title"], one["usd_a_month"], one["kind"], one["effort"]) for one in shown] == wanted
    assert wanted[0][2] == "4.32"  # 24 x 30 x $0.006


def test_apply_and_undo_are_the_command_lines(own_desk, farthing):
    client, flags = site(own_desk), ["--ledger", own_desk.ledger]
    assert press(client, "apply", NIGHTLY).headers["location"] == "/playbook"
    told = farthing.json("playbook", "status", *flags)
    (entry,) = told["journal"]
    assert (entry["action"], entry["id"], entry["who"]) == ("applied", NIGHTLY, "this machine")
    by_page = own_desk.ledger.with_name("policy.toml").read_bytes()
    assert rows(page(client), "steps")[0]["state"] == f"applied {NOW.isoformat()}"
    assert page(client)["figures"]["applied"]["value"] == "4.32"
    assert press(client, "undo", NIGHTLY).status_code == 303
    assert not own_desk.ledger.with_name("policy.toml").exists()
    assert farthing.json("playbook", "status", *flags)["steps"] == []
    assert [one["action"] for one in rows(page(client), "decisions")] == ["undone", "applied"]
    farthing("playbook", "apply", "1", *flags)
    by_hand = own_desk.ledger.with_name("policy.toml").read_bytes()
    assert _without_times(by_hand) == _without_times(by_page)
    assert "Undo" in client.get("/playbook").text


def _without_times(policy):
    return [line for line in policy.splitlines() if not line.startswith((b"applied_at", b"# predicted"))]


def test_what_cannot_be_done_is_said_and_nothing_is_written(own_desk, farthing):
    client, policy = site(own_desk), own_desk.ledger.with_name("policy.toml")
    for act, step, said in (
        ("apply", "nobody", "is none"),
        ("apply", "", "read no step"),
        ("undo", NIGHTLY, "is none"),
        ("burn", NIGHTLY, "read the act"),
    ):
        answer = press(client, act, step)
        assert answer.status_code == 400
        assert "That cannot be done" in answer.text
        assert said in answer.text
    assert "read a plan of" in press(client, "apply", NIGHTLY, plan="yesterday").text
    assert not policy.exists()
    press(client, "apply", NIGHTLY)
    assert "which is applied" in press(client, "apply", NIGHTLY).text
    policy.write_bytes(policy.read_bytes().replace(b"batch = true", b"batch = false"))
    assert "somebody edited it" in press(client, "undo", NIGHTLY).text
    assert farthing.json("playbook", "status", "--ledger", own_desk.ledger)["steps"][0]["id"] == NIGHTLY


def test_a_plan_that_was_made_anew_since_it_was_read_is_not_applied(own_desk, farthing):
    client = site(own_desk)
    read = page(client)["figures"]["made"]["value"]
    farthing("playbook", "--ledger", own_desk.ledger)
    answer = press(client, "apply", NIGHTLY, plan=read)
    assert answer.status_code == 400
    assert "made anew" in answer.text
    assert not own_desk.decisions.exists()


def test_only_operators_have_buttons_and_their_names_are_in_the_journal(own_desk, farthing):
    for token, may in ((VIEWER, False), (OPERATOR, True)):
        client = site(own_desk, USERS)
        html = client.get("/sign-in").text
        client.post("/sign-in", data={"form_token": form_token(html), "token": token, "next": "/"})
        assert ('value="apply"' in client.get("/playbook").text) == may
        assert press(client, "apply", NIGHTLY).status_code == (303 if may else 403)
    assert farthing.json("playbook", "status", "--ledger", own_desk.ledger)["journal"][0]["who"] == "otto"


def test_predicted_against_realised_is_what_status_says(own_desk, farthing):
    press(site(own_desk, now=datetime(2026, 10, 31, tzinfo=UTC)), "apply", NIGHTLY)
    later = datetime(2026, 11, 1, 0, 5, 7, tzinfo=UTC)
    with open_ledger(own_desk.ledger) as made:
        made.add(map(posted, hourly(range(5), start=later, tier="batch")))
    (one,) = rows(page(site(own_desk)), "came_of_it")
    (told,) = farthing.json("playbook", "status", "--ledger", own_desk.ledger)["steps"]
    assert (one["realised_usd"], one["kind"], one["says"]) == (told["realised_usd"], told["kind"], told["says"])
    assert one["realised_usd"] == usd_text(5 * parse_usd("0.006"))
    assert one["predicted_usd"] == usd_text(parse_usd("4.32") * 21 // (2 * 30))  # ten days and a half of thirty
    assert one["range"] == "$4.32 to $4.32"


def test_one_step_says_what_to_change_and_what_came_of_it(own_desk, farthing):
    told = farthing.json("playbook", "--step", "1", "--ledger", own_desk.ledger)
    client = site(own_desk)
    html = client.get("/playbook", params={"open": NIGHTLY}).text
    for said in ("what to change", "verify", "batch = true", "does not act on it yet", "Apply"):
        assert said in html
    shown = page(client, open=NIGHTLY)["figures"]
    assert (shown["alone"]["value"], shown["calls"]["value"]) == (told["saved_alone_usd"], told["calls"])
    press(client, "apply", NIGHTLY)
    opened = client.get("/playbook", params={"open": NIGHTLY}).text
    assert "no such calls since" in opened
    assert "Undo" in opened
    own_desk.plan.unlink()
    assert "Undo" in client.get("/playbook", params={"open": NIGHTLY}).text  # the journal has it still
    assert client.get("/playbook?open=nobody").status_code == 404


def test_the_first_page_says_how_sure_all_steps_together_are(own_desk):
    client = site(own_desk)
    plan, tile = (client.get(f"{path}?format=json").json()["figures"] for path in ("/playbook", "/"))
    assert tile["would_save"]["detail"].endswith(f", {plan['would_save']['kind']}")


def test_an_old_plan_and_one_that_cannot_be_read_say_so(own_desk):
    assert "An old plan" not in site(own_desk).get("/playbook").text
    assert "An old plan" in site(own_desk, now=datetime.now(UTC) + timedelta(days=15)).get("/playbook").text
    kept = json.loads(own_desk.plan.read_bytes())
    for other in ({}, {**kept, "form": 0}, {**kept, "form": kept["form"] + 1, "told": {}}):
        own_desk.plan.write_text(json.dumps(other), encoding="utf-8")
        assert "cannot be read" in site(own_desk).get("/playbook").text
    own_desk.plan.unlink()
    assert "No plan yet" in site(own_desk).get("/playbook").text


def test_where_calls_are_too_many_the_page_says_which_command_tells(own_desk, monkeypatch):
    client = site(own_desk)
    press(client, "apply", NIGHTLY)
    monkeypatch.setattr("farthing.dashboard.pages.playbook_came.CALLS_READ_MAX", 100)
    html = client.get("/playbook").text
    assert "farthing playbook status" in html
    assert "Undo" in html


def test_a_plan_made_from_the_page_is_the_command_lines(own_desk, farthing):
    wanted = farthing.json("playbook", "--ledger", own_desk.ledger)
    own_desk.plan.unlink()
    client = site(own_desk)
    assert "Make a plan now" in client.get("/playbook").text
    assert press(client, "plan", "", plan="").status_code == 303
    playbook_make.making_of(Visit(Asked(), None, own_desk, HERE, NOW)).thread.join()
    told = json.loads(own_desk.plan.read_bytes())
    assert told["told"] == wanted
    assert rows(page(client), "steps")[0]["usd_a_month"] == wanted["steps"][0]["a_month"]["usd"]
    assert page(client)["figures"]["made"]["value"] == NOW.isoformat()
    assert press(client, "apply", NIGHTLY).status_code == 303


def test_while_a_plan_is_made_the_page_says_so_and_looks_again(own_desk, monkeypatch):
    may_end = threading.Event()
    monkeypatch.setattr("farthing.whatif.playbook.plan.plan", lambda *_, **__: may_end.wait(60) and _fails())
    client = site(own_desk)
    press(client, "plan", "")
    html = client.get("/playbook").text
    assert "A plan is being made" in html
    assert "data-refresh-s" in html
    assert "Make a plan now" not in html
    assert "while one is being made" in press(client, "plan", "").text
    may_end.set()
    playbook_make.making_of(Visit(Asked(), None, own_desk, HERE, NOW)).thread.join()
    html = client.get("/playbook").text
    assert "No plan was made" in html
    assert "no luck" in html
    assert NIGHTLY in [one["id"] for one in json.loads(own_desk.plan.read_bytes())["steps"]]  # the former one stays


def _fails():
    raise BadInput("found no luck", "some")


def test_of_many_calls_a_plan_is_made_on_the_command_line(own_desk, monkeypatch):
    monkeypatch.setattr(playbook_make, "CALLS_MAX", 100)
    client = site(own_desk)
    assert "Make a plan now" not in client.get("/playbook").text
    assert "run farthing playbook" in press(client, "plan", "").text


def test_a_plan_without_steps(desk, folder, farthing):
    path = folder / "ledger.duckdb"
    with open_ledger(path) as made:
        made.add(map(posted, hourly(range(0, 240, 11))))
    farthing("playbook", "--ledger", path)
    own = desk._replace(ledger=path, plan=folder / "playbook.plan.json", decisions=folder / "playbook.journal")
    assert "Nothing was found" in client_of(OpenLedger(), own).get("/playbook").text
