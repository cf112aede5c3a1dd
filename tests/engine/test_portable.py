"""The engine as other processors run it: without AVX-512, without AVX, and on Arm with NEON.

On a machine with AVX-512 or AVX2, the first two are real runs of code compiled for less. Arm's code is compiled by the same
LLVM from the kernels that hold the vector code, and runs under qemu.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from llvmlite import binding
from numba import carray, types

from gatewright.engine.vector import TILE, count16, pack_tile, run_gates
from support.tools import missing

HERE = Path(__file__).parent

RUN = """
import re, sys
import numpy as np
from gatewright.engine import Engine, kernels
from support.circuits import random_circuit, random_features, slow_counts, slow_encode, slow_outputs

circuit = random_circuit(5, 300, 1500, 300)
x = random_features(circuit, 1100)
bits = slow_encode(circuit, x)
for block in (512, 1024, 2048):
    engine = Engine(circuit, threads=2, block=block)
    np.testing.assert_array_equal(engine.counts(x), slow_counts(circuit, bits))
    np.testing.assert_array_equal(engine.predict(x), slow_counts(circuit, bits).argmax(axis=1))
    np.testing.assert_array_equal(engine.outputs(x), slow_outputs(circuit, bits))
print(" ".join(sorted(set(re.findall("[xyz]mm", " ".join(kernels.evaluate.inspect_asm().values()))))))
"""


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="compiles for x86-64")
@pytest.mark.parametrize(
    ("processor", "needs", "registers"), [("haswell", "avx2", "xmm ymm"), ("x86-64", "sse2", "xmm")]
)
def test_code_for_lesser_processors_gives_the_same(tmp_path, processor, needs, registers):
    if not binding.get_host_cpu_features().get(needs):
        pytest.skip(f"this machine has no {needs}")
    path = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    target = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    environment = {**os.environ, **target, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == registers  # and none that the processor lacks


ARGUMENTS = 6
"""Of any kernel: addresses and numbers, all 64 bits wide."""

DRIVER = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
typedef int kernel(void **result, void **error, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
KERNELS
/* driver NUMBER ARGUMENT...: the kernel works on what comes from stdin; arguments that begin with @ are offsets in it. */
int main(int argc, char **argv) {
    static _Alignas(64) char memory[1 << 20];
    size_t size = fread(memory, 1, sizeof memory, stdin);
    int64_t a[6] = {0};
    for (int i = 2; i < argc; i++)
        a[i - 2] = argv[i][0] == '@' ? (int64_t)(memory + atol(argv[i] + 1)) : atol(argv[i]);
    void *result = 0, *error = 0;
    if (kernels[atoi(argv[1])](&result, &error, a[0], a[1], a[2], a[3], a[4], a[5])) return 2;
    return fwrite(memory, 1, size, stdout) != size;
}
"""


def _gates_kernel(words):
    def gates(rows, program, op, first, last, _):
        run_gates(words, rows, program, op, first, last)

    return gates


def _count_kernel(words):
    def count(rows, chosen, planes, n_planes, invert, _):
        count16(words, rows, chosen, planes, n_planes, invert)

    return count


def pack(typed, first, stride, thresholds, out, _):
    pack_tile(carray(typed, (1,)), first, stride, thresholds, out)


class Arm:
    """Kernels compiled for 64-bit Arm, run under qemu."""

    def __init__(self, folder, kernels):
        for initialize in (binding.initialize_all_targets, binding.initialize_all_asmprinters):
            initialize()
        machine = binding.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(
            cpu="cortex-a57", opt=3, reloc="pic"
        )
        names, objects, self.assembly = [], [], ""
        for number, (kernel, first) in enumerate(kernels):
            compiled = numba.njit(types.void(first, *[types.int64] * (ARGUMENTS - 1)))(kernel)
            (text,) = compiled.inspect_llvm().values()
            # Of the module only the kernel itself: what Numba puts around it is for Python on this machine.
            header, name = re.search(r"(?m)^(define .*@(_ZN\w+)\()", text).groups()
            body = text[text.index(header) :]
            body = body[: body.index("\n}\n") + 3].replace(name, f"kernel{number}")
            rest = re.findall(r"(?m)^(?:declare void @llvm|attributes|!\d).*$", text)
            module = binding.parse_assembly("\n".join([body, *rest]))
            module.triple, module.data_layout = machine.triple, str(machine.target_data)
            self.assembly += machine.emit_assembly(module)
            objects.append(folder / f"kernel{number}.o")
            objects[-1].write_bytes(machine.emit_object(module))
            names.append(f"kernel{number}")
        table = f"extern kernel {', '.join(names)};\nstatic kernel *kernels[] = {{{', '.join(names)}}};"
        (folder / "driver.c").write_text(DRIVER.replace("KERNELS", table))
        self.program = folder / "driver"
        compiler = ["aarch64-linux-gnu-gcc", "-O1", "-static", "-o", self.program, folder / "driver.c", *objects]
        subprocess.run(compiler, check=True, capture_output=True, text=True)

    def run(self, number, memory, *arguments):
        """The bytes of `memory` after a kernel has run on them."""
        command = ["qemu-aarch64-static", self.program, str(number), *map(str, arguments)]
        done = subprocess.run(command, input=memory, capture_output=True, check=True)
        return done.stdout


BLOCKS = (8, 16, 32)
DTYPES = ("uint8", "int16", "int32", "float32")


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    for name in ("aarch64-linux-gnu-gcc", "qemu-aarch64-static"):
        if not shutil.which(name):
            missing(name)
    kernels = [(_gates_kernel(words), types.int64) for words in BLOCKS]
    kernels += [(_count_kernel(words), types.int64) for words in BLOCKS]
    kernels += [(pack, types.CPointer(numba.from_dtype(np.dtype(dtype)))) for dtype in DTYPES]
    return Arm(tmp_path_factory.mktemp("arm"), kernels)


@pytest.mark.slow
def test_arm_kernels_use_neon(arm):
    assert len(re.findall(r"\b(?:and|orr|eor|bic)\tv\d+\.16b", arm.assembly)) > 100


@pytest.mark.slow
@pytest.mark.parametrize("words", BLOCKS)
def test_arm_runs_gates_the_same(arm, words):
    rng = np.random.default_rng(words)
    n_slots, n_steps = 30, 37
    rows = rng.integers(0, 2**64, (n_slots, words), np.uint64)
    steps = rng.integers(0, n_slots, (n_steps, 3))
    program = steps[:, 0] << 42 | steps[:, 1] << 21 | steps[:, 2]
    for op, function in enumerate((np.bitwise_and, lambda x, y: x & ~y, np.bitwise_xor, np.bitwise_or)):
        expected = rows.copy()
        for target, a, b in steps[2:]:
            expected[target] = function(expected[a], expected[b])
        memory = rows.tobytes() + program.astype(np.int64).tobytes()
        result = arm.run(BLOCKS.index(words), memory, "@0", f"@{rows.nbytes}", op, 2, n_steps)
        np.testing.assert_array_equal(np.frombuffer(result, np.uint64, rows.size).reshape(rows.shape), expected)


@pytest.mark.slow
@pytest.mark.parametrize("words", BLOCKS)
@pytest.mark.parametrize("invert", [0, -1])
def test_arm_counts_the_same(arm, words, invert):
    rng = np.random.default_rng(words)
    n_slots, n_planes = 20, 6
    rows = rng.integers(0, 2**64, (n_slots, words), np.uint64)
    chosen = rng.integers(0, n_slots, 16).astype(np.int32)
    counted = rng.integers(0, 40, 64 * words)
    planes = np.packbits(counted >> np.arange(n_planes)[:, None] & 1, axis=1, bitorder="little").view(np.uint64)
    memory = rows.tobytes() + planes.tobytes() + chosen.tobytes()
    at = [0, rows.nbytes + planes.nbytes, rows.nbytes]
    result = arm.run(len(BLOCKS) + BLOCKS.index(words), memory, *(f"@{a}" for a in at), n_planes, invert)
    bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little").astype(int)
    counted += (bits ^ (invert & 1))[chosen].sum(axis=0)
    after = np.frombuffer(result[rows.nbytes : rows.nbytes + planes.nbytes], np.uint8).reshape(n_planes, -1)
    sums = (np.unpackbits(after, axis=1, bitorder="little").astype(int) << np.arange(n_planes)[:, None]).sum(axis=0)
    np.testing.assert_array_equal(sums, counted)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_arm_packs_features_the_same(arm, dtype):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 100, (TILE, 70)).astype(dtype)
    thresholds = rng.integers(0, 100, TILE).astype(dtype)
    if dtype != "uint8":
        x, thresholds = x - np.array(50, dtype), thresholds - np.array(50, dtype)
    out = np.zeros(TILE, np.uint64)
    memory = out.tobytes() + thresholds.tobytes() + x.tobytes()
    start = out.nbytes + thresholds.nbytes
    first = f"@{start + 3 * x.itemsize}"
    number = 2 * len(BLOCKS) + DTYPES.index(dtype)
    result = arm.run(number, memory, f"@{start}", first, x.strides[0], f"@{out.nbytes}", "@0")
    bits = np.unpackbits(np.frombuffer(result, np.uint8, out.nbytes), bitorder="little").reshape(TILE, TILE)
    np.testing.assert_array_equal(bits, (x[:, 3 : 3 + TILE] >= thresholds).T)
