"""The shipped examples and presets, through the commands as a user runs them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from farthing.cli.compare import compare
from farthing.cli.estimate import estimate
from farthing.estimate.reading import PRESETS

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "workloads").glob("*.toml"))


def run(command, *arguments, columns="80"):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    environment = {"COLUMNS": columns, "NO_COLOR": "1"}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} == {"code-review-bot", "contract-qa", "email-classifier", "support-bot"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path):
    result = run(estimate, path, "--runs", "20")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 80
    shape = json.loads(run(estimate, path, "--runs", "20", "--json").output)
    assert Decimal(shape["month_usd"]) > 0
    assert shape["unpriced"] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_compares(path):
    result = run(compare, path)
    assert result.exit_code == 0, result.output
    assert max(len(line) for line in result.output.splitlines()) <= 80
    assert "own GPUs" in result.output


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_runs_without_a_file(preset):
    result = run(estimate, "--preset", preset, "--runs", "3", "--at", "2026-11-20")
    assert result.exit_code == 0, result.output
    assert "assumed" in result.output


def test_the_classifier_is_not_cached_and_says_so():
    path = next(path for path in EXAMPLES if path.stem == "email-classifier")
    shape = json.loads(run(estimate, path, "--json").output)
    assert any("below its minimum of 4,096: not cached" in note for note in shape["notes"])
    # 2,891 x 2,006 in at 1 and 2,891 x 588 out at 5 USD per million, all in batches
    assert Decimal(shape["month_usd"]) == (2891 * 2006 + 2891 * 588 * 5) / Decimal(2 * 10**6)


def test_json_keeps_money_exact_and_says_each_kind():
    text = run(estimate, "--preset", "medium", "--runs", "5", "--at", "2026-11-20", "--json").output
    shape = json.loads(text)
    amounts = re.findall(r'"[a-z0-9_]*usd": (\S+?),?\n', text)
    assert amounts
    assert all(re.fullmatch(r'"-?\d+(\.\d{1,12})?"', amount) for amount in amounts)
    total = Decimal(shape["month_usd"])
    for table in ("by_model", "by_unit", "by_turn"):
        assert abs(sum(Decimal(one["usd"]) for one in shape[table]) - total) <= Decimal(10) / 10**12
    assert {one["kind"] for one in shape["inputs"]} == {"assumed"}
    assert shape["range"]["runs"] == 5


def test_measured_inputs_are_told_apart():
    path = next(path for path in EXAMPLES if path.stem == "code-review-bot")
    kinds = {
        one["key"]: one["kind"] for one in json.loads(run(estimate, path, "--runs", "0", "--json").output)["inputs"]
    }
    assert kinds["volume.calls_per_month"] == "measured"
    assert kinds["tokens.output"] == "assumed"


def test_unpriced_is_loud_and_exits_with_one():
    result = run(estimate, "--preset", "light", "--set", "model=claude-haiku-55", "--at", "2026-11-20")
    assert result.exit_code == 1
    assert "UNPRICED" in result.output
    assert "claude-haiku-5-5" in result.output
    shape = json.loads(run(estimate, "--preset", "light", "--set", "model=nope", "--json").output)
    assert shape["month_usd"] is None


def test_the_day_chooses_the_prices():
    def month(day):
        arguments = ("--preset", "light", "--set", "model=claude-opus-4-6", "--at", day, "--set", "tokens.user=250000")
        return Decimal(json.loads(run(estimate, *arguments, "--runs", "0", "--json").output)["month_usd"])

    # the long-prompt premium doubled input until 2026-03-13
    assert month("2026-03-12") > month("2026-03-13") * Decimal("1.9")


def test_claims_are_printed():
    result = run(estimate, "claims")
    assert result.exit_code == 0
    assert "26. wrong" in result.output
    shape = json.loads(run(estimate, "claims", "--json").output)
    assert [one["number"] for one in shape] == list(range(1, 27))


def test_all_places_are_shown_where_asked():
    short = run(compare, "--preset", "light", "--at", "2026-11-20").output
    whole = run(compare, "--preset", "light", "--at", "2026-11-20", "--all").output
    assert "bedrock regional" in whole
    assert "bedrock regional" not in short
