"""Spend limits as a Claude Console organisation sees them."""

from datetime import UTC, datetime

import pytest

from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.paging import Query
from farthing.sandbox.problems import ApiError
from farthing.sandbox.spend_limits import delete_spend_limit, get_spend_limit, list_spend_limits, set_spend_limit
from farthing.sandbox.world import World


@pytest.fixture
def world():
    return World(clock=VirtualClock(datetime(2026, 11, 20, tzinfo=UTC)), tier="Build")


def listed(world, *pairs):
    return list_spend_limits(world.accounts, world.organization.id, Query(list(pairs)))["data"]


def put(world, amount, **scope):
    return set_spend_limit(world.accounts, world.organization.id, {"amount": amount, "scope": scope})


def test_the_tiers_cap_is_there_and_stays(world):
    (cap,) = listed(world)
    assert (cap["scope"], cap["amount"], cap["period"]) == ({"type": "usage_tier"}, "100000", "monthly")  # $1,000
    with pytest.raises(ApiError, match="cannot be deleted"):
        delete_spend_limit(world.accounts, world.organization.id, cap["id"])


def test_limits_come_and_go_by_their_ids(world):
    team = world.add_workspace("team")
    of_team = put(world, "250", type="workspace", workspace_id=team.id)
    whole = put(world, "5000", type="organization")
    assert [one["scope"]["type"] for one in listed(world)] == ["workspace", "organization", "usage_tier"]
    assert [one["id"] for one in listed(world, ("scope_type[]", "workspace"))] == [of_team["id"]]
    assert [one["id"] for one in listed(world, ("workspace_id", team.id))] == [of_team["id"]]
    assert get_spend_limit(world.accounts, world.organization.id, whole["id"]) == whole
    for one in (of_team, whole):
        gone = delete_spend_limit(world.accounts, world.organization.id, one["id"])
        assert gone == {"id": one["id"], "type": "spend_limit_deleted"}
    assert [one["scope"]["type"] for one in listed(world)] == ["usage_tier"]
    assert world.accounts.workspaces[team.id].spend_limit_pusd is None
    with pytest.raises(ApiError) as caught:
        get_spend_limit(world.accounts, world.organization.id, whole["id"])
    assert caught.value.status == 404


def test_what_only_claude_enterprise_has_is_a_400(world):
    with pytest.raises(ApiError, match="Claude Console"):
        listed(world, ("scope_type[]", "seat_tier"))
    with pytest.raises(ApiError, match=r"scope\.type"):
        put(world, "5", type="user", user_id="user_1")
