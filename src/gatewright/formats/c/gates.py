"""The gates as straight-line C, in functions and sources that take compilers linear time and bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.circuit.circuit import Circuit
from gatewright.formats.c.functions import Functions
from gatewright.formats.c.word import Word
from gatewright.formats.expressions import EXPRESSIONS

LONGEST = 50
"""Most gates in one C function: gcc -O1 compiles this an eighth faster than 100, and a fourth faster than 2,000."""

LARGEST = 50_000
"""Most gates in one source: gcc -O1 keeps all of a source in memory, 6 kB per gate."""


def gate_sources(circuit: Circuit, split: Functions, name: str, word: Word) -> list[list[str]]:
    """Lines of the gates' functions, a list per source; the first source ends with `NAME_gates`."""
    writer = _Gates(circuit, split, name, word)
    functions = [f"{name}_gates_{f}" for f in range(len(split.starts) - 1)]
    each = LARGEST // LONGEST
    if len(functions) <= each:
        return [[*writer.functions(0, len(functions)), *writer.entry(functions)]]
    calls, parts = [], []
    for part, first in enumerate(range(0, len(functions), each)):
        last = min(first + each, len(functions))
        calls.append(f"{name}_gates_part_{part}")
        prototype = f"void {calls[-1]}({writer.arguments})"
        lines = [*writer.functions(first, last), *writer.caller(prototype, functions[first:last]), "}"]
        parts.append([f'#include "{name}.h"\n', f"{prototype};\n", *lines])
    prototypes = [f"void {call}({writer.arguments});" for call in calls]
    return [[*prototypes, "", *writer.entry(calls)], *parts]


class _Gates:
    """Writes the functions of a circuit."""

    def __init__(self, circuit: Circuit, split: Functions, name: str, word: Word) -> None:
        self.arguments = f"const {word.name} *restrict x, {word.name} *restrict y, {word.name} *restrict v"
        self._name, self._word, self._split = name, word, split
        self._n_inputs = circuit.n_inputs
        self._function, self._slot = split.function.tolist(), split.slot.tolist()
        self._gate, self._a, self._b = circuit.gate.tolist(), circuit.a.tolist(), circuit.b.tolist()
        self._readers: dict[int, list[int]] = {}
        for j, node in enumerate(circuit.outputs.tolist()):
            self._readers.setdefault(node, []).append(j)

    def functions(self, first: int, last: int) -> Iterator[str]:
        """The functions from `first` up to, but not including, `last`."""
        apart = last - first > 1
        if apart:
            yield "#if defined(__GNUC__)"
            yield "#define APART static __attribute__((noinline)) /* one big function would take compilers very long */"
            yield "#else\n#define APART static\n#endif\n"
        cast, zero, one = self._word.cast, self._word.zero, self._word.one
        starts, order = self._split.starts.tolist(), self._split.order.tolist()
        for f in range(first, last):
            yield f"{'APART' if apart else 'static'} void {self._name}_gates_{f}({self.arguments})"
            yield "{"
            yield "    (void)x, (void)y, (void)v;"
            for i in order[starts[f] : starts[f + 1]]:
                a, b = self._value(self._a[i], f), self._value(self._b[i], f)
                text = EXPRESSIONS[self._gate[i]].format(a=a, b=b, zero=zero, one=one)
                yield f"    const {self._word.name} g{i} = {f'{cast}({text})' if cast else text};"
                yield from (f"    y[{j}] = g{i};" for j in self._readers.get(self._n_inputs + i, ()))
                if self._slot[i] >= 0:
                    yield f"    v[{self._slot[i]}] = g{i};"
            yield "}\n"

    def _value(self, node: int, f: int) -> str:
        if node < self._n_inputs:
            return f"x[{node}]"
        i = node - self._n_inputs
        return f"g{i}" if self._function[i] == f else f"v[{self._slot[i]}]"

    def caller(self, head: str, calls: list[str]) -> Iterator[str]:
        """A function that calls others, without its end."""
        yield head
        yield "{"
        yield "    (void)x, (void)y, (void)v;"
        yield from (f"    {call}(x, y, v);" for call in calls)

    def entry(self, calls: list[str]) -> Iterator[str]:
        """`NAME_gates`: the functions one after the other, and outputs that are inputs."""
        word = self._word.name
        yield from self.caller(f"void {self._name}_gates(const {word} *x, {word} *y, {word} *v)", calls)
        for node, outputs in self._readers.items():
            if node < self._n_inputs:
                yield from (f"    y[{j}] = x[{node}];" for j in outputs)
        yield "}\n"
