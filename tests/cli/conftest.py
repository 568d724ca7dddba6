"""Commands run in this process, on a ledger of their own."""

import json

import pytest
from typer.testing import CliRunner

from farthing.cli.app import app


class Shell:
    """Runs ``farthing`` and hands back what it printed."""

    def __init__(self):
        self.runner = CliRunner()

    def __call__(self, *arguments, code=0, stdin=None):
        result = self.runner.invoke(app, [str(argument) for argument in arguments], input=stdin)
        assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr, result.exception)
        return result

    @staticmethod
    def row(**changes):
        """One call of Sonnet 4.5 at $3 and $15: 1,000 in and 100 out are $0.0045."""
        usage = {"input_tokens": 1000, "output_tokens": 100} | changes.pop("usage", {})
        return {"model": "claude-sonnet-4-5", "at": "2026-10-05T09:00:00Z", "usage": usage} | changes

    @staticmethod
    def lines(*rows):
        """Rows as JSON lines; a text is a line already."""
        return "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in rows)

    def json(self, *arguments, code=0, stdin=None):
        return json.loads(self(*arguments, "--json", code=code, stdin=stdin).stdout)


@pytest.fixture
def farthing(tmp_path, monkeypatch):
    monkeypatch.setenv("FARTHING_LEDGER_PATH", str(tmp_path / "ledger.duckdb"))
    monkeypatch.chdir(tmp_path)
    return Shell()
