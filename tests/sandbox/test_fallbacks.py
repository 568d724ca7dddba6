"""Server-side fallbacks: what each entry's model is asked, and what is refused at once."""

import json
from datetime import date

import pytest

from farthing.prices.book import shipped_book
from farthing.sandbox.accounts import Workspace
from farthing.sandbox.fallbacks import fallbacks_of
from farthing.sandbox.problems import ApiError
from farthing.sandbox.validate import accept

WORKSPACE = Workspace(id="wrkspc_1", name="Default", is_default=True)
TOOLS = {"tools": [{"name": "t", "input_schema": {}}]}


def chain(*entries, betas="server-side-fallback-2026-07-01", defaults=None, **fields):
    """What the further models are asked."""
    body = {"model": "claude-fable-5-1", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}], **fields}
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": betas}
    raw = json.dumps({"fallbacks": list(entries), **body}).encode()
    terms = accept(shipped_book(), headers, raw, WORKSPACE, date(2026, 11, 20), batch=False, counting=False)
    return fallbacks_of(shipped_book(), terms, WORKSPACE, defaults or {})


def refusal(*entries, **fields):
    with pytest.raises(ApiError) as refused:
        chain(*entries, **fields)
    return refused.value


def test_what_an_entry_leaves_out_it_takes_from_the_request():
    (terms,) = chain({"model": "claude-haiku-4-5"}, max_tokens=90_000, system="Be brief.")
    assert (terms.model.id, terms.body["system"]) == ("claude-haiku-4-5-20251001", "Be brief.")
    assert terms.body["max_tokens"] == 64_000  # as much as that model puts out
    assert (terms.speed, terms.inference_geo) == ("standard", "not_available")
    assert "fallbacks" not in terms.body
    (terms,) = chain({"model": "claude-opus-5", "max_tokens": 7}, {"model": "claude-opus-5", "max_tokens": None})[:1]
    assert terms.body["max_tokens"] == 7


@pytest.mark.parametrize(
    ("asked", "model", "expected"),
    [
        ({"type": "adaptive"}, "claude-opus-5", {"type": "adaptive"}),
        ({"type": "adaptive"}, "claude-haiku-4-5", None),  # which has no such thinking
        ({"type": "between_tools"}, "claude-opus-4-6", {"type": "disabled"}),
        ({"type": "between_tools"}, "claude-fable-5-1", None),  # nor can that one do without
    ],
)
def test_thinking_is_kept_where_the_model_has_it(asked, model, expected):
    (terms,) = chain({"model": model}, model="claude-sonnet-5-5", thinking=asked)
    assert terms.body["thinking"] == expected
    (terms,) = chain({"model": model, "thinking": None}, model="claude-sonnet-5-5", thinking=asked)
    assert terms.body["thinking"] is None


def test_output_config_is_merged_field_by_field():
    asked = {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}}}
    (terms,) = chain({"model": "claude-opus-5", "output_config": {"format": None}}, **asked)
    assert terms.body["output_config"] == {"effort": "low"}
    (terms,) = chain({"model": "claude-opus-5", "output_config": None}, **asked)
    assert terms.body["output_config"] is None


def test_a_fallback_is_fast_where_the_request_is_and_its_model_can_be():
    entries = [{"model": "claude-opus-5"}, {"model": "claude-sonnet-5"}, {"model": "claude-opus-5", "speed": None}]
    betas = "server-side-fallback-2026-07-01,fast-mode-2026-02-01"
    fast = {"model": "claude-opus-5-5", "speed": "fast"}
    assert [one.speed for one in chain(*entries, betas=betas, **fast)] == ["fast", "standard", "standard"]
    assert [one.speed for one in chain(*entries, **fast)] == ["standard"] * 3  # that model's fast mode needs a beta


@pytest.mark.parametrize(
    ("entry", "fields", "says"),
    [
        ("claude-opus-5", {}, "fallbacks.0: Input should be a valid dictionary"),
        ({}, {}, "fallbacks.0.model: Field required"),
        ({"model": "claude-opus-5", "system": "x"}, {}, "fallbacks.0.system: Extra inputs are not permitted"),
        ({"model": "claude-opus-5", "max_tokens": "x"}, {}, "fallbacks.0.max_tokens: Input should be a valid integer"),
        ({"model": "claude-sonnet-5", "speed": "fast"}, {}, "fallbacks.0.speed: 'fast' is not supported"),
        ({"model": "claude-opus-5", "speed": "slow"}, {}, "fallbacks.0.speed: Input should be"),
        ({"model": "claude-opus-5", "thinking": {"type": "enabled"}}, {}, "fallbacks.0.thinking.type: 'enabled'"),
        ({"model": "claude-opus-5", "output_config": "x"}, {}, "fallbacks.0.output_config: Input should be a valid"),
        (
            {"model": "claude-opus-5-5"},
            {"model": "claude-opus-5", **TOOLS, "tool_choice": {"type": "any"}},
            "fallbacks.0.tool_choice: 'any' is not supported by claude-opus-5-5",
        ),
    ],
)
def test_an_entry_is_checked_as_if_its_model_had_been_asked(entry, fields, says):
    error = refusal(entry, **fields)
    assert error.status == 400
    assert error.message.startswith(says)


def test_a_model_that_is_none_is_a_404():
    assert refusal({"model": "claude-opus-4-1"}).status == 404  # retired on this API on 2026-08-05


def test_default_stands_for_what_was_set():
    assert chain(fallbacks="default") == []
    (terms,) = chain(fallbacks="default", defaults={"claude-fable-5-1": ("claude-opus-5",)})
    assert terms.model.id == "claude-opus-5"
    assert refusal(fallbacks="some").message == "fallbacks: Input should be a valid list or 'default'"
    assert chain(fallbacks=None) == []
