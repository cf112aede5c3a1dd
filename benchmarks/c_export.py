"""C export: what gcc -O1 takes to compile it, and gate-samples a second of the compiled code, on one core.

Usage: python benchmarks/c_export.py [--gates 5000 50000 300000] [--words 64 256 512] [--seconds 2] [--json FILE]

The networks are those of `engine.py`: random, layered like trained ones, simplified before they are exported. Compiling is
one run of `gcc -O1 -march=native -c` over all sources, its memory that of the largest process. The gates alone are
timed, `model_gates` on packed inputs. Times are processor time of the process, as other work on the machine shares
its cores; the load while measuring is in the result.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from circuit_scale import machine
from engine import layered
from gatewright.circuit import Circuit, simplify
from gatewright.circuit.evaluate import evaluate
from gatewright.formats import to_c

FLAGS = ("-std=c99", "-O1", "-march=native")

PROGRAM = """
#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "model.h"
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
static void *lines(size_t size)
{
    void *memory;
    return posix_memalign(&memory, 4096, size) ? NULL : memory;
}
/* Packed inputs of one word from standard input, packed outputs to standard output, figures to standard error. */
int main(int n, char **arguments)
{
    model_word *input = lines(sizeof *input * MODEL_INPUTS), *output = lines(sizeof *output * MODEL_OUTPUTS);
    model_word *value = lines(sizeof ((model_workspace *)0)->value);
    double best = 1e9, total = 0, least = n > 1 ? atof(arguments[1]) : 1;
    long rounds = 0;
    if (!input || !output || !value || fread(input, sizeof *input, MODEL_INPUTS, stdin) != MODEL_INPUTS) {
        return 1;
    }
    model_gates(input, output, value);
    while (rounds < 5 || total < least) {
        double took = now();
        model_gates(input, output, value);
        took = now() - took;
        best = took < best ? took : best;
        total += took;
        rounds++;
    }
    fprintf(stderr, "%.9g %.9g", best, total / (double)rounds);
    return fwrite(output, sizeof *output, MODEL_OUTPUTS, stdout) != MODEL_OUTPUTS;
}
"""


def network(n_gates: int) -> Circuit:
    """The random network of `engine.py` of about this size, simplified."""
    width = max(200, int(n_gates**0.5 * 30))
    return simplify(layered([width] * (n_gates // width), max(100, width // 2)))


def compile_sources(sources: list[Path], folder: Path) -> dict[str, float]:
    """Seconds and memory of the compiler, in a process of its own so that its children are these alone."""
    code = (
        "import resource, subprocess, sys, time; start = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True); used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    command = ["gcc", *FLAGS, "-c", *map(str, sources)]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=folder, check=True, capture_output=True, text=True
    )
    wall, cpu, peak = map(float, done.stdout.split())
    return {"compile s": round(wall, 1), "compile cpu s": round(cpu, 1), "compile peak MiB": round(peak / 1024)}


def measure(circuit: Circuit, word: int, seconds: float) -> dict[str, object]:
    """One row: export, compile, run, check every output of one word of samples."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.process_time()
        sources = to_c(circuit, folder, word=word)[1:]
        row = {"gates": circuit.n_gates, "word": word, "export s": round(time.process_time() - start, 2)}
        row |= {"sources": len(sources), "source MB": round(sum(path.stat().st_size for path in sources) / 1e6, 1)}
        row |= compile_sources(sources, folder)
        (folder / "main.c").write_text(PROGRAM)
        objects = [f"{path.stem}.o" for path in sources]
        subprocess.run(["gcc", *FLAGS, "-o", "program", "main.c", *objects], cwd=folder, check=True)
        row["code MB"] = round(sum((folder / path).stat().st_size for path in objects) / 1e6, 1)
        bits = np.random.default_rng(0).random((circuit.n_inputs, word)) < 0.5
        packed = np.packbits(bits, axis=1, bitorder="little").tobytes()
        done = subprocess.run([folder / "program", str(seconds)], input=packed, check=True, capture_output=True)
        out = np.unpackbits(np.frombuffer(done.stdout, np.uint8), bitorder="little").reshape(-1, word)
        assert np.array_equal(out.T, evaluate(circuit, bits.T)), "the compiled code is wrong"
        best, mean = map(float, done.stderr.split())
        for label, took in (("best T", best), ("mean T", mean)):
            row[label] = round(circuit.n_gates * word / took / 1e12, 3)
        return {**row, "machine load": round(os.getloadavg()[0], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, nargs="*", default=[5_000, 50_000, 300_000])
    parser.add_argument("--words", type=int, nargs="*", default=[64, 256, 512])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for n_gates in options.gates:
        circuit = network(n_gates)
        for word in options.words:
            rows.append(measure(circuit, word, options.seconds))
            print(rows[-1], flush=True)
    compiler = subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    result = {
        "machine": {**machine(), "compiler": compiler, "platform": platform.platform()},
        "flags": list(FLAGS),
        "memory of this process, MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "rows": rows,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
