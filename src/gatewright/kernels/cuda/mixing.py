"""Small kernels over a neuron's candidates: softmax, its Jacobian, and the best one.

A program handles a block of neurons.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatewright.gates import N_GATES
from gatewright.kernels.cuda.launch import OPTIONS, ROWS


@triton.jit
def _coefficients(gate):
    """Multilinear coefficients c0 c1 c2 c3 of gate ids."""
    g = gate.to(tl.int32)
    f00, f01, f10, f11 = (g >> 3) & 1, (g >> 2) & 1, (g >> 1) & 1, g & 1
    return (
        f00.to(tl.float32),
        (f10 - f00).to(tl.float32),
        (f01 - f00).to(tl.float32),
        (f00 - f01 - f10 + f11).to(tl.float32),
    )


@triton.jit
def _place(neurons, n_k, ROWS: tl.constexpr, K: tl.constexpr):
    """This program's neurons [ROWS] and candidates [K], which of them exist and where they lie [ROWS, K]."""
    m, k = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, K)
    return m, k, (m < neurons)[:, None] & (k < n_k)[None, :], m.to(tl.int64)[:, None] * n_k + k[None, :]


@triton.jit
def _softmax(logits, at, real):
    value = tl.load(logits + at, mask=real, other=float("-inf"))
    top = tl.max(value, 1)
    # Neurons past the last one have no logits at all.
    e = tl.where(real, tl.exp(value - tl.where(top == float("-inf"), 0.0, top)[:, None]), 0.0)
    total = tl.sum(e, 1)
    return e / tl.where(total > 0, total, 1.0)[:, None]


@triton.jit
def _best(logits, out, neurons, n_k, ROWS: tl.constexpr, K: tl.constexpr):
    m, k, real, at = _place(neurons, n_k, ROWS, K)
    value = tl.load(logits + at, mask=real, other=float("-inf"))
    top = tl.max(value, 1)
    first = tl.min(tl.where((value == top[:, None]) & real, k[None, :], K), 1)
    tl.store(out + m, first.to(tl.int64), mask=m < neurons)


@triton.jit
def _mixture(logits, gate, out, neurons, n_k, ROWS: tl.constexpr, K: tl.constexpr):
    _, _, real, at = _place(neurons, n_k, ROWS, K)
    probability = _softmax(logits, at, real)
    c0, c1, c2, c3 = _coefficients(tl.load(gate + at, mask=real, other=0))
    tl.store(out + 4 * at, probability * c0, mask=real)
    tl.store(out + 4 * at + 1, probability * c1, mask=real)
    tl.store(out + 4 * at + 2, probability * c2, mask=real)
    tl.store(out + 4 * at + 3, probability * c3, mask=real)


@triton.jit
def _logits_grad(logits, gate, s0, sums, price, out, neurons, n_k, ROWS: tl.constexpr, K: tl.constexpr):
    m, _, real, at = _place(neurons, n_k, ROWS, K)
    probability = _softmax(logits, at, real)
    gates = tl.load(gate + at, mask=real, other=0)
    c0, c1, c2, c3 = _coefficients(gates)
    slope = tl.load(price + gates, mask=real, other=0)
    slope += c0 * tl.load(s0 + m, mask=m < neurons, other=0)[:, None]
    slope += c1 * tl.load(sums + 3 * at, mask=real, other=0)
    slope += c2 * tl.load(sums + 3 * at + 1, mask=real, other=0)
    slope += c3 * tl.load(sums + 3 * at + 2, mask=real, other=0)
    mean = tl.sum(probability * slope, 1)
    tl.store(out + at, probability * (slope - mean[:, None]), mask=real)


def _grid(logits: Tensor) -> tuple[tuple[int], dict[str, int]]:
    """Programs, and the block sizes that go with them."""
    k = triton.next_power_of_2(logits.shape[1])
    rows = max(1, min(ROWS, 4096 // k))
    return (triton.cdiv(len(logits), rows),), {"ROWS": rows, "K": k}


def best(logits: Tensor) -> Tensor:
    """See `reference.best`."""
    out = torch.empty(len(logits), dtype=torch.int64, device=logits.device)
    grid, blocks = _grid(logits)
    _best[grid](logits.contiguous(), out, *logits.shape, **blocks, **OPTIONS)
    return out


def mixture(logits: Tensor, gate: Tensor) -> Tensor:
    """See `reference.mixture`."""
    out = torch.empty(*logits.shape, 4, device=logits.device)
    grid, blocks = _grid(logits)
    _mixture[grid](logits.contiguous(), gate, out, *logits.shape, **blocks, **OPTIONS)
    return out


def logits_grad(logits: Tensor, gate: Tensor, s0: Tensor, sums: Tensor, price: Tensor | None = None) -> Tensor:
    """See `reference.logits_grad`."""
    out = torch.empty(logits.shape, device=logits.device)
    price = torch.zeros(N_GATES, device=logits.device) if price is None else price.float().contiguous()
    grid, blocks = _grid(logits)
    _logits_grad[grid](logits.contiguous(), gate, s0, sums.contiguous(), price, out, *logits.shape, **blocks, **OPTIONS)
    return out
