"""C around the gates: thresholds before them, counts and argmax after them, and everything in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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


def classify_function(head: Head, name: str, word: Word) -> Iterator[str]:
    """`NAME_classify`: packed bits of some samples to counts and classes."""
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
    yield f"void {name}_classify(const {kind} *input, int32_t samples, int32_t *classes, int32_t *counts,"
    yield f"    {name}_workspace *work)"
    yield "{"
    yield f"    {name}_gates(input, work->output, work->value);"
    yield f"    for (int32_t k = 0, first = 0; k < {upper}_CLASSES; k++) {{"
    yield f"        {name}_count(work->output, first, {name}_class_size[k], work->plane[k]);"
    yield f"        first += {name}_class_size[k];"
    yield "    }"
    yield "    for (int32_t s = 0; s < samples; s++) {"
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


def predict_functions(name: str) -> Iterator[str]:
    """`NAME_predict_batch` and `NAME_predict`."""
    upper = name.upper()
    yield f"void {name}_predict_batch(const {name}_feature *features, int32_t samples, int32_t *classes,"
    yield f"    int32_t *counts, {name}_workspace *work)"
    yield "{"
    yield "    while (samples > 0) {"
    yield f"        const int32_t now = samples < {upper}_WORD_BITS ? samples : {upper}_WORD_BITS;"
    yield f"        {name}_encode(features, now, work->input);"
    yield f"        {name}_classify(work->input, now, classes, counts, work);"
    yield f"        features += (intptr_t)now * {upper}_FEATURES;"
    yield "        classes = classes ? classes + now : classes;"
    yield f"        counts = counts ? counts + (intptr_t)now * {upper}_CLASSES : counts;"
    yield "        samples -= now;"
    yield "    }"
    yield "}\n"
    yield f"int32_t {name}_predict(const {name}_feature *features, int32_t *counts, {name}_workspace *work)"
    yield "{"
    yield "    int32_t best;"
    yield f"    {name}_predict_batch(features, 1, &best, counts, work);"
    yield "    return best;"
    yield "}"
