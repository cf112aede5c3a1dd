"""Names of modules, ports and everything else in generated Verilog: none that SystemVerilog or a tool has taken."""

import re

import pytest

from gatewright.errors import OptionError
from gatewright.formats import export
from gatewright.formats.names import VERILOG_KEYWORDS, VERILOG_RESERVED
from support.circuits import random_circuit, random_features

VERILOG_2001 = {
    *("always", "assign", "begin", "else", "end", "endmodule", "for", "if", "initial", "input", "integer", "module"),
    *("output", "parameter", "posedge", "reg", "wire"),
}
"""What generated code says with its keywords; all others of SystemVerilog are names that it must not use."""


@pytest.mark.parametrize("word", sorted(VERILOG_RESERVED))
def test_reserved_names_are_refused(word, tmp_path):
    with pytest.raises(OptionError, match=f"'{word}' is a reserved word"):
        export(random_circuit(1), "verilog", tmp_path, name=word)


@pytest.mark.parametrize("pipeline", [0, 2])
@pytest.mark.parametrize("whole", [False, True])
def test_generated_code_is_systemverilog_too(tmp_path, run, tool, pipeline, whole):
    circuit = random_circuit(5, 8, 40, 12, classes=3)
    samples = random_features(circuit, 5) if whole else random_features(circuit, 5).reshape(5, -1)[:, :1] > [99] * 8
    options = {"encoder": whole, "head": whole, "scores": whole, "pipeline": pipeline, "samples": samples}
    files = [path for path in export(circuit, "verilog", tmp_path, stream=True, **options) if path.suffix == ".v"]
    for path in files:
        code = re.sub(r'//[^\n]*|"[^"]*"', " ", path.read_text())
        used = set(re.findall(r"(?<![\w$'])[A-Za-z_]\w*", code)) & VERILOG_KEYWORDS
        assert used <= VERILOG_2001, (path.name, used - VERILOG_2001)
    sources = [path.name for path in files]
    for bench in ("model_tb", "model_stream_tb"):
        run(tool("iverilog"), "-g2012", "-Wall", "-s", bench, "-o", "tb.vvp", *sources, cwd=tmp_path)
        assert run(tool("vvp"), "-n", "tb.vvp", cwd=tmp_path).startswith("PASS")
