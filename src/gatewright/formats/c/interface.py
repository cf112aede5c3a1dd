"""C around the gates: thresholds before them, counts and argmax (or a number) after them, and everything in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gatewright.circuit.circuit import Encoder, Head
from gatewright.features import feature_range
from gatewright.formats.c.word import Word

FEATURE_TYPES = {
    "bool": "uint8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "float32": "float",
    "float64": "double",
}
"""C types of raw features."""

_WIDER = {"bool": "int16_t", "uint8": "int16_t", "int16": "int32_t", "int32": "int64_t"}


def n_planes(head: Head) -> int:
    """Bits of the largest number of true outputs that a class can have."""
    return max(1, int(np.bincount(head.group, minlength=1).max()).bit_length())


def _table(kind: str, name: str, values: Iterable[str]) -> Iterator[str]:
    entries = list(values) or ["0"]
    yield f"static const {kind} {name}[{len(entries)}] = {{"
    yield from (f"    {', '.join(entries[i : i + 16])}," for i in range(0, len(entries), 16))
    yield "};\n"


def _index_type(largest: int) -> str:
    return f"{np.min_scalar_type(largest)}_t"


def _thresholds(encoder: Encoder) -> tuple[str, list[str]]:
    """C type that holds all thresholds and compares exactly with the features, and the thresholds in it."""
    if encoder.dtype == "float32":
        return "float", [f"{t.hex()}f" for t in encoder.threshold.tolist()]
    if encoder.dtype == "float64":
        return "double", [t.hex() for t in encoder.threshold.tolist()]
    low, high = feature_range(encoder.dtype)
    clipped = [int(t) for t in np.clip(encoder.threshold, low, high + 1)]  # below all values, above all values
    fits = max(clipped, default=0) <= high
    kind = FEATURE_TYPES[encoder.dtype] if fits else _WIDER[encoder.dtype]
    # The smallest int32 has no literal of its own type: its digits without the sign are a wider number.
    return kind, ["-2147483647 - 1" if t == -(2**31) else str(t) for t in clipped]


def encode_function(encoder: Encoder, name: str, word: Word) -> Iterator[str]:
    """`NAME_encode`: features of some samples to packed bits."""
    upper = name.upper()
    kind, thresholds = _thresholds(encoder)
    yield from _table(_index_type(encoder.n_features), f"{name}_feature_of", map(str, encoder.feature.tolist()))
    yield from _table(kind, f"{name}_threshold_of", thresholds)
    yield f"void {name}_encode(const {name}_feature *features, int32_t samples, {word.name} *input)"
    yield "{"
    yield f"    for (int32_t i = 0; i < {upper}_INPUTS; i++) {{"
    lines = word.packed(
        "input[i]",
        f"const {name}_feature *feature = features + {name}_feature_of[i];",
        f"*feature >= {name}_threshold_of[i]",
        f"feature += {upper}_FEATURES;",
    )
    yield from (f"        {line}" for line in lines)
    yield "    }"
    yield "}\n"


@dataclass(frozen=True)
class Results:
    """What a head gives for each sample, as the functions call it.

    Attributes:
        kind: C type of one.
        many: Name of an array of them.
        one: Name of one.
        function: What makes them of packed bits is `NAME_` and this.
        words: One of them in words.
    """

    kind: str
    many: str
    one: str
    function: str
    words: str

    @classmethod
    def of(cls, head: Head) -> Results:
        """Those of a head."""
        if head.number:
            return cls("double", "numbers", "number", "numbers", "Number")
        return cls("int32_t", "classes", "best", "classify", "Class")


def results_function(head: Head, name: str, word: Word) -> Iterator[str]:
    """`NAME_classify`, or `NAME_numbers`: packed bits of some samples to counts and results."""
    results = Results.of(head)
    upper, planes, kind, cast = name.upper(), n_planes(head), word.name, word.cast
    full_adder = [  # adds two numbers of plane p's weight to it; the carry of the next weight replaces the second one
        f"            const {kind} differ = {cast}(waiting[p] ^ plane[p]), both = {cast}(waiting[p] & plane[p]);",
        f"            plane[p] = {cast}(differ ^ x);",
        f"            x = {cast}(both | (differ & x));",
    ]
    # Outputs by class; if they are in that order already, as most are, no table is needed.
    order = np.argsort(head.group, kind="stable")
    ordered = bool(np.all(order == np.arange(len(order))))
    if not ordered:
        yield from _table(_index_type(len(order)), f"{name}_by_class", map(str, order.tolist()))
    sizes = np.bincount(head.group, minlength=head.n_classes)
    yield from _table(_index_type(len(order)), f"{name}_class_size", map(str, sizes.tolist()))
    yield from _table("int32_t", f"{name}_offset_of", map(str, head.offset.tolist()))
    if head.number:
        base, scale = head.number
        yield f"static double {name}_number(int32_t count)"
        yield "{"
        yield f"    return {base.hex()} + {scale.hex()} * (double)count; /* {base!r} + {scale!r} * count */"
        yield "}\n"
    yield "/* Count all samples at once: bit s of plane[p] is bit p of the count of sample s. A number waits at each"
    yield " * weight for a second one; then a full adder makes three of a weight one, and a carry of the next weight. */"
    yield f"static void {name}_count(const {kind} *output, int32_t first, int32_t size, {kind} *plane)"
    yield "{"
    yield f"    {kind} waiting[{planes}];"
    yield f"    for (int32_t p = 0; p < {planes}; p++) plane[p] = waiting[p] = {word.zero};"
    yield "    for (int32_t j = 0; j < size; j++) {"
    yield f"        {kind} x = output[{'first + j' if ordered else f'{name}_by_class[first + j]'}];"
    yield "        int32_t p = 0;"
    yield "        for (; (j >> p) & 1; p++) {"
    yield from full_adder
    yield "        }"
    yield "        waiting[p] = x;"
    yield "    }"
    yield f"    {kind} x = {word.zero};"
    yield f"    for (int32_t p = 0; p < {planes}; p++) {{"
    yield "        if ((size >> p) & 1) {"
    yield from full_adder
    yield "        } else {"
    yield f"            const {kind} sum = {cast}(plane[p] ^ x);"
    yield f"            x = {cast}(plane[p] & x);"
    yield "            plane[p] = sum;"
    yield "        }"
    yield "    }"
    yield "}\n"
    yield f"void {name}_{results.function}(const {kind} *input, int32_t samples, {results.kind} *{results.many},"
    yield f"    int32_t *counts, {name}_workspace *work)"
    yield "{"
    yield f"    {name}_gates(input, work->output, work->value);"
    yield f"    for (int32_t k = 0, first = 0; k < {upper}_CLASSES; k++) {{"
    yield f"        {name}_count(work->output, first, {name}_class_size[k], work->plane[k]);"
    yield f"        first += {name}_class_size[k];"
    yield "    }"
    yield "    for (int32_t s = 0; s < samples; s++) {"
    if head.number:
        yield f"        int32_t count = {name}_offset_of[0];"
        yield f"        for (int32_t p = 0; p < {planes}; p++)"
        yield f"            count += (int32_t){word.bit('work->plane[0][p]', 's')} << p;"
        yield "        if (counts) counts[s] = count;"
        yield f"        if (numbers) numbers[s] = {name}_number(count);"
        yield "    }"
        yield "}\n"
        return
    yield "        int32_t best = 0, best_count = 0;"
    yield f"        for (int32_t k = 0; k < {upper}_CLASSES; k++) {{"
    yield f"            int32_t count = {name}_offset_of[k];"
    yield f"            for (int32_t p = 0; p < {planes}; p++)"
    yield f"                count += (int32_t){word.bit('work->plane[k][p]', 's')} << p;"
    yield f"            if (counts) counts[s * {upper}_CLASSES + k] = count;"
    yield "            if (k == 0 || count > best_count) {"
    yield "                best = k;"
    yield "                best_count = count;"
    yield "            }"
    yield "        }"
    yield "        if (classes) classes[s] = best;"
    yield "    }"
    yield "}\n"


def predict_functions(head: Head, name: str) -> Iterator[str]:
    """`NAME_predict_batch` and `NAME_predict`."""
    upper, results = name.upper(), Results.of(head)
    many, one = results.many, results.one
    yield f"void {name}_predict_batch(const {name}_feature *features, int32_t samples, {results.kind} *{many},"
    yield f"    int32_t *counts, {name}_workspace *work)"
    yield "{"
    yield "    while (samples > 0) {"
    yield f"        const int32_t now = samples < {upper}_WORD_BITS ? samples : {upper}_WORD_BITS;"
    yield f"        {name}_encode(features, now, work->input);"
    yield f"        {name}_{results.function}(work->input, now, {many}, counts, work);"
    yield f"        features += (intptr_t)now * {upper}_FEATURES;"
    yield f"        {many} = {many} ? {many} + now : {many};"
    yield f"        counts = counts ? counts + (intptr_t)now * {upper}_CLASSES : counts;"
    yield "        samples -= now;"
    yield "    }"
    yield "}\n"
    yield f"{results.kind} {name}_predict(const {name}_feature *features, int32_t *counts, {name}_workspace *work)"
    yield "{"
    yield f"    {results.kind} {one};"
    yield f"    {name}_predict_batch(features, 1, &{one}, counts, work);"
    yield f"    return {one};"
    yield "}"
