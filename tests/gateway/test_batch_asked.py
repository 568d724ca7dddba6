"""What a batch asks for: the same as all of its requests one by one, a few of them in each turn of the loop."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.gateway.batch_asked import BatchAsked, read_batch_asked
from farthing.gateway.models_asked import models_asked, models_of
from farthing.prices.card import Unpriced


def asked(body, worst_of=len):
    return asyncio.run(read_batch_asked(body if isinstance(body, bytes) else json.dumps(body).encode(), worst_of))


def request(model="a", number=0, **params):
    return {"custom_id": str(number), "params": {"model": model, **params}}


def test_the_sum_the_dearest_and_every_model():
    body = {"requests": [request(), request("b", 1, text="x" * 50), request("a", 2)]}
    sizes = [len(json.dumps(one["params"])) for one in body["requests"]]
    assert asked(body) == BatchAsked(frozenset("ab"), sum(sizes), sizes[1])


def test_one_request_without_a_bound_leaves_all_without():
    why = Unpriced("why")
    assert asked({"requests": [request(), request("b")]}, lambda raw: why if b'"b"' in raw else 1) is why


LISTS = b'{"requests": [%b], "requests": [%b]}'
ONE, OTHER = json.dumps(request()).encode(), json.dumps(request("dear")).encode()


@pytest.mark.parametrize(
    "body",
    [
        LISTS % (ONE, OTHER),
        LISTS % (OTHER, ONE),
        LISTS % (ONE, ONE),
        LISTS.replace(b"requests", b"reque\\u0073ts", 1) % (OTHER, ONE),
        b'{"requests": [{"params": {"model": "a"}, "params": {"model": "dear"}}]}',
        b'{"requests": [{"params": {"model": "a"}, "p\\u0061rams": {"model": "dear"}}]}',
        b'{"requests": [{"params": {"model": "a", "model": "dear"}}]}',
        b'{"requests": [1]}',
        b'{"requests": [{"params": {}}]}',
        b'{"requests": []}',
        b'{"requests": {}}',
        b'{"requests": [%b], "x": "%b"}' % (ONE, b"x" * 65_536),
        b'{"requests": [%b]}' % b",".join([b"1"] * 100_001),
        b"{}",
        b"[]",
        b"{",
        b"[" * 100_000,
    ],
)
def test_what_could_be_read_in_two_ways_or_not_at_all_has_no_bound(body):
    assert isinstance(asked(body), Unpriced)


_values = st.sampled_from(["a", "b"]) | st.integers() | st.just([{"model": "c"}])
_requests = st.dictionaries(st.sampled_from(["params", "model", "fallbacks", "x"]), _values, max_size=2)
_params = st.dictionaries(st.sampled_from(["model", "fallbacks", "tools", "messages"]), _values, max_size=4)


@given(st.lists(_requests | st.builds(lambda one: {"params": one}, _params), max_size=4))
def test_models_are_those_of_the_whole_body(requests):
    are_requests = all("params" in one for one in requests)  # others would be errors, and free
    whole = models_asked(json.dumps({"requests": requests}).encode()) if are_requests else None
    found = asked({"requests": requests})
    assert (None if isinstance(found, Unpriced) else found.models) == whole
    if len(requests) == 1:
        assert models_of(json.dumps(requests[0]).encode()) == whole


@pytest.mark.parametrize(("many", "chars", "turns"), [(1000, 1, 30), (20, 70_000, 20)])
def test_others_get_a_turn_while_it_is_worked_out(many, chars, turns):
    body = json.dumps({"requests": [request(text="x" * chars) for _ in range(many)]}).encode()

    async def main():
        reading = asyncio.create_task(read_batch_asked(body, len))
        had = 0
        while not reading.done():
            await asyncio.sleep(0)
            had += 1
        return had

    assert asyncio.run(main()) >= turns
