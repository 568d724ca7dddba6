"""Calls meet the ones they are, and no others, however their narrow keys happen to fall."""

from __future__ import annotations

import random
import zlib

import msgspec
import pytest

from farthing.ledger import open_ledger, posting
from farthing.ledger.interface import Added, Query, Stored
from farthing.ledger.memory import MemoryLedger

PAIRS = 6


def alike():
    """Texts in pairs that share their CRC32."""
    rng, seen, found = random.Random(5), {}, []
    while len(found) < PAIRS:
        text = rng.randbytes(6).hex()
        other = seen.setdefault(zlib.crc32(text.encode()), text)
        if other != text:
            found.append((other, text))
    return found


@pytest.fixture(scope="module")
def pairs():
    found = alike()
    assert all(a != b and zlib.crc32(a.encode()) == zlib.crc32(b.encode()) for a, b in found)
    return found


def named(stored, call_id, message_id, request_id, output=10):
    """The record under other ids."""
    usage = msgspec.structs.replace(stored.call.served.usage, output_tokens=output)
    served = msgspec.structs.replace(stored.call.served, message_id=message_id, request_id=request_id, usage=usage)
    return Stored(msgspec.structs.replace(stored.call, call_id=call_id, served=served), stored.posting)


@pytest.mark.parametrize("one_by_one", [0, 3, 1_000])
def test_ids_that_share_a_key_by_chance_are_told_apart(path, make, pairs, monkeypatch, one_by_one):
    """Against the engine that compares ids alone: keys by chance, by one id and by both, calls known and better."""
    monkeypatch.setattr(posting, "_ONE_BY_ONE_MAX", one_by_one)
    (a, a2), (b, b2), (c, c2), (d, d2), (e, e2), (f, f2) = pairs
    plain = make("x")
    first = [
        named(plain, a, b, "r1"),
        named(plain, c, "m-2", None),
        named(plain, "c-3", d, None),
        named(plain, e, None, "r4"),
        named(plain, f, "", "r5"),
    ]
    then = [
        named(plain, a2, b2, "r6"),  # both keys, neither id
        named(plain, c2, "m-2", "r7", 20),  # the call's key by chance, and the message: one call, better known
        named(plain, "c-8", d2, None),  # the message's key by chance
        named(plain, d, d, None),  # the same message, under another call id
        named(plain, e, None, "r4"),  # known
        named(plain, e2, None, "r4"),
        named(plain, f2, "", "r9"),
        named(plain, f, "m-9", "r5", 30),  # the call's id, and a message id where there was none
    ]
    expected = MemoryLedger()
    with open_ledger(path) as ledger:
        for calls in (first, then, then[::-1], first):
            assert ledger.add(calls) == expected.add(calls)
        assert list(ledger.calls(Query())) == list(expected.calls(Query()))
        assert ledger.report(Query(by=("model",))) == expected.report(Query(by=("model",)))


def test_calls_that_come_again_are_known_and_better_ones_replace_them(path, make):
    first = [make(f"c{number}", dims={"team": "a"}) for number in range(50)]
    better = [named(one, one.call.call_id, one.call.served.message_id, one.call.served.request_id, 99) for one in first]
    with open_ledger(path) as ledger:
        assert ledger.add(first) == Added(new=50, known=0, improved=0)
        assert ledger.add([*first[:20], make("other")]) == Added(new=1, known=20, improved=0)
        assert ledger.add(better[40:]) == Added(new=0, known=0, improved=10)
        [total] = ledger.report(Query())
    assert total.calls == 51
    assert total.usage.output_tokens == 41 * 10 + 10 * 99
