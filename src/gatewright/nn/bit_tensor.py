"""`BitTensor`: Boolean activations that look like a float tensor and travel as packed bits.

A layer that computes Booleans returns one; the next gatewright layer takes its words as they are. Any other torch
operation sees (and gets) the float32 tensor of zeros and ones, so packed activations need no special care from users.
What is written into one is what the next layer reads. Gradients are ordinary float tensors of the same logical shape.
"""

from __future__ import annotations

from typing import Any, Self, TypeGuard

import torch
from torch import Tensor

from gatewright.errors import DtypeError, ShapeError
from gatewright.kernels import ops
from gatewright.nn.packed import PackedTensor


class BitTensor(PackedTensor):
    """Zeros and ones (N, ...) stored as packed int64 words [R, W], R = product of the sizes after N.

    Row r is element r (C order) of the sample; sample s is bit `s % 64` of word `s // 64`; bits past N are zero.

    Attributes:
        unit: Rows of one neuron, if the layer that made the tensor wants its gradient as an `Int8Gradient` with one scale
            for that many rows; 0 if it wants float32.
    """

    _words: Tensor
    unit: int

    def __new__(cls, words: Tensor, shape: tuple[int, ...], unit: int = 0) -> Self:
        """Wrap words [R, W] as a float32 tensor of this shape (N, ...)."""
        return super().__new__(cls, shape, words.device, _words=words, unit=unit)

    @property
    def words(self) -> Tensor:
        """int64 [R, W], of the values as they are now.

        Raises:
            DtypeError: Others than zeros and ones were written into the tensor.
        """
        return as_bits(self)._words  # noqa: SLF001 - of this class

    def _stored_rows(self) -> Tensor:
        rows: Tensor = ops.unpack(self._words, self.shape[0])
        return rows

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"BitTensor(shape={tuple(self.shape)}, words={tuple(self._words.shape)})"


def rows(x: Tensor) -> Tensor:
    """View a batch (N, ...) as rows [R, N], contiguous (no copy if it is batch-last in memory already)."""
    return x.movedim(0, -1).reshape(-1, x.shape[0]).contiguous()


def as_bits(x: Tensor) -> BitTensor:
    """Packed bits of zeros and ones (N, ...), a bool, integer or floating tensor.

    Raises:
        DtypeError: It holds anything but zeros and ones.
        ShapeError: It has no batch axis, or an empty one.
    """
    if isinstance(x, BitTensor) and not x.written:
        return x
    if x.ndim < 2 or x.shape[0] == 0:
        raise ShapeError(f"expected a batch (N, ...) with at least one sample, got shape {tuple(x.shape)}")
    words, boolean = ops.pack(rows(x.detach().to(torch.float32)))
    if not boolean:
        raise DtypeError(
            "a layer that computes with Boolean gates got values other than 0 and 1; encode the input first "
            "(gatewright.Thermometer), or use relaxation='soft' and do not freeze a layer behind one that is soft"
        )
    return BitTensor(words, tuple(x.shape), x.unit if isinstance(x, BitTensor) else 0)


def holds_bits(x: Tensor) -> TypeGuard[BitTensor]:
    """Whether x is a `BitTensor` into which nothing but zeros and ones was written."""
    if not isinstance(x, BitTensor):
        return False
    return not x.written or bool(ops.pack(x.rows())[1])
