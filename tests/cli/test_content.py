"""``farthing content``: what it shows, what it deletes, and what it says where there is nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from farthing.ledger.content import Content, ContentStore, Part

REQUEST = '{"messages":[{"role":"user","content":"Grüße\\u001b[2J"}]}'.encode()
ANSWER = b"\xff\x1b]0;title\x07 half"


@pytest.fixture
def kept(tmp_path):
    """Three calls: a whole one, a hashed one of another tenant, and an old one."""
    now = datetime.now(UTC)
    whole = Content(
        *("call_1", "msg_1:req_1", now, "acme", "claude-haiku-4-5", "full", 200),
        *(Part("0a", len(REQUEST), "", REQUEST), Part(None, 100, "broken off", ANSWER)),
    )
    hashed = Content("call_2", "call_2", now, "", "", "hash", 400, Part("0b", 7), Part("0c", 9))
    old = whole._replace(gateway_call="call_3", call_id="msg_3", sent_at=now - timedelta(days=8))
    with ContentStore(tmp_path / "content.sqlite") as store:
        store.add([whole, hashed, old])


@pytest.mark.usefixtures("kept")
def test_show(farthing):
    shown = farthing("content", "show", "msg_1").stdout
    for part in ("call_1", "tenant: acme", "claude-haiku-4-5", "hash 0a", "100 bytes, broken off", '"content": "Grüße'):
        assert part in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "length" not in farthing("content", "show", "call_2").stdout


@pytest.mark.usefixtures("kept")
def test_show_as_json_and_raw(farthing):
    found = farthing.json("content", "show", "call_1")
    assert (found["call_id"], found["mode"], found["status"]) == ("msg_1:req_1", "full", 200)
    assert found["request"] == {
        "hash": "0a",
        "bytes": len(REQUEST),
        "note": "",
        "text": REQUEST.decode(),
        "base64": None,
    }
    assert (found["answer"]["text"], found["answer"]["base64"]) == (None, "/xtdMDt0aXRsZQcgaGFsZg==")
    assert farthing("content", "show", "call_1", "--raw", "request").stdout_bytes == REQUEST
    assert farthing("content", "show", "call_1", "--raw", "answer").stdout_bytes == ANSWER
    assert "its mode is hash" in farthing("content", "show", "call_2", "--raw", "answer", code=1).stderr


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("flags", "deleted"),
    [
        (["--older-than", "7d"], 1),
        (["--older-than", "2w"], 0),
        (["--tenant", "acme"], 2),
        (["--tenant", "acme", "--older-than", "24h"], 1),
        (["--all"], 3),
    ],
)
def test_purge(farthing, flags, deleted):
    assert farthing.json("content", "purge", *flags) == {"deleted": deleted}
    assert sum(farthing.json("content", "status")["calls"].values()) == 3 - deleted


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("flags", [[], ["--all", "--tenant", "acme"], ["--older-than", "soon"], ["--older-than", "0d"]])
def test_an_unclear_purge_deletes_nothing(farthing, flags):
    assert "expected" in farthing("content", "purge", *flags, code=1).stderr
    assert farthing.json("content", "status")["calls"] == {"full": 2, "hash": 1}


@pytest.mark.usefixtures("kept")
def test_status(farthing, monkeypatch):
    monkeypatch.setenv("FARTHING_GATEWAY_CONTENT", "redacted")
    found = farthing.json("content", "status")
    assert (found["mode"], found["days"], found["disk_bytes_max"]) == ("redacted", 30, 10**9)
    assert 0 < found["disk_bytes"] < 100_000
    assert found["oldest_at"] < found["newest_at"]
    shown = farthing("content", "status").stdout
    assert "redacted bodies for 30 days" in shown
    assert "2 full, 1 hash" in shown


def test_where_nothing_was_kept(farthing, tmp_path):
    assert "keep nothing" in farthing("content", "status").stdout
    assert farthing.json("content", "status")["calls"] == {}
    assert farthing.json("content", "purge", "--all") == {"deleted": 0}
    assert "found no content of call_1" in farthing("content", "show", "call_1", code=1).stderr
    assert not (tmp_path / "content.sqlite").exists()
