"""A C program that runs a circuit."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.circuit.circuit import Circuit
from gatewright.formats.c.interface import Results
from gatewright.formats.c.word import Word


def driver_source(circuit: Circuit, name: str, word: Word) -> Iterator[str]:
    """Lines of a program that evaluates the samples on its standard input."""
    upper, encoder, head = name.upper(), circuit.encoder, circuit.head
    size = f"{upper}_FEATURES" if encoder else f"{upper}_INPUTS"
    kind = f"{name}_feature" if encoder else "uint8_t"
    yield f'#include <stdio.h>\n\n#include "{name}.h"\n'
    yield f"static {name}_workspace work;"
    yield f"static {kind} values[{upper}_WORD_BITS * ({size} + 1)];"
    if head:
        results = Results.of(head)
        yield f"static {results.kind} {results.many}[{upper}_WORD_BITS];"
        yield f"static int32_t counts[{upper}_WORD_BITS * {upper}_CLASSES];"
    yield "\nint main(void)"
    yield "{"
    yield "    int32_t samples;"
    yield "    do {"
    if encoder or circuit.n_inputs:
        yield f"        samples = (int32_t)fread(values, sizeof values[0] * {size}, {upper}_WORD_BITS, stdin);"
    else:
        yield "        samples = 1; /* a circuit without inputs has one value */"
    if encoder:
        yield f"        {name}_encode(values, samples, work.input);"
    else:
        yield f"        for (int32_t i = 0; i < {upper}_INPUTS; i++) {{"
        start = "const uint8_t *value = values + i;"
        lines = word.packed("work.input[i]", start, "*value != 0", f"value += {upper}_INPUTS;")
        yield from (f"            {line}" for line in lines)
        yield "        }"
    if head:
        yield f"        {name}_{results.function}(work.input, samples, {results.many}, counts, &work);"
    else:
        yield f"        {name}_gates(work.input, work.output, work.value);"
    yield "        for (int32_t s = 0; s < samples; s++) {"
    if head:
        yield (
            '            printf("%.17g", numbers[s]);'
            if head.number
            else '            printf("%ld", (long)classes[s]);'
        )
        yield f"            for (int32_t k = 0; k < {upper}_CLASSES; k++)"
        yield f'                printf(" %ld", (long)counts[s * {upper}_CLASSES + k]);'
    else:
        yield f"            for (int32_t j = 0; j < {upper}_OUTPUTS; j++)"
        yield f"                putchar('0' + (int){word.bit('work.output[j]', 's')});"
    yield "            putchar('\\n');"
    yield "        }"
    yield f"    }} while (samples == {upper}_WORD_BITS);"
    yield "    return 0;"
    yield "}"
