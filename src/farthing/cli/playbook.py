"""``farthing playbook``: the savings plan for the ledger's calls, and what was decided about it."""

from __future__ import annotations

import getpass
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farthing.ledger.interface import Ledger, Query, Stored
    from farthing.whatif.playbook.decide import Files
    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.planned import Plan

PASSES = 4
"""The calls are gone through about so often: to find, to try, to replay in sequence once or twice."""

app = typer.Typer(invoke_without_command=True)

StepNumber = Annotated[int | None, typer.Option("--step", metavar="N", min=1, help="One step in full.")]
Steps = Annotated[list[str] | None, typer.Argument(metavar="[STEP]...", help="Numbers or ids of the plan shown last.")]
StepId = Annotated[str | None, typer.Argument(metavar="[STEP]", help="The id of an applied step, or a part of it.")]
All = Annotated[bool, typer.Option("--all", help="Every step of the plan shown last.")]
LastStep = Annotated[bool, typer.Option("--last", help="The step that was applied last.")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="Another file than the settings'.")]
Holdout = Annotated[
    float, typer.Option("--holdout", metavar="SHARE", min=0, max=0.5, help="Recorded; nothing keeps it yet.")
]


@app.callback()
def playbook(  # noqa: PLR0917  flags are many
    context: typer.Context,
    step: StepNumber = None,
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show what would save money on the ledger's calls, in the order in which to do it.

    Free wins first, then trade-offs, by dollars per risk. Each step is replayed on top of the ones before it, so the
    savings sum exactly; what does not pay is not in it. The last 30 days of the ledger if no range is given.
    """
    if context.invoked_subcommand is not None:
        return
    from farthing.cli.ledger_file import open_ledger

    files = _files(ledger, config)
    zone = options.zone_of("UTC")
    span = options.time_range(since, until, last, zone, datetime.now(UTC))
    with open_ledger(files.ledger, must_exist=True) as opened:
        plan = _plan(opened, span, config, hidden=as_json)
    if step is not None and step > len(plan.steps):
        raise BadInput(f"read --step {step}", f"1 to {len(plan.steps)}" if plan.steps else "a plan that has steps")
    _keep(files, plan)
    if as_json:
        from farthing.whatif.playbook.plan_json import plan_json

        told = plan_json(plan)
        output.print_json(told if step is None else told["steps"][step - 1])
        return
    from farthing.cli import playbook_view as view

    console = output.console()
    if step is None:
        view.print_plan(console, plan)
    else:
        view.print_step(console, plan, plan.steps[step - 1], whole=True)


@app.command()
def apply(  # noqa: PLR0917  flags are many
    steps: Steps = None,
    every: All = False,
    policy: PolicyFile = None,
    holdout: Holdout = 0.0,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Write steps of the plan shown last into the policy, and into the journal with what each is predicted to save.

    The policy is recorded; farthing serve does not act on it yet, so callers change what it says until then.
    """
    from farthing.whatif.playbook.decide import OLD, apply_steps, kept_plan

    files = _files(ledger, config, policy)
    plan = kept_plan(files)
    if every == bool(steps):
        raise BadInput("read steps and --all" if every else "read no step", "steps, or --all")
    now = datetime.now(UTC)
    entries = apply_steps(files, None if every else steps, _who(), now, holdout_share=holdout)
    if plan.at < now - OLD:
        output.note(f"that plan was made on {plan.at:%Y-%m-%d}; farthing playbook makes a new one")
    _tell(entries, as_json=as_json)


@app.command()
def undo(  # noqa: PLR0917  flags are many
    step: StepId = None,
    last: LastStep = False,
    policy: PolicyFile = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """Take a step out of the policy, which gets the bytes it would have without it, and say so in the journal."""
    from farthing.whatif.playbook.decide import undo_step

    if last == (step is not None):
        raise BadInput("read a step and --last" if last else "read no step", "the id of an applied step, or --last")
    _tell([undo_step(_files(ledger, config, policy), step, _who(), datetime.now(UTC))], as_json=as_json)


@app.command()
def status(
    policy: PolicyFile = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """Show what applied steps have saved since, beside what they were predicted to, as far as calls show it."""
    from farthing.cli.ledger_file import contract_in_force, open_ledger
    from farthing.ledger.interface import Query
    from farthing.whatif.playbook.desk import Desk
    from farthing.whatif.playbook.realised import realised, realised_since

    files = _files(ledger, config, policy)
    journal = Desk(files.policy, files.journal).look()
    if journal.damaged:
        output.note(f"{journal.damaged:,} damaged lines in {files.journal} are left out")
    now, book = datetime.now(UTC), options.price_book(config)
    found = []
    if journal.live:
        with open_ledger(files.ledger, must_exist=True) as opened:
            query = Query(since=realised_since(journal.live))
            with _counted(opened, query, 1, hidden=as_json) as calls:
                found = realised(calls(), journal.live, book, now, terms=contract_in_force(config))
    if as_json:
        from farthing.whatif.playbook.plan_json import entry_json, realised_json

        told = {"policy": str(files.policy), "acted_on_by_gateway": False}
        steps = [realised_json(one) for one in found]
        output.print_json(told | {"steps": steps, "journal": [entry_json(one) for one in journal.entries]})
        return
    from farthing.cli import playbook_view as view

    view.print_status(output.console(), found, files.policy)


def _files(ledger: Path | None, config: Path | None, policy: Path | None = None) -> Files:
    from farthing.cli.ledger_file import ledger_path
    from farthing.whatif.playbook.decide import files_of

    settings = options.settings(config).config.playbook
    return files_of(ledger_path(ledger, config), policy or settings.policy, settings.journal)


def _plan(ledger: Ledger, span: tuple[datetime | None, datetime | None], config: Path | None, *, hidden: bool) -> Plan:
    from farthing.cli.ledger_file import contract_in_force
    from farthing.ledger.interface import Query
    from farthing.whatif.levers.find import find_all
    from farthing.whatif.playbook.days import month_to
    from farthing.whatif.playbook.plan import plan

    since, until = span
    days = [row.start for row in ledger.report(Query(since=since, until=until, bucket="day")) if row.start is not None]
    if not days:
        has_any = any(row.calls for row in ledger.report(Query()))
        told = "farthing report --bucket day shows which days have calls"
        raise BadInput(
            "found no call in range" if has_any else "found no call in the ledger",
            "some",
            told if has_any else "run farthing serve, farthing import or farthing demo first",
        )
    if span == (None, None):
        since = month_to(max(days))
    query, book = Query(since=since, until=until), options.price_book(config)
    with _counted(ledger, query, PASSES, hidden=hidden) as calls:
        return plan(calls, find_all(calls(), book), book, terms=contract_in_force(config))


@contextmanager
def _counted(ledger: Ledger, query: Query, passes: int, *, hidden: bool) -> Iterator[Callable[[], Iterator[Stored]]]:
    """A function that streams the calls, each time it is called, with a progress bar."""
    total = sum(row.calls for row in ledger.report(query))
    with output.progress("replaying", passes * total, hidden=hidden) as advance:

        def calls() -> Iterator[Stored]:
            for number, stored in enumerate(ledger.calls(query)):
                if number % 100 == 99:
                    advance(100)
                yield stored

        yield calls


def _keep(files: Files, plan: Plan) -> None:
    """Remember what was shown, for ``apply``; a folder that cannot be written to only costs that."""
    from farthing.whatif.playbook.decide import keep_plan

    try:
        keep_plan(files, plan, datetime.now(UTC))
    except OSError as error:
        output.note(f"cannot keep this plan for farthing playbook apply: {files.plan}: {error.strerror}")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        return str(os.getuid())


def _tell(entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        from farthing.whatif.playbook.plan_json import entry_json

        output.print_json({"acted_on_by_gateway": False, "entries": [entry_json(one) for one in entries]})
        return
    from farthing.cli import playbook_view as view

    view.print_entries(output.console(), entries)
