"""What ``farthing playbook`` puts on a terminal."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

from farthing.cli import output
from farthing.cli.whatif_choose import backtest_lines
from farthing.money import display
from farthing.units import Kind
from farthing.whatif.levers.traffic import WORTH_SAYING
from farthing.whatif.playbook.advice import Risk
from farthing.whatif.playbook.days import DAYS_MIN
from farthing.whatif.playbook.guides import covered_by, guide_rows
from farthing.whatif.playbook.plan import SMALL, TOO_SMALL
from farthing.whatif.playbook.plan_json import configuration_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from farthing.whatif.playbook.advice import Finding
    from farthing.whatif.playbook.days import Monthly
    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.planned import Plan, PlanStep
    from farthing.whatif.playbook.realised import Realised

NOT_ACTED_ON = "recorded; farthing serve does not act on it yet"
LEFT_OUT_SHOWN = 6
_WIDE = 100
_INTERACTS = 0.02
_ERROR_MAX = 0.02
"""Of the replayed calls' bill: so large an error of the back-test is said loudly."""
_SHORT_RISK = {Risk.NONE: "none", Risk.DELAY: "late answers", Risk.QUALITY: "quality"}


def print_plan(console: Console, plan: Plan) -> None:
    """Back-test, steps, each in detail, total, the guides' six, findings, and what was left out."""
    for line in backtest_lines(plan.backtest):
        console.print(line)
    error = plan.backtest.error_share
    if error is not None and abs(error) > _ERROR_MAX:
        console.print(
            f"[yellow]The cache as it was comes out {error:+.1%} off: lengths in prompts are estimates. Take no "
            "saving of caching for sure that is smaller.[/]"
        )
    if banner := output.unpriced_banner(plan.backtest.unpriced_calls, plan.backtest.calls):
        console.print(banner)
    if plan.days is None:
        console.print("No call has an exact price, so nothing can be planned.")
        return
    first = date.fromordinal(plan.days.first)
    last = first + timedelta(days=plan.days.number - 1)
    console.print(f"Judged on {plan.days.number} days, {first} to {last} (UTC). A month is 30 such days.\n")
    if plan.steps:
        _print_steps(console, plan)
        for step in plan.steps:
            console.print()
            print_step(console, plan, step, whole=False)
    else:
        console.print(
            "[bold]Nothing to save was found[/] that a replay of these calls confirms and that is worth "
            f"{SMALL:.1%} of the bill."
        )
    console.print()
    _print_guides(console, plan)
    _print_findings(console, plan)
    _print_left_out(console, plan)
    if plan.steps:
        told = "farthing playbook --step N shows a step in full; farthing playbook apply N records it."
        console.print(f"\n[dim]{told} farthing explain CALL opens a call.[/]")


def _print_steps(console: Console, plan: Plan) -> None:
    table = _table(("#", "right"), ("step", "left"), ("a month", "right"), ("9 in 10 months", "right"))
    with_effort = console.width >= _WIDE
    for heading in ("kind", "effort", "risk") if with_effort else ("kind", "risk"):
        table.add_column(heading)
    for step in plan.steps:
        proposal = step.proposal
        table.add_row(
            str(step.number),
            escape(proposal.title) + ("[red] (lost lately)[/]" if step.lost_later else ""),
            output.usd(step.a_month.pusd),
            _range(step.a_month),
            output.kind_markup(step.kind),
            *((str(proposal.effort),) if with_effort else ()),
            "free win" if proposal.is_free else _SHORT_RISK[proposal.risk],
        )
    console.print(table)
    share = plan.saved_pusd / plan.before_pusd
    days = plan.days
    assert days is not None, "there are steps"
    a_month = output.usd(plan.saved_a_month.pusd)
    console.print(
        f"[bold]Together {a_month} a month[/], {share:.0%} of the bill: {output.usd(days.a_month(plan.before_pusd))} "
        f"becomes {output.usd(days.a_month(plan.after_pusd))} {output.kind_markup(plan.kind)}",
        soft_wrap=True,
    )
    free = sum(step.a_month.pusd for step in plan.steps if step.proposal.is_free)
    doubt = [step for step in plan.steps if step.kind is Kind.ASSUMED]
    parts = [f"{output.usd(free)} is free of risk and of beliefs"] if free else []
    if doubt:
        parts.append(f"{output.usd(sum(step.a_month.pusd for step in doubt))} hangs on what is assumed")
    if parts:
        console.print(f"[dim]Of it {', '.join(parts)}. Each step is counted after the ones before it.[/]")
    if days.number < DAYS_MIN:
        console.print(f"[yellow]With {days.number} days no range is known well: {DAYS_MIN} are needed.[/]")


def print_step(console: Console, plan: Plan, step: PlanStep, *, whole: bool) -> None:
    """One step; *whole* with its configuration and all evidence."""
    proposal = step.proposal
    a_month, kind = output.usd(step.a_month.pusd), output.kind_markup(step.kind)
    console.print(f"[bold]{step.number}. {escape(proposal.title)}[/]  {a_month} a month {kind}", soft_wrap=True)
    console.print(f"   [dim]effort[/] {proposal.effort}; [dim]risk[/] {_risk(step)}; {proposal.calls:,} calls")
    _line(console, "why", proposal.why)
    if step.instead_of:
        _line(console, "instead of", f"step {', '.join(map(str, step.instead_of))}, for calls that both are about")
    if plan.days is not None and abs(step.alone_pusd - step.saved_pusd) > step.saved_pusd * _INTERACTS:
        alone = output.usd(plan.days.a_month(step.alone_pusd))
        _line(console, "alone", f"{alone} a month: the steps before it change what is left for it")
    _line(console, "ceiling", _ceiling(plan, step))
    _line(console, "prerequisite", proposal.prerequisite)
    _line(console, "assumes", proposal.assumes)
    if step.stays:
        why = next(iter(step.stays)) + ("; and the like" if len(step.stays) > 1 else "")
        _line(console, "left alone", f"{sum(step.stays.values()):,} calls, counted as they were: {why}")
    _line(console, "out of time", _later(plan, step))
    if whole:
        alone = output.usd(step.alone_pusd)
        counted = f"{output.usd(step.saved_pusd)} over the days judged, {alone} if it were the only step"
        _line(console, "saves", counted + (f"; {_range(step.a_month)} a month" if step.a_month.low_pusd else ""))
    _line(console, "callers", proposal.caller_change)
    _line(console, "verify", proposal.verify)
    shown = proposal.evidence if whole else proposal.evidence[:2]
    if shown:
        console.print(f"   [dim]calls[/] {escape(' '.join(shown))}", soft_wrap=True)
    configuration = configuration_of(proposal)
    if whole and configuration:
        console.print(f"   [dim]policy[/] ({NOT_ACTED_ON})")
        for line in configuration.splitlines():
            console.print(f"     {escape(line)}", soft_wrap=True)
    elif whole:
        console.print("   [dim]policy[/] none: callers alone can do it")


def print_entries(console: Console, entries: Sequence[Entry]) -> None:
    """What was decided just now."""
    if not entries:
        console.print("Nothing to do: every step is applied already.")
    for entry in entries:
        what = "Applied" if entry.action == "applied" else "Took back"
        a_month = output.usd(entry.predicted.a_month_pusd)
        console.print(f"{what} [bold]{escape(entry.step.id)}[/] ({a_month} a month predicted)", soft_wrap=True)
        if entry.block:
            where = "in" if entry.action == "applied" else "no longer in"
            console.print(f"   {where} {escape(entry.policy)}", soft_wrap=True)
        if entry.action == "applied":
            recorded = f"{NOT_ACTED_ON}; until it does" if entry.block else "recorded in the journal alone"
            console.print(f"   {recorded}, callers: {escape(entry.caller_change or 'see its title')}", soft_wrap=True)


def print_status(console: Console, found: Sequence[Realised], policy: Path) -> None:
    """Applied steps, and what became of them."""
    if not found:
        console.print("No step is applied. farthing playbook shows a plan; farthing playbook apply records a step.")
        return
    table = _table(("step", "left"), ("days", "right"), ("predicted", "right"), ("realised", "right"))
    for heading in ("kind", "where it stands"):
        table.add_column(heading)
    for one in found:
        saved = "" if one.saved_pusd is None else f"${display(one.saved_pusd)}"
        kind = "" if one.saved_pusd is None else output.kind_markup(one.kind)
        predicted = f"${display(one.predicted_pusd)}"
        table.add_row(escape(one.entry.step.id), f"{one.days:.1f}", predicted, saved, kind, one.says)
    console.print(table)
    told, of = sum(one.saved_pusd or 0 for one in found), sum(one.predicted_pusd for one in found)
    console.print(f"Realised ${display(told)} of ${display(of)} predicted.")
    console.print(f"[dim]{escape(str(policy))}: {NOT_ACTED_ON}, so what is realised is what callers changed.[/]")


def _print_guides(console: Console, plan: Plan) -> None:
    console.print("[bold]The six steps of published guides, and what they come to here[/]")
    for row in guide_rows(plan):
        steps = f" (step{'s' * (len(row.steps) > 1)} {', '.join(map(str, row.steps))})" if row.steps else ""
        own = f"{output.usd(row.a_month_pusd)} a month, {row.share:.1%} of the bill" if row.saved_pusd else "$0"
        console.print(f" [bold]{row.guide}[/]  {own}{steps} {output.kind_markup(row.kind)}", soft_wrap=True)
        _line(console, "printed", row.published.says)
        _line(console, "source", row.published.source)
        _line(console, "here", row.why)


def _print_findings(console: Console, plan: Plan) -> None:
    if plan.days is None:
        return
    covered = {one.id: number for one in plan.findings if (number := covered_by(one, plan.steps)) is not None}
    findings = [one for one in plan.findings if one.id not in covered]
    if not findings:
        return
    console.print("\n[bold]Findings[/], which no step above turns off; their costs overlap and are in no sum")
    trifling = [
        one for one in findings if one.cost_pusd is not None and one.cost_pusd < WORTH_SAYING * plan.before_pusd
    ]
    for one in findings:
        if one in trifling:
            continue
        cost = "cost unknown" if one.cost_pusd is None else f"{output.usd(plan.days.a_month(one.cost_pusd))} a month"
        console.print(f" [bold]{escape(one.title)}[/]  {cost} {_finding_kind(one)}", soft_wrap=True)
        _line(console, "why", one.why)
        _line(console, "where", one.where)
        _line(console, "change", one.change)
        if one.id in plan.repairs:
            left = output.usd(plan.days.a_month(plan.repairs[one.id]))
            _line(console, "after the steps", f"{left} a month is left to save by it, with caching put back")
        if one.evidence:
            console.print(f"   [dim]calls[/] {escape(' '.join(one.evidence[:2]))}", soft_wrap=True)
    for one in trifling:
        a_month = output.usd(plan.days.a_month(one.cost_pusd or 0))
        console.print(f" {escape(one.title)}  {a_month} a month {_finding_kind(one)}", soft_wrap=True)
    for one in plan.findings:
        if one.id in covered:
            console.print(f" [dim]{escape(one.title)}: step {covered[one.id]} ends that[/]", soft_wrap=True)


def _finding_kind(one: Finding) -> str:
    return "" if one.cost_pusd is None else output.kind_markup(one.kind)


def _print_left_out(console: Console, plan: Plan) -> None:
    if not plan.dropped:
        return
    console.print(f"\n[bold]Tried and left out[/] [dim](a step has to save {SMALL:.1%} of the bill)[/]")
    for one in sorted(plan.dropped, key=lambda one: -one.saved_pusd)[:LEFT_OUT_SHOWN]:
        amount = f" ({output.usd(one.saved_pusd)} over the days judged)" if one.reason == TOO_SMALL else ""
        rival = f": {escape(one.rival)}" if one.rival else ""
        console.print(f" {escape(one.proposal.title)}: [dim]{one.reason}{amount}{rival}[/]", soft_wrap=True)
    if len(plan.dropped) > LEFT_OUT_SHOWN:
        console.print(f" [dim]and {len(plan.dropped) - LEFT_OUT_SHOWN} more; --json has all[/]")


def _later(plan: Plan, step: PlanStep) -> str:
    assert plan.days is not None
    if plan.days.later == plan.days.number:
        return "not judged: fewer than three days"
    if not step.later_calls:
        return "no such calls in the last third of the days: see whether this traffic still exists"
    verb = "lost" if step.lost_later else "saved"
    a_month = plan.days.a_month(step.first_pusd)  # scaled below by its own share of days
    first = a_month * plan.days.number // plan.days.later
    later = plan.days.a_month(step.later_pusd) * plan.days.number // (plan.days.number - plan.days.later)
    told = f"{verb} {output.usd(abs(later))} a month in the last third of the days, {output.usd(first)} before"
    return told + (": do not do this before you know why" if step.lost_later else "")


def _ceiling(plan: Plan, step: PlanStep) -> str:
    """How much of what caching could save at most on its calls a step catches."""
    caught, capture = step.ceiling, step.capture
    if caught is None or plan.days is None:
        return ""
    before = caught.capture
    if capture is None or before is None:
        return "no caching could save anything on these prompts"
    most = output.usd(plan.days.a_month(caught.none_pusd - caught.least_pusd))
    return (
        f"the best plan in hindsight saves {most} a month against no caching; this alone catches {capture:.0%} of it, "
        f"what was done {before:.0%}"
    )


def _risk(step: PlanStep) -> str:
    return "none, a free win" if step.proposal.is_free else str(step.proposal.risk)


def _range(one: Monthly) -> str:
    if one.low_pusd is None or one.high_pusd is None:
        return "not known well"
    return f"{output.usd(one.low_pusd)} to {output.usd(one.high_pusd)}"


def _line(console: Console, name: str, text: str) -> None:
    if text:
        console.print(f"   [dim]{name}[/] {escape(text)}", soft_wrap=True)


def _table(*columns: tuple[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading, side in columns:
        table.add_column(heading, justify=side, overflow="fold")
    return table
