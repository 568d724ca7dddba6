"""Fallback credit: a retry reads what the refused request read, and bad tokens say why."""

import json
from datetime import UTC, datetime

import pytest

from farthing.sandbox.answering import Scripted
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Refused, begin
from farthing.sandbox.replies import Refusal, Reply
from farthing.sandbox.world import World

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
BETA = "fallback-credit-2026-07-01"
FABLE, OPUS = "claude-fable-5-1", "claude-opus-5"
PREFIX = {"type": "text", "text": "<<tokens:5000>>", "cache_control": {"type": "ephemeral", "ttl": "1h"}}


class Case:
    def __init__(self):
        self.world = World(clock=VirtualClock(START), tier=None)
        self.scripted = Scripted()
        self.world.replies.sources.insert(0, self.scripted)

    def post(self, model=FABLE, reply=None, betas=BETA, caller=None, tier="standard", **changes):
        asked = {"type": "text", "text": "<<tokens:700>>", "cache_control": {"type": "ephemeral"}}
        said = [{"role": "user", "content": [asked]}]
        body = {"model": model, "max_tokens": 300, "system": [PREFIX], "messages": said} | changes
        self.scripted.add(reply or Reply(output_tokens=50))
        headers = {"anthropic-version": "2023-06-01"} | ({"anthropic-beta": betas} if betas else {})
        begun = begin(self.world, caller or self.world.caller, headers, json.dumps(body).encode(), service_tier=tier)
        if isinstance(begun, Refused):
            return json.loads(begun.body)["error"]
        begun.first_byte()
        answer = begun.message()
        begun.settle()
        return answer

    def refused(self, **options):
        """A warm cache on the first model, then a refusal there."""
        self.post(messages=[{"role": "user", "content": "Hello"}])
        return self.post(reply=Reply(refusal=Refusal(category="cyber"), output_tokens=0), **options)


def test_the_retry_reads_what_the_refused_request_read():
    plain, case = Case(), Case()
    plain.refused()
    refused = case.refused()
    assert refused["usage"]["cache_read_input_tokens"] == 5000
    token = refused["stop_details"]["fallback_credit_token"]
    assert refused["stop_details"]["fallback_has_prefill_claim"] is False
    without, with_token = plain.post(OPUS)["usage"], case.post(OPUS, fallback_credit_token=token)["usage"]
    assert (without["cache_read_input_tokens"], without["cache_creation_input_tokens"]) == (0, 5700)
    assert (with_token["cache_read_input_tokens"], with_token["cache_creation_input_tokens"]) == (5000, 700)
    assert with_token["cache_creation"] == {"ephemeral_5m_input_tokens": 700, "ephemeral_1h_input_tokens": 0}
    assert with_token["fallback_credit"] == {"status": {"type": "redeemed"}}
    assert "fallback_credit" not in without
    # Opus 5: 5,000 tokens at $0.50 instead of $10 per million (facts: claude-api 1.1)
    saved = list(plain.world.books)[-1].pusd - list(case.world.books)[-1].pusd
    assert saved == 5000 * (10_000_000 - 500_000)
    again = case.post(OPUS, fallback_credit_token=token)["usage"]  # warm by now: nothing is left to move
    assert (again["cache_read_input_tokens"], again["fallback_credit"]["status"]["type"]) == (5700, "redeemed")


def test_no_beta_no_batch_no_fallbacks_no_token():
    for options in ({"betas": ""}, {"tier": "batch"}):
        assert "fallback_credit_token" not in Case().refused(**options)["stop_details"]
    both = f"{BETA},server-side-fallback-2026-07-01"
    assert "fallback_credit_token" not in Case().refused(betas=both, fallbacks=[])["stop_details"]


def best(token):
    return {"token": token, "mode": "best_effort"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": FABLE}, "invalid_target_model"),
        ({"tools": [{"name": "look", "input_schema": {}}]}, "body_mismatch"),
        ({"messages": [{"role": "user", "content": "Other"}]}, "body_mismatch"),
        ({"betas": f"{BETA},context-1m-2025-08-07"}, "body_mismatch"),
        ({"wait_s": 300}, "expired"),
        ({"team": True}, "wrong_workspace"),
    ],
)
def test_a_token_that_is_no_good_is_a_400_or_says_why(changes, reason):
    case = Case()
    token = case.refused()["stop_details"]["fallback_credit_token"]
    changes = {"model": OPUS} | changes
    case.world.clock.advance(changes.pop("wait_s", 0))
    if changes.pop("team", False):
        team = case.world.add_workspace("team")
        key = case.world.add_key("sk-team", workspace_id=team.id, name="team")
        changes["caller"] = case.world.accounts.caller(key)
    assert case.post(**changes, fallback_credit_token=token)["message"] == f"fallback_credit_token: {reason}"
    served = case.post(**changes, fallback_credit_token=best(token))["usage"]
    assert served["fallback_credit"] == {"status": {"type": "not_applied", "reason": reason}}


@pytest.mark.parametrize("name", ["max_tokens", "stop_sequences", "metadata", "service_tier"])
def test_what_may_change_may(name):
    value = {"max_tokens": 7, "stop_sequences": ["x"], "metadata": {"user_id": "u"}, "service_tier": "standard_only"}
    case = Case()
    token = case.refused()["stop_details"]["fallback_credit_token"]
    usage = case.post(OPUS, fallback_credit_token=token, **{name: value[name]})["usage"]
    assert usage["cache_read_input_tokens"] == 5000


def test_a_malformed_token_and_fallbacks_fail_in_either_mode():
    case = Case()
    token = case.refused()["stop_details"]["fallback_credit_token"]
    for given in ("nonsense", best("nonsense"), {"mode": "strict"}, {"token": token, "mode": "lax"}, 5):
        assert case.post(OPUS, fallback_credit_token=given)["type"] == "invalid_request_error"
    both = f"{BETA},server-side-fallback-2026-07-01"
    error = case.post(OPUS, betas=both, fallbacks=[{"model": FABLE}], fallback_credit_token=best(token))
    assert "combined with fallbacks" in error["message"]


def test_a_partial_answer_may_be_continued_where_the_token_says_so():
    case = Case()
    case.post(messages=[{"role": "user", "content": "Hello"}])
    partial = Reply(text="Once upon a time ", refusal=Refusal(after_output=True))
    details = case.post(reply=partial)["stop_details"]
    assert details["fallback_has_prefill_claim"] is True
    asked = {"type": "text", "text": "<<tokens:700>>", "cache_control": {"type": "ephemeral"}}
    told = {"role": "assistant", "content": [{"type": "text", "text": "Once upon a time"}]}
    said = [{"role": "user", "content": [asked]}, told]
    token = details["fallback_credit_token"]
    usage = case.post(OPUS, messages=said, fallback_credit_token=token)["usage"]
    assert usage["fallback_credit"]["status"]["type"] == "redeemed"
    assert "prefill" in case.post(OPUS, messages=said)["message"]  # without the token it is one
    other = [said[0], {"role": "assistant", "content": "Never"}]
    error = case.post(OPUS, messages=other, fallback_credit_token=best(token))
    assert error["message"] == "fallback_credit_token: body_mismatch"


def test_default_fallbacks_are_those_that_were_set():
    case = Case()
    asked = {"betas": "server-side-fallback-2026-07-01", "fallbacks": "default"}
    refusal = Reply(refusal=Refusal(category="cyber"), output_tokens=0)
    alone = case.post(reply=refusal, **asked)
    assert (alone["stop_reason"], alone["model"]) == ("refusal", FABLE)
    case.world.default_fallbacks = {FABLE: (OPUS,)}
    case.scripted.add(refusal)
    served = case.post(reply=Reply(output_tokens=9), **asked)
    assert (served["stop_reason"], served["model"]) == ("end_turn", OPUS)
