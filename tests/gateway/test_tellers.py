"""Who may tell of outcomes, and of whose."""

import pytest

from farthing.gateway.keys import Entry
from farthing.gateway.rules import Rule
from farthing.gateway.tellers import may_tell, tenant_of

KEY = Entry(id="acme", hash="sha256:" + "0" * 64)
HERE = [(b"host", b"127.0.0.1:8788")]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", [b"127.0.0.1:8788", b"localhost", b"LOCALHOST:1", b"[::1]:8788", b"[::1]"])
def test_who_is_on_this_machine_may_tell_with_any_credential(peer, host):
    assert may_tell(None, [(b"host", host)], peer) is None


@pytest.mark.parametrize(
    "peer", ["10.0.0.1", "192.168.1.7", "2001:db8::1", "::ffff:10.0.0.1", "0.0.0.0", "fe80::1%1", ""]
)
def test_who_is_elsewhere_needs_a_virtual_key(peer):
    assert may_tell(None, HERE, peer).status == 403
    assert may_tell(KEY, HERE, peer) is None
    assert may_tell(KEY, [(b"host", b"farthing.example"), (b"x-forwarded-for", b"10.0.0.1")], peer) is None


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"localhost.evil.example",
        b"127.0.0.1.evil.example",
        b"[::2]",
        b"10.0.0.1:8788",
        b"",
        b"[",
        b":",
    ],
)
def test_a_name_that_was_made_to_mean_this_machine_is_another(host):
    assert may_tell(None, [(b"host", host)], "127.0.0.1").status == 403


@pytest.mark.parametrize("name", [b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"])
def test_who_comes_through_a_proxy_of_this_machine_may_be_anybody(name):
    assert may_tell(None, [*HERE, (name, b"127.0.0.1")], "127.0.0.1").status == 403


@pytest.mark.parametrize(
    ("key_sets", "rules", "stated", "tenant"),
    [
        ({}, [], {}, None),
        ({}, [], {"tenant": "what the caller says of itself"}, None),
        ({"tenant": "acme"}, [], {"tenant": "acme"}, "acme"),
        ({"tenant": ""}, [], {}, None),
        ({"tenant": "acme"}, [Rule(set={"tenant": "bolt"})], {}, "bolt"),
        ({}, [Rule(where={"api_key": "acme"}, set={"tenant": "bolt"})], {"api_key": "acme"}, "bolt"),
        ({}, [Rule(where={"api_key": "other"}, set={"tenant": "bolt"})], {"api_key": "acme"}, None),
        ({}, [Rule(path="/v1/messages", set={"tenant": "bolt"})], {}, "bolt"),
        ({}, [Rule(header={"X-Team": "b*"}, set={"tenant": "bolt"})], {}, "bolt"),
        ({}, [Rule(model="claude-haiku-*", set={"tenant": "bolt"})], {}, None),
    ],
)
def test_whose_outcomes(key_sets, rules, stated, tenant):
    key = Entry(id="acme", hash="sha256:" + "0" * 64, set=key_sets)
    assert tenant_of(key, rules, [(b"x-team", b"billing")], stated) == tenant
    if not key_sets:
        assert tenant_of(None, rules, [(b"x-team", b"billing")], stated) == tenant
