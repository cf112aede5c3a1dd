"""What packed tensor types share: they are float32 tensors to torch, whatever it does with them.

- Reading unpacks: an operation sees a float32 tensor of the values.
- Writing materialises. The first write, and the first view (through which one could write), makes the float32 tensor that
  from then on holds the values, for the packed tensor and all its aliases. What reads the packed form afterwards asks
  `written` whether it still holds.
- Changes of shape in place are refused by name.
"""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from gatewright.errors import UnsupportedError

_aten = torch.ops.aten
_SAME = (_aten.detach.default, _aten.alias.default)
_RESHAPES = (_aten.view.default, _aten._unsafe_view.default, _aten.reshape.default)  # noqa: SLF001


class _Floats:
    """The float32 rows of a packed tensor and all its aliases, once they are materialised; None before."""

    rows: Tensor | None = None


class PackedTensor(Tensor):
    """A float32 tensor (N, ...) whose values are stored in another form, in attributes; batch-last in memory.

    It remains packed through detach and reshapes of a sample; every other torch operation sees the float32 tensor.
    """

    _floats: _Floats

    def __new__(cls, shape: tuple[int, ...], device: torch.device, **stored: Any) -> Self:
        """Wrap what is stored as a float32 tensor of this shape."""
        strides = (1, shape[0]) if len(shape) == 2 else _batch_last(shape)
        self: Self = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
            cls, shape, strides=strides, dtype=torch.float32, device=device
        )
        own = vars(self)
        own.update(stored)
        if "_floats" not in own:
            own["_floats"] = _Floats()
        return self

    def _stored_rows(self) -> Tensor:
        """The values as they are stored, as `rows` gives them, in memory of their own."""
        raise NotImplementedError

    def rows(self) -> Tensor:
        """The values as float32 rows [..., N], in C order of the sizes after N; to read only."""
        return self._stored_rows() if self._floats.rows is None else self._floats.rows

    def unpack(self) -> Tensor:
        """The float32 tensor, batch-last in memory; to read only."""
        n, *rest = self.shape
        return self.rows().view(*rest, n).movedim(-1, 0)

    @property
    def written(self) -> bool:
        """Whether the values are no longer those that are stored."""
        rows = self._floats.rows
        return rows is not None and not torch.equal(rows, self._stored_rows())

    def _materialise(self) -> Tensor:
        """The float32 tensor that holds the values from now on."""
        if self._floats.rows is None:
            with torch.inference_mode(mode=False):  # whoever makes it, others may write to it
                self._floats.rows = self._stored_rows()
        return self.unpack()

    def _plain(self) -> Tensor:
        """A view of the values that is no packed tensor and has memory, with the same gradient."""
        return self.as_strided(self.shape, self.stride())

    def _with_shape(self, shape: tuple[int, ...]) -> Self:
        return PackedTensor.__new__(type(self), shape, self.device, **vars(self))

    def _stored(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_floats"}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        torch.serialization.add_safe_globals([cls])  # for torch.load, which takes no other classes

    # What torch does with memory, below its operations.

    @property
    def data(self) -> Tensor:
        """See `torch.Tensor.data`, which cannot be replaced here."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:  # noqa: ARG002 - refused
        raise UnsupportedError(
            f"the data of a {type(self).__name__} cannot be replaced; x.detach().copy_(values) writes them"
        )

    def numpy(self, *, force: bool = False) -> Any:
        """See `torch.Tensor.numpy`."""
        return self._plain().numpy(force=force)

    def tolist(self) -> Any:
        """See `torch.Tensor.tolist`."""
        return self._plain().tolist()

    def data_ptr(self) -> int:
        """See `torch.Tensor.data_ptr`."""
        return self._plain().data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        """See `torch.Tensor.untyped_storage`."""
        return self._plain().untyped_storage()

    def __dlpack__(self, **options: Any) -> Any:
        return self._plain().__dlpack__(**options)

    def __copy__(self) -> Self:
        alias = self._with_shape(tuple(self.shape))
        alias.requires_grad_(self.requires_grad)
        return alias

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if id(self) in memo:
            known: Self = memo[id(self)]
            return known
        if not self.is_leaf:
            raise RuntimeError(
                "only tensors that are leaves of the graph of gradients can be copied deeply (as in torch); "
                "copy.deepcopy(x.detach()) copies the values"
            )
        copied = _rebuild(
            type(self), tuple(self.shape), *copy.deepcopy((self._stored(), self._floats.rows), memo), self.requires_grad
        )
        memo[id(self)] = copied
        return copied  # type: ignore[return-value] # of this very type

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (type(self), tuple(self.shape), self._stored(), self._floats.rows, self.requires_grad)

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in _SAME:
            return args[0]._with_shape(tuple(args[0].shape))  # noqa: SLF001
        if func in _RESHAPES:
            shape = _resolved(args[1], args[0].numel())
            if shape[:1] == args[0].shape[:1]:
                return args[0]._with_shape(shape)  # noqa: SLF001
        kwargs = kwargs or {}
        writes, gives_view = _effects(func)
        if writes:
            return _write(func, args, kwargs)
        if gives_view:
            tree_map_only(PackedTensor, lambda packed: packed._materialise(), (args, kwargs))  # noqa: SLF001
        args, kwargs = tree_map_only(PackedTensor, lambda packed: packed.unpack(), (args, kwargs))
        return func(*args, **kwargs)


def _batch_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a tensor (N, ...) whose batch is last in memory."""
    strides, step = [1] * len(shape), shape[0] if shape else 1
    for i in range(len(shape) - 1, 0, -1):
        strides[i], step = step, step * max(shape[i], 1)
    return tuple(strides)


def _rebuild(
    kind: type[PackedTensor],
    shape: tuple[int, ...],
    stored: dict[str, Any],
    rows: Tensor | None,
    requires_grad: bool,
) -> PackedTensor:
    """A packed tensor from what pickle kept of it."""
    device = next(value.device for value in stored.values() if isinstance(value, Tensor))
    packed = PackedTensor.__new__(kind, shape, device, **stored)
    packed._floats.rows = rows  # noqa: SLF001
    packed.requires_grad_(requires_grad)
    return packed


torch.serialization.add_safe_globals([_rebuild])


def _resolved(shape: list[int], numel: int) -> tuple[int, ...]:
    """The shape with -1, if it has one, replaced by the size that is left for it."""
    known = 1
    for size in shape:
        known *= 1 if size == -1 else size
    return tuple(numel // max(known, 1) if size == -1 else size for size in shape)


_EFFECTS: dict[Any, tuple[bool, bool]] = {}


def _effects(func: Any) -> tuple[bool, bool]:
    """Whether an operation writes to an argument, and whether it returns a view of one."""
    if func not in _EFFECTS:  # torch.compile warns of functools.cache
        _EFFECTS[func] = _effects_of_schema(func)
    return _EFFECTS[func]


def _effects_of_schema(func: Any) -> tuple[bool, bool]:
    arguments, returns = func._schema.arguments, func._schema.returns  # noqa: SLF001 - torch has no public way
    writes = any(one.alias_info is not None and one.alias_info.is_write for one in arguments)
    return writes, any(one.alias_info is not None for one in returns)


def _write(func: Any, args: Any, kwargs: Any) -> Any:
    """Run an operation that writes, on the float32 tensors behind its packed arguments."""
    if torch.Tag.inplace_view in func.tags:
        raise UnsupportedError(
            f"{func} changes the shape of a packed tensor in place; use the operation without the underscore, or clone() "
            "the tensor first"
        )
    owners: dict[int, PackedTensor] = {}
    targets: list[tuple[Tensor, torch.Size]] = []
    results: list[tuple[Tensor, Tensor]] = []

    def target(packed: PackedTensor) -> Tensor:
        floats = packed._materialise()  # noqa: SLF001
        if func._schema.is_mutable and "out" in func._overloadname:  # noqa: SLF001 - such a result may be resized
            results.append((floats, floats.clone()))
            floats = results[-1][1]
        owners[id(floats)] = packed
        targets.append((floats, floats.shape))
        return floats

    def written(value: Any, argument: Any) -> Any:
        if argument.alias_info is None or not argument.alias_info.is_write:
            return value
        return tree_map_only(PackedTensor, target, value)

    known = {argument.name: argument for argument in func._schema.arguments}  # noqa: SLF001
    args = [written(value, argument) for value, argument in zip(args, func._schema.arguments, strict=False)]  # noqa: SLF001
    kwargs = {name: written(value, known[name]) for name, value in kwargs.items()}
    args, kwargs = tree_map_only(PackedTensor, lambda packed: packed.unpack(), (args, kwargs))
    given = func(*args, **kwargs)
    for floats, shape in targets:
        if floats.shape != shape:
            raise UnsupportedError(
                f"{func} gives shape {tuple(floats.shape)}, which a packed tensor {tuple(shape)} cannot take in place"
            )
    for floats, result in results:
        floats.copy_(result)
    return tree_map_only(Tensor, lambda tensor: owners.get(id(tensor), tensor), given)
