"""What iverilog says that a module computes, held against a table: the judge of proofs and exports."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

_DEEPEST = 8
"""Longest pipeline that is recognised."""


def run(*command: str | Path, folder: Path, stdin: bytes = b"", seconds: float = 60) -> str | None:
    """Standard output of a program, or None if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=folder, input=stdin, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def ports(source: str, module: str) -> list[str]:
    """Names of the inputs of a module besides its data that a test bench must drive."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
    found = re.search(rf"\bmodule\s+{re.escape(module)}\s.*?\bendmodule\b", text, re.DOTALL)
    names = ("clk", "clk2", "clock", "enable")
    return [n for n in names if found and re.search(rf"\binput\s+(?:wire\s+)?{n}\b", found[0])]


def bench(
    module: str, data: str, result: str, controls: Sequence[str], inputs: npt.NDArray[np.int64], sizes: tuple[int, int]
) -> str:
    """A test bench that prints the outputs before each falling and each rising edge of the clock, or after each input.

    Args:
        module: Name of the module.
        data: Connections of the inputs, with the vector `x` at their end.
        result: Connections of the outputs, with the vector `y`.
        controls: Clocks and enables of the module.
        inputs: One pair of values per clock: while it is high, and while it is low.
        sizes: Bits of `x` and `y`.
    """
    wires = "".join(
        f", .{name}({'1' + chr(39) + 'b1' if name == 'enable' else 'c2' if name == 'clk2' else 'c'})"
        for name in controls
    )
    lines = [f"module tb; reg c = 1; reg c2 = 0; reg [{sizes[0] - 1}:0] x; wire [{sizes[1] - 1}:0] y;"]
    lines += [f"{module} dut ({data}{', ' if data else ''}{result}{wires});", "initial begin #1;"]
    for t, (high, low) in enumerate(inputs.tolist()):
        if t % 3 == 1:
            lines.append("c2 = ~c2; #1;")
        lines.append(f'x = {high}; #1; $display("%b", y); c = 0; #1; x = {low}; #1; $display("%b", y); c = 1; #1;')
    return "\n".join([*lines, "$finish; end endmodule", ""])


def computes(
    source: Path,
    module: str,
    connections: tuple[str, str],
    table: npt.NDArray[np.int64],
    sizes: tuple[int, int],
    rng: np.random.Generator,
) -> bool | None:
    """Whether a Verilog module gives `table[x]` for every x, at once or the same number of clocks later.

    Returns:
        None if iverilog refuses the module.
    """
    text = source.read_text(encoding="utf-8", errors="replace")
    order = np.concatenate([rng.permutation(len(table)) for _ in range(2 if len(table) > 64 else 4)])
    order = np.column_stack([order, rng.permutation(order)])
    controls = ports(text, module)
    (source.parent / "tb.v").write_text(bench(module, *connections, controls, order, sizes))
    built = run(
        "iverilog",
        "-g2005-sv" if source.suffix == ".sv" else "-g2005",
        "-s",
        "tb",
        "-o",
        "tb.vvp",
        source.name,
        "tb.v",
        folder=source.parent,
    )
    said = run("vvp", "-n", "tb.vvp", folder=source.parent) if built is not None else None
    if said is None:
        return None
    lines = [line for line in said.split("\n") if re.fullmatch(r"[01xzXZ]+", line)]
    if len(lines) != 2 * len(order):
        return None
    wanted = [format(int(value), f"0{sizes[1]}b") for value in table]
    if not any(name in controls for name in ("clk", "clk2", "clock")):
        return all(line == wanted[x] for line, x in zip(lines, order.reshape(-1).tolist(), strict=True))
    for phase in (0, 1):
        got, given = lines[phase::2], [wanted[x] for x in order[:, phase].tolist()]
        if any(got[delay:] == given[: len(given) - delay] for delay in range(_DEEPEST)):
            return True
    return False
