"""What must be equal for two heads to count the same.

`simplify` moves constant outputs, and pairs of inverse outputs of one class, into the offsets. So outputs do not correspond
one to one, and this module finds out which correspond to which. It only guesses: by what the simplifier makes of both
circuits together, then by simulation. The guess is a list of equalities that together imply equal counts, which the
caller proves by other means. Where the guess is wrong, the proof fails, never the other way round.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from gatewright.circuit.arithmetic import popcount
from gatewright.circuit.builder import Builder, side_by_side
from gatewright.circuit.circuit import Circuit, Head
from gatewright.circuit.evaluate import evaluate
from gatewright.circuit.packed import BoolArray
from gatewright.circuit.simplify import simplify
from gatewright.gates import Gate

Key = tuple[object, int]
"""What an output computes as far as is known: a function and whether it is inverted. The function None is FALSE."""


class _Side:
    """One circuit of the two: its outputs that are still to be explained, and the equalities found."""

    def __init__(self, circuit: Circuit, head: Head) -> None:
        self.open = {k: np.flatnonzero(head.group == k).tolist() for k in range(head.n_groups)}
        self.offset = head.offset.copy()
        self.constants: list[tuple[int, bool]] = []
        self.inverses: list[tuple[int, int]] = []
        self.circuit = circuit

    def settle(self, k: int, keys: list[Key]) -> None:
        """Take out the open outputs of class k that look constant or cancel in pairs."""
        by_key: dict[Key, list[int]] = defaultdict(list)
        for j in self.open[k]:
            function, inverted = keys[j]
            if function is None:
                self.constants.append((j, bool(inverted)))
                self.offset[k] += inverted
            elif by_key[function, 1 - inverted]:
                self.inverses.append((by_key[function, 1 - inverted].pop(), j))
                self.offset[k] += 1
            else:
                by_key[function, inverted].append(j)
        self.open[k] = sorted(j for members in by_key.values() for j in members)

    def build(self, matched: list[int], other: _Side, *, first: bool) -> Circuit:
        """This side of the equalities: matched outputs, then what this side claims, then what the other claims."""
        builder = Builder(self.circuit.n_inputs)
        nodes = builder.include(self.circuit, np.arange(self.circuit.n_inputs))[self.circuit.outputs]
        own = [int(nodes[j]) for j, _ in self.constants]
        own += [int(builder.append(Gate.XOR, nodes[i], nodes[j])) for i, j in self.inverses]
        claimed = [builder.constant(value) for _, value in other.constants]
        claimed += [builder.constant(True)] * len(other.inverses)
        return builder.build([*nodes[matched].tolist(), *(own + claimed if first else claimed + own)])


def equalities(one: Circuit, two: Circuit, patterns: BoolArray) -> tuple[Circuit, Circuit] | None:
    """Guess which outputs correspond.

    Args:
        one: A circuit with a head.
        two: Another with the same inputs and number of classes.
        patterns: bool [n, n_inputs], at least one input for the simulation.

    Returns:
        Two circuits without heads: if their outputs are equal one by one, the counts are equal for every input. None if
        no such correspondence was found.
    """
    head_one, head_two = one.head, two.head
    if head_one is None or head_two is None:
        return None
    left, right = _Side(one, head_one), _Side(two, head_two)
    pairs: list[tuple[int, int]] = []
    for keys_one, keys_two in (_structural_keys(one, two), (_signatures(one, patterns), _signatures(two, patterns))):
        for k in range(head_one.n_groups):
            _match(left, right, k, keys_one, keys_two, pairs)
    if any(left.open[k] or right.open[k] for k in left.open) or not np.array_equal(left.offset, right.offset):
        return None
    matched_one, matched_two = [i for i, _ in pairs], [j for _, j in pairs]
    return left.build(matched_one, right, first=True), right.build(matched_two, left, first=False)


def count_circuits(one: Circuit, two: Circuit) -> tuple[Circuit, Circuit]:
    """The counts themselves as circuits, shifted by the least offset of both; complete, but hard to prove equal."""
    heads = [circuit.head for circuit in (one, two) if circuit.head is not None]
    least = np.min([head.offset for head in heads], axis=0)
    width = max(
        int((np.bincount(head.group, minlength=head.n_groups) + head.offset - least).max()).bit_length()
        for head in heads
    )
    results = []
    for circuit, head in zip((one, two), heads, strict=True):
        builder = Builder(circuit.n_inputs)
        nodes = builder.include(circuit, np.arange(circuit.n_inputs))[circuit.outputs]
        outputs: list[int] = []
        for k in range(head.n_groups):
            number = popcount(builder, nodes[head.group == k], int(head.offset[k] - least[k]))
            outputs += [*number, *[builder.constant(False)] * (width - len(number))]
        results.append(builder.build(outputs))
    return results[0], results[1]


def _match(
    left: _Side, right: _Side, k: int, keys_one: list[Key], keys_two: list[Key], pairs: list[tuple[int, int]]
) -> None:
    """Pair the open outputs of class k that have the same key, in their order; then settle what is left."""
    waiting: dict[Key, list[int]] = defaultdict(list)
    for j in reversed(right.open[k]):
        waiting[keys_two[j]].append(j)
    unmatched = []
    for i in left.open[k]:
        if waiting[keys_one[i]]:
            pairs.append((i, waiting[keys_one[i]].pop()))
        else:
            unmatched.append(i)
    left.open[k] = unmatched
    right.open[k] = sorted(j for members in waiting.values() for j in members)
    left.settle(k, keys_one)
    right.settle(k, keys_two)


def _structural_keys(one: Circuit, two: Circuit) -> tuple[list[Key], list[Key]]:
    """Simplify both together: what becomes one node is probably equal."""
    # Both have the same encoder, or the caller has already replaced different ones by gates.
    joint = simplify(side_by_side(one, two, one.encoder if two.encoder is not None else None))
    keys: list[Key] = []
    for node in joint.outputs.tolist():
        gate = joint.gate[node - joint.n_inputs] if node >= joint.n_inputs else Gate.A
        if gate in (Gate.FALSE, Gate.TRUE):
            keys.append((None, int(gate == Gate.TRUE)))
        elif gate == Gate.NOT_A:
            keys.append((int(joint.a[node - joint.n_inputs]), 1))
        else:
            keys.append((node, 0))
    return keys[: one.n_outputs], keys[one.n_outputs :]


def _signatures(circuit: Circuit, patterns: BoolArray) -> list[Key]:
    """Group outputs by their values on the patterns, in the phase in which the first value is FALSE."""
    values = evaluate(circuit, patterns).T
    inverted = values[:, 0]
    packed = np.packbits(values ^ inverted[:, None], axis=1)
    return [(row.tobytes() if row.any() else None, int(phase)) for row, phase in zip(packed, inverted, strict=True)]
