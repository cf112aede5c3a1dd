"""The ASCII AIGER format, read: one line per input, output and AND, in any order of variables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from gatewright.circuit.aig import Aig, read_header, read_symbols, with_symbols
from gatewright.circuit.circuit import Circuit
from gatewright.errors import FormatError


def read_aag(data: bytes, *, source: str = "AIGER data") -> Circuit:
    """Read combinational ASCII AIGER.

    `gatewright.formats.from_aiger` reads files.

    Args:
        data: The file's content.
        source: Name of the data in messages.

    Returns:
        A circuit without encoder and head, with names as from `read_aig`.

    Raises:
        FormatError: The data are not ASCII AIGER, damaged, or cyclic; the message names the line.
        UnsupportedError: The file describes a sequential circuit.
    """
    highest, n_inputs, n_outputs, n_ands, at = read_header(data, source, b"aag")
    number = 1
    rows: list[list[int]] = []
    for what, count, size in (("input", n_inputs, 1), ("output", n_outputs, 1), ("AND", n_ands, 3)):
        for i in range(count):
            number += 1
            end = data.find(b"\n", at)
            words = data[at : end if end >= 0 else len(data)].removesuffix(b"\r").split(b" ")
            literals = [int(word) for word in words if word.isdigit() and len(word) <= 20]
            if len(words) != size or len(literals) != size or max(literals) > 2 * highest + 1:
                shown = data[at : at + 30]
                raise FormatError(f"{source}, line {number}: {what} {i} is {shown!r}, expected {size} literal(s)")
            if what != "output" and (literals[0] < 2 or literals[0] & 1):
                raise FormatError(f"{source}, line {number}: {what} {i} is {literals[0]}, expected a variable")
            rows.append(literals)
            at = end + 1 if end >= 0 else len(data)
    inputs, outputs, ands = rows[:n_inputs], rows[n_inputs : n_inputs + n_outputs], rows[n_inputs + n_outputs :]
    defined = Counter(row[0] // 2 for row in [*inputs, *ands])
    twice = next((variable for variable, times in defined.items() if times > 1), None)
    if twice is not None:
        raise FormatError(f"{source}: variable {twice} is defined a second time")
    names = read_symbols(data, at, (n_inputs, n_outputs), source)
    new = {0: 0} | {row[0] // 2: i + 1 for i, row in enumerate(inputs)}
    left, right = _in_order(new, ands, source)
    try:
        wanted = [2 * new[row[0] // 2] + (row[0] & 1) for row in outputs]
    except KeyError as error:
        raise FormatError(f"{source}: variable {error} is used but never defined") from error
    return with_symbols(Aig(n_inputs, *(np.array(each, np.int32) for each in (left, right, wanted))), names)


def _in_order(new: dict[int, int], ands: Sequence[list[int]], source: str) -> tuple[list[int], list[int]]:
    """The greater and the lesser literal of each AND, each after its operands; `new` gets the variables they become."""
    made = {row[0] // 2: row[1:] for row in ands}
    left: list[int] = []
    right: list[int] = []
    for first in made:
        stack, open_ = [first], set()
        while stack:
            top = stack[-1]
            if top in new:
                stack.pop()
                continue
            if top not in made:
                raise FormatError(f"{source}: variable {top} is used but never defined")
            missing = [literal // 2 for literal in made[top] if literal // 2 not in new]
            if not missing:
                lesser, greater = sorted(2 * new[literal // 2] + (literal & 1) for literal in made[top])
                left.append(greater)
                right.append(lesser)
                new[top] = len(new)
            elif top in open_:
                raise FormatError(f"{source}: AND {2 * top} depends on itself")
            open_.add(top)
            stack += missing
    return left, right
