"""The web page: its own script run by node on samples, held against the slow evaluation."""

import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gatewright as gw
from gatewright import data
from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.columns import Column
from gatewright.errors import DtypeError, OptionError, ShapeError, UnsupportedError
from gatewright.formats import to_html
from gatewright.formats.html import SCRIPTS
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


@pytest.mark.parametrize("number", [(2.5, 0.25), (-1e6, 3.0), (0.1, float(np.float32(1e-7)))])
def test_numbers_are_the_engines_to_the_last_bit(node, number):
    circuit = random_circuit(3, 40, 200, 60, classes=2)
    head = Head(np.zeros(60, int), [0], number=number)
    circuit = circuit.replace(head=head, encoder=None)
    samples = np.random.default_rng(0).random((100, 40)) < 0.5
    engine = gw.Engine(circuit)
    wanted = np.column_stack([engine.predict(samples), engine.counts(samples)[:, 0]])
    assert np.array_equal(np.array(node(circuit, samples), np.float64), wanted)


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
    assert list(page.scripts) == ["model", *SCRIPTS]
    view = json.loads(page.scripts["model"])["view"]
    assert view["classes"] == [evil, "@TITLE@"]
    assert view["features"][3] == f"{evil}3 @"
    assert f"@MODEL@ {evil}" in page.text
    for name in SCRIPTS:
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


def model_of(tmp_path, circuit, **options):
    return json.loads(Page(to_html(circuit, tmp_path, **options)[0].read_text(encoding="utf-8")).scripts["model"])


def test_samples_of_the_noted_data_come_with_the_page(tmp_path):
    circuit, digits = gw.load("digits-narrow").circuit, gw.load_dataset("digits")
    model = model_of(tmp_path, circuit)
    assert model["view"]["labels"] == [*"0123456789"] * 2
    for label, sample in zip(model["view"]["labels"], model["samples"], strict=True):
        (found,) = np.flatnonzero((digits.test.x.reshape(364, -1) == sample).all(axis=1))
        assert str(digits.test.y[found]) == label
    assert model_of(tmp_path, circuit, data="none")["samples"] == []
    assert model_of(tmp_path, circuit, samples=digits.test.x[:3])["view"]["labels"] == []


def test_the_page_says_accuracy_cost_and_licence(tmp_path):
    circuit = gw.load("digits-narrow").circuit
    text, figures = to_html(circuit, tmp_path)[0].read_text(encoding="utf-8"), gw.cost(circuit)
    rows = dict(re.findall("<dt>(.*)</dt><dd>(.*)</dd>", text))
    assert rows["total ops"].startswith(f"{figures.total_ops:,}: encoder {figures.encoder_ops:,}, ")
    assert rows["test accuracy"] == f"{100 * float(circuit.metadata['test_accuracy']):.2f} %"
    assert rows["licence of the data"] == "CC BY 4.0"


def test_data_that_do_not_fit_are_refused_by_name(tmp_path):
    circuit = gw.load("digits-narrow").circuit
    with pytest.raises(OptionError, match="unknown data set 'digit'; did you mean 'digits'"):
        to_html(circuit, tmp_path, data="digit")
    with pytest.raises(ShapeError, match=r"the circuit takes uint8 samples of shape \(1, 8, 8\), but mnist has"):
        to_html(circuit, tmp_path, data="mnist")
    with pytest.raises(UnsupportedError, match="no encoder"):
        to_html(circuit.replace(encoder=None), tmp_path, data="digits")
    assert not list(tmp_path.iterdir())
    noted = {"data": "mnist"}  # what a file merely notes is left out where it does not fit
    assert model_of(tmp_path, circuit.replace(metadata=noted))["samples"] == []


def test_columns_of_categories_are_one_field_and_numbers_begin_between_their_thresholds(tmp_path):
    names = ("age", "sex=f", "sex=m", "job=a", "hours", "x=1", "x=2", "t=low", "t=high")
    features, thresholds = [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], [20, 40, 60, 1, 1, 1, 35, 1, 1, 1, 3]
    encoder = Encoder(features, thresholds, (9,), "int32", names)
    model = model_of(tmp_path, Circuit(11, [], [], [], np.arange(11), encoder))
    assert model["view"]["fields"] == [
        {"column": "", "indices": [0]},
        {"column": "sex", "indices": [1, 2]},
        {"column": "", "indices": [3]},
        {"column": "", "indices": [4]},
        {"column": "x", "indices": [5, 6]},
        {"column": "", "indices": [7]},
        {"column": "", "indices": [8]},  # compared with 3: a number
    ]
    assert model["typical"] == [40, 0, 0, 1, 35, 0, 0, 1, 3]


def test_typical_values_of_a_table_are_medians_and_most_frequent_categories(tmp_path):
    circuit = gw.load("monks-1").circuit
    if data.missing("monks-1"):
        pytest.skip("monks-1 is not at hand")
    model, x = model_of(tmp_path, circuit), gw.load_dataset("monks-1").train.x
    for field in model["view"]["fields"]:
        values = np.array(model["typical"])[field["indices"]]
        if field["column"]:
            assert values.sum() == 1
            assert values.argmax() == x[:, field["indices"]].sum(axis=0).argmax()


def test_what_spoke_for_a_class_are_the_true_gates_of_its_group(tool, run, tmp_path):
    # Class 0 counts a AND b and c, class 1 counts d.
    circuit = Circuit(4, [1], [0], [1], [4, 2, 3], head=Head([0, 0, 1], [0, 0], 1.0))
    scripts = Page(to_html(circuit, tmp_path)[0].read_text(encoding="utf-8")).scripts
    task = "circuit.encode([[1, 1, 1, 1]]); circuit.evaluate(); console.log(circuit.spoke(0, 0, 1).join(' '));"
    task += "circuit.encode([[1, 0, 1, 0]]); circuit.evaluate(); console.log(circuit.spoke(0, 0, 1).join(' '));"
    task += "console.log(circuit.probabilities([3, 3, 3, 3]).join(' '), circuit.level.join(' '));"
    (tmp_path / "run.js").write_text(f"{scripts['circuit']}const circuit = new Circuit({scripts['model']});{task}")
    assert run(tool("node"), tmp_path / "run.js").splitlines() == [
        "0.5 0.5 1 -1",
        "0 0 1 0",
        "0.25 0.25 0.25 0.25 0 0 0 0 1",
    ]


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


def test_columns_of_a_table_are_drop_downs_and_boxes(tmp_path):
    columns = (Column("age", "integer", missing=True), Column("town", "category", ("Ulm", "<b>")))
    encoder = Encoder(
        [0, 1, 2, 2],
        [30, 1, 1, 2],
        (3,),
        "int16",
        ("age", "age is missing", "town"),
        ("uint7", "bool", "uint2"),
        columns,
    )
    circuit = Circuit(4, [1], [0], [2], [4, 1, 3], encoder, Head([0, 0, 1], [0, 0]))
    (path,) = to_html(circuit, tmp_path)
    text = path.read_text(encoding="utf-8")
    model = json.loads(Page(text).scripts["model"])
    assert model["view"]["fields"] == [
        {"column": "", "indices": [0]},
        {"column": "", "indices": [1]},
        {"column": "town", "indices": [2], "choices": ["Ulm", "<b>"]},
    ]
    assert model["view"]["flags"] == [1]
    assert model["typical"] == [30, 0, 2]
    assert "<b>" not in text
