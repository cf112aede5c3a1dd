"""Size of the C export on a microcontroller: cross-compiled, linked, and measured in the result."""

from __future__ import annotations

import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify import simplify
from gatewright.formats.c import to_c
from gatewright.formats.c.interface import Results
from gatewright.runtime.programs import find_program, run_program
from gatewright.runtime.registry import Registry

# Without -fno-tree-loop-distribute-patterns, gcc turns loops into calls of memset and memcpy, which need a C library.
FLAGS = ("-std=c99", "-Os", "-fno-tree-loop-distribute-patterns", "-ffunction-sections", "-fdata-sections")
"""Compiler options for all cores."""

# Data have an address of their own: behind the code, their size would contain padding.
_LINKER = """
ENTRY(entry)
SECTIONS {
  .text 0x00000000 : { *(.text*) *(.rodata*) }
  .data 0x20000000 : { *(.data*) }
  .bss : { *(.bss*) *(COMMON) }
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) *(.comment) }
}
"""


@dataclass(frozen=True)
class Core:
    """A core of microcontrollers, and its cross compiler.

    Attributes:
        options: Options of gcc that choose the core.
        toolchain: Prefix of the programs: `TOOLCHAIN-gcc` and `TOOLCHAIN-size`.
        package: What to install for them, for the message if they are missing.
    """

    options: tuple[str, ...]
    toolchain: str = "arm-none-eabi"
    package: str = "an Arm cross compiler (Debian: apt-get install gcc-arm-none-eabi)"


CORES: Registry[Core] = Registry(
    "target",
    Core,
    {
        core: Core((f"-mcpu={core}", "-mthumb"))
        for core in ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")
    },
)
"""Cores by name, all without floating-point unit: `CORES["mine"] = Core(options, toolchain)` adds one."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that a circuit takes on a microcontroller.

    Attributes:
        target: The core.
        word: Bits of a word: samples evaluated at a time.
        flash: Bytes of code, tables, and the parts of the compiler's library that they need.
        ram: Bytes of the workspace; the code has no other static data.
        stack: Bound on the bytes of stack of a call, without interrupts.
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

    def rows(self) -> list[tuple[str, str]]:
        """Names and texts for a table."""
        sizes = ("flash", "ram", "stack")
        return [(name, f"{value:,} bytes" if name in sizes else str(value)) for name, value in self.as_dict().items()]


def footprint(circuit: Circuit, target: str = "cortex-m4", *, word: int = 8, timeout: float = 600.0) -> Footprint:
    """Compile the C export of a circuit for size, link it without any C library, and measure.

    Args:
        circuit: Any circuit; it is simplified first.
        target: A name in `CORES`.
        word: Bits of a word, see `gatewright.formats.to_c`. Controllers mostly evaluate one sample at a time, for which
            the smallest word takes the least memory.
        timeout: Time limit for each run of the compiler, in seconds.

    Raises:
        OptionError: The target or the word is unknown.
        ToolError: The cross compiler is missing, failed, or took too long.
    """
    core = CORES[target]
    gcc, size = (find_program(f"{core.toolchain}-{tool}", package=core.package) for tool in ("gcc", "size"))
    small = simplify(circuit)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        sources = [path.name for path in to_c(small, folder, word=word)[1:]]
        (folder / "entry.c").write_text(_entry(small), encoding="utf-8")
        options = [*core.options, *FLAGS]
        run_program([gcc, *options, "-fstack-usage", "-c", *sources, "entry.c"], folder, timeout)
        (folder / "model.ld").write_text(_LINKER, encoding="utf-8")
        link = ["-nostdlib", "-Wl,--gc-sections", "-T", "model.ld", "-o", "model.elf"]
        objects = [f"{Path(source).stem}.o" for source in sources]
        run_program([gcc, *options, *link, "entry.o", *objects, "-lgcc"], folder, timeout)
        text, data, bss = map(int, run_program([size, "model.elf"], folder, timeout).splitlines()[1].split()[:3])
        stack = _stack("".join(path.read_text(encoding="utf-8") for path in folder.glob("model*.su")))
        version = run_program([gcc, "-dumpfullversion"], folder, timeout).strip()
    return Footprint(target, word, text + data, data + bss, stack, f"{core.toolchain}-gcc {version}")


def _entry(circuit: Circuit) -> str:
    """A source that calls the model with one workspace, to link what a program would link."""
    if circuit.encoder and circuit.head:
        call = "model_predict((const model_feature *)in, (int32_t *)out, &work);"
    else:
        call = "model_gates(in, out, work.value);"
        if circuit.head:
            call = f"model_{Results.of(circuit.head).function}(in, MODEL_WORD_BITS, 0, (int32_t *)out, &work);"
        if circuit.encoder:
            call = "model_encode((const model_feature *)in, MODEL_WORD_BITS, work.input);\n    " + call
    return (
        '#include "model.h"\n'
        "void entry(const model_word *in, model_word *out);\n"
        "void entry(const model_word *in, model_word *out)\n"
        f"{{\n    static model_workspace work;\n    {call}\n}}\n"
    )


def _stack(usage: str) -> int:
    """Sum of the functions' frames; of the functions of gates, which run one after the other, only the largest."""
    frames = re.findall(r":(\w+)\t(\d+)\t", usage)
    gates = [int(size) for name, size in frames if re.search(r"_gates_\d+$", name)]
    others = [int(size) for name, size in frames if not re.search(r"_gates_\d+$", name)]
    return max(gates, default=0) + sum(others)
