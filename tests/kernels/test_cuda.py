"""The Triton kernels against the reference: interpreted on the CPU, and (marked gpu) compiled on a real device.

Sizes are odd on purpose: partial tiles, several tiles along the batch, several parts of a sum, one candidate, one sample.
"""

import contextlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright.kernels import ops, reference
from gatewright.nn import GroupSum, LogicConv2d, LogicDense, logic_layers
from gatewright.nn.functional import Geometry, Wiring
from gatewright.nn.thermometer import Thermometer

pytest.importorskip("triton")
from gatewright.kernels.cuda import launch

DEVICES = [
    pytest.param("cpu", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="interprets only without a GPU")),
    pytest.param("cuda", marks=pytest.mark.gpu),
]
anywhere = pytest.mark.parametrize("device", DEVICES)

# rows, neurons, candidates, samples, positions
SIZES = [
    (1, 1, 1, 1, 1),
    (5, 3, 1, 33, 1),
    (7, 4, 2, 64, 2),
    (20, 6, 16, 128, 1),
    (5, 3, 17, 150, 2),
]


def kernels(device):
    """On a GPU the ops take these kernels anyway."""
    return contextlib.nullcontext() if device == "cuda" else ops.triton_kernels()


def layer(rows, neurons, candidates, n, positions, device, seed=0):
    g = torch.Generator().manual_seed(seed)
    span = 5 if positions > 1 else 0

    def index(*size):
        return torch.randint(rows, size, generator=g, dtype=torch.int32)

    x = torch.rand(rows + span, n, generator=g)
    bits = (x < 0.5).float()
    tensors = {
        "x": x,
        "bits": bits,
        "words": reference.pack(bits),
        "grad": torch.randn(neurons, positions, n, generator=g),
        "rows_a": index(neurons, candidates),
        "rows_b": index(neurons, candidates),
        "row_a": index(neurons),
        "row_b": index(neurons),
        "gate": torch.randint(16, (neurons,), generator=g, dtype=torch.uint8),
        "gates": torch.randint(16, (neurons, candidates), generator=g, dtype=torch.uint8),
        "coef": torch.randn(neurons, candidates, 4, generator=g),
        "positions": torch.randint(span + 1, (positions,), generator=g, dtype=torch.int32),
    }
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def close(ours, truth, rtol=1e-4, atol=1e-3):
    ours, truth = (x if isinstance(x, tuple) else (x,) for x in (ours, truth))
    for one, two in zip(ours, truth, strict=True):
        torch.testing.assert_close(one, two, rtol=rtol, atol=atol)


def check_layer(sizes, device, seed=0):
    t, n = layer(*sizes, device, seed), sizes[3]
    words, many = t["words"], (t["rows_a"], t["rows_b"], t["positions"])
    with kernels(device):
        packed, boolean = ops.pack(t["bits"])
        assert boolean
        assert torch.equal(packed, words)
        assert torch.equal(ops.unpack(words, n), t["bits"])
        one = (words, t["row_a"], t["row_b"], t["gate"], t["positions"])
        assert torch.equal(ops.hard_forward(*one, n), reference.hard_forward(*one, n))
        close(ops.hard_sums(words, t["grad"], *many), reference.hard_sums(words, t["grad"], *many))
        back = (words, t["grad"], t["row_a"], t["row_b"], t["gate"], t["positions"])
        close(ops.hard_input_grad(*back), reference.hard_input_grad(*back))
        close(ops.soft_forward(t["x"], *many, t["coef"]), reference.soft_forward(t["x"], *many, t["coef"]))
        for need in (True, False):
            soft = (t["x"], t["grad"], *many, t["coef"], need)
            close(ops.soft_backward(*soft), reference.soft_backward(*soft))
        s0, sums = reference.hard_sums(words, t["grad"], *many)
        logits = 5 * t["coef"][..., 0].contiguous()
        assert torch.equal(ops.best(logits), logits.argmax(1))
        close(ops.mixture(logits, t["gates"]), reference.mixture(logits, t["gates"]))
        args = (logits, t["gates"], s0, sums)
        close(ops.logits_grad(*args), reference.logits_grad(*args))
        price = torch.arange(16, device=logits.device) / 10
        close(ops.logits_grad(*args, price), reference.logits_grad(*args, price))


@anywhere
@pytest.mark.parametrize("sizes", SIZES)
def test_every_kernel_equals_the_reference(sizes, device):
    check_layer(sizes, device)


@given(
    st.integers(1, 9), st.integers(1, 4), st.integers(1, 9), st.integers(1, 140), st.integers(1, 2), st.integers(0, 99)
)
@settings(max_examples=4)
def test_every_kernel_equals_the_reference_at_random_sizes(rows, neurons, candidates, n, positions, seed):
    check_layer((rows, neurons, candidates, n, positions), "cuda" if torch.cuda.is_available() else "cpu", seed)


@anywhere
def test_sums_of_many_samples_are_taken_in_parts(device):
    sizes = (3, 2, 3, 129, 17)
    assert launch.SOFT_SUMS.parts_of(17, 129) == (15, 2)
    t = layer(*sizes, device)
    many = (t["rows_a"], t["rows_b"], t["positions"])
    with kernels(device):
        close(ops.hard_sums(t["words"], t["grad"], *many), reference.hard_sums(t["words"], t["grad"], *many))
        soft = (t["x"], t["grad"], *many, t["coef"], False)
        close(ops.soft_backward(*soft), reference.soft_backward(*soft))


@anywhere
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_short_activations_lose_only_their_own_rounding(kind, device):
    t = layer(20, 6, 8, 100, 2, device)
    x, grad, many = t["x"].to(kind), t["grad"].to(kind), (t["rows_a"], t["rows_b"], t["positions"])
    with kernels(device):
        out = ops.soft_forward(x, *many, t["coef"])
        s0, sums, dx = ops.soft_backward(x, grad, *many, t["coef"], True)
    assert (out.dtype, s0.dtype, sums.dtype, dx.dtype) == (kind, torch.float32, torch.float32, kind)
    exact = reference.soft_backward(x.float(), grad.float(), *many, t["coef"], True)
    # Sums are taken in float32 from what was read; only what is written back is rounded.
    close((s0, sums), exact[:2])
    close(
        (out.float(), dx.float()), (reference.soft_forward(x.float(), *many, t["coef"]), exact[2]), rtol=1e-2, atol=1e-2
    )


@anywhere
def test_values_that_are_no_booleans_are_noticed(device):
    x = torch.zeros(5, 70, device=device)
    x[3, 69] = 0.5
    with kernels(device):
        assert not ops.pack(x)[1]


@anywhere
def test_float64_takes_the_reference(device):
    t = layer(9, 5, 3, 20, 1, device)
    with kernels(device):
        out = ops.soft_forward(t["x"].double(), t["rows_a"], t["rows_b"], t["positions"], t["coef"].double())
    assert out.dtype == torch.float64


@anywhere
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.float32])
def test_threshold_compares_exactly(dtype, device, generator):
    x = torch.randint(0, 100, (5, 77), generator=generator).to(dtype)
    if dtype == torch.int32:
        x += 2**30  # float32 could not tell these apart
    feature = torch.randint(5, (40,), generator=generator, dtype=torch.int32)
    thresholds = x[feature.long(), :40].diagonal().double()
    wanted = reference.threshold(x, feature, thresholds)
    with kernels(device):
        assert torch.equal(ops.threshold(x.to(device), feature.to(device), thresholds.to(device)).cpu(), wanted)


@anywhere
@pytest.mark.parametrize(("classes", "group", "n"), [(1, 1, 1), (3, 5, 70), (2, 600, 33), (10, 513, 128)])
def test_group_count(classes, group, n, device, generator):
    words = reference.pack(torch.rand(classes * group, n, generator=generator) < 0.5)
    with kernels(device):
        assert torch.equal(
            ops.group_count(words.to(device), classes, n).cpu(), reference.group_count(words, classes, n)
        )


@anywhere
def test_ties_go_to_the_first_candidate_and_softmax_is_accurate(device):
    logits = torch.tensor(
        [[0.0, 0.0, -3.0], [-200.0, 5.0, 5.0], [1e-3, 80.0, -80.0], [30.0, 30.0, 30.0]], device=device
    )
    wires = torch.full((4, 3), 3, dtype=torch.uint8, device=device)  # coefficient c1 = 1
    with kernels(device):
        assert ops.best(logits).tolist() == [0, 1, 1, 0]
        ours = ops.mixture(logits, wires)[..., 1]
    torch.testing.assert_close(ours, torch.softmax(logits.double(), 1).float(), rtol=1e-6, atol=1e-30)


CONVOLUTIONS = [  # channels in, out, kernel, stride, padding, height, width
    (1, 2, 3, 1, 1, 3, 4),
    (2, 2, 3, 2, 1, 3, 4),
    (2, 2, 2, 1, 0, 3, 3),
    (2, 2, 1, 1, 0, 2, 3),
    (1, 2, 3, 3, 2, 4, 3),
    (1, 2, 4, 2, 2, 2, 3),
]


@anywhere
@pytest.mark.parametrize("sizes", CONVOLUTIONS)
def test_readers_found_by_the_window_are_those_of_all_positions(sizes, device):
    n = 33
    channels, out, kernel, stride, padding, height, width = sizes
    conv = LogicConv2d(channels, out, kernel, stride=stride, padding=padding, channels=0, candidates=2).to(device)
    geometry = conv.geometry((channels, height, width))
    wiring = conv.wiring(geometry)
    g = torch.Generator().manual_seed(1)
    shape = (channels * (height + 2 * padding) * (width + 2 * padding), n)
    x, p = torch.rand(shape, generator=g).to(device), geometry.positions
    grad = torch.randn(out, len(p), n, generator=g).to(device)
    coef = torch.randn(out, 2, 4, generator=g).to(device)
    args = (x, grad, wiring.rows_a, wiring.rows_b, p, coef, True)
    words = reference.pack(x < 0.5)
    one = Wiring(*(t[:, 0].contiguous() for t in wiring))
    hard = (words, grad, one.rows_a, one.rows_b, one.gate, p)
    with kernels(device):
        for window in (geometry.window, None):
            close(ops.soft_backward(*args, window), reference.soft_backward(*args))
            close(ops.hard_input_grad(*hard, window), reference.hard_input_grad(*hard))


def test_the_geometry_of_a_convolution_names_its_window():
    conv = LogicConv2d(2, 2, 3, stride=2, padding=1)
    assert conv.geometry((2, 7, 9)).window == (3, 2, 9, 11)
    assert LogicDense(3, 2).geometry((3,)).window is None
    assert Geometry((3,), (2,), 0, torch.zeros(1)).window is None


def network(relaxation):
    g = torch.Generator().manual_seed(2)
    options = {"relaxation": relaxation, "generator": g, "candidates": 3}
    return nn.Sequential(
        Thermometer([[80, 160]] * 2, (2, 4, 5), "uint8"),
        LogicConv2d(4, 5, 3, stride=2, padding=1, **options),
        LogicConv2d(5, 4, 3, padding=1, channels=0, **options),
        nn.Flatten(),
        LogicDense(4 * 6, 12, **options),
        LogicDense(12, 6, **options),
        GroupSum(3),
    )


def gradients(model, x, y):
    model.zero_grad()
    scores = model(x)
    nn.functional.cross_entropy(scores, y).backward()
    return scores.detach().cpu(), [p.grad.cpu() for p in model.parameters() if p.grad is not None]


@anywhere
@pytest.mark.parametrize("frozen", [0, 2])
@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_gradients_of_a_whole_network(relaxation, frozen, device):
    model = network(relaxation)
    for one in logic_layers(model)[:frozen]:
        one.freeze()
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (37, 2, 4, 5), generator=g, dtype=torch.uint8)
    y = torch.randint(3, (37,), generator=g)
    with ops.reference_kernels():
        scores, truth = gradients(model, x, y)
    with kernels(device):
        ours, found = gradients(model.to(device), x.to(device), y.to(device))
    assert len(found) == 4 - frozen
    torch.testing.assert_close(ours, scores, rtol=1e-5, atol=1e-5)
    for one, two in zip(found, truth, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


@anywhere
def test_autocast_takes_short_activations_through_a_soft_network(device):
    model = network("soft").to(device)
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (16, 2, 4, 5), generator=g, dtype=torch.uint8).to(device)
    y = torch.randint(3, (16,), generator=g).to(device)
    with kernels(device):
        scores, truth = gradients(model, x, y)
        kinds = []
        model[1].register_forward_hook(lambda *args: kinds.append(args[-1].dtype))
        with torch.autocast(device, torch.bfloat16):
            short, found = gradients(model, x, y)
    assert kinds == [torch.bfloat16]
    assert short.dtype == torch.float32
    assert not torch.equal(short, scores)
    torch.testing.assert_close(short, scores, rtol=2e-2, atol=2e-2)
    for one, two in zip(found, truth, strict=True):
        assert one.dtype == torch.float32
        assert nn.functional.cosine_similarity(one.flatten(), two.flatten(), 0) > 0.99


@pytest.mark.gpu
def test_results_do_not_change_from_call_to_call():
    t = layer(500, 300, 16, 300, 9, "cuda")
    many = (t["rows_a"], t["rows_b"], t["positions"])

    def compute():
        soft = ops.soft_backward(t["x"], t["grad"], *many, t["coef"], True)
        hard = ops.hard_sums(t["words"], t["grad"], *many)
        dx = ops.hard_input_grad(t["words"], t["grad"], t["row_a"], t["row_b"], t["gate"], t["positions"])
        return (*soft, *hard, dx)

    runs = [compute() for _ in range(5)]
    for one, two in itertools.pairwise(runs):
        assert all(map(torch.equal, one, two))


@pytest.mark.parametrize("capability", [80, 90])
def test_every_kernel_compiles_for_gpus_without_spilling(capability, tmp_path):
    """The interpreter takes what the compiler does not; so compile them all, in a process that does not interpret."""
    script = Path(__file__).with_name("compile_cuda.py")
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, script, str(capability)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len({name for name, *_ in rows}) == 13
    assert [name for name, _, spilled, _ in rows if int(spilled)] == []
    # Rows of float32 samples are read 16 bytes a thread.
    wide = {name for name, _, _, width in rows if int(width) == 128}
    assert {"soft._forward", "soft._sums", "soft._input", "hard._sums", "hard._input"} <= wide
