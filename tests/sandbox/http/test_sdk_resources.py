"""Batches, models, files and the organisation through the official SDK."""

from collections import Counter

import anthropic
import pytest

from farthing.sandbox.batches import Pace
from farthing.testing import Fault, Reply


def wish(custom_id, **changes):
    params = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": [{"role": "user", "content": custom_id}]}
    return {"custom_id": custom_id, "params": params | changes}


def test_a_batch_from_creation_to_deletion(box, client):
    box.state.batches.pace = Pace(processing_s=600)
    requests = [*(wish(f"r{at}") for at in range(30)), wish("bad", max_tokens=-1), wish("gone", model="claude-9")]
    created = client.messages.batches.create(requests=requests)
    assert (created.processing_status, created.results_url) == ("in_progress", None)

    box.clock.advance(599)
    halfway = client.messages.batches.retrieve(created.id)
    assert halfway.request_counts.processing == 32  # counts move only at the end
    assert halfway.request_counts.succeeded == 0
    with pytest.raises(anthropic.AnthropicError):
        client.messages.batches.results(created.id)

    box.clock.advance(1)
    ended = client.messages.batches.retrieve(created.id)
    assert ended.processing_status == "ended"
    assert ended.request_counts.to_dict() == {
        "processing": 0,
        "succeeded": 30,
        "errored": 2,
        "canceled": 0,
        "expired": 0,
    }
    assert (ended.ended_at - ended.created_at).total_seconds() == 600

    results = list(client.messages.batches.results(created.id))
    assert sorted(one.custom_id for one in results) == sorted(one["custom_id"] for one in requests)
    assert [one.custom_id for one in results] != [one["custom_id"] for one in requests]
    errors = {one.custom_id: one.result.error.error.type for one in results if one.result.type == "errored"}
    assert errors == {"bad": "invalid_request_error", "gone": "not_found_error"}
    messages = [one.result.message for one in results if one.result.type == "succeeded"]
    assert {message.usage.service_tier for message in messages} == {"batch"}
    assert Counter(message.id for message in messages) == Counter(entry.call.served.message_id for entry in box.books)
    assert {entry.call.served.service_tier for entry in box.books} == {"batch"}

    assert list(client.messages.batches.results(created.id)) == results  # the same however often it is fetched
    assert len(box.books) == 30
    assert client.messages.batches.delete(created.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(created.id)


def test_a_batch_costs_half(box, client):
    ask = wish("half")["params"]
    box.reply(Reply(output_tokens=80), Reply(output_tokens=80))
    client.messages.create(**ask)
    client.messages.batches.create(requests=[wish("half")])
    whole, half = box.books
    assert whole.call.served.usage == half.call.served.usage
    assert half.pusd * 2 == whole.pusd > 0


def test_the_rules_of_the_batchs_version_hold_for_its_requests(box, client, version):
    batch = client.messages.batches.create(requests=[wish("warm", temperature=1.0, model="claude-haiku-4-5")])
    (result,) = client.messages.batches.results(batch.id)
    assert result.result.type == ("errored" if version == "2026-10-21" else "succeeded")


def test_batches_are_listed_newest_first_and_page_by_page(box, client):
    ids = [client.messages.batches.create(requests=[wish("one")]).id for _ in range(5)]
    assert [one.id for one in client.messages.batches.list(limit=2)] == ids[::-1]
    before = client.messages.batches.list(before_id=ids[1], limit=2)
    assert ([one.id for one in before.data], before.has_more) == ([ids[3], ids[2]], True)


def test_a_cancelled_batch_bills_what_was_done(box, client):
    box.state.batches.pace = Pace(processing_s=100, cancel_s=10)
    batch = client.messages.batches.create(requests=[wish(f"r{at}") for at in range(10)])
    box.clock.advance(30)
    assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
    box.clock.advance(10)
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.canceled) == ("ended", 3, 7)
    assert len(box.books) == 3
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(batch.id)


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([], "1 to 100000"),
        ([wish("a"), wish("a")], "not unique"),
        ([wish("a b")], "pattern"),
        ([{"custom_id": "a"}], "params"),
    ],
)
def test_a_bad_envelope_is_refused_at_once(box, client, requests, said):
    with pytest.raises(anthropic.BadRequestError, match=said):
        client.messages.batches.create(requests=requests)


def test_models_are_those_of_the_day(box, client):
    ids = [model.id for model in client.models.list(limit=3)]
    assert ids[:3] == ["claude-mythos-5-2", "claude-fable-5-2", "claude-haiku-5-5"]
    assert len(ids) == len(set(ids)) > 20
    model = client.models.retrieve("claude-opus-5-5")
    assert (model.display_name, model.line, model.lifecycle) == ("Claude Opus 5.5", "opus", "active")
    assert (model.max_input_tokens, model.max_tokens) == (1_000_000, 128_000)
    assert model.created_at.isoformat() == "2026-09-22T00:00:00+00:00"
    box.clock.set(box.clock.now().replace(month=9, day=21))
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-opus-5-5")


def test_an_alias_finds_its_model_and_a_retired_one_says_so(client):
    assert client.models.retrieve("claude-haiku-4-5").id == "claude-haiku-4-5-20251001"
    retired = client.models.retrieve("claude-3-opus-20240229")
    assert (retired.lifecycle, retired.retires_at.year) == ("retired", 2026)


def test_a_file_goes_up_and_is_measured(box, client):
    content = b"farthing\r\n--not the boundary\r\n" * 100
    uploaded = client.beta.files.upload(file=("notes.txt", content, "text/plain"))
    assert (uploaded.filename, uploaded.mime_type, uploaded.size_bytes) == ("notes.txt", "text/plain", len(content))
    assert [one.id for one in client.beta.files.list()] == [uploaded.id]
    assert client.beta.files.retrieve_metadata(uploaded.id).created_at == box.clock.now()
    message = client.beta.messages.create(
        model="claude-sonnet-5",
        max_tokens=100,
        betas=["files-api-2025-04-14"],
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "document", "source": {"type": "file", "file_id": uploaded.id}},
                    {"type": "text", "text": "What is this?"},
                ],
            }
        ],
    )
    assert message.usage.input_tokens > 0
    client.beta.files.delete(uploaded.id)
    assert list(client.beta.files.list()) == []


def test_the_organisation_lists_its_workspaces_and_keys_without_secrets(box, admin):
    team = box.world.add_workspace("team")
    box.world.add_key("sk-ant-api03-team-" + "7" * 40, workspace_id=team.id, name="team key")
    workspaces = admin.beta.organization.workspaces
    assert [one.id for one in workspaces.list()] == [team.id]
    assert len(list(workspaces.list(include_default=True))) == 2
    keys = list(admin.beta.organization.api_keys.list(workspace_id=team.id))
    assert [(key.name, key.scope.workspace_id, key.status) for key in keys] == [("team key", team.id, "active")]
    assert keys[0].partial_key_hint == "sk-ant-api03-tea...7777"


def test_a_spend_limit_that_is_set_holds(box, client, admin):
    limit = admin.beta.organization.spend_limits.set(scope={"type": "organization"}, amount="1")
    assert (limit.amount, limit.period, limit.scope.type) == ("1", "monthly", "organization")
    ask = wish("x")["params"] | {"max_tokens": 2000}
    box.reply(Reply(output_tokens=1000))
    client.messages.create(**ask)  # a cent of output and some input: over the limit, which the next one meets
    with pytest.raises(anthropic.BadRequestError, match="You have reached your specified API usage limits"):
        client.messages.create(**ask)
    admin.beta.organization.spend_limits.set(scope={"type": "organization"}, amount=None)
    client.messages.create(**ask)
    assert [one.scope.type for one in admin.beta.organization.spend_limits.list()] == ["usage_tier"]


def test_the_analytics_of_the_sdk_add_up_to_the_books(box, client, admin):
    box.fail(Fault(error_after_events=5))
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(**wish("cut")["params"]) as stream:
        stream.get_final_message()
    client.messages.create(**wish("plain")["params"])
    client.messages.batches.create(requests=[wish("one"), wish("two")])
    box.clock.advance(3600)
    asked = {"starting_at": "2026-11-20T00:00:00Z", "betas": ["analytics-usage-cost-2026-08-24"]}
    analytics = admin.beta.organization.analytics
    costs = list(analytics.cost.list(**asked, group_by=["product", "workspace_id"]))
    assert {row.group.product: row.cost.requests for row in costs} == {"messages_api": 2, "message_batches_api": 2}
    assert {row.group.workspace_id for row in costs} == {box.world.workspace.id}
    (usage,) = analytics.usage.list(**asked)
    assert usage.usage.output_tokens == sum(entry.call.served.usage.output_tokens for entry in box.books)
    assert usage.usage.requests == len(box.books) == 4


def test_the_sdk_lists_rate_limits_and_sets_a_workspaces(box, admin):
    team = box.world.add_workspace("team")
    secret = "sk-ant-api03-team-" + "7" * 40
    box.world.add_key(secret, workspace_id=team.id, name="team key")
    rates, own = admin.beta.organization.rate_limits, admin.beta.organization.workspaces.rate_limits
    (sonnet,) = rates.list(model="claude-sonnet-5")
    assert (sonnet.group.type, sonnet.group.display_name) == ("model_group", "Claude Sonnet 5")
    changed = own.update(sonnet.id, workspace_id=team.id, limits=[{"type": "requests_per_minute", "value": 1}])
    assert (changed.limits[0].value, changed.limits[0].org_limit) == (1, 10_000)
    assert [one.rate_limit_id for one in own.list(team.id)] == [sonnet.id]
    with anthropic.Anthropic(base_url=box.base_url, api_key=secret, max_retries=0) as made:
        made.messages.create(**wish("one")["params"])
        with pytest.raises(anthropic.RateLimitError, match="workspace's rate limit of 1 requests"):
            made.messages.create(**wish("two")["params"])
    with pytest.raises(anthropic.NotFoundError):
        list(rates.list(model="claude-9"))


def test_the_sdk_gets_and_deletes_spend_limits_and_hears_what_enterprise_has(box, admin):
    limits = admin.beta.organization.spend_limits
    made = limits.set(scope={"type": "organization"}, amount="700")
    assert limits.retrieve(made.id).amount == "700"
    assert limits.delete(made.id).type == "spend_limit_deleted"
    with pytest.raises(anthropic.BadRequestError) as caught:
        list(limits.effective.list())
    assert caught.value.body["error"]["details"] == {"error_code": "organization_type_not_supported"}
    assert list(limits.increase_requests.list()) == []
    with pytest.raises(anthropic.NotFoundError):
        limits.increase_requests.approve("spir_01x", amount="5")


def test_claude_codes_report_over_http(box, client, admin):
    headers = {"x-claude-code-session-id": "5e55"}
    client.messages.create(**wish("hi")["params"], extra_headers=headers)
    box.clock.advance(3600)
    path = "/v1/organizations/usage_report/claude_code?starting_at=2026-11-20"
    (row,) = admin.get(path, cast_to=object)["data"]
    (entry,) = box.books
    assert row["model_breakdown"][0]["tokens"]["output"] == entry.call.served.usage.output_tokens
    with pytest.raises(anthropic.AuthenticationError):
        client.get(path, cast_to=object)
