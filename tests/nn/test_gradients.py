"""Gradients of dense and convolution layers, soft and hard, against float64 autograd of a plain statement of them."""

import pytest
import torch
from torch import nn

from gatewright.gates import COEFFICIENTS
from gatewright.nn import LogicConv2d, LogicDense, LogicLocal2d

TABLE = torch.tensor(COEFFICIENTS.tolist(), dtype=torch.float64)


def multilinear(gate, a, b):
    """Gates [..] on operands [N, ..]."""
    c = TABLE[gate.long()]
    return c[..., 0] + c[..., 1] * a + c[..., 2] * b + c[..., 3] * a * b


def plain_layer(layer, x, logits):
    """The relaxation as DESIGN section 1 words it; x float64 (N, ...) and logits [M, K] with gradients."""
    c = layer.candidates
    if isinstance(layer, LogicDense):
        windows, shape = x.unsqueeze(1), (len(x), -1)  # [N, P = 1, F]
    else:
        k, s, p = layer.kernel_size, layer.stride, layer.padding
        windows = nn.functional.unfold(x, k, padding=p, stride=s).transpose(1, 2)  # taps in the order (channel, dy, dx)
        side = [(n + 2 * p - k) // s + 1 for n in x.shape[2:]]
        shape = (len(x), -1, *side)

    if isinstance(layer, LogicLocal2d):
        # Neurons in the order (channel, position); each one's operands count from its own first one.
        m, positions = layer.out_shape[0], windows.shape[1]
        group = torch.arange(m) % (layer.in_shape[0] // (layer.channels or layer.in_shape[0]))
        first = (group * c.pool_size).repeat_interleave(positions)[:, None]
        at = torch.arange(positions).repeat(m)
        own = torch.arange(c.n_neurons)[:, None] * c.pool_size
        a, b = (windows[:, at[:, None], (ids - own + first).long()] for ids in (c.a, c.b))
        windows = torch.stack([a, b], -1).unsqueeze(1)  # [N, 1, M, K, 2]

    def mix(values, weights):
        if isinstance(layer, LogicLocal2d):
            return (multilinear(c.gate, values[..., 0], values[..., 1]) * weights).sum(-1)
        a, b = values[:, :, c.a.long()], values[:, :, c.b.long()]  # [N, P, M, K]
        return (multilinear(c.gate, a, b) * weights).sum(-1)

    soft = torch.softmax(logits, 1)
    if layer.relaxation == "soft":
        out = mix(windows, soft)
    else:
        best = nn.functional.one_hot(logits.argmax(1), logits.shape[1]).double()
        mixture = mix(windows.detach(), soft)
        out = mix(windows, best) + mixture - mixture.detach()
    return out.transpose(1, 2).reshape(shape)


def layers(relaxation):
    g = torch.Generator().manual_seed(5)
    options = {"relaxation": relaxation, "gradients": "float", "generator": g}
    return {
        "dense": (LogicDense(13, 7, candidates=5, **options), (13,)),
        "dense one candidate": (LogicDense(4, 9, candidates=1, **options), (4,)),
        "dense one input": (LogicDense(1, 3, **options), (1,)),
        "conv": (LogicConv2d(3, 5, 3, padding="same", candidates=4, **options), (3, 6, 5)),
        "conv stride 2": (LogicConv2d(2, 4, 3, stride=2, padding=1, channels=0, **options), (2, 7, 8)),
        "conv groups": (LogicConv2d(4, 6, 2, channels=2, **options), (4, 5, 5)),
        "conv 1x1": (LogicConv2d(4, 6, 1, channels=0, **options), (4, 3, 3)),
        "local": (LogicLocal2d((3, 6, 5), 5, 3, padding=1, candidates=4, **options), (3, 6, 5)),
        "local stride 2": (LogicLocal2d((2, 7, 8), 4, 3, stride=2, padding=1, channels=0, **options), (2, 7, 8)),
        "local groups": (LogicLocal2d((4, 5, 5), 6, 2, channels=2, **options), (4, 5, 5)),
        "conv wide padding": (LogicConv2d(1, 2, 3, padding=2, **options), (1, 4, 4)),
    }


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
@pytest.mark.parametrize("name", list(layers("soft")))
@pytest.mark.parametrize("n", [1, 33, 64, 100])
def test_forward_and_gradients(relaxation, name, n):
    layer, shape = layers(relaxation)[name]
    g = torch.Generator().manual_seed(n)
    x = torch.rand(n, *shape, generator=g)
    if relaxation == "hard":
        x = (x < 0.5).float()
    x.requires_grad_()
    out = layer(x)
    weight = torch.randn(out.shape, generator=g)
    (out * weight).sum().backward()

    x64 = x.detach().double().requires_grad_()
    logits64 = layer.candidates.logits.detach().double().requires_grad_()
    truth = plain_layer(layer, x64, logits64)
    (truth * weight.double()).sum().backward()

    torch.testing.assert_close((out + 0).detach().double(), truth.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(x.grad.double(), x64.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.candidates.logits.grad.double(), logits64.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_float64_layers_are_exact(relaxation):
    layer, shape = layers(relaxation)["conv"]
    layer = layer.double()
    x = (torch.rand(10, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) < 0.5).double()
    x.requires_grad_()
    out = layer(x)
    out.sum().backward()
    logits = layer.candidates.logits.detach().clone().requires_grad_()
    truth = plain_layer(layer, x.detach().clone(), logits)
    truth.sum().backward()
    # Packed activations have float32 gradients, whatever the logits are.
    tolerance = 1e-10 if relaxation == "soft" else 1e-5
    torch.testing.assert_close(layer.candidates.logits.grad, logits.grad, rtol=tolerance, atol=tolerance)
