"""The frame: what starts fast, how errors look, what exit codes mean."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
import typer

from farthing.__main__ import main
from farthing.cli import app as frame
from farthing.cli import output
from farthing.cli.commands import COMMANDS, Command
from farthing.errors import BadInput
from farthing.units import Kind


def run(*arguments, stdin="", **environment):
    return subprocess.run(
        [sys.executable, "-m", "farthing", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | environment,
    )


def loaded_modules(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_the_version_needs_neither_typer_nor_rich():
    code = "from farthing.__main__ import main; main(['--version'])"
    assert not loaded_modules(code) & {"typer", "rich", "duckdb", "msgspec"}
    assert run("--version").stdout == f"farthing {version('farthing')}\n"


def test_a_raw_command_runs_before_typer_is_imported(tmp_path):
    (tmp_path / "quick.py").write_text("def main(arguments):\n    print(arguments)\n    return 7\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from farthing.cli.commands import COMMANDS, Command\n"
        "COMMANDS['quick'] = Command('quick:main', '', raw=True)\n"
        "from farthing.__main__ import main\n"
        "assert main(['quick', '--flag', 'x']) == 7"
    )
    modules = loaded_modules(code)
    assert "['--flag'," in modules
    assert not modules & {"typer", "rich", "msgspec"}


def test_a_raw_command_is_reached_through_the_group_as_well(farthing, monkeypatch):
    seen = []

    def quick(arguments):
        """Do it quickly."""
        seen.append(arguments)
        return 2

    monkeypatch.setattr(output, "quick", quick, raising=False)
    monkeypatch.setitem(COMMANDS, "quick", Command("farthing.cli.output:quick", "Start here", raw=True))
    farthing("quick", "--flag", "--json", code=2)
    assert seen == [["--flag", "--json"]]
    assert "Do it quickly." in farthing("--help").stdout


def test_only_the_chosen_command_is_imported():
    modules = loaded_modules("from farthing.cli.app import run; run(['config'])")
    ours = {name for name in modules if name.startswith("farthing.cli.")}
    assert "farthing.cli.config_view" in ours
    assert not ours & {"farthing.cli.report", "farthing.cli.imports", "farthing.cli.price"}
    assert "duckdb" not in modules


def test_every_command_is_listed_with_a_line_of_help(farthing):
    text = farthing("--help").stdout
    for name in COMMANDS:
        assert f" {name} " in text
    assert farthing().stdout == text


def test_a_wrong_command_names_the_nearest(farthing):
    result = farthing("reprot", code=1)
    assert result.stderr.startswith("farthing: No such command 'reprot'. Did you mean")
    assert "'report'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_wrong_flag_is_one_line_and_exit_code_one(farthing):
    result = farthing("report", "--zzz", code=1)
    assert result.stderr == "farthing: No such option: --zzz; see farthing report --help\n"
    assert farthing.json("report", "--zzz", code=1) == {"error": "No such option: --zzz; see farthing report --help"}


class _Refusal(BadInput):
    exit_code = 2


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (BadInput("read\nthis", "that"), 1, "read this; expected that"),
        (_Refusal("over budget"), 2, "over budget"),
        (FileNotFoundError(2, "No such file or directory", "x.jsonl"), 1, "x.jsonl: No such file or directory"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
        (typer.Exit(2), 2, ""),
    ],
)
def test_what_goes_wrong_becomes_a_line_and_a_code(farthing, monkeypatch, error, code, says):
    def failing(*, json: output.Json = False) -> None:
        raise error

    monkeypatch.setattr(output, "failing", failing, raising=False)
    monkeypatch.setitem(COMMANDS, "failing", Command("farthing.cli.output:failing", "Start here"))
    result = farthing("failing", code=code)
    assert result.stderr == (f"farthing: {says}\n" if says else "")
    result = farthing("failing", "--json", code=code)
    assert result.stdout == (json.dumps({"error": says}, indent=2) + "\n" if says else "")


def test_a_closed_pipe_is_quiet():
    rows = '{"model":"claude-sonnet-4-5","at":"2026-10-05T09:00:00Z","usage":{"input_tokens":1,"output_tokens":1}}\n'
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "farthing", "price"],
        input=(rows * 5000).encode(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (frame.PIPE_CLOSED, b"")


def test_an_ascii_terminal_gets_question_marks_not_a_traceback():
    done = run("--help", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_main_returns_the_exit_code(capsys):
    assert main(["no-such-command"]) == 1
    assert "farthing: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pusd", "text"),
    [
        (None, "unpriced"),
        (0, "$0.00"),
        (1_234_567_000_000_000, "$1,234.57"),
        (-5_000_000_000_000, "-$5.00"),
        (4_500_000_000, "$0.0045"),
        (30_000_000, "$0.000030"),
        (1, "$0.000000000001"),
    ],
)
def test_an_amount_that_is_not_zero_never_reads_as_zero(pusd, text):
    assert output.usd(pusd) == text


def test_no_color_and_no_progress_where_nobody_looks(farthing, capsys):
    with output.progress("x") as advance:
        advance(1)
    output.console().print(output.kind_markup(Kind.ASSUMED))
    captured = capsys.readouterr()
    assert captured.out == "assumed\n"
    assert captured.err == ""


def test_the_banner_is_loud_and_grammatical():
    assert output.unpriced_banner(0, 5) == ""
    assert "1 of 5 calls has" in output.unpriced_banner(1, 5)
    assert "1,000 of 2,000 calls have" in output.unpriced_banner(1000, 2000)
