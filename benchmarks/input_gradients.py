"""Through how many candidates should an input's gradient flow? The chosen one alone, or the likeliest few.

    python benchmarks/input_gradients.py     # about six minutes of one core; adds to input_gradients.json beside itself

gatewright takes the chosen candidate: one gate a neuron. The alternatives are stated here: the likeliest m candidates,
each with its share of their probabilities. Two layers, hard relaxation, float gradients, three seeds, judged on validation.
Needs GATEWRIGHT_DATA.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatewright.kernels import ops
from gatewright.nn import functional
from gatewright.nn.functional import Wiring
from gatewright.runtime.machine import machine, versions
from short_runs import SEEDS, run_once

RESULT = Path(__file__).with_suffix(".json")
CHANGES = [
    "model.gradients=float",
    "model.layers=[{type: flatten}, {type: dense, width: 2000}, {type: dense, width: 2000}]",
    "connections={kind: guided, every: 20}",
    "train.batch=512",
    "train.steps=1000",
    "train.eval_every=250",
]
ARMS = (1, 2, 4)


@contextmanager
def likeliest(count: int) -> Iterator[None]:
    """Let input gradients flow through the `count` likeliest candidates of each neuron."""
    original: Callable[..., Any] = functional._hard_input_gradient  # noqa: SLF001
    backward: Callable[..., Any] = functional._Hard.backward  # noqa: SLF001
    state: list[Any] = []

    def with_state(ctx: Any, *grads: Tensor) -> Any:
        state[:] = [ctx.saved_tensors[1].detach(), ctx.layer[0]]
        return backward(ctx, *grads)

    def to_input(words: Tensor, grad: Tensor, chosen: Any, geometry: Any, unit: int) -> Tensor:
        del chosen, unit
        logits, wiring = state
        top = logits.topk(count, 1)
        share = torch.softmax(top.values, 1)
        total = None
        for k in range(count):
            one = Wiring(*(t.gather(1, top.indices[:, k : k + 1]).squeeze(1) for t in wiring))
            part = ops.hard_input_grad(words, grad * share[:, k, None, None], *one, geometry.positions, geometry.window)
            total = part if total is None else total + part
        assert total is not None
        return geometry.crop_rows(total)

    functional._Hard.backward = staticmethod(with_state)  # noqa: SLF001
    functional._hard_input_gradient = to_input  # noqa: SLF001
    try:
        yield
    finally:
        functional._Hard.backward = staticmethod(backward)  # noqa: SLF001
        functional._hard_input_gradient = original  # noqa: SLF001


def main() -> None:
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"arms": {}}
    for seed in SEEDS:
        for count in ARMS:
            runs = found["arms"].setdefault(str(count), {"runs": []})["runs"]
            if any(run["seed"] == seed for run in runs):
                continue
            with likeliest(count):
                run = run_once("mnist-fast", CHANGES, seed)
            del run["curve"]
            runs.append(run)
            values = [each["validation"] for each in runs]
            found["arms"][str(count)] |= {
                "mean": round(statistics.mean(values), 5),
                "deviation": round(statistics.stdev(values), 5) if len(values) > 1 else None,
                "seconds": statistics.median(each["seconds"] for each in runs),
            }
            found |= {"changes": CHANGES, "machine": machine(torch.device("cpu")), "versions": versions()}
            RESULT.write_text(json.dumps(found, indent=1) + "\n")
            print(seed, count, run["validation"], run["seconds"], flush=True)


if __name__ == "__main__":
    main()
