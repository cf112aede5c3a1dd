"""`Int8Gradient`: gradients of Boolean activations that look like a float tensor and travel as int8 rows.

The counterpart of `BitTensor` for backward passes. A layer that wants its output's gradient this way says so in the
`BitTensor` it returns; the layer or head behind it then sends one back. Any other torch operation sees (and gets) the
float32 tensor of its values.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatewright.kernels import ops
from gatewright.nn.packed import call_unpacked, is_same, view_shape


class Int8Gradient(Tensor):
    """Values (N, ...) stored as int8 rows with a scale for each unit of rows; see `int8_reference`.

    Attributes:
        q: int8 [U, P, 64 W].
        scale: float32 [U].
        repeats: Neurons each unit stands for; U * repeats * P rows, in C order of the sizes after N.
    """

    q: Tensor
    scale: Tensor
    repeats: int

    @staticmethod
    def __new__(  # noqa: PYI034
        cls: type[Int8Gradient], q: Tensor, scale: Tensor, repeat: int, shape: tuple[int, ...]
    ) -> Int8Gradient:
        """Wrap rows as a float32 tensor of this shape (N, ...)."""
        self: Int8Gradient = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls, shape, dtype=torch.float32, device=q.device
        )
        self.q, self.scale, self.repeats = q, scale, repeat
        return self

    @classmethod
    def of(cls, values: Tensor, repeat: int, shape: tuple[int, ...]) -> Int8Gradient:
        """Round values float32 [U, P, N]; the gradient has this shape (N, ...)."""
        q, scale = ops.quantize(values)
        return cls(q, scale, repeat, shape)

    def unpack(self) -> Tensor:
        """The float32 tensor of the values, batch-last in memory."""
        n, *rest = self.shape
        rows: Tensor = ops.dequantize(self.q, self.scale, self.repeats, n)
        return rows.view(*rest, n).movedim(-1, 0)

    def rows_for(self, neurons: int, positions: int) -> bool:
        """Whether the units hold exactly this many neurons and positions."""
        return self.q.shape[1] == positions and len(self.q) * self.repeats == neurons

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Int8Gradient(shape={tuple(self.shape)}, units={len(self.q)}, repeat={self.repeats})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Keep rows through detach and reshapes of a sample; unpack for all other operations."""
        if is_same(func):
            return cls(args[0].q, args[0].scale, args[0].repeats, tuple(args[0].shape))
        shape = view_shape(func, args)
        if shape is not None:
            return cls(args[0].q, args[0].scale, args[0].repeats, shape)
        return call_unpacked(cls, func, args, kwargs)
