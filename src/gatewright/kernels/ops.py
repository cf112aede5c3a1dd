"""The kernels as torch custom ops `gatewright::*`, dispatched by device.

An op has the name, signature and meaning of a function of `reference.py` or `int8_reference.py`, which computes it where
nothing faster fits. Functions of the same name in `cpu` (compiled by Numba) take float32 on the CPU, those in `cuda`
(Triton, imported at the first use) float32, bfloat16 and float16 on NVIDIA GPUs. Gradients are not registered here:
`nn.functional` joins the forward ops with their backward ops.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.library import Library, infer_schema, register_fake

from gatewright.kernels import cpu, int8_reference, reference
from gatewright.kernels.reference import WORD, n_words

# For the whole process: backward passes of CUDA tensors run on threads of their own.
_forced: list[str] = []


@contextmanager
def _force(name: str) -> Iterator[None]:
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()


def reference_kernels() -> AbstractContextManager[None]:
    """Compute with the reference on every device within the context: for comparisons, in the whole process."""
    return _force("reference")


def triton_kernels() -> AbstractContextManager[None]:
    """Compute with the kernels for GPUs, on CPU tensors as well, within the context: for tests, in the whole process.

    Needs Triton's interpreter: `TRITON_INTERPRET=1` must be set before the first of these kernels is used.
    """
    return _force("triton")


_CPU_TYPES = (torch.float32,)
_CUDA_TYPES = (torch.float32, torch.bfloat16, torch.float16)

# `torch.library.custom_op` would do the same in fewer lines, but it brings torch's compiler along: two seconds at the
# first call, and checks at each call that cost as much as a small layer.
_library = Library("gatewright", "DEF")


def _op(
    truth: Callable[..., Any],
    shapes: Callable[..., Any] | None,
    *,
    floats: int | None = None,
    on_cpu: bool = True,
    on_cuda: bool = True,
) -> Any:
    """Define the op of a function of the reference.

    Args:
        truth: The function: it names the op, gives its signature, and computes what the kernels do not take.
        shapes: From the op's arguments to empty tensors like its results; None if those depend on the data.
        floats: Which argument's type decides whether the kernels take the call; None if they always do.
        on_cpu: Whether `cpu` has a kernel.
        on_cuda: Whether `cuda` has one.
    """
    name = truth.__name__.removeprefix("_")

    def fits(args: tuple[Any, ...], kinds: tuple[torch.dtype, ...]) -> bool:
        return floats is None or args[floats].dtype in kinds

    def by_cpu(*args: Any) -> Any:
        if not _forced:
            return getattr(cpu, name)(*args) if fits(args, _CPU_TYPES) else truth(*args)
        triton = _forced[-1] == "triton" and on_cuda and fits(args, _CUDA_TYPES)
        return getattr(_cuda(), name)(*args) if triton else truth(*args)

    def by_cuda(*args: Any) -> Any:
        if not fits(args, _CUDA_TYPES) or _forced[-1:] == ["reference"]:
            return truth(*args)
        with torch.cuda.device(args[0].device):  # Triton launches on the current one
            return getattr(_cuda(), name)(*args)

    _library.define(name + infer_schema(truth, mutates_args=()))
    _library.impl(name, truth, "CompositeExplicitAutograd")
    if on_cpu:
        _library.impl(name, by_cpu, "CPU")
    if on_cuda:
        _library.impl(name, by_cuda, "CUDA")
    if shapes is not None:
        register_fake(f"gatewright::{name}", shapes, lib=_library)
    return getattr(torch.ops.gatewright, name).default


def _cuda() -> Any:
    return importlib.import_module("gatewright.kernels.cuda")


def _pack(x: Tensor) -> tuple[Tensor, bool]:
    """Pack rows [R, N] to words [R, W]; also whether every value was 0 or 1."""
    return reference.pack(x), bool(((x == 0) | (x == 1)).all())


def _unpack(words: Tensor, n: int) -> Tensor:
    """Unpack words [R, W] to float32 [R, n]."""
    return reference.unpack(words, n)


def _candidate_sums(like: Tensor, rows_a: Tensor) -> tuple[Tensor, Tensor]:
    return like.new_empty(len(rows_a)), like.new_empty(*rows_a.shape, 3)


def _int8_rows(like: Tensor, units: int, rows: int, n: int) -> tuple[Tensor, Tensor]:
    q = like.new_empty(units, rows, n_words(n) * WORD, dtype=torch.int8)
    return q, like.new_empty(units, dtype=torch.float32)


def _block_rows(words: Tensor, block: list[int], n: int) -> tuple[Tensor, Tensor]:
    shape = int8_reference.Block(*block)
    units = words.shape[0] // shape.padded_rows * shape.height * shape.width // shape.unit
    return _int8_rows(words, units, shape.unit, n)


pack = _op(_pack, None)
unpack = _op(_unpack, lambda words, n: words.new_empty(len(words), n, dtype=torch.float32))
threshold = _op(
    reference.threshold,
    lambda x, feature, thresholds: x.new_empty(len(feature), n_words(x.shape[1]), dtype=torch.int64),
)
soft_forward = _op(
    reference.soft_forward,
    lambda x, rows_a, rows_b, positions, coef: x.new_empty(len(rows_a), len(positions), x.shape[1]),
    floats=0,
)
soft_backward = _op(
    reference.soft_backward,
    lambda x, grad, rows_a, rows_b, positions, coef, need_input, window=None: (
        *_candidate_sums(coef, rows_a),
        torch.empty_like(x) if need_input else x.new_empty(0, x.shape[1]),
    ),
    floats=0,
)
hard_forward = _op(
    reference.hard_forward,
    lambda words, row_a, row_b, gate, positions, n: words.new_empty(len(row_a) * len(positions), words.shape[1]),
)
hard_sums = _op(
    reference.hard_sums, lambda words, grad, rows_a, rows_b, positions: _candidate_sums(grad, rows_a), floats=1
)
hard_input_grad = _op(
    reference.hard_input_grad,
    lambda words, grad, row_a, row_b, gate, positions, window=None: grad.new_empty(len(words), grad.shape[2]),
    floats=1,
)
best = _op(reference.best, lambda logits: logits.new_empty(len(logits), dtype=torch.int64), floats=0)
chosen = _op(
    reference.chosen,
    lambda logits, rows_a, rows_b, gate: tuple(t.new_empty(len(t)) for t in (rows_a, rows_b, gate)),
    floats=0,
    on_cuda=False,
)
mixture = _op(reference.mixture, lambda logits, gate: logits.new_empty(*logits.shape, 4), floats=0)
logits_grad = _op(reference.logits_grad, lambda logits, gate, s0, sums, price=None: torch.empty_like(logits), floats=3)
steepest = _op(
    reference.steepest,
    lambda s0, sums, allowed, count: (
        allowed.new_empty(len(s0), count),
        allowed.new_empty(len(s0), count, dtype=torch.uint8),
        s0.new_empty(len(s0), count),
    ),
    floats=1,
    on_cuda=False,
)
group_count = _op(reference.group_count, lambda words, classes, n: words.new_empty(classes, n, dtype=torch.float32))
weigh = _op(
    reference.weigh, lambda words, weight, n: words.new_empty(len(weight), n, dtype=torch.float32), on_cuda=False
)
weight_sums = _op(
    reference.weight_sums, lambda words, grad: grad.new_empty(len(grad), len(words)), floats=1, on_cuda=False
)
weigh_input = _op(
    int8_reference.weigh_input,
    lambda weight, grad: _int8_rows(grad, weight.shape[1], 1, grad.shape[1]),
    floats=1,
    on_cuda=False,
)
quantize = _op(int8_reference.quantize, lambda values: _int8_rows(values, *values.shape), floats=0, on_cuda=False)
dequantize = _op(
    int8_reference.dequantize,
    lambda q, scale, repeat, n: scale.new_empty(len(q) * repeat, q.shape[1], n),
    on_cpu=False,
    on_cuda=False,
)
int8_sums = _op(
    int8_reference.int8_sums,
    lambda words, q, scale, repeat, rows_a, rows_b, positions: _candidate_sums(scale, rows_a),
    on_cuda=False,
)
int8_input_grad = _op(
    int8_reference.int8_input_grad,
    lambda words, q, scale, repeat, row_a, row_b, gate, positions, block, n: _block_rows(words, block, n),
    on_cuda=False,
)
