"""One call: what it would have cost otherwise is what the command line says of it, and what was decided is said."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.dashboard.made import HOSTILE, OpenLedger, client_of, posted

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.ledger import open_ledger
from farthing.prices.contract_terms import ContractTerms, Discount

AT = datetime(2026, 11, 18, 9, tzinfo=UTC)
ASKED = ("batch=true", "geo=us", "speed=fast", "cache=none", "model=claude-opus-5-5", "model=claude-haiku-4-5-20251001")
WRITTEN = Usage(input_tokens=50, cache_write_5m_tokens=3000, output_tokens=200)
READ = Usage(input_tokens=60, cache_read_tokens=3000, cache_write_5m_tokens=400, output_tokens=250)


def request_of(*lengths, ttl_at=0, **more):
    """A prompt of blocks of these lengths, the one at *ttl_at* with a breakpoint."""
    hashes = [bytes([n + 1]) * 16 for n in range(len(lengths))]
    blocks = tuple(
        PromptBlock(
            prefix_hash=one,
            tokens=tokens,
            section="system" if n == 0 else "messages",
            ttl="5m" if n == ttl_at else None,
        )
        for n, (one, tokens) in enumerate(zip(hashes, lengths, strict=True))
    )
    return Request(model="claude-sonnet-5-5", blocks=blocks, **more)


def call_of(name, usage=WRITTEN, *, at=AT, request=None, dims=(), **served):
    facts = Served(model="claude-sonnet-5-5", usage=usage, message_id=name, inference_geo="global", **served)
    whose = {"tenant": "tenant-01", "session": "talk", **dict(dims)}
    return Call(call_id=name, sent_at=at, source="gateway", served=facts, dims=whose, request=request)


@pytest.fixture(scope="module")
def told():
    """Two tries of one request, a repeated prompt, one that was recovered and one whose client left."""
    later = AT + timedelta(minutes=3)
    return [
        call_of("written", request=request_of(3000, 50), dims={"gateway_call": "g-1"}),
        call_of("tried-again", at=AT + timedelta(seconds=9), dims={"gateway_call": "g-1.2", "attempt": "2"}),
        call_of("repeated", READ, at=later, request=request_of(3000, 50), dims={"gateway_call": "g-2"}),
        call_of("recovered", dims={"recovered": "message_start", "gateway_call": "g-3", "session": "b"}),
        call_of("left", dims={"client_left": "drained", "session": "c"}, request=request_of(300, 50, ttl_at=1)),
        call_of("short", Usage(input_tokens=300), dims={"session": "d"}, request=request_of(250, 50)),
        call_of("unmarked", Usage(input_tokens=300), dims={"session": "e"}, request=request_of(250, ttl_at=9)),
    ]


@pytest.fixture
def pages(told, desk):
    made = OpenLedger()
    made.add(map(posted, told))
    return client_of(made, desk)


def shown(client, name, **asked):
    return client.get("/call", params={"open": name, "format": "json", **asked}).json()


def rows(page, name):
    return next((table["rows"] for table in page["tables"] if table["name"] == name), [])


def test_as_if_is_what_the_command_line_says_of_a_ledger_of_that_call(pages, told, desk, farthing, tmp_path):
    for call in (told[0], told[2]):
        path = tmp_path / f"{call.call_id}.duckdb"
        with open_ledger(path) as made:
            made.add([posted(call)])
        found = {row["choice"]: row for row in rows(shown(pages, call.call_id), "as_if")}
        assert "ttl=1h" in found
        for choice in ASKED:  # no ttl among them: alone, a replay finds an empty cache
            row = found[choice]
            step = farthing.json("whatif", "--choose", choice, "--ledger", path)["steps"][-1]
            if row["usd"] is None:
                assert row["says"] in step["kept_as_recorded"], choice
            else:
                assert row["usd"] == step["usd"], choice
    assert rows(shown(pages, "written"), "as_if") != rows(shown(pages, "repeated"), "as_if")


def test_several_choices_at_once_have_a_bill_of_their_own(pages):
    asked = "model=claude-opus-5-5,batch=true,cache=none"
    page = shown(pages, "written", as_if=asked)
    lines = rows(page, "bill_as_if")
    assert [(one["unit"], one["count"], one["rate"]) for one in lines] == [
        ("input_tokens", 3050, "2"),
        ("output_tokens", 200, "10"),
    ]
    assert next(row for row in rows(page, "as_if") if row["choice"] == asked)["usd"] == "0.0081"
    assert rows(shown(pages, "written"), "bill_as_if") == []
    html = pages.get("/call", params={"open": "written", "as_if": asked}).text
    assert "x 0.5 batch" in html
    assert 'value="model=claude-opus-5-5,batch=true,cache=none"' in html
    assert '<input type="hidden" name="open" value="written">' in html


def test_what_cannot_be_is_said(pages):
    html = pages.get("/call", params={"open": "written", "as_if": "speed=fast"}).text
    assert "it cannot be" in html
    assert "no fast rate" in html
    for wrong in ("cache=automatic", "nonsense", HOSTILE):
        answer = pages.get("/call", params={"open": "written", "as_if": wrong})
        assert answer.status_code == 400
        assert "<img" not in answer.text.replace("/static/farthing.svg", "").replace('<img src="" alt=""', "")


def decided(client, name):
    html = client.get("/call", params={"open": name}).text
    return html[html.index("What was decided") : html.index("What was served, and for whom")]


def test_tries_of_one_request_lead_to_each_other(pages):
    assert 'href="/call?open=tried-again"' in decided(pages, "written")
    again = decided(pages, "tried-again")
    assert 'href="/call?open=written"' in again
    assert "number 2 of one request" in again
    assert "no other try of it was billed" in decided(pages, "repeated")


def test_the_very_same_prompt_within_minutes_is_found(pages):
    assert "sent 3 min after by the same session" in decided(pages, "written")
    assert "sent 3 min before by the same session" in decided(pages, "repeated")
    assert "very same prompt" not in decided(pages, "left")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("written", "miss: nothing was read; 98.4 % of the prompt was written"),
        ("repeated", "hit: 86.7 % of the prompt was read, and wrote 11.6 % for later calls"),
        ("short", "passed over: claude-sonnet-5-5 caches no prefix shorter than"),
        ("unmarked", "not asked for: no breakpoint was set"),
        ("tried-again", "miss: nothing was read"),
        ("recovered", "posted from the start of its answer"),
        ("left", "read to its end all the same"),
    ],
)
def test_verdict_and_provenance(pages, name, said):
    assert said in decided(pages, name)


def test_under_a_contract_amounts_are_those_of_the_contract(told, desk):
    made = OpenLedger()
    made.add(map(posted, told))
    tenth = ContractTerms(name="ten", discount=(Discount(percent="10"),))
    found = rows(shown(client_of(made, desk._replace(terms=tenth)), "written"), "as_if")
    assert next(row["usd"] for row in found if row["choice"] == "cache=none") == "0.00729"  # 3,050 x $2, 200 x $10
