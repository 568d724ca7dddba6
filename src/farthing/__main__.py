"""The ``farthing`` command: what must be quick is answered before anything heavy is imported."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command; *arguments* default to the process's own. Returns the exit code (see ``farthing.cli.app``)."""
    given = sys.argv[1:] if arguments is None else arguments
    from farthing.cli.commands import COMMANDS  # noqa: PLC0415  names only: no command is imported by it

    command = COMMANDS.get(given[0]) if given else None
    if command is not None and command.raw:
        return _run_raw(command.target, given[1:])
    if given in (["--version"], ["-V"]):
        from farthing import __version__  # noqa: PLC0415  reads installed metadata, which others need not

        sys.stdout.write(f"farthing {__version__}\n")
        return 0
    from farthing.cli.app import run  # noqa: PLC0415  imports Typer, which a status line cannot afford

    return run(given)


def _run_raw(target: str, arguments: list[str]) -> int:
    module, _, attribute = target.partition(":")
    entry = __import__(module, fromlist=[attribute])
    code: int = getattr(entry, attribute)(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
