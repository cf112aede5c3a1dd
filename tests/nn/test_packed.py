"""Packed tensors do what tensors do: what writes into them is seen by all, and what reads them gets floats."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from gatewright import GroupSum, LogicDense, Thermometer, WeightedSum
from gatewright.errors import DtypeError
from gatewright.nn import BitTensor
from gatewright.nn.bit_tensor import as_bits
from gatewright.nn.int8_gradient import Int8Gradient


def bits():
    return as_bits(torch.tensor([[1.0, 0, 1], [0, 1, 1]]))


def floats():
    return torch.tensor([[1.0, 0, 1], [0, 1, 1]])


def gradient():
    values = torch.tensor([[1.0, -2.0], [0.5, 4.0], [3.0, 0.0]])
    return Int8Gradient.of(values[:, None], 1, (2, 3))


WRITES = {
    "zero_": lambda x: x.zero_(),
    "column": lambda x: x.__setitem__((slice(None), 2), 5.0),
    "masked_fill_": lambda x: x.masked_fill_(x > 0, 7.0),
    "copy_": lambda x: x.copy_(torch.full((2, 3), 0.25)),
    "add_": lambda x: x.add_(1),
    "mul_ of a view": lambda x: x[0].mul_(3),
    "transposed": lambda x: x.t().fill_(2.0),
    "flattened": lambda x: x.view(2, 3).fill_(0.5),
    "out=": lambda x: torch.add(torch.ones(2, 3), 1, out=x),
    "foreach": lambda x: torch._foreach_add_([x], 1.0),
    "index_put_": lambda x: x.index_put_((torch.tensor([0]),), torch.tensor(9.0)),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("make", [bits, gradient])
def test_writes_are_not_lost(name, make):
    packed, plain = make(), make().unpack().clone()
    WRITES[name](packed)
    WRITES[name](plain)
    assert torch.equal(packed + 0, plain)
    assert packed.written


def test_all_views_of_the_values_see_a_write():
    one = bits()
    two, three = one.view(2, 3), one.detach()
    two[0, 0] = 0.5
    assert one[0, 0] == two[0, 0] == three[0, 0] == 0.5


def test_reads_keep_it_packed():
    x = bits()
    for read in (x + 1, x.sum(), x.mean(0), x @ torch.ones(3, 1), x.clone()):
        assert not isinstance(read, BitTensor)
    assert not x.written


def test_conversions():
    x = bits()
    assert x.tolist() == floats().tolist()
    assert np.array_equal(x.numpy(), floats().numpy())
    assert np.array_equal(np.asarray(x), floats().numpy())
    assert torch.equal(copy.deepcopy(x) + 0, floats())
    assert torch.equal(pickle.loads(pickle.dumps(x)), floats())
    assert float(x[0, 0]) == 1.0
    assert x.clone().half().dtype == torch.float16


def test_a_layer_behind_sees_what_was_written():
    layer = LogicDense(3, 6, relaxation="hard").eval()
    x, plain = bits(), floats()
    x[:, 1] = 0
    plain[:, 1] = 0
    assert torch.equal(layer(x) + 0, layer(plain) + 0)
    x[:, 1] = 0.5
    with pytest.raises(DtypeError, match="other than 0 and 1"):
        layer(x)


@pytest.mark.parametrize("head", [GroupSum(2), WeightedSum(6, 2)])
@pytest.mark.parametrize("training", [False, True])
def test_hooks_that_inject_faults_work(head, training):
    torch.manual_seed(0)
    first = LogicDense(3, 6, relaxation="hard")
    model = nn.Sequential(Thermometer([[1], [1], [1]], (3,), "uint8"), first, head)
    model.train(training)
    x = torch.tensor([[1, 0, 1], [0, 1, 1]], dtype=torch.uint8)

    def stuck_at_one(module, inputs, output):
        with torch.no_grad():
            output[:, 2] = 1.0

    def replaced(module, inputs, output):
        dense = output + 0
        return torch.cat([dense[:, :2], torch.ones(2, 1), dense[:, 3:]], 1)

    scores = []
    for hook in (stuck_at_one, replaced):
        handle = first.register_forward_hook(hook)
        scores.append(model(x).detach() + 0)
        handle.remove()
    assert torch.equal(*scores)
    assert not torch.equal(scores[0], model(x).detach() + 0) or bool((first(model[0](x))[:, 2] + 0).all())


def test_gradients_that_a_hook_edits_are_the_edited_ones():
    torch.manual_seed(0)
    first, second = LogicDense(3, 8, relaxation="hard"), LogicDense(8, 8, relaxation="hard")
    model = nn.Sequential(first, second, GroupSum(2))

    def zeroed(module, inputs, output):
        output.register_hook(lambda grad: grad.mul_(0))

    handle = first.register_forward_hook(zeroed)
    model(floats()).square().sum().backward()
    handle.remove()
    assert not first.candidates.logits.grad.any()
    assert second.candidates.logits.grad.any()
