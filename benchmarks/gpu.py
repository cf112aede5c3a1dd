"""Everything that is to be measured on a GPU, in parts of under ten minutes each, into benchmarks/gpu.json.

python benchmarks/gpu.py check            # the tests marked gpu
python benchmarks/gpu.py speed            # steps/s and the roofline: dense MNIST small and medium, conv CIFAR-10 T, S, M, L
python benchmarks/gpu.py mnist            # the best test accuracy within 20 s of a process's life
python benchmarks/gpu.py cifar10          # the same within 10 minutes, as a run that resumes: --folder
python benchmarks/gpu.py row PRESET       # a paper's model for --minutes; its checkpoint in --folder is gone on with
next time python benchmarks/gpu.py tune             # fixed block sizes of the summing kernels: which would be fastest
python benchmarks/gpu.py                  # check, speed, mnist and tune: what needs nothing but the GPU, and MNIST

--device cpu runs all of it without a GPU, to see that it works; its figures go nowhere unless --json names a file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gatewright.bench.presets import bench_presets
from gatewright.bench.timing import seconds_of
from gatewright.kernels import ops
from gatewright.nn import LogicConv2d, LogicDense
from gatewright.runs.run import train
from gatewright.runtime.machine import machine
from gatewright.training.load import load_preset
from gatewright.training.metrics import read_lines

HERE = Path(__file__).parent
HARD = ("model.relaxation=hard",)

# Preset, changes, whether the reference kernels are measured too (the larger models' would need more memory than there is).
SPEED: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("mnist-dense-small", (), True),
    ("mnist-dense-small", ("train.precision=bfloat16",), False),
    ("mnist-dense-small", HARD, True),
    ("mnist-dense-small", (*HARD, "train.graph=false"), False),
    ("mnist-dense-small-hard", (), False),
    ("mnist-dense-small-hard", ("connections.method=products",), False),
    ("mnist-dense-medium", (), True),
    ("mnist-dense-medium", HARD, False),
    *itertools.chain.from_iterable(
        ((f"cifar10-conv-{size}", (), size == "t"), (f"cifar10-conv-{size}", HARD, size == "t")) for size in "tsml"
    ),
)


def check(options: argparse.Namespace) -> dict[str, Any]:
    """The tests marked gpu."""
    where = ["tests/kernels", "tests/training/test_graph.py", "tests/training/test_preset_bench.py", "tests/learning"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", *where]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    print(done.stdout[-3000:])
    return {"exit_code": done.returncode, "summary": done.stdout.strip().splitlines()[-1], "device": options.device}


def speed(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Steps a second of each case, kernel by kernel."""
    rows = []
    for preset, changes, reference in SPEED:
        begin = time.monotonic()
        if begin - options.begin > options.seconds:
            print("no time left for", preset, *changes)
            break
        wanted = [*changes, *options.set]
        try:
            result = bench_presets([preset], device=options.device, changes=wanted, seconds=1.0, reference=reference)
        except torch.cuda.OutOfMemoryError as error:
            result = {"presets": {preset: {"failed": str(error)}}}
        row = {"changes": wanted, **result}
        rows.append(row)
        shown = result["presets"][preset]
        print(preset, *wanted, {k: v for k, v in shown.items() if k != "kernels"}, f"{time.monotonic() - begin:.0f} s")
        for kernel in shown.get("kernels", []):
            print("   ", kernel)
    return rows


def timed_run(preset: str, changes: list[str], folder: Path, options: argparse.Namespace, seconds: float) -> Any:
    """Train for so many seconds; the result, or how far it came."""
    end = time.monotonic() + seconds
    config = load_preset(preset, [f"train.device={options.device}", *changes, *options.set])
    result = train(config, preset, folder, resume=True, stop=lambda: time.monotonic() > end)
    if result is not None:
        return result.model_dump(mode="json")
    lines = [line for line in read_lines(folder / "metrics.jsonl") if "validation" in line]
    return {"stopped": True, "steps": config.train.steps, "last": lines[-1] if lines else None}


def mnist(options: argparse.Namespace) -> dict[str, Any]:
    """As many steps as fit into 20 s, start of the process included."""
    preset, changes = "mnist-dense-small-hard", ["data.augment.shift=1", "train.batch=256"]
    speed_of = bench_presets(
        [preset], device=options.device, changes=[*changes, *options.set], seconds=1.0, kernels=False
    )
    rate = speed_of["presets"][preset]["gatewright"]["steps_per_s"]
    steps = max(10, int(rate * 13))  # the rest is Python, torch, the data, the recording and the evaluations
    script = ["train", preset, "--device", options.device, "--out", str(options.folder / "mnist-20s"), "--json"]
    told = [
        *changes,
        f"train.steps={steps}",
        f"train.eval_every={steps}",
        f"train.checkpoint_every={steps}",
        *options.set,
    ]
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "gatewright", *script, *(f"--set={change}" for change in told)],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begin
    if done.returncode:
        return {"failed": done.stderr[-2000:]}
    return {"wall_seconds": round(seconds, 2), "steps": steps, "changes": told, "result": json.loads(done.stdout)}


def cifar10(options: argparse.Namespace) -> Any:
    """The paper's S convolution, hard, for ten minutes."""
    changes = [*HARD, "train.steps=20000", "train.batch=256", "optimizer.schedule=one-cycle"]
    return timed_run("cifar10-conv-s", changes, options.folder / "cifar10-10min", options, 60 * options.minutes)


def row(options: argparse.Namespace) -> Any:
    """A paper's model, as far as the time allows."""
    return timed_run(options.preset, [], options.folder / options.preset, options, 60 * options.minutes)


def tune(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time of the summing kernels over block sizes, for a dense layer and a convolution."""
    from gatewright.kernels.cuda import launch  # noqa: PLC0415 - only where there is a GPU

    device, n = torch.device(options.device), 128
    g = torch.Generator().manual_seed(0)
    layers = {
        "dense": (LogicDense(16_000, 16_000, generator=g).to(device), (16_000,)),
        "conv": (LogicConv2d(128, 512, 3, padding=1, generator=g).to(device), (128, 16, 16)),
    }
    rows = []
    for kind, (layer, shape) in layers.items():
        cases = cases_of(layer.to(device), shape, n)
        for (blocks, name), many, warps in itertools.product(cases, (4, 8, 16), (1, 2, 4)):
            original = getattr(launch, blocks)
            setattr(launch, blocks, launch.Blocks(many, 128 * warps, warps))
            try:
                seconds = seconds_of(cases[blocks, name], device, least=0.05, rounds=3)
            finally:
                setattr(launch, blocks, original)
            best = {"layer": kind, "kernel": name, "blocks": blocks, "many": many, "warps": warps}
            rows.append({**best, "us": round(seconds * 1e6, 1)})
    for (kind, name), group in itertools.groupby(rows, lambda r: (r["layer"], r["kernel"])):
        print(kind, name, min(group, key=lambda r: r["us"]))
    return rows


def cases_of(layer: Any, shape: tuple[int, ...], n: int) -> dict[tuple[str, str], Callable[[], object]]:
    """The summing kernels of a layer, by the blocks that they take."""
    geometry = layer.geometry(shape)
    wiring, p = layer.wiring(geometry), geometry.positions
    c = layer.candidates
    rows = shape[0] if len(shape) == 1 else shape[0] * (shape[1] + 2) * (shape[2] + 2)
    x = (torch.rand(rows, n, device=p.device) < 0.5).float()
    words, grad = ops.pack(x)[0], torch.randn(c.n_neurons, len(p), n, device=p.device)
    coef = ops.mixture(c.logits.detach(), c.gate)
    one = wiring.chosen(c.logits)
    many, chosen = (wiring.rows_a, wiring.rows_b, p), (one.rows_a, one.rows_b, one.gate, p)
    return {
        ("MIX", "soft_forward"): lambda: ops.soft_forward(x, *many, coef),
        ("SOFT_SUMS", "soft sums"): lambda: ops.soft_backward(x, grad, *many, coef, False),
        ("INPUT", "soft_backward"): lambda: ops.soft_backward(x, grad, *many, coef, True, geometry.window),
        ("HARD_SUMS", "hard_sums"): lambda: ops.hard_sums(words, grad, *many),
        ("INPUT", "hard_input_grad"): lambda: ops.hard_input_grad(words, grad, *chosen, geometry.window),
    }


PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "check": check,
    "speed": speed,
    "mnist": mnist,
    "cifar10": cifar10,
    "row": row,
    "tune": tune,
}


def main() -> None:
    """Measure the wanted parts, and keep what was measured before of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=list(PARTS))
    parser.add_argument("preset", nargs="?", default="cifar10-conv-t")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--folder", type=Path, default=Path("runs") / "gpu")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--seconds", type=float, default=240.0, help="no case of `speed` begins after these")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    options.begin = time.monotonic()
    if options.device != "cpu" and not torch.cuda.is_available():
        sys.exit("torch finds no CUDA device here (--device cpu only shows that this script works)")
    target = options.json or (HERE / "gpu.json" if options.device != "cpu" else None)
    found = json.loads(target.read_text()) if target is not None and target.exists() else {}
    for name in [options.part] if options.part else ["check", "speed", "mnist", "tune"]:
        key = f"{name} {options.preset}" if name == "row" else name
        found[key] = PARTS[name](options)
        found["machine"] = machine(torch.device(options.device))
        if target is not None:
            target.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({key: value for key, value in found.items() if key not in {"speed", "tune"}}, indent=1))


if __name__ == "__main__":
    main()
