"""
Rules that give calls their dimensions, and say what is kept of their bodies: patterns, and what they set.

A TOML file of ``[[rule]]`` tables. All patterns of a rule must match; ``*`` and ``?`` are wildcards. Rules apply in
order, and a later one may set anew what an earlier one set.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import BadConfig
from farthing.gateway.content import Mode
from farthing.gateway.tags import RESERVED, VALUE_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from farthing.gateway.wire import Headers


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One rule.

    Attributes:
        set: Dimension or tag to value.
        path: Pattern; None: any. model: likewise, over the model that was asked for.
        header: Per header's name a pattern over its value; a header that is not there matches nothing.
        where: Per dimension a pattern over its value before this rule; one that is not set matches nothing.
        content: What is kept of bodies; None: the rule says nothing about that.

    """

    set: dict[str, str] = {}
    path: str | None = None
    model: str | None = None
    header: dict[str, str] = {}
    where: dict[str, str] = {}
    content: Mode | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rule: tuple[Rule, ...] = ()


def read_rules(path: Path) -> tuple[Rule, ...]:
    """
    Read a file of rules.

    Raises:
        BadConfig: It cannot be read, has an unknown key, or sets what only the gateway sets.

    """
    try:
        rules = msgspec.toml.decode(path.read_bytes(), type=_File).rule
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise BadConfig(
            f"read rules {path.name}: {error}", "[[rule]] tables with set, content, path, model, header, where"
        ) from error
    for rule in rules:
        if not rule.set and rule.content is None:
            raise BadConfig(f"read rules {path.name}: a rule says nothing", "set, content, or both in each rule")
        if taken := RESERVED & rule.set.keys():
            raise BadConfig(
                f"read rules {path.name}: a rule sets {min(taken)}", "a dimension that is not the gateway's"
            )
        if any(len(value) > VALUE_CHARS_MAX for value in rule.set.values()):
            raise BadConfig(f"read rules {path.name}: a long value", f"at most {VALUE_CHARS_MAX} characters")
    return rules


def apply_rules(
    rules: Sequence[Rule], path: str, model: str, headers: Headers, dims: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What the rules set for one request; names of *headers* in lower case, *dims* what it has without them."""
    found: dict[str, str] = {}
    for rule in _matching(rules, path, model, headers, dims or {}):
        found |= rule.set
    return found


def content_under(
    rules: Sequence[Rule], path: str, model: str, headers: Headers, dims: Mapping[str, str]
) -> Mode | None:
    """What the rules say is kept of one request's bodies; None: nothing about that."""
    said = [rule.content for rule in _matching(rules, path, model, headers, dims) if rule.content is not None]
    return said[-1] if said else None


def _matching(
    rules: Sequence[Rule], path: str, model: str, headers: Headers, dims: Mapping[str, str]
) -> Iterator[Rule]:
    so_far = dict(dims)
    for rule in rules:
        if _matches(rule, path, model, headers, so_far):
            so_far |= rule.set
            yield rule


def _matches(rule: Rule, path: str, model: str, headers: Headers, dims: Mapping[str, str]) -> bool:
    if rule.path is not None and not fnmatchcase(path, rule.path):
        return False
    if rule.model is not None and not fnmatchcase(model, rule.model):
        return False
    if not all(name in dims and fnmatchcase(dims[name], pattern) for name, pattern in rule.where.items()):
        return False
    return all(
        any(key == name.lower().encode() and fnmatchcase(value.decode("latin-1"), pattern) for key, value in headers)
        for name, pattern in rule.header.items()
    )
