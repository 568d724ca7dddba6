"""ccusage's settings file: what of it counts, where it is looked for, and what is said about the rest."""

import json

import pytest

from farthing.cli.usage_ccusage import load, options
from farthing.cli.usage_request import request_of
from farthing.errors import BadConfig


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def write(path, tree):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
    return path


def asked(tree, report="daily", **given):
    """The request, when *tree* is the file in the working directory."""
    from pathlib import Path

    write(Path(".ccusage/ccusage.json"), tree)
    return request_of(report, given)


def test_flags_come_from_the_file_and_the_command_line_beats_it(home):
    tree = {"defaults": {"order": "desc", "timezone": "Asia/Tokyo", "noCost": True, "json": False, "debugSamples": 2}}
    found = asked(tree, order="asc").flags
    assert (found.order, found.timezone, found.no_cost, found.json) == ("asc", "Asia/Tokyo", True, False)
    assert found.debug_samples == 2


def test_flags_of_single_commands(home):
    tree = {
        "commands": {
            "blocks": {"tokenLimit": 500_000, "sessionLength": 2.5, "active": True},
            "weekly": {"startOfWeek": "monday"},
            "daily": {"instances": True, "project": "app", "noColor": True},
        }
    }
    blocks, daily = asked(tree, "blocks").own, asked(tree, "daily")
    assert (blocks.token_limit, blocks.session_length, blocks.active) == ("500000", "2.5", True)
    assert (daily.own.instances, daily.flags.project, daily.flags.color) == (True, "app", False)
    assert asked(tree, "weekly").own.start_of_week == "monday"
    assert not asked(tree, "session").notes


@pytest.mark.parametrize(
    ("tree", "order"),  # each as ccusage 20.0.24 itself decides
    [
        ({"defaults": {"order": "desc"}, "commands": {"daily": {"order": "asc"}}}, "asc"),
        ({"commands": {"daily": {"order": "desc"}}, "claude": {"defaults": {"order": "asc"}}}, "asc"),
        ({"claude": {"defaults": {"order": "asc"}, "commands": {"daily": {"order": "desc"}}}}, "desc"),
        ({"claude": {"commands": {"daily": {"order": "asc"}}}, "commands": {"daily": {"order": "desc"}}}, "asc"),
    ],
)
def test_the_nearest_section_counts(tree, order):
    assert options(tree, "daily") == {"order": order}


def test_what_is_not_taken_is_named_with_what_to_do(home):
    rates = {"m": {"inputCostPerToken": 1e-6}}
    tree = {"$schema": "x", "codex": {}, "defaults": {"pricingOverrides": rates, "jq": ".", "all": True, "mode": "odd"}}
    (note,) = asked(tree).notes
    assert "codex, pricingOverrides, jq, mode" in note
    assert "prices.overrides" in note
    assert "all" not in note.split(": ", 1)[1].split(";", maxsplit=1)[0].split(", ")


def test_values_of_the_wrong_kind_are_not_taken(home):
    odd = {"json": "yes", "order": 3, "debugSamples": -1, "timezone": None, "compact": 1, "since": ["2026"]}
    found = asked({"defaults": odd})
    assert found.flags == request_of("session", {}).flags._replace()
    assert all(key in found.notes[0] for key in odd)


def test_where_it_is_looked_for(home, monkeypatch, tmp_path):
    from pathlib import Path

    assert load(None) is None
    for place in (home / ".claude", home / ".config" / "claude", Path(".ccusage")):
        write(place / "ccusage.json", {"defaults": {"since": str(place)}})
        assert options(load(None)[1], "daily")["since"] == str(place)
    write(Path(".ccusage/ccusage.json"), "{torn")
    assert load(None)[0] == str(home / ".config" / "claude" / "ccusage.json")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{tmp_path}/one, {tmp_path}/two")
    assert load(None) is None
    write(tmp_path / "two" / "ccusage.json", {})
    assert load(None)[0] == f"{tmp_path}/two/ccusage.json"


def test_a_named_file(home, tmp_path):
    file = write(tmp_path / "mine.json", {"defaults": {"order": "desc"}})
    assert request_of("daily", {"config": file}).flags.order == "desc"
    assert load("farthing.toml") is None
    for text in ("{torn", "[1]", '{"a": ' * 100_000):
        with pytest.raises(BadConfig, match=r"mine\.json"):
            request_of("daily", {"config": write(file, text)})
    file.unlink()
    with pytest.raises(BadConfig, match="No such file"):
        request_of("daily", {"config": file})
