"""
Every command, by name: one line each, and nothing is imported until a command is chosen.

A target is ``module:attribute``, where the attribute is a Typer function or a ``typer.Typer`` with commands of its own.
A *raw* command parses its own arguments: the attribute is ``main(arguments: list[str]) -> int``, and ``farthing`` calls
it before Typer is even imported, so that a status line costs no more than it must.
"""

from __future__ import annotations

from typing import NamedTuple

START = "Start here"
MONEY = "Price and account"
CLAUDE_CODE = "Claude Code"
PLAN = "Plan and compare"
TEST = "Test"
BOOK = "Prices and corrections"


class Command(NamedTuple):
    """
    Where a command lives.

    Attributes:
        target: ``module:attribute``.
        panel: Its heading in ``farthing --help``.
        raw: Whether it parses its own arguments.
        quick: ``module:attribute`` of a ``main(arguments) -> int | None`` that is asked first, without Typer; it takes
            the whole command line, and returns None where Typer is to do it.

    """

    target: str
    panel: str
    raw: bool = False
    quick: str = ""


_QUICK = "farthing.cli.usage_quick:main"

COMMANDS: dict[str, Command] = {
    "demo": Command("farthing.cli.demo:demo", START),
    "dashboard": Command("farthing.cli.dashboard:dashboard", START),
    "price": Command("farthing.cli.price:price", MONEY),
    "serve": Command("farthing.cli.serve:serve", MONEY),
    "keys": Command("farthing.cli.keys:app", MONEY),
    "content": Command("farthing.cli.content:app", MONEY),
    "import": Command("farthing.cli.imports:app", MONEY),
    "report": Command("farthing.cli.report:report", MONEY),
    "explain": Command("farthing.cli.explain:explain", MONEY),
    "moved": Command("farthing.cli.moved:moved", MONEY),
    "outcomes": Command("farthing.cli.outcomes:app", MONEY),
    "budgets": Command("farthing.cli.budgets:app", MONEY),
    "alerts": Command("farthing.cli.alerts:app", MONEY),
    "estimate": Command("farthing.cli.estimate:estimate", PLAN),
    "impact": Command("farthing.cli.impact:impact", PLAN),
    "commit": Command("farthing.cli.commit:commit", PLAN),
    "compare": Command("farthing.cli.compare:compare", PLAN),
    "capacity": Command("farthing.cli.capacity:capacity", PLAN),
    "whatif": Command("farthing.cli.whatif:app", PLAN),
    "playbook": Command("farthing.cli.playbook:app", PLAN),
    "daily": Command("farthing.cli.usage:daily", CLAUDE_CODE, quick=_QUICK),
    "weekly": Command("farthing.cli.usage:weekly", CLAUDE_CODE, quick=_QUICK),
    "monthly": Command("farthing.cli.usage:monthly", CLAUDE_CODE, quick=_QUICK),
    "session": Command("farthing.cli.usage:session", CLAUDE_CODE, quick=_QUICK),
    "blocks": Command("farthing.cli.usage:blocks", CLAUDE_CODE, quick=_QUICK),
    "statusline": Command("farthing.cli.statusline:main", CLAUDE_CODE, raw=True),
    "claude": Command("farthing.cli.usage:claude", CLAUDE_CODE, quick=_QUICK),
    "sandbox": Command("farthing.cli.sandbox:sandbox", TEST),
    "prices": Command("farthing.cli.prices:app", BOOK),
    "reprice": Command("farthing.cli.corrections:reprice", BOOK),
    "corrections": Command("farthing.cli.corrections:corrections", BOOK),
    "config": Command("farthing.cli.config_view:config", BOOK),
}
"""In the order in which ``farthing --help`` lists them."""
