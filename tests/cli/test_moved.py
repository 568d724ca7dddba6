"""``farthing moved`` on a small ledger, checked by arithmetic."""

from decimal import Decimal

import pytest


@pytest.fixture
def ledger(farthing):
    """September: 2 calls of $0.0045. October: 6 of the same, 2 of them as batches, one call nobody can price."""
    old = [farthing.row(at=f"2026-09-0{day}T09:00:00Z", tags={"feature": "chat"}) for day in (1, 2)]
    new = [farthing.row(at=f"2026-10-0{day}T09:00:00Z", tags={"feature": "chat"}) for day in range(1, 7)]
    for row in new[:2]:
        row["usage"] |= {"service_tier": "batch"}
    strange = farthing.row(at="2026-10-09T09:00:00Z", model="claude-unheard-of")
    farthing("import", "jsonl", "-", stdin=farthing.lines(*old, *new, strange))
    return farthing


def test_bars_sum_to_the_change(ledger):
    told = ledger.json("moved", "2026-09", "2026-10")
    bars = {bar["name"]: Decimal(bar["usd"]) for bar in told["bars"] if Decimal(bar["usd"])}
    assert told["before"]["usd"] == "0.009"
    assert told["after"]["usd"] == "0.0225"  # 4 x 0.0045 + 2 x 0.00225
    # Calls go from 2 to 6 and the price of the average call from 1 to 5/6 of 0.0045: half of the product of the two
    # changes belongs to each.
    assert bars == {"volume": 4 * Decimal("0.0045") * 11 / 12, "batch": -4 * Decimal("0.00075")}
    assert sum(bars.values()) == Decimal(told["moved_usd"])
    assert [(one["model"], one["calls"]) for one in told["after"]["unpriced"]] == [("claude-unheard-of", 1)]


def test_a_reader_sees_a_waterfall_and_what_is_left_out(ledger):
    shown = ledger("moved", "2026-09", "2026-10").stdout
    assert "volume" in shown
    assert "batch" in shown
    assert "cache" not in shown.split("--open")[0]  # a bar that did not move is not drawn
    assert "UNPRICED" in shown
    assert "claude-unheard-of" in shown


def test_an_opened_bar_names_calls_that_explain_knows(ledger):
    opened = ledger.json("moved", "2026-09", "2026-10", "--open", "batch")["opened"]
    (segment,) = opened["segments"]
    assert (segment["before"], segment["after"]) == ("0 % of calls", "33.3 % of calls")
    assert len(segment["calls"]) == 2
    assert "batch" in ledger("explain", segment["calls"][0]).stdout
    assert "33.3 %" in ledger("moved", "2026-09", "2026-10", "--open", "batch").stdout


def test_fair_shares_of_cache_writes(farthing):
    usage = {"cache_creation_input_tokens": 10_000}
    rows = [
        farthing.row(at="2026-10-05T09:00:00Z", usage=usage, tags={"tenant": "early"}),
        farthing.row(at="2026-10-05T09:01:00Z", usage={"cache_read_input_tokens": 10_000}, tags={"tenant": "late"}),
    ]
    farthing("import", "jsonl", "-", stdin=farthing.lines(*rows))
    fair = farthing.json("moved", "2026-09", "2026-10", "--by", "tenant", "--fair-cache")["fair_cache"]
    values = {one["key"]["tenant"]: (one["paid_usd"], one["fair_usd"]) for one in fair["after"]["values"]}
    assert values == {"early": ("0.0075", "0"), "late": ("0", "0.0075")}  # 10,000 x (3.75 - 3) per MTok
    assert fair["after"]["kind"] == "assumed"
    assert "late" in farthing("moved", "2026-09", "2026-10", "--by", "tenant", "--fair-cache").stdout


def test_periods_without_calls_say_where_there_are_some(ledger):
    told = ledger.json("moved", "2025-01", "2025-02", code=1)["error"]
    assert "2026-09-01 to 2026-10-09" in told


def test_a_bar_that_does_not_exist_is_named_with_those_that_do(ledger):
    assert "volume, mix" in ledger.json("moved", "2026-09", "2026-10", "--open", "luck", code=1)["error"]


def test_a_contract_in_the_settings_is_what_moves(ledger, tmp_path):
    (tmp_path / "contract.toml").write_text('name = "Acme"\n[[discount]]\npercent = "10"\nvalid_from = 2026-10-01\n')
    (tmp_path / "farthing.toml").write_text('[prices]\ncontract = "contract.toml"\n')
    told = ledger.json("moved", "2026-09", "2026-10")
    bars = {bar["name"]: Decimal(bar["usd"]) for bar in told["bars"] if Decimal(bar["usd"])}
    assert set(bars) == {"volume", "batch", "contract"}
    assert told["after"] | {"unpriced": []} == {
        "period": "2026-10",
        "first": "2026-10-01",
        "days": 31,
        "calls": 6,
        "usd": "0.02025",
        "list_usd": "0.0225",
        "unpriced": [],
    }
    assert sum(bars.values()) == Decimal("0.02025") - Decimal("0.009")
    assert ledger.json("moved", "2026-09", "2026-10", "--list")["after"]["usd"] == "0.0225"


def test_a_tenant_cannot_write_on_the_terminal(farthing):
    rows = [farthing.row(at="2026-10-05T09:00:00Z", tags={"tenant": "[red]\x1b[2J"})]
    farthing("import", "jsonl", "-", stdin=farthing.lines(*rows))
    shown = farthing("moved", "2026-09", "2026-10", "--by", "tenant", "--open", "volume").stdout
    assert "\x1b" not in shown
    assert "[red]" in shown
