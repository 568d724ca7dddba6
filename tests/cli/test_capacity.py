"""``farthing capacity`` as a script sees it."""

import pytest


@pytest.fixture
def ledger(farthing, tmp_path):
    rows = [farthing.row(at=f"2026-10-05T09:00:{second:02d}Z", request_id=f"r{second}") for second in range(50)]
    file = tmp_path / "calls.jsonl"
    file.write_text(farthing.lines(*rows))
    farthing("import", "jsonl", file)


def limits(found):
    return {(one["class"], one["counts"]): one for one in found["limits"]}


def test_a_minute_against_the_lowest_tier(farthing, ledger):
    found = farthing.json("capacity")
    assert (found["tier"], found["tier_needed"], found["calls"]) == ("Start", "Start", 50)
    input_tokens = limits(found)["Sonnet 4.x", "input tokens"]
    assert (input_tokens["busiest"], input_tokens["limit"], input_tokens["share"]) == (50_000, 2_000_000, 0.025)
    assert limits(found)["Sonnet 4.x", "requests"]["share"] == 0.05
    assert limits(found)["all models", "spend"]["usd_in_30_days"] == "6.75"  # 50 x $0.0045, a day of thirty


@pytest.mark.parametrize("growth", ["10", "10%", "10%/month", "10 %"])
def test_growth_as_people_write_it(farthing, ledger, growth):
    found = farthing.json("capacity", "--growth", growth, "--requests", 100)
    assert found["binds_first"] == {"class": "Sonnet 4.x", "limit": "requests"}
    # half full: ln 2 / ln 1.1 months of 30.44 days
    assert limits(found)["Sonnet 4.x", "requests"]["reached"]["expected"] == "2027-05-15"


def test_own_limits_and_another_tier(farthing, ledger):
    found = farthing.json("capacity", "--tier", "Scale", "--input", 500_000, "--output", 50_000, "--spend", 10)
    assert found["tier"] == "Scale"
    assert {key[1]: one["share"] for key, one in limits(found).items()} == {
        "requests": 0.005,
        "input tokens": 0.1,
        "output tokens": 0.1,
        "spend": 0.675,
    }


def test_words_for_people(farthing, ledger):
    text = " ".join(farthing("capacity", "--growth", "5%", "--requests", 100).stdout.split())
    assert "50 calls, 2026-10-05 to 2026-10-05, against tier Start" in text
    assert (
        "binds first: requests of Sonnet 4.x, 50% full at the busiest, reached on 2027-12-12 at +5.0% a month" in text
    )
    assert "tier needed now: Start" in text


def test_only_the_calls_in_range(farthing, ledger):
    assert farthing.json("capacity", "--since", "2026-10-05T09:00:40Z")["calls"] == 10
    assert farthing.json("capacity", "--where", "tenant=nobody")["calls"] == 0


def test_without_a_ledger_it_says_what_to_do(farthing):
    assert "put calls in with farthing import" in " ".join(farthing("capacity").stdout.split())
    assert farthing.json("capacity")["limits"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tier", "Tier 4"), "Start, Build, Scale"),
        (("--growth", "soon"), "such as 5%"),
        (("--growth", "-100"), "such as 5%"),
        (("--growth", "nan"), "such as 5%"),
        (("--ledger", "nowhere.duckdb"), "found no ledger"),
    ],
)
def test_what_cannot_be_meant_is_refused(farthing, ledger, arguments, said):
    assert said in farthing.json("capacity", *arguments, code=1)["error"]
