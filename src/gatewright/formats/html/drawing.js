"use strict";

/* Drawings as numbers, without a canvas: strokes are lines through points, in pixels of the sample.
 *
 * A stroke is {points: [[x, y], ...], width, colour: [red, green, blue]}, colours from 0 to 1.
 */

/* Distance of a point from the line between two others. */
function distance(x, y, [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

/* How far each pixel is covered by a stroke: Float32Array [height * width], from 0 to 1. */
function coverage(stroke, width, height) {
  const covered = new Float32Array(width * height);
  const reach = stroke.width / 2 + 0.5;
  const { points } = stroke;
  for (let i = 0; i < points.length; i++) {
    const [a, b] = [points[Math.max(0, i - 1)], points[i]];
    const [left, right] = [Math.floor(Math.min(a[0], b[0]) - reach), Math.ceil(Math.max(a[0], b[0]) + reach)];
    const [top, bottom] = [Math.floor(Math.min(a[1], b[1]) - reach), Math.ceil(Math.max(a[1], b[1]) + reach)];
    for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) {
      for (let x = Math.max(0, left); x < Math.min(width, right); x++) {
        const level = Math.min(1, reach - distance(x + 0.5, y + 0.5, a, b));
        if (level > covered[y * width + x]) covered[y * width + x] = level;
      }
    }
  }
  return covered;
}

/* Levels from 0 to 1 of strokes over levels [channels * height * width] that are there already; changes these. */
function paint(levels, strokes, channels, width, height) {
  const plane = width * height;
  for (const stroke of strokes) {
    const covered = coverage(stroke, width, height);
    const colour = channels === 1 ? [(stroke.colour[0] + stroke.colour[1] + stroke.colour[2]) / 3] : stroke.colour;
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < plane; p++) levels[c * plane + p] += covered[p] * (colour[c] - levels[c * plane + p]);
    }
  }
  return levels;
}

function transformed(strokes, change) {
  return strokes.map((stroke) => ({ ...stroke, points: stroke.points.map(change) }));
}

/* Strokes at the size and place that images of the data set have; pens keep their width.
 *
 * `frame` is {size, x, y, by}: the longer side of what is drawn, and where its centre lies, which is that of the box
 * around it, or the centre of its mass.
 */
function framed(strokes, frame, width, height) {
  const all = strokes.flatMap((stroke) => stroke.points);
  if (!all.length) return strokes;
  const [xs, ys] = [all.map((point) => point[0]), all.map((point) => point[1])];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const pen = Math.max(...strokes.map((stroke) => stroke.width));
  const longest = Math.max(right - left, bottom - top);
  const scale = longest > pen / 2 ? Math.max(1, frame.size - pen) / longest : 1; // a point remains one
  const [cx, cy] = [(left + right) / 2, (top + bottom) / 2];
  const placed = transformed(strokes, ([x, y]) => [(x - cx) * scale + frame.x, (y - cy) * scale + frame.y]);
  if (frame.by !== "mass") return placed;
  const levels = paint(new Float32Array(width * height), transformed(placed, (point) => point), 1, width, height);
  let [mass, sx, sy] = [0, 0, 0];
  for (let p = 0; p < levels.length; p++) {
    mass += levels[p];
    sx += levels[p] * (p % width + 0.5);
    sy += levels[p] * (Math.floor(p / width) + 0.5);
  }
  if (!mass) return placed;
  const [dx, dy] = [frame.x - sx / mass, frame.y - sy / mass];
  return transformed(placed, ([x, y]) => [x + dx, y + dy]);
}
