"""(+) The truth for gradients that travel as int8: rounding, candidate sums and input gradients in plain torch.

A gradient of Boolean activations is stored as rows `q` int8 [U, P, 64 W] with a `scale` float32 [U] for each unit of P
rows (a dense neuron, or a convolution's channel with its positions); samples past N are zero. Its value is `q * scale`, and
each unit stands for `repeat` neurons in a row with the same gradient (the bits of one class in a group sum).

Rounding is stochastic, so it is right on average, and the randomness is a hash of the value's own bits and its place:
nothing to draw, nothing to save, and the same on every run.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gatewright.kernels.reference import WORD, hard_input_grad, n_words, operands, unpack

LEVELS = 127
"""The greatest magnitude in a unit becomes this."""

HASH_VALUE, HASH_ROW, HASH_SAMPLE = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
"""Odd multipliers (primes of xxHash) of a value's bits, its row and its sample."""

_WORD32 = 0xFFFFFFFF


class Block(NamedTuple):
    """How the rows of an input are laid out, and which of them share a scale.

    Attributes:
        height: Rows of a channel's image; for dense layers those of a unit.
        width: Columns of it; 1 for dense layers.
        padding: Zeros on each side.
        unit: Rows (without padding) that share a scale; divides height * width.
    """

    height: int
    width: int
    padding: int
    unit: int

    @property
    def padded_rows(self) -> int:
        """Rows of a channel with its padding."""
        return (self.height + 2 * self.padding) * (self.width + 2 * self.padding)


def quantize(values: Tensor) -> tuple[Tensor, Tensor]:
    """Round gradients to int8 with one scale per unit.

    Args:
        values: float32 [U, P, N].

    Returns:
        q int8 [U, P, 64 W] and scale float32 [U] = greatest magnitude of the unit / 127 (0 if all is zero): the values are
        `q * scale` on average, each within one step of it.
    """
    units, rows, n = values.shape
    values = values.contiguous()
    peak = values.abs().amax((1, 2))
    levels = torch.full_like(peak, LEVELS)  # a number / tensor would be rounded twice
    factor = torch.where(peak > 0, levels / peak, 0.0)
    bits = values.view(torch.int32).to(torch.int64)
    row = torch.arange(units * rows, device=values.device).view(units, rows, 1)
    sample = torch.arange(n, device=values.device)
    h = (bits * HASH_VALUE + row * HASH_ROW + sample * HASH_SAMPLE) & _WORD32
    noise = (h >> 8).to(torch.float32) * 2.0**-24
    q = torch.zeros(units, rows, n_words(n) * WORD, dtype=torch.int8, device=values.device)
    q[:, :, :n] = torch.floor(values * factor[:, None, None] + noise).to(torch.int8)
    return q, peak / LEVELS


def dequantize(q: Tensor, scale: Tensor, repeat: int, n: int) -> Tensor:
    """The values, each unit `repeat` times: float32 [U * repeat, P, n]."""
    return (q[:, :, :n] * scale[:, None, None]).repeat_interleave(repeat, 0)


def int8_sums(
    words: Tensor, q: Tensor, scale: Tensor, repeat: int, rows_a: Tensor, rows_b: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Candidate sums for Boolean inputs and int8 gradients.

    Args:
        words: int64 [R, W].
        q: int8 [U, P, 64 W].
        scale: float32 [U].
        repeat: Neurons a unit stands for, M = U * repeat.
        rows_a: int32 [M, K].
        rows_b: int32 [M, K].
        positions: int32 [P].

    Returns:
        s0 float32 [M] and sums float32 [M, K, 3], see `reference.hard_sums`; whole sums of q, rounded once.
    """
    x = unpack(words, q.shape[2], torch.float64)
    grad = q.to(torch.float64).repeat_interleave(repeat, 0)
    per_neuron = scale.repeat_interleave(repeat)
    sums = torch.empty(*rows_a.shape, 3, device=q.device)
    for k in range(rows_a.shape[1]):
        a, b = (operands(x, rows[:, k], positions) for rows in (rows_a, rows_b))
        for i, bits in enumerate((a, b, a * b)):
            sums[:, k, i] = (grad * bits).sum((1, 2)).to(torch.float32) * per_neuron
    return grad.sum((1, 2)).to(torch.float32) * per_neuron, sums


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
    """Gradient of the input through each neuron's chosen gate, rounded again.

    Args:
        words: int64 [R, W], rows of the padded input.
        q: int8 [U, P, 64 W].
        scale: float32 [U].
        repeat: Neurons a unit stands for.
        row_a: int32 [M].
        row_b: int32 [M].
        gate: uint8 [M].
        positions: int32 [P].
        block: The four numbers of `Block`.
        n: Number of samples N.

    Returns:
        q int8 [V, unit, 64 W] and scale float32 [V] of the input's rows without padding.
    """
    shape = Block(*block)
    dx = hard_input_grad(words, dequantize(q, scale, repeat, n), row_a, row_b, gate, positions)
    p = shape.padding
    dx = dx.view(-1, shape.height + 2 * p, shape.width + 2 * p, n)[:, p : p + shape.height, p : p + shape.width]
    return quantize(dx.reshape(-1, shape.unit, n))


def weigh_input(weight: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Rounded gradient of the bits of `reference.weigh`: int8 [C, F], float32 [C, N] to q int8 [F, 1, 64 W], scale [F]."""
    return quantize((weight.to(grad.dtype).T @ grad)[:, None])
