"""The Rate Limits API says what is enforced, and enforces what is set."""

from datetime import date, datetime
from itertools import pairwise

import pytest

from farthing.prices.book import shipped_book
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.limits import Charge
from farthing.sandbox.paging import Query
from farthing.sandbox.problems import ApiError
from farthing.sandbox.rate_limits import RateLimitsApi
from farthing.sandbox.world import World

TODAY = date(2026, 11, 20)
NOW = datetime.fromisoformat("2026-11-20T09:00:00Z")


class Desk:
    def __init__(self, tier="Scale", on=TODAY, version="2026-10-21"):
        self.world = World(clock=VirtualClock(NOW), tier=tier)
        self.team = self.world.add_workspace("team")
        self.api = RateLimitsApi(self.world.accounts, self.world.organization.id, shipped_book(), on, version)

    def rows(self, **asked):
        return self.api.list_all(Query(list(asked.items())))["data"]

    def own(self, **asked):
        return self.api.list_of_workspace(self.current, Query(list(asked.items())))["data"]

    @property
    def current(self):
        return self.world.accounts.workspaces[self.team.id]

    def set(self, row, *limits):
        return self.api.set_of_workspace(self.current, row["id"], {"limits": list(limits)})


def values(row):
    return {one["type"]: one["value"] for one in row["limits"]}


def test_the_published_numbers_of_a_tier():
    (fable,) = Desk("Build").rows(model="claude-fable-5-1")
    assert values(fable) == {  # facts: claude-api 8.2
        "requests_per_minute": 2000,
        "input_tokens_per_minute_cache_aware": 1_500_000,
        "output_tokens_per_minute": 300_000,
    }
    assert (fable["type"], fable["group"]["type"]) == ("rate_limit", "model_group")
    assert "claude-fable-5-2" in fable["models"]
    (batch,) = Desk("Start").rows(group_type="batch")
    assert values(batch) == {"requests_per_minute": 1000, "enqueued_batch_requests": 200_000}
    assert batch["models"] is None
    (counting,) = Desk("Start").rows(group_type="token_count")
    assert values(counting) == {"requests_per_minute": 2000}


def test_aliases_name_a_group_too_and_models_show_from_their_release():
    desk = Desk()
    (by_alias,), (by_id,) = desk.rows(model="claude-haiku-4-5"), desk.rows(model="claude-haiku-4-5-20251001")
    assert by_alias == by_id
    assert {"claude-haiku-4-5", "claude-haiku-4-5-20251001"} <= set(by_id["models"])
    early = Desk(on=date(2026, 9, 21))
    assert not any("claude-opus-5-5" in (row["models"] or ()) for row in early.rows())
    with pytest.raises(ApiError) as caught:
        early.rows(model="claude-opus-5-5")
    assert caught.value.status == 404


def test_each_version_has_its_shape():
    old, new = Desk(version="2023-06-01").rows()[0], Desk().rows()[0]
    assert set(old) == {"type", "group_type", "models", "limits"}
    assert set(new) == {"id", "type", "group", "models", "limits"}
    assert set(new["group"]) == {"id", "type", "display_name"}


def test_pages_are_one_unless_asked_for():
    desk = Desk()
    whole = desk.api.list_all(Query([]))
    assert whole["next_page"] is None
    found, page = [], None
    while page is not None or not found:
        answer = desk.api.list_all(Query([("limit", "3"), *([("page", page)] if page else [])]))
        found, page = found + answer["data"], answer["next_page"]
    assert found == whole["data"]
    assert len({row["id"] for row in found}) == len(found) > 6


def test_no_tier_no_limits():
    assert Desk(tier=None).rows() == []
    with pytest.raises(ApiError, match="No rate limits"):
        Desk(tier=None).rows(model="claude-sonnet-5")


def test_a_workspaces_own_limit_is_listed_enforced_and_cleared():
    desk = Desk()
    (row,) = desk.rows(model="claude-sonnet-5")
    assert desk.own() == []
    answer = desk.set(row, {"type": "requests_per_minute", "value": 2})
    assert answer == desk.own()[0]
    (limit,) = answer["limits"]
    assert limit == {
        "type": "requests_per_minute",
        "value": 2,
        "org_limit": 10_000,
        "source": {"type": "workspace"},
    }
    assert (answer["rate_limit_id"], answer["workspace_id"]) == (row["id"], desk.team.id)

    def admit(model):
        desk.world.limits.admit(Charge(desk.world.organization, desk.current, model), NOW, fresh_tokens=1)

    admit("claude-sonnet-5")
    admit("claude-sonnet-5")
    with pytest.raises(ApiError, match="workspace's rate limit of 2 requests"):
        admit("claude-sonnet-5")
    admit("claude-opus-5")  # another class

    inherited = {one["type"]: one["source"]["type"] for one in desk.own(include_inherited="true")[0]["limits"]}
    every = {one["group"]["display_name"]: one for one in desk.own(include_inherited="true") if one["models"]}
    own = {one["type"]: one["source"]["type"] for one in every["Claude Sonnet 5"]["limits"]}
    assert set(inherited.values()) == {"organization"}
    assert own == {
        "requests_per_minute": "workspace",
        "input_tokens_per_minute_cache_aware": "organization",
        "output_tokens_per_minute": "organization",
    }

    assert desk.set(row, {"type": "requests_per_minute", "value": None})["limits"] == []
    admit("claude-sonnet-5")


def test_limits_that_are_not_named_stay():
    desk = Desk()
    (row,) = desk.rows(model="claude-sonnet-5")
    desk.set(row, {"type": "requests_per_minute", "value": 7})
    answer = desk.set(row, {"type": "output_tokens_per_minute", "value": 9})
    assert values(answer) == {"requests_per_minute": 7, "output_tokens_per_minute": 9}


@pytest.mark.parametrize(
    "limits",
    [
        [{"type": "tokens_per_day", "value": 5}],
        [{"type": "requests_per_minute", "value": 0}],
        [{"type": "requests_per_minute", "value": True}],
        [{"type": "requests_per_minute", "value": "5"}],
        ["requests_per_minute"],
    ],
)
def test_a_limit_that_cannot_be_is_a_400(limits):
    desk = Desk()
    (row,) = desk.rows(model="claude-sonnet-5")
    with pytest.raises(ApiError) as caught:
        desk.set(row, *limits)
    assert caught.value.status == 400


def test_a_stranger_group_and_the_default_workspace_are_refused():
    desk = Desk()
    with pytest.raises(ApiError) as caught:
        desk.api.set_of_workspace(desk.team, "rl_01x", {"limits": []})
    assert caught.value.status == 404
    with pytest.raises(ApiError, match="default workspace"):
        desk.api.set_of_workspace(desk.world.workspace, desk.rows()[0]["id"], {"limits": []})
    with pytest.raises(ApiError, match="group_type"):
        desk.rows(group_type="colour")


def test_a_higher_tier_never_has_less():
    for lower, higher in pairwise(("Start", "Build", "Scale")):
        for low, high in zip(Desk(lower).rows(), Desk(higher).rows(), strict=True):
            assert all(value <= values(high)[name] for name, value in values(low).items())
