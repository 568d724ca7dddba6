"""The public fakes, as an outsider uses them."""

import subprocess
import sys

import anthropic
import pytest

from farthing import testing
from farthing.errors import BadInput

ASK = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}


def test_a_sandbox_lasts_as_long_as_its_block():
    with testing.sandbox() as box:
        with anthropic.Anthropic(base_url=box.base_url, api_key=box.key, max_retries=0) as client:
            assert client.messages.create(**ASK).content[0].text == "Hello"
        assert len(box.books) == 1
        assert repr(box) == f"<Sandbox {box.base_url}, 1 requests booked>"
    with (
        anthropic.Anthropic(base_url=box.base_url, api_key=box.key, max_retries=0) as client,
        pytest.raises(anthropic.APIConnectionError),
    ):
        client.messages.create(**ASK)


def test_two_sandboxes_know_nothing_of_each_other():
    with testing.sandbox() as one, testing.sandbox() as other:
        with anthropic.Anthropic(base_url=one.base_url, api_key=one.key) as client:
            client.messages.create(**ASK)
        assert (len(one.books), len(other.books)) == (1, 0)
        assert one.base_url != other.base_url


def test_the_fixture_is_there_without_an_import(farthing_sandbox, monkeypatch):
    for name, value in farthing_sandbox.env.items():
        monkeypatch.setenv(name, value)
    farthing_sandbox.reply("First.", testing.Reply(text="Second."))
    farthing_sandbox.fail("rate_limit_error", testing.Fault(refuse="api_error"))
    with anthropic.Anthropic(max_retries=0) as client:
        for expected in (anthropic.RateLimitError, anthropic.InternalServerError):
            with pytest.raises(expected):
                client.messages.create(**ASK)
        assert [client.messages.create(**ASK).content[0].text for _ in range(2)] == ["First.", "Second."]
    assert len(farthing_sandbox.books) == 2
    farthing_sandbox.reset()
    assert len(farthing_sandbox.books) == 0
    assert farthing_sandbox.clock.now() == testing.START


@pytest.mark.parametrize(
    ("scripted", "says"),
    [
        (lambda box: box.fail("ratelimit"), "'ratelimit'; expected one of invalid_request_error"),
        (lambda box: box.fail(5), "a value of type int"),
        (lambda box: box.fail(testing.Fault(error_type="oops")), "'oops'"),
        (lambda box: box.fail(testing.Fault(cut_after_events=-1)), r"\$.cut_after_events"),
        (lambda box: box.reply(5), "got `int`"),
        (lambda box: box.reply(testing.Reply(output_tokens="5")), r"\$.output_tokens"),
        (lambda box: box.reply(testing.Reply(tool_uses=[{"nam": "x"}])), r"\$.tool_uses\[0\]"),
        (lambda box: box.reply("fine", testing.Reply(output_tokens=-5)), r"\$.output_tokens"),
    ],
)
def test_a_wrong_script_is_refused_where_it_is_written(farthing_sandbox, scripted, says):
    with pytest.raises(BadInput, match=says):
        scripted(farthing_sandbox)
    with anthropic.Anthropic(base_url=farthing_sandbox.base_url, api_key=farthing_sandbox.key) as client:
        assert client.messages.create(**ASK).content[0].text == "Hello"


def test_what_is_inside_a_reply_may_be_plain(farthing_sandbox):
    farthing_sandbox.reply(testing.Reply(tool_uses=[{"name": "get", "input": {"city": "Oslo"}}]))
    with anthropic.Anthropic(base_url=farthing_sandbox.base_url, api_key=farthing_sandbox.key) as client:
        assert client.messages.create(**ASK).content[0].input == {"city": "Oslo"}


def test_the_books_know_of_batches_that_nobody_asked_for(farthing_sandbox):
    with anthropic.Anthropic(base_url=farthing_sandbox.base_url, api_key=farthing_sandbox.key) as client:
        client.messages.batches.create(requests=[{"custom_id": "a", "params": ASK}])
    assert len(farthing_sandbox.books) == 1


def test_equal_seeds_give_equal_answers():
    ids = []
    for seed in (1, 1, 2):
        with (
            testing.sandbox(seed=seed) as box,
            anthropic.Anthropic(base_url=box.base_url, api_key=box.key) as client,
        ):
            ids.append(client.messages.create(**ASK).id)
    assert ids[0] == ids[1] != ids[2]


def test_on_the_machines_clock_nothing_can_be_moved():
    with testing.sandbox(start=None) as box, pytest.raises(BadInput, match="virtual clock"):
        box.clock.advance(1)


def test_a_block_that_fails_still_ends_its_server():
    with pytest.raises(RuntimeError), testing.sandbox() as box:
        raise RuntimeError
    with testing.sandbox(port=int(box.base_url.rpartition(":")[2])) as again:
        assert again.base_url == box.base_url


def test_the_plugin_imports_nothing_until_it_is_used():
    code = (
        "import farthing.pytest_plugin, sys; print([m for m in sys.modules if m.startswith(('farthing.s', 'uvicorn'))])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert {name for name in testing.__all__ if not hasattr(testing, name)} == set()
