"""Signed price books: nothing unsigned, malformed or suspicious is installed, and going back is one command."""

import base64
import json
from datetime import UTC, date, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from farthing.errors import BadInput, BadPriceBook
from farthing.prices import installed, release
from farthing.prices.book import DATA, shipped_book
from farthing.prices.overrides import Overrides, read_overrides

NOW = datetime(2026, 12, 2, 8, tzinfo=UTC)
OPUS_ROW = 'valid_from = 2026-09-22\ninput = "4"'
NEXT = {
    "valid_from": "2026-12-01",
    "input": '"3"',
    "cache_write_5m": '"3.75"',
    "cache_write_1h": '"6"',
    "cache_read": '"0.15"',
    "output": '"15"',
    "sources": '["A-REL"]',
}


def pem_of(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_of(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
TRUSTED = (public_of(KEY),)


@pytest.fixture
def text(draft):
    draft.edit("anthropic/opus.toml", OPUS_ROW, OPUS_ROW.replace("\n", "\nvalid_to = 2026-12-01\n"))
    draft.add_row("Claude Opus 5.5", **NEXT).dated("2026-12-01")
    return release.pack(draft.folder, NOW)


def check(text, key=KEY, keys=TRUSTED, overrides=None):
    signature = release.sign(text, pem_of(key))
    return release.check(text, signature, keys, installed.base_book(), overrides or Overrides())


def test_what_was_signed_is_what_is_checked(machine, text):
    checked = check(text)
    assert checked.key == release.fingerprint(TRUSTED[0])
    assert checked.findings == ()
    assert checked.conflicts == ()
    assert checked.book.modifiers.as_of == date(2026, 12, 1)
    assert [change.kind for change in checked.diff.rows] == ["closed", "added"]


def test_a_release_is_text_one_can_read_and_packs_the_same_every_time(text, draft):
    assert release.pack(draft.folder, NOW) == text
    files = json.loads(text)["files"]
    assert files["anthropic/opus.toml"] == (draft.folder / "anthropic/opus.toml").read_text()
    assert set(files) == {path.relative_to(DATA).as_posix() for path in DATA.rglob("*.toml")}


def test_openssl_agrees_on_the_signature(text):
    raw = base64.b64decode(release.sign(text, pem_of(KEY)))
    KEY.public_key().verify(raw, text)
    assert len(raw) == 64


@pytest.mark.parametrize("position", [0, 100, -2])
def test_one_changed_byte_is_refused(machine, text, position):
    signature = release.sign(text, pem_of(KEY))
    changed = bytearray(text)
    changed[position] ^= 1
    with pytest.raises(BadInput, match="none of the trusted keys"):
        release.check(bytes(changed), signature, TRUSTED, shipped_book(), Overrides())


def test_a_stranger_is_refused_and_one_of_several_keys_is_enough(machine, text):
    with pytest.raises(BadInput, match="none of the trusted keys"):
        check(text, key=STRANGER)
    assert check(text, key=STRANGER, keys=(*TRUSTED, public_of(STRANGER))).key == release.fingerprint(
        public_of(STRANGER)
    )


def test_without_a_trusted_key_nothing_is_read(machine, text):
    with pytest.raises(BadInput, match="no key is trusted"):
        check(text, keys=())


@pytest.mark.parametrize("signature", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_a_bad_signature_is_refused(machine, text, signature):
    with pytest.raises(BadInput):
        release.check(text, signature, TRUSTED, shipped_book(), Overrides())


def test_keys_of_another_kind_are_refused(text):
    with pytest.raises(BadInput, match="Ed25519 private key"):
        release.sign(text, pem_of(X25519PrivateKey.generate()))
    with pytest.raises(BadInput, match="Ed25519 private key") as error:
        release.sign(text, b"-----BEGIN SECRET")
    assert "SECRET" not in str(error.value)
    with pytest.raises(BadInput, match="Ed25519 public key"):
        release.fingerprint(public_of(X25519PrivateKey.generate()))
    with pytest.raises(BadInput, match="Ed25519 public key"):
        release.fingerprint("nonsense")


def encoded(**changes):
    whole = {"format": "farthing-prices/1", "released_at": "2026-12-02T08:00:00Z", "files": {"modifiers.toml": ""}}
    return msgspec.json.encode({**whole, **changes})


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (b"{", BadInput, "read a release"),
        (encoded(format="farthing-prices/2"), BadInput, "format"),
        (encoded(released_at="2026-12-02T08:00:00"), BadInput, "zone"),
        (encoded(more=1), BadInput, "more"),
        (encoded(files={"../../escape.toml": ""}), BadInput, "escape"),
        (encoded(files={"anthropic/../x.toml": ""}), BadInput, "only files of a price book"),
        (encoded(files={"/etc/passwd": ""}), BadInput, "only files of a price book"),
        (encoded(files={"anthropic/x.py": ""}), BadInput, "only files of a price book"),
        (encoded(files={"installed.json": ""}), BadInput, "only files of a price book"),
        (encoded(files={}), BadPriceBook, "without files"),
        (encoded(), BadPriceBook, "modifiers.toml"),
    ],
)
def test_a_signed_file_that_is_no_book_is_refused(machine, text, error, says):
    with pytest.raises(error, match=says):
        check(text)
    assert not installed.prices_home().exists()


def test_a_folder_that_is_no_book_is_not_packed(tmp_path):
    with pytest.raises(BadPriceBook):
        release.pack(tmp_path, NOW)


def test_an_installed_book_is_in_force_where_it_is_newer(machine, text):
    assert installed.version_in_force() == "shipped"
    record = release.install(check(text), {}, NOW)
    assert installed.installed_books() == [record]
    assert installed.version_in_force() == record.version
    assert installed.base_book().version == record.version
    assert installed.default_book().modifiers.as_of == date(2026, 12, 1)
    assert installed.base_book().competitors == shipped_book().competitors
    assert sorted(path.name for path in installed.prices_home().iterdir()) == [record.version]


def test_installing_twice_changes_nothing(machine, text):
    first = release.install(check(text), {}, NOW)
    again = release.install(check(text), {}, NOW)
    assert installed.installed_books() == [first] == [again]


def test_going_back_and_forth(machine, text):
    record = release.install(check(text), {}, NOW)
    installed.choose("shipped")
    assert installed.base_book() is shipped_book()
    installed.choose(record.version)
    assert installed.base_book().version == record.version
    installed.choose("shipped")
    installed.choose("newest")
    assert installed.version_in_force() == record.version
    with pytest.raises(BadInput, match="newest or one of: shipped, 2026-12-01"):
        installed.choose("2020-01-01+000000000000")
    assert installed.version_in_force() == record.version


def test_a_book_of_the_same_day_as_the_shipped_one_must_be_chosen(machine, draft):
    draft.edit("anthropic/haiku.toml", 'note = "still listed', 'note = "Still listed')
    record = release.install(check(release.pack(draft.folder, NOW)), {}, NOW)
    assert installed.version_in_force() == "shipped"
    installed.choose(record.version)
    assert installed.base_book().version == record.version


def test_an_installed_book_that_was_changed_is_refused_with_a_way_out(machine, text):
    record = release.install(check(text), {}, NOW)
    path = installed.prices_home() / record.version / "anthropic" / "opus.toml"
    path.write_text(path.read_text() + "\n# a comment\n")
    with pytest.raises(BadPriceBook, match="farthing prices use shipped"):
        installed.base_book()
    installed.choose("shipped")
    assert installed.base_book() is shipped_book()


def test_a_chosen_book_that_is_gone_is_refused_with_a_way_out(machine, text):
    record = release.install(check(text), {}, NOW)
    installed.choose(record.version)
    (installed.prices_home() / record.version / "installed.json").unlink()
    with pytest.raises(BadPriceBook, match="farthing prices use newest"):
        installed.base_book()


def test_a_broken_record_is_one_clear_line(machine, text):
    record = release.install(check(text), {}, NOW)
    (installed.prices_home() / record.version / "installed.json").write_text("{}")
    with pytest.raises(BadPriceBook, match="read the record"):
        installed.installed_books()


def test_a_finding_is_installed_only_with_a_reason_for_it(machine, draft):
    draft.edit("anthropic/opus.toml", OPUS_ROW, OPUS_ROW.replace("\n", "\nvalid_to = 2026-12-01\n"))
    draft.add_row("Claude Opus 5.5", **{**NEXT, "cache_write_1h": '"5"', "output": '"200"'}).dated("2026-12-01")
    checked = check(release.pack(draft.folder, NOW))
    ratio, tenfold = (
        "cache_write_1h-ratio:claude-opus-5-5:standard:2026-12-01",
        "tenfold:claude-opus-5-5:standard:2026-12-01:output_tokens",
    )
    assert {finding.id for finding in checked.findings} == {ratio, tenfold}
    for accepted in ({}, {ratio: "vendor's page"}, {ratio: "vendor's page", tenfold: " "}):
        with pytest.raises(BadInput, match="--force"):
            release.install(checked, accepted, NOW)
    with pytest.raises(BadInput, match="not found"):
        release.install(checked, {ratio: "so", tenfold: "so", "older": "so"}, NOW)
    assert not installed.installed_books()
    record = release.install(checked, {ratio: "vendor's page", tenfold: "vendor's page"}, NOW)
    assert installed.base_book().version == record.version
    assert installed.installed_books()[0].accepted[ratio] == "vendor's page"


def test_an_older_book_needs_somebodys_word(machine, draft, text):
    release.install(check(text), {}, NOW)
    old = release.pack(DATA, NOW)
    found = {finding.id for finding in check(old).findings}
    assert "older" in found
    record = release.install(check(old), dict.fromkeys(found, "we go back"), NOW)
    assert installed.version_in_force() != record.version


def test_corrections_survive_an_update_and_only_new_conflicts_are_named(machine, text, monkeypatch):
    path = machine / "prices.toml"
    path.write_text(
        '[[model]]\nid = "claude-opus-5-5"\n[[model.rate]]\nvalid_from = 2026-11-01\ninput = "3.5"\noutput = "18"\n'
        'reason = "invoice"\n'
    )
    monkeypatch.setenv("FARTHING_PRICES_OVERRIDES", str(path))
    checked = check(text, overrides=read_overrides(path))
    assert [conflict.book_row.valid_from for conflict in checked.conflicts] == [date(2026, 9, 22), date(2026, 12, 1)]
    record = release.install(checked, {}, NOW)
    book = installed.default_book()
    assert book.version.startswith(record.version + "+manual.")
    assert any(row.reason == "invoice" for row in book.names.find("claude-opus-5-5").model.rate)
    again = check(text, overrides=read_overrides(path))
    assert again.conflicts == ()
