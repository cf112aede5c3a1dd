"""`BitTensor`: Boolean activations that look like a float tensor and travel as packed bits.

A layer that computes Booleans returns one; the next gatewright layer takes its words as they are. Any other torch
operation sees (and gets) the float32 tensor of zeros and ones, so packed activations need no special care from users.
Gradients are ordinary float tensors of the same logical shape.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from gatewright.errors import DtypeError, ShapeError
from gatewright.kernels import ops

_aten = torch.ops.aten
_SAME = (_aten.detach.default, _aten.alias.default)
_VIEWS = (_aten.view.default, _aten._unsafe_view.default, _aten.reshape.default)  # noqa: SLF001


class BitTensor(Tensor):
    """Zeros and ones (N, ...) stored as packed int64 words [R, W], R = product of the sizes after N.

    Row r is element r (C order) of the sample; sample s is bit `s % 64` of word `s // 64`; bits past N are zero.
    """

    words: Tensor

    @staticmethod
    def __new__(cls: type[BitTensor], words: Tensor, shape: tuple[int, ...]) -> BitTensor:  # noqa: PYI034
        """Wrap words [R, W] as a float32 tensor of this shape (N, ...)."""
        self: BitTensor = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls, shape, dtype=torch.float32, device=words.device
        )
        self.words = words
        return self

    def unpack(self) -> Tensor:
        """The float32 tensor of zeros and ones, batch-last in memory."""
        n, *rest = self.shape
        flat: Tensor = ops.unpack(self.words, n)
        return flat.view(*rest, n).movedim(-1, 0)

    def __repr__(  # type: ignore[override]
        self, *, tensor_contents: Any = None
    ) -> str:
        return f"BitTensor(shape={tuple(self.shape)}, words={tuple(self.words.shape)})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Keep bits through detach and reshapes of a sample; unpack for everything else."""
        if func in _SAME:
            return cls(args[0].words, tuple(args[0].shape))
        if func in _VIEWS:
            shape = _resolved(tuple(args[1]), args[0].numel())
            if len(shape) > 0 and shape[0] == args[0].shape[0]:
                return cls(args[0].words, shape)
            return args[0].unpack().reshape(shape)
        args, kwargs = tree_map_only(BitTensor, BitTensor.unpack, (args, kwargs or {}))
        return func(*args, **kwargs)


def _resolved(shape: tuple[int, ...], numel: int) -> tuple[int, ...]:
    if -1 not in shape:
        return shape
    known = 1
    for size in shape:
        known *= size if size != -1 else 1
    return tuple(numel // max(known, 1) if size == -1 else size for size in shape)


def rows(x: Tensor) -> Tensor:
    """View a batch (N, ...) as rows [R, N], contiguous (no copy if it is batch-last in memory already)."""
    return x.movedim(0, -1).reshape(-1, x.shape[0]).contiguous()


def as_bits(x: Tensor) -> BitTensor:
    """Packed bits of a tensor of zeros and ones.

    Args:
        x: bool, integer or floating (N, ...).

    Raises:
        DtypeError: It holds anything but zeros and ones.
        ShapeError: It has no batch axis, or an empty one.
    """
    if isinstance(x, BitTensor):
        return x
    if x.ndim < 2 or x.shape[0] == 0:
        raise ShapeError(f"expected a batch (N, ...) with at least one sample, got shape {tuple(x.shape)}")
    words, boolean = ops.pack(rows(x.detach().to(torch.float32)))
    if not boolean:
        raise DtypeError(
            "a layer that computes with Boolean gates got values other than 0 and 1; encode the input first "
            "(gatewright.encoding.Thermometer), or use relaxation='soft' and do not freeze a layer behind one that is soft"
        )
    return BitTensor(words, tuple(x.shape))
