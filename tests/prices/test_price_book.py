"""What a book refuses when it is read: bad structure always, a broken sanity bound unless it says why."""

import shutil
from datetime import date

import msgspec
import pytest

from farthing.errors import BadPriceBook
from farthing.prices import book as prices_book
from farthing.prices.book import DATA, load_book, read_book, shipped_book
from farthing.prices.card import Facts
from farthing.prices.sanity import check_structure, findings
from farthing.prices.schema import RateRow

OPUS = shipped_book().names.find("claude-opus-5-5").model
GOOD = {"input": "4", "cache_write_5m": "5", "cache_write_1h": "8", "cache_read": "0.2", "output": "20"}


def rows(*changes):
    return [msgspec.structs.replace(OPUS, rate=tuple(RateRow(**{**GOOD, **change}) for change in changes))]


def test_the_shipped_book_has_no_findings_and_one_row_says_why_it_is_unusual():
    book = shipped_book()
    assert findings(book.models) == ()
    unusual = [(model.id, row.unusual) for model in book.models for row in model.rate if row.unusual]
    assert [model for model, _ in unusual] == ["claude-3-haiku-20240307"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"valid_from": date(2026, 1, 1), "valid_to": date(2026, 1, 1)}, "not after valid_from"),
        ({"valid_from": date(2026, 1, 2), "valid_to": date(2026, 1, 1)}, "not after valid_from"),
        ({"known_from": date(2026, 1, 2), "retracted_on": date(2026, 1, 2)}, "not after the day it was known"),
        ({"end_known_from": date(2026, 1, 2)}, "without a valid_to"),
        ({"prompt_tokens_over": 100, "prompt_tokens_up_to": 100}, "ends at or before its begin"),
        ({"input": "0"}, "expected more than nothing"),
        ({"cache_read": "-0.2"}, "expected more than nothing"),
        ({"output": "free"}, "decimal number"),
        ({"output": "NaN"}, "finite"),
        ({"output": "0.0000001"}, "whole number of picodollars"),
        ({"output": None}, "needs an input and an output"),
    ],
)
def test_bad_rows_are_refused(change, says):
    with pytest.raises(BadPriceBook, match=says):
        check_structure(rows(change))


DAY = date(2026, 5, 1)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ({}, {}, True),
        ({}, {"speed": "fast"}, False),
        ({}, {"channel": "bedrock"}, False),
        ({}, {"reason": "corrected"}, False),
        ({"valid_to": DAY}, {"valid_from": DAY}, False),
        ({}, {"valid_from": DAY}, True),
        ({}, {"valid_from": DAY, "known_from": date(2026, 1, 1), "retracted_on": date(2026, 2, 1)}, False),
        ({"prompt_tokens_up_to": 100}, {"prompt_tokens_over": 100}, False),
        ({"prompt_tokens_up_to": 101}, {"prompt_tokens_over": 100}, True),
        (
            {"valid_from": DAY, "known_from": date(2026, 1, 1)},
            {"valid_from": DAY, "known_from": date(2026, 1, 1), "retracted_on": date(2026, 2, 1)},
            True,
        ),
    ],
)
def test_two_rows_for_one_request_are_refused(one, other, clash):
    if clash:
        with pytest.raises(BadPriceBook, match="price the same requests"):
            check_structure(rows(one, other))
    else:
        check_structure(rows(one, other))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"cache_read": "4"}, "read-order:claude-opus-5-5:standard:start"),
        ({"output": "4"}, "output-order:claude-opus-5-5:standard:start"),
        ({"cache_write_5m": "5.01"}, "cache_write_5m-ratio:claude-opus-5-5:standard:start"),
        ({"cache_write_1h": "80"}, "cache_write_1h-ratio:claude-opus-5-5:standard:start"),
    ],
)
def test_a_slipped_digit_is_found_unless_the_row_says_why(change, finding):
    assert [found.id for found in findings(rows(change))] == [finding]
    assert findings(rows({**change, "unusual": "the vendor rounds"})) == ()
    assert findings(rows({**change, "reason": "by hand"})) == ()


def test_a_longer_prompt_that_costs_less_is_found():
    cheap = {"prompt_tokens_over": 100, **{name: str(float(rate) / 2) for name, rate in GOOD.items()}}
    found = findings(rows({"prompt_tokens_up_to": 100}, cheap))
    assert [finding.id for finding in found] == ["band-order:claude-opus-5-5:standard:100-:start"]


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(DATA, tmp_path / "book")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_copy_of_the_book_is_the_same_book(copy):
    book = load_book(copy)
    assert book.version == shipped_book().version
    assert book.models == shipped_book().models
    assert book.competitors.keys() == {"openai", "google", "deepseek"}


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("anthropic/opus.toml", 'family = "opus"', 'familiy = "opus"', "familiy"),
        ("anthropic/opus.toml", 'input = "15"', "input = 15", "str"),
        ("anthropic/opus.toml", "valid_from = 2024-03-04", 'valid_from = "March"', "valid_from"),
        ("anthropic/opus.toml", 'sources = ["A-PRICE-FEB26"', 'sources = ["NOWHERE"', "NOWHERE"),
        ("anthropic/opus.toml", 'cache_read = "1.5"', 'cache_read = "15"', "read-order"),
        ("anthropic/opus.toml", 'cache_read = "1.5"', 'cache_read = "1.5"\nreason = "so"', "set by hand"),
        ("modifiers.toml", "as_of", "as of", "modifiers.toml"),
        ("modifiers.toml", "valid_to = 2026-06-02", "end_known_from = 2026-06-02", "refusal rule"),
        ("sources.toml", "kind", "kin", "sources.toml"),
    ],
)
def test_a_bad_file_is_refused_with_one_clear_line(copy, file, old, new, says):
    edit(copy / file, old, new)
    with pytest.raises(BadPriceBook, match=says) as error:
        load_book(copy)
    assert "\n" not in str(error.value)


def test_a_book_without_a_file_is_refused(copy):
    (copy / "sources.toml").unlink()
    with pytest.raises(BadPriceBook, match=r"sources\.toml"):
        load_book(copy)


def test_an_accepted_finding_is_accepted_by_its_name(copy):
    edit(copy / "anthropic/opus.toml", 'cache_read = "1.5"', 'cache_read = "15"')
    (finding,) = findings(read_book(copy).models)
    assert load_book(copy, accepted={finding.id: "the vendor says so"}).version != shipped_book().version


def test_unknown_ids_without_end_do_not_fill_memory(monkeypatch):
    monkeypatch.setattr(prices_book, "_CARDS_MAX", 3)
    book = read_book(DATA)
    for number in range(20):
        assert book.card(
            Facts(f"made-up-{number}", "claude_api", None, "standard", "standard", None, date(2026, 11, 20))
        )
    assert len(book._cards) <= 4
