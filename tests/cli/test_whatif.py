"""``farthing whatif cache`` as a script sees it."""

import json

import pytest

ROWS = [
    {"timestamp": 0, "input_length": 2048, "output_length": 5, "hash_ids": [1, 2, 3, 4]},
    {"timestamp": 60_000, "input_length": 2048, "hash_ids": [1, 2, 3, 4]},
]


@pytest.fixture
def trace(tmp_path):
    file = tmp_path / "trace.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


def test_each_policy_with_exact_dollars_and_saving(farthing, trace):
    found = farthing.json("whatif", "cache", trace)
    assert found["policies"]["none"]["usd"] == "0.012288"  # 4,096 tokens at $3
    assert found["policies"]["none"]["saving"] is None
    # 2,048 written at $3.75 and read at $0.30
    assert found["policies"]["always_5m"]["usd"] == "0.0082944"
    assert found["policies"]["always_5m"]["saving"] == "0.0039936"
    assert (found["calls"], found["calls_charged"], found["kind"]) == (2, 2, "derived")


def test_the_ceiling_has_its_proof_and_every_other_figure_its_share_of_it(farthing, trace):
    policies = farthing.json("whatif", "cache", trace)["policies"]
    assert (policies["hindsight"]["prefix_violations"], policies["hindsight"]["order_inversions"]) == (0, 0)
    assert policies["hindsight"]["saving"] == "0.0039936"
    captures = {name: outcome["capture"] for name, outcome in policies.items()}
    # always_1h: 2,048 tokens at $6 and at $0.30, so $0.0006144 more than nothing.
    assert captures == {
        "none": None,
        "always_5m": 1.0,
        "always_1h": round(-0.0006144 / 0.0039936, 6),
        "end_5m": 1.0,
        "end_1h": round(-0.0006144 / 0.0039936, 6),
        "second_sight_5m": round(-0.001536 / 0.0039936, 6),
        "hindsight_5m": 1.0,
        "hindsight_1h": 0.0,
        "hindsight": 1.0,
        "causal": round(-0.001536 / 0.0039936, 6),
    }


def test_csv_says_the_same(farthing, trace, tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text("timestamp,input_length,output_length,hash_ids\n0,2048,5,1 2 3 4\n60000,2048,,1 2 3 4\n")
    assert farthing.json("whatif", "cache", file, "--format", "csv") == farthing.json("whatif", "cache", trace)


def test_calls_before_train_until_are_not_charged(farthing, trace):
    found = farthing.json("whatif", "cache", trace, "--train-until", "60")
    assert found["calls_charged"] == 1
    assert found["policies"]["always_5m"]["usd"] == "0.0006144"


def test_only_the_policies_asked_for(farthing, trace):
    found = farthing.json("whatif", "cache", trace, "--policies", "end_1h, always_5m")
    assert list(found["policies"]) == ["none", "always_5m", "end_1h"]
    error = farthing.json("whatif", "cache", trace, "--policies", "sometimes", code=1)
    assert "'sometimes'" in error["error"]


def test_a_models_own_prices_and_prefix(farthing, trace):
    found = farthing.json("whatif", "cache", trace, "--model", "claude-sonnet-4-5", "--policies", "always_5m")
    assert found["policies"]["always_5m"]["usd"] == "0.0082944"
    both = farthing.json("whatif", "cache", trace, "--model", "claude-sonnet-4-5", "--usd-per-mtok", "3", code=1)
    assert "one of them" in both["error"]
    assert "claude-sonnet-9" in farthing.json("whatif", "cache", trace, "--model", "claude-sonnet-9", code=1)["error"]


def test_bad_lines_cost_themselves_alone(farthing):
    good = json.dumps(ROWS[0])
    bad = ["{", '{"timestamp": -1, "input_length": 1, "hash_ids": [1]}', good.replace("[1, 2, 3, 4]", "[1]"), "[]"]
    result = farthing("whatif", "cache", "-", "--json", stdin="\n".join([good, *bad, good]), code=1)
    found = json.loads(result.stdout)
    assert (found["calls"], found["lines_left_out"]) == (2, 4)
    assert "line 4: read 1 block ids for 2,048 tokens; expected 4" in result.stderr


def test_a_table_for_people(farthing, trace):
    text = farthing("whatif", "cache", trace).stdout
    assert "2 of 2 calls" in text
    assert "derived" in text
    assert "second_sight_5m" in text
