"""Verilog: linted without a warning, simulated by a foreign simulator, held against the slow evaluation."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewright.circuit.adders import ADDERS
from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.errors import DtypeError, OptionError, ShapeError, UnsupportedError
from gatewright.formats import to_verilog
from gatewright.formats.names import VERILOG_INSIDE, VERILOG_KEYWORDS
from gatewright.verification import verify
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


@pytest.fixture
def simulate(tool, run):
    """`simulate(folder)`: what the testbench prints, compiled by iverilog without a warning."""
    iverilog, vvp = tool("iverilog"), tool("vvp")

    def go(folder, name="model"):
        run(iverilog, "-g2001", "-Wall", "-o", "tb.vvp", f"{name}.v", f"{name}_tb.v", cwd=folder)
        return run(vvp, "-n", "tb.vvp", cwd=folder).strip()

    return go


@pytest.fixture
def simulate_stream(tool, run):
    """`simulate_stream(folder)`: what the testbench of the handshakes prints."""
    iverilog, vvp = tool("iverilog"), tool("vvp")

    def go(folder, name="model"):
        sources = [f"{name}.v", f"{name}_stream.v", f"{name}_stream_tb.v"]
        run(iverilog, "-g2001", "-Wall", "-o", "stream.vvp", *sources, cwd=folder)
        return run(vvp, "-n", "stream.vvp", cwd=folder).strip()

    return go


@pytest.fixture
def lint(tool, run):
    """`lint(folder)`: verilator with all warnings finds nothing to say."""
    verilator = tool("verilator")

    def go(folder, *sources):
        assert not run(verilator, "--lint-only", "-Wall", *(sources or ["model.v"]), cwd=folder)

    return go


def vectors(circuit, n, *, encoder=True, seed=0):
    """Samples in the form that the module with or without encoder takes, and their bits."""
    if encoder and circuit.encoder is not None:
        x = random_features(circuit, n, seed)
        return x, slow_encode(circuit, x)
    bits = np.random.default_rng(seed).random((n, circuit.n_inputs)) < 0.5
    return bits, bits


def read_vectors(folder, n_inputs, n_outputs):
    """Inputs and outputs, bool, that the testbench holds the module against."""
    lines = (folder / "model_vectors.hex").read_text().split()
    numbers = [int(line, 16) for line in lines]
    bits = np.array([[v >> i & 1 for i in range(n_inputs + n_outputs)] for v in numbers], bool)
    return bits[:, :n_inputs], bits[:, n_inputs:]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuits, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0, 0, 1, 3]))
def test_simulation_equals_slow_evaluation(simulate, lint, tmp_path_factory, circuit, encoder, head, scores, pipeline):
    folder = tmp_path_factory.mktemp("verilog")
    has_head = head and circuit.head is not None
    if not has_head and circuit.n_outputs == 0:
        with pytest.raises(UnsupportedError, match="no outputs"):
            to_verilog(circuit, folder, head=head)
        return
    samples, bits = vectors(circuit, 20, encoder=encoder)
    options = {"encoder": encoder, "head": head, "scores": scores and has_head, "pipeline": pipeline}
    paths = to_verilog(circuit, folder, samples=samples, **options)
    assert [path.name for path in paths] == ["model.v", "model_tb.v", "model_vectors.hex"]
    lint(folder)
    assert simulate(folder) == "PASS 20 samples"
    # The testbench is no better than its vectors: hold those against the slow evaluation.
    n_inputs = int((re.findall(r"input wire \[(\d+):0\]", paths[0].read_text()) or ["-1"])[0]) + 1
    widths = [int(w) + 1 for w in re.findall(r"output wire \[(\d+):0\]", paths[0].read_text())]
    _, outputs = read_vectors(folder, n_inputs, sum(widths))
    if has_head:
        index = outputs[:, : widths[0]] @ (1 << np.arange(widths[0]))
        np.testing.assert_array_equal(index, slow_classes(circuit, bits))
        if scores:
            base = int(re.search(r"\+ \((-?\d+)\) is the count", paths[0].read_text()).group(1))
            numbers = outputs[:, widths[0] :].reshape(20, circuit.head.n_classes, -1)
            got = numbers @ (1 << np.arange(numbers.shape[2])) + base
            np.testing.assert_array_equal(got, slow_counts(circuit, bits))
    else:
        np.testing.assert_array_equal(outputs, slow_outputs(circuit, bits))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
def test_every_type_of_features_at_its_limits(simulate, lint, tmp_path, dtype):
    if dtype == "float32":
        top = float(np.finfo(np.float32).max)
        limits = [-top, top, 0.0, -0.0, float(np.float32(1e-45)), float(np.float32(0.1))]
    else:
        low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        limits = [low - 1, low, low + 1, high, high + 1, 0]
    circuit = Circuit(40, [], [], [], np.arange(40), Encoder(np.arange(40) // 8, np.resize(limits, 40), (5,), dtype))
    to_verilog(circuit, tmp_path, samples=random_features(circuit, 60))
    lint(tmp_path)
    assert simulate(tmp_path) == "PASS 60 samples"


def test_ties_and_constant_outputs(simulate, lint, tmp_path):
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    to_verilog(TIES, tmp_path / "class", samples=bits, scores=True)
    lint(tmp_path / "class")
    assert simulate(tmp_path / "class") == "PASS 4 samples"
    to_verilog(TIES, tmp_path / "bits", samples=bits, head=False)
    lint(tmp_path / "bits")
    text = (tmp_path / "bits" / "model.v").read_text()
    assert "assign outputs[0] = 1'b0;" in text
    assert "assign outputs[6] = 1'b1;" in text
    assert simulate(tmp_path / "bits") == "PASS 4 samples"


def test_a_broken_export_is_caught(simulate, tmp_path):
    circuit = random_circuit(7, 20, 60, 40, classes=4)
    samples, _ = vectors(circuit, 200)
    module = to_verilog(circuit, tmp_path, samples=samples, scores=True)[0]
    assert simulate(tmp_path) == "PASS 200 samples"
    broken, n = re.subn(r"(wire w\d+ = .*) \^ ", r"\1 | ", module.read_text(), count=1)
    assert n == 1
    module.write_text(broken)
    assert re.match(r"FAIL sample \d+: got \w+, expected \w+\nFAIL \d+ of 200 samples", simulate(tmp_path))


@pytest.mark.parametrize("pipeline", [1, 2, 7, 100])
def test_registers_delay_by_their_number(simulate, lint, tmp_path, pipeline):
    circuit = random_circuit(3, 16, 120, 30, classes=3, dtype="int16")
    samples, _ = vectors(circuit, 50)
    module = to_verilog(circuit, tmp_path, name="piped", samples=samples, pipeline=pipeline)[0]
    lint(tmp_path, "piped.v")
    assert simulate(tmp_path, "piped") == "PASS 50 samples"
    assert len(re.findall(r"^reg ", module.read_text(), re.MULTILINE)) >= pipeline


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuits, st.booleans(), st.sampled_from([0, 1, 2, 5]))
def test_streams_wait_at_both_ends(simulate, simulate_stream, lint, tmp_path_factory, circuit, head, pipeline):
    folder = tmp_path_factory.mktemp("stream")
    if circuit.n_outputs == 0 and not (head and circuit.head is not None):
        return
    samples, _ = vectors(circuit, 60)
    options = {"head": head, "pipeline": pipeline, "stream": True}
    paths = to_verilog(circuit, folder, samples=samples, **options)
    names = ["model.v", "model_stream.v", "model_tb.v", "model_vectors.hex", "model_stream_tb.v"]
    assert [path.name for path in paths] == names
    lint(folder)
    lint(folder, "model_stream.v", "model.v")
    assert simulate(folder) == "PASS 60 samples"
    assert simulate_stream(folder) == "PASS 60 samples"


STREAM_MISTAKES = {
    "drops what waits": ("wire advance = out_ready | ~valid[2];", "wire advance = 1'b1 | (out_ready & 1'b0);"),
    "takes what it cannot": ("assign in_ready = advance & ~rst;", "assign in_ready = ~rst;"),
    "invents results": ("{valid[1:0], in_valid}", "{valid[1:0], 1'b1}"),
    "gives too early": ("assign out_valid = valid[2];", "assign out_valid = valid[1];"),
    "never gives": ("assign out_valid = valid[2];", "assign out_valid = 1'b0;"),
}


@pytest.mark.parametrize("mistake", STREAM_MISTAKES)
def test_mistakes_in_handshakes_are_caught(simulate_stream, tmp_path, mistake):
    circuit = random_circuit(7, 20, 60, 40, classes=4)
    samples, _ = vectors(circuit, 100)
    to_verilog(circuit, tmp_path, samples=samples, pipeline=3, stream=True, scores=True)
    assert simulate_stream(tmp_path) == "PASS 100 samples"
    path = tmp_path / "model_stream.v"
    good, bad = STREAM_MISTAKES[mistake]
    assert good in path.read_text()
    path.write_text(path.read_text().replace(good, bad))
    assert "FAIL" in simulate_stream(tmp_path)


def test_streams_give_a_sample_a_clock(tool, run, tmp_path):
    circuit = random_circuit(7, 20, 60, 40, classes=4)
    samples, _ = vectors(circuit, 30)
    to_verilog(circuit, tmp_path, samples=samples, pipeline=2, stream=True)
    bench = tmp_path / "model_stream_tb.v"
    text = bench.read_text().replace("$finish;", '$display("%0d", cycle);\n    $finish;')
    bench.write_text(text.replace("cycle % 128", "cycle % 1"))  # both ends always ready
    sources = ["model.v", "model_stream.v", bench.name]
    run(tool("iverilog"), "-g2001", "-Wall", "-o", "stream.vvp", *sources, cwd=tmp_path)
    assert run(tool("vvp"), "-n", "stream.vvp", cwd=tmp_path).split()[-1] == str(30 + 2)


@pytest.mark.parametrize(
    ("head", "scores", "ports"), [(True, False, "pix,cls"), (True, True, "x, y, z"), (False, False, "a,b")]
)
def test_ports_have_the_names_that_the_user_gives(simulate, simulate_stream, lint, tmp_path, head, scores, ports):
    circuit = random_circuit(3, 16, 120, 30, classes=3)
    samples, _ = vectors(circuit, 40)
    options = {"head": head, "scores": scores, "pipeline": 2, "stream": True, "samples": samples}
    module = to_verilog(circuit, tmp_path, name="top", ports=ports, **options)[0]
    lint(tmp_path, "top.v")
    lint(tmp_path, "top_stream.v", "top.v")
    assert simulate(tmp_path, "top") == simulate_stream(tmp_path, "top") == "PASS 40 samples"
    text = module.read_text()
    assert not re.findall(r"\b(?:features|bits|class_index|outputs|scores)\b", text.split("module top")[1])
    declared = re.findall(r"(?:input|output) wire \[\d+:0\] (\w+)", text)
    assert declared == ports.replace(" ", "").split(",")
    if head and not scores:  # then the numbers of bits say what the ports are
        to_verilog(circuit, tmp_path, name="top", ports=ports)
        proof = verify(circuit, module)
        assert proof.equal, proof.detail
        broken, n = re.subn(r"(assign \w+\[0\] = )", r"\1~", module.read_text())
        assert n == 1
        module.write_text(broken)
        assert verify(circuit, module).equal is False


def test_names_of_ports_that_mean_something_else_are_refused(tmp_path):
    circuit = random_circuit(1, classes=3)
    refused = {
        "pix": "1 names .*expected 2: for features, class_index",
        "pix,cls,more": "3 names",
        "reg,cls": "port 'reg' is a reserved word",
        "9pix,cls": "port is '9pix', expected a letter",
        "pix,": "port is ''",
        "pix,pix": "port 'pix' is the name of something else",
        "pix,w12": "port 'w12' is the name of something else",
        "clk,cls": "port 'clk' is the name",
        "pix,top": "port 'top' is the name",
        "pix;,cls": "port is 'pix;'",
    }
    for ports, message in refused.items():
        with pytest.raises(OptionError, match=message):
            to_verilog(circuit, tmp_path, name="top", ports=ports)
    with pytest.raises(OptionError, match="ports is 3, expected names"):
        to_verilog(circuit, tmp_path, ports=3)
    assert not list(tmp_path.iterdir())


def test_every_name_inside_of_the_files_is_known(tmp_path):
    """A port may have any name but those: what the files declare beside ports and modules is refused as one."""
    circuit = random_circuit(5, 8, 40, 12, classes=3)
    options = {"scores": True, "stream": True, "samples": random_features(circuit, 5)}
    for pipeline in (0, 2):
        for path in to_verilog(circuit, tmp_path, pipeline=pipeline, **options):
            if path.suffix == ".v":
                code = re.sub(r'//[^\n]*|"[^"]*"|\$\w+|\'[bdh]\w+', " ", path.read_text())
                names = set(re.findall(r"(?<![\w.])[A-Za-z]\w*", code)) - VERILOG_KEYWORDS - VERILOG_INSIDE
                left = {name for name in names if not re.fullmatch(r"w\d+|r\d+_\d+|model\w*|b\d*|h\w*", name)}
                assert left <= {"features", "class_index", "scores"}, (path.name, left)


@pytest.mark.parametrize("adders", ADDERS)
def test_each_kind_of_adders_is_proven_in_the_file(tmp_path, adders):
    circuit = random_circuit(3, 16, 120, 60, classes=3)
    (module,) = to_verilog(circuit, tmp_path, adders=adders)
    proof = verify(circuit, module)
    assert proof.equal, proof.detail


def test_bad_options_are_refused_by_name(tmp_path):
    circuit = random_circuit(1, n_outputs=5)
    for name in ("module", "2net", "a b", "net;", "logic"):
        with pytest.raises(OptionError, match="name"):
            to_verilog(circuit, tmp_path, name=name)
    with pytest.raises(OptionError, match="pipeline is -1"):
        to_verilog(circuit, tmp_path, pipeline=-1)
    with pytest.raises(OptionError, match="adders 'lut9'"):
        to_verilog(circuit, tmp_path, adders="lut9")
    with pytest.raises(OptionError, match="scores need a head"):
        to_verilog(circuit, tmp_path, head=False, scores=True)
    with pytest.raises(ShapeError):
        to_verilog(circuit, tmp_path, samples=np.zeros((3, 4), np.uint8))
    with pytest.raises(DtypeError):
        to_verilog(circuit, tmp_path, encoder=False, samples=np.zeros((3, 20), np.uint8))
    assert not list(tmp_path.iterdir())
