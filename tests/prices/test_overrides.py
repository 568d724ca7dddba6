"""Manual corrections: they go before the book's rows, survive its updates, and say where the two disagree."""

from datetime import UTC, date, datetime

import pytest

from farthing.call import Served, Usage
from farthing.errors import BadConfig
from farthing.prices.book import load_book, shipped_book
from farthing.prices.engine import price_served
from farthing.prices.overrides import conflicts, layer, read_overrides

CORRECTION = """
[[model]]
id = "claude-opus-5-5"

[[model.rate]]
valid_from = 2026-11-01
input = "3.5"
output = "18"
reason = "our invoice of November says so"
"""
NEW_MODEL = """
[[model]]
id = "acme-llm"
context_window_tokens = 200000
output_tokens_max = 8192
tokenizer = "pre-4.7"

[[model.rate]]
input = "1"
output = "2"
reason = "hosted by us"
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "prices.toml"
        path.write_text(text)
        return read_overrides(path)

    return read


def usd(book, day, model="claude-opus-5-5", known_on=None, **counts):
    usage = Usage(**(counts or {"input_tokens": 1_000_000, "output_tokens": 1_000_000}))
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return price_served(book, Served(model=model, usage=usage), at, known_on).list_usd


def test_a_correction_goes_before_the_book_from_its_day(read):
    book = layer(shipped_book(), read(CORRECTION))
    assert usd(book, "2026-10-31") == "24"
    assert usd(book, "2026-11-01") == "21.5"
    assert usd(shipped_book(), "2026-11-01") == "24"


def test_the_bill_names_the_reason_and_another_version(read):
    book = layer(shipped_book(), read(CORRECTION))
    served = Served(model="claude-opus-5-5", usage=Usage(input_tokens=1))
    bill = price_served(book, served, datetime(2026, 11, 2, tzinfo=UTC))
    assert "set by hand (our invoice of November says so)" in bill.lines[0].rule
    assert bill.lines[0].source == "prices.toml"
    assert bill.book_version.startswith(shipped_book().version + "+manual.")


def test_a_class_the_correction_leaves_out_is_unpriced(read):
    book = layer(shipped_book(), read(CORRECTION))
    assert usd(book, "2026-11-01", cache_read_tokens=1_000) is None


def test_a_correction_reaches_every_channel_unless_it_names_one(read):
    everywhere = layer(shipped_book(), read(CORRECTION))
    assert usd(everywhere, "2026-11-01", "us.anthropic.claude-opus-5-5") == "23.65"
    bedrock = layer(shipped_book(), read(CORRECTION + 'channel = "bedrock"\n'))
    assert usd(bedrock, "2026-11-01", "us.anthropic.claude-opus-5-5") == "23.65"
    assert usd(bedrock, "2026-11-01") == "24"


def test_any_id_of_the_model_will_do(read):
    book = layer(shipped_book(), read(CORRECTION.replace("claude-opus-5-5", "global.anthropic.claude-opus-5-5")))
    assert usd(book, "2026-11-01") == "21.5"


def test_a_correction_has_two_time_axes_as_well(read):
    book = layer(shipped_book(), read(CORRECTION + "known_from = 2026-11-15\n"))
    assert usd(book, "2026-11-02") == "21.5"
    assert usd(book, "2026-11-02", known_on=date(2026, 11, 15)) == "21.5"
    assert usd(book, "2026-11-02", known_on=date(2026, 11, 14)) == "24"


def test_a_closed_correction_gives_way_again(read):
    book = layer(shipped_book(), read(CORRECTION + "valid_to = 2026-11-10\n"))
    assert [usd(book, day) for day in ("2026-11-09", "2026-11-10")] == ["21.5", "24"]


def test_a_new_model_and_its_source(read):
    text = NEW_MODEL + 'sources = ["CONTRACT"]\n[source.CONTRACT]\nurl = "drawer 3"\nkind = "own"\nas_of = "2026"\n'
    book = layer(shipped_book(), read(text))
    assert usd(book, "2026-11-01", "acme-llm") == "3"
    assert book.sources["CONTRACT"].url == "drawer 3"
    served = Served(model="acme-llm", usage=Usage(input_tokens=1), service_tier="batch")
    assert price_served(book, served, datetime(2026, 11, 1, tzinfo=UTC)).list_pusd is None


def test_the_same_file_gives_the_same_version_and_another_another(read):
    versions = [layer(shipped_book(), read(text)).version for text in (CORRECTION, CORRECTION, NEW_MODEL)]
    assert versions[0] == versions[1] != versions[2]


def test_a_correction_survives_an_update_of_the_book_and_the_conflict_is_named(read, draft):
    overrides = read(CORRECTION)
    draft.edit(
        "anthropic/opus.toml",
        'valid_from = 2026-09-22\ninput = "4"',
        'valid_from = 2026-09-22\nvalid_to = 2026-11-10\ninput = "4"',
    )
    draft.add_row(
        "Claude Opus 5.5", valid_from="2026-11-10", input='"3"', cache_write_5m='"3.75"', cache_write_1h='"6"',
        cache_read='"0.15"', output='"15"', sources='["A-REL"]',
    )  # fmt: skip
    updated = load_book(draft.folder)
    assert usd(updated, "2026-11-12") == "18"
    assert usd(layer(updated, overrides), "2026-11-12") == "21.5"
    says = [found.says for found in conflicts(updated, overrides)]
    assert len(says) == 2
    assert says[1] == (
        "claude-opus-5-5:standard:2026-11-01: your correction (3.5 / - / - / - / 18) goes before the book's row "
        "(3 / 3.75 / 6 / 0.15 / 15)"
    )


def test_a_correction_the_book_has_caught_up_with_is_named_too(read):
    same = CORRECTION.replace('"3.5"', '"4"\ncache_write_5m = "5"\ncache_write_1h = "8"\ncache_read = "0.2"')
    (found,) = conflicts(shipped_book(), read(same.replace('"18"', '"20"')))
    assert found.agrees
    assert "may no longer be needed" in found.says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CORRECTION.replace("reason", "season"), "season"),
        (CORRECTION.replace('reason = "our invoice of November says so"', ""), "without a reason"),
        (CORRECTION.replace('reason = "our invoice of November says so"', 'reason = " "'), "without a reason"),
        (CORRECTION.replace('"3.5"', '"free"'), "decimal number"),
        (CORRECTION.replace('"3.5"', '"0"'), "more than nothing"),
        (CORRECTION + 'sources = ["NOWHERE"]\n', "source.NOWHERE"),
        (CORRECTION + CORRECTION, "price the same requests"),
        (CORRECTION.replace("claude-opus-5-5", "claude-opus-9"), "for a new model"),
        (NEW_MODEL + '[model.ids]\nbedrock = ["anthropic.claude-opus-5"]\n', "names both"),
        (
            CORRECTION.replace("claude-opus-5-5", "claude-haiku-5-5") + "prompt_tokens_up_to = 50000\n",
            "part of the price band",
        ),
        (
            CORRECTION.replace("claude-opus-5-5", "claude-haiku-5-5") + "prompt_tokens_over = 150000\n",
            "part of the price band",
        ),
        ("not toml", "prices.toml"),
    ],
)
def test_a_correction_that_cannot_be_is_one_clear_line(read, text, says):
    with pytest.raises(BadConfig, match=says) as error:
        layer(shipped_book(), read(text))
    assert "\n" not in str(error.value)


def test_a_correction_of_one_whole_band_leaves_the_other(read):
    text = CORRECTION.replace("claude-opus-5-5", "claude-haiku-5-5").replace('"3.5"', '"0.05"')
    book = layer(shipped_book(), read(text + "prompt_tokens_up_to = 100000\n"))
    assert usd(book, "2026-11-01", "claude-haiku-5-5", input_tokens=100_000) == "0.005"
    assert usd(book, "2026-11-01", "claude-haiku-5-5", input_tokens=100_001) == "0.0500005"


def test_a_model_with_a_price_for_long_prompts_alone_has_none_at_the_limit(read):
    book = layer(shipped_book(), read(NEW_MODEL + "prompt_tokens_over = 100000\n"))
    assert usd(book, "2026-11-01", "acme-llm", input_tokens=100_000) is None
    assert usd(book, "2026-11-01", "acme-llm", input_tokens=100_001) == "0.100001"


def test_a_row_that_was_called_off_is_no_conflict(read):
    text = CORRECTION.replace("claude-opus-5-5", "claude-sonnet-5")
    (found,) = conflicts(shipped_book(), read(text))
    assert found.book_row.valid_from == date(2026, 6, 30)
