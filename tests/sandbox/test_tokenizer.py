"""Counts that a trace dictates, and the plain rule for everything else."""

import base64
import struct
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.prompts.blocks import read_prompt
from farthing.sandbox.tokenizer import SandboxCounter, filler, text_tokens
from farthing.tokens.models import traits_of

GENERATIONS = ("pre-4.7", "4.7")
OLD, NEW = "claude-haiku-4-5-20251001", "claude-opus-5"


def tokens(model=NEW, content="", **fields):
    body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    return read_prompt(body, SandboxCounter(traits_of(model), date(2026, 11, 20))).tokens


@pytest.mark.parametrize(
    ("content", "old", "new"),
    [
        ("abcd" * 10, 10, 13),  # 4 characters a token, and 1.3 times as many
        ("a", 1, 1),
        ("", 0, 0),
        ("<<tokens:1234>> whatever else", 1234, 1234),
        ("<<tokens:1000/1300>>", 1000, 1300),
        ("<<tokens:1>><<tokens:2/5>>", 3, 6),
        ("<<tokens:x>>", 3, 4),  # no mark: 12 characters
        ([{"type": "text", "text": "<<tokens:7>>"}, {"type": "text", "text": "abcd"}], 8, 9),
        ([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "abcd" * 10}]}], 10, 13),
        ([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "abcd" * 10}}], 10, 13),
    ],
)
def test_the_rule_and_the_marks(content, old, new):
    assert (tokens(OLD, content), tokens(NEW, content)) == (old, new)


def test_an_image_costs_its_patches():
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 1920, 1080)
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png).decode()}
    image = [{"type": "image", "source": source}]
    assert (tokens(OLD, image), tokens(NEW, image)) == (1560, 2691)  # facts 7.2


def test_tools_bring_their_hidden_prompt():
    tool = {"name": "t", "description": "<<tokens:50>>", "input_schema": {}}
    assert tokens(tools=[tool]) == 50  # dictated, hidden prompt and all
    plain = {"name": "t", "input_schema": {}}  # 30 characters of JSON: ceil(30 x 13 / 40) = 10
    assert tokens(tools=[plain]) == 286 + 10  # facts 7.4
    assert tokens(tools=[plain], tool_choice={"type": "any"}) == 406 + 10
    assert tokens(tools=[], tool_choice={"type": "none"}) == 0


def test_a_changed_tool_choice_leaves_the_counts_of_the_sections_it_leaves_cached():
    body = {"model": NEW, "tools": [{"name": "t", "input_schema": {}}], "system": "s", "messages": [
        {"role": "user", "content": "q"}]}  # fmt: skip
    counter = SandboxCounter(traits_of(NEW), date(2026, 11, 20))
    plain = read_prompt(body, counter).blocks
    forced = read_prompt({**body, "tool_choice": {"type": "any"}}, counter).blocks
    assert [a.tokens == b.tokens for a, b in zip(plain, forced, strict=True)] == [True, True, False]


@given(st.integers(0, 5000), st.sampled_from(GENERATIONS))
def test_filler_is_as_long_as_asked(count, generation):
    assert text_tokens(filler(count, generation), generation) == count
