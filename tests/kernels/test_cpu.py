"""The compiled kernels against the reference, on random layers of odd sizes, forward and backward."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.kernels import cpu, ops, reference
from gatewright.runtime.threads import split

LAYERS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**31),
        "rows": st.integers(1, 40),
        "neurons": st.integers(1, 20),
        "candidates": st.integers(1, 17),
        "n": st.integers(1, 200),
        "positions": st.sampled_from([1, 1, 2, 9]),
    }
)


def layer(seed, rows, neurons, candidates, n, positions):
    g = torch.Generator().manual_seed(seed)
    span = 5 if positions > 1 else 0

    def index(*size):
        return torch.randint(rows, size, generator=g, dtype=torch.int32)

    x = torch.rand(rows + span, n, generator=g)
    bits = (x < 0.5).float()
    return {
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


def close(ours, truth):
    ours, truth = (x if isinstance(x, tuple) else (x,) for x in (ours, truth))
    for one, two in zip(ours, truth, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-3)


@given(LAYERS)
@settings(max_examples=60)
def test_every_kernel_equals_the_reference(sizes):
    t, n = layer(**sizes), sizes["n"]
    words, unpacked = t["words"], reference.unpack(t["words"], n)
    assert torch.equal(unpacked, t["bits"])
    packed, boolean = cpu.pack(t["bits"])
    assert boolean
    assert torch.equal(packed, words)
    assert torch.equal(cpu.unpack(words, n), t["bits"])
    one = (words, t["row_a"], t["row_b"], t["gate"], t["positions"])
    assert torch.equal(cpu.hard_forward(*one, n), reference.hard_forward(*one, n))
    many = (t["rows_a"], t["rows_b"], t["positions"])
    close(cpu.hard_sums(words, t["grad"], *many), reference.hard_sums(words, t["grad"], *many))
    back = (words, t["grad"], t["row_a"], t["row_b"], t["gate"], t["positions"])
    close(cpu.hard_input_grad(*back), reference.hard_input_grad(*back))
    close(cpu.soft_forward(t["x"], *many, t["coef"]), reference.soft_forward(t["x"], *many, t["coef"]))
    for need in (True, False):
        soft = (t["x"], t["grad"], *many, t["coef"], need)
        close(cpu.soft_backward(*soft), reference.soft_backward(*soft))
    s0, sums = reference.hard_sums(words, t["grad"], *many)
    logits = 5 * t["coef"][..., 0]
    assert torch.equal(cpu.best(logits), logits.argmax(1))
    wiring = (logits, t["rows_a"], t["rows_b"], t["gates"])
    for ours, truth in zip(cpu.chosen(*wiring), reference.chosen(*wiring), strict=True):
        assert torch.equal(ours, truth)
    close(cpu.mixture(logits, t["gates"]), reference.mixture(logits, t["gates"]))
    args = (logits, t["gates"], s0, sums)
    close(cpu.logits_grad(*args), reference.logits_grad(*args))
    price = torch.arange(16) / 10
    close(cpu.logits_grad(*args, price), reference.logits_grad(*args, price))


@given(LAYERS)
@settings(max_examples=30)
def test_hard_kernels_are_the_soft_ones_on_bits(sizes):
    t, n = layer(**sizes), sizes["n"]
    many = (t["rows_a"], t["rows_b"], t["positions"])
    s0, sums, _ = reference.soft_backward(t["bits"].double(), t["grad"].double(), *many, t["coef"].double(), False)
    close(cpu.hard_sums(t["words"], t["grad"], *many), (s0.float(), sums.float()))
    coef = torch.from_numpy(np.asarray(__import__("gatewright.gates").gates.COEFFICIENTS, np.float32))[t["gate"].long()]
    out = reference.soft_forward(t["bits"], t["row_a"][:, None], t["row_b"][:, None], t["positions"], coef[:, None])
    words = cpu.hard_forward(t["words"], t["row_a"], t["row_b"], t["gate"], t["positions"], n)
    assert torch.equal(reference.unpack(words, n).view(out.shape), out)


@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(1, 25), st.integers(0, 3), st.booleans())
@settings(max_examples=60)
def test_the_steepest_pairs(seed, neurons, pairs, count, every_gate):
    g = torch.Generator().manual_seed(seed)
    allowed = torch.arange(16) if every_gate else torch.tensor([3, 6, 8, 12])
    count = min(count, pairs)
    # Whole numbers add up without rounding, so equals are equal.
    s0, sums = (torch.randint(-3, 4, size, generator=g).float() for size in ((neurons,), (neurons, pairs, 3)))
    for ours, truth in zip(
        cpu.steepest(s0, sums, allowed, count), reference.steepest(s0, sums, allowed, count), strict=True
    ):
        assert ours.shape == (neurons, count)
        assert torch.equal(ours, truth)


@given(st.integers(1, 7), st.integers(1, 90), st.integers(1, 150), st.integers(0, 2**31))
@settings(max_examples=30)
def test_group_count(classes, group, n, seed):
    bits = torch.rand(classes * group, n, generator=torch.Generator().manual_seed(seed)) < 0.5
    words = reference.pack(bits)
    assert torch.equal(cpu.group_count(words, classes, n), bits.view(classes, group, n).sum(1).float())
    assert torch.equal(reference.group_count(words, classes, n), cpu.group_count(words, classes, n))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.float32])
def test_threshold_compares_exactly(dtype, generator):
    x = torch.randint(0, 100, (5, 77), generator=generator).to(dtype)
    if dtype == torch.int32:
        x += 2**30  # float32 could not tell these apart
    feature = torch.randint(5, (40,), generator=generator, dtype=torch.int32)
    thresholds = x[feature.long(), :40].diagonal().double()
    wanted = x[feature.long()].double() >= thresholds[:, None]
    for kernel in (cpu.threshold, reference.threshold, ops.threshold):
        assert torch.equal(reference.unpack(kernel(x, feature, thresholds), 77), wanted.float())


def test_results_do_not_depend_on_the_number_of_threads():
    t = layer(seed=3, rows=50, neurons=333, candidates=5, n=150, positions=4)
    many = (t["rows_a"], t["rows_b"], t["positions"])
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            soft = cpu.soft_backward(t["x"], t["grad"], *many, t["coef"], True)
            hard = cpu.hard_sums(t["words"], t["grad"], *many)
            dx = cpu.hard_input_grad(t["words"], t["grad"], t["row_a"], t["row_b"], t["gate"], t["positions"])
            slope = cpu.logits_grad(t["coef"][..., 0], t["gates"], *hard)
            results.append((*soft, *hard, dx, slope, *cpu.steepest(*hard, torch.arange(16), 2)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


@given(st.integers(0, 50), st.integers(1, 17))
def test_split_covers_the_range_once(total, multiple):
    seen = []
    split(lambda start, stop: seen.append((start, stop)), total, multiple=multiple)
    seen.sort()
    assert seen[0][0] == 0
    assert seen[-1][1] == total
    assert all(one[1] == two[0] for one, two in itertools.pairwise(seen))
    assert all(start % multiple == 0 for start, _ in seen)


def test_float64_takes_the_reference(generator):
    t = layer(seed=1, rows=9, neurons=5, candidates=3, n=20, positions=1)
    out = ops.soft_forward(t["x"].double(), t["rows_a"], t["rows_b"], t["positions"], t["coef"].double())
    assert out.dtype == torch.float64


def test_ops_have_shapes_without_data():
    t = layer(seed=1, rows=9, neurons=5, candidates=3, n=20, positions=2)
    many = (t["rows_a"], t["rows_b"], t["positions"])
    one = (t["row_a"], t["row_b"], t["gate"], t["positions"])
    s0, sums = reference.hard_sums(t["words"], t["grad"], *many)
    logits, weight = t["coef"][..., 0].contiguous(), torch.ones(4, len(t["words"]), dtype=torch.int8)
    calls = {
        ops.soft_forward: (t["x"], *many, t["coef"]),
        ops.soft_backward: (t["x"], t["grad"], *many, t["coef"], True),
        ops.hard_forward: (t["words"], *one, 20),
        ops.hard_sums: (t["words"], t["grad"], *many),
        ops.hard_input_grad: (t["words"], t["grad"], *one),
        ops.best: (logits,),
        ops.chosen: (logits, t["rows_a"], t["rows_b"], t["gates"]),
        ops.mixture: (logits, t["gates"]),
        ops.logits_grad: (logits, t["gates"], s0, sums),
        ops.steepest: (s0, sums, torch.arange(16), 2),
        ops.threshold: (t["x"], torch.tensor([0, 3], dtype=torch.int32), torch.tensor([0.1, 0.5]).double()),
        ops.group_count: (t["words"][:8], 4, 20),
        ops.unpack: (t["words"], 20),
        ops.weigh: (t["words"], weight, 20),
        ops.weight_sums: (t["words"], t["grad"][:4, 0].contiguous()),
        ops.weigh_input: (weight, t["grad"][:4, 0].contiguous()),
    }
    for op, args in calls.items():
        torch.library.opcheck(op, args, test_utils=("test_schema", "test_faketensor"))


def test_softmax_is_accurate_and_ties_go_to_the_first_candidate():
    logits = torch.tensor([[0.0, 0.0, -3.0], [-200.0, 5.0, 5.0], [1e-3, 80.0, -80.0], [30.0, 30.0, 30.0]])
    wires = torch.full((4, 3), 3, dtype=torch.uint8)  # coefficient c1 = 1
    ours = cpu.mixture(logits, wires)[..., 1]
    torch.testing.assert_close(ours, torch.softmax(logits.double(), 1).float(), rtol=1e-6, atol=1e-30)
    assert cpu.best(logits).tolist() == [0, 1, 1, 0]
