"""Decisions without a socket: what is forwarded, retried, tagged and read."""

import pytest

from farthing.errors import BadConfig
from farthing.gateway.asked import read_request
from farthing.gateway.decide import Forward, Policy, Refuse, RequestFacts, State, Tell, decide
from farthing.gateway.meters import HeldBody
from farthing.gateway.metrics import COUNTERS, GAUGES, Metrics
from farthing.gateway.pool import upstream
from farthing.gateway.retry import delay_s
from farthing.gateway.routes import Route, route_of
from farthing.gateway.rules import read_rules
from farthing.gateway.tags import credential_of, fingerprint, tags_of


def facts(path, *, method="POST", has_credentials=True):
    return RequestFacts(method, path, path.encode(), has_credentials)


def test_only_calls_that_are_billed_are_ever_sent_twice():
    policy = Policy(retries=2)
    assert decide(facts("/v1/messages"), policy, State()) == Forward(Route.MESSAGES, 3)
    assert decide(facts("/v1/messages/batches"), policy, State()) == Forward(Route.BATCH, 1)
    assert decide(facts("/v1/messages/count_tokens"), policy, State()) == Forward(Route.OTHER, 1)


@pytest.mark.parametrize(
    ("request_facts", "state", "status"),
    [
        (facts("/v1/../x"), State(), 400),
        (facts("/v1/%c0%ae%c0%ae/x"), State(), 400),
        (facts("/admin"), State(), 404),
        (facts("/v1/messages", method="CONNECT"), State(), 405),
        (facts("/v1/messages", method="TRACE"), State(), 405),
        (facts("/v1/messages", has_credentials=False), State(), 401),
        (facts("/v1/messages"), State(calls=5), 529),
        (facts("/v1/outcomes", has_credentials=False), State(), 401),
        (facts("/v1/outcomes", method="GET"), State(), 405),
        (facts("/v1/outcomes/"), State(), 404),
        (facts("/v1/outcomes/t-1", method="GET"), State(), 404),
    ],
)
def test_what_is_refused(request_facts, state, status):
    action = decide(request_facts, Policy(calls_max=5), state)
    assert isinstance(action, Refuse)
    assert action.status == status


def test_outcomes_are_taken_here_however_many_calls_are_under_way():
    assert isinstance(decide(facts("/v1/outcomes"), Policy(calls_max=5), State(calls=5)), Tell)


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/v1/messages", Route.MESSAGES),
        ("GET", "/v1/messages", Route.OTHER),
        ("POST", "/v1/messages/batches", Route.BATCH),
        ("GET", "/v1/messages/batches/msgbatch_1", Route.BATCH),
        ("POST", "/v1/messages/batches/msgbatch_1/cancel", Route.BATCH),
        ("GET", "/v1/messages/batches/msgbatch_1/results", Route.BATCH_RESULTS),
        ("DELETE", "/v1/messages/batches/msgbatch_1", Route.OTHER),
    ],
)
def test_routes(method, path, route):
    assert route_of(method, path) is route


def test_retries_wait_at_least_as_long_as_they_are_told_and_not_too_long():
    assert delay_s(1, 529, [], lambda: 1.0) == 0.5
    assert delay_s(3, 529, [], lambda: 0.5) == 1.0
    assert delay_s(9, 529, [], lambda: 1.0) == 8.0
    assert delay_s(1, 0, [], lambda: 0.0) == 0.0
    assert delay_s(1, 429, [(b"retry-after", b"7")], lambda: 0.0) == 7.0
    assert delay_s(1, 429, [(b"retry-after", b"31")], lambda: 0.0) is None
    assert delay_s(1, 529, [(b"x-should-retry", b"false")], lambda: 0.0) is None
    assert delay_s(1, 400, [], lambda: 0.0) is None


def test_a_body_that_cannot_be_read_asks_for_nothing():
    for body in (b"", b"[]", b"{", b'{"model":1}', b"\xff", b"[" * 100_000):
        assert read_request(body).model == ""
    assert read_request(b'{"model":"Tell me a secret, please"}').model == ""
    assert read_request(b'{"model":"sk-ant-api03-0123456789"}').model == ""
    asked = read_request(b'{"model":"claude-x","stream":true,"metadata":{"user_id":"u"},"messages":[1.0]}')
    assert (asked.model, asked.stream, asked.user) == ("claude-x", True, "u")


def test_the_key_counts_before_the_token_and_both_forms_are_one_key():
    key, token = (b"x-api-key", b"k"), (b"authorization", b"Bearer t")
    assert credential_of([token, key]) == b"k"
    assert credential_of([token]) == b"t"
    assert credential_of([(b"authorization", b"Basic t")]) is None
    assert credential_of([]) is None
    assert fingerprint(b"k", b"s" * 32) != fingerprint(b"k", b"t" * 32)


def test_tags_are_bounded_and_cannot_forge_what_is_ours():
    headers = [(b"x-farthing-tag-%d" % number, b"v" * 1_000) for number in range(100)]
    found = tags_of([*headers, (b"x-farthing-tag-gateway-call", b"forged")], None)
    assert len(found) == 32
    assert max(map(len, found.values())) == 256
    assert tags_of([(b"x-farthing-tag-team", b"a sk-ant-api03-0123456789 b")], None) == {"team": "a [key] b"}
    assert "gateway_call" not in tags_of([(b"x-farthing-tag-gateway-call", b"forged")], None)
    assert tags_of([(b"x-litellm-customer-id", b"c"), (b"x-litellm-tags", b"a,b")], "u") == {
        "user": "c",
        "litellm_tags": "a,b",
    }


def test_sessions_of_claude_code_are_not_users():
    older = "user_" + "0a" * 32 + "_account_%s_session_" + "1" * 36
    assert tags_of([], older % ("2" * 36)) == {"user": "2" * 36, "session": "1" * 36}
    assert tags_of([], older % "") == {"user": "0a" * 32, "session": "1" * 36}
    newer = '{"device_id":"d","account_uuid":"a","session_id":"s"}'
    assert tags_of([(b"x-claude-code-session-id", b"of the header")], newer) == {
        "user": "a",
        "session": "of the header",
    }
    for odd in ("{}", "[]", '{"device_id":1}', '{"session_id":"s"}', "[" * 10_000, "\ud800"):
        assert tags_of([], odd) == {"user": odd[:256]}


@pytest.mark.parametrize("text", ["[[rule]]\n", "rule = 1", '[[rule]]\nset = { api_key = "x" }', "[[rule]]\nst = {}"])
def test_wrong_rules_are_named(tmp_path, text):
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(BadConfig, match=r"rules\.toml"):
        read_rules(file)


@pytest.mark.parametrize("url", ["api.anthropic.com", "ftp://x", "https://", "https://u:p@x", "https://x:99999", "x"])
def test_what_is_no_address_is_refused_without_showing_it(url):
    with pytest.raises(BadConfig) as refused:
        upstream(url)
    assert "u:p" not in str(refused.value)


def test_a_body_over_its_bound_is_not_held():
    small = HeldBody(10)
    small.feed(b"0" * 11)
    assert small.whole() is None


def test_every_metric_is_documented_and_has_its_text(root):
    documented = (root / "docs" / "gateway.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` | {meaning} |" in documented for name, meaning in (COUNTERS | GAUGES).items())
    metrics = Metrics()
    metrics.count("farthing_calls_total", "billed", 2)
    metrics.gauge("farthing_records_waiting", lambda: 3)
    lines = metrics.text().splitlines()
    assert 'farthing_calls_total{outcome="billed"} 2' in lines
    assert "farthing_retries_total 0" in lines
    assert "farthing_records_waiting 3" in lines
