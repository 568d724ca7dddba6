"""What ``farthing alerts`` goes by: channels, budgets and sharpness of the settings, the store, spans, and who asks."""

from __future__ import annotations

import getpass
import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from farthing.cli import options
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.alerts.channels import Channel
    from farthing.alerts.evaluate import Settings
    from farthing.alerts.store import AlertStore
    from farthing.limits.budgets import Budget

_MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10_080}


def channels_of(config: Path | None, *, must_exist: bool = False) -> tuple[Channel, ...]:
    """
    Who is told, by the channels file; nobody where the settings name none.

    Raises:
        BadInput: There is none, and there must be. BadConfig: it cannot be read.

    """
    from farthing.alerts.channels import read_channels

    path = options.settings(config).config.alerts.channels
    if path is None and must_exist:
        raise BadInput("found no channels file", "one that alerts.channels names", "docs/alerts.md shows one")
    return () if path is None else read_channels(path)


def budgets_of(config: Path | None) -> tuple[Budget, ...]:
    """
    Those of the limits file; none where the settings name no such file.

    Raises:
        BadConfig: It cannot be read.

    """
    from farthing.limits.file import read_limits

    path = options.settings(config).config.gateway.limits
    return () if path is None else read_limits(path).budgets


def sharpness_of(config: Path | None) -> Settings:
    """How sharp the look is, by the settings."""
    from farthing.alerts.evaluate import settings_of

    found = options.settings(config).config.alerts
    return settings_of(found.false_per_week, found.stake_min_usd, found.history_days)


def store_path(ledger: Path | None, config: Path | None) -> Path:
    """Where incidents live: as the settings say, or beside the ledger."""
    from farthing.alerts.store import STORE_NAME
    from farthing.cli.ledger_file import ledger_path

    return options.settings(config).config.alerts.state or ledger_path(ledger, config).with_name(STORE_NAME)


@contextmanager
def store_of(ledger: Path | None, config: Path | None, *, is_kept: bool = True) -> Iterator[AlertStore]:
    """The store, open; without *is_kept* an empty one that is gone afterwards."""
    from farthing.alerts.store import AlertStore

    store = AlertStore(store_path(ledger, config) if is_kept else Path(":memory:"))
    try:
        yield store
    finally:
        store.close()


def span_of(text: str, flag: str) -> timedelta:
    """
    Read ``30m``, ``8h``, ``3d`` or ``2w``.

    Raises:
        BadInput: It is none of these.

    """
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhdw])", text.strip())
    if found is None:
        raise BadInput(f"read {flag} {text!r}", "a span such as 30m, 8h, 3d or 2w")
    return timedelta(minutes=int(found[1]) * _MINUTES[found[2]])


def person() -> str:
    """Whoever runs the command, as the machine knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"
