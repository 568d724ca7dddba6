"""The season, sent through gateway and sandbox."""

from itertools import chain

from farthing.demo import live
from farthing.demo.season import season
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query


def some_of_each(asks, feature_max):
    """The first calls of each feature, those of batches and those that somebody did not wait for among them."""
    by_feature = {}
    for ask in asks:
        by_feature.setdefault((ask.tags["feature"], ask.left_after_events), []).append(ask)
    return sorted(chain.from_iterable(some[:feature_max] for some in by_feature.values()), key=lambda ask: ask.at)


def test_every_call_is_metered_once_at_what_the_cost_report_says(tmp_path, monkeypatch):
    asks = some_of_each(season(), 25)
    monkeypatch.setattr(live, "season", lambda: asks)
    done = []
    sent = live.send_season(tmp_path / "ledger.duckdb", advance=done.append)
    assert sum(done) == sent.calls == len(asks)
    assert sent.log == ()
    with open_ledger(tmp_path / "ledger.duckdb") as ledger:
        stored = list(ledger.calls(Query()))
    assert len(stored) == len(asks)
    assert sum(one.posting.list_pusd for one in stored) == sent.reported_pusd > 0
    of_batches = [ask for ask in asks if ask.batch]
    assert sum(one.call.served.service_tier == "batch" for one in stored) == len(of_batches) > 0
    assert 0 < sent.batches <= len(of_batches)
    outputs = sum(min(ask.reply.output_tokens, ask.body["max_tokens"]) for ask in asks if not ask.reply.tool_uses)
    assert sum(one.call.served.usage.output_tokens for one in stored) >= outputs
    features = [
        sorted(feature)
        for feature in ((one.call.dims["feature"] for one in stored), (ask.tags["feature"] for ask in asks))
    ]
    assert features[0] == features[1]
    assert {one.call.dims["tenant"] for one in stored} == {ask.tags["tenant"] for ask in asks}
