"""``farthing price``: JSON lines in, priced JSON lines out, in order; a bad line costs itself."""

import json
import shlex
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput
from farthing.reports.priced import served_of
from farthing.usage.detect import read_any
from farthing.usage.interface import Quarantined


def answers(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_answer_to_an_ordinary_line(farthing):
    """1,000 x $3/MTok + 100 x $15/MTok = 0.003 + 0.0015."""
    (answer,) = answers(farthing("price", stdin=farthing.lines(farthing.row(id="a"))))
    assert answer["id"] == "a"
    assert answer["cost_usd"] == "0.0045"
    assert answer["kind"] == "measured"
    assert answer["unpriced"] == []
    assert [(line["unit"], line["count"], line["usd_per_mtok"], line["usd"]) for line in answer["lines"]] == [
        ("input_tokens", 1000, "3", "0.003"),
        ("output_tokens", 100, "15", "0.0015"),
    ]
    assert all(line["rule"] and line["source"] for line in answer["lines"])


def test_a_whole_response_beside_its_time(farthing):
    response = {
        "id": "msg_1",
        "type": "message",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"},
        "at": "2026-10-05T09:00:00Z",
    }
    (answer,) = answers(farthing("price", "-", stdin=farthing.lines(response)))
    assert (answer["id"], answer["cost_usd"]) == ("msg_1", "0.00225")


def test_order_is_kept_and_a_bad_line_loses_nothing_else(farthing):
    row = farthing.row
    bad = {
        2: "{oops",
        3: '{"id":"cut","model":"claude-sonnet-4-5","us',
        4: row(id="naive", at="2026-10-05T09:00:00"),
        5: {key: value for key, value in row(id="timeless").items() if key != "at"},
        6: row(id="negative", usage={"input_tokens": -1}),
        7: row(id="huge", usage={"input_tokens": 10**60}),
        8: '{"id":"twice","usage":{"input_tokens":1,"input_tokens":2}}',
        9: row(id="text", usage={"input_tokens": "many"}),
        10: row(id="model", model=None),
        11: "[]",
        12: '"text"',
        13: row(id="openai", usage={"prompt_tokens": 3}),
        14: row(id="channel", channel=7),
        15: row(id="refusal", stop_reason="refusal", stop_details="bio"),
        16: row(id="before the calendar", at="0001-01-01T00:00:00+14:00"),
        17: row(id="after the calendar", at="9999-12-31T23:59:59-14:00"),
    }
    given = [row(id="first"), *bad.values(), row(id="last")]
    text = "".join(one + "\n" if isinstance(one, str) else json.dumps(one) + "\n" for one in given)
    result = farthing("price", stdin=text, code=1)
    first, *middle, last = answers(result)
    assert first["cost_usd"] == last["cost_usd"] == "0.0045"
    assert [answer["line"] for answer in middle] == list(bad)
    assert all(answer["error"] and "\n" not in answer["error"] for answer in middle)
    with_id = {answer["line"]: answer.get("id") for answer in middle}
    assert with_id[3] == "cut"
    assert with_id[8] == "twice"
    assert with_id[7] == "huge"
    assert result.stderr == "farthing: 16 lines have an error, told in its place; all others are priced\n"


def test_an_unknown_model_is_unpriced_and_loud_but_no_error(farthing):
    result = farthing("price", stdin=farthing.lines(farthing.row(model="claude-sonnet-4-5-nightly")))
    (answer,) = answers(result)
    assert answer["cost_usd"] is None
    assert "claude-sonnet-4-5" in answer["unpriced"][0]
    assert result.stderr.startswith("farthing: UNPRICED: 1 line has no exact price")


def test_blank_lines_crlf_and_a_byte_order_mark(farthing, tmp_path):
    file = tmp_path / "calls.jsonl"
    line = json.dumps(farthing.row()).encode()
    file.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n" + line)
    assert len(answers(farthing("price", file))) == 2


def test_nothing_in_is_nothing_out(farthing):
    assert farthing("price", stdin="").stdout == ""


def test_a_file_that_is_not_there_is_one_line(farthing):
    result = farthing("price", "missing.jsonl", code=1)
    assert result.stderr == "farthing: missing.jsonl: No such file or directory\n"


def test_a_closed_standard_input_is_one_line():
    command = f"exec {shlex.quote(sys.executable)} -m farthing price <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("farthing: read standard input, which is closed; expected")
    assert done.stderr.count("\n") == 1


def test_known_at_prices_by_what_was_known(farthing):
    """The book learnt of Sonnet 4.5 on the day it was released: before that it has no price."""
    (answer,) = answers(farthing("price", "--known-at", "2025-01-01", stdin=farthing.lines(farthing.row())))
    assert answer["cost_usd"] is None
    assert "as a day" in farthing("price", "--known-at", "soon", code=1).stderr.replace("a day such", "as a day")


@pytest.mark.parametrize("count", [0, 1, 7, 123_456_789, 2**53])
def test_amounts_are_plain_decimals_at_every_size(farthing, count):
    rows = farthing.lines(farthing.row(model="claude-haiku-4-5", usage={"input_tokens": count, "output_tokens": 0}))
    (answer,) = answers(farthing("price", stdin=rows))
    assert set(answer["cost_usd"]) <= set("0123456789.")
    assert Decimal(answer["cost_usd"]) == Decimal(count) / 10**6


def test_it_streams_in_constant_memory(tmp_path):
    """Four times the lines cost no more memory than the noise of an interpreter."""
    line = json.dumps(
        {"model": "claude-haiku-4-5", "at": "2026-10-05T09:00:00Z", "usage": {"input_tokens": 1, "output_tokens": 1}}
    )
    peaks = []
    for count in (2_000, 8_000):
        file = tmp_path / f"{count}.jsonl"
        file.write_text((line + "\n") * count)
        code = (
            "import resource, sys; from farthing.__main__ import main\n"
            f"main(['price', {str(file)!r}])\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert len(done.stdout.splitlines()) == count
        peaks.append(int(done.stderr))
    assert peaks[1] < peaks[0] * 1.1


def test_a_line_in_a_pipe_is_answered_before_the_next_is_written(farthing):
    command = [sys.executable, "-m", "farthing", "price"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for number in range(3):
            process.stdin.write(json.dumps(farthing.row(id=number)) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(timeout=60) == 0


USAGE_NAMES = """
    input_tokens output_tokens cache_read_input_tokens cache_creation_input_tokens service_tier
    prompt_tokens total_tokens input_tokens_details speed iterations inputTokens
""".split()  # noqa: SIM905
usages = st.dictionaries(
    st.sampled_from(USAGE_NAMES),
    st.none() | st.integers(-1, 3) | st.sampled_from(["batch", "fast", []]),
    max_size=4,
)
rows = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["claude-haiku-4-5", "", None, 3]),
        "usage": usages | st.none(),
        "stop_reason": st.sampled_from(["refusal", "end_turn", None]),
        "stop_details": st.sampled_from([{"category": "cyber"}, None]),
        "channel": st.sampled_from(["claude_api", "bedrock"]),
        "type": st.sampled_from(["error", "message", "message_start"]),
        "custom_id": st.just("x"),
    },
)


@given(rows)
def test_the_quick_way_reads_what_the_careful_one_reads(row):
    """An ordinary row skips the search for its shape; both must come to the same reading or the same refusal."""
    careful = read_any(row, channel=row.get("channel"), model=row.get("model") if row.get("model") != 3 else None)
    if isinstance(careful, Quarantined) or row.get("model") == 3:
        with pytest.raises(BadInput):
            served_of(row)
    else:
        assert served_of(row) == careful


def test_under_a_contract_list_and_contract_are_both_told(farthing, tmp_path):
    """12.5 % off $0.0045 is $0.0039375; what has no list price has no contract price either."""
    (tmp_path / "acme.toml").write_text('name = "Acme"\n[[discount]]\npercent = "12.5"\n', encoding="utf-8")
    (tmp_path / "farthing.toml").write_text('[prices]\ncontract = "acme.toml"\n', encoding="utf-8")
    rows = farthing.lines(farthing.row(), farthing.row(model="claude-sonnet-9"))
    known, unknown = answers(farthing("price", stdin=rows))
    assert (known["cost_usd"], known["contract_usd"]) == ("0.0045", "0.0039375")
    assert (unknown["cost_usd"], unknown["contract_usd"]) == (None, None)
