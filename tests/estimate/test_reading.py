from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from farthing.errors import BadConfig
from farthing.estimate.reading import PRESETS, decode, read_workload
from farthing.estimate.sizes import Range
from farthing.estimate.workload import (
    CachePlan,
    Conversation,
    Seats,
    SelfHosted,
    Tokens,
    Volume,
    Workload,
    sizes_of,
)

SMALL = """
model = "claude-sonnet-5-5"
[volume]
calls_per_day = 100
[tokens]
user = 0.1
output = { low = 1, mode = 2, high = 6 }
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_toml_and_json_read_the_same(small, tmp_path):
    other = tmp_path / "small.json"
    other.write_text(
        json.dumps(
            {
                "model": "claude-sonnet-5-5",
                "volume": {"calls_per_day": 100},
                "tokens": {"user": 0.1, "output": {"low": 1, "mode": 2, "high": 6}},
            }
        )
    )
    assert read_workload(small) == read_workload(other)


def test_numbers_are_exact_decimals(small):
    plan = read_workload(small)
    assert plan.tokens.user == Decimal("0.1")
    assert plan.models == {"claude-sonnet-5-5": 1}
    assert plan.tokens.output == Range(low=Decimal(1), mode=Decimal(2), high=Decimal(6))


def test_settings_go_over_the_file_and_the_file_over_the_preset(small):
    plan = read_workload(small, preset="heavy", settings=["tokens.user=7", "cache.ttl=1h", "volume.users=3"])
    assert plan.tokens.user == 7
    assert plan.tokens.tools == 8000
    assert plan.cache.ttl == "1h"
    assert plan.volume.calls_per_day is None
    assert plan.volume.users == 3


def test_a_model_replaces_a_mix_and_a_mix_a_model():
    assert read_workload(None, preset="heavy", settings=["model=claude-opus-5"]).models == {"claude-opus-5": 1}
    mixed = read_workload(None, preset="light", settings=["models.us.anthropic.x=0.5", "models.claude-opus-5=0.5"])
    assert mixed.models == {"us.anthropic.x": Decimal("0.5"), "claude-opus-5": Decimal("0.5")}


def test_a_range_replaces_a_range():
    plan = read_workload(None, preset="light", settings=["tokens.output={p50 = 100, p95 = 300}"])
    assert plan.tokens.output == Range(p50=Decimal(100), p95=Decimal(300))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_say_that_they_are_assumed(preset):
    plan = read_workload(None, preset=preset)
    assert "assumed" in plan.note
    assert plan.measured == ()


BASE = {"model": "claude-sonnet-5-5", "volume": {"calls_per_day": 1}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": {"sytem": 1}}, "unknown key tokens.sytem in w.toml; did you mean tokens.system?"),
        ({"token": {}}, "unknown key token in w.toml; did you mean tokens?"),
        (
            {"tokens": {"user": {"lowest": 1}}},
            "unknown key tokens.user.lowest in w.toml; did you mean tokens.user.low?",
        ),
        ({"tokens": {"user": "many"}}, "$.tokens.user"),
        ({"tokens": {"user": -1}}, "read tokens.user from -1 to -1"),
        ({"tokens": {"user": {"low": 1, "high": 2}}}, "a range is either low, mode and high, or p50 and p95"),
        ({"tokens": {"user": {"low": 3, "mode": 2, "high": 4}}}, "must rise"),
        ({"tokens": {"user": {"p50": 0, "p95": 2}}}, "p50 not zero"),
        ({"tokens": {"user": 10**16}}, "read tokens.user from 1e+16"),
        ({"batch_share": 2}, "read batch_share from 2 to 2"),
        ({"batch_share": {"p50": Decimal("0.1"), "p95": Decimal("0.2")}}, "it is a share"),
        ({"conversation": {"turns": 0}}, "read conversation.turns from 0"),
        ({"volume": {}}, "none of them under [volume]"),
        ({"volume": {"calls_per_day": 1, "users": 2}}, "read calls_per_day and users"),
        ({"volume": {"calls_per_day": 1, "active_hours_per_day": 25}}, "active_hours_per_day = 25"),
        ({"volume": {"calls_per_day": 1, "days_per_month": 32}}, "days_per_month = 32"),
        ({"volume": {"calls_per_day": 1, "peak_factor": Decimal("0.5")}}, "peak_factor = 0.5"),
        ({"volume": {"calls_per_day": 1, "months": 0}}, "months = 0"),
        ({"cache": {"ttl": "2h"}}, "$.cache.ttl"),
        ({"models": {"a": 1}}, "both model and models"),
        ({"measured": ["tokens.outputs"]}, "measured key 'tokens.outputs'"),
    ],
)
def test_what_makes_no_sense_is_named(change, message):
    with pytest.raises(BadConfig) as error:
        decode({**BASE, **change}, "w.toml")
    assert message in str(error.value)


def test_shares_must_add_up():
    with pytest.raises(BadConfig, match=r"add up to 0\.9 in w"):
        decode({"models": {"a": Decimal("0.4"), "b": Decimal("0.5")}, "volume": {"calls_per_day": 1}}, "w")
    with pytest.raises(BadConfig, match="no model"):
        decode({"volume": {"calls_per_day": 1}}, "w")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", b"model = ", "expected TOML in UTF-8"),
        ("a.json", b"{", "expected JSON in UTF-8"),
        ("a.json", b"[1]", "top level is not a table"),
        ("a.toml", b"\xff\xfe", "expected TOML in UTF-8"),
        ("a.toml", b"batch_share = nan", "read batch_share = NaN in a.toml"),
        ("a.toml", b"batch_share = 1e999999999", r"read batch_share = 1E\+999999999"),
        ("a.toml", b"batch_share = '1e999999999'", r"read batch_share = 1E\+999999999"),
        ("a.toml", b"models = {x = inf}", "read models.x = Infinity"),
        ("a.json", b'{"volume": {"peak_factor": NaN}}', "read volume.peak_factor = NaN"),
        ("a.json", b'{"batch_share": -Infinity}', "read batch_share = -Infinity"),
        ("a.json", b'{"batch_share": 1e-999999999}', "read batch_share = 1E-999999999"),
        ("a.json", b'{"tokens": {"user": {"p50": 1, "p95": NaN}}}', "finite and of ordinary size"),
    ],
)
def test_bad_files_give_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadConfig, match=message):
        read_workload(path)


def test_missing_files_and_bad_flags_give_one_line(tmp_path):
    with pytest.raises(BadConfig, match=r"could not read none\.toml"):
        read_workload(tmp_path / "none.toml")
    with pytest.raises(BadConfig, match="preset 'tiny'"):
        read_workload(None, preset="tiny")
    with pytest.raises(BadConfig, match="neither a workload file nor a preset"):
        read_workload(None)
    with pytest.raises(BadConfig, match=r"read tokens\.output = Infinity"):
        read_workload(None, preset="light", settings=["tokens.output=inf"])
    with pytest.raises(BadConfig, match="key=value"):
        read_workload(None, preset="light", settings=["tokens.output"])


def test_sizes_are_named_by_table_and_key():
    plan = decode({**BASE, "tokens": {"user": {"low": 1, "mode": 2, "high": 3}}}, "w")
    assert set(sizes_of(plan)) >= {"volume.calls_per_day", "tokens.user", "batch_share", "conversation.turns"}


def test_every_key_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "estimate.md").read_text("utf-8")
    tables = {"volume": Volume, "tokens": Tokens, "conversation": Conversation, "cache": CachePlan}
    tables |= {"self_hosted": SelfHosted, "seats": Seats}
    keys = [f"{table}.{key}" for table, shape in tables.items() for key in shape.__struct_fields__]
    keys += [key for key in Workload.__struct_fields__ if key not in tables]
    assert [key for key in keys if f"`{key}`" not in page] == []
