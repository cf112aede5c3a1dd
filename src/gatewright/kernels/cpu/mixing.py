"""The kernels on candidates' logits on the CPU, compiled by Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from gatewright.gates import COEFFICIENTS, N_GATES
from gatewright.kernels.cpu import simd
from gatewright.runtime.threads import split

_COEF = COEFFICIENTS.astype(np.float32)
_NEURONS = 64
"""Neurons of a stage: what it leaves stays in the nearest cache."""
_jit = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})


@_jit
def _best(start: int, stop: int, logits: Any, out: Any) -> None:
    for j in range(start, stop):
        at, top = 0, logits[j, 0]
        for k in range(1, logits.shape[1]):
            if logits[j, k] > top:
                at, top = k, logits[j, k]
        out[j] = at


@_jit
def _chosen(start: int, stop: int, best: Any, wiring: Any, chosen: Any) -> None:
    rows_a, rows_b, gate = wiring
    row_a, row_b, one = chosen
    for j in range(start, stop):
        row_a[j], row_b[j], one[j] = rows_a[j, best[j]], rows_b[j, best[j]], gate[j, best[j]]


# Stages are functions because loops over whole arrays, counted from zero, become vector code, here and wherever the arrays
# lie. In one loop with arrays that it reads, the exponential was vector code or not, by their addresses, and so rounded.


@_jit
def _below_top(logits: Any, out: Any) -> None:
    for j in range(logits.shape[0]):
        top = logits[j, 0]
        for k in range(1, logits.shape[1]):
            top = max(top, logits[j, k])
        for k in range(logits.shape[1]):
            out[j, k] = logits[j, k] - top


@_jit
def _exp(values: Any) -> None:
    for i in range(values.shape[0]):
        values[i] = simd.exp_negative(values[i])


@_jit
def _normalise(power: Any) -> None:
    for j in range(power.shape[0]):
        total = np.float32(0)
        for k in range(power.shape[1]):
            total += power[j, k]
        scale = np.float32(1) / total
        for k in range(power.shape[1]):
            power[j, k] *= scale


@_jit
def _mixture(start: int, stop: int, logits: Any, gate: Any, out: Any) -> None:
    power = np.zeros((_NEURONS, gate.shape[1]), np.float32)  # the last block may not fill it
    for first in range(start, stop, _NEURONS):
        last = min(first + _NEURONS, stop)
        _below_top(logits[first:last], power)
        _exp(power.reshape(-1))
        _normalise(power)
        for j in range(first, last):
            for k in range(gate.shape[1]):
                for i in range(4):
                    out[j, k, i] = power[j - first, k] * _COEF[gate[j, k], i]


@_jit
def _slopes(gate: Any, sums: Any, out: Any) -> None:
    """From S0 of each candidate to the slope of its gate, in place."""
    for i in range(gate.shape[0]):
        g = np.int32(gate[i])
        f00, f01, f10, f11 = (g >> 3) & 1, (g >> 2) & 1, (g >> 1) & 1, g & 1
        out[i] = (
            np.float32(f00) * out[i]
            + np.float32(f10 - f00) * sums[3 * i]
            + np.float32(f01 - f00) * sums[3 * i + 1]
            + np.float32(f00 + f11 - f01 - f10) * sums[3 * i + 2]
        )


@_jit
def _add_prices(gate: Any, price: Any, out: Any) -> None:
    """A loop of its own: with a table to look up, the one above would not become vector code."""
    for i in range(gate.shape[0]):
        out[i] += price[np.uintp(gate[i])]  # an index that cannot be negative: no test for it in the loop


@_jit
def _through_softmax(power: Any, slope: Any, out: Any) -> None:
    for j in range(out.shape[0]):
        total, mean = np.float32(0), np.float32(0)
        for k in range(out.shape[1]):
            total += power[j, k]
            mean += power[j, k] * slope[j, k]
        scale = np.float32(1) / total
        mean *= scale
        for k in range(out.shape[1]):
            out[j, k] = power[j, k] * scale * (slope[j, k] - mean)


@_jit
def _logits_grad(start: int, stop: int, logits: Any, gate: Any, s0: Any, sums: Any, price: Any, out: Any) -> None:
    power = np.zeros((_NEURONS, gate.shape[1]), np.float32)  # the last block may not fill it
    slope = np.empty((_NEURONS, gate.shape[1]), np.float32)
    for first in range(start, stop, _NEURONS):
        last = min(first + _NEURONS, stop)
        _below_top(logits[first:last], power)
        _exp(power.reshape(-1))
        for j in range(last - first):
            slope[j] = s0[first + j]
        gates = gate[first:last].reshape(-1)
        _slopes(gates, sums[first:last].reshape(-1), slope.reshape(-1))
        _add_prices(gates, price, slope.reshape(-1))
        _through_softmax(power, slope, out[first:last])


@_jit
def _steepest_gate(s0: Any, sa: Any, sb: Any, sab: Any, allowed: Any) -> Any:
    """The steepest of some gates on a pair, and its slope."""
    gate, least = allowed[0], np.float32(np.inf)
    for g in allowed:
        slope = np.float32(0)
        for bit, minterm in enumerate((sab, sa - sab, sb - sab, s0 - sa - sb + sab)):
            slope += minterm if g >> bit & 1 else np.float32(0)
        if slope < least:
            gate, least = g, slope
    return gate, least


@_jit
def _least_slopes(s0: Any, sums: Any, out: Any) -> None:
    """Of each pair, sums [3 T] to [T]: the slope of the steepest of all gates, which has the minterms that descend."""
    none = np.float32(0)
    for t in range(out.shape[0]):
        sa, sb, sab = sums[3 * t], sums[3 * t + 1], sums[3 * t + 2]
        out[t] = min(s0 - sa - sb + sab, none) + min(sb - sab, none) + min(sa - sab, none) + min(sab, none)


@_jit
def _steepest(start: int, stop: int, s0: Any, sums: Any, allowed: Any, pick: Any, gates: Any, slopes: Any) -> None:
    slope = np.empty(sums.shape[1], np.float32)
    for j in range(start, stop):
        if len(allowed) == N_GATES:
            _least_slopes(s0[j], sums[j].reshape(-1), slope)
        else:
            for t in range(len(slope)):
                slope[t] = _steepest_gate(s0[j], sums[j, t, 0], sums[j, t, 1], sums[j, t, 2], allowed)[1]
        for c in range(pick.shape[1]):
            at = 0
            for t in range(1, len(slope)):
                if slope[t] < slope[at] or slope[at] != slope[at]:  # NaN comes last
                    at = t
            pick[j, c], slopes[j, c] = at, slope[at]
            gates[j, c] = _steepest_gate(s0[j], sums[j, at, 0], sums[j, at, 1], sums[j, at, 2], allowed)[0]
            slope[at] = np.inf


def best(logits: Tensor) -> Tensor:
    """See `reference.best`."""
    out = torch.empty(len(logits), dtype=torch.int64)
    split(_best, len(logits), logits.contiguous().numpy(), out.numpy())
    return out


def chosen(logits: Tensor, rows_a: Tensor, rows_b: Tensor, gate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """See `reference.chosen`."""
    row_a, row_b, one = (torch.empty(len(gate), dtype=t.dtype) for t in (rows_a, rows_b, gate))
    wiring = tuple(t.contiguous().numpy() for t in (rows_a, rows_b, gate))
    split(_chosen, len(gate), best(logits).numpy(), wiring, (row_a.numpy(), row_b.numpy(), one.numpy()))
    return row_a, row_b, one


def mixture(logits: Tensor, gate: Tensor) -> Tensor:
    """See `reference.mixture`."""
    out = torch.empty(*logits.shape, 4)
    split(_mixture, len(logits), logits.contiguous().numpy(), gate.numpy(), out.numpy())
    return out


def logits_grad(logits: Tensor, gate: Tensor, s0: Tensor, sums: Tensor, price: Tensor | None = None) -> Tensor:
    """See `reference.logits_grad`."""
    out = torch.empty(logits.shape)
    given = (logits, gate, s0, sums, torch.zeros(N_GATES) if price is None else price.float())
    split(_logits_grad, len(gate), *(t.contiguous().numpy() for t in given), out.numpy())
    return out


def steepest(s0: Tensor, sums: Tensor, allowed: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """See `reference.steepest`."""
    shape = (len(s0), count)
    pick, gate, slope = (torch.empty(shape, dtype=kind) for kind in (torch.int64, torch.uint8, torch.float32))
    args = (s0.numpy(), sums.contiguous().numpy(), allowed.numpy(), pick.numpy(), gate.numpy(), slope.numpy())
    split(_steepest, len(s0), *args)
    return pick, gate, slope
