"""Every exporter on networks for real data: what a foreign tool computes equals what the torch model says."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from gatewright import data
from gatewright.formats import export, from_aiger, from_blif
from gatewright.formats.gate_level import to_gate_level
from gatewright.gates import Gate
from gatewright.lowering import lower
from gatewright.nn import GroupSum, LogicConv2d, LogicDense
from gatewright.nn.thermometer import Thermometer
from gatewright.runtime.abc import run_abc
from gatewright.runtime.programs import run_yosys
from support.circuits import slow_counts, slow_encode
from support.cortex import build, execute
from support.page import run_page

pytestmark = pytest.mark.slow

N = 60
"""Samples: the first ones of the real test sets."""

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


STEPS = 40
"""Of training, with batches of 64: as many as it takes to be far from a random network."""

TRAINED = ("MNIST dense", "MNIST conv", "CIFAR conv", "tabular")
"""Kinds that are trained; the others are what their names say whatever they learn."""


def network(kind, x, g):
    """An untrained network for samples x."""
    pixels = Thermometer.uniform(1, MNIST, "uint8")

    def dense(inputs, outputs, gates=None):
        return LogicDense(inputs, outputs, gates=gates, relaxation="hard", generator=g)

    def conv(inputs, outputs):
        return LogicConv2d(inputs, outputs, 3, stride=2, padding=1, relaxation="hard", generator=g)

    match kind:
        case "MNIST dense":
            return [
                Thermometer.uniform(2, MNIST, "uint8"),
                nn.Flatten(),
                dense(1568, 300),
                dense(300, 200),
                GroupSum(10),
            ]
        case "MNIST conv":
            return [pixels, conv(1, 4), conv(4, 4), nn.Flatten(), dense(196, 100), GroupSum(10)]
        case "CIFAR conv":
            first = Thermometer.uniform(3, CIFAR, "uint8")
            return [first, conv(9, 9), conv(9, 9), nn.Flatten(), dense(576, 100), GroupSum(10)]
        case "tabular":
            first = Thermometer.quantile(3, x)
            return [first, dense(first.out_shape[0], 120), dense(120, 60), GroupSum(2)]
        case "constants in outputs":
            return [pixels, nn.Flatten(), dense(784, 60, [Gate.FALSE, Gate.TRUE, Gate.XOR]), GroupSum(4)]
        case "ties":
            return [pixels, nn.Flatten(), dense(784, 20), GroupSum(10)]
        case "one gate":
            return [pixels, nn.Flatten(), dense(784, 1, [Gate.NAND]), GroupSum(1)]
        case "no gate":
            return [pixels, nn.Flatten(), GroupSum(7)]


def train(model, samples):
    """A few steps on the first training samples, in their order."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for step in range(STEPS):
        batch = slice(64 * step, 64 * (step + 1))
        loss = nn.functional.cross_entropy(
            model(torch.from_numpy(samples.x[batch])), torch.from_numpy(samples.y[batch])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


KINDS = {
    "MNIST dense": "mnist",
    "MNIST conv": "mnist",
    "CIFAR conv": "cifar10",
    "tabular": "adult",
    "constants in outputs": "mnist",
    "ties": "mnist",
    "one gate": "mnist",
    "no gate": "mnist",
}
"""Kinds of networks, and the data sets whose samples they get."""


@pytest.fixture(scope="module")
def case():
    """`case(kind)`: circuit, samples, and the counts that the torch model gives for them."""
    made = {}

    def get(kind):
        if kind not in made:
            loaded = data.load_dataset(KINDS[kind], download=False)
            x = np.ascontiguousarray(loaded.test.x[:N])
            model = nn.Sequential(*network(kind, x, torch.Generator().manual_seed(len(kind))))
            before = lower(model.eval())
            if kind in TRAINED:
                train(model.train(), loaded.train)
            circuit = lower(model.eval())
            assert (kind in TRAINED) == (not np.array_equal(circuit.gate, before.gate))
            scores = model(torch.from_numpy(x)).double().numpy()
            made[kind] = circuit, x, np.rint(scores * circuit.head.tau).astype(int)
        return made[kind]

    return get


def classes(counts):
    """The lowest class among those with the greatest count."""
    return np.argmax(counts, axis=1)


# Each exporter: what a foreign tool makes of the files, after `change` has edited the text of the one that matters.


def edit(path, change):
    """Change a file; a change that changes nothing is a mistake of the test."""
    if change:
        before = path.read_bytes()
        after = change(before) if change is broken_aiger else change(before.decode()).encode()
        if after == before:
            pytest.fail(f"{path} was not changed")
        path.write_bytes(after)


def check_lines(lines, counts):
    got = np.array([[int(part) for part in line.split()] for line in lines])
    np.testing.assert_array_equal(got, np.column_stack([classes(counts), counts]))


def check_c(circuit, x, counts, folder, tool, run, change=None, word=64):
    paths = export(circuit, "c", folder, driver=True, word=word)
    edit(paths[1], change)
    run(tool("gcc"), "-std=c99", "-Wall", "-Werror", "-O1", "-o", folder / "program", *paths[1:])
    check_lines(run(folder / "program", stdin=x.tobytes()).splitlines(), counts)


def check_simd(*args, **options):
    check_c(*args, **options, word=512)


def check_arm(circuit, x, counts, folder, tool, run, change=None):
    paths = export(circuit, "c", folder, driver=True, word=32)
    edit(paths[1], change)
    check_lines(execute(tool, run, build(tool, run, folder, paths[1:]), x.tobytes()).splitlines(), counts)


def check_verilog(circuit, x, counts, folder, tool, run, change=None):
    paths = export(circuit, "verilog", folder, samples=x)
    edit(paths[0], change)
    # The testbench compares with its vectors; these are held against the model.
    width = to_gate_level(circuit, encoder=True, head=True).outputs[0][1]
    n_inputs = int(re.findall(r"input wire \[(\d+):0\]", paths[0].read_text())[0]) + 1
    vectors = [int(line, 16) >> n_inputs & (1 << width) - 1 for line in paths[2].read_text().split()]
    np.testing.assert_array_equal(vectors, classes(counts))
    assert not run(tool("verilator"), "--lint-only", "-Wall", paths[0].name, cwd=folder)
    run(tool("iverilog"), "-g2001", "-o", "tb.vvp", "model.v", "model_tb.v", cwd=folder)
    assert run(tool("vvp"), "-n", "tb.vvp", cwd=folder).strip() == f"PASS {len(x)} samples"


def check_stream(circuit, x, counts, folder, tool, run, change=None):
    paths = export(circuit, "verilog", folder, samples=x, pipeline=2, stream=True)
    edit(paths[0], change)
    width = to_gate_level(circuit, encoder=True, head=True).outputs[0][1]
    n_inputs = int(re.findall(r"input wire \[(\d+):0\]", paths[0].read_text())[0]) + 1
    vectors = [int(line, 16) >> n_inputs & (1 << width) - 1 for line in paths[3].read_text().split()]
    np.testing.assert_array_equal(vectors, classes(counts))
    assert not run(tool("verilator"), "--lint-only", "-Wall", "model_stream.v", "model.v", cwd=folder)
    sources = ["model.v", "model_stream.v", "model_stream_tb.v"]
    run(tool("iverilog"), "-g2001", "-Wall", "-o", "tb.vvp", *sources, cwd=folder)
    assert run(tool("vvp"), "-n", "tb.vvp", cwd=folder).strip() == f"PASS {len(x)} samples"


def check_aiger(circuit, x, counts, folder, tool, run, change=None):
    (path,) = export(circuit, "aiger", folder)
    edit(path, change)
    run_abc("read_aiger model.aig; strash; dc2; write_blif back.blif", folder, 60)
    back = from_blif(folder / "back.blif", like=circuit)
    np.testing.assert_array_equal(slow_counts(back, slow_encode(circuit, x)), counts)


def check_blif(circuit, x, counts, folder, tool, run, change=None):
    (path,) = export(circuit, "blif", folder)
    edit(path, change)
    # Without an output that it depends on, yosys keeps an input all the same; only their order must be the bus's.
    run_yosys(
        ["read_blif -wideports model.blif", "hierarchy -auto-top", "simplemap", "aigmap", "write_aiger back.aig"],
        folder,
        60,
    )
    back = from_aiger(folder / "back.aig", like=circuit)
    np.testing.assert_array_equal(slow_counts(back, slow_encode(circuit, x)), counts)


def check_html(circuit, x, counts, folder, tool, run, change=None):
    (path,) = export(circuit, "html", folder)
    edit(path, change)
    got = run_page(tool, run, path, x)
    np.testing.assert_array_equal(got, np.column_stack([classes(counts), counts]))


def broken_aiger(data):
    """Another literal for the first output."""
    header, rest = data.split(b"\n", 1)
    first, rest = rest.split(b"\n", 1)
    return header + b"\n" + str(int(first) ^ 1).encode() + b"\n" + rest


EXPORTERS = {
    "c": (check_c, lambda text: text.replace(" ^ g", " | g").replace(" & ", " | ", 40)),
    "simd": (check_simd, lambda text: text.replace(" ^ g", " | g").replace(" & ", " | ", 40)),
    "arm": (check_arm, lambda text: text.replace(" ^ g", " | g").replace(" & ", " | ", 40)),
    "verilog": (check_verilog, lambda text: re.sub(r"(wire w\d+ = .*) \^ ", r"\1 | ", text)),
    "stream": (check_stream, lambda text: re.sub(r"(wire w\d+ = .*) \^ ", r"\1 | ", text)),
    "aiger": (check_aiger, broken_aiger),
    "blif": (check_blif, lambda text: text.replace("\n10 1\n01 1\n", "\n10 1\n").replace("\n01 1\n10 1\n", "\n10 1\n")),
    "html": (check_html, lambda code: code.replace("(B[g] & y)", "(B[g] & x)")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_what_is_exported_equals_the_model(case, tool, run, tmp_path, exporter, kind):
    circuit, x, counts = case(kind)
    EXPORTERS[exporter][0](circuit, x, counts, tmp_path, tool, run)


def test_the_cases_are_what_they_are_called(case):
    counts = case("ties")[2]
    assert np.any(np.sum(counts == counts.max(axis=1, keepdims=True), axis=1) > 1)
    circuit = case("constants in outputs")[0]
    of_outputs = circuit.gate[circuit.outputs - circuit.n_inputs]
    assert {int(Gate.FALSE), int(Gate.TRUE)} <= set(of_outputs.tolist())
    assert case("one gate")[0].n_gates == 1
    assert case("no gate")[0].n_gates == 0
    for kind in ("MNIST dense", "MNIST conv", "CIFAR conv", "tabular"):
        assert len(set(classes(case(kind)[2]).tolist())) > 1


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_broken_export_is_caught(case, tool, run, tmp_path, exporter):
    circuit, x, counts = case("MNIST dense")
    check, change = EXPORTERS[exporter]
    with pytest.raises(AssertionError, match=r"Arrays are not equal|FAIL sample"):
        check(circuit, x, counts, tmp_path, tool, run, change)
