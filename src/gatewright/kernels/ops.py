"""The kernels as torch custom ops `gatewright::*`, dispatched by device.

The reference is each op's default; `cpu.py` takes float32 on the CPU, `cuda` (Triton, imported at the first use)
float32, bfloat16 and float16 on NVIDIA GPUs. Shapes and meanings are those of `reference.py`. Gradients are not
registered here: `nn.functional` joins the forward ops with their backward ops.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.library import Library, infer_schema, register_fake

from gatewright.kernels import int8_reference, reference
from gatewright.kernels.cpu import float32 as cpu
from gatewright.kernels.cpu import int8 as int8_cpu
from gatewright.kernels.cpu import weighted as weigh_cpu
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
    """Compute with `reference.py` on every device within the context: for comparisons, in the whole process."""
    return _force("reference")


def triton_kernels() -> AbstractContextManager[None]:
    """Compute with the kernels for GPUs on CPU tensors, too, within the context: for tests, in the whole process.

    Needs Triton's interpreter: `TRITON_INTERPRET=1` must be set before the first of these kernels is used.
    """
    return _force("triton")


# `torch.library.custom_op` would do the same in fewer lines, but it brings torch's compiler along: two seconds at the
# first call, and checks at each call that cost as much as a small layer.
_library = Library("gatewright", "DEF")


def _op(name: str) -> Callable[[Callable[..., Any]], Any]:
    """Define the op, with the decorated function as its default on every device."""

    def define(default: Callable[..., Any]) -> Any:
        _library.define(name + infer_schema(default, mutates_args=()))
        _library.impl(name, default, "CompositeExplicitAutograd")
        return getattr(torch.ops.gatewright, name).default

    return define


def _shapes(op: Any) -> Callable[[Callable[..., Any]], Any]:
    """Register what the op's results look like, without computing them."""
    register: Callable[[Callable[..., Any]], Any] = register_fake(op.name(), lib=_library)
    return register


@_op("soft_forward")
def soft_forward(x: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor) -> Tensor:
    """See `reference.soft_forward`."""
    return reference.soft_forward(x, rows_a, rows_b, positions, coef)


@_op("soft_backward")
def soft_backward(
    x: Tensor,
    grad: Tensor,
    rows_a: Tensor,
    rows_b: Tensor,
    positions: Tensor,
    coef: Tensor,
    need_input: bool,
    window: Sequence[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """See `reference.soft_backward`."""
    return reference.soft_backward(x, grad, rows_a, rows_b, positions, coef, need_input, window)


@_op("hard_forward")
def hard_forward(words: Tensor, row_a: Tensor, row_b: Tensor, gate: Tensor, positions: Tensor, n: int) -> Tensor:
    """See `reference.hard_forward`."""
    return reference.hard_forward(words, row_a, row_b, gate, positions, n)


@_op("hard_sums")
def hard_sums(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.hard_sums`."""
    return reference.hard_sums(words, grad, rows_a, rows_b, positions)


@_op("hard_input_grad")
def hard_input_grad(
    words: Tensor,
    grad: Tensor,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    window: Sequence[int] | None = None,
) -> Tensor:
    """See `reference.hard_input_grad`."""
    return reference.hard_input_grad(words, grad, row_a, row_b, gate, positions, window)


@_op("quantize")
def quantize(values: Tensor) -> tuple[Tensor, Tensor]:
    """See `int8_reference.quantize`."""
    return int8_reference.quantize(values)


@_op("dequantize")
def dequantize(q: Tensor, scale: Tensor, repeat: int, n: int) -> Tensor:
    """See `int8_reference.dequantize`."""
    return int8_reference.dequantize(q, scale, repeat, n)


@_op("int8_sums")
def int8_sums(
    words: Tensor, q: Tensor, scale: Tensor, repeat: int, rows_a: Tensor, rows_b: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """See `int8_reference.int8_sums`."""
    return int8_reference.int8_sums(words, q, scale, repeat, rows_a, rows_b, positions)


@_op("int8_input_grad")
def int8_input_grad(
    words: Tensor,
    q: Tensor,
    scale: Tensor,
    repeat: int,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    block: list[int],
    n: int,
) -> tuple[Tensor, Tensor]:
    """See `int8_reference.int8_input_grad`."""
    return int8_reference.int8_input_grad(words, q, scale, repeat, row_a, row_b, gate, positions, block, n)


@_op("best")
def best(logits: Tensor) -> Tensor:
    """See `reference.best`."""
    return reference.best(logits)


@_op("mixture")
def mixture(logits: Tensor, gate: Tensor) -> Tensor:
    """See `reference.mixture`."""
    return reference.mixture(logits, gate)


@_op("logits_grad")
def logits_grad(logits: Tensor, gate: Tensor, s0: Tensor, sums: Tensor) -> Tensor:
    """See `reference.logits_grad`."""
    return reference.logits_grad(logits, gate, s0, sums)


@_op("threshold")
def threshold(x: Tensor, feature: Tensor, thresholds: Tensor) -> Tensor:
    """See `reference.threshold`."""
    return reference.threshold(x, feature, thresholds)


@_op("group_count")
def group_count(words: Tensor, classes: int, n: int) -> Tensor:
    """See `reference.group_count`."""
    return reference.group_count(words, classes, n)


@_op("weigh")
def weigh(words: Tensor, weight: Tensor, n: int) -> Tensor:
    """See `reference.weigh`."""
    return reference.weigh(words, weight, n)


@_op("weight_sums")
def weight_sums(words: Tensor, grad: Tensor) -> Tensor:
    """See `reference.weight_sums`."""
    return reference.weight_sums(words, grad)


@_op("weigh_input")
def weigh_input(weight: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """See `int8_reference.weigh_input`."""
    return int8_reference.weigh_input(weight, grad)


@_op("pack")
def pack(x: Tensor) -> tuple[Tensor, bool]:
    """Pack rows [R, N] to words [R, W]; also whether every value was 0 or 1."""
    return _pack_reference(x)


@_op("unpack")
def unpack(words: Tensor, n: int) -> Tensor:
    """Unpack words [R, W] to float32 [R, n]."""
    return reference.unpack(words, n)


_CPU_TYPES = (torch.float32,)
_CUDA_TYPES = (torch.float32, torch.bfloat16, torch.float16)


def _use_kernels(name: str, float_argument: int | None, fallback: Callable[..., Any]) -> None:
    """Register the fast kernels of an op; `fallback` takes what they do not, by the type of one argument."""

    def fits(args: tuple[Any, ...], kinds: tuple[torch.dtype, ...]) -> bool:
        return float_argument is None or args[float_argument].dtype in kinds

    def on_cpu(*args: Any) -> Any:
        forced = _forced[-1] if _forced else None
        if forced == "triton" and fits(args, _CUDA_TYPES):
            return getattr(_cuda(), name)(*args)
        if forced == "reference" or not fits(args, _CPU_TYPES):
            return fallback(*args)
        return getattr(cpu, name)(*args)

    def on_cuda(*args: Any) -> Any:
        if not fits(args, _CUDA_TYPES) or _forced[-1:] == ["reference"]:
            return fallback(*args)
        with torch.cuda.device(args[0].device):  # Triton launches on the current one
            return getattr(_cuda(), name)(*args)

    _library.impl(name, on_cpu, "CPU")
    _library.impl(name, on_cuda, "CUDA")


def _use_cpu(name: str, module: Any, float_argument: int | None, truth: Any) -> None:
    """Register the CPU's kernel of an op that the reference computes everywhere else."""
    kernel, fallback = getattr(module, name), getattr(truth, name)

    def on_cpu(*args: Any) -> Any:
        fits = float_argument is None or args[float_argument].dtype in _CPU_TYPES
        return kernel(*args) if fits and not _forced else fallback(*args)

    _library.impl(name, on_cpu, "CPU")


def _cuda() -> Any:
    return importlib.import_module("gatewright.kernels.cuda")


def _pack_reference(x: Tensor) -> tuple[Tensor, bool]:
    return reference.pack(x), bool(((x == 0) | (x == 1)).all())


_use_kernels("soft_forward", 0, reference.soft_forward)
_use_kernels("soft_backward", 0, reference.soft_backward)
_use_kernels("hard_forward", None, reference.hard_forward)
_use_kernels("hard_sums", 1, reference.hard_sums)
_use_kernels("hard_input_grad", 1, reference.hard_input_grad)
_use_kernels("best", 0, reference.best)
_use_kernels("mixture", 0, reference.mixture)
_use_kernels("logits_grad", 3, reference.logits_grad)
_use_kernels("threshold", None, reference.threshold)
_use_kernels("group_count", None, reference.group_count)
_use_kernels("unpack", None, reference.unpack)
_use_kernels("pack", None, _pack_reference)
_use_cpu("weigh", weigh_cpu, None, reference)
_use_cpu("weight_sums", weigh_cpu, 1, reference)
_use_cpu("weigh_input", weigh_cpu, 1, int8_reference)
_use_cpu("quantize", int8_cpu, 0, int8_reference)
_use_cpu("int8_sums", int8_cpu, None, int8_reference)
_use_cpu("int8_input_grad", int8_cpu, None, int8_reference)


@_shapes(soft_forward)
def _(x: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor) -> Tensor:
    return x.new_empty(len(rows_a), len(positions), x.shape[1])


@_shapes(soft_backward)
def _(
    x: Tensor,
    grad: Tensor,
    rows_a: Tensor,
    rows_b: Tensor,
    positions: Tensor,
    coef: Tensor,
    need_input: bool,
    window: Sequence[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    dx = torch.empty_like(x) if need_input else x.new_empty(0, x.shape[1])
    return coef.new_empty(len(rows_a)), coef.new_empty(*rows_a.shape, 3), dx


@_shapes(hard_forward)
def _(words: Tensor, row_a: Tensor, row_b: Tensor, gate: Tensor, positions: Tensor, n: int) -> Tensor:
    return words.new_empty(len(row_a) * len(positions), words.shape[1])


@_shapes(hard_sums)
def _(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    return grad.new_empty(len(rows_a)), grad.new_empty(*rows_a.shape, 3)


@_shapes(hard_input_grad)
def _(
    words: Tensor,
    grad: Tensor,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    window: Sequence[int] | None = None,
) -> Tensor:
    return grad.new_empty(words.shape[0], grad.shape[2])


@_shapes(quantize)
def _(values: Tensor) -> tuple[Tensor, Tensor]:
    units, rows, n = values.shape
    return values.new_empty(units, rows, n_words(n) * WORD, dtype=torch.int8), values.new_empty(units)


@_shapes(dequantize)
def _(q: Tensor, scale: Tensor, repeat: int, n: int) -> Tensor:
    return scale.new_empty(len(q) * repeat, q.shape[1], n)


@_shapes(int8_sums)
def _(
    words: Tensor, q: Tensor, scale: Tensor, repeat: int, rows_a: Tensor, rows_b: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    return scale.new_empty(len(rows_a)), scale.new_empty(*rows_a.shape, 3)


@_shapes(int8_input_grad)
def _(
    words: Tensor,
    q: Tensor,
    scale: Tensor,
    repeat: int,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    block: list[int],
    n: int,
) -> tuple[Tensor, Tensor]:
    shape = int8_reference.Block(*block)
    units = words.shape[0] // shape.padded_rows * shape.height * shape.width // shape.unit
    return q.new_empty(units, shape.unit, q.shape[2]), scale.new_empty(units)


@_shapes(best)
def _(logits: Tensor) -> Tensor:
    return logits.new_empty(len(logits), dtype=torch.int64)


@_shapes(mixture)
def _(logits: Tensor, gate: Tensor) -> Tensor:
    return logits.new_empty(*logits.shape, 4)


@_shapes(logits_grad)
def _(logits: Tensor, gate: Tensor, s0: Tensor, sums: Tensor) -> Tensor:
    return torch.empty_like(logits)


@_shapes(threshold)
def _(x: Tensor, feature: Tensor, thresholds: Tensor) -> Tensor:
    return x.new_empty(len(feature), n_words(x.shape[1]), dtype=torch.int64)


@_shapes(group_count)
def _(words: Tensor, classes: int, n: int) -> Tensor:
    return words.new_empty(classes, n, dtype=torch.float32)


@_shapes(weigh)
def _(words: Tensor, weight: Tensor, n: int) -> Tensor:
    return words.new_empty(len(weight), n, dtype=torch.float32)


@_shapes(weight_sums)
def _(words: Tensor, grad: Tensor) -> Tensor:
    return grad.new_empty(len(grad), len(words))


@_shapes(weigh_input)
def _(weight: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    features = weight.shape[1]
    q = weight.new_empty(features, 1, n_words(grad.shape[1]) * WORD, dtype=torch.int8)
    return q, grad.new_empty(features)


@_shapes(unpack)
def _(words: Tensor, n: int) -> Tensor:
    return words.new_empty(words.shape[0], n, dtype=torch.float32)


__all__ = [
    "best",
    "dequantize",
    "group_count",
    "hard_forward",
    "hard_input_grad",
    "hard_sums",
    "int8_input_grad",
    "int8_sums",
    "logits_grad",
    "mixture",
    "n_words",
    "pack",
    "quantize",
    "reference_kernels",
    "soft_backward",
    "soft_forward",
    "threshold",
    "triton_kernels",
    "unpack",
    "weigh",
    "weigh_input",
    "weight_sums",
]
