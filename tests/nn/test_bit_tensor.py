"""Packed activations behave as the float tensors they stand for."""

import copy
import io
import pickle

import pytest
import torch

from gatewright.errors import DtypeError, ShapeError, UnsupportedError
from gatewright.nn import GroupSum, LogicDense, NearestUpsample, WeightedSum
from gatewright.nn.bit_tensor import BitTensor, as_bits
from gatewright.nn.int8_gradient import Int8Gradient


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


WRITES = {
    "an operation in place": lambda t: t.zero_(),
    "an assignment": lambda t: t.__setitem__((slice(None), 2), 5.0),
    "a mask": lambda t: t.masked_fill_(t > 0, 3),
    "a view": lambda t: t[:, 1].fill_(7),
    "a view of a sample's shape": lambda t: t.flatten(1)[:, 4].fill_(7),
    "a transposed view": lambda t: t.movedim(0, -1)[0].fill_(7),
    "a detached alias": lambda t: t.detach().fill_(7),
    "its data": lambda t: t.data.fill_(7),
    "its memory as NumPy": lambda t: t.numpy().__setitem__((0, 0), 7),
    "its memory by DLPack": lambda t: torch.from_dlpack(t).fill_(7),
    "several at once": lambda t: torch._foreach_mul_([t], 3),
    "the result of another": lambda t: torch.add(t, 1, out=t),
    "random numbers": lambda t: t.normal_(generator=torch.Generator().manual_seed(1)),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("inference", [False, True])
def test_what_is_written_is_there(x, write, inference):
    with torch.inference_mode(inference):
        bits = as_bits(x)
        floats = bits.unpack().clone()  # keeps the order of memory, in which random numbers come
        alias = bits.view(70, 12, 5)
        WRITES[write](bits)
        WRITES[write](floats)
        assert not torch.equal(floats, x)
        assert bits.tolist() == floats.tolist()
        assert torch.equal(bits + 0, floats)
        assert torch.equal(alias + 0, floats.view(70, 12, 5))
        assert bits.written


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.resize_(3),
        lambda t: t.transpose_(0, 1),
        lambda t: t.unsqueeze_(0),
        lambda t: torch.add(torch.ones(3), 1, out=t),
        lambda t: setattr(t, "data", torch.zeros(70, 3, 4, 5)),
    ],
)
@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
def test_changes_of_shape_in_place_are_refused_by_name(x, change):
    bits = as_bits(x)
    with pytest.raises(UnsupportedError, match=r"packed tensor|BitTensor"):
        change(bits)
    assert torch.equal(bits + 0, x)


def test_a_peek_changes_nothing(x):
    bits = as_bits(x)
    assert bits[0].sum() == x[0].sum()
    assert not bits.written
    assert as_bits(bits) is bits


def test_words_are_those_of_the_present_values(x):
    bits = as_bits(x)
    bits[:, 0] = 1 - bits[:, 0]
    expected = x.clone()
    expected[:, 0] = 1 - x[:, 0]
    assert torch.equal(bits.words, as_bits(expected).words)
    bits[0] = 0.5
    with pytest.raises(DtypeError, match="other than 0 and 1"):
        _ = bits.words


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda t: pickle.loads(pickle.dumps(t)),
    "save": lambda t: torch.load(saved(t)),
}


def saved(tensor):
    file = io.BytesIO()
    torch.save(tensor, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("kind", ["bits", "written", "gradient"])
def test_copies(x, duplicate, kind):
    tensor = Int8Gradient.of(x.flatten(1).T[:, None].contiguous(), 1, (70, 60)) if kind == "gradient" else as_bits(x)
    if kind == "written":
        tensor[0] = 2
    tensor.requires_grad_()
    copied = duplicate(tensor)
    assert type(copied) is type(tensor)
    assert copied.requires_grad
    assert torch.equal(copied + 0, tensor + 0)
    before = tensor.detach() + 0
    copied.detach().zero_()
    assert torch.equal(tensor.detach() + 0, before)


def test_a_copy_with_a_gradient_is_refused_as_in_torch(x):
    tensor = as_bits(x).requires_grad_() * 1
    packed = LogicDense(60, 8, candidates=2, relaxation="hard")(x.flatten(1))
    for one in (tensor, packed):
        with pytest.raises(RuntimeError, match="copy"):
            copy.deepcopy(one)
        with pytest.raises(RuntimeError, match=r"detach\(\).numpy\(\)"):
            one.numpy()


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = [LogicDense(60, 40, candidates=4, relaxation="hard"), LogicDense(40, 20, candidates=4, relaxation="hard")]
    return torch.nn.Sequential(*layers, GroupSum(2))


class Floats(torch.nn.Module):
    """Passes values on as ordinary floats."""

    def forward(self, x):
        return x * 1.0


def inject(module, inputs, output):
    output[:, 3] = 1 - output[:, 3]
    output[::2, 5] = 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("place", [0, 1])
def test_hooks_inject_faults(network, x, training, place):
    network.train(training)
    network[place].register_forward_hook(inject)
    plain = torch.nn.Sequential(*[part for layer in network for part in (layer, Floats())])
    scores, expected = network(x.flatten(1)), plain(x.flatten(1))
    network[place]._forward_hooks.clear()
    assert torch.equal(scores, expected)
    assert not torch.equal(scores, network(x.flatten(1)))


@pytest.mark.parametrize("head", [GroupSum(2), WeightedSum(20, 2)])
def test_heads_count_what_was_written(x, head):
    bits = as_bits(x.flatten(1)[:, :20])
    bits[:, 2] = 5.0
    assert torch.equal(head(bits), head(bits + 0))
    assert not torch.equal(head(bits), head(as_bits(x.flatten(1)[:, :20])))


def test_upsampling_repeats_what_was_written(x):
    bits = as_bits(x)
    bits[:, 2] = 5.0
    assert torch.equal(NearestUpsample(2)(bits) + 0, NearestUpsample(2)(bits + 0))


def gradients(network, x, hook):
    network.zero_grad()
    hidden = network[0](x.flatten(1))
    hidden.register_hook(hook)
    network[1:](hidden).square().sum().backward()
    return [parameter.grad.clone() for parameter in network.parameters()]


def test_gradients_are_edited_in_place(network, x):
    before = gradients(network, x, lambda grad: None)
    cleared = gradients(network, x, lambda grad: grad.zero_())
    assert not cleared[0].any()
    assert torch.equal(cleared[1], before[1])
    masked = gradients(network, x, lambda grad: grad.__setitem__((slice(None), 7), 0))
    assert not masked[0][7].any()
    assert torch.allclose(masked[0][8:], before[0][8:], rtol=0.05, atol=1e-3 * float(before[0].abs().max()))
    peeked = gradients(network, x, lambda grad: print(grad[0].sum()))
    assert torch.equal(peeked[0], before[0])


def test_gradients_flow_past_a_write(x):
    bits = as_bits(x.flatten(1)).requires_grad_() * 1
    layer = LogicDense(60, 40, candidates=2, relaxation="hard")
    out = layer(bits)
    out[:, 3] = 0
    out[:, 4].mul_(3)
    out.sum().backward()
    unwritten = layer.candidates.logits.grad.clone()
    layer.candidates.logits.grad = None
    weight = torch.ones(40)
    weight[3], weight[4] = 0, 3
    (layer(bits.detach()) * weight).sum().backward()
    assert torch.allclose(unwritten, layer.candidates.logits.grad, rtol=0.05, atol=1e-2)


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_networks_of_other_types_train_and_predict(network, x, relaxation, dtype):
    for layer in network[:2]:
        layer.relaxation = relaxation
    network.to(dtype)
    scores = network(x.flatten(1))
    scores.square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad.dtype == dtype
        assert parameter.grad.isfinite().all()
    network.eval()
    assert torch.equal(network(x.flatten(1).to(dtype)), network(x.flatten(1)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [True, False])
def test_compiled_networks_give_the_same(network, x, training):
    torch._dynamo.reset()
    model = torch.nn.Sequential(network[0], Floats(), *network[1:]).train(training)
    compiled = torch.compile(model, backend="aot_eager")
    assert torch.equal(compiled(x.flatten(1)), model(x.flatten(1)))
    if training:
        compiled(x.flatten(1)).sum().backward()
        got = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        model(x.flatten(1)).sum().backward()
        assert all(torch.equal(one, p.grad) for one, p in zip(got, model.parameters(), strict=True))
