"""Small netlists of the kinds that EPFL, ISCAS and MCNC collect, written here: read, checked, simplified, proven, and back.

Each is text as such files have it (AND-inverter graphs of arithmetic, gate primitives, covers of two-level logic), and a
function of its inputs that says what it computes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import gatewright as gw
from gatewright.circuit.evaluate import evaluate

Bits = tuple[int, ...]


def number(bits: Bits) -> int:
    return sum(bit << i for i, bit in enumerate(bits))


def bits_of(value: int, width: int) -> Bits:
    return tuple(value >> i & 1 for i in range(width))


class Aag:
    """An AND-inverter graph in ASCII, as the arithmetic of EPFL's collection."""

    def __init__(self, n_inputs: int) -> None:
        self.n_inputs, self.ands = n_inputs, []
        self.inputs = [2 * (i + 1) for i in range(n_inputs)]

    def both(self, a: int, b: int) -> int:
        new = 2 * (self.n_inputs + len(self.ands) + 1)
        self.ands.append(f"{new} {max(a, b)} {min(a, b)}")
        return new

    def either(self, a: int, b: int) -> int:
        return self.both(a ^ 1, b ^ 1) ^ 1

    def differ(self, a: int, b: int) -> int:
        return self.both(self.both(a, b) ^ 1, self.either(a, b))

    def add(self, a: list[int], b: list[int], carry: int = 0) -> list[int]:
        total = []
        for x, y in zip(a, b, strict=True):
            half = self.differ(x, y)
            total.append(self.differ(half, carry))
            carry = self.either(self.both(x, y), self.both(half, carry))
        return [*total, carry]

    def text(self, outputs: list[int]) -> str:
        head = f"aag {self.n_inputs + len(self.ands)} {self.n_inputs} 0 {len(outputs)} {len(self.ands)}"
        return "\n".join([head, *map(str, [*self.inputs, *outputs]), *self.ands]) + "\n"


def adder() -> str:
    graph = Aag(9)
    return graph.text(graph.add(graph.inputs[:4], graph.inputs[4:8], graph.inputs[8]))


def multiplier() -> str:
    graph = Aag(8)
    a, b = graph.inputs[:4], graph.inputs[4:]
    low, total = [], [graph.both(x, b[0]) for x in a] + [0]
    for y in b[1:]:
        low.append(total[0])
        total = graph.add(total[1:], [graph.both(x, y) for x in a])
    return graph.text(low + total)


def verilog(inputs: int, outputs: list[str], gates: list[str]) -> str:
    """Gate primitives, as ISCAS' netlists are usually given."""
    names = [f"N{i}" for i in range(inputs)]
    wires = sorted({gate.split("(")[1].split(",")[0] for gate in gates} - set(outputs))
    lines = [
        f"module small({', '.join(names + outputs)});",
        f"input {', '.join(names)};",
        f"output {', '.join(outputs)};",
    ]
    lines += [f"wire {', '.join(wires)};"] * bool(wires)
    lines += [f"{gate.split('(')[0]} g{i} ({gate.split('(')[1]};" for i, gate in enumerate(gates)]
    return "\n".join([*lines, "endmodule", ""])


def nands() -> str:
    gates = ["nand(a,N0,N1)", "nand(b,N1,N2,N3)", "nand(c,b,N4)", "nand(P,a,c)", "nand(d,a,b)", "nand(Q,c,d)"]
    return verilog(5, ["P", "Q"], gates)


def parity() -> str:
    gates = [
        "xor(t0,N0,N1,N2)",
        "xnor(t1,N3,N4)",
        "xor(t2,N5,N6)",
        "not(t3,t1)",
        "xor(odd,t0,t3,t2,N7)",
        "not(even,odd)",
    ]
    return verilog(8, ["odd", "even"], gates)


def priority_encoder() -> str:
    """The number of the highest request of eight, and whether there is one."""
    gates = [f"not(n{i},N{i})" for i in range(8)]
    gates += [f"and(p{i},N{i}{''.join(f',n{j}' for j in range(i + 1, 8))})" for i in range(1, 7)] + ["buf(p7,N7)"]
    gates += [f"or(q{k},{','.join(f'p{i}' for i in range(8) if i >> k & 1)})" for k in range(3)]
    gates.append(f"or(any,{','.join(f'N{i}' for i in range(8))})")
    return verilog(8, ["q0", "q1", "q2", "any"], gates)


def blif(n_inputs: int, outputs: list[str], covers: list[str]) -> str:
    """Covers of cubes, as MCNC's two-level benchmarks."""
    names = " ".join(f"x{i}" for i in range(n_inputs))
    return "\n".join([".model small", f".inputs {names}", f".outputs {' '.join(outputs)}", *covers, ".end", ""])


def cover(n_inputs: int, output: str, cubes: list[str]) -> str:
    return "\n".join([f".names {' '.join(f'x{i}' for i in range(n_inputs))} {output}", *cubes])


def truth(n_inputs: int, output: str, rule: Callable[..., int]) -> str:
    rows = ["".join(map(str, row)) for row in itertools.product((0, 1), repeat=n_inputs) if rule(*row)]
    return cover(n_inputs, output, [f"{row} 1" for row in rows])


def decoder() -> str:
    outputs = [f"y{i}" for i in range(8)]
    return blif(4, outputs, [cover(4, f"y{i}", [f"{''.join(map(str, bits_of(i, 3)))}1 1"]) for i in range(8)])


def multiplexer() -> str:
    """Two select lines, four data lines."""
    cubes = ["001--- 1", "10-1-- 1", "01--1- 1", "11---1 1"]
    return blif(6, ["y"], [cover(6, "y", cubes)])


def comparator() -> str:
    """Two words of three bits: less, equal, greater, from the low bits up."""
    covers = []
    for i in range(3):
        below = f" e{i - 1} l{i - 1}" if i else ""
        rest = ("-1", "1-") if i else ("", "")
        covers.append(f".names x{i} x{i + 3}{f' e{i - 1}' if i else ''} e{i}\n00{'1' * bool(i)} 1\n11{'1' * bool(i)} 1")
        covers.append(
            f".names x{i} x{i + 3}{below} l{i}\n01{'--' * bool(i)} 1" + (f"\n00{rest[0]} 1\n11{rest[0]} 1" * bool(i))
        )
    covers += [".names l2 less\n1 1", ".names e2 equal\n1 1", ".names less equal greater\n1- 0\n-1 0"]
    return blif(6, ["less", "equal", "greater"], covers)


def ones() -> str:
    """How many of five inputs are set, in binary: the kind of rd53."""
    return blif(5, ["c0", "c1", "c2"], [truth(5, f"c{k}", lambda *x, k=k: sum(x) >> k & 1) for k in range(3)])


def seven_segments() -> str:
    shapes = [0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F]
    rules = [lambda *x, k=k: number(x) < 10 and shapes[number(x)] >> k & 1 for k in range(7)]
    return blif(4, [f"s{k}" for k in range(7)], [truth(4, f"s{k}", rule) for k, rule in enumerate(rules)])


def nand(*x: int) -> int:
    return int(not all(x))


def nands_say(x: Bits) -> Bits:
    a, b = nand(x[0], x[1]), nand(*x[1:4])
    c = nand(b, x[4])
    return nand(a, c), nand(c, nand(a, b))


def compared(x: Bits) -> Bits:
    a, b = number(x[:3]), number(x[3:])
    return int(a < b), int(a == b), int(a > b)


def segments(x: Bits) -> Bits:
    lit = ["abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg", *[""] * 6][
        number(x)
    ]
    return tuple(int(name in lit) for name in "abcdefg")


def highest(x: Bits) -> Bits:
    return (*bits_of(max((i for i in range(8) if x[i]), default=0), 3), int(any(x)))


KINDS: dict[str, tuple[str, Callable[[], str], int, Callable[[Bits], Bits]]] = {
    "adder": (".aag", adder, 9, lambda x: bits_of(number(x[:4]) + number(x[4:8]) + x[8], 5)),
    "multiplier": (".aag", multiplier, 8, lambda x: bits_of(number(x[:4]) * number(x[4:]), 8)),
    "nands": (".v", nands, 5, nands_say),
    "parity": (".v", parity, 8, lambda x: (sum(x) % 2, 1 - sum(x) % 2)),
    "priority encoder": (".v", priority_encoder, 8, highest),
    "decoder": (".blif", decoder, 4, lambda x: tuple(int(x[3] and number(x[:3]) == i) for i in range(8))),
    "multiplexer": (".blif", multiplexer, 6, lambda x: (x[2 + number(x[:2])],)),
    "comparator": (".blif", comparator, 6, compared),
    "ones": (".blif", ones, 5, lambda x: bits_of(sum(x), 3)),
    "seven segments": (".blif", seven_segments, 4, segments),
}


def again(circuit: gw.Circuit, folder) -> Iterator[gw.Circuit]:
    """The circuit, written and read in each format."""
    for format_, name in (("aiger", "model.aig"), ("blif", "model.blif"), ("verilog", "model.v")):
        gw.export(circuit, format_, folder)
        yield gw.import_network(folder / name)


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_simplified_and_proven(tmp_path, kind):
    suffix, write, n_inputs, says = KINDS[kind]
    path = tmp_path / f"small{suffix}"
    path.write_text(write())
    circuit = gw.import_network(path)
    rows = list(itertools.product((0, 1), repeat=n_inputs))
    assert np.array_equal(evaluate(circuit, np.array(rows, bool)), np.array([says(row) for row in rows], bool))
    small = gw.simplify(circuit)
    assert gw.cost(small).logic_ops <= gw.cost(circuit).logic_ops
    assert gw.prove(circuit, small).equal
    for read in again(small, tmp_path):
        assert gw.prove(small, read).equal
    assert gw.map_luts(small, 4).proof.equal
