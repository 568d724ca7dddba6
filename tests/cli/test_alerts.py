"""``farthing alerts``: exit codes, JSON, and what a newcomer reads."""

from datetime import UTC, datetime, timedelta

import pytest

HOUR = timedelta(hours=1)


@pytest.fixture
def filled(farthing, tmp_path):
    """Two weeks of one call of $0.0045 an hour until now, and then as many as are asked for in the last two hours."""

    def fill(burst=0, tokens=1000):
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        times = [(now - hours * HOUR, 1000) for hours in range(1, 15 * 24)]
        times += [(now - (1 + n % 2) * HOUR + timedelta(seconds=n), tokens) for n in range(burst)]
        rows = [
            farthing.row(
                id=f"r{n}", at=at.isoformat(), usage={"input_tokens": size}, tags={"tenant": "acme", "feature": "chat"}
            )
            for n, (at, size) in enumerate(times)
        ]
        (tmp_path / "calls.jsonl").write_text(farthing.lines(*rows))
        farthing("import", "jsonl", tmp_path / "calls.jsonl")

    return fill


def test_nothing_fires(farthing, filled):
    filled()
    assert "Nothing fires" in farthing("alerts", "check").stdout
    assert "No incidents" in farthing("alerts", "list").stdout


def test_an_incident_from_its_beginning_to_its_acknowledgement(farthing, filled):
    filled(burst=40, tokens=50_000)
    shown = farthing("alerts", "check", code=2).stdout
    assert "#1 open" in shown
    assert "at stake" in shown
    found = farthing.json("alerts", "check", code=2)
    assert found["firing"]
    assert all(one["event"] is None for one in found["changed"])  # where an hour just ended it is an hour longer
    (one,) = found["incidents"]
    assert one["detail"]["metric"] == "tokens_per_call"
    assert one["detail"]["scope"] == {"tenant": "acme", "feature": "chat"}
    assert "acknowledged" in farthing("alerts", "ack", 1).stdout
    assert farthing.json("alerts", "check")["incidents"][0]["state"] == "acknowledged"
    assert farthing.json("alerts", "snooze", 1, "--for", "3d")["state"] == "snoozed"
    farthing("alerts", "resolve", 1)
    assert "Nothing fires" in farthing("alerts", "check").stdout
    assert farthing.json("alerts", "list", "--all")["incidents"][0]["state"] == "resolved"


def test_another_time_keeps_nothing(farthing, filled, tmp_path):
    filled(burst=40, tokens=50_000)
    later = (datetime.now(UTC) + HOUR).isoformat()
    farthing("alerts", "check", "--at", later, code=2)
    assert not (tmp_path / "alerts.sqlite").exists()


def test_budgets_of_the_settings(farthing, tmp_path, monkeypatch):
    rows = [farthing.row(id=f"r{day}", at=f"2026-10-{day:02}T09:00:00Z") for day in range(1, 15)]
    farthing("import", "jsonl", "-", stdin=farthing.lines(*rows))
    (tmp_path / "limits.toml").write_text('[[budget]]\nname = "org"\nlimit_usd = "0.01"\nwindow = "month"\n')
    monkeypatch.setenv("FARTHING_GATEWAY_LIMITS", str(tmp_path / "limits.toml"))
    found = farthing.json("alerts", "check", "--at", "2026-10-15T12:00:00Z", code=2)
    assert [one["kind"] for one in found["incidents"]] == ["budget"]
    assert "100% of $0.01" in found["incidents"][0]["title"]


def test_a_ledger_that_gets_no_calls_says_so(farthing, filled):
    filled()
    note = "nothing later could be judged"
    assert note not in farthing("alerts", "check").stdout
    later = (datetime.now(UTC) + 9 * HOUR).isoformat()
    assert note in farthing("alerts", "check", "--at", later).stdout


def test_forecast(farthing, filled):
    filled()
    found = farthing.json("alerts", "forecast")
    assert len(found["hours"]) == 24
    assert float(found["next_24_hours_usd"]["expected"]) == pytest.approx(24 * 0.0045, rel=0.05)
    assert "next 24 hours" in farthing("alerts", "forecast").stdout


def test_a_channel_that_does_not_answer_is_kept_for_later(farthing, filled, tmp_path, monkeypatch):
    (tmp_path / "channels.toml").write_text('[[channel]]\nname = "ops"\nkind = "slack"\nurl = "http://127.0.0.1:9/x"\n')
    monkeypatch.setenv("FARTHING_ALERTS_CHANNELS", str(tmp_path / "channels.toml"))
    filled(burst=40, tokens=50_000)
    found = farthing.json("alerts", "check", code=2)
    assert found["delivered"] == {"sent": 0, "failed": 1, "given_up": 0}
    (line,) = [one for one in farthing("alerts", "list").stdout.splitlines() if one.startswith("waits: incident-1")]
    assert line.endswith("to ops, tried 1 time: cannot be reached: connection refused")
    told = farthing("alerts", "test", "ops", code=1).stderr
    assert "channel ops: cannot be reached: connection refused; expected an answer of 2xx" in told


def test_what_is_missing_says_what_to_do(farthing):
    assert "farthing import" in farthing("alerts", "check", code=1).stderr
    assert "docs/alerts.md" in farthing("alerts", "test", "ops", code=1).stderr
    assert "no incident 3" in farthing("alerts", "ack", 3, code=1).stderr
    assert "read --at 'noon'" in farthing("alerts", "check", "--at", "noon", code=1).stderr
    assert "no command was given; see farthing alerts --help" in farthing("alerts", code=1).stderr
    assert "30m, 8h" in farthing("alerts", "snooze", 3, "--for", "soon", code=1).stderr
