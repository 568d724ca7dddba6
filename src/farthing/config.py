"""
Settings: one ``farthing.toml``, decoded strictly, every key with an environment twin.

A key is ``section.name``; its twin is ``FARTHING_SECTION_NAME``. The environment beats the file, the file beats the
default, and each value remembers which it was. An unknown key is an error that names its nearest neighbour.
``docs/configuration.md`` says what each key means.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_type_hints
from zoneinfo import ZoneInfo

import msgspec

from farthing.errors import BadConfig, FarthingError
from farthing.money import parse_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CONFIG_VARIABLE = "FARTHING_CONFIG"
"""Names the file to read, where ``--config`` does not."""


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


class Setting(NamedTuple):
    """One resolved setting, as ``farthing config`` shows it. *origin*: ``default``, a file, or a variable's name."""

    key: str
    variable: str
    value: Any
    origin: str

    @property
    def text(self) -> str:
        """The value as one would write it in the environment; empty for none."""
        if isinstance(self.value, dict):
            return ",".join(f"{name}={target}" for name, target in self.value.items())
        return "" if self.value is None else str(self.value)


class Loaded(NamedTuple):
    """
    What :func:`load` found.

    ``unknown_variables`` start with ``FARTHING_`` and mean nothing to us: worth a warning, not an error, because
    Kubernetes makes such variables for any service called farthing.
    """

    config: Config
    settings: tuple[Setting, ...]
    file: Path | None
    unknown_variables: tuple[str, ...]


def _declared() -> dict[str, Any]:
    sections = get_type_hints(Config, include_extras=True)
    return {
        f"{section.rstrip('_')}.{name}": wanted
        for section, struct in sections.items()
        for name, wanted in get_type_hints(struct, include_extras=True).items()
    }


_TYPES = _declared()

KEYS = tuple(_TYPES)
"""Every key, in the order in which they are shown."""


def variable_of(key: str) -> str:
    """
    Name a key's environment twin.

    >>> variable_of("ledger.path")
    'FARTHING_LEDGER_PATH'
    """
    return "FARTHING_" + key.replace(".", "_").upper()


def load(
    config_path: Path | None = None, *, environment: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Loaded:
    """
    Resolve every setting.

    Args:
        config_path: What ``--config`` named; None: the first there is of ``$FARTHING_CONFIG``, ``./farthing.toml`` and
            ``$XDG_CONFIG_HOME/farthing/farthing.toml``. No file at all is fine.
        environment: Where the twins are looked up; an empty variable counts as not set.
        folder: What ``.`` is and what relative paths in the environment start from; None: the working directory.
            Relative paths in a file start from the file.

    Raises:
        BadConfig: A file that was named is not there or is no TOML; it holds an unknown key (all are named at once); or
            it or a variable holds a value of a wrong kind.

    """
    folder = folder or Path.cwd()
    file = _find(config_path, environment, folder)
    found = {key: Setting(key, variable_of(key), value, "default") for key, value in _defaults(environment).items()}
    for setting in (*_from_file(file), *_from_environment(environment, folder)):
        found[setting.key] = setting
    settings = tuple(found[key] for key in KEYS)
    known = {CONFIG_VARIABLE, *(setting.variable for setting in settings)}
    unknown = sorted(name for name in environment if name.startswith("FARTHING_") and name not in known)
    return Loaded(_assembled(settings), settings, file, tuple(unknown))


def _defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    home = Path(environment.get("HOME") or Path.home())
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    return {
        "ledger.path": data / "farthing" / "ledger.duckdb",
        "prices.overrides": None,
        "prices.contract": None,
        "import.tag_map": {},
        "report.timezone": "UTC",
        "report.daily_budget_usd": None,
        "report.monthly_budget_usd": None,
        "claude_code.index_path": None,
        "gateway.upstream": "https://api.anthropic.com",
        "gateway.ca_file": None,
        "gateway.journals": None,
        "gateway.fsync": "never",
        "gateway.ingest_seconds": 5,
        "gateway.rules": None,
        "gateway.keys": None,
        "gateway.limits": None,
        "gateway.workers": 1,
        "gateway.metrics_token_file": None,
        "gateway.client_gone": "drain",
        "gateway.drain_calls_max": 256,
        "gateway.drain_seconds_max": 600,
        "gateway.retries": 0,
        "gateway.calls_max": 10_000,
        "gateway.connect_timeout_seconds": 10,
        "gateway.read_timeout_seconds": 600,
        "gateway.head_timeout_seconds": 20,
        "gateway.client_timeout_seconds": 300,
        "gateway.shutdown_seconds": 30,
        "gateway.journal_days": 7,
        "gateway.content": "none",
        "gateway.content_bytes_max": 1_000_000,
        "gateway.content_total_bytes_max": 1_000_000_000,
        "gateway.content_days": 30,
        "playbook.policy": None,
        "playbook.journal": None,
        "alerts.channels": None,
        "alerts.state": None,
        "alerts.false_per_week": "0.25",
        "alerts.stake_min_usd": "1",
        "alerts.history_days": 35,
        "alerts.watch_minutes": 0,
        "dashboard.token_file": None,
        "dashboard.users": None,
        "dashboard.proxy_header": None,
        "dashboard.proxy_addresses": None,
        "dashboard.hosts": None,
    }


def _find(named: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    by_variable = environment.get(CONFIG_VARIABLE)
    if named is not None:
        return _must_exist(folder / named.expanduser(), "--config")
    if by_variable:
        return _must_exist(folder / Path(by_variable).expanduser(), f"${CONFIG_VARIABLE}")
    home = Path(environment.get("HOME") or Path.home())
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    candidates = (folder / "farthing.toml", user / "farthing" / "farthing.toml")
    return next((file for file in candidates if file.is_file()), None)


def _must_exist(file: Path, named_by: str) -> Path:
    if not file.is_file():
        raise BadConfig(
            f"found no settings file at {file}", f"the file that {named_by} names", "mend the path or drop it"
        )
    return file


def _from_file(file: Path | None) -> Iterator[Setting]:
    if file is None:
        return
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"read {file}: {error}", "a TOML file, UTF-8") from error
    _refuse_unknown(file, tree)
    for key in KEYS:
        section, name = key.split(".")
        if name in tree.get(section, {}):
            value = _converted(key, tree[section][name], f"{file}: {key}", file.parent)
            yield Setting(key, variable_of(key), value, str(file))


def _refuse_unknown(file: Path, tree: Mapping[str, Any]) -> None:
    sections = {key.partition(".")[0] for key in KEYS}
    unknown: list[str] = []
    for section, content in tree.items():
        if section in sections and not isinstance(content, dict):
            raise BadConfig(f"read {file}: {section} is a value", f"a table, [{section}]")
        if section in sections or (isinstance(content, dict) and content):
            unknown.extend(f"{section}.{name}" for name in content if f"{section}.{name}" not in KEYS)
        else:
            unknown.append(section)
    if unknown:
        advice = "; ".join(f"for {key} did you mean {_nearest(key)}?" for key in unknown)
        raise BadConfig(f"read {file}: unknown {', '.join(unknown)}", "only the keys of docs/configuration.md", advice)


def _nearest(key: str) -> str:
    """The most similar key; a bare name may also match a key's last part."""
    pool = {key: key for key in KEYS} | {key.partition(".")[2]: key for key in KEYS}
    return pool[difflib.get_close_matches(key, pool, n=1, cutoff=0)[0]]


def _from_environment(environment: Mapping[str, str], folder: Path) -> Iterator[Setting]:
    for key in KEYS:
        variable = variable_of(key)
        if text := environment.get(variable):
            value = _pairs(variable, text) if _TYPES[key] == dict[str, str] else text
            yield Setting(key, variable, _converted(key, _number(key, value), variable, folder), variable)


def _number(key: str, value: Any) -> Any:
    """Digits as the whole number they are, where the key wants one."""
    is_number = msgspec.inspect.type_info(_TYPES[key])
    return int(value) if isinstance(is_number, msgspec.inspect.IntType) and value.isdecimal() else value


def _pairs(variable: str, text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not equals or not name.strip() or not target.strip() for name, equals, target in pairs):
        raise BadConfig(f"read {variable}={text!r}", "pairs such as customer=tenant,team=feature")
    return {name.strip(): target.strip() for name, _, target in pairs}


def _converted(key: str, value: Any, where: str, base: Path) -> Any:
    try:
        converted = msgspec.convert(value, _TYPES[key], dec_hook=_path_reader(base))
        if key == "report.timezone":
            ZoneInfo(converted)
        if key.endswith("_budget_usd") and parse_usd(converted) < 0:
            raise ValueError(f"{converted} is less than nothing")  # noqa: TRY301 - one message for all
    except (msgspec.ValidationError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise BadConfig(f"read {where}: {error.args[0]}", _EXPECTED[key]) from error
    except FarthingError:
        raise BadConfig(f"read {where}: {value!r} is no amount", _EXPECTED[key]) from None
    return converted


_EXPECTED = {
    "ledger.path": "the path of a file",
    "prices.overrides": "the path of a TOML file",
    "prices.contract": "the path of a TOML file",
    "import.tag_map": 'a table of names, such as { customer = "tenant" }',
    "report.timezone": "an IANA time zone such as Europe/Berlin",
    "report.daily_budget_usd": 'exact dollars as a text, such as "25.00"',
    "report.monthly_budget_usd": 'exact dollars as a text, such as "400"',
    "claude_code.index_path": "the path of a file",
    "gateway.upstream": "an address such as https://api.anthropic.com",
    "gateway.ca_file": "the path of a PEM file",
    "gateway.journals": "the path of a folder",
    "gateway.fsync": '"never" or "each"',
    "gateway.ingest_seconds": "whole seconds, 1 to 86400",
    "gateway.rules": "the path of a TOML file",
    "gateway.keys": "the path of a TOML file",
    "gateway.limits": "the path of a TOML file",
    "gateway.workers": "a whole number, 1 to 64",
    "gateway.metrics_token_file": "the path of a file",
    "gateway.client_gone": '"drain" or "abort"',
    "gateway.drain_calls_max": "a whole number from 0",
    "gateway.drain_seconds_max": "whole seconds, 1 to 86400",
    "gateway.retries": "a whole number, 0 to 5",
    "gateway.calls_max": "a whole number from 0",
    "gateway.connect_timeout_seconds": "whole seconds, 1 to 86400",
    "gateway.read_timeout_seconds": "whole seconds, 1 to 86400",
    "gateway.head_timeout_seconds": "whole seconds, 1 to 86400",
    "gateway.client_timeout_seconds": "whole seconds, 1 to 86400",
    "gateway.shutdown_seconds": "whole seconds, 1 to 86400",
    "gateway.journal_days": "whole days, 0 to 3650",
    "gateway.content": '"none", "hash", "redacted" or "full"',
    "gateway.content_bytes_max": "whole bytes, 1000 to 1000000000",
    "gateway.content_total_bytes_max": "whole bytes, 1000000 to 1000000000000",
    "gateway.content_days": "whole days, 0 to 3650",
    "playbook.policy": "the path of a TOML file",
    "playbook.journal": "the path of a file",
    "alerts.channels": "the path of a TOML file",
    "alerts.state": "the path of a file",
    "alerts.false_per_week": 'a number above 0 as a text, such as "0.25"',
    "alerts.stake_min_usd": 'exact dollars as a text, such as "1.00"',
    "alerts.history_days": "whole days, 7 to 90",
    "alerts.watch_minutes": "whole minutes, 0 to 1440",
    "dashboard.token_file": "the path of a file",
    "dashboard.users": "the path of a TOML file",
    "dashboard.proxy_header": "the name of a header, such as X-Forwarded-User",
    "dashboard.proxy_addresses": "addresses such as 10.0.0.5,10.1.0.0/16",
    "dashboard.hosts": "names such as costs.example.com",
}


def _path_reader(base: Path) -> Callable[[type, Any], Any]:
    def read(wanted: type, value: Any) -> Any:
        if wanted is Path and isinstance(value, str) and value:
            return base / Path(value).expanduser()
        raise ValueError(f"{value!r} is not a path")

    return read


def _assembled(settings: tuple[Setting, ...]) -> Config:
    sections: dict[str, dict[str, Any]] = {}
    for setting in settings:
        section, name = setting.key.split(".")
        sections.setdefault(section, {})[name] = setting.value
    return Config(
        ledger=LedgerSettings(**sections["ledger"]),
        prices=PriceSettings(**sections["prices"]),
        import_=ImportSettings(**sections["import"]),
        report=ReportSettings(**sections["report"]),
        claude_code=ClaudeCodeSettings(**sections["claude_code"]),
        gateway=GatewaySettings(**sections["gateway"]),
        playbook=PlaybookSettings(**sections["playbook"]),
        alerts=AlertSettings(**sections["alerts"]),
        dashboard=DashboardSettings(**sections["dashboard"]),
    )
