"""Who may come in: strict files, digests alone, and never nobody-keeps-anybody-out on an open address."""

import hashlib

import msgspec
import pytest

from farthing.config import load
from farthing.dashboard.access import ROLES, Access, User, hash_of, read_access, read_users
from farthing.errors import BadConfig

TOKEN = "correct-horse-battery-staple"
DIGEST = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest()


def settings(**changes):
    return msgspec.structs.replace(load(environment={}).config.dashboard, **changes)


@pytest.fixture
def file(tmp_path):
    def made(text, name="users.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return made


def test_on_this_machine_alone_nobody_has_to_sign_in():
    assert read_access(settings(), loopback=True).is_open


def test_an_address_that_others_reach_needs_a_token():
    with pytest.raises(BadConfig, match="token"):
        read_access(settings(), loopback=False)


def test_a_token_closes_the_door_on_this_machine_too(file):
    access = read_access(settings(token_file=file(TOKEN + "\n", "token")), loopback=True)
    assert not access.is_open
    assert access.by_token(TOKEN).role == "admin"
    assert access.by_token(TOKEN + "x") is None
    assert access.by_token("") is None


@pytest.mark.parametrize("text", ["short", "", "two words are no single token", " "])
def test_a_token_is_one_long_word(file, text):
    with pytest.raises(BadConfig, match="token"):
        read_access(settings(token_file=file(text, "token")), loopback=True)


def test_users_are_known_by_their_digest(file):
    users = read_users(file(f'[[user]]\nname = "acme"\ntenants = ["acme"]\ntoken_hash = "{DIGEST}"\n'))
    assert hash_of(TOKEN) == DIGEST
    found = Access(tuple(users)).by_token(TOKEN)
    assert (found.name, found.role, found.scope.tenants) == ("acme", "viewer", ("acme",))


@pytest.mark.parametrize(
    "text",
    [
        '[[user]]\nname = "a"\nrole = "king"\n',
        '[[user]]\nname = "a"\ntoken = "plain"\n',
        '[[user]]\nname = "a"\ntoken_hash = "sha256:1234"\n',
        '[[user]]\nname = ""\n',
        '[[user]]\nname = "a"\n[[user]]\nname = "a"\n',
        '[[user]]\nname = "a"\nrole = "admin"\ntenants = ["acme"]\n',
        '[[user]]\nname = "a"\ntenants = [""]\n',
        f'[[user]]\nname = "a"\ntoken_hash = "{DIGEST}"\n[[user]]\nname = "b"\ntoken_hash = "{DIGEST}"\n',
        "[[users]]\n",
        "not toml",
    ],
)
def test_a_users_file_that_is_not_right_is_refused(file, text):
    with pytest.raises(BadConfig):
        read_users(file(text))


def test_a_proxy_is_believed_only_from_its_addresses(file):
    users = file('[[user]]\nname = "ann"\n')
    access = read_access(
        settings(users=users, proxy_header="X-User", proxy_addresses="10.0.0.5, 10.1.0.0/16"), loopback=False
    )
    trusted = [at for at in ("10.0.0.5", "10.1.2.3", "10.0.0.6", "unix", "::1") if access.believes(at)]
    assert trusted == ["10.0.0.5", "10.1.2.3"]


@pytest.mark.parametrize(
    "changes",
    [
        {"proxy_header": "X-User"},
        {"proxy_addresses": "10.0.0.5"},
        {"proxy_header": "X-User", "proxy_addresses": "10.0.0.5"},
        {"proxy_header": "X-User", "proxy_addresses": "everywhere"},
    ],
)
def test_half_a_proxy_is_refused(changes):
    with pytest.raises(BadConfig):
        read_access(settings(**changes), loopback=True)


def test_roles_are_in_order():
    for n, role in enumerate(ROLES):
        assert [User(name="x", role=role).may(least) for least in ROLES] == [at <= n for at in range(3)]
