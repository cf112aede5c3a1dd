"""What packed tensor types share: which operations keep them packed, and how all others get float tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

_aten = torch.ops.aten
_SAME = (_aten.detach.default, _aten.alias.default)
_VIEWS = (_aten.view.default, _aten._unsafe_view.default, _aten.reshape.default)  # noqa: SLF001


def is_same(func: Any) -> bool:
    """Whether an operation returns its argument unchanged."""
    return func in _SAME


def view_shape(func: Any, args: Any) -> tuple[int, ...] | None:
    """The new shape, if the operation reshapes each sample (N, ...) of its argument on its own; None otherwise."""
    if func not in _VIEWS:
        return None
    shape = _resolved(tuple(args[1]), args[0].numel())
    return shape if len(shape) > 0 and shape[0] == args[0].shape[0] else None


def call_unpacked(kind: type[Tensor], func: Any, args: Any, kwargs: Any) -> Any:
    """Call the operation on float tensors in place of the packed ones."""
    args, kwargs = tree_map_only(kind, lambda packed: packed.unpack(), (args, kwargs or {}))
    if func in _VIEWS:  # the unpacked tensor is batch-last in memory, which not every view fits
        return args[0].reshape(args[1])
    return func(*args, **kwargs)


def _resolved(shape: tuple[int, ...], numel: int) -> tuple[int, ...]:
    if -1 not in shape:
        return shape
    known = 1
    for size in shape:
        known *= size if size != -1 else 1
    return tuple(numel // max(known, 1) if size == -1 else size for size in shape)
