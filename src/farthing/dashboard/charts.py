"""
Charts as SVG text: bars over time, lines in their band, a waterfall, a tornado. Pure: numbers in, markup out.

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


class Swing(NamedTuple):
    """One bar of a tornado: what a figure is at one end of a thing and at the other, in any order."""

    name: str
    low: int
    high: int


class Track(NamedTuple):
    """
    Figures over time beside what was expected of them; one entry per label.

    Attributes:
        seen: What came, none below 0; None where there is nothing to show.
        band: Least and most that was expected; None where nothing was.
        marked: Whether it is the spike, or whatever is to be looked at.
        limit: A line across all; None: none.
        axis: What stands below each, empty for nothing; no entry at all: the labels.

    """

    seen: tuple[int | None, ...]
    band: tuple[tuple[int, int] | None, ...]
    marked: tuple[bool, ...]
    limit: int | None = None
    axis: tuple[str, ...] = ()


class Frame(NamedTuple):
    """What a picture is called and how its numbers read."""

    key: str
    title: str
    says: str
    shown: Callable[[int], str]


def both(draw: Callable[[int, str], str], key: str) -> tuple[str, str]:
    """The picture for a wide page and for a phone, with ids of their own."""
    return draw(WIDE, f"{key}-w"), draw(NARROW, f"{key}-n")


def stacked(  # noqa: PLR0917 - what a picture is made of
    frame: Frame,
    labels: Sequence[str],
    series: Sequence[Series],
    before: Sequence[int],
    width: int,
    band: Sequence[tuple[int, int] | None] = (),
    hrefs: Sequence[str] = (),
) -> str:
    """
    Bars over time, each a stack, and a line of what was there in the period before.

    Args:
        frame: Names and number format.
        labels: One per bar.
        series: From the ground up; each with a value per label, none below 0.
        before: One value per label of the line, shorter where there are fewer; empty: no line.
        width: Of the picture.
        band: Least and most that was expected of each bar, drawn behind it; None: nothing was.
        hrefs: Where each bar leads; empty: nowhere. The keyboard has the same links in the table beside.

    """
    height, left, bottom, top = 250, 58, 26, 10
    totals = [sum(one.values[n] for one in series) for n in range(len(labels))]
    highs = [most for _, most in filter(None, band)]
    ticks = _ticks(max([*totals, *before, *(min(high, 2 * max([1, *totals])) for high in highs), 1]))
    scale = (height - bottom - top) / ticks[-1]
    slot = (width - left - 4) / max(1, len(labels))
    bar = max(1.0, min(slot * 0.74, 56))
    body = [_grid(frame, ticks, left=left, width=width, ground=height - bottom, scale=scale)]
    body += _band(band, left, slot, ground=height - bottom, scale=scale, most=ticks[-1])
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
        drawn = f"<g>{''.join(parts)}</g>"
        if hrefs:
            drawn = f'<a href="{escape(hrefs[n])}" tabindex="-1">{parts[0]}{drawn}</a>'
        body.append(drawn)
        if _is_labelled(n, len(labels), slot):
            body.append(_text(x + bar / 2, height - 8, label, "axis middle"))
    body += _line(before, left, slot, ground=height - bottom, scale=scale)
    return _svg(frame, width, height, "".join(body), role="group" if hrefs else "img")


def tracked(frame: Frame, labels: Sequence[str], track: Track, width: int) -> str:
    """A line of what came over the band in which it was expected, with what is marked standing out."""
    height, left, bottom, top = 250, 58, 26, 10
    ground = height - bottom
    most = max([1, track.limit or 0, *(value for value in track.seen if value is not None)])
    highs = [min(band[1], 3 * most) for band in track.band if band is not None]
    ticks = _ticks(max([most, *highs]))
    scale, slot = (ground - top) / ticks[-1], (width - left - 4) / max(1, len(labels))
    body = [_grid(frame, ticks, left=left, width=width, ground=ground, scale=scale)]
    runs = _runs(track.marked)
    body += [_rect(left + slot * n, top, (slot * (end - n), ground - top), "marked", "") for n, end in runs]
    body += _band(track.band, left, slot, ground=ground, scale=scale, most=ticks[-1])
    if track.limit is not None:
        body.append(f'<path class="limit" d="M{left} {ground - track.limit * scale:.1f}H{width}"/>')
    body += _seen(track, left, slot, ground=ground, scale=scale, radius=3 if width > NARROW else 2)
    for n, label in enumerate(labels):
        value, expected = track.seen[n], track.band[n]
        said = f"{label}: {'none' if value is None else frame.shown(value)}"
        said += f", expected {frame.shown(expected[0])} to {frame.shown(expected[1])}" if expected else ""
        body.append(_rect(left + slot * n, top, (slot, ground - top), "over", escape(said)))
    body += _axis(track.axis or labels, left, slot, width=width, y=height - 8)
    return _svg(frame, width, height, "".join(body))


def _runs(marked: Sequence[bool]) -> list[tuple[int, int]]:
    """Where entries that are marked follow one another: the first, and the one after the last."""
    starts = [n for n, one in enumerate(marked) if one and not (n and marked[n - 1])]
    ends = [n + 1 for n, one in enumerate(marked) if one and not (n + 1 < len(marked) and marked[n + 1])]
    return list(zip(starts, ends, strict=True))


def _seen(track: Track, left: float, slot: float, *, ground: float, scale: float, radius: int) -> list[str]:
    """The line, broken where nothing came, and a dot on everything that is marked."""
    found: list[str] = []
    part: list[str] = []
    for n, value in enumerate((*track.seen, None)):
        if value is not None:
            x, y = f"{left + slot * (n + 0.5):.1f}", f"{ground - value * scale:.1f}"
            part.append(f"{x},{y}")
            found += [f'<circle class="spike" cx="{x}" cy="{y}" r="{radius}"/>'] if track.marked[n] else []
        elif part:
            found.append(f'<polyline class="seen" points="{" ".join([*part, part[-1]])}"/>')
            part = []
    return found


def _axis(words: Sequence[str], left: float, slot: float, *, width: int, y: float) -> list[str]:
    """Words below, as many as have room."""
    found: list[str] = []
    free = 0.0
    for n, one in enumerate(words):
        x, half = left + slot * (n + 0.5), 3.4 * min(26, len(one))
        if one and free + half < x < width - half:
            found.append(_text(x, y, one, "axis middle"))
            free = x + half + 12
    return found


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


def tornado(frame: Frame, middle: int, swings: Sequence[Swing], width: int) -> str:
    """What each thing alone does to a figure: bars to both sides of it, one below the other."""
    row, name_width, value_width = 30, 190 if width > NARROW else 118, 84 if width > NARROW else 60
    reached = [middle, *(end for one in swings for end in (one.low, one.high))]
    least, most = min(reached), max(reached)
    room = width - name_width - 2 * value_width
    scale = room / max(1, most - least)
    left = name_width + value_width
    axis = left + (middle - least) * scale
    body = [f'<path class="grid" d="M{axis:.1f} 0V{len(swings) * row + 2}"/>']
    for n, one in enumerate(swings):
        y, (lower, upper) = n * row + 4, sorted((one.low, one.high))
        x, end = left + (lower - least) * scale, left + (upper - least) * scale
        body.append(_text(name_width - 4, y + 15, one.name, "name end"))
        said = f"{escape(one.name)}: {escape(frame.shown(lower))} to {escape(frame.shown(upper))}"
        body.append(_rect(x, y + 2, (max(0.0, axis - x), row - 11), "down", said))
        body.append(_rect(axis, y + 2, (max(0.0, end - axis), row - 11), "up", said))
        body.append(_text(x - 6, y + 15, frame.shown(lower), "value end"))
        body.append(_text(end + 6, y + 15, frame.shown(upper), "value"))
    return _svg(frame, width, len(swings) * row + 6, "".join(body))


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


def _band(
    band: Sequence[tuple[int, int] | None], left: float, slot: float, *, ground: float, scale: float, most: int
) -> list[str]:
    """Steps, one for each label, joined where they are side by side; cut off at the top of the picture."""
    found: list[str] = []
    above: list[str] = []
    below: list[str] = []
    for n, one in enumerate((*band, None)):
        if one is not None:
            x, end = left + slot * n, left + slot * (n + 1)
            high, low = (ground - min(most, value) * scale for value in (one[1], one[0]))
            above += [f"{x:.1f},{high:.1f}", f"{end:.1f},{high:.1f}"]
            below += [f"{x:.1f},{low:.1f}", f"{end:.1f},{low:.1f}"]
        elif above:
            found.append(f'<polygon class="band" points="{" ".join([*above, *reversed(below)])}"/>')
            above, below = [], []
    return found


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


def _svg(frame: Frame, width: int, height: int, body: str, role: str = "img") -> str:
    key = escape(frame.key)
    return (
        f'<svg class="drawn" viewBox="0 0 {width} {height}" role="{role}" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(frame.title)}</title><desc id="{key}-d">{escape(frame.says)}</desc>{body}</svg>'
    )
