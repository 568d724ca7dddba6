"""``farthing commit`` on a small ledger and on CSV, checked by arithmetic."""

from datetime import UTC, datetime, timedelta

import pytest

START = datetime(2026, 8, 3, tzinfo=UTC)


@pytest.fixture
def ledger(farthing):
    """Six weeks with one call every four hours, $0.0045 each: 1,000 in and 100 out."""
    rows = [farthing.row(at=(START + timedelta(hours=4 * n)).isoformat()) for n in range(6 * 42)]
    farthing("import", "jsonl", "-", stdin=farthing.lines(*rows))
    return farthing


@pytest.fixture
def steady(tmp_path):
    """Eight weeks at $10 and a million tokens an hour."""
    hours = (START + timedelta(hours=n) for n in range(8 * 168))
    lines = "".join(f"{hour.isoformat()},10,1000000\n" for hour in hours)
    path = tmp_path / "hours.csv"
    path.write_text("hour,usd,tokens\n" + lines, encoding="utf-8")
    return path


def test_demand_and_break_even(ledger):
    told = ledger.json("commit")
    assert told["hours"] == 6 * 168 - 3  # from the first call to the last
    assert told["on_demand_usd"] == "1.134"
    assert told["usd_per_hour"]["p50"] == "0"
    assert told["usd_per_hour"]["p100"] == "0.0045"
    assert told["verdict"] is None
    assert "breaks even" in ledger("commit").stdout


def test_steady_demand_is_recommended(farthing, steady):
    told = farthing.json("commit", "--csv", steady, "--discount", "20", "--weeks", "4")
    best = told["verdict"]["recommended"]
    # $10 x 672 hours, for four fifths
    assert (best["units"], best["cost_usd"], best["saving_usd"]) == (6720, "5376", "1344")
    assert best["loss_probability"] == 0
    assert "Commit to $6,720" in farthing("commit", "--csv", steady, "--discount", "20%", "--weeks", "4").stdout


def test_throughput_by_a_quoted_price(farthing, steady):
    """1,000 output tokens a minute are 60,000 an hour, $0.60 on demand: $0.45 is a quarter off."""
    flags = ("--csv", steady, "--unit", "bedrock-output", "--model", "claude-opus-4-8", "--weeks", "1")
    told = farthing.json("commit", *flags, "--price", "0.45")
    assert told["verdict"]["discount"] == "0.25"
    best = told["verdict"]["recommended"]
    assert best["units"] == 16  # 16.67 reach a million an hour
    assert float(best["saving_usd"]) == pytest.approx(16 * 168 * 0.15)
    assert "above what the same costs" in farthing.json("commit", *flags, "--price", "0.7", code=1)["error"]


def test_a_refusal_says_why(ledger):
    shown = ledger("commit", "--discount", "20", "--unit", "bedrock-output", "--model", "claude-sonnet-4-5").stdout
    assert "Do not commit" in shown
    assert "least that can be bought is 10" in shown
    told = ledger.json("commit", "--discount", "20", "--last", "1d", code=1)["error"]
    assert "no demand" in told


def test_a_pack_is_written(ledger, tmp_path):
    told = ledger.json("commit", "--discount", "20", "--pack", tmp_path / "evidence")
    assert told["pack"] == ["pack.md", "months.csv", "models.csv", "hours.csv"]
    text = (tmp_path / "evidence" / "pack.md").read_text()
    assert "$1.13 at list" in text
    assert "claude-sonnet-4-5" in text
    assert "pack.md" in ledger("commit", "--pack", tmp_path / "evidence").stdout


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--discount", "0"), "more than 0"),
        (("--discount", "much"), "a percentage"),
        (("--discount", "5", "--price", "1"), "one of them"),
        (("--unit", "ptu"), "spend, gsu"),
        (("--unit", "gsu"), "--model"),
        (("--model", "claude-opus-4-8"), "among 252 calls of other models"),
        (("--csv", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_what_cannot_be_answered_says_what_to_do(ledger, flags, says):
    assert says in ledger.json("commit", *flags, code=1)["error"]
