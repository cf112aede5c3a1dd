"""Forward and backward of a logic layer in one autograd function per relaxation.

`Geometry` says how a layer reads its input (a dense layer's rows, or a convolution's padding and positions), so that each
relaxation is written once for both kinds of layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

from gatewright.kernels import ops
from gatewright.kernels.int8_reference import Block
from gatewright.nn.bit_tensor import BitTensor, as_bits, rows
from gatewright.nn.int8_gradient import Int8Gradient


@dataclass(frozen=True)
class Geometry:
    """How a layer reads a sample and lays out its outputs.

    Attributes:
        in_shape: Sample shape without the batch: (F,) or (C, H, W).
        out_shape: Shape of the outputs: (M,), or (M, H', W') of a convolution; (C', H', W') of a layer whose
            M = C' H' W' neurons have one position each.
        padding: Zero rows and columns on each side (0 if dense).
        positions: int32 [P], row offset of each output position in the padded input.
        window: (kernel, stride, height, width) of a convolution, height and width with padding; None of other layers.
        taps: int32 [T], row of each operand in the padded input at position 0; None if dense, where operands are rows.
    """

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    padding: int
    positions: Tensor
    window: tuple[int, int, int, int] | None = None
    taps: Tensor | None = None

    def pad_rows(self, x: Tensor) -> Tensor:
        """Rows [R, n] of the input to rows of the padded input."""
        if not self.padding:
            return x
        p = self.padding
        return pad(x.view(*self.in_shape, -1), (0, 0, p, p, p, p)).view(-1, x.shape[1])

    def block(self, unit: int) -> Block | None:
        """Layout of the input's rows for int8 gradients with one scale per `unit` rows, or None if they do not divide."""
        height, width = self.in_shape[1:] if len(self.in_shape) == 3 else (unit, 1)
        return Block(height, width, self.padding, unit) if unit and height * width % unit == 0 else None

    def crop_rows(self, dx: Tensor) -> Tensor:
        """Gradient of the padded rows to the gradient (N, ...) of the input, batch-last in memory."""
        p, n = self.padding, dx.shape[1]
        if p:
            channels, height, width = self.in_shape
            dx = dx.view(channels, height + 2 * p, width + 2 * p, n)[:, p : p + height, p : p + width]
        return dx.reshape(*self.in_shape, n).movedim(-1, 0)


class Wiring(NamedTuple):
    """A layer's candidates as the kernels take them: rows at position 0 and gate ids, each [M, K]."""

    rows_a: Tensor
    rows_b: Tensor
    gate: Tensor

    def chosen(self, logits: Tensor) -> Wiring:
        """The candidates of the greatest logits, each [M]."""
        return Wiring(*ops.chosen(logits.detach(), *self))


class Recorded(NamedTuple):
    """What one backward pass leaves for connection learning.

    Attributes:
        geometry: The layer's geometry in that pass.
        x: Input rows of the padded input: int64 words [R, W] if Boolean, float [R, N] otherwise.
        gradient: Returns the gradient of the outputs as float rows [M, P, N].
        pair_sums: From the rows [M, T] of the first and second operands of any pairs to their sums [M, T, 3].
        s0: float [M].
        sums: float [M, K, 3], of the candidates.
    """

    geometry: Geometry
    x: Tensor
    gradient: Callable[[], Tensor]
    pair_sums: Callable[[Tensor, Tensor], Tensor]
    s0: Tensor
    sums: Tensor


Recorder = Callable[[Recorded], object]
"""Takes what a backward pass leaves; its result is not used."""


def _gradient_rows(grad: Tensor, neurons: int) -> Tensor:
    """A gradient (N, ...) as float rows [neurons, P, N]."""
    flat = grad.rows() if isinstance(grad, Int8Gradient) else rows(grad)
    return flat.reshape(neurons, -1, grad.shape[0])


def _int8_gradient(grad: Tensor, neurons: int) -> Int8Gradient:
    """A gradient (N, ...) as int8 rows, whose units hold exactly this many neurons."""
    if isinstance(grad, Int8Gradient) and len(grad.q) * grad.repeats == neurons and not grad.written:
        return grad
    return Int8Gradient.of(_gradient_rows(grad, neurons), 1, tuple(grad.shape))


def _hard_sums(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """s0 [M] and sums [M, K, 3] of pairs of packed rows, see `reference.hard_sums`; grad is float rows or int8."""
    if isinstance(grad, Int8Gradient):
        s0, sums = ops.int8_sums(words, grad.q, grad.scale, grad.repeats, rows_a, rows_b, positions)
    else:
        s0, sums = ops.hard_sums(words, grad, rows_a, rows_b, positions)
    return s0, sums


def _hard_input_gradient(words: Tensor, grad: Tensor, chosen: Wiring, geometry: Geometry, unit: int) -> Tensor:
    """Gradient (N, ...) of a layer's input; an `Int8Gradient` if the layer before wants one (`unit` is not 0)."""
    if isinstance(grad, Int8Gradient):
        block, n = geometry.block(unit), grad.shape[0]
        if block is not None:
            q, scale = ops.int8_input_grad(
                words, grad.q, grad.scale, grad.repeats, *chosen, geometry.positions, list(block), n
            )
            return Int8Gradient(q, scale, 1, (n, *geometry.in_shape))
        grad = grad.rows()
    return geometry.crop_rows(ops.hard_input_grad(words, grad, *chosen, geometry.positions, geometry.window))


def _at_every_position(price: Tensor | None, geometry: Geometry) -> Tensor | None:
    """What the gates of one neuron add to the loss: a circuit has one at each position."""
    return None if price is None else price.to(geometry.positions.device) * len(geometry.positions)


class _Soft(Function):
    """The paper's relaxation: softmax-weighted sum of the candidates' multilinear gates."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        logits: Tensor,
        wiring: Wiring,
        geometry: Geometry,
        recorders: Sequence[Recorder],
        price: Tensor | None,
    ) -> Tensor:
        coef = ops.mixture(logits.detach(), wiring.gate)
        inputs = geometry.pad_rows(rows(x.detach()))
        out: Tensor = ops.soft_forward(inputs, wiring.rows_a, wiring.rows_b, geometry.positions, coef)
        ctx.save_for_backward(inputs, logits, coef)
        ctx.layer = wiring, geometry, recorders, price
        return out.view(*geometry.out_shape, -1).movedim(-1, 0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        inputs, logits, coef = ctx.saved_tensors
        (rows_a, rows_b, gate), geometry, recorders, price = ctx.layer
        grad, wants_dx = _gradient_rows(grads[0], len(logits)), ctx.needs_input_grad[0]
        s0, sums, dx = ops.soft_backward(
            inputs, grad, rows_a, rows_b, geometry.positions, coef, wants_dx, geometry.window
        )
        if recorders:
            no_coef = grad.new_zeros(1)

            def pair_sums(rows_a: Tensor, rows_b: Tensor) -> Tensor:
                none = no_coef.expand(*rows_a.shape, 4)
                sums: Tensor = ops.soft_backward(inputs, grad, rows_a, rows_b, geometry.positions, none, False)[1]
                return sums

            recorded = Recorded(geometry, inputs, lambda: grad, pair_sums, s0, sums)
            for record in recorders:
                record(recorded)
        d_logits = ops.logits_grad(logits.detach(), gate, s0, sums, _at_every_position(price, geometry))
        return geometry.crop_rows(dx) if wants_dx else None, d_logits, None, None, None, None


class _Hard(Function):
    """(+) Straight-through: the best candidate forwards, the soft mixture's gradient flows to the logits.

    The input's gradient goes through the chosen gate alone.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        logits: Tensor,
        wiring: Wiring,
        geometry: Geometry,
        recorders: Sequence[Recorder],
        price: Tensor | None,
        int8: bool,
    ) -> Tensor:
        bits = as_bits(x)
        n = bits.shape[0]
        words = geometry.pad_rows(bits.words)
        chosen = wiring.chosen(logits)
        out = ops.hard_forward(words, *chosen, geometry.positions, n)
        ctx.save_for_backward(words, logits)
        ctx.layer = wiring, geometry, recorders, price, chosen, int8, bits.unit
        return BitTensor(out, (n, *geometry.out_shape), len(geometry.positions) if int8 else 0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        words, logits = ctx.saved_tensors
        wiring, geometry, recorders, price, chosen, int8, unit = ctx.layer
        grad = (_int8_gradient if int8 else _gradient_rows)(grads[0], len(logits))
        s0, sums = _hard_sums(words, grad, wiring.rows_a, wiring.rows_b, geometry.positions)
        if recorders:

            def gradient() -> Tensor:
                return grad.rows() if isinstance(grad, Int8Gradient) else grad

            def pair_sums(rows_a: Tensor, rows_b: Tensor) -> Tensor:
                return _hard_sums(words, grad, rows_a, rows_b, geometry.positions)[1]

            recorded = Recorded(geometry, words, gradient, pair_sums, s0, sums)
            for record in recorders:
                record(recorded)
        d_logits = ops.logits_grad(logits.detach(), wiring.gate, s0, sums, _at_every_position(price, geometry))
        dx = _hard_input_gradient(words, grad, chosen, geometry, unit) if ctx.needs_input_grad[0] else None
        return dx, d_logits, None, None, None, None, None


def soft_layer(
    x: Tensor,
    logits: Tensor,
    wiring: Wiring,
    geometry: Geometry,
    recorders: Sequence[Recorder],
    price: Tensor | None = None,
) -> Tensor:
    """Soft relaxation: float (N, ...) to float (N, *out_shape), batch-last in memory.

    `price` float [16] is what each gate adds to the loss at each position.

    Activations have the type of the logits, or that of `torch.autocast` where it is enabled for the device; its sums are
    float32.
    """
    device = logits.device.type
    short = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    kind = torch.get_autocast_dtype(device) if short else logits.dtype
    # Adding zero unpacks bits, and autograd passes the gradient back.
    x = (x + 0).to(kind) if isinstance(x, BitTensor) else x.to(kind)
    out: Tensor = _Soft.apply(x, logits, wiring, geometry, recorders, price)  # type: ignore[no-untyped-call]
    return out


def hard_layer(
    x: Tensor,
    logits: Tensor,
    wiring: Wiring,
    geometry: Geometry,
    recorders: Sequence[Recorder],
    price: Tensor | None = None,
    *,
    int8: bool,
) -> Tensor:
    """Hard relaxation: zeros and ones (N, ...) to a `BitTensor` (N, *out_shape); gradients as int8 or float32."""
    if logits.dtype.itemsize < 4:  # sums are float32
        logits = logits.float()
    out: Tensor = _Hard.apply(x, logits, wiring, geometry, recorders, price, int8)  # type: ignore[no-untyped-call]
    return out


def discrete_layer(x: Tensor, chosen: Wiring, geometry: Geometry) -> Tensor:
    """One gate per neuron: zeros and ones (N, ...) to a `BitTensor` (N, *out_shape), without gradient."""
    bits = as_bits(x)
    n = bits.shape[0]
    words = geometry.pad_rows(bits.words)
    out = ops.hard_forward(words, *chosen, geometry.positions, n)
    return BitTensor(out, (n, *geometry.out_shape))
