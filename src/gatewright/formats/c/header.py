"""The header of a circuit in C: types and functions, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.circuit.circuit import Circuit
from gatewright.formats.c.functions import Functions
from gatewright.formats.c.interface import FEATURE_TYPES, Results, n_planes
from gatewright.formats.c.row import class_enum, row_declarations
from gatewright.formats.c.word import Word
from gatewright.formats.names import comment, remarks


def header(circuit: Circuit, split: Functions, name: str, word: Word) -> Iterator[str]:
    """Lines of `NAME.h`."""
    upper, encoder, head = name.upper(), circuit.encoder, circuit.head
    yield f"/* {name}: a Boolean network of {len(split.order)} gates, written by gatewright."
    yield from (f" * {line}" for line in remarks(circuit.metadata))
    yield " *"
    where = "bit s % 64 of lane s / 64" if word.vector else "bit s"
    yield f" * Samples are evaluated {word.bits} at a time, one per bit: sample s is {where}, least significant first."
    yield " * Nothing is allocated, and only constants are static; scratch memory is the caller's workspace."
    if encoder:
        yield f" * A sample is {encoder.n_features} features, those of shape {list(encoder.shape)} in C order."
        yield " * Input bit i is features[feature of i] >= threshold of i; features must not be NaN."
    if head and head.number:
        base, scale = head.number
        yield " * count = offset + true outputs."
        yield f" * The number is {base!r} + {scale!r} * count: the product is exact in a double of 64 bits, which is"
        yield " * assumed, and so the number is the same with and without fused multiply-add."
    elif head:
        yield f" * count[k] = offset[k] + true outputs of class k; the score of class k is count[k] / {head.tau!r}."
        yield " * The class is the lowest among those with the greatest count."
        for k, label in enumerate(head.class_names):
            yield f" * class {k}: {comment(label)}"
    yield " */"
    yield f"#ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n"
    yield f"#define {upper}_WORD_BITS {word.bits}"
    yield f"#define {upper}_INPUTS {circuit.n_inputs}"
    yield f"#define {upper}_OUTPUTS {circuit.n_outputs}"
    if encoder:
        yield f"#define {upper}_FEATURES {encoder.n_features}"
    if head:
        yield f"#define {upper}_CLASSES {head.n_classes}"
    if head:
        yield from class_enum(head, name)
    yield '\n#ifdef __cplusplus\nextern "C" {\n#endif\n'
    yield from word.definition()
    if encoder:
        yield f"typedef {FEATURE_TYPES[encoder.dtype]} {name}_feature;"
    yield "\n/* Scratch memory of one evaluation; need not be initialised. Each thread needs its own. */"
    yield "typedef struct {"
    yield f"    {name}_word input[{max(1, circuit.n_inputs)}];"
    yield f"    {name}_word output[{max(1, circuit.n_outputs)}];"
    yield f"    {name}_word value[{max(1, split.n_slots)}];"
    if head:
        yield f"    {name}_word plane[{head.n_classes}][{n_planes(head)}];"
    yield f"}} {name}_workspace;\n"
    yield f"/* Gates only: input[{upper}_INPUTS] to output[{upper}_OUTPUTS], packed; value is scratch of"
    yield " * the length it has in the workspace. */"
    yield f"void {name}_gates(const {name}_word *input, {name}_word *output, {name}_word *value);\n"
    if encoder:
        yield f"/* Pack the input bits of up to {upper}_WORD_BITS samples that lie one after the other. */"
        yield f"void {name}_encode(const {name}_feature *features, int32_t samples, {name}_word *input);\n"
    if head:
        results = Results.of(head)
        many = results.many
        yield f"/* {many.capitalize()} of up to {upper}_WORD_BITS samples from packed inputs. {many}[samples] and"
        yield f" * counts[samples * {upper}_CLASSES] may each be a null pointer. */"
        yield f"void {name}_{results.function}(const {name}_word *input, int32_t samples, {results.kind} *{many},"
        yield f"    int32_t *counts, {name}_workspace *work);\n"
    if encoder and head:
        results = Results.of(head)
        many = results.many
        yield f"/* {many.capitalize()} of any number of samples that lie one after the other; pointers as above. */"
        yield f"void {name}_predict_batch(const {name}_feature *features, int32_t samples, {results.kind} *{many},"
        yield f"    int32_t *counts, {name}_workspace *work);\n"
        yield f"/* {results.words} of one sample; counts[{upper}_CLASSES] may be a null pointer. */"
        yield f"{results.kind} {name}_predict(const {name}_feature *features, int32_t *counts, {name}_workspace *work);\n"
        if encoder.columns:
            yield from row_declarations(encoder, head, name)
    yield "#ifdef __cplusplus\n}\n#endif\n\n#endif"
