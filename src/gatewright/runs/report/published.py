"""Rows that others have published, for comparison."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

from gatewright.runtime.schema import Section

OPS_PER_BIT = 5
"""Two-input gates of full adders for each bit that a head counts."""

OPS_PER_COMPARISON = 7
"""Two-input gates for each bit of two counts of which the greater is chosen: 4 to compare and 3 to select."""


class Published(Section):
    """A row of a paper.

    Attributes:
        method: What the paper calls it.
        data: gatewright's name of the data set.
        accuracy: On test, in per cent, as printed.
        gates: As the paper counts them (its logic ops); None where the row states none.
        counted_bits: Bits that the network's head counts; None where that is not known.
        source: Title and address of the paper.
    """

    method: str
    data: str
    accuracy: float
    gates: int | None
    counted_bits: int | None = None
    source: str

    def reckoned_total(self, classes: int) -> int | None:
        """Total ops with a head of full adders and comparisons, the encoder left out; None where bits or gates are unknown.

        Args:
            classes: Number of classes, which share the bits equally.
        """
        if self.gates is None or self.counted_bits is None:
            return None
        width = (self.counted_bits // classes).bit_length()
        return self.gates + OPS_PER_BIT * self.counted_bits + OPS_PER_COMPARISON * (classes - 1) * width


class Mapped(Section):
    """A row of the public benchmark of logic networks.

    Attributes:
        method: What made the circuit.
        data: gatewright's name of the data set.
        accuracy: On all test images, in per cent.
        nand_inv: NAND gates and inverters of the mapped circuit, from pixels to the class.
        source: Address of the benchmark.
    """

    method: str
    data: str
    accuracy: float
    nand_inv: int
    source: str


def published() -> list[Published]:
    """All rows of papers, by data set, method and gates."""
    rows = [
        Published(
            method=method,
            data=name,
            accuracy=float(point[0]),
            gates=point[1],
            counted_bits=point[2] if len(point) > 2 else None,
            source=about["source"],
        )
        for method, about in _read("published").items()
        for name, points in about["rows"].items()
        for point in points
    ]
    return sorted(rows, key=lambda row: (row.data, row.method, row.gates or 0))


def benchmark() -> list[Mapped]:
    """All rows of the public benchmark by others, by data set, method and cost."""
    tree = _read("benchmark")
    rows = [
        Mapped(method=method, data=name, accuracy=float(accuracy), nand_inv=cost, source=tree["source"])
        for method, by_data in tree["rows"].items()
        for name, points in by_data.items()
        for accuracy, cost in points
    ]
    return sorted(rows, key=lambda row: (row.data, row.method, row.nand_inv))


def _read(name: str) -> Any:
    file = resources.files("gatewright.runs.report").joinpath(f"{name}.yaml")
    return yaml.safe_load(file.read_text(encoding="utf-8"))
