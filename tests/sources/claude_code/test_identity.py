"""Which lines are one call, and which of them is believed."""

import pytest

from farthing.units import Kind


@pytest.fixture
def response(kit):
    return kit.response


def outputs(calls):
    return sorted(call.served.usage.output_tokens for call in calls)


def test_t27_the_last_snapshot_counts_once(tree, response):
    tree.write(
        "p/s.jsonl", response(output=9, stop=None), response(output=9, stop=None), response(output=159, stop="tool_use")
    )
    index, report = tree.scan()
    assert outputs(tree.calls()) == [159]
    assert (report.calls, report.duplicates, report.unprovable) == (1, 2, 0)
    index.close()


def test_the_same_response_in_a_resumed_session_counts_once_where_it_came_first(tree, response):
    tree.write("p/b.jsonl", response(session="b", at="2026-11-20T09:00:01Z"))
    tree.write("q/a.jsonl", response(session="a", at="2026-11-20T09:00:00Z"))
    (call,) = tree.calls()
    assert (call.dims["project"], call.dims["session"]) == ("q", "a")


def test_equally_early_copies_go_to_the_first_path(tree, response):
    tree.write("p/b.jsonl", response(session="b"))
    tree.write("p/a.jsonl", response(session="a"))
    (call,) = tree.calls()
    assert call.dims["session"] == "a"


def test_a_side_chain_copy_gives_way_to_the_main_one_even_when_earlier(tree, response):
    tree.write(
        "p/s.jsonl",
        response(isSidechain=True, at="2026-11-20T08:00:00Z", output=500),
        response(at="2026-11-20T09:00:00Z"),
    )
    (call,) = tree.calls()
    assert call.dims["agent"] == "main"
    assert call.sent_at.hour == 9
    assert call.served.usage.output_tokens == 500


def test_sub_agents_are_kept_by_flag_and_by_folder(tree, response):
    tree.write("p/s.jsonl", response("m1", "r1"), response("m2", "r2", isSidechain=True))
    tree.write("p/s/subagents/agent-1.jsonl", response("m3", "r3", session=None))
    agents = {call.served.message_id: (call.dims["agent"], call.dims["session"]) for call in tree.calls()}
    assert agents == {"m1": ("main", "s-1"), "m2": ("subagent", "s-1"), "m3": ("subagent", "s")}
    assert {call.dims["project"] for call in tree.calls()} == {"p"}


def test_each_count_is_the_largest_of_one_models_lines(tree, response):
    tree.write(
        "p/s.jsonl",
        response(output=5, usage={"input_tokens": 7, "cache_read_input_tokens": 900}),
        response(output=50, usage={"input_tokens": 3}),
    )
    (call,) = tree.calls()
    usage = call.served.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (7, 900, 50)


def test_a_fallback_in_mid_stream_keeps_one_snapshot_whole(tree, response):
    tree.write(
        "p/s.jsonl",
        response(output=40, model="claude-opus-5-5", usage={"input_tokens": 1000}),
        response(output=60, model="claude-sonnet-5-5", usage={"input_tokens": 8}),
    )
    (call,) = tree.calls()
    usage = call.served.usage
    assert (call.served.model, usage.input_tokens, usage.output_tokens) == ("claude-sonnet-5-5", 8, 60)


def test_a_larger_write_total_brings_its_own_split(tree, response):
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 8655}
    tree.write(
        "p/s.jsonl",
        response(usage={"cache_creation_input_tokens": 8655}),
        response(usage={"cache_creation_input_tokens": 8655, "cache_creation": split}),
    )
    (call,) = tree.calls()
    usage = call.served.usage
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (0, 8655)
    assert call.served.kind is Kind.MEASURED


def test_writes_without_a_split_are_five_minute_writes_and_derived(tree, response):
    tree.write("p/s.jsonl", response(usage={"cache_creation_input_tokens": 70}))
    (call,) = tree.calls()
    assert call.served.usage.cache_write_5m_tokens == 70
    assert call.served.kind is Kind.DERIVED
    assert "without a split" in call.served.notes[0]


def test_a_line_without_request_id_joins_the_only_request(tree, response):
    tree.write("p/a.jsonl", response("m", None, output=10))
    tree.write("p/b.jsonl", response("m", "r1", output=30))
    (call,) = tree.calls()
    assert (call.call_id, call.served.usage.output_tokens) == ("m:r1", 30)


def test_a_line_without_request_id_stands_alone_among_several_requests(tree, response):
    tree.write("p/a.jsonl", response("m", None, output=10), response("m", "r1", output=30))
    tree.write("p/b.jsonl", response("m", "r2", output=20))
    assert outputs(tree.calls()) == [10, 20, 30]


def test_a_second_request_seen_later_frees_the_line_without_one(tree, response, kit):
    tree.write("p/a.jsonl", response("m", None, output=10))
    tree.write("p/b.jsonl", response("m", "r1", output=30))
    index, report = tree.scan()
    assert report.calls == 1
    tree.write("p/c.jsonl", response("m", "r2", output=20))
    _, report = tree.scan(index)
    assert report.calls == 3
    assert kit.everything(index) == kit.everything(tree.scan()[0])


def test_lines_without_message_id_are_never_merged_with_others(tree, response):
    lines = [response(None, "r", uuid="u-1"), response(None, "r", uuid="u-2"), response(None, "r", uuid=None)]
    tree.write("p/a.jsonl", *lines, lines[2])
    tree.write("p/b.jsonl", lines[0])
    calls = tree.calls()
    assert len(calls) == 4  # u-1 twice is one line seen twice; the two without uuid are two lines
    assert len({call.call_id for call in calls}) == 4
    assert all(call.served.message_id is None for call in calls)


def test_synthetic_and_error_lines_are_skipped_and_counted(tree, response):
    tree.write(
        "p/s.jsonl",
        response("m1", "r1", model="<synthetic>"),
        response("m2", "r2", isApiErrorMessage=True),
        response("m3", "r3"),
    )
    _, report = tree.scan()
    assert (report.calls, report.skipped_synthetic, report.errors) == (1, 2, ())


@pytest.mark.parametrize("envelope", [True, False])
def test_older_agent_progress_nests_the_response(tree, response, envelope):
    inner = response("m", "r", at="2026-11-20T10:00:00Z")
    nested = inner if envelope else inner["message"]
    line = {"type": "progress", "sessionId": "s-1", "timestamp": "2026-11-20T10:00:05Z", "requestId": "r"}
    tree.write("p/s.jsonl", line | {"data": {"type": "agent_progress", "message": nested}})
    (call,) = tree.calls()
    assert (call.call_id, call.dims["agent"]) == ("m:r", "subagent")
    assert call.sent_at.second == (0 if envelope else 5)


def test_a_tool_result_that_speaks_of_usage_is_no_call(tree):
    line = {"type": "user", "message": {"role": "user"}, "toolUseResult": {"usage": {"output_tokens": 5}}}
    tree.write("p/s.jsonl", line)
    _, report = tree.scan()
    assert (report.calls, report.errors) == (0, ())


@pytest.mark.parametrize(("output", "stop", "unprovable"), [(8, None, 1), (9, None, 0), (8, "end_turn", 0)])
def test_a_placeholder_that_never_got_its_count_is_assumed(tree, response, output, stop, unprovable):
    tree.write("p/s.jsonl", response(output=output, stop=stop))
    index, report = tree.scan()
    assert report.unprovable == unprovable
    (call,) = tree.calls()
    assert (call.served.kind is Kind.ASSUMED) == bool(unprovable)
    assert any("placeholder" in note for note in call.served.notes) == bool(unprovable)
    index.close()


def test_the_clients_own_estimate_stays_apart(tree, response, kit):
    tree.write("p/s.jsonl", response("m1", "r1", costUSD=0.0123), response("m2", "r2"))
    index, _ = tree.scan()
    estimates = sorted((b.client_pusd or 0, b.calls) for b in index.buckets())
    assert estimates == [(0, 1), (12_300_000_000, 1)]
