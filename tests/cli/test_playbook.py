"""``farthing playbook``: the plan, and what is decided about it, on a small ledger."""

import json
from datetime import UTC, datetime, timedelta

import pytest

START = datetime(2026, 10, 20, tzinfo=UTC)


def rows(farthing, hours, feature="nightly"):
    usage = {"input_tokens": 1000, "output_tokens": 1000}
    for hour in hours:
        at = (START + timedelta(hours=hour, minutes=5, seconds=7)).isoformat()
        tags = {"feature": feature, "session": f"run-{hour}"}
        yield farthing.row(model="claude-sonnet-5-5", at=at, usage=usage, tags=tags)


@pytest.fixture
def ledger(farthing, monkeypatch):
    """Ten days of a timer that runs at five past every hour, at full price: $0.012 a time."""
    monkeypatch.setenv("COLUMNS", "200")
    farthing("import", "jsonl", "-", stdin=farthing.lines(*rows(farthing, range(240))))
    return farthing


def test_a_plan_sums_and_says_everything(ledger):
    told = ledger.json("playbook")
    (step,) = told["steps"]
    assert step["id"] == "batch feature=nightly model=claude-sonnet-5-5"
    assert (told["before_usd"], told["after_usd"], told["saved_usd"]) == ("2.88", "1.44", "1.44")
    assert step["a_month"] == {"usd": "4.32", "low_usd": "4.32", "high_usd": "4.32"}  # all days are alike
    assert told["window"] == {"first": "2026-10-20", "last": "2026-10-29", "days": 10}
    assert (step["kind"], step["risk"], step["free"]) == ("derived", "answers come later", False)
    assert 'where = { "feature" = ["nightly"]' in step["configuration"]
    assert len(told["guides"]) == 6
    for call_id in step["evidence"]:
        ledger("explain", call_id)


def test_the_text_begins_with_the_back_test(ledger):
    shown = ledger("playbook").stdout
    assert shown.startswith("Back-test: 240 calls cost $2.88")
    for text in ("Together $4.32 a month", "answers come later", "six steps of published guides", "verify", "$0 "):
        assert text in shown
    assert "batch = true" in ledger("playbook", "--step", "1").stdout
    assert "1 to 1" in ledger.json("playbook", "--step", "2", code=1)["error"]
    assert ledger.json("playbook", "--step", "1")["step"] == 1


def test_few_days_say_so(ledger):
    told = ledger.json("playbook", "--until", "2026-10-22")
    assert told["window"]["days"] == 3
    assert told["steps"][0]["a_month"]["low_usd"] is None
    assert "no range is known well" in ledger("playbook", "--until", "2026-10-22").stdout


def test_nothing_to_save_is_said_clearly(farthing):
    calls = rows(farthing, range(0, 240, 11), "odd")
    farthing("import", "jsonl", "-", stdin=farthing.lines(*calls))
    shown = farthing("playbook").stdout
    assert "Nothing to save was found" in shown
    assert farthing.json("playbook")["saved_usd"] == "0"
    assert "no step" in farthing.json("playbook", "apply", code=1)["error"]
    assert farthing.json("playbook", "apply", "--all")["entries"] == []


def test_without_calls(farthing):
    assert "found no ledger" in farthing.json("playbook", code=1)["error"]
    farthing("import", "jsonl", "-", stdin="")
    assert "no call in the ledger" in farthing.json("playbook", code=1)["error"]
    farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row()))
    assert "no call in range" in farthing.json("playbook", "--since", "2027-01-01", code=1)["error"]


def test_calls_without_a_price_alone(farthing):
    farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row(model="unheard-of")))
    assert "No call has an exact price" in farthing("playbook").stdout
    assert farthing.json("playbook")["window"] is None


def test_apply_undo_and_their_journal(ledger, tmp_path):
    assert "run farthing playbook first" in ledger.json("playbook", "apply", "1", code=1)["error"]
    ledger("playbook")
    policy = tmp_path / "policy.toml"
    policy.write_bytes(b"version = 1\n# mine")
    (entry,) = ledger.json("playbook", "apply", "1", "--holdout", "0.05")["entries"]
    assert (entry["action"], entry["predicted_a_month"]["usd"]) == ("applied", "4.32")
    assert policy.read_bytes().startswith(b"version = 1\n# mine\n")
    assert b"holdout_share = 0.05" in policy.read_bytes()
    written = policy.read_bytes()
    assert "which is applied" in ledger.json("playbook", "apply", "nightly", code=1)["error"]
    assert policy.read_bytes() == written
    assert "Took back batch feature=nightly" in ledger("playbook", "undo", "nightly").stdout
    assert policy.read_bytes() == b"version = 1\n# mine"
    assert "no applied step" in ledger.json("playbook", "undo", "--last", code=1)["error"]
    journal = ledger.json("playbook", "status")["journal"]
    assert [one["action"] for one in journal] == ["applied", "undone"]


def test_another_policy_file(ledger, tmp_path):
    ledger("playbook")
    shown = ledger("playbook", "apply", "--all", "--policy", tmp_path / "else" / "p.toml").stdout
    assert "does not act on it yet" in shown
    assert (tmp_path / "else" / "p.toml").exists()
    ledger("playbook", "undo", "--last")
    assert not (tmp_path / "else" / "p.toml").exists()


@pytest.mark.parametrize("wrong", [("apply", "nobody"), ("apply", "1", "--all"), ("undo",), ("undo", "x", "--last")])
def test_what_names_no_step_is_refused(ledger, wrong):
    ledger("playbook")
    assert "read " in ledger.json("playbook", *wrong, code=1)["error"]


def test_status_tells_what_came_of_it(ledger, tmp_path):
    assert "No step is applied" in ledger("playbook", "status").stdout
    ledger("playbook")
    ledger("playbook", "apply", "1")
    assert "no such calls since" in ledger("playbook", "status").stdout
    _ten_days_ago(tmp_path / "playbook.journal")
    now = datetime.now(UTC)
    later = rows(ledger, range(5))
    batched = [
        row | {"at": (now - timedelta(hours=n + 1)).isoformat(), "usage": row["usage"] | {"service_tier": "batch"}}
        for n, row in enumerate(later)
    ]
    ledger("import", "jsonl", "-", stdin=ledger.lines(*batched))
    (one,) = ledger.json("playbook", "status")["steps"]
    assert (one["calls"], one["calls_that_show_it"], one["realised_usd"]) == (5, 5, "0.03")
    assert one["kind"] == "derived"
    assert float(one["predicted_usd"]) == pytest.approx(1.44, rel=1e-3)  # ten days of $4.32 a month
    assert "Realised $0.03 of $1.44 predicted" in ledger("playbook", "status").stdout


def _ten_days_ago(journal):
    """The same entry, as if it had been written ten days before."""
    from zlib import crc32

    entry = json.loads(journal.read_bytes().partition(b" ")[2])
    entry["at"] = (datetime.now(UTC) - timedelta(days=10)).isoformat()
    body = json.dumps(entry).encode()
    journal.write_bytes(b"%08x " % crc32(body) + body + b"\n")


def test_a_damaged_journal_is_said(ledger, tmp_path):
    ledger("playbook")
    ledger("playbook", "apply", "1")
    with (tmp_path / "playbook.journal").open("ab") as file:
        file.write(b"half a li")
    assert "1 damaged lines" in ledger("playbook", "status").stderr


def test_a_folder_that_cannot_be_written_to_only_costs_apply(ledger, tmp_path):
    (tmp_path / ".playbook.plan.json.new").mkdir()
    result = ledger("playbook")
    assert "cannot keep this plan" in result.stderr
    assert "Together" in result.stdout
