"""Settings: the environment beats the file, the file beats the default, and every mistake is named."""

import json
import re
import tomllib
from pathlib import Path
from typing import get_type_hints

import pytest

from farthing.config import KEYS, Config, load, variable_of
from farthing.errors import BadConfig

SAMPLE = {
    "ledger.path": ("/srv/calls.duckdb", Path("/srv/calls.duckdb")),
    "prices.overrides": ("/srv/prices.toml", Path("/srv/prices.toml")),
    "prices.contract": ("/srv/contract.toml", Path("/srv/contract.toml")),
    "import.tag_map": ("customer=tenant, team=feature", {"customer": "tenant", "team": "feature"}),
    "report.timezone": ("Europe/Berlin", "Europe/Berlin"),
    "report.daily_budget_usd": ("25.00", "25.00"),
    "report.monthly_budget_usd": ("400", "400"),
    "claude_code.index_path": ("/srv/index", Path("/srv/index")),
    "gateway.upstream": ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
    "gateway.ca_file": ("/srv/ca.pem", Path("/srv/ca.pem")),
    "gateway.journals": ("/srv/journals", Path("/srv/journals")),
    "gateway.fsync": ("each", "each"),
    "gateway.ingest_seconds": ("7", 7),
    "gateway.rules": ("/srv/rules.toml", Path("/srv/rules.toml")),
    "gateway.keys": ("/srv/keys.toml", Path("/srv/keys.toml")),
    "gateway.limits": ("/srv/limits.toml", Path("/srv/limits.toml")),
    "gateway.workers": ("4", 4),
    "gateway.metrics_token_file": ("/srv/token", Path("/srv/token")),
    "gateway.client_gone": ("abort", "abort"),
    "gateway.drain_calls_max": ("8", 8),
    "gateway.drain_seconds_max": ("9", 9),
    "gateway.retries": ("2", 2),
    "gateway.calls_max": ("10", 10),
    "gateway.connect_timeout_seconds": ("3", 3),
    "gateway.read_timeout_seconds": ("30", 30),
    "gateway.head_timeout_seconds": ("5", 5),
    "gateway.client_timeout_seconds": ("20", 20),
    "gateway.shutdown_seconds": ("4", 4),
    "gateway.journal_days": ("30", 30),
    "gateway.content": ("redacted", "redacted"),
    "gateway.content_bytes_max": ("2000", 2000),
    "gateway.content_total_bytes_max": ("2000000", 2_000_000),
    "gateway.content_days": ("90", 90),
    "playbook.policy": ("/srv/policy.toml", Path("/srv/policy.toml")),
    "playbook.journal": ("/srv/playbook.journal", Path("/srv/playbook.journal")),
    "alerts.channels": ("/srv/channels.toml", Path("/srv/channels.toml")),
    "alerts.state": ("/srv/alerts.sqlite", Path("/srv/alerts.sqlite")),
    "alerts.false_per_week": ("0.5", "0.5"),
    "alerts.stake_min_usd": ("2.50", "2.50"),
    "alerts.history_days": ("28", 28),
    "alerts.watch_minutes": ("30", 30),
    "dashboard.token_file": ("/srv/token", Path("/srv/token")),
    "dashboard.users": ("/srv/users.toml", Path("/srv/users.toml")),
    "dashboard.proxy_header": ("X-Forwarded-User", "X-Forwarded-User"),
    "dashboard.proxy_addresses": ("10.0.0.5,10.1.0.0/16", "10.0.0.5,10.1.0.0/16"),
    "dashboard.hosts": ("costs.example.com", "costs.example.com"),
}
"""Each key as one writes it in the environment, and what it means."""


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def value(loaded, key):
    section, name = key.split(".")
    holder = getattr(loaded.config, {"import": "import_"}.get(section, section))
    return getattr(holder, name)


def origins(loaded):
    return {setting.key: setting.origin for setting in loaded.settings}


def write(folder, text, name="farthing.toml"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_follow_the_xdg_folders(folder):
    loaded = load(environment={"HOME": "/home/ada"}, folder=folder)
    assert loaded.config.ledger.path == Path("/home/ada/.local/share/farthing/ledger.duckdb")
    assert loaded.config.claude_code.index_path is None
    assert (loaded.config.report.daily_budget_usd, loaded.config.report.monthly_budget_usd) == (None, None)
    assert (loaded.config.prices.overrides, loaded.config.prices.contract) == (None, None)
    assert (loaded.config.report.timezone, loaded.config.import_.tag_map) == ("UTC", {})
    assert set(origins(loaded).values()) == {"default"}
    moved = load(environment={"HOME": "/home/ada", "XDG_DATA_HOME": "/d"}, folder=folder)
    assert moved.config.ledger.path == Path("/d/farthing/ledger.duckdb")


def test_the_sample_covers_every_key():
    assert set(SAMPLE) == set(KEYS)
    sections = get_type_hints(Config)
    assert list(KEYS) == [f"{name.rstrip('_')}.{key}" for name, one in sections.items() for key in one.__annotations__]


@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_read_from_the_environment(folder, key):
    written, meant = SAMPLE[key]
    loaded = load(environment={variable_of(key): written}, folder=folder)
    assert value(loaded, key) == meant
    assert origins(loaded)[key] == variable_of(key)


@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_read_from_the_file(folder, key):
    written, meant = SAMPLE[key]
    pairs = [f"{name} = {json.dumps(target)}" for name, target in meant.items()] if isinstance(meant, dict) else []
    plain = json.dumps(meant if isinstance(meant, int) else written)
    file = write(folder, f"{key} = " + (f"{{ {', '.join(pairs)} }}" if pairs else plain))
    loaded = load(environment={}, folder=folder)
    assert value(loaded, key) == meant
    assert origins(loaded) == dict.fromkeys(KEYS, "default") | {key: str(file)}


def test_the_environment_beats_the_file_and_an_empty_variable_is_none(folder):
    file = write(folder, '[report]\ntimezone = "Europe/Berlin"\n')
    loaded = load(environment={"FARTHING_REPORT_TIMEZONE": "Asia/Tokyo"}, folder=folder)
    assert (loaded.config.report.timezone, origins(loaded)["report.timezone"]) == (
        "Asia/Tokyo",
        "FARTHING_REPORT_TIMEZONE",
    )
    loaded = load(environment={"FARTHING_REPORT_TIMEZONE": ""}, folder=folder)
    assert (loaded.config.report.timezone, origins(loaded)["report.timezone"]) == ("Europe/Berlin", str(file))


def test_files_are_looked_for_in_the_documented_order(folder):
    places = {
        "--config": write(folder, "", "named/a.toml"),
        "variable": write(folder, "", "variable/b.toml"),
        "folder": write(folder, "", "farthing.toml"),
        "user": write(folder, "", "xdg/farthing/farthing.toml"),
    }
    environment = {"XDG_CONFIG_HOME": str(folder / "xdg"), "FARTHING_CONFIG": str(places["variable"])}
    assert load(places["--config"], environment=environment, folder=folder).file == places["--config"]
    assert load(environment=environment, folder=folder).file == places["variable"]
    del environment["FARTHING_CONFIG"]
    assert load(environment=environment, folder=folder).file == places["folder"]
    places["folder"].unlink()
    assert load(environment=environment, folder=folder).file == places["user"]
    assert load(environment={"HOME": str(folder)}, folder=folder).file is None


def test_relative_paths_start_from_the_file_and_in_the_environment_from_the_folder(folder):
    file = write(folder, '[prices]\noverrides = "mine.toml"\n', "etc/farthing.toml")
    loaded = load(file, environment={"FARTHING_LEDGER_PATH": "calls.duckdb"}, folder=folder)
    assert loaded.config.prices.overrides == folder / "etc" / "mine.toml"
    assert loaded.config.ledger.path == folder / "calls.duckdb"


def test_a_tilde_is_the_home_folder(folder, scrubbed_environment):
    loaded = load(environment={"FARTHING_LEDGER_PATH": "~/calls.duckdb"}, folder=folder)
    assert loaded.config.ledger.path == scrubbed_environment / "calls.duckdb"


@pytest.mark.parametrize(
    ("named", "environment", "by"),
    [(Path("gone.toml"), {}, "--config"), (None, {"FARTHING_CONFIG": "gone.toml"}, "$FARTHING_CONFIG")],
)
def test_a_file_that_was_named_must_be_there(folder, named, environment, by):
    with pytest.raises(BadConfig, match=re.escape(f"found no settings file at {folder / 'gone.toml'}")) as caught:
        load(named, environment=environment, folder=folder)
    assert f"the file that {by} names" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ('[ledger]\npth = "x"', "ledger.pth", "ledger.path"),
        ('[ledgr]\npath = "x"', "ledgr.path", "ledger.path"),
        ('timezone = "UTC"', "timezone", "report.timezone"),
        ("[report]\ntime-zone = 1", "report.time-zone", "report.timezone"),
        ('[import]\ntags = { a = "b" }', "import.tags", "import.tag_map"),
    ],
)
def test_an_unknown_key_is_named_with_its_nearest(folder, text, unknown, nearest):
    file = write(folder, text)
    with pytest.raises(BadConfig) as caught:
        load(environment={}, folder=folder)
    assert f"read {file}: unknown {unknown}" in str(caught.value)
    assert f"for {unknown} did you mean {nearest}?" in str(caught.value)


def test_all_unknown_keys_are_named_at_once(folder):
    write(folder, '[ledger]\npth = "x"\n[report]\nzone = "x"\n')
    with pytest.raises(BadConfig, match=r"unknown ledger\.pth, report\.zone;"):
        load(environment={}, folder=folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ledger]\npath = 3", "ledger.path: 3 is not a path; expected the path of a file"),
        ('[ledger]\npath = ""', "ledger.path: '' is not a path"),
        ('[report]\ntimezone = "Mars/Olympus"', "report.timezone: .*expected an IANA time zone"),
        ('[report]\ntimezone = "../etc/passwd"', "report.timezone: .*expected an IANA time zone"),
        ("[report]\ntimezone = 1", "report.timezone: .*expected an IANA time zone"),
        ('[import]\ntag_map = ["a"]', "import.tag_map: .*expected a table of names"),
        ("[import.tag_map]\ncustomer = 1", "import.tag_map: .*expected a table of names"),
        ('ledger = "x"', r"ledger is a value; expected a table, \[ledger\]"),
        ("[ledger", "expected a TOML file, UTF-8"),
    ],
)
def test_a_wrong_value_in_the_file_is_named_with_what_was_expected(folder, text, said):
    file = write(folder, text)
    with pytest.raises(BadConfig, match=said) as caught:
        load(environment={}, folder=folder)
    assert str(file) in str(caught.value)


def test_a_file_in_another_encoding_is_named(folder):
    (folder / "farthing.toml").write_bytes('[report]\ntimezone = "Zürich"'.encode("latin-1"))
    with pytest.raises(BadConfig, match="expected a TOML file, UTF-8"):
        load(environment={}, folder=folder)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("FARTHING_REPORT_TIMEZONE", "Mars/Olympus"),
        ("FARTHING_IMPORT_TAG_MAP", "customer"),
        ("FARTHING_IMPORT_TAG_MAP", "customer="),
        ("FARTHING_IMPORT_TAG_MAP", "=tenant"),
    ],
)
def test_a_wrong_variable_is_named(folder, variable, text):
    with pytest.raises(BadConfig, match=f"read {variable}.*expected"):
        load(environment={variable: text}, folder=folder)


def test_an_unknown_variable_is_told_and_harms_nobody(folder):
    loaded = load(environment={"FARTHING_SERVICE_HOST": "10.0.0.1", "FARTHING_CONFIG": ""}, folder=folder)
    assert loaded.unknown_variables == ("FARTHING_SERVICE_HOST",)


@pytest.mark.parametrize("key", KEYS)
def test_what_is_shown_can_be_given_back(folder, key):
    shown = {s.key: s.text for s in load(environment={variable_of(key): SAMPLE[key][0]}, folder=folder).settings}
    again = load(environment={variable_of(key): shown[key]}, folder=folder)
    assert value(again, key) == SAMPLE[key][1]


def test_no_value_is_shown_as_nothing(folder):
    shown = {setting.key: setting.text for setting in load(environment={}, folder=folder).settings}
    assert shown["prices.overrides"] == ""


def test_every_key_and_its_twin_are_documented_and_nothing_else(root):
    text = (root / "docs" / "configuration.md").read_text()
    rows = re.findall(r"(?m)^\| `([\w.]+)` \| `(\w+)` \|", text)
    assert rows == [(key, variable_of(key)) for key in KEYS]


def test_the_documented_file_sets_every_key_and_loads(root, folder):
    text = (root / "docs" / "configuration.md").read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1]
    loaded = load(write(folder, example), environment={}, folder=folder)
    assert "default" not in origins(loaded).values()
    assert set(tomllib.loads(example)) == {key.partition(".")[0] for key in KEYS}
