"""Programs for Cortex-M, run by qemu on the board mps2-an386 (Cortex-M4); files and text go through semihosting."""

from pathlib import Path

LINKER = """
MEMORY { code : ORIGIN = 0x00000000, LENGTH = 4M  data : ORIGIN = 0x20000000, LENGTH = 4M }
ENTRY(_start)
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) *(.init*) *(.fini*) } > code
  .ARM.exidx : { __exidx_start = .; *(.ARM.exidx*) __exidx_end = .; } > code
  .data : { *(.data*) } > data
  .bss (NOLOAD) : { __bss_start__ = .; *(.bss*) *(COMMON) __bss_end__ = .; } > data
  end = ALIGN(8);
}
"""
VECTORS = """
extern void _start(void);
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {(void *)0x20400000, (void *)_start};
"""
BOARD = [
    "-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none",
    "-semihosting-config", "enable=on,target=native",
]  # fmt: skip
"""What qemu-system-arm is told of the board."""

OPTIONS = ["-mcpu=cortex-m4", "-mthumb", "-Os", "-std=c99", "-Wall", "-Wextra", "-Werror"]


def build(tool, run, folder, sources):
    """Link C sources (a program on the C library) for the board; path of the program."""
    (folder / "board.ld").write_text(LINKER)
    (folder / "vectors.c").write_text(VECTORS)
    program = folder / "program.elf"
    # What newlib itself says of its unused functions is no matter of the code under test.
    options = ["--specs=rdimon.specs", "-nostartfiles", "-Wl,--gc-sections", "-T", "board.ld", "-Wl,--no-warnings"]
    crt = run(tool("arm-none-eabi-gcc"), *OPTIONS, "-print-file-name=rdimon-crt0.o").strip()
    assert Path(crt).is_file(), "newlib for Arm (libnewlib-arm-none-eabi) is not installed"
    run(
        tool("arm-none-eabi-gcc"),
        *OPTIONS,
        *options,
        crt,
        "vectors.c",
        *sources,
        "-o",
        program,
        cwd=folder,
        quiet=False,
    )
    return program


def execute(tool, run, program, stdin):
    """What the program prints."""
    return run(tool("qemu-system-arm"), *BOARD, "-kernel", program, stdin=stdin)
