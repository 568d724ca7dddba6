"""Every key: what it is where nobody sets it, and what a value must be, in the words of an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

DATA = "$XDG_DATA_HOME"
"""Where a default path begins with this, the folder for a person's data takes its place."""


class Key(NamedTuple):
    """One key of the settings."""

    default: Any
    expected: str


KEYS = {
    "ledger.path": Key(Path(DATA, "farthing", "ledger.duckdb"), "the path of a file"),
    "prices.overrides": Key(None, "the path of a TOML file"),
    "prices.contract": Key(None, "the path of a TOML file"),
    "import.tag_map": Key({}, 'a table of names, such as { customer = "tenant" }'),
    "report.timezone": Key("UTC", "an IANA time zone such as Europe/Berlin"),
    "report.daily_budget_usd": Key(None, 'exact dollars as a text, such as "25.00"'),
    "report.monthly_budget_usd": Key(None, 'exact dollars as a text, such as "400"'),
    "claude_code.index_path": Key(None, "the path of a file"),
    "gateway.upstream": Key("https://api.anthropic.com", "an address such as https://api.anthropic.com"),
    "gateway.ca_file": Key(None, "the path of a PEM file"),
    "gateway.journals": Key(None, "the path of a folder"),
    "gateway.fsync": Key("never", '"never" or "each"'),
    "gateway.ingest_seconds": Key(5, "whole seconds, 1 to 86400"),
    "gateway.rules": Key(None, "the path of a TOML file"),
    "gateway.keys": Key(None, "the path of a TOML file"),
    "gateway.limits": Key(None, "the path of a TOML file"),
    "gateway.workers": Key(1, "a whole number, 1 to 64"),
    "gateway.metrics_token_file": Key(None, "the path of a file"),
    "gateway.client_gone": Key("drain", '"drain" or "abort"'),
    "gateway.drain_calls_max": Key(256, "a whole number from 0"),
    "gateway.drain_seconds_max": Key(600, "whole seconds, 1 to 86400"),
    "gateway.retries": Key(0, "a whole number, 0 to 5"),
    "gateway.calls_max": Key(10_000, "a whole number from 0"),
    "gateway.connect_timeout_seconds": Key(10, "whole seconds, 1 to 86400"),
    "gateway.read_timeout_seconds": Key(600, "whole seconds, 1 to 86400"),
    "gateway.head_timeout_seconds": Key(20, "whole seconds, 1 to 86400"),
    "gateway.client_timeout_seconds": Key(300, "whole seconds, 1 to 86400"),
    "gateway.shutdown_seconds": Key(30, "whole seconds, 1 to 86400"),
    "gateway.journal_days": Key(7, "whole days, 0 to 3650"),
    "gateway.content": Key("none", '"none", "hash", "redacted" or "full"'),
    "gateway.content_bytes_max": Key(1_000_000, "whole bytes, 1000 to 1000000000"),
    "gateway.content_total_bytes_max": Key(1_000_000_000, "whole bytes, 1000000 to 1000000000000"),
    "gateway.content_days": Key(30, "whole days, 0 to 3650"),
    "playbook.policy": Key(None, "the path of a TOML file"),
    "playbook.journal": Key(None, "the path of a file"),
    "alerts.channels": Key(None, "the path of a TOML file"),
    "alerts.state": Key(None, "the path of a file"),
    "alerts.false_per_week": Key("0.25", 'a number above 0 as a text, such as "0.25"'),
    "alerts.stake_min_usd": Key("1", 'exact dollars as a text, such as "1.00"'),
    "alerts.history_days": Key(35, "whole days, 7 to 90"),
    "alerts.watch_minutes": Key(0, "whole minutes, 0 to 1440"),
    "dashboard.token_file": Key(None, "the path of a file"),
    "dashboard.users": Key(None, "the path of a TOML file"),
    "dashboard.proxy_header": Key(None, "the name of a header, such as X-Forwarded-User"),
    "dashboard.proxy_addresses": Key(None, "addresses such as 10.0.0.5,10.1.0.0/16"),
    "dashboard.hosts": Key(None, "names such as costs.example.com"),
}
"""By name, in the order in which they are shown."""
