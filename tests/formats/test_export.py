"""The one function in front of all formats."""

import subprocess
import sys

import pytest

from gatewright.circuit import save_circuit
from gatewright.errors import OptionError
from gatewright.formats import WRITERS, export, options_of
from gatewright.formats.expressions import EXPRESSIONS
from gatewright.gates import TRUTH
from support.circuits import random_circuit
from support.commands import gatewright


@pytest.mark.parametrize("name", list(WRITERS))
def test_every_format_writes_what_it_says(tmp_path, name):
    circuit = random_circuit(1)
    paths = export(circuit, name, tmp_path / "new" / "folder", name="net")
    assert paths
    assert sorted(paths) == sorted((tmp_path / "new" / "folder").iterdir())
    assert all(path.stem == "net" and path.stat().st_size for path in paths)
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in export(circuit, name, tmp_path / "new" / "folder", name="net")] == before


def test_unknown_formats_and_options_are_refused_with_the_nearest(tmp_path):
    circuit = random_circuit(1)
    with pytest.raises(OptionError, match=r"'verilg'; did you mean 'verilog'\? \(valid: aiger, blif, c"):
        export(circuit, "verilg", tmp_path)
    with pytest.raises(OptionError, match=r"option of the verilog export 'pipelin'; did you mean 'pipeline'"):
        export(circuit, "verilog", tmp_path, pipelin=1)


def to_sizes(circuit, directory, *, name="model", unit="gates"):
    """Write a circuit's size, as a format that is not gatewright's own."""
    path = directory / f"{name}.txt"
    path.write_text(f"{circuit.n_gates} {unit}\n")
    return [path]


def test_a_format_can_be_added_from_outside(tmp_path, monkeypatch):
    monkeypatch.setitem(WRITERS, "sizes", to_sizes)
    circuit = random_circuit(1)
    (path,) = export(circuit, "sizes", tmp_path, unit="ops")
    assert path.read_text() == "200 ops\n"
    assert dict(options_of("sizes")) == {"name": "model", "unit": "gates"}
    with pytest.raises(OptionError, match=r"option of the sizes export 'units'; did you mean 'unit'"):
        export(circuit, "sizes", tmp_path, units="ops")
    save_circuit(circuit, tmp_path / "c.gw")
    done = gatewright(
        "export",
        tmp_path / "c.gw",
        "--to",
        "sizes",
        "-o",
        tmp_path,
        "--set",
        "name=net",
        "--set",
        "unit=neurons",
        "--json",
    )
    assert done.json == {"files": {"sizes": [str(tmp_path / "net.txt")]}}
    assert (tmp_path / "net.txt").read_text() == "200 neurons\n"
    assert "sizes" in gatewright("export", tmp_path / "c.gw", "--to", "size", "-o", tmp_path).err


def test_what_is_no_format_is_refused():
    with pytest.raises(OptionError, match=r"export format 'c' exists already"):
        WRITERS["c"] = to_sizes
    with pytest.raises(OptionError, match=r"export format 'sizes' is 'text', expected: Callable"):
        WRITERS["sizes"] = "text"
    with pytest.raises(OptionError, match=r"export format: the name is 3, expected a text"):
        WRITERS[3] = to_sizes
    assert "sizes" not in WRITERS


@pytest.mark.parametrize("gate", range(16))
def test_expressions_are_the_gates(gate):
    for a in (0, 1):
        for b in (0, 1):
            value = eval(EXPRESSIONS[gate].format(a=a, b=b, zero=0, one=1)) & 1
            assert value == TRUTH[gate, a, b]


def test_engine_and_export_import_no_torch():
    code = "import sys, gatewright.engine, gatewright.formats; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
