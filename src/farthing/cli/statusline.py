"""
``farthing statusline``: one line for Claude Code's status bar, from the JSON that it writes to standard input.

It must be quick, so it imports next to nothing: it reads a small digest of the transcript index, adds what the current
session wrote since, prints, and starts :mod:`.statusline_refresh` in the background where the digest has fallen behind.
"""

from __future__ import annotations

import json
import os
import sys
import time

from farthing.cli.statusline_figures import figures_of
from farthing.cli.statusline_line import as_json, line_of
from farthing.cli.usage_ccusage import load, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HELP = """Usage: farthing statusline [OPTIONS] < JSON

One line for Claude Code's status bar. In ~/.claude/settings.json:
  "statusLine": {"type": "command", "command": "farthing statusline"}

  --cost-source auto|ccusage|cc|both   The session's cost: Claude Code's own figure (cc), the one worked out
                                       from the transcripts (ccusage), the first that is there (auto), or both.
  -B, --visual-burn-rate off|emoji|text|emoji-text
  --context-low-threshold N            Below it the context is green (50).
  --context-medium-threshold N         Below it yellow, from it on red (80).
  --cache / --no-cache                 --no-cache: read all transcripts first, which may take long.
  --refresh-interval SECONDS           Bring figures up to date at most this often, in the background (1).
  -z, --timezone NAME                  Zone in which today begins.
  -j, --json                           The figures as JSON, each with its kind.
  --config FILE                        ccusage's ccusage.json, for flags that are not given here.
  -O, --offline, --no-offline, -d, --debug   Taken for ccusage's sake.
"""
_CHOICES = {
    "cost-source": ("auto", "ccusage", "cc", "both"),
    "visual-burn-rate": ("off", "emoji", "text", "emoji-text"),
}
_NUMBERS = ("context-low-threshold", "context-medium-threshold", "refresh-interval")
_SHORT = {"B": "visual-burn-rate", "z": "timezone", "j": "json", "O": "offline", "d": "debug", "h": "help"}
_DEFAULTS = {
    "cost-source": "auto",
    "visual-burn-rate": "off",
    "timezone": None,
    "config": None,
    "context-low-threshold": "50",
    "context-medium-threshold": "80",
    "refresh-interval": "1",
}
_SWITCHES = ("json", "cache", "no-cache", "offline", "no-offline", "debug", "help")
_STALE_LOCK_S = 600
_STALE_DIGEST_US = 60 * 10**6


def main(arguments: list[str]) -> int:
    """One line for Claude Code's status bar: cost of session, day and block, burn rate, context, cache."""
    try:
        flags = parse(arguments)
        if flags["help"]:
            sys.stdout.write(HELP)
            return 0
        given = read_input(sys.stdin.buffer.read())
    except ValueError as error:
        sys.stderr.write(f"farthing: {error}\n")
        return 1
    now_us = time.time_ns() // 1000
    path = digest_path(os.environ)
    if not flags["cache"]:
        from farthing.cli.statusline_refresh import main as refresh

        refresh([path])
    digest = read_digest(path)
    figures = figures_of(given, digest, now_us, flags["timezone"])
    figures["model"] = flags["aliases"].get(_id(given)) or figures["model"]
    text = json.dumps(as_json(figures)) if flags["json"] else line_of(figures, flags)
    sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
    sys.stdout.flush()
    if flags["cache"] and needs_refresh(digest, figures, now_us):
        start_refresh(path, float(flags["refresh-interval"]), now_us)
    return 0


def parse(arguments: list[str]) -> dict[str, Any]:
    """
    The flags; Typer would take longer to import than all the rest.

    Raises:
        ValueError: An unknown flag or a value that it does not take.

    """
    flags: dict[str, Any] = {}
    known = {*_DEFAULTS, *_SWITCHES}
    rest = list(arguments)
    while rest:
        given = rest.pop(0)
        name, equals, value = given.partition("=")
        name = name[2:] if name.startswith("--") else _SHORT.get(name[1:], "")
        if not given.startswith("-") or name not in known:
            raise ValueError(f"read {given!r}, which statusline does not take; see farthing statusline --help")
        if name in _SWITCHES:
            flags[name.removeprefix("no-")] = not name.startswith("no-")
            continue
        if not equals and not rest:
            raise ValueError(f"read {given} without a value")
        flags[name] = value if equals else rest.pop(0)
    switches = dict.fromkeys(_SWITCHES, False) | {"cache": True}
    chosen = _DEFAULTS | switches | {"aliases": {}} | from_file(flags.get("config")) | flags
    _check(chosen)
    return chosen


def from_file(named: str | None) -> dict[str, Any]:
    """
    What ccusage's settings file says; a value that a flag does not take is passed over.

    Raises:
        ValueError: The file that was *named* cannot be read.

    """
    found = load(named, os.environ)
    flags: dict[str, Any] = {}
    for key, value in options(found[1], "statusline").items() if found else ():
        name = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in key)
        if name == "model-label-aliases" and isinstance(value, dict):
            flags["aliases"] = value
        elif name in _SWITCHES and value is True:
            flags[name.removeprefix("no-")] = not name.startswith("no-")
        elif name in _DEFAULTS and _fits(name, str(value)):
            flags[name] = str(value)
    return flags


def _check(flags: dict[str, Any]) -> None:
    for name in (*_CHOICES, *_NUMBERS):
        if not _fits(name, flags[name]):
            expected = f"one of {', '.join(_CHOICES[name])}" if name in _CHOICES else "a number"
            raise ValueError(f"read --{name} {flags[name]!r}; expected {expected}")


def _fits(name: str, value: str) -> bool:
    return value in _CHOICES.get(name, (value,)) and (name not in _NUMBERS or value.replace(".", "", 1).isdecimal())


def read_input(raw: bytes) -> dict[str, Any]:
    """
    What Claude Code says of its session.

    Raises:
        ValueError: No JSON object with ``session_id`` and ``transcript_path``.

    """
    if not raw.strip():
        raise ValueError("read nothing on standard input; expected the JSON that Claude Code gives a status line")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("read no JSON on standard input; expected what Claude Code gives a status line") from None
    given = value if isinstance(value, dict) else {}
    missing = [name for name in ("session_id", "transcript_path") if not isinstance(given.get(name), str)]
    if missing:
        raise ValueError(f"read JSON without {missing[0]}; expected what Claude Code gives a status line")
    return given


def _id(given: dict[str, Any]) -> str:
    """The model's id: what ccusage's aliases go by."""
    model = given.get("model")
    return str(model.get("id") if isinstance(model, dict) else model)


def digest_path(environment: Any) -> str:
    """Where the digest of these transcripts lies: one for each setting of CLAUDE_CONFIG_DIR."""
    from zlib import crc32

    cache = environment.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
    where = "\n".join(environment.get(name, "") for name in ("CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "HOME"))
    return f"{cache}/farthing/statusline-{crc32(where.encode()):08x}.json"


def read_digest(path: str) -> dict[str, Any] | None:
    """The digest; None where there is none yet, or one that another version wrote."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - pathlib is not worth its import here
            value = json.loads(stream.read())
        return value if value["version"] == 1 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def needs_refresh(digest: dict[str, Any] | None, figures: dict[str, Any], now_us: int) -> bool:
    """Whether the digest is behind: there are calls it cannot know, or a minute has passed."""
    return digest is None or figures["behind"] or now_us - digest["at_us"] > _STALE_DIGEST_US


def start_refresh(path: str, interval_s: float, now_us: int) -> bool:
    """Start the refresh in the background, unless one runs or ended less than *interval_s* ago; whether it did."""
    lock = f"{path.removesuffix('.json')}.lock"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        if _age_s(lock, now_us) < _STALE_LOCK_S or _age_s(path, now_us) < interval_s:
            return False
        with open(lock, "w", encoding="ascii"):  # noqa: PTH123
            pass
        _spawn([sys.executable, "-m", "farthing.cli.statusline_refresh", path])
    except OSError:
        return False  # a read-only home: figures stay as they are
    return True


def _age_s(path: str, now_us: int) -> float:
    try:
        return now_us / 10**6 - os.stat(path).st_mtime  # noqa: PTH116
    except OSError:
        return float("inf")


def _spawn(command: list[str]) -> None:
    """A process of its own that outlives this one and has none of its streams."""
    if hasattr(os, "posix_spawn"):
        nowhere = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in (0, 1, 2)]
        os.posix_spawn(command[0], command, os.environ, file_actions=nowhere, setpgroup=0)
        return
    import subprocess

    null = subprocess.DEVNULL
    subprocess.Popen(command, stdin=null, stdout=null, stderr=null)  # noqa: S603
