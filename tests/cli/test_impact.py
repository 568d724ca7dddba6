"""``farthing impact`` on a small ledger, checked by arithmetic."""

from decimal import Decimal

import pytest


@pytest.fixture
def ledger(farthing):
    """Ten calls of Sonnet 4.5 in October at $0.0045, and one two months before them."""
    rows = [farthing.row(at=f"2026-10-{day:02d}T09:00:00Z") for day in range(1, 11)]
    farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row(at="2026-08-01T09:00:00Z"), *rows))
    return farthing


def test_it_lists_what_is_dated_in_the_book_for_the_last_30_days(ledger):
    told = ledger.json("impact")
    assert (told["span"], told["calls_read"]) == ("2026-10-01 to 2026-10-10", 10)
    (retires,) = (change for change in told["changes"] if change["what"] == "retires")
    assert (retires["day"], retires["successor"], retires["before_usd"]) == ("2026-11-30", "claude-sonnet-5-5", "0.045")
    # 1,300 at $2 and 130 at $10 per MTok, ten times
    assert Decimal(retires["after_usd"]) == 10 * (1300 * 2 + 130 * 10) / Decimal(10**6)
    shown = ledger("impact").stdout
    assert "RETIRES" in shown
    assert "tokenizer" in shown


def test_another_model_and_another_day(ledger):
    told = ledger.json("impact", "--model", "claude-sonnet-4-5", "--becomes", "claude-haiku-4-5", "--on", "2026-11-20")
    assert Decimal(told["after_usd"]) == 10 * (1000 * 1 + 100 * 5) / Decimal(10**6)
    assert told["kind"] == "assumed"
    assert "claude-haiku-4-5" in ledger("impact", "-m", "claude-sonnet-4-5", "--becomes", "claude-haiku-4-5").stdout


def test_prices_to_come_from_a_file(ledger, tmp_path):
    (tmp_path / "new.toml").write_text(
        '[[model]]\nid = "claude-sonnet-4-5"\n[[model.rate]]\nvalid_from = 2026-01-01\nprompt_tokens_up_to = 200000\n'
        'input = "6"\noutput = "30"\nreason = "announced"\n'
    )
    told = ledger.json("impact", "--book", "new.toml")
    assert (told["before_usd"], told["after_usd"]) == ("0.045", "0.09")
    assert "+$0.045" in ledger("impact", "--book", "new.toml").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "claude-sonnet-4-5"), "as many of both"),
        (("--book", "nowhere.toml"), "found no price file"),
        (("--since", "2027-01-01"), "found no calls"),
        (("--on", "soon"), "--on"),
    ],
)
def test_what_cannot_be_answered_says_what_to_do(ledger, arguments, says):
    assert says in ledger.json("impact", *arguments, code=1)["error"]
