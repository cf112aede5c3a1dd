"""Rows of tables in C: the struct's fields become the features that Python makes of the same table."""

import numpy as np
import pandas as pd
import pytest

from gatewright.circuit import Circuit, Encoder, Head
from gatewright.columns import array_type, describe_columns, read_columns, values_of
from gatewright.formats import to_c
from gatewright.formats.c.row import _fields, identifier

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-O1"]

TABLES = {
    "bytes": {"int": [0, 200, 7], "for": [True, False, True], "class": ["a b", "a-b", "é"]},
    "words": {"row": [-300, 5, 40], "row_": [1, None, 3], "row__missing": [0, 1, 2], "漢": [70000, 1, 2]},
    "floats": {"x": [0.5, None, -2.25], "count": [1, 2, 2**24 - 1], "word": ["bits", None, "bits"]},
    "wide": {"x": [0.5, 1.5, -2.25], "big": [2**62 + 5, -(2**61), 3], "late": [2**40, None, 1]},
}


def circuit_of(frame):
    values = values_of(frame)
    columns, types = describe_columns(values)
    names = [name for column in columns for name in column.feature_names]
    encoder = Encoder([], [], (len(types),), array_type(types, values), names, types, columns)
    return Circuit(0, [15], [0], [0], [0], encoder, Head([0], [0, 0], class_names=("<=1", ">1")))


def literal(value, field):
    if field.column.kind == "category":
        return field.constants[-1] if pd.isna(value) else field.constants[field.column.categories.index(value)]
    if pd.isna(value):
        return "77"  # not read
    return f"{np.float32(value)}f" if field.column.kind == "float" else f"{int(value)}"


@pytest.mark.parametrize("name", TABLES)
def test_fields_become_features(name, tool, run, tmp_path):
    frame = pd.DataFrame({key: pd.Series(each, dtype=object) for key, each in TABLES[name].items()})
    circuit = circuit_of(frame)
    encoder = circuit.encoder
    to_c(circuit, tmp_path, name="m")
    fields = _fields(encoder, "m")
    rows = []
    for _, row in frame.iterrows():
        flags = [f".{f.flag} = {int(pd.isna(row[f.column.name]))}" for f in fields if f.flag]
        rows.append("{" + ", ".join([f".{f.name} = {literal(row[f.column.name], f)}" for f in fields] + flags) + "}")
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "m.h"\nstatic const m_row rows[] = {\n' + ",\n".join(rows) + "\n};\n"
        "int main(void) {\n  m_feature features[M_FEATURES];\n  for (int i = 0; i < 3; i++) {\n"
        "    m_features_of_row(rows + i, features);\n"
        '    for (int j = 0; j < M_FEATURES; j++) printf("%a ", (double)features[j]);\n'
        '    printf("\\n");\n  }\n  return M_CLASS_LE_1;\n}\n'
    )
    run(tool("gcc"), *FLAGS, "-o", tmp_path / "main", tmp_path / "main.c", tmp_path / "m.c")
    got = [[float.fromhex(each) for each in line.split()] for line in run(tmp_path / "main").splitlines()]
    assert got == read_columns(encoder.columns, encoder.types, frame, encoder.dtype).astype(float).tolist()


def test_numbers_beyond_the_range_are_its_end(tool, run, tmp_path):
    circuit = circuit_of(pd.DataFrame({"n": [0, 100], "s": [-5, 3]}))
    to_c(circuit, tmp_path, name="m")
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "m.h"\nint main(void) { m_feature f[2];\n'
        "m_row row = {.n = 2000000000, .s = -2000000000};\n"
        'm_features_of_row(&row, f); printf("%d %d", (int)f[0], (int)f[1]); return 0; }\n'
    )
    run(tool("gcc"), *FLAGS, "-o", tmp_path / "main", tmp_path / "main.c", tmp_path / "m.c")
    assert run(tmp_path / "main") == "127 -8"


def test_names_are_identifiers_of_their_own():
    taken = set()
    names = [identifier(text, taken, "column") for text in ("a b", "a-b", "a_b", "1st", "int", "", "é", "x" * 100)]
    assert names == ["a_b", "a_b_2", "a_b_3", "column_1st", "int_", "column", "column_2", "x" * 40]
