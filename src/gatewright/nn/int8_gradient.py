"""`Int8Gradient`: gradients of Boolean activations that look like a float tensor and travel as int8 rows.

The counterpart of `BitTensor` for backward passes. A layer that wants its output's gradient this way says so in the
`BitTensor` it returns; the layer or head behind it then sends one back. Any other torch operation sees (and gets) the
float32 tensor of its values.
"""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor

from gatewright.kernels import ops
from gatewright.nn.packed import PackedTensor


class Int8Gradient(PackedTensor):
    """Values (N, ...) stored as int8 rows with a scale for each unit of rows; see `int8_reference`.

    Attributes:
        q: int8 [U, P, 64 W].
        scale: float32 [U].
        repeats: Neurons each unit stands for; U * repeats * P rows, in C order of the sizes after N.
    """

    q: Tensor
    scale: Tensor
    repeats: int

    def __new__(cls, q: Tensor, scale: Tensor, repeats: int, shape: tuple[int, ...]) -> Self:
        """Wrap rows as a float32 tensor of this shape (N, ...)."""
        return super().__new__(cls, shape, q.device, q=q, scale=scale, repeats=repeats)

    @classmethod
    def of(cls, values: Tensor, repeats: int, shape: tuple[int, ...]) -> Self:
        """Round values float32 [U, P, N]; the gradient has this shape (N, ...)."""
        q, scale = ops.quantize(values)
        return cls(q, scale, repeats, shape)

    def _stored_rows(self) -> Tensor:
        rows: Tensor = ops.dequantize(self.q, self.scale, self.repeats, self.shape[0])
        return rows

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Int8Gradient(shape={tuple(self.shape)}, units={len(self.q)}, repeat={self.repeats})"
