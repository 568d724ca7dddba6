"""The usage reports as Typer commands, for help, completion and errors; :mod:`.usage_quick` is the quick way in."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from farthing.cli.usage_flags import Field, fields
from farthing.cli.usage_request import request_of

if TYPE_CHECKING:
    from collections.abc import Callable

_HELP = {
    "daily": "What Claude Code cost by day, from its transcripts: exact, at the prices of the day.",
    "weekly": "What Claude Code cost by week; a week is called by its first day.",
    "monthly": "What Claude Code cost by month.",
    "session": "What each Claude Code session cost, the dearest first; with --id, every call of one.",
    "blocks": "Claude Code's five-hour blocks: tokens, cost, burn rate, and where the active one is heading.",
}


def _command(report: str) -> Callable[..., None]:
    """A Typer command that takes every flag of *report*, and tells what was given from what was not."""

    def command(**given: Any) -> None:
        from farthing.cli.usage_reports import run

        code = run(request_of(report, {name: value for name, value in given.items() if value not in (None, [])}))
        if code:
            raise typer.Exit(code)

    parameters = [_parameter(field) for field in fields(report)]
    command.__name__, command.__doc__ = report, _HELP[report]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _parameter(field: Field) -> Parameter:
    """Every default is None, which means: not given."""
    flag = field.flag
    kind: Any = Literal[field.choices] if field.choices else field.kind
    if not flag.spellings:
        kind, option = list[field.kind], typer.Argument(metavar=flag.metavar, help=flag.help)  # type: ignore[name-defined]
    else:
        is_shown = field.kind is not bool and field.default is not None
        option = typer.Option(
            *flag.spellings,
            metavar=flag.metavar,
            help=flag.help,
            min=flag.minimum,
            show_default=str(field.default) if is_shown else False,
        )
    return Parameter(field.name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind | None, option], default=None)


daily = _command("daily")
weekly = _command("weekly")
monthly = _command("monthly")
session = _command("session")
blocks = _command("blocks")

claude = typer.Typer(help="The same reports under ccusage's name for them.", no_args_is_help=True)
for _one in (daily, weekly, monthly, session, blocks):
    claude.command(_one.__name__)(_one)


@claude.command(
    "statusline",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def _statusline(ctx: typer.Context) -> None:
    """One line for Claude Code's status bar; farthing statusline is the same and starts faster."""
    from farthing.cli.statusline import main

    raise typer.Exit(main(ctx.args))
