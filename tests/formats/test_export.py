"""The one function in front of all formats."""

import subprocess
import sys

import pytest

from gatewright.errors import OptionError
from gatewright.formats import FORMATS, export
from gatewright.formats.expressions import EXPRESSIONS
from gatewright.gates import TRUTH
from support.circuits import random_circuit


@pytest.mark.parametrize("name", FORMATS)
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


@pytest.mark.parametrize("gate", range(16))
def test_expressions_are_the_gates(gate):
    for a in (0, 1):
        for b in (0, 1):
            value = eval(EXPRESSIONS[gate].format(a=a, b=b, zero=0, one=1)) & 1
            assert value == TRUTH[gate, a, b]


def test_engine_and_export_import_no_torch():
    code = "import sys, gatewright.engine, gatewright.formats; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
