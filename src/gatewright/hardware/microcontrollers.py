"""What the C export takes on a microcontroller: compiled and linked by the cross compiler, measured in the result."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify import simplify
from gatewright.errors import unknown_name
from gatewright.formats.c import to_c
from gatewright.runtime.programs import find_program, run_tool

CORES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        core: (f"-mcpu={core}", "-mthumb")
        for core in ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")
    }
)
"""Compiler options by core. Where a core may or may not have a floating-point unit, none is used."""

# Without the second, gcc turns loops into calls of memset and memcpy, which a program without a C library lacks.
FLAGS = ("-std=c99", "-Os", "-fno-tree-loop-distribute-patterns", "-ffunction-sections", "-fdata-sections")
"""Compiler options besides the core's."""

# Data at an address of their own: behind the code, their size would contain padding.
_LINKER = """
ENTRY(entry)
SECTIONS {
  .text 0x00000000 : { *(.text*) *(.rodata*) }
  .data 0x20000000 : { *(.data*) }
  .bss : { *(.bss*) *(COMMON) }
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) *(.comment) }
}
"""

_TOOLCHAIN = "an Arm cross compiler (Debian: apt-get install gcc-arm-none-eabi)"


@dataclass(frozen=True)
class Footprint:
    """Bytes that a circuit takes on a microcontroller.

    Attributes:
        target: The core.
        word: Bits of a word: samples evaluated at a time.
        flash: Code, tables, and what of the compiler's library they need.
        ram: The workspace, and other static data (there is none).
        stack: Bound on the stack of a call; interrupts are not in it.
        compiler: The compiler's version.
    """

    target: str
    word: int
    flash: int
    ram: int
    stack: int
    compiler: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def footprint(circuit: Circuit, target: str = "cortex-m4", *, word: int = 32, timeout: float = 600.0) -> Footprint:
    """Compile the C export of a circuit for size, link it without any C library, and measure.

    Args:
        circuit: Any circuit; it is simplified first.
        target: One of `CORES`.
        word: Bits of a word, see `gatewright.formats.to_c`.
        timeout: Seconds that each run of the compiler may take.

    Raises:
        OptionError: The target or the word is unknown.
        ToolError: The cross compiler is missing, failed or took too long.
    """
    if target not in CORES:
        raise unknown_name("target", str(target), CORES)
    gcc = find_program("arm-none-eabi-gcc", package=_TOOLCHAIN)
    size = find_program("arm-none-eabi-size", package=_TOOLCHAIN)
    small = simplify(circuit)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        sources = [path.name for path in to_c(small, folder, word=word)[1:]]
        (folder / "entry.c").write_text(_entry(small), encoding="utf-8")
        options = [*CORES[target], *FLAGS]
        run_tool([gcc, *options, "-fstack-usage", "-c", *sources, "entry.c"], folder, timeout)
        (folder / "model.ld").write_text(_LINKER, encoding="utf-8")
        link = ["-nostdlib", "-Wl,--gc-sections", "-T", "model.ld", "-o", "model.elf"]
        objects = [f"{Path(source).stem}.o" for source in sources]
        run_tool([gcc, *options, *link, "entry.o", *objects, "-lgcc"], folder, timeout)
        text, data, bss = map(int, run_tool([size, "model.elf"], folder, timeout).splitlines()[1].split()[:3])
        stack = _stack("".join(path.read_text(encoding="utf-8") for path in folder.glob("model*.su")))
        version = run_tool([gcc, "-dumpfullversion"], folder, timeout).strip()
    return Footprint(target, word, text + data, data + bss, stack, f"arm-none-eabi-gcc {version}")


def _entry(circuit: Circuit) -> str:
    """A program's call of the model, with one workspace; what it calls is what a program would link."""
    if circuit.encoder and circuit.head:
        call = "model_predict((const model_feature *)in, (int32_t *)out, &work);"
    else:
        call = "model_gates(in, out, work.value);"
        if circuit.head:
            call = "model_classify(in, MODEL_WORD_BITS, (int32_t *)out, 0, &work);"
        if circuit.encoder:
            call = "model_encode((const model_feature *)in, MODEL_WORD_BITS, work.input);\n    " + call
    return (
        '#include "model.h"\n'
        "void entry(const model_word *in, model_word *out);\n"
        "void entry(const model_word *in, model_word *out)\n"
        f"{{\n    static model_workspace work;\n    {call}\n}}\n"
    )


def _stack(usage: str) -> int:
    """Sum of all functions' frames, the functions of gates as one: these call no others, and run one after the other."""
    frames = re.findall(r":(\w+)\t(\d+)\t", usage)
    gates = [int(size) for name, size in frames if re.search(r"_gates_\d+$", name)]
    others = [int(size) for name, size in frames if not re.search(r"_gates_\d+$", name)]
    return max(gates, default=0) + sum(others)
