"""BLIF out of lookup tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gatewright.circuit.lookup_tables import LookupTables
from gatewright.errors import UnsupportedError
from gatewright.formats.names import check_name
from gatewright.runtime.files import write_files


def tables_to_blif(tables: LookupTables, directory: str | Path, *, name: str = "model") -> list[Path]:
    """Write lookup tables as BLIF, one `.names` for each; ports are called `bits[i]` and `outputs[j]`, as by `to_blif`.

    Args:
        tables: The tables.
        directory: Where to write `NAME.blif`.
        name: Name of the file and of the model in it.

    Returns:
        The file written.

    Raises:
        OptionError: `name` is not an identifier.
        UnsupportedError: There are no outputs.

    >>> import tempfile
    >>> majority = LookupTables(3, [[0, 1, 2]], [[0, 0, 0, 1, 0, 1, 1, 1]], [3])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = tables_to_blif(majority, folder)
    ...     print(path.read_text().splitlines()[4:9])
    ['.names bits[0] bits[1] bits[2] n0', '011 1', '101 1', '110 1', '111 1']
    """
    check_name(name)
    if not len(tables.outputs):
        raise UnsupportedError("these tables have no outputs, so there is nothing to write")
    return write_files(directory, {f"{name}.blif": "\n".join(_lines(tables, name)) + "\n"})


def _lines(tables: LookupTables, name: str) -> Iterator[str]:
    nodes = [f"bits[{i}]" for i in range(tables.n_inputs)]
    outputs = [f"outputs[{j}]" for j in range(len(tables.outputs))]
    yield "# written by gatewright"
    yield f".model {name}"
    yield " ".join([".inputs", *nodes])
    yield " ".join([".outputs", *outputs])
    nodes += [f"n{j}" for j in range(tables.n_tables)]
    rows = zip(tables.wiring.tolist(), tables.truth.tolist(), (tables.wiring >= 0).sum(1).tolist(), strict=True)
    for j, (read, truth, size) in enumerate(rows):
        yield " ".join([".names", *(nodes[node] for node in read[:size]), f"n{j}"])
        yield from _cubes(truth[: 1 << size], size)
    for node, output in zip(tables.outputs.tolist(), outputs, strict=True):
        yield f".names {nodes[node]} {output}"
        yield "1 1"
    yield ".end"


def _cubes(truth: list[bool], size: int) -> list[str]:
    """The rows of a table: those of ones or those of zeros, whichever are fewer. No row at all means zero."""
    if all(truth):
        return ["-" * size + " 1" if size else "1"]
    value = 2 * sum(truth) <= len(truth)
    return [f"{i:0{size}b} {value:d}" for i, bit in enumerate(truth) if bit == value]
