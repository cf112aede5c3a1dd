"""The web page: its own script run by node on samples, held against the slow evaluation."""

import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.errors import DtypeError, OptionError, ShapeError, UnsupportedError
from gatewright.formats import to_html
from support.circuits import (
    TIES,
    circuits,
    random_circuit,
    random_features,
    slow_classes,
    slow_counts,
    slow_encode,
    slow_outputs,
)
from support.page import Page, run_page


@pytest.fixture
def node(tool, run, tmp_path_factory):
    """`node(circuit, samples)`: what the script of the circuit's page computes, a row per sample."""

    def go(circuit, samples, change=None, **options):
        folder = tmp_path_factory.mktemp("html")
        (path,) = to_html(circuit, folder, **options)
        return run_page(tool, run, path, samples, change)

    return go


def expected(circuit, n, seed=0):
    """Samples, and the rows that the driver must print for them."""
    if circuit.encoder is None:
        samples = np.random.default_rng(seed).random((n if circuit.n_inputs else 1, circuit.n_inputs)) < 0.5
        bits = samples
    else:
        samples = random_features(circuit, n, seed)
        bits = slow_encode(circuit, samples)
    if circuit.head is None:
        return samples, slow_outputs(circuit, bits).astype(int).tolist()
    return samples, np.column_stack([slow_classes(circuit, bits), slow_counts(circuit, bits)]).tolist()


def check(circuit, node, n, **options):
    samples, rows = expected(circuit, n)
    if not rows[0]:
        rows = []  # no outputs: empty lines
    same = [row for row in node(circuit, samples, **options) if row] == rows
    assert same, (
        "the page's script gave other outputs"
    )  # compared outside of the assertion: CI would print a diff of all


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuits, st.sampled_from([1, 31, 32, 33, 100]))
def test_the_script_equals_slow_evaluation(node, circuit, n):
    check(circuit, node, n)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
def test_every_type_of_features_at_its_limits(node, dtype):
    if dtype == "float32":
        top = float(np.finfo(np.float32).max)
        limits = [-top, top, 0.0, -0.0, float(np.float32(1e-45)), float(np.float32(0.1))]
    else:
        low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        limits = [low - 1, low, low + 1, high, high + 1, 0]
    encoder = Encoder(np.arange(40) // 8, np.resize(limits, 40), (5,), dtype)
    check(Circuit(40, [], [], [], np.arange(40), encoder), node, 300)


def test_ties_and_constant_outputs(node):
    check(TIES, node, 64)
    assert node(TIES, np.zeros((1, 2), np.uint8)) == [[0, 1, 1, 0]]


def test_thousands_of_gates(node):
    check(random_circuit(2, 300, 9000, 700, classes=10), node, 200)


def test_a_broken_export_is_caught(node):
    circuit = random_circuit(7, 20, 60, 40, classes=4)
    check(circuit, node, 500)

    def lose_a_term(code):
        assert code.count("(BOTH[g] & x & y)") == 1
        return code.replace("(BOTH[g] & x & y)", "(BOTH[g] & x)")

    def last_of_equals(code):
        assert code.count("count > counts[best]") == 1
        return code.replace("count > counts[best]", "count >= counts[best]")

    for change in (lose_a_term, last_of_equals):
        with pytest.raises(AssertionError):
            check(circuit, node, 500, change=change)


def test_the_page_stands_alone_and_names_cannot_break_it(tool, run, tmp_path):
    circuit = random_circuit(3, 20, 60, 40, classes=2)
    evil = "</script><script>alert(1)</script>"
    encoder = Encoder(
        circuit.encoder.feature, circuit.encoder.threshold, (10,), "uint8", tuple(f"{evil}{i} @" for i in range(10))
    )
    circuit = circuit.replace(
        encoder=encoder,
        head=Head(circuit.head.group, circuit.head.offset, 1.0, (evil, "@TITLE@")),
        metadata={evil: evil},
    )
    (path,) = to_html(circuit, tmp_path, title=f"@MODEL@ {evil}")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.links == []
    assert not re.search(r"https?:|url\(|@import", text)
    assert set(page.scripts) == {"model", "circuit", "page"}
    view = json.loads(page.scripts["model"])["view"]
    assert view["classes"] == [evil, "@TITLE@"]
    assert view["features"][3] == f"{evil}3 @"
    assert f"@MODEL@ {evil}" in page.text
    for name in ("circuit", "page"):
        (tmp_path / f"{name}.js").write_text(page.scripts[name])
        run(tool("node"), "--check", tmp_path / f"{name}.js")


def view_of(tmp_path, circuit, **options):
    return json.loads(Page(to_html(circuit, tmp_path, **options)[0].read_text(encoding="utf-8")).scripts["model"])[
        "view"
    ]


@pytest.mark.parametrize(
    ("shape", "dtype", "thresholds", "kind", "white"),
    [
        ((1, 8, 8), "uint8", [4, 8, 12], "pad", 16),
        ((1, 28, 28), "uint8", [128], "pad", 255),
        ((3, 32, 32), "uint8", [64, 128, 191], "pad", 255),
        ((1, 2, 3), "float32", [0.25, 0.75], "pad", 1),
        ((1, 2, 3), "bool", [1], "pad", 1),
        ((1, 33, 8), "uint8", [128], "list", None),
        ((2, 8, 8), "uint8", [128], "form", None),
        ((14,), "int32", [128], "form", None),
        ((201,), "int32", [128], "list", None),
    ],
)
def test_the_form_of_the_input_follows_its_shape(tmp_path, shape, dtype, thresholds, kind, white):
    size = int(np.prod(shape))
    encoder = Encoder(np.repeat(np.arange(size), len(thresholds)), np.tile(thresholds, size), shape, dtype)
    circuit = Circuit(encoder.n_bits, [], [], [], [0], encoder)
    view = view_of(tmp_path, circuit)
    assert (view["kind"], view.get("white")) == (kind, white)
    if kind == "pad":
        assert view_of(tmp_path, circuit, white=3)["white"] == 3


def test_bad_options_are_refused_by_name(tmp_path):
    circuit = random_circuit(1)
    with pytest.raises(OptionError, match="name is 'a b'"):
        to_html(circuit, tmp_path, name="a b")
    with pytest.raises(OptionError, match="white is 0"):
        to_html(circuit, tmp_path, white=0)
    with pytest.raises(ShapeError, match="x has shape"):
        to_html(circuit, tmp_path, samples=np.zeros((1, 3), np.uint8))
    with pytest.raises(OptionError, match="2 labels for 1 samples"):
        to_html(circuit, tmp_path, samples=np.zeros((1, 10), np.uint8), labels=["a", "b"])
    with pytest.raises(DtypeError, match="expected bool"):
        to_html(circuit.replace(encoder=None), tmp_path, samples=np.zeros((1, 20), np.uint8))
    with pytest.raises(UnsupportedError, match="JavaScript"):
        to_html(circuit.replace(head=Head(circuit.head.group, circuit.head.offset + (1 << 53))), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 6, 5), (3, 4, 5), (12,), (300,)])
def test_a_browser_shows_the_class_of_a_sample(tool, run, tmp_path, shape):
    size = int(np.prod(shape))
    rng = np.random.default_rng(size)
    circuit = random_circuit(5, 40, 200, 60, classes=4)
    encoder = Encoder(rng.integers(0, size, 40), rng.integers(1, 256, 40), shape, "uint8")
    circuit = circuit.replace(encoder=encoder, head=Head(circuit.head.group, circuit.head.offset, 1.0, tuple("abcd")))
    x = rng.integers(0, 256, (8, *shape)).astype(np.uint8)
    (path,) = to_html(circuit, tmp_path, samples=x)
    wanted = slow_counts(circuit, slow_encode(circuit, x))
    assert len({tuple(row) for row in wanted.tolist()}) > 1
    for i, counts in enumerate(wanted):
        shown = run(
            tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"{path.as_uri()}#sample={i}", quiet=False,
        )  # fmt: skip
        assert re.findall(r'<span class="count">(-?\d+)</span>', shown) == [str(n) for n in counts]
        assert f'aria-live="polite">{"abcd"[int(np.argmax(counts))]}</p>' in shown
