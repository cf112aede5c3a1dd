"""Circuits and forests on a Cortex-M4: flash, RAM, and instructions per sample, run under qemu on all test rows.

PYTHONPATH=tests python benchmarks/microcontroller.py   # writes microcontroller.json beside itself

Needs gatewright[sklearn,data], the forests' compilers (`pip install --no-deps emlearn m2cgen`), and of Debian's packages
gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm.

Each circuit stands beside the smallest forests of scikit-learn, of the sizes in `SIZES`, that are at least as accurate;
they are chosen on the test rows, which favours them. They learn from train and validation, of the same features (Adult: a
number per column, categories as codes). emlearn's forests vote with whole classes, m2cgen's with probabilities, as those
libraries do by default. emlearn cuts off the fractions of thresholds for whole numbers, so forests get features times two.

Everything is compiled with `-Os` for a Cortex-M4 without floating-point unit. Flash is what linking the classifier alone
takes (code, constants, and the parts of the C library that it needs), RAM its static data and the deepest stack seen in any
call. Instructions are counted by qemu: with `-icount shift=0` an instruction takes a nanosecond, which a timer of the board
counts; a loop of known length is counted first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import emlearn
import m2cgen
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import gatewright as gw
from gatewright.circuit import Circuit
from gatewright.engine import Engine
from gatewright.formats import to_c
from gatewright.hardware import CORES
from gatewright.hardware.microcontrollers import FLAGS
from gatewright.sklearn import GatewrightClassifier
from support.cortex import BOARD, LINKER, VECTORS
from tables_adult import columns

FILE = Path(__file__).with_suffix(".json")
SIZES = sorted(
    product((1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100), (4, 8, 16, 32, 64, 128, 256, 512)),
    key=lambda size: size[0] * size[1],
)
"""Trees and leaves of each, by the number of all leaves."""

CHUNK = 32
C_TYPES = {"uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "float32": "float", "float64": "double"}
OPTIONS = [*CORES["cortex-m4"].options, *FLAGS]
MAIN = """
#include <stdint.h>
#include <stdio.h>
#define TIMER ((volatile uint32_t *)0xE000E010) /* SysTick: control, reload, value; it counts down, 24 bits */
#define PAINT 0xA5A5A5A5u
#define DEEP 4096 /* words of stack that are looked at */
typedef SAMPLE sample;
void predict(const sample *x, int n, int32_t *classes);
static sample x[CHUNK * FEATURES];
static int32_t classes[CHUNK];
int main(void)
{
    uint64_t ticks = 0;
    uint32_t deepest = 0, loops = 1000000, before, *sp, i;
    int n, k;
    TIMER[1] = 0xFFFFFF;
    TIMER[2] = 0;
    TIMER[0] = 5;
    before = TIMER[2];
    __asm volatile("1: subs %0, #1\\n bne 1b" : "+r"(loops)::"cc");
    printf("%lu\\n", (unsigned long)((before - TIMER[2]) & 0xFFFFFF));
    while ((n = (int)fread(x, sizeof(sample) * FEATURES, CHUNK, stdin)) > 0) {
        __asm volatile("mov %0, sp" : "=r"(sp));
        for (i = 1; i <= DEEP; i++) {
            *(volatile uint32_t *)(sp - i) = PAINT;
        }
        before = TIMER[2];
        predict(x, n, classes);
        ticks += (before - TIMER[2]) & 0xFFFFFF;
        for (i = DEEP; i > 0 && *(volatile uint32_t *)(sp - i) == PAINT; i--) {
        }
        deepest = i > deepest ? i : deepest;
        for (k = 0; k < n; k++) {
            printf("%d\\n", (int)classes[k]);
        }
    }
    printf("%lu %lu\\n", (unsigned long)ticks, (unsigned long)(4 * deepest));
    return 0;
}
"""
LOOP = """void predict(const sample *x, int n, int32_t *classes)
{{
    for (int i = 0; i < n; i++) {{
        {}
    }}
}}
"""
BATCH = """void predict(const sample *x, int n, int32_t *classes)
{
    model_predict_batch(x, n, classes, 0, &work);
}
"""


@dataclass(frozen=True)
class Program:
    """C code of a classifier.

    Attributes:
        name: What it is.
        kind: Type of the features that it takes.
        sources: Names and text of its files; one defines `predict`.
        about: More of it for the row.
    """

    name: str
    kind: str
    sources: dict[str, str]
    about: dict[str, Any]


def run(folder: Path, *command: Any, stdin: bytes | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return done.stdout.decode()


def measure(program: Program, x: Any, y: Any) -> dict[str, Any]:
    """Link the classifier alone for its size, and with a program around it to run on all rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in program.sources.items():
            (folder / file).write_text(text)
        (folder / "main.c").write_text(MAIN)
        (folder / "board.ld").write_text(LINKER)
        (folder / "vectors.c").write_text(VECTORS)
        defined = [f"-DSAMPLE={C_TYPES[program.kind]}", f"-DFEATURES={x.shape[1]}", f"-DCHUNK={CHUNK}"]
        sources = [file for file in program.sources if file.endswith(".c")]
        run(folder, "arm-none-eabi-gcc", *OPTIONS, *defined, "-c", *sources, "main.c", "vectors.c")
        link = ["arm-none-eabi-gcc", *OPTIONS, "-nostartfiles", "-Wl,--gc-sections,--no-warnings", "-T", "board.ld"]
        objects = [f"{Path(file).stem}.o" for file in sources]
        run(folder, *link, "-Wl,-e,predict", *objects, "-o", "alone.elf")
        text, data, bss = map(int, run(folder, "arm-none-eabi-size", "alone.elf").splitlines()[1].split()[:3])
        crt = run(folder, "arm-none-eabi-gcc", *OPTIONS, "-print-file-name=rdimon-crt0.o").strip()
        run(
            folder,
            *link,
            "--specs=rdimon.specs",
            "-Wl,-e,_start",
            crt,
            "vectors.o",
            "main.o",
            *objects,
            "-o",
            "program.elf",
        )
        qemu = ["qemu-system-arm", *BOARD, "-icount", "shift=0", "-kernel", "program.elf"]
        lines = run(folder, *qemu, stdin=np.ascontiguousarray(x, program.kind).tobytes()).splitlines()
    per_tick = 2_000_000 / int(lines[0])
    ticks, stack = map(int, lines[-1].split())
    return {
        "name": program.name,
        **program.about,
        "test": float(np.mean(np.array(lines[1:-1], int) == y)),
        "flash": text + data,
        "ram": data + bss + stack,
        "instructions": round(ticks * per_tick / len(x)),
    }


def circuits(name: str, circuit: Circuit) -> Iterator[Program]:
    """A circuit as C, for one sample at a time and for 32."""
    total = gw.cost(circuit).total_ops
    for word, call in ((8, LOOP.format("classes[i] = model_predict(x + i * FEATURES, 0, &work);")), (32, BATCH)):
        with tempfile.TemporaryDirectory() as folder:
            sources = {path.name: path.read_text() for path in to_c(circuit, folder, word=word)}
        start = '#include "model.h"\ntypedef SAMPLE sample;\nstatic model_workspace work;\n'
        sources["predict.c"] = f"{start}void predict(const sample *x, int n, int32_t *classes);\n{call}"
        kind = circuit.encoder.dtype if circuit.encoder else "bool"
        yield Program(f"gatewright, {name}, word {word}", kind, sources, {"total_ops": total})


def hard_votes(forest: RandomForestClassifier, x: Any) -> Any:
    """What emlearn's forest predicts: the class that most trees are for, the lowest of equals."""
    votes = [tree.tree_.value[tree.apply(x), 0].argmax(axis=1) for tree in forest.estimators_]
    return np.array([np.bincount(each, minlength=forest.n_classes_).argmax() for each in np.array(votes).T])


def smallest(x: Any, y: Any, x_test: Any, y_test: Any, least: float) -> dict[str, RandomForestClassifier]:
    """For each library the first forest of `SIZES` that is accurate enough as it votes."""
    found: dict[str, RandomForestClassifier] = {}
    for trees, leaves in SIZES:
        forest = RandomForestClassifier(trees, max_leaf_nodes=leaves, random_state=0).fit(x, y)
        for library, classes in (("emlearn", hard_votes(forest, x_test)), ("m2cgen", forest.predict(x_test))):
            if np.mean(classes == y_test) >= least:
                found.setdefault(library, forest)
        if len(found) == 2:
            break
    return found


def nodes(forest: RandomForestClassifier) -> int:
    return sum(tree.tree_.node_count for tree in forest.estimators_)


def compiled(forest: RandomForestClassifier, library: str, kind: str) -> Program:
    """A forest as C by one of the two libraries."""
    about = {"trees": len(forest.estimators_), "nodes": nodes(forest), "version": version(library)}
    if library == "emlearn":
        text = emlearn.convert(forest, method="inline", dtype=C_TYPES[kind]).save(name="model")
        call = LOOP.format("classes[i] = model_predict(x + i * FEATURES, FEATURES);")
    else:
        sys.setrecursionlimit(100_000)
        text, kind = m2cgen.export_to_c(forest), "float64"
        best = (
            "classes[i] = 0;\n        for (int k = 1; k < CLASSES; k++) if (out[k] > out[classes[i]]) classes[i] = k;"
        )
        best = best.replace("CLASSES", str(forest.n_classes_))
        call = LOOP.format(
            f"double out[{forest.n_classes_}];\n        score((double *)x + i * FEATURES, out);\n        {best}"
        )
    start = "#include <stdint.h>\ntypedef SAMPLE sample;\nvoid predict(const sample *x, int n, int32_t *classes);\n"
    return Program(f"{library}, forest", kind, {"predict.c": f"{start}{text}\n{call}"}, about)


def adult() -> tuple[Circuit, Any, Any, Any, Any]:
    """The estimator's circuit, and the rows as it takes them: a number per column."""
    x, y, x_test, y_test = columns()
    model = GatewrightClassifier(random_state=0).fit(x, y)
    encoder = model.circuit_.encoder
    label = {name: k for k, name in enumerate(model.classes_)}
    rows = [encoder.samples(each) for each in (x, x_test)]
    return model.circuit_, rows[0], [label[each] for each in y], rows[1], np.array([label[each] for each in y_test])


def digits(name: str) -> tuple[Circuit, Any, Any, Any, Any]:
    """A circuit of the zoo, and the images as rows."""
    data = gw.load_dataset("digits")
    parts = [(part.x.reshape(len(part.x), -1), part.y) for part in (data.train, data.validation, data.test)]
    x, y = (np.concatenate([parts[0][i], parts[1][i]]) for i in range(2))
    return gw.load(name).circuit, x, y, *parts[2]


CASES: dict[str, Callable[[], tuple[Circuit, Any, Any, Any, Any]]] = {
    "digits-narrow": lambda: digits("digits-narrow"),
    "digits": lambda: digits("digits"),
    "adult": adult,
}


def main() -> None:
    """Measure what is not measured yet."""
    compiler = run(Path(), "arm-none-eabi-gcc", "-dumpfullversion").strip()
    emulator = run(Path(), "qemu-system-arm", "--version").splitlines()[0]
    result = json.loads(FILE.read_text()) if FILE.exists() else {"cases": {}}
    result |= {"compiler": f"arm-none-eabi-gcc {compiler}", "emulator": emulator}
    for name, make in CASES.items():
        if name in result["cases"]:
            continue
        circuit, x, y, x_test, y_test = make()
        rows = [measure(program, x_test, y_test) for program in circuits(name, circuit)]
        right = Engine(circuit).predict(x_test) == y_test
        assert all(row["test"] == right.mean() for row in rows), "the controller does not answer as the engine does"
        twice, kind = 2 * x_test.astype(np.int32), "int16" if x.max() < 1 << 14 else "int32"
        for library, forest in sorted(smallest(2 * x.astype(np.int32), y, twice, y_test, right.mean()).items()):
            rows.append(measure(compiled(forest, library, kind), twice, y_test))
        print(*rows, sep="\n", flush=True)
        result["cases"][name] = {"test_rows": len(x_test), "rows": rows}
        FILE.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
