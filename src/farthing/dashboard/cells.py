"""How a value reads, and what it is exactly: amounts, counts, texts, changes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing import money
from farthing.dashboard.blocks import Cell
from farthing.reports.sums import NOT_SET, compact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.blocks import Tone
    from farthing.units import Kind

MINUS = "\N{MINUS SIGN}"


def usd(pusd: int, *, href: str = "", tone: Tone = "", share: int | None = None) -> Cell:
    """An amount: rounded for a reader, exact for everybody else."""
    exact = money.usd_text(pusd)
    return Cell(dollars(pusd), exact, href, tone, share, f"${exact}")


def dollars(pusd: int) -> str:
    """
    An amount for a reader; what is less than a cent keeps two digits.

    >>> dollars(1_234_565_000_000_000), dollars(1_230_000_000), dollars(0)
    ('$1,234.56', '$0.0012', '$0.00')
    """
    size = abs(pusd)
    places = 2
    if 0 < size < 10**10:
        places = min(12, 14 - len(str(size)))
    return f"{MINUS if pusd < 0 else ''}${money.display(size, places)}"


def signed(pusd: int) -> str:
    """An amount with its sign: ``+$3.20``."""
    return ("+" if pusd > 0 else "") + dollars(pusd)


def count(number: int, *, href: str = "") -> Cell:
    """How many: short for a reader where it is long."""
    return Cell(f"{number:,}" if number < 100_000 else compact(number), number, href, hint=f"{number:,}")


def text(value: str | None, *, href: str = "", tone: Tone = "") -> Cell:
    """A text; one that is not set says so."""
    return Cell(value or NOT_SET, value, href, tone if value else "quiet")


def source_address(url: str) -> Cell:
    """Where something was read: a link to its page alone, for what stands behind it names versions and threads."""
    page = url.split(maxsplit=1)[0] if url.strip() else ""
    return Cell(url, url, page if page.startswith("https://") else "")


def share_of(part: int, whole: int) -> int:
    """Parts of 1000, for a bar."""
    return 0 if whole <= 0 else max(0, min(1000, part * 1000 // whole))


def change_of(now: int, before: int) -> str:
    """
    A change in percent: ``+18 %``; empty where there was nothing before.

    >>> change_of(118, 100), change_of(5, 0), change_of(1004, 1000)
    ('+18 %', '', '+0.4 %')
    """
    if before <= 0:
        return ""
    tenths = ((now - before) * 2000 + before) // (2 * before)
    sign = "+" if tenths > 0 else MINUS if tenths < 0 else "±"
    whole, tenth = divmod(abs(tenths), 10)
    return f"{sign}{whole:,}.{tenth} %" if whole < 10 and tenth else f"{sign}{whole:,} %"


def kinds(rows: Sequence[Any]) -> tuple[Kind, ...]:
    """The kinds of some rows."""
    return tuple(row.kind for row in rows)
