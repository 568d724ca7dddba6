"""
Charts as SVG text: stacked bars and a waterfall. Pure: numbers in, markup out.

Colors are classes, so one stylesheet draws them in light and dark, and no attribute needs an inline style. Text is
escaped here. Each picture has a title, a description and a role; a table beside it holds the same figures.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COLORS = 8
"""Classes ``c0`` to ``c7``; the last is for what is summed as *other*."""
WIDE, NARROW = 920, 360
_TICKS = 4


class Series(NamedTuple):
    """One part of a stack: its name, its values, and the number of its color."""

    name: str
    values: tuple[int, ...]
    color: int


class Step(NamedTuple):
    """One bar of a waterfall; a *total* stands on the ground, any other floats where the one before ended."""

    name: str
    value: int
    is_total: bool = False


class Frame(NamedTuple):
    """What a picture is called and how its numbers read."""

    key: str
    title: str
    says: str
    shown: Callable[[int], str]


def both(draw: Callable[[int, str], str], key: str) -> tuple[str, str]:
    """The picture for a wide page and for a phone, with ids of their own."""
    return draw(WIDE, f"{key}-w"), draw(NARROW, f"{key}-n")


def stacked(frame: Frame, labels: Sequence[str], series: Sequence[Series], before: Sequence[int], width: int) -> str:
    """
    Bars over time, each a stack, and a line of what was there in the period before.

    Args:
        frame: Names and number format.
        labels: One per bar.
        series: From the ground up; each with a value per label, none below 0.
        before: One value per label of the line, shorter where there are fewer; empty: no line.
        width: Of the picture.

    """
    height, left, bottom, top = 250, 58, 26, 10
    totals = [sum(one.values[n] for one in series) for n in range(len(labels))]
    ticks = _ticks(max([*totals, *before, 1]))
    scale = (height - bottom - top) / ticks[-1]
    slot = (width - left - 4) / max(1, len(labels))
    bar = max(1.0, min(slot * 0.74, 56))
    body = [_grid(frame, ticks, left=left, width=width, ground=height - bottom, scale=scale)]
    for n, label in enumerate(labels):
        x = left + slot * n + (slot - bar) / 2
        y = float(height - bottom)
        parts = [f"<title>{escape(label)}: {escape(frame.shown(totals[n]))}</title>"]
        for one in series:
            if one.values[n] > 0:
                tall = one.values[n] * scale
                y -= tall
                said = f"{escape(label)}, {escape(one.name)}: {escape(frame.shown(one.values[n]))}"
                parts.append(_rect(x, y, (bar, tall), f"c{one.color}", said))
        body.append(f"<g>{''.join(parts)}</g>")
        if _is_labelled(n, len(labels), slot):
            body.append(_text(x + bar / 2, height - 8, label, "axis middle"))
    body += _line(before, left, slot, ground=height - bottom, scale=scale)
    return _svg(frame, width, height, "".join(body))


def waterfall(frame: Frame, steps: Sequence[Step], width: int) -> str:
    """Bars that carry one total over to the next, one below the other, so that names have room."""
    row, name_width, value_width = 30, 150 if width > NARROW else 104, 92 if width > NARROW else 72
    ends, at = [], 0
    for step in steps:
        begin, at = (0, step.value) if step.is_total else (at, at + step.value)
        ends.append((begin, at))
    reached = [end for pair in ends for end in pair]
    least, most = min([0, *reached]), max([1, *reached])
    scale = (width - name_width - value_width - 8) / (most - least)
    body = []
    for n, (step, (begin, end)) in enumerate(zip(steps, ends, strict=True)):
        y = n * row + 4
        x = name_width + (min(begin, end) - least) * scale
        wide = max(1.5, abs(end - begin) * scale)
        look = "total" if step.is_total else "up" if step.value > 0 else "down"
        said = frame.shown(step.value) if step.is_total or step.value <= 0 else f"+{frame.shown(step.value)}"
        body.append(_text(name_width - 10, y + 15, step.name, "name end"))
        body.append(_rect(x, y + 2, (wide, row - 11), look, f"{escape(step.name)}: {escape(said)}"))
        body.append(_text(x + wide + 6, y + 15, said, "value"))
        if n + 1 < len(steps) and not steps[n + 1].is_total:
            here = name_width + (end - least) * scale
            body.append(f'<path class="carry" d="M{here:.1f} {y + row - 9}v13"/>')
    return _svg(frame, width, len(steps) * row + 6, "".join(body))


def _ticks(most: int) -> list[int]:
    """Round numbers from 0 to at least *most*: steps of 1, 2 or 5 times a power of ten."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            step = factor * size
            if step * _TICKS >= most:
                return list(range(0, -(-most // step) * step + 1, step))
        size *= 10


def _grid(frame: Frame, ticks: Sequence[int], *, left: int, width: int, ground: int, scale: float) -> str:
    lines = []
    for tick in ticks:
        y = ground - tick * scale
        lines.append(f'<path class="grid" d="M{left} {y:.1f}H{width}"/>')
        lines.append(_text(left - 8, y + 4, frame.shown(tick), "axis end"))
    return "".join(lines)


def _line(values: Sequence[int], left: float, slot: float, *, ground: int, scale: float) -> list[str]:
    if not values:
        return []
    points = " ".join(f"{left + slot * (n + 0.5):.1f},{ground - value * scale:.1f}" for n, value in enumerate(values))
    return [f'<polyline class="before" points="{points}"/>']


def _is_labelled(n: int, labels: int, slot: float) -> bool:
    every = max(1, -(-56 // max(1, int(slot))))
    return n % every == 0 and (n == 0 or n <= labels - 1)


def _rect(x: float, y: float, size: tuple[float, float], look: str, title: str) -> str:
    width, height = size
    inside = f"<title>{title}</title>" if title else ""
    return f'<rect class="{look}" x="{x:.1f}" y="{y:.2f}" width="{width:.1f}" height="{height:.2f}">{inside}</rect>'


def _text(x: float, y: float, words: str, look: str) -> str:
    shown = words if len(words) <= 26 else f"{words[:25]}\u2026"
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}">{escape(shown)}</text>'


def _svg(frame: Frame, width: int, height: int, body: str) -> str:
    key = escape(frame.key)
    return (
        f'<svg class="drawn" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(frame.title)}</title><desc id="{key}-d">{escape(frame.says)}</desc>{body}</svg>'
    )
