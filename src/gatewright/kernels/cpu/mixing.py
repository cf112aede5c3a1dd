"""The kernels on candidates' logits on the CPU, compiled by Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from gatewright.gates import COEFFICIENTS
from gatewright.kernels.cpu import simd
from gatewright.runtime.threads import split

_COEF = COEFFICIENTS.astype(np.float32)
_jit = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})


@_jit
def _best(start: int, stop: int, logits: Any, out: Any) -> None:
    for j in range(start, stop):
        at = 0
        for k in range(1, logits.shape[1]):
            if logits[j, k] > logits[j, at]:
                at = k
        out[j] = at


@_jit
def _softmax(logits: Any, out: Any) -> None:
    """Softmax of one neuron's logits [K]."""
    top = logits[0]
    for k in range(1, len(logits)):
        top = max(top, logits[k])
    total = np.float32(0)
    for k in range(len(logits)):
        out[k] = simd.exp_negative(logits[k] - top)
        total += out[k]
    scale = np.float32(1) / total
    for k in range(len(logits)):
        out[k] *= scale


@_jit
def _mixture(start: int, stop: int, logits: Any, gate: Any, out: Any) -> None:
    probability = np.empty(logits.shape[1], np.float32)
    for j in range(start, stop):
        _softmax(logits[j], probability)
        for k in range(logits.shape[1]):
            for i in range(4):
                out[j, k, i] = probability[k] * _COEF[gate[j, k], i]


@_jit
def _logits_grad(start: int, stop: int, logits: Any, gate: Any, s0: Any, sums: Any, out: Any) -> None:
    n_k = gate.shape[1]
    slope = np.empty(n_k, np.float32)
    probability = np.empty(n_k, np.float32)
    for j in range(start, stop):
        _softmax(logits[j], probability)
        mean = np.float32(0)
        for k in range(n_k):
            c = _COEF[gate[j, k]]
            slope[k] = c[0] * s0[j] + c[1] * sums[j, k, 0] + c[2] * sums[j, k, 1] + c[3] * sums[j, k, 2]
            mean += probability[k] * slope[k]
        for k in range(n_k):
            out[j, k] = probability[k] * (slope[k] - mean)


def best(logits: Tensor) -> Tensor:
    """See `reference.best`."""
    out = torch.empty(len(logits), dtype=torch.int64)
    split(_best, len(logits), logits.contiguous().numpy(), out.numpy())
    return out


def mixture(logits: Tensor, gate: Tensor) -> Tensor:
    """See `reference.mixture`."""
    out = torch.empty(*logits.shape, 4)
    split(_mixture, len(logits), logits.contiguous().numpy(), gate.numpy(), out.numpy())
    return out


def logits_grad(logits: Tensor, gate: Tensor, s0: Tensor, sums: Tensor) -> Tensor:
    """See `reference.logits_grad`."""
    out = torch.empty(logits.shape)
    args = (logits.contiguous().numpy(), gate.numpy(), s0.numpy(), sums.contiguous().numpy(), out.numpy())
    split(_logits_grad, len(gate), *args)
    return out
