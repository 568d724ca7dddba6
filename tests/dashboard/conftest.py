"""One small ledger for all of these tests, and clients over it."""

import json

import pytest
from tests.dashboard.made import OpenLedger, client_of, made_calls, posted, tell
from typer.testing import CliRunner

from farthing.cli.app import app
from farthing.dashboard.visit import Desk
from farthing.prices.book import shipped_book


@pytest.fixture(scope="session")
def calls():
    return made_calls()


@pytest.fixture(scope="session")
def ledger(calls):
    made = OpenLedger()
    made.add(map(posted, calls))
    tell(made, calls)
    return made


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dashboard")
    return Desk(
        book=shipped_book(),
        ledger=folder / "ledger.duckdb",
        journals=folder / "journals",
        plan=folder / "playbook.plan.json",
        decisions=folder / "playbook.journal",
        monthly_budget_pusd=50 * 10**12,
    )


@pytest.fixture
def client(ledger, desk):
    return client_of(ledger, desk)


@pytest.fixture
def empty_client(desk):
    return client_of(OpenLedger(), desk)


class Shell:
    """Runs ``farthing`` in this process."""

    def __call__(self, *arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, (result.stdout, result.stderr, result.exception)
        return result

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json").stdout)


@pytest.fixture
def farthing():
    return Shell()
