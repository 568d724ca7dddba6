"""A thread is the whole conversation sent again, to the token and the picodollar."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.sandbox.answering import Scripted
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Refused, begin, count_tokens
from farthing.sandbox.replies import Reply
from farthing.sandbox.world import World

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
HEADERS = {"anthropic-version": "2026-10-21", "anthropic-beta": "message-threads-2026-08-12"}


class Client:
    """Sends turns; ``threaded`` decides whether whole or as a thread."""

    def __init__(self, *, threaded):
        self.world = World(clock=VirtualClock(START), tier=None)
        self.scripted = Scripted()
        self.world.replies.sources.insert(0, self.scripted)
        self.threaded = threaded
        self.history = []
        self.last = None

    def post(self, body, caller=None):
        return begin(self.world, caller or self.world.caller, HEADERS, json.dumps(body).encode())

    def ask(self, body):
        begun = self.post(body)
        assert not isinstance(begun, Refused), begun.body
        begun.first_byte()
        answer = begun.message()
        begun.settle()
        return answer

    def turn(self, tokens, *, cached=False, reply_tokens=30, shape=None, resend=True):
        self.scripted.add(Reply(output_tokens=reply_tokens))
        plain = {"type": "text", "text": f"<<tokens:{tokens}>> {len(self.history)}"}
        marked = plain | ({"cache_control": {"type": "ephemeral"}} if cached else {})
        body = {"model": "claude-sonnet-5", "max_tokens": 500, **((shape or {}) if resend else {})}
        if not self.threaded:
            sent = [*self.history, {"role": "user", "content": [marked]}]
            answer = self.ask(body | (shape or {}) | {"messages": sent})
        else:
            thread = {"type": "continue", "previous_message_id": self.last} if self.last else {"type": "create"}
            answer = self.ask(body | {"thread": thread, "messages": [{"role": "user", "content": [marked]}]})
        self.history += [{"role": "user", "content": [plain]}, {"role": "assistant", "content": answer["content"]}]
        self.last = answer["id"]
        return answer

    def refuse(self, **changes):
        body = {
            "model": "claude-sonnet-5",
            "max_tokens": 50,
            "thread": {"type": "continue", "previous_message_id": self.last},
            "messages": [{"role": "user", "content": "Go on."}],
        }
        refused = self.post(body | changes)
        assert isinstance(refused, Refused)
        error = json.loads(refused.body)["error"]
        return refused.status, error.get("details", {}).get("error_code")


TURNS = st.lists(
    st.tuples(st.sampled_from([5, 900, 3000]), st.booleans(), st.integers(1, 200), st.sampled_from([0, 100, 299])),
    min_size=1,
    max_size=6,
)
SHAPE = {"system": [{"type": "text", "text": "<<tokens:1500>>"}], "tools": [{"name": "look", "input_schema": {}}]}


@settings(max_examples=30)
@given(TURNS, st.booleans())
def test_usage_and_price_are_those_of_a_full_resend(turns, resend):
    whole, thread = Client(threaded=False), Client(threaded=True)
    for at, (tokens, cached, reply_tokens, wait_s) in enumerate(turns):
        options = {"cached": cached, "reply_tokens": reply_tokens, "shape": SHAPE, "resend": resend or at == 0}
        assert thread.turn(tokens, **options)["usage"] == whole.turn(tokens, **options)["usage"]
        whole.world.clock.advance(wait_s)
        thread.world.clock.advance(wait_s)
    assert [entry.pusd for entry in thread.world.books] == [entry.pusd for entry in whole.world.books]


def test_a_thread_is_gone_five_minutes_after_its_last_request():
    client = Client(threaded=True)
    client.turn(100)
    client.world.clock.advance(299)
    client.turn(100)
    client.world.clock.advance(299)
    client.turn(100)
    client.world.clock.advance(300)
    assert client.refuse() == (404, "thread_not_found")
    assert client.refuse(thread={"type": "continue", "previous_message_id": "msg_x"}) == (404, "thread_not_found")


def test_a_response_is_continued_once_and_by_one_request_at_a_time():
    client = Client(threaded=True)
    client.turn(100)
    first = client.last
    body = {
        "model": "claude-sonnet-5",
        "max_tokens": 50,
        "stream": True,
        "thread": {"type": "continue", "previous_message_id": first},
        "messages": [{"role": "user", "content": "Go on."}],
    }
    running = client.post(body)
    assert client.refuse() == (409, "thread_continue_in_flight")
    running.first_byte()
    running.settle(2)  # the client leaves: the response before can be continued again
    client.turn(100)
    client.last = first
    assert client.refuse() == (400, "thread_already_continued")


def test_what_does_not_go_with_a_thread():
    client = Client(threaded=True)
    client.turn(100, shape=SHAPE)
    assert client.refuse(model="claude-opus-5") == (400, "thread_fingerprint_mismatch")
    assert client.refuse(system="Other.") == (400, "thread_fingerprint_mismatch")
    assert client.refuse(cache_control={"type": "ephemeral"}) == (400, "thread_unsupported_request")
    assert client.refuse(thread={"type": "fork"}) == (400, None)
    team = client.world.add_workspace("team")
    stranger = client.world.accounts.caller(client.world.add_key("sk-team", workspace_id=team.id, name="team"))
    body = {
        "model": "claude-sonnet-5",
        "max_tokens": 50,
        "thread": {"type": "continue", "previous_message_id": client.last},
        "messages": [{"role": "user", "content": "Go on."}],
    }
    assert client.post(body, stranger).status == 404
    assert count_tokens(client.world, client.world.caller, HEADERS, json.dumps(body).encode())[0] == 400
    batch = begin(client.world, client.world.caller, HEADERS, json.dumps(body).encode(), service_tier="batch")
    assert json.loads(batch.body)["error"]["details"]["error_code"] == "thread_unsupported_request"


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_request_leaves_the_thread_as_it_was(stream):
    client = Client(threaded=True)
    client.turn(100)
    client.refuse(max_tokens=-1, stream=stream)
    client.turn(100)


def test_threads_that_expired_are_forgotten():
    client = Client(threaded=True)
    for _ in range(600):
        client.last, client.history = None, []
        client.turn(1)
        client.world.clock.advance(10)
    assert len(client.world.threads) <= 256 + 30  # 30 live at a time
