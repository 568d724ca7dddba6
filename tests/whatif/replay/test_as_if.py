"""One call under other choices, by hand and by the replay."""

from datetime import UTC, datetime

import pytest

from farthing.call import Call, ExtraPass, PassKind, Request, Served, Usage
from farthing.errors import BadInput
from farthing.money import parse_usd, usd_text
from farthing.prices.book import shipped_book
from farthing.units import Kind
from farthing.whatif.replay.as_if import as_if, read_wish, usual_wishes
from farthing.whatif.replay.parse import parse_choice
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
AT = datetime(2026, 11, 18, 9, tzinfo=UTC)
CACHED = Usage(input_tokens=1000, cache_write_5m_tokens=4000, cache_read_tokens=20_000, output_tokens=500)


def call_of(usage=CACHED, model="claude-sonnet-5-5", **served):
    return Call(call_id="one", sent_at=AT, source="gateway", served=Served(model=model, usage=usage, **served))


def wished(text, call=None):
    return as_if(call or call_of(), read_wish(text, BOOK), BOOK)


def usd(*counts_and_rates):
    """Count x USD per million tokens, added up."""
    return sum(count * parse_usd(rate) // 10**6 for count, rate in counts_and_rates)


WAS = usd((1000, "2"), (4000, "2.5"), (20_000, "0.1"), (500, "10"))


@pytest.mark.parametrize(
    ("text", "pusd", "kind"),
    [
        ("model=claude-opus-5-5", 2 * WAS, Kind.ASSUMED),  # twice every rate; the other model's cache is believed in
        ("batch=true", WAS // 2, Kind.ASSUMED),
        ("geo=us", WAS * 11 // 10, Kind.ASSUMED),
        ("cache=none", usd((25_000, "2"), (500, "10")), Kind.DERIVED),
        ("ttl=1h", usd((1000, "2"), (4000, "4"), (20_000, "0.1"), (500, "10")), Kind.ASSUMED),
        ("ttl=5m", WAS, Kind.MEASURED),
        ("cache=none,batch=true", usd((25_000, "1"), (500, "5")), Kind.DERIVED),
        ("effort=low*0.6", usd((1000, "2"), (4000, "2.5"), (20_000, "0.1"), (300, "10")), Kind.ASSUMED),
    ],
)
def test_by_hand(text, pusd, kind):
    found = wished(text)
    assert (found.why_not, usd_text(found.pusd)) == ("", usd_text(pusd))
    assert found.saved_pusd == WAS - pusd
    assert found.bill.list_pusd == found.pusd
    if kind is not Kind.MEASURED:
        assert found.kind is kind


def test_each_usual_choice_is_what_a_replay_of_the_call_alone_says():
    call = call_of()
    seen = set()
    for wish in usual_wishes(call, BOOK):
        found = as_if(call, wish, BOOK)
        seen.add(wish.text.partition("=")[0])
        if wish.cached:
            continue
        (step,) = replay([call], [parse_choice(wish.text, BOOK)], BOOK).steps
        assert (found.pusd is None) == bool(step.stays), wish.text
        if found.pusd is not None:
            assert (found.pusd, found.saved_pusd, found.kind) == (step.sums.pusd, step.saved_pusd, step.kind), wish.text
    assert seen == {"model", "batch", "geo", "speed", "cache", "ttl"}


def test_no_cache_is_what_a_replay_without_one_says():
    call = call_of(Usage(input_tokens=5000, output_tokens=500))
    (step,) = replay([call], [parse_choice("cache=none", BOOK)], BOOK).steps
    assert wished("cache=none", call).pusd == step.sums.pusd


def test_the_call_as_it_is_is_no_choice():
    texts = [wish.text for wish in usual_wishes(call_of(), BOOK)]
    assert "model=claude-sonnet-5-5" not in texts
    assert "model=claude-opus-4-1-20250805" not in texts, "it has retired, though other platforms serve it"
    assert "batch=false" in [wish.text for wish in usual_wishes(call_of(service_tier="batch"), BOOK)]
    assert "geo=global" in [wish.text for wish in usual_wishes(call_of(inference_geo="us"), BOOK)]
    plain = [wish.text for wish in usual_wishes(call_of(Usage(input_tokens=10)), BOOK)]
    assert not {"cache=none", "ttl=1h", "ttl=5m"} & set(plain)


@pytest.mark.parametrize(
    ("call", "text", "said"),
    [
        (call_of(Usage(input_tokens=300_000)), "model=claude-haiku-4-5-20251001", "longer than"),
        (call_of(service_tier="priority"), "batch=true", "no exact price"),
        (call_of(model="unheard-of"), "batch=true", "no exact price"),
        (call_of(), "speed=fast", "no fast rate"),
        (
            call_of(extra_passes=(ExtraPass(PassKind.COMPACTION, Usage(input_tokens=5), "claude-sonnet-5-5"),)),
            "cache=none",
            "several passes",
        ),
    ],
)
def test_why_not(call, text, said):
    found = wished(text, call)
    assert found.pusd is found.bill is found.saved_pusd is None
    assert said in found.why_not


def test_a_pre_warming_request_joins_no_batch():
    call = Call(
        call_id="one", sent_at=AT, source="gateway", served=call_of().served, request=Request(max_tokens=0, model="x")
    )
    assert "pre-warming" in wished("batch=true", call).why_not


def test_what_is_believed_is_said():
    assert wished("cache=none").assumes == ()
    said = wished("model=claude-sonnet-4-5").assumes
    assert any("tokenizer" in one for one in said)
    assert any("as long as it was" in one for one in said)
    assert any("read all the same" in one for one in wished("ttl=1h").assumes)
    assert wished("ttl=5m").assumes == ()


@pytest.mark.parametrize(
    "text",
    ["cache=automatic", "cache=none,ttl=1h", "model=nobody", "batch=true where feature=a", "ttl=2h", "pings=3", ""],
)
def test_what_is_no_wish_for_one_call_is_refused(text):
    with pytest.raises(BadInput):
        read_wish(text or "=", BOOK)
