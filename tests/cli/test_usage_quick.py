"""The quick way in reads plain arguments as Typer does, and leaves the rest to it."""

import json
import subprocess
import sys

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from farthing.cli import usage, usage_quick, usage_reports
from farthing.cli.usage_flags import OWN, fields

TEXTS = ("2026-11-20", "app", "max", "5", "0", "0.1", "2.5", "", "-1", "asc", "auto", "monday", "a=b", "x.json")


def arguments(report):
    spellings = [part for field in fields(report) for text in field.flag.spellings for part in text.split("/")]
    flag = st.sampled_from([*spellings, "--nothing", "--help", "-jb", "--", "-"])
    words = flag | st.sampled_from(TEXTS) | st.tuples(flag, st.sampled_from(TEXTS)).map("=".join)
    pairs = st.tuples(flag, st.sampled_from(TEXTS)).map(list)
    parts = st.lists(words.map(lambda word: [word]) | pairs, max_size=4)
    return parts.map(lambda some: [word for part in some for word in part])


def by_typer(report, given_arguments, monkeypatch):
    """What the command gets from Typer; None where Typer refuses."""
    caught = []
    monkeypatch.setattr(usage, "request_of", lambda _report, given: caught.append(given))
    monkeypatch.setattr(usage_reports, "run", lambda _request: 0)
    app = typer.Typer(add_completion=False)
    app.command()(getattr(usage, report))
    CliRunner().invoke(app, given_arguments)
    return caught[0] if caught else None


@pytest.mark.parametrize("report", OWN)
def test_what_it_reads_is_what_typer_reads(report):
    @settings(max_examples=40, deadline=None)
    @given(arguments(report))
    def check(given_arguments):
        quick = usage_quick.read(report, given_arguments)
        if quick is not None:
            with pytest.MonkeyPatch.context() as monkeypatch:
                assert by_typer(report, given_arguments, monkeypatch) == quick

    check()


def test_what_is_not_plain_is_left_to_typer():
    for odd in (["--help"], ["-jb"], ["--last", "x"], ["--last", "-1"], ["--mode", "guess"], ["--since"], ["--json=1"]):
        assert usage_quick.read("daily", odd) is None
    for other in (["claude"], ["claude", "statusline"], ["blocks", "--live"], ["claude", "--help"]):
        assert usage_quick.main(other) is None


def test_an_error_on_the_way_is_left_to_typer(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "gone"))
    assert usage_quick.main(["daily", "--json"]) is None
    assert capsys.readouterr() == ("", "")


def test_json_needs_neither_typer_nor_rich(tmp_path):
    (tmp_path / "projects").mkdir()
    code = (
        "import sys; from farthing.__main__ import main; assert main(['claude', 'daily', '--json']) == 0; "
        "print(sorted({'typer', 'rich', 'pydantic', 'duckdb'} & set(sys.modules)), file=sys.stderr)"
    )
    environment = {"CLAUDE_CONFIG_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout)["daily"] == []
    assert done.stderr.split() == [b"[]"]
