"""The ``farthing`` command: what must be quick is answered before anything heavy is imported."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str] | None = None) -> int:
    """Run one command; *arguments* default to the process's own. Returns the exit code (see ``farthing.cli.app``)."""
    given = sys.argv[1:] if arguments is None else arguments
    from farthing.cli.commands import COMMANDS  # noqa: PLC0415  names only: no command is imported by it

    command = COMMANDS.get(given[0]) if given else None
    if command is not None and command.raw:
        return _entry(command.target)(given[1:]) or 0
    if command is not None and command.quick:
        code = _entry(command.quick)(given)
        if code is not None:
            return code
    if given in (["--version"], ["-V"]):
        from farthing import __version__  # noqa: PLC0415  reads installed metadata, which others need not

        sys.stdout.write(f"farthing {__version__}\n")
        return 0
    from farthing.cli.app import run  # noqa: PLC0415  imports Typer, which a status line cannot afford

    return run(given)


def _entry(target: str) -> Callable[[list[str]], int | None]:
    module, _, attribute = target.partition(":")
    found: Callable[[list[str]], int | None] = getattr(__import__(module, fromlist=[attribute]), attribute)
    return found


if __name__ == "__main__":
    sys.exit(main())
