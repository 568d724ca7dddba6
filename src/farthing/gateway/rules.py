"""
Rules that give calls their dimensions: a pattern over path, model and headers, and what it sets.

A TOML file of ``[[rule]]`` tables. All patterns of a rule must match; ``*`` and ``?`` are wildcards. Rules apply in
order, and a later one may set anew what an earlier one set.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import BadConfig
from farthing.gateway.tags import RESERVED, VALUE_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from farthing.gateway.wire import Headers


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One rule.

    Attributes:
        set: Dimension or tag to value.
        path: Pattern; None: any. model: likewise, over the model that was asked for.
        header: Per header's name a pattern over its value; a header that is not there matches nothing.

    """

    set: dict[str, str]
    path: str | None = None
    model: str | None = None
    header: dict[str, str] = {}


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
        raise BadConfig(f"read rules {path.name}: {error}", "[[rule]] tables with set, path, model, header") from error
    for rule in rules:
        if taken := RESERVED & rule.set.keys():
            raise BadConfig(
                f"read rules {path.name}: a rule sets {min(taken)}", "a dimension that is not the gateway's"
            )
        if any(len(value) > VALUE_CHARS_MAX for value in rule.set.values()):
            raise BadConfig(f"read rules {path.name}: a long value", f"at most {VALUE_CHARS_MAX} characters")
    return rules


def apply_rules(rules: Sequence[Rule], path: str, model: str, headers: Headers) -> dict[str, str]:
    """What the rules set for one request; names of *headers* in lower case."""
    found: dict[str, str] = {}
    for rule in rules:
        if _matches(rule, path, model, headers):
            found |= rule.set
    return found


def _matches(rule: Rule, path: str, model: str, headers: Headers) -> bool:
    if rule.path is not None and not fnmatchcase(path, rule.path):
        return False
    if rule.model is not None and not fnmatchcase(model, rule.model):
        return False
    return all(
        any(key == name.lower().encode() and fnmatchcase(value.decode("latin-1"), pattern) for key, value in headers)
        for name, pattern in rule.header.items()
    )
