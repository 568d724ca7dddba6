"""
The channels file: who is told, and how. Decoded strictly.

A secret never stands in the file: it names an environment variable or a file that holds it, which is read when a
message is sent, so a changed secret needs no restart. No value of a secret reaches a log, a message or a repr.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from farthing.alerts.incidents import TOPICS, Topic
from farthing.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

ChannelKind = Literal["webhook", "slack", "email", "alertmanager"]


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One channel, as docs/alerts.md describes it.

    Attributes:
        name: Unique.
        kind: How it is told.
        tells: What of; all if not given.
        url: Where to post; for Slack, whose address is itself a secret, use *url_env* or *url_file*.
        secret_env, secret_file: What a webhook is signed with.
        token_env, token_file: A bearer token for Alertmanager.
        host, port, tls, username, password_env, password_file, sender, to: The mail server's.
        timeout_s: For one attempt.

    """

    name: str
    kind: ChannelKind
    tells: tuple[Topic, ...] = TOPICS
    url: str = ""
    url_env: str = ""
    url_file: str = ""
    secret_env: str = ""
    secret_file: str = ""
    token_env: str = ""
    token_file: str = ""
    host: str = ""
    port: int = 0
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password_env: str = ""
    password_file: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    timeout_s: int = 10


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    channel: tuple[Channel, ...] = ()


_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_ADDRESS = re.compile(r"""[^@\s<>()\[\],;:"\\]+@[^@\s<>()\[\],;:"\\]+""")


def read_channels(path: Path) -> tuple[Channel, ...]:
    """
    Read a channels file. Paths of secrets in it start from the file.

    Raises:
        BadConfig: It cannot be read, has an unknown key or a wrong value, or a channel lacks what its kind needs.

    """
    where = f"read channels {path.name}"
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"{where}: {error}", "a TOML file, UTF-8") from error
    except msgspec.ValidationError as error:
        raise BadConfig(f"{where}: {error}", "the keys of docs/alerts.md", _hint(str(error))) from error
    for number, one in enumerate(file.channel):
        if any(other.name == one.name for other in file.channel[:number]):
            raise BadConfig(f"{where}: two channels are called {one.name!r}", "one name for each")
        _check(one, f"{where}: channel {one.name[:60]!r}")
    return tuple(_rooted(one, path.parent) for one in file.channel)


def _check(one: Channel, where: str) -> None:
    if not _NAME.fullmatch(one.name):
        raise BadConfig(where, "a name of letters, digits, '.', '_' and '-', at most 60")
    if not 1 <= one.timeout_s <= 120:
        raise BadConfig(f"{where}: timeout_s = {one.timeout_s}", "1 to 120")
    if one.kind == "email":
        if not one.host or not one.to or not all(_ADDRESS.fullmatch(address) for address in (one.sender, *one.to)):
            raise BadConfig(where, "host, sender and to, the latter two as plain addresses")
        if one.username and one.tls == "none":
            raise BadConfig(f"{where}: tls = 'none' beside a username", "starttls or tls, for a password is sent")
        return
    if sum(bool(text) for text in (one.url, one.url_env, one.url_file)) != 1:
        raise BadConfig(where, "one of url, url_env, url_file")
    if one.url:
        check_url(one.url, where)
    if one.kind == "webhook" and bool(one.secret_env) == bool(one.secret_file):
        raise BadConfig(where, "one of secret_env, secret_file: every webhook is signed")


def check_url(url: str, where: str) -> str:
    """
    The address, if one can post to it.

    Raises:
        BadConfig: It is none; the message does not repeat it, for it may be a secret.

    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_good = False
    if not is_good or parts.username or re.search(r"\s", url):
        raise BadConfig(
            f"{where}: its url" if where else "its url", "an http or https address without a password in it"
        )
    return url


def secret(
    channel: Channel, name: Literal["url", "secret", "token", "password"], environment: Mapping[str, str] = os.environ
) -> str:
    """
    Read a secret of a channel now; empty where the channel names none.

    Raises:
        BadConfig: The variable is not set, or the file cannot be read.

    """
    variable: str = getattr(channel, f"{name}_env")
    file: str = getattr(channel, f"{name}_file")
    if variable:
        value = environment.get(variable, "").strip()
        if not value:
            raise BadConfig(f"${variable} is not set", f"its {name}")
        return value
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadConfig(f"{name}_file cannot be read: {type(error).__name__}", "a readable file") from None
    return ""


def _rooted(one: Channel, folder: Path) -> Channel:
    files = {name: getattr(one, name) for name in ("url_file", "secret_file", "token_file", "password_file")}
    rooted = {name: str(folder / Path(path).expanduser()) for name, path in files.items() if path}
    return msgspec.structs.replace(one, **rooted)


def _hint(message: str) -> str:
    unknown = re.search(r"unknown field `([^`]*)`", message)
    near = difflib.get_close_matches(unknown[1], Channel.__struct_fields__, n=1) if unknown else []
    return f"did you mean {near[0]}?" if near else ""
