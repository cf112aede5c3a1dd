"""A table's row in C: a struct with a field per column, enums of its categories and of the classes, and its prediction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.circuit.circuit import Encoder, Head
from gatewright.columns import Column
from gatewright.features import COARSE, EXACT, WIDE, feature_range, type_bits
from gatewright.formats.c.interface import Results
from gatewright.formats.names import C_KEYWORDS, comment

_WORDS = (("<=", " LE "), (">=", " GE "), ("<", " LT "), (">", " GT "), ("+", " PLUS "), ("%", " PERCENT "))
"""What signs are called in names, so that `<=50K` and `>50K` differ."""

_TAKEN = {
    *(
        "word",
        "feature",
        "workspace",
        "gates",
        "encode",
        "count",
        "classify",
        "predict",
        "predict_batch",
        "numbers",
        "number",
        "class",
        "row",
    ),
    *("features_of_row", "predict_row", "whole", "feature_of", "threshold_of", "by_class", "class_size", "offset_of"),
}
_TAKEN_CONSTANTS = {"WORD_BITS", "INPUTS", "OUTPUTS", "FEATURES", "CLASSES", "H"}


def identifier(text: str, taken: set[str], fallback: str) -> str:
    """A name in C for a text, not among those taken, to which it is added.

    >>> taken = {"x"}
    >>> identifier("hours-per-week", taken, "c"), identifier("x", taken, "c"), identifier("<=50K", taken, "c")
    ('hours_per_week', 'x_2', 'LE_50K')
    """
    for sign, word in _WORDS:
        text = text.replace(sign, word)
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:40] or fallback
    if plain[0].isdigit():
        plain = f"{fallback}_{plain}"
    if plain in C_KEYWORDS:
        plain += "_"
    found, number = plain, 1
    while found in taken:
        number += 1
        found = f"{plain}_{number}"
    taken.add(found)
    return found


@dataclass(frozen=True)
class _Field:
    """A field: its column, its name, that of its flag, of its enum and its constants, and the type of its feature."""

    column: Column
    name: str
    flag: str
    enum: str
    constants: list[str]
    kind: str


def _fields(encoder: Encoder, name: str) -> list[_Field]:
    upper, kinds = name.upper(), iter(encoder.types)
    taken: set[str] = {"class"}
    enums, constants = set(_TAKEN), {f"{upper}_{each}" for each in _TAKEN_CONSTANTS}
    fields = []
    for column in encoder.columns:
        field = identifier(column.name, taken, "column")
        enum, names = "", []
        if column.kind == "category":
            enum = identifier(field, enums, "column")
            texts = [*column.categories, *(["missing"] if column.missing else [])]
            for text in texts:
                short = identifier(text, set(), "CATEGORY").upper()
                names.append(identifier(f"{upper}_{enum.upper()}_{short}", constants, "CATEGORY"))
        flag = identifier(f"{field}_missing", taken, "column") if column.has_flag else ""
        fields.append(_Field(column, field, flag, enum, names, next(kinds)))
        if column.has_flag:
            next(kinds)
    return fields


def class_enum(head: Head, name: str) -> Iterator[str]:
    """The classes by name."""
    if not head.class_names:
        return
    taken: set[str] = set()
    yield "\n/* The classes. */"
    yield f"enum {name}_class {{"
    for k, label in enumerate(head.class_names):
        short = identifier(label, set(), "N").upper()
        yield f"    {identifier(f'{name.upper()}_CLASS_{short}', taken, 'CLASS')} = {k}, /* {comment(label)} */"
    yield "};"


def row_declarations(encoder: Encoder, head: Head, name: str) -> Iterator[str]:
    """Types and functions for rows of a table."""
    fields = _fields(encoder, name)
    for field in fields:
        if field.enum:
            yield f"/* Categories of {comment(field.column.name)}. */"
            yield f"enum {name}_{field.enum} {{"
            texts = [*field.column.categories, *(["not known"] if field.column.missing else [])]
            for code, (constant, text) in enumerate(zip(field.constants, texts, strict=True)):
                yield f"    {constant} = {code}, /* {comment(text)} */"
            yield "};\n"
    yield "/* A row of the table. Whole numbers beyond the range that is given count as its nearest end."
    yield " * Where a value is missing, set the field that says so to 1; the value itself is then not read. */"
    yield "typedef struct {"
    for field in fields:
        column = field.column
        about = comment(column.name)
        if column.kind == "integer":
            low, high = feature_range(field.kind)
            about += f": {int(low)} .. {int(high)}"
        elif column.kind == "boolean":
            about += ": 0 or 1"
        yield f"    {_type(field, name)} {field.name}; /* {about} */"
        if column.has_flag:
            yield f"    uint8_t {field.flag};"
    yield f"}} {name}_row;\n"
    yield "/* The features of a row, in their order. */"
    yield f"void {name}_features_of_row(const {name}_row *row, {name}_feature *features);\n"
    results = Results.of(head)
    yield f"/* {results.words} of a row, as above. */"
    yield f"{results.kind} {name}_predict_row(const {name}_row *row, int32_t *counts, {name}_workspace *work);\n"


def _type(field: _Field, name: str) -> str:
    kinds = {"boolean": "uint8_t", "float": "float", "category": f"enum {name}_{field.enum}"}
    if field.column.kind != "integer":
        return kinds[field.column.kind]
    bits = type_bits(field.kind) + (not field.kind.startswith("int"))
    return "int32_t" if bits <= 32 else "int64_t"


def row_functions(encoder: Encoder, head: Head, name: str) -> Iterator[str]:
    """`NAME_features_of_row` and `NAME_predict_row`."""
    fields = _fields(encoder, name)
    yield f"static {name}_feature {name}_whole(int64_t value, int64_t low, int64_t high)"
    yield "{"
    yield "    value = value < low ? low : value > high ? high : value;"
    if encoder.dtype == WIDE:
        yield "    /* A double holds no more digits; thresholds there are multiples of these. */"
        yield f"    if (value > {EXACT} || value < -{EXACT}) value -= value & {COARSE - 1};"
    yield f"    return ({name}_feature)value;"
    yield "}\n"
    yield f"void {name}_features_of_row(const {name}_row *row, {name}_feature *features)"
    yield "{"
    at = 0
    for field in fields:
        column, value = field.column, f"row->{field.name}"
        gone = f"row->{field.flag}"
        if column.kind == "float":
            gone = f"{gone} || {value} != {value}"
            number = f"({name}_feature){value}"
        elif column.kind == "boolean":
            number = f"{value} != 0"
        else:
            low, high = feature_range(field.kind)
            most = len(field.constants) - 1 if column.kind == "category" else int(high)
            number = f"{name}_whole((int64_t){value}, {_literal(int(low))}, {_literal(most)})"
        if column.has_flag:
            yield f"    features[{at + 1}] = {gone} ? 1 : 0;"
            number = f"features[{at + 1}] > 0 ? 0 : {number}"
        yield f"    features[{at}] = ({name}_feature)({number});"
        at += column.n_features
    yield "}\n"
    kind = Results.of(head).kind
    yield f"{kind} {name}_predict_row(const {name}_row *row, int32_t *counts, {name}_workspace *work)"
    yield "{"
    yield f"    {name}_feature features[{encoder.n_features}];"
    yield f"    {name}_features_of_row(row, features);"
    yield f"    return {name}_predict(features, counts, work);"
    yield "}"


def _literal(value: int) -> str:
    """A constant of int64_t; the least has none of its own."""
    return "INT64_MIN" if value == -(1 << 63) else f"INT64_C({value})"
