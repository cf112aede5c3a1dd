"""Microcontrollers: the cross-compiled C export under qemu against the slow evaluation, and what it takes."""

import json

import numpy as np
import pytest

from gatewright.circuit import save_circuit
from gatewright.errors import OptionError, ToolError
from gatewright.formats import to_c
from gatewright.formats.c import LONGEST
from gatewright.formats.c.functions import split_into_functions
from gatewright.hardware import CORES, Core, footprint
from gatewright.runtime import programs as tools_module
from support.circuits import random_circuit, random_features, slow_classes, slow_counts, slow_encode, slow_outputs
from support.commands import gatewright
from support.cortex import build, execute


@pytest.mark.slow
@pytest.mark.parametrize("word", [8, 32])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
def test_the_compiled_code_classifies_as_it_should(tool, run, tmp_path, word, dtype):
    circuit = random_circuit(word, 30, 400, 80, dtype=dtype, classes=5)
    paths = to_c(circuit, tmp_path, word=word, driver=True)
    program = build(tool, run, tmp_path, paths[1:])
    x = random_features(circuit, 100)
    bits = slow_encode(circuit, x)
    wanted = np.column_stack([slow_classes(circuit, bits), slow_counts(circuit, bits)])
    got = [[int(n) for n in line.split()] for line in execute(tool, run, program, x.tobytes()).splitlines()]
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.slow
def test_outputs_without_head_and_a_broken_program(tool, run, tmp_path):
    circuit = random_circuit(3, 20, 200, 40, head=False, encoder=False)
    paths = to_c(circuit, tmp_path, word=32, driver=True)
    bits = np.random.default_rng(0).random((70, 20)) < 0.5
    wanted = ["".join(map(str, row)) for row in slow_outputs(circuit, bits).astype(int)]
    assert execute(tool, run, build(tool, run, tmp_path, paths[1:]), bits.tobytes()).split() == wanted
    text = paths[1].read_text()
    assert " ^ " in text
    paths[1].write_text(text.replace(" ^ ", " | "))
    assert execute(tool, run, build(tool, run, tmp_path, paths[1:]), bits.tobytes()).split() != wanted


@pytest.mark.slow
@pytest.mark.parametrize("core", list(CORES))
def test_footprint_on_every_core(tool, core):
    tool("arm-none-eabi-gcc")
    circuit = random_circuit(5, 40, 600, 90, dtype="float32", classes=6)
    taken = {word: footprint(circuit, core, word=word) for word in (8, 32)}
    assert 1000 < taken[32].flash < 30_000
    assert 0 < taken[32].stack < 2000
    assert 0 < taken[8].ram < taken[32].ram
    assert taken[32].compiler.startswith("arm-none-eabi-gcc ")


@pytest.mark.slow
def test_ram_is_the_workspace(tool):
    tool("arm-none-eabi-gcc")
    # Simplified already, so that its sizes are known here: all gates live, no constants.
    n = 50
    circuit = random_circuit(1, n, 0, 0, encoder=False, head=False).replace(
        gate=np.full(n, 6), a=np.arange(n), b=(np.arange(n) + 1) % n, outputs=n + np.arange(n)
    )
    slots = split_into_functions(circuit, LONGEST).n_slots
    assert footprint(circuit, "cortex-m4", word=32).ram == 4 * (n + n + max(1, slots))


@pytest.mark.slow
def test_every_kind_of_interface_links_without_a_library(tool):
    tool("arm-none-eabi-gcc")
    for head in (False, True):
        for encoder in (False, True):
            assert footprint(random_circuit(9, 30, 300, 40, head=head, encoder=encoder)).flash > 100


@pytest.mark.slow
def test_the_command(tool, tmp_path):
    tool("arm-none-eabi-gcc")
    circuit = random_circuit(9)
    save_circuit(circuit, tmp_path / "c.gw")
    done = gatewright("synth", tmp_path / "c.gw", "--target", "cortex-m4", "--word", 8, "--json")
    assert done.code == 0
    assert json.loads(done.out) == {"file": str(tmp_path / "c.gw"), **footprint(circuit, word=8).as_dict()}
    shown = gatewright("synth", tmp_path / "c.gw", "--target", "cortex-m4")
    assert f"{footprint(circuit).flash:,} bytes" in shown.out


def test_a_core_with_another_compiler_can_be_added_from_outside(monkeypatch, tmp_path):
    """A stand-in for a cross compiler: the options of the core arrive, and the sizes are read from its own tools."""
    (tmp_path / "other-gcc").write_text('#!/bin/sh\necho "$@" >> "$LOG"\ncase "$1" in -dump*) echo 9.8.7;; esac\n')
    (tmp_path / "other-size").write_text("#!/bin/sh\necho text data bss\necho 100 20 3\n")
    for name in ("other-gcc", "other-size"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setitem(CORES, "other", Core(("-mother",), "other", "the other compiler"))
    taken = footprint(random_circuit(1), "other")
    assert (taken.target, taken.flash, taken.ram, taken.compiler) == ("other", 120, 23, "other-gcc 9.8.7")
    assert (tmp_path / "log").read_text().count("-mother") == 2
    (tmp_path / "other-gcc").unlink()
    with pytest.raises(ToolError, match=r"other-gcc is not on PATH.*install the other compiler"):
        footprint(random_circuit(1), "other")


def test_mistakes_are_explained(monkeypatch):
    circuit = random_circuit(1)
    with pytest.raises(OptionError, match="did you mean 'cortex-m4'"):
        footprint(circuit, "cortexm4")
    monkeypatch.setattr(tools_module.shutil, "which", lambda _name: None)
    with pytest.raises(ToolError, match="apt-get install gcc-arm-none-eabi"):
        footprint(circuit)
