"""Results of synthesis: every figure with how it was obtained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

How = Literal["placed and routed", "mapped", "estimated"]
"""How a figure was obtained: from a finished layout, from gates mapped to the target's tables, or by estimate."""


@dataclass(frozen=True)
class Figure:
    """A number and how it was obtained."""

    value: float
    how: How

    def __str__(self) -> str:
        number = f"{self.value:,}" if isinstance(self.value, int) else f"{self.value:,.4g}"
        return f"{number} ({self.how})"


@dataclass(frozen=True)
class Part:
    """Encoder, logic or head, mapped on its own.

    Attributes:
        luts: Its lookup tables.
        share: Of the sum over the parts, 0 to 1.
        depth: Levels of lookup tables.
    """

    luts: Figure
    share: Figure
    depth: Figure


@dataclass(frozen=True)
class Report:
    """What a circuit takes on a target.

    Encoder, gates and head lie between registers, in `pipeline` + 1 stages. Registers before the first and after the last
    stage keep pins out of the timing; only `cells` counts them.

    Attributes:
        target: Name of the target.
        device: The device placed on, or None.
        pipeline: Register stages inside the circuit.
        table_inputs: Inputs of the lookup tables counted.
        luts: Lookup tables.
        flip_flops: Flip-flops of the pipeline.
        depth: Levels of lookup tables, of the deepest stage.
        cells: Logic cells in use on the device, the registers around the circuit included, or None.
        fmax_mhz: Highest clock frequency in MHz, or None if unknown.
        latency_ns: Nanoseconds from a sample at the first register to its class at the last, or None.
        throughput: Samples per second, one per clock, or None.
        parts: "encoder", "logic" and "head", as far as the circuit has them, each mapped on its own without registers.
        tools: Names and versions of the tools.
        seconds: Wall-clock time of the build.
    """

    target: str
    device: str | None
    pipeline: int
    table_inputs: int
    luts: Figure
    flip_flops: Figure
    depth: Figure
    cells: Figure | None
    fmax_mhz: Figure | None
    latency_ns: Figure | None
    throughput: Figure | None
    parts: Mapping[str, Part]
    tools: Mapping[str, str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: each figure a mapping with `value` and `how`."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Names and texts for a table."""
        unknown = "unknown (not placed)"
        rows = [
            ("target", self.target + (f" ({self.device})" if self.device else "")),
            ("register stages inside", str(self.pipeline)),
            (f"{self.table_inputs}-input tables", str(self.luts)),
            ("flip-flops", str(self.flip_flops)),
            ("levels of tables" + (" per stage" if self.pipeline else ""), str(self.depth)),
        ]
        if self.cells is not None:
            rows.append(("logic cells with the registers around", str(self.cells)))
        rows += [
            ("highest clock, MHz", unknown if self.fmax_mhz is None else str(self.fmax_mhz)),
            ("latency, ns", unknown if self.latency_ns is None else str(self.latency_ns)),
            ("samples per second", unknown if self.throughput is None else str(self.throughput)),
        ]
        for name, part in self.parts.items():
            text = f"{part.luts.value:,} tables, {100 * part.share.value:.1f} %, {part.depth.value} levels"
            rows.append((f"{name} alone", f"{text} ({part.luts.how})"))
        rows.append(("tools", ", ".join(f"{name} {version}" for name, version in self.tools.items())))
        rows.append(("seconds", f"{self.seconds:.1f}"))
        return rows

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)
