"""Everything public can be pickled and copied, and used under any umask, in threads and after a fork."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

import gatewright as gw
from gatewright import errors
from gatewright.hardware import CORES, TARGETS
from gatewright.learning import ProductProposals
from gatewright.training.load import load_preset

COPIES = {"pickle": lambda value: pickle.loads(pickle.dumps(value)), "deepcopy": copy.deepcopy, "copy": copy.copy}


def network():
    generator = torch.Generator().manual_seed(0)
    layer = gw.LogicDense(64, 30, candidates=4, relaxation="hard", generator=generator)
    return torch.nn.Sequential(layer, gw.WeightedSum(30, 10, generator=generator))


def used_engine():
    engine = gw.Engine(gw.load("digits").circuit, threads=2)
    engine.predict(np.zeros((3, 1, 8, 8), np.uint8))
    return engine


def used_model():
    model = gw.load("digits")
    model.predict(np.zeros((3, 1, 8, 8), np.uint8))
    return model


def error_of(name):
    return lambda: getattr(errors, name)("a message")


PUBLIC = {
    "Circuit": lambda: gw.load("digits").circuit,
    "Encoder": lambda: gw.load("digits").circuit.encoder,
    "Head": lambda: gw.load("digits").circuit.head,
    "Engine": used_engine,
    "Model": used_model,
    "Card": lambda: gw.load("digits").card,
    "Cost": lambda: gw.load("digits").cost(),
    "Proof": lambda: gw.prove(gw.load("monks-1").circuit, gw.load("monks-1").circuit),
    "PackedBits": lambda: gw.PackedBits.pack(np.ones((3, 2), np.bool_)),
    "Gate": lambda: gw.Gate.XOR,
    "Dataset": lambda: gw.load_dataset("digits"),
    "records": lambda: gw.simplify(gw.load("monks-1").circuit, return_records=True),
    "targets": lambda: dict(TARGETS),
    "cores": lambda: dict(CORES),
    "config": lambda: load_preset("digits"),
    "network": network,
    "convolution": lambda: torch.nn.Sequential(gw.LogicConv2d(1, 4, 3), gw.NearestUpsample(2), gw.PixelGroupSum(2)),
    "local": lambda: torch.nn.Sequential(gw.LogicLocal2d((1, 6, 6), 4, 3), gw.PixelGroupSum(2)),
    "Thermometer": lambda: gw.Thermometer(3),
    "fitted Thermometer": lambda: gw.Thermometer(3).fit(np.arange(20.0, dtype=np.float32)[:, None]),
    "AdaptiveDiscretization": lambda: gw.AdaptiveDiscretization(network(), start=3),
    "AdaptiveResampling": lambda: gw.AdaptiveResampling(*learned()),
    "GuidedProposals": lambda: gw.GuidedProposals(*learned(), generator=torch.Generator()),
    "ProductProposals": lambda: ProductProposals(*learned()),
    **{name: error_of(name) for name in dir(errors) if name.endswith("Error")},
}


def learned():
    model = network()
    return model, torch.optim.Adam(model.parameters(), lr=0.05)


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("name", PUBLIC)
def test_public_objects_are_copied(name, kind):
    value = PUBLIC[name]()
    copied = COPIES[kind](value)
    assert type(copied) is type(value)
    if name.endswith("Error"):
        assert str(copied) == "a message"


@pytest.mark.parametrize("learner", [gw.GuidedProposals, ProductProposals])
@pytest.mark.parametrize("kind", ["pickle", "deepcopy"])
@pytest.mark.parametrize("after", [3, 8, 9])  # before and within the steps in which the learner watches layers
def test_a_copied_training_goes_on_as_the_original_would(learner, kind, after):
    generator = torch.Generator().manual_seed(1)
    x = (torch.rand(40, 64, generator=generator) < 0.5).float()
    y = torch.randint(10, (40,), generator=generator)

    def steps(training, count):
        model, optimizer, connections = training
        for _ in range(count):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            connections.step()
        return [*model.state_dict().values()]

    model, optimizer = learned()
    original = model, optimizer, learner(model, optimizer, generator=torch.Generator().manual_seed(2))
    steps(original, after)
    copied = COPIES[kind](original)
    got = steps(copied, 25)
    assert original[2].steps == after  # the original was not touched
    assert all(map(torch.equal, got, steps(original, 25)))
    assert sum(copied[2].statistics["proposed"]) > 0


SCRIPT = """
import multiprocessing, os, sys, threading
os.umask(0o077)
import numpy as np
import torch
torch.set_num_threads(2)
from gatewright.training.config import train
train.SMALL_STEP = 0  # several threads, however small
import gatewright as gw
from gatewright.sklearn import GatewrightClassifier

random = np.random.default_rng(0)
x = random.normal(size=(3000, 16)).astype(np.float32)
y = (x[:, 0] > 0).astype(int)
images = gw.load_dataset("digits").test.x


def work():
    fitted = GatewrightClassifier(width=300, steps=5, batch=512, random_state=0).fit(x, y)
    return fitted.predict(x[:200]).tolist(), gw.load("digits").predict(images).tolist()


def child(queue):
    queue.put(work() == expected)


expected = work()
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=(queue,))
process.start()
assert queue.get(timeout=100), "after a fork"
process.join(10)
results = [None] * 4


def one(i):
    results[i] = work() == expected


threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [True] * 4, results
found = []
thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
thread.start()
thread.join()
assert found == [2] and torch.get_num_threads() == 2, found
gw.load("monks-1").save(sys.argv[1])
assert gw.load(sys.argv[1]).circuit.n_gates == gw.load("monks-1").circuit.n_gates
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_umask_threads_and_fork(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "a.gw")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
