"""Studies of compact convolutions for `ablation.py`: the recipe part by part, and the paper's method beside it."""

from __future__ import annotations

from conv_stacks import MIXED, PAPER, dense, stack, trees
from study import Study

GATES = dense(3000)
TREES_OF_THREE = trees(2200, 4)
TWO_LAYERS = "{type: dense, width: 10000, repeat: 2}"
ALL_CHANNELS = tuple(f"{each}, channels_in: 0" for each in PAPER)

CONV_STUDIES = {
    "judging": Study(
        "over how many batches guided proposals judge pairs, and how near newcomers start, k = 16 and a layer of 3,000",
        "cifar10-conv-48k",
        [
            "data.validation=holdout",
            stack(GATES),
            "train.steps=8000",
            "train.eval_every=2000",
        ],
        {
            f"{batches} of {every}, margin {margin}": [
                f"connections.every={every}",
                f"connections.batches={batches}",
                f"connections.margin={margin}",
            ]
            for batches, every, margin in (
                (2, 10, 1.5),
                (2, 10, 1),
                (2, 40, 1.5),
                (8, 40, 1.5),
                (8, 40, 0.4),
                (32, 40, 0.75),
                (32, 40, 1),
                (32, 40, 1.5),
            )
        },
    ),
    "unsharing": Study(
        "when the positions of convolutions get gates of their own, k = 24 and 4,500 trees of three, 8,000 steps",
        "cifar10-conv-56k",
        ["data.validation=holdout", "model.unshare=null", "train.steps=8000", "train.eval_every=2000"],
        {
            "never": [],
            "from the first step": ["model.unshare=0.0"],
            "from a third of the run": ["model.unshare=0.33"],
            "from half of the run": ["model.unshare=0.5"],
            "from two thirds of the run": ["model.unshare=0.67"],
        },
    ),
    "recipe": Study(
        "the recipe of compact convolutions, one part changed at a time, k = 16 and 2,200 trees of three, 20,000 steps",
        "cifar10-conv-56k",
        [
            "data.validation=holdout",
            stack(TREES_OF_THREE),
            "model.k=16",
            "cost.weight=0",
            "model.unshare=null",
            "train.steps=20000",
            "train.eval_every=2000",
        ],
        {
            "as it is": [],
            "kernels unshared from half of the run": ["model.unshare=0.5"],
            "connections fixed": ["connections={kind: fixed}"],
            "pairs judged over 2 of 10 steps": ["connections.every=10", "connections.batches=2"],
            "proposals until half of the run": ["connections.stop=0.5"],
            "temperature by the rule for independent bits": ["model.tau=null"],
            "rate 0.01": ["optimizer.lr=0.01"],
            "rate 0.04": ["optimizer.lr=0.04"],
            "constant rate": ["optimizer.schedule=constant"],
            "neurons start as any gate": ["model.init=gaussian"],
            "4 candidates": ["model.candidates=4"],
            "16 candidates": ["model.candidates=16"],
            "later kernels see 4 channels": [stack(TREES_OF_THREE, MIXED)],
            "kernels see all channels": [stack(TREES_OF_THREE, ALL_CHANNELS)],
            "batch 128": ["train.batch=128"],
            "3 thresholds": ["data.encoder.thresholds=3"],
            "3,000 single gates": [stack(GATES)],
        },
    ),
    "paper": Study(
        "the paper's method, each contribution taken away, and the recipe on the same layers, k = 16, 20,000 steps",
        "cifar10-conv-k16",
        ["train.steps=20000", "train.eval_every=1000", "train.keep=last", "train.threads=1"],
        {
            "the paper's method": [],
            "connections fixed": ["connections={kind: fixed}"],
            "kernels see all channels": [stack(TWO_LAYERS, ALL_CHANNELS)],
            "discretized at the end": ["discretization={kind: none}"],
            "the recipe": [
                "model.relaxation=hard",
                "model.candidates=8",
                "model.tau=measured",
                "optimizer={lr: 0.02, schedule: one-cycle, clip: null}",
                "connections={kind: guided, every: 40, batches: 32, margin: 1.0, stop: 0.8}",
                "discretization={kind: none}",
            ],
        },
        curves=True,
    ),
}
