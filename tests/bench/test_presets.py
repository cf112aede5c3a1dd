"""Whole presets and the roofline: on the CPU, and (marked gpu) on a device."""

import pytest
import torch

from gatewright import data
from gatewright.bench.presets import bench_presets, random_dataset
from gatewright.bench.roofline import Ceilings, Work, kernels_of, measure_ceilings
from gatewright.bench.timing import seconds_of
from gatewright.errors import OptionError
from gatewright.nn import LogicDense

SMALL = [
    "model.candidates=2",
    "model.k=2",
    "train.batch=16",
    "train.log_every=2",
]


def test_the_least_time_is_that_of_the_tightest_limit():
    ceilings = Ceilings(memory=100.0, cache=1000.0, arithmetic=10.0)
    assert Work(moved=100, gathered=100, operations=5).least(ceilings) == (1.0, "memory")
    assert Work(moved=10, gathered=3000, operations=5).least(ceilings) == (3.0, "cache")
    assert Work(moved=10, gathered=100, operations=50).least(ceilings) == (5.0, "arithmetic")


def test_ceilings_and_seconds_are_measured():
    device = torch.device("cpu")
    assert all(value > 1e6 for value in measure_ceilings(device))
    seen = []
    assert 0 < seconds_of(lambda: seen.append(1), device, least=0.01, rounds=3) < 0.01
    assert len(seen) > 10


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_work_counts_what_candidates_read(relaxation):
    layer = LogicDense(100, 50, candidates=4, relaxation=relaxation)
    left = []
    layer.register_recorder(left.append)
    layer((torch.rand(64, 100) < 0.5).float().requires_grad_()).sum().backward()
    work = {kernel.name: kernel.work for kernel in kernels_of(layer, left[0])}
    pairs = 50 * 64 * 4
    if relaxation == "soft":
        assert work["soft_forward"].gathered == 2 * pairs * 4
        assert work["soft_forward"].moved == 4 * 64 * (100 + 50) + 50 * 4 * 24
        assert work["soft_backward"].gathered == 6 * pairs * 4
    else:
        assert work["hard_sums"].gathered == pairs / 4 + 50 * 64 * 4  # two bits a pair, and the gradients
        assert work["hard_sums"].operations == 6 * pairs
        assert work["hard_forward"].gathered == 50 * 64 / 4
    for kernel in kernels_of(layer, left[0]):
        kernel.run()


@pytest.mark.parametrize(
    ("device", "presets"),
    [
        ("cpu", ["monks-1", "cifar10-conv-t"]),
        pytest.param("cuda", ["monks-1", "cifar10-conv-t", "mnist-dense-small-hard"], marks=pytest.mark.gpu),
    ],
)
def test_presets_are_measured_with_their_kernels(device, presets):
    result = bench_presets(presets, device=device, changes=SMALL, seconds=0.01, reference=True)
    assert set(result["ceilings"]) == {"memory", "cache", "arithmetic"}
    assert ("gpu" in result["machine"]) == (device == "cuda")
    for row in result["presets"].values():
        assert row["batch"] == 16
        for kind in ("gatewright", "reference"):
            assert row[kind]["samples_per_s"] == pytest.approx(16 * row[kind]["steps_per_s"], rel=0.01, abs=0.2)
        assert all(kernel["us"] > 0 and kernel["least_us"] > 0 for kernel in row["kernels"])
    soft = {kernel["kernel"] for kernel in result["presets"]["cifar10-conv-t"]["kernels"]}
    assert soft == {"mixture", "soft_forward", "soft_backward", "logits_grad"}
    assert {kernel["layer"] for kernel in result["presets"]["cifar10-conv-t"]["kernels"]} == set(range(6))
    hard = {kernel["kernel"] for kernel in result["presets"]["monks-1"]["kernels"]}
    assert hard == {"chosen", "hard_forward", "hard_sums", "hard_input_grad", "logits_grad"}


@pytest.mark.parametrize("name", data.names())
def test_random_samples_have_the_shape_of_the_real_ones(name):
    about = data.describe(name)
    dataset = random_dataset(name, 7)
    assert dataset.train.x.shape == (7, *about.shape)
    assert dataset.train.x.dtype == about.dtype


def test_no_preset_is_a_mistake():
    with pytest.raises(OptionError, match="name at least one preset"):
        bench_presets([])
