"""The agents of a session as a tree: who started whom, what each cost, alone and with those it started."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.dashboard.blocks import Cell, Column, Table
from farthing.dashboard.cells import count, share_of, usd
from farthing.units import weakest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row

_MAIN = (None, "main")
_INDENT = "\u00a0\u00a0\u00a0"


class Node(NamedTuple):
    """An agent: its rows, those it started, and how deep it stands."""

    name: str | None
    rows: list[Row]
    below: list[Node]
    depth: int


def agents(visit: Visit) -> tuple[Table, ...]:
    """A table of the tree; none where one agent did it all."""
    rows = visit.rows("agent", "tag:parent_agent")
    if len({row.key[0] for row in rows}) < 2:
        return ()
    columns = (
        Column("agent", "Agent"),
        Column("started_by", "Started by"),
        Column("usd", "Cost", is_number=True),
        Column("whole_usd", "With those it started", is_number=True),
        Column("calls", "Calls", is_number=True),
        Column("prompt_tokens", "Prompt", is_number=True),
        Column("output_tokens", "Output", is_number=True),
    )
    roots = tree(rows)
    most = sum(visit.pusd(row) for row in rows)
    cells = tuple(_row(visit, node, parent, most) for root in roots for node, parent in _walk(root, None))
    kind = str(weakest(*(row.kind for row in rows)))
    return (Table("agents", "Its agents", columns, cells, kind, "The calls of an agent lead to themselves."),)


def tree(rows: list[Row]) -> list[Node]:
    """
    Agents below the ones that started them, the dearest first as the rows are.

    An agent whose starter is not named, or is no agent of these rows, stands below the main one where there is one.
    """
    by_name: dict[str | None, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.key[0], []).append(row)
    main = next((name for name in _MAIN if name in by_name), None)
    has_main = main in by_name
    parent_of: dict[str | None, str | None] = {}
    for name, own in by_name.items():
        stated = next((row.key[1] for row in own if row.key[1]), None)
        if has_main and name == main:
            continue
        if stated in by_name and stated != name:
            parent_of[name] = stated
        elif has_main:
            parent_of[name] = main
    for name in list(parent_of):  # names that were made up could go in a circle
        seen, at = {name}, parent_of.get(name, name)
        while at in parent_of and at not in seen:
            seen.add(at)
            at = parent_of[at]
        if at in seen:
            del parent_of[name]

    def made(name: str | None, depth: int) -> Node:
        below = [made(one, depth + 1) for one in by_name if one in parent_of and parent_of[one] == name]
        return Node(name, by_name[name], below, depth)

    return [made(name, 0) for name in by_name if name not in parent_of]


def _walk(node: Node, parent: Node | None) -> Iterator[tuple[Node, Node | None]]:
    yield node, parent
    for one in node.below:
        yield from _walk(one, node)


def _row(visit: Visit, node: Node, parent: Node | None, most: int) -> tuple[Cell, ...]:
    own = sum(visit.pusd(row) for row in node.rows)
    whole = sum(visit.pusd(row) for one, _ in _walk(node, None) for row in one.rows)
    session = ("session", visit.asked.open)
    href = visit.asked.elsewhere("/calls", where=(session, ("agent", node.name or "")))
    mark = f"{_INDENT * node.depth}\u2514 " if node.depth else ""
    return (
        Cell(f"{mark}{node.name or 'main'}", node.name, href),
        Cell("" if parent is None else parent.name or "main"),
        usd(own, share=share_of(own, most)),
        usd(whole),
        count(sum(row.calls for row in node.rows)),
        count(sum(row.usage.prompt_tokens for row in node.rows)),
        count(sum(row.usage.output_tokens for row in node.rows)),
    )
