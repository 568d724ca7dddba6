"""
The policy: what was decided, as a strict TOML file for the gateway. Pure: text in, text out.

The file is a version and a list of steps; each says for which calls and what is turned for them, and where two turn the
same lever for a call the later one holds, as in a replay. ``farthing serve`` does not act on it yet.
"""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from farthing.errors import BadConfig, BadInput
from farthing.whatif.replay.choice import CachePolicy, Caching, LifetimeChoice

if TYPE_CHECKING:
    from farthing.whatif.playbook.advice import Proposal
    from farthing.whatif.replay.choice import Levers

VERSION = 1
HEADER = b"""\
# Decisions of farthing playbook. farthing serve does not act on them yet.
version = 1
"""
HOLDOUT_MAX = 0.5
_Ttl = LifetimeChoice


class CacheTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``cache``: where breakpoints stand and for how long, as in :class:`farthing.whatif.replay.choice.Caching`."""

    policy: CachePolicy
    places: tuple[str | int, ...] = ()
    ttl: _Ttl | None = None
    pings: int = 0
    ping_every_s: int = 240


class StepTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """
    ``[[step]]``.

    Attributes:
        id: The proposal's, once in a file. title: What it does.
        applied_at: When it was decided; aware, UTC.
        holdout_share: Share of the calls, 0 to 0.5, that are to go on as before, so that what is saved can be measured
            beside them. Recorded; nothing keeps it yet.
        where: Per dimension, tag or ``model`` (as asked) the values it is about; the empty string stands for "not set".
        batch, turnaround_s, model, cache, inference_geo, speed, effort: What is turned; at least one of them. As in
            :class:`farthing.whatif.replay.choice.Levers`; effort is a level.

    """

    id: str
    title: str = ""
    applied_at: datetime | None = None
    holdout_share: Annotated[float, msgspec.Meta(ge=0, le=HOLDOUT_MAX)] = 0.0
    where: dict[str, tuple[str, ...]] = {}
    batch: bool | None = None
    turnaround_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None
    model: str | None = None
    cache: CacheTable | None = None
    inference_geo: Literal["global", "us"] | None = None
    speed: Literal["standard", "fast"] | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None

    @property
    def levers(self) -> dict[str, Any]:
        """What is turned, by name."""
        return {name: value for name in LEVERS if (value := getattr(self, name)) is not None}


LEVERS = ("model", "batch", "cache", "inference_geo", "speed", "effort")


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file; *step* in its order."""

    version: Literal[1]
    step: tuple[StepTable, ...] = ()


def read_policy(data: bytes, name: str) -> Policy:
    """
    Read a policy, strictly; *name* is what errors call it.

    Raises:
        BadConfig: It is no TOML, has an unknown key or a value that nothing could carry out, or the same id twice.

    """
    expected = "a policy as docs/playbook.md describes it"
    try:
        policy = msgspec.convert(tomllib.loads(data.decode()), Policy)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadConfig(f"read {name}: {error}", expected) from error
    seen: set[str] = set()
    for step in policy.step:
        if step.id in seen:
            raise BadConfig(f"read {name}: the step {step.id!r} twice", expected)
        seen.add(step.id)
        try:
            checked(step)
        except BadInput as error:
            raise BadConfig(f"read {name}: in the step {step.id!r}: {error}", expected) from error
    return policy


def checked(step: StepTable) -> StepTable:
    """
    The step, if it can be carried out.

    Raises:
        BadInput: It turns nothing, or breakpoints as nothing could set them.

    """
    if not step.levers:
        raise BadInput("read a step that turns nothing", f"one of {', '.join(LEVERS)}")
    if step.turnaround_s is not None and not step.batch:
        raise BadInput("read turnaround_s without batch", "both")
    if step.cache is not None:
        table = step.cache
        Caching(table.policy, table.places, table.ttl, table.pings, table.ping_every_s)
    return step


def step_of(proposal: Proposal) -> StepTable:
    """
    What a proposal turns, as a step: its own table, or its choice's only rule.

    Raises:
        BadInput: No step can say it: it has several rules, or turns what no policy knows.

    """
    table: dict[str, Any] = proposal.policy or _of_choice(proposal)
    try:
        return checked(msgspec.convert({"id": proposal.id, "title": proposal.title, **table}, StepTable))
    except msgspec.ValidationError as error:
        raise BadInput(
            f"read the policy of {proposal.id!r}: {error}", "a table that docs/playbook.md describes"
        ) from None


def _of_choice(proposal: Proposal) -> dict[str, Any]:
    rules = proposal.choice.rules
    if len(rules) != 1 or proposal.choice.contract is not None:
        raise BadInput(f"read {len(rules)} rules for {proposal.id!r}", "one rule, and no contract")
    levers: Levers = rules[0].levers
    if levers.channel is not None:
        raise BadInput(f"read another channel for {proposal.id!r}", "a lever of a policy", "callers change it alone")
    table = {name: value for name in LEVERS[:-1] if (value := getattr(levers, name)) is not None}
    if levers.cache is not None:
        table["cache"] = msgspec.to_builtins(levers.cache)
    if levers.effort is not None:
        table["effort"] = levers.effort.level
    if levers.batch and levers.turnaround_s is not None:
        table["turnaround_s"] = levers.turnaround_s
    return {"where": rules[0].where, **table}


def block_of(step: StepTable, note: str = "") -> str:
    """A step as a piece of a policy's text, with one line of *note* above it; begins and ends with a newline."""
    table = msgspec.to_builtins(step, builtin_types=(datetime,))
    lines = [f"# {' '.join(note.split())}"] if note else []
    lines += ["[[step]]", *(f"{name} = {_toml(value)}" for name, value in table.items())]
    return "\n" + "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case str():
            return _quoted(value)
        case dict():
            return "{ " + ", ".join(f"{_quoted(name)} = {_toml(one)}" for name, one in value.items()) + " }"
        case _:
            return "[" + ", ".join(map(_toml, value)) + "]"


def _quoted(text: str) -> str:
    """A basic string: as in JSON, but that TOML wants one more control character escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
