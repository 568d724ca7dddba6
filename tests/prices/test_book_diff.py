"""What changed between two books, and what of it looks wrong."""

import pytest

from farthing.prices.book import load_book, read_book, shipped_book
from farthing.prices.diff import diff_books, suspicious

OPUS_ROW = 'valid_from = 2026-09-22\ninput = "4"'
CUT = {
    "valid_from": "2026-12-01",
    "known_from": "2026-11-25",
    "input": '"3"',
    "cache_write_5m": '"3.75"',
    "cache_write_1h": '"6"',
    "cache_read": '"0.15"',
    "output": '"15"',
    "sources": '["A-REL"]',
}


def cut(draft, **changes):
    draft.edit("anthropic/opus.toml", OPUS_ROW, OPUS_ROW.replace("\n", "\nvalid_to = 2026-12-01\n"))
    return draft.add_row("Claude Opus 5.5", **{**CUT, **changes}).dated("2026-11-25")


def test_a_book_does_not_differ_from_itself():
    diff = diff_books(shipped_book(), shipped_book())
    assert diff.text() == ["no rate, id or rule differs"]
    assert suspicious(shipped_book(), shipped_book()) == ()


def test_a_cut_closes_a_row_and_adds_the_next_with_its_percentages(draft):
    new = load_book(cut(draft).folder)
    assert diff_books(shipped_book(), new).text() == [
        "closed      claude-opus-5-5:standard:2026-09-22: ends 2026-12-01",
        (
            "added       claude-opus-5-5:standard:2026-12-01: input_tokens 4 -> 3 (-25.0 %); "
            "cache_write_5m_tokens 5 -> 3.75 (-25.0 %); cache_write_1h_tokens 8 -> 6 (-25.0 %); "
            "cache_read_tokens 0.2 -> 0.15 (-25.0 %); output_tokens 20 -> 15 (-25.0 %)"
        ),
    ]
    assert suspicious(shipped_book(), new) == ()


def test_back_again_is_older_and_rewrites_history(draft):
    new = load_book(cut(draft).folder)
    assert [finding.id for finding in suspicious(new, shipped_book())] == [
        "older",
        "rewritten:claude-opus-5-5:standard:2026-09-22",
        "removed:claude-opus-5-5:standard:2026-12-01",
    ]


def test_an_announcement_called_off(draft):
    announced = load_book(cut(draft).folder)
    draft.edit("anthropic/opus.toml", "\nvalid_to = 2026-12-01\n", "\n")
    draft.edit("anthropic/opus.toml", "known_from = 2026-11-25", "known_from = 2026-11-25\nretracted_on = 2026-11-28")
    called_off = load_book(draft.folder)
    kinds = [(change.kind, change.name) for change in diff_books(announced, called_off).rows]
    assert ("called off", "claude-opus-5-5:standard:2026-12-01") in kinds


@pytest.mark.parametrize(
    ("changes", "findings"),
    [
        (
            {"output": '"200"'},
            ["tenfold:claude-opus-5-5:standard:2026-12-01:output_tokens"],
        ),
        (
            {"cache_read": '"0.02"'},
            ["tenfold:claude-opus-5-5:standard:2026-12-01:cache_read_tokens"],
        ),
        (
            {"cache_read": '"15"'},
            [
                "tenfold:claude-opus-5-5:standard:2026-12-01:cache_read_tokens",
                "read-order:claude-opus-5-5:standard:2026-12-01",
            ],
        ),
        ({"cache_write_1h": '"5"'}, ["cache_write_1h-ratio:claude-opus-5-5:standard:2026-12-01"]),
        ({"output": '"2"'}, [
            "tenfold:claude-opus-5-5:standard:2026-12-01:output_tokens",
            "output-order:claude-opus-5-5:standard:2026-12-01",
        ]),
        ({"output": '"199.99"'}, []),
    ],
)  # fmt: skip
def test_a_slipped_digit_needs_somebodys_word(draft, changes, findings):
    new = read_book(cut(draft, **changes).folder)
    assert [finding.id for finding in suspicious(shipped_book(), new)] == findings


def test_a_row_that_says_something_else_is_a_finding_even_if_it_looks_fine(draft):
    new = load_book(draft.edit("anthropic/opus.toml", OPUS_ROW, OPUS_ROW.replace("09-22", "09-23")).folder)
    assert [finding.id for finding in suspicious(shipped_book(), new)] == [
        "removed:claude-opus-5-5:standard:2026-09-22"
    ]


def test_models_ids_rules_and_notes(draft):
    draft.edit("anthropic/legacy.toml", 'claude_api = ["claude-2.0"]', 'claude_api = ["claude-2.0", "claude-2"]')
    draft.edit("anthropic/legacy.toml", 'claude_api = ["claude-2.1"]', 'claude_api = ["claude-two-one"]')
    draft.edit("modifiers.toml", 'usd_per_unit = "0.01"', 'usd_per_unit = "0.02"')
    draft.edit("anthropic/haiku.toml", 'note = "still listed', 'note = "Still listed')
    diff = diff_books(shipped_book(), load_book(draft.folder))
    assert diff.text() == [
        "new model   claude-two-one",
        "lost model  claude-2.1",
        "added       claude-two-one:standard:2023-11-21: input_tokens - -> 8; output_tokens - -> 24",
        "new id      claude-2.0: claude-2 on claude_api",
        "fee         now valid_from 2025-05-07, unit web_search_requests, usd_per_unit 0.02",
        "fee         was valid_from 2025-05-07, unit web_search_requests, usd_per_unit 0.01",
        "restated    1 rows have new notes, sources or confidence at the same rates",
    ]
    assert [finding.id for finding in suspicious(shipped_book(), load_book(draft.folder))] == ["lost-model:claude-2.1"]


def test_the_diff_as_json_says_the_same(draft):
    shown = diff_books(shipped_book(), load_book(cut(draft).folder)).to_json()
    assert [row["kind"] for row in shown["rows"]] == ["closed", "added"]
    assert shown["rows"][1]["moves"][0] == {"unit": "input_tokens", "before": "4", "after": "3"}
