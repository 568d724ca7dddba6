"""Changes to the text of a file of keys that leave everything else in it, comments too, as it was. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import BadConfig, BadInput
from farthing.gateway.keys import parse_keys

if TYPE_CHECKING:
    from farthing.gateway.keys import Entry

NEW_FILE = """\
# Virtual keys of the gateway: see docs/gateway.md, Keys. Keys are not in here, only their digests.
# mode: "virtual only", or "virtual or own" where callers may also use credentials of their own.
mode = "virtual only"

# Where the gateway finds the credential that calls go out with: key_env = VARIABLE, or key_file = PATH.
[upstream.main]
key_env = "ANTHROPIC_API_KEY"
"""

_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_KEY_HEADER = re.compile(r"[ \t]*\[\[[ \t]*key[ \t]*\]\][^\n]*\n?")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def with_entry(text: str, entry: Entry, name: str) -> str:
    """
    Append an entry.

    Args:
        text: The file.
        entry: What is added.
        name: What errors call the file.

    Raises:
        BadInput: There is a key of that id.
        BadConfig: The file is none, or would be none then.

    """
    if any(one.id == entry.id for one in parse_keys(text, name).key):
        raise BadInput(f"read id {entry.id}, which {name} has already", "another one")
    lines = [
        "[[key]]",
        *(f"{key} = {_value(value)}" for key, value in msgspec.to_builtins(entry, builtin_types=(datetime,)).items()),
    ]
    added = (text if text.endswith("\n") or not text else text + "\n") + "\n" + "\n".join(lines) + "\n"
    parse_keys(added, name)
    return added


def without_access(text: str, key_id: str, name: str) -> str:
    """
    Set one entry to ``disabled = true``.

    Raises:
        BadInput: There is no such key.
        BadConfig: The file is none, or its entry is written in a way that we do not change.

    """
    if all(one.id != key_id for one in parse_keys(text, name).key):
        raise BadInput(f"read id {key_id}, which {name} does not have", "one that farthing keys list shows")
    wanted = tomllib.loads(text)
    for one in wanted["key"]:
        if one["id"] == key_id:
            one["disabled"] = True
    starts = [found.start() for found in _HEADER.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        header = _KEY_HEADER.match(text, start)
        if header is None:
            continue
        body = text[header.end() : end]
        kept = re.sub(r"(?m)^[ \t]*disabled[ \t]*=[^\n]*\n?", "", body)
        changed = text[: header.end()] + "disabled = true\n" + kept + text[end:]
        if _reads_as(changed, wanted):
            return changed
    raise BadConfig(
        f"read {name}: the entry of {key_id} is written in an unusual way", "disabled = true", "set it there"
    )


def _reads_as(text: str, wanted: object) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _value(value: object) -> str:
    if isinstance(value, dict):
        pairs = (f"{key if _BARE.fullmatch(key) else _value(key)} = {_value(inner)}" for key, inner in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
