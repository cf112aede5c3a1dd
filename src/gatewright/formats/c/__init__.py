"""C99: a header and a source that need only `stdint.h`, and on request a program around them.

Gates are computed bit-parallel, one sample per bit of a word. Functions have at most `LONGEST` gates and sources at most
`LARGEST`, so that compilers need time linear in the circuit and bounded memory. Functions hand values to each other in a
scratch array of a workspace that the caller owns, so the code is re-entrant and allocates nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gatewright.circuit.circuit import Circuit
from gatewright.errors import UnsupportedError
from gatewright.formats.c.driver import driver_source
from gatewright.formats.c.functions import split_into_functions
from gatewright.formats.c.gates import LARGEST, LONGEST, gate_sources
from gatewright.formats.c.header import header
from gatewright.formats.c.interface import encode_function, predict_functions, results_function
from gatewright.formats.c.row import row_functions
from gatewright.formats.c.word import WORDS, Word
from gatewright.formats.gate_level import refuse_places
from gatewright.formats.names import C_KEYWORDS, check_name
from gatewright.runtime.files import write_files


def to_c(
    circuit: Circuit, directory: str | Path, *, name: str = "model", word: int = 8, driver: bool = False
) -> list[Path]:
    """Write a circuit as C99.

    Where the features are the columns of a table, a struct has a field per column, categories and classes have an enum
    each, and `NAME_predict_row` takes rows.

    Args:
        circuit: Any circuit; with an encoder the code takes raw features, with a head it gives counts and classes, or
            numbers: doubles of 64 bits, the same bits as `gatewright.Engine` gives.
        directory: Where to write `NAME.h`, `NAME.c`, for more than 50,000 gates `NAME_gates_0.c` and so on, and with
            `driver` `NAME_main.c`.
        name: Prefix of every name in the code.
        word: Bits of a word, that is, samples evaluated at a time. 8 suits single samples: scratch memory is smallest, an
            eighth of that for 64. Batches are fastest with wide words: 16, 32 or 64 for C99; 128, 256 or 512 for the vector
            extension of gcc and clang, fast if the processor has such registers and the compiler may use them
            (for example with `-mavx512f`).
        driver: Also write a program that reads raw samples from standard input (features as in memory; without an encoder
            one byte 0 or 1 per input) and prints a line per sample: class and counts, number and count, or outputs as 0s
            and 1s.

    Returns:
        The files written, the header first.

    Raises:
        OptionError: `name` is not a C identifier, or `word` is none of the above.
        UnsupportedError: The circuit's counts do not fit 32 bits, or its head decides for more than one place.

    >>> import tempfile
    >>> from gatewright import Circuit
    >>> xor = Circuit(2, gate=[6], a=[0], b=[1], outputs=[2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in to_c(xor, folder, word=8, driver=True)]
    ['model.h', 'model.c', 'model_main.c']
    """
    check_name(name, C_KEYWORDS)
    kind = Word(word, f"{name}_word")
    refuse_places(circuit, "C")
    if circuit.head is not None and np.abs(circuit.head.offset).max() + circuit.n_outputs >= 1 << 31:
        raise UnsupportedError("the head's counts do not fit the 32-bit numbers of the C export")
    split = split_into_functions(circuit, LONGEST)
    gates, *parts = gate_sources(circuit, split, name, kind)
    source = [f'#include "{name}.h"', "", *gates]
    if circuit.encoder:
        source += encode_function(circuit.encoder, name, kind)
    if circuit.head:
        source += results_function(circuit.head, name, kind)
    if circuit.encoder and circuit.head:
        source += predict_functions(circuit.head, name)
        if circuit.encoder.columns:
            source += ["", *row_functions(circuit.encoder, circuit.head, name)]
    files = {f"{name}.h": header(circuit, split, name, kind), f"{name}.c": source}
    files |= {f"{name}_gates_{i}.c": part for i, part in enumerate(parts)}
    if driver:
        files[f"{name}_main.c"] = driver_source(circuit, name, kind)
    return write_files(directory, {path: "\n".join(lines) + "\n" for path, lines in files.items()})


__all__ = ["LARGEST", "LONGEST", "WORDS", "to_c"]
