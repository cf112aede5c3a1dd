"""Equality by SAT: sweep two circuits together from the inputs to the outputs, proving inner nodes equal on the way.

Nodes that random simulation cannot tell apart are probably equal. Proving them so one after the other, in topological
order, with every proven pair merged before the next is tried, makes each single question small, and by the time that the
outputs are reached, most of them are one node.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from gatewright.circuit.aig import Aig
from gatewright.circuit.builder import Int32Array
from gatewright.circuit.packed import BoolArray
from gatewright.errors import require_extra

UInt64Array = npt.NDArray[np.uint64]
_INNER_CONFLICTS = 500
_WORDS = 16


@njit(cache=True, nogil=True)
def simulate(values: UInt64Array, n_inputs: int, left: Int32Array, right: Int32Array) -> None:
    """Fill in the ANDs' rows of `values`, uint64 [1 + inputs + ands, words]; row 0 is FALSE, then come the inputs."""
    none, flip = np.uint64(0), ~np.uint64(0)
    for i in range(len(left)):
        x, y = left[i], right[i]
        fx, fy = flip if x & 1 else none, flip if y & 1 else none
        for w in range(values.shape[1]):
            values[n_inputs + 1 + i, w] = (values[x >> 1, w] ^ fx) & (values[y >> 1, w] ^ fy)


class Sweeper:
    """One sweep over an AND-inverter graph.

    Args:
        aig: The graph, with the functions to compare among its outputs.
        deadline: `time.monotonic()` after which to give up.
        seed: Seed of the random patterns.
    """

    def __init__(self, aig: Aig, deadline: float, seed: int = 0) -> None:
        self.aig = aig
        self.deadline = deadline
        # Glucose can be interrupted and given a budget of conflicts; CaDiCaL in this package cannot.
        self._solver = require_extra("pysat.solvers", "prove").Glucose4()
        self._rng = np.random.default_rng(seed)
        self._n = 1 + aig.n_inputs + len(aig.left)
        self._alias = np.arange(0, 2 * self._n, 2)
        self._known: dict[tuple[int, int], int] = {}
        self._classes: dict[int, int] = {}
        self._visited = np.zeros(self._n, np.bool_)
        self._found: list[BoolArray] = []
        self._solver.add_clause([-1])
        self._hash = np.zeros(self._n, np.uint64)
        words = self._rng.integers(0, 2**64, (aig.n_inputs, _WORDS), dtype=np.uint64)
        # The first pattern is all zeros, and fixes the phase in which each node is looked at.
        words[:, 0] &= ~np.uint64(1)
        self._phase = np.zeros(self._n, np.uint64)
        values = self._values(words)
        self._phase = (values[:, 0] & np.uint64(1)) * ~np.uint64(0)
        self._visited[0] = True
        self._mix(values)

    def close(self) -> None:
        """Free the solver."""
        self._solver.delete()

    def equal(self, pairs: list[list[int]]) -> tuple[bool | None, BoolArray | None]:
        """Whether the literals of every pair are equal.

        Returns:
            (True, None), (False, inputs bool [n_inputs] on which a pair differs), or (None, None) if time ran out.
        """
        cone = self._cone(pairs)
        for v in range(1, self._n):
            if cone[v]:
                if time.monotonic() > self.deadline:
                    return None, None
                self._visit(v)
        for x, y in pairs:
            u, w = self._literal(x), self._literal(y)
            same = self._same(u, w, None)
            if same is not True:
                return same, None if same is None else self._pattern()
        return True, None

    def _cone(self, pairs: list[list[int]]) -> BoolArray:
        first = self.aig.n_inputs + 1
        cone = np.zeros(self._n, np.bool_)
        cone[[literal >> 1 for pair in pairs for literal in pair]] = True
        for i in range(len(self.aig.left) - 1, -1, -1):
            if cone[first + i]:
                cone[self.aig.left[i] >> 1] = cone[self.aig.right[i] >> 1] = True
        return cone

    def _values(self, words: UInt64Array) -> UInt64Array:
        values = np.zeros((self._n, words.shape[1]), np.uint64)
        values[1 : self.aig.n_inputs + 1] = words
        simulate(values, self.aig.n_inputs, self.aig.left, self.aig.right)
        return values

    def _mix(self, values: UInt64Array) -> None:
        """Take more patterns into the nodes' hashes, and sort the nodes seen so far into classes anew."""
        for column in (values ^ self._phase[:, None]).T:
            self._hash = (self._hash ^ column) * np.uint64(0x9E3779B97F4A7C15)
            self._hash ^= self._hash >> np.uint64(32)
        self._classes = {}
        for v in np.flatnonzero(self._visited).tolist():
            if self._alias[v] == 2 * v:
                self._classes.setdefault(int(self._hash[v]), v)

    def _literal(self, x: int) -> int:
        return int(self._alias[x >> 1]) ^ (x & 1)

    def _visit(self, v: int) -> None:
        """Merge node v with an earlier one, or give it a variable of its own."""
        first = self.aig.n_inputs + 1
        self._visited[v] = True
        if v >= first:
            x, y = self._literal(int(self.aig.left[v - first])), self._literal(int(self.aig.right[v - first]))
            x, y = max(x, y), min(x, y)
            simple = 0 if y == 0 or x == y ^ 1 else x if y in (1, x) else self._known.get((x, y))
            if simple is not None:
                self._alias[v] = simple
                return
            a, b = self._dimacs(x), self._dimacs(y)
            self._solver.append_formula([[-(v + 1), a], [-(v + 1), b], [v + 1, -a, -b]])
            self._known[x, y] = 2 * v
        other = self._classes.setdefault(int(self._hash[v]), v)
        if other == v or v < first:
            return
        negated = int(self._phase[v] != self._phase[other])
        same = self._same(2 * v, 2 * other ^ negated, _INNER_CONFLICTS)
        if same:
            self._alias[v] = 2 * other ^ negated
        elif same is False:
            self._found.append(self._pattern())
            if len(self._found) == 64:
                self._refine()

    def _refine(self) -> None:
        """Let the patterns that distinguished nodes distinguish others as well."""
        words = np.packbits(np.array(self._found), axis=0, bitorder="little").T
        self._found = []
        self._mix(self._values(np.ascontiguousarray(words).view("<u8").astype(np.uint64)))

    def _dimacs(self, literal: int) -> int:
        return -(literal // 2 + 1) if literal & 1 else literal // 2 + 1

    def _same(self, x: int, y: int, conflicts: int | None) -> bool | None:
        """Whether two literals are equal; None if conflicts or time ran out."""
        if x == y:
            return True
        a, b = self._dimacs(x), self._dimacs(y)
        for assumptions in ([a, -b], [-a, b]):
            result = self._solve(assumptions, conflicts)
            if result is not False:
                return None if result is None else False
        self._solver.append_formula([[-a, b], [a, -b]])
        return True

    def _solve(self, assumptions: list[int], conflicts: int | None) -> bool | None:
        if conflicts is not None:
            self._solver.conf_budget(conflicts)
            result: bool | None = self._solver.solve_limited(assumptions=assumptions)
            return result
        self._solver.conf_budget(-1)
        with _interrupted(self._solver, self.deadline):
            result = self._solver.solve_limited(assumptions=assumptions, expect_interrupt=True)
        self._solver.clear_interrupt()
        return result

    def _pattern(self) -> BoolArray:
        """The inputs of the assignment that the solver has just found."""
        # Node v is the solver's variable v + 1; inputs that it does not know may be anything.
        model = np.array(self._solver.get_model(), np.int64)
        true = model[(model > 1) & (model <= self.aig.n_inputs + 1)]
        inputs = np.zeros(self.aig.n_inputs, np.bool_)
        inputs[true - 2] = True
        return inputs


@contextmanager
def _interrupted(solver: Any, deadline: float) -> Iterator[None]:
    """Interrupt a solver at a deadline."""
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), solver.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
