"""
A price book as one signed file: made by ``farthing prices sign``, checked and installed by ``farthing prices update``.

A release is JSON text with the book's TOML files in it, so that anyone can read what they are about to trust; beside it
lies a ``.sig`` file, the Ed25519 signature of its exact bytes in base64. Keys are PEM files as OpenSSL makes them.
Nothing is written until the signature, the structure and the sanity bounds have been checked.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.errors import BadInput, BadPriceBook
from farthing.prices.book import read_book
from farthing.prices.diff import BookDiff, diff_books, suspicious
from farthing.prices.installed import Installed, prices_home
from farthing.prices.overrides import Conflict, Overrides, conflicts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from farthing.prices.book import PriceBook
    from farthing.prices.sanity import Finding

TRUSTED_KEYS: tuple[str, ...] = ()
"""
Public keys (PEM) whose releases are installed without ``--key``: the maintainers'. Empty until a first release is
published; organisations that sign their own books name their key with ``--key``.
"""

_FILE = re.compile(r"(?:(?:anthropic|competitors)/[a-z0-9][a-z0-9-]*|modifiers|sources)\.toml")
_BYTES_MAX = 16 * 2**20


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The text of a release.

    Attributes:
        format: Tells it from anything else the same key may sign.
        released_at: When it was made; aware, UTC.
        files: The book's TOML files by their path in the book's folder.

    """

    format: Literal["farthing-prices/1"]
    released_at: datetime
    files: dict[str, str]


class Checked(NamedTuple):
    """
    A release that is what its signer signed, compared with the book in force.

    Attributes:
        release: Its text, decoded.
        book: The book in it.
        key: Fingerprint of the key that signed it.
        diff: What it changes.
        findings: What somebody must give their word for before it is installed.
        conflicts: Rows it changes or adds under the user's corrections, which stay in force.

    """

    release: Release
    book: PriceBook
    key: str
    diff: BookDiff
    findings: tuple[Finding, ...]
    conflicts: tuple[Conflict, ...]


def pack(folder: Path, released_at: datetime) -> bytes:
    """
    The release of a book's folder.

    Raises:
        BadPriceBook: The folder is no price book.

    """
    read_book(folder)
    paths = sorted(path for path in folder.rglob("*.toml") if _FILE.fullmatch(path.relative_to(folder).as_posix()))
    release = Release(
        format="farthing-prices/1",
        released_at=released_at,
        files={path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths},
    )
    return msgspec.json.format(msgspec.json.encode(release), indent=1) + b"\n"


def sign(release: bytes, private_key_pem: bytes) -> str:
    """
    The signature of a release, as its ``.sig`` file holds it.

    Raises:
        BadInput: The key is no Ed25519 private key in PEM without a passphrase.

    """
    return base64.b64encode(_private_key(private_key_pem).sign(release)).decode() + "\n"


def verify(release: bytes, signature: str, keys: Sequence[str]) -> str:
    """
    Which key signed a release: its fingerprint.

    Args:
        release: Its exact bytes.
        signature: The text of its ``.sig`` file.
        keys: Public keys (PEM) to trust.

    Raises:
        BadInput: No key is given, one is no Ed25519 public key, or none of them signed it.

    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - costs start time, needed here alone

    if not keys:
        raise BadInput(
            "read a release, but no key is trusted: none is pinned in this version",
            "--key with the signer's public key",
        )
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except ValueError:
        raise BadInput("read a signature that is not base64", "the .sig file that came with the release") from None
    for pem in keys:
        key = _public_key(pem)
        try:
            key.verify(raw, release)
        except InvalidSignature:
            continue
        return fingerprint(pem)
    raise BadInput(
        "read a release that none of the trusted keys signed",
        "its own .sig file and the signer's key",
        "do not install it; get it again from where you trust it",
    )


def fingerprint(public_key_pem: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a public key's 32 bytes."""
    return hashlib.sha256(_public_key(public_key_pem).public_bytes_raw()).hexdigest()[:16]


def check(text: bytes, signature: str, keys: Sequence[str], current: PriceBook, overrides: Overrides) -> Checked:
    """
    Check a release against the book in force. Writes nothing but a temporary folder.

    Args:
        text: The release's bytes.
        signature: The text of its ``.sig`` file.
        keys: Public keys (PEM) to trust.
        current: The book in force, without corrections.
        overrides: The user's corrections; they stay in force, whatever the release says.

    Raises:
        BadInput: It is not signed by a trusted key, or is no release.
        BadPriceBook: The book in it breaks a rule of structure.

    """
    key = verify(text, signature, keys)
    release = _decode(text)
    with _unpacked(release) as folder:
        book = read_book(folder)
    diff = diff_books(current, book)
    known = {(found.manual, found.book_row) for found in conflicts(current, overrides)}
    fresh = tuple(found for found in conflicts(book, overrides) if (found.manual, found.book_row) not in known)
    return Checked(release, book, key, diff, suspicious(current, book), fresh)


def install(checked: Checked, accepted: Mapping[str, str], installed_at: datetime) -> Installed:
    """
    Put a checked release beside the books that are there.

    Args:
        checked: From :func:`check`.
        accepted: A reason for every finding, by its id.
        installed_at: Now; aware, UTC.

    Raises:
        BadInput: A finding has no reason, or a reason is for something that was not found.

    """
    _check_accepted(checked.findings, accepted)
    record = Installed(
        version=checked.book.version,
        as_of=checked.book.modifiers.as_of,
        released_at=checked.release.released_at,
        installed_at=installed_at,
        key=checked.key,
        accepted=dict(accepted),
    )
    home = prices_home()
    home.mkdir(parents=True, exist_ok=True)
    target = home / record.version
    with _unpacked(checked.release, inside=home) as folder:
        (folder / "installed.json").write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    return record


def _check_accepted(findings: Sequence[Finding], accepted: Mapping[str, str]) -> None:
    open_ids = [finding.id for finding in findings if not accepted.get(finding.id, "").strip()]
    if open_ids:
        raise BadInput(
            f"read a price book with {len(open_ids)} findings: {', '.join(open_ids)}",
            "none, or a reason for each",
            f"if it is right: --force '{open_ids[0]}=why it is right'",
        )
    unknown = sorted(accepted.keys() - {finding.id for finding in findings})
    if unknown:
        raise BadInput(f"read --force for {unknown[0]!r}, which was not found", "the id of a finding")


def _decode(text: bytes) -> Release:
    if len(text) > _BYTES_MAX:
        raise BadInput(f"read a release of {len(text):,} bytes", f"at most {_BYTES_MAX:,}")
    try:
        release = msgspec.json.decode(text, type=Release)
    except msgspec.DecodeError as error:
        raise BadInput(f"read a release: {error}", "a file made by farthing prices sign") from error
    if release.released_at.tzinfo is None:
        raise BadInput("read a release whose time has no zone", "a file made by farthing prices sign")
    for name in release.files:
        if not _FILE.fullmatch(name):
            raise BadInput(f"read a release with a file {name!r}", "only files of a price book")
    return release


@contextmanager
def _unpacked(release: Release, inside: Path | None = None) -> Iterator[Path]:
    """A folder with the release's files, gone afterwards unless it was moved away."""
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=inside) as temporary:
        folder = Path(temporary) / "book"
        for name, text in release.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        if not folder.is_dir():
            raise BadPriceBook("a release without files")
        yield folder


def _private_key(pem: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - start time
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - start time

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(
            "read a signing key", "an Ed25519 private key in PEM", "openssl genpkey -algorithm ed25519 -out key.pem"
        )
    return key


def _public_key(pem: str) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - start time
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - start time

    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(
            "read a public key", "an Ed25519 public key in PEM", "openssl pkey -in key.pem -pubout -out public.pem"
        )
    return key
