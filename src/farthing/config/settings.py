"""What can be set: one record for each section of ``farthing.toml``. docs/configuration.md says what each key means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec


class LedgerSettings(msgspec.Struct, frozen=True):
    """``[ledger]``: ``path`` is the ledger's database file."""

    path: Path


class PriceSettings(msgspec.Struct, frozen=True):
    """``[prices]``: files with one's own rates and with one's contract; None where there is none."""

    overrides: Path | None
    contract: Path | None


class ImportSettings(msgspec.Struct, frozen=True):
    """``[import]``: ``tag_map`` renames the tags of what is imported, ``{"customer": "tenant"}``."""

    tag_map: dict[str, str]


class ReportSettings(msgspec.Struct, frozen=True):
    """
    ``[report]``.

    ``timezone`` is an IANA name; it decides where a day ends in a report, never what a call cost. The budgets are exact
    decimal USD for a calendar day and a calendar month of that zone; None: no budget.
    """

    timezone: str
    daily_budget_usd: str | None
    monthly_budget_usd: str | None


class ClaudeCodeSettings(msgspec.Struct, frozen=True):
    """
    ``[claude_code]``: ``index_path`` says where the index of the transcripts lies that makes a second scan fast.

    None: :func:`farthing.sources.claude_code.default_index_path` decides. It may be deleted.
    """

    index_path: Path | None


_Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class GatewaySettings(msgspec.Struct, frozen=True):
    """
    ``[gateway]``: what ``farthing serve`` does; docs/gateway.md says why.

    ``journals`` None: the folder ``journals`` beside the ledger. ``ca_file``, ``rules``, ``keys``,
    ``limits``, ``metrics_token_file``: None where there is none.
    """

    upstream: str
    ca_file: Path | None
    journals: Path | None
    fsync: Literal["never", "each"]
    ingest_seconds: _Seconds
    rules: Path | None
    keys: Path | None
    limits: Path | None
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)]
    metrics_token_file: Path | None
    client_gone: Literal["drain", "abort"]
    drain_calls_max: _Number
    drain_seconds_max: _Seconds
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)]
    calls_max: _Number
    connect_timeout_seconds: _Seconds
    read_timeout_seconds: _Seconds
    head_timeout_seconds: _Seconds
    client_timeout_seconds: _Seconds
    shutdown_seconds: _Seconds
    journal_days: Annotated[int, msgspec.Meta(ge=0, le=3650)]
    content: Literal["none", "hash", "redacted", "full"]
    content_bytes_max: Annotated[int, msgspec.Meta(ge=1_000, le=1_000_000_000)]
    content_total_bytes_max: Annotated[int, msgspec.Meta(ge=1_000_000, le=1_000_000_000_000)]
    content_days: Annotated[int, msgspec.Meta(ge=0, le=3650)]


class PlaybookSettings(msgspec.Struct, frozen=True):
    """
    ``[playbook]``: where ``farthing playbook apply`` writes the policy, and the journal of its changes.

    None: ``policy.toml`` and ``playbook.journal`` beside the ledger.
    """

    policy: Path | None
    journal: Path | None


class DashboardSettings(msgspec.Struct, frozen=True):
    """
    ``[dashboard]``: who may look; docs/dashboard.md says how.

    Without ``token_file`` and ``users`` nobody has to sign in, and only this machine is served. ``proxy_addresses`` and
    ``hosts`` are lists with commas between. None: none.
    """

    token_file: Path | None
    users: Path | None
    proxy_header: str | None
    proxy_addresses: str | None
    hosts: str | None


class AlertSettings(msgspec.Struct, frozen=True):
    """
    ``[alerts]``: docs/alerts.md says why.

    ``channels`` None: nobody is told. ``state`` None: ``alerts.sqlite`` beside the ledger. ``false_per_week`` is a
    decimal number as a text, ``stake_min_usd`` exact dollars as a text. ``watch_minutes``: how often a watcher judges
    that ``farthing serve`` starts; 0: it starts none.
    """

    channels: Path | None
    state: Path | None
    false_per_week: Annotated[str, msgspec.Meta(pattern=r"^(0?\.[0-9]{1,4}|[1-9][0-9]?(\.[0-9]{1,4})?)$")]
    stake_min_usd: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$")]
    history_days: Annotated[int, msgspec.Meta(ge=7, le=90)]
    watch_minutes: Annotated[int, msgspec.Meta(ge=0, le=1_440)]


class Config(msgspec.Struct, frozen=True):
    """Every setting, each with a value."""

    ledger: LedgerSettings
    prices: PriceSettings
    import_: ImportSettings
    report: ReportSettings
    claude_code: ClaudeCodeSettings
    gateway: GatewaySettings
    playbook: PlaybookSettings
    alerts: AlertSettings
    dashboard: DashboardSettings
