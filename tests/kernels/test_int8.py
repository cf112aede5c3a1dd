"""Gradients as int8: rounding, kernels against the reference, and whole networks against float gradients."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright.kernels import int8_reference, ops, reference
from gatewright.kernels.cpu import int8 as int8_cpu
from gatewright.nn import BitTensor, GroupSum, LogicConv2d, LogicDense, logic_layers
from gatewright.nn.int8_gradient import Int8Gradient

LAYERS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**31),
        "units": st.integers(1, 9),
        "repeat": st.integers(1, 4),
        "candidates": st.integers(1, 17),
        "n": st.integers(1, 200),
        "image": st.sampled_from([(1, 1, 0), (5, 1, 0), (3, 4, 0), (3, 4, 1), (2, 2, 2)]),
        "channels": st.integers(1, 6),
    }
)


def layer(seed, units, repeat, candidates, n, image, channels):
    """A random layer on an image of this height, width and padding; dense if its width is 1."""
    g = torch.Generator().manual_seed(seed)
    height, width, padding = image
    padded = (height + 2 * padding) * (width + 2 * padding)
    conv = width > 1
    positions = torch.arange(padded // 2 if conv else 1, dtype=torch.int32)
    neurons = units * repeat

    def index(*size):
        # A convolution's taps stay in their channel at every position.
        if not conv:
            return torch.randint(channels * padded, size, generator=g, dtype=torch.int32)
        channel = torch.randint(channels, size, generator=g, dtype=torch.int32)
        return channel * padded + torch.randint(padded - len(positions) + 1, size, generator=g, dtype=torch.int32)

    values = torch.randn(units, len(positions), n, generator=g) * torch.rand(units, 1, 1, generator=g) ** 4
    return {
        "words": reference.pack(torch.rand(channels * padded, n, generator=g) < 0.5),
        "values": values,
        "rows_a": index(neurons, candidates),
        "rows_b": index(neurons, candidates),
        "row_a": index(neurons),
        "row_b": index(neurons),
        "gate": torch.randint(16, (neurons,), generator=g, dtype=torch.uint8),
        "positions": positions,
        "block": [height, width, padding, height * width],
    }


@given(LAYERS)
@settings(max_examples=80)
def test_kernels_equal_the_reference(sizes):
    t, n, repeat = layer(**sizes), sizes["n"], sizes["repeat"]
    q, scale = int8_cpu.quantize(t["values"])
    truth = int8_reference.quantize(t["values"])
    assert torch.equal(q, truth[0])
    assert torch.equal(scale, truth[1])
    rest = (t["words"], q, scale, repeat)
    for ours, wanted in zip(
        int8_cpu.int8_sums(*rest, t["rows_a"], t["rows_b"], t["positions"]),
        int8_reference.int8_sums(*rest, t["rows_a"], t["rows_b"], t["positions"]),
        strict=True,
    ):
        assert torch.equal(ours, wanted)
    args = (*rest, t["row_a"], t["row_b"], t["gate"], t["positions"], t["block"], n)
    (q1, scale1), (q2, scale2) = int8_cpu.int8_input_grad(*args), int8_reference.int8_input_grad(*args)
    assert q1.shape == q2.shape
    torch.testing.assert_close(scale1, scale2, rtol=1e-5, atol=1e-6)
    # Sums are added in another order, whose last bit decides which way a value is rounded.
    assert (dequantized(q1, scale1) - dequantized(q2, scale2)).abs().le(1.01 * scale2[:, None, None] + 1e-6).all()


def dequantized(q, scale):
    return q * scale[:, None, None]


@given(LAYERS)
@settings(max_examples=40)
def test_sums_are_those_of_the_rounded_gradient(sizes):
    t, n, repeat = layer(**sizes), sizes["n"], sizes["repeat"]
    q, scale = ops.quantize(t["values"])
    grad = ops.dequantize(q, scale, repeat, n)
    many = (t["rows_a"], t["rows_b"], t["positions"])
    for ours, wanted in zip(
        ops.int8_sums(t["words"], q, scale, repeat, *many), ops.hard_sums(t["words"], grad, *many), strict=True
    ):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)


def test_rounding_is_within_a_step_and_right_on_average():
    g = torch.Generator().manual_seed(0)
    values = torch.randn(40, 1, 4096, generator=g) * torch.logspace(-6, 3, 40)[:, None, None]
    q, scale = ops.quantize(values)
    error = (dequantized(q, scale) - values) / scale[:, None, None]
    assert error.abs().max() <= 1
    # The mean of 163,840 errors of deviation below 1/2 has one of 0.0013.
    assert abs(float(error.mean())) < 0.006
    # Errors of neighbours have nothing to do with each other, nor with the value.
    flat = error.flatten().double()
    assert abs(float((flat[1:] * flat[:-1]).mean())) < 0.005
    assert abs(float((flat * (values / scale[:, None, None]).flatten()).mean())) < 0.15


def test_zeros_and_padding_stay_zero():
    q, scale = ops.quantize(torch.zeros(3, 2, 70))
    assert not q.any()
    assert not scale.any()
    q, _ = ops.quantize(torch.ones(1, 1, 70))
    assert (q[0, 0, :70] == 127).all()
    assert not q[0, 0, 70:].any()


def test_a_gradient_that_is_not_finite_stays_so():
    values = torch.ones(2, 1, 10)
    values[0, 0, 3] = torch.nan
    _, scale = ops.quantize(values)
    assert torch.isnan(scale[0])
    assert scale[1] == 1 / 127


def test_other_operations_see_floats():
    values = torch.randn(6, 1, 50, generator=torch.Generator().manual_seed(1))
    packed = Int8Gradient.of(values, 2, (50, 12))
    plain = packed.unpack()
    assert plain.shape == (50, 12)
    assert torch.equal(packed + 0, plain)
    assert torch.equal(packed.view(50, 3, 4) + 0, plain.reshape(50, 3, 4))
    assert isinstance(packed.view(50, 3, 4).detach(), Int8Gradient)
    assert torch.equal(packed.reshape(-1) + 0, plain.reshape(-1))
    assert "units=6, repeat=2" in repr(packed)


def networks():
    def g():
        return torch.Generator().manual_seed(3)

    hard = {"relaxation": "hard", "candidates": 5}
    return (
        {
            "dense": (lambda o: [LogicDense(30, 40, **o), LogicDense(40, 20, **o)], (30,)),
            "conv": (
                lambda o: [
                    LogicConv2d(2, 4, 3, padding=1, **o),
                    LogicConv2d(4, 8, 3, stride=2, padding=1, channels=0, **o),
                    nn.Flatten(),
                    LogicDense(8 * 9, 20, **o),
                ],
                (2, 6, 6),
            ),
            "conv last": (lambda o: [LogicConv2d(2, 4, 3, padding=1, **o), nn.Flatten()], (2, 5, 4)),
            "rows to image": (
                lambda o: [
                    LogicDense(30, 32, **o),
                    nn.Unflatten(1, (2, 4, 4)),
                    LogicConv2d(2, 4, 3, padding=1, **o),
                    nn.Flatten(),
                    LogicDense(64, 10, **o),
                ],
                (30,),
            ),
            "soft behind": (
                lambda o: [LogicDense(30, 40, **o), LogicDense(40, 20, **{**o, "relaxation": "soft"})],
                (30,),
            ),
        },
        hard,
        g,
    )


@pytest.mark.parametrize("name", ["dense", "conv", "conv last", "rows to image", "soft behind"])
@pytest.mark.parametrize("n", [1, 64, 300])
def test_networks_have_the_float_gradients_on_average(name, n):
    """Each layer's gradient is near that of float rows, and the mean over many batches is nearer."""
    table, hard, g = networks()
    build, shape = table[name]
    models = [
        nn.Sequential(*build({**hard, "gradients": kind, "generator": g()}), GroupSum(2)) for kind in ("int8", "float")
    ]
    for one, two in zip(logic_layers(models[0]), logic_layers(models[1]), strict=True):
        assert torch.equal(one.candidates.logits, two.candidates.logits)
    totals = [[torch.zeros_like(p) for p in models[0].parameters()] for _ in models]
    single = []
    for seed in range(20):
        x = (torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed)) < 0.5).float()
        y = torch.randint(2, (n,), generator=torch.Generator().manual_seed(seed))
        for model, total in zip(models, totals, strict=True):
            model.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            for p, summed in zip(model.parameters(), total, strict=True):
                summed += p.grad
        ours, truth = (torch.cat([p.grad.flatten() for p in model.parameters()]) for model in models)
        single.append(float((ours - truth).norm() / truth.norm()))
    ours, truth = (torch.cat([t.flatten() for t in total]) for total in totals)
    assert max(single) < 0.1
    assert (ours - truth).norm() / truth.norm() < 0.04


def test_makers_say_what_gradient_they_want(generator):
    x = (torch.rand(10, 8, generator=generator) < 0.5).float()
    assert LogicDense(8, 4, relaxation="hard", generator=generator)(x).unit == 1
    assert LogicDense(8, 4, relaxation="hard", gradients="float", generator=generator)(x).unit == 0
    image = (torch.rand(10, 2, 3, 3, generator=generator) < 0.5).float()
    out = LogicConv2d(2, 4, 3, padding=1, relaxation="hard", generator=generator)(image)
    assert isinstance(out, BitTensor)
    assert out.unit == 9
    assert out.flatten(1).unit == 9


@pytest.mark.parametrize("image", [(3, 4, 1), (5, 1, 0)])
def test_results_do_not_depend_on_the_number_of_threads(image):
    t = layer(seed=5, units=7, repeat=1, candidates=9, n=150, image=image, channels=5)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            q, scale = int8_cpu.quantize(t["values"])
            sums = int8_cpu.int8_sums(t["words"], q, scale, 1, t["rows_a"], t["rows_b"], t["positions"])
            back = int8_cpu.int8_input_grad(
                t["words"], q, scale, 1, t["row_a"], t["row_b"], t["gate"], t["positions"], t["block"], 150
            )
            results.append((q, scale, *sums, *back))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_ops_have_shapes_without_data():
    t = layer(seed=1, units=4, repeat=2, candidates=3, n=70, image=(3, 4, 1), channels=2)
    checks = {"test_utils": ("test_schema", "test_faketensor")}
    torch.library.opcheck(ops.quantize, (t["values"],), **checks)
    q, scale = ops.quantize(t["values"])
    torch.library.opcheck(ops.dequantize, (q, scale, 2, 70), **checks)
    rest = (t["words"], q, scale, 2)
    torch.library.opcheck(ops.int8_sums, (*rest, t["rows_a"], t["rows_b"], t["positions"]), **checks)
    back = (*rest, t["row_a"], t["row_b"], t["gate"], t["positions"], t["block"], 70)
    torch.library.opcheck(ops.int8_input_grad, back, **checks)


PORTABLE = """
import json, torch
from gatewright.kernels.cpu import int8 as int8_cpu
from gatewright.kernels.cpu import int8_simd
from gatewright.kernels import reference
g = torch.Generator().manual_seed(0)
q, scale = int8_cpu.quantize(torch.randn(6, 1, 130, generator=g))
words = reference.pack(torch.rand(9, 130, generator=g) < 0.5)
rows = [torch.randint(9, (6, 4), generator=g, dtype=torch.int32) for _ in range(2)]
origin, gate = torch.zeros(1, dtype=torch.int32), torch.full((6,), 6, dtype=torch.uint8)
s0, sums = int8_cpu.int8_sums(words, q, scale, 1, *rows, origin)
one = [t[:, 0].contiguous() for t in rows]
back, peaks = int8_cpu.int8_input_grad(words, q, scale, 1, *one, gate, origin, [1, 1, 0, 1], 130)
print(json.dumps([int8_simd.HAS_VNNI, q.tolist(), s0.tolist(), sums.tolist(), peaks.tolist(), back.tolist()]))
"""


def test_processors_without_byte_products_give_the_same_bits(tmp_path):
    def run(**environment):
        variables = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), **environment}
        done = subprocess.run(
            [sys.executable, "-c", PORTABLE], env=variables, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    plain = run(NUMBA_CPU_NAME="generic")
    assert plain[0] is False
    here = run()
    assert plain[1:4] == here[1:4]
    assert np.asarray(plain[3]).any()
    # Floats are added up, with or without fused multiplication.
    assert plain[4] == pytest.approx(here[4], rel=1e-5)
    assert np.abs(np.asarray(plain[5]) - np.asarray(here[5])).max() <= 1
