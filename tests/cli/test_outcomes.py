"""``farthing outcomes``: in from a file, and out by tenant, checked by arithmetic and against ``farthing report``."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

HEADER = "id,at,status,session,request_id,tag,tenant,revenue_usd,value_usd\n"
ROWS = (
    "t1,2026-10-05T18:00:00Z,success,s1,,,,1.00,\n"
    "t2,2026-10-05T18:00:00Z,failure,,,ticket=2,acme,,\n"
    "t3,2026-10-05T18:00:00Z,success,,,ticket=3,bolt,0.50,2\n"
    "t4,2026-10-05T18:00:00Z,other,nobody,,,acme,,\n"
)


@pytest.fixture
def shop(farthing, tmp_path):
    """Six calls of $0.0045: three of s1, one of each ticket, one of nothing; and an unpriced one of bolt's."""
    row = farthing.row
    (tmp_path / "calls.jsonl").write_text(
        farthing.lines(
            *(row(id=f"a{n}", tenant="acme", feature="chat", session="s1") for n in range(3)),
            row(id="b", tenant="acme", feature="mail", tags={"ticket": "2"}),
            row(id="c", tenant="bolt", feature="mail", tags={"ticket": "3"}),
            row(id="d", tenant="bolt", at="2026-10-07T09:00:00Z"),
            row(id="e", tenant="bolt", model="claude-nope", at="2026-10-07T09:00:00Z"),
        )
    )
    farthing("import", "jsonl", "calls.jsonl")
    (tmp_path / "outcomes.csv").write_text(HEADER + ROWS)
    assert farthing.json("outcomes", "import", "outcomes.csv")["new"] == 4
    return farthing


class TestImport:
    def test_again_changes_nothing_and_a_changed_row_is_a_correction(self, shop, tmp_path):
        assert shop.json("outcomes", "import", "outcomes.csv")["known"] == 4
        (tmp_path / "outcomes.csv").write_text(HEADER + ROWS.replace("failure", "success"))
        answer = shop.json("outcomes", "import", "outcomes.csv")
        assert (answer["new"], answer["known"], answer["corrected"]) == (0, 3, 1)
        assert "0 new, 4 known, 0 corrected" in shop("outcomes", "import", "outcomes.csv").stdout

    def test_lines_and_events_from_a_pipe(self, farthing):
        ours = {"id": "a", "at": "2026-10-05T18:00:00Z", "session": "s"}
        event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "solved", "time": ours["at"]}
        lines = farthing.lines(ours, event | {"data": {"session": "s"}})
        assert farthing.json("outcomes", "import", "-", stdin=lines)["new"] == 2

    def test_bad_rows_are_told_and_the_rest_is_in(self, farthing, tmp_path):
        (tmp_path / "o.csv").write_text(HEADER + ROWS + "t5,never,success,s1,,,,,\nt6,2026-10-05T18:00:00Z,,,,,,,\n")
        result = farthing("outcomes", "import", "o.csv", code=1)
        assert "4 new" in result.stdout
        assert "o.csv:6: read a text as at that is no time" in result.stderr
        assert "o.csv:7: read an outcome that names no calls" in result.stderr
        assert "--map says where" in result.stderr
        assert "2 bad rows left out" in result.stderr

    def test_a_missing_file_is_one_clear_line(self, farthing):
        answer = farthing.json("outcomes", "import", "none.csv", code=1)
        assert "cannot be read" in answer["error_records"][0]["error"]

    def test_columns_of_others(self, farthing, tmp_path):
        (tmp_path / "crm.csv").write_text("no,closed,price\n7,2026-10-05T18:00:00Z,1.5\n")
        names = "id=no,at=closed,revenue_usd=price,tag:ticket=no"
        assert farthing.json("outcomes", "import", "crm.csv", "--map", names)["new"] == 1
        shown = farthing.json("outcomes", "show", "7")
        assert (shown["tag"], shown["revenue_usd"], shown["cost_usd"]) == ("ticket=7", "1.5", None)


class TestReport:
    def test_by_tenant(self, shop):
        rows = {row["key"]["tenant"]: row for row in shop.json("outcomes", "report", "--by", "tenant")["rows"]}
        acme, bolt = rows["acme"], rows["bolt"]
        assert (acme["cost_usd"], acme["outcome_cost_usd"], acme["cost_per_success_usd"]) == ("0.018", "0.018", "0.018")
        assert (acme["outcomes"], acme["outcomes_without_calls"]) == (3, 1)
        assert acme["by_status"]["failure"]["cost_usd"] == "0.0045"
        assert acme["cost_per_outcome_usd"] == "0.009"
        assert (acme["revenue_usd"], acme["margin_usd"]) == ("1", "0.982")
        assert (bolt["cost_usd"], bolt["unpriced_calls"], bolt["without_outcome"]["cost_usd"]) == ("0.009", 1, "0.0045")
        assert (bolt["value_usd"], bolt["margin_usd"]) == ("2", "0.491")

    @pytest.mark.parametrize("flags", [[], ["--where", "tenant=bolt"], ["--since", "2026-10-06"], ["--contract"]])
    @pytest.mark.parametrize("by", ["tenant", "tenant,feature", "model"])
    def test_every_cent_is_that_of_farthing_report(self, shop, by, flags):
        found = shop.json("outcomes", "report", "--by", by, *flags)
        booked = shop.json("report", "--by", by, *[flag for flag in flags if flag != "--contract"])
        assert found["totals"]["cost_usd"] == booked["totals"]["list_usd"]
        total = found["totals"]
        parts = Decimal(total["outcome_cost_usd"]) + Decimal(total["without_outcome"]["cost_usd"])
        assert parts == Decimal(booked["totals"]["list_usd"])
        costs = {tuple(row["key"].values()): row["list_usd"] for row in booked["rows"]}
        with_calls = {tuple(r["key"].values()): r["cost_usd"] for r in found["rows"] if r["calls"]}
        assert with_calls == costs

    def test_a_terminal_sees_the_sum_and_what_is_not_known(self, shop, monkeypatch):
        monkeypatch.setenv("COLUMNS", "160")
        text = shop("outcomes", "report").stdout
        assert "Outcomes $0.0225 (5 calls: 3 by session, 2 by tag)" in text
        assert "+ calls without one $0.0045 (2) = $0.027 at list" in " ".join(text.split())
        assert "1 outcome of 4 found no call: cost unknown" in text
        assert "UNPRICED" in text
        assert "+?" in next(line for line in text.splitlines() if line.startswith("bolt"))

    def test_each_kind_of_outcome_is_told_where_there_are_several(self, shop, tmp_path):
        assert "per success" in shop("outcomes", "report").stdout
        rows = "u1,2026-10-05T18:00:00Z,success,s1,,,,,\n"
        (tmp_path / "more.csv").write_text(HEADER.replace("id,", "id,outcome,", 1) + rows.replace("u1", "u1,merged"))
        shop("outcomes", "import", "more.csv")
        kinds = {row["outcome"]: row for row in shop.json("outcomes", "report")["by_outcome"]}
        assert (kinds["merged"]["outcomes"], kinds[None]["outcomes"]) == (1, 4)
        assert "merged" in shop("outcomes", "report").stdout

    @pytest.mark.parametrize("columns", ["40", "80", "200"])
    def test_a_table_fits(self, shop, monkeypatch, columns):
        monkeypatch.setenv("COLUMNS", columns)
        table = shop("outcomes", "report", "--by", "tenant").stdout.splitlines()[:3]
        assert all(len(line.rstrip()) <= int(columns) for line in table)
        assert "per success" in table[0]

    def test_the_rest_is_one_row(self, shop):
        rows = shop.json("outcomes", "report", "--by", "feature", "--top", "1")["rows"]
        assert [row["key"]["feature"] for row in rows] == ["chat", "other"]

    def test_without_outcomes_it_says_how_to_put_some_in(self, farthing):
        farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row()))
        assert "farthing outcomes import" in farthing("outcomes", "report").stdout

    def test_nothing_at_all(self, farthing):
        farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row()))
        assert "No call and no outcome" in farthing("outcomes", "report", "--where", "tenant=nobody").stdout

    def test_markup_in_names_is_inert(self, farthing):
        farthing("import", "jsonl", "-", stdin=farthing.lines(farthing.row(tenant="[red]x[/]", session="s")))
        told = {"id": "[bold]i\x1b[2J", "at": "2026-10-05T18:00:00Z", "session": "s", "outcome": "[link=x]"}
        farthing("outcomes", "import", "-", stdin=json.dumps(told))
        for text in (farthing("outcomes", "report").stdout, farthing("outcomes", "show", told["id"]).stdout):
            assert "[bold]i?[2J" in text
            assert "\x1b[2J" not in text
        assert "[red]x[/]" in farthing("outcomes", "report").stdout


class TestShow:
    def test_what_is_known_and_what_was(self, shop, tmp_path):
        (tmp_path / "o.csv").write_text(HEADER + ROWS.replace("failure", "success"))
        shop("outcomes", "import", "o.csv")
        shown = shop.json("outcomes", "show", "t2")
        assert (shown["status"], shown["calls"], shown["cost_usd"]) == ("success", 1, "0.0045")
        assert [one["status"] for one in shown["replaced"]] == ["failure"]
        text = shop("outcomes", "show", "t2").stdout
        assert "1 call by tag, $0.0045" in text
        assert "failure" in text

    def test_one_without_calls_has_an_unknown_cost(self, shop):
        assert shop.json("outcomes", "show", "t4")["cost_usd"] is None
        assert "its cost is unknown" in shop("outcomes", "show", "t4").stdout

    def test_nobodys(self, shop):
        assert "found no outcome" in shop("outcomes", "show", "t9", code=1).stderr
