"""The truth: every kernel in plain torch, for any device and floating dtype.

Shapes, shared by all kernels (docs/design.md, section 3, "Activations are batch-last in memory"):

- Activations are rows of the batch: `x` float [R, N], or packed `words` int64 [R, W] with W = ceil(N / 64), where sample s
  is bit `s % 64` of word `s // 64` and the bits past N are zero.
- A layer has M neurons (dense) or channels (convolution) at P positions (P = 1 if dense). Operand rows are
  `rows[m, k] + positions[p]`, so a convolution is a dense layer whose operands move.
- Outputs are [M, P, N], or packed [M * P, W].

Soft activations may have a smaller floating type than the coefficients (bfloat16): sums are taken in the
coefficients' type.

Kernels know no gates: they get multilinear coefficients [M, K, 4] (already weighted by the candidates' probabilities)
or, for Boolean neurons, gate ids, and return sums over samples and positions from which the gradient of any gate
follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatewright.gates import COEFFICIENTS, N_GATES

WORD = 64


def n_words(n: int) -> int:
    """Words that hold n samples."""
    return (n + WORD - 1) // WORD


def pack(x: Tensor) -> Tensor:
    """Pack rows of Booleans: [R, N] (any dtype, nonzero = 1) to int64 words [R, W]."""
    rows, n = x.shape
    bits = torch.zeros(rows, n_words(n) * WORD, dtype=torch.int64, device=x.device)
    bits[:, :n] = x != 0
    # The top bit wraps to the sign, as it should: words are bit patterns.
    weights = torch.ones(WORD, dtype=torch.int64, device=x.device) << torch.arange(WORD, device=x.device)
    return (bits.view(rows, -1, WORD) * weights).sum(-1)


def unpack(words: Tensor, n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Unpack int64 words [R, W] to 0/1 values [R, n]."""
    shifts = torch.arange(WORD, device=words.device)
    bits = (words.unsqueeze(-1) >> shifts) & 1
    return bits.view(words.shape[0], -1)[:, :n].to(dtype)


def soft_forward(x: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor) -> Tensor:
    """Sum of the candidates' weighted multilinear gates.

    Args:
        x: float [R, N].
        rows_a: int32 [M, K], row of each candidate's first operand at position 0.
        rows_b: int32 [M, K], of its second operand.
        positions: int32 [P], row offset of each position.
        coef: float [M, K, 4], `c0 c1 c2 c3` times the candidate's probability.

    Returns:
        float [M, P, N].
    """
    kind, x = x.dtype, x.to(coef.dtype)
    out = coef[:, :, 0].sum(1)[:, None, None].expand(-1, len(positions), x.shape[1]).clone()
    for k in range(rows_a.shape[1]):
        a, b = operands(x, rows_a[:, k], positions), operands(x, rows_b[:, k], positions)
        c = coef[:, k, :, None, None]
        out += c[:, 1] * a + c[:, 2] * b + c[:, 3] * a * b
    return out.to(kind)


def soft_backward(
    x: Tensor,
    grad: Tensor,
    rows_a: Tensor,
    rows_b: Tensor,
    positions: Tensor,
    coef: Tensor,
    need_input: bool,
    window: Sequence[int] | None = None,  # noqa: ARG001 - a hint for others
) -> tuple[Tensor, Tensor, Tensor]:
    """Candidate sums and the gradient of the input.

    Args:
        x: float [R, N].
        grad: float [M, P, N], gradient g of the output.
        rows_a: int32 [M, K].
        rows_b: int32 [M, K].
        positions: int32 [P].
        coef: float [M, K, 4].
        need_input: Whether the gradient of x is wanted.
        window: (kernel, stride, height, width) if the positions are those of a convolution over padded planes of this
            height and width: a hint, by which a kernel finds the readers of a row without trying every position.

    Returns:
        s0 float [M] = sum g; sums float [M, K, 3] = sums of g a, g b, g a b over positions and samples; gradient of x,
        float [R, N], or empty [0, N] if not wanted.
    """
    kind = x.dtype
    x, grad = x.to(coef.dtype), grad.to(coef.dtype)
    s0 = grad.sum((1, 2))
    sums = grad.new_empty(*rows_a.shape, 3)
    dx = torch.zeros_like(x) if need_input else x.new_empty(0, x.shape[1])
    for k in range(rows_a.shape[1]):
        a, b = operands(x, rows_a[:, k], positions), operands(x, rows_b[:, k], positions)
        ga, gb = grad * a, grad * b
        sums[:, k, 0], sums[:, k, 1], sums[:, k, 2] = ga.sum((1, 2)), gb.sum((1, 2)), (ga * b).sum((1, 2))
        if need_input:
            c = coef[:, k, :, None, None]
            _scatter(dx, rows_a[:, k], positions, c[:, 1] * grad + c[:, 3] * gb)
            _scatter(dx, rows_b[:, k], positions, c[:, 2] * grad + c[:, 3] * ga)
    return s0, sums, dx.to(kind)


def hard_forward(words: Tensor, row_a: Tensor, row_b: Tensor, gate: Tensor, positions: Tensor, n: int) -> Tensor:
    """One Boolean gate per neuron on packed samples.

    Args:
        words: int64 [R, W].
        row_a: int32 [M], row of the first operand at position 0.
        row_b: int32 [M], of the second operand.
        gate: uint8 [M], gate ids.
        positions: int32 [P].
        n: Number of samples N.

    Returns:
        int64 [M * P, W], zero past sample n.
    """
    a = operands(words, row_a, positions)
    b = operands(words, row_b, positions)
    g = gate.to(torch.int64)[:, None, None]
    # Algebraic normal form f00 ^ (f00^f10) a ^ (f00^f01) b ^ (f00^f01^f10^f11) ab, each coefficient spread to a word.
    f00, f01, f10, f11 = (-((g >> s) & 1) for s in (3, 2, 1, 0))
    out = f00 ^ ((f00 ^ f10) & a) ^ ((f00 ^ f01) & b) ^ ((f00 ^ f01 ^ f10 ^ f11) & a & b)
    out = out.reshape(-1, words.shape[1])
    if n % WORD:
        out[:, -1] &= (1 << (n % WORD)) - 1
    return out


def hard_sums(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Candidate sums on packed samples: `soft_backward`'s s0 [M] and sums [M, K, 3] for Boolean inputs."""
    x = unpack(words, grad.shape[2], grad.dtype)
    no_coef = grad.new_empty(0)
    s0, sums, _ = soft_backward(x, grad, rows_a, rows_b, positions, no_coef, need_input=False)
    return s0, sums


def hard_input_grad(
    words: Tensor,
    grad: Tensor,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    window: Sequence[int] | None = None,
) -> Tensor:
    """Gradient of the input through each neuron's chosen gate alone (straight-through).

    Args:
        words: int64 [R, W].
        grad: float [M, P, N].
        row_a: int32 [M].
        row_b: int32 [M].
        gate: uint8 [M].
        positions: int32 [P].
        window: See `soft_backward`.

    Returns:
        float [R, N]: sums of `g (c1 + c3 b)` over the neurons that read the row as a, and `g (c2 + c3 a)` as b.
    """
    x = unpack(words, grad.shape[2], grad.dtype)
    table = torch.as_tensor(COEFFICIENTS.copy(), device=grad.device).to(grad.dtype)
    coef = table[gate.long()][:, None, :]
    return soft_backward(x, grad, row_a[:, None], row_b[:, None], positions, coef, need_input=True, window=window)[2]


def best(logits: Tensor) -> Tensor:
    """Index of the greatest logit of each neuron, the first among equals: float [M, K] to int64 [M]."""
    return logits.argmax(1)


def chosen(logits: Tensor, rows_a: Tensor, rows_b: Tensor, gate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The candidate of the greatest logit: float [M, K]; int32, int32 and uint8 [M, K] to the same [M]."""
    at = best(logits).unsqueeze(1)
    row_a, row_b, one = (t.gather(1, at).squeeze(1) for t in (rows_a, rows_b, gate))
    return row_a, row_b, one


def mixture(logits: Tensor, gate: Tensor) -> Tensor:
    """Coefficients of the candidates' gates weighted by softmax(logits).

    Args:
        logits: float [M, K].
        gate: uint8 [M, K].

    Returns:
        float [M, K, 4].
    """
    coef = torch.as_tensor(COEFFICIENTS.copy(), device=logits.device).to(logits.dtype)[gate.long()]
    return coef * torch.softmax(logits, 1).unsqueeze(-1)


def logits_grad(logits: Tensor, gate: Tensor, s0: Tensor, sums: Tensor, price: Tensor | None = None) -> Tensor:
    """Gradient of the logits from the candidate sums.

    d loss / d p_k = c0 S0 + c1 Sa + c2 Sb + c3 Sab + price of the candidate's gate, then the softmax's Jacobian.

    Args:
        logits: float [M, K].
        gate: uint8 [M, K].
        s0: float [M].
        sums: float [M, K, 3].
        price: float [16], of the gates; None for nothing.

    Returns:
        float [M, K].
    """
    coef = torch.as_tensor(COEFFICIENTS.copy(), device=sums.device).to(sums.dtype)[gate.long()]
    slope = coef[..., 0] * s0[:, None] + (coef[..., 1:] * sums).sum(-1)
    if price is not None:
        slope = slope + price.to(slope.dtype)[gate.long()]
    probability = torch.softmax(logits, 1)
    return probability * (slope - (probability * slope).sum(1, keepdim=True))


def steepest(s0: Tensor, sums: Tensor, allowed: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs along whose best gate the loss descends most steeply, steepest first, the first among equals.

    Args:
        s0: float [M].
        sums: float [M, T, 3], of pairs.
        allowed: int64 [G], ids of the gates that may be chosen.
        count: How many pairs C <= T of each neuron.

    Returns:
        Their indices int64 [M, C], best gates uint8 [M, C] and slopes d loss / d p float [M, C].
    """
    gate, slope = best_gates(s0, sums, allowed)
    pick = slope.sort(dim=1, stable=True).indices[:, :count]
    return pick, gate.gather(1, pick), slope.gather(1, pick)


def best_gates(s0: Tensor, sums: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """The steepest of the allowed gates on each pair and its slope: uint8 [M, T] and float [M, T]."""
    w = minterm_slopes(s0, sums)
    if len(allowed) == N_GATES:
        weights = torch.tensor([8, 4, 2, 1], dtype=torch.uint8, device=w.device)
        gate = ((w < 0).to(torch.uint8) * weights).sum(-1, dtype=torch.uint8)
        return gate, w.clamp(max=0).sum(-1)
    shifts = torch.tensor([3, 2, 1, 0], device=w.device)
    value, pick = (w @ ((allowed[:, None] >> shifts) & 1).to(w.dtype).T).min(-1)
    return allowed[pick].to(torch.uint8), value


def slopes(gate: Tensor, s0: Tensor, sums: Tensor) -> Tensor:
    """D loss / d p of given gates on their pairs: gate uint8 [M, T] -> float [M, T]."""
    w = minterm_slopes(s0, sums)
    shifts = torch.tensor([3, 2, 1, 0], device=w.device)
    return (w * ((gate.to(torch.int64).unsqueeze(-1) >> shifts) & 1)).sum(-1)


def minterm_slopes(s0: Tensor, sums: Tensor) -> Tensor:
    """W00, W01, W10, W11 of pairs: s0 [M], sums [M, T, 3] -> [M, T, 4]. A gate's slope adds up those it contains."""
    sa, sb, sab = sums.unbind(-1)
    return torch.stack([s0[:, None] - sa - sb + sab, sb - sab, sa - sab, sab], -1)


def threshold(x: Tensor, feature: Tensor, thresholds: Tensor) -> Tensor:
    """Thermometer bits: `x[feature[i]] >= thresholds[i]`.

    Args:
        x: [F, N], uint8, int16, int32 or float32.
        feature: int32 [B].
        thresholds: float64 [B].

    Returns:
        int64 [B, W].
    """
    return pack(x[feature.long()].double() >= thresholds[:, None])


def group_count(words: Tensor, classes: int, n: int) -> Tensor:
    """True rows per class: packed [classes * G, W] to float32 [classes, n]."""
    return unpack(words, n).view(classes, -1, n).sum(1)


def weigh(words: Tensor, weight: Tensor, n: int) -> Tensor:
    """Weighted sums of packed bits: words [F, W], int8 weight [C, F] to float32 [C, n]."""
    return weight.to(torch.float32) @ unpack(words, n)


def weight_sums(words: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the weights of `weigh`: words [F, W], gradient float [C, N] of the sums to float [C, F]."""
    return grad @ unpack(words, grad.shape[1], grad.dtype).T


def _index(rows: Tensor, positions: Tensor) -> Tensor:
    return (rows.long()[:, None] + positions.long()).reshape(-1)


def operands(x: Tensor, rows: Tensor, positions: Tensor) -> Tensor:
    """Rows of x, int32 [M], moved by each position: [M, P, N]."""
    return x[_index(rows, positions)].view(len(rows), len(positions), x.shape[1])


def _scatter(dx: Tensor, rows: Tensor, positions: Tensor, values: Tensor) -> None:
    dx.index_add_(0, _index(rows, positions), values.reshape(-1, dx.shape[1]))
