"""Hostile files for every loader: only gatewright's own errors may come out, within limits of memory and time.

Kinds: the keys of `LOADERS`.

A file that was damaged, and not made hostile with its checksums recomputed, is either refused or read as it was.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gatewright import zoo
from gatewright.circuit import Circuit, cost, io
from gatewright.data.cifar import parse_batch
from gatewright.data.idx import parse_idx
from gatewright.engine import Engine
from gatewright.engine.bulk import predict_file
from gatewright.errors import GatewrightError
from gatewright.formats.blif import from_blif
from gatewright.runs.result import RunResult
from gatewright.runs.results import Results
from gatewright.runs.run import load_run, lower_run, train
from gatewright.training import load
from gatewright.training.checkpoint import load_state
from gatewright.verification import read as read_netlist
from soak import texts
from soak.harness import Failure, doing, main, scratch, unexpected
from soak.mutator import Rng
from soak.states import Content, bomb, hostile_circuit, hostile_state, hostile_xz, run_folders


@dataclass(frozen=True)
class Loader:
    """A loader and what it is given.

    Attributes:
        make: Hostile content, and the content that it must be read as if it is read at all (None: any).
        read: Reads the file; what it returns is compared.
        file: The file's name.
        share: How often, relative to the others; slow loaders get less.
    """

    make: Callable[[Rng], Content]
    read: Callable[[Path], Any]
    file: str
    share: float = 1.0


def read_circuit(path: Path) -> Circuit:
    """A circuit, and what `gatewright info` computes of it."""
    circuit = io.load_circuit(path)
    cost(circuit)
    return circuit


def read_run(path: Path) -> Circuit:
    """The circuit of a run whose model file was replaced; its network must run, too."""
    run = load_run(path.parent)
    shape = run.model[0].shape
    run.model(torch.zeros(1, *shape, dtype=getattr(torch, run.model[0].dtype)))
    return lower_run(run)


def resume(path: Path) -> None:
    """A training that resumes from a checkpoint that was replaced, for one step."""
    folder = path.parent
    good = {file.name: file.read_bytes() for file in run_folders()[1].iterdir()}
    for file in folder.iterdir():
        if file != path:
            file.unlink()
    for name, content in good.items():
        if name != path.name:
            (folder / name).write_bytes(content)
    train(folder / "config.yaml", out=folder, resume=True, stop=lambda: True)


@cache
def engine() -> Engine:
    """What classifies the samples of `.npy` files: 17 features of bytes."""
    return Engine(zoo.load_circuit("monks-1"), threads=1)


def classify(path: Path) -> None:
    """The classes of the samples in a file, written to another one."""
    predict_file(engine(), path, scratch() / "out.npy")


def read_text(path: Path) -> str:
    """The text of a file, undecodable bytes as surrogates, which a command line may contain."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


LOADERS: dict[str, Loader] = {
    "gw": Loader(hostile_circuit, read_circuit, "x.gw", 4),
    "gw-xz": Loader(hostile_xz, read_circuit, "x.gw.xz", 1),
    "state": Loader(
        lambda rng: hostile_state(rng, "model"), lambda path: load_state(path, "model"), "x.safetensors", 3
    ),
    "model": Loader(lambda rng: hostile_state(rng, "model"), read_run, "model.safetensors", 0.4),
    "checkpoint": Loader(lambda rng: hostile_state(rng, "checkpoint"), resume, "checkpoint.safetensors", 0.05),
    "aiger": Loader(texts.hostile_aiger, read_netlist, "x.aig", 4),
    "aag": Loader(texts.of_text(lambda: [texts.AAG.encode()], texts.AAG_WORDS), read_netlist, "x.aag", 2),
    "blif": Loader(texts.of_text(lambda: texts.netlists("blif"), texts.BLIF_WORDS), read_netlist, "x.blif", 3),
    "blif-registers": Loader(
        texts.of_text(lambda: texts.netlists("blif"), texts.BLIF_WORDS),
        lambda path: from_blif(path, registers=True),
        "x.blif",
        2,
    ),
    "verilog": Loader(texts.of_text(lambda: texts.netlists("verilog"), texts.VERILOG_WORDS), read_netlist, "x.v", 0.01),
    "yaml": Loader(texts.of_text(texts.configs, texts.YAML_WORDS), load.load_file, "x.yaml", 0.5),
    "override": Loader(
        texts.hostile_override, lambda path: load.load_preset("digits", [read_text(path)]), "x.txt", 0.5
    ),
    "npy": Loader(texts.hostile_array, classify, "x.npy", 1),
    "card": Loader(
        lambda rng: texts.hostile_json(rng, texts.figures()["card"]),
        lambda path: zoo.card("x", path.parent),
        "x.json",
        2,
    ),
    "result": Loader(
        lambda rng: texts.hostile_json(rng, texts.figures()["result"]),
        lambda path: RunResult.load(path.parent),
        "result.json",
        2,
    ),
    "results": Loader(
        lambda rng: texts.hostile_json(rng, texts.figures()["results"]), lambda path: Results(path).rows(), "x.json", 2
    ),
    "idx": Loader(texts.hostile_idx, lambda path: parse_idx(path.read_bytes(), "x"), "x.idx", 3),
    "cifar": Loader(texts.hostile_pickle, lambda path: parse_batch(path.read_bytes(), "x"), "x.pickle", 3),
}


def _same(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, Circuit):
        return one.same_as(two)
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(_same, one, two))
    return one == two


def case(rng: Rng, only: Sequence[str]) -> str:
    """One hostile file for one loader."""
    names = [name for name in LOADERS if not only or name in only]
    shares = np.array([LOADERS[name].share for name in names])
    name = str(rng.choice(names, p=shares / shares.sum()))
    loader = LOADERS[name]
    content, original = loader.make(rng)
    folder = scratch() / name
    folder.mkdir(exist_ok=True)
    path = folder / loader.file
    path.write_bytes(content)
    doing(name)
    try:
        with warnings.catch_warnings(action="error", category=RuntimeWarning):
            got = loader.read(path)
    except GatewrightError as error:
        if len(str(error)) > 2000:
            raise Failure(f"{name}: a message of over 2,000 characters", str(error)[:80]) from error
        return f"{name} refused"
    except OSError as error:
        if error.filename is None:
            raise unexpected(name, error) from error
        return f"{name} refused"
    except (Exception, RecursionError) as error:
        raise unexpected(name, error) from error
    if original is not None:
        path.write_bytes(original)
        if not _same(got, loader.read(path)):
            raise Failure(f"{name}: a damaged file was read as something else")
    return f"{name} read"


def warm(only: Sequence[str]) -> None:
    """Let each loader read a good file once, so that no case pays for imports and compilation."""
    rng = np.random.default_rng(0)
    torch.set_num_threads(1)
    if not only or "gw-xz" in only:
        bomb()
    for name in LOADERS:
        if not only or name in only:
            for _ in range(3):
                try:
                    case(rng, [name])
                except Failure:
                    continue


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = sys.argv[sys.argv.index("--only") + 1 :] if "--only" in sys.argv else []
    warm(words)
    sys.exit(main("fuzz", case, limits=True))
