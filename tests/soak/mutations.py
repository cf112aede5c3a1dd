"""Circuits and exported files that were changed: `verify` may call them equal only if a simulation finds them equal.

Kinds: circuit, blif, verilog, pipeline. iverilog judges, on all inputs; it gets BLIF from ABC, which reads it on its own.
A file that `verify` refuses needs no judge: refusing is always allowed.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewright import Circuit, verify
from gatewright.circuit import Encoder, Head
from gatewright.errors import GatewrightError, ToolError
from gatewright.formats import export
from gatewright.runtime.abc import find_abc
from gatewright.runtime.programs import run_yosys
from soak.harness import Failure, doing, main, unexpected
from soak.mutator import Rng, one
from soak.simulation import computes, run
from support.circuits import random_circuit, slow_classes, slow_encode, slow_outputs


@dataclass(frozen=True)
class Original:
    """A circuit, and what its export must compute.

    Attributes:
        circuit: The circuit.
        table: The value of the output port for every value of the input port.
        names: Of the two ports.
        sizes: Of the two ports, in bits.
    """

    circuit: Circuit
    table: npt.NDArray[np.int64]
    names: tuple[str, str]
    sizes: tuple[int, int]


def original(rng: Rng) -> Original:
    """A small random circuit: bare gates, or from a byte to a class."""
    seed = int(rng.integers(2**32))
    if rng.random() < 0.7:
        n = int(rng.integers(2, 7))
        circuit = random_circuit(seed, n, int(rng.integers(4, 14)), int(rng.integers(1, 4)), head=False, encoder=False)
        bits = np.arange(1 << n)[:, None] >> np.arange(n) & 1
        outputs = slow_outputs(circuit, bits)
        table = (outputs << np.arange(circuit.n_outputs)).sum(axis=1)
        return Original(circuit, table, ("bits", "outputs"), (n, circuit.n_outputs))
    n, k = int(rng.integers(2, 6)), int(rng.integers(2, 4))
    bare = random_circuit(seed, n, int(rng.integers(6, 14)), 6, head=False, encoder=False)
    encoder = Encoder(np.zeros(n, int), rng.integers(0, 257, n), (1,), "uint8")
    circuit = bare.replace(encoder=encoder, head=Head(rng.integers(0, k, 6), rng.integers(-1, 2, k)))
    table = slow_classes(circuit, slow_encode(circuit, np.arange(256)[:, None]))
    return Original(circuit, table, ("features", "class_index"), (8, max(1, (k - 1).bit_length())))


# --- changes of Verilog


def _sub(rng: Rng, text: str, pattern: str, new: Callable[[re.Match[str]], str]) -> str:
    """Replace one match of many."""
    matches = list(re.finditer(pattern, text))
    if not matches:
        return text
    match = one(rng, matches)
    return text[: match.start()] + new(match) + text[match.end() :]


_BODY = r"(?m)^(?:wire \w+|assign [\w\[\]]+) = .*;$"


def _operator(rng: Rng, text: str) -> str:
    return _sub(rng, text, r" [&|^] ", lambda m: f" {one(rng, '&|^')} ")


def _inverse(rng: Rng, text: str) -> str:
    return _sub(rng, text, r"(?<== )~?(?=[\w(])|(?<=[&|^] )~?(?=\w)", lambda m: "" if m[0] else "~")


def _operand(rng: Rng, text: str) -> str:
    names = sorted(set(re.findall(r"\bw\d+\b|\br\d+_\d+\b|\b(?:bits|features)\[\d+\]", text))) or ["1'b0"]
    other = (*names, "1'b0", "1'b1", "1'bx", "1'bz", "undefined", "1", "2'b10")
    return _sub(rng, text, r"(?<=[=&|^~] )(?:w\d+|r\d+_\d+|\w+\[\d+\])", lambda m: str(one(rng, other)))


def _dropped(rng: Rng, text: str) -> str:
    return _sub(rng, text, _BODY + r"|(?m:^    r\w+ <= .*;$)|(?m:^reg \w+;$)", lambda m: "")


def _twice(rng: Rng, text: str) -> str:
    return _sub(rng, text, r"(?m)^assign ([\w\[\]]+) = (.*);$", lambda m: f"{m[0]}\nassign {m[1]} = ~({m[2]});")


def _ranges(rng: Rng, text: str) -> str:
    return _sub(rng, text, r"\[(\d+)(?=:|\])", lambda m: f"[{max(0, int(m[1]) + int(one(rng, (-1, 1))))}")


_STATE = (
    "reg l; always @* if ({c}) l = {v};",
    "reg l; always @(posedge {c}) l <= {v};",
    "reg l; always @(posedge {c} or negedge {c}) l <= {v};",
    "reg l; initial l = 1; always @(posedge {c}) l <= {v};",
    "reg l = 1'b1; always @* if ({c}) l = {v};",
    "reg l; always @* begin l = {v}; if ({c}) l = 1'bx; end",
    "reg l; initial l = {v};",
    "reg l; always @(*) case ({c}) 1'b1: l = {v}; endcase",
    "wire l = {c} ? {v} : 1'bz;",
    "wire l = {c} ? {v} : 1'bx;",
    "wire l; bufif1 (l, {v}, {c});",
    "wire l; assign l = {v}; assign l = {c};",
    "reg l; always @(posedge {c}, posedge {v}) if ({v}) l <= 1; else l <= 0;",
    "wire l; assign l = ({v} & {c}) | (l & ~{c});",
    "tri1 l; assign l = {c} ? {v} : 1'bz;",
    "reg l; always @({c}) l = {v};",
    "reg l; always @* if ({c}) l = {v}; else l = {v};",
    "reg l; always @* begin l = 0; if ({v}) l = 1; end",
    "wire l = ({c} & {v}) | (~{c} & {v});",
)
"""A value `l` made of a value and a control: with memory, without a driver, or (the last ones) harmless."""


def _state(rng: Rng, text: str) -> str:
    controls = sorted(set(re.findall(r"\b(?:bits|features)\[\d+\]|\bw\d+\b", text))) or ["1'b1"]
    controls += ["clk"] * len(controls) if re.search(r"\binput wire clk\b", text) else []
    name = f"l{len(text)}"  # a second change of the text gets another one
    made = re.sub(r"\bl\b", name, str(one(rng, _STATE)))
    # A block without signals that could wake it up never runs in a simulation, so constants stay as they are.
    pattern = r"(?m)^assign ([\w\[\]]+) = (?!1'b)(.*);$"
    return _sub(rng, text, pattern, lambda m: f"{made.format(c=one(rng, controls), v=m[2])}\nassign {m[1]} = {name};")


def _clocked(rng: Rng, text: str) -> str:
    data = str(one(rng, re.findall(r"\b(?:bits|features)\[\d+\]", text) or ["clk"]))
    change = one(
        rng,
        (
            ("posedge clk", "negedge clk"),
            ("posedge clk", "posedge clk or negedge clk"),
            ("posedge clk", f"posedge {data}"),
            ("posedge clk", "clk"),
            ("posedge clk", f"posedge clk or posedge {data}"),
            ("(posedge clk) begin", f"(posedge clk) if ({data}) begin"),
            (" <= ", " = "),
            ("input wire clk", "input wire clk2, input wire clk"),
        ),
    )
    text = text.replace(*change)
    if "clk2" in text:  # one register gets a clock of its own
        moved = re.search(r"(?m)^    (r\w+ <= .*;)$", text)
        text = (
            text.replace(moved[0], "", 1).replace("endmodule", f"always @(posedge clk2) {moved[1]}\nendmodule")
            if moved
            else text
        )
    return text


def _started(rng: Rng, text: str) -> str:
    return _sub(rng, text, r"(?m)^reg (\w+);$", lambda m: f"reg {m[1]} = 1'b{one(rng, '01x')};")


def _delayed(rng: Rng, text: str) -> str:
    late = "reg late; always @(posedge clk) late <= {};\n"
    return _sub(rng, text, r"(?m)^assign ([\w\[\]]+) = (.*);$", lambda m: late.format(m[2]) + f"assign {m[1]} = late;")


def _two_tops(rng: Rng, text: str) -> str:
    other = str(
        one(
            rng,
            (
                text.replace("module model", "module other"),
                "module other (input wire a, output wire y); assign y = a; endmodule\n",
            ),
        )
    )
    return text + other if rng.random() < 0.5 else other + text


def _no_outputs(rng: Rng, text: str) -> str:
    return _sub(rng, text, r"output wire", lambda m: str(one(rng, ("input wire", "inout wire"))))


VERILOG = (
    *(_operator, _inverse, _operand, _dropped, _twice, _ranges, _state, _state),
    *(_two_tops, _no_outputs),
)
PIPELINE = (*VERILOG[:-2], _clocked, _clocked, _clocked, _started, _delayed)


# --- changes of BLIF


def _rows(rng: Rng, text: str) -> str:
    if rng.random() < 0.3:  # a row goes, but not the last one: other programs disagree about tables without rows
        return _sub(rng, text, r"(?m)(?<= 1\n)[01-]+ 1\n", lambda m: "")
    swapped = {48: 49, 49: 48}
    changes = (lambda row: row.translate(swapped), lambda row: row.replace("0", "-"), lambda row: row[:-1] + "0")
    return _sub(rng, text, r"(?m)^[01-]+ ?1$", lambda m: one(rng, changes)(m[0]))


def _names(rng: Rng, text: str) -> str:
    names = re.findall(r"(?:bits|features)\[\d+\]|\bn\d+\b", text)
    return _sub(rng, text, r"(?:bits|features)\[\d+\]|\bn\d+\b", lambda m: str(one(rng, names)))


def _statement(rng: Rng, text: str) -> str:
    return _sub(rng, text, r"(?m)^\.\w+.*$", lambda m: "")


def _latch(rng: Rng, text: str) -> str:
    tail = str(
        one(
            rng,
            ("", " 0", " 1", " 2", " 3", " re clk 0", " fe clk 1", " al {c} 0", " ah {c} 1", " re {c} 2", " as clk"),
        )
    )
    tail = tail.format(c=one(rng, re.findall(r"(?:bits|features)\[\d+\]", text) or ["clk"]))
    return _sub(rng, text, r"(?m)^\.names (\S+) (\S+)\n1 1$", lambda m: f".latch {m[1]} {m[2]}{tail}")


def _separator(rng: Rng, text: str) -> str:
    odd = str(one(rng, ("\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r", "\\\n", "\0", "\t")))
    return _sub(
        rng,
        text,
        r"(?m)^[01-]+ ?1$",
        lambda m: str(
            one(
                rng,
                (
                    f"# note{odd}{m[0]}",
                    f"{m[0]} # note{odd}{m[0].translate({48: 49, 49: 48})}",
                    m[0] + odd.strip("\\\n"),
                ),
            )
        ),
    )


def _statement_added(rng: Rng, text: str) -> str:
    added = one(
        rng,
        (
            ".exdc",
            ".end",
            ".model two",
            ".outputs more",
            ".inputs more",
            ".names more",
            ".wire_load_slope 1",
            ".clock c",
            ".area 1",
        ),
    )
    return _sub(rng, text, r"(?m)^\.(?:names|end|inputs).*$", lambda m: f"{added}\n{m[0]}")


BLIF = (_rows, _names, _statement, _latch, _separator, _statement_added)


# --- judges


def judge_verilog(path: Path, of: Original, rng: Rng) -> bool | None:
    """What iverilog says of a module; a file with two that nothing contains computes nothing in particular."""
    source = re.sub(r"//[^\n]*", "", path.read_bytes().decode())
    if len(re.findall(r"\bmodule\s+\w+", source)) != 1:
        return False
    return computes(path, "model", (f".{of.names[0]}(x)", f".{of.names[1]}(y)"), of.table, of.sizes, rng)


def judge_blif(path: Path, of: Original, rng: Rng) -> bool | None:
    """What iverilog says of what ABC (or, where that gives up, yosys) reads."""
    judge = path.parent / "judge.v"
    text = path.read_bytes().decode()
    if ".model" not in text:  # may be left out, but makes ABC crash
        path.write_bytes(f".model model\n{text}".encode())
    run(find_abc() or "abc", "-q", f"read_blif {path.name}; write_verilog judge.v", folder=path.parent)
    if not judge.exists():  # ABC knows no empty tables
        try:
            run_yosys([f"read_blif {path.name}", "write_verilog -noattr judge.v"], path.parent, 30)
        except ToolError:
            return None
    text = judge.read_text()
    module = re.search(r"(?m)^module (\S+)", text)
    inputs = [f".\\{of.names[0]}[{i}] (x[{i}])" for i in range(of.sizes[0]) if f"\\{of.names[0]}[{i}] " in text]
    outputs = [f".\\{of.names[1]}[{i}] (y[{i}])" for i in range(of.sizes[1])]
    if module is None:
        return None
    return computes(judge, module[1], (", ".join(inputs), ", ".join(outputs)), of.table, of.sizes, rng)


def changed_circuit(rng: Rng, circuit: Circuit) -> Circuit:
    """Another gate, operand or output."""
    gate, a, b, outputs = (np.array(x) for x in (circuit.gate, circuit.a, circuit.b, circuit.outputs))
    at = int(rng.integers(len(gate)))
    match int(rng.integers(3)):
        case 0:
            gate[at] = rng.integers(1, 15)
        case 1:
            a[at] = rng.integers(circuit.n_inputs + at)
        case 2:
            outputs[rng.integers(len(outputs))] = rng.integers(circuit.n_nodes)
    constant = (gate == 0) | (gate == 15)
    return circuit.replace(gate=gate, a=np.where(constant, 0, a), b=np.where(constant, 0, b), outputs=outputs)


def case(rng: Rng, only: Sequence[str]) -> str:
    """One change of one circuit or file."""
    kind = str(one(rng, [k for k in ("circuit", "blif", "verilog", "pipeline") if not only or k in only]))
    of = original(rng)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        if kind == "circuit":
            what, mutant = "gate", changed_circuit(rng, of.circuit)
            (path,) = export(mutant, "verilog", folder)
            other: Circuit | Path = mutant
        else:
            options = {
                "encoder": True,
                "head": True,
                **({"pipeline": int(rng.integers(1, 4))} if kind == "pipeline" else {}),
            }
            (path,) = export(of.circuit, kind.replace("pipeline", "verilog"), folder, **options)
            change = one(rng, {"blif": BLIF, "verilog": VERILOG, "pipeline": PIPELINE}[kind])
            what, other = change.__name__.strip("_"), path
            text = path.read_bytes().decode()
            for _ in range(int(rng.integers(1, 3))):
                text = change(rng, text)
            path.write_bytes(text.encode())
        doing(f"{kind}, {what}")
        try:
            equal = verify(of.circuit, other, timeout=30).equal
        except GatewrightError:
            return f"{kind} refused"
        except Exception as error:
            raise unexpected(f"{kind}, {what}", error) from error
        if equal is None:
            return f"{kind} not decided"
        truth = (judge_blif if kind == "blif" else judge_verilog)(path, of, rng)
        shown = "" if kind == "circuit" else path.read_bytes().decode()[-300:]
    if truth is None:
        if equal:
            raise Failure(f"{kind}, {what}: verify says equal of what the judge cannot read", shown)
        return f"{kind} not judged"
    if equal and not truth:
        raise Failure(f"{kind}, {what}: FALSE PROOF", shown)
    if truth and not equal and not (kind == "circuit" and of.circuit.head):  # circuits are equal if their scores are
        raise Failure(f"{kind}, {what}: refuted, but equal", shown)
    return f"{kind} {'equal' if equal else 'different'}"


if __name__ == "__main__":
    sys.exit(main("mutations", case))
