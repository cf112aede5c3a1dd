"""torch's own table of operations over the packed tensor types: the dense result, or an error, and no write that vanishes.

Kinds: names of operations of `torch.testing._internal.common_methods_invocations.op_db`, and `views`: writes through views.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import OpInfo, SampleInput
from torch.utils._pytree import tree_flatten, tree_map

from gatewright.nn.bit_tensor import BitTensor, as_bits
from gatewright.nn.int8_gradient import Int8Gradient
from soak.harness import Failure, doing, main
from soak.mutator import Rng, one

UNLIKE = {
    "empty",
    "empty_like",
    "new_empty",
    "empty_strided",
    "new_empty_strided",
    "empty_permuted",
    "rand_like",
    "randn_like",
}
"""Operations whose results have no particular values."""

SKIPPED = {"as_strided", "as_strided_copy", "as_strided_scatter", "as_strided_partial_views"}
"""Operations on memory: what they give depends on strides, which a packed tensor does not have."""


@cache
def operations() -> dict[str, OpInfo]:
    """All operations on float32 tensors of the CPU, by name and variant."""
    found = {f"{op.name}.{op.variant_test_name}".rstrip("."): op for op in op_db}
    return {
        name: op
        for name, op in found.items()
        if torch.float32 in op.dtypes and op.name not in SKIPPED and not op.name.startswith("_refs")
    }


def packed(kind: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """A packed tensor like x, and the dense one that it stands for."""
    if kind == "bits":
        dense = (x > 0).float()
        made: Tensor = as_bits(dense)
        return made, made.unpack().clone()  # type: ignore[attr-defined]
    rows = x.detach().float().movedim(0, -1).reshape(1, -1, len(x))
    gradient = Int8Gradient.of(torch.nan_to_num(rows).contiguous(), 1, tuple(x.shape))
    return gradient, gradient.unpack().clone()


def fits(x: Any) -> bool:
    """Whether a tensor has a packed form."""
    if not isinstance(x, Tensor) or x.dtype != torch.float32 or x.layout != torch.strided:
        return False
    return x.ndim >= 2 and x.numel() > 0 and not x.requires_grad


def call(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """A result, or the exception that came in its place."""
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings(action="ignore"):
            return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - an operation may refuse whatever it likes
        return error


def plain(value: Any) -> Any:
    """A tree with dense tensors in the place of packed ones."""
    return tree_map(lambda x: x.unpack().clone() if isinstance(x, (BitTensor, Int8Gradient)) else x, value)


def agree(one_: Any, two: Any) -> bool:
    """Whether two results are the same, up to the rounding of sums in another order."""
    mine, theirs = tree_flatten(plain(one_))[0], tree_flatten(two)[0]
    if len(mine) != len(theirs):
        return False
    for x, y in zip(mine, theirs, strict=True):
        if isinstance(x, Tensor) != isinstance(y, Tensor):
            return False
        if isinstance(x, Tensor):
            if x.shape != y.shape or x.dtype != y.dtype or x.layout != y.layout:
                return False
            if x.layout == torch.strided and not torch.allclose(x, y, rtol=1e-3, atol=1e-4, equal_nan=True):
                return False
        elif x != y and repr(x) != repr(y):  # NaN is not itself
            return False
    return True


@cache
def samples(name: str) -> list[SampleInput]:
    """torch's first inputs for an operation."""
    op, found = operations()[name], []
    with warnings.catch_warnings(action="ignore"):
        for sample in op.sample_inputs("cpu", torch.float32, requires_grad=False):
            found.append(sample)
            if len(found) == 12:
                break
    return found


def check_operation(name: str, kind: str, rng: Rng) -> str:
    """One operation on one of torch's inputs: as a function, in place, and writing to `out`."""
    op = operations()[name]
    usable = [sample for sample in samples(name) if fits(sample.input)]
    if not usable:
        return "nothing to pack"
    sample = one(rng, usable)
    how = str(one(rng, ("function", "function", "in place", "out")))
    mine, dense = packed(kind, sample.input)
    args, kwargs = sample.args, dict(sample.kwargs)
    if how == "out":
        return check_out(name, op, (sample.input, *args), kwargs, kind)
    function = op.op if how == "function" else op.inplace_variant
    if function is None:
        return "no such variant"
    before = dense.clone()
    wanted = call(function, (dense, *copy.deepcopy(args)), kwargs)
    got = call(function, (mine, *copy.deepcopy(args)), kwargs)
    if isinstance(got, Exception):
        if how == "function" and not isinstance(wanted, Exception):
            return "raises where dense does not"
        same = agree(mine, before)
        if not same:
            raise Failure(f"{kind} {name} {how}: raises after it wrote")
        return "raises"
    if isinstance(wanted, Exception):
        return "dense raises"
    if op.name not in UNLIKE and not agree(got, wanted):
        raise Failure(f"{kind} {name} {how}: another result", f"{got!r:.80} {wanted!r:.80}")
    if not agree(mine, dense):
        raise Failure(f"{kind} {name} {how}: the write vanished")
    return how


def check_out(name: str, op: OpInfo, args: Any, kwargs: dict[str, Any], kind: str) -> str:
    """`out=` a packed tensor: what is written must be there."""
    if not op.supports_out:
        return "no such variant"
    result = call(op.op, args, kwargs)
    if not fits(result):
        return "nothing to pack"
    mine, dense = packed(kind, result)
    if isinstance(call(op.op, args, {**kwargs, "out": dense}), Exception):
        return "dense raises"
    if isinstance(call(op.op, args, {**kwargs, "out": mine}), Exception):
        return "raises"
    if not agree(mine, dense):
        raise Failure(f"{kind} {name} out: the write vanished")
    return "out"


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "itself": lambda x: x,
    "[:, 1]": lambda x: x[:, 1],
    "[1]": lambda x: x[1],
    "[..., ::2]": lambda x: x[..., ::2],
    "T": lambda x: x.movedim(0, -1),
    "flatten": lambda x: x.flatten(1),
    "view": lambda x: x.view(x.shape[0], -1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "expand_as": lambda x: x.expand_as(x),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "alias": torch.ops.aten.alias,
    "chunk": lambda x: x.chunk(2, dim=1)[0],
    "unbind": lambda x: x.unbind(1)[0],
    "narrow": lambda x: x.narrow(1, 0, 2),
    "diagonal": lambda x: x.diagonal(),
    "reshape": lambda x: x.reshape(x.shape[0], -1, 1),
    "numpy": lambda x: torch.from_numpy(x.numpy()),
}
WRITES: dict[str, Callable[[Tensor], Any]] = {
    "zero_": lambda x: x.zero_(),
    "fill_": lambda x: x.fill_(5.0),
    "[...] =": lambda x: x.__setitem__(..., 5.0),
    "[0] =": lambda x: x.__setitem__(0, 7.0),
    "masked_fill_": lambda x: x.masked_fill_(torch.ones(x.shape, dtype=torch.bool), 3.0),
    "copy_": lambda x: x.copy_(torch.full(x.shape, 2.0)),
    "+=": lambda x: x.__iadd__(1.0),
    "mul_": lambda x: x.mul_(-2.0),
    "_foreach_add_": lambda x: torch._foreach_add_([x], 1.0),
    "index_fill_": lambda x: x.index_fill_(0, torch.tensor([0]), 4.0),
    "set_ data": lambda x: x.untyped_storage().fill_(0),
    "resize_": lambda x: x.resize_(1),
    "requires_grad_": lambda x: x.requires_grad_(),
    "bernoulli_": lambda x: x.bernoulli_(0.5),
}
READS: dict[str, Callable[[Tensor], Any]] = {
    "numpy": lambda x: x.numpy().copy(),
    "tolist": lambda x: x.tolist(),
    "deepcopy": copy.deepcopy,
    "clone": lambda x: x.clone(),
    "half": lambda x: x.half(),
    "double": lambda x: x.double(),
    "to": lambda x: x.to("cpu", torch.bfloat16),
    "bool": lambda x: x.bool(),
    "iter": list,
    "len": len,
    "contiguous": lambda x: x.contiguous(),
    "item": lambda x: x[0].flatten()[0].item(),
    "autocast": lambda x: torch.nn.functional.linear(x.flatten(1), torch.ones(2, x[0].numel())),
}


def check_views(kind: str, rng: Rng) -> str:
    """A write through a view is seen in the tensor, and one to the tensor in its view; or there is an error."""
    x = torch.from_numpy(rng.standard_normal((70, 4, 3)).astype("float32"))
    mine, dense = packed(kind, x)
    if rng.random() < 0.2:
        name = str(one(rng, list(READS)))
        wanted, got = call(READS[name], (dense,), {}), call(READS[name], (mine,), {})
        if isinstance(got, Exception):
            raise Failure(f"{kind} {name}: raises", repr(got)[:150])
        same = (got == wanted).all() if name == "numpy" else agree(got, wanted)
        if not same:
            raise Failure(f"{kind} {name}: another result")
        return "read"
    view, write = str(one(rng, list(VIEWS))), str(one(rng, list(WRITES)))
    backwards = rng.random() < 0.3
    views, results = [], []
    for tensor in (dense, mine):
        made = call(VIEWS[view], (tensor,), {})
        views.append(made)
        target = tensor if backwards else made
        results.append(made if isinstance(made, Exception) else call(WRITES[write], (target,), {}))
    if isinstance(results[0], Exception) or isinstance(results[1], Exception):
        return "raises"
    where = f"{kind} {write} {'before reading' if backwards else 'through'} {view}"
    if not agree(mine, dense) or not agree(views[1], views[0]):
        raise Failure(f"{where}: the write vanished")
    return "view"


def case(rng: Rng, only: Sequence[str]) -> str:
    """One operation on one packed tensor."""
    kind = str(one(rng, ("bits", "gradient")))
    names = [name for name in (*operations(), "views") if not only or name in only]
    name = "views" if rng.random() < 0.2 and "views" in names else str(one(rng, names))
    doing(f"{kind} {name}")
    return check_views(kind, rng) if name == "views" else check_operation(name, kind, rng)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main("tensors", case, limits=True))
