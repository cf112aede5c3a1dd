"""Compiles every Triton kernel for a GPU that need not be there, as its own caller would launch it.

python compile_cuda.py 90    # compute capability; a line per kernel: name, registers, bytes spilled, widest load in bits
"""

import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from gatewright.kernels import cuda
from gatewright.nn import LogicConv2d

TYPES = {
    torch.float32: "*fp32",
    torch.float64: "*fp64",
    torch.bfloat16: "*bf16",
    torch.int64: "*i64",
    torch.int32: "*i32",
    torch.int16: "*i16",
    torch.uint8: "*u8",
}
CAPABILITY = int(sys.argv[1])


def kind(value):
    if isinstance(value, torch.Tensor):
        return TYPES[value.dtype]
    return "i32" if -(2**31) <= value < 2**31 else "i64"


def usage(cubin):
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    return re.search(r"REG:(\d+) .*LOCAL:(\d+)", text).groups()


def compile_instead(self, *args, grid, warmup, **options):
    names = [param.name for param in self.params]
    values = dict(zip(names, args, strict=False)) | {k: v for k, v in options.items() if k in names}
    const = {p.name: values[p.name] for p in self.params if p.is_constexpr}
    signature = {name: "constexpr" if name in const else kind(values[name]) for name in names}
    aligned = [
        i
        for i, name in enumerate(names)
        if name not in const and (isinstance(values[name], torch.Tensor) or values[name] % 16 == 0)
    ]
    source = ASTSource(
        fn=self,
        signature=signature,
        constexprs={(names.index(name),): value for name, value in const.items()},
        attrs={(i,): [["tt.divisibility", 16]] for i in aligned},
    )
    compiled = triton.compile(
        source,
        target=GPUTarget("cuda", CAPABILITY, 32),
        options={key: value for key, value in options.items() if key not in names},
    )
    registers, spilled = usage(compiled.asm["cubin"])
    widths = [int(m[1] or 1) * int(m[2]) for m in re.finditer(r"ld\.global(?:\.v(\d))?\.b(\d+)", compiled.asm["ptx"])]
    print(f"{self.fn.__module__.rsplit('.', 1)[1]}.{self.fn.__name__}", registers, spilled, max(widths, default=0))


JITFunction.run = compile_instead
JITFunction.__getitem__ = lambda self, grid: (
    lambda *args, **options: self.run(*args, grid=grid, warmup=False, **options)
)


def main():
    warnings.simplefilter("error")
    n = 128
    conv = LogicConv2d(8, 16, 3, padding=1)
    geometry = conv.geometry((8, 10, 10))
    wiring, p = conv.wiring(geometry), geometry.positions
    x = torch.zeros(8 * 12 * 12, n)
    grad, coef = torch.zeros(16, len(p), n), torch.zeros(16, 16, 4)
    words = torch.zeros(len(x), n // 64, dtype=torch.int64)
    one = [t[:, 0].contiguous() for t in wiring]
    logits = coef[..., 0].contiguous()
    cuda.pack(x)
    cuda.unpack(words, n)
    cuda.threshold(x.to(torch.uint8), torch.zeros(64, dtype=torch.int32), torch.zeros(64, dtype=torch.float64))
    cuda.group_count(words, 8, n)
    cuda.hard_forward(words, *one, p, n)
    cuda.hard_sums(words, grad, wiring.rows_a, wiring.rows_b, p)
    cuda.best(logits)
    cuda.mixture(logits, wiring.gate)
    slopes = (logits[:, 0].contiguous(), coef[..., :3].contiguous())
    cuda.logits_grad(logits, wiring.gate, *slopes)
    cuda.logits_grad(logits, wiring.gate, *slopes, torch.ones(16, device=logits.device))
    for window in (geometry.window, None):
        cuda.hard_input_grad(words, grad, *one, p, window)
    for short in (torch.float32, torch.bfloat16):
        cuda.soft_forward(x.to(short), wiring.rows_a, wiring.rows_b, p, coef)
        for window in (geometry.window, None):
            cuda.soft_backward(
                x.to(short), grad.to(short), wiring.rows_a, wiring.rows_b, p, coef, need_input=True, window=window
            )


main()
