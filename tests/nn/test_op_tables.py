"""torch's own tables of operations, over packed tensors: each does with them what it does with their floats."""

import copy
import warnings
from itertools import islice

import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from gatewright.errors import UnsupportedError
from gatewright.nn.bit_tensor import as_bits, holds_bits
from gatewright.nn.int8_gradient import Int8Gradient
from gatewright.nn.packed import PackedTensor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db

SAMPLES = 4
"""Samples of each operation."""

SHORT = {
    "add", "mul", "clamp", "where", "masked_fill", "index_put", "index_fill", "index_select", "scatter", "copysign",
    "T", "select", "narrow", "unbind", "split", "expand", "permute", "diagonal", "as_strided", "view", "reshape",
    "view_as", "flatten", "squeeze", "unsqueeze", "movedim", "transpose", "cat", "stack", "matmul", "sum", "softmax",
    "sort", "cumsum", "float", "half", "clone", "contiguous", "zero_", "fill", "nn.functional.dropout",
    "nn.functional.relu", "nn.functional.linear", "nn.functional.pad", "nn.functional.gelu", "to", "addmm", "lerp",
    "unflatten",
}  # fmt: skip
"""Names that `script/test` tries; the others are slow."""

RANDOM_MEMORY = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}
"""What gives memory as it is."""


def can_be_packed(values):
    return (
        isinstance(values, torch.Tensor)
        and values.dtype == torch.float32
        and values.layout == torch.strided
        and values.ndim > 0
        and values.numel() > 0
    )


def pack(values, kind):
    """A packed tensor of much the same values."""
    if not can_be_packed(values):
        return values
    values = values.detach()
    rows = values.reshape(len(values), -1).nan_to_num(0, 1, -1)
    if kind == "bits":
        return as_bits((rows > 0).float()).view(values.shape)
    return Int8Gradient.of(rows.T[:, None].contiguous(), 1, tuple(rows.shape)).view(values.shape)


def run(function, arguments):
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments), None
    except UnsupportedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever torch does
        return None, error


def plain(tree):
    return tree_map_only(PackedTensor, lambda packed: packed.unpack().clone(), tree)


def assert_same(got, expected, what):
    got, expected = tree_flatten(got)[0], tree_flatten(expected)[0]
    assert len(got) == len(expected), what
    for one, other in zip(got, expected, strict=True):
        if isinstance(other, torch.Tensor):
            assert one.shape == other.shape, what
            assert one.dtype == other.dtype, what
            one = plain(one)
            if one.layout == torch.strided:
                torch.testing.assert_close(
                    one, other, rtol=1e-5, atol=1e-5, equal_nan=True, msg=lambda text: f"{what}: {text}"
                )


def checks(op, kind):
    """Run all forms of an operation on packed tensors and on their floats; returns how many were compared."""
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = op.sample_inputs("cpu", torch.float32, requires_grad=False)
        fitting = (one for one in samples if any(map(can_be_packed, tree_flatten(one.input)[0])))
        samples = list(islice(fitting, SAMPLES))
    for sample in samples:
        for form in (op.op, op.inplace_variant):
            if form is None:
                continue
            packed = tree_map_only(torch.Tensor, lambda values: pack(values, kind), sample.input)
            floats = plain(packed)
            others = copy.deepcopy((sample.args, sample.kwargs))

            def call(x, others=others, form=form):
                return form(x, *copy.deepcopy(others[0]), **copy.deepcopy(others[1]))

            what = f"{op.name} {'in place' if form is not op.op else ''} of {kind} {sample.input}"
            expected, error = run(call, (floats,))
            try:
                got, refused = run(call, (packed,))
            except UnsupportedError:
                assert form is not op.op, what  # shapes change in place: refused by name
                continue
            resized = [one.shape for one in tree_flatten(floats)[0]] != [one.shape for one in tree_flatten(packed)[0]]
            if resized:
                assert refused is not None, what  # some operations let their argument grow
                continue
            assert type(refused) is type(error), f"{what}: {refused!r} rather than {error!r}"
            if error is not None:
                continue
            assert_same(got, expected, what)
            assert_same(packed, floats, what)  # what was written, was written
            if isinstance(got, torch.Tensor) and form is op.op and got.layout == torch.strided:  # write through a view
                was_view = (
                    isinstance(floats, torch.Tensor)
                    and expected.untyped_storage().data_ptr() == floats.untyped_storage().data_ptr()
                )
                if was_view and run(lambda x: x.fill_(3), (expected,))[1] is None:
                    got.fill_(3)
                    assert_same(packed, floats, f"{what}, written through")
                    assert kind != "bits" or not holds_bits(packed) or 3 not in floats, what
            compared += 1
    return compared


def marked(op):
    name = f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name
    return pytest.param(op, id=name, marks=() if op.name in SHORT else pytest.mark.slow)


@pytest.mark.parametrize("op", [marked(op) for op in op_db if op.supports_dtype(torch.float32, "cpu")])
def test_an_operation_of_the_table(op):
    if op.name in RANDOM_MEMORY:
        pytest.skip("gives memory as it is")
    compared = [checks(op, kind) for kind in ("bits", "int8")]
    assert all(compared) or op.name not in SHORT
