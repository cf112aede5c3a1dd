"""Which registers of a netlist can be read: those of a pipeline, all at the same edge of a clock that is no data."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.errors import UnsupportedError, shown


def control_of(words: list[str], where: str) -> tuple[str, ...]:
    """Edge and clock of a register; none of both if it has none.

    Args:
        words: What follows input and output in a `.latch`: type and control, and the initial value.
        where: File and line, for messages.

    Raises:
        UnsupportedError: The register is a latch, or starts with a value that is known.
    """
    kind = tuple(words[:2]) if len(words) > 1 else ()
    start = words[2:] if kind else words
    if kind and kind[0] not in {"re", "fe"}:
        raise UnsupportedError(
            f"{where}: a latch of type {shown(kind[0])}; only registers with a clock edge can be read"
        )
    if start not in ([], ["2"], ["3"]):
        value = shown(" ".join(start))
        raise UnsupportedError(
            f"{where}: a register with the initial value {value}; its first outputs do not depend on inputs"
        )
    return kind


def clock_of(controls: set[tuple[str, ...]], inputs: Sequence[str], read: set[str], source: str) -> set[str]:
    """The clock of all registers: an input that nothing else reads.

    Args:
        controls: What `control_of` says of all registers.
        inputs: Names of the inputs.
        read: Names that tables, registers and outputs read.
        source: File, for messages.

    Raises:
        UnsupportedError: There are several clocks or edges, or the clock is a value that the model computes or reads.
    """
    if len(controls) > 1:
        found = shown(", ".join(" ".join(control) or "no clock" for control in sorted(controls)))
        raise UnsupportedError(
            f"{source}: registers with different clocks or edges ({found}); only one clock can be read"
        )
    clock = {control[1] for control in controls if control}
    for name in clock:
        if name not in inputs or name in read:
            raise UnsupportedError(
                f"{source}: the clock {shown(name)} is data, too; only a clock of its own can be read"
            )
    return clock
