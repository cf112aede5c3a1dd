"""Drawings on the page: frames of the data, digits drawn anywhere and read by trained circuits, the pad in a browser."""

import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gatewright as gw
from gatewright import data
from gatewright.formats import to_html
from gatewright.formats.html.frame import FRAMES, Frame, measure
from support.page import Page, run_page
from support.strokes import DIGITS, drawn

READ = """
const model = JSON.parse(require("fs").readFileSync("model.json"));
const circuit = new Circuit(model);
const { view } = model;
const [channels, height, width] = circuit.encoder.shape;
const classes = JSON.parse(require("fs").readFileSync(0)).map((strokes) => {
  const placed = framed(strokes, view.frame, width, height);
  const levels = paint(new Float32Array(channels * height * width), placed, channels, width, height);
  circuit.encode([circuit.sample().map((_, i) => Math.round(levels[i] * view.white))]);
  circuit.evaluate();
  return winner(circuit.counts(0));
});
console.log(JSON.stringify(classes));
"""


@pytest.fixture
def draw(tool, run, tmp_path):
    """`draw(model, drawings)`: the class that the page's script gives each drawing."""

    def go(model, drawings):
        (path,) = to_html(model.circuit, tmp_path)
        scripts = Page(path.read_text(encoding="utf-8")).scripts
        (tmp_path / "model.json").write_text(scripts["model"])
        (tmp_path / "draw.js").write_text(scripts["circuit"] + scripts["drawing"] + READ)
        return json.loads(run(tool("node"), "draw.js", stdin=json.dumps(drawings).encode(), cwd=tmp_path))

    return go


@pytest.mark.parametrize(("name", "least"), [("mnist-4k", 0.95), ("digits", 0.75)])
def test_digits_drawn_in_the_middle_and_in_corners_are_mostly_right(draw, name, least):
    model = gw.load(name)
    side = model.circuit.encoder.shape[2]
    pen = max(1.4, side / 12)
    for places in ([(0.5, 0.5)], [(0, 0), (1, 0), (0, 1), (1, 1)]):
        cases = [
            (digit, drawn(digit, size * side, left * side * (1 - size), top * side * (1 - size), pen, slant))
            for size in (0.35, 0.7)
            for left, top in places
            for slant in (0, 0.2)
            for digit in DIGITS
        ]
        found = draw(model, [strokes for _, strokes in cases])
        right = sum(digit == k for (digit, _), k in zip(cases, found, strict=True))
        assert right >= least * len(cases), (places, right, len(cases))


@pytest.mark.parametrize("name", ["digits", "mnist-4k"])
def test_test_images_have_the_engines_scores(tool, run, tmp_path, name):
    model = gw.load(name)
    noted = model.circuit.metadata["data"]
    if data.missing(noted):
        pytest.skip(f"{noted} is not at hand")
    x = gw.load_dataset(noted).test.x[:500]
    rows = run_page(tool, run, to_html(model.circuit, tmp_path)[0], x)
    assert rows == np.column_stack([model.predict(x), model.engine.counts(x)]).tolist()


@pytest.mark.parametrize("name", FRAMES)
def test_frames_are_those_of_the_data(name):
    if data.missing(name):
        pytest.skip(f"{name} is not at hand")
    assert measure(gw.load_dataset(name).train.x) == FRAMES[name]


def test_photographs_and_empty_images_have_no_frame():
    rng = np.random.default_rng(0)
    assert measure(rng.integers(0, 256, (50, 3, 8, 8), np.uint8)) is None
    assert measure(np.zeros((50, 1, 8, 8), np.uint8)) is None
    blots = np.zeros((50, 1, 32, 32), np.uint8)
    for image, (y, x) in zip(blots, rng.integers(0, 28, (50, 2)), strict=True):
        image[0, y : y + 4, x : x + 4] = 255
    assert measure(blots) is None


@given(st.integers(2, 10), st.integers(0, 6), st.integers(0, 6), st.integers(1, 255))
def test_boxes_of_one_place_are_found(size, x, y, ink):
    images = np.zeros((5, 1, 16, 16), np.uint8)
    images[:, 0, y : y + size, x : x + size] = ink
    found = measure(images)
    assert (found.size, found.x, found.y) == (size, x + size / 2, y + size / 2)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(DIGITS)), st.floats(2, 20), st.floats(-5, 20), st.floats(-5, 20))
def test_a_framed_drawing_has_the_size_and_place_of_the_frame(tool, run, tmp_path, digit, size, left, top):
    (path,) = to_html(gw.load("monks-1").circuit, tmp_path)
    code = Page(path.read_text(encoding="utf-8")).scripts["drawing"]
    for frame in (Frame(20, 14.5, 14.5, "mass"), Frame(20, 14, 15, "box")):
        strokes, where = drawn(digit, size, left, top, 2.0), json.dumps(vars(frame))
        task = f"const placed = framed({json.dumps(strokes)}, {where}, 28, 28);"
        task += "console.log(JSON.stringify(Array.from(paint(new Float32Array(784), placed, 1, 28, 28))));"
        (tmp_path / "frame.js").write_text(code + task)
        levels = np.array(json.loads(run(tool("node"), "frame.js", cwd=tmp_path))).reshape(28, 28)
        rows, columns = (np.flatnonzero((levels > 0.4).any(axis=axis)) for axis in (1, 0))
        assert abs(max(np.ptp(rows), np.ptp(columns)) + 1 - 20) <= 2
        if frame.by == "mass":
            places = np.arange(28) + 0.5
            assert abs((levels.sum(0) * places).sum() / levels.sum() - frame.x) < 0.3
            assert abs((levels.sum(1) * places).sum() / levels.sum() - frame.y) < 0.3
        else:
            assert abs((rows[0] + rows[-1] + 1) / 2 - frame.y) <= 1
            assert abs((columns[0] + columns[-1] + 1) / 2 - frame.x) <= 1


DRAW = """<script>
const pad = document.querySelector(".pad");
pad.setPointerCapture = () => {};
const box = pad.getBoundingClientRect();
const [, height, width] = circuit.encoder.shape;
const at = ([x, y]) => ({ clientX: box.left + (x / width) * box.width, clientY: box.top + (y / height) * box.height });
for (const { points } of STROKES) {
  pad.dispatchEvent(new PointerEvent("pointerdown", at(points[0])));
  for (const point of points.slice(1)) pad.dispatchEvent(new PointerEvent("pointermove", at(point)));
  pad.dispatchEvent(new PointerEvent("pointerup"));
}
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("digit", [None, 0, 3, 7])
def test_the_pad_in_a_browser(tool, run, tmp_path, digit):
    (path,) = to_html(gw.load("mnist-4k").circuit, tmp_path)
    if digit is not None:
        text = path.read_text(encoding="utf-8")
        strokes = json.dumps(drawn(digit, 9, 18, 1, 2.3))  # in the corner at the top on the right
        path.write_text(text.replace("</body>", DRAW.replace("STROKES", strokes) + "</body>"), encoding="utf-8")
    shown = run(
        tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri(), quiet=False,
    )  # fmt: skip
    said = re.search(r'aria-live="polite">([^<]*)</p>', shown)[1]
    assert said == ("" if digit is None else str(digit))
    counts = re.findall(r'<span class="count">([^<]*)</span>', shown)
    assert len(counts) == 10
    assert all(not count for count in counts) == (digit is None)
    assert ('id="empty" class="note" hidden' in shown) == (digit is not None)
