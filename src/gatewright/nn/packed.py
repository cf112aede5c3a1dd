"""What packed tensor types share: which operations keep them packed, and how all others get float tensors."""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

_aten = torch.ops.aten
_SAME = (_aten.detach.default, _aten.alias.default)
_VIEWS = (_aten.view.default, _aten._unsafe_view.default, _aten.reshape.default)  # noqa: SLF001


class PackedTensor(Tensor):
    """A float32 tensor (N, ...) whose values are stored in another form, in attributes.

    It remains packed through detach and reshapes of a sample; every other torch operation sees the float32 tensor.
    """

    def __new__(cls, shape: tuple[int, ...], device: torch.device, **stored: Any) -> Self:
        """Wrap what is stored as a float32 tensor of this shape."""
        self: Self = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls, shape, dtype=torch.float32, device=device
        )
        vars(self).update(stored)
        return self

    def rows(self) -> Tensor:
        """The values as float32 rows [..., N], in C order of the sizes after N."""
        raise NotImplementedError

    def unpack(self) -> Tensor:
        """The float32 tensor, batch-last in memory."""
        n, *rest = self.shape
        return self.rows().view(*rest, n).movedim(-1, 0)

    def _with_shape(self, shape: tuple[int, ...]) -> Self:
        return PackedTensor.__new__(type(self), shape, self.device, **vars(self))

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in _SAME:
            return args[0]._with_shape(tuple(args[0].shape))  # noqa: SLF001
        if func in _VIEWS:
            shape = _resolved(args[1], args[0].numel())
            if shape[:1] == args[0].shape[:1]:
                return args[0]._with_shape(shape)  # noqa: SLF001
            return args[0].unpack().reshape(shape)  # batch-last in memory, which not every view fits
        args, kwargs = tree_map_only(PackedTensor, lambda packed: packed.unpack(), (args, kwargs or {}))
        return func(*args, **kwargs)


def _resolved(shape: list[int], numel: int) -> tuple[int, ...]:
    """The shape with -1, if it has one, replaced by the size that is left for it."""
    left = numel // max(-math.prod(shape), 1)
    return tuple(left if size == -1 else size for size in shape)
