"""
What a page is made of. :mod:`farthing.dashboard.cells` says how its values read.

A page says each figure once; HTML, CSV and JSON are made of the same values, so they cannot differ.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Tone = Literal["", "good", "bad", "warn", "quiet"]


class Button(NamedTuple):
    """
    One press that changes something.

    Attributes:
        label: On it.
        act: What the page's ``act`` is asked to do.
        fields: What it is about, (name, value) pairs.
        about: Read out with the label where it alone does not say what is meant.

    """

    label: str
    act: str
    fields: tuple[tuple[str, str], ...] = ()
    about: str = ""


class Cell(NamedTuple):
    """
    One value.

    Attributes:
        text: For a reader.
        value: Exactly, for CSV and JSON: an amount as decimal text, a count, text, or None.
        href: Where it leads; empty: nowhere.
        tone: How it looks.
        share: Of a bar behind it, 0 to 1000; None: no bar.
        hint: More, for those who point at it.
        buttons: What can be done about its row, by those who may.

    """

    text: str
    value: str | int | None = None
    href: str = ""
    tone: Tone = ""
    share: int | None = None
    hint: str = ""
    buttons: tuple[Button, ...] = ()


class Column(NamedTuple):
    """
    A column.

    Attributes:
        name: In CSV and JSON. label: above it.
        is_number: Whether it holds numbers.
        href: The page sorted by it; empty: it cannot be. sorted: as ``aria-sort`` has it, or empty.
        is_buttons: Whether it holds buttons alone: it is in no export.

    """

    name: str
    label: str
    is_number: bool = False
    href: str = ""
    sorted: str = ""
    is_buttons: bool = False


class Table(NamedTuple):
    """
    Rows under columns.

    Attributes:
        name: In JSON. title: above it.
        columns, rows: A cell per column.
        kind: How sure its weakest figure is; empty: it holds no figures.
        note: Below it.
        empty: What it says without rows.
        is_folded: Whether it opens on demand, below a chart of the same values.
        more: A link below it, (text, address).

    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = ""
    note: str = ""
    empty: str = "Nothing here."
    is_folded: bool = False
    more: tuple[tuple[str, str], ...] = ()

    block: str = "table"


class Tile(NamedTuple):
    """
    One figure with its name.

    Attributes:
        name: In JSON. label: above it.
        cell: The figure.
        kind: How sure it is; empty: no figure.
        detail: Below it.
        change: Against the period before, as text; tone: how that is.
        href: Where it leads.
        meter: Parts of 1000 that are used; None: no meter.

    """

    name: str
    label: str
    cell: Cell
    kind: str = ""
    detail: str = ""
    change: str = ""
    tone: Tone = ""
    href: str = ""
    meter: int | None = None


class Tiles(NamedTuple):
    """Figures side by side; the first of a *lead* is the page's."""

    tiles: tuple[Tile, ...]
    is_lead: bool = False
    story: tuple[Cell, ...] = ()

    block: str = "tiles"


class Chart(NamedTuple):
    """
    A picture of figures that a table beside it holds as well.

    Attributes:
        title: Above it.
        wide, narrow: SVG for a wide page and for a phone.
        legend: (name, number of its color) pairs.
        kind: How sure the figures are.
        note: Below it.

    """

    title: str
    wide: str
    narrow: str
    legend: tuple[tuple[str, int], ...] = ()
    kind: str = ""
    note: str = ""

    block: str = "chart"


class Note(NamedTuple):
    """A paragraph, with links after it, (text, address)."""

    text: str
    title: str = ""
    tone: Tone = ""
    links: tuple[tuple[str, str], ...] = ()
    code: str = ""

    block: str = "note"


class Facts(NamedTuple):
    """Names and values, one below the other."""

    title: str
    rows: tuple[tuple[str, Cell], ...]

    block: str = "facts"


class Actions(NamedTuple):
    """Buttons side by side, with a word about them; shown to those who may press them."""

    buttons: tuple[Button, ...]
    text: str = ""
    title: str = ""

    block: str = "actions"


class Field(NamedTuple):
    """
    One thing to fill in.

    Attributes:
        name: In the address. label: before it.
        value: What it holds now.
        choices: (value, label) pairs to choose from; empty: free text.
        hint: Below it.
        placeholder: In it, while it is empty.

    """

    name: str
    label: str
    value: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    placeholder: str = ""


class Form(NamedTuple):
    """A question to fill in, that asks the same page anew; its answer has an address like every other."""

    title: str
    fields: tuple[Field, ...]
    button: str = "Show"
    note: str = ""

    block: str = "form"


Block = Table | Tiles | Chart | Note | Facts | Actions | Form


class Refresh(NamedTuple):
    """How a page is renewed while somebody watches it: after how many seconds, and from which address."""

    every_s: int
    href: str


class Page(NamedTuple):
    """
    An answer.

    Attributes:
        title: Of the page.
        blocks: Top to bottom.
        data: What JSON holds besides the tables and tiles, such as what the command line would print.
        csv: The whole CSV, where it is not that of the first table.
        status: HTTP status.
        refresh: How it renews itself; None: it stays.

    """

    title: str
    blocks: tuple[Block, ...]
    data: dict[str, Any] = {}  # noqa: RUF012 - never changed
    csv: str | None = None
    status: int = 200
    refresh: Refresh | None = None
