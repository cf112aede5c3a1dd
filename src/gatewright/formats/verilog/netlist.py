"""What yosys made of a Verilog module, checked cell by cell: a combinational circuit, or a pipeline, fully known.

This is a reading of its own, from yosys' JSON before the cells become gates. `from_verilog` holds it against the BLIF that
the circuit is made from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from gatewright.errors import UnsupportedError

_COMBINATIONAL = frozenset(
    {
        "$add", "$alu", "$and", "$bmux", "$buf", "$concat", "$demux", "$eq", "$eqx", "$fa", "$ge", "$gt", "$lcu", "$le",
        "$logic_and", "$logic_not", "$logic_or", "$lt", "$macc", "$macc_v2", "$mul", "$mux", "$ne", "$neg", "$nex", "$not",
        "$or", "$pmux", "$pos", "$reduce_and", "$reduce_bool", "$reduce_or", "$reduce_xnor", "$reduce_xor", "$shift",
        "$shiftx", "$shl", "$shr", "$slice", "$sshl", "$sshr", "$sub", "$xnor", "$xor",
    }
)  # fmt: skip
_DIVISIONS = frozenset({"$div", "$mod", "$divfloor", "$modfloor"})
_REGISTER = "$dff"
_KINDS = (
    (("$dlatch", "$adlatch", "$sr"), "a latch"),
    (("$adff", "$aldff", "$dffsr"), "a register with asynchronous reset or load"),
    (("$mem", "$meminit"), "a memory"),
    (("$tribuf",), "a tri-state driver (z)"),
    (("$ff",), "a register without a clock"),
    (("$any", "$all", "$initstate"), "a free or initial value"),
)
_DATA = ("bits", "features")


@dataclass(frozen=True)
class Ports:
    """The interface of a module.

    Attributes:
        inputs: Names of the input bits that are inputs of the circuit, in order.
        outputs: Names of the output bits, in order.
        stall: Whether the module has an input `enable` that does nothing but stop registers while it is 0.
    """

    inputs: list[str]
    outputs: list[str]
    stall: bool


def check_netlist(module: Mapping[str, Any], source: str) -> Ports:
    """Check that a module is combinational or clocked by one edge of one input, and that every value in it is known.

    Args:
        module: The flat module in yosys' JSON.
        source: What messages call the file.

    Raises:
        UnsupportedError: An output depends on something else; the message names it, with its line.
    """
    return _Netlist(module, source).ports()


class _Netlist:
    def __init__(self, module: Mapping[str, Any], source: str) -> None:
        self._module = module
        self._source = source
        self._cells: Mapping[str, Any] = module["cells"]
        self._inputs: dict[int, str] = {}
        self._drivers: dict[int, str] = {}
        self._names: dict[int, tuple[int, str, str]] = {}
        for name, net in module["netnames"].items():
            for i, bit in enumerate(net["bits"]):
                text = name if len(net["bits"]) == 1 else f"{name}[{i + net.get('offset', 0)}]"
                entry = (net["hide_name"], text, net["attributes"].get("src", ""))
                if bit not in self._names or entry[0] < self._names[bit][0]:
                    self._names[bit] = entry

    def ports(self) -> Ports:
        inputs: list[str] = []
        outputs: list[str] = []
        for name, port in self._module["ports"].items():
            if port["direction"] not in {"input", "output"}:
                self._refuse(f"port {name!r} is {port['direction']}, expected an input or an output")
            for text, bit in zip(_bit_names(name, port), port["bits"], strict=True):
                if port["direction"] == "output":
                    outputs.append(text)
                    continue
                inputs.append(text)
                if not isinstance(bit, int) or bit in self._inputs:
                    self._refuse(f"input {text!r} is driven inside of the module, or joined with another input")
                self._inputs[bit] = text
        if not outputs:
            self._refuse("the module has no outputs, so there is nothing to compare")
        self._check_drivers()
        live = self._live()
        clock = self._clock(live)
        self._check_initial(live)
        stall = self._stalls(live)
        held = {clock, "enable" if stall else None}
        return Ports([name for name in inputs if name not in held], outputs, stall)

    def _refuse(self, why: str, src: str = "") -> NoReturn:
        line = re.search(r":(\d+)", src)
        where = f"{self._source}, line {line[1]}" if line else self._source
        raise UnsupportedError(
            f"{where}: {why}; only combinational modules, and pipelines of registers with one clock, can be read"
        )

    def _name(self, bit: int | str) -> str:
        return repr(self._names[bit][1]) if bit in self._names else "a value"

    def _check_drivers(self) -> None:
        """Each bit has at most one driver."""
        for name, cell in self._cells.items():
            for bit in _connected(cell, "output"):
                src = cell["attributes"].get("src", "")
                if bit in {"0", "1", "x", "z"}:
                    self._refuse("a value is driven by a constant and by something else", src)
                if bit in self._drivers or bit in self._inputs:
                    self._refuse(f"{self._name(bit)} is driven more than once", src)
                self._drivers[bit] = name

    def _live(self) -> dict[str, Any]:
        """The cells that outputs depend on; refuses unknown, tri-state and undriven bits among what they read."""
        live: dict[str, Any] = {}
        stack = [
            (bit, f"output {name!r}", "")
            for name, port in self._module["ports"].items()
            if port["direction"] == "output"
            for bit in port["bits"]
        ]
        seen: set[int | str] = set()
        while stack:
            bit, reader, src = stack.pop()
            if bit in seen or bit in {"0", "1"} or bit in self._inputs:
                continue
            seen.add(bit)
            if bit in {"x", "z"} or isinstance(bit, str):
                what = "tri-state (z)" if bit == "z" else "unknown (x)"
                self._refuse(f"{reader} takes a value that is {what}", src)
            name = self._drivers.get(bit)
            if name is None:
                self._refuse(
                    f"{self._name(bit)} is used but never driven", self._names.get(bit, (0, "", src))[2] or src
                )
            if name in live:
                continue
            cell = live[name] = self._cells[name]
            src = cell["attributes"].get("src", "")
            self._check_kind(cell, bit, src)
            reader = f"what makes {self._name(bit)}"
            stack += [(each, reader, src) for each in _connected(cell, "input")]
        return live

    def _check_kind(self, cell: Mapping[str, Any], bit: int, src: str) -> None:
        kind = cell["type"]
        if kind in _COMBINATIONAL or kind == _REGISTER:
            return
        if kind in _DIVISIONS:
            divisor = cell["connections"]["B"]
            if all(each in {"0", "1"} for each in divisor) and "1" in divisor:
                return
            self._refuse(f"{self._name(bit)} is the result of a division that may be by zero (unknown, x)", src)
        what = next((words for starts, words in _KINDS if kind.startswith(starts)), f"the output of a cell {kind!r}")
        self._refuse(f"{self._name(bit)} is {what}", src)

    def _clock(self, live: Mapping[str, Any]) -> str | None:
        """Name of the one clock of all registers; it is used for nothing else."""
        clocks: dict[tuple[int | str, str], str] = {}
        read = {bit for port in self._module["ports"].values() if port["direction"] == "output" for bit in port["bits"]}
        for cell in live.values():
            if cell["type"] != _REGISTER:
                read.update(_connected(cell, "input"))
                continue
            read.update(cell["connections"]["D"])
            src = cell["attributes"].get("src", "")
            (bit,) = cell["connections"]["CLK"]
            edge = str(cell["parameters"]["CLK_POLARITY"])[-1]
            if bit not in self._inputs:
                self._refuse(f"{self._name(cell['connections']['Q'][0])} is a register clocked by logic", src)
            clocks[bit, edge] = src
        if not clocks:
            return None
        if len({bit for bit, _ in clocks}) > 1:
            names = ", ".join(sorted({repr(self._inputs[bit]) for bit, _ in clocks}))  # type: ignore[index]
            self._refuse(f"registers have several clocks ({names})", list(clocks.values())[1])
        if len(clocks) > 1:
            self._refuse("registers are clocked by both edges", list(clocks.values())[1])
        ((bit, _),) = clocks
        name = self._inputs[bit]  # type: ignore[index]
        port = self._module["ports"].get(name)
        if bit in read or port is None or len(port["bits"]) != 1 or name in _DATA:
            self._refuse(f"registers are clocked by {name!r}, which is data", next(iter(clocks.values())))
        return name

    def _check_initial(self, live: Mapping[str, Any]) -> None:
        used = {bit for cell in live.values() for bit in _connected(cell, "output")}
        for net in self._module["netnames"].values():
            initial = str(net["attributes"].get("init", ""))
            for bit, value in zip(net["bits"], reversed(initial), strict=False):
                if value in "01" and (bit in used or bit in self._inputs):
                    self._refuse(f"{self._name(bit)} has an initial value", net["attributes"].get("src", ""))

    def _stalls(self, live: Mapping[str, Any]) -> bool:
        """Whether the input `enable` does nothing but choose between a register's next value and its old one."""
        bit = next((bit for bit, name in self._inputs.items() if name == "enable"), None)
        if bit is None or not any(cell["type"] == _REGISTER for cell in live.values()):
            return False
        old: dict[int | str, int | str] = {}
        readers: Counter[int | str] = Counter()
        for cell in live.values():
            readers.update(_connected(cell, "input"))
            if cell["type"] == _REGISTER:
                old.update(zip(cell["connections"]["D"], cell["connections"]["Q"], strict=True))
        for cell in live.values():
            if bit not in set(_connected(cell, "input")):
                continue
            wires = cell["connections"]
            if cell["type"] != "$mux" or bit in wires["A"] or bit in wires["B"]:
                return False
            if any(old.get(y) != a or readers[y] > 1 for y, a in zip(wires["Y"], wires["A"], strict=True)):
                return False
        return all(bit not in port["bits"] for port in self._module["ports"].values() if port["direction"] == "output")


def _bit_names(name: str, port: Mapping[str, Any]) -> list[str]:
    """Names of a port's bits, as yosys writes them into BLIF."""
    clean = re.sub("[#=<>]", "?", name)
    n, offset = len(port["bits"]), port.get("offset", 0)
    if n == 1:
        return [clean]
    return [f"{clean}[{offset + (n - 1 - i if port.get('upto') else i)}]" for i in range(n)]


def _connected(cell: Mapping[str, Any], direction: str) -> Iterator[Any]:
    for port, way in cell["port_directions"].items():
        if way == direction:
            yield from cell["connections"][port]
