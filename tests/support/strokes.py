"""Digits as a hand draws them: lines through points in a box of 1 x 1, y down."""

import math


def _arc(cx, cy, rx, ry, begin, end, points=14):
    """Points on an ellipse; angles in degrees, clockwise from the right."""
    angles = [math.radians(begin + (end - begin) * i / (points - 1)) for i in range(points)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


DIGITS = {
    0: [_arc(0.5, 0.5, 0.36, 0.5, -90, 270, 24)],
    1: [[(0.5, 0), (0.5, 1)]],
    2: [[*_arc(0.5, 0.27, 0.36, 0.27, 200, 390), (0.14, 1), (0.88, 1)]],
    3: [[*_arc(0.45, 0.25, 0.33, 0.25, 210, 450), *_arc(0.45, 0.74, 0.38, 0.26, -90, 150)]],
    4: [[(0.3, 0), (0.12, 0.55), (0.85, 0.55)], [(0.7, 0.1), (0.66, 1)]],
    5: [[(0.82, 0), (0.25, 0), (0.2, 0.45), *_arc(0.45, 0.68, 0.38, 0.32, -110, 140)]],
    6: [[(0.68, 0), (0.4, 0.25), (0.2, 0.6), *_arc(0.48, 0.75, 0.3, 0.25, 180, -180, 20)]],
    7: [[(0.1, 0.02), (0.86, 0.02), (0.4, 1)]],
    8: [[*_arc(0.5, 0.25, 0.27, 0.25, 90, -270, 18), *_arc(0.5, 0.74, 0.33, 0.26, -90, 270, 18)]],
    9: [[*_arc(0.46, 0.28, 0.3, 0.28, 0, -360, 18), (0.74, 0.5), (0.66, 1)]],
}


def drawn(digit, size, left, top, pen, slant=0.0):
    """Strokes of a digit for the page's script: `size` pixels high, its box at (left, top)."""
    return [
        {
            "points": [[left + size * (x * 0.8 + slant * (1 - y)), top + size * y] for x, y in line],
            "width": pen,
            "colour": [1, 1, 1],
        }
        for line in DIGITS[digit]
    ]
