"""Import, report, explain, reprice, config: a newcomer's afternoon, checked by arithmetic."""

import csv
import io
import json
from decimal import Decimal

import pytest

from farthing.demo.season import season


@pytest.fixture
def imported(farthing, tmp_path):
    """Two tenants on two models and a model that nobody knows: $0.0045 + $0.0045 + 500 x $1 + 50 x $5 per MTok."""
    row = farthing.row
    haiku = {"model": "claude-haiku-4-5", "usage": {"input_tokens": 500, "output_tokens": 50}}
    file = tmp_path / "calls.jsonl"
    file.write_text(
        farthing.lines(
            row(id="a", tenant="acme", feature="chat", at="2026-10-05T09:30:00Z"),
            row(id="b", tenant="acme", feature="chat", at="2026-10-06T23:30:00Z"),
            row(id="c", tenant="=bolt", feature="mail", at="2026-10-06T09:00:00Z") | haiku,
            row(id="d", tenant="acme", feature="mail", at="2026-10-06T09:00:00Z", model="claude-nope"),
        )
    )
    answer = farthing.json("import", "jsonl", file)
    assert (answer["new"], answer["known"], answer["unpriced"], answer["errors"]) == (4, 0, 1, 0)
    return farthing


class TestImport:
    def test_again_changes_nothing(self, imported):
        before = imported.json("report")
        again = imported.json("import", "jsonl", "calls.jsonl")
        assert (again["new"], again["known"]) == (0, 4)
        assert imported.json("report") == before

    def test_a_folder_and_standard_input(self, farthing, tmp_path):
        for name in ("b.jsonl", "a.ndjson", "notes.txt"):
            (tmp_path / "logs").mkdir(exist_ok=True)
            (tmp_path / "logs" / name).write_text(farthing.lines(farthing.row(tenant=name)))
        assert farthing.json("import", "jsonl", "logs")["new"] == 2
        assert farthing.json("import", "jsonl", "-", stdin=farthing.lines(farthing.row()))["new"] == 1

    def test_bad_rows_are_told_and_the_rest_is_in(self, farthing):
        rows = farthing.lines(farthing.row(), "{oops\n", farthing.row(tenant="x"))
        result = farthing("import", "jsonl", "-", stdin=rows, code=1)
        assert "2 new" in result.stdout
        assert result.stderr.startswith("-:2: read a line that is not JSON")
        assert "1 bad rows left out" in result.stderr or "1 bad row left out" in result.stderr

    def test_csv_with_a_map(self, farthing, tmp_path):
        (tmp_path / "calls.csv").write_text(
            "ts,model,input_tokens,output_tokens,customer\n2026-10-05T09:00:00Z,claude-sonnet-4-5,1000,100,acme\n"
        )
        farthing("import", "csv", "calls.csv", "--map", "at=ts,tenant=customer")
        (found,) = farthing.json("report", "--by", "tenant")["rows"]
        assert (found["key"], found["list_usd"]) == ({"tenant": "acme"}, "0.0045")

    def test_usage_payloads_need_a_time(self, farthing, tmp_path):
        message = {"id": "msg_1", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 1000, "output_tokens": 100}}
        (tmp_path / "response.json").write_text(json.dumps(message))
        assert farthing.json("import", "usage", "response.json", code=1)["errors"] == 1
        assert farthing.json("import", "usage", "response.json", "--at", "2026-10-05T09:00:00Z")["new"] == 1
        assert farthing.json("explain", "msg_1")["bill"]["cost_usd"] == "0.0045"

    def test_a_file_that_is_missing_is_an_error_beside_the_others(self, farthing, tmp_path):
        (tmp_path / "a.jsonl").write_text(farthing.lines(farthing.row()))
        answer = farthing.json("import", "jsonl", "missing.jsonl", "a.jsonl", code=1)
        assert (answer["new"], answer["errors"]) == (1, 1)
        assert "No such file" in answer["error_records"][0]["error"]

    def test_a_contract_is_posted_beside_list(self, farthing, tmp_path, monkeypatch):
        (tmp_path / "contract.toml").write_text('name = "ours"\n[[discount]]\npercent = "20"\n')
        monkeypatch.setenv("FARTHING_PRICES_CONTRACT", str(tmp_path / "contract.toml"))
        farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row(id="a")))
        totals = farthing.json("report")["totals"]
        assert (totals["list_usd"], totals["contract_usd"]) == ("0.0045", "0.0036")
        assert "contract" in farthing("report").stdout
        assert "$0.0036" in farthing("explain", "a").stdout


CONTRACT = """
name = "ours"
[[discount]]
percent = "20"
[[volume]]
mode = "marginal"
tier = [{ list_usd_over = "0", percent = "0" }, { list_usd_over = "0.008", percent = "50" }]
"""


class TestUnderContract:
    """Two calls of $0.0045 at list: 20 % off each, and half of what the month has over $0.008 of list volume."""

    @pytest.fixture
    def ours(self, farthing, tmp_path):
        rows = farthing.lines(farthing.row(id="a", tenant="x"), farthing.row(id="b", at="2026-10-06T09:00:00Z"))
        farthing("import", "jsonl", "-", stdin=rows)
        (tmp_path / "contract.toml").write_text(CONTRACT)
        (tmp_path / "ours.toml").write_text('[prices]\ncontract = "contract.toml"\n')
        return lambda *arguments, **more: farthing.json(*arguments, "--config", "ours.toml", **more)

    @pytest.fixture
    def posted(self, ours):
        ours("reprice", "--reason", "our contract")
        return ours

    def test_calls_imported_before_are_posted_under_it_by_repricing(self, farthing, ours):
        assert "farthing reprice" in ours("report")["contract"]["notes"][0]
        [change] = ours("reprice", "--reason", "our contract")["changes"]
        assert (change["before_usd"], change["after_usd"]) == ("0.009", "0.009")
        assert (change["before_contract_usd"], change["after_contract_usd"]) == ("0.009", "0.0072")
        assert "under contract" in farthing("corrections").stdout
        farthing("reprice", "--revert", "1")
        assert ours("report")["totals"]["contract_usd"] == "0.009"

    def test_rows_and_the_months_credit_sum_to_the_total(self, posted):
        report = posted("report", "--by", "tenant")
        assert [row["contract_usd"] for row in report["rows"]] == ["0.0036", "0.0036"]
        [credit] = report["contract"]["credits"]
        assert (credit["month"], credit["on_list_usd"], credit["contract_usd"]) == ("2026-10", "0.001", "-0.0005")
        assert (credit["kind"], report["contract"]["contract_usd"]) == ("derived", "0.0067")

    def test_the_csv_column_sums_to_the_contract_total(self, farthing, posted):
        text = farthing("report", "--by", "tenant", "--csv", "--config", "ours.toml").stdout
        rows = list(csv.DictReader(io.StringIO(text)))
        assert sum(Decimal(row["contract_usd"]) for row in rows) == Decimal("0.0067")
        assert [row["entry"][:21] for row in rows] == ["calls", "calls", "volume credit 2026-10"]
        assert rows[-1]["list_usd"] == rows[-1]["tenant"] == ""
        assert "entry" not in farthing("report", "--csv").stdout.splitlines()[0]

    @pytest.mark.parametrize(
        "flags", [(), ("--by", "tenant"), ("--bucket", "month"), ("--pareto",), ("--time-of-day",)]
    )
    def test_the_table_shows_list_contract_and_credit(self, farthing, posted, flags):
        text = farthing("report", *flags, "--config", "ours.toml").stdout
        assert "-$0.0005  volume credit 2026-10" in text
        assert "  $0.0067  total under contract" in text
        assert "derived" in text

    def test_explain_shows_each_line_at_list_and_under_contract(self, farthing, posted):
        text = farthing("explain", "a", "--config", "ours.toml").stdout
        assert "$0.003 at list = $0.0024 20 % off everything" in text
        assert "$0.0036 under ours" in text
        assert "which is not what" not in text
        assert posted("explain", "a")["contract"]["contract_usd"] == "0.0036"
        assert "under a contract, which is not what the settings come to" in farthing("explain", "a").stdout


class TestConfigFlag:
    def test_ones_own_rates_reach_every_command(self, farthing, tmp_path):
        """Sonnet 4.5 at $6 instead of $3: 1,000 in and 100 out are $0.0075."""
        (tmp_path / "prices.toml").write_text(
            '[[model]]\nid = "claude-sonnet-4-5-20250929"\n'
            '[[model.rate]]\ninput = "6"\noutput = "15"\nreason = "agreed"\n'
        )
        (tmp_path / "own.toml").write_text('[prices]\noverrides = "prices.toml"\n')
        own = ("--config", "own.toml")
        line = farthing.lines(farthing.row(id="a"))
        assert json.loads(farthing("price", "-", *own, stdin=line).stdout)["cost_usd"] == "0.0075"
        assert json.loads(farthing("price", "-", stdin=line).stdout)["cost_usd"] == "0.0045"
        farthing("import", "jsonl", "-", *own, stdin=line)
        assert farthing.json("report", *own)["totals"]["list_usd"] == "0.0075"
        assert farthing.json("explain", "a", *own)["bill"]["cost_usd"] == "0.0075"
        assert farthing.json("explain", "-", *own, stdin=line)["bill"]["cost_usd"] == "0.0075"
        assert farthing.json("explain", "a")["bill"]["cost_usd"] == "0.0045"
        [rates] = farthing.json("prices", "claude-sonnet-4-5", "--at", "2026-10-05", *own)["rates"]
        assert rates["usd_per_mtok"]["input_tokens"] == "6"
        assert "agreed" in farthing("prices", "history", "claude-sonnet-4-5", *own).stdout
        assert farthing.json("prices", "sources", *own)["book_version"] == rates_version(farthing, own)
        [change] = farthing.json("reprice", "--preview")["changes"]
        assert (change["before_usd"], change["after_usd"]) == ("0.0075", "0.0045")


def rates_version(farthing, flags):
    return farthing.json("prices", "claude-sonnet-4-5", *flags)["book_version"]


class TestReport:
    def test_totals_and_shares(self, imported):
        report = imported.json("report", "--by", "tenant")
        assert [(row["key"]["tenant"], row["calls"], row["list_usd"]) for row in report["rows"]] == [
            ("acme", 3, "0.009"),
            ("=bolt", 1, "0.00075"),
        ]
        assert report["totals"]["list_usd"] == "0.00975"
        assert report["totals"]["unpriced_calls"] == 1
        assert report["rows"][0]["share"] == "0.923077"
        assert report["totals"]["tokens"] == {
            "input_tokens": 3500,
            "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 0,
            "cache_read_tokens": 0,
            "output_tokens": 350,
        }

    def test_buckets_filters_and_time_zones(self, imported):
        days = imported.json("report", "--bucket", "day")["rows"]
        assert [(row["start"][:10], row["calls"]) for row in days] == [("2026-10-05", 1), ("2026-10-06", 3)]
        berlin = imported.json("report", "--bucket", "day", "--timezone", "Europe/Berlin")["rows"]
        assert [(row["start"][:10], row["calls"]) for row in berlin] == [
            ("2026-10-05", 1),
            ("2026-10-06", 2),
            ("2026-10-07", 1),
        ]
        assert imported.json("report", "--where", "tenant=acme", "--where", "feature=chat")["totals"]["calls"] == 2
        assert imported.json("report", "--since", "2026-10-06")["totals"]["calls"] == 3
        assert imported.json("report", "--until", "2026-10-05")["totals"]["calls"] == 1
        assert imported.json("report", "--since", "2027-01-01")["totals"] is None

    def test_top_folds_the_rest(self, imported):
        rows = imported.json("report", "--by", "model", "--top", "1")["rows"]
        assert [row["key"]["model"] for row in rows] == ["claude-sonnet-4-5", "other"]

    def test_pareto(self, imported):
        answer = imported.json("report", "--pareto")
        assert answer["pareto"] == {"groups": 3, "groups_for_80_percent": 1, "unpriced_groups": 1}
        text = imported("report", "--pareto").stdout
        assert "1 of 3 call types (33.3 %) cost 80 %" in text

    def test_time_of_day(self, imported):
        rows = imported.json("report", "--time-of-day")["rows"]
        assert {(row["key"]["weekday"], row["key"]["hour_of_day"]) for row in rows} == {
            ("0", "9"),
            ("1", "9"),
            ("1", "23"),
        }
        assert "Dearest hour: " in imported("report", "--time-of-day").stdout

    def test_csv_is_exact_and_runs_no_formula(self, imported):
        rows = list(csv.DictReader(io.StringIO(imported("report", "--by", "tenant", "--csv").stdout)))
        assert [row["tenant"] for row in rows] == ["acme", "'=bolt"]
        assert rows[1]["list_usd"] == "0.00075"
        assert rows[0]["unpriced_calls"] == "1"

    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_the_table_fits_and_says_kind_and_unpriced(self, imported, monkeypatch, columns):
        monkeypatch.setenv("COLUMNS", str(columns))
        text = imported("report", "--by", "tenant,model").stdout
        assert max(len(line) for line in text.splitlines()) <= columns
        assert "measured" in text
        assert "UNPRICED" in text
        assert "claude-nope" in text
        assert "$0.009750" in text

    @pytest.mark.parametrize(
        ("flags", "says"),
        [
            (("--bucket", "decade"), "hour, day, week, month"),
            (("--timezone", "Mars/Base"), "IANA"),
            (("--since", "soon"), "a day such as"),
            (("--last", "30d", "--since", "2026-10-01"), "one of them"),
            (("--last", "soon"), "24h"),
            (("--where", "tenant"), "name=value"),
            (("--by", "colour"), "colour"),
            (("--pareto", "--time-of-day"), "exclude"),
        ],
    )
    def test_wrong_flags_say_what_is_right(self, imported, flags, says):
        assert says in imported("report", *flags, code=1).stderr

    def test_no_ledger_says_what_to_do(self, farthing):
        assert "farthing import or farthing demo" in farthing("report", code=1).stderr

    def test_control_characters_of_strangers_do_not_reach_the_terminal(self, farthing):
        farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row(tenant="a\x1b[31mred[bold]x")))
        text = farthing("report", "--by", "tenant").stdout
        assert "\x1b" not in text
        assert "red[bold]x" in text


class TestExplain:
    def test_by_the_id_of_the_row(self, imported):
        text = imported("explain", "a").stdout
        assert "1,000 x $3 / MTok = $0.003" in text
        assert "100 x $15 / MTok = $0.0015" in text
        assert "$0.0045" in text
        assert "https://" in text
        assert "tenant          acme" in text

    def test_by_call_id_and_as_json(self, imported):
        first = imported.json("explain", "a")
        again = imported.json("explain", first["call_id"])
        assert first == again
        assert first["bill"]["cost_usd"] == first["posted"]["list_usd"] == "0.0045"
        assert all(source["url"].startswith("https://") for source in first["sources"].values())

    def test_an_unpriced_call_says_why(self, imported):
        text = imported("explain", "d").stdout
        assert "UNPRICED" in text
        assert "claude-nope" in text

    def test_a_line_on_standard_input_needs_no_ledger(self, farthing):
        answer = farthing.json("explain", "-", stdin=farthing.lines(farthing.row()))
        assert answer["bill"]["cost_usd"] == "0.0045"
        assert answer["posted"] is None
        assert "nothing on standard input" in farthing("explain", "-", stdin="", code=1).stderr
        assert "ends too early" in farthing("explain", "-", stdin='{"a":', code=1).stderr

    def test_an_id_that_several_rows_share_is_not_guessed(self, imported):
        imported("import", "jsonl", "-", stdin=imported.lines(imported.row(id="a", tenant="other")))
        assert "several calls" in imported("explain", "a", code=1).stderr

    def test_an_unknown_id(self, imported):
        assert "found no call 'zzz'" in imported("explain", "zzz", code=1).stderr


class TestCorrections:
    def test_preview_changes_nothing(self, imported):
        preview = imported.json("reprice", "--preview")
        assert preview["correction"] is None
        assert sum(change["changed_calls"] for change in preview["changes"]) == 0
        assert imported.json("corrections") == []

    def test_a_correction_has_a_reason_and_can_be_taken_back(self, imported):
        assert "--reason" in imported("reprice", code=1).stderr
        made = imported.json("reprice", "--reason", "checked")
        assert (made["correction"], made["reason"], made["reverted"]) == (1, "checked", False)
        assert imported.json("reprice", "--revert", "1")["reverted"] is True
        assert [one["reverted"] for one in imported.json("corrections")] == [True]
        assert "taken back" in imported("corrections").stdout
        assert imported("reprice", "--revert", "1", code=1).stderr.startswith("farthing: ")

    def test_revert_stands_alone(self, imported):
        assert "--revert alone" in imported("reprice", "--revert", "1", "--preview", code=1).stderr


class TestConfig:
    def test_every_setting_with_its_origin(self, farthing, tmp_path):
        (tmp_path / "farthing.toml").write_text('[report]\ntimezone = "Europe/Berlin"\n')
        settings = farthing.json("config")["settings"]
        assert settings["report.timezone"]["value"] == "Europe/Berlin"
        assert settings["report.timezone"]["origin"].endswith("farthing.toml")
        assert settings["ledger.path"]["origin"] == "FARTHING_LEDGER_PATH"
        assert "Europe/Berlin" in farthing("config").stdout


class TestClaudeCode:
    @pytest.fixture
    def transcript(self, tmp_path, scrubbed_environment):
        """One response of Sonnet 4.5, shown on two lines as Claude Code does."""
        message = {"id": "msg_01", "type": "message", "model": "claude-sonnet-4-5", "role": "assistant"}
        usage = {"input_tokens": 1000, "output_tokens": 100}
        line = {
            "type": "assistant",
            "timestamp": "2026-10-05T09:00:00.000Z",
            "sessionId": "s1",
            "requestId": "req_01",
            "message": message | {"usage": usage, "content": [], "stop_reason": "end_turn"},
        }
        folder = scrubbed_environment / ".claude" / "projects" / "-home-me-app"
        folder.mkdir(parents=True)
        (folder / "s1.jsonl").write_text((json.dumps(line, separators=(",", ":")) + "\n") * 2)
        return folder

    def test_each_response_once_and_again_nothing_new(self, farthing, transcript):
        assert farthing.json("import", "claude-code")["new"] == 1
        assert farthing.json("import", "claude-code", transcript)["known"] == 1
        assert farthing.json("report", "--by", "session")["rows"][0]["list_usd"] == "0.0045"
        assert farthing.json("explain", "req_01")["bill"]["cost_usd"] == "0.0045"

    def test_the_index_lies_where_the_settings_say(self, farthing, transcript, tmp_path, monkeypatch):
        monkeypatch.setenv("FARTHING_CLAUDE_CODE_INDEX_PATH", str(tmp_path / "own.index"))
        assert farthing.json("import", "claude-code")["new"] == 1
        assert len(list(tmp_path.glob("own*.index"))) == 1

    def test_the_same_call_from_another_source_counts_once(self, farthing, transcript):
        farthing("import", "claude-code")
        row = farthing.row(id="msg_01", request_id="req_01")
        assert farthing.json("import", "jsonl", "-", stdin=farthing.lines(row))["new"] == 0

    def test_ones_own_total_is_in_the_demo(self, farthing, transcript, monkeypatch):
        asks = season()[-40:]
        for name in ("farthing.demo.season", "farthing.demo.live", "farthing.dashboard.demo"):
            monkeypatch.setattr(f"{name}.season", lambda: asks)
        text = farthing("demo", "--no-dashboard").stdout
        assert "Your own Claude Code\n  $0.0045 measured for 1 calls since 2026-10-05" in text

    def test_no_transcripts_say_where_they_would_be(self, farthing):
        assert "~/.claude/projects" in farthing("import", "claude-code", code=1).stderr
