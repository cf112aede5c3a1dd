"""A netlist of lookup tables: wiring and truth tables, of gates (`gatewright.map_luts`) and back to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from gatewright.circuit.builder import Builder, Int32Array
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.lookup import MOST_INPUTS, append_tables
from gatewright.circuit.packed import BoolArray, check_booleans
from gatewright.circuit.parts import Parts, as_stored
from gatewright.errors import FormatError, OptionError

_WORKING_VALUES = 1 << 25
"""About how many values of nodes one block of samples may take."""


@dataclass(frozen=True, eq=False, repr=False)
class LookupTables(Parts):
    """A netlist of lookup tables with up to eight inputs. Immutable.

    Node i is input i; node `n_inputs + j` is the output of table j, which reads nodes before it.

    Attributes:
        n_inputs: Number of Boolean inputs.
        wiring: int32 [tables, k], the nodes that each table reads; -1 in places that a smaller table does not have.
        truth: bool [tables, 2^k], the output of each table by the values that it reads, the first of them most
            significant, as in gate ids; False in entries that a smaller table does not have.
        outputs: int32 [outputs], nodes.
        sizes: int32 [tables]: table j reads `wiring[j, :sizes[j]]` and gives an entry of `truth[j, : 2 ** sizes[j]]`.
            If it is left out, all tables have k inputs.

    Raises:
        OptionError: k is more than 8.
        FormatError: The arrays do not describe tables; the message names the first bad entry.

    Example:
        >>> import gatewright as gw
        >>> majority = gw.LookupTables(3, wiring=[[0, 1, 2]], truth=[[0, 0, 0, 1, 0, 1, 1, 1]], outputs=[3])
        >>> majority.evaluate([[True, False, True], [True, False, False]]).tolist()
        [[True], [False]]
        >>> circuit = gw.simplify(majority.to_circuit())
        >>> circuit
        Circuit(inputs=3, gates=4, outputs=1)
        >>> gw.map_luts(circuit, 3).tables
        LookupTables(inputs=3, tables=1, outputs=1)
    """

    n_inputs: int
    wiring: Int32Array
    truth: BoolArray
    outputs: Int32Array
    sizes: Int32Array | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.wiring)
        if len(shape) != 2 or np.shape(self.truth) != (shape[0], 1 << shape[1]):
            raise FormatError(
                f"wiring has shape {shape} and truth {np.shape(self.truth)}, expected [tables, k] and [tables, 2^k]"
            )
        n, k = shape
        if k > MOST_INPUTS:
            raise OptionError(f"tables of {k} inputs, expected at most {MOST_INPUTS}")
        sizes = as_stored(np.full(n, k) if self.sizes is None else self.sizes, np.int32, "sizes")
        if len(sizes) != n or (sizes < 0).any() or (sizes > k).any():
            raise FormatError(f"sizes are not {n} numbers from 0 to {k}, one per table")
        absent = np.arange(k) >= sizes[:, None]
        wiring = as_stored(np.where(absent, -1, self.wiring).ravel(), np.int32, "wiring").reshape(n, k)
        unused = np.arange(1 << k) >= (1 << sizes)[:, None]
        truth = as_stored(np.where(unused, 0, self.truth).ravel(), np.bool_, "truth").reshape(n, 1 << k)
        own = int(self.n_inputs) + np.arange(n)[:, None]
        bad = np.flatnonzero(((~absent & (wiring < 0)) | (wiring >= own)).any(1))
        if len(bad):
            j = int(bad[0])
            raise FormatError(
                f"wiring[{j}] is {wiring[j].tolist()}, expected nodes before {own[j, 0]}, the table's own"
            )
        outputs = as_stored(self.outputs, np.int32, "outputs")
        last = int(self.n_inputs) + n - 1
        if ((outputs < 0) | (outputs > last)).any():
            raise FormatError(f"outputs are {outputs.tolist()[:20]}, expected nodes from 0 to {last}")
        self._set(n_inputs=int(self.n_inputs), wiring=wiring, truth=truth, outputs=outputs, sizes=sizes)

    def __repr__(self) -> str:
        return f"LookupTables(inputs={self.n_inputs}, tables={self.n_tables}, outputs={len(self.outputs)})"

    @property
    def n_tables(self) -> int:
        """Number of tables, with inverters and constants."""
        return len(self.wiring)

    @property
    def by_inputs(self) -> Mapping[int, int]:
        """Number of tables by their number of inputs, two or more: without inverters, wires and constants."""
        sizes, numbers = np.unique(self._sizes, return_counts=True)
        return {size: number for size, number in zip(sizes.tolist(), numbers.tolist(), strict=True) if size > 1}

    @property
    def inverters(self) -> int:
        """Number of tables that invert their only input."""
        single = self.truth[self._sizes == 1]
        return int(np.count_nonzero(single[:, :1] & ~single[:, 1:2]))

    @property
    def levels(self) -> int:
        """Tables of two or more inputs on the longest path from an input to an output."""
        levels = _levels(self.n_inputs, self.wiring, self._sizes, (self._sizes > 1).astype(np.int32))
        return int(levels[self.outputs].max(initial=0))

    def evaluate(self, bits: npt.ArrayLike) -> BoolArray:
        """All outputs, bool [n, outputs], for Boolean inputs, bool [n, n_inputs].

        Raises:
            DtypeError: The bits are not bool.
            ShapeError: They have another shape.
        """
        given = check_booleans(bits, self.n_inputs)
        result = np.empty((len(given), len(self.outputs)), np.bool_)
        step = max(1, _WORKING_VALUES // max(1, self.n_inputs + self.n_tables))
        groups = list(self._groups())
        for start in range(0, len(given), step):
            block = given[start : start + step].T
            values = np.empty((self.n_inputs + self.n_tables, block.shape[1]), np.bool_)
            values[: self.n_inputs] = block
            for tables, size in groups:
                entry = np.zeros((len(tables), block.shape[1]), np.int32)
                for read in self.wiring[tables, :size].T:
                    entry = 2 * entry + values[read]
                values[self.n_inputs + tables] = np.take_along_axis(self.truth[tables], entry, 1)
            result[start : start + step] = values[self.outputs].T
        return result

    def to_circuit(self, **fields: Any) -> Circuit:
        """The tables as two-input gates, not simplified.

        Args:
            **fields: Other fields of the circuit (encoder, head, metadata).
        """
        builder = Builder(self.n_inputs)
        nodes = np.arange(self.n_inputs + self.n_tables, dtype=np.int32)
        for tables, size in self._groups():
            operands = nodes[self.wiring[tables, :size]]
            nodes[self.n_inputs + tables] = append_tables(builder, operands, self.truth[tables, : 1 << size])
        return builder.build(nodes[self.outputs], **fields)

    @property
    def _sizes(self) -> Int32Array:
        assert self.sizes is not None  # noqa: S101 - set by __post_init__
        return self.sizes

    def _groups(self) -> Iterator[tuple[npt.NDArray[np.intp], int]]:
        """Tables of one size that do not read each other, after those that they read."""
        level = _levels(self.n_inputs, self.wiring, self._sizes, np.ones(self.n_tables, np.int32))[self.n_inputs :]
        key = level.astype(np.int64) * (MOST_INPUTS + 1) + self._sizes
        order = np.argsort(key, kind="stable")
        for tables in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
            if len(tables):
                yield tables, int(self._sizes[tables[0]])


@njit(cache=True, nogil=True)
def _levels(n_inputs: int, wiring: Int32Array, sizes: Int32Array, step: Int32Array) -> Int32Array:
    """Level int32 of each node: of a table, `step` above the highest that it reads; inputs are at 0."""
    level = np.zeros(n_inputs + len(sizes), np.int32)
    for j in range(len(sizes)):
        below = np.int32(0)
        for place in range(sizes[j]):
            below = max(below, level[wiring[j, place]])
        level[n_inputs + j] = below + step[j]
    return level
