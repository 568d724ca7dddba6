"""Batch result lines (facts 6): only succeeded ones are billed, and each has an identity of its own."""

from __future__ import annotations

import json

import pytest

from farthing.call import Usage
from farthing.errors import BadInput
from farthing.usage.batch import read_batch_line
from farthing.usage.interface import Known

MESSAGE = {
    "id": "msg_1",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 100_000, "output_tokens": 10_000, "service_tier": "batch"},
}


def line(result, custom_id="b"):
    return json.dumps({"custom_id": custom_id, "result": result}).encode()


def test_t28_a_result_downloaded_five_times_is_one_call():
    results = [read_batch_line(line({"type": "succeeded", "message": MESSAGE}), batch_id="msgbatch_1") for _ in "12345"]

    assert {result.call_id for result in results} == {"msgbatch_1/b"}
    assert results[0].outcome == "succeeded"
    assert results[0].served.usage == Usage(100_000, output_tokens=10_000)
    assert (results[0].served.service_tier, results[0].served.stop_reason) == ("batch", "end_turn")


@pytest.mark.parametrize(("reported", "notes"), [(None, 0), ("standard", 1)])
def test_every_result_is_billed_as_batch_whatever_its_usage_says(reported, notes):
    message = MESSAGE | {"usage": MESSAGE["usage"] | {"service_tier": reported}}
    served = read_batch_line(line({"type": "succeeded", "message": message}), batch_id="m").served
    assert (served.service_tier, len(served.notes)) == ("batch", notes)


def test_a_refusal_is_a_succeeded_result():
    message = MESSAGE | {"stop_reason": "refusal", "stop_details": {"category": "cyber"}, "content": []}
    served = read_batch_line(line({"type": "succeeded", "message": message}), batch_id="m").served
    assert (served.stop_reason, served.refusal_category, served.output_started) == ("refusal", "cyber", False)


@pytest.mark.parametrize("outcome", ["canceled", "expired"])
def test_what_never_ran_is_not_billed(outcome):
    result = read_batch_line(line({"type": outcome}, "c"), batch_id="m")
    assert (result.call_id, result.outcome, result.served) == ("m/c", outcome, None)


def test_an_error_keeps_its_type_and_not_its_message():
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "secret"}, "request_id": "req_1"}
    result = read_batch_line(line({"type": "errored", "error": error}, "a"), batch_id="m")
    assert (result.outcome, result.served, result.error_type) == ("errored", None, "invalid_request_error")
    assert "secret" not in repr(result)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"", "as batch result"),
        (b"{}", "custom_id and result"),
        (line(None), "custom_id and result"),
        (line({"type": "succeeded", "message": MESSAGE}, ""), "custom_id and result"),
        (line({"type": "postponed"}), "unknown type"),
        (line({"type": ["succeeded"]}), "unknown type"),
        (line({"type": "succeeded"}), "without its message"),
        (line({"type": "succeeded", "message": {"model": "m", "usage": {"input_tokens": -4}}}), "input_tokens = -4"),
        (line({"type": "succeeded", "message": {"usage": {"input_tokens": 4}}}), "names no model"),
    ],
)
def test_a_malformed_line_is_one_clear_error(bad, said):
    with pytest.raises(BadInput, match=said):
        read_batch_line(bad, batch_id="m", known=Known())
