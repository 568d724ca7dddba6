"""
Virtual keys: keys of the gateway's own, each an entry in a file that says who it is and what it may do. Pure.

A caller shows a virtual key; the upstream gets the operator's credential in its place. Neither crosses to the other
side. The file holds no key: of a virtual key it has the SHA-256, of an upstream credential the name of the variable or
the path of the file that holds it.

Why no slow hash: those protect secrets that somebody could guess. A key is 256 random bits; whoever has its digest
would have to try 2^255 of them, at whatever speed. A fast digest keeps the check out of every call's way. Keys are
looked up by digest: how long that takes depends on the digest, which nobody can steer, and not on the key.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec

from farthing.errors import BadConfig
from farthing.gateway.tags import RESERVED, VALUE_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "sk-farthing-"
"""How every key begins that we make: what begins so is never passed on, known or not."""
_SHOWN_CHARS = len(PREFIX) + 4
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Mode = Literal["virtual only", "virtual or own"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    One virtual key.

    Attributes:
        id: Its name, which is the dimension ``api_key`` of its calls.
        hash: ``sha256:`` and the digest of the key.
        prefix: How the key begins, for people to tell keys apart; empty: not noted.
        set: Dimensions of its calls. They beat what a caller's headers say and lose to rules.
        upstream: Which credential its calls go out with; empty: the only one there is.
        models: Patterns of the models it may ask for; none: any.
        paths: Patterns of the paths it may use; none: any.
        expires_at: From when on it is refused; None: never.
        disabled: Whether it is refused already.

    """

    id: str
    hash: str
    prefix: str = ""
    set: dict[str, str] = {}
    upstream: str = ""
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    disabled: bool = False

    def may_use(self, path: str) -> bool:
        """Whether it may use a path; decoded, without the query."""
        return not self.paths or any(fnmatchcase(path, pattern) for pattern in self.paths)

    def may_ask_for(self, model: str) -> bool:
        """Whether it may ask for a model."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Where an upstream credential is found, and how it is sent.

    Attributes:
        key_env: Name of the variable that holds it. key_file: path of the file that does; one of the two.
        header: The field that carries it: ``x-api-key``, or ``authorization`` for a bearer token.
        workspace: Sent as ``anthropic-workspace-id``; empty: none is.

    """

    key_env: str = ""
    key_file: str = ""
    header: Literal["x-api-key", "authorization"] = "x-api-key"
    workspace: str = ""


class KeysFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of keys, as it is written. *mode* says whether other credentials than virtual keys are passed on."""

    mode: Mode = "virtual only"
    upstream: dict[str, Source] = {}
    key: tuple[Entry, ...] = ()

    def source_of(self, entry: Entry) -> str:
        """The name of the credential that a key's calls go out with."""
        return entry.upstream or next(iter(self.upstream), "")


class Credential:
    """
    A secret and the fields that carry it. Its text never shows it.

    Args:
        name: What the file calls it.
        source: How it is sent.
        value: The secret.

    """

    __slots__ = ("fields", "name")

    def __init__(self, name: str, source: Source, value: bytes) -> None:
        self.name = name
        field, sent = source.header.encode(), b"Bearer " + value if source.header == "authorization" else value
        self.fields = [(field, sent)]
        if source.workspace:
            self.fields.append((b"anthropic-workspace-id", source.workspace.encode()))

    def __repr__(self) -> str:
        return f"<Credential {self.name}>"


class Ring(NamedTuple):
    """
    Every key that is known, with the credentials at hand.

    Attributes:
        passes_own: Whether callers may use credentials of their own.
        entries: By digest of the key.
        credentials: By digest of the key, what its calls go out with.

    """

    passes_own: bool
    entries: Mapping[bytes, Entry]
    credentials: Mapping[bytes, Credential]

    def find(self, key: bytes) -> tuple[Entry, Credential] | None:
        """The entry of a key, and the credential behind it; None where it is none of ours."""
        digest = hashlib.sha256(key).digest()
        entry = self.entries.get(digest)
        return None if entry is None else (entry, self.credentials[digest])


def new_key() -> str:
    """A key that nobody has: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """What is written down of a key."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def shown(key: str) -> str:
    """How a key begins: enough to tell keys apart, and nothing to guess by."""
    return key[:_SHOWN_CHARS]


def parse_keys(text: str, name: str) -> KeysFile:
    """
    Read a file of keys.

    Args:
        text: TOML.
        name: What errors call it.

    Raises:
        BadConfig: It is no such file; the message never shows a value that could be a key.

    """
    try:
        file = msgspec.toml.decode(text, type=KeysFile)
    except msgspec.DecodeError as error:
        raise BadConfig(f"read keys {name}: {error}", "[upstream.NAME] and [[key]] tables", _NEXT) from None
    for upstream, source in file.upstream.items():
        _check_source(source, f"{name}: upstream.{upstream}")
    for number, entry in enumerate(file.key, 1):
        shown_id = entry.id if _ID.fullmatch(entry.id) and not _is_secret(entry.id) else str(number)
        _check_entry(entry, file, f"{name}: key {shown_id}")
    for what, values in (("id", [entry.id for entry in file.key]), ("hash", [entry.hash for entry in file.key])):
        if len(set(values)) < len(values):
            twice = next(entry.id for at, entry in enumerate(file.key) if values[at] in values[:at])
            raise BadConfig(f"read keys {name}: the {what} of {twice} is there twice", f"one entry per {what}")
    return file


_NEXT = "see docs/gateway.md, Keys"


def _check_source(source: Source, where: str) -> None:
    for value in (source.key_env, source.key_file):
        if _is_secret(value):
            raise BadConfig(f"read {where}: a key stands in the file", "key_env = VARIABLE or key_file = PATH", _LEAKED)
    if bool(source.key_env) == bool(source.key_file):
        raise BadConfig(f"read {where}", "one of key_env and key_file")
    if not re.fullmatch(r"[\w-]{0,128}", source.workspace, re.ASCII):
        raise BadConfig(f"read {where}: workspace", "an id such as wrkspc_...")


_LEAKED = "take the key out of the file, and give it up if anybody else could read it"


def _check_entry(entry: Entry, file: KeysFile, where: str) -> None:
    if not _ID.fullmatch(entry.id) or entry.id.startswith("key_") or _is_secret(entry.id):
        expected = "letters, digits, . _ and -; not beginning with key_, which is a fingerprint"
        raise BadConfig(f"read {where}: its id cannot be used", expected)
    if _is_secret(entry.hash) or len(entry.prefix) > _SHOWN_CHARS:
        raise BadConfig(f"read {where}: a key stands in the file", "only its hash, made by farthing keys", _LEAKED)
    if not _HASH.fullmatch(entry.hash):
        raise BadConfig(f"read {where}: its hash", "sha256: and 64 hexadecimal digits, made by farthing keys")
    if taken := RESERVED & entry.set.keys():
        raise BadConfig(f"read {where}: it sets {min(taken)}", "a dimension that is not the gateway's")
    if any(len(value) > VALUE_CHARS_MAX for value in entry.set.values()):
        raise BadConfig(f"read {where}: it sets a long value", f"at most {VALUE_CHARS_MAX} characters")
    if not entry.upstream and len(file.upstream) != 1:
        raise BadConfig(f"read {where}: it names no upstream, and there is not exactly one", "upstream = NAME")
    if entry.upstream and entry.upstream not in file.upstream:
        raise BadConfig(f"read {where}: there is no upstream of the name it says", "a name from [upstream.NAME]")


def _is_secret(text: str) -> bool:
    return text.startswith("sk-")


def make_ring(file: KeysFile, values: Mapping[str, bytes]) -> Ring:
    """
    The keys of a file, ready for look-ups.

    Args:
        file: As :func:`parse_keys` read it.
        values: The secret of each of its upstreams.

    """
    credentials = {name: Credential(name, source, values[name]) for name, source in file.upstream.items()}
    digests = {entry.id: bytes.fromhex(entry.hash.partition(":")[2]) for entry in file.key}
    return Ring(
        file.mode == "virtual or own",
        {digests[entry.id]: entry for entry in file.key},
        {digests[entry.id]: credentials[file.source_of(entry)] for entry in file.key},
    )
