from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.tokens.figure import NOTHING
from farthing.tokens.letters import ContentKind, makeup
from farthing.tokens.text import MARGINS, estimate_text, estimate_with_kind
from farthing.units import Kind

PROSE = (
    "The committee met on a cold morning in March to decide what should be done with the old library. Most of the "
    "members wanted to keep the building, but nobody could say where the money for the roof would come from. "
) * 20
CODE = (
    'def read(path):\n    with open(path) as file:\n        return {k: v for k, v in (l.split("=") for l in file)}\n'
    * 20
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PROSE, ContentKind.PROSE),
        (CODE, ContentKind.CODE),
        (json.dumps([{"id": n, "name": f"row {n}", "ok": True} for n in range(9)]), ContentKind.JSON),
        ("将长度为四百米的连续梁划分为九十六个部分。" * 3, ContentKind.CJK),
        ("これは日本語の文章です。", ContentKind.CJK),
        ("안녕하세요, 반갑습니다", ContentKind.CJK),
        ("Харди родился в английском курортном городе.", ContentKind.OTHER),
        ("مرحبا بالعالم", ContentKind.OTHER),
        ("नमस्ते दुनिया", ContentKind.OTHER),
        ("Die Bomben der Alliierten rissen viele Löcher in das Stadtzentrum, und es brannte.", ContentKind.OTHER),
        ("Il est temps de partir et les enfants sont dans la voiture avec une valise.", ContentKind.OTHER),
        ("", ContentKind.PROSE),
    ],
)
def test_kind_of_content(text, kind):
    assert estimate_with_kind(text, "pre-4.7")[1] == kind


def test_english_agrees_with_the_vendors_rule_of_thumb():
    # Facts: claude-api 7.1, prices 4.11: about 4 characters a token, 750 k words per million tokens; +30 % on 4.7.
    old, new = estimate_text(PROSE, "pre-4.7"), estimate_text(PROSE, "4.7")
    assert 3.6 < len(PROSE) / old.tokens < 5.2
    assert 0.70 < len(PROSE.split()) / old.tokens < 0.90
    assert new.tokens / old.tokens == pytest.approx(1.30, abs=0.01)


@given(st.text(), st.sampled_from(["pre-4.7", "4.7"]))
def test_interval_holds_the_figure_whatever_the_text(text, tokenizer):
    found, kind = estimate_with_kind(text, tokenizer)
    assert 0 <= found.low <= found.tokens <= found.high
    assert (found == NOTHING) == (text == "")
    if text:
        assert found.tokens >= 1
        assert found.kind is Kind.ASSUMED
        assert kind in MARGINS
        assert kind.value in found.basis


@given(st.text(min_size=1))
def test_the_newer_tokenizer_never_counts_fewer(text):
    assert estimate_text(text, "4.7").tokens >= estimate_text(text, "pre-4.7").tokens


@given(st.text())
def test_every_character_is_counted_once(text):
    parts = makeup(text)
    blanks = sum((ord(char) < 128 and not char.isalnum() and not char.isprintable()) or char == " " for char in text)
    assert parts.letters + parts.digits + parts.marks + sum(parts.scripts.values()) + blanks == parts.chars == len(text)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)), st.integers(2, 5))
def test_repeated_lines_cost_in_proportion(text, times):
    once = makeup(text + "\n")
    many = makeup((text + "\n") * times)
    assert (many.words, many.digits, many.marks) == (once.words * times, once.digits * times, once.marks * times)


def test_a_megabyte_of_blanks_is_not_free():
    assert estimate_text(" " * 1_000_000, "pre-4.7").tokens > 50_000
    assert estimate_text("\n" * 1_000_000, "pre-4.7").tokens > 50_000
    assert makeup("a\n" + " " * 15 + "b").white_past_16 == 0


def test_the_basis_never_holds_the_text():
    assert "sekret" not in estimate_text("sekret sekret", "4.7").basis


def test_the_error_is_stated():
    assert estimate_text(PROSE, "pre-4.7").basis == "prose +-13% measured on the older tokenizer"
    assert estimate_text("{}", "4.7").basis.startswith("json +-25% assumed")


INPUT_FRAME, OUTPUT_FRAME = 7.8, 3.3  # tokens of a one-message request and of an answer beside their text


def test_error_on_real_counts_is_what_the_documentation_says(shared_data):
    trace = shared_data / "routerarena" / "claude-3-haiku-20240307.jsonl"
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    held_out = [row for row in rows if int(hashlib.sha256(row["global_index"].encode()).hexdigest(), 16) % 2]
    errors, covered = [], 0
    for row in held_out:
        for text, field, frame in (
            (row["question"], "input_tokens", INPUT_FRAME),
            (row["generated_answer"], "output_tokens", OUTPUT_FRAME),
        ):
            found, real = estimate_text(text, "pre-4.7"), row["token_usage"][field] - frame
            errors.append(abs(found.tokens - real) / (real + frame))
            covered += found.low <= real <= found.high
    errors.sort()
    assert sum(errors) / len(errors) < 0.055
    assert errors[int(0.9 * len(errors))] < 0.12
    assert covered / len(errors) > 0.93
