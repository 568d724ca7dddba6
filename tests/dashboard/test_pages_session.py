"""A session: its agents, what each call cost and for what, who wrote what others read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.dashboard.made import HOSTILE, OpenLedger, client_of, posted

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.dashboard.pages.session import CALLS_SHOWN, spans
from farthing.ledger.interface import Query

AT = datetime(2026, 11, 18, 9, tzinfo=UTC)


def call_of(number, usage, *, agent=None, parent=None, model="claude-sonnet-5-5", blocks=(), **dims):
    told = {"agent": agent, "parent_agent": parent, "session": "talk", "tenant": "tenant-01", **dims}
    prompt = tuple(
        PromptBlock(prefix_hash=bytes([one]) * 16, tokens=tokens, section="messages", ttl=ttl)
        for one, tokens, ttl in blocks
    )
    return Call(
        call_id=f"call-{number}",
        sent_at=AT + timedelta(minutes=number),
        source="gateway",
        served=Served(model=model, usage=Usage(**usage)),
        dims={name: value for name, value in told.items() if value},
        request=Request(model=model, blocks=prompt),
    )


@pytest.fixture(scope="module")
def talk():
    """A main agent, one it started, one that that one started, and one whose starter is nobody."""
    written = {"cache_write_5m_tokens": 2000, "output_tokens": 10}
    read = {"cache_read_tokens": 2000, "input_tokens": 30, "output_tokens": 20}
    front = (1, 2000, "5m")
    return [
        call_of(1, written, blocks=[front], tool="search"),
        call_of(2, read, agent="a", blocks=[front, (2, 30, None)], tool="search"),
        call_of(3, read, agent="b", parent="a", blocks=[front, (3, 30, None)], model="claude-opus-5-5", tool="read"),
        call_of(4, read, agent="c", parent="gone", blocks=[(9, 2000, "5m")]),
        call_of(5, written, blocks=[(4, 2000, "5m")]),
        call_of(40, written, blocks=[front]),
    ]


@pytest.fixture
def ledger(talk):
    made = OpenLedger()
    made.add(map(posted, talk))
    return made


def opened(client, name="talk", **asked):
    return client.get("/sessions", params={"open": name, "format": "json", **asked}).json()


def rows(page, name):
    return next((table["rows"] for table in page["tables"] if table["name"] == name), None)


def test_the_tree_sums_to_the_session(ledger, desk):
    page = opened(client_of(ledger, desk))
    tree = rows(page, "agents")
    told = [(one["agent"], one["started_by"], one["calls"]) for one in tree]
    assert told[0] == ("main", None, 3)
    assert told.index(("b", "a", 1)) == told.index(("a", "main", 1)) + 1
    assert ("c", "main", 1) in told
    cost = {one["agent"]: Decimal(one["usd"]) for one in tree}
    whole = {one["agent"]: Decimal(one["whole_usd"]) for one in tree}
    total = Decimal(page["figures"]["usd"]["value"])
    assert whole["main"] == total == sum(cost.values())
    assert whole["a"] == cost["a"] + cost["b"]
    (row,) = ledger.report(Query(where={"agent": ("b",)}))
    assert cost["b"] * 10**12 == row.list_pusd


@pytest.mark.parametrize(
    "parents", [{"a": "b", "b": "a"}, {"a": "a"}, {"a": "b", "b": "c", "c": "b"}, {"a": HOSTILE, HOSTILE: "a"}]
)
def test_names_that_go_in_a_circle_are_all_there(desk, parents):
    made = OpenLedger()
    usage = {"input_tokens": 10}
    made.add(posted(call_of(n, usage, agent=one, parent=by)) for n, (one, by) in enumerate(parents.items()))
    made.add([posted(call_of(50, usage, agent="z"))])
    tree = rows(opened(client_of(made, desk)), "agents")
    assert {one["agent"] for one in tree} == {*parents, "z"}
    assert len(tree) == len(parents) + 1


def test_who_wrote_and_who_read(ledger, desk):
    page = opened(client_of(ledger, desk))
    first, second = rows(page, "prefixes")
    assert (first["written_by"], first["read_by"], first["reads"], first["read_tokens"]) == (
        "1, 6",
        "2\u20133",
        2,
        4000,
    )
    assert (second["written_by"], second["read_by"], second["tokens"]) == ("5", "nobody here", 2000)
    assert [one["read_of"] for one in rows(page, "calls")] == [None, 1, 1, None, None, None]
    html = client_of(ledger, desk).get("/sessions?open=talk").text
    assert "prefix 1, of call 1" in html
    assert "from another session, or before" in html
    assert "1 of 2 were read by no later call" in html


def test_cost_by_model_and_by_tool(ledger, desk):
    page = opened(client_of(ledger, desk))
    models = {one["model"]: one for one in rows(page, "models")}
    assert models["claude-opus-5-5"]["calls"] == 1
    assert {one["tool"]: one["calls"] for one in rows(page, "tools")} == {"search": 2, "read": 1, None: 3}
    for name in ("models", "tools"):
        assert sum(Decimal(one["usd"]) for one in rows(page, name)) == Decimal(page["figures"]["usd"]["value"])


def test_the_chart_is_the_bill_call_by_call(ledger, desk):
    html = client_of(ledger, desk).get("/sessions?open=talk").text
    assert "Cost call by call" in html
    assert "09:03, read from the cache: $0.00" in html
    assert "At list, by the book in force" in html


def test_a_long_session_is_shown_in_part_and_says_so(desk):
    made = OpenLedger()
    many = CALLS_SHOWN + 5
    made.add(posted(call_of(n, {"input_tokens": 10 + n})) for n in range(many))
    client = client_of(made, desk)
    page = opened(client)
    assert len(rows(page, "calls")) == CALLS_SHOWN
    assert f"The first {CALLS_SHOWN} of {many}" in client.get("/sessions?open=talk").text
    assert page["figures"]["took"]["value"] is None
    assert rows(page, "agents") is rows(page, "models") is rows(page, "prefixes") is None


def test_numbers_in_short():
    assert spans([]) == ""
    assert spans([1, 2, 5]) == "1\u20132, 5"
