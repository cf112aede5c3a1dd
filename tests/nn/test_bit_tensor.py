"""Packed activations behave as the float tensors they stand for."""

import pytest
import torch

from gatewright.errors import DtypeError, ShapeError
from gatewright.nn.bit_tensor import BitTensor, as_bits


@pytest.fixture
def x(generator):
    return (torch.rand(70, 3, 4, 5, generator=generator) < 0.5).float()


def test_any_operation_sees_zeros_and_ones(x):
    bits = as_bits(x)
    assert isinstance(bits, BitTensor)
    assert bits.shape == x.shape
    assert torch.equal(bits + 0, x)
    assert torch.equal(bits[3:5], x[3:5])
    assert torch.equal(torch.cat([bits, x]), torch.cat([x, x]))
    assert bits.sum() == x.sum()


@pytest.mark.parametrize("view", [lambda t: t.flatten(1), lambda t: t.reshape(70, -1), lambda t: t.view(70, 12, 5)])
def test_reshapes_of_a_sample_stay_packed(x, view):
    packed = view(as_bits(x))
    assert isinstance(packed, BitTensor)
    assert torch.equal(packed + 0, view(x))


def test_a_reshape_of_the_batch_unpacks(x):
    assert torch.equal(as_bits(x).reshape(-1) + 0, x.reshape(-1))
    assert torch.equal(as_bits(x).reshape(35, -1) + 0, x.reshape(35, -1))


def test_unpacked_is_batch_last(x):
    assert as_bits(x).unpack().stride(0) == 1


def test_what_is_not_boolean_is_refused(x):
    with pytest.raises(DtypeError, match="values other than 0 and 1"):
        as_bits(x + 0.25)
    with pytest.raises(DtypeError, match="values other than 0 and 1"):
        as_bits(x * torch.nan)
    with pytest.raises(ShapeError, match="at least one sample"):
        as_bits(x[:0])
