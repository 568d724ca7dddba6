"""
The frame: a lazy group of commands, and the one place where errors become a line and an exit code.

Exit codes: 0 fine; 1 an error; 2 over budget or a gate failed; 130 interrupted; 141 the reader of a pipe went away.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from farthing.cli import output, plain
from farthing.cli.commands import COMMANDS, Command
from farthing.errors import FarthingError

_UsageError: Any = typer.BadParameter.__base__
_AnyCommand = Any  # Typer keeps its command classes to itself
INTERRUPTED = 130
PIPE_CLOSED = 141


class _LazyCommands(MutableMapping[str, _AnyCommand]):
    """Names are known, commands are loaded when they are looked up."""

    def __init__(self, commands: dict[str, Command]) -> None:
        self._commands = commands
        self._loaded: dict[str, _AnyCommand] = {}

    def __getitem__(self, name: str) -> _AnyCommand:
        if name not in self._loaded:
            self._loaded[name] = load(name, self._commands[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: _AnyCommand) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)

    def __contains__(self, name: object) -> bool:
        return name in self._commands


class LazyGroup(TyperGroup):
    """``farthing`` itself. Whatever goes wrong ends as one line, or as one JSON object where ``--json`` is given."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _LazyCommands(COMMANDS)

    def main(self, args: Sequence[str] | None = None, *_: Any, **settings: Any) -> Any:
        """Run one command and exit with its code. Arguments as for Typer's own ``main``."""
        given = list(sys.argv[1:] if args is None else args)
        settings |= {"prog_name": "farthing", "standalone_mode": False}
        as_json = any(argument in ("--json", "-j") for argument in given)
        try:
            code = super().main(args=given, **settings)
            sys.stdout.flush()
        except BrokenPipeError:
            code = PIPE_CLOSED
        except KeyboardInterrupt:
            code = INTERRUPTED
        except typer.Abort:
            code = INTERRUPTED
        except FarthingError as error:
            code = output.fail(str(error), as_json=as_json, code=error.exit_code)
        except _UsageError as error:
            code = output.fail(_usage_text(error), as_json=as_json)
        except OSError as error:
            code = output.fail(_os_text(error), as_json=as_json)
        if code == PIPE_CLOSED:
            _drop_stdout()
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; a closed pipe is not an error of ours."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise typer.Exit(PIPE_CLOSED) from None


def load(name: str, command: Command) -> _AnyCommand:
    """Import a command's module and build the command, under its heading."""
    module_name, _, attribute = command.target.partition(":")
    found = getattr(importlib.import_module(module_name), attribute)
    if isinstance(found, typer.Typer):
        built: Any = get_group(found)
    else:
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
        if command.raw:
            app.command(name, context_settings=settings, help=found.__doc__)(_raw(found))
        else:
            app.command(name)(found)
        built = get_command(app)
    built.name = name
    built.rich_help_panel = command.panel
    return built


def _raw(main: Any) -> Any:
    def run(ctx: typer.Context) -> None:
        raise typer.Exit(main(ctx.args))

    return run


app = typer.Typer(
    cls=LazyGroup,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Every command takes --json, works offline, and says of every figure whether it is measured, derived or "
    "assumed. Exit codes: 0 fine, 1 error, 2 over budget or a gate failed.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from farthing import __version__

        typer.echo(f"farthing {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def farthing(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What every Claude call cost, exactly; what the money went to; what it would have cost otherwise."""
    del version
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run ``farthing`` with *arguments* and return its exit code."""
    plain.bear_any_terminal()
    try:
        get_command(app).main(args=list(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _usage_text(error: Any) -> str:
    path = error.ctx.command_path if error.ctx is not None else "farthing"
    message = error.format_message().rstrip(".") or "no command was given"
    return f"{message}; see {path} --help"


def _os_text(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _drop_stdout() -> None:
    """Python flushes standard output once more as it ends; let that go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(nowhere, sys.stdout.fileno())
