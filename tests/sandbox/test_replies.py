"""Where replies come from: echo, script, recorded answers."""

import json
from datetime import UTC, datetime

import pytest

from farthing.sandbox.accounts import Caller
from farthing.sandbox.answering import Echo, Recorded, Replies, Scripted, last_user_text
from farthing.sandbox.replies import Ask, Case, Reply, ToolUse

T0 = datetime(2026, 11, 20, tzinfo=UTC)
TOOLS = [{"name": "first"}, {"name": "second"}]


def ask(text="hi", model="claude-opus-5", **fields):
    body = {"messages": [{"role": "user", "content": text}], **fields}
    return Ask(body, model, Caller("o", "w", "k"), T0, "standard", 0, 10)


@pytest.mark.parametrize(
    ("asked", "reply"),
    [
        (ask("say  this\n"), Reply(text="say this", thinking_tokens=0)),
        (ask("<<tokens:9>> say <<x:1>> this"), Reply(text="say this", thinking_tokens=0)),
        (ask("<<tokens:9>>"), Reply(text="Hello.", thinking_tokens=0)),
        (ask("<<output:200>> x <<thinking:50>>"), Reply(output_tokens=200, thinking_tokens=50)),
        (ask(tools=TOOLS, tool_choice={"type": "any"}), Reply(tool_uses=(ToolUse("first"),), thinking_tokens=0)),
        (
            ask(tools=TOOLS, tool_choice={"type": "tool", "name": "second"}),
            Reply(tool_uses=(ToolUse("second"),), thinking_tokens=0),
        ),
        (ask(tools=TOOLS), Reply(text="hi", thinking_tokens=0)),
    ],
)
def test_an_echo_does_as_it_is_told(asked, reply):
    assert Echo().reply(asked) == reply


def test_the_last_user_text_is_found_behind_everything_else():
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"},
    ]
    assert last_user_text({"messages": messages}) == "a b"
    assert last_user_text({"messages": messages[1:]}) == ""


def test_a_script_is_read_in_order_and_rules_go_first():
    one, two, ruled = Reply(text="1"), Reply(text="2"), Reply(text="r")
    script = Scripted([one], [(lambda a: a.model == "claude-haiku-5-5", ruled)])
    script.add(two)
    haiku = ask(model="claude-haiku-5-5")
    assert [script.reply(a) for a in (ask(), haiku, ask(), haiku, ask())] == [one, ruled, two, ruled, None]


def test_a_rule_may_make_its_reply():
    script = Scripted(rules=[(lambda _: True, lambda a: Reply(output_tokens=a.prompt_tokens))])
    assert script.reply(ask()) == Reply(output_tokens=10)


def test_recorded_answers_are_right_or_wrong_by_model():
    case = Case(
        correct="4", incorrect="5", is_correct={"claude-opus-5": True, "claude-haiku-5-5": False},
        output_tokens={"claude-opus-5": 30},
    )  # fmt: skip
    recorded = Recorded({"sum-1": case})
    question = "<<case:sum-1>> 2+2?"
    assert recorded.reply(ask(question)) == Reply(text="4", output_tokens=30)
    assert recorded.reply(ask(question, model="claude-haiku-5-5")) == Reply(text="5")
    assert recorded.reply(ask(question, model="claude-sonnet-5")) is None
    assert recorded.reply(ask("<<case:other>>")) is None
    assert recorded.reply(ask()) is None


def test_sources_are_asked_in_order_and_there_is_always_an_answer():
    replies = Replies(Scripted([Reply(text="once")]), Echo())
    assert [replies.reply(ask()).text for _ in range(2)] == ["once", "hi"]
    assert Replies().reply(ask()).text


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]}, {"a": 0}),
        ({"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}, {"a": "x"}),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": ["string", "null"]}, ""),
        ({"const": 5}, 5),
        ({"$defs": {"p": {"type": "boolean"}}, "type": "object", "properties": {"a": {"$ref": "#/$defs/p"}},
          "required": ["a"]}, {"a": False}),
        ({"$defs": {"p": {"$ref": "#/$defs/p"}}, "$ref": "#/$defs/p"}, None),
        ("no schema", None),
    ],
)  # fmt: skip
def test_an_echo_of_a_structured_output_is_the_plainest_value(schema, value):
    reply = Echo().reply(ask(output_config={"format": {"type": "json_schema", "schema": schema}}))
    assert json.loads(reply.text) == value
