"""The report: figures held against the engine and the files, pages read by parsers that did not write them."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gatewright as gw
from gatewright.circuit import Circuit
from gatewright.runs.report import svg
from gatewright.runs.report.facts import facts_of_circuit, facts_of_run, gates_by_level, neighbours, reads_by_feature
from gatewright.runs.report.page import page, write_report
from gatewright.runs.report.picture import as_levels, png
from support.circuits import random_circuit

RUN = Path(__file__).parent.parent / "data_files" / "run-0.1-finished"


class Elements(HTMLParser):
    """Headings, addresses, and whether all elements are closed in order."""

    EMPTY = frozenset({"meta", "img", "rect", "line", "circle", "polyline"})

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.addresses, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in {"src", "href"}]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if self.open and self.open[-1] != "style":
            self.text += data + " "


@pytest.fixture(scope="module")
def digits():
    return gw.load_dataset("digits")


@pytest.fixture(scope="module")
def of_run(digits):
    return facts_of_run(RUN, digits, proof=False)


def test_a_run_has_all_sections(of_run, tmp_path):
    path = write_report(of_run, tmp_path / "new" / "report.html")
    found = Elements(path.read_text(encoding="utf-8"))
    assert found.headings == [
        "Accuracy while learning", "Loss", "Entropy of the layers", "Connections and freezing", "Cost",
        "Place on the front", "Proof and checks", "Classes", "Confusion", "Worst mistakes", "Inputs that are read",
        "Gates by kind and level", "Origin",
    ]  # fmt: skip
    assert all(address.startswith("data:image/png;base64,") for address in found.addresses)
    assert "equal to the network on all 364 test samples" in found.text
    assert f"{of_run.training.result.test.hard:.2%}".replace("%", " %") in found.text


def test_a_page_has_nothing_to_fetch_and_no_script(of_run):
    text = page(of_run)
    assert not re.search(r"<script|url\(|@import|<link", text)
    assert "default-src 'none'" in text


def test_the_decisions_are_the_engines(of_run, digits):
    evaluation = of_run.evaluation
    predicted = gw.Engine(of_run.circuit).predict(digits.test.x)
    assert evaluation.judged.correct == int((predicted == digits.test.y).sum())
    assert evaluation.wrong == int((predicted != digits.test.y).sum())
    counts = gw.Engine(of_run.circuit).counts(digits.test.x)
    leads = [counts[m.number].max() - counts[m.number, digits.test.y[m.number]] for m in evaluation.mistakes]
    assert leads == sorted(leads, reverse=True)
    wrong = np.flatnonzero(predicted != digits.test.y)
    assert leads[0] == max(counts[i].max() - counts[i, digits.test.y[i]] for i in wrong)
    for mistake in evaluation.mistakes:
        true, taken = digits.test.y[mistake.number], predicted[mistake.number]
        assert mistake.caption.startswith(f"{true}, taken for {taken} (")


def test_a_circuit_has_no_curves_and_says_so(digits):
    model = gw.load("digits-narrow")
    with_data = Elements(page(facts_of_circuit("d", model.circuit, digits)))
    assert with_data.headings[:3] == ["Cost", "Place on the front", "Proof and checks"]
    assert "noted in the file: proven by abc" in with_data.text
    assert "holds no curves" in with_data.text
    alone = Elements(page(facts_of_circuit("d", model.circuit, None)))
    assert "Classes" not in alone.headings
    assert "name one with --dataset" in alone.text


@pytest.mark.parametrize("seed", range(5))
def test_gates_and_reads_are_counted_as_a_loop_counts_them(seed):
    circuit = gw.simplify(random_circuit(seed, 20, 120, 30, classes=3))
    cost = gw.cost(circuit)
    assert sum(sum(found.values()) for found in gates_by_level(circuit).values()) == cost.logic_ops
    assert max(gates_by_level(circuit), default=0) == cost.depth
    reads = np.zeros(circuit.encoder.n_features, int)
    for gate, a, b in zip(circuit.gate, circuit.a, circuit.b, strict=True):
        table = [gate >> 3 & 1, gate >> 2 & 1, gate >> 1 & 1, gate & 1]
        if (table[0], table[1]) != (table[2], table[3]) and a < circuit.n_inputs:
            reads[circuit.encoder.feature[a]] += 1
        if (table[0], table[2]) != (table[1], table[3]) and b < circuit.n_inputs:
            reads[circuit.encoder.feature[b]] += 1
    for output in circuit.outputs:
        if output < circuit.n_inputs:
            reads[circuit.encoder.feature[output]] += 1
    assert np.array_equal(reads_by_feature(circuit), reads)


def test_a_circuit_without_encoder_head_and_gates_has_a_page():
    found = Elements(page(facts_of_circuit("wires", Circuit(3, [], [], [], [0, 2]), None)))
    assert "There is no gate" in found.text
    assert "2 of 3 features are read" in found.text


def test_names_cannot_break_the_page(digits):
    evil = "</style><script>alert(1)</script>"
    circuit = gw.load("digits-narrow").circuit
    head = replace(circuit.head, class_names=(evil, *circuit.head.class_names[1:]))
    dataset = replace(digits, class_names=(evil, *digits.class_names[1:]), licence=evil)
    text = page(facts_of_circuit(evil, circuit.replace(head=head, metadata={evil: evil}), dataset))
    assert "<script" not in text
    assert evil in Elements(text).text


def test_neighbours_are_of_the_same_data():
    own, others = neighbours("mnist")
    assert {"mnist-4k", "mnist-8k"} <= {row.name for row in own}
    assert all(row.data == "mnist" for row in others)
    assert neighbours("no such data") == ([], [])


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.floats(allow_nan=True, width=32)), min_size=1, max_size=30),
    st.booleans(),
    st.integers(1, 12),
)
def test_curves_stay_inside_of_their_drawing(points, log, series):
    drawing = svg.curves("c", {f"s{i}": points for i in range(series)}, svg.Axis("x"), svg.Axis("y", log=log))
    root = ET.fromstring(f"<div>{drawing}</div>")
    chart = root.find("svg")
    for line in chart.iter("polyline"):
        for pair in line.get("points").split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= svg.WIDTH
            assert 0 <= y <= svg.HEIGHT
    for text in chart.iter("text"):
        assert "nan" not in (text.get("x") or "")


@given(st.lists(st.tuples(st.integers(1, 10**7), st.floats(0, 100), st.text("ab<&", max_size=9)), max_size=20))
def test_points_stay_inside_of_their_drawing(points):
    spots = [svg.Spot(x, y, name, i % 3) for i, (x, y, name) in enumerate(points)]
    drawing = svg.scatter("s", spots, ["a", "b", "c"], svg.Axis("x", log=True), svg.Axis("y"))
    chart = ET.fromstring(f"<div>{drawing}</div>").find("svg")
    circles = list(chart.iter("circle"))
    assert len(circles) == len(points)
    assert all(0 <= float(c.get("cx")) <= svg.WIDTH and 0 <= float(c.get("cy")) <= svg.HEIGHT for c in circles)


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 9))
def test_pictures_are_png_files(height, width, colour, seed):
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3) if colour else (height, width), np.uint8)
    raw = png(levels)
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(raw):
        (size,) = struct.unpack(">I", raw[at : at + 4])
        kind, body = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]
        assert struct.unpack(">I", raw[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    assert struct.unpack(">IIBB", chunks[b"IHDR"][:10]) == (width, height, 8, 2 if colour else 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    assert np.array_equal(rows[:, 1:].reshape(levels.shape), levels)


def test_levels_are_cut_at_the_limits():
    assert as_levels(np.array([-5, 0, 8, 16, 99]), 0, 16).tolist() == [0, 0, 128, 255, 255]
    assert as_levels(np.array([3]), 3, 3).tolist() == [0]
