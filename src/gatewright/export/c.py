"""C99 export: a header and a source that need nothing but `stdint.h`, and on request a program around them.

Gates are computed bit-parallel, one sample a bit of a word. They stand in functions of at most `LONGEST` gates, so
that compilers need time and memory linear in the circuit; values that cross from one function to another go through a
scratch array in a workspace that the caller owns, so the code is re-entrant and allocates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.errors import OptionError, UnsupportedError
from gatewright.export.expressions import EXPRESSIONS
from gatewright.export.files import write_files
from gatewright.export.names import C_KEYWORDS, check_name, comment
from gatewright.export.schedule import make_schedule
from gatewright.export.whole import refuse_places

WORDS = (8, 16, 32, 64)
"""Bits a word can have."""

LONGEST = 100
"""Most gates in one C function: what gcc -O1 compiles fastest (a third of the time that 2,000 take), and runs no slower."""

_FEATURE_TYPES = {"bool": "uint8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "float32": "float"}
_RANGES = {"bool": (0, 1), "uint8": (0, 255), "int16": (-(2**15), 2**15 - 1), "int32": (-(2**31), 2**31 - 1)}
_WIDER = {"bool": "int16_t", "uint8": "int16_t", "int16": "int32_t", "int32": "int64_t"}


def to_c(
    circuit: Circuit, directory: str | Path, *, name: str = "model", word: int = 64, driver: bool = False
) -> list[Path]:
    """Write a circuit as C99.

    Args:
        circuit: Any circuit; with an encoder the code takes raw features, with a head it gives counts and classes.
        directory: Where to write `NAME.h`, `NAME.c` and, on request, `NAME_main.c`.
        name: Prefix of every name in the code.
        word: Bits of a word, that is samples evaluated at a time: 8, 16, 32 or 64.
        driver: Also write a program that reads raw samples (features as they lie in memory; without an encoder a byte
            0 or 1 per input) from standard input and writes a line per sample: class and counts, or outputs as 0s
            and 1s.

    Returns:
        The files written.

    Raises:
        OptionError: `name` is no C identifier, or `word` is none of the above.
        UnsupportedError: The circuit's counts do not fit 32 bits.
    """
    check_name(name, C_KEYWORDS)
    if isinstance(word, bool) or word not in WORDS:
        raise OptionError(f"word is {word!r}, expected one of {WORDS} bits")
    refuse_places(circuit, "C")
    if circuit.head is not None and np.abs(circuit.head.offset).max() + circuit.n_outputs >= 1 << 31:
        raise UnsupportedError("the head's counts do not fit the 32-bit numbers of the C export")
    files = {f"{name}.h": "\n".join(_header(circuit, name, word)) + "\n"}
    files[f"{name}.c"] = "\n".join(_source(circuit, name, word)) + "\n"
    if driver:
        files[f"{name}_main.c"] = "\n".join(_driver(circuit, name)) + "\n"
    return write_files(directory, files)


def _header(circuit: Circuit, name: str, word: int) -> Iterator[str]:
    upper, encoder, head = name.upper(), circuit.encoder, circuit.head
    schedule = make_schedule(circuit, LONGEST)
    yield f"/* {name}: a Boolean network of {len(schedule.order)} gates, written by gatewright."
    for key, value in sorted(circuit.metadata.items()):
        yield f" * {comment(key)}: {comment(value)}"
    yield " *"
    yield f" * Samples are evaluated {word} at a time, one a bit: sample s is bit s, least significant first."
    yield " * Nothing is allocated and nothing is static but constants; scratch memory is the caller's workspace."
    if encoder:
        yield f" * A sample is {encoder.n_features} features, those of shape {list(encoder.shape)} in C order."
        yield " * Input bit i is features[feature of i] >= threshold of i; features must not be NaN."
    if head:
        yield f" * count[k] = offset[k] + true outputs of class k; the score of class k is count[k] / {head.tau!r}."
        yield " * The class is the lowest among those with the greatest count."
        for k, label in enumerate(head.class_names):
            yield f" * class {k}: {comment(label)}"
    yield " */"
    yield f"#ifndef {upper}_H"
    yield f"#define {upper}_H"
    yield ""
    yield "#include <stdint.h>"
    yield ""
    yield f"#define {upper}_WORD_BITS {word}"
    yield f"#define {upper}_INPUTS {circuit.n_inputs}"
    yield f"#define {upper}_OUTPUTS {circuit.n_outputs}"
    if encoder:
        yield f"#define {upper}_FEATURES {encoder.n_features}"
    if head:
        yield f"#define {upper}_CLASSES {head.n_classes}"
    yield ""
    yield "#ifdef __cplusplus"
    yield 'extern "C" {'
    yield "#endif"
    yield ""
    yield f"typedef uint{word}_t {name}_word;"
    if encoder:
        yield f"typedef {_FEATURE_TYPES[encoder.dtype]} {name}_feature;"
    yield ""
    yield "/* Scratch memory of one evaluation; need not be initialised. Threads need one each. */"
    yield "typedef struct {"
    yield f"    {name}_word input[{max(1, circuit.n_inputs)}];"
    yield f"    {name}_word output[{max(1, circuit.n_outputs)}];"
    yield f"    {name}_word value[{max(1, schedule.n_slots)}];"
    if head:
        yield f"    {name}_word plane[{head.n_classes}][{_n_planes(head)}];"
    yield f"}} {name}_workspace;"
    yield ""
    yield f"/* Gates only: input[{upper}_INPUTS] to output[{upper}_OUTPUTS], packed; value is scratch of"
    yield " * the length it has in the workspace. */"
    yield f"void {name}_gates(const {name}_word *input, {name}_word *output, {name}_word *value);"
    yield ""
    if encoder:
        yield f"/* Pack the input bits of up to {upper}_WORD_BITS samples that lie one after the other. */"
        yield f"void {name}_encode(const {name}_feature *features, int32_t samples, {name}_word *input);"
        yield ""
    if head:
        yield f"/* Classes of up to {upper}_WORD_BITS samples from packed inputs. classes[samples] and"
        yield f" * counts[samples * {upper}_CLASSES] may each be a null pointer. */"
        yield f"void {name}_classify(const {name}_word *input, int32_t samples, int32_t *classes, int32_t *counts,"
        yield f"    {name}_workspace *work);"
        yield ""
    if encoder and head:
        yield "/* Classes of any number of samples that lie one after the other; pointers as above. */"
        yield f"void {name}_predict_batch(const {name}_feature *features, int32_t samples, int32_t *classes,"
        yield f"    int32_t *counts, {name}_workspace *work);"
        yield ""
        yield f"/* Class of one sample; counts[{upper}_CLASSES] may be a null pointer. */"
        yield f"int32_t {name}_predict(const {name}_feature *features, int32_t *counts, {name}_workspace *work);"
        yield ""
    yield "#ifdef __cplusplus"
    yield "}"
    yield "#endif"
    yield ""
    yield "#endif"


def _n_planes(head: Head) -> int:
    """Bits of the largest number of true outputs that a class can have."""
    return max(1, int(np.bincount(head.group, minlength=1).max()).bit_length())


def _source(circuit: Circuit, name: str, word: int) -> Iterator[str]:
    yield f'#include "{name}.h"'
    yield ""
    yield from _gates(circuit, name, word)
    if circuit.encoder:
        yield from _encode(circuit.encoder, name)
    if circuit.head:
        yield from _classify(circuit.head, name)
    if circuit.encoder and circuit.head:
        yield from _predict(name)


def _gates(circuit: Circuit, name: str, word: int) -> Iterator[str]:
    """The functions of gates, and the one that calls them all."""
    schedule = make_schedule(circuit, LONGEST)
    n_inputs, function, slot = circuit.n_inputs, schedule.function.tolist(), schedule.slot.tolist()
    gate, a, b = circuit.gate.tolist(), circuit.a.tolist(), circuit.b.tolist()
    readers: dict[int, list[int]] = {}
    for j, node in enumerate(circuit.outputs.tolist()):
        readers.setdefault(node, []).append(j)
    n_functions = len(schedule.starts) - 1
    if n_functions > 1:
        yield "#if defined(__GNUC__)"
        yield "#define APART static __attribute__((noinline)) /* one big function would take compilers for ever */"
        yield "#else"
        yield "#define APART static"
        yield "#endif"
        yield ""
    # Words narrower than int are promoted by every operator, and cast back.
    cast = f"({name}_word)" if word < 32 else ""
    words = {"zero": "0", "one": f"({name}_word)-1"}
    arguments = f"const {name}_word *restrict x, {name}_word *restrict y, {name}_word *restrict v"
    for f in range(n_functions):

        def value(node: int, f: int = f) -> str:
            if node < n_inputs:
                return f"x[{node}]"
            i = node - n_inputs
            return f"g{i}" if function[i] == f else f"v[{slot[i]}]"

        if n_functions > 1:
            yield f"APART void {name}_gates_{f}({arguments})"
        else:
            yield f"static void {name}_gates_{f}({arguments})"
        yield "{"
        yield "    (void)x, (void)y, (void)v;"
        for i in schedule.order[schedule.starts[f] : schedule.starts[f + 1]].tolist():
            text = EXPRESSIONS[gate[i]].format(a=value(a[i]), b=value(b[i]), **words)
            yield f"    const {name}_word g{i} = {cast}({text});" if cast else f"    const {name}_word g{i} = {text};"
            for j in readers.get(n_inputs + i, ()):
                yield f"    y[{j}] = g{i};"
            if slot[i] >= 0:
                yield f"    v[{slot[i]}] = g{i};"
        yield "}"
        yield ""
    yield f"void {name}_gates(const {name}_word *input, {name}_word *output, {name}_word *value)"
    yield "{"
    yield "    (void)input, (void)output, (void)value;"
    for f in range(n_functions):
        yield f"    {name}_gates_{f}(input, output, value);"
    for node, outputs in readers.items():
        if node < n_inputs:
            yield from (f"    output[{j}] = input[{node}];" for j in outputs)
    yield "}"
    yield ""


def _table(kind: str, name: str, values: Iterable[str]) -> Iterator[str]:
    entries = list(values) or ["0"]
    yield f"static const {kind} {name}[{len(entries)}] = {{"
    yield from (f"    {', '.join(entries[i : i + 16])}," for i in range(0, len(entries), 16))
    yield "};"
    yield ""


def _index_type(largest: int) -> str:
    return next(f"uint{bits}_t" for bits in (8, 16, 32) if largest < 1 << bits)


def _thresholds(encoder: Encoder) -> tuple[str, list[str]]:
    """C type that holds all thresholds and compares exactly with the features, and the thresholds in it."""
    if encoder.dtype == "float32":
        return "float", [f"{t.hex()}f" for t in encoder.threshold.tolist()]
    low, high = _RANGES[encoder.dtype]
    clipped = [int(t) for t in np.clip(encoder.threshold, low, high + 1)]  # below all values, above all values
    fits = max(clipped, default=0) <= high
    kind = _FEATURE_TYPES[encoder.dtype] if fits else _WIDER[encoder.dtype]
    # The smallest int32 has no literal of its own type: its digits without the sign are a wider number.
    return kind, ["-2147483647 - 1" if t == -(2**31) else str(t) for t in clipped]


def _encode(encoder: Encoder, name: str) -> Iterator[str]:
    upper = name.upper()
    kind, thresholds = _thresholds(encoder)
    yield from _table(_index_type(encoder.n_features), f"{name}_feature_of", map(str, encoder.feature.tolist()))
    yield from _table(kind, f"{name}_threshold_of", thresholds)
    yield f"void {name}_encode(const {name}_feature *features, int32_t samples, {name}_word *input)"
    yield "{"
    yield f"    for (int32_t i = 0; i < {upper}_INPUTS; i++) {{"
    yield f"        const {name}_feature *feature = features + {name}_feature_of[i];"
    yield f"        {name}_word bits = 0;"
    yield "        for (int32_t s = 0; s < samples; s++) {"
    yield f"            const {name}_word bit = *feature >= {name}_threshold_of[i];"
    yield f"            bits = ({name}_word)(bits | ({name}_word)(bit << s));"
    yield f"            feature += {upper}_FEATURES;"
    yield "        }"
    yield "        input[i] = bits;"
    yield "    }"
    yield "}"
    yield ""


def _classify(head: Head, name: str) -> Iterator[str]:
    upper, planes = name.upper(), _n_planes(head)
    yield from _table(_index_type(head.n_classes), f"{name}_class_of", map(str, head.group.tolist()))
    yield from _table("int32_t", f"{name}_offset_of", map(str, head.offset.tolist()))
    yield f"void {name}_classify(const {name}_word *input, int32_t samples, int32_t *classes, int32_t *counts,"
    yield f"    {name}_workspace *work)"
    yield "{"
    yield f"    {name}_gates(input, work->output, work->value);"
    yield f"    for (int32_t k = 0; k < {upper}_CLASSES; k++) {{"
    yield f"        for (int32_t p = 0; p < {planes}; p++) {{"
    yield "            work->plane[k][p] = 0;"
    yield "        }"
    yield "    }"
    yield "    /* Count all samples at once: bit s of plane p is bit p of the count of sample s. */"
    yield f"    for (int32_t j = 0; j < {upper}_OUTPUTS; j++) {{"
    yield f"        {name}_word *plane = work->plane[{name}_class_of[j]];"
    yield f"        {name}_word carry = work->output[j];"
    yield "        for (int32_t p = 0; carry != 0; p++) {"
    yield f"            const {name}_word sum = plane[p] ^ carry;"
    yield "            carry = plane[p] & carry;"
    yield "            plane[p] = sum;"
    yield "        }"
    yield "    }"
    yield "    for (int32_t s = 0; s < samples; s++) {"
    yield "        int32_t best = 0, best_count = 0;"
    yield f"        for (int32_t k = 0; k < {upper}_CLASSES; k++) {{"
    yield f"            int32_t count = {name}_offset_of[k];"
    yield f"            for (int32_t p = 0; p < {planes}; p++) {{"
    yield "                count += (int32_t)((work->plane[k][p] >> s) & 1) << p;"
    yield "            }"
    yield "            if (counts) {"
    yield f"                counts[s * {upper}_CLASSES + k] = count;"
    yield "            }"
    yield "            if (k == 0 || count > best_count) {"
    yield "                best = k;"
    yield "                best_count = count;"
    yield "            }"
    yield "        }"
    yield "        if (classes) {"
    yield "            classes[s] = best;"
    yield "        }"
    yield "    }"
    yield "}"
    yield ""


def _predict(name: str) -> Iterator[str]:
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
    yield "}"
    yield ""
    yield f"int32_t {name}_predict(const {name}_feature *features, int32_t *counts, {name}_workspace *work)"
    yield "{"
    yield "    int32_t best;"
    yield f"    {name}_predict_batch(features, 1, &best, counts, work);"
    yield "    return best;"
    yield "}"


def _driver(circuit: Circuit, name: str) -> Iterator[str]:
    """A program that evaluates the samples on its standard input."""
    upper, encoder, head = name.upper(), circuit.encoder, circuit.head
    size = f"{upper}_FEATURES" if encoder else f"{upper}_INPUTS"
    kind = f"{name}_feature" if encoder else "uint8_t"
    yield "#include <stdio.h>"
    yield ""
    yield f'#include "{name}.h"'
    yield ""
    yield f"static {name}_workspace work;"
    yield f"static {kind} samples[{upper}_WORD_BITS * ({size} + 1)];"
    if head:
        yield f"static int32_t classes[{upper}_WORD_BITS], counts[{upper}_WORD_BITS * {upper}_CLASSES];"
    yield ""
    yield "int main(void)"
    yield "{"
    yield "    int32_t n;"
    yield "    do {"
    if encoder or circuit.n_inputs:
        yield f"        n = (int32_t)fread(samples, sizeof samples[0] * {size}, {upper}_WORD_BITS, stdin);"
    else:
        yield "        n = 1; /* a circuit without inputs has one value */"
    if encoder:
        yield f"        {name}_encode(samples, n, work.input);"
    else:
        yield f"        for (int32_t i = 0; i < {upper}_INPUTS; i++) {{"
        yield "            work.input[i] = 0;"
        yield "            for (int32_t s = 0; s < n; s++) {"
        yield f"                const {name}_word bit = samples[s * {upper}_INPUTS + i] != 0;"
        yield f"                work.input[i] = ({name}_word)(work.input[i] | ({name}_word)(bit << s));"
        yield "            }"
        yield "        }"
    if head:
        yield f"        {name}_classify(work.input, n, classes, counts, &work);"
    else:
        yield f"        {name}_gates(work.input, work.output, work.value);"
    yield "        for (int32_t s = 0; s < n; s++) {"
    if head:
        yield '            printf("%ld", (long)classes[s]);'
        yield f"            for (int32_t k = 0; k < {upper}_CLASSES; k++) {{"
        yield f'                printf(" %ld", (long)counts[s * {upper}_CLASSES + k]);'
        yield "            }"
    else:
        yield f"            for (int32_t j = 0; j < {upper}_OUTPUTS; j++) {{"
        yield "                putchar('0' + (int)((work.output[j] >> s) & 1));"
        yield "            }"
    yield "            putchar('\\n');"
    yield "        }"
    yield f"    }} while (n == {upper}_WORD_BITS);"
    yield "    return 0;"
    yield "}"
