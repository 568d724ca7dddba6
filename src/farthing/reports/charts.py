"""Charts of plain characters: bars, sparklines, a heat map. Pure: numbers in, text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def bar(value: int, largest: int, width: int) -> str:
    """
    A bar in eighths of a character; anything above 0 shows.

    >>> bar(1, 2, 4), bar(0, 2, 4), bar(1, 10**9, 4)
    ('██', '', '▏')
    """
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, min(value, largest) * width * 8 // largest)
    return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def span(begin: int, end: int, bounds: tuple[int, int], width: int) -> str:
    """
    A bar that floats between two values, as in a waterfall: blanks, then at least one full character.

    Args:
        begin: One end of the bar.
        end: The other end, above or below.
        bounds: Least and greatest value of the whole chart.
        width: Characters that *bounds* take.

    >>> span(50, 100, (0, 100), 4), span(50, 50, (0, 100), 4)
    ('  ██', '  █')

    """
    least, greatest = bounds
    reach = max(1, greatest - least)
    low, high = ((value - least) * width // reach for value in sorted((begin, end)))
    low = min(low, width - 1)
    return " " * low + _EIGHTHS[8] * max(1, high - low)


def sparkline(values: Sequence[int]) -> str:
    """
    One character per value; nothing at all is a blank, so that a quiet day is not a small one.

    >>> sparkline([0, 1, 4, 8])
    ' ▁▄█'
    """
    largest = max(values, default=0)
    return "".join(_LEVELS[max(1, -(-8 * value // largest)) - 1] if value > 0 else " " for value in values)


def heatmap(cells: Mapping[tuple[int, int], int]) -> list[str]:
    """
    A week by hour of day: a header line and seven lines, each 76 characters.

    Args:
        cells: Value by (weekday from 0 = Monday, hour from 0); missing is 0.

    """
    largest = max(cells.values(), default=0)
    header = "    " + "".join(f"{hour:02d} " if hour % 3 == 0 else "   " for hour in range(24))
    lines = [header.rstrip()]
    for number, name in enumerate(WEEKDAYS):
        lines.append(f"{name} " + "".join(_shade(cells.get((number, hour), 0), largest) * 3 for hour in range(24)))
    return lines


def _shade(value: int, largest: int) -> str:
    if value <= 0 or largest <= 0:
        return _SHADES[0]
    return _SHADES[max(1, -(-4 * value // largest))]
