"""``farthing keys``: the file it writes, what it shows of it, and what it never shows."""

import hashlib
import stat
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadConfig, BadInput
from farthing.gateway.keys import Entry, hash_of, parse_keys
from farthing.gateway.keys_text import NEW_FILE, with_entry, without_access


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("FARTHING_GATEWAY_KEYS", str(tmp_path / "keys.toml"))
    return tmp_path / "keys.toml"


def test_a_key_is_shown_once_and_only_its_digest_is_kept(farthing, file):
    made = farthing("keys", "create", "acme", "--set", "tenant=acme", "--model", "claude-haiku-*", "--expires", "90d")
    key = made.stdout.strip()
    assert key.startswith("sk-farthing-")
    assert key not in made.stderr
    assert key not in file.read_text()
    (entry,) = tomllib.loads(file.read_text())["key"]
    assert entry["hash"] == "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    assert (entry["set"], entry["models"]) == ({"tenant": "acme"}, ["claude-haiku-*"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["keys.toml"]
    assert key not in farthing("keys", "list").stdout


def test_a_file_keeps_its_comments_and_its_other_entries(farthing, file):
    file.write_text(NEW_FILE + "# Mine.\n")
    for name in ("one", "two"):
        farthing("keys", "create", name)
    text = file.read_text()
    assert text.startswith(NEW_FILE + "# Mine.\n")
    farthing("keys", "revoke", "one")
    assert file.read_text() == text.replace("[[key]]\n", "[[key]]\ndisabled = true\n", 1)
    listed = farthing.json("keys", "list")
    assert [(one["id"], one["state"]) for one in listed["keys"]] == [("one", "revoked"), ("two", "active")]
    farthing("keys", "revoke", "one")
    assert file.read_text().count("disabled") == 1


def test_the_list_says_what_was_spent(farthing, file, tmp_path):
    farthing("keys", "create", "acme")
    farthing("keys", "create", "idle", "--expires", "2999-01-01")
    rows = tmp_path / "calls.jsonl"
    rows.write_text(farthing.lines(*(farthing.row(id=f"r{n}", tags={"api_key": "acme"}) for n in range(2))))
    farthing("import", "jsonl", rows)
    acme, idle = farthing.json("keys", "list")["keys"]
    assert (acme["calls"], acme["list_usd"], acme["last_used"]) == (2, "0.009", "2026-10-05")  # 2 x $0.0045
    assert acme["kind"] in ("measured", "derived", "assumed")
    assert (idle["calls"], idle["list_usd"], idle["last_used"], idle["kind"]) == (0, "0", None, None)
    assert idle["expires_at"] == "2999-01-02T00:00:00+00:00"
    assert "2026-10-05" in farthing("keys", "list").stdout


def test_check_reads_as_a_gateway_would(farthing, file, monkeypatch):
    key = farthing.json("keys", "create", "acme")["key"]
    assert "ANTHROPIC_API_KEY is empty or not set" in farthing.json("keys", "check", code=1)["error"]
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-REAL")
    facts = farthing.json("keys", "check")
    assert (facts["mode"], facts["keys"], facts["upstreams"]) == ("virtual only", 1, ["main"])
    told = farthing("keys", "check", "--stdin", stdin=f"{key}\n").stdout
    assert "The key is acme, active." in told
    assert "REAL" not in told
    assert key not in told
    assert "not in the file" in farthing.json("keys", "check", "--stdin", stdin="sk-other\n", code=1)["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "acme", "--set", "tenant"], "--set"),
        (["create", "acme", "--set", "api_key=x"], "sets api_key"),
        (["create", "acme", "--expires", "2020-01-01"], "still to come"),
        (["create", "acme", "--expires", "soon"], "soon"),
        (["create", "key_1"], "id cannot be used"),
        (["create", "acme", "--upstream", "other"], "no upstream of the name"),
        (["revoke", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_done_leaves_the_file_as_it_was(farthing, file, arguments, said):
    file.write_text(NEW_FILE)
    assert said in farthing.json("keys", *arguments, code=1)["error"]
    assert file.read_text() == NEW_FILE


def test_without_a_file_it_says_where_one_is_named(farthing, tmp_path):
    assert "gateway.keys" in farthing.json("keys", "list", code=1)["error"]
    assert "farthing keys create" in farthing.json("keys", "list", "--keys", tmp_path / "none.toml", code=1)["error"]
    farthing("keys", "create", "a", "--keys", tmp_path / "deep" / "keys.toml")
    assert (tmp_path / "deep" / "keys.toml").exists()


_names = st.text(min_size=1, max_size=8)


@given(st.dictionaries(_names, st.text(max_size=20), max_size=3), st.lists(_names, max_size=3), st.booleans())
def test_whatever_is_set_is_read_back(dims, patterns, as_paths):
    dims = {name: value for name, value in dims.items() if "\x00" not in name + value}
    which = {"paths" if as_paths else "models": tuple(patterns)}
    entry = Entry(id="acme", hash=hash_of("k"), set=dims, **which)
    text = with_entry(NEW_FILE + "# end", entry, "keys.toml")
    assert parse_keys(text, "keys.toml").key == (entry,)
    revoked = without_access(text, "acme", "keys.toml")
    assert parse_keys(revoked, "keys.toml").key[0].disabled


def test_an_id_is_given_once():
    entry = Entry(id="acme", hash=hash_of("k"))
    text = with_entry(NEW_FILE, entry, "keys.toml")
    with pytest.raises(BadInput, match="already"):
        with_entry(text, entry, "keys.toml")


def test_an_entry_that_is_written_strangely_is_left_to_its_owner():
    text = NEW_FILE.replace("[upstream", f'key = [{{ id = "a", hash = "{hash_of("k")}" }}]\n[upstream')
    with pytest.raises(BadConfig, match="unusual"):
        without_access(text, "a", "keys.toml")
