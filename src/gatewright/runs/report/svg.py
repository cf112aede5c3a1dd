"""Charts as inline SVG: curves, scattered points, bars in parts. They take their colours from the page's style sheet.

Drawn here rather than by matplotlib: text stays text, dark pages recolour them, and a report needs no extra.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 230
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 38
COLOURS = 8
"""Classes `c0`, `c1` ... of the style sheet; further series begin again, dashed."""

Points = Sequence[tuple[float, float]]


def short(value: float) -> str:
    """A number in few letters.

    >>> [short(value) for value in (0.25, 950, 12_500, 3_000_000)]
    ['0.25', '950', '12.5k', '3M']
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.6g}{letter}"
    return f"{value:.6g}"


@dataclass(frozen=True)
class Axis:
    """One axis: its title, and how its numbers lie on it.

    Attributes:
        title: What is written beside it.
        log: Whether it is logarithmic; then only positive numbers have a place.
        text: How a tick is written.
    """

    title: str
    log: bool = False
    text: Callable[[float], str] = short

    def place(self, value: float) -> float:
        """Where a value lies, before scaling."""
        return math.log10(value) if self.log else value

    def holds(self, value: float) -> bool:
        """Whether a value has a place."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def ticks(self, low: float, high: float) -> list[float]:
        """Round values between two others: at most about six, powers of ten (and what is between) if logarithmic."""
        if self.log:
            first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
            every = max(1, (last - first) // 6)
            sizes = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
            ticks = [size * 10.0**power for power in range(first, last + 1, every) for size in sizes]
            return [tick for tick in ticks if low <= tick <= high]
        span = high - low
        rough = span / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
        first = math.ceil(low / step - 1e-9)
        return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


class _Frame:
    """Two axes with room for all points: places in the drawing, and what is drawn around them."""

    def __init__(self, x: Axis, y: Axis, points: Points) -> None:
        self.x, self.y = x, y
        self._x = _range(x, [point[0] for point in points])
        self._y = _range(y, [point[1] for point in points])

    def across(self, x: float) -> float:
        """Where a number of the x axis lies in the drawing."""
        return LEFT + _share(self.x, x, self._x) * (WIDTH - LEFT - RIGHT)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the drawing."""
        return self.across(x), TOP + (1 - _share(self.y, y, self._y)) * (HEIGHT - TOP - BOTTOM)

    def drawn(self) -> list[str]:
        """Ticks, grid and titles."""
        parts = []
        for tick in self.x.ticks(*self._x):
            x = self.across(tick)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            parts.append(
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{self.x.text(tick)}</text>'
            )
        for tick in self.y.ticks(*self._y):
            _, y = self.at(self._x[0], tick)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{self.y.text(tick)}</text>')
        middle = (HEIGHT - BOTTOM + TOP) / 2
        parts.append(
            f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(self.x.title)}</text>'
        )
        parts.append(
            f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">{escape(self.y.title)}</text>'
        )
        return parts


def _range(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=1.0), max(values, default=10.0)
    if axis.log:
        return (low / 1.5, high * 1.5)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return low - room, high + room


def _share(axis: Axis, value: float, limits: tuple[float, float]) -> float:
    low, high = axis.place(limits[0]), axis.place(limits[1])
    return (axis.place(value) - low) / (high - low)


def _svg(title: str, parts: Sequence[str], height: int = HEIGHT) -> str:
    body = "".join(parts)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _colour(i: int) -> str:
    return f"c{i % COLOURS}" + (" dashed" if i >= COLOURS else "")


def legend(names: Sequence[str]) -> str:
    """The names of series with their colours, in order."""
    line = '<svg viewBox="0 0 20 8"><line class="curve {}" x1="0" x2="20" y1="4" y2="4"/></svg>'
    items = "".join(f"<li>{line.format(_colour(i))}{escape(name)}</li>" for i, name in enumerate(names))
    return f'<ul class="legend">{items}</ul>'


def curves(title: str, series: Mapping[str, Points], x: Axis, y: Axis, marks: Sequence[float] = ()) -> str:
    """Lines through points, with a legend; `marks` are places on the x axis with a line from top to bottom.

    Points without a place on the axes (NaN, or not positive where they are logarithmic) are left out.
    """
    held = {name: [p for p in points if x.holds(p[0]) and y.holds(p[1])] for name, points in series.items()}
    frame = _Frame(x, y, [point for points in held.values() for point in points])
    parts = frame.drawn()
    for mark in marks:
        at = frame.across(mark)
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    for i, points in enumerate(held.values()):
        places = [frame.at(*point) for point in points]
        text = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        if len(places) == 1:
            parts.append(f'<circle class="dot {_colour(i)}" cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="3"/>')
        parts.append(f'<polyline class="curve {_colour(i)}" points="{text}"/>')
    return _svg(title, parts) + (legend(list(held)) if len(held) > 1 else "")


@dataclass(frozen=True)
class Spot:
    """A named point of a scatter.

    Attributes:
        x: Its place on the x axis.
        y: Its place on the y axis.
        name: What is written beside it.
        series: Whose colour it has.
        large: Whether it stands out.
    """

    x: float
    y: float
    name: str
    series: int
    large: bool = False


def scatter(title: str, spots: Sequence[Spot], names: Sequence[str], x: Axis, y: Axis) -> str:
    """Named points, with a legend of the series."""
    held = [spot for spot in spots if x.holds(spot.x) and y.holds(spot.y)]
    frame = _Frame(x, y, [(spot.x, spot.y) for spot in held])
    parts = frame.drawn()
    taken: list[tuple[float, float, float]] = []
    for spot in sorted(held, key=lambda each: (not each.large, -each.y)):
        px, py = frame.at(spot.x, spot.y)
        parts.append(
            f'<circle class="dot {_colour(spot.series)}" cx="{px:.1f}" cy="{py:.1f}" r="{6 if spot.large else 3.5}">'
            f"<title>{escape(spot.name)}: {x.text(spot.x)}, {y.text(spot.y)}</title></circle>"
        )
        width = (6.6 if spot.large else 5.6) * len(spot.name)
        left = px + 8 if px + 8 + width < WIDTH else px - 8 - width
        if not spot.name or any(abs(py - ty) < 10 and left < tr and tl < left + width for ty, tl, tr in taken):
            continue  # its name would cover another; it is shown when the point is pointed at
        taken.append((py, left, left + width))
        strong = ' class="strong"' if spot.large else ""
        parts.append(f'<text{strong} x="{left:.1f}" y="{py + 3.5:.1f}">{escape(spot.name)}</text>')
    return _svg(title, parts) + legend(names)


def stacked(title: str, shares: Mapping[str, float]) -> str:
    """One bar in parts that add up to the whole, with a legend."""
    whole = sum(shares.values()) or 1.0
    parts, at = [], 0.0
    for i, (name, value) in enumerate(shares.items()):
        width = WIDTH * value / whole
        parts.append(
            f'<rect class="{_colour(i)}" x="{at:.1f}" y="0" width="{max(width, 0):.1f}" height="26">'
            f"<title>{escape(name)}</title></rect>"
        )
        at += width
    return _svg(title, parts, 26) + legend(list(shares))


def bars(title: str, values: Sequence[float]) -> str:
    """One upright bar per value, without gaps: how something is spread over many places in order."""
    most, height = max(max(values, default=0.0), 1e-9), 90
    wide = WIDTH / max(1, len(values))
    parts = [
        f'<rect class="c0" x="{i * wide:.2f}" y="{height * (1 - value / most):.1f}" width="{wide * 0.9:.2f}" '
        f'height="{height * value / most:.1f}"/>'
        for i, value in enumerate(values)
        if value > 0
    ]
    return _svg(title, parts, height)


def strip(title: str, rows: Sequence[Sequence[float]]) -> str:
    """A signal: one line per row, on one scale, without axes."""
    low = min((value for row in rows for value in row), default=0.0)
    high = max((value for row in rows for value in row), default=1.0)
    span, height = (high - low) or 1.0, 120
    parts = []
    for i, row in enumerate(rows):
        step = WIDTH / max(1, len(row) - 1)
        text = " ".join(f"{j * step:.1f},{4 + (height - 8) * (high - v) / span:.1f}" for j, v in enumerate(row))
        parts.append(f'<polyline class="curve {_colour(i)}" points="{text}"/>')
    return _svg(title, parts, height)
