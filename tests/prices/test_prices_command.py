"""``farthing prices`` as a user types it: output, exit codes, JSON, and an update from signing to going back."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from farthing.call import Call, Served, Usage
from farthing.cli.app import run
from farthing.cli.ledger_file import open_ledger
from farthing.ledger.interface import Posting, Stored
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.prices.installed import default_book


@pytest.fixture
def farthing(machine, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")

    def farthing(*arguments, code=0):
        default_book.cache_clear()
        assert run(list(map(str, arguments))) == code
        return capsys.readouterr()

    return farthing


def as_json(farthing, *arguments, code=0):
    return json.loads(farthing(*arguments, "--json", code=code).out)


def test_every_model_in_force_with_its_rates(farthing):
    out = farthing("prices", "--at", "2026-11-20").out
    rows = {tuple(line.split()[:-1]) for line in out.splitlines()}
    assert ("claude-haiku-5-5", "<=100k", "0.1", "0.125", "0.2", "0.01", "0.5") in rows
    assert ("claude-haiku-5-5", ">100k", "0.5", "0.625", "1", "0.05", "2.5") in rows
    assert ("claude-opus-5-5", "fast", "any", "8", "10", "16", "0.4", "40") in rows
    assert "claude-3-opus-20240229" not in out


def test_no_digit_is_cut_on_a_narrow_screen(farthing, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in ((), ("claude-haiku-5-5",), ("history", "claude-opus-4-6")):
        out = farthing("prices", *arguments).out
        assert "…" not in out
        assert max(map(len, out.splitlines())) <= 80


def test_one_model_with_what_its_rates_rest_on(farthing):
    out = farthing("prices", "claude-fable-5-2", "--at", "2026-11-20").out
    assert "input/output confirmed; cache columns third-party, checked 2026-11-12" in " ".join(out.split())
    assert "RIGHTSIZE" in out


@pytest.mark.parametrize(
    ("arguments", "output_rate"),
    [
        (("claude-sonnet-5", "--at", "2026-09-15"), "10"),
        (("claude-sonnet-5", "--at", "2026-09-15", "--known-at", "2026-07-15"), "15"),
        (("show", "claude-sonnet-5", "--at", "2026-09-15", "--known-at", "2026-08-10"), "10"),
        (("us.anthropic.claude-opus-5-5", "--at", "2026-11-20"), "22"),
        (("claude-opus-5-5", "--channel", "google_cloud", "--location", "eu", "--at", "2026-11-20"), "22"),
        (("claude-opus-5-5", "--channel", "foundry", "--at", "2026-11-20"), "20"),
    ],
)
def test_the_rates_of_a_day_as_known_on_another(farthing, arguments, output_rate):
    shown = as_json(farthing, "prices", *arguments)
    assert shown["book_version"] == shipped_book().version
    standard = next(rates for rates in shown["rates"] if rates["speed"] == "standard")
    assert standard["usd_per_mtok"]["output_tokens"] == output_rate


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("claude-opus-4.1",), "nearest known ids: claude-opus-4-1"),
        (("history", "claude-opus-4.1"), "nearest known ids: claude-opus-4-1"),
        (("claude-2.1",), "has no standard rate"),
        (("claude-sonnet-5", "--known-at", "2026-01-01"), "as known on 2026-01-01"),
        (("claude-sonnet-5", "--channel", "moon"), "known: claude_api"),
        (("--channel", "moon"), "known: claude_api"),
        (("claude-sonnet-5", "--at", "yesterday"), "a day such as 2026-11-20"),
        (("sources", "NOWHERE"), "farthing prices sources"),
        (("use", "2020-01-01+000000000000"), "shipped"),
        (("diff", "nowhere"), "an installed version"),
        (("--at", "1999-01-01", "claude-sonnet-5"), "(released on 2026-06-30)"),
    ],
)
def test_what_is_not_there_is_one_clear_line_and_exit_code_1(farthing, arguments, says):
    error = farthing("prices", *arguments, code=1).err
    assert says in error
    assert error.count("\n") == 1
    assert says in as_json(farthing, "prices", *arguments, code=1)["error"]


def test_history_shows_what_was_called_off(farthing):
    out = farthing("prices", "history", "claude-sonnet-5").out
    assert "called off" in out
    rows = as_json(farthing, "prices", "history", "claude-sonnet-5")["rows"]
    assert [(row["valid_from"], row["known_from"], row["retracted_on"]) for row in rows] == [
        ("2026-06-30", None, None),
        ("2026-09-01", "2026-06-30", "2026-08-10"),
    ]


def test_sources(farthing):
    assert "platform.claude.com" in farthing("prices", "sources", "A-REL").out
    assert as_json(farthing, "prices", "sources")["sources"].keys() == shipped_book().sources.keys()


def test_rows_set_by_hand_say_so(farthing, machine, monkeypatch):
    (machine / "prices.toml").write_text(
        '[[model]]\nid = "claude-opus-5-5"\n[[model.rate]]\nvalid_from = 2026-11-01\ninput = "3.5"\noutput = "18"\n'
        'reason = "our invoice"\n'
    )
    monkeypatch.setenv("FARTHING_PRICES_OVERRIDES", str(machine / "prices.toml"))
    assert "set by hand: our invoice" in farthing("prices", "claude-opus-5-5", "--at", "2026-11-20").out
    assert "by hand" in farthing("prices", "history", "claude-opus-5-5").out
    (standard, _) = as_json(farthing, "prices", "claude-opus-5-5", "--at", "2026-11-20")["rates"]
    assert standard["set_by_hand"] == "our invoice"


@pytest.fixture
def keys(machine):
    key = Ed25519PrivateKey.generate()
    private, public = machine / "key.pem", machine / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


OPUS_ROW = 'valid_from = 2026-09-22\ninput = "4"'


@pytest.fixture
def cheaper(draft):
    """A book in which Opus 5.5 was cut by a quarter on 2026-11-10."""
    draft.edit("anthropic/opus.toml", OPUS_ROW, OPUS_ROW.replace("\n", "\nvalid_to = 2026-11-10\n"))
    draft.add_row(
        "Claude Opus 5.5", valid_from="2026-11-10", input='"3"', cache_write_5m='"3.75"', cache_write_1h='"6"',
        cache_read='"0.15"', output='"15"', sources='["A-REL"]',
    )  # fmt: skip
    return draft.dated("2026-12-01")


def test_sign_look_install_and_go_back(farthing, machine, keys, cheaper):
    private, public = keys
    farthing("prices", "sign", cheaper.folder, "--private-key", private, "--out", "book.json")
    assert (machine / "book.json.sig").is_file()

    looked = farthing("prices", "update", "book.json", "--key", public, "--preview")
    assert "output_tokens 20 -> 15 (-25.0 %)" in looked.out
    assert "preview: nothing was changed" in looked.err
    assert as_json(farthing, "prices", "use") == {"in_force": "shipped", "chosen": None, "installed": []}

    done = farthing("prices", "update", "book.json", "--key", public)
    assert "now in force" in done.err
    assert as_json(farthing, "prices", "claude-opus-5-5")["rates"][0]["usd_per_mtok"]["output_tokens"] == "15"
    assert "closed" in farthing("prices", "diff").out
    (version,) = [book["version"] for book in as_json(farthing, "prices", "use")["installed"]]
    assert [row["kind"] for row in as_json(farthing, "prices", "diff", "shipped", version)["rows"]] == [
        "closed",
        "added",
    ]

    farthing("prices", "use", "shipped")
    assert as_json(farthing, "prices", "claude-opus-5-5")["rates"][0]["usd_per_mtok"]["output_tokens"] == "20"
    assert as_json(farthing, "prices", "use", "newest")["in_force"] == version


def test_without_a_key_or_with_another_nothing_is_installed(farthing, machine, keys, cheaper):
    private, _ = keys
    farthing("prices", "sign", cheaper.folder, "--private-key", private, "--out", "book.json")
    assert "no key is trusted" in farthing("prices", "update", "book.json", code=1).err
    (machine / "book.json.sig").unlink()
    assert "book.json.sig" in farthing("prices", "update", "book.json", code=1).err
    assert "nowhere.json" in farthing("prices", "update", "nowhere.json", code=1).err
    assert as_json(farthing, "prices", "use")["installed"] == []


def test_a_finding_is_shown_and_needs_a_reason(farthing, keys, cheaper):
    private, public = keys
    cheaper.edit("anthropic/opus.toml", 'output = "15"\nsources', 'output = "215"\nsources')
    farthing("prices", "sign", cheaper.folder, "--private-key", private, "--out", "book.json")
    refused = farthing("prices", "update", "book.json", "--key", public, code=1)
    finding = "tenfold:claude-opus-5-5:standard:2026-11-10:output_tokens"
    assert finding in " ".join(refused.out.split())
    assert finding in refused.err
    assert (
        "expected finding=why"
        in farthing("prices", "update", "book.json", "--key", public, "--force", finding, code=1).err
    )
    farthing("prices", "update", "book.json", "--key", public, "--force", f"{finding}=the vendor says so")
    assert len(as_json(farthing, "prices", "use")["installed"]) == 1


def test_the_effect_on_the_ledger_is_previewed_and_changes_nothing(farthing, machine, keys, cheaper):
    served = Served(model="claude-opus-5-5", usage=Usage(output_tokens=1_000_000))
    at = datetime(2026, 11, 15, tzinfo=UTC)
    call = Call(call_id="one", sent_at=at, source="jsonl", served=served)
    path = machine / "ledger.duckdb"
    with open_ledger(path) as ledger:
        ledger.add([Stored(call, Posting.of(price_served(shipped_book(), served, at)))])
    private, public = keys
    farthing("prices", "sign", cheaper.folder, "--private-key", private, "--out", "book.json")
    shown = farthing("prices", "update", "book.json", "--key", public, "--ledger", path)
    assert "claude-opus-5-5: 1 of 1 calls, 20.00 -> 15.00 USD" in shown.out
    with open_ledger(path) as ledger:
        assert ledger.get("one").posting.list_pusd == 20 * 10**12
        assert ledger.corrections() == []


def test_an_update_as_json(farthing, keys, cheaper):
    private, public = keys
    farthing("prices", "sign", cheaper.folder, "--private-key", private, "--out", "book.json", "--json")
    shown = as_json(farthing, "prices", "update", "book.json", "--key", public)
    assert shown["installed"] is True
    assert shown["in_force"] == shown["version"]
    assert shown["ledger"] is None
    assert [row["kind"] for row in shown["diff"]["rows"]] == ["closed", "added"]


def test_help_names_every_command(farthing):
    out = farthing("prices", "--help").out
    assert all(name in out for name in ("show", "history", "sources", "diff", "update", "sign", "use"))
