"""What packed tensor types share: which operations keep them packed, and how all others get float tensors."""

from __future__ import annotations

import copy
import math
from functools import cache
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

_aten = torch.ops.aten
_SAME = (_aten.detach.default, _aten.alias.default)
_VIEWS = (_aten.view.default, _aten._unsafe_view.default, _aten.reshape.default)  # noqa: SLF001


class PackedTensor(Tensor):
    """A float32 tensor (N, ...) whose values are stored in another form, in attributes.

    It remains packed through detach and reshapes of a sample; every other torch operation sees the float32 tensor. An
    operation that writes into it, or takes a view through which somebody may, unpacks it for good: from then on it, and all
    that share its values, are what `dense` holds, and `is_packed` is false.

    Attributes:
        dense: Float rows [R, N] once the tensor is unpacked for good, in a list that all tensors of these values share.
    """

    dense: list[Tensor]

    def __new__(cls, shape: tuple[int, ...], device: torch.device, **stored: Any) -> Self:
        """Wrap what is stored as a float32 tensor of this shape."""
        self: Self = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls, shape, dtype=torch.float32, device=device
        )
        vars(self).update({"dense": [], **stored})
        return self

    @property
    def is_packed(self) -> bool:
        """Whether the stored form holds the values."""
        return not self.dense

    def rows(self) -> Tensor:
        """The values as float32 rows [..., N], in C order of the sizes after N."""
        raise NotImplementedError

    def unpack(self) -> Tensor:
        """The float32 tensor, batch-last in memory."""
        n, *rest = self.shape
        return (self.dense[0] if self.dense else self.rows()).view(*rest, n).movedim(-1, 0)

    def _unpack_for_good(self) -> Tensor:
        if not self.dense:
            self.dense.append(self.rows().reshape(-1, self.shape[0]).contiguous())
        return self.unpack()

    def _with_shape(self, shape: tuple[int, ...]) -> Self:
        return PackedTensor.__new__(type(self), shape, self.device, **vars(self))

    def numpy(self, *, force: bool = False) -> Any:
        """As of any tensor."""
        if self.requires_grad and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return self.unpack().numpy(force=force)

    def tolist(self) -> Any:
        """As of any tensor."""
        return self.unpack().tolist()

    def __array__(self, dtype: Any = None) -> Any:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if self.requires_grad:
            raise RuntimeError(
                "Only leaves of the graph can be copied deeply, like with any tensor; use detach() first"
            )
        stored = {name: copy.deepcopy(value, memo) for name, value in vars(self).items()}
        return PackedTensor.__new__(type(self), tuple(self.shape), self.device, **stored)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.unpack().contiguous().__reduce_ex__(protocol)

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _SAME:
            return args[0]._with_shape(tuple(args[0].shape))  # noqa: SLF001
        if func in _VIEWS:
            shape = _resolved(args[1], args[0].numel())
            if shape[:1] == args[0].shape[:1]:
                return args[0]._with_shape(shape)  # noqa: SLF001
            return args[0]._unpack_for_good().reshape(shape)  # noqa: SLF001 - batch-last, which not every view fits
        written, aliased = _effects(func)
        unpack = PackedTensor._unpack_for_good if aliased else PackedTensor.unpack
        dense_args, dense_kwargs = tree_map_only(PackedTensor, unpack, (args, kwargs))
        result = func(*dense_args, **dense_kwargs)
        if written is None or not isinstance(result, Tensor):
            return result
        place, name = written  # what writes into its argument returns that argument
        target = args[place] if place < len(args) else kwargs.get(name)
        return target if isinstance(target, PackedTensor) else result


@cache
def _effects(func: Any) -> tuple[tuple[int, str] | None, bool]:
    """The first argument that an operation writes into, as (place, name), and whether it writes or returns views at all."""
    arguments, returns = func._schema.arguments, func._schema.returns  # noqa: SLF001
    written = [(i, a.name) for i, a in enumerate(arguments) if a.alias_info is not None and a.alias_info.is_write]
    return (written[0] if written else None), bool(written) or any(r.alias_info is not None for r in returns)


def _resolved(shape: list[int], numel: int) -> tuple[int, ...]:
    """The shape with -1, if it has one, replaced by the size that is left for it."""
    left = numel // max(-math.prod(shape), 1)
    return tuple(left if size == -1 else size for size in shape)
