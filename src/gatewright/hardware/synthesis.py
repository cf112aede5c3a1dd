"""From a circuit to lookup tables, and onto a device: yosys and ABC map, nextpnr places and routes.

A circuit consists of gates and registers alone, so yosys runs only the parts of its flow that these need: flatten, map to
tables by ABC (`dc2; if; mfs2`; no `dc2` for the adders `lut4`), legalise flip-flops. On a trained MNIST network with head
(2,705 gates, adders `ops`) this gives 1,273 four-input tables in 1 s; yosys' complete flow for ice40 gives 1,363 in 10 s.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.cost import used_inputs
from gatewright.circuit.simplify import simplify
from gatewright.errors import OptionError, ToolError
from gatewright.formats.gate_level import GateLevel, to_gate_level
from gatewright.formats.verilog.module import to_verilog
from gatewright.hardware.density import choose_device, keep_empty
from gatewright.hardware.parts import parts_of
from gatewright.hardware.report import Figure, How, Part, Report
from gatewright.hardware.targets import TARGETS, Device, Target, find_pnr
from gatewright.runtime.programs import run_program, run_yosys

_SEED = 1
"""Seed of nextpnr: the same circuit gives the same layout."""

_GOAL_MHZ = 100
"""Clock that nextpnr aims at; the report gives the clock that it reaches, lower or higher."""


def synth(
    circuit: Circuit,
    target: str = "ecp5",
    *,
    pipeline: int = 0,
    adders: str = "",
    place: bool = True,
    timeout: float = 1800.0,
) -> Report:
    """Build a circuit for an FPGA, encoder and head included, and report what it takes.

    Args:
        circuit: Any circuit.
        target: A name in `TARGETS`: "ecp5" or "ice40" (placed and routed), "xilinx" (mapped, time estimated), "generic"
            (mapped to six-input tables), or one that was added.
        pipeline: Register stages inside the circuit, as in `to_verilog`.
        adders: Adders of the head, as in `to_verilog`; by default those that take the fewest tables of the target.
        place: Place and route if the target has devices; without, their clock stays unknown.
        timeout: Time limit for each run of a tool, in seconds.

    Raises:
        OptionError: The target or the kind of adders is unknown, or `pipeline` or `timeout` is out of range.
        UnsupportedError: The circuit has no outputs.
        MissingExtraError: pyosys (or the nextpnr wheel) is not installed.
        ToolError: A tool is missing, failed, or took too long, or the circuit does not fit the device.
    """
    family = TARGETS[target]
    if not timeout > 0:
        raise OptionError(f"timeout is {timeout!r}, expected seconds, more than 0")
    start = time.perf_counter()
    family = replace(family, adders=adders or family.adders)
    netlist = to_gate_level(circuit, encoder=True, head=True, adders=family.adders)
    if circuit.head is None:
        family = replace(family, adders="ops")  # nothing is added, so nothing limits the mapping
    pnr = find_pnr(family) if place and family.devices else None
    device: Device | None = None
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        parts = parts_of(simplify(circuit))
        modules = {"model": circuit, **{f"{part}_alone": alone for part, alone in parts.items()}}
        for module, each in modules.items():
            stages = pipeline if module == "model" else 0
            to_verilog(each, folder, name=module, adders=family.adders, pipeline=stages)
        mapped, tools = _map(modules, family, folder, timeout)
        cells: int | None = None
        fmax: float | None = None
        if pnr is not None:
            (folder / "top.v").write_text("\n".join(_top(netlist, pipeline)) + "\n", encoding="utf-8")
            registers = mapped["model"][1] + len(used_inputs(netlist.gates)) + 2 * netlist.gates.n_outputs
            needed = max(mapped["model"][0], registers)
            device = choose_device(family.devices, needed)
            cells, fmax = _place(family, device, needed, pnr, folder, timeout)
            printed = run_program([*pnr, "--version"], folder, timeout, name=family.pnr, stderr=True)
            tools[family.pnr] = (re.findall(r"[Vv]ersion (?:nextpnr-)?([\w.+-]+)", printed) or ["unknown"])[0]
    luts, flip_flops, depth = mapped["model"]
    how: How = "placed and routed"
    if fmax is None and family.level_ns is not None:
        fmax, how = 1000 / (family.level_ns * max(1, depth)), "estimated"
    return Report(
        target=target,
        device=None if device is None else device.name,
        pipeline=pipeline,
        table_inputs=family.table_inputs,
        luts=Figure(luts, "mapped"),
        flip_flops=Figure(flip_flops, "mapped"),
        depth=Figure(depth, "mapped"),
        cells=_figure(cells, "placed and routed"),
        fmax_mhz=_figure(fmax, how),
        latency_ns=_figure(1000 * (pipeline + 1) / fmax if fmax else None, how),
        throughput=_figure(1e6 * fmax if fmax else None, how),
        parts=_parts({part: mapped[f"{part}_alone"] for part in parts}),
        tools=tools,
        seconds=time.perf_counter() - start,
    )


def _figure(value: float | None, how: How) -> Figure | None:
    return None if value is None else Figure(value, how)


def _parts(mapped: dict[str, tuple[int, int, int]]) -> dict[str, Part]:
    total = sum(luts for luts, _, _ in mapped.values())
    return {
        name: Part(Figure(luts, "mapped"), Figure(luts / total if total else 0.0, "mapped"), Figure(depth, "mapped"))
        for name, (luts, _, depth) in mapped.items()
    }


def _map_commands(files: str, top: str, target: Target) -> Iterator[str]:
    """Commands of yosys from Verilog to lookup tables and flip-flops of the family."""
    if target.library:
        yield target.library
    yield f"read_verilog {files}"
    yield f"hierarchy -check -top {top}"
    yield from ("proc", "flatten")
    yield "delete t:$scopeinfo"  # remarks of flatten that place and route would take for cells
    yield from ("simplemap", "opt_clean")
    if target.synth:
        yield f"{target.synth} -run map_ffs:map_luts"
    rewrite = "" if target.adders == "lut4" else "dc2;"  # dc2 takes its pairs apart, and the tables with them
    yield f"abc -lut {target.table_inputs} -script +strash;{rewrite}if,-K,{target.table_inputs};mfs2"
    yield "opt_clean -purge"


def _map(
    modules: Mapping[str, Circuit], target: Target, folder: Path, timeout: float
) -> tuple[dict[str, tuple[int, int, int]], dict[str, str]]:
    """(Lookup tables, flip-flops, levels) of each module by name, and the version of yosys."""
    commands = []
    for name, circuit in modules.items():
        # The family's own cells have other names.
        generic = Target(target.table_inputs, adders=target.adders if circuit.head is not None else "ops")
        commands += ["design -reset", *_map_commands(f"{name}.v", name, generic)]
        commands += [f"tee -q -o {name}.stat stat -json", f"tee -q -o {name}.ltp ltp -noff"]
    run_yosys(commands, folder, timeout)
    result, version = {}, "unknown"
    for name in modules:
        stat = json.loads((folder / f"{name}.stat").read_text(encoding="utf-8"))
        version = (re.findall(r"[Yy]osys (\S+)", stat.get("creator", "")) or [version])[0]
        by_type: dict[str, int] = stat["design"]["num_cells_by_type"]
        other = [kind for kind in by_type if kind != "$lut" and "DFF" not in kind]
        if other:
            raise ToolError(f"yosys left cells that are neither tables nor flip-flops: {', '.join(other)}")
        flip_flops = sum(number for kind, number in by_type.items() if "DFF" in kind)
        lengths = re.findall(r"length=(\d+)", (folder / f"{name}.ltp").read_text(encoding="utf-8"))
        result[name] = by_type.get("$lut", 0), flip_flops, max(map(int, lengths), default=0)
    return result, {"yosys": version}


def _top(netlist: GateLevel, pipeline: int) -> Iterator[str]:
    """A module with the circuit between a shift register for its inputs, a register for its result, and one to read that.

    It has four pins, none of them on a path that the timing counts.
    """
    used = used_inputs(netlist.gates).tolist()
    n_inputs, n_outputs = netlist.gates.n_inputs, netlist.gates.n_outputs
    place = {node: f"in[{i}]" for i, node in enumerate(used)}
    bits = ", ".join(place.get(i, "1'b0") for i in reversed(range(n_inputs)))
    ports = [f".{name}({name})" for name, _ in netlist.outputs]
    yield "module top (input wire clk, input wire serial, input wire load, output wire out);"
    yield f"reg [{max(1, len(used)) - 1}:0] in;"
    yield f"reg [{n_outputs - 1}:0] held, read;"
    yield from (f"wire [{width - 1}:0] {name};" for name, width in netlist.outputs)
    yield f"wire [{n_outputs - 1}:0] result = {{{', '.join(name for name, _ in netlist.outputs)}}};"
    if n_inputs:
        yield f"wire [{n_inputs - 1}:0] given = {{{bits}}};"
        ports.append(f".{netlist.input_name}(given)")
    if pipeline:
        ports.append(".clk(clk)")
    yield f"model model ({', '.join(ports)});"
    yield "always @(posedge clk) begin"
    yield f"    in <= {{in[{len(used) - 2}:0], serial}};" if len(used) > 1 else "    in <= serial;"
    yield "    held <= result;"
    shifted = f"{{1'b0, read[{n_outputs - 1}:1]}}" if n_outputs > 1 else "1'b0"
    yield f"    read <= load ? held : {shifted};"
    yield "end"
    yield "assign out = read[0];"
    yield "endmodule"


def _place(
    target: Target, device: Device, needed: int, pnr: list[str | Path], folder: Path, timeout: float
) -> tuple[int, float | None]:
    """(Logic cells, highest clock in MHz) after placing and routing `top`, which needs so many cells, on a device."""
    to_cells = f"{target.synth} -run map_cells: -json top.json"
    run_yosys([*_map_commands("model.v top.v", "top", target), to_cells], folder, timeout)
    empty = keep_empty(folder / "top.json", device, needed)
    command: list[str | Path] = [*pnr, *device.options, *target.pnr_options, "--json", "top.json", "--top", "top"]
    command += ["--freq", str(_GOAL_MHZ), "--timing-allow-fail", "--seed", str(_SEED), "--report", "report.json", "-q"]
    run_program(command, folder, timeout, name=target.pnr)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    clocks = [float(clock["achieved"]) for clock in report["fmax"].values()]
    return int(report["utilization"][target.cell_name]["used"]) - empty, min(clocks) if clocks else None
