"""
A picture of cost against quality, and the choices that nothing else beats. Pure: numbers in, markup out.

Cost is drawn on a scale of ratios, for models differ by factors. As in :mod:`farthing.dashboard.charts`, colors are
classes, text is escaped here, and a table beside it holds the same figures.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.charts import Frame

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 284, 52, 14, 28, 40
_LETTER = 7.0
"""About how wide a letter is."""


class Point(NamedTuple):
    """One choice: what it costs (> 0), its quality in parts of 1000, and the number of its color."""

    name: str
    cost: int
    quality: int
    color: int = 0


def unbeaten(points: Sequence[Point]) -> list[Point]:
    """The points that no other one beats: as good for less, or better for as little. Cheapest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda one: (one.cost, -one.quality, one.name)):
        if not kept or point.quality > kept[-1].quality:
            kept.append(point)
    return kept


def scatter(frame: Frame, points: Sequence[Point], axes: tuple[str, str], width: int) -> str:
    """
    Points, and a dotted line along those that nothing beats.

    Args:
        frame: Names, and how a cost reads.
        points: At least one.
        axes: What the two axes are, across and up.
        width: Of the picture.

    """
    marks = _marks([point.cost for point in points])
    low, high = math.log(marks[0]), math.log(marks[-1])

    def x_of(cost: int) -> float:
        return _LEFT + (width - _LEFT - _RIGHT) * (math.log(cost) - low) / (high - low)

    def y_of(quality: int) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * quality / 1000

    body = []
    for quality in range(0, 1001, 250):
        y = y_of(quality)
        body.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{width - _RIGHT}"/>')
        body.append(_text(_LEFT - 8, y + 4, f"{quality // 10} %", "axis end"))
    every = max(1, -(-len(marks) * 64 // (width - _LEFT)))
    body += [_text(x_of(mark), _HEIGHT - 22, frame.shown(mark), "axis middle") for mark in marks[::every]]
    body.append(_text(width - _RIGHT, _HEIGHT - 4, f"{axes[0]} \u2192", "axis end"))
    body.append(_text(0, 11, f"\u2191 {axes[1]}", "axis"))
    best = unbeaten(points)
    line = " ".join(f"{x_of(point.cost):.1f},{y_of(point.quality):.1f}" for point in best)
    if len(best) > 1:
        body.append(f'<polyline class="before" points="{line}"/>')
    taken: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda one: -one.quality):
        x, y = x_of(point.cost), y_of(point.quality)
        said = f"{point.name}: {frame.shown(point.cost)}, {point.quality / 10:.1f} %"
        body.append(
            f'<circle class="c{point.color}" cx="{x:.1f}" cy="{y:.1f}" r="6"><title>{escape(said)}</title></circle>'
        )
        body.append(_label(point.name, (x, y), width, taken))
    key = escape(frame.key)
    return (
        f'<svg class="drawn" viewBox="0 0 {width} {_HEIGHT}" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(frame.title)}</title><desc id="{key}-d">{escape(frame.says)}</desc>'
        f"{''.join(body)}</svg>"
    )


def _label(name: str, at: tuple[float, float], width: int, taken: list[tuple[float, float, float]]) -> str:
    """A point's name beside it, moved down until it covers no other name."""
    x, y = at
    shown = name if len(name) <= 26 else f"{name[:25]}\u2026"
    wide = len(shown) * _LETTER
    is_left = x + 10 + wide > width
    left, line = (x - 10 - wide if is_left else x + 10), y + 4
    while any(abs(line - other) < 14 and left < end and begin < left + wide for begin, end, other in taken):
        line += 14
    taken.append((left, left + wide, line))
    return _text(x - 10 if is_left else x + 10, line, shown, "name end" if is_left else "name")


def _marks(costs: Sequence[int]) -> list[int]:
    """Round numbers (1, 2 or 5 times a power of ten) from below the least to above the most."""
    power = 10 ** (len(str(min(costs))) - 1)
    marks = [factor * size for size in _powers(power, max(costs)) for factor in (1, 2, 5)]
    first = max(n for n, mark in enumerate(marks) if mark <= min(costs))
    last = min(n for n, mark in enumerate(marks) if mark > max(costs))
    return marks[first : last + 1]


def _powers(first: int, most: int) -> list[int]:
    powers = [first]
    while powers[-1] <= most:
        powers.append(powers[-1] * 10)
    return powers


def _text(x: float, y: float, words: str, look: str) -> str:
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
